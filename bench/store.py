"""Measures `assay serve` with a log of many rows beside one that is empty.

usage: store.py BUILD [--rows N] [--names N] [--reads N] [--seconds S] [--data FOLDER]

BUILD is the folder that `make store-bench` built. Rows are put into a file that the server made, by SQLite, as they
would come through the server, but faster. FOLDER keeps the file for the next time (default: a temporary one).
"""

import argparse
import contextlib
import json
import sqlite3
import subprocess
import tempfile
import time
from pathlib import Path

from run import ROOT, pinned, serving
from udp import cpu

SPEC = ROOT / "spec/pubsub.yaml"
BATCH = 1 << 20


def command(build, data):
    """Our server."""
    return [build / "assay", "serve", SPEC, "--listen", "udp:127.0.0.1:0", "--data", data]


def fill(build, data, rows, names):
    """Writers draw the names of their lines, so that the index has no order; it is made last, which is faster."""
    with serving(command(build, data)):
        pass
    with contextlib.closing(sqlite3.connect(data / "pubsub.db", isolation_level=None)) as db:
        db.execute("PRAGMA journal_mode=OFF")
        db.execute("PRAGMA synchronous=OFF")
        there = db.execute("SELECT ifnull(max(number), -1) + 1 FROM lines").fetchone()[0]
        index = db.execute("SELECT sql FROM sqlite_master WHERE name = 'lines unique'").fetchone()[0]
        count = "WITH RECURSIVE n(i) AS (SELECT ? UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?) "
        db.execute("BEGIN")
        db.execute("INSERT OR IGNORE INTO users(user, token) " + count + "SELECT 'name' || i, randomblob(16) FROM n", (0, names))
        if there < rows:
            db.execute('DROP INDEX "lines unique"')
            for first in range(there, rows, BATCH):
                db.execute("INSERT INTO lines(number, user, id, text) " + count +
                           "SELECT i, 'user' || (i % 64), randomblob(8), 'line ' || i || ' with some text behind it' FROM n",
                           (first, min(first + BATCH, rows)))
            db.execute(index)
        db.execute("COMMIT")


def memory(pid, key):
    """VmRSS: by now; VmHWM: at most so far; megabytes."""
    return int(Path(f"/proc/{pid}/status").read_text().split(key + ":")[1].split()[0]) / 1024


@contextlib.contextmanager
def started(build, data):
    """The server, and what can be said of its start."""
    began = time.monotonic()
    with serving(command(build, data)) as ((_, port), pid):
        yield port, pid, f"starts in {(time.monotonic() - began) * 1e3:.0f} ms with {memory(pid, 'VmRSS'):.1f} MB"


def run(build, port, pid, *arguments):
    """The load generator's figures, and the server's CPU time a line in microseconds."""
    before = cpu(pid)
    out = subprocess.run([build / "fanout", "pubsub", str(port), *map(str, arguments)], check=True, capture_output=True,
                         text=True, preexec_fn=pinned(last=True))
    result = json.loads(out.stdout)
    moved = (result["acknowledged"] + result["delivered"]) * result["seconds"]
    return result | {"cpu": (cpu(pid) - before) / max(moved, 1) * 1e6}


def read(build, data, what, readers, reads, cursor=0, step=0):
    """Readers that come late."""
    with started(build, data) as (port, pid, _):
        result = run(build, port, pid, 0, readers, 1, 600, reads, cursor, step)
        print(f"{reads} rows {what}: {result['delivered']:.0f} rows/s, server CPU {result['cpu']:.2f} us a row, "
              f"at most {memory(pid, 'VmHWM'):.1f} MB", flush=True)


def write(build, data, what, seconds):
    """Registrations of new names and of known ones, and lines of 64 writers, one on its way each: a sync for all of them."""
    if (data / "pubsub.db").exists():
        with contextlib.closing(sqlite3.connect(data / "pubsub.db", isolation_level=None)) as db:
            db.execute("DELETE FROM users WHERE user GLOB 'user*'")
    with started(build, data) as (port, pid, start):
        print(f"{what}: {start}", flush=True)
        new = run(build, port, pid, 64, 0, 1, 0)["joined"]
    with started(build, data) as (port, pid, _):
        result = run(build, port, pid, 64, 0, 16, seconds)
        print(f"{what}: {result['acknowledged']:.0f} lines/s stored, server CPU {result['cpu']:.2f} us a line; "
              f"registrations in {new:.2f} ms, again in {result['joined']:.2f} ms; at most {memory(pid, 'VmHWM'):.1f} MB", flush=True)


def measure(build, data, args):
    """All of it."""
    full, empty = data / f"rows{args.rows}", data / "empty"
    for folder in (full, empty):
        folder.mkdir(exist_ok=True)
    began = time.monotonic()
    fill(build, full, args.rows, args.names)
    size = (full / "pubsub.db").stat().st_size / 1e6
    print(f"{args.rows} rows and {args.names} names in {size:.0f} MB, put there in {time.monotonic() - began:.0f} s", flush=True)
    with started(build, full) as (_, _, start):
        print(f"{args.rows} rows: {start}", flush=True)
    reads = min(args.reads, args.rows // 2)
    read(build, full, "from the start", 1, reads)
    read(build, full, "from the middle", 1, reads, args.rows // 2)
    read(build, full, "by 16 readers at 16 places", 16, reads, 0, args.rows // 16)
    for _ in range(args.pairs):
        write(build, empty, "few rows", args.seconds)
        write(build, full, f"{args.rows} rows", args.seconds)


def main():
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--names", type=int, default=90_000)
    parser.add_argument("--reads", type=int, default=1_000_000)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--data", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        measure(args.build, args.data or Path(data), args)


if __name__ == "__main__":
    main()
