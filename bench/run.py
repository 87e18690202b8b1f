"""Measures `assay serve` side by side with hand-written servers, in one run.

usage: run.py BUILD [--pairs N] [--seconds S]

BUILD is the folder that `make bench` built: it holds assay, load, hand_candy
and hand_msglog. The two servers of a protocol are measured in turn, pair by
pair, so that a machine whose speed drifts drifts for both; the table shows
medians of the pairs and the ratio. Nothing is judged: these are figures.
"""

import argparse
import contextlib
import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Protocol:
    """What the load generator has to know of a protocol: bytes, nothing else."""

    name: str
    hello: bytes
    hello_reply: int
    request: bytes
    reply: int
    data: bool = False


def frame(phase: int, body: bytes) -> bytes:
    """A msglog request."""
    return bytes([phase]) + len(body).to_bytes(2, "little") + body


PROTOCOLS = (
    Protocol("candy", b"", 0, b"s 12\n", 4),
    Protocol("msglog", frame(1, b"bob") + frame(2, b"abc"), 2, frame(3, b"a" * 32), 1, data=True),
)


def pinned(last):
    """Servers run on the first core, the load on the last: neither takes the other's time."""
    cores = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cores[-1 if last else 0]})


@contextlib.contextmanager
def serving(command):
    """Starts a server; gives its address (host, port) and pid; ends it."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                               preexec_fn=pinned(last=False))
    try:
        match = re.match(r"listening on (?:tcp|udp):(.*):(\d+)", process.stdout.readline())
        if not match:
            sys.exit(f"bench: {' '.join(map(str, command))} printed no address")
        yield ("127.0.0.1", int(match[2])), process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def commands(build: Path, protocol: Protocol, data: str):
    """The two servers of a protocol: ours, and the hand-written one."""
    ours = [build / "assay", "serve", ROOT / f"spec/{protocol.name}.yaml", "--listen", "127.0.0.1:0", "--data", data]
    hand = [build / f"hand_{protocol.name}", *([data] if protocol.data else [])]
    return {"assay": ours, "by hand": hand}


def load(build, address, pid, protocol, connections, in_flight, seconds):
    """One run of the load generator; its line of JSON."""
    out = subprocess.run(
        [build / "load", f"{address[0]}:{address[1]}", str(connections), str(in_flight), str(seconds),
         protocol.hello.hex(), str(protocol.hello_reply), protocol.request.hex(), str(protocol.reply), str(pid)],
        check=True, capture_output=True, text=True, timeout=seconds * 4 + 30, preexec_fn=pinned(last=True))
    return json.loads(out.stdout)


def syscalls(build, address, pid, protocol, connections, in_flight):
    """Syscalls a request, counted by strace in a run of its own; None without strace."""
    with tempfile.NamedTemporaryFile("r") as report:
        try:
            tracer = subprocess.Popen(["strace", "-c", "-f", "-q", "-o", report.name, "-p", str(pid)],
                                      stderr=subprocess.DEVNULL)
        except FileNotFoundError:
            return None
        result = load(build, address, pid, protocol, connections, in_flight, 1)
        tracer.send_signal(signal.SIGINT)
        tracer.wait(timeout=10)
        total = re.search(r"^\s*100\.00\s+\S+\s+(?:\S+\s+)?(\d+)(?:\s+\d+)?\s+total$", report.read(), re.M)
    # The run's 0.3 s of warming up are counted by strace, too.
    return int(total[1]) / (result["requests"] * 1.3) if total else None


def resident(pid: int) -> int:
    """Resident memory in bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def idle_memory(address, pid, count=5000):
    """User memory of an idle connection: what resident memory grows by."""
    clients = [socket.create_connection(address) for _ in range(200)]
    time.sleep(0.3)
    before = resident(pid)
    clients += [socket.create_connection(address) for _ in range(count)]
    time.sleep(0.5)
    after = resident(pid)
    for client in clients:
        client.close()
    return (after - before) / count


def measure(build, protocol, connections, in_flight, pairs, seconds):
    """Medians of both servers over interleaved runs, and of their ratios."""
    runs = {"assay": [], "by hand": []}
    counts = {}
    with tempfile.TemporaryDirectory() as data:
        for turn in range(pairs):
            for name, command in commands(build, protocol, data).items():
                with serving(command) as (address, pid):
                    runs[name].append(load(build, address, pid, protocol, connections, in_flight, seconds))
                    if turn == 0:
                        counts[name] = syscalls(build, address, pid, protocol, connections, in_flight)
    return runs, counts


def median(rows, key):
    return statistics.median(row[key] for row in rows)


def ratio(runs, key):
    return statistics.median(a[key] / b[key] for a, b in zip(runs["assay"], runs["by hand"]) if b[key])


def table_of_load(build, pairs, seconds):
    print(f"{'':8}{'':9}{'requests/s':>22}{'p50 us':>15}{'p99 us':>15}{'server CPU us/request':>26}{'syscalls/request':>20}")
    print(f"{'protocol':8}{'conn x in':>9}" + f"{'assay':>12}{'hand':>10}" + f"{'assay':>8}{'hand':>7}" * 2
          + f"{'assay':>10}{'hand':>8}{'ratio':>8}" + f"{'assay':>12}{'hand':>8}")
    for protocol in PROTOCOLS:
        for connections, in_flight in ((64, 1), (64, 16)):
            runs, counts = measure(build, protocol, connections, in_flight, pairs, seconds)
            a, b = runs["assay"], runs["by hand"]
            cells = [f"{protocol.name:8}{connections:>5} x {in_flight:<2}"]
            cells.append(f"{median(a, 'per_second'):>11.0f}{median(b, 'per_second'):>10.0f}")
            for key in ("p50_us", "p99_us"):
                cells.append(f"{median(a, key):>8.0f}{median(b, key):>7.0f}")
            cells.append(f"{median(a, 'server_cpu_us'):>10.3f}{median(b, 'server_cpu_us'):>8.3f}{ratio(runs, 'server_cpu_us'):>8.2f}")
            cells += [f"{counts[name]:>{width}.3f}" if counts[name] else f"{'-':>{width}}" for name, width in (("assay", 12), ("by hand", 8))]
            print("".join(cells), flush=True)


def table_of_memory(build):
    for protocol in PROTOCOLS:
        with tempfile.TemporaryDirectory() as data, serving(commands(build, protocol, data)["assay"]) as (address, pid):
            print(f"idle connection, {protocol.name}: {idle_memory(address, pid):.0f} bytes of user memory")


def table_of_appends(build, pairs, seconds):
    """Durable appends: msglog beside a loop that only writes and syncs as many lines at once as requests are in flight."""
    msglog = next(p for p in PROTOCOLS if p.data)
    for connections, in_flight in ((1, 1), (64, 1), (64, 16)):
        batch, ours, limit = connections * in_flight, [], []
        with tempfile.TemporaryDirectory(dir=build) as data:
            for _ in range(pairs):
                with serving(commands(build, msglog, data)["assay"]) as (address, pid):
                    ours.append(load(build, address, pid, msglog, connections, in_flight, seconds)["per_second"])
                limit.append(float(subprocess.run([build / "append", data, str(batch), str(seconds)], check=True,
                                                  capture_output=True, text=True, preexec_fn=pinned(last=False)).stdout))
        ratio_ = statistics.median(a / b for a, b in zip(ours, limit))
        print(f"durable appends, {connections} x {in_flight}: {statistics.median(ours):.0f} a second; "
              f"write+fdatasync of {batch} at once: {statistics.median(limit):.0f}; ratio {ratio_:.2f}", flush=True)


def table_of_suite(build):
    for protocol in PROTOCOLS:
        with tempfile.TemporaryDirectory() as data, serving(commands(build, protocol, data)["assay"]) as (address, _):
            report = Path(data) / "report.json"
            began = time.monotonic()
            subprocess.run([build / "assay", "test", ROOT / f"spec/{protocol.name}.yaml", f"tcp:{address[0]}:{address[1]}",
                            "--json", report], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300, check=False)
            took = time.monotonic() - began
            cases = len(json.loads(report.read_text())["cases"])
            print(f"suite of {protocol.name}: {cases} cases in {took:.2f} s, {cases / took:.0f} a second")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    table_of_load(args.build, args.pairs, args.seconds)
    print()
    table_of_appends(args.build, args.pairs, args.seconds)
    print()
    table_of_memory(args.build)
    table_of_suite(args.build)


if __name__ == "__main__":
    main()
