"""The examples against each other and against the network, as their users would meet it.

ASSAY_BUILD names the build folder, in which `make examples` has been done.
"""

import contextlib
import hashlib
import random
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from scripts.testing import ASSAY, BUILD, PATIENCE, ROOT, free_port, wait_until


def example(name):
    return BUILD / "examples" / name


class Program:
    """A program that writes to files, and is ended with the test."""

    def __init__(self, folder, *command, **options):
        self.out, self.err = folder / f"{id(self)}.out", folder / f"{id(self)}.err"
        with open(self.out, "wb") as out, open(self.err, "wb") as err:
            self.process = subprocess.Popen([str(c) for c in command], stdout=out, stderr=err, **options)

    def said(self):
        return self.out.read_text("latin-1") + self.err.read_text("latin-1")

    def address(self, kind="tcp"):
        """Where it says that it listens."""

        def told():
            assert self.process.poll() is None, f"ended with {self.process.poll()}: {self.said()}"
            return re.search(rf"listening on {kind}:(\S+):(\d+)", self.said())

        m = wait_until(told, "an address")
        return m[1], int(m[2])

    def type(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def end(self, signal_number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signal_number)
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture
def start(tmp_path):
    programs = []

    def begin(*command, **options):
        programs.append(Program(tmp_path, *command, **options))
        return programs[-1]

    yield begin
    for program in programs:
        with contextlib.suppress(subprocess.TimeoutExpired):
            program.end()
        if program.process.poll() is None:
            program.process.kill()
            program.process.wait()


# ---- dispatch -------------------------------------------------------------


def serve_dispatch(start, port, control=0, *options):
    server = start(ASSAY, "serve", ROOT / "spec/dispatch.yaml", "--listen", f"tcp:127.0.0.1:{port}", "--listen",
                   f"udp:127.0.0.1:{control}", *options)
    server.address()
    return server


def ask(start, port, *options):
    return start(example("dispatch"), "--server", f"127.0.0.1:{port}", "--pause", "0.1", "--patience", "2", *options)


def test_dispatch_exchange(start):
    port = free_port()
    serve_dispatch(start, port)
    client = ask(start, port, "--trace")
    assert client.process.wait(timeout=PATIENCE) == 0
    words = re.findall(r"^(->|<-) \S+ (\S+)$", client.said(), re.M)
    assert words == [("<-", "HI"), ("->", "DAD"), ("<-", "CLIMB"), ("->", "TOP"), ("<-", "WHO"), ("->", "MOM"), ("<-", "BYE")]


def test_dispatch_client_starts_before_its_server(start):
    port = free_port()
    client = ask(start, port)
    wait_until(lambda: "again in" in client.said(), "a second try")
    assert client.process.poll() is None
    serve_dispatch(start, port)
    assert client.process.wait(timeout=PATIENCE) == 0


def test_dispatch_client_needs_no_processor_while_it_waits(start):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as silent:
        client = start(example("dispatch"), "--server", f"127.0.0.1:{port}", "--patience", "60")
        peer, _ = silent.accept()
        with peer:
            stat = Path(f"/proc/{client.process.pid}/stat")

            def used():
                return sum(int(n) for n in stat.read_text().rsplit(")", 1)[1].split()[11:13])

            before = used()
            with contextlib.suppress(socket.timeout):
                peer.settimeout(1)
                assert peer.recv(100) == b"", "the client spoke before HI"
            assert used() - before <= 2, "clock ticks of 10 ms in a second of waiting"


def test_dispatch_log_is_opened_anew(start, tmp_path):
    control, log = free_port(socket.SOCK_DGRAM), tmp_path / "client.log"
    client = start(example("dispatch"), "--server", f"127.0.0.1:{free_port()}", "--pause", "0.05", "--control",
                   f"127.0.0.1:{control}", "--secret", "abc", "--log", log)
    wait_until(lambda: log.exists() and log.stat().st_size, "a line in the log")
    log.rename(tmp_path / "old.log")

    def tell(message):
        done = subprocess.run([example("signal"), "--server", f"127.0.0.1:{control}", "--type", "udp", "--message", message,
                               "--wait", "0"], capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr

    tell("LOG")
    tell("LOG_ROTATE secret_code=abd")
    old = (tmp_path / "old.log").stat().st_size
    wait_until(lambda: (tmp_path / "old.log").stat().st_size > old, "a line in the old file")
    assert not log.exists(), "a wrong secret, and none, are ignored"
    tell("LOG_ROTATE secret_code=abc")
    wait_until(log.exists, "the new file")
    assert client.process.poll() is None


def test_dispatch_survives_upgrades_of_its_server(start):
    """50 clients, most of them in the middle of the exchange when the server is replaced, twice; none is left behind."""
    port, front = free_port(), free_port()
    server = serve_dispatch(start, port)
    link = start(ASSAY, "link", "--listen", f"tcp:127.0.0.1:{front}", "--to", f"tcp:127.0.0.1:{port}", "--split", "3",
                 "--stall", "down:150ms@1")
    link.address()
    clients = [ask(start, front, "--trace") for _ in range(50)]
    for _ in range(2):
        wait_until(lambda: sum("<- " in c.said() for c in clients) >= 10, "clients that were greeted")
        assert server.end() == 0, server.said()
        server = serve_dispatch(start, port)
    for client in clients:
        assert client.process.wait(timeout=PATIENCE) == 0, client.said()
        exchange = re.findall(r"^(?:->|<-) \S+ (\S+)$", client.said(), re.M)
        last = len(exchange) - exchange[::-1].index("HI") - 1
        assert exchange[last:] == ["HI", "DAD", "CLIMB", "TOP", "WHO", "MOM", "BYE"], client.said()


def test_quit_ends_the_server_with_its_last_client(start):
    port = free_port()
    server = serve_dispatch(start, port)
    with socket.create_connection(("127.0.0.1", port)) as stays, stays.makefile("rb") as lines:
        assert lines.readline() == b"HI\n"
        done = subprocess.run([example("signal"), "--server", f"127.0.0.1:{port}", "--message", "QUIT", "--wait", "0"],
                              capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr

        def refused():
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:  # it came while the listening ended
                pass
            return False

        wait_until(refused, "the end of listening")
        stays.sendall(b"<me:here DAD\n")
        assert lines.readline() == b"me:here/CLIMB\n", "those who are connected are served on"
        assert server.process.poll() is None
    assert server.process.wait(timeout=PATIENCE) == 0


# ---- relay ----------------------------------------------------------------


def relay(start, port, to, *options):
    peer = start(example("relay"), port, "127.0.0.1", to, *options, stdin=subprocess.PIPE)
    peer.address("udp" if "--udp" in options else "tcp")
    return peer


@pytest.mark.parametrize("transport", ["--tcp", "--udp"])
def test_relay_passes_lines_and_blocks(start, transport):
    kind = socket.SOCK_DGRAM if transport == "--udp" else socket.SOCK_STREAM
    a, b = free_port(kind), free_port(kind)
    alice, bob = relay(start, a, b, transport), relay(start, b, a, transport)
    alice.type("hello\nBEGIN\ntwo\nlines\nEND\ngr\u00fc\u00df\n".encode())
    messages = (b"hello\n", b"two\nlines\n", "gr\u00fc\u00df\n".encode())
    wait_until(lambda: all(message in bob.out.read_bytes() for message in messages), "the messages")
    assert len(bob.out.read_bytes()) == sum(map(len, messages)), bob.out.read_bytes()
    bob.type(b"back\nEXIT\n")
    assert bob.process.wait(timeout=PATIENCE) == 0
    wait_until(lambda: alice.out.read_bytes() == b"back\n", "the answer")
    alice.type(b"EXIT\n")
    assert alice.process.wait(timeout=PATIENCE) == 0


@pytest.mark.parametrize("transport", ["--tcp", "--udp"])
def test_relay_traces_what_it_sends_and_receives(start, transport):
    port = free_port(socket.SOCK_DGRAM if transport == "--udp" else socket.SOCK_STREAM)
    own = relay(start, port, port, transport, "--trace")
    own.type(b"said\n")
    wait_until(lambda: '#1 > Piece{content="said"}\n' in own.err.read_text(), "what arrived")
    wait_until(lambda: f'127.0.0.1:{port} < Piece{{content="said"}}\n' in own.err.read_text(), "what was sent")


def test_relay_goes_on_without_its_peer(start):
    a, b = free_port(), free_port()
    alice = relay(start, a, b)
    alice.type(b"nobody hears this\n")
    wait_until(lambda: f"127.0.0.1 port {b}" in alice.err.read_text(), "an error that names address and port")
    bob = relay(start, b, a)
    alice.type(b"somebody hears this\n")
    wait_until(lambda: bob.out.read_bytes() == b"somebody hears this\n", "the message")


def test_relay_refuses_what_no_datagram_carries(start):
    a, b = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_DGRAM)
    alice, bob = relay(start, a, b, "--udp", "-0"), relay(start, b, a, "--udp", "-0")
    largest = random.Random(1).randbytes(65507).replace(b"\0", b"\1")
    alice.type(b"x" * 65508 + b"\0")
    wait_until(lambda: "65508 bytes" in alice.err.read_text(), "an error that names the size")
    alice.type(largest + b"\0")
    wait_until(lambda: bob.out.read_bytes() == largest + b"\0", "the largest datagram")


def test_relay_senders_do_not_wait_for_each_other_and_resets_show_nothing(start):
    a, b = free_port(), free_port()
    bob = relay(start, b, a, "-0")
    slow = socket.create_connection(("127.0.0.1", b))
    slow.sendall(b"slow but ")
    broken = socket.create_connection(("127.0.0.1", b))
    broken.sendall(b"never to be seen")
    broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    broken.close()
    for i in range(20):
        with socket.create_connection(("127.0.0.1", b)) as quick:
            quick.sendall(b"quick %d" % i)
    wait_until(lambda: bob.out.read_bytes().count(b"\0") == 20, "20 messages")
    slow.sendall(b"whole")
    slow.close()
    wait_until(lambda: bob.out.read_bytes().endswith(b"slow but whole\0"), "the slow one")
    assert sorted(bob.out.read_bytes().split(b"\0")[:-1]) == sorted([b"slow but whole"] + [b"quick %d" % i for i in range(20)])
    assert bob.process.poll() is None


def test_relay_passes_100_mb_both_ways_at_once_over_a_bad_line(start, tmp_path):
    """Through two links that split and stall; what arrives is byte for byte what was sent."""
    a, b = free_port(), free_port()
    names, sums = [], []
    for i in range(2):
        data = random.Random(i).randbytes(100_000_000)
        names.append(tmp_path / f"sent-{i}")
        names[i].write_bytes(data)
        sums.append(hashlib.sha256(data).hexdigest())
    fronts = []
    for port in (a, b):
        link = start(ASSAY, "link", "--listen", "tcp:127.0.0.1:0", "--to", f"tcp:127.0.0.1:{port}", "--split", "4099",
                     "--stall", "20ms@4MiB")
        fronts.append(link.address()[1])
    alice = relay(start, a, fronts[1], "--output", tmp_path / "alice")
    bob = relay(start, b, fronts[0], "--output", tmp_path / "bob")
    alice.type(b"FILE %s\n" % bytes(names[0]))
    bob.type(b"FILE %s\n" % bytes(names[1]))
    for folder, expected in (("alice", sums[1]), ("bob", sums[0])):
        file = tmp_path / folder / "000001"
        wait_until(file.exists, f"the message for {folder}", 120)
        assert file.stat().st_size == 100_000_000
        assert hashlib.sha256(file.read_bytes()).hexdigest() == expected
