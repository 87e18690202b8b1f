import collections
import enum
import socket
import struct
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
    """What all clients can do. One connection to one server; not for use by several threads at once."""

    def __init__(self, host, port, timeout=None, connect_timeout=10.0, lenient=(), defer=False):
        self.host, self.port = host, port
        self.timeout = timeout  # seconds for a call; None: as long as the protocol says
        self.connect_timeout = connect_timeout
        self.lenient = frozenset(lenient)  # leniencies to grant the server
        if not self.lenient <= set(_LENIENCIES):
            raise ValueError("the protocol has no leniency %s" % ", ".join(sorted(self.lenient - set(_LENIENCIES))))
        self._socket = None
        self._session = None
        self._owed = False  # something was sent since the server was last heard
        if not defer:
            self.open()

    def open(self):
        """Make a new connection; one that is there is closed first."""
        self.close()
        try:
            self._socket = socket.create_connection((self.host, self.port), self.connect_timeout)
        except OSError as error:
            raise Unreachable("%s: cannot connect: %s" % (self._address(), error)) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._session = _Session(self.lenient, self.on_effect, _now())
        self._flush()

    def close(self):
        """End the connection as the protocol wants it ended."""
        if self._session is not None:
            self._session.event("shutdown", _now())
            self._flush()
        self._drop()

    @property
    def connected(self):
        return self._session is not None and not self._session.ended

    def wait(self, seconds):
        """Handle what the server sends and what time brings, for so long."""
        self._need_connection()
        until = _now() + int(seconds * 1e9)
        while self.connected and _now() < until:
            self._step(until)
        self._settle()

    def on_effect(self, name, args):
        """What the protocol wants the application to do: override it; return whether it was done."""
        return False

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    # ---- inside ----

    def _address(self):
        return "[%s]:%s" % (self.host, self.port) if ":" in self.host else "%s:%s" % (self.host, self.port)

    def _need_connection(self):
        if not self.connected:
            raise NotConnected("%s: there is no connection" % self._address())

    def _call(self, index, args):
        """Do a call and wait for its end; a tuple of its results."""
        self._need_connection()
        call = _CALLS[index]
        if not self._session.listens(call):
            self._catch_up()
        values = [self._argument(call, i, value) for i, value in enumerate(args)]
        start = _now()
        limit = int(self.timeout * 1e9) if self.timeout is not None else call.within or int(30e9)
        self._session.call(index, values, start, min(limit, call.within or limit))
        self._flush()
        while self._session.result is None:
            self._step(None)
        outcome, cause, detail, results = self._session.result
        if self._session.ended:
            self._drop(in_order=outcome not in ("timeout", "protocol"))
        if outcome == "ok":
            return tuple(_from_value(_PARAMS[call.results[0] + i].type, v) for i, v in enumerate(results))
        raise self._failure(call, outcome, cause, detail)

    def _catch_up(self):
        """What came since the last call belongs to no call: it is taken before the next request leaves."""
        self._receive(0.0)
        self._flush()
        cause = self._session.end_cause
        if not self._session.ended:
            return
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

    def _failure(self, call, outcome, cause, detail):
        head = "%s: %s: " % (self._address(), call.name)
        if isinstance(outcome, int):
            kind = _ERRORS[_ERROR_NAMES[outcome]]
            text = detail.decode("utf-8", "replace")
            return kind(head + kind.name + (": " + text if text else ""), text)
        if cause == "no-room" or (outcome != "timeout" and cause == call.event):
            return BadArgument(head + "the protocol cannot carry these arguments here")
        if outcome == "timeout":
            return CallTimeout(head + "no answer in time")
        if outcome == "closed":
            return ConnectionLost(head + "the connection ended before the answer (%s)" % _event_name(cause))
        return ProtocolViolation(head + "the server sent what is not allowed there (%s)" % _event_name(cause))

    def _step(self, until):
        """Wait for input or the next deadline, and handle it."""
        deadline = self._session.deadline(until)
        wait = None if deadline is None else max(0.0, (deadline - _now()) / 1e9)
        self._receive(wait)
        if not self._session.ended:
            self._session.tick(_now())  # what came in time goes first
        self._flush()

    def _receive(self, wait):
        self._socket.settimeout(wait)
        try:
            data = self._socket.recv(65536)
        except (socket.timeout, BlockingIOError):
            return
        except OSError:
            self._session.event("reset", _now())
            return
        self._owed = False
        if data:
            self._session.feed(data, _now())
        else:
            self._session.end_of_stream(_now())

    def _flush(self):
        out, self._session.out = bytes(self._session.out), bytearray()
        if not out:
            return
        self._socket.settimeout(self.timeout if self.timeout is not None else 30.0)
        self._owed = True
        try:
            self._socket.sendall(out)
        except socket.timeout:
            self._session.give_up()
        except OSError:
            pass  # what was received before is still handled; then comes the end of the stream

    def _settle(self):
        if self._session is not None and self._session.ended:
            self._drop()

    def _drop(self, in_order=True):
        """Close: in order, that is after the server has taken note of what was sent last; or at once."""
        sock, self._socket, self._session = self._socket, None, None
        if sock is None:
            return
        try:
            sock.shutdown(socket.SHUT_WR)
            if in_order and self._owed:
                _drain(sock)
        except OSError:
            pass
        sock.close()


def _drain(sock):
    """Read to the end: closing while something is unread would reset the connection and could destroy what was sent."""
    until, left = time.monotonic() + _DRAIN_SECONDS, _DRAIN_BYTES
    while left > 0 and time.monotonic() < until:
        sock.settimeout(max(0.001, until - time.monotonic()))
        data = sock.recv(65536)
        if not data:
            return
        left -= len(data)
