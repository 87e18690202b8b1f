"""Which message a frame holds: by tag, by condition or by first byte."""

from . import expr
from .compound import ListType, ObjectType, PairsType, RecordType
from .extents import BytesType, DecimalType, EnumTextType
from .types import ConstType, EnumIntType, IntType
from .wire import Fault, Writer


class Picker:
    """Finds the message among those that one side sends."""

    def __init__(self, spec, sender):
        self.messages = spec.messages_of(sender)
        self.frame = spec.frames[sender]
        self.by_tag = {}
        if self.frame.tag is not None:
            tag_type = self.frame.field(self.frame.tag).type
            self.by_tag = {tag_type.from_data(tag): message for message in self.messages for tag in message.tags}

    def by_value(self, tag):
        """The message that has the tag."""
        if tag not in self.by_tag:
            raise Fault("unknown", "no message has the tag %r" % (tag,))
        return self.by_tag[tag]

    def otherwise(self, scope, first):
        """Without a tag: the only message, or by condition, or by the first byte of its fields (None: no byte)."""
        if any(message.when for message in self.messages):
            for message in self.messages:
                if message.when is None or expr.holds(message.when, scope):
                    return message
            raise Fault("unknown", "no message's condition holds")
        if len(self.messages) == 1:
            return self.messages[0]
        for message in self.messages:
            if first in first_bytes(message.fields):
                return message
        raise Fault("unknown", "no message begins so")

    @property
    def ends_frames(self):
        """Whether messages' own fields, behind those of the frame, tell where a frame ends."""
        return self.frame.end == "fields" and not self.frame.body and any(message.fields for message in self.messages)

    @property
    def needs_first_byte(self):
        """Whether the first byte decides."""
        return self.frame.tag is None and len(self.messages) > 1 and not any(message.when for message in self.messages)


def first_bytes(fields):
    """The bytes that can come first in these fields; None among them: nothing at all."""
    found = {None}
    for field in fields:
        first = _first_of_field(field)
        found |= first
        if field.condition is None and None not in first:
            return found - {None}
    return found


def _first_of_field(field):
    if field.pairs is not None:
        return {None}
    maybe = {None} if field.optional is not None else set()
    if field.lead:
        return {field.lead[0]} | maybe
    return _first_of(field.type) | maybe


def _written(base, number):
    writer = Writer()
    base.write_number(writer, number)
    return writer.data()[0]


def _first_of(of_type):
    if isinstance(of_type, ConstType):
        return {of_type.data[0]} if of_type.data else {None}
    if isinstance(of_type, EnumIntType) and of_type.base.width % 8 == 0 and not of_type.enum.is_open:
        return {_written(of_type.base, key) for key in of_type.enum.literals.values()}
    if isinstance(of_type, EnumTextType) and of_type.extent.form != "prefix" and not of_type.enum.is_open:
        return {key[0] if key else None for key in of_type.enum.literals.values()}
    if isinstance(of_type, DecimalType) and of_type.extent.form != "prefix":
        return set(b"0123456789abcdef" if of_type.name == "hex" else b"-0123456789")
    if isinstance(of_type, IntType):
        return set(range(256))
    if isinstance(of_type, RecordType):
        return first_bytes(of_type.fields)
    if isinstance(of_type, ObjectType):
        return {ord("{"), None}
    if isinstance(of_type, (ListType, PairsType)) or isinstance(of_type, BytesType) and of_type.extent.form in ("rest", "size", "before"):
        return set(range(256)) | {None}
    return {None} if of_type.name == "calc" else set(range(256))
