"""A reference server made from the reader: one thread a connection, one for all datagrams of a transport."""

import argparse
import os
import pathlib
import socket
import struct
import threading
import time

from .machine import Machine
from .shared import World
from .spec import load


class Host:
    """Does the effects that a spec binds to a host."""

    def __init__(self, spec, data):
        self.spec, self.data, self.lock = spec, pathlib.Path(data), threading.RLock()
        self.failing = set()
        self.stop = lambda: None
        self.shown, self.reported, self.reopened = [], [], 0  # what went to standard output, what was reported

    def __call__(self, session, name, args):
        """Do one effect; whether it worked."""
        if name in self.failing:
            return False
        binding = self.spec.effects[name].get("to", "application")
        verb, target = (str(binding), "") if isinstance(binding, str) else next(iter(binding.items()))
        return getattr(self, "_" + verb, lambda *_: True)(session, target, args)

    def _param(self, text):
        return self.spec.params[text[1:]] if text.startswith("$") else str(text).encode()

    def _append(self, _session, name, args):
        self._write(self._param(name), b"".join(args.values()))
        return True

    def _write(self, name, data):
        with self.lock:
            if name == b"stdout":
                self.shown.append(data)
                return
            with open(self.data / name.decode(), "ab") as file:
                file.write(data)

    def _crypt(self, _session, name, _args):
        return self._param(name) == b""

    def _print(self, _session, _target, args):
        self._write(b"stdout", b"".join(args.values()) + b"\n")
        return True

    def _stop(self, _session, _target, _args):
        self.stop()
        return True

    def _reopen(self, _session, _target, _args):
        self.reopened += 1
        return True

    def _report(self, _session, _target, args):
        self.reported.append(b"".join(args.values()))
        return True

    def _gather(self, session, name, args):
        session.gathered = getattr(session, "gathered", b"") + b"".join(args.values())
        return True

    def _release(self, session, name, args):
        self._write(self._param(name), getattr(session, "gathered", b"") + b"".join(args.values()))
        session.gathered = b""
        return True


class Server:
    """Listens on a free port of the loopback until it is closed. `piece`: at most so many bytes in one write."""

    def __init__(self, spec, data, piece=None):
        self.piece = piece
        self.spec, self.host = spec, Host(spec, data)
        self.host.stop = self.close
        self.world = World(spec, os.urandom(16))
        self.machine = Machine(spec, "server", self.host, ours_only=True, world=self.world)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.addresses = {spec.transport.name: self.address}
        self.errors, self.connections, self.over = [], 0, threading.Event()
        self.counting = threading.Lock()
        self.sockets = [self._datagrams(spec.over(name)) for name, each in spec.transports.items() if each.name == "udp"]
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def _datagrams(self, spec):
        """Serve one transport of datagrams."""
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("127.0.0.1", 0))
        self.addresses[spec.transport.name] = listener.getsockname()
        machine = Machine(spec, "server", self.host, ours_only=True, world=self.world)
        threading.Thread(target=self._serve_datagrams, args=(listener, machine), daemon=True).start()
        return listener

    def _serve_datagrams(self, listener, machine):
        sessions = {}
        try:
            while True:
                now = time.monotonic_ns()
                due = [session.deadline() for session in sessions.values() if session.deadline() is not None]
                listener.settimeout(max(min(due) - now, 1) / 1e9 if due else None)
                data, peer = self._receive(listener)
                now = time.monotonic_ns()
                if peer is not None:
                    session = sessions.get(peer) or self._begin(machine, peer, now)
                    sessions[peer] = machine.feed(session, data, now)[0]
                for peer in list(sessions):  # time passed for all of them, and there may be rows for each
                    self._go_on(listener, machine, sessions, peer, now)
        except OSError:
            return
        except Exception as error:
            self.errors.append(error)

    @staticmethod
    def _receive(listener):
        try:
            return listener.recvfrom(65536)
        except socket.timeout:
            return None, None

    @staticmethod
    def _begin(machine, peer, now):
        session = machine.connect(now)[0]
        session.peer = repr(peer).encode()
        return session

    @staticmethod
    def _go_on(listener, machine, sessions, peer, now):
        session = sessions[peer]
        for _ in range(2):  # what comes when it goes on, is sent, too
            for pattern in session.sent:
                listener.sendto(pattern.data, peer)
            session.take_output()
            if not session.ended:
                session = machine.advance(machine.settle(session)[0], now)[0]
        sessions[peer] = session
        for pattern in session.sent:
            listener.sendto(pattern.data, peer)
        session.take_output()
        if session.ended or machine.keeps_nothing(session):
            del sessions[peer]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        for listener in self.sockets:
            listener.close()
        if self.errors:
            raise self.errors[0]

    def close(self):
        """Take no more connections."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self._count(0, closing=True)

    def _count(self, change, closing=False):
        """Connections come and go; after the last one, when no more are taken, it is over."""
        with self.counting:
            self.connections += change
            self.closed = closing or getattr(self, "closed", False)
            if self.closed and self.connections == 0:
                self.over.set()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self._count(1)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            with connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._session(connection)
        except ConnectionError:
            pass
        except Exception as error:  # the reader itself is at fault: the test that uses this server fails
            self.errors.append(error)
        finally:
            self._count(-1)

    def _session(self, connection):
        started = time.monotonic_ns()
        session = self.machine.connect()[0]
        while True:
            self._send(connection, session.take_output())
            if session.ended:
                return self._end(connection, session.ended)
            session = self._input(connection, session, started)[0]

    def _send(self, connection, data):
        size = self.piece or len(data) or 1
        for start in range(0, len(data), size):
            connection.sendall(data[start:start + size])

    def _input(self, connection, session, started):
        deadline = session.deadline()
        now = time.monotonic_ns() - started
        connection.settimeout(None if deadline is None else max(deadline - now, 1) / 1e9)
        try:
            data = connection.recv(65536)
        except socket.timeout:
            return self.machine.advance(session, time.monotonic_ns() - started)
        except ConnectionResetError:
            return self.machine.signal(session, "reset")
        now = time.monotonic_ns() - started
        return self.machine.feed(session, data, now) if data else self._eof(connection, session, now)

    def _eof(self, connection, session, now):
        results = self.machine.close(session, now)
        self._send(connection, results[0].take_output())
        if not results[0].ended:
            raise ConnectionError("the peer has ended and the machine goes on: not served here")
        return results

    @staticmethod
    def _end(connection, how):
        if how == "rst":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(2.0)
        try:
            while connection.recv(65536):
                pass
        except OSError:
            pass


def main():
    """Serve a spec: `python -m reader.server SPEC [DATA]`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("spec")
    parser.add_argument("data", nargs="?", default=".")
    args = parser.parse_args()
    server = Server(load(args.spec), args.data)
    print("listening on tcp:%s:%d" % server.address, flush=True)
    server.thread.join()


if __name__ == "__main__":
    main()
