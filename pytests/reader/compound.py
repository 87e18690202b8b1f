"""Types that are made of others: records, JSON objects, pairs, lists."""

from .structured import PairsText
from .types import IntType, Type, data_bytes
from .values import Undefined, Unfit
from .wire import Endless, Fault, Oversize


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
