"""The reader against the seed traces, whose expectations were written by a person."""

import pytest
from reader.expected import agrees, play
from traces import traces


@pytest.mark.parametrize("trace", traces("candy", "msglog"))
def test_trace(trace):
    """Every permitted outcome is the one expected, and effects are as expected."""
    spec = trace.spec()
    lines = []

    def effect(_session, name, args):
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
