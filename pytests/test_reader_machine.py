"""The reader's machine, with expectations written by hand."""

import pytest
import strategies
from conftest import SPECS
from hypothesis import given, strategies as st
from reader.codec import Framer, encode
from reader.expected import agrees, expected
from reader.machine import Machine
from reader.spec import load, loads
from reader.values import SpecError

MSGLOG, CANDY, METER = (load(SPECS[name]) for name in ("msglog", "candy", "meter"))
HELLO = "a501010531663b014e5f"
SECOND = 10 ** 9


def run(spec, *pieces, effect=None, eof=True):
    """Our session after these pieces (hex or bytes)."""
    machine = Machine(spec, "server", effect)
    session, = machine.connect()
    for piece in pieces:
        session = machine.feed(session, bytes.fromhex(piece) if isinstance(piece, str) else piece)[0]
    return machine.close(session)[0] if eof else session


def meter(message, **values):
    """A meter frame of the client in hex."""
    enums = {field: METER.types["Unit"].enum.value(value) for field, value in values.items() if field == "unit"}
    return encode(METER, "client", message, {"version": 1, **values, **enums}).data.hex()


def replies(data):
    """The messages that a meter server sent, shortly."""
    framer = Framer(METER, "server")
    framer.feed(data)
    found = []
    event = framer.next_event()
    while event is not None:
        fields = event.fields
        found.append((fields["value"], fields["count"], fields["text"]) if event.name == "Total" else fields["why"])
        event = framer.next_event()
    return found


def bye(session):
    """A meter session after Bye, as messages."""
    session = session.machine.feed(session, bytes.fromhex("a50501005a"))[0]
    assert session.ended == "fin"
    return replies(session.output())


def test_a_failed_effect_takes_else():
    """msglog: what cannot be recorded is refused, and the session ends."""
    session = run(MSGLOG, "01010062 02010061 03010078 04", effect=lambda session, name, args: name != "record")
    assert session.output().hex() == "0000ff"
    assert session.ended == "fin"
    assert session.effects[-1] == ("record", {"line": b"[b]: x\r\n"}, False)


def test_a_refused_password_takes_else():
    """msglog: the check of passwords is an effect that can fail."""
    session = run(MSGLOG, "01010062 02010061 03010078", effect=lambda session, name, args: name != "verify")
    assert (session.output().hex(), session.ended) == ("00ff", "fin")


def test_idle_limit():
    """msglog: the idle timer runs from the start, again from each frame, and not when it is 0."""
    machine = Machine(load(SPECS["msglog"], params={"idle_limit": 5 * SECOND}))
    session, = machine.connect(0)
    assert session.deadline() == 5 * SECOND
    session, = machine.feed(session, bytes.fromhex("010100"), 3 * SECOND)
    assert session.deadline() == 5 * SECOND, "half a frame is no frame"
    session, = machine.feed(session, bytes.fromhex("62"), 5 * SECOND)
    assert session.output() == b"\0", "a peer that was in time is in time"
    assert session.deadline() == 10 * SECOND
    session, = machine.advance(session, 10 * SECOND - 1)
    assert not session.ended
    session, = machine.advance(session, 10 * SECOND)
    assert session.ended == "fin" and session.output() == b"\0"
    assert Machine(MSGLOG).connect()[0].deadline() is None


def test_a_late_frame_is_not_handled():
    """msglog: a timer that was due before the input came first."""
    machine = Machine(load(SPECS["msglog"], params={"idle_limit": SECOND}))
    session, = machine.feed(machine.connect()[0], bytes.fromhex("01010062"), SECOND + 1)
    assert (session.output(), session.ended) == (b"", "fin")


def test_shutdown_answers_what_was_received():
    """Without a rule, shutdown ends the session; what came before it is answered."""
    machine = Machine(MSGLOG)
    session, = machine.feed(machine.connect()[0], bytes.fromhex("0101006202"))
    session, = machine.signal(session, "shutdown")
    assert (session.output(), session.ended) == (b"\0", "fin")


def test_meter_sums_up():
    """Effects, lists, a variable under its field's name, pattern lists."""
    session = run(METER, HELLO, meter("Reading", unit="watt", samples=(3, 4)), meter("Reading", unit="volt", samples=(-9,)), eof=False)
    assert bye(session) == [(0, 0, b"north"), (4, 2, b"?"), (-5, 3, b"?"), (-5, 3, b"bye")]
    assert [args["value"] for _, args, _ in session.effects] == [4, -9]


def test_meter_else_when_a_list_is_full():
    """Nothing of the rule has happened when its `else` runs; what that sends sees what that has set."""
    three = meter("Reading", unit="watt", samples=(1, 2, 3))
    session = run(METER, HELLO, three, three, three, eof=False)
    assert bye(session) == [(0, 0, b"north"), (3, 3, b"?"), b"cannot: 0 seen", (6, 3, b"?"), (6, 3, b"bye")]
    assert len(session.effects) == 2


def test_meter_else_when_the_effect_fails():
    """The variables stay as they were."""
    session = run(METER, HELLO, meter("Reading", unit="watt", samples=(1,)), effect=lambda *_: False, eof=False)
    assert bye(session) == [(0, 0, b"north"), b"cannot: 0 seen", (0, 0, b"bye")]


def test_meter_open_enum_and_ignore():
    """An open enum hands unknown values on; the rule for them ignores."""
    unit = METER.types["Unit"].enum
    other = encode(METER, "client", "Reading", {"version": 1, "unit": type(unit.value("watt"))(unit, 9), "samples": (1,)}).data
    assert bye(run(METER, HELLO, other, eof=False)) == [(0, 0, b"north"), (0, 0, b"bye")]


def test_meter_faults():
    """Named faults have rules of their own, and reading goes on behind each frame."""
    bad_level, unknown_kind, bad_sum = "a50301060a81000001025c", "a50a01005a", "a501010531663b014e00"
    session = run(METER, HELLO, bad_level, unknown_kind, bad_sum, eof=False)
    assert bye(session) == [(0, 0, b"north"), b"level or version", b"unknown", b"garbled", (0, 0, b"bye")]
    session = run(METER, HELLO, meter("Reading", unit="volt", samples=(1, 2)), eof=False)
    assert bye(session)[1] == (2, 2, b"?")


def test_meter_where():
    """A condition over several fields raises its own fault."""
    good = bytes.fromhex(meter("Reading", unit="watt", samples=(1, 2, 3)))
    bad = good[:4] + bytes([0x20]) + good[5:]
    assert bye(run(METER, HELLO, bad, eof=False)) == [(0, 0, b"north"), b"garbled", (0, 0, b"bye")]


def test_meter_oversize_then_recovery():
    """A frame over its maximum is oversize as soon as its header says so; then reading goes on behind it."""
    head = "a504018203"  # a body of 386 bytes, low groups first
    session = run(METER, HELLO, head, eof=False)
    assert replies(session.output()) == [(0, 0, b"north"), b"oversize"]
    machine = session.machine
    session = machine.feed(session, bytes(386) + b"\xd8")[0]
    assert bye(session) == [(0, 0, b"north"), b"oversize", (0, 0, b"bye")]


def test_meter_an_end_that_cannot_be_told():
    """A length of too many groups: malformed, then the session ends whatever the rule says."""
    session = run(METER, HELLO, "a50401ffff", eof=False)
    assert replies(session.output()) == [(0, 0, b"north"), b"garbled"]
    assert session.ended == "fin"


def test_meter_abort():
    """`close: abort` resets."""
    session = run(METER, meter("Label", name=b"A", text=b""), eof=False)
    assert session.ended == "rst" and replies(session.output()) == [b"hello first"]


def test_meter_then_if_else_and_self():
    """Actions one after another; a variable hidden by a field; what does not fit takes `else`."""
    session = run(METER, HELLO, meter("Label", name=b"Abc", text=b"", urgent=True), eof=False)
    assert bye(session)[1] == (0, 0, b"Abc")
    session = run(METER, HELLO, meter("Label", name=b"Abcdefghi", text=b"", urgent=True), eof=False)
    assert session.ended == "fin" and replies(session.output()) == [(0, 0, b"north")]


def outcomes_of(*pieces):
    """All permitted outcomes, as messages and end, of one meter session after Bye."""
    steps = [{"link": 0, "send": piece} for piece in pieces + ("a50501005a",)]
    return sorted((repr(replies(b"".join(p.data for p in outcome.patterns))), outcome.end) for outcome in expected(METER, 1, steps)[0])


def test_meter_choose_and_may():
    """Each permitted behaviour is one outcome; ours comes first."""
    north, last = (0, 0, b"north"), (0, 0, b"bye")
    label = meter("Label", name=b"A", text=b"")
    assert outcomes_of(HELLO, label) == sorted([(repr([north, b"no", last]), "fin"), (repr([north, last]), "fin")])
    low, high = meter("Config", level=8, rate=1, rest=()), meter("Config", level=8, rate=101, rest=())
    both = [(repr([north, (0, 0, b"full"), last]), "fin"), (repr([north, b"level", last]), "fin")]
    assert outcomes_of(HELLO, low) == sorted(both)
    assert outcomes_of(HELLO, high) == sorted(both + [(repr([north]), "fin")])
    assert outcomes_of(HELLO, label, label) == sorted((repr([north] + middle + [last]), "fin")
                                                      for middle in ([], [b"no"], [b"no", b"no"]))


def test_free_fields_accept_what_their_condition_says():
    """`{any, where}`: another text agrees if the condition holds, a computed length follows it."""
    three = meter("Reading", unit="watt", samples=(1, 2, 3))
    steps = [{"send": HELLO}, {"send": three}, {"send": three}, {"eof": True}]
    outcome, = expected(METER, 1, steps, effect=lambda *_: True)[0]
    def answer(why):
        first = b"".join(pattern.data for pattern in outcome.patterns[:2])
        return first + encode(METER, "server", "Refused", {"version": 1, "why": why}).data
    assert agrees(METER, outcome, answer(b"cannot: 0 seen"))
    assert agrees(METER, outcome, answer(b"full"))
    assert not agrees(METER, outcome, answer(b"x" * 30))
    assert not agrees(METER, outcome, answer(b"full") + b"\0")
    assert not agrees(METER, outcome, answer(b"full")[:-1])


def test_segments_may_join():
    """candy: two writes without a wait between them may arrive as one segment, or as two."""
    steps = [{"send": b"s 1".hex()}, {"send": b"2".hex()}, {"eof": True}]
    outcomes = expected(CANDY, 1, steps)[0]
    assert any(agrees(CANDY, outcome, b"144") for outcome in outcomes)
    assert any(agrees(CANDY, outcome, b"1error: what?") for outcome in outcomes)
    assert not any(agrees(CANDY, outcome, b"1") for outcome in outcomes)
    waited = expected(CANDY, 1, [steps[0], {"await": True}, steps[1], {"eof": True}])[0]
    assert not any(agrees(CANDY, outcome, b"144") for outcome in waited)


@pytest.mark.parametrize("spec", [MSGLOG, CANDY, METER], ids=lambda spec: spec.protocol)
@given(data=st.data())
def test_cuts_change_no_output(spec, data):
    """Any split of a stream gives the same bytes, effects and end."""
    stream = data.draw(strategies.streams(spec, "client"))
    if spec is CANDY:
        stream = b"d 1\n" + stream
    whole = run(spec, stream)
    pieces = [piece for piece in data.draw(strategies.cuts(stream)) if piece]
    if spec is CANDY and pieces and b"\n" not in pieces[0]:
        pieces = [pieces[0] + b"".join(pieces[1:])]
    split = run(spec, *pieces)
    assert (whole.output(), whole.effects, whole.ended) == (split.output(), split.effects, split.ended)


def test_delimiters_of_which_one_begins_another():
    """It does not matter how a stream is cut: a longer delimiter that may still come is waited for."""
    spec = loads(TINY.replace("frame: {fields: [kind: u8], tag: kind, max: 1}", 'frame: {until: ["\\r", "\\r\\n"], max: 4, fields: [kind: u8], tag: kind}')
                 + "server: {rules: [{when: A, send: {B: {}}}, {when: [malformed, oversize, unknown], send: {B: {}}, goto: End}, {when: [eof, eof-in-frame], goto: End}]}")
    for pieces in ([b"A\r\nA\r"], [b"A\r", b"\nA\r"], [b"A", b"\r", b"\n", b"A", b"\r"]):
        session = run(spec, *pieces)
        assert session.output() == b"B\rB\r", pieces


TINY = """
assay: 1
protocol: tiny
limits: {sessions: 1}
transports: {tcp: {port: 1}}
frame: {fields: [kind: u8], tag: kind, max: 1}
messages:
  A: {from: client, tag: 65, examples: [{raw: A, is: {}}]}
  B: {from: server, tag: 66, examples: [{raw: B, is: {}}]}
"""


@pytest.mark.parametrize("more", [
    "probe: {}", "machines: {A: {role: server, per: server, rules: []}}", "types: {R: {record: [a: {record: [b: u8]}]}}", "params: {p: {type: nosuch, default: 1}}", "types: {on: u8}",
    "types: {A: u8, A: u8}", "types: &x {A: u8}", "types: {A: !!int 1}"])
def test_what_is_not_run_or_wrong_is_refused(more):
    """Declared constructs, and YAML that would surprise."""
    loads(TINY)
    with pytest.raises(SpecError):
        loads(TINY + more + "\n")


def test_an_event_without_a_rule_is_the_specs_fault():
    """Totality is not silently filled in."""
    session = run(loads(TINY + "server: {rules: [{when: eof, goto: End}]}"), b"", eof=True)
    assert session.ended == "fin"
    with pytest.raises(SpecError):
        run(loads(TINY + "server: {rules: [{when: eof, goto: End}]}"), b"A")


def test_a_server_that_speaks_first():
    """The event connect, and maybe."""
    spec = loads(TINY + "server: {rules: [{when: connect, send: {B: {}}}, {when: A, then: [{maybe: [{send: {B: {}}}]}]}, "
                 "{when: [unknown, eof], goto: End}]}")
    assert run(spec).output() == b"B"
    assert sorted(outcome.items() for outcome in expected(spec, 1, [{"send": "41"}, {"eof": True}])[0]) == [(b"B",), (b"BB",)]
