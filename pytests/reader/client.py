"""A blocking client that does the calls of a spec over a socket."""

import socket
import time

from . import expr
from .encode import encode
from .framing import Framer
from .machine import Machine, Session
from .rules import Planner
from .spec import duration
from .values import SpecError


class CallError(Exception):
    """A call ended with an error: one of its own, or closed, timeout, protocol."""

    def __init__(self, name, text=b""):
        super().__init__(name, text)
        self.name, self.text = name, text


class _NoMachine:
    """Stands for the machine of a protocol that has none for the client."""

    vars, timers, start = {}, {}, "Open"

    @staticmethod
    def rules(_state):
        """There are none."""
        return []


class _ClientMachine(Machine):
    """The client's own machine, or the mirror, which only does what calls say."""

    def __init__(self, spec):
        if "client" not in spec.machines:
            spec.machines["client"] = _NoMachine
        super().__init__(spec, "client")


class Client:
    """One session with a server."""

    def __init__(self, spec, address, timeout=10.0):
        self.spec, self.machine = spec, _ClientMachine(spec)
        self.socket = socket.create_connection(address, timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.session = Session(self.machine)
        self.session.framer = Framer(spec, "server")
        self.session.framer.settle_mode()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the connection."""
        self.socket.close()

    def call(self, call_name, /, **args):
        """Do a call; gives its results, or raises CallError."""
        tree = self.spec.calls[call_name]
        deadline = time.monotonic() + duration(tree.get("within"), 10.0)
        self.session.args = self._arguments(tree.get("args", {}), args)
        for step in tree["steps"]:
            results = self._step(step, deadline)
            if results is not None:
                return results
        return {}

    def _arguments(self, declared, given):
        values = {}
        for name, detail in declared.items():
            of = self.spec.types.make(detail)
            if name in given:
                value = given[name]
                values[str(name)] = of.accept(of.enum.value(value) if of.enum and isinstance(value, str) else value)
            else:
                values[str(name)] = self.spec.constant(detail["default"], of.enum)
        unknown = set(given) - set(declared)
        if unknown:
            raise SpecError("no such argument: %s" % ", ".join(unknown))
        return values

    def _step(self, step, deadline):
        if "expect" in step:
            return self._expect(step["expect"], deadline)
        plan, = Planner(self.machine, self.session, {}).plans(step)
        self._apply(plan)
        return plan.result

    def _apply(self, plan):
        self.session.vars = plan.vars
        for pattern in plan.sends:
            self.socket.sendall(pattern.data)
        if plan.goto == "End" or plan.close:
            self._finish()

    def _finish(self):
        """End the session in an orderly way: shut the write side, read what is left."""
        try:
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
                self.socket.sendall(self.session.take_output())
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
        if data:
            self.session.framer.feed(data)
        else:
            self.session.framer.close()


__all__ = ["CallError", "Client", "encode", "expr"]
