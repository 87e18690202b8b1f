"""The reader against the seed traces, whose expectations were written by a person."""

import pytest
from reader.expected import agrees, play
from reader.machine import Machine
from traces import traces


@pytest.mark.parametrize("trace", traces("candy", "msglog", "dispatch", "relay"))
def test_trace(trace):
    """Every permitted outcome is the one expected, and effects are as expected."""
    spec = trace.spec()
    lines, reported, shown = [], [], []

    def effect(_session, name, args):
        if name == "report":
            reported.append(args["what"])
        if name in ("gather", "show"):
            shown.append(b"".join(args.values()))
        if name == "record" and name not in trace.fail:
            lines.append(args["line"])
        return name not in trace.fail

    links = play(spec, trace.links, trace.steps, effect)
    for number, link in enumerate(links):
        sessions = [session for session, held in zip(link.sessions, link.held) if not held]
        ours = sessions[-1]
        assert trace.pattern(number).fullmatch(ours.output()), ours.output()
        assert ours.ended == trace.end
        outcomes = link.outcomes()
        assert any(agrees(spec, outcome, trace.sample(number)) and outcome.end == trace.end for outcome in outcomes)
        assert not any(agrees(spec, outcome, trace.sample(number) + b"\xff") for outcome in outcomes)
    if trace.log() is not None:
        assert lines == trace.log()
    if trace.shown() is not None:
        assert b"".join(shown) == trace.shown()
    assert len(reported) == int(trace.tree.get("reported", 0))


@pytest.mark.parametrize("trace", traces("dispatch", "relay", over="udp"))
def test_datagrams(trace):
    """What each datagram brings about; nothing is answered."""
    machine = Machine(trace.spec().over("udp"))
    session, = machine.connect()
    for data in trace.datagrams:
        session, = machine.feed(session, data)
    done = [(name, args) for name, args, _ in session.effects]
    assert not session.sent and not session.ended
    assert [name for name, _ in done].count("rotate") == int(trace.tree.get("rotations", 0))
    if trace.shown() is not None:
        assert b"".join(b"".join(args.values()) for name, args in done) == trace.shown()
