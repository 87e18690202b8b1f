"""A client of again.yaml by hand, which runs by itself; its first argument is what it does wrong."""

import os
import signal
import socket
import subprocess
import sys
import time

PAUSE, STUCK = 0.3, 0.4


def stop_the_judge(seconds):
    """Whoever started this program is busy with something else for a while."""
    os.kill(os.getppid(), signal.SIGSTOP)
    subprocess.Popen(["sh", "-c", f"sleep {seconds}; kill -CONT {os.getppid()}"])


def converse(fault, address):
    """One connection; true: through."""
    if fault == "judge-is-late":
        stop_the_judge(0.2)
    with socket.create_connection(address) as link:
        link.settimeout(None if fault == "hang" else STUCK)
        link.sendall(b"hello" if fault == "curt" else b"hello\n")
        read = b""
        while b"\n" not in read:
            if len(read) >= 16:
                return False
            try:
                piece = link.recv(4096)
            except TimeoutError:
                return False
            if not piece:
                return fault == "content"
            read = piece if fault == "half" else read + piece
            if fault == "spin":
                link.setblocking(False)
                until = time.monotonic() + STUCK
                while time.monotonic() < until:
                    pass
        return read.split(b"\n")[0] == b"bye" or fault == "credulous"


def main(fault, host, port):
    while True:
        through = False
        try:
            through = converse(fault, (host, int(port)))
        except OSError:
            pass
        if through:
            return 1 if fault == "status" else 0
        if fault == "once":
            return 0
        until = time.monotonic() + PAUSE
        while fault == "busy" and time.monotonic() < until:
            pass
        time.sleep(0 if fault in ("eager", "busy") else 3 * PAUSE if fault == "slow" else PAUSE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3]))
