"""A client of again.yaml by hand, which runs by itself; its first argument is what it does wrong."""

import os
import select
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


def says_that_it_is_there(link):
    """With the upper interface of lines; not before it knows that nobody has hung up on it."""
    time.sleep(0.05)
    try:
        link.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        pass
    except OSError:
        print("unreachable", flush=True)
        return False
    print("connected", flush=True)
    return True


def converse(fault, address):
    """One connection; true: through."""
    if fault == "hang":
        time.sleep(0.2)  # it takes its time to start: that is none of its patience
    if fault == "judge-is-late":
        stop_the_judge(0.2)
    with socket.create_connection(address) as link:
        if fault == "cautious" and not says_that_it_is_there(link):
            return False
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
    if fault == "cautious":
        sys.stdin.readline()
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
        if fault == "cautious" and select.select([0], [], [], PAUSE)[0]:
            return 0
        if fault == "cautious":
            continue
        until = time.monotonic() + PAUSE
        while fault == "busy" and time.monotonic() < until:
            pass
        time.sleep(0 if fault in ("eager", "busy") else 200 * PAUSE if fault == "slow" else PAUSE)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2], sys.argv[3]))
