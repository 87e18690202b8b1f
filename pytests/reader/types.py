"""Types (LANGUAGE.md, section 3): what values they hold and how they stand on the wire.

Reading is in two steps: `read` takes the bytes and gives a value, `verify`
holds the value against all constraints. Walking a frame to find its end needs
only the first.
"""

import re

from . import expr
from .functions import parse_decimal
from .structured import PairsText
from .values import (ABSENT, INT_MAX, INT_MIN, Duration, EnumType, EnumValue, SpecError, Undefined, Unfit, kind,
                     parse_duration)
from .wire import Endless, Fault, Oversize, Short, find_delimiter

WHITE = b" \t\n\v\f\r"


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


class Extent:
    """Where bytes end: size expression, rest, prefix or delimiter."""

    def __init__(self, form, detail):
        self.form, self.detail = form, detail

    def _size(self, scope):
        try:
            size = self.detail.eval(scope)
        except Undefined as error:
            raise Endless("the size is undefined: %s" % error) from error
        if size < 0:
            raise Endless("the size is negative")
        return size

    def _prefix(self, reader, scope):
        try:
            return self.detail.read(reader, scope, frozenset())
        except Oversize:
            raise Oversize(told=False) from None
        except Fault as fault:
            raise Endless("the size is not told: %s" % fault) from fault

    def read(self, reader, scope):
        """Take the bytes."""
        if self.form == "rest":
            return reader.take(reader.left())
        if self.form == "until":
            return reader.until(self.detail)
        if self.form == "before":
            return reader.before(self.detail)
        if self.form == "prefix":
            size = self._prefix(reader, scope)
            if size > INT_MAX:
                raise Endless("the size is beyond 64 bits")
            return reader.take(size)
        return reader.take(self._size(scope))

    def write(self, writer, data, scope):
        """Append the bytes with what tells their end."""
        if self.form == "prefix":
            self.detail.write(writer, len(data), scope)
        if self.form == "size" and self.detail.eval(scope) != len(data):
            raise Unfit("the size does not agree with the bytes")
        if self.form == "until":
            delimiter = self.detail[0]
            if find_delimiter(data + delimiter, self.detail) != (len(data), delimiter):
                raise Unfit("the value contains a delimiter")
            data += delimiter
        if self.form == "before" and find_delimiter(data, self.detail) is not None:
            raise Unfit("the value contains what ends it")
        writer.put(data)


class ExtentType(Type):
    """Base of the types whose bytes lie in an extent."""

    def __init__(self, name, extent, loose):
        super().__init__()
        self.name, self.extent, self.loose = name, extent, loose

    def widened(self, lenient):
        """What the leniencies that are on widen."""
        return {what for name, widenings in self.loose.items() if name in lenient for what in widenings}

    def read_extent(self, reader, scope, lenient):
        """The bytes of the extent. Where a leniency says so, white space before the value is skipped: before the
        extent where a delimiter or the end ends it, inside of it where a size does."""
        if "space" not in self.widened(lenient):
            return self.extent.read(reader, scope)
        if self.extent.form in ("size", "prefix"):
            return self.extent.read(reader, scope).lstrip(WHITE)
        while reader.left() and reader.data[reader.position] in WHITE:
            reader.take(1)
        return self.extent.read(reader, scope)

    def read(self, reader, scope, lenient):
        """Take the extent and parse it."""
        return self.parse(self.read_extent(reader, scope, lenient), self.widened(lenient))

    def write(self, writer, value, scope):
        """Append the value's one form."""
        self.extent.write(writer, self.format(value), scope)

    def parse(self, data, widened):
        """The value of the extent's bytes."""
        raise NotImplementedError

    def format(self, value):
        """The bytes of a value."""
        raise NotImplementedError


class BytesType(ExtentType):
    """Bytes, or text with a checked character set."""

    value_kind = "bytes"

    def __init__(self, name, extent, loose, charset):
        super().__init__(name, extent, loose)
        self.charset = charset
        self.constraints = [self._in_charset]

    def _in_charset(self, value, _scope):
        if self.charset == "bytes":
            return
        try:
            value.decode(self.charset)
        except UnicodeDecodeError as error:
            raise Fault("malformed", str(error)) from error

    def parse(self, data, widened):
        """The bytes as they are."""
        return bytes(data)

    def format(self, value):
        """The bytes as they are."""
        return value

    def from_data(self, data):
        """Each character one byte; text in UTF-8 as such."""
        return str(data).encode("utf-8") if self.charset == "utf-8" else data_bytes(data)

    def zero(self):
        """NULs, as many as a fixed extent takes."""
        size = self.extent.detail.eval(expr.Scope()) if self.extent.form == "size" else 0
        return b"\0" * size


class EnumTextType(ExtentType):
    """An enum over texts."""

    value_kind = "enum"

    def __init__(self, name, extent, loose, enum):
        super().__init__(name, extent, loose)
        self.enum = enum
        self.wire = extent is not None
        self.constraints = [self._known]

    def _known(self, value, _scope):
        known_enum(self.enum, value)

    def parse(self, data, widened):
        """The literal that has this text, whatever its case if the enum folds."""
        data = bytes(data)
        if self.enum.fold and data not in self.enum.names:
            for key in self.enum.names:
                if key.lower() == data.lower():
                    return EnumValue(self.enum, key)
        return EnumValue(self.enum, data)

    def format(self, value):
        """The literal's text."""
        return value.key

    def from_data(self, data):
        """A literal by name."""
        return enum_data(self.enum, data, data_bytes)

    def zero(self):
        """The first literal."""
        return self.enum.value(next(iter(self.enum.literals)))


class DecimalType(ExtentType):
    """A decimal number in canonical form, unless a leniency widens it."""

    value_kind = "number"

    def __init__(self, name, extent, loose, base):
        super().__init__(name, extent, loose)
        self.base = base
        self.constraints = list(base.constraints)

    def holds(self, number):
        """Whether the number type has this value."""
        return self.base.holds(number)

    def parse(self, data, widened):
        """The number of the text."""
        number = parse_decimal(_narrow(bytes(data), widened))
        if number is None:
            raise Fault("malformed", "%r is no number in canonical form" % bytes(data))
        return number

    def format(self, value):
        """The canonical form."""
        return b"%d" % value

    def from_data(self, data):
        """A number."""
        return data_number(data)


def _narrow(data, widened):
    """The canonical text behind what a leniency lets in."""
    sign = rb"[+-]?" if "plus" in widened else rb"-?"
    match = re.match(rb"(" + sign + rb")([0-9]+)", data)
    if not match or match.end() < len(data) and "tail" not in widened:
        return data
    sign, digits = match.group(1).replace(b"+", b""), match.group(2)
    if "zeros" in widened:
        digits = digits.lstrip(b"0") or b"0"
        sign = b"" if digits == b"0" else sign
    return sign + digits


class HexType(DecimalType):
    """A hexadecimal number, lower case, without leading zeros."""

    def parse(self, data, widened):
        """The number of the text."""
        data = bytes(data)
        if "tail" in widened:
            match = re.match(rb"[0-9a-f]+", data)
            data = match.group() if match else data
        if "zeros" in widened:
            data = data.lstrip(b"0") or (b"0" if data else b"")
        if not re.fullmatch(rb"0|[1-9a-f][0-9a-f]*", data):
            raise Fault("malformed", "%r is no hexadecimal number in canonical form" % data)
        if int(data, 16) > INT_MAX:
            raise Fault("malformed", "beyond 64 bits signed")
        return int(data, 16)

    def format(self, value):
        """Lower case digits."""
        if value < 0:
            raise Unfit("negative")
        return b"%x" % value


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


class RecordType(Type):
    """Fields one after another under one name (see fields.py)."""

    name = "record"


class ObjectType(Type):
    """A JSON object as another form of the fields behind it; its value is whether it is there."""

    name, value_kind = "json", "bool"

    def __init__(self, members, rest):
        super().__init__()
        self.members, self.rest = members, rest

    def write(self, writer, value, scope):
        """Nothing: it is never written."""

    def from_data(self, data):
        """`true` or `false`."""
        return data == "true"


class PairsType(Type):
    """Pairs up to the end; the value is their canonical form."""

    name, value_kind = "pairs", "bytes"

    def __init__(self, grammar, names, values):
        super().__init__()
        self.grammar, self.names, self.values = grammar, names, values

    def canonical(self, pairs, scope):
        """The value that these pairs make; Fault or Unfit where there is none."""
        for name, value in pairs:
            self.names.verify(name, scope)
            self.values.verify(value, scope)
        if len(pairs) > self.grammar.most:
            raise Fault("malformed", "too many pairs")
        return PairsText(self.grammar.write(self.grammar.settle(pairs)), self.grammar)

    def read(self, reader, scope, lenient):
        """Take all that is left."""
        return self.of_text(reader.take(reader.left()), scope)

    def of_text(self, text, scope):
        """The value of a text in any form."""
        return self.of_pairs(self.grammar.parse(bytes(text)), scope)

    def of_pairs(self, pairs, scope):
        """The value of pairs that were read."""
        try:
            return self.canonical(pairs, scope)
        except Unfit as error:
            raise Fault("malformed", str(error)) from error

    def given(self, text, over, scope):
        """The value that a sender means: what it gave, with these pairs over it."""
        try:
            pairs = self.grammar.settle(self.grammar.parse(bytes(text)))
            names = [name for name, _ in pairs]
            pairs = [(name, over.get(name, value)) for name, value in pairs]
            return self.canonical(pairs + [(name, value) for name, value in over.items() if name not in names], scope)
        except Fault as fault:
            raise Unfit(str(fault)) from fault

    def write(self, writer, value, scope):
        """Append the canonical form."""
        writer.put(value)

    def from_data(self, data):
        """Text in canonical form."""
        return PairsText(data_bytes(data), self.grammar)

    def zero(self):
        """No pairs."""
        return PairsText(b"", self.grammar)


class ListType(Type):
    """Elements one after another."""

    value_kind = "list"

    def __init__(self, element, count, to_end, most):
        super().__init__()
        self.name = "list"
        self.element, self.count, self.to_end, self.most = element, count, to_end, most
        self.enum, self.wire = element.enum, element.wire and (count is not None or to_end)
        self.constraints = [self._elements]

    def _elements(self, value, scope):
        if self.most is not None and len(value) > self.most:
            raise Fault("malformed", "more than %d elements" % self.most)
        for item in value:
            self.element.verify(item, scope)

    def read(self, reader, scope, lenient):
        """Take as many elements as there are."""
        if self.to_end:
            return self._read_rest(reader, scope, lenient)
        try:
            count = self.count.eval(scope)
        except Undefined as error:
            raise Endless("the number of elements is undefined") from error
        if count < 0:
            raise Endless("the number of elements is negative")
        width = getattr(self.element, "base", self.element)
        if isinstance(width, IntType) and width.width % 8 == 0:
            reader.need(count * width.width // 8)
        try:
            return tuple(self.element.read(reader, scope, lenient) for _ in range(count))
        except Oversize:
            raise Oversize(told=False) from None
        except Fault as fault:
            raise Endless("an element: %s" % fault) from fault

    def _read_rest(self, reader, scope, lenient):
        items = []
        while reader.bit < 8 * len(reader.data):
            items.append(self.element.read(reader, scope, lenient))
        return tuple(items)

    def write(self, writer, value, scope):
        """Append the elements."""
        if self.count is not None and self.count.eval(scope) != len(value):
            raise Unfit("the count does not agree with the list")
        for item in value:
            self.element.write(writer, item, scope)

    def from_data(self, data):
        """A sequence of the elements' data."""
        return tuple(self.element.from_data(item) for item in data)

    def zero(self):
        """Empty."""
        return ()


__all__ = [name for name in dir() if name.endswith("Type")] + ["Extent", "Short", "INT_MIN"]
