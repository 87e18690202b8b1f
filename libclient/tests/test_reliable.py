"""Generated Python clients over datagrams that get lost: against `assay serve`, through `assay link`, and against a server
of the tests' own that counts what comes."""

import contextlib
import importlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from scripts.testing import ASSAY, PATIENCE, ROOT, address_told, run, serving, wait_until

PUBSUB = ROOT / "spec/pubsub.yaml"
ANN, BOB = b"0123456789abcdef", b"fedcba9876543210"
QUICK = {"first": 0.02, "cap": 0.1}
FAULTS = ["--drop", "rate=20%", "--duplicate", "0ms..5ms@rate=10%", "--swap", "2/20ms@rate=10%", "--corrupt", "rate=5%"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the example, and the generated client in its folder `generated`."""
    made = tmp_path_factory.mktemp("pubsub")
    run(ASSAY, "gen", "python", PUBSUB, "-o", made / "generated")
    shutil.copy(ROOT / "examples/pubsub_client.py", made)
    return made


@pytest.fixture(scope="module")
def pubsub(folder):
    """The generated module."""
    sys.path.insert(0, str(folder / "generated"))
    yield importlib.import_module("pubsub_client")
    sys.path.remove(str(folder / "generated"))
    del sys.modules["pubsub_client"]


@pytest.fixture
def serve(tmp_path):
    """A server's port, and its process."""
    with contextlib.ExitStack() as running:
        def served(*options, port=0):
            at, process = running.enter_context(serving(PUBSUB, "--data", tmp_path, *options, listen=["udp:127.0.0.1:%d" % port]))
            return int(at["udp"].rsplit(":", 1)[1]), process
        yield served


@contextlib.contextmanager
def linked(port, *faults):
    """The port of a link to that port."""
    with subprocess.Popen([ASSAY, "link", "--listen", "udp:127.0.0.1:0", "--to", "udp:127.0.0.1:%d" % port, *faults],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as link:
        try:
            yield int(address_told(link)[2])
        finally:
            link.terminate()
    assert link.returncode == 0


def reader_of(pubsub):
    """A class of clients that keep the lines that came."""
    class Reader(pubsub.Client):
        def __init__(self, *args, **options):
            self.lines, self.refusing = [], 0
            super().__init__(*args, **options)

        def on_effect(self, name, args):
            assert name == "show"
            if self.refusing:
                self.refusing -= 1
                return False
            self.lines.append((args["number"], args["user"], args["text"]))
            return True
    return Reader


def until(client, holds, what):
    """Have a client do what it does until something holds."""
    def step():
        client.wait(0.01)
        return holds()
    return wait_until(step, what)


# ---- against the reference server ----------------------------------------------------


def test_lines_reach_a_reader_once_and_in_order(pubsub, serve):
    port, _ = serve()
    with pubsub.Client("127.0.0.1", port) as writer, reader_of(pubsub)("127.0.0.1", port) as reader:
        assert writer.state == "Idle"
        writer.register("ann", ANN, reads=False)
        assert writer.state == "Live"
        reader.register("bob", BOB)
        writer.write("first")
        for number in range(200):  # more than a window holds: the calls wait for room
            writer.post("line %d" % number)
        assert 0 < writer.waiting <= 64
        writer.flush()
        assert writer.waiting == 0 and writer.given_up == 0
        until(reader, lambda: len(reader.lines) >= 201, "the lines")
        assert reader.lines == [(0, "ann", "first")] + [(n + 1, "ann", "line %d" % n) for n in range(200)]
        with pytest.raises(pubsub.Refused) as refused, pubsub.Client("127.0.0.1", port) as other:
            other.register("ann", BOB)
        assert refused.value.detail == "taken"
        with pytest.raises(pubsub.BadArgument):
            writer.post("a\0b")
        writer.leave()
        reader.leave()
        assert not writer.connected and writer.state == "" and writer.waiting == 0


def test_through_a_bad_link(pubsub, serve):
    port, _ = serve("--param", "first=20ms", "--param", "cap=100ms")
    for seed in ("1", "2", "3"):
        with linked(port, "--seed", seed, *FAULTS) as bad, pubsub.Client("127.0.0.1", bad, **QUICK) as writer, \
                reader_of(pubsub)("127.0.0.1", bad, **QUICK) as reader:
            reader.register("bob" + seed, BOB)
            writer.register("ann" + seed, ANN, reads=False)
            for number in range(100):
                writer.post("line %d" % number)
            writer.flush()
            mine = "ann" + seed
            until(reader, lambda: [line for line in reader.lines if line[1:] == (mine, "line 99")], "the last line")
            assert [text for _, user, text in reader.lines if user == mine] == ["line %d" % number for number in range(100)]
            assert [number for number, _, _ in reader.lines] == list(range(100 * int(seed)))


def test_a_server_that_is_killed_midway(pubsub, tmp_path, serve):
    """Both go on where they were; what was being written is stored once."""
    port, first = serve()
    Reader = reader_of(pubsub)
    with pubsub.Client("127.0.0.1", port, **QUICK) as writer, Reader("127.0.0.1", port, beat=0.1, **QUICK) as reader:
        writer.register("ann", ANN, reads=False)
        reader.register("bob", BOB)
        for number in range(40):
            writer.post("a%d" % number)
        until(reader, lambda: len(reader.lines) > 5, "some lines")
        first.kill()
        first.wait()
        first.returncode = 0  # as it should be
        for number in range(20):
            writer.post("b%d" % number)
        serve(port=port)
        writer.flush()
        wanted = ["a%d" % number for number in range(40)] + ["b%d" % number for number in range(20)]
        until(reader, lambda: len(reader.lines) >= 60, "all lines")
        assert [text for _, _, text in reader.lines] == wanted
        assert writer.given_up == 0 and reader.state == "Live"


def test_driven_by_lines(folder, serve):
    port, _ = serve()
    program = [sys.executable, folder / "generated/pubsub_client.py", "--drive", "127.0.0.1:%d" % port, "--param", "first=20ms"]
    orders = ["connect", "call register user=ann token=%s" % ANN.decode(), "call write text=hi%20there", "call post text=two", "call flush",
              "call leave", "call flush"]
    said = run(*program, input="\n".join(orders).encode() + b"\n").splitlines()
    assert [line for line in said if not line.startswith("effect")][:7] == [
        "connected", "result register", "result write", "result post", "result flush", "result leave", "ended"]
    assert said[-1].startswith("error flush closed ")
    shown = [line for line in said if line.startswith("effect")]
    assert shown == ["effect show number=%d user=ann text=%s" % (n, text) for n, text in enumerate(("hi%20there", "two"))][:len(shown)]


def test_the_example(folder, serve, tmp_path):
    port, _ = serve()
    program, at = [sys.executable, folder / "pubsub_client.py"], ["--server", "127.0.0.1:%d" % port]
    state = tmp_path / "bob.json"

    def reads(*lines):
        """A reader that has printed these is sent a signal; it leaves in order."""
        with subprocess.Popen([*program, "read", "--username", "bob", "--state", state, *at], stdout=subprocess.PIPE) as reader:
            assert [reader.stdout.readline().decode() for _ in lines] == ["ann: %s\n" % line for line in lines]
            reader.send_signal(signal.SIGTERM)
            assert reader.wait(PATIENCE) == 0 and reader.stdout.read() == b""

    ann = ["--username", "ann", "--state", tmp_path / "ann.json", *at]
    run(*program, "write", *ann, input="one\ntwo\u00e9\n".encode())
    reads("one", "two\u00e9")
    done = subprocess.run([*program, "write", *ann], input=b"a\rb\nthree\n", capture_output=True, timeout=PATIENCE)
    assert done.returncode == 65 and b"line 1" in done.stderr
    reads("three")
    assert run(*program, "write", "--username", "bob", *at, code=77, input=b"") == ""


# ---- against a server that counts what comes -------------------------------------------


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def frame(kind, seq=0, session=bytes(8), body=b""):
    """The bytes of a message."""
    head = bytes((0x10 | kind, 0)) + seq.to_bytes(2, "big")
    return head + crc32c(head + bytes(4) + session + body).to_bytes(4, "big") + session + body


HELLO, CHALLENGE, REGISTER, WELCOME, LINE, ENTRY, ACK, REFUSE = 1, 2, 3, 4, 5, 6, 7, 10
COOKIE = b"c" * 16


class Counting:
    """The server's side of one client, in a test's hands. Once it is registered the client has its turns while we wait for it."""

    def __init__(self):
        self.served = None
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(60)
        self.port = self.socket.getsockname()[1]
        self.session = None

    def receive(self):
        """(kind, number, body) of what comes next; it must be whole."""
        if self.served and select_none(self):
            until(self.served, lambda: not select_none(self), "a datagram")
        data, self.client = self.socket.recvfrom(2000)
        assert data[4:8] == crc32c(data[:4] + bytes(4) + data[8:]).to_bytes(4, "big") and data[0] >> 4 == 1
        self.last, self.at = data, time.monotonic()
        return data[0] & 15, int.from_bytes(data[2:4], "big"), data[16:]

    def send(self, kind, seq=0, body=b"", session=None):
        data = frame(kind, seq, self.session if session is None else session, body)
        self.socket.sendto(data, self.client)

    def admit(self):
        """A client proves its address and is told that it is welcome."""
        kind, _, body = self.receive()
        while kind != REGISTER or body[:16] != COOKIE:
            if kind == HELLO:
                self.send(CHALLENGE, body=COOKIE, session=bytes(8))
            kind, _, body = self.receive()
        self.session = self.last[8:16]
        self.start = int.from_bytes(self.session[6:8], "big")
        self.send(WELCOME)

    def number(self, count):
        return (self.start + count) % 65536

    def entry(self, count, text=b"x", number=None):
        number = count if number is None else number
        self.send(ENTRY, self.number(count), number.to_bytes(8, "big") + b"\3ann" + text)

    def acknowledge(self, count):
        self.send(ACK, body=self.number(count).to_bytes(2, "big"))

    def acknowledged(self):
        """How many messages of ours the next datagram says to be taken."""
        kind, _, body = self.receive()
        assert kind == ACK and len(body) == 2
        return (int.from_bytes(body, "big") - self.start) % 65536


@pytest.fixture
def counting():
    server = Counting()
    yield server
    server.socket.close()


@pytest.fixture
def reading(pubsub, counting):
    """A reader that the counting server has admitted."""
    with reader_of(pubsub)("127.0.0.1", counting.port, **QUICK) as client:
        register(client, counting, "bob")
        yield client


def register(client, counting, user):
    counting.served = None
    admitting = threading.Thread(target=counting.admit)
    admitting.start()
    client.register(user, BOB)
    admitting.join()
    counting.served = client
    while not select_none(counting):  # a registration that was slow to be answered
        assert counting.receive()[0] == REGISTER


def test_a_duplicate_is_acknowledged_and_not_shown(reading, counting):
    counting.entry(0)
    assert counting.acknowledged() == 1
    counting.entry(0)
    assert counting.acknowledged() == 1 and reading.lines == [(0, "ann", "x")]


def test_what_is_ahead_of_its_turn_waits(reading, counting):
    counting.entry(2, b"c")
    counting.entry(1, b"b")
    assert [counting.acknowledged(), counting.acknowledged()] == [0, 0] and reading.lines == []
    counting.entry(0, b"a")
    assert counting.acknowledged() == 3
    assert [text for _, _, text in reading.lines] == ["a", "b", "c"]
    counting.entry(64 + 3, b"z")  # outside of the window: taken for one of long ago
    assert counting.acknowledged() == 3 and len(reading.lines) == 3


def test_what_cannot_be_shown_comes_again(reading, counting):
    """It is not acknowledged, nor is what stands behind it."""
    reading.refusing = 1
    counting.entry(1, b"b")
    assert counting.acknowledged() == 0
    counting.entry(0, b"a")
    until(reading, lambda: reading.refusing == 0, "that it is refused")
    assert reading.lines == []
    counting.entry(0, b"a")
    assert counting.acknowledged() == 2
    assert [text for _, _, text in reading.lines] == ["a", "b"]


@pytest.mark.parametrize("spoil", [
    lambda data: data[:20] + bytes((data[20] ^ 1,)) + data[21:], lambda data: b"\x26" + data[1:], lambda data: data[:12], lambda data: b""])
def test_what_is_corrupt_changes_nothing(reading, counting, spoil):
    counting.socket.sendto(spoil(frame(ENTRY, counting.number(0), counting.session, bytes(8) + b"\3annx")), counting.client)
    counting.send(ENTRY, counting.number(0), bytes(8) + b"\3anny", session=b"anothers")  # nor what is another session's
    counting.send(ACK, body=counting.number(9).to_bytes(2, "big"))  # nor what acknowledges nothing
    counting.entry(0)
    assert counting.acknowledged() == 1 and reading.lines == [(0, "ann", "x")]


def test_it_goes_out_again_the_same_and_ever_later(reading, counting):
    began = time.monotonic()
    reading.post("hello")
    times, frames = [], []
    for _ in range(10):
        while select_none(counting):
            reading.wait(0.002)
        kind, number, body = counting.receive()
        assert (kind, number, body[8:]) == (LINE, counting.number(0), b"hello")
        times.append(counting.at)
        frames.append(counting.last)
    assert len(set(frames)) == 1
    wanted = (0.02, 0.04, 0.08, *[0.1] * 6)
    for n, at in enumerate(times):
        assert at - began >= sum(wanted[:n]) * 0.8, "it comes early"
    later = [after - before for before, after in zip(times[3:], times[4:])]
    assert min(later) < 0.16, "the pauses go on growing"  # the least: all may be longer where others have the processors
    counting.acknowledge(1)
    until(reading, lambda: reading.waiting == 0, "that it is acknowledged")
    reading.flush()


def select_none(counting):
    """Whether nothing waits to be received."""
    counting.socket.setblocking(False)
    try:
        counting.socket.recv(1, socket.MSG_PEEK)
        return False
    except BlockingIOError:
        return True
    finally:
        counting.socket.settimeout(60)


def test_numbers_wrap(pubsub, counting):
    """Until the first number is near the end: it is drawn by the client."""
    Reader = reader_of(pubsub)
    with Reader("127.0.0.1", counting.port, first=10, cap=10) as client:  # each goes out once
        drawn, os_urandom = [], os.urandom
        pubsub.os.urandom = lambda n: drawn.append(n) or (b"session"[:6] + b"\xff\xfe" if n == 8 and len(drawn) == 1 else os_urandom(n))
        try:
            register(client, counting, "bob")
        finally:
            pubsub.os.urandom = os_urandom
        assert counting.start == 0xfffe
        for count in range(4):
            counting.entry(count)
            assert counting.acknowledged() == count + 1
        for count in range(4):
            client.post("x")
            assert counting.receive()[1] == (0xfffe + count) % 65536
            counting.acknowledge(count + 1)
            until(client, lambda: client.waiting == 0, "that it is acknowledged")
        assert len(client.lines) == 4


def test_a_window_and_no_more(pubsub, counting):
    with pubsub.Client("127.0.0.1", counting.port, timeout=2.0, first=10, cap=10) as client:
        register(client, counting, "bob")
        for _ in range(64):
            client.post("x")
        assert client.waiting == 64
        counting.acknowledge(10)
        for _ in range(10):
            client.post("y")
        with pytest.raises(pubsub.CallTimeout):
            client.post("z")
        assert not client.connected
    came = set()
    while not select_none(counting):
        came.add(counting.receive()[1])
    assert came == {counting.number(count) for count in range(74)}


def test_a_registration_that_is_gone_is_made_anew(pubsub, counting):
    """What was not acknowledged goes out under numbers that begin anew, in the new session."""
    with pubsub.Client("127.0.0.1", counting.port, **QUICK) as client:
        register(client, counting, "bob")
        for text in ("a", "b", "c"):
            client.post(text)
            assert counting.receive()[0] == LINE
        counting.acknowledge(1)
        old = counting.session
        counting.send(REFUSE, body=b"\3")
        counting.served = None
        admitting = threading.Thread(target=counting.admit)
        admitting.start()
        until(client, lambda: not admitting.is_alive() and client.state == "Live", "a new registration")
        assert counting.session != old
        again = {}
        while len(again) < 2:
            while select_none(counting):
                client.wait(0.005)
            kind, number, body = counting.receive()
            if kind == LINE and counting.last[8:16] == counting.session:
                again[(number - counting.start) % 65536] = body[8:]
        assert again == {0: b"b", 1: b"c"}
        counting.acknowledge(2)
        client.flush()


def test_giving_up(pubsub, counting):
    """Without progress for too long a call ends with the protocol's error, and what waited is forgotten."""
    with pubsub.Client("127.0.0.1", counting.port, give_up=1.0, **QUICK) as client:
        register(client, counting, "bob")
        begun = time.monotonic()
        with pytest.raises(pubsub.Lost):
            client.write("nobody hears it")
        assert 1.0 <= time.monotonic() - begun < 30
        assert client.state == "Lost" and client.given_up == 1 and client.waiting == 0 and client.connected
        register(client, counting, "bob")
        assert client.state == "Live"


def test_nobody_listens(pubsub):
    """Datagrams that are refused are lost ones: the server may be about to start."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pubsub.Client("127.0.0.1", port, give_up=0.2, **QUICK) as client, pytest.raises(pubsub.Unreachable_):
        client.register("bob", BOB)
