"""A peer of spec/relay.yaml, by hand: relay_peer.py LISTENER_PORT RECEIVER_IP RECEIVER_PORT [--udp].

What is typed is passed on, what arrives is shown; a message ends with a NUL on both sides of the terminal.
It is right, unless --wrong names a fault.
"""

import os
import selectors
import socket
import sys

import wrongness

FAULTS = {
    "cut-at-2048": "cuts a message after 2048 bytes",
    "newline-lost": "takes a newline for the end of what it shows",
    "text-only": "shows what is no UTF-8 as question marks",
    "mixed": "shows bytes as they come, whoever sent them",
    "one-at-a-time": "reads from one sender until that has finished",
    "reset-shows": "shows the part of a message whose connection was reset",
    "reset-ends": "ends when a connection is reset",
    "answers": "answers each message with OK",
    "one-read": "takes what the first read returns for the whole message",
    "sends-twice": "passes each message on twice",
    "sends-newline": "puts a newline behind each message",
    "keeps-open": "does not close behind a message",
    "one-connection": "passes all messages over one connection",
    "last-byte-lost": "loses the last byte of what it passes on",
}


class Peer:
    def __init__(self, args):
        self.wrong, self.udp = args.wrong, args.udp
        self.to = (args.receiver_ip, args.receiver_port)
        self.select = selectors.DefaultSelector()
        self.typed, self.link, self.busy = b"", None, None
        family = socket.AF_INET6 if ":" in args.listen else socket.AF_INET
        kind = socket.SOCK_DGRAM if self.udp else socket.SOCK_STREAM
        self.listener = socket.socket(family, kind)
        if not self.udp:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((args.listen, args.listener_port))
        if not self.udp:
            self.listener.listen(128)
        self.select.register(self.listener, selectors.EVENT_READ, self.datagram if self.udp else self.accept)
        self.select.register(sys.stdin.buffer, selectors.EVENT_READ, self.typing)
        self.running = True
        print("listening on %s:%s:%d" % ("udp" if self.udp else "tcp", *self.listener.getsockname()[:2]), file=sys.stderr, flush=True)

    def run(self):
        while self.running:
            for key, _ in self.select.select():
                key.data()

    def show(self, message):
        if self.wrong == "cut-at-2048":
            message = message[:2048]
        if self.wrong == "newline-lost":
            message = message.replace(b"\n", b"")
        if self.wrong == "text-only":
            message = message.decode("utf-8", "replace").replace("\ufffd", "?").encode()
        self.put(message + b"\0")

    @staticmethod
    def put(data):
        while data:
            data = data[os.write(1, data) :]

    def accept(self):
        sock, _ = self.listener.accept()
        if self.wrong == "one-at-a-time":
            self.whole(sock)
            return
        parts = []
        self.select.register(sock, selectors.EVENT_READ, lambda: self.part(sock, parts))

    def whole(self, sock):
        """Blocks until this sender has finished."""
        parts = []
        with sock:
            try:
                while data := sock.recv(65536):
                    parts.append(data)
            except OSError:
                return
        self.show(b"".join(parts))

    def drop(self, sock):
        self.select.unregister(sock)
        sock.close()

    def part(self, sock, parts):
        try:
            data = sock.recv(65536)
        except OSError:
            self.drop(sock)
            if self.wrong == "reset-ends":
                sys.exit(1)
            if self.wrong == "reset-shows":
                self.show(b"".join(parts))
            return
        if self.wrong == "mixed":
            self.put(data or b"\0")
        elif data and self.wrong == "one-read":
            self.show(data)
            self.drop(sock)
            return
        elif data:
            parts.append(data)
        else:
            self.show(b"".join(parts))
        if not data:
            if self.wrong == "answers":
                sock.sendall(b"OK")
            self.drop(sock)

    def datagram(self):
        data, peer = self.listener.recvfrom(65536)
        self.show(data)
        if self.wrong == "answers":
            self.listener.sendto(b"OK", peer)

    def typing(self):
        data = os.read(0, 65536)
        self.typed += data
        *messages, self.typed = self.typed.split(b"\0")
        for message in messages:
            for _ in range(2 if self.wrong == "sends-twice" else 1):
                self.send(message)
        if not data:
            self.running = False

    def send(self, message):
        if self.wrong == "sends-newline":
            message += b"\n"
        if self.wrong == "last-byte-lost":
            message = message[:-1]
        if self.wrong == "cut-at-2048":
            message = message[:2048]
        try:
            if self.udp:
                self.listener.sendto(message, self.to)
                return
            sock = self.link if self.wrong == "one-connection" and self.link else socket.create_connection(self.to)
            sock.sendall(message)
            if self.wrong in ("keeps-open", "one-connection"):
                self.link = sock
            else:
                sock.close()
        except OSError as error:
            print("cannot reach %s port %d: %s; is the other side running?" % (*self.to, error), file=sys.stderr)


def main():
    p = wrongness.parser(__doc__, FAULTS)
    p.add_argument("listener_port", type=int)
    p.add_argument("receiver_ip")
    p.add_argument("receiver_port", type=int)
    p.add_argument("--udp", action="store_true")
    p.add_argument("--listen", default="127.0.0.1")
    Peer(wrongness.parse(p, FAULTS)).run()


if __name__ == "__main__":
    main()
