"""Expressions: precedence, types, 64 bits, undefined."""

import pytest
from conftest import SPECS
from hypothesis import given, strategies as st
from reader import expr
from reader.functions import line
from reader.spec import load
from reader.values import ABSENT, Duration, SpecError, Undefined

SPEC = load(SPECS["msglog"])
TOP, BOTTOM = (1 << 63) - 1, -(1 << 63)


def value(text, **names):
    """What an expression gives with these names in scope."""
    return expr.parse(text).eval(SPEC.scope(names, self_vars={"hidden": 7}))


@pytest.mark.parametrize("text, result", [
    ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("10 - 2 - 3", 5), ("1 << 2 + 1", 8), ("6 & 3 ^ 1 | 8", 11),
    ("1 | 2 == 3", True), ("-2 * -3", 6), ("!true || true", True), ("~0", -1), ("7 / -2", -3), ("-7 % 3", -1), ("(-9223372036854775807 - 1) % -1", 0),
    ("true ? 1 : false ? 2 : 3", 1), ("1 < 2 ? 'a' : 'b'", b"a"), ("2 in [1, 2]", True), ("3 in []", False),
    ("'a' + 'b'", b"ab"), ("[1] + [2, 3]", (1, 2, 3)), ("'abc'[1]", 98), ("'abcd'[1..3]", b"bc"), ("[5, 6][1]", 6),
    ("'abc'[3..3]", b""), ("'x{1 + 1}y{'{3}'}'", b"x2y3"), (r"'\n\r\t\0\\\'\{\x7f'", b"\n\r\t\0\\'{\x7f"), ("0xff", 255),
    ("200ms", Duration(200000000)), ("2 * 3s == 6s", True), ("1min > 59s", True), ("size('abc')", 3), ("len([1, 2])", 2),
    ("fits(127, i8)", True), ("fits(128, i8)", False), ("fits(-1, u8)", False), ("min(3, 2)", 2), ("max(3, 2)", 3),
    ("line('a\\r\\n\\\\\\0')", rb"a\r\n\\\0"), ("lower('AbC')", b"abc"), ("upper('AbC')", b"ABC"), ("starts('abc', 'ab')", True),
    ("ends('abc', 'bc')", True), ("contains('abc', 'z')", False), ("decimal(-12)", b"-12"), ("hex(255)", b"ff"),
    ("number('-12')", -12), ("self.hidden", 7), ("5 >> 1", 2), ("-5 >> 1", -3), ("1 << 62", 1 << 62)])
def test_values(text, result):
    """What each operator and function gives."""
    assert value(text) == result
    assert type(value(text)) is type(result)


@pytest.mark.parametrize("text", [
    "top + 1", "bottom - 1", "top * 2", "-bottom", "bottom / -1", "1 / 0", "1 % 0", "1 << 63", "1 << 64", "1 << -1", "1 >> 64",
    "top << 1", "'abc'[3]", "'abc'[-1]", "'abc'[2..1]", "'abc'[0..4]", "[1][1]", "absent", "absent == 1", "number('01')",
    "number('')", "number('9223372036854775808')", "'{absent}'", "true && absent", "absent && false", "false || absent",
    "true ? absent : 1", "[absent]", "size(absent)"])
def test_undefined(text):
    """What makes a whole expression undefined."""
    with pytest.raises(Undefined):
        value(text, top=TOP, bottom=BOTTOM, absent=ABSENT)


@pytest.mark.parametrize("text, result", [("false && absent", False), ("true || absent", True), ("true ? 1 : absent", 1),
                                          ("present(absent)", False), ("present(here)", True)])
def test_parts_that_are_not_evaluated(text, result):
    """`&&`, `||` and `?:` decide first."""
    assert value(text, absent=ABSENT, here=1) == result


@pytest.mark.parametrize("text", ["1 + 'a'", "'a' == 1", "!1", "true + true", "1 ? 2 : 3", "nosuch", "nosuch(1)", "size(1)", "'a' < 'b'",
                                  "1 && true", "Phase.nosuch", "1s + 1", "'abc'['a']"])
def test_type_errors(text):
    """Nothing converts by itself."""
    with pytest.raises(SpecError):
        value(text)


@pytest.mark.parametrize("text", ["", "1 +", "(1", "'abc", "1 2", "[1", "'{1'", "a..b", r"'\q'", "1 == 2 == 3", "9223372036854775808", "a ? b"])
def test_what_cannot_be_read(text):
    """Syntax errors."""
    with pytest.raises(SpecError):
        expr.parse(text)


def test_enums():
    """Literals stand bare where an enum is expected, and by type where a name hides them."""
    name = SPEC.types["Phase"].enum.value("name")
    assert value("phase == name", phase=name) is True
    assert value("name == phase", phase=name) is True
    assert value("phase in [close, name]", phase=name) is True
    assert value("phase == Phase.name", phase=name, name=b"hides the literal") is True
    assert value("'{phase}'", phase=name) == b"name"
    with pytest.raises(SpecError):
        value("phase == name", phase=name, name=b"hides the literal")
    with pytest.raises(SpecError):
        value("phase == 1", phase=name)


@given(st.binary())
def test_line_can_be_undone_and_stays_on_one_line(data):
    """No line break is left, and two texts never give the same line."""
    shown = line(data)
    assert not set(shown) & {0, 10, 13}
    undone = shown.replace(b"\\\\", b"\xff\0").replace(b"\\r", b"\r").replace(b"\\n", b"\n")
    if b"\xff" not in data and b"\0" not in data:
        assert undone.replace(b"\xff\0", b"\\") == data


@given(st.integers(BOTTOM, TOP), st.integers(BOTTOM, TOP), st.sampled_from("+-*/%&|^"))
def test_arithmetic_is_exact_or_undefined(left, right, op):
    """64 bits signed; division truncates."""
    try:
        result = value("l %s r" % op, l=left, r=right)
    except Undefined:
        assert op in "+-*" and not BOTTOM <= eval("left %s right" % op) <= TOP or op in "/%" and right == 0 or op == "/" and right == -1
        return
    assert BOTTOM <= result <= TOP
    if op == "/":
        assert abs(left - result * right) < abs(right)
    elif op == "%":
        assert (left - result) % right == 0 and (result == 0 or (result < 0) == (left < 0))
    else:
        assert result == eval("left %s right" % op)
