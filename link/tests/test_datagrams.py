"""`assay link` between real UDP sockets: each fault by its line, flows and ports, load, and what is lost is told."""

import collections
import contextlib
import os
import re
import signal
import socket
import time

import pytest

from link.tests.test_link import LIMIT, Link, stopped, udp_pair, udp_socket
from scripts.testing import queued, wait_until


def planned(tmp_path, *lines):
    path = tmp_path / "plan"
    path.write_text("".join(line + "\n" for line in lines))
    return "--plan", path


def texts(sock, count):
    return [sock.recv(65536).decode() for _ in range(count)]


def here(port, host="127.0.0.1"):
    return host, port


def send_numbers(client, server, link, count):
    """No more at a time than the link's socket holds, and the server's holds more than that."""
    server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    for i in range(count):
        client.sendto(b"%d" % i, here(link.port))
        if i % 40 == 39:
            wait_until(lambda: not queued(link.port), "the link's turn")


# ---- each fault, both ways

FAULTS = [
    ("2 WAY 2 drop", "1 3 4"),
    ("2 WAY 2 duplicate", "1 2 2 3 4"),
    ("2 WAY 2 swap", "1 3 2 4"),
    ("2 WAY 1 swap 2", "2 3 1 4"),
    ("2 WAY 1 swap 3", "2 3 4 1"),
    ("2 WAY 1 swap 9/50ms", "2 3 4 1"),
    ("2 WAY 1 swap 2,2 WAY 2 swap", "3 1 2 4"),
    ("2 WAY 1 swap,2 WAY 2 drop", "1 3 4"),
    ("2 WAY 1 swap,2 WAY 2 delay 300ms", "3 4 2 1"),
    ("2 WAY 1 delay 50ms", "2 3 4 1"),
    ("2 WAY 1 duplicate 50ms", "1 2 3 4 1"),
    ("2 WAY 1 delay 20ms,2 WAY 1 duplicate 20ms", "2 3 4 1 1"),
    ("2 WAY 3 corrupt 0:07", "1 2 4 4"),
    ("2 WAY 3 truncate 0", "1 2  4"),
    ("* WAY 2 drop", "1 3 4"),
    ("* * 2 drop", "1 3 4"),
]


@pytest.mark.parametrize("way", ["up", "down"])
@pytest.mark.parametrize("plan, arrives", FAULTS, ids=[plan.replace(" ", "-") for plan, _ in FAULTS])
def test_each_fault_by_its_line(tmp_path, plan, arrives, way):
    lines = plan.replace("WAY", way).split(",")
    with udp_pair(*planned(tmp_path, *lines)) as (first, server, link), udp_socket() as second:
        first.sendto(b"hello", here(link.port))
        assert texts(server, 1) == ["hello"]
        source, sink, to = second, server, here(link.port)
        if way == "down":
            second.sendto(b"hello", to)
            source, sink, to = server, second, server.recvfrom(100)[1]
        with stopped(link):  # they come together, however slow we are
            for i in range(1, 5):
                source.sendto(b"%d" % i, to)
        expected = arrives.split(" ")
        assert texts(sink, len(expected)) == expected
        source.sendto(b"end", to)
        assert texts(sink, 1) == ["end"]  # and nothing else on the way
    assert "not done: 2" not in link.summary


@pytest.mark.parametrize("line, early", [
    ("1 up 1 delay 120ms", 0), ("1 up 1 duplicate 120ms", 1), ("1 up 1 swap 1/120ms", 0),
    ("1 up 1 swap", 0)], ids=["delay", "duplicate", "swap", "swap-usual"])
def test_delays_are_as_long_as_they_say(tmp_path, line, early):
    with udp_pair(*planned(tmp_path, line)) as (client, server, link):
        before = time.monotonic()
        client.sendto(b"one", here(link.port))
        assert texts(server, early) == ["one"] * early
        assert texts(server, 1) == ["one"]
        assert (0.12 if "120" in line else 0.1) <= time.monotonic() - before


@pytest.mark.parametrize("option, count", [(("--delay", "30ms"), 400), (("--duplicate", "20ms@100%"), 200)])
def test_the_same_delay_keeps_the_order(option, count):
    with udp_pair(*option) as (client, server, link):
        send_numbers(client, server, link, count)
        got = texts(server, count if option[0] == "--delay" else 2 * count)
    last = {text: i for i, text in enumerate(got)}
    assert sorted(last, key=last.get) == [str(i) for i in range(count)]


def test_a_chain_of_swaps_has_an_end():
    """All are swapped: else none would arrive before there is a pause."""
    with udp_pair("--swap", "up:3/10s@100%") as (client, server, link):
        send_numbers(client, server, link, 300)
        got = texts(server, 300 - 64)
        assert len(set(got)) == len(got)
    assert "lost" not in link.summary


def test_what_a_plan_did_not_do_is_told(tmp_path):
    lines = ["1 up 1 drop", "1 up 1 swap", "1 up 2 corrupt 9:01", "1 down 7 swap", "2 up 1 drop", "* down 1 duplicate"]
    with udp_pair(*planned(tmp_path, *lines)) as (client, server, link):
        client.sendto(b"lost", here(link.port))
        client.sendto(b"short", here(link.port))
        data, peer = server.recvfrom(100)
        assert data == b"short"
        server.sendto(b"twice", peer)
        assert texts(client, 2) == ["twice"] * 2
    assert re.findall(r"^not done: (.*)$", link.summary, re.M) == [
        "1 up 1 swap", "1 up 2 corrupt 9:01", "1 down 7 swap", "2 up 1 drop"]


def test_many_that_were_not_done(tmp_path):
    with udp_pair(*planned(tmp_path, *(f"1 up {n} drop" for n in range(1, 51)))) as (_, _, link):
        pass
    assert link.summary.count("not done: 1 up ") == 20 and "not done: 30 more faults of the plan\n" in link.summary


# ---- flows and ports


def test_another_port_of_a_client_is_another_flow(tmp_path):
    with udp_pair(*planned(tmp_path, "1 up 2 drop", "2 up 1 drop")) as (client, server, link), udp_socket() as later:
        for sock, text in ((client, b"1.1"), (client, b"1.2"), (later, b"2.1"), (later, b"2.2"), (client, b"1.3")):
            sock.sendto(text, here(link.port))
        seen = [server.recvfrom(100) for _ in range(3)]
        assert [data for data, _ in seen] == [b"1.1", b"2.2", b"1.3"]
        assert seen[0][1] == seen[2][1] != seen[1][1]
    assert link.summary.startswith("2 sessions, ") and "faults: 2 drop" in link.summary


def test_transfers_from_fresh_ports(tmp_path):
    """A server that answers each request from a port of its own; its blocks are those of the client's flow."""
    plan = planned(tmp_path, "* down 2 drop", "* up 3 duplicate")
    with contextlib.ExitStack() as stack:
        _, server, link = stack.enter_context(udp_pair(*plan))
        clients = [stack.enter_context(udp_socket()) for _ in range(3)]
        for name, client in enumerate(clients):
            client.sendto(b"read %d" % name, here(link.port))
        transfers = []
        for _ in clients:
            request, peer = server.recvfrom(100)
            transfer = stack.enter_context(udp_socket())
            for block in (b"block 1", b"block 2", b"block 3"):
                transfer.sendto(request + b" " + block, peer)
            transfers.append((transfer, peer))
        for name, client in enumerate(clients):
            data, where = client.recvfrom(100)
            again, same = client.recvfrom(100)
            assert [data, again] == [b"read %d block 1" % name, b"read %d block 3" % name]
            assert where == same and where[1] != link.port
            client.sendto(b"ack 1", where)
            client.sendto(b"ack 3", where)
        for transfer, peer in transfers:
            assert [transfer.recvfrom(100) for _ in range(3)] == [(b"ack 1", peer), (b"ack 3", peer), (b"ack 3", peer)]
    assert "faults: 3 drop, 3 duplicate" in link.summary


def test_more_ports_of_a_server_than_there_is_room_for():
    with udp_pair() as (client, server, link):
        client.sendto(b"request", here(link.port))
        peer = server.recvfrom(100)[1]
        server.sendto(b"here", peer)
        assert client.recvfrom(100) == (b"here", here(link.port))
        for i in range(1100):
            with udp_socket() as transfer:
                transfer.sendto(b"%d" % i, peer)
                data, where = client.recvfrom(100)
                assert data == b"%d" % i and where[1] != link.port
                client.sendto(data, where)
                assert transfer.recvfrom(100) == (data, peer)
        server.sendto(b"here", peer)
        assert client.recvfrom(100) == (b"here", here(link.port))


@pytest.mark.parametrize("listen", ["[::1]", "*"])
def test_ipv6_and_a_fresh_port(listen):
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as server, contextlib.ExitStack() as stack:
        server.bind(("::1", 0))
        server.settimeout(LIMIT)
        link = Link(server.getsockname()[1], udp=True, listen=listen, host="[::1]")
        stack.callback(link.stop)
        for family, host in ((socket.AF_INET6, "::1"), (socket.AF_INET, "127.0.0.1"))[:1 + (listen == "*")]:
            client = stack.enter_context(socket.socket(family, socket.SOCK_DGRAM))
            fresh = stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
            fresh.bind(("::1", 0))
            for s in (client, fresh):
                s.settimeout(LIMIT)
            client.sendto(b"request", (host, link.port))
            peer = server.recvfrom(100)[1]
            fresh.sendto(b"answer", peer)
            data, where = client.recvfrom(100)
            assert data == b"answer" and where[0] == host and where[1] != link.port
            client.sendto(b"more", where)
            assert fresh.recvfrom(100) == (b"more", peer)


def descriptors(link):
    return len(os.listdir(f"/proc/{link.process.pid}/fd"))


def test_idle_flows_expire():
    with udp_pair("--idle", "1s") as (client, server, link), udp_socket() as transfer:
        at_rest = descriptors(link)
        for round_ in (1, 2):
            client.sendto(b"hello", here(link.port))
            data, peer = server.recvfrom(100)
            transfer.sendto(b"from elsewhere", peer)
            data, where = client.recvfrom(100)
            assert where[1] != link.port and descriptors(link) == at_rest + 2
            wait_until(lambda: descriptors(link) == at_rest, "the end of an idle flow and of its server's port")
    assert link.summary.startswith("2 sessions, ") and "2 idle sessions expired" in link.summary


def test_a_flow_that_speaks_does_not_expire():
    with udp_pair("--idle", "1s") as (client, server, link):
        peers, end = set(), time.monotonic() + 2.5
        while time.monotonic() < end:
            client.sendto(b"hello", here(link.port))
            peers.add(server.recvfrom(100)[1])
        assert len(peers) == 1
    assert link.summary.startswith("1 sessions, ") and "expired" not in link.summary


# ---- load, and what is lost


def drain(sock, take):
    with contextlib.suppress(BlockingIOError):
        while True:
            take(*sock.recvfrom(65536))


class Crowd:
    """Clients that send and a server that answers each datagram; who got how many."""

    def __init__(self, server, clients, port):
        self.server, self.clients, self.port = server, clients, port
        self.sent, self.got = collections.Counter(), collections.Counter()
        self.answers, self.names = collections.Counter(), collections.defaultdict(collections.Counter)
        for sock in (server, *clients):
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def send(self, name, count):
        for _ in range(count):
            self.clients[name].sendto(b"%02d" % name + b"-" * 100, here(self.port))
        self.sent[name] += count

    def answer(self, data, peer):
        self.server.sendto(data, peer)
        self.names[peer][data[:2]] += 1
        self.answers[peer] += 1

    def pump(self):
        drain(self.server, self.answer)
        for name, client in enumerate(self.clients):
            drain(client, lambda *_, name=name: self.got.update([name]))

    def answered(self):
        """Of each client; one of its datagrams may be corrupt, most are not."""
        return {int(names.most_common(1)[0][0]): self.answers[peer] for peer, names in self.names.items()}


def arrivals(log, way, sent):
    """How many of those sent by (or to) each client arrive: its log says."""
    change = {"drop": -1, "duplicate": 1}
    arrive = dict(sent)
    for flow, n, kind in re.findall(rf"^(\d+) {way} (\d+) (\w+)", log.read_text(), re.M):
        arrive[int(flow) - 1] += change.get(kind, 0)
    return arrive


def test_twenty_clients_at_once(tmp_path):
    """Thousands of datagrams, faults both ways: of each client arrives what the log says, and no more."""
    log = tmp_path / "log"
    faults = ("--drop", "15%", "--duplicate", "10%", "--swap", "5%", "--corrupt", "5%", "--delay", "1ms..3ms@10%")
    with contextlib.ExitStack() as stack:
        _, server, link = stack.enter_context(udp_pair(*faults, "--log", log))
        crowd = Crowd(server, [stack.enter_context(udp_socket()) for _ in range(20)], link.port)
        for _ in range(60):
            for name in range(20):
                crowd.send(name, 10)
                wait_until(lambda: (crowd.pump(), queued(link.port) < 20_000)[1], "the link's turn")

        def settled():
            crowd.pump()
            answered = crowd.answered()
            return answered == arrivals(log, "up", crowd.sent) and crowd.got == arrivals(log, "down", answered)

        wait_until(settled, "all datagrams at their receivers", LIMIT)
    assert link.summary.startswith("20 sessions, ") and "lost" not in link.summary
    assert f", {60 * 200} datagrams up, " in link.summary


def test_full_receive_buffers_are_counted():
    with udp_pair() as (client, server, link):
        os.kill(link.process.pid, signal.SIGSTOP)
        for _ in range(3000):
            client.sendto(bytes(1400), here(link.port))
        os.kill(link.process.pid, signal.SIGCONT)
        wait_until(lambda: not queued(link.port), "the link's turn")
    lost = int(re.search(r"^(\d+) datagrams were lost in full receive buffers", link.summary, re.M)[1])
    passed = int(re.search(r", (\d+) datagrams up", link.summary)[1])
    assert lost > 0 and passed > 0 and lost + passed == 3000


def test_what_waits_is_bounded():
    with udp_pair("--delay", "up:1min") as (client, _, link):
        for i in range(1300):
            client.sendto(bytes(60000), here(link.port))
            if i % 3 == 2:
                wait_until(lambda: not queued(link.port), "the link's turn")
        status = open(f"/proc/{link.process.pid}/status").read()
    held = (64 << 20) // 60000
    lost = int(re.search(r"^(\d+) datagrams were lost for want of room", link.summary, re.M)[1])
    assert 1300 - held <= lost < 1300 - held + 10
    assert int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) < 400 << 10


def test_what_cannot_be_sent_is_counted():
    """The kernel refuses to broadcast, as nobody asked for it."""
    with udp_socket() as client, contextlib.ExitStack() as stack:
        link = Link(9, udp=True, host="255.255.255.255")
        stack.callback(link.process.kill)
        client.sendto(b"hello", here(link.port))
        wait_until(lambda: not queued(link.port), "the link's turn")
        assert link.stop() == 0
    assert "1 datagrams could not be sent: Permission denied" in link.summary
