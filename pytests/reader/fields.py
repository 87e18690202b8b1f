"""Fields of frames, messages and records: what stands before and behind them, and whether they are there."""

from . import expr
from .compound import ObjectType, PairsType, RecordType
from .sums import SUMS
from .types import ConstType, data_bytes, pieces_of
from .values import ABSENT, Record, SpecError, Unfit
from .wire import Endless, Fault, Short, Writer, find_delimiter


class Field:
    """A field of a frame, message or record."""

    def __init__(self, name, tree, types):
        self.name, self.type = str(name), types.make(tree)
        tree = tree if isinstance(tree, dict) else {}
        self.computed = expr.parse(tree["is"]) if "is" in tree else None
        self.sum = self._sum_of_frame()
        self.default = expr.parse(tree["default"]) if "default" in tree else None
        self.condition = expr.parse(tree["if"]) if "if" in tree else None
        self.fault = str(tree.get("fault", "malformed"))
        self.samples, self.outside = tree.get("samples", []), tree.get("outside", [])
        self.lead, self.tail = data_bytes(tree.get("lead", "")), data_bytes(tree.get("tail", ""))
        self.optional = Optional(tree["optional"]) if tree.get("optional", "false") != "false" else None
        self.pairs = str(tree["pair"]) if "pair" in tree else None
        self.key = data_bytes(tree.get("key", name))

    def _sum_of_frame(self):
        """The name of the sum over the whole frame that this is, or None."""
        if not isinstance(self.computed, expr.Call) or self.computed.name not in SUMS:
            return None
        args = self.computed.args
        if len(args) != 1 or not isinstance(args[0], expr.Name) or args[0].name != "message":
            return None
        if getattr(self.type, "width", None) != SUMS[self.computed.name][1]:
            raise SpecError("%s: a sum has the size of its kind" % self.name)
        name, self.computed = self.computed.name, None
        return name

    @property
    def carries(self):
        """Whether the field has a value under its name."""
        return self.name != "_" and not isinstance(self.type, ConstType)

    @property
    def given(self):
        """Whether a sender gives its value; a JSON object is read, never written."""
        return self.carries and self.computed is None and self.sum is None and self.type.name != "calc" and not isinstance(self.type, ObjectType)

    def there(self, reader, growing):
        """Whether an optional field is there, by the bytes ahead."""
        return self.optional is None or self.optional.holds(self.lead, reader, growing)

    def read_constant(self, reader, data):
        """What stands before or behind the value."""
        if data and reader.take(len(data)) != data:
            raise Fault(self.fault, "expected %r" % data)


class Optional:
    """How it is told whether a field is there."""

    def __init__(self, tree):
        self.ahead, self.before = None, []
        if isinstance(tree, dict):
            self.ahead, self.before = data_bytes(tree["ahead"]), pieces_of(tree.get("before", []))

    def holds(self, lead, reader, growing):
        """Whether the bytes ahead say so. While more may come, Short where that is still open."""
        rest = reader.data[reader.position:]
        if self.ahead is not None:
            found = find_delimiter(rest, [self.ahead] + self.before, 0, growing)
            if found is None and growing:
                raise Short()
            return found is not None and found[1] == self.ahead
        if growing and len(rest) < max(len(lead), 1) and lead.startswith(rest):
            raise Short()
        return rest.startswith(lead) if lead else bool(rest)


def fields_of(tree, types):
    """The fields of a list of one-entry mappings."""
    fields = []
    for item in tree:
        if len(item) != 1:
            raise SpecError("a field is a mapping with one entry: %r" % (item,))
        fields += [Field(name, detail, types) for name, detail in item.items()]
    return fields


class _RecordType(RecordType):
    """Its fields one after another; a value is a Record."""

    def __init__(self, tree, types):
        super().__init__()
        self.fields = fields_of(tree, types)
        self.parts = {field.name: field for field in self.fields if field.carries}
        for field in self.fields:
            if isinstance(field.type, RecordType) or field.condition or field.computed or field.pairs:
                raise SpecError("%s: not in a record" % field.name)

    def read(self, reader, scope, lenient):
        """All parts; the first fault is raised when all of them are taken."""
        growing = reader.maximum is not None or getattr(reader, "partial", False)
        values, wrong = {}, None
        for field in self.fields:
            try:
                value = self._part(field, reader, scope, lenient, growing)
            except Endless:
                raise wrong or Endless("a part of a record") from None
            except Fault as fault:
                value, wrong = ABSENT, wrong or fault
            except Short:
                if wrong is None or growing:
                    raise
                raise wrong from None
            if field.carries:
                values[field.name] = value
        if wrong is not None:
            raise wrong
        return Record(values)

    @staticmethod
    def _part(field, reader, scope, lenient, growing):
        if not field.there(reader, growing):
            return ABSENT
        field.read_constant(reader, field.lead)
        try:
            value = field.type.read(reader, scope, lenient)
        except Endless:
            raise
        except Fault as fault:
            raise Fault(field.fault, str(fault)) if isinstance(field.type, ConstType) else fault
        if value is not ABSENT:
            field.type.verify(value, scope)
        field.read_constant(reader, field.tail)
        return value

    def write(self, writer, value, scope):
        """Append all parts."""
        for field in self.fields:
            part = value.parts.get(field.name, ABSENT)
            if part is ABSENT and field.carries:
                if field.optional is None:
                    raise Unfit("%s has no value" % field.name)
                continue
            writer.put(field.lead)
            field.type.write(writer, part if field.carries else field.type.zero(), scope)
            writer.put(field.tail)

    def accept(self, value, scope=None):
        """A record whose parts fit."""
        if not isinstance(value, Record) or set(value.parts) - set(self.parts):
            raise SpecError("%s: cannot hold %r" % (self.name, value))
        for name, part in value.parts.items():
            if part is not ABSENT:
                self.parts[name].type.accept(part, scope)
        return value

    def verify(self, value, scope):
        """The parts were held against their constraints where they were read."""

    def from_data(self, data):
        """A mapping of the parts' data."""
        given = {str(name): self.parts[name].type.from_data(item) for name, item in data.items()}
        return Record({**{name: ABSENT for name in self.parts}, **given})

    def make(self, given):
        """A record of these parts; those not given are absent, or have their default."""
        if set(given) - set(self.parts):
            raise SpecError("%s has no part %s" % (self.name, ", ".join(sorted(set(given) - set(self.parts)))))
        parts = {}
        for name, field in self.parts.items():
            missing = ABSENT if field.default is None else field.default.eval(expr.Scope(), field.type.enum)
            parts[name] = given.get(name, missing)
        return Record(parts)


def record(tree, types):
    """The record type that these fields make."""
    return _RecordType(tree, types)


def text_of(of_type, value, scope):
    """The bytes that a value has as text of its own: of a member."""
    writer = Writer()
    of_type.write(writer, of_type.accept(value, scope), scope)
    return writer.data()


__all__ = ["Field", "PairsType", "fields_of", "record", "text_of"]
