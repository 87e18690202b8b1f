"""From the content of a frame to exactly one event."""

from . import expr
from .compound import ObjectType, PairsType, RecordType
from .structured import parse_object
from .sums import around
from .types import CalcType, ConstType, IntType
from .values import ABSENT, Undefined
from .wire import Endless, Fault, Reader, Short, Writer


class Event:
    """What the machine sees: a message with its fields, or one of the other events."""

    def __init__(self, name, fields=None, is_message=False, fatal=False):
        self.name, self.fields, self.is_message, self.fatal = name, fields or {}, is_message, fatal

    def __repr__(self):
        return "Event(%s, %r)" % (self.name, self.fields)


class Decoding:
    """One pass over a frame's fields and its message's.

    A walk only looks for the end and holds no value against its constraints.
    """

    def __init__(self, spec, sender, picker, walking=False):
        self.spec, self.picker, self.walking = spec, picker, walking
        self.frame = spec.frames[sender]
        self.values, self.computed, self.message, self.body_reader = {}, [], None, None
        self.scope, self.ahead = spec.scope(self.values), None
        self.unpicked = None
        self.texts = {}  # what an object gave: by field, the text of a value, or pairs; None: nothing

    def run(self, reader):
        """Decode all; Fault, Short or Oversize otherwise."""
        try:
            self._frame(reader)
            if not self.walking:
                self._finish(reader)
        except Fault:
            if not self.walking:
                self._check_computed(until_undefined=True)
            raise

    def _frame(self, reader):
        for place, field in enumerate(self.frame.fields):
            self.ahead = None if self.picker.ends_frames else self.frame.fields[place + 1:]
            self._field(field, reader)
            if field.name == self.frame.tag and not self.walking:
                self._pick_or_remember()
            elif self.message is not None:
                self._check_fixed(field.name)
            if field.name == self.frame.body and self.message is not None:
                self._message(reader)
        if self.unpicked is not None:
            raise self.unpicked
        if self.body_reader is None and (self.picker.ends_frames or not self.walking):
            self._message(reader)

    def _pick_or_remember(self):
        """That no message has the tag is said when all fields of the frame are read."""
        try:
            self._pick_by_tag()
        except Fault as fault:
            self.unpicked = fault

    def end_is_told(self):
        """Whether, when a field whose own end is known makes the frame too long, the end of the frame is known, too."""
        return self.ahead is not None and all(fixed_size(self.spec, field) for field in self.ahead)

    def _pick_by_tag(self):
        tag = self.values[self.frame.tag]
        if tag is ABSENT:
            raise Fault("unknown", "the tag cannot be read")
        self.message = self.picker.by_value(tag)
        for name in list(self.values):
            self._check_fixed(name)

    def _check_fixed(self, name):
        if self.walking or name not in self.message.fixed:
            return
        field = self.frame.field(name)
        wanted = field.type.from_data(self.message.fixed[name])
        if self.values[name] != wanted:
            raise Fault(field.fault, "%s must be %r" % (name, wanted))

    def _message(self, reader):
        if self.frame.body:
            reader = self.body_reader = Reader(self.values[self.frame.body])
        if self.message is None and self.frame.tag is not None:
            self._pick_by_tag()
        elif self.message is None:
            first = self._peek(reader)
            self.message = self.picker.otherwise(self.scope, first)
            for name in list(self.values):
                self._check_fixed(name)
        try:
            for place, field in enumerate(self.message.fields):
                self.ahead = self.message.fields[place + 1:]
                self._field(field, reader)
        except Short:
            if not self.frame.body:
                raise
            raise Fault("malformed", "the body ends early") from None
        if self.frame.body:
            self._used_up(reader)

    @staticmethod
    def _used_up(reader):
        if reader.left():
            raise Fault("malformed", "bytes are left over")

    def _peek(self, reader):
        if not self.picker.needs_first_byte:
            return None
        if self.walking or getattr(reader, "partial", False):
            reader.need(1)
        return reader.data[reader.position] if reader.left() else None

    def _field(self, field, reader):
        if field.condition is not None and not expr.holds(field.condition, self.scope):
            self._store(field, ABSENT)
        elif isinstance(field.type, ObjectType):
            self._object(field, reader)
        elif field.name in self.texts:
            self._from_object(field, self.texts[field.name])
        elif field.pairs is not None:
            self._member(field)
        else:
            self._on_the_wire(field, reader)

    def _on_the_wire(self, field, reader):
        partial = getattr(reader, "partial", False)
        if not field.there(reader, partial or reader.maximum is not None):
            self._store(field, ABSENT)
            return
        try:
            field.read_constant(reader, field.lead)
            if partial and _takes_rest(field.type):
                raise Short()
            start = reader.bit // 8
            value = field.type.read(reader, self.scope, self.spec.lenient)
            if field.sum is not None:
                self._check_sum(field, reader, start, value)
        except Endless:
            raise
        except Fault as fault:
            if not self.walking:
                raise self._named(field, fault)
            value = ABSENT
        if not self.walking:
            self._verify(field, value)
        self._store(field, value)
        self._tail(field, reader)

    def _check_sum(self, field, reader, start, value):
        """The bytes are the frame only where it is read as a whole."""
        if reader.whole and value != around(field.sum, reader.data, start, reader.position - start):
            raise Fault(field.fault, "%s is not the sum of the frame" % field.name)

    def _tail(self, field, reader):
        try:
            field.read_constant(reader, field.tail)
        except Fault:
            if not self.walking:
                raise

    # ---- fields that are not on the wire by themselves ----

    def _object(self, field, reader):
        found = reader.data[reader.position:reader.position + 1] == b"{"
        if found and getattr(reader, "partial", False):
            raise Short()
        self._store(field, found)
        if not found:
            return
        members = parse_object(reader.take(reader.left()))
        for name, target in field.type.members.items():
            self.texts[target] = members.pop(name, None)
            if self.texts[target] is None and self._field_named(target).optional is None:
                raise Fault("malformed", "the object has no %r" % name)
        if field.type.rest is not None:
            self.texts[field.type.rest] = list(members.items())
        elif members:
            raise Fault("malformed", "the object has more members")

    def _field_named(self, name):
        own = self.message.fields if self.message is not None else []
        return next(field for field in self.frame.fields + own if field.name == name)

    def _from_object(self, field, given):
        if isinstance(field.type, PairsType):
            value = field.type.of_pairs(given, self.scope) if given or field.optional is None else ABSENT
        else:
            value = ABSENT if given is None else self._of_text(field, given)
        self._verify(field, value)
        self._store(field, value)

    def _of_text(self, field, text):
        """The value that stands alone in a text."""
        reader = Reader(text)
        try:
            value = field.type.read(reader, self.scope, self.spec.lenient)
        except Short:
            raise Fault("malformed", "%s: ends early" % field.name) from None
        self._used_up(reader)
        return value

    def _member(self, field):
        pairs = self.values.get(field.pairs, ABSENT)
        text = None if pairs is ABSENT else pairs.value(field.key)
        if text is None and field.optional is None:
            raise Fault("malformed", "no pair %r" % field.key)
        value = ABSENT if text is None else self._of_text(field, text)
        self._verify(field, value)
        self._store(field, value)

    @staticmethod
    def _named(field, fault):
        return Fault(field.fault, str(fault)) if isinstance(field.type, ConstType) else fault

    def _verify(self, field, value):
        if value is not ABSENT:
            field.type.verify(value, self.scope)
        if field.computed is not None:
            self.computed.append((field, value))
        elif field.name == "_" and field.sum is None and not isinstance(field.type, ConstType):
            if value != padding(self.spec, field):
                raise Fault(field.fault, "padding must be as an encoder writes it")

    def _store(self, field, value):
        if field.carries:
            self.values[field.name] = value

    def _finish(self, reader):
        self._used_up(reader)
        self._check_computed(until_undefined=False)
        for condition, fault in self.message.where:
            if not expr.holds(condition, self.scope):
                raise Fault(fault, "where")

    def _check_computed(self, until_undefined):
        for field, value in self.computed:
            try:
                wanted = field.computed.eval(self.scope, field.type.enum)
            except (Undefined, expr.Unresolved):
                if until_undefined:
                    continue
                raise Fault(field.fault, "%s: undefined" % field.name)
            if wanted != value:
                raise Fault(field.fault, "%s must be %r" % (field.name, wanted))


def _takes_rest(of_type):
    if isinstance(of_type, PairsType):
        return True
    extent = getattr(of_type, "extent", None)
    return extent is not None and extent.form == "rest" or getattr(of_type, "to_end", False)


def fixed_size(spec, field):
    """Whether a field is as long whatever its value is."""
    base = getattr(field.type, "base", field.type)
    extent = getattr(field.type, "extent", None)
    if isinstance(field.type, RecordType):
        return field.optional is None and all(fixed_size(spec, part) for part in field.type.fields)
    if field.condition is not None or field.optional is not None:
        return False
    if isinstance(base, (IntType, ConstType, CalcType)):
        return True
    try:
        return extent is not None and extent.form == "size" and extent.detail.eval(spec.scope()) is not None
    except (Undefined, expr.Unresolved):
        return False


def padding(spec, field):
    """The value that an encoder writes for a field named `_`."""
    if field.default is not None:
        return field.default.eval(spec.scope(), field.type.enum)
    return field.type.zero()


def decode(spec, sender, picker, content):
    """The event of a whole frame's content."""
    decoding = Decoding(spec, sender, picker)
    reader = Reader(content)
    reader.whole = True
    try:
        decoding.run(reader)
    except Fault as fault:
        return Event(fault.event, decoding.values)
    except Short:
        return Event("malformed", decoding.values)
    return Event(decoding.message.name, decoding.values, is_message=True)


def complete_fields(spec, sender, picker, content):
    """The fields that are complete, and hold, in a frame that was cut short."""
    decoding = Decoding(spec, sender, picker)
    reader = Reader(content)
    reader.partial = True
    try:
        decoding.run(reader)
    except (Fault, Short):
        pass
    return {**{field.name: ABSENT for field in decoding.frame.fields if field.carries}, **decoding.values}


__all__ = ["CalcType", "Decoding", "Event", "Writer", "complete_fields", "decode", "padding"]
