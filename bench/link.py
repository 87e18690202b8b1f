"""Measures what `assay link` costs: the same transfers with and without it, pair by pair.

usage: link.py BUILD [--pairs N] [--megabytes N]

BUILD holds assay. Each end runs in a process of its own, on the loopback
device. Nothing is judged: these are figures; medians of the pairs.
"""

import argparse
import contextlib
import os
import re
import signal
import socket
import statistics
import subprocess
import time
from pathlib import Path

PIECE = 1 << 18
ROUNDS = 5000
CONNECTIONS = 1000


@contextlib.contextmanager
def linked(build, port, *faults, udp=False):
    """The port of a link to `port`; without a build that port itself."""
    if build is None:
        yield port
        return
    kind = "udp:" if udp else ""
    link = subprocess.Popen([build / "assay", "link", "--listen", f"{kind}127.0.0.1:0", "--to", f"{kind}127.0.0.1:{port}",
                             *faults], stdout=subprocess.PIPE, text=True)
    try:
        yield int(re.search(r":(\d+)$", link.stdout.readline())[1])
    finally:
        link.send_signal(signal.SIGTERM)
        link.communicate(timeout=10)


@contextlib.contextmanager
def elsewhere(*calls):
    """Runs each call in a child; they have ended when the block has."""
    children = []
    for call in calls:
        child = os.fork()
        if child == 0:
            with contextlib.suppress(OSError):
                call()
            os._exit(0)
        children.append(child)
    try:
        yield
    finally:
        for child in children:
            os.waitpid(child, 0)


def pour(connection, size):
    piece = bytes(PIECE)
    for _ in range(size // PIECE):
        connection.sendall(piece)
    connection.shutdown(socket.SHUT_WR)


def drain(connection):
    buffer, size = bytearray(PIECE), 0
    while n := connection.recv_into(buffer):
        size += n
    return size


def transfer(build, size, both, *faults):
    """MB a second, both directions together."""
    with socket.create_server(("127.0.0.1", 0)) as listener, linked(build, listener.getsockname()[1], *faults) as port:
        with socket.create_connection(("127.0.0.1", port)) as near, listener.accept()[0] as far:
            began = time.perf_counter()
            others = [lambda: pour(near, size)] + ([lambda: pour(far, size), lambda: drain(near)] if both else [])
            with elsewhere(*others):
                assert drain(far) == size
            return size * (1 + both) / (time.perf_counter() - began) / 1e6


def echo(connection):
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    while piece := connection.recv(64):
        connection.sendall(piece)


def round_trip(build, *faults):
    """Microseconds."""
    with socket.create_server(("127.0.0.1", 0)) as listener, linked(build, listener.getsockname()[1], *faults) as port:
        with socket.create_connection(("127.0.0.1", port)) as near:
            far = listener.accept()[0]
            with elsewhere(lambda: (near.close(), echo(far))):
                far.close()
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                began = time.perf_counter()
                for _ in range(ROUNDS):
                    near.sendall(b"x")
                    near.recv(1)
                took = time.perf_counter() - began
                near.shutdown(socket.SHUT_WR)
            return took / ROUNDS * 1e6


def greet(listener):
    for _ in range(CONNECTIONS):
        listener.accept()[0].close()


def connections(build):
    """Connections a second, one after another, until the end of stream."""
    with socket.create_server(("127.0.0.1", 0)) as listener, linked(build, listener.getsockname()[1]) as port:
        with elsewhere(lambda: greet(listener)):
            began = time.perf_counter()
            for _ in range(CONNECTIONS):
                with socket.create_connection(("127.0.0.1", port)) as near:
                    near.recv(1)
            return CONNECTIONS / (time.perf_counter() - began)


def echo_datagrams(far):
    while True:
        data, peer = far.recvfrom(64)
        if not data:
            return
        far.sendto(data, peer)


def datagram_round_trip(build):
    """Microseconds."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as near:
        far.bind(("127.0.0.1", 0))
        with linked(build, far.getsockname()[1], udp=True) as port, elsewhere(lambda: echo_datagrams(far)):
            near.connect(("127.0.0.1", port))
            near.settimeout(5)
            began = time.perf_counter()
            for _ in range(ROUNDS):
                near.send(b"x")
                near.recv(1)
            took = time.perf_counter() - began
            near.send(b"")
        return took / ROUNDS * 1e6


def compare(name, unit, pairs, plain, link):
    rows = [(plain(), link()) for _ in range(pairs)]
    a, b = (statistics.median(row[i] for row in rows) for i in (0, 1))
    print(f"{name:44}{a:>10.0f}{b:>10.0f}  {unit:24}{statistics.median(y / x for x, y in rows):>6.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--megabytes", type=int, default=200)
    args = parser.parse_args()
    build, size = args.build, args.megabytes * 1_000_000 // PIECE * PIECE
    print(f"{'':44}{'plain':>10}{'link':>10}  {'':24}{'ratio':>6}")
    for both in (False, True):
        ways = "both ways" if both else "one way"
        for what, faults in (("", ()), (", --split 1..64KiB", ("--split", "1..64KiB")),
                             (", --split 1460 --unproven", ("--split", "1460", "--unproven")),
                             (", --coalesce 64KiB/1ms", ("--coalesce", "64KiB/1ms"))):
            compare(ways + what, "MB/s", args.pairs, lambda both=both: transfer(None, size, both),
                    lambda both=both, faults=faults: transfer(build, size, both, *faults))
    compare("round trip of a byte", "us", args.pairs, lambda: round_trip(None), lambda: round_trip(build))
    compare("round trip of a byte, --split 1", "us", args.pairs, lambda: round_trip(None),
            lambda: round_trip(build, "--split", "1"))
    compare("connections one after another", "a second", args.pairs, lambda: connections(None), lambda: connections(build))
    compare("round trip of a datagram", "us", args.pairs, lambda: datagram_round_trip(None),
            lambda: datagram_round_trip(build))


if __name__ == "__main__":
    main()
