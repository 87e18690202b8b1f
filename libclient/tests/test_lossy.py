"""`assay call` and `assay drive` where messages are acknowledged: against `assay serve`, over a link that loses, and while the server
is killed and started again. libclient/tests/apps/lossy.c does the same in memory, for each datagram in turn."""

import contextlib
import select
import socket
import subprocess
import time

import pytest

from scripts.testing import ASSAY, PATIENCE, address_told, free_port, run
from test_generated import SPECS

SPEC = SPECS["pubsub"]
QUICK = ["--param", "first=20ms", "--param", "cap=200ms", "--param", "beat=300ms"]
REGISTER = ["register", "user=ann", "token=0123456789abcdef"]


@contextlib.contextmanager
def bad_line(port, *faults):
    """A port behind which the server's is."""
    with subprocess.Popen([ASSAY, "link", "--listen", "udp:127.0.0.1:0", "--to", f"udp:127.0.0.1:{port}", *faults],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as link:
        try:
            yield address_told(link)[2]
        finally:
            link.terminate()


class Server:
    """A server that is killed and comes back on the same port with the same data."""

    def __init__(self, data):
        self.port = free_port(socket.SOCK_DGRAM)
        self.command = [ASSAY, "serve", SPEC, "--listen", f"udp:127.0.0.1:{self.port}", "--data", data, *QUICK[:4]]
        self.begin()

    def begin(self):
        self.process = subprocess.Popen([str(c) for c in self.command], stdout=subprocess.PIPE, text=True)
        address_told(self.process)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@pytest.fixture
def server(tmp_path):
    s = Server(tmp_path)
    yield s
    s.kill()


class Driven:
    """`assay drive`, line by line."""

    def __init__(self, port, *options):
        self.process = subprocess.Popen([str(c) for c in (ASSAY, "drive", SPEC, f"udp:127.0.0.1:{port}", *QUICK, *options)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.shown, self.rest = [], b""

    def order(self, line):
        self.process.stdin.write(line.encode() + b"\n")

    def line(self):
        while b"\n" not in self.rest:
            assert select.select([self.process.stdout], [], [], PATIENCE)[0], "nothing is said"
            more = self.process.stdout.read(65536)
            assert more, "it ended"
            self.rest += more
        line, self.rest = self.rest.split(b"\n", 1)
        return line.decode()

    def hears(self, wanted):
        """The next line that is no effect; effects are noted."""
        while (line := self.line()).startswith("effect show "):
            self.shown.append(line.rsplit("text=", 1)[1])
        assert line == wanted

    def shows(self, count):
        while len(self.shown) < count:
            line = self.line()
            assert line.startswith("effect show "), line
            self.shown.append(line.rsplit("text=", 1)[1])

    def end(self):
        self.process.stdin.close()
        assert self.process.wait(timeout=PATIENCE) == 0
        self.process.stdout.close()


@pytest.fixture
def drive():
    driven = []

    def begin(port, *options, user="ann", reads="true", cursor=0):
        driven.append(Driven(port, *options))
        driven[-1].order("connect")
        driven[-1].hears("connected")
        driven[-1].order(f"call register user={user} token=0123456789abcdef reads={reads} cursor={cursor}")
        driven[-1].hears("result register")
        return driven[-1]

    yield begin
    for d in driven:
        if d.process.poll() is None:
            d.process.kill()
            d.process.wait()


def call(port, *words, code=0, params=QUICK):
    return run(ASSAY, "call", *params, SPEC, f"udp:127.0.0.1:{port}", *words, code=code)


def test_calls_from_the_shell(server):
    assert call(server.port, *REGISTER, "reads=false", ",", "write", "text=hello", ",", "leave") == ""
    said = call(server.port, *REGISTER, ",", "write", "text=again", ",", "leave")
    assert "effect show\nnumber=0\nuser=ann\ntext=hello\n" in said


def test_errors_from_the_shell(server, tmp_path):
    call(server.port, *REGISTER)
    done = subprocess.run([ASSAY, "call", SPEC, f"udp:127.0.0.1:{server.port}", "register", "user=ann", "token=fedcba9876543210"],
                          capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1 and "register: refused: taken" in done.stderr
    server.kill()
    started = time.monotonic()
    call(server.port, *REGISTER, code=1, params=[*QUICK, "--param", "give_up=300ms"])
    assert time.monotonic() - started < 5, "it gave up late"
    server.begin()


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_calls_over_a_bad_line(server, drive, seed):
    faults = "--drop", "rate=30%", "--duplicate", "rate=10%", "--swap", "rate=10%", "--corrupt", "rate=5%", "--seed", seed
    with bad_line(server.port, *faults) as port:
        words = [*REGISTER, "reads=false"]
        for n in range(40):
            words += [",", "post" if n % 4 else "write", f"text=line{n}"]
        assert call(port, *words, ",", "flush", ",", "leave") == ""
        reader = drive(port, user="bob")
        reader.shows(40)
        reader.end()
    assert reader.shown == [f"line{n}" for n in range(40)]


def test_more_than_a_window_while_the_server_is_away(server, drive):
    writer, reader = drive(server.port, reads="false"), drive(server.port, user="bob")
    server.kill()
    for n in range(100):
        writer.order(f"call post text=line{n}")
    for n in range(64):
        writer.hears("result post")
    assert not select.select([writer.process.stdout], [], [], 0.3)[0], "there are more lines on their way than the window has"
    server.begin()
    for n in range(36):
        writer.hears("result post")
    writer.order("call flush")
    writer.hears("result flush")
    reader.shows(100)
    assert reader.shown == [f"line{n}" for n in range(100)]
    writer.end()
    reader.end()


def test_a_call_that_waits_for_room_is_given_up(server, drive):
    writer = drive(server.port, "--param", "give_up=2s", reads="false")
    server.kill()
    for n in range(65):
        writer.order(f"call post text=line{n}")
    for n in range(65):  # the last one has room when the others are given up
        writer.hears("result post")
    writer.order("call flush")
    writer.hears("error flush lost")
    writer.end()
    server.begin()


def test_a_driven_client_outlives_its_server(server, drive):
    reader = drive(server.port, user="bob")
    for n in range(3):
        call(server.port, *REGISTER, "reads=false", ",", "write", f"text=line{n}", ",", "leave")
        reader.shows(n + 1)
        server.kill()
        server.begin()
    assert reader.shown == ["line0", "line1", "line2"]
    reader.end()
