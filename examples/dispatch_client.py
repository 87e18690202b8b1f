"""Asks a dispatch server its three questions and ends when they are answered, on top of the generated client.

    assay gen python spec/dispatch.yaml -o examples/generated
    python3 examples/dispatch_client.py --server 127.0.0.1:3001 --pause 60

It may start before the server does, outlives the server's upgrades, begins anew when an exchange stops midway, and
needs no processor time while it waits. A control port takes LOG: the log file is opened anew.
"""

import argparse
import signal
import sys
import threading
import time

from generated.dispatch_client import Client, ClientError


class Log:
    """Where a process writes down what happens: a file that can be opened anew, or standard error."""

    def __init__(self, name):
        self.name, self.file = name, sys.stderr
        self.lock = threading.Lock()
        self.reopen()

    def reopen(self):
        if self.name is not None:
            fresh = open(self.name, "a", encoding="utf-8", buffering=1)
            with self.lock:
                before, self.file = self.file, fresh
            if before is not sys.stderr:
                before.close()

    def write(self, line):
        with self.lock:
            print(line, file=self.file, flush=True)

    def note(self, text):
        self.write("%s %s" % (time.strftime("%Y-%m-%d %H:%M:%S"), text))


class Asker(Client):
    """Does the exchange; tells the log of what is tried again, and of what cannot be read."""

    def __init__(self, log, *address, **options):
        self.log, self.unread = log, 0
        super().__init__(*address, defer=True, **options)

    def on_retry(self, error, seconds):
        self.log.note("%s; again in %d ms" % (error, seconds * 1000))

    def on_effect(self, name, args):
        if name == "rotate":
            self.log.reopen()
        else:
            self.unread += 1
            self.log.note("%s (%d by now)" % (args["what"], self.unread))
        return True


def address(text):
    """HOST:PORT."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit() or int(port) > 65535:
        raise argparse.ArgumentTypeError("%r: HOST:PORT is wanted" % text)
    return host.strip("[]"), int(port)


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--server", type=address, default=("127.0.0.1", 3001), metavar="HOST:PORT", help="127.0.0.1:3001")
    parser.add_argument("--pause", type=float, default=60.0, help="seconds before a lost connection is tried again (60)")
    parser.add_argument("--patience", type=float, default=30.0, help="seconds for an answer, before it begins anew (30)")
    parser.add_argument("--control", type=address, metavar="HOST:PORT",
                        help="where LOG is heard, over UDP (none; the protocol's own port is 3003)")
    parser.add_argument("--secret", default="", help="what LOG must say as secret_code (none)")
    parser.add_argument("--log", metavar="FILE", help="write down what happens (standard error)")
    parser.add_argument("--trace", action="store_true", help="every message that is sent or received, too")
    return parser.parse_args(argv)


def tracer(log, where):
    """What writes down each frame."""
    def trace(sent, _message, data, _text):
        log.write("%s %s:%d %s" % ("->" if sent else "<-", *where, data.decode("utf-8", "replace").rstrip("\n")))
    return trace


def main(argv):
    options = parse(argv)
    log = Log(options.log)
    params = {"pause": options.pause, "patience": options.patience, "secret": options.secret}
    asker = Asker(log, *options.server, trace=tracer(log, options.server) if options.trace else None, **params)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: asker.stop())
    if options.control:
        control = Asker(log, transport="udp", bind=options.control,
                        trace=tracer(log, options.control) if options.trace else None, **params)
        control.open()
        threading.Thread(target=control.run, daemon=True).start()
    try:
        through = asker.run()
    except ClientError as error:
        log.note(error)
        return 1
    log.note("all questions were answered" if through else "stopped")
    asker.close()
    return 0 if through else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
