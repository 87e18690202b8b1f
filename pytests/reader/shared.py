"""What is beyond one session (LANGUAGE.md, section 15): tables, logs, seals, what cannot be guessed."""

import hashlib

from .values import Opaque, need


class World:
    """Tables and logs of one server, and the secrets of its seals. `key`: what random values and seals are made of."""

    def __init__(self, spec, key=b"key"):
        self.spec, self.key, self.drawn = spec, key, 0
        self.tables = {name: {} for name in spec.tables}
        self.logs = {name: [] for name in spec.logs}

    def share(self, other):
        """Have the tables and logs of another, from here on."""
        self.tables, self.logs = other.tables, other.logs

    def put(self, name, args):
        """A row of a table; False: it is full."""
        table, rows = self.spec.tables[name], self.tables[name]
        key = args[table.key]
        if key not in rows and len(rows) >= table.max:
            return False
        rows[key] = {column: args[column] for column in table.columns}
        return True

    def add(self, name, row):
        """A row of a log, unless one like it is there."""
        unique = self.spec.logs[name].unique
        mine = [row[column] for column in unique]
        if not unique or all([other[column] for column in unique] != mine for other in self.logs[name]):
            self.logs[name].append(dict(row))

    def draw(self, count, _session):
        """Bytes that were not there before."""
        self.drawn += 1
        return Opaque(hashlib.sha512(self.key + b"random%d" % self.drawn).digest()[:count])

    def seal(self, values, span, _session):
        """What stands for these values, made in a span of time."""
        return self._sealed(values, span)

    def _sealed(self, values, span):
        text = b"".join(b"%d:" % len(value) + value for value in values)
        return Opaque(hashlib.sha256(self.key + b"seal%d:" % span + text).digest()[:16])

    def is_seal(self, given, values, span):
        """Whether bytes stand for these values, and were made in this span of time or the one before."""
        return any(given == self._sealed(values, made) for made in (span, span - 1))


class Here:
    """What expressions see of the world, from one session."""

    def __init__(self, world, session):
        self.world, self.session = world, session
        self.peer = session.peer
        self.span = session.now // world.spec.seal_time

    def knows(self, table):
        """Whether there is a table of this name."""
        return table in self.world.tables

    def row(self, table, key):
        """A row, or None."""
        return self.world.tables[table].get(key)

    def random(self, count):
        """random(n)"""
        return self.world.draw(need(count, "number"), self.session)

    def seal(self, *values):
        """seal(a, ...)"""
        return self.world.seal([_bytes(value) for value in values], self.span, self.session)

    def sealed(self, given, *values):
        """sealed(bytes, a, ...): of this span of time, or of the last one."""
        values = [_bytes(value) for value in values]
        return self.world.is_seal(given, values, self.span)


def _bytes(value):
    return value if isinstance(value, bytes) else b"%d" % need(value, "number")
