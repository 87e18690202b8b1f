"""A server of spec/dispatch.yaml, by hand: no line of it knows Assay.

It is right, unless --wrong names a fault. Prints "listening on tcp:..." and "listening on udp:...".
"""

import selectors
import socket
import sys

import text_messages as text
import wrongness

FAULTS = {
    "no-greeting": "says nothing on connect",
    "greets-twice": "says HI again after the first question",
    "wrong-answer": "answers TOP with CLIMB",
    "prefix-not-answered": "an answer does not name the sender",
    "json-refused": "takes a JSON object for a line that cannot be read",
    "json-answered-in-json": "answers JSON with JSON",
    "first-name-wins": "of two equal names the first holds",
    "unknown-without-command": "UNKNOWN does not name the command",
    "unknown-ignored": "does not answer unknown commands",
    "malformed-closes": "closes at a line that cannot be read",
    "malformed-answered": "answers a line that cannot be read",
    "no-line-limit": "reads lines of any length",
    "oversize-closes": "closes at a line over the limit",
    "blank-answered": "takes a blank line for an unknown command",
    "no-trim": "takes white space around a line for a part of it",
    "one-read-one-line": "forgets what a read brought behind the first line",
    "quit-closes": "closes the connection that says QUIT",
    "quit-cuts-others": "QUIT ends the server at once",
    "quit-keeps-listening": "QUIT changes nothing",
    "secret-not-checked": "takes any secret",
    "missing-secret-taken": "takes a message without a secret",
    "log-answered": "answers LOG",
}


class Server:
    def __init__(self, args):
        self.wrong, self.secret, self.log, self.rotated = args.wrong, args.secret, args.log, args.rotated
        self.select = selectors.DefaultSelector()
        self.listener = socket.create_server(("127.0.0.1", args.port))
        self.control = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.control.bind(("127.0.0.1", args.control_port))
        self.open = 0
        self.stopping = False
        self.select.register(self.listener, selectors.EVENT_READ, self.accept)
        self.select.register(self.control, selectors.EVENT_READ, self.datagram)
        self.file = open(self.log, "a") if self.log else None

    def announce(self):
        for kind, sock in (("tcp", self.listener), ("udp", self.control)):
            print("listening on %s:%s:%d" % (kind, *sock.getsockname()), flush=True)

    def run(self):
        while not (self.stopping and self.open == 0):
            for key, _ in self.select.select():
                if key.fileobj.fileno() >= 0:  # not closed by what came before it in this round
                    key.data()

    def accept(self):
        Connection(self, self.listener.accept()[0])

    def stop(self):
        if self.wrong == "quit-keeps-listening":
            return
        if self.wrong == "quit-cuts-others":
            sys.exit(0)
        if not self.stopping:
            self.select.unregister(self.listener)
            self.listener.close()
        self.stopping = True

    def datagram(self):
        data, peer = self.control.recvfrom(65536)
        if len(data) > 8191:
            return
        try:
            _, _, command, pairs = text.read(data.strip(b" \t\r"), self.wrong)
        except text.Malformed:
            return
        given = pairs.get("secret_code")
        right = not self.secret or given == self.secret or self.wrong == "secret-not-checked"
        if self.wrong == "missing-secret-taken" and given is None:
            right = True
        if command in ("LOG", "LOG_ROTATE") and right and (given is None or len(given) <= 256):
            if self.file:
                self.file.close()
                self.file = open(self.log, "a")
            if self.rotated:
                with open(self.rotated, "a") as rotated:
                    rotated.write("rotate\n")
            if self.wrong == "log-answered":
                self.control.sendto(b"OK", peer)


class Connection:
    ANSWERS = {"DAD": "CLIMB", "TOP": "WHO", "MOM": "BYE"}

    def __init__(self, server, sock):
        self.server, self.sock, self.input, self.skipping = server, sock, b"", False
        self.asked = 0
        server.open += 1
        server.select.register(sock, selectors.EVENT_READ, self.readable)
        if server.wrong != "no-greeting":
            self.say("HI")

    def say(self, command, pairs=None, to=None):
        try:
            self.sock.sendall(text.write(command, pairs, to, self.server.wrong) + b"\n")
        except OSError:
            pass

    def close(self):
        if self.sock.fileno() >= 0:
            self.server.select.unregister(self.sock)
            self.sock.close()
            self.server.open -= 1

    def readable(self):
        try:
            data = self.sock.recv(65536)
        except OSError:
            data = b""
        if not data:
            self.close()
            return
        self.input += data
        limit = 1 << 30 if self.server.wrong == "no-line-limit" else text.LIMIT
        while self.sock.fileno() >= 0 and b"\n" in self.input:
            line, self.input = self.input.split(b"\n", 1)
            if self.skipping:
                self.skipping = False
            elif len(line) + 1 > limit:
                self.over_the_limit()
            else:
                self.line(line)
            if self.server.wrong == "one-read-one-line":
                self.input = b""
        if self.sock.fileno() >= 0 and len(self.input) >= limit and not self.skipping:
            self.over_the_limit()
            self.skipping = True
        if self.skipping:
            self.input = b""

    def over_the_limit(self):
        print("a line over the limit", file=sys.stderr)
        if self.server.wrong == "oversize-closes":
            self.close()

    def line(self, line):
        wrong = self.server.wrong
        if wrong != "no-trim":
            line = line.strip(b" \t\r")
        if not line and wrong != "blank-answered":
            return
        if not line:
            self.say("UNKNOWN", {"command": "_"})
            return
        try:
            sender, _, command, pairs = text.read(line, wrong)
        except text.Malformed:
            print("a line that cannot be read", file=sys.stderr)
            if wrong == "malformed-closes":
                self.close()
            elif wrong == "malformed-answered":
                self.say("UNKNOWN", {"command": "_"})
            return
        self.answer(None if wrong == "prefix-not-answered" else sender, command, line)

    def answer(self, sender, command, line):
        wrong = self.server.wrong
        self.asked += 1
        if command == "QUIT":
            self.server.stop()
            if wrong == "quit-closes":
                self.close()
        elif command in self.ANSWERS:
            answer = "CLIMB" if wrong == "wrong-answer" else self.ANSWERS[command]
            if wrong == "json-answered-in-json" and b"{" in line[:1]:
                self.sock.sendall(b'{"command": "%s"}\n' % answer.encode())
            else:
                self.say(answer, to=sender)
            if wrong == "greets-twice" and self.asked == 1:
                self.say("HI")
        elif wrong == "unknown-without-command":
            self.say("UNKNOWN", to=sender)
        elif wrong != "unknown-ignored":
            self.say("UNKNOWN", {"command": command}, to=sender)


def main():
    p = wrongness.parser(__doc__, FAULTS)
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--control-port", type=int, default=0)
    p.add_argument("--secret", default="")
    p.add_argument("--log", help="file that LOG opens anew")
    p.add_argument("--rotated", help="file that gets a line each time that it does")
    server = Server(wrongness.parse(p, FAULTS))
    server.announce()
    server.run()


if __name__ == "__main__":
    main()
