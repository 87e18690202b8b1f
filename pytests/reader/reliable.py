"""Messages that are acknowledged, sent again until they are, and handed over once and in order (LANGUAGE.md, section 15)."""

import collections

from .decode import Event, decode
from .encode import encode
from .values import Undefined

NEVER = 1 << 62

# One that was sent and is not acknowledged. `row`: (log, number) or None; `old`: of a numbering that is over.
Sent = collections.namedtuple("Sent", "message given pattern due pause row old")


class Flow:
    """Both directions of one session. Messages are counted from 0; `marks`: counts that calls wait for."""

    def __init__(self):
        self.sent, self.acked, self.next = [], 0, 0
        self.progress, self.marks, self.numbering = 0, {}, 0
        self.taken, self.early = 0, {}

    def copy(self):
        """A flow in the same state."""
        other = Flow()
        other.__dict__.update(self.__dict__)
        other.sent, other.early, other.marks = list(self.sent), dict(self.early), dict(self.marks)
        return other

    def key(self):
        """What tells two flows apart."""
        return (tuple((one.pattern.key(), one.due) for one in self.sent), self.acked, self.next, self.taken,
                tuple(sorted(self.early)), self.progress)

    @property
    def idle(self):
        """Whether nothing is in flight or waits for its turn."""
        return not self.sent and not self.early


class Reliability:
    """The rules of section 15, applied to sessions of one machine."""

    def __init__(self, machine):
        self.machine, self.spec, self.rules = machine, machine.spec, machine.spec.reliable
        self.first = self._duration(self.rules.first)
        self.cap = self._duration(self.rules.cap)
        self.give_up = self._duration(self.rules.give_up)

    def _duration(self, node):
        return NEVER if node is None else int(node.eval(self.spec.scope()))

    # ---- numbers ----

    def number(self, variables, count):
        """The number on the wire of a message by its count."""
        start = 0
        if self.rules.start is not None:
            try:
                start = self.rules.start.eval(self.spec.scope(variables, self_vars=variables))
            except Undefined:
                pass
        return (start + count) % self.rules.wrap

    def addressed(self, variables, count):
        """The fields that are filled in."""
        fields = {self.rules.number: self.number(variables, count)}
        if self.rules.session is not None:
            fields[self.rules.session] = variables[self.rules.session]
        return fields

    def renews(self, before, after):
        """Whether variables are those of another session."""
        name = self.rules.session
        return name is not None and before[name] != after[name]

    # ---- sending ----

    def count_of(self, session, plan):
        """The count of the next message of a plan; None: the window is full."""
        flow, more = session.flow, len(plan.reliable)
        if len(flow.sent) + more >= self.rules.window:
            return None
        if self.renews(session.vars, plan.vars):
            return sum(one.row is None for one in flow.sent) + more
        return flow.next + more

    def commit(self, session, plan, before):
        """What a plan has sent waits from now on; `before`: the variables before it."""
        flow, now = session.flow, session.now
        if not flow.sent:
            flow.progress = now
        renewed = self.renews(before, session.vars)
        if renewed:
            self._renew(flow, now)
        for message, given, pattern, fresh in plan.reliable:
            old = renewed and not fresh
            flow.sent.append(Sent(message, given, pattern, now if old else now + self.first, 0 if old else self.first, plan.row, old))
            flow.next += 1
        return renewed

    @staticmethod
    def _renew(flow, now):
        kept, places = [], {}
        for place, one in enumerate(flow.sent, flow.next - len(flow.sent)):
            if one.row is None:
                places[place + 1] = len(kept) + 1
                kept.append(one._replace(due=now, pause=0, old=True))
        flow.marks = {name: places.get(mark, 0) for name, mark in flow.marks.items()}
        flow.sent, flow.next, flow.acked, flow.taken, flow.early = kept, len(kept), 0, 0, {}
        flow.progress, flow.numbering = now, flow.numbering + 1

    # ---- time ----

    def due(self, session):
        """When something is to be done, or None."""
        flow = session.flow
        return min([flow.progress + self.give_up] + [one.due for one in flow.sent]) if flow.sent else None

    def tick(self, session):
        """What is due now; gives sessions."""
        flow, now = session.flow, session.now
        if flow.progress + self.give_up <= now:
            return self._gave_up(session)
        for place, one in enumerate(flow.sent):
            if one.due <= now:
                flow.sent[place] = self._again(session, one, flow.next - len(flow.sent) + place)
        return [session]

    def _again(self, session, one, count):
        if one.old:
            given = {**one.given, **self.addressed(session.vars, count)}
            one = one._replace(pattern=encode(self.spec, self.machine.role, one.message, given), old=False)
        self.machine.say(session, one.pattern)
        pause = min(int(one.pause * self.rules.factor) if one.pause else self.first, self.cap)
        return one._replace(pause=pause, due=session.now + pause)

    def _gave_up(self, session):
        forgotten = len(session.flow.sent)
        numbering = session.flow.numbering
        results = self.machine.ruled(session, Event("given-up"))
        for result in results:
            if result.flow.numbering == numbering:
                del result.flow.sent[:forgotten]
                result.flow.progress = result.now
        return results

    # ---- receiving ----

    def concerns(self, event):
        """Whether an event is one of these messages, or acknowledges them."""
        return event.is_message and (event.name == self.rules.ack or event.name in self.rules.messages)

    def _is_ours(self, session, event):
        return self.rules.session is None or event.fields[self.rules.session] == session.vars[self.rules.session]

    def arrived(self, session, event, content):
        """The sessions that a message may lead to."""
        if event.name == self.rules.ack:
            if self._is_ours(session, event):
                self._acknowledged(session, event.fields[self.rules.ack_field])
            return [session]
        if not self._is_ours(session, event):
            return self.machine.ruled(session, Event("stale", event.fields))
        ahead = (event.fields[self.rules.number] - self.number(session.vars, session.flow.taken)) % self.rules.wrap
        if ahead == 0:
            return self._in_turn(session, event)
        if ahead < self.rules.window:
            session.flow.early.setdefault(session.flow.taken + ahead, content)
        self._acknowledge(session)
        return [session]

    def _acknowledged(self, session, number):
        flow = session.flow
        more = (number - self.number(session.vars, flow.acked)) % self.rules.wrap
        if not 0 < more <= flow.next - flow.acked:
            return
        flow.acked, flow.progress = flow.acked + more, session.now
        while flow.sent and flow.next - len(flow.sent) < flow.acked:
            done = flow.sent.pop(0)
            if done.row is not None:
                self.machine.row_acknowledged(session, *done.row)

    def _in_turn(self, session, event, owed=False):
        """A message whose turn it is, and those that waited behind it."""
        numbering, results = session.flow.numbering, []
        session.flow.early.pop(session.flow.taken, None)
        session.declined = False
        for result in self.machine.ruled(session, event):
            if result.declined:
                results += self._answered(result, owed)
                continue
            if result.flow.numbering == numbering:
                result.flow.taken += 1
            results += self._next_turn(result)
        return results

    def _next_turn(self, session):
        content = session.flow.early.get(session.flow.taken)
        if content is None or session.ended:
            return self._answered(session, True)
        event = decode(self.spec, self.machine.other, session.framer.picker, content)
        return self._in_turn(session, event, owed=True)

    def _answered(self, session, owed):
        if owed:
            self._acknowledge(session)
        return [session]

    def _acknowledge(self, session):
        fields = self.addressed(session.vars, 0)
        del fields[self.rules.number]  # it is no such message itself
        fields[self.rules.ack_field] = self.number(session.vars, session.flow.taken)
        self.machine.say(session, encode(self.spec, self.machine.role, self.rules.ack, fields))
