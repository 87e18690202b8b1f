"""Structured text (LANGUAGE.md, section 3): name=value pairs and JSON objects, from bytes and back."""

import json

from .values import Unfit
from .wire import Fault

PAIRS_MAX = 1024


class Grammar:
    """How pairs are written."""

    def __init__(self, separator, assign, quote, escape, escapes, quote_if, in_order, duplicates, most):
        self.separator, self.assign, self.quote, self.escape = separator, assign, quote, escape
        self.escapes, self.quote_if = escapes, quote_if
        self.in_order, self.duplicates, self.most = in_order, duplicates, most
        self.letters = {}
        for letter, byte in escapes.items():
            self.letters.setdefault(byte, letter)

    # ---- reading ----

    def parse(self, text):
        """The pairs of a text as they stand there: (name, value) with escapes undone."""
        found, at = [], 0
        while at < len(text) or found:
            name, at = self._name(text, at)
            value, at = self._value(text, at)
            found.append((name, value))
            if len(found) > self.most:
                raise Fault("malformed", "more than %d pairs" % self.most)
            if at == len(text):
                break
            at += 1  # the separator
        return found

    def _name(self, text, at):
        for place in range(at, len(text)):
            if text[place] == self.assign:
                return text[at:place], place + 1
            if text[place] == self.separator:
                break
        raise Fault("malformed", "a pair without %r, or an empty one" % chr(self.assign))

    def _value(self, text, at):
        quoted = self.quote is not None and text[at:at + 1] == bytes([self.quote])
        at += int(quoted)
        made = bytearray()
        while at < len(text):
            byte = text[at]
            if byte == self.escape:
                made.append(self._escaped(text[at + 1:at + 2], quoted))
                at += 2
                continue
            if quoted and byte == self.quote:
                return bytes(made), self._behind_quote(text, at + 1)
            if not quoted and byte == self.separator:
                break
            made.append(byte)
            at += 1
        if quoted:
            raise Fault("malformed", "a quote is not closed")
        return bytes(made), at

    def _behind_quote(self, text, at):
        if at < len(text) and text[at] != self.separator:
            raise Fault("malformed", "something stands behind the closing quote")
        return at

    def _escaped(self, letter, quoted):
        if letter and letter[0] in self.escapes:
            return self.escapes[letter[0]]
        if letter and quoted and letter[0] == self.quote:
            return self.quote
        raise Fault("malformed", "%r is no escape" % letter)

    # ---- the canonical form ----

    def settle(self, pairs):
        """Each name once, and in order."""
        places = {}
        for place, (name, _) in enumerate(pairs):
            if name in places and self.duplicates == "malformed":
                raise Fault("malformed", "%r stands twice" % name)
            if name not in places or self.duplicates == "last":
                places[name] = place
        kept = [pairs[place] for place in sorted(places.values())]
        return sorted(kept) if self.in_order else kept

    def write(self, pairs):
        """The text of settled pairs."""
        if len(pairs) > self.most:
            raise Unfit("more than %d pairs" % self.most)
        return bytes([self.separator]).join(self._pair(name, value) for name, value in pairs)

    def _pair(self, name, value):
        if self.assign in name or self.separator in name:
            raise Unfit("%r cannot be a name" % name)
        quoted = self.quote is not None and (value[:1] == bytes([self.quote]) or
                                             any(byte in self.quote_if or byte == self.separator and byte not in self.letters for byte in value))
        body = b"".join(self._byte(byte, quoted) for byte in value)
        mark = bytes([self.quote]) if quoted else b""
        return name + bytes([self.assign]) + mark + body + mark

    def _byte(self, byte, quoted):
        if byte in self.letters:
            return bytes([self.escape, self.letters[byte]])
        if quoted and byte == self.quote and self.escape is not None:
            return bytes([self.escape, byte])
        if byte == self.escape or quoted and byte == self.quote or not quoted and byte == self.separator:
            raise Unfit("%r cannot be written" % byte)
        return bytes([byte])


class PairsText(bytes):
    """Pairs in canonical form; knows its grammar."""

    def __new__(cls, text, grammar):
        """The text as bytes."""
        self = super().__new__(cls, text)
        self.grammar = grammar
        return self

    def value(self, name):
        """The value under a name, or None."""
        return dict(self.grammar.parse(self)).get(name)


def _refuse(what):
    raise ValueError(what)


class _Members(list):
    """A JSON object's members in their order."""


_SPELLED = {True: b"true", False: b"false", None: b"null"}


def _text(value):
    if isinstance(value, (list, _Members)):
        raise Fault("malformed", "an object or array inside of an object")
    if isinstance(value, str):
        return value.encode("utf-8")
    return _SPELLED[value]


def parse_object(data):
    """The members of a JSON object, name to text as bytes; of equal names the last."""
    try:
        made = json.loads(data.decode("utf-8"), object_pairs_hook=_Members, parse_int=str, parse_float=str, parse_constant=_refuse)
        return {name.encode("utf-8"): _text(value) for name, value in made}
    except (ValueError, RecursionError) as error:
        raise Fault("malformed", "no JSON object: %s" % error) from error
