"""Frames and messages of one spec: incremental decoding, encoding, examples."""

from .decode import Event, decode
from .encode import Free, FreePart, Pattern, encode
from .framing import Framer
from .spec import example_bytes
from .values import ABSENT

__all__ = ["ABSENT", "Event", "Framer", "Free", "FreePart", "Pattern", "decode", "decode_stream", "encode",
           "example_bytes", "sendable"]


def decode_stream(spec, sender, pieces, closed=False):
    """All events of a stream that comes in these pieces."""
    framer, events = Framer(spec, sender), []
    for piece in list(pieces) + [None]:
        if piece is not None:
            framer.feed(piece)
        elif closed:
            framer.close()
        event = framer.next_event()
        while event is not None:
            events.append(event)
            event = framer.next_event()
    return events


def sendable(spec, sender, event):
    """The fields of a decoded message as its sender would give them: without those that the codec fills in."""
    frame, message = spec.frames[sender], spec.messages[event.name]
    own = {field.name for field in message.fields if field.given}
    filled = {frame.tag, frame.body} | set(message.fixed)
    own |= {field.name for field in frame.fields if field.given and field.name not in filled}
    own |= {frame.tag} if len(message.tags) > 1 else set()
    calc = {field.name for field in frame.fields + message.fields if field.type.name == "calc"}
    return {name: value for name, value in event.fields.items() if name in own - calc and value is not ABSENT}
