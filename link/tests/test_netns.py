"""`assay link --netns`: the server in a network namespace of its own. Skipped where the kernel refuses one."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys

import pytest

from link.tests.test_link import LIMIT
from scripts.testing import ASSAY, address_told, wait_until

REFUSED = 77

# Answers, also from a fresh port, tells what it sees of the world, and ends when told to.
SERVER = """
import os, signal, socket, sys
kind, port, outside = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
s = socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM)
s.bind(("127.0.0.1", port))
if kind == "tcp":
    s.listen()
print("ready", os.getpid(), flush=True)
fresh = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
def answer(data):
    if data == b"interfaces":
        return " ".join(name for _, name in socket.if_nameindex()).encode()
    if data == b"outside":
        for host in ("127.0.0.1", "192.0.2.1"):
            with socket.socket() as t:
                t.settimeout(5)
                try:
                    t.connect((host, outside))
                    return b"reached"
                except OSError:
                    pass
        return b"not reached"
    if data.startswith(b"exit"):
        sys.exit(int(data[4:]))
    return data
while True:
    if kind == "tcp":
        c, _ = s.accept()
        while data := c.recv(100):
            c.sendall(answer(data))
        c.close()
    else:
        data, peer = s.recvfrom(65536)
        (fresh if data == b"fresh" else s).sendto(answer(data), peer)
"""


def link_once(*words, before=()):
    command = [*before, ASSAY, "link", "--listen", "udp:127.0.0.1:0", "--to", "127.0.0.1:1", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT)


@pytest.fixture(autouse=True)
def possible():
    done = link_once("--netns", "--", "true")
    if done.returncode == REFUSED:
        pytest.skip(done.stderr.strip())
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def behind(*options, kind="udp", port=5555):
    with socket.create_server(("127.0.0.1", 0)) as outside:
        command = [ASSAY, "link", "--listen", f"{kind}:127.0.0.1:0", "--to", f"127.0.0.1:{port}", *options, "--netns",
                   "--", sys.executable, "-c", SERVER, kind, port, outside.getsockname()[1]]
        link = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True)
        try:
            link.address = address_told(link)[1:]
            ready, pid = link.stderr.readline().split()
            assert ready == "ready"
            link.server = int(pid)
            yield link
        finally:
            if link.poll() is None:
                link.terminate()
            link.told = link.communicate(timeout=LIMIT)


@contextlib.contextmanager
def client(link, kind="udp"):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM) as s:
        s.settimeout(LIMIT)
        s.connect(link.address)
        yield s


def ask(s, data):
    s.send(data)
    return s.recv(65536)


def gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_the_only_way_is_through_the_link():
    with behind("--duplicate", "down:2") as link, client(link) as s:
        assert ask(s, b"hello") == b"hello"
        assert ask(s, b"interfaces") == b"lo" and s.recv(100) == b"lo"
        assert ask(s, b"outside") == b"not reached"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as direct:
            direct.connect(("127.0.0.1", 5555))
            with pytest.raises(ConnectionRefusedError):
                ask(direct, b"hello")
    assert link.returncode == 0 and "faults: 1 duplicate" in link.told[0] and gone(link.server)


def test_two_servers_with_one_port():
    with behind() as one, behind() as two, client(one) as a, client(two) as b:
        assert ask(a, b"one") == b"one" and ask(b, b"two") == b"two"


def test_an_answer_from_a_fresh_port():
    with behind() as link, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(LIMIT)
        s.sendto(b"fresh", link.address)
        data, where = s.recvfrom(100)
        assert data == b"fresh" and where[1] != link.address[1]


def test_streams():
    with behind("--split", "down:4", kind="tcp") as link, client(link, "tcp") as s:
        assert ask(s, b"interfaces") == b"lo"
        s.send(b"outside")
        pieces = []
        while sum(map(len, pieces)) < len(b"not reached"):
            pieces.append(s.recv(100))
        assert b"".join(pieces) == b"not reached" and max(map(len, pieces)) <= 4


@pytest.mark.parametrize("status", [0, 3])
def test_the_end_of_the_command_ends_the_link(status):
    with behind() as link, client(link) as s:
        s.send(b"exit%d" % status)
        assert link.wait(LIMIT) == (status > 0)
    assert link.told[1] == (f"assay: {sys.executable} ended with exit status 3\n" if status else "")
    assert link.told[0].startswith("1 sessions, ")


def test_the_end_of_the_link_ends_the_command():
    with behind() as link:
        link.kill()
        link.wait(LIMIT)
        wait_until(lambda: gone(link.server), "the end of the command")


def test_a_command_that_is_not_there():
    done = link_once("--netns", "--", "/nonexistent")
    assert done.returncode == 1 and "assay: cannot run /nonexistent: No such file or directory\n" in done.stderr


@pytest.mark.parametrize("words, error", [
    (["--netns"], "--netns needs a command"),
    (["--", "true"], "a command is for --netns: true"),
])
def test_bad_command_lines(words, error):
    done = link_once(*words)
    assert done.returncode == 4 and error in done.stderr


def test_a_kernel_that_refuses():
    """One whose limit of network namespaces is none."""
    limited = ["unshare", "--user", "--map-root-user", "sh", "-c",
               'echo 0 >/proc/sys/user/max_net_namespaces && exec "$@"', "sh"]
    if not shutil.which("unshare") or subprocess.run([*limited, "true"], capture_output=True).returncode != 0:
        pytest.skip("no limit can be set here")
    done = link_once("--netns", "--", "true", before=limited)
    assert done.returncode == REFUSED and done.stdout == ""
    assert done.stderr == ("assay: --netns is not possible here: the kernel refuses a network namespace: "
                           "No space left on device\n")
