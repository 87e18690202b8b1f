"""Measures `assay serve` over datagrams beside a plain recvfrom/sendto server.

usage: udp.py BUILD [--pairs N] [--seconds S]

BUILD is the folder that `make udp-bench` built. Servers are measured in turn,
pair by pair; the table shows medians of the pairs and of their ratios.
"""

import argparse
import json
import statistics
import subprocess
from pathlib import Path

from run import ROOT, pinned, serving


def cpu(pid):
    """Seconds of CPU time of all threads."""
    return sum(int(task.joinpath("schedstat").read_text().split()[0]) for task in Path(f"/proc/{pid}/task").iterdir()) / 1e9


def measure(build, command, sockets, in_flight, seconds, size):
    with serving(command) as ((_, port), pid):
        before = cpu(pid)
        out = subprocess.run([build / "load_udp", str(port), str(sockets), str(in_flight), str(seconds), str(size)], check=True,
                             capture_output=True, text=True, preexec_fn=pinned(last=True))
        result = json.loads(out.stdout)
        result["cpu"] = (cpu(pid) - before) / max(result["answered"], 1) * 1e6
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    args = parser.parse_args()
    ours = [args.build / "assay", "serve", ROOT / "bench/echo.yaml", "--listen", "udp:127.0.0.1:0"]
    plain = [args.build / "hand_udp"]
    for sockets, in_flight, size in ((1, 1, 32), (16, 4, 32), (64, 2, 32), (16, 4, 1400)):
        pairs = [[measure(args.build, c, sockets, in_flight, args.seconds, size) for c in (ours, plain)]
                 for _ in range(args.pairs)]
        mid = lambda i, key: statistics.median(p[i][key] for p in pairs)
        ratio = lambda key: statistics.median(p[0][key] / p[1][key] for p in pairs)
        print(f"{sockets} x {in_flight}, {size} bytes: {mid(0, 'per_second'):.0f}/s, plain {mid(1, 'per_second'):.0f}/s, "
              f"ratio {ratio('per_second'):.2f}; server CPU {mid(0, 'cpu'):.2f} us a datagram, plain {mid(1, 'cpu'):.2f}, "
              f"ratio {ratio('cpu'):.2f}; lost {sum(p[0]['lost'] for p in pairs)}, plain {sum(p[1]['lost'] for p in pairs)}",
              flush=True)


if __name__ == "__main__":
    main()
