"""Calls whose steps await what becomes of the machine (LANGUAGE.md, section 15), as a part of a session's state."""

import collections

from .decode import Event
from .rules import CannotBeDone, Plan, Planner
from .values import NoRoom, SpecError

# A call that is under way: the step that is next, when it ends with a timeout.
Running = collections.namedtuple("Running", "name steps step deadline")
# What an application is told of a call: "result" or "error", with the error's name and text. `behind`: how many effects came before.
Told = collections.namedtuple("Told", "kind call value behind")


class Calls:
    """The calls of one machine's sessions, one at a time."""

    def __init__(self, machine):
        self.machine, self.spec = machine, machine.spec

    def begin(self, session, name, args, deadline):
        """Start a call with its arguments; gives sessions."""
        if session.call is not None:
            return [session]
        session.call, session.args = Running(name, self.spec.calls[name]["steps"], 0, deadline), args
        return self.machine.settle(session)

    def go_on(self, session):
        """Do the steps that can be done now."""
        while session.call is not None and self._goes_on(session):
            pass

    def time_out(self, session):
        """It took too long: a late answer could be taken for that of the next call."""
        self._tell(session, "error", ("timeout", b""))
        session.ended = "fin"
        return [session]

    def _goes_on(self, session):
        running = session.call
        if running.step == len(running.steps):
            self._tell(session, "result", {})
        elif session.ended:
            self._tell(session, "error", ("closed", b""))
        elif self._step(session, running.steps[running.step]) and session.call is running:
            session.call = running._replace(step=running.step + 1)
        return session.call is not running

    def _tell(self, session, kind, value):
        session.told.append(Told(kind, session.call.name, value, len(session.effects)))
        session.call, session.args = None, {}

    def _step(self, session, step):
        """Whether it is done."""
        if "expect" in step or "if" in step:
            raise SpecError("a call over a session that runs by itself awaits")
        if "await" in step:
            return self._awaited(session, step["await"])
        drawn = session.drawn
        try:
            plan, = Planner(self.machine, session, {}, in_call=True).plans(step)
        except NoRoom:  # acknowledgements make room
            session.drawn = drawn
            return False
        except CannotBeDone:
            self._tell(session, "error", ("protocol", b""))
            return True
        self.machine.apply(session, Event("call"), plan)
        if plan.reliable:
            session.flow.marks[str(step.get("as", ""))] = session.flow.next
        return True

    def _awaited(self, session, tree):
        for state, error in tree.get("or", {}).items():
            if session.state == state:
                plan = Plan(session.vars, {})
                Planner(self.machine, session, {}, in_call=True)._do_error(error, plan)
                self._tell(session, "error", plan.error)
                return True
        if "state" in tree:
            return session.state == tree["state"]
        flow, what = session.flow, str(tree["delivered"])
        return flow.acked >= (flow.next if what == "all" else flow.marks[what])
