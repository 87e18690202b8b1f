"""Lines `<from to/COMMAND name=value;...` by hand, for the programs of this folder."""

import json
import re

NAME = r"[A-Za-z_][A-Za-z0-9_]{0,63}"
LINE = re.compile(rf"(?:<({NAME}):({NAME}) )?(?:({NAME}):({NAME})/)?(.*)\Z", re.S)
COMMAND = re.compile(rf"({NAME})(?: (.*))?\Z", re.S)
PAIR = re.compile(rf"({NAME})=", re.S)
ESCAPES = {"\\": "\\", "n": "\n", "r": "\r"}
LIMIT = 8192
PAIRS_MAX = 64
VALUE_MAX = 4096


class Malformed(Exception):
    """The line cannot be read."""


def unescape(text, at, end):
    """The value from `at` on, to an unescaped byte of `end` or the end of the text; and where it ended."""
    value = []
    while at < len(text) and text[at] not in end:
        if text[at] == "\\":
            letter = text[at + 1 : at + 2]
            if letter == '"' and end == '"':
                value.append('"')
            elif letter in ESCAPES and letter:
                value.append(ESCAPES[letter])
            else:
                raise Malformed("escape")
            at += 2
        else:
            value.append(text[at])
            at += 1
    return "".join(value), at


def read_pairs(text, first_wins=False):
    """The pairs of a line. The last of two equal names counts."""
    pairs, at, seen = {}, 0, 0
    while True:
        name = PAIR.match(text, at)
        if not name:
            raise Malformed("a name and '='")
        at = name.end()
        if text[at : at + 1] == '"':
            value, at = unescape(text, at + 1, '"')
            if text[at : at + 1] != '"':
                raise Malformed("the closing quote")
            at += 1
        else:
            value, at = unescape(text, at, ";")
        seen += 1
        if len(value) > VALUE_MAX or seen > PAIRS_MAX:
            raise Malformed("too much")
        if not (first_wins and name[1] in pairs):
            pairs[name[1]] = value
        if at == len(text):
            return pairs
        if text[at] != ";":
            raise Malformed("';'")
        at += 1


def reject_nested(value):
    if isinstance(value, (dict, list)):
        raise Malformed("nested")
    return value


class Number(str):
    """A JSON number, as it was written."""


def as_bytes(word):
    """The UTF-8 of a string, a character a byte."""
    try:
        return word.encode("utf-8").decode("latin-1")
    except UnicodeEncodeError:
        raise Malformed("half a surrogate pair") from None


def read_object(text):
    """A JSON object: its command and its other members."""
    try:
        members = json.loads(text.decode("utf-8"), parse_int=Number, parse_float=Number, parse_constant=reject_constant)
    except ValueError as error:
        raise Malformed(str(error)) from None
    pairs = {}
    for name, value in members.items():
        reject_nested(value)
        word = {True: "true", False: "false", None: "null"}.get(value) if not isinstance(value, str) else value
        if not re.fullmatch(NAME, name):
            raise Malformed("a name")
        pairs[name] = as_bytes(word)
    if any(len(v) > VALUE_MAX for v in pairs.values()) or len(pairs) - 1 > PAIRS_MAX:
        raise Malformed("too much")
    command = pairs.pop("command", None)
    if command is None or not re.fullmatch(NAME, command):
        raise Malformed("a command")
    return command, pairs


def reject_constant(word):
    raise Malformed(word)


def read(line, wrong=None):
    """(from, to, command, pairs) of a line without its end; from and to are 'server:service' or None."""
    text = line.decode("latin-1")
    m = LINE.match(text)
    sender = f"{m[1]}:{m[2]}" if m[1] else None
    to = f"{m[3]}:{m[4]}" if m[3] else None
    if m[5].startswith("{") and wrong != "json-refused":
        command, pairs = read_object(line[m.start(5) :])
        return sender, to, command, pairs
    c = COMMAND.match(m[5])
    if not c:
        raise Malformed("a command")
    return sender, to, c[1], read_pairs(c[2], wrong == "first-name-wins") if c[2] is not None else {}


def write_value(value, wrong=None):
    text = value.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
    if wrong == "unescaped-value":
        return value
    if value.startswith('"') or ";" in value:
        return '"' + text.replace('"', '\\"') + '"'
    return text


def write(command, pairs=None, to=None, wrong=None):
    """The line of a message, without its end."""
    names = list(pairs or {})
    if wrong != "names-unsorted":
        names.sort()
    text = ";".join(f"{name}={write_value(pairs[name], wrong)}" for name in names)
    return ((f"{to}/" if to else "") + command + (" " + text if text else "")).encode("latin-1")
