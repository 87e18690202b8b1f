"""What the Python tests of all layers share: where things are, ports, patience, programs that listen.

ASSAY_BUILD names the build folder; without it `make` has built build/debug.
"""

import contextlib
import os
import random
import re
import socket
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = (ROOT / os.environ.get("ASSAY_BUILD", "build/debug")).resolve()
ASSAY = BUILD / "assay"
PATIENCE = 60  # seconds until something is taken to hang


def free_port(kind=socket.SOCK_STREAM):
    """A port that nobody uses, and that the system gives to nobody who asks for any: those begin at 32768."""
    for port in random.SystemRandom().sample(range(10000, 32768), 100):
        with socket.socket(socket.AF_INET, kind) as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")


def wait_until(holds, what, seconds=PATIENCE):
    """What `holds` returns, as soon as that is true."""
    end = time.monotonic() + seconds
    while not (value := holds()):
        assert time.monotonic() < end, f"in vain waited {seconds} s for {what}"
        time.sleep(0.01)
    return value


def queued(port):
    """Bytes that wait at a UDP port of this machine."""
    for line in open("/proc/net/udp"):
        _, local, _, _, queues, *_ = line.split()
        if local == f"0100007F:{port:04X}":
            return int(queues.split(":")[1], 16)
    return 0


def address_told(process):
    """Where a program says that it listens, in the next line of its standard output: "tcp" or "udp", host, port."""
    line = process.stdout.readline()
    line = line.decode() if isinstance(line, bytes) else line
    match = re.fullmatch(r"listening on (tcp|udp):(\S+):(\d+)\n", line)
    assert match, f"{process.args} printed {line!r}"
    return match[1], match[2], int(match[3])


def run(*command, code=0, **options):
    """What a program prints that ends with this status."""
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=PATIENCE, **options)
    assert done.returncode == code, (command, done.returncode, done.stdout, done.stderr)
    return done.stdout.decode()


@contextlib.contextmanager
def serving(spec, *options, listen=("tcp:127.0.0.1:0",)):
    """`assay serve`: "HOST:PORT" by transport, and the process. It is ended with the block, and in order."""
    listening = [word for address in listen for word in ("--listen", address)]
    with subprocess.Popen([str(part) for part in (ASSAY, "serve", spec, *listening, *options)], cwd=ROOT,
                          stdout=subprocess.PIPE) as server:
        try:
            told = [address_told(server) for _ in listen]
            yield {kind: f"{host}:{port}" for kind, host, port in told}, server
        finally:
            server.terminate()
        assert server.wait(timeout=PATIENCE) == 0
