"""Load a spec and resolve its names: messages, frames, machines, calls."""

import copy
from fractions import Fraction

from . import expr
from .fields import fields_of
from .section15 import Log, Reliable, Table, check
from .types import data_bytes, data_number, pieces_of
from .typetable import DeclaredOnly, TypeTable, byte_class, flag
from .values import Duration, SpecError, Undefined, parse_duration
from .yamltree import parse

DECLARED_KEYS = ["features", "fixtures", "functions", "signals", "recodes", "probe", "spontaneous"]
EVENTS = ["connect", "malformed", "unknown", "oversize", "eof", "eof-in-frame", "reset", "no-room", "shutdown", "stale",
          "given-up", "any-message"]


class Frame:
    """How the bytes of one sender become frames."""

    def __init__(self, tree, types):
        self.fields = fields_of(tree.get("fields", []), types)
        self.max = data_number(tree["max"])
        self.tag, self.body = tree.get("tag"), tree.get("body")
        self.end, self.delimiters = self._end(tree.get("until"))
        self.segments = tree.get("segments")
        self.trim = bytes(sorted(byte_class(tree["trim"]))) if "trim" in tree else b""
        self.blank = tree.get("blank") == "ignore"

    @staticmethod
    def _end(until):
        if until is None:
            return "fields", []
        if until in ("eof", "segment", "datagram", "stream") and until.plain:
            return str(until), []
        return "delimiter", pieces_of(until)

    def in_datagrams(self, longest):
        """The same frame where it ends with the datagram."""
        other = copy.copy(self)
        other.end, other.delimiters, other.segments, other.max = "datagram", [], None, longest or self.max
        return other

    def trimmed(self, content):
        """The content that is read."""
        return content.strip(self.trim) if self.trim else content

    def ignores(self, content):
        """Whether trimmed content is no event."""
        return self.blank and not content

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
        over = tree.get("over")
        self.over = None if over is None else [str(name) for name in (over if isinstance(over, list) else [over])]

    def sent_by(self, role):
        """Whether this side sends it."""
        return self.sender in (role, "both")


class Timer:
    """A timer of a machine. `early`, `late`: what a judge tolerates."""

    def __init__(self, name, tree, states):
        self.name, self.after = str(name), expr.parse(tree["after"])
        self.states = frozenset(str(state) for state in tree.get("in", states))
        self.restart = str(tree.get("restart", "never"))
        self.early, self.late = (parse_duration(str(tree.get(name, usual))) for name, usual in (("early", "0s"), ("late", "1s")))


class Reconnect:
    """When a client's machine connects again. Times in nanoseconds; `most` None: for ever."""

    def __init__(self, tree):
        self.pause = expr.parse(tree["pause"])
        self.factor = Fraction(str(tree.get("factor", "1")))
        self.cap = parse_duration(str(tree["cap"])) if "cap" in tree else None
        self.most = data_number(tree["most"]) if "most" in tree else None

    def next(self, pause):
        """The pause behind this one."""
        longer = int(pause * self.factor)
        return longer if self.cap is None else min(longer, max(self.cap, 0))


class MachineSpec:
    """A machine: variables, timers, states with their rules."""

    def __init__(self, tree, types, role=None):
        self.role = str(tree.get("role", role))
        if self.role not in ("server", "client", "both") or str(tree.get("per", "link")) != "link":
            raise DeclaredOnly("role %s, per %s: not known, or declared only" % (self.role, tree.get("per")))
        self.reconnect = Reconnect(tree["reconnect"]) if "reconnect" in tree else None
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


class Transport:
    """How links are made: ports, framing, which machine plays on each side."""

    def __init__(self, name, tree):
        if name not in ("tcp", "udp"):
            raise DeclaredOnly("%s: declared only" % name)
        self.name, port = name, tree.get("port", "0")
        self.ports = {str(side): data_number(at) for side, at in port.items()} if isinstance(port, dict) else {
            "server": data_number(port), "client": 0}
        self.datagrams = name == "udp" or tree.get("framing") == "datagram"
        self.max = data_number(tree["max"]) if "max" in tree else None
        machine = tree.get("machine", {})
        self.machines = machine if isinstance(machine, dict) else {"server": machine, "client": machine}

    def frames(self, frames):
        """The frames of both senders on this transport."""
        return {sender: frame.in_datagrams(self.max) for sender, frame in frames.items()} if self.datagrams else frames

    def role(self, role, machines):
        """The machine of one side, or None."""
        fit = {name: machine for name, machine in machines.items() if machine.role in (role, "both")}
        if role in self.machines:
            return fit.get(str(self.machines[role]))
        return next(iter(fit.values())) if len(fit) == 1 else None


class Spec:
    """A whole spec, resolved, as it is on one transport: the first, or that of `over`."""

    def __init__(self, tree, params=None, lenient=None):
        self._refuse_declared(tree)
        self.tree, self.protocol = tree, str(tree["protocol"])
        self.types = TypeTable(tree.get("types", {}), tree.get("endian", "big"))
        self.lenient = self._leniencies(tree.get("leniencies", {}), lenient or {})
        self.params = self._params(tree.get("params", {}), params or {})
        self.all_frames = self._frames(tree["frame"])
        self.all_messages = {name: Message(name, detail, self.all_frames, self.types)
                             for name, detail in tree.get("messages", {}).items()}
        self.effects = tree.get("effects", {})
        self.named_machines = self._machines(tree)
        self.transports = {str(name): Transport(str(name), detail or {}) for name, detail in tree["transports"].items()}
        self.tables = {str(name): Table(detail, self.types) for name, detail in tree.get("tables", {}).items()}
        self.logs = {str(name): Log(detail, self.types) for name, detail in tree.get("logs", {}).items()}
        self.reliable = Reliable(tree["reliable"][0], self.all_frames["client"]) if "reliable" in tree else None
        self.calls = tree.get("calls", {})
        self.seal_time = parse_duration(str(tree.get("limits", {}).get("seal", "60s")))
        check(self)
        self.requirements = tree.get("requires", {})
        self.limits = tree.get("limits", {})
        self._views = {}
        self._take(next(iter(self.transports)))

    def _machines(self, tree):
        if "machines" in tree:
            return {str(name): MachineSpec(detail, self.types) for name, detail in tree["machines"].items()}
        roles = {"server": "server", "client": "client", "peer": "both"}
        return {key: MachineSpec(tree[key], self.types, role) for key, role in roles.items() if key in tree}

    def _take(self, name):
        """Be the spec on this transport."""
        self.transport = self.transports[name]
        self.frames = self.transport.frames(self.all_frames)
        self.messages = {key: message for key, message in self.all_messages.items() if message.over is None or name in message.over}
        played = {role: self.transport.role(role, self.named_machines) for role in ("server", "client")}
        self.machines = {role: machine for role, machine in played.items() if machine is not None}
        self._views[name] = self

    def over(self, name):
        """The spec as it is on a transport."""
        if name not in self._views:
            copy.copy(self)._take(str(name))
        return self._views[name]

    def knowing(self, message):
        """The spec on the first transport that knows a message."""
        message = self.all_messages[message]
        return self.over(next(name for name in self.transports if message.over is None or name in message.over))

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
            value = value.encode() if isinstance(value, str) else value
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

    def scope(self, *layers, self_vars=None, here=None):
        """A scope over the params, with these layers in front. `here`: what a session sees of the world."""
        return expr.Scope(list(layers) + [self.params], self.types, self_vars, here)

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
