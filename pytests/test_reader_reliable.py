"""Section 15 in the second reader: with expectations by hand, in virtual time over a network that loses, and against the
programs."""

import contextlib
import random
import subprocess

import pytest
from conftest import ROOT, program
from reader.client import CallError, Live, _ClientMachine
from reader.codec import Framer, encode
from reader.machine import Machine, Session
from reader.server import Server
from reader.shared import World
from reader.spec import load, loads
from reader.sums import crc16, crc32c, inet16, sum8
from reader.values import SpecError

from scripts.testing import address_told, serving

PUBSUB = ROOT / "spec/pubsub.yaml"
MS = 10 ** 6
SPEC = load(PUBSUB)
QUICK = load(PUBSUB, params={"first": 20 * MS, "cap": 100 * MS})
ANN, BOB = b"0123456789abcdef", b"fedcba9876543210"
WAIT = 60


def test_sums():
    """The check values of the catalogue of CRCs, and RFC 1071's own example."""
    assert crc32c(b"123456789") == 0xE3069283
    assert crc16(b"123456789") == 0xBB3D
    assert inet16(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    assert inet16(b"\x12") == 0xFFFF - 0x1200
    assert sum8(b"\xff\2") == 1


# ---- a server's session, by hand ---------------------------------------------------------


class Peer:
    """One client of a server's machine, in virtual time."""

    def __init__(self, machine, name=b"here", session=b"sessio\0\0"):
        self.machine, self.session_name, self.now = machine, session, 0
        self.session = machine.connect(0)[0]
        self.session.peer = name

    def send(self, message, seq=0, session=None, **fields):
        """What comes back, at once."""
        frame = {"seq": seq, "session": self.session_name if session is None else session}
        pattern = encode(self.machine.spec, "client", message, {**frame, **fields})
        return self.feed(pattern.data)

    def feed(self, data):
        self.session, = self.machine.feed(self.session, data, self.now)
        return self.came()

    def wait(self, nanoseconds):
        """What comes while time passes."""
        self.now += nanoseconds
        self.session, = self.machine.advance(self.session, self.now)
        return self.came()

    def came(self):
        framer, found = Framer(self.machine.spec, "server"), []
        for pattern in self.session.sent:
            framer.feed(pattern.data)
            found.append(framer.next_event())
        self.session.take_output()
        return [(event.name, event.fields["seq"], {name: value for name, value in event.fields.items() if name in WANTED})
                for event in found]

    def register(self, user=b"ann", token=ANN, **fields):
        """What comes when a cookie is asked for, and shown."""
        (name, _, challenge), = self.send("Hello", session=bytes(8))
        assert name == "Challenge"
        wanted = {"reads": True, "batch": 1, "window": 64, "cursor": 0, **fields}
        return self.send("Register", cookie=challenge["cookie"], token=token, user=user, **wanted)


WANTED = {"next", "why", "text", "number", "user", "cookie"}


def server(spec=SPEC, effect=None, world=None):
    return Machine(spec, "server", effect, ours_only=True, world=world)


def names(found):
    return [name for name, _, _ in found]


def test_strangers_are_registered_with_a_cookie_of_theirs():
    machine = server()
    peer, other = Peer(machine), Peer(machine, b"elsewhere")
    (_, _, challenge), = other.send("Hello")
    fields = {"token": ANN, "user": b"ann", "reads": True, "batch": 1, "window": 1, "cursor": 0}
    assert names(peer.send("Register", cookie=challenge["cookie"], **fields)) == ["Challenge"]
    assert machine.keeps_nothing(peer.session) and machine.world.tables == {"users": {}}
    (_, _, challenge), = peer.send("Hello")
    peer.now = other.now = 121 * 10 ** 9  # more than twice limits.seal
    assert names(peer.send("Register", cookie=challenge["cookie"], **fields)) == ["Challenge"]
    assert names(peer.register()) == ["Welcome"] and not machine.keeps_nothing(peer.session)
    assert machine.world.tables == {"users": {b"ann": {"token": ANN}}}
    (name, _, fields), = other.register(token=BOB)
    assert name == "Refuse" and fields["why"].name == "taken"
    assert names(other.send("Line", id=bytes(8), text=b"x")) == ["Refuse"]  # stale: it has no session
    assert names(other.send("Beat")) == ["Refuse"]


def test_a_late_registration_does_not_begin_a_forgotten_one_anew():
    """Its numbers would begin anew as well, unknown to its client."""
    machine = server()
    peer = Peer(machine)
    (_, _, challenge), = peer.send("Hello")
    late = {"cookie": challenge["cookie"], "token": ANN, "user": b"ann", "reads": True, "batch": 1, "window": 1, "cursor": 0}
    assert names(peer.send("Register", **late)) == ["Welcome"]
    peer.wait(60 * 1000 * MS)
    again = Peer(machine)
    again.now = peer.now
    assert names(again.send("Register", **late)) == ["Challenge"]


def test_a_full_table_takes_else():
    text = PUBSUB.read_text(encoding="utf-8").replace("max: 100000, store: durable", "max: 1, store: memory")
    world = World(loads(text))
    machine = server(world.spec, world=world)
    assert names(Peer(machine).register()) == ["Welcome"]
    (name, _, fields), = Peer(machine, b"elsewhere").register(user=b"bob")
    assert name == "Refuse" and fields["why"].name == "full" and len(world.tables["users"]) == 1
    assert names(Peer(machine, b"third").register()) == ["Welcome"]  # that row is there already


def test_lines_are_stored_once_acknowledged_and_sent():
    machine = server()
    peer = Peer(machine)
    peer.register()
    start = 0  # the last two bytes of the session
    found = peer.send("Line", seq=start + 1, id=b"b" * 8, text=b"two")
    assert found == [("Ack", 0, {"next": start})]
    found = peer.send("Line", seq=start, id=b"a" * 8, text=b"one")
    assert sorted(names(found)) == ["Ack", "Entry", "Entry"]
    assert [fields["next"] for name, _, fields in found if name == "Ack"] == [start + 2]
    assert [(seq, fields["number"], fields["text"]) for name, seq, fields in found if name == "Entry"] == [
        (start, 0, b"one"), (start + 1, 1, b"two")]
    assert peer.send("Line", seq=start, id=b"a" * 8, text=b"one") == [("Ack", 0, {"next": start + 2})]
    assert names(peer.send("Line", seq=start + 2, id=b"a" * 8, text=b"one")) == ["Ack"]  # the same line under another number
    assert len(machine.world.logs["lines"]) == 2


def test_a_line_that_cannot_be_stored_is_not_acknowledged():
    fails = [True]
    machine = server(effect=lambda session, name, args: not (name == "keep" and fails[0]))
    peer = Peer(machine)
    peer.register(reads=False)
    assert peer.send("Line", id=b"a" * 8, text=b"one") == []
    fails[0] = False
    assert peer.send("Line", id=b"a" * 8, text=b"one") == [("Ack", 0, {"next": 1})]
    assert [row["text"] for row in machine.world.logs["lines"]] == [b"one"]


def test_rows_go_out_again_ever_later_until_it_gives_up():
    machine = server()
    peer = Peer(machine)
    machine.world.add("lines", {"user": b"bob", "id": b"1" * 8, "text": b"x"})
    assert names(peer.register()) == ["Welcome", "Entry"]
    for pause in (200, 400, 800, 1600, 2000, 2000):
        assert peer.wait(pause * MS - 1) == []
        assert names(peer.wait(1)) == ["Entry"]
    assert peer.send("Ack", next=1) == [] and peer.session.vars["cursor"] == 1
    assert peer.wait(20 * 1000 * MS) == [] and peer.session.deadline() is not None  # the lease
    machine.world.add("lines", {"user": b"bob", "id": b"2" * 8, "text": b"y"})
    peer.session, = machine.settle(peer.session)
    assert names(peer.came()) == ["Entry"]
    for _ in range(3):
        peer.wait(9 * 1000 * MS)
        peer.send("Beat")
    assert not peer.session.ended
    peer.wait(3 * 1000 * MS)
    assert peer.session.ended == "fin"


def test_batches_and_windows():
    machine = server()
    for number in range(3):
        machine.world.add("lines", {"user": b"bob", "id": b"%08d" % number, "text": b"x"})
    peer = Peer(machine)
    assert names(peer.register(batch=4, window=3)) == ["Welcome"]

    def more(count):
        first = len(machine.world.logs["lines"])
        for number in range(first, first + count):
            machine.world.add("lines", {"user": b"bob", "id": b"%08d" % number, "text": b"x"})
        peer.session, = machine.settle(peer.session)
        return [fields["number"] for _, _, fields in peer.came()]

    assert more(2) == [0, 1, 2]
    assert [fields["number"] for _, _, fields in peer.send("Ack", next=1)] == [3]
    assert [fields["number"] for _, _, fields in peer.send("Ack", next=4)] == [4]
    assert peer.send("Ack", next=5) == [] and more(3) == [] and more(1) == [5, 6, 7]
    assert peer.send("Ack", next=9) == [] and peer.session.vars["cursor"] == 5  # more than was sent


def test_a_new_session_begins_numbers_anew():
    machine = server()
    for number in range(3):
        machine.world.add("lines", {"user": b"bob", "id": b"%08d" % number, "text": b"x"})
    peer = Peer(machine)
    peer.register()
    peer.send("Ack", next=1)
    peer.session_name = b"another\xff"
    found = peer.register(cursor=2)
    first = 256 * ord("r") + 255
    assert names(found) == ["Welcome", "Entry"] and found[1][1:] == (first, {"number": 2, "user": b"bob", "text": b"x"})
    assert names(peer.send("Line", seq=0, session=b"sessio\0\0", id=bytes(8), text=b"late")) == ["Refuse"]
    assert peer.send("Ack", session=b"sessio\0\0", next=3) == [] and peer.session.flow.sent
    assert peer.send("Ack", next=first + 1) == [] and not peer.session.flow.sent


def test_what_is_corrupt_changes_nothing():
    peer = Peer(server())
    peer.register()
    data = encode(SPEC, "client", "Line", {"seq": 0, "session": peer.session_name, "id": bytes(8), "text": b"x"}).data
    for place in range(len(data)):
        assert peer.feed(data[:place] + bytes([data[place] ^ 4]) + data[place + 1:]) == []
        assert peer.feed(data[:place]) == []
    assert names(peer.feed(data)) == ["Ack", "Entry"] or names(peer.session.sent) == []


@pytest.mark.parametrize("old, new", [
    ("        else: {decline: true}\n          req: PS-8", "        else: {decline: true}\n          stateless: true\n          req: PS-8"),
    ("- {when: beat, send", "- {when: beat, decline: true, send"),
    ("    ack: {Ack: next}", "    ack: {Line: id}"),
    ("      cursor: cursor\n      batch", "      cursor: place\n      batch"),
    ("window: 64\n    order", "window: 40000\n    order"),
    ("send: {Entry: {number", "send: {Welcome: {number"),
    ("          else: {send: {Refuse: {session: session, why: full}}}\n", ""),
])
def test_what_section_15_asks_of_a_spec(old, new):
    text = PUBSUB.read_text(encoding="utf-8")
    assert text.count(old) == 1
    with pytest.raises(SpecError):
        loads(text.replace(old, new))


# ---- both machines over a network in virtual time ------------------------------------------------


class Network:
    """Datagrams between one server's machine and clients: lost, doubled, late and corrupt, from a seed."""

    def __init__(self, seed, bad):
        self.chance, self.bad, self.now, self.way = random.Random(seed), bad, 0, []
        self.server = server(QUICK, world=World(QUICK, b"%d" % seed))
        self.sessions, self.clients = {}, []

    def client(self, user, **fields):
        """A client that begins to register."""
        shown, client = [], None

        def effect(_session, _name, args):
            if self.chance.random() < 0.1 * self.bad:
                return False
            shown.append((args["number"], args["text"]))
            return True
        machine = _ClientMachine(QUICK, effect=effect)
        machine.world = World(QUICK, user)
        client = {"machine": machine, "session": machine.begin(Session(machine), 0)[0], "shown": shown, "name": user}
        self.clients.append(client)
        given = {"reads": True, "batch": 1, "window": 8, "cursor": 0, **fields}
        self.call(client, "register", user=user, token=user * 16, **given)
        return client

    def call(self, client, name, **args):
        """Begin a call; False: one is under way."""
        if client["session"].call is not None:
            return False
        client["session"].now = self.now
        client["session"], = client["machine"].calls.begin(client["session"], name, args, None)
        self.post(client["session"], client["name"], True)
        return True

    def post(self, session, name, up):
        """What a session has sent goes on its way."""
        for pattern in session.sent:
            copies = 2 if self.chance.random() < 0.1 * self.bad else 1
            for _ in range(0 if self.chance.random() < 0.3 * self.bad else copies):
                data = pattern.data
                if self.chance.random() < 0.05 * self.bad:
                    place = self.chance.randrange(len(data))
                    data = data[:place] + bytes([data[place] ^ 1 << self.chance.randrange(8)]) + data[place + 1:]
                self.way.append((self.now + self.chance.randint(1, 1 + int(30 * self.bad)) * MS, up, name, data))
        session.take_output()

    def step(self, until):
        """The next thing that happens."""
        parts = [client["session"] for client in self.clients] + list(self.sessions.values())
        due = [session.deadline() for session in parts if session.deadline() is not None]
        self.now = max(self.now, min(due + [at for at, *_ in self.way] + [until]))
        come = sorted(one for one in self.way if one[0] <= self.now)
        self.way = [one for one in self.way if one[0] > self.now]
        for _, up, name, data in come:
            self.arrive(up, name, data)
        for client in self.clients:
            client["session"], = client["machine"].advance(client["session"], self.now)
            self.post(client["session"], client["name"], True)
        for name, session in list(self.sessions.items()):
            session, = self.server.advance(self.server.settle(session)[0], self.now)
            self.keep(name, session)

    def restart(self):
        """The server keeps what is stored."""
        self.sessions.clear()
        self.server.world.key += b"+"

    def arrive(self, up, name, data):
        if up:
            session = self.sessions.get(name)
            if session is None:
                session = self.server.connect(self.now)[0]
                session.peer = name
            self.keep(name, self.server.feed(session, data, self.now)[0])
        else:
            client = next(client for client in self.clients if client["name"] == name)
            client["session"], = client["machine"].feed(client["session"], data, self.now)
            self.post(client["session"], name, True)

    def keep(self, name, session):
        self.post(session, name, False)
        self.sessions[name] = session
        if session.ended or self.server.keeps_nothing(session):
            del self.sessions[name]

    def run(self, holds, seconds=25):
        until = self.now + seconds * 1000 * MS
        while not (done := holds()) and self.now < until:
            self.step(until)
        return done


@pytest.mark.parametrize("seed", range(12))
def test_exactly_once_and_in_order_over_a_bad_network(seed):
    """Two write, both read; one comes late; the server starts again in the middle, which makes its seals worth nothing."""
    network = Network(seed, 0 if seed == 0 else 1)
    ann, bob = network.client(b"a"), network.client(b"b")
    assert network.run(lambda: ann["session"].state == bob["session"].state == "Live")
    wanted = {b"%s%d" % (name, number) for name in (b"a", b"b") for number in range(20)}
    for number in range(20):
        for client in (ann, bob):
            assert network.run(lambda c=client: network.call(c, "post", text=b"%s%d" % (c["name"], number)))
        if number == 10:
            assert network.run(lambda: network.server.world.logs["lines"])
            network.restart()
    late = network.client(b"c")
    readers = (ann, bob, late)
    assert network.run(lambda: all(len(client["shown"]) >= 40 for client in readers), 200)
    rows = [row["text"] for row in network.server.world.logs["lines"]]
    assert len(rows) == 40 and set(rows) == wanted
    assert [text for text in rows if text[:1] == b"a"] == [b"a%d" % number for number in range(20)]
    for client in readers:
        assert client["shown"] == list(enumerate(rows)) and not client["session"].flow.sent


# ---- against the programs --------------------------------------------------------------------------


@contextlib.contextmanager
def linked(port, *faults):
    """The address of a link to that port."""
    command = [program(), "link", "--listen", "udp:127.0.0.1:0", "--to", "udp:127.0.0.1:%d" % port, *faults]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as link:
        try:
            _, host, at = address_told(link)
            yield host, int(at)
        finally:
            link.terminate()


FAULTS = ["--drop", "rate=20%", "--duplicate", "0ms..5ms@rate=10%", "--swap", "2/20ms@rate=10%", "--corrupt", "rate=5%"]


@pytest.mark.parametrize("faults", [[], FAULTS], ids=["well", "badly"])
def test_the_readers_client_and_our_server(tmp_path, faults):
    got = []

    def show(_session, _name, args):
        got.append((args["number"], args["user"], args["text"]))
        return True
    params = ("--param", "first=20ms", "--param", "cap=100ms")
    with serving(PUBSUB, "--data", tmp_path, *params, listen=["udp:127.0.0.1:0"]) as (at, _), \
            linked(int(at["udp"].rsplit(":", 1)[1]), *faults) as address, Live(QUICK, address, show) as client:
        client.call("register", user=b"ann", token=ANN)
        for number in range(100):
            client.call("post", text=b"line %d" % number)
        client.call("flush")
        client.call("write", text=b"last")
        assert client.run(lambda: len(got) >= 101, WAIT)
        assert got == [(number, b"ann", b"line %d" % number) for number in range(100)] + [(100, b"ann", b"last")]
        with Live(QUICK, address) as other, pytest.raises(CallError) as refused:
            other.call("register", user=b"ann", token=BOB)
        assert (refused.value.name, refused.value.text) == ("refused", b"taken")


@pytest.mark.parametrize("faults", [[], FAULTS], ids=["well", "badly"])
def test_the_readers_server_and_our_client(tmp_path, faults):
    orders = ["connect", "call register user=bob token=%s window=4" % BOB.decode(), *["call post text=l%d" % n for n in range(20)],
              "call flush", "call write text=last", "call flush"]
    with Server(QUICK, tmp_path) as served, linked(served.addresses["udp"][1], *faults) as address:
        done = subprocess.run([program(), "drive", str(PUBSUB), "%s:%d" % address, "--param", "first=20ms", "--param", "cap=100ms"],
                              input="\n".join(orders) + "\n", capture_output=True, text=True, timeout=WAIT)
        rows = [row["text"] for row in served.world.logs["lines"]]
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stdout.splitlines() if not line.startswith("effect")]
    assert said == ["connected", "result register", *["result post"] * 20, "result flush", "result write", "result flush"]
    assert rows == [b"l%d" % number for number in range(20)] + [b"last"]
    shown = [line for line in done.stdout.splitlines() if line.startswith("effect")]
    assert shown == ["effect show number=%d user=bob text=%s" % (n, text.decode()) for n, text in enumerate(rows)][:len(shown)]
