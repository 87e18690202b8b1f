"""What a rule's body does, worked out before any of it happens.

`Planner.plans` gives every permitted outcome, our own first. A plan is complete
before it is applied: what is undefined or does not fit leads to `else`, and
nothing of the rule has happened then.
"""

from . import expr
from .compound import RecordType
from .encode import Free, encode
from .shared import Here
from .typetable import flag
from .values import ABSENT, NoRoom, Opaque, SpecError, Undefined, Unfit

END = "End"
_FLAT = ["let", "do", "put", "set", "send", "goto", "close", "result", "error", "decline", "then", "choose", "maybe"]

_BESIDE = frozenset(["when", "if", "else", "may", "ignore", "drop", "req", "level", "text", "name", "stateless", "as"])


class CannotBeDone(SpecError):
    """Of a call's arguments: they make no message. Of a rule: the spec should have had an else."""


class Plan:
    """One outcome: new variables, effects, sends, next state."""

    def __init__(self, variables, lets):
        self.vars, self.lets = dict(variables), dict(lets)
        self.effects, self.sends = [], []
        self.goto = self.close = self.result = self.error = None
        self.on_failure = None
        self.reliable = []  # of what is sent: message, what was given, pattern, whether the plan has begun the numbering
        self.set, self.declined, self.row = set(), False, None

    def copy(self):
        """A plan that goes on from here on its own."""
        other = Plan(self.vars, self.lets)
        other.effects, other.sends = list(self.effects), list(self.sends)
        other.goto, other.close, other.result, other.error = self.goto, self.close, self.result, self.error
        other.reliable, other.set, other.declined, other.row = list(self.reliable), set(self.set), self.declined, self.row
        return other


def entries(tree):
    """(name, detail) of a mapping with one entry, or of a list of such."""
    found = []
    for item in tree if isinstance(tree, list) else [tree]:
        found += [(item, {})] if isinstance(item, str) else list(item.items())
    return found


class Planner:
    """Works out rules for one session and one event."""

    def __init__(self, machine, session, fields, in_call=False):
        self.machine, self.spec, self.session, self.fields = machine, machine.spec, session, fields
        self.hiding = session.args if in_call else {}  # in a call its arguments hide variables

    def scope(self, lets, variables):
        """What expressions see: lets, fields, variables, arguments, params."""
        here = Here(self.machine.world, self.session)
        return self.spec.scope(lets, self.fields, self.hiding, variables, self.session.args, self_vars=variables, here=here)

    def holds(self, condition):
        """Whether a guard is true with the variables as they are before the rule."""
        return condition is None or expr.holds(self.parse(condition), self.scope({}, self.session.vars))

    @staticmethod
    def parse(text):
        """A parsed expression, cached."""
        if text not in _CACHE:
            _CACHE[text] = expr.parse(text)
        return _CACHE[text]

    def plans(self, body):
        """All permitted outcomes of a rule, our own first."""
        found = self._own(body)
        for other in body.get("may", []):
            if self.holds(other.get("if")):
                found += self.plans(other)
        return found

    def _own(self, body):
        try:
            found = self._run(body, [Plan(self.session.vars, {})])
        except (Undefined, Unfit) as error:
            return self._else(body, error)
        except NoRoom as error:
            if "else" not in body:
                raise
            return self._else(body, error)
        if "else" in body:
            for plan in found:
                plan.on_failure = body["else"]
        return found

    def _else(self, body, error):
        if "else" not in body:
            raise CannotBeDone("a rule without else cannot be done: %s" % error)
        return self.plans(body["else"])

    def _run(self, body, plans):
        unknown = set(body) - set(_FLAT) - _BESIDE
        if unknown:
            raise SpecError("%s: not known in a rule, or declared only" % ", ".join(sorted(unknown)))
        for action in _FLAT:
            if action in body:
                plans = [done for plan in plans for done in getattr(self, "_do_" + action)(body[action], plan)]
        return plans

    def _do_let(self, tree, plan):
        for name, text in tree.items():
            plan.lets[str(name)] = self.parse(text).eval(self.scope(plan.lets, plan.vars))
        return [plan]

    def _do_do(self, tree, plan):
        scope = self.scope(plan.lets, plan.vars)
        for name, args in entries(tree):
            declared = self.spec.effects[name].get("args", {})
            values = {}
            for arg, detail in declared.items():
                of = self.spec.types.make(detail)
                values[str(arg)] = of.accept(self.parse(args[arg]).eval(scope, of.enum))
            plan.effects.append((str(name), values))
        return [plan]

    def _do_put(self, tree, plan):
        """A row of a table: an effect of the table's name."""
        scope = self.scope(plan.lets, plan.vars)
        for place, columns in tree.items():
            node = self.parse(place)
            table = self.spec.tables[node.base.name]
            given = {table.key: node.index, **{str(name): self.parse(text) for name, text in columns.items()}}
            if set(given) != set(table.types):
                raise SpecError("put: all columns are given")
            values = {name: table.types[name].accept(value.eval(scope, table.types[name].enum)) for name, value in given.items()}
            plan.effects.append((node.base.name, values))
        return [plan]

    @staticmethod
    def _do_decline(tree, plan):
        plan.declined = flag(tree)
        return [plan]

    def _do_set(self, tree, plan):
        scope, fresh = self.scope(plan.lets, dict(plan.vars)), {}
        for name, text in tree.items():
            of = self.machine.own.vars[name][0]
            fresh[str(name)] = of.accept(self.parse(text).eval(scope, of.enum), scope)
        plan.vars.update(fresh)
        plan.set |= set(fresh)
        return [plan]

    def _do_send(self, tree, plan):
        scope = self.scope(plan.lets, dict(plan.vars))
        for name, values in entries(tree):
            plan.sends.append(self.pattern(name, values, scope, plan))
        return [plan]

    def pattern(self, name, values, scope, plan=None):
        """The frame of one send."""
        types, reliability = self.machine.field_types(name), self.machine.reliability
        given = {str(field): self._sent(types[field], value, scope) for field, value in (values or {}).items()}
        if reliability is None or name not in self.spec.reliable.messages:
            return encode(self.spec, self.machine.role, str(name), given, self.session.framer.bare)
        count = reliability.count_of(self.session, plan)
        if count is None:
            raise NoRoom()
        pattern = encode(self.spec, self.machine.role, str(name), {**given, **reliability.addressed(plan.vars, count)})
        plan.reliable.append((str(name), given, pattern, reliability.renews(self.session.vars, plan.vars)))
        return pattern

    def _sent(self, of, value, scope):
        if isinstance(of, RecordType):
            return self._record(of, value, scope)
        if not isinstance(value, dict):
            found = self.parse(value).eval(scope, of.enum)
            return Free(found) if isinstance(found, Opaque) else found
        if set(value) - {"any", "where"}:
            raise SpecError("%s: declared only" % ", ".join(value))
        ours = self.parse(value["any"]).eval(scope, of.enum)
        if "where" not in value:
            return Free(ours)
        condition, variables = self.parse(value["where"]), scope.self_vars

        def accepts(it, fields):
            return expr.holds(condition, self.spec.scope({"it": it}, fields, variables, self_vars=variables))
        return Free(ours, accepts, str(value["where"]))

    def _record(self, of, value, scope):
        """The whole of another field, absent if that is, or a record of its parts."""
        if isinstance(value, dict):
            return of.make({str(name): self.parse(text).eval(scope, of.parts[name].type.enum) for name, text in value.items()})
        node = self.parse(value)
        if not isinstance(node, expr.Name):
            raise SpecError("%s: a record is a field's name, or its parts" % value)
        return scope.find(node.name)

    def _do_goto(self, name, plan):
        plan.goto = str(name)
        return [plan]

    def _do_close(self, how, plan):
        if how == "abort":
            plan.close = "rst"
        elif flag(how):
            plan.close = "fin"
        return [plan]

    def _do_result(self, tree, plan):
        scope = self.scope(plan.lets, plan.vars)
        plan.result = {str(name): self.parse(text).eval(scope) for name, text in tree.items()}
        return [plan]

    def _do_error(self, tree, plan):
        if isinstance(tree, str):
            plan.error = (str(tree), b"")
        else:
            (name, text), = tree.items()
            plan.error = (str(name), self.parse(text).eval(self.scope(plan.lets, plan.vars)))
        return [plan]

    def _do_then(self, actions, plan):
        plans = [plan]
        for action in actions:
            plans = [done for before in plans for done in self._action(action, before)]
        return plans

    def _action(self, action, plan):
        if "if" not in action:
            return self._run(action, [plan])
        taken = expr.holds(self.parse(action["if"]), self.scope(plan.lets, plan.vars))
        branch = action.get("then" if taken else "else", [])
        return self._do_then(branch if isinstance(branch, list) else [branch], plan)

    def _do_choose(self, options, plan):
        plans = []
        for option in options:
            if "if" not in option or expr.holds(self.parse(option["if"]), self.scope(plan.lets, plan.vars)):
                plans += self._do_then(option.get("then", []), plan.copy())
        if not plans:
            raise Undefined("no option of choose can be taken")
        return plans

    def _do_maybe(self, actions, plan):
        return self._do_then(actions, plan.copy()) + [plan]


_CACHE = {}

__all__ = ["ABSENT", "CannotBeDone", "END", "Plan", "Planner", "entries"]
