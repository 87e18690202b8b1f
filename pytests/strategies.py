"""Hypothesis strategies made from a spec: values of types, messages, streams and how they are cut."""

import functools
import operator

from hypothesis import assume, strategies as st

from reader import compound, extents, types
from reader.codec import encode
from reader.values import EnumValue, Record, Undefined, Unfit

# What is mapped has names here: of a lambda Hypothesis reads the source again with every draw.
TEXT = {"ascii": st.text(st.characters(min_codepoint=0, max_codepoint=127), max_size=40).map(str.encode),
        "utf-8": st.text(max_size=20).map(str.encode),
        "bytes": st.binary(max_size=40)}


def numbers(of):
    """Numbers that a type holds, its edges often."""
    if isinstance(of, types.VarintType):
        low, high = 0, min((1 << (7 * of.most)) - 1, (1 << 63) - 1)
    elif isinstance(of, extents.HexType):
        low, high = 0, of.base.high
    else:
        base = getattr(of, "base", of)
        low, high = base.low, base.high
    near = [number for number in (low, low + 1, -1, 0, 1, 2, 127, 128, 255, 256, high - 1, high) if low <= number <= high]
    return st.sampled_from(near) | st.integers(low, high)


def enums(of):
    """Literals; numbers and texts that are none where the enum is open."""
    known = st.sampled_from([EnumValue(of.enum, key) for key in of.enum.names])
    if not of.enum.is_open:
        return known
    return known | numbers(of.base).map(functools.partial(EnumValue, of.enum))


def values(of, samples=()):
    """Values that a type may hold: made once, as making strategies takes longer than drawing from them."""
    return _values(of, tuple(samples))


@functools.lru_cache(maxsize=None)
def _values(of, samples):
    if of.enum is not None and of.value_kind == "enum":
        return enums(of)
    if isinstance(of, compound.ListType):
        return st.lists(values(of.element), max_size=of.most or 6).map(tuple)
    if of.value_kind == "bool":
        return st.booleans()
    if of.value_kind == "number":
        return numbers(of)
    if isinstance(of, compound.RecordType):
        return st.fixed_dictionaries({name: values(part.type) for name, part in of.parts.items()}).map(Record)
    if isinstance(of, compound.PairsType):
        return pairs(of)
    if of.chars is not None:
        first, rest = st.sampled_from(sorted(of.first or of.chars)), st.lists(st.sampled_from(sorted(of.chars)), max_size=10)
        return st.tuples(first, rest).map(_word)
    plain = TEXT[getattr(of, "charset", "bytes")]
    data = [of.from_data(sample) for sample in samples]
    return plain | st.sampled_from(data) if data else plain


def _word(drawn):
    first, rest = drawn
    return bytes([first, *rest])


def pairs(of):
    """Texts of pairs in canonical form; values of any bytes, those often that mean something."""
    grammar = of.grammar
    special = sorted({grammar.separator, grammar.assign, grammar.quote or 0, grammar.escape or 0, *grammar.escapes, *grammar.letters, ord(" ")})
    value = st.binary(max_size=12) | st.lists(st.sampled_from(special) | st.integers(0, 255), max_size=8).map(bytes)

    def text(found):
        try:
            return of.given(b"", found, None)
        except Unfit:
            return of.zero()
    return st.dictionaries(values(of.names), value, max_size=4).map(text)


def given_fields(spec, sender, message):
    """The fields that a sender gives: not those that the codec fills in, nor pairs that would swallow what follows."""
    frame = spec.frames[sender]
    filled = {frame.tag, frame.body} | set(message.fixed)
    followed = any(field.pairs is None for field in message.fields)
    own = [field for field in frame.fields if field.name not in filled and not (followed and isinstance(field.type, compound.PairsType))] + message.fields
    return [field for field in own if field.given]


@st.composite
def messages(draw, spec, sender):
    """(message, values, bytes) of a message that can be encoded."""
    message = draw(st.sampled_from(spec.messages_of(sender)))
    given = {}
    for field in given_fields(spec, sender, message):
        if (field.condition or field.default or field.optional) and draw(st.booleans()):
            continue
        given[field.name] = draw(values(field.type, field.samples))
    if len(message.tags) > 1:
        tag = spec.frames[sender].field(spec.frames[sender].tag)
        given[tag.name] = draw(st.sampled_from([tag.type.from_data(text) for text in message.tags]))
    try:
        return message, given, encode(spec, sender, message.name, given).data
    except (Unfit, Undefined):
        assume(False)


@st.composite
def cuts(draw, data):
    """The pieces of some bytes, cut anywhere."""
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    edges = [0] + places + [len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:])]


@st.composite
def damaged(draw, data):
    """Bytes near to some good ones: cut, changed, doubled, with some put in."""
    data = bytearray(data)
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(data)))
        how = draw(st.sampled_from(["change", "insert", "remove", "double"]))
        if how == "change" and place < len(data):
            data[place] = draw(st.integers(0, 255))
        elif how == "insert":
            data[place:place] = draw(st.binary(min_size=1, max_size=3))
        elif how == "remove":
            del data[place:place + draw(st.integers(1, 4))]
        else:
            data[place:place] = data[place:place + 8]
    return bytes(data)


@functools.lru_cache(maxsize=None)
def streams(spec, sender):
    """Streams of a few messages, good or damaged, or of anything."""
    one = messages(spec, sender).map(operator.itemgetter(2))
    return st.lists(one | one.flatmap(damaged) | st.binary(max_size=20), max_size=6).map(b"".join)
