"""The machine of one role: events, rules, effects, timers on a virtual clock.

A session is fed bytes, ends and time; `settle` handles what waits and gives the
sessions that a conforming implementation may now be in, our own first.
"""

from . import expr
from .decode import Event
from .framing import Framer
from .rules import END, Planner
from .values import ABSENT, SpecError, Undefined

FRAME_EVENTS = frozenset(["malformed", "unknown", "oversize"])
LINK_EVENTS = frozenset(["connect", "eof", "eof-in-frame", "reset", "shutdown"])


class Session:
    """One running machine. Copies are independent."""

    def __init__(self, machine):
        self.machine = machine
        self.framer = Framer(machine.spec, machine.other)
        self.state, self.vars, self.args = machine.own.start, machine.initial_vars(), {}
        self.now, self.timers = 0, {}
        self.sent, self.effects = [], []
        self.ended, self.finished, self.heard = None, False, False
        self.waiting = []
        self.rules_taken = []

    def copy(self):
        """A session in the same state."""
        other = Session.__new__(Session)
        other.__dict__.update(self.__dict__)
        other.framer = self.framer.copy()
        for name in ("sent", "effects", "waiting", "rules_taken"):
            setattr(other, name, list(getattr(self, name)))
        other.vars, other.timers = dict(self.vars), dict(self.timers)
        return other

    def key(self):
        """What tells two sessions apart for all that follows and for all that was seen."""
        return (self.framer.key(), self.state, tuple(sorted(self.vars.items())), tuple(sorted(self.timers.items())),
                tuple(pattern.key() for pattern in self.sent), self.ended, len(self.waiting))

    def output(self):
        """The bytes that ours sent so far."""
        return b"".join(pattern.data for pattern in self.sent)

    def take_output(self):
        """The same, forgotten afterwards."""
        data, self.sent = self.output(), []
        return data

    def deadline(self):
        """When the next timer is due, or None."""
        return min(self.timers.values()) if self.timers and not self.ended else None


class Machine:
    """The rules of one role, applied to sessions."""

    def __init__(self, spec, role="server", effect=None, ours_only=False, keep=None, own=None):
        """`own`: another machine than that of the transport. `effect` does one and says whether it worked, None: either is permitted; `ours_only` follows our own
        outcomes; `keep` drops sessions that something seen speaks against."""
        self.spec, self.role, self.other = spec, role, "client" if role == "server" else "server"
        self.own = own or spec.machines[role]
        self.effect = effect or (lambda session, name, args: True)
        self.ours_only, self.keep = ours_only, keep

    def initial_vars(self):
        """The variables at the start of a session."""
        scope = self.spec.scope()
        return {name: of.zero() if init is None else of.accept(init.eval(scope, of.enum))
                for name, (of, init) in self.own.vars.items()}

    def field_types(self, name):
        """The types of all fields of a message that this role sends."""
        message = self.spec.messages[name]
        fields = self.spec.frames[self.role].fields + message.fields
        return {field.name: field.type for field in fields}

    # ---- a session's life ----

    def connect(self, now=0):
        """The sessions that a fresh connection may lead to."""
        return self.begin(Session(self), now)

    def begin(self, session, now=0):
        """The sessions that a fresh one may lead to."""
        session.now = now
        self._start_timers(session, before=None)
        if self._find(session, Event("connect")) is None:
            return [session]
        session.waiting.append(Event("connect"))
        return self.settle(session)

    def feed(self, session, data, now=None):
        """Bytes that one read returned."""
        results = self.until(session, now)
        for result in results:
            result.framer.feed(data)
        return self.settle_all(results)

    def close(self, session, now=None):
        """The peer shut its write side."""
        results = self.until(session, now)
        for result in results:
            result.framer.close()
        return self.settle_all(results)

    def signal(self, session, name, now=None):
        """`reset` or `shutdown`."""
        results = self.until(session, now)
        for result in results:
            result.waiting.append(Event(name))
        return self.settle_all(results)

    def until(self, session, now):
        """Timers that were due before this instant; input of this instant goes before its timers."""
        return [session] if now is None else self._run_timers(session, now, inclusive=False)

    def advance(self, session, now):
        """Time passes; timers that are due fire."""
        return self._run_timers(session, now, inclusive=True)

    def _run_timers(self, session, now, inclusive):
        due = session.deadline()
        if due is None or due > now or due == now and not inclusive:
            session.now = max(now, session.now)
            return [session]
        name = next(name for name in self.own.timers if session.timers.get(name) == due)
        del session.timers[name]
        session.now = max(due, session.now)
        session.waiting.append(Event(name))
        return [last for result in self.settle(session) for last in self._run_timers(result, now, inclusive)]

    def settle_all(self, sessions):
        """`settle` for each, those that are alike once."""
        found = {}
        for session in sessions:
            for result in self.settle(session):
                found.setdefault(result.key(), result)
        return list(found.values())

    def settle(self, session):
        """Handle all events that wait."""
        finished, unsettled = [], [session]
        while unsettled:
            current = unsettled.pop(0)
            event = self._next_event(current)
            if event is None:
                finished.append(current)
            else:
                unsettled = self._possible(self.handle(current, event)) + unsettled
        return finished

    def _possible(self, sessions):
        if self.keep is None or len(sessions) == 1:
            return sessions
        return [session for session in sessions if self.keep(session)]

    @staticmethod
    def _next_event(session):
        if session.ended:
            return None
        if session.waiting:
            return session.waiting.pop(0)
        return session.framer.next_event()

    # ---- one event ----

    def handle(self, session, event):
        """The sessions that one event may lead to, our own first."""
        session.heard = session.heard or event.is_message
        if self._is_frame(event):
            self._restart(session, "input")
        rule = self._find(session, event)
        if rule is None:
            results = self._unhandled(session, event)
        else:
            session.rules_taken.append(rule)
            results = self._apply_all(session, event, self._plans(session, event, rule))
        for result in results:
            if event.fatal and not result.ended:
                result.ended = "fin"
        return results

    def _is_frame(self, event):
        return event.is_message or event.name not in LINK_EVENTS and event.name not in self.own.timers

    @staticmethod
    def _unhandled(session, event):
        if event.name == "shutdown":
            session.ended = "fin"
        elif event.name != "connect":
            raise SpecError("state %s has no rule for %r" % (session.state, event))
        return [session]

    def claims(self, session, event):
        """Whether a rule takes this event."""
        return self._find(session, event) is not None

    def _find(self, session, event):
        planner = Planner(self, session, event.fields)
        for rule in self.own.rules(session.state):
            when = rule["when"]
            wanted = when if isinstance(when, list) else [when]
            if any(self.matches(item, event) for item in wanted) and planner.holds(rule.get("if")):
                return rule
        return None

    def matches(self, wanted, event):
        """Whether an entry of `when` fits an event."""
        pattern = {}
        if isinstance(wanted, dict):
            (wanted, pattern), = wanted.items()
        if wanted == "any-message" and event.is_message:
            return True
        if wanted != event.name or event.is_message != (wanted in self.spec.messages and wanted not in FRAME_EVENTS):
            return False
        return all(self._field_fits(event.fields.get(name, ABSENT), text) for name, text in (pattern or {}).items())

    def _field_fits(self, value, wanted):
        if value is ABSENT:
            return False
        enum = getattr(value, "type", None)
        for text in wanted if isinstance(wanted, list) else [wanted]:
            constant = self.spec.constant(text, enum)
            listed = constant if isinstance(constant, tuple) and not isinstance(value, tuple) else (constant,)
            if any(expr.equal(value, item) for item in listed):
                return True
        return False

    # ---- what a plan does ----

    def _plans(self, session, event, body):
        plans = Planner(self, session, event.fields).plans(body)
        return plans[:1] if self.ours_only else plans

    def _apply_all(self, session, event, plans):
        targets = [session] + [session.copy() for _ in plans[1:]]
        return [done for target, plan in zip(targets, plans) for done in self._apply(target, event, plan)]

    def _apply(self, session, event, plan, first=0):
        """Effects from `first` on, then all the rest of a plan."""
        for index in range(first, len(plan.effects)):
            name, args = plan.effects[index]
            worked = self.effect(session, name, args)
            if worked is None:
                return self._either(session, event, plan, index)
            session.effects.append((name, args, worked))
            if not worked:
                return self._failed(session, event, plan)
        session.vars = plan.vars
        session.sent += plan.sends
        if plan.sends:
            self._restart(session, "send")
        self._go(session, plan)
        return [session]

    def _either(self, session, event, plan, index):
        """An effect of which the host decides whether it works: both, done first."""
        name, args = plan.effects[index]
        other = session.copy()
        session.effects.append((name, args, True))
        other.effects.append((name, args, False))
        return self._apply(session, event, plan, index + 1) + self._failed(other, event, plan)

    def _failed(self, session, event, plan):
        return self._apply_all(session, event, self._plans(session, event, plan.on_failure))

    def _go(self, session, plan):
        session.outcome = (plan.result, plan.error)
        if plan.close or plan.goto == END:
            session.ended, session.finished, session.timers = plan.close or "fin", plan.goto == END, {}
            return
        if plan.goto is not None:
            before, session.state = session.state, plan.goto
            self._start_timers(session, before)

    def _start_timers(self, session, before):
        for timer in self.own.timers.values():
            if session.state not in timer.states:
                session.timers.pop(timer.name, None)
            elif before is None or before not in timer.states:
                self._start(session, timer)

    def _restart(self, session, cause):
        for timer in self.own.timers.values():
            if timer.restart in (cause, "any") and session.state in timer.states:
                self._start(session, timer)

    def _start(self, session, timer):
        try:
            after = timer.after.eval(self.spec.scope(session.vars, self_vars=session.vars))
        except Undefined:
            after = 0
        session.timers.pop(timer.name, None)
        if after > 0:
            session.timers[timer.name] = session.now + after
