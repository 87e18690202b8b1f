"""Types (LANGUAGE.md, section 3): what values they hold and how they stand on the wire.

Reading is in two steps: `read` takes the bytes and gives a value, `verify`
holds the value against all constraints. Walking a frame to find its end needs
only the first. Types whose bytes lie in an extent are in extents.py, those that
are made of others in compound.py.
"""

import re

from . import expr
from .values import (ABSENT, INT_MAX, Duration, EnumType, EnumValue, SpecError, Undefined, Unfit, kind,
                     parse_duration)
from .wire import Endless, Fault, Oversize


def data_bytes(text):
    """Text data as bytes: each character one byte; what does not fit that is UTF-8."""
    try:
        return str(text).encode("latin-1")
    except UnicodeEncodeError:
        return str(text).encode("utf-8")


def data_number(text):
    """A number that stands as data."""
    match = re.fullmatch(r"(-?(?:0x[0-9a-fA-F]+|[0-9]+))\s*(KiB|MiB|)", str(text))
    if not match:
        raise SpecError("%r: expected a number" % (text,))
    digits = match.group(1)
    return int(digits, 16 if "0x" in digits else 10) * {"KiB": 1024, "MiB": 1 << 20, "": 1}[match.group(2)]


def pieces_of(tree):
    """A piece of text or a list of alternatives, as bytes."""
    return [data_bytes(item) for item in (tree if isinstance(tree, list) else [tree])]


class Type:
    """Base of all types. `enum` is the EnumType whose literals may stand for values."""

    name, enum, value_kind, wire, loose = "?", None, None, True, {}
    chars = first = None  # the bytes that it is made of, and may begin with, where the spec says so

    def __init__(self):
        self.constraints = []

    def read(self, reader, scope, lenient):
        """Take the value's bytes; Fault if they are of no value."""
        raise SpecError("%s: has no wire form" % self.name)

    def write(self, writer, value, scope):
        """Append the value's bytes; Unfit if it has none."""
        raise SpecError("%s: has no wire form" % self.name)

    def verify(self, value, scope):
        """Hold a value against the constraints; Fault names the event."""
        for constraint in self.constraints:
            constraint(value, scope)

    def accept(self, value, scope=None):
        """The value, if a variable, argument or field of this type can hold it; Unfit otherwise."""
        if self.value_kind and kind(value) != self.value_kind:
            raise SpecError("%s: cannot hold %r" % (self.name, value))
        try:
            self.verify(value, scope or expr.Scope())
        except Fault as fault:
            raise Unfit(str(fault)) from fault
        return value

    def from_data(self, data):
        """The value that data in the spec stands for."""
        raise SpecError("%s: no data" % self.name)

    def zero(self):
        """The value of a variable without init, and of padding."""
        return self.from_data("0")


class IntType(Type):
    """Integers of 1 to 64 bits."""

    value_kind = "number"

    def __init__(self, name, bits, signed, order):
        super().__init__()
        self.name, self.width, self.signed, self.order = name, bits, signed, order
        self.low = -(1 << (bits - 1)) if signed else 0
        self.high = min((1 << (bits - signed)) - 1, INT_MAX)
        self.constraints = [self._in_range]

    def holds(self, number):
        """Whether the type has this value."""
        return self.low <= number <= self.high

    def _in_range(self, value, _scope):
        if not self.holds(value):
            raise Fault("malformed", "%d outside %s" % (value, self.name))

    def read_number(self, reader):
        """The number as it stands on the wire."""
        if self.width % 8:
            number = reader.bits(self.width)
        else:
            number = int.from_bytes(reader.take(self.width // 8), self.order)
        return number - (1 << self.width) if self.signed and number >> (self.width - 1) else number

    def write_number(self, writer, value):
        """Append the number."""
        if not self.holds(value):
            raise Unfit("%d does not fit %s" % (value, self.name))
        value &= (1 << self.width) - 1
        if self.width % 8:
            writer.bits(value, self.width)
        else:
            writer.put(value.to_bytes(self.width // 8, self.order))

    def read(self, reader, scope, lenient):
        """Take the number."""
        return self.read_number(reader)

    def write(self, writer, value, scope):
        """Append the number."""
        self.write_number(writer, value)

    def from_data(self, data):
        """A number."""
        return data_number(data)


class BoolType(Type):
    """One bit."""

    name, value_kind = "bool", "bool"

    def read(self, reader, scope, lenient):
        """Take a bit."""
        return bool(reader.bits(1))

    def write(self, writer, value, scope):
        """Append a bit."""
        writer.bits(int(value), 1)

    def from_data(self, data):
        """`true` or `false`."""
        if data not in ("true", "false", "0"):
            raise SpecError("%r: expected true or false" % data)
        return data == "true"


class DurationType(Type):
    """A value type only."""

    name, value_kind, wire = "duration", "duration", False

    def from_data(self, data):
        """`200ms` and the like."""
        return Duration(0) if data == "0" else parse_duration(data)


class ValueType(Type):
    """`bytes` and `text` without an extent: for variables, arguments and results."""

    value_kind, wire = "bytes", False

    def __init__(self, name):
        super().__init__()
        self.name = name

    def from_data(self, data):
        """Each character one byte."""
        return data_bytes(data)

    def zero(self):
        """Empty."""
        return b""


class EnumIntType(Type):
    """An enum over an integer type."""

    value_kind = "enum"

    def __init__(self, name, base, literals, is_open):
        super().__init__()
        self.name, self.base = name, base
        self.enum = EnumType(name, {k: data_number(v) for k, v in literals.items()}, is_open)
        self.constraints = [self._known]

    def _known(self, value, _scope):
        known_enum(self.enum, value)

    def read(self, reader, scope, lenient):
        """Take the number; whether a literal has it is verified later."""
        return EnumValue(self.enum, self.base.read_number(reader))

    def write(self, writer, value, scope):
        """Append the number."""
        self.base.write_number(writer, value.key)

    def from_data(self, data):
        """A literal by name, or a number where the enum is open."""
        return enum_data(self.enum, data, data_number)

    def zero(self):
        """The first literal."""
        return self.enum.value(next(iter(self.enum.literals)))


def known_enum(enum, value):
    """A closed enum refuses what no literal names."""
    if not value.known and not enum.is_open:
        raise Fault("unknown", "%r" % value)


def enum_data(enum, data, convert):
    """The value of a literal's name, or of a key of an open enum."""
    if data in enum.literals:
        return enum.value(data)
    if not enum.is_open:
        raise SpecError("%s has no literal %r" % (enum.name, data))
    return EnumValue(enum, convert(data))


class VarintType(Type):
    """Groups of seven bits in the shortest form."""

    name, value_kind = "varint", "number"

    def __init__(self, most, low_first):
        super().__init__()
        self.most, self.low_first = most, low_first

    def holds(self, number):
        """Whether so many groups can carry the number."""
        return 0 <= number <= min((1 << (7 * self.most)) - 1, INT_MAX)

    @staticmethod
    def _next(reader):
        try:
            return reader.take(1)[0]
        except Oversize:
            raise Oversize(told=False) from None

    def read(self, reader, scope, lenient):
        """Take groups up to the one without the high bit."""
        groups = []
        while True:
            byte = self._next(reader)
            groups.append(byte & 0x7F)
            if byte < 0x80:
                break
            if len(groups) == self.most:
                raise Endless("a varint of more than %d bytes" % self.most)
        if self.low_first:
            groups.reverse()
        if groups[0] == 0 and len(groups) > 1:
            raise Fault("malformed", "a varint that is not in the shortest form")
        number = 0
        for group in groups:
            number = number << 7 | group
        if number > INT_MAX:
            raise Fault("malformed", "beyond 64 bits signed")
        return number

    def write(self, writer, value, scope):
        """Append the shortest form."""
        if not self.holds(value):
            raise Unfit("%d does not fit %d groups" % (value, self.most))
        groups = [value & 0x7F]
        while value > 0x7F:
            value >>= 7
            groups.append(value & 0x7F)
        if not self.low_first:
            groups.reverse()
        writer.put(bytes([group | 0x80 for group in groups[:-1]] + groups[-1:]))

    def from_data(self, data):
        """A number."""
        return data_number(data)


class ConstType(Type):
    """Exactly these bytes; no value."""

    name = "const"

    def __init__(self, data):
        super().__init__()
        self.data = data

    def read(self, reader, scope, lenient):
        """Take the bytes; a wrong one decides as soon as it is there."""
        got = reader.take(len(self.data))
        if got != self.data:
            raise Fault("malformed", "expected %r" % self.data)
        return ABSENT

    def write(self, writer, value, scope):
        """Append the bytes."""
        writer.put(self.data)

    def zero(self):
        """There is no value."""
        return ABSENT


class CalcType(Type):
    """No bytes; the value is that of an expression."""

    name = "calc"

    def __init__(self, node):
        super().__init__()
        self.node = node

    def read(self, reader, scope, lenient):
        """The expression's value; malformed when it is undefined."""
        try:
            return self.node.eval(scope)
        except Undefined as error:
            raise Fault("malformed", "calc: %s" % error) from error

    def write(self, writer, value, scope):
        """Nothing."""
