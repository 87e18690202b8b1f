"""From the content of a frame to exactly one event."""

from . import expr
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
                self._pick_by_tag()
            elif self.message is not None:
                self._check_fixed(field.name)
            if field.name == self.frame.body and self.message is not None:
                self._message(reader)
        if self.body_reader is None and (self.picker.ends_frames or not self.walking):
            self._message(reader)

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
            return
        if getattr(reader, "partial", False) and _takes_rest(field.type):
            raise Short()
        try:
            value = field.type.read(reader, self.scope, self.spec.lenient)
        except Endless:
            raise
        except Fault as fault:
            if self.walking:
                self._store(field, ABSENT)
                return
            raise self._named(field, fault)
        if not self.walking:
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
        elif field.name == "_" and not isinstance(field.type, ConstType):
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
    extent = getattr(of_type, "extent", None)
    return extent is not None and extent.form == "rest" or getattr(of_type, "to_end", False)


def fixed_size(spec, field):
    """Whether a field is as long whatever its value is."""
    base = getattr(field.type, "base", field.type)
    extent = getattr(field.type, "extent", None)
    if field.condition is not None:
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
    try:
        decoding.run(Reader(content))
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
