"""From a message's values to the bytes of a frame, and to a pattern where values are free."""

from . import expr
from .compound import ObjectType, PairsType
from .decode import padding
from .fields import text_of
from .sums import around
from .types import CalcType, ConstType
from .values import ABSENT, SpecError, Undefined, Unfit
from .wire import Fault, Reader, Short, Writer, find_delimiter


class Free:
    """A value that an implementation may choose: ours, and the condition for others'.

    The condition sees the fields of what was sent.
    """

    def __init__(self, ours, accepts=None, text=None):
        self.ours, self.accepts, self.text = ours, accepts or (lambda value, fields: True), text


class FreePart:
    """Bytes of a pattern that are not fixed: a free field, or one computed from it."""

    def __init__(self, message, field, ours):
        self.message, self.field, self.ours = message, field, ours

    def key(self):
        """What tells two of them apart."""
        return ("free", self.message, self.field)


class Pattern:
    """A frame that is owed: its bytes as ours would be, and which of them are fixed."""

    def __init__(self, message, data, parts, values, free):
        self.message, self.data, self.parts, self.values, self.free = message, data, parts, values, free

    @property
    def exact(self):
        """Whether nothing is free."""
        return not self.free

    def key(self):
        """What tells two patterns apart."""
        if self.exact:
            return self.data
        return tuple(part if isinstance(part, bytes) else part.key() for part in self.parts)


class _Lazy:
    """A scope layer in which a field is computed when it is first asked for."""

    def __init__(self, encoding):
        self.encoding = encoding

    def __contains__(self, name):
        return name in self.encoding.fields

    def __getitem__(self, name):
        return self.encoding.value(name)

    def present(self, name):
        """Whether the sender gave a conditional field; its condition may ask for just that."""
        if self.encoding.fields[name].condition is not None or self.encoding.fields[name].optional is not None:
            return self.encoding.given.get(name, ABSENT) is not ABSENT
        return self[name] is not ABSENT


class Encoding:
    """One frame in the making."""

    def __init__(self, spec, sender, message, given):
        self.spec, self.message, self.frame = spec, message, spec.frames[sender]
        self.fields = {field.name: field for field in self.frame.fields + message.fields if field.carries}
        unknown = set(given) - set(self.fields)
        if unknown:
            raise SpecError("%s has no field %s" % (message.name, ", ".join(sorted(unknown))))
        self.free = {name: value for name, value in given.items() if isinstance(value, Free)}
        self.given = {name: value.ours if isinstance(value, Free) else value for name, value in given.items()}
        self.ready, self.busy, self.body = {}, set(), None
        self.scope = spec.scope(_Lazy(self))

    def value(self, name):
        """The value of a field, computed at most once."""
        if name in self.ready:
            return self.ready[name]
        if name in self.busy:
            raise SpecError("%s: computed from itself" % name)
        self.busy.add(name)
        self.ready[name] = self._value(self.fields[name])
        return self.ready[name]

    def _value(self, field):
        if self.frame.body == field.name:
            return self.body_writer().data()
        if isinstance(field.type, CalcType):
            return field.type.read(None, self.scope, None)
        if isinstance(field.type, ObjectType):
            return False
        if isinstance(field.type, PairsType):
            return self._pairs(field)
        if field.computed is not None:
            return field.computed.eval(self.scope, field.type.enum)
        if field.sum is not None:
            return 0  # until all is written
        if field.condition is not None:
            return self._conditional(field)
        return self._plain(field)

    def _conditional(self, field):
        given = self.given.get(field.name, ABSENT)
        present = expr.holds(field.condition, self.scope)
        if not present and given is not ABSENT:
            raise Unfit("%s cannot be present" % field.name)
        return self._plain(field) if present else ABSENT

    def _pairs(self, field):
        """What was given, with the message's members over it."""
        over = {}
        for member in self.message.fields:
            if member.pairs == field.name and self.value(member.name) is not ABSENT:
                over[member.key] = self._text(member, field.type)
        given = self.given.get(field.name, ABSENT)
        if given is ABSENT:
            given = b"" if field.default is None else field.default.eval(self.scope)
        value = field.type.given(given, over, self.scope)
        return ABSENT if not value and field.optional is not None else value

    def _text(self, member, pairs):
        """The text of a member: one that is read back as the same."""
        text = text_of(member.type, self.value(member.name), self.scope)
        reader = Reader(text)
        try:
            same = member.type.read(reader, self.scope, frozenset()) == self.value(member.name) and not reader.left()
        except (Fault, Short):
            same = False
        if not same:
            raise Unfit("%s: cannot stand as a member" % member.name)
        return text

    def _plain(self, field):
        name = field.name
        if self.given.get(name, ABSENT) is not ABSENT:
            self._allow_tag(field)
            return self.given[name]
        if name == self.frame.tag:
            return field.type.from_data(self.message.tags[0])
        if name in self.message.fixed:
            return field.type.from_data(self.message.fixed[name])
        if field.default is not None:
            return field.default.eval(self.scope, field.type.enum)
        if field.optional is not None:
            return ABSENT
        raise Unfit("%s.%s has no value" % (self.message.name, name))

    def _allow_tag(self, field):
        if field.name == self.frame.tag and self.message.tags:
            if self.given[field.name] not in [field.type.from_data(tag) for tag in self.message.tags]:
                raise Unfit("%s: no tag of %s" % (self.given[field.name], self.message.name))

    def body_writer(self):
        """The message's own fields, written."""
        if self.body is None:
            self.body = Writer()
            self.write(self.message.fields, self.body)
        return self.body

    def write(self, fields, writer):
        """Append fields."""
        for field in fields:
            start = writer.count
            self._write(field, writer)
            writer.mark(field.name, start)
            if field.name == self.frame.body and field in self.frame.fields:
                writer.spans.pop()
                writer.spans += [(name, start + a, start + b) for name, a, b in self.body.spans]

    def _write(self, field, writer):
        if not field.carries:
            value = ABSENT if isinstance(field.type, ConstType) else padding(self.spec, field)
            if field.condition is not None and not expr.holds(field.condition, self.scope):
                return
            field.type.write(writer, value, self.scope)
            return
        value = self.value(field.name)
        if value is ABSENT or isinstance(field.type, CalcType) or field.pairs is not None:
            return
        field.type.accept(value, self.scope)
        if field.lead:
            writer.put(field.lead)
        field.type.write(writer, value, self.scope)
        if field.tail:
            writer.put(field.tail)

    def run(self, bare):
        """The pattern of the whole frame."""
        writer = Writer()
        self.write(self.frame.fields, writer)
        if not self.frame.body:
            self.write(self.message.fields, writer)
        for condition, fault in self.message.where:
            if not expr.holds(condition, self.scope):
                raise Unfit(fault)
        content = self._summed(writer.data(), writer.spans)
        if self.frame.trimmed(content) != content or self.frame.ignores(content):
            raise Unfit("what the other side takes off is part of the content, or nothing is left")
        data = content + self._delimiter(content, bare)
        if len(data) > self.frame.max:
            raise Unfit("longer than the longest frame")
        values = {name: self.value(name) for name in self.fields}
        return Pattern(self.message.name, data, self._parts(data, writer.spans), values, self.free)

    def _summed(self, content, spans):
        """With the sum of the frame in its place."""
        for field in self.frame.fields:
            if field.sum is not None:
                start, end = next((first // 8, last // 8) for name, first, last in spans if name == field.name)
                total = Writer()
                self.ready[field.name] = around(field.sum, content, start, end - start)
                field.type.write(total, self.ready[field.name], self.scope)
                content = content[:start] + total.data() + content[end:]
        return content

    def _delimiter(self, content, bare):
        if self.frame.end != "delimiter":
            return b""
        delimiter = self.frame.delimiters[0]
        if find_delimiter(content + delimiter, self.frame.delimiters) != (len(content), delimiter):
            raise Unfit("the content holds the delimiter")
        return b"" if bare else delimiter

    def _loose_names(self):
        """The free fields and all that is computed from them."""
        loose = set(self.free)
        while True:
            more = {field.name for field in self.fields.values()
                    if field.computed is not None and self._depends(field, loose)} - loose
            more |= {field.name for field in self.fields.values() if field.sum is not None and loose} - loose
            more |= {self.fields[name].pairs for name in loose if self.fields[name].pairs is not None} - loose
            if not more:
                return loose
            loose |= more

    def _depends(self, field, loose):
        names = expr.names_in(field.computed)
        inner = {own.name for own in self.message.fields}
        return bool(names & loose) or self.frame.body in names and bool(inner & loose)

    def _parts(self, data, spans):
        loose, parts, done = self._loose_names(), [], 0
        for name, start, end in spans:
            if name in loose:
                first, last = start // 8, (end + 7) // 8
                parts += [data[done:first], FreePart(self.message.name, name, data[first:last])]
                done = last
        return [part for part in parts + [data[done:]] if part != b""]


def encode(spec, sender, name, given, bare=False):
    """The pattern of a message's frame; Unfit or Undefined if it cannot be encoded."""
    return Encoding(spec, sender, spec.messages[name], given).run(bare)


__all__ = ["Free", "FreePart", "Pattern", "Undefined", "encode"]
