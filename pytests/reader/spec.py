"""Load a spec and resolve its names: messages, frames, machines, calls."""

from . import expr
from .types import data_bytes, data_number
from .typetable import DeclaredOnly, TypeTable, delimiters, flag
from .values import Duration, SpecError, Undefined, parse_duration
from .yamltree import parse

DECLARED_KEYS = ["features", "fixtures", "functions", "signals", "recodes", "probe", "spontaneous", "reliable", "logs",
                 "impair", "machines"]
EVENTS = ["connect", "malformed", "unknown", "oversize", "eof", "eof-in-frame", "reset", "no-room", "shutdown",
          "any-message"]


class Field:
    """A field of a frame or message."""

    def __init__(self, name, tree, types):
        self.name, self.type = str(name), types.make(tree)
        tree = tree if isinstance(tree, dict) else {}
        self.computed = expr.parse(tree["is"]) if "is" in tree else None
        self.default = expr.parse(tree["default"]) if "default" in tree else None
        self.condition = expr.parse(tree["if"]) if "if" in tree else None
        self.fault = str(tree.get("fault", "malformed"))
        self.samples = tree.get("samples", [])
        self.outside = tree.get("outside", [])

    @property
    def carries(self):
        """Whether the field has a value under its name."""
        return self.name != "_" and self.type.name != "const"


def fields_of(tree, types):
    """The fields of a list of one-entry mappings."""
    fields = []
    for item in tree:
        if len(item) != 1:
            raise SpecError("a field is a mapping with one entry: %r" % (item,))
        fields += [Field(name, detail, types) for name, detail in item.items()]
    return fields


class Frame:
    """How the bytes of one sender become frames."""

    def __init__(self, tree, types):
        self.fields = fields_of(tree.get("fields", []), types)
        self.max = data_number(tree["max"])
        self.tag, self.body = tree.get("tag"), tree.get("body")
        self.end, self.delimiters = self._end(tree.get("until"))
        self.segments = tree.get("segments")

    @staticmethod
    def _end(until):
        if until is None:
            return "fields", []
        if until == "datagram" and until.plain:
            raise DeclaredOnly("until: datagram: declared only")
        if until in ("eof", "segment") and until.plain:
            return str(until), []
        return "delimiter", delimiters(until)

    def field(self, name):
        """The field of this name."""
        return next(field for field in self.fields if field.name == name)


class Message:
    """A message with its fields and its examples."""

    def __init__(self, name, tree, frames, types):
        self.name, self.sender = str(name), str(tree["from"])
        self.fields = fields_of(tree.get("fields", []), types)
        self.tags = tree.get("tag", [])
        self.tags = self.tags if isinstance(self.tags, list) else [self.tags]
        self.when = expr.parse(tree["when"]) if "when" in tree else None
        self.fixed = tree.get("frame", {})
        if not isinstance(self.fixed, dict):
            raise SpecError("%s: frame: expected a mapping" % name)
        self.where = [(expr.parse(item["that"]), str(item.get("fault", "malformed"))) for item in tree.get("where", [])]
        self.examples = tree.get("examples", [])

    def sent_by(self, role):
        """Whether this side sends it."""
        return self.sender in (role, "both")


class Timer:
    """A timer of a machine."""

    def __init__(self, name, tree, states):
        self.name, self.after = str(name), expr.parse(tree["after"])
        self.states = frozenset(str(state) for state in tree.get("in", states))
        self.restart = str(tree.get("restart", "never"))


class MachineSpec:
    """The machine of one role: variables, timers, states with their rules."""

    def __init__(self, tree, types):
        states = tree.get("states") or {"Serving": tree["rules"]}
        self.states = {str(name): rules for name, rules in states.items()}
        named = [name for name in self.states if name != "*"]
        self.start = str(tree.get("start", named[0]))
        self.vars = {}
        for name, detail in tree.get("vars", {}).items():
            init = expr.parse(detail["init"]) if isinstance(detail, dict) and "init" in detail else None
            self.vars[str(name)] = (types.make(detail), init)
        self.timers = {str(name): Timer(name, detail, named) for name, detail in tree.get("timers", {}).items()}

    def rules(self, state):
        """The rules in the order in which they are tried."""
        return self.states.get(state, []) + self.states.get("*", [])


class Spec:
    """A whole spec, resolved."""

    def __init__(self, tree, params=None, lenient=None):
        self._refuse_declared(tree)
        self.tree, self.protocol = tree, str(tree["protocol"])
        self.types = TypeTable(tree.get("types", {}), tree.get("endian", "big"))
        self.lenient = self._leniencies(tree.get("leniencies", {}), lenient or {})
        self.params = self._params(tree.get("params", {}), params or {})
        self.frames = self._frames(tree["frame"])
        self.messages = {name: Message(name, detail, self.frames, self.types)
                         for name, detail in tree.get("messages", {}).items()}
        self.effects = tree.get("effects", {})
        roles = [role for role in ("server", "client", "peer") if role in tree]
        self.machines = {role: MachineSpec(tree[role], self.types) for role in roles}
        self.calls = tree.get("calls", {})
        self.requirements = tree.get("requires", {})
        self.limits = tree.get("limits", {})

    @staticmethod
    def _refuse_declared(tree):
        if tree.get("assay") != "1":
            raise SpecError("assay: 1 is the language version that is known")
        found = [key for key in DECLARED_KEYS if key in tree]
        if found:
            raise DeclaredOnly("%s: declared only" % ", ".join(found))

    @staticmethod
    def _leniencies(trees, chosen):
        """The names of those that are on."""
        unknown = set(chosen) - set(trees)
        if unknown:
            raise SpecError("no such leniency: %s" % ", ".join(unknown))
        return frozenset(str(name) for name, tree in trees.items() if chosen.get(name, flag(tree.get("default"))))

    def _params(self, trees, chosen):
        values = {}
        for name, tree in trees.items():
            of = self.types.make({key: tree[key] for key in ("type", "min", "max") if key in tree})
            value = chosen[name] if name in chosen else expr.parse(tree["default"]).eval(expr.Scope(), of.enum)
            values[str(name)] = Duration(value) if of.name == "duration" else value
        return values

    def _frames(self, tree):
        if set(tree) <= {"client", "server"}:
            return {str(role): Frame(detail, self.types) for role, detail in tree.items()}
        both = Frame(tree, self.types)
        return {"client": both, "server": both}

    def messages_of(self, sender):
        """The messages that one side sends, in the order of the spec."""
        return [message for message in self.messages.values() if message.sent_by(sender)]

    def scope(self, *layers, self_vars=None):
        """A scope over the params, with these layers in front."""
        return expr.Scope(list(layers) + [self.params], self.types, self_vars)

    def constant(self, text, enum=None):
        """The value of an expression of constants."""
        try:
            return expr.parse(text).eval(self.scope(), enum)
        except Undefined as error:
            raise SpecError("%s: undefined" % text) from error


def example_bytes(example):
    """The bytes that an example shows."""
    if "hex" in example:
        return bytes.fromhex(str(example["hex"]))
    return data_bytes(example["raw"])


def load(path, params=None, lenient=None, strict=False):
    """The spec of a file. `lenient` maps names of leniencies to whether they are on."""
    with open(path, encoding="utf-8") as file:
        return loads(file.read(), params, lenient, strict)


def loads(text, params=None, lenient=None, strict=False):
    """The spec of a text."""
    tree = parse(text)
    if strict:
        lenient = {**{str(name): False for name in tree.get("leniencies", {})}, **(lenient or {})}
    return Spec(tree, params, lenient)


def duration(text, default):
    """Seconds of a duration that stands as data."""
    parsed = parse_duration(str(text)) if text is not None else None
    return default if parsed is None else parsed / 1e9
