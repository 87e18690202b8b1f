"""Tables and logs behind `assay serve`, over real sockets: a client of bytes and a clock, that shares no code with the server."""

import contextlib
import os
import resource
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time

import pytest
from conftest import ROOT, program

from scripts.testing import PATIENCE, address_told

pytestmark = pytest.mark.timeout(900)
SPEC = ROOT / "spec/pubsub.yaml"
HELLO, CHALLENGE, REGISTER, WELCOME, LINE, ENTRY, ACK, BEAT, LEAVE, REFUSE = range(1, 11)
TAKEN, FULL, GONE = 1, 2, 3


def _crc_table():
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        table.append(value)
    return table


CRC_TABLE = _crc_table()


def crc32c(data):
    """RFC 3720, appendix B.4."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def datagram(kind, session=bytes(8), body=b"", seq=0):
    """A frame, its sum made."""
    head, rest = struct.pack(">BBH", 1 << 4 | kind, 0, seq), session + body
    return head + struct.pack(">I", crc32c(head + bytes(4) + rest)) + rest


class Client:
    """One socket: what it says reliably goes out again until it is acknowledged; lines come in order, each once."""

    def __init__(self, address):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(address)
        self.cookie = self.refused = None
        self.trusting = False  # looks at no sums
        self.entries, self.acknowledged_until = [], None
        self.begin(os.urandom(8))

    def begin(self, session):
        """Numbering begins anew."""
        self.session, self.start = session, int.from_bytes(session[6:8], "big")
        self.sent, self.unacknowledged, self.taken, self.welcome = 0, {}, 0, False

    def close(self):
        """As it is."""
        self.socket.close()

    def pump(self, until, again=None, seconds=60):
        """Handle what comes until that holds; what is unacknowledged, and `again`, goes out anew after silence."""
        end = time.monotonic() + seconds
        while not until():
            assert time.monotonic() < end, "nothing came of it in %d s" % seconds
            self.socket.settimeout(0.3)
            try:
                self._take(self.socket.recv(65536))
            except (TimeoutError, ConnectionRefusedError):
                for data in ([again] if again else []) + [self.unacknowledged[n] for n in sorted(self.unacknowledged)]:
                    with contextlib.suppress(ConnectionRefusedError):
                        self.socket.send(data)

    def _take(self, data):
        kind, seq, session, body = data[0] & 15, int.from_bytes(data[2:4], "big"), data[8:16], data[16:]
        assert self.trusting or data == datagram(kind, session, body, seq), data
        if kind == CHALLENGE:
            self.cookie = body
        elif kind == REFUSE:
            self.refused = body[0]
        elif session != self.session:
            return
        elif kind == WELCOME:
            self.welcome = True
        elif kind == ACK:
            count = (int.from_bytes(body, "big") - self.start) % 65536
            self.unacknowledged = {n: data for n, data in self.unacknowledged.items() if (n - count) % 65536 < 32768}
        elif kind == ENTRY:
            self._entry(seq, body)

    def _entry(self, seq, body):
        if (seq - self.start) % 65536 == self.taken % 65536:
            number, size = int.from_bytes(body[:8], "big"), body[8]
            self.entries.append((number, body[9:9 + size].decode(), body[9 + size:].decode()))
            self.taken += 1
        self.socket.send(datagram(ACK, self.session, struct.pack(">H", (self.start + self.taken) % 65536)))

    def prove(self):
        """Get a cookie."""
        self.socket.send(datagram(HELLO, body=b" " * 16))
        self.pump(lambda: self.cookie, datagram(HELLO, body=b" " * 16))

    def ask(self, user, token, reads=True, batch=1, window=64, cursor=0):
        """Register, and wait for what comes of it."""
        self.prove()
        self.refused = None
        data = self.register(user, token, reads, batch, window, cursor)
        self.socket.send(data)
        self.pump(lambda: self.welcome or self.refused, data)
        return self.welcome

    def register(self, user, token, reads=True, batch=1, window=64, cursor=0):
        """The datagram that asks."""
        body = self.cookie + token + struct.pack(">BHHQ", reads << 7, batch, window, cursor) + user.encode()
        return datagram(REGISTER, self.session, body)

    def leave(self):
        """Say good-bye, until it is heard."""
        self._say(LEAVE, b"\0")
        self.pump(lambda: not self.unacknowledged)

    def _say(self, kind, body):
        data = datagram(kind, self.session, body, (self.start + self.sent) % 65536)
        self.unacknowledged[self.sent] = data
        self.sent += 1
        self.socket.send(data)

    def post(self, text, identity=None):
        """A line on its way."""
        self._say(LINE, (identity or os.urandom(8)) + text.encode())

    def write(self, *texts, window=64):
        """Lines that are stored when this returns."""
        for text in texts:
            self.pump(lambda: len(self.unacknowledged) < window)
            self.post(text)
        self.pump(lambda: not self.unacknowledged)

    def read(self, count, seconds=60):
        """Lines until there are so many: (number, user, text)."""
        self.pump(lambda: len(self.entries) >= count, seconds=seconds)
        return self.entries


class Server:
    """`assay serve` with a data folder; killed, or ended in order."""

    def __init__(self, data, *options, spec=SPEC):
        command = [str(program()), "serve", str(spec), "--listen", "udp:127.0.0.1:0", "--data", str(data)]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command + [str(option) for option in options], stdout=subprocess.PIPE,
                                        stderr=self.errors)
        _, host, port = address_told(self.process)
        self.address = host, port

    def kill(self):
        """As a crash would."""
        self.process.send_signal(signal.SIGKILL)
        self.process.communicate(timeout=PATIENCE)

    def end(self):
        """What it said on its standard error."""
        if self.process.poll() is None:
            self.process.terminate()
        self.process.communicate(timeout=PATIENCE)
        assert self.process.returncode == 0, self.said()
        return self.said()

    def said(self):
        """What stands on its standard error by now."""
        return os.pread(self.errors.fileno(), os.fstat(self.errors.fileno()).st_size, 0).decode()

    def await_word(self, word):
        """Until it says so on its standard error."""
        end = time.monotonic() + PATIENCE
        while word not in self.said():
            assert time.monotonic() < end and self.process.poll() is None, self.said()
            time.sleep(0.02)

    def memory(self):
        """Bytes that are resident."""
        with open("/proc/%d/statm" % self.process.pid, encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


@pytest.fixture(name="serve")
def fixture_serve(tmp_path):
    """Makes servers of one data folder, one after another."""
    servers = []

    def serve(*options, **more):
        servers.append(Server(tmp_path, *options, **more))
        return servers[-1]
    yield serve
    for server in servers:
        if server.process.poll() is None:
            server.kill()


@pytest.fixture(name="dial")
def fixture_dial():
    """Makes clients."""
    clients = []

    def dial(server):
        clients.append(Client(server.address))
        return clients[-1]
    yield dial
    for client in clients:
        client.close()


ANN, BOB = b"a" * 16, b"b" * 16


def texts(entries):
    """What the lines say; their numbers go up from the first one's."""
    assert [number for number, _, _ in entries] == list(range(entries[0][0], entries[0][0] + len(entries)))
    return [text for _, _, text in entries]


def test_lines_reach_readers_late_ones_too(serve, dial):
    """Each line once, in order, the writer's own included."""
    server = serve()
    ann, bob = dial(server), dial(server)
    assert ann.ask("ann", ANN)
    ann.write("one", "two")
    assert bob.ask("bob", BOB)
    ann.write("three")
    assert bob.read(3) == [(0, "ann", "one"), (1, "ann", "two"), (2, "ann", "three")]
    assert ann.read(3) == bob.entries
    late = dial(server)
    assert late.ask("bob", BOB, cursor=2)
    assert late.read(1) == [(2, "ann", "three")]
    assert server.end() == ""


def test_a_name_belongs_to_its_token(serve, dial):
    """Also after a crash."""
    server = serve()
    assert dial(server).ask("ann", ANN)
    thief = dial(server)
    assert not thief.ask("ann", BOB)
    assert thief.refused == TAKEN
    server.kill()
    server = serve()
    thief = dial(server)
    assert not thief.ask("ann", BOB)
    assert thief.refused == TAKEN
    assert dial(server).ask("ann", ANN)
    server.end()


def test_a_crash_loses_nothing_that_was_acknowledged(serve, dial):
    """Nor is anything there twice, when what was not acknowledged is sent again."""
    said, identities = [], {}
    for turn in range(3):
        server = serve()
        writer = dial(server)
        assert writer.ask("ann", ANN, reads=False)
        for number in range(200):
            text = "%d.%d" % (turn, number)
            identities[text] = os.urandom(8)
            said.append(text)
            writer.pump(lambda: len(writer.unacknowledged) < 32)
            writer.post(text, identities[text])
        server.kill()
        server = serve()
        again = dial(server)
        assert again.ask("ann", ANN, reads=False)
        assert len(writer.unacknowledged) <= 32
        for n in sorted(writer.unacknowledged):
            text = said[turn * 200 + n]
            again.post(text, identities[text])
        again.pump(lambda: not again.unacknowledged)
        again.write("end of %d" % turn)
        reader = dial(server)
        assert reader.ask("bob", BOB, cursor=turn * 201)
        assert texts(reader.read(201)) == said[turn * 200:] + ["end of %d" % turn]
        server.end()


def test_a_reader_goes_on_where_it_was(serve, dial):
    """A server that comes back knows no session, and says so."""
    server = serve()
    writer, reader = dial(server), dial(server)
    assert writer.ask("ann", ANN, reads=False) and reader.ask("bob", BOB)
    writer.write(*("line %d" % n for n in range(100)))
    reader.read(100)
    server.kill()
    server = serve()
    gone = dial(server)
    gone.socket.send(datagram(BEAT, reader.session, b"\0"))
    gone.pump(lambda: gone.refused == GONE)
    resumed = dial(server)
    assert resumed.ask("bob", BOB, cursor=90)
    assert texts(resumed.read(10)) == ["line %d" % n for n in range(90, 100)]
    server.end()


def test_a_full_disk_declines_lines_until_there_is_room(serve, dial):
    """They are not acknowledged, and stored when they come again."""
    server = serve()
    writer = dial(server)
    assert writer.ask("ann", ANN, reads=False)
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
    for n in range(64):
        writer.post("%04d" % n + "x" * 1000)
    with pytest.raises(AssertionError):
        writer.pump(lambda: not writer.unacknowledged, seconds=3)
    stored = 64 - len(writer.unacknowledged)
    assert stored < 64
    resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    writer.pump(lambda: not writer.unacknowledged)
    reader = dial(server)
    assert reader.ask("bob", BOB)
    assert [text[:4] for text in texts(reader.read(64))] == ["%04d" % n for n in range(64)]
    assert "rows are not kept" in server.end()


def refused(data, *options):
    """Why a server does not start."""
    done = subprocess.run([str(program()), "serve", str(SPEC), "--listen", "udp:127.0.0.1:0", "--data", str(data), *options],
                          capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 4 and done.stdout == b""
    return done.stderr.decode()


def test_a_second_server_is_refused(serve, tmp_path):
    """The file is one server's at a time."""
    server = serve()
    assert "is used by another server" in refused(tmp_path)
    server.end()


def test_a_full_table_takes_no_more_names(serve, dial, tmp_path):
    """Who has one may go on."""
    server = serve("--limit", "rows=2")
    assert dial(server).ask("ann", ANN) and dial(server).ask("bob", BOB)
    server.end()
    server = serve("--limit", "rows=2")
    eve = dial(server)
    assert not eve.ask("eve", BOB)
    assert eve.refused == FULL
    assert dial(server).ask("ann", ANN)
    server.end()
    assert "table 'users': no room for its rows" in refused(tmp_path, "--limit", "rows=1")


def test_what_is_kept_in_memory_has_no_file(serve, dial, tmp_path):
    """And is gone with the server."""
    spec = tmp_path / "pubsub.yaml"
    spec.write_text(SPEC.read_text(encoding="utf-8").replace("store: durable", "store: memory"), encoding="utf-8")
    server = serve(spec=spec)
    ann = dial(server)
    assert ann.ask("ann", ANN, reads=False)
    ann.write("one", "two")
    bob = dial(server)
    assert bob.ask("bob", BOB)
    assert texts(bob.read(2)) == ["one", "two"]
    thief = dial(server)
    assert not thief.ask("ann", BOB)
    assert thief.refused == TAKEN
    server.end()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pubsub.yaml"]
    assert dial(serve(spec=spec)).ask("ann", BOB)


def test_old_rows_come_from_the_disk_and_new_ones_from_memory(serve, dial, tmp_path):
    """Without a seam, to one who comes late and to one who takes all as it comes."""
    spec = tmp_path / "pubsub.yaml"
    text = SPEC.read_text(encoding="utf-8")
    assert "keep: 10000\n" in text
    spec.write_text(text.replace("keep: 10000\n", "keep: 300\n"), encoding="utf-8")
    server = serve(spec=spec)
    writer, early, late = dial(server), dial(server), dial(server)
    assert writer.ask("ann", ANN, reads=False) and early.ask("bob", BOB)
    lines = ["line %d" % n for n in range(2000)]
    for at in range(0, len(lines), 50):
        writer.write(*lines[at:at + 50])
        early.read(at + 50)
    assert late.ask("carl", BOB)
    assert texts(late.read(len(lines))) == lines == texts(early.entries)
    server.end()


def test_a_history_with_a_gap_is_told_of(serve, dial, tmp_path):
    """Readers wait in front of it; others go on."""
    server = serve()
    ann = dial(server)
    assert ann.ask("ann", ANN, reads=False)
    ann.write(*("line %d" % n for n in range(300)))
    server.end()
    with contextlib.closing(sqlite3.connect(tmp_path / "pubsub.db")) as db:
        db.execute("DELETE FROM lines WHERE number = 200")
        db.commit()
    server = serve()
    early, late, writer = dial(server), dial(server), dial(server)
    assert early.ask("bob", BOB) and late.ask("carl", BOB, cursor=290) and writer.ask("ann", ANN, reads=False)
    early.read(128)
    writer.write("more")
    assert texts(late.read(11))[-2:] == ["line 299", "more"]
    server.await_word("cannot read rows of 'lines': some are missing")
    server.end()


def test_strangers_take_no_room(serve, dial):
    """As many as like get a cookie; with all sessions taken nobody is let in, and nobody put out."""
    server = serve("--limit", "sessions=2")
    ann, bob = dial(server), dial(server)
    assert ann.ask("ann", ANN) and bob.ask("bob", BOB)
    strangers = [dial(server) for _ in range(300)]
    for stranger in strangers:
        stranger.prove()
    assert len({stranger.cookie for stranger in strangers}) == 300
    with pytest.raises(AssertionError, match="nothing came of it"):
        strangers[0].pump(lambda: strangers[0].welcome, strangers[0].register("eve", BOB), seconds=1)
    ann.write("still here")
    assert texts(bob.read(1)) == ["still here"]
    ann.leave()
    assert strangers[1].ask("ann", ANN)
    server.end()


def test_one_of_many_gets_a_name(serve, dial):
    """Who asks while it is being written waits, and is told that it is taken."""
    server = serve()
    clients = [dial(server) for _ in range(20)]
    for client in clients:
        client.prove()
    asked = [client.register("ann", bytes([n] * 16)) for n, client in enumerate(clients)]
    for client, data in zip(clients, asked):
        client.socket.send(data)
    for client in clients:
        client.pump(lambda: client.welcome or client.refused)
    assert sorted(client.refused or 0 for client in clients) == [0] + [TAKEN] * 19
    server.end()


def test_few_effects_in_flight_make_writers_wait(serve, dial):
    """All of them come through."""
    server = serve("--limit", "effects=1")
    writers = [dial(server) for _ in range(10)]
    for n, writer in enumerate(writers):
        assert writer.ask("w%d" % n, ANN, reads=False)
    for number in range(30):
        for n, writer in enumerate(writers):
            writer.post("%d %d" % (n, number))
    for writer in writers:
        writer.pump(lambda: not writer.unacknowledged)
    reader = dial(server)
    assert reader.ask("bob", BOB)
    came = texts(reader.read(300))
    for n in range(10):
        assert [text for text in came if text.startswith("%d " % n)] == ["%d %d" % (n, number) for number in range(30)]
    server.end()


def test_what_is_not_acknowledged_comes_again(serve, dial):
    """The same bytes, after growing pauses, until the server gives up."""
    server = serve("--param", "first=150ms", "--param", "cap=2s", "--param", "give_up=6s")
    writer, mute = dial(server), dial(server)
    assert writer.ask("ann", ANN, reads=False) and mute.ask("bob", BOB)
    writer.write("hi")
    mute.socket.settimeout(4)
    came, times = [], []
    with contextlib.suppress(TimeoutError):
        while True:
            came.append(mute.socket.recv(2048))
            times.append(time.monotonic())
    assert len(set(came)) == 1 and came[0][0] & 15 == ENTRY
    assert 4 <= len(came) <= 7
    assert times[1] - times[0] < 1.5 and 2 < times[-1] - times[0] < 9
    mute.socket.send(datagram(BEAT, mute.session, b"\0"))
    mute.pump(lambda: mute.refused == GONE)
    server.end()


ROWS = int(os.environ.get("STORE_ROWS", 60000))


def long_text(number):
    """Some 900 bytes."""
    return "line %d" % number + "." * 890


def fill(path, rows, text=long_text):
    """A long history, put there while no server runs."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executemany("INSERT INTO lines (number, user, id, text) VALUES (?, 'ann', ?, ?)",
                       ((n, n.to_bytes(8, "big"), text(n)) for n in range(rows)))
        db.commit()


def test_a_long_history_takes_little_memory(serve, dial, tmp_path):
    """Read from many places at once, and once from end to end; by then it would be in memory."""
    serve().end()
    fill(tmp_path / "pubsub.db", ROWS)
    server = serve()
    before = server.memory()
    readers = [dial(server) for _ in range(10)]
    for n, reader in enumerate(readers):
        reader.trusting = True
        assert reader.ask("r%d" % n, BOB, cursor=n * ROWS // 10)
    for n, reader in reversed(list(enumerate(readers))):
        count = 200 if n > 0 else ROWS
        assert texts(reader.read(count, seconds=200)[:count]) == [long_text(n * ROWS // 10 + k) for k in range(count)]
    growth = server.memory() - before
    print("%d rows: %.1f MB when started, then %.1f MB more" % (ROWS, before / 1e6, growth / 1e6))
    assert growth < 40e6 < ROWS * 900
    server.end()


def long_lines(tmp_path):
    """A spec that has them."""
    spec = tmp_path / "pubsub.yaml"
    text = SPEC.read_text(encoding="utf-8").replace("max: 1200", "max: 60000").replace("max: 1024", "max: 50000")
    spec.write_text(text, encoding="utf-8")
    return spec


def test_long_lines_take_no_more_memory(serve, dial, tmp_path):
    """As few are fetched at once as are large."""
    rows, spec = 2500, long_lines(tmp_path)
    serve(spec=spec).end()
    fill(tmp_path / "pubsub.db", rows, lambda n: "line %d" % n + "." * 40000)
    server = serve(spec=spec)
    before = server.memory()
    reader = dial(server)
    reader.trusting = True
    assert reader.ask("bob", BOB, window=2)
    assert [text[:9].strip(".") for text in texts(reader.read(rows, seconds=200))] == ["line %d" % n for n in range(rows)]
    growth = server.memory() - before
    print("%.1f MB when started, then %.1f MB more" % (before / 1e6, growth / 1e6))
    assert growth < 40e6 < rows * 40000
    server.end()


def test_new_lines_that_are_long_take_no_more_memory(serve, dial, tmp_path):
    """Fewer than the spec says stay there; the others come from the disk."""
    rows = 600
    server = serve("--limit", "memory=1MiB", spec=long_lines(tmp_path))
    writer, reader = dial(server), dial(server)
    assert writer.ask("ann", ANN, reads=False)
    before = server.memory()
    writer.write(*("line %d" % n + "." * 40000 for n in range(rows)), window=2)
    growth = server.memory() - before
    print("%.1f MB when started, then %.1f MB more" % (before / 1e6, growth / 1e6))
    assert growth < 14e6 < rows * 40000
    reader.trusting = True
    assert reader.ask("bob", BOB, window=2)
    assert [text[:8].strip(".") for text in texts(reader.read(rows, seconds=200))] == ["line %d" % n for n in range(rows)]
    server.end()
