"""Values of expressions and fields.

number: int, bool: bool, bytes and text: bytes, list: tuple, duration: Duration
(nanoseconds), enum: EnumValue. Nothing converts by itself.
"""

from .yamltree import SpecError

INT_MIN, INT_MAX = -(1 << 63), (1 << 63) - 1
DURATION_UNITS = {"ns": 1, "us": 10 ** 3, "ms": 10 ** 6, "s": 10 ** 9, "min": 60 * 10 ** 9}


class Undefined(Exception):
    """An expression has no value: overflow, an absent field, an index outside..."""


class Unfit(Exception):
    """A value does not fit where it is stored or encoded."""


class Duration(int):
    """A time span in nanoseconds."""


class NoRoom(Exception):
    """As many messages as may be are not acknowledged."""


class Opaque(bytes):
    """Bytes of an implementation's own choice, which nobody can guess: seals, random values. Ours stand for all."""


class _Absent:
    """Stands for a field that is not there."""

    def __repr__(self):
        return "ABSENT"


ABSENT = _Absent()


class Record:
    """The parts of a record by name; a part may be ABSENT."""

    def __init__(self, parts):
        self.parts = dict(parts)

    def __eq__(self, other):
        return isinstance(other, Record) and self.parts == other.parts

    def __hash__(self):
        return hash(tuple(sorted((name, value) for name, value in self.parts.items() if value is not ABSENT)))

    def __repr__(self):
        return "Record(%r)" % self.parts


class EnumType:
    """The literals of an enum: names to keys (numbers or bytes)."""

    def __init__(self, name, literals, is_open=False, fold=False):
        self.name, self.literals, self.is_open, self.fold = name, literals, is_open, fold
        self.names = {}
        for literal, key in literals.items():
            self.names.setdefault(key, literal)

    def value(self, literal):
        """The value of a literal by name; KeyError if there is none."""
        return EnumValue(self, self.literals[literal])


class EnumValue:
    """A value of an enum, possibly one that no literal names."""

    __slots__ = ("type", "key")

    def __init__(self, enum_type, key):
        self.type, self.key = enum_type, key

    @property
    def known(self):
        """Whether a literal stands for this value."""
        return self.key in self.type.names

    @property
    def name(self):
        """The literal, or None."""
        return self.type.names.get(self.key)

    def __eq__(self, other):
        return isinstance(other, EnumValue) and other.type is self.type and other.key == self.key

    def __hash__(self):
        return hash(self.key)

    def __repr__(self):
        return "%s.%s" % (self.type.name, self.name if self.known else self.key)


def kind(value):
    """The name of a value's type."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Duration):
        return "duration"
    if isinstance(value, int):
        return "number"
    if isinstance(value, bytes):
        return "bytes"
    if isinstance(value, tuple):
        return "list"
    if isinstance(value, EnumValue):
        return "enum"
    raise SpecError("not a value: %r" % (value,))


def need(value, *kinds):
    """The value, if it is of one of these kinds; a type error otherwise."""
    if kind(value) not in kinds:
        raise SpecError("expected %s, got %s %r" % (" or ".join(kinds), kind(value), value))
    return value


def in_range(number):
    """A number that 64 bits signed can hold; undefined otherwise."""
    if not INT_MIN <= number <= INT_MAX:
        raise Undefined("overflow")
    return number


def parse_duration(text):
    """Nanoseconds of `200ms` and the like, or None."""
    for unit in ("ns", "us", "ms", "min", "s"):
        digits = text[: -len(unit)]
        if text.endswith(unit) and digits.isdigit():
            return Duration(int(digits) * DURATION_UNITS[unit])
    return None
