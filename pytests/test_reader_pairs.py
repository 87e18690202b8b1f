"""Pairs, JSON objects and the text that the language says about them, with expectations by hand and any bytes."""

import json

import pytest
from conftest import SPECS
from hypothesis import given, strategies as st
from reader.spec import load
from reader.structured import Grammar, parse_object
from reader.values import Unfit
from reader.wire import Fault

DISPATCH = Grammar(ord(";"), ord("="), ord('"'), ord("\\"), {ord("\\"): ord("\\"), ord("n"): 10, ord("r"): 13}, frozenset(b";"), True, "last", 64)
PLAIN = Grammar(ord("&"), ord(":"), None, None, {}, frozenset(), False, "first", 1024)
NAMES = st.binary(min_size=1, max_size=5).filter(lambda name: not set(name) & set(b";=&:\r\n"))
MEANT = [b'"', b"\\", b";", b"=", b"\n", b"\r", b"n", b" "]
VALUES = st.binary(max_size=20) | st.lists(st.sampled_from(MEANT), max_size=6).map(b"".join)


@given(pairs=st.dictionaries(NAMES, VALUES, max_size=8))
def test_what_is_written_is_read(pairs):
    """Any bytes come through, and the canonical form is a fixed point."""
    text = DISPATCH.write(DISPATCH.settle(list(pairs.items())))
    assert DISPATCH.parse(text) == sorted(pairs.items()) and not set(text) & set(b"\r\n")
    assert DISPATCH.write(DISPATCH.settle(DISPATCH.parse(text))) == text


@given(pairs=st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_without_quotes_and_escapes(pairs):
    """What cannot be written is refused, the rest comes through in its order, the first of equal names."""
    kept = list({name: value for name, value in reversed(pairs)}.items())
    kept.sort(key=lambda pair: [name for name, _ in pairs].index(pair[0]))
    if any(b"&" in value for _, value in kept):
        with pytest.raises(Unfit):
            PLAIN.write(PLAIN.settle(pairs))
    else:
        assert PLAIN.parse(PLAIN.write(PLAIN.settle(pairs))) == kept


@given(text=st.binary(max_size=30) | st.lists(st.sampled_from(MEANT + [b"a=", b";b="]), max_size=10).map(b"".join))
def test_any_text(text):
    """A text is no pairs, or has one canonical form, which says the same."""
    try:
        pairs = DISPATCH.settle(DISPATCH.parse(text))
    except Fault:
        return
    again = DISPATCH.write(pairs)
    assert DISPATCH.settle(DISPATCH.parse(again)) == pairs and len(again) <= 2 * len(text) + 2 * len(pairs)


@pytest.mark.parametrize("text, pairs", [
    (b"", []), (b"a=", [(b"a", b"")]), (b"a==", [(b"a", b"=")]), (b'a=x"y', [(b"a", b'x"y')]), (b'a=""', [(b"a", b"")]), (b'a="";b=1', [(b"a", b""), (b"b", b"1")]),
    (b'a="\\""', [(b"a", b'"')]), (b"a=\\n\\\\n", [(b"a", b"\n\\n")]), (b"a=x y", [(b"a", b"x y")]), (b"a=\r", [(b"a", b"\r")]),
])
def test_by_hand(text, pairs):
    """As a person reads it."""
    assert DISPATCH.parse(text) == pairs


@pytest.mark.parametrize("text", [b";", b"a", b"a=1;", b";a=1", b"a=1;;b=2", b"a;b=1", b'a="', b'a="x', b'a="x"y', b'a="x\\', b"a=\\", b"a=\\t", b'a=\\"', b"a=\\;", b'a="\\;"'])
def test_malformed(text):
    """As a person reads it."""
    with pytest.raises(Fault):
        DISPATCH.parse(text)


def test_most_pairs():
    """Equal names count each time."""
    assert len(DISPATCH.parse(b";".join([b"a=1"] * 64))) == 64
    with pytest.raises(Fault):
        DISPATCH.parse(b";".join([b"a=1"] * 65))


@given(members=st.dictionaries(st.text(max_size=5), st.text(max_size=10), max_size=5), ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_any_object(members, ascii_only, indent):
    """Texts come through, in whatever way they are written."""
    text = json.dumps(members, ensure_ascii=ascii_only, indent=indent)
    assert parse_object(text.encode("utf-8")) == {name.encode(): value.encode() for name, value in members.items()}


@pytest.mark.parametrize("text, members", [
    (b"{}", {}), (b'{"a":1,"a":2} \t\r\n', {b"a": b"2"}), (b'{"a":-0.10e+5}', {b"a": b"-0.10e+5"}), (b'{"a":true,"b":null}', {b"a": b"true", b"b": b"null"}),
    (b'{"a":"\\ud83d\\ude00\\/\\u0000"}', {b"a": "\U0001f600/\0".encode()}), (b'{"a":123456789012345678901234567890}', {b"a": b"123456789012345678901234567890"}),
])
def test_objects_by_hand(text, members):
    """Numbers and the like as they are written, the last of equal names."""
    assert parse_object(text) == members


@pytest.mark.parametrize("text", [b"{", b"{} x", b"{a:1}", b"{'a':1}", b'{"a":01}', b'{"a":+1}', b'{"a":.5}', b'{"a":1.}', b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":1,}', b'{"a":{}}',
                                  b'{"a":[]}', b'{"a":"\\ud83d"}', b'{"a":"\\ude00\\ud83d"}', b'{"a":"\t"}', b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\\x41"}', b'{"a" 1}',
                                  b"{" * 100000, b'{"a":' * 100000])
def test_no_objects(text):
    """What RFC 8259 or the language does not allow."""
    with pytest.raises(Fault):
        parse_object(text)


def test_pair_function():
    """pair() gives a value, or is undefined."""
    spec = load(SPECS["dispatch"])
    from reader import expr
    from reader.values import Undefined
    scope = spec.scope({"params": spec.types["Params"].from_data("a=\"x;y\"")})
    assert expr.parse("pair(params, 'a')").eval(scope) == b"x;y"
    with pytest.raises(Undefined):
        expr.parse("pair(params, 'b')").eval(scope)
