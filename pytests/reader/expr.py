"""Expressions (LANGUAGE.md, section 7): tokenizer, parser, evaluator.

`parse(text)` gives a node; `node.eval(scope, want)` gives its value, raises
Undefined when it has none, and SpecError when the spec is at fault. `want` is
the enum whose literals may stand there bare.
"""

import re

from .functions import FUNCTIONS
from .values import (ABSENT, Duration, EnumType, EnumValue, Record, SpecError, Undefined, in_range, kind, need,
                     parse_duration)

_TOKEN = re.compile(
    r"\s*(?:(?P<duration>\d+(?:ns|us|ms|min|s)\b)|(?P<number>0x[0-9a-fA-F]+|\d+)|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<quote>')|(?P<op>\.\.|\?\?|\|\||&&|==|!=|<=|>=|<<|>>|[-+*/%<>!~&|^?:()\[\].,{}]))")

_LEVELS = [["||"], ["&&"], ["==", "!=", "<=", ">=", "<", ">", "in"], ["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"],
           ["*", "/", "%"]]

_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "\\": "\\", "'": "'", "{": "{"}


class Unresolved(SpecError):
    """A name that nothing in scope bears."""


class Scope:
    """Names in layers, innermost first, with the types of the spec beside them."""

    def __init__(self, layers=(), types=None, self_vars=None, here=None):
        self.layers, self.types, self.self_vars, self.here = list(layers), types or {}, self_vars, here

    def inner(self, names):
        """A scope with one more layer in front."""
        return Scope([names] + self.layers, self.types, self.self_vars, self.here)

    def __contains__(self, name):
        return any(name in layer for layer in self.layers)

    def find(self, name):
        """The value or ABSENT; Unresolved if nothing bears the name."""
        for layer in self.layers:
            if name in layer:
                return layer[name]
        raise Unresolved("%s: no such name" % name)

    def present(self, name):
        """Whether a field that may be absent is there."""
        for layer in self.layers:
            if name in layer:
                return layer.present(name) if hasattr(layer, "present") else layer[name] is not ABSENT
        raise Unresolved("%s: no such name" % name)


class Constant:
    """A number, bool, duration."""

    def __init__(self, value):
        self.value = value

    def eval(self, _scope, _want=None):
        """The value itself."""
        return self.value


class Template:
    """A text literal, with expressions inside it."""

    def __init__(self, parts):
        self.parts = parts

    def eval(self, scope, _want=None):
        """The parts joined: numbers in decimal, enums by name, bytes as they are."""
        return b"".join(part if isinstance(part, bytes) else _as_text(part.eval(scope)) for part in self.parts)


def _as_text(value):
    which = kind(value)
    if which == "number":
        return b"%d" % value
    if which == "enum":
        return value.name.encode() if value.known else b"%d" % value.key
    return need(value, "bytes")


class ListNode:
    """`[a, b]`."""

    def __init__(self, items):
        self.items = items

    def eval(self, scope, want=None):
        """A tuple of the items' values."""
        return tuple(item.eval(scope, want) for item in self.items)


class Name:
    """A name in scope, or a bare literal of the enum that is wanted."""

    def __init__(self, name):
        self.name = name

    def eval(self, scope, want=None):
        """The value of what bears the name."""
        try:
            value = scope.find(self.name)
        except Unresolved:
            if want is not None and self.name in want.literals:
                return want.value(self.name)
            if self.name == "peer" and scope.here is not None:
                return scope.here.peer
            raise
        if value is ABSENT:
            raise Undefined("%s is absent" % self.name)
        return value


class Attribute:
    """`self.variable` or `Type.literal`."""

    def __init__(self, base, name):
        self.base, self.name = base, name

    def eval(self, scope, _want=None):
        """The variable or the literal, or a column of a table's row."""
        if _is_row(self.base, scope):
            return self._column(_row(self.base, scope))
        if not isinstance(self.base, Name):
            raise SpecError(".%s: only self.variable, Type.literal and field.part are known" % self.name)
        if self.base.name in scope and self.base.name != "self":
            return self._part(scope.find(self.base.name))
        if self.base.name == "self":
            return scope.self_vars[self.name]
        enum_type = getattr(scope.types.get(self.base.name), "enum", None)
        if enum_type is None or self.name not in enum_type.literals:
            raise Unresolved("%s.%s: no such literal" % (self.base.name, self.name))
        return enum_type.value(self.name)

    def _column(self, row):
        if row is None:
            raise Undefined("no such row")
        if self.name not in row:
            raise Unresolved("no column %s" % self.name)
        return row[self.name]

    def _part(self, value):
        if value is ABSENT:
            raise Undefined("%s is absent" % self.base.name)
        if not isinstance(value, Record) or self.name not in value.parts:
            raise Unresolved("%s has no part %s" % (self.base.name, self.name))
        if value.parts[self.name] is ABSENT:
            raise Undefined("%s.%s is absent" % (self.base.name, self.name))
        return value.parts[self.name]


class Unary:
    """`-x`, `!x`, `~x`."""

    def __init__(self, op, operand):
        self.op, self.operand = op, operand

    def eval(self, scope, _want=None):
        """The result; negating the smallest number overflows."""
        value = self.operand.eval(scope)
        if self.op == "!":
            return not need(value, "bool")
        need(value, "number")
        return in_range(-value) if self.op == "-" else ~value


class Conditional:
    """`c ? a : b`: only the arm that is taken is evaluated."""

    def __init__(self, condition, yes, no):
        self.condition, self.yes, self.no = condition, yes, no

    def eval(self, scope, want=None):
        """The value of the arm taken."""
        taken = self.yes if need(self.condition.eval(scope), "bool") else self.no
        return taken.eval(scope, want)


class Logic:
    """`a && b`, `a || b`: the left decides first whether the right is evaluated."""

    def __init__(self, op, left, right):
        self.op, self.left, self.right = op, left, right

    def eval(self, scope, _want=None):
        """A bool."""
        left = need(self.left.eval(scope), "bool")
        if left == (self.op == "||"):
            return left
        return need(self.right.eval(scope), "bool")


class Compare:
    """Equality, order and membership."""

    def __init__(self, op, left, right):
        self.op, self.left, self.right = op, left, right

    def eval(self, scope, _want=None):
        """A bool; a bare literal on one side takes its enum from the other."""
        try:
            left = self.left.eval(scope)
            right = self.right.eval(scope, _enum_of(left))
        except Unresolved:
            right = self.right.eval(scope)
            left = self.left.eval(scope, _enum_of(right))
        if self.op == "in":
            return any(equal(left, item) for item in need(right, "list"))
        if self.op in ("==", "!="):
            return equal(left, right) == (self.op == "==")
        return _ordered(self.op, left, right)


def _enum_of(value):
    if isinstance(value, tuple) and value:
        value = value[0]
    return value.type if isinstance(value, EnumValue) else None


def equal(left, right):
    """Equality of two values of one type."""
    if kind(left) != kind(right):
        raise SpecError("%r and %r are of different types" % (left, right))
    return left == right


def _ordered(op, left, right):
    if kind(left) != kind(right):
        raise SpecError("%r and %r are of different types" % (left, right))
    need(left, "number", "duration")
    return {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}[op]


class Arithmetic:
    """64 bits signed; joins bytes and lists with `+`."""

    def __init__(self, op, left, right):
        self.op, self.left, self.right = op, left, right

    def eval(self, scope, _want=None):
        """The result, or Undefined."""
        left, right = self.left.eval(scope), self.right.eval(scope)
        if self.op == "+" and kind(left) in ("bytes", "list"):
            return left + need(right, kind(left))
        if "duration" in (kind(left), kind(right)):
            return _duration_arithmetic(self.op, left, right)
        return _arithmetic(self.op, need(left, "number"), need(right, "number"))


def _duration_arithmetic(op, left, right):
    kinds = (kind(left), kind(right))
    scaled = op == "*" and set(kinds) == {"duration", "number"} or op == "/" and kinds == ("duration", "number")
    if not scaled and not (op in "+-" and kinds == ("duration", "duration")):
        raise SpecError("%r %s %r: not for durations" % (left, op, right))
    return Duration(_arithmetic(op, int(left), int(right)))


def _divide(left, right):
    if right == 0:
        raise Undefined("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _shift(op, left, right):
    if not 0 <= right <= 63:
        raise Undefined("shift by %d" % right)
    return left << right if op == "<<" else left >> right


def _arithmetic(op, left, right):
    if op in ("<<", ">>"):
        return in_range(_shift(op, left, right))
    if op == "%":
        return left - _divide(left, right) * right
    operations = {"+": lambda: left + right, "-": lambda: left - right, "*": lambda: left * right,
                  "/": lambda: _divide(left, right), "&": lambda: left & right, "|": lambda: left | right,
                  "^": lambda: left ^ right}
    return in_range(operations[op]())


class Index:
    """`x[i]`."""

    def __init__(self, base, index):
        self.base, self.index = base, index

    def eval(self, scope, _want=None):
        """A byte's number or a list's element."""
        base = need(self.base.eval(scope), "bytes", "list")
        index = need(self.index.eval(scope), "number")
        if not 0 <= index < len(base):
            raise Undefined("index outside")
        return base[index]


def _is_row(node, scope):
    """Whether this is `table[key]`."""
    return isinstance(node, Index) and isinstance(node.base, Name) and node.base.name not in scope \
        and scope.here is not None and scope.here.knows(node.base.name)


def _row(node, scope):
    return scope.here.row(node.base.name, node.index.eval(scope))


class Slice:
    """`x[i..j]`, j exclusive."""

    def __init__(self, base, first, last):
        self.base, self.first, self.last = base, first, last

    def eval(self, scope, _want=None):
        """The part of a value."""
        base = need(self.base.eval(scope), "bytes", "list")
        first, last = need(self.first.eval(scope), "number"), need(self.last.eval(scope), "number")
        if not 0 <= first <= last <= len(base):
            raise Undefined("range outside")
        return base[first:last]


class Call:
    """`f(x)`."""

    def __init__(self, name, args):
        self.name, self.args = name, args

    def eval(self, scope, _want=None):
        """The function's result; `present` and `fits` look at names."""
        if self.name == "present":
            return scope.present(self._only_name(self.args))
        if self.name == "fits":
            number = need(self.args[0].eval(scope), "number")
            return scope.types[self._only_name(self.args[1:])].holds(number)
        if self.name == "has":
            if len(self.args) != 1 or not _is_row(self.args[0], scope):
                raise SpecError("has() wants table[key]")
            return _row(self.args[0], scope) is not None
        if self.name in ("random", "seal", "sealed"):
            if scope.here is None:
                raise SpecError("%s(): there is no session here" % self.name)
            return getattr(scope.here, self.name)(*[arg.eval(scope) for arg in self.args])
        if self.name not in FUNCTIONS:
            raise SpecError("%s(): no such function, or declared only" % self.name)
        return FUNCTIONS[self.name](*[arg.eval(scope) for arg in self.args])

    def _only_name(self, args):
        if len(args) != 1 or not isinstance(args[0], Name):
            raise SpecError("%s() wants a name" % self.name)
        return args[0].name


class _Parser:
    """Recursive descent; tokens are read on demand, as text literals nest expressions."""

    def __init__(self, text, position=0):
        self.text, self.position = text, position

    def peek(self):
        """The next token as (kind, text, end), or kind None at the end."""
        match = _TOKEN.match(self.text, self.position)
        if match is None:
            if self.text[self.position:].strip():
                raise SpecError("%s: cannot be read at %r" % (self.text, self.text[self.position:]))
            return None, "", len(self.text)
        return match.lastgroup, match.group(match.lastgroup), match.end()

    def take(self, *wanted):
        """Consume the next token if it is one of these operators or names."""
        token, text, end = self.peek()
        if token in ("op", "name") and text in wanted:
            self.position = end
            return text
        return None

    def expect(self, wanted):
        """Consume this operator or fail."""
        if not self.take(wanted):
            raise SpecError("%s: expected %s at %r" % (self.text, wanted, self.text[self.position:]))

    def expression(self):
        """The weakest level: `c ? a : b`."""
        condition = self.binary(0)
        if not self.take("?"):
            return condition
        yes = self.expression()
        self.expect(":")
        return Conditional(condition, yes, self.expression())

    def binary(self, level):
        """One level of binary operators, left associative; comparisons do not chain."""
        if level == len(_LEVELS):
            return self.unary()
        left = self.binary(level + 1)
        while True:
            op = self.take(*_LEVELS[level])
            if op is None:
                return left
            left = _binary_node(op, left, self.binary(level + 1))
            if level == 2:
                return left

    def unary(self):
        """`-x`, `!x`, `~x`."""
        op = self.take("-", "!", "~")
        return Unary(op, self.unary()) if op else self.postfix(self.primary())

    def postfix(self, node):
        """Indexes, slices and attributes."""
        while True:
            if self.take("["):
                node = self.subscript(node)
            elif self.take("."):
                node = Attribute(node, self.name())
            else:
                return node

    def subscript(self, base):
        """What stands behind `[`."""
        first = self.expression()
        last = self.expression() if self.take("..") else None
        self.expect("]")
        return Index(base, first) if last is None else Slice(base, first, last)

    def name(self):
        """A name, consumed."""
        token, text, end = self.peek()
        if token != "name":
            raise SpecError("%s: expected a name at %r" % (self.text, self.text[self.position:]))
        self.position = end
        return text

    def items(self, closing):
        """Expressions with commas between them, up to the closing bracket."""
        items = []
        while not self.take(closing):
            if items:
                self.expect(",")
            items.append(self.expression())
        return items

    def primary(self):
        """Literals, names, calls, lists, parentheses."""
        token, text, end = self.peek()
        self.position = end
        if token == "number":
            return Constant(_literal(text))
        if token == "duration":
            return Constant(parse_duration(text))
        if token == "name":
            return self.named(text)
        if token == "quote":
            return self.template()
        if text == "(":
            inner = self.expression()
            self.expect(")")
            return inner
        if text == "[":
            return ListNode(self.items("]"))
        raise SpecError("%s: an operand is missing at %r" % (self.text, text))

    def named(self, text):
        """`true`, `false`, a call or a name."""
        if text in ("true", "false"):
            return Constant(text == "true")
        return Call(text, self.items(")")) if self.take("(") else Name(text)

    def template(self):
        """What stands behind the opening quote of a text literal."""
        parts, run = [], []
        while True:
            char = self.text[self.position:self.position + 1]
            self.position += 1
            if char == "":
                raise SpecError("%s: the text literal is not closed" % self.text)
            if char == "\\":
                run.append(self.escape())
            elif char == "{":
                parts += [b"".join(run), self.expression()]
                run = []
                self.expect("}")
            elif char == "'":
                return Template(parts + [b"".join(run)])
            else:
                run.append(char.encode())

    def escape(self):
        """What stands behind a backslash."""
        char = self.text[self.position:self.position + 1]
        self.position += 1
        if char == "x":
            digits = self.text[self.position:self.position + 2]
            self.position += 2
            if not re.fullmatch("[0-9a-fA-F]{2}", digits):
                raise SpecError("%s: \\x wants two hexadecimal digits" % self.text)
            return bytes([int(digits, 16)])
        if char not in _ESCAPES or char == "":
            raise SpecError("%s: unknown escape \\%s" % (self.text, char))
        return _ESCAPES[char].encode()


def _literal(text):
    value = int(text, 0) if text.startswith("0x") else int(text)
    if value >= 1 << 63:
        raise SpecError("%s does not fit 64 bits signed" % text)
    return value


def _binary_node(op, left, right):
    if op in ("&&", "||"):
        return Logic(op, left, right)
    if op in _LEVELS[2]:
        return Compare(op, left, right)
    return Arithmetic(op, left, right)


def parse(text):
    """The node of an expression."""
    parser = _Parser(str(text))
    node = parser.expression()
    if parser.peek()[0] is not None:
        raise SpecError("%s: what follows %r is not understood" % (text, text[:parser.position]))
    return node


def holds(node, scope):
    """Whether a condition is true; undefined is false."""
    try:
        return need(node.eval(scope), "bool")
    except Undefined:
        return False


def names_in(node):
    """All names that stand in an expression."""
    found = set()
    if isinstance(node, Name):
        found.add(node.name)
    for part in vars(node).values() if hasattr(node, "__dict__") else ():
        for item in part if isinstance(part, list) else [part]:
            if hasattr(item, "eval"):
                found |= names_in(item)
    return found


__all__ = ["parse", "holds", "names_in", "equal", "Scope", "Unresolved", "EnumType"]
