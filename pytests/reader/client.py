"""A blocking client that does the calls of a spec over a socket."""

import os
import socket
import time

from . import expr
from .decode import Event
from .encode import encode
from .framing import Framer
from .machine import Machine, Session
from .rules import Planner
from .shared import World
from .spec import duration
from .values import SpecError


class CallError(Exception):
    """A call ended with an error: one of its own, or closed, timeout, protocol."""

    def __init__(self, name, text=b""):
        super().__init__(name, text)
        self.name, self.text = name, text


def arguments(spec, declared, given):
    """The arguments of a call, with defaults for those that are not given."""
    values = {}
    for name, detail in declared.items():
        of = spec.types.make(detail)
        if name in given:
            value = given[name]
            values[str(name)] = of.accept(of.enum.value(value) if of.enum and isinstance(value, str) else value)
        else:
            values[str(name)] = spec.constant(detail["default"], of.enum)
    unknown = set(given) - set(declared)
    if unknown:
        raise SpecError("no such argument: %s" % ", ".join(unknown))
    return values


class _NoMachine:
    """Stands for the machine of a protocol that has none for the client."""

    vars, timers, start, reconnect = {}, {}, "Open", None

    @staticmethod
    def rules(_state):
        """There are none."""
        return []


class _ClientMachine(Machine):
    """The client's own machine, or the mirror, which only does what calls say."""

    def __init__(self, spec, own=None, effect=None):
        super().__init__(spec, "client", effect, ours_only=True, own=own or spec.machines.get("client", _NoMachine))


class Client:
    """One session with a server. `addresses`: of the transports that calls open links of their own over."""

    def __init__(self, spec, address, timeout=10.0, own=None, addresses=None, effect=None):
        self.spec, self.machine, self.addresses = spec, _ClientMachine(spec, own, effect), addresses or {}
        self.datagrams, self.socket = spec.transport.datagrams, None
        if address is not None:
            self._open(address, timeout)

    def _open(self, address, timeout):
        if self.datagrams:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.connect(address)
        else:
            self.socket = socket.create_connection(address, timeout)
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.session = Session(self.machine)
        self.session.framer = Framer(self.spec, "server")
        self.session.framer.settle_mode()
        self.session = self.machine.begin(self.session, time.monotonic_ns())[0]
        self._flush()

    def _flush(self):
        for pattern in self.session.sent:
            self.socket.sendall(pattern.data)
        self.session.take_output()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the connection."""
        if self.socket is not None:
            self.socket.close()

    def call(self, call_name, /, **args):
        """Do a call; gives its results, or raises CallError."""
        tree = self.spec.calls[call_name]
        if "opens" in tree:
            return self._on_a_link_of_its_own(call_name, tree["opens"], args)
        return self._do(tree, args)

    def _on_a_link_of_its_own(self, call_name, opens, args):
        spec = self.spec.over(opens.get("over", next(iter(self.spec.transports))))
        own = spec.named_machines[opens["machine"]] if "machine" in opens else None
        with Client(spec, self.addresses[spec.transport.name], own=own) as link:
            results = link._do(self.spec.calls[call_name], args)
            if not link.session.ended:
                link._finish()
            return results

    def _do(self, tree, args):
        deadline = time.monotonic() + duration(tree.get("within"), 10.0)
        self.session.args = arguments(self.spec, tree.get("args", {}), args)
        for step in tree["steps"]:
            results = self._step(step, deadline)
            if results is not None:
                return results
        return {}

    def _step(self, step, deadline):
        if "expect" in step:
            return self._expect(step["expect"], deadline)
        if "if" in step:
            planner = Planner(self.machine, self.session, {})
            for inner in step.get("then" if planner.holds(step["if"]) else "else", []):
                self._step(inner, deadline)
            return None
        plan, = Planner(self.machine, self.session, {}).plans(step)
        self._apply(plan)
        return plan.result

    def _apply(self, plan):
        self.session.vars = plan.vars
        for pattern in plan.sends:
            self.socket.sendall(pattern.data)
        if plan.goto == "End" or plan.close:
            self.session.ended = "fin"
            self._finish()

    def _finish(self):
        """End the session in an orderly way: shut the write side, read what is left."""
        try:
            if not self.datagrams:
                self.socket.shutdown(socket.SHUT_WR)
                while self.socket.recv(65536):
                    pass
        except OSError:
            pass
        self.close()

    def _expect(self, rules, deadline):
        event = self._receive(deadline)
        planner = Planner(self.machine, self.session, event.fields)
        for rule in rules:
            wanted = rule["when"] if isinstance(rule["when"], list) else [rule["when"]]
            if any(self.machine.matches(item, event) for item in wanted) and planner.holds(rule.get("if")):
                plan = planner.plans(rule)[0]
                self._apply(plan)
                if plan.error:
                    raise CallError(*plan.error)
                return plan.result
        raise CallError("closed" if event.name in ("eof", "eof-in-frame") else "protocol", repr(event).encode())

    def _receive(self, deadline):
        """The next event that the client's own machine does not take."""
        while True:
            event = self.session.framer.next_event()
            if event is None:
                self._read(deadline)
            elif self.machine.claims(self.session, event):
                self.session = self.machine.handle(self.session, event)[0]
                self._flush()
            else:
                return event

    def _read(self, deadline):
        left = deadline - time.monotonic()
        if left <= 0:
            raise CallError("timeout")
        self.socket.settimeout(left)
        try:
            data = self.socket.recv(65536)
        except socket.timeout as error:
            raise CallError("timeout") from error
        except ConnectionError as error:
            raise CallError("closed") from error
        if data or self.datagrams:
            self.session.framer.feed(data)
        else:
            self.session.framer.close()


class Live:
    """A session over datagrams whose machine runs by itself, and whose calls await what becomes of it."""

    def __init__(self, spec, address, effect=None):
        self.spec, self.machine = spec, _ClientMachine(spec, effect=effect)
        self.machine.world = World(spec, os.urandom(16))
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(address)
        self.session = self.machine.begin(Session(self.machine), time.monotonic_ns())[0]
        self.session.peer = repr(address).encode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def pump(self, until):
        """Handle the next datagram, or what time brings; `until`: on the clock of time.monotonic()."""
        now, due = time.monotonic_ns(), self.session.deadline()
        wait = until - now / 1e9 if due is None else min((due - now) / 1e9, until - now / 1e9)
        self.socket.settimeout(max(wait, 0.0005))
        try:
            data = self.socket.recv(65536)
            self.session = self.machine.feed(self.session, data, time.monotonic_ns())[0]
        except socket.timeout:
            self.session = self.machine.advance(self.session, time.monotonic_ns())[0]
        except ConnectionError:
            pass  # nobody listens yet: it goes out again
        self._flush()

    def _flush(self):
        for pattern in self.session.sent:
            try:
                self.socket.send(pattern.data)
            except ConnectionError:
                pass
        self.session.take_output()

    def run(self, holds, seconds=10.0):
        """Go on until something holds; whether it does."""
        until = time.monotonic() + seconds
        while not holds() and time.monotonic() < until:
            self.pump(min(until, time.monotonic() + 0.05))
        return holds()

    def call(self, call_name, /, **args):
        """Do a call; raises CallError."""
        tree, session = self.spec.calls[call_name], self.session
        session.now = time.monotonic_ns()
        until = session.now + int(duration(tree.get("within"), 10.0) * 1e9)
        self.session, = self.machine.calls.begin(session, call_name, arguments(self.spec, tree.get("args", {}), args), until)
        self._flush()
        while self.session.call is not None:
            self.pump(time.monotonic() + 0.05)
        told = self.session.told.pop()
        if told.kind == "error":
            raise CallError(*told.value)


class GivenUp(Exception):
    """There is no connection, and none will be tried any more."""


class Runner:
    """A client's machine that runs by itself, and connects again as it says. `pauses`: what was waited, in seconds."""

    def __init__(self, spec, address, effect=None, own=None):
        self.spec, self.address, self.machine = spec, address, _ClientMachine(spec, own, effect)
        self.pauses, self.states = [], []

    def run(self, seconds):
        """Until the machine is through; TimeoutError when it is not by then."""
        until, again, pause, failed = time.monotonic() + seconds, self.machine.own.reconnect, None, 0
        while True:
            heard = self._once(until)
            if heard is None:
                return
            pause, failed = (None, 0) if heard else (pause, failed)
            if again is None or again.most is not None and failed == again.most:
                raise GivenUp()
            failed += 1
            pause = again.pause.eval(self.spec.scope()) if pause is None else again.next(pause)
            self.pauses.append(pause / 1e9)
            if time.monotonic() + pause / 1e9 > until:
                raise TimeoutError()
            time.sleep(pause / 1e9)

    def _once(self, until):
        """One connection: None if it came to its end, else whether a message arrived over it."""
        try:
            link = socket.create_connection(self.address, 10)
        except OSError:
            return False
        with link:
            session, started = Session(self.machine), time.monotonic_ns()
            session.framer.settle_mode()
            session = self.machine.begin(session, 0)[0]
            while True:
                link.sendall(session.take_output())
                if session.ended:
                    self.states.append(session.state)
                    return None if session.finished else session.heard
                session = self._input(link, session, started, until)

    def _input(self, link, session, started, until):
        now, due = time.monotonic_ns() - started, session.deadline()
        wait = until - time.monotonic() if due is None else min((due - now) / 1e9, until - time.monotonic())
        link.settimeout(max(wait, 0.001))
        try:
            data = link.recv(65536)
        except socket.timeout:
            if time.monotonic() >= until:
                raise TimeoutError() from None
            return self.machine.advance(session, time.monotonic_ns() - started)[0]
        except OSError:
            return self.machine.signal(session, "reset")[0]
        now = time.monotonic_ns() - started
        return (self.machine.feed(session, data, now) if data else self.machine.close(session, now))[0]


__all__ = ["CallError", "Client", "GivenUp", "Live", "Runner", "encode", "expr"]
