"""Types whose bytes lie in an extent (LANGUAGE.md, section 3): bytes, text, enums over texts, numbers in digits."""

import re

from . import expr
from .functions import parse_decimal
from .types import Type, data_bytes, data_number, enum_data, known_enum
from .values import INT_MAX, EnumValue, Undefined, Unfit
from .wire import Endless, Fault, Oversize, find_delimiter

WHITE = b" \t\n\v\f\r"


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
