import collections
import enum
import fractions
import hashlib
import hmac
import json
import os
import selectors
import socket
import struct
import sys
import time


class ClientError(Exception):
    """A call did not succeed. Its subclasses say why; str() is a sentence that names the server."""


class Unreachable(ClientError):
    """No connection: nobody listens there, the name is not known, or it took too long."""


class NotConnected(ClientError):
    """There is no connection; open() makes a new one."""


class ConnectionLost(ClientError):
    """The server closed or reset the connection before the call was through."""


class CallTimeout(ClientError):
    """The call took too long. The connection is closed: a late answer is never taken for another call's."""


class ProtocolViolation(ClientError):
    """The server sent what the protocol does not allow. The connection is closed."""


class BadArgument(ClientError, ValueError):
    """An argument is outside of what the protocol allows. Nothing was sent."""


class CallFailed(ClientError):
    """The server said no, with an error of the protocol: `name`, and `detail`, the text that came with it."""

    name = ""

    def __init__(self, message, detail=""):
        super().__init__(message)
        self.detail = detail


class BaseClient:
    """What all clients can do. One connection to one server; not for use by several threads at once, but for stop().

    timeout: seconds that a call may take; None: as long as the protocol says.
    connect_timeout: seconds that connecting may take.
    lenient: names of leniencies to grant the server.
    defer: connect later, with open() or run(). Calls that make a connection of their own need none.
    transport, machine: by their names in the spec, if not those that it names first.
    ports: of the server on other transports than this one, by name: {"udp": 3002}; those of the spec otherwise.
    bind: (host, port) to send from. Over UDP such a client hears whoever sends there.
    trace: called with (sent, message, data, text) for every frame: whether it was sent, its name (None where it cannot
        be read), its bytes, and what it holds, as 'Name{field=value text="..."}' (None where it cannot be read).
    """

    def __init__(self, host, port, params=None, timeout=None, connect_timeout=10.0, lenient=(), defer=False,
                 transport=None, machine=None, ports=None, bind=None, trace=None):
        self.host, self.port = host, port
        self.timeout, self.connect_timeout = timeout, connect_timeout
        self.lenient = frozenset(lenient)
        if not self.lenient <= set(_LENIENCIES):
            raise ValueError("the protocol has no leniency %s" % ", ".join(sorted(self.lenient - set(_LENIENCIES))))
        self.ports, self.bind, self.trace = dict(ports or {}), bind, trace
        self._options = _option_values(params or {})
        self._transport = 0 if transport is None else _index_of(_TRANSPORTS, transport, "transport")
        self._machine = _TRANSPORTS[self._transport].machine
        if machine is not None:
            self._machine = _index_of(_MACHINES, machine, "machine")
        self._link = self._over = None  # the connection; the last one that its session ended
        self._pause, self._failed = None, 0  # of connecting again: the last pause, tries in a row that failed
        self._wake = None
        if not defer:
            self.open()

    def open(self):
        """Make a new connection; one that is there is closed first. It tries once: run() connects again."""
        self.close()
        if self._machine is None:
            raise NotConnected("%s: the protocol has no client there" % self._address())
        link = _Link(self, self._transport, self._machine)
        link.open()
        self._link = link

    def close(self):
        """End the connection as the protocol wants it ended."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    @property
    def connected(self):
        return self._link is not None and not self._link.session.ended

    @property
    def state(self):
        """The state that the client's machine is in, by its name in the spec; "" without a connection."""
        return _STATES[self._link.session.state] if self.connected else ""

    @property
    def waiting(self):
        """How many messages were sent that are not acknowledged yet; they are sent again until they are."""
        flow = self._link.session.flow if self.connected else None
        return 0 if flow is None else len(flow.kept)

    @property
    def given_up(self):
        """How many messages of this connection were forgotten, as they were not acknowledged for too long."""
        flow = None if self._link is None else self._link.session.flow
        return 0 if flow is None else flow.given_up

    def wait(self, seconds):
        """Handle what the server sends and what time brings, for so long (or until the connection is over)."""
        self._need_connection()
        until = _now() + int(seconds * 1e9)
        while self.connected and _now() < until:
            self._link.step(until)
        self._settle()

    def run(self, seconds=None):
        """Connect, unless that is so already, and do what the protocol has a client do by itself, until it is through.

        Connects again where the protocol says so; sleeps while there is nothing to do. Raises ConnectionLost,
        ProtocolViolation or Unreachable when there is no connection and none will be tried (any more), and CallTimeout
        when `seconds` are over: then everything stands as it did, and run() goes on. After stop() it returns False,
        at the end of the protocol True.
        """
        until = None if seconds is None else _now() + int(seconds * 1e9)
        self._make_wake()
        while True:
            try:
                if self._link is None:
                    self.open()
                finished = self._live(until)
                if finished is not None:
                    return finished
                raise self._why_over()
            except (Unreachable, ConnectionLost, ProtocolViolation) as error:
                if not self._rest(error, until):
                    return False

    def stop(self):
        """Have run() return. May be called by a signal handler or another thread."""
        self._make_wake()
        try:
            self._wake[1].send(b"x")
        except BlockingIOError:  # it is full of those that nobody has seen yet
            pass

    def send(self, frame):
        """Send bytes that the application made itself, as they are, past the protocol's rules. For tools."""
        self._need_connection()
        self._link.send([bytes(frame)])

    def on_effect(self, name, args):
        """What the protocol wants the application to do: override it; return whether it was done.

        What is sent again until it is acknowledged is acknowledged behind that, and comes again if it was not done.
        """
        return False

    def on_retry(self, error, seconds):
        """run() has no connection, for this reason, and will try again so many seconds later: override it to tell."""

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # ---- inside ----

    def _address(self, port=None):
        port = self.port if port is None else port
        return "[%s]:%s" % (self.host, port) if ":" in self.host else "%s:%s" % (self.host, port)

    def _port_on(self, transport):
        if transport == self._transport:
            return self.port
        return self.ports.get(_TRANSPORTS[transport].name, _TRANSPORTS[transport].port)

    def _need_connection(self):
        if not self.connected:
            raise NotConnected("%s: there is no connection" % self._address())

    def _call(self, index, args):
        """Do a call and wait for its end; a tuple of its results."""
        call = _CALLS[index]
        values = [self._argument(call, i, value) for i, value in enumerate(args)]
        if call.opens is None:
            self._need_connection()
            return self._do(self._link, call, index, values)
        link = _Link(self, call.opens, call.machine)
        link.open()
        try:
            return self._do(link, call, index, values)
        finally:
            link.close()

    def _do(self, link, call, index, values):
        session = link.session
        if session.machine is not _MACHINES[call.machine]:
            raise NotConnected("%s: %s is not a call of %s" % (self._address(), call.name, session.machine.name))
        if call.opens is None and not session.listens(call):
            self._catch_up()
        limit = int(self.timeout * 1e9) if self.timeout is not None else call.within or int(30e9)
        until = _now() + min(limit, call.within or limit)
        while not session.call(index, values, _now(), until):
            link.step(until)
            if session.ended or _now() >= until:
                session.overdue(index)
                break
        link.flush()
        while session.result is None:
            link.step(None)
        outcome, cause, detail, results = session.result
        if session.ended and link is self._link:
            self._settle(in_order=outcome not in ("timeout", "protocol"))
        if outcome == "ok":
            return tuple(_from_value(_PARAMS[call.results[0] + i].type, v) for i, v in enumerate(results))
        raise self._failure(link, call, outcome, cause, detail)

    def _catch_up(self):
        """What came since the last call belongs to no call: it is taken before the next request leaves."""
        for _ in range(_DATAGRAMS_MAX if self._link.datagrams else 1):
            if not self._link.receive(0.0):
                break
        self._link.flush()
        if not self._link.session.ended:
            return
        cause = self._link.session.end_cause
        self._settle()
        if cause == "reset" or cause.startswith("eof"):
            raise ConnectionLost("%s: the server has closed the connection since the last call" % self._address())
        raise ProtocolViolation("%s: the server sent what nothing asked for (%s)" % (self._address(), cause))

    def _argument(self, call, i, value):
        param = _PARAMS[call.args[0] + i]
        try:
            value = _to_value(param.type, value)
        except (TypeError, ValueError, KeyError, OverflowError) as error:
            raise BadArgument("%s: %s: argument %s: %s" % (self._address(), call.name, param.name, error)) from None
        if not _fits(param.type, value):
            raise BadArgument("%s: %s: argument %s is outside of what the spec allows"
                              % (self._address(), call.name, param.name))
        return value

    def _failure(self, link, call, outcome, cause, detail):
        head = "%s%s: %s: " % ("udp:" if link.datagrams else "", link.address(), call.name)
        if isinstance(outcome, int):
            kind = _ERRORS[_ERROR_NAMES[outcome]]
            text = detail.decode("utf-8", "replace")
            return kind(head + kind.name + (": " + text if text else ""), text)
        if outcome == "refused":
            return Unreachable(head + "nobody takes datagrams there")
        if cause == "no-room" or (outcome != "timeout" and cause == call.event):
            return BadArgument(head + "the protocol cannot carry these arguments here")
        if outcome == "timeout":
            return CallTimeout(head + "no answer in time")
        if outcome == "closed":
            return ConnectionLost(head + "the connection ended before the answer (%s)" % _event_name(cause))
        return ProtocolViolation(head + "the server sent what is not allowed there (%s)" % _event_name(cause))

    def _settle(self, in_order=True):
        if self._link is not None and self._link.session.ended:
            link, self._link = self._link, None
            self._over = link
            link.drop(in_order)

    # ---- running by itself ----

    def _make_wake(self):
        if self._wake is None:
            self._wake = socket.socketpair()
            self._wake[1].setblocking(False)

    def _woken(self, sock, wait):
        """Sleep until the socket (or None) can be read, or so many seconds; whether stop() was called."""
        with selectors.DefaultSelector() as selector:
            selector.register(self._wake[0], selectors.EVENT_READ)
            if sock is not None:
                selector.register(sock, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in selector.select(wait)]
        if self._wake[0] in ready:
            self._wake[0].recv(4096)
            return True
        return False

    def _live(self, until):
        """Until the connection is over: True if the protocol is through; False: stopped; None: it is just over."""
        while self.connected:
            if until is not None and _now() >= until:
                raise CallTimeout("%s: it is not through yet" % self._address())
            session = self._link.session
            deadline, waits = session.deadline(until), session.early is not None
            if waits and deadline is None:  # for a call, and none is made here
                session._end(session.early, "protocol")
                break
            if self._woken(None if waits else self._link.socket, _seconds_to(deadline)):
                return False
            self._link.step(_now())
        if not self._link.session.finished:
            return None
        self._settle()
        return True

    def _why_over(self):
        """The error that a connection which is over means."""
        link, self._link = self._link, None
        self._note_heard(link)
        link.drop(in_order=False)
        if link.session.outcome == "protocol":
            return ProtocolViolation("%s: the server sent what is not allowed there (%s)"
                                     % (self._address(), link.session.end_cause))
        return ConnectionLost("%s: the connection is over (%s)" % (self._address(), link.session.end_cause))

    def _note_heard(self, link):
        """A connection over which a message arrived did not fail."""
        if link.session.heard:
            self._pause, self._failed = None, -1

    def _retry_at(self):
        """When to connect again, after one more failure; None: not any more."""
        again = None if self._machine is None else _MACHINES[self._machine].reconnect
        self._failed += 1
        if again is None or again.most and self._failed >= again.most:
            return None
        self._pause = _next_pause(again, self._pause, self._options)
        return _now() + self._pause

    def _rest(self, error, until):
        """Pause before connecting again, as the protocol says; False: stopped. Raises the error if it says not to."""
        due = self._retry_at()
        if due is None:
            raise error
        self.on_retry(error, self._pause / 1e9)
        while _now() < due:
            if until is not None and _now() >= until:
                raise CallTimeout("%s: it is not through yet" % self._address())
            if self._woken(None, _seconds_to(due if until is None else min(due, until))):
                return False
        return True


_DATAGRAMS_MAX = 64  # that are looked at before a call begins


class _Link:
    """A connection, or datagrams to and from a server, and the session on it."""

    def __init__(self, client, transport, machine):
        self.client, self.transport, self.machine = client, transport, machine
        self.datagrams = _TRANSPORTS[transport].name == "udp"
        self.socket = self.session = self.peer = None
        self.owed = False  # something was sent since the server was last heard

    def address(self):
        return self.client._address(self.client._port_on(self.transport))

    def open(self):
        try:
            self.socket = self._socket(self.client.host, self.client._port_on(self.transport))
        except OSError as error:
            raise Unreachable("%s: cannot connect: %s" % (self.address(), error)) from error
        self.session = _Session(self.machine, self.client.lenient, self.client._options, self.client.on_effect,
                                self.client.trace, _now(), self.peer or self.socket.getpeername())
        self.flush()

    def _socket(self, host, port):
        bind = self.client.bind if self.transport == self.client._transport else None
        if not self.datagrams:
            sock = socket.create_connection((host, port), self.client.connect_timeout, bind)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
        family, kind, _, _, self.peer = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        sock = socket.socket(family, kind)
        try:
            if bind is not None:
                sock.bind(bind)
            else:
                sock.connect(self.peer)
        except OSError:
            sock.close()
            raise
        return sock

    def step(self, until):
        """Wait for input or the next deadline, and handle it."""
        deadline = self.session.deadline(until)
        self.receive(_seconds_to(deadline))
        if not self.session.ended:
            self.session.tick(_now())  # what came in time goes first
        self.flush()

    def receive(self, wait):
        """Handle what comes within so many seconds; whether something came, and more may be there."""
        if self.session.early is not None:  # what comes next waits for a call, and all else behind it
            time.sleep(wait or 0)
            return False
        self.socket.settimeout(wait)
        try:
            if self.datagrams and self.client.bind is not None:
                data, self.peer = self.socket.recvfrom(65536)
            else:
                data = self.socket.recv(65536)
        except (socket.timeout, BlockingIOError):
            return False
        except OSError:
            self._broken()
            return self.datagrams and not self.session.ended
        self.owed = False
        if self.datagrams:
            self.session.datagram(data, _now())
        elif data:
            self.session.feed(data, _now())
        else:
            self.session.end_of_stream(_now())
        return not self.session.ended

    def _broken(self):
        if not self.datagrams:
            self.session.event("reset", _now())
        elif self.session.running is not None and self.session.flow is None:  # a datagram was refused: nobody listens
            self.session.refused()  # who sends it again takes no notice: the server may be about to start anew

    def flush(self):
        out, self.session.out = self.session.out, []
        if out:
            self.send(out)

    def send(self, frames):
        self.socket.settimeout(self.client.timeout if self.client.timeout is not None else 30.0)
        self.owed = True
        try:
            if not self.datagrams:
                self.socket.sendall(b"".join(frames))
            for frame in frames if self.datagrams else ():
                try:
                    self._send_one(frame)
                except ConnectionRefusedError:
                    self._broken()  # it is one before this that was refused
                    self._send_one(frame)
        except socket.timeout:
            self.session.give_up()
        except OSError:
            pass  # what was received before is still handled; then comes the end of the stream

    def _send_one(self, frame):
        if self.client.bind is not None:
            self.socket.sendto(frame, self.peer)
        else:
            self.socket.send(frame)

    def close(self):
        """End the session in order, unless it is over."""
        if self.socket is None:
            return
        outcome = self.session.result[0] if self.session.result else "ok"
        if not self.session.ended:
            self.session.event("shutdown", _now())
            self.flush()
        self.drop(in_order=outcome not in ("timeout", "protocol"))

    def drop(self, in_order=True):
        """Close: in order, that is after the server has taken note of what was sent last; or at once."""
        sock, self.socket = self.socket, None
        if sock is None:
            return
        try:
            if not self.datagrams:
                sock.shutdown(socket.SHUT_WR)
                if in_order and self.owed:
                    _drain(sock)
        except OSError:
            pass
        sock.close()


def _seconds_to(deadline):
    return None if deadline is None else max(0.0, (deadline - _now()) / 1e9)


def _drain(sock):
    """Read to the end: closing while something is unread would reset the connection and could destroy what was sent."""
    until, left = time.monotonic() + _DRAIN_SECONDS, _DRAIN_BYTES
    while left > 0 and time.monotonic() < until:
        sock.settimeout(max(0.001, until - time.monotonic()))
        data = sock.recv(65536)
        if not data:
            return
        left -= len(data)
