"""Measures how `assay serve` passes lines on to readers, beside a plain recvfrom/sendto server that keeps nothing.

usage: fanout.py BUILD SPEC [--pairs N] [--seconds S]

BUILD is the folder that `make fanout-bench` built. Ours stores each line for good and repeats what is lost; the plain
server does neither. It is measured with readers that acknowledge nothing, and with readers that acknowledge each line, as
ours do, which costs it a call a line. Servers are measured in turn; the table shows medians.
"""

import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

from run import pinned, serving
from udp import cpu


def measure(build, command, protocol, readers, in_flight, seconds):
    with serving(command) as ((_, port), pid):
        before = cpu(pid)
        out = subprocess.run([build / "fanout", protocol, str(port), "4", str(readers), str(in_flight), str(seconds)], check=True,
                             capture_output=True, text=True, preexec_fn=pinned(last=True))
        result = json.loads(out.stdout)
        result["moved"] = result["acknowledged"] + result["delivered"]
        result["cpu"] = (cpu(pid) - before) / max(result["moved"] * result["seconds"], 1) * 1e6
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", type=Path)
    parser.add_argument("spec", type=Path)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    args = parser.parse_args()
    for readers in (0, 1, 10, 100):
        pairs = []
        for _ in range(args.pairs):
            with tempfile.TemporaryDirectory() as data:
                ours = [args.build / "assay", "serve", args.spec, "--listen", "udp:127.0.0.1:0", "--data", data]
                hand = [args.build / "hand_fanout"]
                pairs.append([measure(args.build, command, protocol, readers, 16, args.seconds)
                              for command, protocol in ((ours, "pubsub"), (hand, "plain"), (hand, "acked"))])
        mid = lambda i, key: statistics.median(p[i][key] for p in pairs)
        print(f"4 writers, {readers} readers: {mid(0, 'acknowledged'):.0f} lines/s stored, plain {mid(1, 'acknowledged'):.0f} passed on; "
              f"{mid(0, 'delivered'):.0f} deliveries/s, plain {mid(1, 'delivered'):.0f}; "
              f"server CPU {mid(0, 'cpu'):.2f} us a line or delivery, plain {mid(1, 'cpu'):.2f}, "
              f"plain acknowledged {mid(2, 'cpu'):.2f}", flush=True)


if __name__ == "__main__":
    main()
