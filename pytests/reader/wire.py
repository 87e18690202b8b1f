"""Readers and writers of bits and bytes, and what can go wrong while decoding."""

from .values import SpecError


class Fault(Exception):
    """Decoding raises this event: `malformed`, `unknown`, or a fault of the spec."""

    def __init__(self, event, why=""):
        super().__init__("%s: %s" % (event, why))
        self.event = event


class Endless(Fault):
    """The end of the frame cannot be told."""

    def __init__(self, why):
        super().__init__("malformed", why)


class Short(Exception):
    """More bytes are needed."""


class Oversize(Exception):
    """The frame is longer than its maximum. `told`: whether the end of the field that makes it so is known."""

    def __init__(self, told=True):
        super().__init__()
        self.told = told


class Reader:
    """Typed gets over bytes; bits come from the high end of each byte."""

    def __init__(self, data, maximum=None):
        self.data, self.maximum, self.bit = data, maximum, 0
        self.whole = False  # the bytes are those of a whole frame

    @property
    def position(self):
        """The byte position; only between whole bytes."""
        if self.bit % 8:
            raise SpecError("integers that are not whole bytes must fill whole bytes")
        return self.bit // 8

    def left(self):
        """Bytes not yet read."""
        return len(self.data) - self.position

    def need(self, count, spare=0):
        """Check that `count` bytes more are there and allowed."""
        end = self.position + count
        if self.maximum is not None and end + spare > self.maximum:
            raise Oversize()
        if end > len(self.data):
            raise Short()

    def take(self, count):
        """The next bytes."""
        self.need(count)
        start = self.position
        self.bit += 8 * count
        return self.data[start:start + count]

    def bits(self, count):
        """The next bits as an unsigned number."""
        end = self.bit + count
        if self.maximum is not None and end > 8 * self.maximum:
            raise Oversize()
        if end > 8 * len(self.data):
            raise Short()
        window = int.from_bytes(self.data[self.bit // 8:(end + 7) // 8], "big")
        self.bit = end
        return (window >> (-end % 8)) & ((1 << count) - 1)

    def until(self, delimiters):
        """The bytes before the first delimiter, which is consumed, too."""
        start = self.position
        growing = self.maximum is not None or getattr(self, "partial", False)
        found = find_delimiter(self.data, delimiters, start, growing)
        known_end = len(self.data) if found is None else found[0] + len(found[1])
        if self.maximum is not None and (known_end > self.maximum or found is None and known_end == self.maximum):
            raise Oversize(told=False)
        if found is None:
            raise Short()
        self.bit = 8 * known_end
        return self.data[start:found[0]]

    def before(self, delimiters):
        """The bytes up to the first delimiter, which stays, or up to the end."""
        start = self.position
        growing = self.maximum is not None or getattr(self, "partial", False)
        found = find_delimiter(self.data, delimiters, start, growing)
        end = len(self.data) if found is None else found[0]
        if self.maximum is not None and end > self.maximum:
            raise Oversize(told=False)
        if found is None and growing:
            raise Short()
        self.bit = 8 * end
        return self.data[start:end]


def find_delimiter(data, delimiters, start=0, growing=False):
    """(position, delimiter) of the first one; the longest where several begin.

    While data is still growing, a longer one that may yet come there decides
    against a shorter one, so that it does not matter how a stream is cut.
    """
    hits = [(data.find(delimiter, start), -len(delimiter), delimiter) for delimiter in delimiters]
    hits = [hit for hit in hits if hit[0] >= 0]
    if not hits:
        return None
    position, _, delimiter = min(hits)
    rest = data[position:]
    if growing and any(len(longer) > len(rest) and longer.startswith(rest) for longer in delimiters):
        return None
    return position, delimiter


class Writer:
    """Collects bits and bytes and remembers which bits each field took."""

    def __init__(self):
        self.number, self.count, self.spans = 0, 0, []

    def bits(self, value, count):
        """Append an unsigned number of so many bits."""
        self.number = (self.number << count) | value
        self.count += count

    def put(self, data):
        """Append whole bytes."""
        if self.count % 8:
            raise SpecError("integers that are not whole bytes must fill whole bytes")
        self.bits(int.from_bytes(data, "big"), 8 * len(data))

    def mark(self, name, start):
        """Remember that a field took the bits from `start` on."""
        self.spans.append((name, start, self.count))

    def data(self):
        """All that was written."""
        if self.count % 8:
            raise SpecError("integers that are not whole bytes must fill whole bytes")
        return self.number.to_bytes(self.count // 8, "big")
