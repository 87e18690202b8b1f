

# ---- messages that are acknowledged, and sent again until they are ----


def _duration(env, code, none):
    try:
        value = none if code is None else _run(env, code)
    except _Undefined:
        return none
    return value if value > 0 else none


class _Kept:
    """A message that was sent and is not acknowledged."""

    def __init__(self, message, slots, data):
        self.message, self.slots, self.data = message, slots, data
        self.due = self.pause = 0  # when it goes out again, and the pause before that
        self.anew = False  # its number and session are of a numbering that is over
        self.fresh = False  # while its rule runs: it is of the numbering that this rule began


class _Flow:
    """The reliable messages of a session, in both directions.

    They are counted from 0; what number a message has on the wire depends on the session's variables as they are when
    it is written.
    """

    def __init__(self, session):
        self.session = session
        self.mask = (1 << _RELIABLE.bits) - 1
        self.first = _duration(session.env, _RELIABLE.first, 1)
        self.cap = _duration(session.env, _RELIABLE.cap, _MAX)
        self.give_up = _duration(session.env, _RELIABLE.give_up, _MAX)
        self.kept = collections.deque()
        self.base = self.acked = 0  # count of the first one kept; how many were acknowledged, or given up before that
        self.mark = 0  # what the call waits for is acknowledged when so many are
        self.progress = 0  # since when those kept have waited without any being acknowledged
        self.taken, self.ahead = 0, {}  # messages received in their turn; those ahead of it: count to content
        self.renewals = self.given_up = 0

    @property
    def next(self):
        return self.base + len(self.kept)

    # -- numbers and sessions --

    def number(self, count):
        first, session = 0, self.session
        if session.machine.first_number is not None:
            try:
                first = _run(session.env, session.machine.first_number)
            except _Undefined:
                pass
        return (first + count) & self.mask

    def _has_session(self):
        return _RELIABLE.session is not None and self.session.machine.session is not None

    def is_ours(self):
        """Whether the message in the slots is of this session."""
        session = self.session
        if not self._has_session():
            return True
        slots = session.env.slots
        return _RELIABLE.session in slots and slots[_RELIABLE.session] == session.vars[session.machine.session]

    def address(self, slots, count):
        slots[_RELIABLE.number] = self.number(count)
        if self._has_session():
            slots[_RELIABLE.session] = self.session.vars[self.session.machine.session]

    def renewed(self, before):
        """Whether a rule has set the session to another value than it had before."""
        var = self.session.machine.session
        return self._has_session() and before[var] != self.session.vars[var]

    # -- in a rule: `sent` are those that it has sent so far --

    def next_count(self, sent, fresh):
        return (0 if fresh else self.base) + len(self.kept) + len(sent)

    def has_room(self, sent):
        return len(self.kept) + len(sent) < _RELIABLE.window

    def commit(self, sent, fresh, mark):
        """The rule is done. `mark`: how many are to be acknowledged, and whether of the numbering that it began."""
        now = self.session.now
        if not self.kept:
            self.progress = now
        for kept in sent:
            kept.pause, kept.due = self.first, now + self.first
        self.kept.extend(sent)
        if mark is not None and not mark[1]:
            self.mark = mark[0]
        if fresh:
            self._renew()
        for kept in sent:
            kept.fresh = False
        if mark is not None and mark[1]:
            self.mark = mark[0]

    def _renew(self):
        """What waits goes out again at once, under numbers that begin anew."""
        now = self.session.now
        for kept in self.kept:
            if not kept.fresh:
                kept.anew, kept.due, kept.pause = True, now, 0
        if self.acked < self.mark <= self.base:
            self.mark = _MAX  # it was given up
        elif self.mark != _MAX:
            self.mark = max(0, self.mark - self.base)
        self.base = self.acked = self.taken = 0
        self.progress = now
        self.ahead.clear()
        self.renewals += 1

    # -- what arrives --

    def takes(self, event):
        """Whether this is a message that is acknowledged, or acknowledges."""
        message = _message_of(event)
        return message is not None and (message == _RELIABLE.ack or message in _RELIABLE.messages)

    def is_next(self):
        return self.is_ours() and self.session.env.slots[_RELIABLE.number] == self.number(self.taken)

    def waits_for_call(self, event):
        """Whether a message may wait for a call, if it is one that a call begins with."""
        return not self.takes(event) or (_message_of(event) != _RELIABLE.ack and self.is_next())

    def receive(self, event, content):
        if _message_of(event) == _RELIABLE.ack:
            self._acknowledged()
        elif not self.is_ours():
            self.session._handle("stale")
        else:
            ahead = (self.session.env.slots[_RELIABLE.number] - self.number(self.taken)) & self.mask
            if ahead == 0:
                self._in_turn(event)
            else:
                self._out_of_turn(content, ahead)

    def _acknowledged(self):
        slots = self.session.env.slots
        if _RELIABLE.ack_slot not in slots or not self.is_ours():
            return
        more = (slots[_RELIABLE.ack_slot] - self.number(self.acked)) & self.mask
        if not 0 < more <= self.next - self.acked:
            return
        self.acked += more
        self.progress = self.session.now
        while self.base < self.acked:
            self.kept.popleft()
            self.base += 1

    def _in_turn(self, event):
        owed = self._hand_over(event)
        if self._take_turns() or owed:
            self._acknowledge()

    def _out_of_turn(self, content, ahead):
        if ahead < _RELIABLE.window:
            self.ahead.setdefault(self.taken + ahead, content)
        self._acknowledge()

    def _hand_over(self, event):
        """Have the machine handle the message whose turn it is; whether it was taken."""
        session, renewals = self.session, self.renewals
        session.done = session.declined = False
        session._handle(event)
        taken = session.done and not session.declined
        if taken and self.renewals == renewals:
            self.ahead.pop(self.taken, None)
            self.taken += 1
        return taken

    def _take_turns(self):
        """Those that were ahead, and whose turn it is by now; whether any was taken."""
        session, owed = self.session, False
        while not session.ended and self.taken in self.ahead:
            event = _decode(session.env, session.frame_in, self.ahead[self.taken])
            if session._waits(event):
                break  # call() goes on
            turn = self.taken
            owed = self._hand_over(event) or owed
            if self.taken == turn:
                self.ahead.pop(turn, None)  # declined: its next copy is handled anew
                break
        return owed

    def go_on(self):
        """A call has begun, for which a message may have waited."""
        if self._take_turns():
            self._acknowledge()

    def _acknowledge(self):
        slots = {}
        self.address(slots, 0)
        del slots[_RELIABLE.number]  # it is no reliable message itself
        slots[_RELIABLE.ack_slot] = self.number(self.taken)
        try:
            self._emit(_RELIABLE.ack, self._encoded(_RELIABLE.ack, slots))
        except _Unfit:
            pass

    # -- what goes out --

    def _encoded(self, message, slots):
        session = self.session
        env = _Env(session.vars, session.lenient, session.env.options, session)
        env.slots = dict(slots)
        return _encode(env, session.frame_out, _MESSAGES[message], False)

    def _emit(self, message, data):
        """What no rule sends restarts no timer."""
        session = self.session
        session.out.append(data)
        session.tell_frame(True, _MESSAGES[message].name, data)

    def deadline(self):
        if not self.kept:
            return None
        return min(self.progress + self.give_up, min(kept.due for kept in self.kept))

    def tick(self):
        if self.kept and self.progress + self.give_up <= self.session.now:
            self._forget()
            return
        for i, kept in enumerate(self.kept):
            if kept.due <= self.session.now:
                self._send_again(kept, self.base + i)

    def _forget(self):
        """Nothing was acknowledged for too long: what waited is forgotten, but for what the rule for that sends."""
        forgotten, renewals = self.next, self.renewals
        self.session._handle("given-up")
        if self.renewals != renewals:
            return
        while self.base < forgotten:
            self.kept.popleft()
            self.base += 1
            self.given_up += 1
        self.progress = self.session.now

    def _send_again(self, kept, count):
        try:
            if kept.anew:
                self.address(kept.slots, count)
                kept.data = self._encoded(kept.message, kept.slots)
                kept.anew = False
            self._emit(kept.message, kept.data)
        except _Unfit:
            pass
        pause = kept.pause * _RELIABLE.factor // 100 if kept.pause else self.first
        kept.pause = max(1, min(pause, self.cap))
        kept.due = self.session.now + kept.pause


def _message_of(event):
    return _MESSAGES_BY_EVENT.get(event)


_MESSAGES_BY_EVENT = {m.event: i for i, m in enumerate(_MESSAGES)}
