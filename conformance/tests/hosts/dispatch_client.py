"""A client of spec/dispatch.yaml, by hand: silent until HI, then DAD, TOP and MOM; ends with status 0 after BYE.

It is right, unless --wrong names a fault.
"""

import selectors
import socket
import sys
import time

import text_messages as text
import wrongness

FAULTS = {
    "speaks-first": "sends DAD before HI",
    "out-of-order": "asks TOP before DAD",
    "any-answer": "takes every message for the answer that it waits for",
    "asks-twice": "sends each question twice",
    "hangs-midway": "waits for ever for an answer that does not come",
    "busy-reconnect": "connects again at once, for ever",
    "never-reconnects": "ends with status 1 when the connection is lost",
    "too-late": "waits three hundred times the pause",
    "gives-up": "ends with status 1 after the second connection that was refused",
    "done-too-early": "ends with status 0 upon WHO",
    "never-done": "stays after BYE",
    "wrong-status": "ends with status 3 after BYE",
    "crashes-on-malformed": "dies of a line that cannot be read",
    "closes-on-malformed": "closes the connection at a line that cannot be read",
    "one-read-one-line": "forgets what a read brought behind the first line",
    "needs-whole-reads": "forgets the beginning of a line that a read did not finish",
    "goes-on-midway": "does not begin anew after a connection was lost",
    "spins": "burns processor time while it waits",
}

NEXT = {"HI": "DAD", "CLIMB": "TOP", "WHO": "MOM", "BYE": None}
ORDER = ["HI", "CLIMB", "WHO", "BYE"]


class Lost(Exception):
    """The connection is over."""


class Client:
    def __init__(self, args):
        host, _, port = args.server.removeprefix("tcp:").rpartition(":")
        self.address = (host.strip("[]"), int(port))
        self.pause, self.patience, self.wrong = args.pause, args.patience, args.wrong
        self.refused, self.at = 0, 0

    def run(self):
        while True:
            try:
                sock = socket.create_connection(self.address)
            except OSError:
                self.refused += 1
                if self.wrong == "never-reconnects" or (self.wrong == "gives-up" and self.refused > 1):
                    return 1
                self.rest()
                continue
            self.refused = 0
            try:
                with sock:
                    self.exchange(sock)
                return 3 if self.wrong == "wrong-status" else 0
            except (Lost, OSError):
                if self.wrong == "never-reconnects":
                    return 1
            self.rest()

    def rest(self):
        if self.wrong != "busy-reconnect":
            time.sleep(self.pause * (300 if self.wrong == "too-late" else 1))

    def lines(self, sock):
        """Lines as they come; Lost when the exchange stops midway."""
        waiting, buffer = selectors.DefaultSelector(), b""
        waiting.register(sock, selectors.EVENT_READ)
        deadline = time.monotonic() + self.patience
        skipping = False
        while True:
            left = None if self.wrong == "hangs-midway" else max(0, deadline - time.monotonic())
            if self.wrong == "spins":
                while not waiting.select(0) and time.monotonic() < deadline:
                    pass
            if not waiting.select(left):
                raise Lost("no answer")
            data = sock.recv(65536)
            if not data:
                raise Lost("closed")
            whole = data if self.wrong == "needs-whole-reads" else buffer + data
            *lines, buffer = whole.split(b"\n")
            if self.wrong == "one-read-one-line":
                lines, buffer = lines[:1], b""
            if lines:
                deadline = time.monotonic() + self.patience
            for line in lines:
                if not skipping and len(line) < text.LIMIT:
                    yield line.strip(b" \t\r")
                skipping = False
            if len(buffer) >= text.LIMIT:
                skipping, buffer = True, b""

    def say(self, sock, command):
        for _ in range(2 if self.wrong == "asks-twice" else 1):
            sock.sendall(text.write(command) + b"\n")

    def exchange(self, sock):
        if self.wrong != "goes-on-midway":
            self.at = 0
        if self.wrong == "speaks-first":
            self.say(sock, "DAD")
        for line in self.lines(sock):
            if not line:
                continue
            try:
                _, _, command, _ = text.read(line)
            except text.Malformed:
                if self.wrong == "crashes-on-malformed":
                    raise SystemExit(70) from None
                if self.wrong == "closes-on-malformed":
                    raise Lost("malformed") from None
                print("a line that cannot be read", file=sys.stderr)
                continue
            if command != ORDER[self.at] and self.wrong != "any-answer":
                continue
            question = NEXT[ORDER[self.at]]
            self.at += 1
            if self.wrong == "out-of-order" and question in ("DAD", "TOP"):
                question = "TOP" if question == "DAD" else "DAD"
            if self.wrong == "done-too-early" and question == "MOM":
                return
            if question:
                self.say(sock, question)
            elif self.wrong == "never-done":
                self.at = 3
            else:
                return
        raise Lost("ended")


def main():
    p = wrongness.parser(__doc__, FAULTS)
    p.add_argument("--server", default="127.0.0.1:3001", metavar="HOST:PORT")
    p.add_argument("--pause", type=float, default=60, metavar="S", help="before it connects again")
    p.add_argument("--patience", type=float, default=30, metavar="S", help="for an answer")
    sys.exit(Client(wrongness.parse(p, FAULTS)).run())


if __name__ == "__main__":
    main()
