"""From the YAML of a type to a Type: names, forms, refinements."""

import copy
import re

from . import expr
from .compound import ListType, ObjectType, PairsType
from .extents import BytesType, DecimalType, EnumTextType, Extent, HexType
from .fields import record
from .structured import PAIRS_MAX, Grammar
from .types import (BoolType, CalcType, ConstType, DurationType, EnumIntType, IntType, ValueType, VarintType,
                    data_bytes, data_number, pieces_of)
from .values import EnumType, SpecError
from .wire import Fault

DECLARED_FORMS = frozenset(["choice", "switch", "bag", "forms", "wild"])
FORMS = ["enum", "bytes", "text", "decimal", "hex", "varint", "const", "list", "calc", "record", "pairs", "json"]
_INT = re.compile(r"([ui])([1-9][0-9]?)(be|le|)")
_CLASS_ITEM = re.compile(r"\\x([0-9a-fA-F]{2})|\\([\\\-\]^])|([^\\])", re.S)


class DeclaredOnly(SpecError):
    """A construct that this version reads but does not run."""


def flag(data, default=False):
    """`true` or `false` as data."""
    if data is None:
        return default
    if data not in ("true", "false"):
        raise SpecError("%r: expected true or false" % (data,))
    return data == "true"


def byte_class(text):
    """The set of bytes that a class such as `A-Za-z` names."""
    negated = text.startswith("^")
    items, position, text = [], int(negated), str(text)
    while position < len(text):
        match = _CLASS_ITEM.match(text, position)
        if not match:
            raise SpecError("%r: no byte class" % text)
        byte = int(match.group(1), 16) if match.group(1) else ord(match.group(2) or match.group(3))
        items.append("-" if match.group(3) == "-" else byte)
        position = match.end()
    return _expand(items, negated)


def _expand(items, negated):
    found, i = set(), 0
    while i < len(items):
        first = ord("-") if items[i] == "-" else items[i]
        if i + 2 < len(items) and items[i + 1] == "-" and items[i + 2] != "-":
            found |= set(range(first, items[i + 2] + 1))
            i += 3
        else:
            found.add(first)
            i += 1
    return frozenset(range(256)) - found if negated else frozenset(found)


class TypeTable:
    """The types of a spec by name."""

    def __init__(self, tree, order):
        self.trees, self.order, self.types = tree, order, {}
        for name in tree:
            self[name]

    def get(self, name, default=None):
        """As of a mapping."""
        try:
            return self[name]
        except SpecError:
            return default

    def __getitem__(self, name):
        """The type of this name, resolved when first asked for."""
        if name not in self.types:
            self.types[name] = self._named(name)
        return self.types[name]

    def _named(self, name):
        if name in self.trees:
            made = copy.copy(self.make(self.trees[name]))
            made.name = str(name)
            if made.enum is not None:
                made.enum.name = str(name)
            return made
        match = _INT.fullmatch(name)
        if match and match.group(0) not in ("i1", "i1be", "i1le"):
            return self._integer(name, match)
        simple = {"bool": BoolType, "duration": DurationType}
        if name in simple:
            return simple[name]()
        if name in ("bytes", "text"):
            return ValueType(str(name))
        raise SpecError("%s: no such type" % name)

    def _integer(self, name, match):
        order = {"be": "big", "le": "little", "": self.order}[match.group(3)]
        bits = int(match.group(2))
        if bits > 64:
            raise SpecError("%s: no such type" % name)
        return IntType(str(name), bits, match.group(1) == "i", order)

    def make(self, tree):
        """The type that a name or a mapping describes."""
        if isinstance(tree, str):
            return self[tree]
        declared = DECLARED_FORMS & set(tree)
        if declared:
            raise DeclaredOnly("%s: declared only" % ", ".join(sorted(declared)))
        made = copy.copy(self._form(tree))
        made.constraints = made.constraints + self._refinements(made, tree)
        made.loose = {**made.loose, **tree.get("loose", {})}
        return made

    def _form(self, tree):
        for form in FORMS:
            if form in tree and not (form == "text" and isinstance(tree.get("type"), str) and self._is_text_enum(tree)):
                return getattr(self, "_make_" + form)(tree)
        base = self[tree["type"]]
        if isinstance(base, EnumTextType) and "text" in tree:
            return EnumTextType(base.name, self.extent(tree["text"]), {}, base.enum)
        return base

    def _is_text_enum(self, tree):
        return isinstance(self[tree["type"]], EnumTextType)

    def extent(self, tree):
        """Where bytes end."""
        if isinstance(tree, str):
            return Extent("rest", None) if tree == "rest" else Extent("size", expr.parse(tree))
        if "prefix" in tree:
            varint = VarintType(9, self.order == "little")
            return Extent("prefix", varint if tree["prefix"] == "varint" else self[tree["prefix"]])
        if "until" in tree:
            return Extent("until", pieces_of(tree["until"]))
        if "before" in tree:
            return Extent("before", pieces_of(tree["before"]))
        return Extent("prefix", self.make(tree))

    def _make_enum(self, tree):
        if tree["enum"] != "text":
            base = self[tree["enum"]]
            return EnumIntType("enum", base, tree["of"], flag(tree.get("open")))
        literals = {name: data_bytes(text) for name, text in tree["of"].items()}
        extent = self.extent(tree["text"]) if "text" in tree else None
        enum = EnumType("enum", literals, flag(tree.get("open")), tree.get("fold") == "ascii")
        return EnumTextType("enum", extent, {}, enum)

    def _make_bytes(self, tree):
        return BytesType("bytes", self.extent(tree["bytes"]), {}, "bytes")

    def _make_text(self, tree):
        charset = tree.get("charset", "utf-8")
        if charset not in ("bytes", "ascii", "utf-8"):
            raise SpecError("charset %s: expected bytes, ascii or utf-8" % charset)
        return BytesType("text", self.extent(tree["text"]), {}, str(charset))

    def _make_decimal(self, tree):
        return DecimalType("decimal", self.extent(tree["decimal"]), {}, self[tree.get("type", "i64")])

    def _make_hex(self, tree):
        return HexType("hex", self.extent(tree["hex"]), {}, self[tree.get("type", "i64")])

    def _make_varint(self, tree):
        detail = tree["varint"]
        order = detail.get("order", "low-first" if self.order == "little" else "high-first")
        if order not in ("low-first", "high-first"):
            raise SpecError("order %s: expected low-first or high-first" % order)
        return VarintType(data_number(detail["most"]), order == "low-first")

    def _make_const(self, tree):
        return ConstType(data_bytes(tree["const"]))

    def _make_calc(self, tree):
        return CalcType(expr.parse(tree["calc"]))

    def _make_list(self, tree):
        count = expr.parse(tree["count"]) if "count" in tree else None
        most = data_number(tree["most"]) if "most" in tree else None
        element = self.make(tree["list"])
        if element.value_kind not in ("number", "enum", "bool"):
            raise DeclaredOnly("lists of anything but numbers: declared only")
        return ListType(element, count, tree.get("until") == "end", most)

    def _make_record(self, tree):
        return record(tree["record"], self)

    def _make_json(self, tree):
        members = {str(name).encode(): str(field) for name, field in tree["json"].get("members", {}).items()}
        return ObjectType(members, str(tree["json"]["rest"]) if "rest" in tree["json"] else None)

    def _make_pairs(self, tree):
        detail = tree["pairs"]
        duplicates = str(detail.get("duplicates", "last"))
        if duplicates not in ("last", "first", "malformed"):
            raise SpecError("duplicates: %s: expected last, first or malformed" % duplicates)
        escapes = {_byte(letter): _byte(byte) for letter, byte in detail.get("escapes", {}).items()}
        most = data_number(detail["most"]) if "most" in detail else PAIRS_MAX
        if not 1 <= most <= PAIRS_MAX:
            raise SpecError("most: 1 to %d pairs" % PAIRS_MAX)
        quote, escape = (_byte(detail[key]) if key in detail else None for key in ("quote", "escape"))
        quote_if = byte_class(detail["quote-if"]) if "quote-if" in detail else frozenset()
        grammar = Grammar(_byte(detail["separator"]), _byte(detail["assign"]), quote, escape, escapes, quote_if,
                          flag(detail.get("sorted")), duplicates, most)
        return PairsType(grammar, self.make(detail["name"]), self.make(detail["value"]))

    def _refinements(self, made, tree):
        """The constraints that a mapping adds, each raising the mapping's fault."""
        tests = []
        if "min" in tree or "max" in tree:
            tests.append(_bounds(made, tree))
        if "in" in tree:
            allowed = [made.from_data(item) for item in tree["in"]]
            tests.append(lambda value, scope: value in allowed)
        if "chars" in tree:
            chars = made.chars = byte_class(tree["chars"])
            tests.append(lambda value, scope: all(byte in chars for byte in value))
        if "first" in tree:
            first = made.first = byte_class(tree["first"])
            tests.append(lambda value, scope: len(value) > 0 and value[0] in first)
        if "not" in tree:
            refused = data_bytes(tree["not"])
            tests.append(lambda value, scope: not any(byte in refused for byte in value))
        if "check" in tree:
            node = expr.parse(tree["check"])
            tests.append(lambda value, scope: expr.holds(node, scope.inner({"it": value})))
        return [_constraint(test, str(tree.get("fault", "malformed"))) for test in tests]


def _byte(text):
    data = data_bytes(text)
    if len(data) != 1:
        raise SpecError("%r: expected one byte" % (text,))
    return data[0]


def _bounds(made, tree):
    low, high = _bound(made, tree.get("min")), _bound(made, tree.get("max"))
    measure = (lambda value: value) if made.value_kind in ("number", "duration") else len

    def test(value, _scope):
        size = measure(value)
        return (low is None or size >= low) and (high is None or size <= high)
    return test


def _bound(made, data):
    if data is None:
        return None
    return made.from_data(data) if made.value_kind == "duration" else data_number(data)


def _constraint(test, fault):
    def constraint(value, scope):
        if not test(value, scope):
            raise Fault(fault, "%r" % (value,))
    return constraint
