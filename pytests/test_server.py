"""A running server held against the reader's machine: `assay serve`, or any other with --target."""

import json
import os
import random
import select
import socket
import time

import pytest
import strategies
import talk
from conftest import SPECS, Served
from hypothesis import assume, given, settings, strategies as st
from reader.codec import encode
from reader.spec import load
from traces import traces

pytestmark = pytest.mark.timeout(900)
FEW = 15 if "FEW_EXAMPLES" in os.environ else None

MSGLOG_FRAMES = [bytes.fromhex(text) for text in (
    "01 0300 626f62", "01 0200 2e2e", "01 0a00 610d0a5b625d3a206300", "02 0100 61", "02 0300 616263", "03 0500 68656c6c6f", "03 0200 0d0a",
    "03 0300 5c0000", "03 0100 ff", "03 0100 78", "04 0000", "01 0000", "01 0100 00", "02 0100 62", "02 0000", "03 0000", "00 0000",
    "05 0100 61", "04 0100 7a")] + [b"\x03\xff\xff" + b"m" * 65535, b"\x03\x00\x10" + bytes(range(256)) * 16]
CANDY_FRAMES = [text.encode() + b"\n" for text in (
    "s 12", "s 0", "s -3", "s 46340", "s 46341", "b 1", "b 2", "b 32", "b 33", "b -1", "d 5", "d 2147483648", "x 1", "s", "", "s  +7 x",
    "s " + "0" * 1021 + "7", "s " + "0" * 1022 + "7", "b 007", "d", "q", "d 1" + " " * 1020, "d 1" + " " * 1021)]

HASH_OF_ABC = "$5$saltstring$tDHA0KPsYQ8V.LDB1/fgW7cvROod5ZajSrx1tZU2JG9"  # crypt(3), SHA-256


def meter_frames():
    """Frames of the tests' own protocol, good and bad."""
    spec = load(SPECS["meter"])
    unit = spec.types["Unit"].enum

    def made(message, **values):
        return encode(spec, "client", message, {"version": 1, **values}).data
    good = [made("Hello", serial=0x1f, site=spec.types["Site"].enum.value("both")), made("Config", level=9, rate=1, rest=(1,)),
            made("Config", level=1, rate=128, rest=(1, 2, 3)), made("Config", level=2, rate=(1 << 28) - 1, rest=()),
            made("Label", name=b"Abc", text=b"t", urgent=True)]
    for name, samples in (("watt", (1,)), ("volt", (-5, 32767)), ("ampere", (1, 2, 3))):
        good += [made("Reading", unit=unit.value(name), samples=samples),
                 made("Reading", unit=unit.value(name), samples=samples, note="n\u00f6te".encode(), scale=-2048)]
    damaged = [frame[:-1] + bytes([frame[-1] ^ 1]) for frame in good[:4]]
    damaged += [bytes.fromhex(text) for text in ("a50301060a81000001025c", "a50301060580010001025c", "a501030531663b014e5f", "a50a01005a",
                                                 "b50501005a", "a501010531663b01585f", "a5010205 31663b014e 5f", "a50101063031663b014e5c",
                                                 "a5040104616200ee5e", "a5040104416200ff5e", 
                                                 "a5020108 20 03 010002000300 52", "a5020104 14 01 feff 5e")]
    folded = [bytes.fromhex("a501010631663b026e735c"), bytes.fromhex("a5010106 31667c 02 4e73 5c")]
    return folded + good * 2 + damaged + [bytes.fromhex("a5040182 03") + bytes(386) + b"\xd8"]


def lines(*texts):
    """Texts as lines."""
    return [text.encode("latin-1") + b"\n" for text in texts]


DISPATCH_FRAMES = lines(
    "DAD", "TOP", "MOM", "<web:main DAD", "<_:_1 a:b/TOP x=1", "JUMP", "<a:b JUMP a=1", "LOG", "HI", "", " \t\r", "  MOM \r", "dad", "1", "<web DAD",
    "DAD a", "DAD a=1;", "DAD ;", 'DAD a="x', "DAD a=\\t", "DAD b=2;a=1;b=3", 'DAD a="x;\\n\\""', '{"command": "TOP"}', '{"command":"JUMP","a":"x/y"}',
    '<a:b {"command": "MOM", "a": null}', '{"a":1}', '{"command":"DAD","a":[1]}', '{"command":"DAD"} x', '{"command":"DAD"', "a:b/", "/DAD", "DAD  a=1", '{"command":"1x"}',
    "D" * 64, "D" * 65, "DAD a=" + "y" * 4096, "DAD a=" + "y" * 4097, "DAD " + ";".join("a%d=" % n for n in range(64)), "DAD " + ";".join("a%d=" % n for n in range(65)),
    "DAD " + " " * 8187, "DAD " + " " * 8188, "x" * 9000)
NOTES_FRAMES = lines(
    "NOTE head=x", "@a:b me!NOTE#12 c=ff;head=;size=-3", '{"kind":"NOTE","level":3,"head":"\\u00e9","c":"a"}', '{"kind":"NOTE","head":"\\ud83d\\ude00 \\n\\\\"}',
    '{"kind":"NOTE","head":"\\ud83d"}', '{"kind":"NOTE","head":"x","head":"y","size":-5}  ', '{"kind":"NOTE","head":true,"size":-6}', '{"kind":"NOTE","head":1e5}',
    '{"kind":"NOTE","head":01}', '{"kind":"NOTE","head":"\x01"}', "{'kind':'NOTE'}", '{"kind":"NOTE","head":"","":1}', '{"kind":"NOTE","head":NaN}', '{"kind":"NOTE",}',
    '{ "kind" : "FIND" , "z" : "a;b\\"" }', '{"kind":"NOTE","level":"0","head":""}', '{"kind":"NOTE","level":"00","head":""}', "NOTE#012 head=", "NOTE#65536 head=",
    "NOTE head=x;head=", 'NOTE head="a;b"', 'NOTE head="a"b', "NOTE head=a\"b", 'NOTE head="\\\""', "NOTE head=\\\"", "NOTE head=\r.", "NOTE\thead=x", "NOTE head=x \t",
    "FIND&b:2&a:&b:1:1", "FIND&a:1", "FIND&a", "FIND&:1", "FIND&a:1&b:2&c:3", "FIND&a:1&b:2&c:3&d:4", "FIND&", "FIND&a:\x7f", "@a:b FIND", "@a:b FIND&q:1", "FIND z=1", "FIND a=1;",
    "KEEP*", "KEEP*a=1,b='x y',c=%p%c%0?'", "KEEP*b=!,a='%''", "KEEP*a=1,a=1", "KEEP*a=%'", "KEEP*a=\xff", "KEEP*a='\xc3\xa9'", "KEEP", "KEEP* a=1", "KEEP*a=%", "KEEP*a='%",
    'NOTE head="a"xz=1', 'NOTE head=a"b', "NOTE heads=1;head=x", '{"kind":"FIND","z":"\\udc00"}', '{"kind":"FIND","z":"\\udc00\\udc00"}', "NOTE head=a!b", "  NOTE head=x", '{"kind":"NOTE","level":1,"level":2,"head":""}', '{"kind":"1x"}', " \t",
    "OTHER q=1", "OTHER q", "me!OTHER", "!NOTE", "x y!NOTE head=", "", "y" * 255, "y" * 256)
FRAMES = {"dispatch": DISPATCH_FRAMES, "notes": NOTES_FRAMES, "msglog": MSGLOG_FRAMES, "candy": CANDY_FRAMES, "meter": meter_frames()}


@pytest.fixture(params=["candy", "msglog", "meter", "dispatch", "notes"])
def target(request):
    """Each protocol's server in turn."""
    return request.getfixturevalue(request.param)


def in_line_mode(target, frames):
    """Where segments count, a first segment with a delimiter settles that they do not."""
    return [b"d 1\n"] + frames if target.spec.protocol == "candy" else frames


def steps_of(pieces, link=0, wait_first=False):
    """One write for each piece."""
    steps = [{"link": link, "send": piece.hex()} for piece in pieces]
    return steps[:1] + [{"await": True}] + steps[1:] if wait_first and steps else steps


@pytest.mark.parametrize("trace", [each for each in traces("candy", "msglog", "dispatch") if each.values[0].on_the_wire])
def test_seed_trace(request, trace):
    """The traces whose expectations a person wrote."""
    target = request.getfixturevalue(trace.name)
    before = talk.log_size(target)
    for number, link in enumerate(talk.perform(target.address, target.spec, trace.links, trace.steps)):
        assert trace.pattern(number).fullmatch(link.received), link.received
        assert link.end == trace.end
    if target.data is not None and trace.name == "msglog":
        talk.check_log(target, before, [[line] for line in trace.log()])


@pytest.mark.parametrize("seed", range(25))
def test_walks_in_one_write(target, seed):
    """Seeded sequences, coalesced."""
    frames = in_line_mode(target, talk.walk(target.spec, seed, 12, FRAMES[target.spec.protocol]))
    talk.check(target, 1, steps_of([b"".join(frames)]))


@pytest.mark.parametrize("seed", range(100, 115))
def test_walks_cut_anywhere(target, seed):
    """Seeded sequences, cut anywhere."""
    frames = in_line_mode(target, talk.walk(target.spec, seed, 8, FRAMES[target.spec.protocol]))
    pieces = [frames[0]] + talk.cut(random.Random(seed), b"".join(frames[1:]) or b"\n", 9)
    talk.check(target, 1, steps_of(pieces, wait_first=True))


@pytest.mark.parametrize("seed", range(200, 210))
def test_walks_one_at_a_time(target, seed):
    """Seeded sequences; each frame's answer is awaited before the next."""
    steps = []
    for step in steps_of(in_line_mode(target, talk.walk(target.spec, seed, 8, FRAMES[target.spec.protocol]))):
        steps += [step, {"await": True}]
    talk.check(target, 1, steps)


@pytest.mark.parametrize("seed", range(300, 306))
def test_sessions_interleaved(target, seed):
    """Forty sessions whose writes cross each other; none sees anything of another."""
    dice, steps = random.Random(seed), []
    walks = [steps_of(in_line_mode(target, talk.walk(target.spec, dice.random(), 6, FRAMES[target.spec.protocol][:16])), link)
             for link in range(40)]
    while any(walks):
        own = dice.choice([walk for walk in walks if walk])
        steps.append(own.pop(0))
    if target.spec.protocol == "candy":
        steps = [step for step in steps if step["send"] == b"d 1\n".hex()] + [step for step in steps if step["send"] != b"d 1\n".hex()]
    talk.check(target, 40, steps)


@settings(max_examples=FEW or 40)
@given(data=st.data())
def test_any_stream(target, data):
    """Streams of good, damaged and arbitrary bytes, cut anywhere, with an end anywhere."""
    stream = data.draw(strategies.streams(target.spec, "client"))
    assume(b"QUIT" not in stream)  # it would be the end of the server
    pieces = [piece for piece in data.draw(strategies.cuts(stream)) if piece]
    talk.check(target, 1, steps_of(in_line_mode(target, pieces), wait_first=target.spec.protocol == "candy"))


@pytest.mark.parametrize("name", ["dispatch", "notes"])
def test_each_line_alone(request, name):
    """Every line of the lists, a connection each."""
    target = request.getfixturevalue(name)
    for line in FRAMES[name]:
        talk.check(target, 1, steps_of([line]))


WORDS = [text.encode("latin-1") for text in (
    "NOTE", "FIND", "KEEP", "OTHER", " ", "&", "*", "#", "!", ":", ";", "=", ",", "'", '"', "\\", "%", "@a:b ", "me!", "head=", "size=", "c=", "a", "b", "z", "0", "-1", "ff",
    "\\n", "\\\\", '\\"', "%p", "%0", "%'", "%c", "?", "\r", "\t", "\x00", "\xe9", "\xc3\xa9", "{", "}", '{"kind":"NOTE","head":"', '{"kind":"FIND",', '"a":', '"}')]
JSON = st.dictionaries(st.sampled_from(["head", "size", "c", "a", "z", "level", "kind", "Z", ""]),
                       st.text(max_size=8) | st.integers(-10, 70000) | st.booleans() | st.none() | st.floats() | st.lists(st.integers(), max_size=1), max_size=5)


def object_line(members, kind, indent, plain):
    """A line with a JSON object."""
    text = json.dumps({**members, **({"kind": kind} if kind else {})}, ensure_ascii=not plain, separators=(" , ", " : ") if indent else (",", ":"))
    return text.encode("utf-8", "surrogatepass") + b"\n"


LINES = st.lists(st.sampled_from(WORDS), max_size=12).map(lambda words: b"".join(words) + b"\n")
OBJECTS = st.builds(object_line, JSON, st.sampled_from(["NOTE", "FIND", "OTHER", "KEEP", None]), st.booleans(), st.booleans())
KNOWN = st.builds(lambda head, words: head + b"".join(words) + b"\n", st.sampled_from([b"NOTE head=", b'NOTE head="', b"FIND&a:", b"FIND a=", b"KEEP*a=", b"KEEP*a='"]),
                  st.lists(st.sampled_from(WORDS), max_size=8))


@settings(max_examples=FEW or 150)
@given(lines=st.lists(LINES | OBJECTS | KNOWN, min_size=1, max_size=8))
def test_any_structured_text(notes, lines):
    """Words of the grammar in any order, values of any kind, JSON objects: both readers understand the same."""
    talk.check(notes, 1, steps_of([b"".join(lines)]))


@settings(max_examples=FEW or 25)
@given(data=st.data())
def test_segments(candy, data):
    """Legacy mode: each segment an order, whatever is in it; each answer is awaited."""
    words = st.sampled_from([b"s 12", b"b 20", b"d 1", b"x 1", b"s", b" ", b"s 12\n", b"s 1\nb 2", b"\n", b"d 1" + b" " * 1021, b"d 1" + b" " * 1022])
    pieces = data.draw(st.lists(words, min_size=1, max_size=5))
    steps = []
    for step in steps_of([b"s 1"] + pieces):
        steps += [step, {"await": True}]
    talk.check(candy, 1, steps)


@pytest.mark.parametrize("name", ["candy", "msglog", "meter"])
def test_hundreds_coalesced(request, name):
    """Frames by the hundred in one write."""
    target = request.getfixturevalue(name)
    heads = {"candy": [], "msglog": MSGLOG_FRAMES[:1] + MSGLOG_FRAMES[3:4], "meter": meter_frames()[:1]}
    many = {"candy": [b"s 7\n", b"x\n"], "msglog": MSGLOG_FRAMES[5:9], "meter": meter_frames()[4:7]}
    talk.check(target, 1, steps_of([b"".join(heads[name] + many[name] * 150)]))


def test_resets_do_no_harm(target):
    """Connections that are aborted at any point leave the others alone."""
    frames = in_line_mode(target, talk.walk(target.spec, 7, 4, FRAMES[target.spec.protocol][:6]))
    data, steps = b"".join(frames), []
    for link in range(min(len(data), 20)):
        steps += [{"link": link + 1, "send": data[:link + 1].hex()}, {"link": link + 1, "reset": True}]
    steps = steps_of(frames[:1]) + steps + steps_of(frames[1:])
    talk.check(target, 1 + min(len(data), 20), steps)


def test_meter_edges(meter):
    """What the walks may miss: a broken end, an abort, an oversize frame that is cut, a list that overflows."""
    frames = meter_frames()
    hello, oversize = bytes.fromhex("a501010531663b014e5f"), frames[-1]
    bye = bytes.fromhex("a50501005a")
    label = bytes.fromhex("a5041104416200ee5e")
    reading = bytes.fromhex("a50201081003010002000300" + "52")
    fill, name = bytes.fromhex("a5030102040158"), bytes.fromhex("a5030102010158")
    for pieces in ([hello, fill * 3 + name + reading + name + bye], [hello, bytes.fromhex("a50401ffff")], [label], [hello, oversize[:9], oversize[9:200], oversize[200:] + bye],
                   [hello, oversize + label + bye], [hello, reading * 3 + bye], [hello, bytes.fromhex("a503010505010001025f") + bye],
                   [hello, label[:4]], [hello[:3]], [hello, bytes.fromhex("a5050101005b"), bye]):
        talk.check(meter, 1, steps_of(pieces, wait_first=True))
        talk.check(meter, 1, [each for step in steps_of(pieces) for each in (step, {"await": True})])  # what is answered is not read joined


def test_every_cut(target):
    """A session cut after every single byte, and ended there."""
    frames = FRAMES[target.spec.protocol]
    data = b"".join(in_line_mode(target, frames[:1] + frames[3:6]))[:70]
    first = 4 if target.spec.protocol == "candy" else 1
    for size in range(first, len(data) + 1):
        talk.check(target, 1, steps_of([data[:first], data[first:size]] if size > first else [data[:first]]))


def test_slow_bytes(target):
    """Byte by byte, twenty sessions at once."""
    data = b"".join(in_line_mode(target, talk.walk(target.spec, 11, 4, FRAMES[target.spec.protocol][:6])))[:120]
    first = 4 if target.spec.protocol == "candy" else 1
    pieces = [data[:first]] + [data[at:at + 1] for at in range(first, len(data))]
    steps = [{"link": link, "send": piece.hex()} for piece in pieces for link in range(20)]
    talk.check(target, 20, steps[:20] + [{"await": True}] + steps[20:])


@pytest.fixture
def own_server(request, tmp_path):
    """Starts `assay serve` with options; not for a target that someone else started."""
    if request.config.getoption("--target"):
        pytest.skip("the target given is served with its own options")
    return lambda name, *options, **more: Served(SPECS[name], tmp_path, *options, **more)


@pytest.mark.parametrize("trace", [each for each in traces("candy") if each.values[0].strict])
def test_strict_trace(own_server, trace):
    """Leniencies off."""
    with own_server("candy", "--strict") as served:
        link, = talk.perform(served.address, trace.spec(), 1, trace.steps)
        assert trace.pattern(0).fullmatch(link.received) and link.end == trace.end


def test_idle_limit(own_server):
    """A session that says nothing is closed after the limit, not before; a frame starts the time again."""
    with own_server("msglog", "--param", "idle_limit=1s") as served:
        link = talk.Link(served.address)
        started = time.monotonic()
        link.send(bytes.fromhex("01010061"))
        assert link.read() and link.received == b"\0"
        link.read_to_end()
        waited = time.monotonic() - started
        assert (link.received, link.end) == (b"\0", "fin")
        assert 0.99 <= waited < 30.0


def test_frames_keep_a_session_from_idling(own_server):
    """Each whole frame starts the time again: a session that speaks at half the limit outlives it several times."""
    with own_server("msglog", "--param", "idle_limit=2s") as served:
        link = talk.Link(served.address)
        link.send(bytes.fromhex("0101006102010061"))
        started, sent = time.monotonic(), 2
        while time.monotonic() - started < 5:
            select.select([link.socket], [], [], 0.4)
            while len(link.received) < sent:
                assert link.read(), "closed after %.2f s, received %r" % (time.monotonic() - started, link.received)
            link.send(bytes.fromhex("03010078"))
            sent += 1
        link.read_to_end()
        assert link.end == "fin" and link.received == bytes(sent)


def test_passwords_in_a_file(own_server, tmp_path):
    """With a file of salted hashes the parity rule is not enough: a wrong password or name is refused."""
    (tmp_path / "users").write_text("bob:%s\n" % HASH_OF_ABC)
    tries = {"0103 00626f62 0203 00616263 04": "000000", "0103 00626f62 0203 00616264 04": "00ff", "0103 00626f62 0203 00636261 04": "00ff",
             "0103 00626f63 0203 00616263 04": "00ff", "0103 00616263 0203 00626f62 04": "00ff"}
    with own_server("msglog", "--param", "passwords=users") as served:
        for sent, answer in tries.items():
            link, = talk.perform(served.address, load(SPECS["msglog"]), 1, [{"send": sent.replace(" ", "")}, {"eof": True}])
            assert (sent, link.received.hex(), link.end) == (sent, answer, "fin")


def test_disk_full(own_server, tmp_path):
    """What cannot be recorded is refused and ends the session; what was recorded before stays; the server lives on."""
    send = [{"send": text} for text in ("01010061", "02010061", "03010078", "03010079", "0301007a", "03010078")]
    with own_server("msglog", file_size=20) as served:
        for answer in ("00000000ff", "0000ff"):
            link, = talk.perform(served.address, load(SPECS["msglog"]), 1, [each for step in send for each in (step, {"await": True})])
            assert (link.received.hex(), link.end) == (answer, "fin")
        assert served.alive()
        assert (tmp_path / "messages.log").read_bytes()[:16] == b"[a]: x\r\n[a]: y\r\n"
    with own_server("msglog") as served:
        assert (tmp_path / "messages.log").read_bytes() == b"[a]: x\r\n[a]: y\r\n"


def test_termination_answers_what_was_received(own_server):
    """SIGTERM: complete requests are answered, then the connection ends, and the program with status 0."""
    with own_server("msglog") as served:
        link = talk.Link(served.address)
        link.send(bytes.fromhex("0101006102010061"))
        while link.received != b"\0\0":
            assert link.read()
        link.send(bytes.fromhex("03010078") * 50 + b"\x03")
        while len(link.received) < 52:
            assert link.read()
        served.process.terminate()
        link.read_to_end()
        assert link.received == bytes(52) and link.end == "fin"
        assert served.process.wait(60) == 0
        assert served.data.joinpath("messages.log").read_bytes() == b"[a]: x\r\n" * 50


def test_connections_that_never_speak(target):
    """Two hundred silent connections do not disturb an active one."""
    silent = [socket.create_connection(target.address, 60) for _ in range(200)]
    try:
        talk.check(target, 1, steps_of(in_line_mode(target, talk.walk(target.spec, 5, 6, FRAMES[target.spec.protocol]))))
    finally:
        for each in silent:
            each.close()

