"""The machine of one role: events, rules, effects, timers on a virtual clock.

A session is fed bytes, ends and time; `settle` handles what waits and gives the
sessions that a conforming implementation may now be in, our own first.
"""

from . import expr
from .calls import Calls
from .decode import Event
from .framing import Framer
from .reliable import Flow, Reliability
from .rules import END, Planner
from .shared import World
from .values import ABSENT, NoRoom, SpecError, Undefined

FRAME_EVENTS = frozenset(["malformed", "unknown", "oversize"])
LINK_EVENTS = frozenset(["connect", "eof", "eof-in-frame", "reset", "shutdown", "no-room", "given-up"])


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
        self.peer = b""  # where the other side is
        self.flow = Flow() if machine.reliability is not None else None
        self.places = {}  # of a log: the row that is sent next, and up to which one they go without a new batch
        self.declined = False  # what became of the last message
        self.call, self.told = None, []  # see calls.py
        self.drawn = 0  # how many random values there were, where a world counts them so

    def copy(self):
        """A session in the same state."""
        other = Session.__new__(Session)
        other.__dict__.update(self.__dict__)
        other.framer = self.framer.copy()
        for name in ("sent", "effects", "waiting", "rules_taken", "told"):
            setattr(other, name, list(getattr(self, name)))
        other.vars, other.timers, other.places = dict(self.vars), dict(self.timers), dict(self.places)
        other.flow = None if self.flow is None else self.flow.copy()
        return other

    def key(self):
        """What tells two sessions apart for all that follows and for all that was seen."""
        return (self.framer.key(), self.state, tuple(sorted(self.vars.items())), tuple(sorted(self.timers.items())),
                tuple(pattern.key() for pattern in self.sent), self.ended, len(self.waiting), self.call and self.call[2:],
                None if self.flow is None else self.flow.key())

    def output(self):
        """The bytes that ours sent so far."""
        return b"".join(pattern.data for pattern in self.sent)

    def take_output(self):
        """The same, forgotten afterwards."""
        data, self.sent = self.output(), []
        return data

    def deadline(self):
        """When the next timer is due, or what is to be sent again, or None."""
        times = list(self.timers.values())
        if self.flow is not None and self.flow.sent:
            times.append(self.machine.reliability.due(self))
        if self.call is not None and self.call.deadline is not None:
            times.append(self.call.deadline)
        return min(times) if times and not self.ended else None


class Machine:
    """The rules of one role, applied to sessions."""

    def __init__(self, spec, role="server", effect=None, ours_only=False, keep=None, own=None, world=None):
        """`own`: another machine than that of the transport. `effect` does one and says whether it worked, None: either is permitted; `ours_only` follows our own
        outcomes; `keep` drops sessions that something seen speaks against; `world`: what sessions share."""
        self.spec, self.role, self.other = spec, role, "client" if role == "server" else "server"
        self.own = own or spec.machines[role]
        self.effect = effect or (lambda session, name, args: True)
        self.ours_only, self.keep = ours_only, keep
        self.world = world or World(spec)
        self.reliability = Reliability(self) if spec.reliable is not None and spec.transport.datagrams else None
        self.calls = Calls(self)
        self.followed = {name: log for name, log in spec.logs.items()
                         if log.follow is not None and spec.named_machines.get(log.follow.machine) is self.own}

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
        return [last for result in self.tick(session) for last in self._run_timers(result, now, inclusive)]

    def due_timer(self, session):
        """The timer that is due first, or None: something else is."""
        due = session.deadline()
        return next((timer for name, timer in self.own.timers.items() if session.timers.get(name) == due), None)

    def tick(self, session):
        """What is due first is done."""
        timer, due = self.due_timer(session), session.deadline()
        session.now = max(due, session.now)
        if timer is not None:
            del session.timers[timer.name]
            session.waiting.append(Event(timer.name))
            return self.settle(session)
        if session.call is not None and session.call.deadline == due:
            return self.calls.time_out(session)
        return [result for ticked in self.reliability.tick(session) for result in self.settle(ticked)]

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
            self.calls.go_on(current)
            event = self._next_event(current)
            if event is None:
                self._send_rows(current)
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
        if self.reliability is not None and self.reliability.concerns(event):
            return self.reliability.arrived(session, event, session.framer.content)
        return self.ruled(session, event)

    def ruled(self, session, event):
        """The sessions that the rule for an event may lead to."""
        rule = self._find(session, event)
        if rule is None:
            results = self._unhandled(session, event)
        else:
            session.rules_taken.append(rule)
            try:
                results = self._apply_all(session, event, self._plans(session, event, rule))
            except NoRoom:
                results = self.ruled(session, Event("no-room"))
                for result in results:
                    result.declined = True
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
        return [done for target, plan in zip(targets, plans) for done in self.apply(target, event, plan)]

    def apply(self, session, event, plan, first=0):
        """Effects from `first` on, then all the rest of a plan."""
        for index in range(first, len(plan.effects)):
            name, args = plan.effects[index]
            worked = self._ordered(session, name, args)
            if worked is None:
                return self._either(session, event, plan, index)
            session.effects.append((name, args, worked))
            if not worked:
                return self._failed(session, event, plan)
        before, session.vars = session.vars, plan.vars
        session.declined = plan.declined
        if self.reliability is not None:
            self._settle_places(session, plan, self.reliability.commit(session, plan, before))
        session.sent += plan.sends
        if plan.sends:
            self._restart(session, "send")
        self._go(session, plan)
        return [session]

    def say(self, session, pattern):
        """Send what no rule sends: that restarts no timer."""
        session.sent.append(pattern)

    # ---- what sessions share ----

    def _ordered(self, session, name, args):
        """Do an effect, and what it does to tables and logs; whether it worked, None: that is the host's affair."""
        if name in self.spec.tables:
            return self.world.put(name, args)
        worked, to = self.effect(session, name, args), self.spec.effects[name].get("to")
        if worked and isinstance(to, dict) and "log" in to:
            self.world.add(str(to["log"]), args)
        return worked

    def _settle_places(self, session, plan, renewed):
        """Where rows go on: a rule that sets the cursor, and a new numbering, have them sent from there."""
        for name, log in self.followed.items():
            if renewed or log.follow.cursor in plan.set:
                session.places.pop(name, None)

    def keeps_nothing(self, session):
        """Whether a session stands where it began, so that its source is a stranger again."""
        stateless = any("stateless" in rule for rule in self.own.rules(self.own.start))
        return stateless and session.state == self.own.start and (session.flow is None or session.flow.idle)

    def row_acknowledged(self, session, name, number):
        """The cursor moves on."""
        session.vars = {**session.vars, self.followed[name].follow.cursor: number + 1}

    def _send_rows(self, session):
        for name, log in self.followed.items():
            while self._lacks_a_row(session, name, log) and self._send_row(session, name, log):
                pass

    def _lacks_a_row(self, session, name, log):
        follow, there = log.follow, len(self.world.logs[name])
        if session.ended or session.state not in follow.states or not Planner(self, session, {}).holds(follow.condition):
            return False
        first, until = session.places.get(name, (session.vars[follow.cursor],) * 2)
        if first >= until and there - first >= self._amount(session, follow.batch, 1):
            until = there
        session.places[name] = first, until
        waiting = sum(1 for one in session.flow.sent if one.row is not None and one.row[0] == name)
        return first < until and waiting < self._amount(session, follow.window, self.spec.reliable.window)

    def _amount(self, session, text, otherwise):
        if text is None:
            return otherwise
        return max(1, Planner.parse(text).eval(self.spec.scope(session.vars, self_vars=session.vars)))

    def _send_row(self, session, name, log):
        number, until = session.places[name]
        fields = {**self.world.logs[name][number], "number": number}
        try:
            plan, = Planner(self, session, fields).plans({"send": log.follow.send})
        except NoRoom:
            return False
        plan.row = name, number
        self.apply(session, Event("row"), plan)
        session.places[name] = number + 1, until
        return True

    def _either(self, session, event, plan, index):
        """An effect of which the host decides whether it works: both, done first."""
        name, args = plan.effects[index]
        other = session.copy()
        session.effects.append((name, args, True))
        other.effects.append((name, args, False))
        return self.apply(session, event, plan, index + 1) + self._failed(other, event, plan)

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
