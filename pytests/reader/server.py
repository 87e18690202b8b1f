"""A reference server made from the reader: one thread a connection."""

import argparse
import pathlib
import socket
import struct
import threading
import time

from .machine import Machine
from .spec import load


class Host:
    """Does the effects that a spec binds to a host."""

    def __init__(self, spec, data):
        self.spec, self.data, self.lock = spec, pathlib.Path(data), threading.Lock()
        self.failing = set()

    def __call__(self, session, name, args):
        """Do one effect; whether it worked."""
        if name in self.failing:
            return False
        binding = self.spec.effects[name].get("to", "application")
        if isinstance(binding, dict) and "append" in binding:
            return self._append(self._param(binding["append"]), args)
        if isinstance(binding, dict) and "crypt" in binding:
            return self._param(binding["crypt"]) == b""
        return True

    def _param(self, text):
        return self.spec.params[text[1:]] if text.startswith("$") else str(text).encode()

    def _append(self, name, args):
        with self.lock, open(self.data / name.decode(), "ab") as file:
            file.write(b"".join(args.values()))
        return True


class Server:
    """Listens on a free port of the loopback until it is closed. `piece`: at most so many bytes in one write."""

    def __init__(self, spec, data, piece=None):
        self.piece = piece
        self.spec, self.host = spec, Host(spec, data)
        self.machine = Machine(spec, "server", self.host, ours_only=True)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = self.listener.getsockname()
        self.errors = []
        self.thread = threading.Thread(target=self._accept, daemon=True)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
        if self.errors:
            raise self.errors[0]

    def close(self):
        """Take no more connections."""
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
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
        if not results[0].ended:
            connection.sendall(results[0].take_output())
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
