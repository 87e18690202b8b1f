"""`assay link` between real sockets: what passes, what goes wrong, and that it goes wrong the same way again."""

import contextlib
import os
import random
import re
import signal
import socket
import struct
import subprocess
import threading
import time
from pathlib import Path

import pytest

from scripts.testing import ASSAY, address_told, wait_until

LIMIT = 60  # seconds after which a test gives up


class Link:
    """A running link: its port, and its summary after stop()."""

    def __init__(self, to, *options, udp=False, listen="127.0.0.1", host="127.0.0.1"):
        kind = "udp:" if udp else ""
        self.process = subprocess.Popen(
            [str(ASSAY), "link", "--listen", f"{kind}{listen}:0", "--to", f"{kind}{host}:{to}", *map(str, options)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        told, _, self.port = address_told(self.process)
        assert told == ("udp" if udp else "tcp")

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        out, err = self.process.communicate(timeout=LIMIT)
        self.summary, self.errors = out, err
        return self.process.returncode


@contextlib.contextmanager
def linked(to, *options, udp=False):
    link = Link(to, *options, udp=udp)
    try:
        yield link
        assert link.stop() == 0 and link.errors == "", link.errors
    finally:
        if link.process.poll() is None:
            link.process.kill()
            link.process.communicate()


class Server:
    """Takes connections one by one; the test talks on them itself."""

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.settimeout(LIMIT)
        self.port = self.listener.getsockname()[1]
        return self

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        connection = self.listener.accept()[0]
        connection.settimeout(LIMIT)
        return connection


def connect(port):
    return socket.create_connection(("127.0.0.1", port), timeout=LIMIT)


def connect_or_reset(port):
    """A reset that comes at once may be seen by connect() already: None."""
    try:
        return connect(port)
    except ConnectionResetError:
        return None


@contextlib.contextmanager
def pair(*options):
    """The two ends of one connection through a link."""
    with Server() as server, linked(server.port, *options) as link:
        with connect(link.port) as client, server.accept() as far:
            yield client, far, link


def read_all(end):
    """Bytes until the end of the stream, and the sizes in which they came."""
    got, sizes = bytearray(), []
    while piece := end.recv(1 << 20):
        got += piece
        sizes.append(len(piece))
    return bytes(got), sizes


def send_all(end, data):
    end.sendall(data)
    end.shutdown(socket.SHUT_WR)


def at_once(*calls):
    """Runs calls in threads; their results, or the first error."""
    results = [None] * len(calls)

    def run(i, fn, *args):
        try:
            results[i] = fn(*args)
        except Exception as error:  # handed to the test
            results[i] = error

    threads = [threading.Thread(target=run, args=(i, *call), daemon=True) for i, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(LIMIT * 3)
        assert not thread.is_alive(), "it hangs"
    for result in results:
        if isinstance(result, Exception):
            raise result
    return results


def both_ways(client, far, up, down):
    return at_once((read_all, far), (read_all, client), (send_all, client, up), (send_all, far, down))[:2]


def reset(end):
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


def noise(size, seed=1):
    return random.Random(seed).randbytes(size)


# ---- bytes arrive as they were sent


PASSING = [
    ((), 8_000_000),
    (("--split", "1"), 3_000),
    (("--split", "7"), 20_000),
    (("--split", "1..100"), 100_000),
    (("--split", "3", "--unproven"), 100_000),
    (("--split", "up:2", "--split", "down:1000"), 5_000),
    (("--coalesce", "10000"), 1_000_000),
    (("--coalesce", "1MiB/5ms"), 1_000_000),
    (("--stall", "2ms@every=64KiB"), 1_000_000),
    (("--stall", "1ms..5ms@rate=5%"), 400_000),
    (("--cut", "rate=50%"), 400_000),
    (("--bandwidth", "4MiB"), 1_000_000),
    (("--split", "50..5000", "--coalesce", "3000/1ms", "--stall", "1ms@rate=2%", "--bandwidth", "8MiB"), 500_000),
]


@pytest.mark.parametrize("options, size", PASSING, ids=lambda v: " ".join(v) if isinstance(v, tuple) else str(v))
def test_both_directions_at_once(options, size):
    with pair(*options) as (client, far, link):
        up, down = noise(size), noise(size - 13, 2)
        (got_up, _), (got_down, _) = both_ways(client, far, up, down)
        assert got_up == up and got_down == down
    assert f"1 connections, {size} bytes up, {size - 13} bytes down; faults: " in link.summary


@pytest.mark.parametrize("n", [1, 7])
def test_pieces_are_seen_one_by_one(n):
    """The receiver asks for a megabyte at a time and never gets more than a piece."""
    with pair("--split", f"up:{n}") as (client, far, link):
        data = noise(n * 500 + 3)
        (got, sizes), _ = at_once((read_all, far), (send_all, client, data))
        assert got == data and max(sizes) == n
    assert "not read in time" not in link.summary
    assert sizes == [n] * 500 + ([3] if n > 3 else [1] * 3)


def test_a_cut_is_a_border():
    with pair("--cut", "up:5", "--cut", "up:6") as (client, far, _):
        (got, sizes), _ = at_once((read_all, far), (send_all, client, b"headXbody"))
        assert got == b"headXbody" and sizes == [5, 1, 3]


def test_coalescing_holds_until_there_is_enough():
    with pair("--coalesce", "up:6/10min") as (client, far, _):
        for piece in (b"ab", b"cd", b"ef"):
            client.sendall(piece)
        assert far.recv(100) == b"abcdef"
        client.sendall(b"g")
        client.shutdown(socket.SHUT_WR)
        assert far.recv(100) == b"g" and far.recv(100) == b""


def test_coalescing_ends_with_its_time():
    with pair("--coalesce", "up:100/50ms") as (client, far, _):
        began = time.monotonic()
        client.sendall(b"abc")
        assert far.recv(100) == b"abc"
        assert time.monotonic() - began >= 0.05


def test_a_stall_lasts_as_long_as_it_says():
    with pair("--stall", "up:150ms@3") as (client, far, _):
        began = time.monotonic()
        client.sendall(b"abcdef")
        assert far.recv(100) == b"abc"
        assert far.recv(100) == b"def"
        assert time.monotonic() - began >= 0.15


def test_bandwidth():
    with pair("--bandwidth", "up:1000000") as (client, far, _):
        began = time.monotonic()
        (got, _), _ = at_once((read_all, far), (send_all, client, noise(300_000)))
        assert len(got) == 300_000 and 0.25 < time.monotonic() - began


def test_who_does_not_read_slows_down_who_writes():
    with pair() as (client, far, link):
        client.setblocking(False)
        sent, stuck = 0, time.monotonic() + 0.5
        while time.monotonic() < stuck:
            with contextlib.suppress(BlockingIOError):
                sent += client.send(bytes(1 << 16))
                stuck = time.monotonic() + 0.5
        assert sent < 64 << 20
        resident = int(Path(f"/proc/{link.process.pid}/statm").read_text().split()[1]) * 4096
        assert resident < 64 << 20
        far.settimeout(LIMIT)
        client.setblocking(True)
        client.shutdown(socket.SHUT_WR)
        assert len(read_all(far)[0]) == sent


def test_many_connections():
    with Server() as server, linked(server.port, "--split", "1..50", "--unproven") as link:
        clients = [connect(link.port) for _ in range(100)]
        for i, client in enumerate(clients):
            client.sendall(b"%d\n" % i)
        for _ in clients:
            with server.accept() as far:
                first = far.makefile("rb").readline()
                far.sendall(first)
        assert [client.makefile("rb").readline() for client in clients] == [b"%d\n" % i for i in range(100)]
        for client in clients:
            client.close()
    assert link.summary.startswith("100 connections, ")


# ---- ends and resets


def test_half_close_passes_either_way():
    for first in (0, 1):
        with pair() as ends:
            one, other = ends[first], ends[1 - first]
            one.sendall(b"last words")
            one.shutdown(socket.SHUT_WR)
            assert read_all(other)[0] == b"last words"
            other.sendall(b"answer")
            assert one.recv(100) == b"answer"
            other.close()
            assert one.recv(100) == b""


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("options", [(), ("--split", "1"), ("--coalesce", "100/10min")], ids=str)
def test_a_reset_passes_behind_the_bytes_before_it(which, options):
    with pair(*options) as ends:
        one, other = ends[which], ends[1 - which]
        one.sendall(b"abc")
        if "--coalesce" not in options:
            got = b""
            while got != b"abc":
                got += other.recv(100)
        reset(one)
        with pytest.raises(ConnectionResetError):
            while other.recv(100):
                pass


def test_a_reset_behind_a_half_close_passes():
    with pair() as (client, far, _):
        client.shutdown(socket.SHUT_WR)
        assert far.recv(100) == b""
        reset(client)
        far.settimeout(LIMIT)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                far.sendall(b"x")
                time.sleep(0.001)


def test_a_server_that_is_not_there_resets():
    with Server() as server:
        port = server.port
    link = Link(port)
    client = connect_or_reset(link.port)
    assert client is None or outcome(client)[1] == "reset"
    assert link.stop() == 0
    assert link.errors == f"assay: connection 1 is reset: cannot connect to 127.0.0.1:{port}: Connection refused\n"
    assert "the server was not reached 1 times" in link.summary


# ---- faults that end


def outcome(end):
    try:
        return read_all(end)[0], "end"
    except ConnectionResetError:
        return None, "reset"


@pytest.mark.parametrize("direction", ["up", "down"])
@pytest.mark.parametrize("n", [1, 1000])
def test_a_reset_after_n_bytes(direction, n):
    with pair("--reset", f"{direction}:{n}") as (client, far, link):
        sender, receiver = (client, far) if direction == "up" else (far, client)
        told = False
        try:
            sender.sendall(noise(5000))
        except ConnectionError:
            told = True
        got = bytearray()
        with pytest.raises(ConnectionResetError):
            while piece := receiver.recv(100):
                got += piece
        assert bytes(got) == noise(5000)[:n]
        assert told or outcome(sender)[1] == "reset"
    assert "faults: 1 reset" in link.summary


def test_a_reset_at_once():
    with Server() as server, linked(server.port, "--reset", "0") as link:
        client = connect_or_reset(link.port)
        assert client is None or outcome(client)[1] == "reset"
        assert outcome(server.accept())[1] == "reset"
    assert "faults: 1 reset" in link.summary


def test_an_end_after_n_bytes():
    with pair("--close", "up:10") as (client, far, _):
        client.sendall(noise(5000))
        assert read_all(far)[0] == noise(5000)[:10]
        far.sendall(b"still there")
        far.shutdown(socket.SHUT_WR)
        assert read_all(client)[0] == b"still there"


def test_refused():
    with Server() as server, linked(server.port, "--refuse", "2", "--refuse", "every=4") as link:
        kept = []
        for i in range(1, 9):
            client = connect_or_reset(link.port)
            if i in (2, 4, 8):
                assert client is None or outcome(client)[1] == "reset"
                continue
            with server.accept() as far:
                far.sendall(b"hello")
            assert outcome(client) == (b"hello", "end")
            kept.append(client)
        for client in kept:
            client.close()
    assert link.summary.startswith("8 connections, ") and "faults: 3 refuse" in link.summary


# ---- the same again


def play(log, *options, refused=()):
    """Connections one after another: what each end of each saw, and the log."""
    seen = []
    with Server() as server, linked(server.port, *options, "--log", log) as link:
        for i in range(12):
            with connect_or_reset(link.port) or contextlib.nullcontext() as client:
                if i + 1 not in refused:
                    send_all(client, noise(20_000, i))
                    with server.accept() as far:
                        seen.append(outcome(far))
                        far.sendall(b"done")
                seen.append(outcome(client) if client else (None, "reset"))
    return seen, log.read_text()


FAULTS = ("--split", "100..3000", "--stall", "up:1ms..3ms@rate=10%", "--close", "up:rate=2%", "--cut", "up:every=7000",
          "--coalesce", "up:2000/1ms")


def test_a_seed_does_the_same_again(tmp_path):
    seen, log = play(tmp_path / "a", *FAULTS, "--seed", 7)
    again, log_again = play(tmp_path / "b", *FAULTS, "--seed", 7)
    assert seen == again and sorted(log.splitlines()) == sorted(log_again.splitlines())
    assert re.search(r"^\d+ up \d+ close$", log, re.M) and re.search(r"^\d+ up \d+ stall [12]\d{6}ns$", log, re.M)
    _, other = play(tmp_path / "c", *FAULTS, "--seed", 8)
    assert sorted(other.splitlines()) != sorted(log.splitlines())


def test_a_log_is_a_plan(tmp_path):
    seen, log = play(tmp_path / "a", *FAULTS, "--seed", 7)
    again, replayed = play(tmp_path / "b", "--plan", tmp_path / "a")
    assert seen == again and sorted(log.splitlines()) == sorted(replayed.splitlines())


def test_a_plan_by_hand(tmp_path):
    plan = tmp_path / "plan"
    plan.write_text("# the second one is refused\n2 refuse\n1 up 3 close\n* down 2 cut\n3 up 1KiB stall 1ms\n")
    seen, log = play(tmp_path / "log", "--plan", plan, refused=[2])
    assert seen[0] == (noise(20_000, 0)[:3], "end") and seen[1] == (b"done", "end")
    assert seen[2] == (None, "reset") and seen[3] == (noise(20_000, 2), "end")
    assert sorted(log.splitlines()) == sorted(
        ["seed 1", "1 up 3 close", "2 refuse", "3 up 1024 stall 1ms"] + [f"{i} down 2 cut" for i in range(1, 13) if i != 2])


# ---- addresses


@pytest.mark.parametrize("udp", [False, True], ids=["tcp", "udp"])
def test_every_address_towards_ipv6(udp):
    kind = "udp" if udp else "tcp"
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM if udp else socket.SOCK_STREAM) as server:
        server.bind(("::1", 0))
        server.settimeout(LIMIT)
        if not udp:
            server.listen()
        command = [str(ASSAY), "link", "--listen", f"{kind}:*:0", "--to", f"[::1]:{server.getsockname()[1]}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as link:
            port = int(re.fullmatch(rf"listening on {kind}:\[::\]:(\d+)\n", link.stdout.readline())[1])
            for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
                with socket.socket(family, server.type) as client:
                    client.settimeout(LIMIT)
                    client.connect((host, port))
                    client.send(b"hello")
                    far, peer = (server, None) if udp else server.accept()
                    data, peer = far.recvfrom(100) if udp else (far.recv(100), peer)
                    assert data == b"hello"
                    far.sendto(b"back", peer) if udp else far.send(b"back")
                    assert client.recv(100) == b"back"
                    if not udp:
                        far.close()
            link.terminate()
            assert link.wait(LIMIT) == 0


# ---- command line


@pytest.mark.parametrize("options, error", [
    ((), "an address is missing"),
    (("--listen", "127.0.0.1:0"), "an address is missing"),
    (("--listen", "tcp:127.0.0.1:0", "--to", "udp:127.0.0.1:1"), "a link has one transport"),
    (("--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--drop", "1%"), "--drop is for datagrams"),
    (("--listen", "udp:127.0.0.1:0", "--to", "127.0.0.1:1", "--split", "1"), "--split is for streams"),
    (("--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--stall", "1ms"),
     "--stall takes [up:|down:]TIME[..TIME]@PLACE, and '1ms' is none"),
    (("--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--plan", "/nonexistent"), "cannot read /nonexistent"),
    (("--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--plan", "/dev/null", "--cut", "1"), "nothing else"),
    (("--listen", "127.0.0.1:0", "--to", "127.0.0.1"), "expected HOST:PORT"),
    (("--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--log", "/nonexistent/log"), "cannot write /nonexistent/log"),
])
def test_bad_command_lines(options, error):
    done = subprocess.run([str(ASSAY), "link", *options], capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 4 and error in done.stderr and done.stdout == ""


def test_a_plan_with_an_error_names_its_place(tmp_path):
    plan = tmp_path / "bad.plan"
    plan.write_text("1 up 0 split 7\n1 up 5 explode\n")
    done = subprocess.run([str(ASSAY), "link", "--listen", "127.0.0.1:0", "--to", "127.0.0.1:1", "--plan", str(plan)],
                          capture_output=True, text=True, timeout=LIMIT)
    assert done.returncode == 4 and f"{plan}:2:8: expected a fault: split cut " in done.stderr


def test_help_names_every_fault():
    text = subprocess.run([str(ASSAY), "link", "--help"], capture_output=True, text=True, timeout=LIMIT).stdout
    for name in ("refuse split cut coalesce stall bandwidth close reset drop truncate corrupt delay swap duplicate seed "
                 "plan log unproven idle").split():
        assert f"\n  --{name} " in text or f"\n  --{name}\n" in text


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_the_end_passes_on_what_was_read(how):
    with Server() as server:
        link = Link(server.port, "--stall", "up:100ms@2")
        with connect(link.port) as client, server.accept() as far:
            client.sendall(b"abcd")
            assert far.recv(100) == b"ab"
            link.process.send_signal(how)
            assert read_all(far)[0] == b"cd" and read_all(client)[0] == b""
        assert link.stop(how) == 0
        assert link.summary == "1 connections, 4 bytes up, 0 bytes down; faults: 1 stall\n"


# ---- datagrams


@contextlib.contextmanager
def udp_socket():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        s.settimeout(LIMIT)
        yield s


@contextlib.contextmanager
def udp_pair(*options):
    """A client's and a server's socket, and the port of the link between them."""
    with udp_socket() as client, udp_socket() as server:
        with linked(server.getsockname()[1], *options, udp=True) as link:
            yield client, server, link


@contextlib.contextmanager
def stopped(link):
    """The link stands still meanwhile."""
    os.kill(link.process.pid, signal.SIGSTOP)
    stat = Path(f"/proc/{link.process.pid}/stat")
    wait_until(lambda: stat.read_text().rsplit(")", 1)[1].split()[0] == "T", "the link's standing still")
    yield
    os.kill(link.process.pid, signal.SIGCONT)


def logged(log, kind):
    return [int(m[1]) for m in re.finditer(rf"^1 up (\d+) {kind}\b", log.read_text(), re.M)]


def pass_all(client, server, link, log, count, size=20):
    """Sends numbered datagrams, some at a time so that no buffer overflows; those that arrived: as many as the log says."""
    got = []
    server.setblocking(False)

    def all_there(sent):
        with contextlib.suppress(BlockingIOError):
            while True:
                got.append(server.recv(65536))
        dropped = set(logged(log, "drop"))
        return len(got) == sent - len(dropped) + sum(n not in dropped for n in logged(log, "duplicate"))

    for i in range(count):
        client.sendto(i.to_bytes(4, "big") + noise(size, i), ("127.0.0.1", link.port))
        if i % 50 == 49:
            wait_until(lambda: all_there(i + 1), "all that the log says")
    return got


def test_datagrams_pass_both_ways():
    with udp_pair() as (client, server, link):
        for data in (b"", b"x", noise(1400), noise(60000)):
            client.sendto(data, ("127.0.0.1", link.port))
            got, peer = server.recvfrom(65536)
            assert got == data
            server.sendto(data + b"!", peer)
            got, peer = client.recvfrom(65536)
            assert got == data + b"!" and peer == ("127.0.0.1", link.port)
    assert "1 sessions, " in link.summary and "4 datagrams up, 4 datagrams down" in link.summary


def test_each_client_is_its_own_session():
    with udp_pair() as (client, server, link), udp_socket() as second:
        for one in (client, second):
            one.sendto(b"hello", ("127.0.0.1", link.port))
        peers = [server.recvfrom(100)[1] for _ in range(2)]
        assert peers[0] != peers[1]
        server.sendto(b"two", peers[1])
        server.sendto(b"one", peers[0])
        assert client.recv(100) == b"one" and second.recv(100) == b"two"


def test_a_server_that_answers_from_another_port():
    with udp_pair() as (client, server, link), udp_socket() as transfer:
        client.sendto(b"request", ("127.0.0.1", link.port))
        peer = server.recvfrom(100)[1]
        transfer.sendto(b"from here", peer)
        got, where = client.recvfrom(100)
        assert got == b"from here" and where[1] not in (link.port, transfer.getsockname()[1])
        client.sendto(b"to there", where)
        assert transfer.recvfrom(100) == (b"to there", peer)
        transfer.sendto(b"more", peer)
        assert client.recvfrom(100) == (b"more", where)


@pytest.mark.parametrize("rate", ["30%", "up:10%"])
def test_drop_by_rate(tmp_path, rate):
    log = tmp_path / "log"
    with udp_pair("--drop", rate, "--seed", 3, "--log", log) as (client, server, link):
        got = pass_all(client, server, link, log, 300)
        dropped = logged(log, "drop")
    arrived = [int.from_bytes(d[:4], "big") + 1 for d in got]
    assert dropped and arrived == [n for n in range(1, 301) if n not in dropped]
    expected = 90 if rate == "30%" else 30
    assert abs(len(dropped) - expected) < 32
    assert f"faults: {len(dropped)} drop" in link.summary


def test_what_else_happens_to_datagrams(tmp_path):
    log = tmp_path / "log"
    options = ("--duplicate", "up:10%", "--corrupt", "up:10%", "--truncate", "up:10%", "--swap", "up:10%", "--delay",
               "up:1ms..5ms@10%", "--drop", "up:5%")
    with udp_pair(*options, "--log", log) as (client, server, link):
        got = pass_all(client, server, link, log, 400)
    expect = {i + 1: [i.to_bytes(4, "big") + noise(20, i)] for i in range(400)}
    for line in log.read_text().splitlines()[1:]:
        _, _, number, kind, *value = line.split()
        data = expect[int(number)]
        if kind == "drop":
            data.clear()
        elif kind == "truncate":
            data[:] = [d[:int(value[0])] for d in data]
        elif kind == "corrupt":
            at, mask = int(value[0].split(":")[0]), int(value[0].split(":")[1], 16)
            data[:] = [d[:at] + bytes([d[at] ^ mask]) + d[at + 1:] for d in data]
        elif kind == "duplicate":
            data.append(data[0])
    assert sorted(got) == sorted(d for data in expect.values() for d in data)
    kinds = {line.split()[3] for line in log.read_text().splitlines()[1:]}
    assert kinds == {"duplicate", "corrupt", "truncate", "swap", "delay", "drop"}


def test_swapped_and_delayed(tmp_path):
    plan = tmp_path / "plan"
    plan.write_text("1 up 1 swap\n1 up 3 swap\n1 up 4 swap\n1 up 6 delay 50ms\n1 up 7 duplicate 20ms\n1 up 9 swap\n")
    with udp_pair("--plan", plan) as (client, server, link):
        with stopped(link):  # they come together, however slow we are
            for i in range(1, 10):
                client.sendto(b"%d" % i, ("127.0.0.1", link.port))
        got = b"".join(server.recv(100) for _ in range(10))
        assert got[:5] == b"21543" and got.index(b"7") < got.index(b"8") < got.rindex(b"7") < got.index(b"6")
        assert b"9" in got  # there is no next one: it does not wait for ever


def test_the_same_datagram_faults_again(tmp_path):
    options = ("--drop", "20%", "--duplicate", "10%", "--corrupt", "10%", "--truncate", "5%")

    def run(name, *options):
        with udp_pair(*options, "--log", tmp_path / name) as (client, server, link):
            got = pass_all(client, server, link, tmp_path / name, 200)
        return got, (tmp_path / name).read_text()

    first, again = run("a", *options, "--seed", 5), run("b", *options, "--seed", 5)
    assert first == again
    replay = run("c", "--plan", tmp_path / "a")
    assert replay == first
    assert run("d", *options, "--seed", 6)[0] != first[0]
