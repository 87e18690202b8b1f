"""Expected sets: what a conforming server may answer, byte for byte, to what is done to it.

A stimulus is a list of steps as `assay cases --json` has them: `{"link": 0,
"send": "hex"}`, `{"link": 0, "eof": true}`, `{"link": 0, "reset": true}`,
`{"pause": ns}`, `{"await": true}`.
"""

from .decode import decode
from .encode import FreePart
from .machine import Machine
from .pick import Picker
from .shared import World
from .wire import find_delimiter


class Outcome:
    """One permitted whole output of a link and how the link ends."""

    def __init__(self, patterns, end, bare):
        self.patterns, self.end, self.bare = patterns, end, bare

    def items(self):
        """Exact bytes and free parts, neighbours joined."""
        items = []
        for part in (part for pattern in self.patterns for part in pattern.parts):
            if isinstance(part, bytes) and items and isinstance(items[-1], bytes):
                items[-1] += part
            else:
                items.append(part)
        return tuple(items)

    def key(self):
        """Two outcomes with the same key permit the same."""
        return tuple(item if isinstance(item, bytes) else item.key() for item in self.items()), self.end

    def __repr__(self):
        shown = [item.hex() if isinstance(item, bytes) else "{%s.%s}" % (item.message, item.field)
                 for item in self.items()]
        return "Outcome(%s, %s)" % (" ".join(shown), self.end)


class _Link:
    """What one connection was fed, as the set of sessions that may be there."""

    def __init__(self, machine):
        self.machine, self.sessions = machine, machine.connect()
        self.held = [b""] * len(self.sessions)
        self.reset = False

    def _step(self, act):
        self.sessions = self.machine.settle_all([after for session in self.sessions for after in act(session)])

    def send(self, data, now, may_join):
        """One write. While segments count, a write may reach the server joined with the one behind it."""
        fed, held = [], []
        if self.machine.spec.transport.datagrams:
            self.sessions = [self._begun_again(session, now) for session in self.sessions]
        for session, before in zip(self.sessions, self.held):
            whole = before + data
            if may_join and _counts_segments(session):
                fed.append(session.copy())
                held.append(whole)
            for after in self.machine.feed(session, whole, now):
                fed.append(after)
                held.append(b"")
        self._keep(fed, held)

    def _begun_again(self, session, now):
        """A datagram behind the end of a session is the first one of another."""
        if not session.ended:
            return session
        other = self.machine.connect(now)[0]
        other.sent = session.sent + other.sent
        return other

    def _keep(self, sessions, held):
        alike = {(session.key(), waiting): session for session, waiting in zip(sessions, held)}
        self.sessions, self.held = list(alike.values()), [waiting for _, waiting in alike]

    def close(self, now):
        """The write side was shut."""
        self._step(lambda session: self.machine.close(session, now))

    def abort(self, now):
        """The connection was reset."""
        self.reset = True
        self._step(lambda session: self.machine.signal(session, "reset", now))

    def advance(self, now):
        """Time passed."""
        self._step(lambda session: self.machine.advance(session, now))

    def outcomes(self):
        """Those that are permitted, each once."""
        found = {}
        for session in self.sessions:
            end = "rst" if self.reset else session.ended or "open"
            outcome = Outcome(list(session.sent), end, session.framer.bare)
            found.setdefault(outcome.key(), outcome)
        return list(found.values())


def _counts_segments(session):
    return not session.ended and session.framer.mode in ("undecided", "segment")


class _Witness:
    """Drops sessions that bytes which were seen speak against."""

    def __init__(self, spec, data):
        self.spec, self.picker, self.data = spec, Picker(spec, "server"), data

    def __call__(self, session):
        """Whether all that the session sent can have been seen; remembers how far it looked."""
        ends, looked = getattr(session, "witnessed", ({0}, 0))
        for pattern in session.sent[looked:]:
            ends = {after for start in ends
                    for after in _match(self.spec, self.picker, pattern, session.framer.bare, self.data, start)}
        session.witnessed = ends, len(session.sent)
        return bool(ends)


def host_decides(spec):
    """What effects do where nobody says: an application, and a file of passwords, may refuse; others do not fail."""
    def effect(_session, name, _args):
        declared = spec.effects[name]
        binding = declared.get("to", "application")
        if declared.get("fails") != "true":
            return True
        if isinstance(binding, dict) and "crypt" in binding:
            file = binding["crypt"]
            return None if (spec.params[file[1:]] if file.startswith("$") else file) else True
        return None if binding == "application" else True
    return effect


def play(spec, links, steps, effect=None, seen=None, joins=True, role="server", world=World):
    """The links after all steps. Where it is known what was `seen` on each, only outcomes that agree are followed.

    `joins`: where segments count, writes may reach the server joined. Each link has a `world` of its own.
    """
    witnesses = [None if seen is None else _Witness(spec, data) for data in seen or [None] * links]
    effect = effect or host_decides(spec)
    played = [_Link(Machine(spec, role, effect, keep=witness, world=world(spec))) for witness in witnesses]
    now = 0
    for index, step in enumerate(steps):
        link = played[step.get("link", 0)]
        if "send" in step:
            may_join = joins and not step.get("cut") and _next_on(steps, index).get("send") is not None
            link.send(bytes.fromhex(step["send"]), now, may_join)
        elif step.get("eof"):
            link.close(now)
        elif step.get("reset"):
            link.abort(now)
        elif "pause" in step:
            now += step["pause"]
            for each in played:
                each.advance(now)
    return played


def _next_on(steps, index):
    """The next step that concerns the same link; one that waits concerns all."""
    link = steps[index].get("link", 0)
    for step in steps[index + 1:]:
        if not {"send", "eof", "reset"} & set(step) or step.get("link", 0) == link:
            return step
    return {}


def expected(spec, links, steps, effect=None, seen=None):
    """For each link the list of permitted outcomes."""
    return [link.outcomes() for link in play(spec, links, steps, effect, seen)]


# ---- holding what was seen against what is permitted ----

def agrees(spec, outcome, data):
    """Whether bytes that were seen are what an outcome permits as a whole."""
    return len(data) in _ends(spec, outcome, data)


def begins(spec, outcome, data):
    """Whether bytes that were seen may be the beginning of an outcome without free parts."""
    return all(pattern.exact for pattern in outcome.patterns) and b"".join(
        pattern.data for pattern in outcome.patterns).startswith(data)


def _ends(spec, outcome, data):
    """The positions up to which all patterns can have been matched."""
    picker, ends = Picker(spec, "server"), {0}
    for pattern in outcome.patterns:
        ends = {after for start in ends for after in _match(spec, picker, pattern, outcome.bare, data, start)}
    return ends


def _match(spec, picker, pattern, bare, data, start):
    if pattern.exact:
        size = len(pattern.data)
        return {start + size} if data[start:start + size] == pattern.data else set()
    return {end for end, content in _candidates(spec, bare, data, start)
            if _same(decode(spec, "server", picker, content), pattern, spec.frames["server"].body)}


def _candidates(spec, bare, data, start):
    """(end, content) of what may be the next frame."""
    frame = spec.frames["server"]
    if frame.end == "delimiter" and not bare:
        found = find_delimiter(data, frame.delimiters, start)
        return [(found[0] + len(found[1]), data[start:found[0]])] if found else []
    last = min(len(data), start + frame.max)
    return [(end, data[start:end]) for end in range(start + 1, last + 1)]


def _same(event, pattern, body):
    """Whether a decoded frame has the pattern's fixed values, and free ones that are accepted."""
    if not event.is_message or event.name != pattern.message:
        return False
    loose = set(pattern.free) | {part.field for part in pattern.parts if isinstance(part, FreePart)} | {body}
    for name, value in pattern.values.items():
        if name in pattern.free:
            if not pattern.free[name].accepts(event.fields[name], event.fields):
                return False
        elif name not in loose and event.fields.get(name) != value:
            return False
    return True

