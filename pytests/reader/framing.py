"""From a stream of bytes, in whatever pieces, to frames and what is wrong with them."""

import copy

from .decode import Decoding, Event, complete_fields, decode
from .pick import Picker
from .values import SpecError
from .wire import Fault, Oversize, Reader, Short, find_delimiter


BLANK = object()  # a frame that is no event


class Framer:
    """The incoming side of one link. Feed it bytes, then take events until there is none."""

    def __init__(self, spec, sender):
        self.spec, self.sender, self.frame = spec, sender, spec.frames[sender]
        self.picker = Picker(spec, sender)
        self.buffer, self.segments = b"", ()
        self.closed = self.said_eof = self.skipping = self.broken = False
        self.mode, self.content = self.frame.end, b""  # the content of the last frame
        if self.frame.segments is not None and self.frame.segments in spec.lenient:
            self.mode = "undecided"

    def copy(self):
        """A framer in the same state."""
        return copy.copy(self)

    def key(self):
        """What tells two states apart."""
        return (self.buffer, self.segments, self.closed, self.said_eof, self.skipping, self.broken, self.mode)

    @property
    def bare(self):
        """Whether frames are written without their delimiter."""
        return self.mode == "segment"

    def feed(self, data):
        """Hand over what one read returned."""
        if not data and self.mode != "datagram":
            return
        if self.mode == "undecided":
            found = find_delimiter(data, self.frame.delimiters)
            self.mode = "delimiter" if found else "segment"
        if self.mode in ("segment", "datagram"):
            self.segments += (bytes(data),)
        else:
            self.buffer += data

    def settle_mode(self):
        """Our side speaks first, and with delimiters: so it is for good."""
        if self.mode == "undecided":
            self.mode = "delimiter"

    def close(self):
        """The peer sends nothing more."""
        self.closed = True

    def next_event(self):
        """The next event, or None. After `eof` there is none."""
        if self.broken:
            return None
        take = getattr(self, "_next_" + ("delimiter" if self.mode == "undecided" else self.mode))
        event = take()
        while event is BLANK:
            event = take()
        if event is None and self.closed and not self.said_eof:
            self.said_eof = True
            return self._eof()
        return event

    def _eof(self):
        if self.skipping or not self.buffer:
            return Event("eof")
        begun = self.buffer.lstrip(self.frame.trim) if self.frame.trim else self.buffer
        return Event("eof-in-frame", complete_fields(self.spec, self.sender, self.picker, begun))

    def _decode(self, content):
        content = self.content = self.frame.trimmed(content)
        return BLANK if self.frame.ignores(content) else decode(self.spec, self.sender, self.picker, content)

    def _next_segment(self):
        if not self.segments:
            return None
        content, self.segments = self.segments[0], self.segments[1:]
        return Event("oversize") if len(content) > self.frame.max else self._decode(content)

    _next_datagram = _next_segment

    def _next_stream(self):
        content, self.buffer = self.buffer[:self.frame.max], self.buffer[self.frame.max:]
        return self._decode(content) if content else None

    def _next_eof(self):
        if len(self.buffer) > self.frame.max:
            self.buffer, self.skipping, first = b"", True, not self.skipping
            return Event("oversize") if first else None
        if not self.closed or not self.buffer or self.skipping:
            return None
        content, self.buffer = self.buffer, b""
        return self._decode(content)

    def _next_delimiter(self):
        found = find_delimiter(self.buffer, self.frame.delimiters, growing=not self.closed)
        end = found[0] + len(found[1]) if found else None
        if self.skipping:
            return self._skip_to(end)
        if end is not None and end <= self.frame.max:
            content, self.buffer = self.buffer[:found[0]], self.buffer[end:]
            return self._decode(content)
        if end is not None or len(self.buffer) >= self.frame.max:
            self.skipping = True
            return Event("oversize")
        return None

    def _skip_to(self, end):
        if end is None:
            keep = max(len(delimiter) for delimiter in self.frame.delimiters)
            self.buffer = self.buffer[-keep:] if keep else b""
            return None
        self.buffer, self.skipping = self.buffer[end:], False
        return self._next_delimiter()

    def _next_fields(self):
        reader = Reader(self.buffer, None if self.skipping else self.frame.max)
        walk = Decoding(self.spec, self.sender, self.picker, walking=True)
        try:
            walk.run(reader)
        except Short:
            return None
        except Oversize as oversize:
            self.skipping = oversize.told and walk.end_is_told()
            self.broken = not self.skipping
            return Event("oversize", fatal=self.broken)
        except Fault as fault:
            return self._break(fault)
        return self._cut(reader.position)

    def _cut(self, end):
        if end == 0:
            raise SpecError("a frame of no bytes")
        content, self.buffer = self.buffer[:end], self.buffer[end:]
        if self.skipping:
            self.skipping = False
            return self._next_fields()
        return self._decode(content)

    def _break(self, fault):
        """The end of the frame cannot be told: the first thing wrong is the last event."""
        was_skipping, self.broken = self.skipping, True
        if was_skipping:
            return Event("malformed", fatal=True)
        decoding = Decoding(self.spec, self.sender, self.picker)
        try:
            decoding.run(Reader(self.buffer))
        except Fault as first:
            fault = first
        except Short:
            pass
        return Event(fault.event, decoding.values, fatal=True)
