"""The functions of the expression language (LANGUAGE.md, section 7)."""

import re

from .structured import PairsText
from .sums import SUMS
from .values import INT_MAX, INT_MIN, SpecError, Undefined, need

_LINE = {0x5C: b"\\\\", 0x0D: b"\\r", 0x0A: b"\\n", 0x00: b"\\0"}
_CANONICAL = re.compile(rb"0|-?[1-9][0-9]*")


def line(value):
    """Bytes as they can stand on one line, undoable."""
    return b"".join(_LINE.get(byte, bytes([byte])) for byte in need(value, "bytes"))


def parse_decimal(value):
    """The number of a canonical decimal text, or None."""
    if not _CANONICAL.fullmatch(value):
        return None
    number = int(value)
    return number if INT_MIN <= number <= INT_MAX else None


def _number(value):
    result = parse_decimal(need(value, "bytes"))
    if result is None:
        raise Undefined("not a number")
    return result


def _hex(value):
    if need(value, "number") < 0:
        raise Undefined("hex of a negative number")
    return b"%x" % value


def _extreme(choose):
    def function(left, right):
        for value in (left, right):
            need(value, "number", "duration")
        if type(left) is not type(right):
            raise SpecError("min and max want two values of one type")
        return choose(left, right)
    return function


def _bytes_pair(relation):
    def function(left, right):
        return relation(need(left, "bytes"), need(right, "bytes"))
    return function


def _pair(pairs, name):
    if not isinstance(pairs, PairsText):
        raise SpecError("pair() wants a field of type pairs")
    value = pairs.value(need(name, "bytes"))
    if value is None:
        raise Undefined("no pair %r" % name)
    return value


def _sum(function):
    return lambda value: function(need(value, "bytes"))


FUNCTIONS = {
    **{name: _sum(function) for name, (function, _) in SUMS.items()},
    "size": lambda value: len(need(value, "bytes")),
    "len": lambda value: len(need(value, "list")),
    "min": _extreme(min),
    "max": _extreme(max),
    "line": line,
    "lower": lambda value: need(value, "bytes").lower(),
    "upper": lambda value: need(value, "bytes").upper(),
    "starts": _bytes_pair(lambda a, b: a.startswith(b)),
    "ends": _bytes_pair(lambda a, b: a.endswith(b)),
    "contains": _bytes_pair(lambda a, b: b in a),
    "decimal": lambda value: b"%d" % need(value, "number"),
    "hex": _hex,
    "number": _number,
    "pair": _pair,
}
