"""Expected sets: what a conforming server may answer, byte for byte, to what is done to it.

A stimulus is a list of steps as `assay cases --json` has them: `{"link": 0,
"send": "hex"}`, `{"link": 0, "eof": true}`, `{"link": 0, "reset": true}`,
`{"pause": ns}`, `{"await": true}`, and for clients `{"link": 0, "arrive": true}` and
`{"link": 0, "call": NAME, "args": {...}}`.
"""

from .decode import decode
from .encode import FreePart, encode
from .machine import Machine
from .pick import Picker
from .shared import World
from .values import Unfit, parse_duration
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

    def __init__(self, machine, now=0):
        self.machine = machine
        self._settled(machine.connect(now))
        self.reset = False

    def _step(self, act):
        self._settled(self.machine.settle_all([after for session in self.sessions for after in act(session)]))

    def _settled(self, sessions):
        """Those that are there now, none of which holds back a write."""
        self.sessions, self.held = sessions, [b""] * len(sessions)

    def send(self, data, now, may_join):
        """One write. While segments count, a write may reach the server joined with the one behind it."""
        fed, held = [], []
        if self.machine.spec.transport.datagrams and self.machine.role == "server":
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
        other = self.machine.connect(session.now if now is None else now)[0]
        other.sent, other.drawn = session.sent + other.sent, session.drawn
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

    def look_at_rows(self):
        """Others may have added some."""
        self._step(lambda session: [session])

    def outcomes(self):
        """Those that are permitted, each once."""
        found = {}
        for session in self.sessions:
            end = "rst" if self.reset else session.ended or "open"
            outcome = Outcome(list(session.sent), end, session.framer.bare)
            found.setdefault(outcome.key(), outcome)
        return list(found.values())


class _PatientLink(_Link):
    """One that is watched by a judge: a timer may fire, or not, in the time that the spec grants it."""

    def __init__(self, machine, now=0):
        super().__init__(machine, now)
        self.first = None  # the call that makes the link
        self._settled([] if machine.role == "client" else self.sessions)

    def arrive(self, now):
        """The target makes the link."""
        self._settled(self.machine.connect(now))
        if self.first is not None:
            self.call(*self.first, now)

    def call(self, name, args, now):
        """The application does a call."""
        if not self.sessions:
            self.first = name, args
            return
        within = parse_duration(str(self.machine.spec.calls[name].get("within")))
        self._step(lambda session: self.machine.calls.begin(_at(session, now), name, args, within and now + within))

    def send(self, data, now, may_join, stamp=None):
        """One datagram, stamped."""
        if stamp and self.sessions:
            data = stamped(self.machine, self.sessions[0], data, stamp)
        for session in self.sessions:
            _at(session, now)
        super().send(data, None, may_join)

    def advance(self, now):
        """Time passed."""
        waiting, passed = list(self.sessions), []
        while waiting:
            session = waiting.pop(0)
            due = session.deadline()
            early, late = (0, -1) if due is None else self._granted(session, due)
            if due is not None and due - early <= now:
                other = session.copy() if due + late >= now else None
                if getattr(session, "passed", None) != due:
                    waiting += self.machine.tick(session)
                if other is None:
                    continue
                session, session.passed = other, due
            passed.append(_at(session, now))
        self._settled(list({session.key(): session for session in passed}.values()))

    def _granted(self, session, due):
        """How much earlier and later what is due may happen. Copies are judged by when they are seen: the model's come in time."""
        timer, reliability = self.machine.due_timer(session), self.machine.reliability
        copies = bool(session.flow and session.flow.sent) and min(one.due for one in session.flow.sent) == due
        if timer is not None:
            return timer.early, -1 if copies else timer.late
        if session.call is not None and session.call.deadline == due:
            return 0, CALL_LATE
        if reliability is not None and session.flow.sent and session.flow.progress + reliability.give_up == due:
            share = int(reliability.give_up * reliability.rules.tolerance)
            return share, max(share, CALL_LATE)
        return 0, -1


CALL_LATE = 10 ** 9  # that a call may take longer than it should


def _at(session, now):
    session.now = max(now, session.now)
    return session


def stamped(machine, session, data, stamp):
    """What a tester sends, with what only the session tells: see conformance/export.h."""
    content = decode(machine.spec, machine.other, session.framer.picker, data)
    if content.is_message and machine.reliability is not None:
        fields, rules = dict(content.fields), machine.spec.reliable
        if "number" in stamp:
            fields[rules.number] = machine.reliability.number(session.vars, session.flow.taken + stamp["number"])
        if "ack" in stamp:
            fields[rules.ack_field] = machine.reliability.number(session.vars, session.flow.next + stamp["ack"])
        if "session" in stamp:
            own = session.vars[rules.session]
            fields[rules.session] = own if stamp["session"] == "own" else bytes(byte ^ 0x5A for byte in own)
        try:
            data = encode(machine.spec, machine.other, content.name, fields).data
        except Unfit:  # there is no session yet
            pass
    if "spoilt" in stamp and stamp["spoilt"] < len(data):
        at = stamp["spoilt"]
        data = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1:]
    return data


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


def play(spec, links, steps, effect=None, seen=None, joins=True, role="server", world=World, patient=False):
    """The links after all steps. Where it is known what was `seen` on each, only outcomes that agree are followed.

    `joins`: where segments count, writes may reach the server joined. Each link has a `world` of its own, but for the
    tables and logs of a server: those are all links'.
    `patient`: as a judge of datagrams has to be, with stamps, calls, and timers that may be late.
    """
    witnesses = [None if seen is None else _Witness(spec, data) for data in seen or [None] * links]
    effect = effect or host_decides(spec)
    link_of = _PatientLink if patient else _Link
    played = [link_of(Machine(spec, role, effect, keep=witness, world=world(spec))) for witness in witnesses]
    if role == "server":
        for each in played:
            each.machine.world.share(played[0].machine.world)
    now = 0
    for index, step in enumerate(steps):
        link = played[step.get("link", 0)]
        if patient and "send" in step:
            link.send(bytes.fromhex(step["send"]), now, False, step.get("stamp"))
        elif "send" in step:
            may_join = joins and not step.get("cut") and _next_on(steps, index).get("send") is not None
            link.send(bytes.fromhex(step["send"]), now, may_join)
        elif step.get("eof"):
            link.close(now)
        elif step.get("reset"):
            link.abort(now)
        elif "call" in step:
            link.call(step["call"], step["args"], now)
        elif "arrive" in step:
            link.arrive(now)
        elif "pause" in step:
            now += step["pause"]
            for each in played:
                each.advance(now)
        if spec.logs:
            for each in played:
                each.look_at_rows()
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

