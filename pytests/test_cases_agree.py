"""Two readers, one suite: `assay cases --json` exports stimuli and what it permits; the reader derives that on its own."""

import functools
import itertools
import json

import pytest
from conftest import HERE, ROOT, SPECS as SERVED, output_of, program
from reader.decode import decode
from reader.expected import play
from reader.shared import World
from reader.spec import load
from reader.types import BoolType
from reader.values import ABSENT, EnumValue, Opaque

pytestmark = pytest.mark.timeout(900)
SPECS = {**SERVED, "report": HERE / "specs/report.yaml",
         **{name: ROOT / "conformance/tests" / (name + ".yaml") for name in ("checked", "choosy", "polite")}}
SPECS_LOSSY = {"pubsub": ROOT / "spec/pubsub.yaml"}
OUTCOMES_MAX = 64  # the export holds at most so many: beliefs beyond are dropped


def plain(value):
    """A field's value as the export writes it."""
    if isinstance(value, EnumValue):
        return value.name if value.known else value.key
    if isinstance(value, bytes):
        return {"hex": value.hex()}
    if isinstance(value, tuple):
        return {"hex": b"".join(item.to_bytes(8, "little", signed=True) for item in value).hex()}
    return int(value)


def free_item(spec, pattern, bare):
    """A message with free fields as the export writes it."""
    frame, message = spec.frames["server"], spec.messages[pattern.message]
    named = [field.name for field in frame.fields + message.fields
             if field.carries and field.name != frame.body and field.computed is None and field.type.name != "calc"]
    fixed = {name: plain(pattern.values[name]) for name in named
             if name not in pattern.free and pattern.values[name] is not ABSENT}
    return {"free": {"message": pattern.message, "fields": fixed, "any": sorted(pattern.free),
                     "delimited": not bare and frame.end != "eof"}}


def items(spec, outcome):
    """An outcome's bytes as the export writes them."""
    found = []
    for pattern in outcome.patterns:
        if not pattern.exact:
            found.append(free_item(spec, pattern, outcome.bare))
        elif found and isinstance(found[-1], str):
            found[-1] += pattern.data.hex()
        elif pattern.data:
            found.append(pattern.data.hex())
    return found


def canonical(outcomes):
    """A set of outcomes that can be compared."""
    for outcome in outcomes:
        for item in outcome["bytes"]:
            if isinstance(item, dict):
                item["free"]["any"].sort()
    return sorted({json.dumps(outcome, sort_keys=True) for outcome in outcomes})


@functools.lru_cache(maxsize=None)
def permitted(spec, count, written, role):
    """What the reader permits on each of so many links after steps, written as JSON, and these links as they are then."""
    steps = json.loads(written)
    shut = {step["link"] for step in steps if "eof" in step or "reset" in step}
    reset = {step["link"] for step in steps if "reset" in step}
    steps += [{"link": link, "eof": True} for link in range(count) if link not in shut]
    links = play(spec, count, steps, joins=False, role=role)
    expect = [None if number in reset else
              canonical([{"bytes": items(spec, outcome), "end": outcome.end} | told(link, role) for outcome in link.outcomes()])
              for number, link in enumerate(links)]
    return expect, links


def derived(spec, case, role="server"):
    """What the reader permits on each link, and what the case's effect appends."""
    steps = [step for step in case["steps"] if set(step) & {"send", "eof", "reset", "pause"}]
    expect, links = permitted(spec, case["links"], json.dumps(steps), role)
    effects = {name: in_some_order([shown(spec, name, most_done(link)) for link in links], seen)
               for name, seen in case.get("effects", {}).items()}
    return expect, effects


def in_some_order(parts, seen):
    """What links leave behind, in hex: in the order in which it was seen, if that is one of theirs."""
    orders = {b"".join(order).hex() for order in itertools.permutations(parts)} if len(parts) < 5 else set()
    return seen if seen in orders else b"".join(parts).hex()


def most_done(link):
    """The effects of a link where all went well that may go either way."""
    return max((session.effects for session in link.sessions), key=lambda effects: sum(worked for _, _, worked in effects))


def as_bytes(value):
    return value if isinstance(value, bytes) else str(int(value)).encode()


def binding(spec, name):
    """The verb and the object of an effect's binding."""
    to = spec.effects[name].get("to", "application")
    return next(iter(to.items())) if isinstance(to, dict) else (to, None)


def shown(spec, name, ordered):
    """What an observer of an effect has to show of one link: by its binding, see LANGUAGE.md, section 8."""
    verb, place = binding(spec, name)
    shows, kept = b"", b""
    for done, args, worked in ordered:
        text = [as_bytes(value) for value in args.values()]
        if worked and binding(spec, done) == ("gather", place):
            kept += b"".join(text)
        if not worked or done != name:
            continue
        if verb in ("print", "report"):
            shows += b" ".join(text) + b"\n"
        elif verb == "release":
            shows, kept = shows + kept + b"".join(text), b""
        else:
            shows += b"".join(text) or name.encode() + b"\n"
    return shows


def told(link, role):
    """What a client's application is told, in the form of the export."""
    if role != "client" or not link.sessions[0].effects:
        return {}
    return {"told": [{"effect": name, "values": {arg: {"hex": value.hex()} if isinstance(value, bytes) else value for arg, value in args.items()}}
                     for name, args, _ in link.sessions[0].effects]}


def can_be_listed(spec, case):
    """Each order of an effect that the application decides on doubles the outcomes: not of dozens of them."""
    watched = [name for name in case.get("effects", {}) if binding(spec, name)[0] == "application" and spec.effects[name].get("fails")]
    return not watched or all(link is None or len(link) < OUTCOMES_MAX for link in case["expect"])


def same(ours, theirs):
    """Whether both permit the same on a link; of more outcomes than the export can hold, a part that is no smaller than it must be."""
    if ours is None or theirs is None or len(ours) <= OUTCOMES_MAX:
        return ours == theirs
    return set(theirs) < set(ours) and len(theirs) >= OUTCOMES_MAX // 2


def disagreement(spec, case, role="server"):
    """How the readers differ about a case, or None."""
    expect, effects = derived(spec, case, role)
    # what breaks only a SHOULD is told apart in the export; the reader knows what conforms
    theirs = [None if link is None else canonical([outcome for outcome in link if "breaks" not in outcome])
              for link in case["expect"]]
    if effects == case.get("effects", {}) and len(expect) == len(theirs) and all(map(same, expect, theirs)):
        return None
    return "%s\n  steps:   %s\n  theirs:  %s %s\n  derived: %s %s" % (
        case["id"], json.dumps(case["steps"])[:1500], str(theirs)[:700], case.get("effects", ""), str(expect)[:700], effects or "")


@pytest.fixture(scope="module")
def exported():
    """The exports, each made once."""
    made = {}

    def export(name, strict):
        if (name, strict) not in made:
            made[name, strict] = exported_by_program(name, strict)
        return made[name, strict]
    return export


def exported_by_program(name, strict):
    """The suite of a stream's server."""
    return json.loads(output_of([program(), "cases", SPECS[name], "--json"] + (["--strict"] if strict else []), timeout=400))


@functools.lru_cache(maxsize=None)
def loaded(name, strict):
    """A spec, read once: what is derived from it is kept."""
    return load(SPECS[name], strict=strict)


def disagreements(name, strict, suite):
    """How the readers differ about the cases of a suite."""
    spec = loaded(name, strict)
    listed = [case for case in suite["cases"] if can_be_listed(spec, case)]
    return [text for text in (disagreement(spec, case) for case in listed) if text]


@pytest.mark.parametrize("strict", [False, True], ids=["lenient", "strict"])
@pytest.mark.parametrize("name", sorted(SPECS))
def test_cases_agree(exported, name, strict):
    """Both readers permit the same outcomes, case by case."""
    suite = exported(name, strict)
    spec = loaded(name, strict)
    assert suite["protocol"] == spec.protocol and set(suite["leniencies"]) == set(spec.lenient)
    assert len(suite["cases"]) > (5 if name == "relay" else 20)
    found = disagreements(name, strict, suite)
    assert not found, "%d of %d cases differ:\n%s" % (len(found), len(suite["cases"]), "\n".join(found[:5]))


@pytest.mark.parametrize("name", sorted(SPECS))
def test_cases_say_something(exported, name):
    """Every requirement that a case cites is one of the spec, and nearly every case permits something on some link."""
    suite = exported(name, False)
    spec = load(SPECS[name])
    assert len({case["id"] for case in suite["cases"]}) == len(suite["cases"])
    for case in suite["cases"]:
        assert case["req"] is None or case["req"] in spec.requirements
        assert len(case["expect"]) == case["links"]
        assert all(link is None or link for link in case["expect"]), case["id"]


def exported_for(name, *options):
    """The cases of another role or transport."""
    return json.loads(output_of([program(), "cases", {**SPECS, **SPECS_LOSSY}[name], "--json", *options], timeout=400))["cases"]


@pytest.mark.parametrize("name", ["dispatch", "relay"])
def test_cases_over_datagrams_agree(name):
    """The same over the other transport."""
    spec, cases = load(SPECS[name]).over("udp"), exported_for(name, "--transport", "udp")
    assert len(cases) > 5
    found = [text for text in (datagram_disagreement(spec, case) for case in cases) if text]
    assert not found, "%d of %d cases differ:\n%s" % (len(found), len(cases), "\n".join(found[:5]))


def datagram_disagreement(spec, case):
    """How the readers differ: there is no end of the stream, what is told of it does not count."""
    steps = [step for step in case["steps"] if "send" in step or "pause" in step]
    links = play(spec, case["links"], steps, joins=False)
    ours = [sorted({json.dumps(items(spec, outcome)) for outcome in link.outcomes()}) for link in links]
    theirs = [sorted({json.dumps(outcome["bytes"]) for outcome in link if "breaks" not in outcome}) for link in case["expect"]]
    return None if ours == theirs else "%s: %s, theirs %s, derived %s" % (case["id"], json.dumps(case["steps"])[:800], theirs, ours)


class Marked(World):
    """Seals and random values as the export has them: a mark, then how many there were."""

    def __init__(self, spec):
        super().__init__(spec)
        self.made = {}

    def draw(self, count, session):
        """Each stands for one that a target chooses; of sessions that may be, each counts its own."""
        session.drawn += 1
        return Opaque((MARK + session.drawn.to_bytes(8, "little")).ljust(count, b"\0")[:count])

    def seal(self, values, span, session):
        seal = self.draw(16, session)
        self.made[bytes(seal)] = values, span
        return seal

    def is_seal(self, given, values, span):
        return given in self.made and self.made[given][0] == values and self.made[given][1] >= span - 1


MARK = bytes.fromhex("a55af10e9d")


def lossy_disagreement(spec, case, role="server"):
    """How the readers differ where datagrams get lost: about what each link says, in bytes, and what its application is told."""
    steps = [with_values(spec, step) for step in case["steps"] if set(step) & {"send", "pause", "call", "arrive"}]
    above = (lambda _session, _name, _args: True) if role == "client" else None  # the tester, which takes all that it is told
    links = play(spec, case["links"], steps, above, joins=False, role=role, world=Marked, patient=True)
    agreed = len(links) == len(case["expect"]) and all(map(same_lossy, links, case["expect"]))
    return None if agreed else "%s: %s\n  theirs %s\n  derived %s" % (
        case["id"], json.dumps(case["steps"])[:800], case["expect"],
        [[(session.output().hex(), all_told(session)) for session in link.sessions] for link in links])


def same_lossy(link, theirs):
    """Whether each outcome that one reader permits is one that the other permits, too."""
    def fits(session, outcome):
        seen = bytes.fromhex("".join(outcome["bytes"]))
        return all_told(session) == outcome.get("told", []) and said_so(session, seen)
    return (all(any(fits(session, outcome) for outcome in theirs) for session in link.sessions)
            and all(any(fits(session, outcome) for session in link.sessions) for outcome in theirs))


def said_so(session, seen):
    """Whether these are the session's datagrams. Of messages that are taken one after another each may be acknowledged, or all at once: ours are."""
    spec, role = session.machine.spec, session.machine.role
    for pattern in session.sent:
        size = len(pattern.data)
        while not seen.startswith(pattern.data):
            found = decode(spec, role, session.framer.picker, seen[:size])
            if pattern.message != spec.reliable.ack or found.name != pattern.message or not is_older(spec, found.fields, pattern.values):
                return False
            seen = seen[size:]
        seen = seen[size:]
    return not seen


def is_older(spec, fields, others):
    """Whether one acknowledgement acknowledges less than another of the same session."""
    session, number, wrap = spec.reliable.session, spec.reliable.ack_field, spec.reliable.wrap
    return fields[session] == others[session] and 0 < (others[number] - fields[number]) % wrap <= wrap // 2


def with_values(spec, step):
    """A step whose call has arguments as the reader has values."""
    if "call" not in step:
        return step
    types = {str(name): spec.types.make(detail) for name, detail in spec.calls[step["call"]].get("args", {}).items()}
    given = {name: bytes.fromhex(value["hex"]) if isinstance(value, dict) else value for name, value in step["args"].items()}
    return {**step, "args": {name: types[name].accept(bool(value) if isinstance(types[name], BoolType) else value) for name, value in given.items()}}


def all_told(session):
    """What a client's application is told, of effects and of calls, in the form of the export."""
    if session.machine.role != "client":
        return []
    found, done = [], 0
    for told in [*session.told, None]:
        until = len(session.effects) if told is None else told.behind
        found += [{"effect": name, "values": {arg: plain(value) for arg, value in args.items()}} for name, args, _ in session.effects[done:until]]
        done = until
        if told is not None:
            found.append({told.kind: told.call, **({"values": told.value} if told.kind == "result" else {"kind": told.value[0]})})
    return found


@pytest.mark.parametrize("role", ["server", "client"])
def test_cases_over_lossy_datagrams_agree(role):
    """pubsub: what it says, and says again in time, to what comes, comes twice, late or not at all; of a client also what its application hears."""
    spec = load(SPECS_LOSSY["pubsub"])
    cases = exported_for("pubsub", "--role", role)
    assert len(cases) > 300
    found = [text for text in (lossy_disagreement(spec, case, role) for case in cases) if text]
    assert not found, "%d of %d cases differ:\n%s" % (len(found), len(cases), "\n".join(found[:5]))


def test_cases_of_a_client_that_runs_by_itself_agree():
    """dispatch's client, where one connection is all of the case: what it says to what it is told, and how it ends."""
    spec, cases = load(SPECS["dispatch"]), exported_for("dispatch", "--role", "client")
    whole = [case for case in cases
             if sum("arrive" in step for step in case["steps"]) == 1 and not any({"call", "refuse"} & set(step) for step in case["steps"])]
    assert len(whole) > 300
    found = [text for text in (disagreement(spec, case, "client") for case in whole) if text]
    assert not found, "%d of %d cases differ:\n%s" % (len(found), len(whole), "\n".join(found[:5]))
