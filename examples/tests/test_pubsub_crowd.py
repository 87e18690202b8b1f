"""Twenty writers and twenty readers over a bad line, with programs that are killed; and what strangers are sent."""

import collections
import ctypes
import random
import select
import socket
import struct
import threading

import pytest

from examples.tests.test_pubsub import BAD_LINE, numbered, place, text_of  # noqa: F401: place is a fixture
from scripts.testing import PATIENCE, wait_until

WELCOME = 4
CROWD, LINES = 20, 60
MIB = 1024 * 1024


class Watch:
    """What goes to and from a server on the loopback interface. An address is unproven until the server, as it was last started,
    has welcomed it. `larger`: datagrams to unproven addresses for which these had sent none of that length
    that was not answered yet. (Several may be on their way at once: the last one sent need not be the one that is answered.)"""

    def __init__(self, port):
        self.port, self.larger, self.seen, self.proven = port, [], 0, set()
        self.sent, self.lock, self.over = collections.defaultdict(list), threading.Lock(), threading.Event()
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 * MIB)  # SO_RCVBUFFORCE
        self.filter()
        self.socket.bind(("lo", 0x0800))
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def filter(self):
        """Have the kernel hand over UDP of this port alone, and each packet, which is seen twice here, once."""
        code = ((0x28, 0, 0, 0xFFFFF004), (0x15, 9, 0, socket.PACKET_OUTGOING),  # ldh type; jeq: to the end
                (0x30, 0, 0, 9), (0x15, 0, 7, socket.IPPROTO_UDP),  # ldb protocol
                (0xB1, 0, 0, 0), (0x48, 0, 0, 0), (0x15, 2, 0, self.port),  # ldxb header's size; ldh source
                (0x48, 0, 0, 2), (0x15, 0, 2, self.port),  # ldh target
                (0x06, 0, 0, 65536), (0x06, 0, 0, 65536), (0x06, 0, 0, 0))
        program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *c) for c in code))
        self.socket.setsockopt(socket.SOL_SOCKET, 26, struct.pack("HL", len(code), ctypes.addressof(program)))  # SO_ATTACH_FILTER

    def run(self):
        while not self.over.is_set():
            if select.select([self.socket], [], [], 0.1)[0]:
                packet = self.socket.recv(65536)
                self.note(packet[(packet[0] & 15) * 4 :])

    def note(self, datagram):
        source, target, length, _ = struct.unpack(">HHHH", datagram[:8])
        body = datagram[8:length]
        with self.lock:
            if target == self.port:
                self.sent[source].append(len(body))
            elif source == self.port:
                self.seen += 1
                if target not in self.proven:
                    self.answered(target, body)
                if body and body[0] & 15 == WELCOME:
                    self.proven.add(target)

    def answered(self, target, body):
        asked = self.sent[target]
        enough = min((n for n in asked if n >= len(body)), default=None)
        if enough is None:
            self.larger.append((target, list(asked), body))
        else:
            asked.remove(enough)

    def forget(self):
        """The server is gone, and starts anew. What it sent lies before a datagram of our own."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mark:
            mark.sendto(b"mark", ("127.0.0.1", self.port))
            wait_until(lambda: mark.getsockname()[1] in self.sent, "our own datagram")
        with self.lock:
            self.proven.clear()

    def end(self):
        self.over.set()
        self.thread.join()
        packets, lost = struct.unpack("II", self.socket.getsockopt(263, 6, 8))  # SOL_PACKET, PACKET_STATISTICS
        self.socket.close()
        assert lost == 0 and self.seen > 0, (packets, lost, self.seen)
        assert self.larger == []


def may_watch():
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM).close()
    except OSError:
        return False
    return True


def test_crowd(place):
    place.serve("--limit", "memory=64MiB")
    place.spoil(*BAD_LINE, "--seed", "4")
    watch = Watch(place.server_port) if may_watch() else None
    readers = [place.reader(f"r{n}", *(["--delay", "7"] if n == 1 else [])) for n in range(CROWD)]
    expected = {f"w{n}": numbered(f"w{n}", LINES) for n in range(CROWD)}
    writers = [place.writer(user, text_of(entries)) for user, entries in expected.items()]
    total = CROWD * LINES

    def at_least(share):
        wait_until(lambda: len(readers[0].lines()) >= total * share, f"{share} of the lines")

    at_least(0.2)
    readers[3].kill()
    at_least(0.4)
    memory = place.server.most_memory()
    place.server.kill()
    if watch:
        watch.forget()
    place.restart_server()
    readers[3].begin()
    for w in writers:
        assert w.wait() == 0 and w.said() == "", w.said()
    for r in readers:
        if r is not readers[1]:
            wait_until(lambda r=r: r.whole_lines() >= total, "all lines")
    first = readers[0].lines()
    assert sorted(first) == sorted(e for entries in expected.values() for e in entries)
    for user, entries in expected.items():
        assert [e for e in first if e.startswith(user + ":")] == entries
    for r in readers:
        if r is not readers[1]:
            assert r.lines() == first
    wait_until(lambda: readers[1].whole_lines() > total - 7, "all batches of seven")
    batched = readers[1].lines()
    assert batched == first[: len(batched)]
    assert max(memory, place.server.most_memory()) < 128 * MIB
    assert max(r.most_memory() for r in readers) < 32 * MIB
    assert all(r.end() == 0 for r in readers)
    if watch:
        watch.end()


# ---- strangers ------------------------------------------------------------------


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def datagram(kind, body=b"", session=bytes(8), version=1, seq=0):
    head = struct.pack(">BBH", version << 4 | kind, 0, seq)
    return head + struct.pack(">I", crc32c(head + bytes(4) + session + body)) + session + body


def register(cookie, user=b"ann", token=b"t" * 16, session=b"12345678"):
    return datagram(3, cookie + token + struct.pack(">BHHQ", 0x80, 1, 64, 0) + user, session)


def test_strangers_are_sent_no_more_than_they_send(place):
    place.serve()
    assert place.writer("ann", text_of(numbered("ann", 50))).wait() == 0
    chance = random.Random(1)
    attempts = [datagram(kind, chance.randbytes(size), chance.randbytes(8), version, chance.randrange(65536))
                for kind in range(16) for size in (0, 1, 2, 15, 16, 17, 40, 200, 1184) for version in (1, 2)]
    attempts += [datagram(kind) for kind in range(16)]
    attempts += [datagram(1, b" " * 16)[:n] for n in range(33)] + [datagram(1, b" " * 16), datagram(1, b" " * 16, b"12345678")]
    attempts += [register(bytes(16)), register(bytes(16), b"x"), register(b"\xff" * 16, b"ann", b"u" * 16), b"", b"\0" * 1200]
    answered = 0
    for attempt in attempts:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.connect(("127.0.0.1", place.server_port))
            stranger.send(attempt)
            stranger.send(datagram(1, b" " * 16))  # answered for sure, behind what comes for the attempt
            stranger.settimeout(PATIENCE)
            replies = []
            while not replies or replies[-1][0] & 15 != 2 or (attempt == datagram(1, b" " * 16) and len(replies) < 2):
                replies.append(stranger.recv(2048))
            size = sum(len(r) for r in replies[:-1])
            answered += size > 0
            assert size <= len(attempt), (attempt, replies)
            assert len(replies) <= 2
    assert answered > 0


def test_cookie_holds_for_its_address_alone(place):
    place.serve()
    server = ("127.0.0.1", place.server_port)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        for s in (one, other):
            s.settimeout(PATIENCE)
            s.connect(server)
        one.send(datagram(1, b" " * 16))
        cookie = one.recv(2048)[16:]
        other.send(register(cookie))
        assert other.recv(2048)[0] & 15 == 2  # another challenge
        one.send(register(cookie))
        assert one.recv(2048)[0] & 15 == WELCOME
