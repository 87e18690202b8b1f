"""A client of lookup.yaml by hand, with the upper interface of lines; its first argument is what it does wrong."""

import os
import re
import select
import socket
import sys
import time
import urllib.parse

WITHIN = 0.3


def tell(*words):
    os.write(1, (" ".join(words) + "\n").encode())


class Client:
    def __init__(self, fault, address):
        host, port = address.rsplit(":", 1)
        self.fault, self.address = fault, (host, int(port))
        self.link, self.read, self.call, self.orders = None, b"", None, b""

    def connect(self):
        try:
            self.link = socket.create_connection(self.address)
        except OSError:
            return tell("unreachable")
        if self.fault != "mute":
            tell("connected")
        if self.fault == "twice":
            self.other = socket.create_connection(self.address)

    def finish(self, *words):
        if self.call:
            self.call = None
            tell(*words)

    def end(self, how="closed"):
        self.finish("error", "get", how)
        if self.link:
            self.link.close()
            self.link = None
            if self.fault != "rest":
                self.read = b""
            tell("ended")

    def get(self, key):
        if not self.link:
            return tell("error", "get", "closed")
        if not re.fullmatch("[a-z]{1,8}", key) and self.fault != "careless":
            return tell("error", "get", "value")
        if self.fault == "shy":
            return tell("error", "get", "value")
        self.call = time.monotonic() + WITHIN
        pieces = [f"g {key}\n"] if self.fault != "garble" else [f"g {key}", "!\n"]
        for piece in pieces:
            self.link.sendall(piece.encode())

    def message(self, line):
        if m := re.fullmatch(rb"\* ([\x00-\x7f]{0,32})", line):
            if self.fault != "deaf":
                tell("effect", "note", "text=" + urllib.parse.quote(m[1], safe="-._~"))
        elif (m := re.fullmatch(rb"v ([\x00-\x7f]{0,32})", line)) and self.call:
            value = m[1].upper() if self.fault == "shout" else m[1]
            self.finish("result", "get", "value=" + urllib.parse.quote(value, safe="-._~"))
        elif line == b"n" and self.call:
            self.finish(*(["result", "get", "value="] if self.fault == "no-error" else ["error", "get", "missing"]))
        elif self.fault == "crash":
            raise ValueError(line)
        elif self.fault != "tolerant":
            self.end("protocol")

    def input(self):
        try:
            piece = self.link.recv(4096)
        except OSError:
            return self.end()
        if not piece:
            return self.end()
        if self.fault == "half" and b"\n" not in piece:
            return None
        self.read += piece
        while self.link and b"\n" in self.read:
            line, self.read = self.read.split(b"\n", 1)
            if len(line) >= 64:
                return self.end("protocol")
            self.message(line)
        if self.link and len(self.read) >= 64:
            self.end("protocol")

    def order(self, line):
        words = line.decode().split(" ")
        if words[0] == "connect":
            self.connect()
        elif words[0] == "close":
            self.end()
        else:
            self.get(urllib.parse.unquote(words[2].split("=", 1)[1]))

    def wait(self):
        while self.call and self.fault in ("hang", "spin"):
            if self.fault == "hang":
                time.sleep(1000)
        left = max(0.0, self.call - time.monotonic()) if self.call else None
        ready = select.select([0] + ([self.link] if self.link else []), [], [], left)[0]
        if self.call and time.monotonic() >= self.call:
            if self.fault == "stale":  # keeps the connection, where the late answer may still come
                self.finish("error", "get", "timeout")
            elif self.fault != "patient":
                self.end("timeout")
        return ready

    def run(self):
        while True:
            ready = self.wait()
            if self.link in ready:
                self.input()
            if 0 in ready:
                piece = os.read(0, 4096)
                if not piece:
                    if self.fault == "stay":
                        time.sleep(1000)
                    return 3 if self.fault == "status" else 0
                self.orders += piece
            while b"\n" in self.orders and (not self.call or self.fault == "eager"):
                line, self.orders = self.orders.split(b"\n", 1)
                self.order(line)
                if self.fault == "babble":
                    tell("now", "then")


if __name__ == "__main__":
    if sys.argv[1] == "absent":
        sys.stdin.read()
    else:
        sys.exit(Client(sys.argv[1], sys.argv[2]).run())
