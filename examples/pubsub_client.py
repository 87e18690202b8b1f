"""Reads and writes the lines of a pubsub server, on top of the generated client.

    assay gen python spec/pubsub.yaml -o examples/generated
    python3 examples/pubsub_client.py write --username ann < lines
    python3 examples/pubsub_client.py read --username bob --state bob.json
    python3 examples/pubsub_client.py chat --username eve --state eve.json

It outlives its server: what is not acknowledged is sent again, and a registration that is gone is made anew. A state
file holds the token, to which the user name belongs from its first use on, and the line that comes next: started again
with it, a reader goes on there.
"""

import argparse
import json
import os
import queue
import signal
import sys
import threading

from generated.pubsub_client import BadArgument, CallTimeout, Client, ClientError, Lost, Refused, Unreachable_

OK, REFUSED_LINES, NO_SERVER, TAKEN = 0, 65, 69, 77  # exit status, as sysexits.h has them
SECOND = 1.0  # how often a registration is looked after


class State:
    """What outlives the program."""

    def __init__(self, path):
        self.path, self.token, self.cursor = path, os.urandom(16), 0
        if path is not None and os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                kept = json.load(file)
            self.token, self.cursor = bytes.fromhex(kept["token"]), kept["cursor"]

    def save(self):
        """As a whole or not at all."""
        if self.path is None:
            return
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump({"token": self.token.hex(), "cursor": self.cursor}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.path + ".new", self.path)


class Lines(Client):
    """A session that is taken up again for as long as it takes."""

    def __init__(self, options, state):
        self.options, self.saved, self.leaving = options, state, False
        params = dict(options.param)
        super().__init__(*options.server, **params)

    def on_effect(self, name, args):
        """A line arrived. It is acknowledged when this is done: what cannot be printed comes again."""
        print("%s: %s" % (args["user"], args["text"]), flush=True)
        self.saved.cursor = args["number"] + 1
        self.saved.save()
        return True

    def begin(self):
        options = self.options
        self.saved.save()
        self.register(options.username, self.saved.token, reads=options.what != "write", batch=options.delay,
                      cursor=self.saved.cursor)

    def look_after(self):
        """Have the machine do what it does, until there is something to do for us."""
        try:
            self.run(SECOND)
        except CallTimeout:
            pass
        while self.state == "Lost" and not self.leaving:
            note("no answer from %s port %d; trying on" % self.options.server)
            try:
                self.begin()
            except Unreachable_:
                pass

    def end(self):
        """Say good-bye, if somebody listens."""
        try:
            self.leave()
        except ClientError:
            pass
        self.close()


def note(text):
    print("pubsub: %s" % text, file=sys.stderr, flush=True)


def read_lines(lines, client):
    """Standard input, in a thread of its own: its lines with their numbers, then None."""
    for number, line in enumerate(sys.stdin.buffer, 1):
        lines.put((number, line.rstrip(b"\n")))
        client.stop()
    lines.put(None)
    client.stop()


def write_all(client, lines):
    """Write what stands in standard input; the exit status."""
    status = OK
    while not client.leaving:
        try:
            line = lines.get_nowait()
        except queue.Empty:
            client.look_after()
            continue
        if client.given_up:
            note("no answer from the server: it did not say that all lines are stored")
            return NO_SERVER
        if line is None:
            client.flush()
            return status
        try:
            client.post(line[1])
        except BadArgument:
            note("line %d: not written: it is longer than 1024 bytes, no UTF-8, or holds a NUL or CR" % line[0])
            status = REFUSED_LINES
    return status


def talk(options):
    client = Lines(options, State(options.state))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: (setattr(client, "leaving", True), client.stop()))
    client.begin()
    status = OK
    if options.what == "read":
        while not client.leaving:
            client.look_after()
    else:
        lines = queue.Queue(1000)
        threading.Thread(target=read_lines, args=(lines, client), daemon=True).start()
        status = write_all(client, lines)
    client.end()
    return status


def address(text):
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError("%r: HOST:PORT is wanted" % text)
    return host.strip("[]"), int(port)


def param(text):
    """NAME=SECONDS."""
    name, _, value = text.partition("=")
    if name not in ("beat", "first", "cap", "give_up"):
        raise argparse.ArgumentTypeError("%r: beat, first, cap or give_up is wanted" % name)
    return name, float(value)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["read", "write", "chat"])
    parser.add_argument("--username", required=True, metavar="NAME", help="it is yours from its first use on")
    parser.add_argument("--server", type=address, default=("127.0.0.1", 12345), metavar="HOST:PORT", help="127.0.0.1:12345")
    parser.add_argument("--state", metavar="FILE", help="where token and place are kept (nowhere)")
    parser.add_argument("--delay", type=int, default=1, metavar="N", help="be sent lines when there are at least N (1)")
    parser.add_argument("--param", type=param, action="append", default=[], metavar="NAME=SECONDS",
                        help="beat, first, cap, give_up: times as the protocol has them")
    return parser.parse_args(argv)


def main(argv):
    try:
        return talk(parse(argv))
    except Refused as error:
        note("the user name is taken" if error.detail == "taken" else error)
        return TAKEN
    except (Lost, ClientError) as error:
        note(error)
        return NO_SERVER


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
