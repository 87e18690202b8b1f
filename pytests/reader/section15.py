"""Tables, logs, what is acknowledged: their declarations, resolved and checked (LANGUAGE.md, section 15)."""

from fractions import Fraction

from . import expr
from .types import data_number
from .typetable import flag
from .values import SpecError


class Table:
    """Rows under a key, shared by all sessions."""

    def __init__(self, tree, types):
        (key, detail), = tree["key"].items()
        self.key, self.columns = str(key), [str(name) for name in tree["row"]]
        self.types = {self.key: types.make(detail), **{str(name): types.make(of) for name, of in tree["row"].items()}}
        self.max = data_number(tree["max"])


class Follow:
    """Who is sent the rows of a log."""

    def __init__(self, tree):
        self.machine = str(tree["machine"])
        self.states = frozenset(str(state) for state in tree["in"])
        self.condition = tree.get("if")
        self.cursor = str(tree["cursor"])
        self.batch, self.window = tree.get("batch"), tree.get("window")
        self.send = tree["send"]


class Log:
    """Numbered rows."""

    def __init__(self, tree, types):
        self.columns = {str(name): types.make(of) for name, of in tree["row"].items()}
        self.unique = [str(name) for name in tree.get("unique", [])]
        self.follow = Follow(tree["follow"]) if "follow" in tree else None


class Reliable:
    """Messages that are acknowledged. `wrap`: how many numbers there are."""

    def __init__(self, tree, frame):
        self.messages = frozenset(str(name) for name in tree["messages"])
        self.number = str(tree["match"])
        (ack, field), = tree["ack"].items()
        self.ack, self.ack_field = str(ack), str(field)
        self.session = str(tree["session"]) if "session" in tree else None
        self.start = expr.parse(tree["start"]) if "start" in tree else None
        bits = int(tree["wrap"][1:]) if "wrap" in tree else frame.field(self.number).type.width
        self.wrap, self.window = 1 << bits, data_number(tree["window"])
        if str(tree.get("order", "in-order")) != "in-order" or str(tree.get("on-duplicate")) != "acknowledge-again":
            raise SpecError("reliable: order and on-duplicate have one value each")
        if self.window > self.wrap // 2:
            raise SpecError("reliable: a window is at most half of the numbers")
        self.first, self.factor = expr.parse(tree["first"]), Fraction(str(tree.get("factor", "2")))
        self.cap = expr.parse(tree["cap"]) if "cap" in tree else None
        self.tolerance = Fraction(str(tree.get("tolerance", "20%")).rstrip("%")) / 100
        give_up = tree.get("give-up")
        self.give_up = expr.parse(give_up["after"]) if give_up else None


KEEPING = ("set", "goto", "put", "do", "close", "decline")


def check(spec):
    """What section 15 asks of a spec, beyond single declarations."""
    if spec.reliable is not None:
        _check_reliable(spec, spec.reliable)
    for log in spec.logs.values():
        if log.follow is not None:
            _check_follow(spec, log)
    for name, tree in spec.effects.items():
        to = tree.get("to") if isinstance(tree, dict) else None
        if isinstance(to, dict) and "log" in to:
            _need(list(spec.logs[str(to["log"])].columns) == [str(arg) for arg in tree["args"]] and flag(tree.get("fails")),
                  "effect %s: its arguments are the columns, and it can fail" % name)
    for machine in spec.named_machines.values():
        for rule in (rule for rules in machine.states.values() for rule in rules):
            _check_rule(spec, machine, rule)


def _need(holds, why):
    if not holds:
        raise SpecError(why)


def _check_reliable(spec, reliable):
    for name in reliable.messages | {reliable.ack}:
        _need(name in spec.all_messages, "reliable: no message %s" % name)
    _need(reliable.ack not in reliable.messages, "reliable: what acknowledges is not acknowledged")
    for frame in spec.all_frames.values():
        names = {field.name for field in frame.fields}
        _need(reliable.number in names and (reliable.session is None or reliable.session in names), "reliable: a field of the frame")
    for machine in spec.named_machines.values():
        _need(reliable.session is None or reliable.session in machine.vars, "reliable: a variable of each machine")


def _check_follow(spec, log):
    follow = log.follow
    machine = spec.named_machines.get(follow.machine)
    _need(machine is not None and follow.cursor in machine.vars, "follow: a machine and its variable")
    _need(follow.states <= set(machine.states), "follow: states of that machine")
    _need("number" not in log.columns, "follow: no column is called number")
    _need(spec.reliable is not None and len(follow.send) == 1 and set(follow.send) <= spec.reliable.messages,
          "follow: one message, which is acknowledged")


def _check_rule(spec, machine, rule):
    text = repr(rule)
    if "put" in _actions(rule):
        _need("else" in rule, "a rule that puts a row has an else: %s" % text)
    if "decline" in _actions(rule) and spec.reliable is not None:
        when = rule["when"] if isinstance(rule["when"], list) else [rule["when"]]
        named = {str(next(iter(item)) if isinstance(item, dict) else item) for item in when}
        _need(named & spec.reliable.messages, "only what is acknowledged is declined: %s" % text)
    if flag(rule.get("stateless")):
        _need(machine.role == "server" and not set(KEEPING) & _actions(rule), "a stateless rule keeps nothing: %s" % text)
        sends = rule.get("send", {})
        _need(spec.reliable is None or not set(sends) & spec.reliable.messages, "a stateless rule sends nothing reliably: %s" % text)


def _actions(tree):
    """The names of all actions in a rule."""
    if isinstance(tree, list):
        return {name for item in tree for name in _actions(item)}
    if not isinstance(tree, dict):
        return set()
    deeper = [tree[key] for key in ("then", "else", "choose", "maybe", "may") if key in tree]
    return {str(key) for key in tree} | {name for item in deeper for name in _actions(item)}
