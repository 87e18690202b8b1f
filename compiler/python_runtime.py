# ---- what runs the tables: values, expressions, frames, messages, the machine ----

_MIN, _MAX = -(1 << 63), (1 << 63) - 1


class _Undefined(Exception):
    """An expression has no value."""


class _Stop(Exception):
    """Decoding stops, with an event."""


class _Short(Exception):
    """Bytes are missing; `need`: at least so many; `open`: the field may go on behind them."""

    def __init__(self, need, open_=False):
        self.need, self.open = need, open_


class _Bad(Exception):
    """Not in the field's form."""


class _Lost(_Bad):
    """Nor can it be told where the field ends."""


class _Unnamed(Exception):
    """The text of no enum value."""


class _Unfit(Exception):
    """A value cannot be sent or stored."""


class _NoRoom(Exception):
    """As many messages as may be are not acknowledged."""


def _now():
    return time.monotonic_ns()


def _event_name(event):
    return event if isinstance(event, str) else _EVENTS[event].name


def _index_of(table, name, what):
    for i, row in enumerate(table):
        if row is not None and row.name == name:
            return i
    raise ValueError("the protocol has no %s %s for clients" % (what, name))


# ---- values ----


def _items(packed):
    return list(struct.unpack("<%dq" % (len(packed) // 8), packed))


def _pack(items):
    return struct.pack("<%dq" % len(items), *items)


def _to_value(index, value):
    """From what applications use to what tables use."""
    kind, of = _TYPES[index].kind, _TYPES[index].of
    if kind == "text" or kind == "bytes":
        return value.encode("utf-8") if isinstance(value, str) else bytes(memoryview(value))
    if kind == "list":
        return _pack([int(item) for item in value])
    if kind == "enum" and isinstance(value, str):
        return _ENUMS[of].values[value]
    if kind == "duration":
        return round(value * 10**9)
    if isinstance(value, (str, float)) or int(value) != value:
        raise TypeError("a whole number is expected")
    return int(value)


def _from_value(index, value):
    kind, of = _TYPES[index].kind, _TYPES[index].of
    if kind == "text":
        return value.decode("utf-8", "surrogateescape")
    if kind == "list":
        return _items(value)
    if kind == "enum":
        try:
            return _ENUMS[of].type(value)
        except ValueError:
            return value
    if kind == "duration":
        return value / 1e9
    return bool(value) if kind == "bool" else value


def _option_values(given):
    """The params by number: those given, in what applications use, and the defaults of the others."""
    unknown = set(given) - {option.name for option in _OPTIONS}
    if unknown:
        raise ValueError("the protocol has no param %s" % ", ".join(sorted(unknown)))
    values = [option.value for option in _OPTIONS]
    for i, option in enumerate(_OPTIONS):
        if option.name in given:
            values[i] = _to_value(option.type, given[option.name])
            if not _fits(option.type, values[i]):
                raise ValueError("param %s is outside of what the spec allows" % option.name)
    return values


def _charset_holds(charset, value):
    if charset == "bytes":
        return True
    try:
        value.decode(charset)
    except UnicodeDecodeError:
        return False
    return True


def _named(of, value):
    enum_ = _ENUMS[of]
    return enum_.open or value in enum_.names


def _fits(index, value):
    if index is None:
        return True
    t = _TYPES[index]
    if t.kind == "bool":
        return 0 <= value <= 1
    if t.kind == "enum":
        return _named(t.of, value)
    if t.kind in ("int", "duration"):
        return t.min <= value <= t.max
    if t.kind == "list":
        return t.min <= len(value) // 8 <= t.max and all(_fits(t.of, item) for item in _items(value))
    if not t.min <= len(value) <= t.max:
        return False
    if t.kind == "text" and not _charset_holds(t.charset, value):
        return False
    return t.set is None or all(_SETS[t.set] >> byte & 1 for byte in value)


def _is_bytes(index):
    return index is not None and _TYPES[index].kind in ("bytes", "text", "list")


class _Env:
    """What expressions see."""

    def __init__(self, variables, lenient, options, session=None):
        self.slots, self.vars, self.lenient, self.options = {}, variables, lenient, options
        self.session = session


# ---- numbers as text ----


def _parse_decimal(text, signed, loose=frozenset()):
    if "space" in loose:
        text = text.lstrip(b" \t\n\v\f\r")
    negative = signed and text[:1] == b"-"
    if negative or ("plus" in loose and text[:1] == b"+"):
        text = text[1:]
    n = 0
    while n < len(text) and 48 <= text[n] <= 57:
        n += 1
    digits = text[:n]
    if n == 0 or (n != len(text) and "tail" not in loose):
        raise _Bad
    if digits[:1] == b"0" and (n > 1 or negative) and "zeros" not in loose:
        raise _Bad
    value = -int(digits) if negative else int(digits)
    if not _MIN <= value <= _MAX:
        raise _Bad
    return value


def _parse_hex(text, loose=frozenset()):
    if "space" in loose:
        text = text.lstrip(b" \t\n\v\f\r")
    n = 0
    while n < len(text) and text[n] in b"0123456789abcdef":
        n += 1
    if n == 0 or (n != len(text) and "tail" not in loose):
        raise _Bad
    if text[:1] == b"0" and n > 1 and "zeros" not in loose:
        raise _Bad
    value = int(text[:n], 16)
    if value >> 64:
        raise _Bad
    return value - (1 << 64) if value > _MAX else value


def _hex(value):
    if value < 0:
        raise _Undefined
    return b"%x" % value


# ---- expressions ----


def _checked(value):
    if not _MIN <= value <= _MAX:
        raise _Undefined
    return value


def _divide(x, y):
    if y == 0:
        raise _Undefined
    quotient = abs(x) // abs(y)
    return _checked(quotient if (x < 0) == (y < 0) else -quotient)


def _modulo(x, y):
    if y == 0:
        raise _Undefined
    return abs(x) % abs(y) * (-1 if x < 0 else 1)


def _shift(x, y, left):
    if not 0 <= y <= 63:
        raise _Undefined
    return _checked(x << y) if left else x >> y


def _at(x, y):
    if not 0 <= y < len(x):
        raise _Undefined
    return x[y]


def _item(x, y):
    return struct.unpack("<q", _cut(x, y, y + 1, 8))[0]


def _cut(x, y, z, unit):
    if not 0 <= y <= z <= len(x) // unit:
        raise _Undefined
    return x[y * unit:z * unit]


def _number(x):
    try:
        return _parse_decimal(x, True)
    except _Bad:
        raise _Undefined from None


def _line(x):
    for byte, escaped in ((b"\\", b"\\\\"), (b"\n", b"\\n"), (b"\r", b"\\r"), (b"\0", b"\\0")):
        x = x.replace(byte, escaped)
    return x


_BINARY = {
    "ADD": lambda x, y: _checked(x + y),
    "SUB": lambda x, y: _checked(x - y),
    "MUL": lambda x, y: _checked(x * y),
    "DIV": _divide,
    "MOD": _modulo,
    "SHL": lambda x, y: _shift(x, y, True),
    "SHR": lambda x, y: _shift(x, y, False),
    "BITAND": lambda x, y: x & y,
    "BITOR": lambda x, y: x | y,
    "BITXOR": lambda x, y: x ^ y,
    "EQ": lambda x, y: int(x == y),
    "NE": lambda x, y: int(x != y),
    "LT": lambda x, y: int(x < y),
    "LE": lambda x, y: int(x <= y),
    "GT": lambda x, y: int(x > y),
    "GE": lambda x, y: int(x >= y),
    "SAME": lambda x, y: int(x == y),
    "DIFFER": lambda x, y: int(x != y),
    "MIN": min,
    "MAX": max,
    "AT": _at,
    "ITEM": _item,
    "STARTS": lambda x, y: int(x.startswith(y)),
    "ENDS": lambda x, y: int(x.endswith(y)),
    "CONTAINS": lambda x, y: int(y in x),
}

_UNARY = {
    "NEG": lambda x: _checked(-x),
    "FLIP": lambda x: ~x,
    "NOT": lambda x: int(not x),
    "SIZE": len,
    "LEN": lambda x: len(x) // 8,
    "DECIMAL": lambda x: b"%d" % x,
    "HEX": _hex,
    "NUMBER": _number,
    "LINE": _line,
    "LOWER": bytes.lower,
    "UPPER": bytes.upper,
}


# ---- sums ----


def _crc(data, polynomial, crc):
    """Of bytes whose lowest bit comes first."""
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ polynomial if crc & 1 else crc >> 1
    return crc


def _crc_table(polynomial):
    return [_crc(bytes((byte,)), polynomial, 0) for byte in range(256)]


_CRC32C, _CRC16 = _crc_table(0x82f63b78), _crc_table(0xa001)


def _crc_by(table, data, crc):
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xff]
    return crc


def _inet16(data):
    total = sum(data[::2]) * 256 + sum(data[1::2])
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total ^ 0xffff


_SUMS = (
    None,
    lambda data: _crc_by(_CRC32C, data, 0xffffffff) ^ 0xffffffff,
    lambda data: _crc_by(_CRC16, data, 0),
    _inet16,
    lambda data: sum(data) & 0xff,
)


def _sum_around(kind, data, at, size):
    """As if these bytes of it were zeros."""
    return _SUMS[_SUM_KINDS.index(kind)](data[:at] + bytes(size) + data[at + size:])


_SUM_KINDS = ("none", "crc32c", "crc16", "inet16", "sum8")


# ---- what only a session knows ----


def _peer(env, _):
    return repr(env.session.peer).encode()


def _seal_of(env, values, age):
    """Only this process can make it; `age`: in how many spans of time before this one."""
    span = (env.session.now // _SEAL if _SEAL > 0 else age) - age
    text = b"".join(b"%d:%s" % (len(value), value) for value in values)
    return hashlib.blake2b(b"%d:%s" % (span, text), digest_size=16, key=_SEAL_KEY).digest()


def _sealed(env, seal, values):
    return int(any([hmac.compare_digest(seal, _seal_of(env, values, age)) for age in (0, 1)]))


_SEAL_KEY = os.urandom(32)


def _delivered(env, everything):
    flow = env.session.flow
    return int(flow is None or flow.acked >= (flow.next if everything else flow.mark))


def _slot(env, b):
    if b not in env.slots:
        raise _Undefined
    return env.slots[b]


_CONSTANT = {
    "INT": lambda env, b: b - 0x10000 if b & 0x8000 else b,
    "WIDE": lambda env, b: _INTS[b],
    "BLOB": lambda env, b: _BLOBS[b],
    "SLOT": _slot,
    "KNOWN": lambda env, b: int(b in env.slots),
    "VAR": lambda env, b: env.vars[b],
    "OPTION": lambda env, b: env.options[b],
    "PEER": _peer,
    "RANDOM": lambda env, b: os.urandom(b),
    "STATE": lambda env, b: env.session.state,
}


def _jump(op, stack, b):
    """How many instructions to skip; None: it is no jump."""
    if op == "JUMP":
        return b
    if op == "UNLESS":
        return 0 if stack.pop() else b
    if op in ("AND_ELSE", "OR_ELSE"):
        if bool(stack[-1]) == (op == "OR_ELSE"):
            return b
        stack.pop()
        return 0
    return None


def _gather(env, op, stack, a, b):
    """Operations with another number of values than one or two, or on them and something else."""
    if op == "WITHIN":
        return int(_INTS[b] <= stack.pop() <= _INTS[b + 1])
    if op == "PAIR":
        name, text = stack.pop(), stack.pop()
        return _pair_value(_PAIRS[b], text, name)
    if op == "NAME":
        x = stack.pop()
        return _ENUMS[b].names.get(x, str(x)).encode()
    if op in ("SLICE", "PART"):
        z, y, x = stack.pop(), stack.pop(), stack.pop()
        return _cut(x, y, z, 1 if op == "SLICE" else 8)
    if op == "SUM":
        return _SUMS[b](stack.pop())
    if op == "ACKED":
        return _delivered(env, a)
    values = _pop(stack, a)
    if op == "SEAL":
        return _seal_of(env, values, 0)
    if op == "SEALED":
        return _sealed(env, values[0], values[1:])
    return b"".join(values) if op == "JOIN" else _pack(values)


def _run(env, pc, action=None):
    """Run code to its end; the value that it leaves. Actions are handed out."""
    stack = []
    while True:
        ins = _CODE[pc]
        op, a, b = _OPS[ins & 0xff], ins >> 8 & 0xff, ins >> 16
        pc += 1
        if op == "END":
            return stack[0] if stack else None
        if op in _CONSTANT:
            stack.append(_CONSTANT[op](env, b))
        elif op in _BINARY:
            y, x = stack.pop(), stack.pop()
            stack.append(_BINARY[op](x, y))
        elif op in _UNARY:
            stack.append(_UNARY[op](stack.pop()))
        elif op == "LOCAL":
            env.slots[b] = stack.pop()
        elif op in _ACTIONS:
            action(op, a, b, stack)
        else:
            skip = _jump(op, stack, b)
            if skip is None:
                stack.append(_gather(env, op, stack, a, b))
            else:
                pc += skip


_ACTIONS = frozenset(("OUT", "FREE", "SEND", "SET", "GOTO", "EFFECT", "TIMER", "RESULT", "ERROR", "ABORT", "CLOSE",
                      "DECLINE", "MARK", "CHOOSE"))


def _holds(env, code):
    if code is None:
        return True
    try:
        return bool(_run(env, code))
    except _Undefined:
        return False


# ---- delimiters ----


def _find_delimiter(index, data, start):
    """(at, size) of the first delimiter; None, and where to go on searching."""
    blobs = _DELIMS[index]
    at = start
    while at < len(data):
        hits = [hit for hit in (data.find(blob[:1], at) for blob in blobs) if hit >= 0]
        if not hits:
            break
        at = min(hits)
        for blob in blobs:
            if data.startswith(blob, at):
                return (at, len(blob)), at
            if len(data) - at < len(blob) and blob.startswith(data[at:]):
                return None, at
        at += 1
    return None, len(data)


# ---- text of names and values ----


def _pairs_parse(p, text):
    """The pairs as they stand there, without quotes and escapes."""
    pairs, at = [], 0
    while text:
        equals, separator = text.find(p.assign, at), text.find(p.separator, at)
        if equals < 0 or 0 <= separator < equals:
            raise _Bad
        name = text[at:equals]
        value, at = _pairs_value(p, text, equals + 1)
        pairs.append((name, value))
        if len(pairs) > p.most:
            raise _Bad
        if at == len(text):
            break
        at += 1
    return pairs


def _pairs_value(p, text, at):
    """(value, where it ends)"""
    quoted = p.quote is not None and text[at:at + 1] == bytes((p.quote,))
    at += quoted
    stop = p.quote if quoted else p.separator
    made = bytearray()
    while at < len(text) and text[at] != stop:
        if text[at] != p.escape:
            made.append(text[at])
            at += 1
            continue
        letter = text[at + 1] if at + 1 < len(text) else None
        if letter not in p.escapes and not (quoted and letter == p.quote):
            raise _Bad
        made.append(p.escapes.get(letter, letter))
        at += 2
    if quoted:
        at += 1
        if at > len(text) or at < len(text) and text[at] != p.separator:
            raise _Bad
    return bytes(made), at


def _text_fits(type_, first, text):
    return _fits(type_, text) and (first is None or (text and _SETS[first] >> text[0] & 1 == 1))


def _pairs_canonical(p, pairs):
    """The one text of these pairs; _Bad: there is none."""
    kept = {}
    for name, value in pairs:
        if not _text_fits(p.name_type, p.name_first, name) or not _text_fits(p.value_type, p.value_first, value):
            raise _Bad
        if name in kept and p.duplicates == "fault":
            raise _Bad
        if name in kept and p.duplicates == "first":
            continue
        kept.pop(name, None)
        kept[name] = value
    if len(kept) > p.most:
        raise _Bad
    names = sorted(kept) if p.sorted else list(kept)
    return bytes((p.separator,)).join(_pair_text(p, name, kept[name]) for name in names)


def _pair_text(p, name, value):
    if p.assign in name or p.separator in name:
        raise _Bad
    letters = {byte: letter for letter, byte in reversed(list(p.escapes.items()))}
    quoted = p.quote is not None and (value[:1] == bytes((p.quote,)) or any(
        p.quote_if is not None and _SETS[p.quote_if] >> byte & 1 or byte == p.separator and byte not in letters
        for byte in value))
    made = bytearray(name + bytes((p.assign,)))
    if quoted:
        made.append(p.quote)
        letters.setdefault(p.quote, p.quote)
    for byte in value:
        special = byte == p.escape or byte == (p.quote if quoted else p.separator)
        if byte in letters and p.escape is not None:
            made += bytes((p.escape, letters[byte]))
        elif special:
            raise _Bad
        else:
            made.append(byte)
    if quoted:
        made.append(p.quote)
    return bytes(made)


def _pair_value(p, text, name):
    for other, value in _pairs_parse(p, text):
        if other == name:
            return value
    raise _Undefined


def _json_text(value):
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, list):
        raise ValueError("an object or array inside of an object")
    return {True: b"true", False: b"false", None: b"null"}[value]


def _json_constant(_name):
    raise ValueError("no JSON")


def _json_members(data):
    """The members of a JSON object, name to text; of equal names the last."""
    try:
        pairs = json.loads(data.decode("utf-8"), object_pairs_hook=list, parse_int=str, parse_float=str,
                           parse_constant=_json_constant)
        return {name.encode("utf-8"): _json_text(value) for name, value in pairs}
    except (ValueError, RecursionError):
        raise _Bad from None


# ---- reading fields ----


class _WrongSum(_Bad):
    """A sum that is not that of the frame."""


class _Reader:
    """`growing`: more may follow; `cut_off`: nothing follows, but it should; `sums`: they are looked at."""

    def __init__(self, data, cut_off=False, growing=False, sums=False):
        self.data, self.pos, self.bit, self.cut_off, self.sums = data, 0, 0, cut_off, sums
        self.open = cut_off or growing

    def take(self, n, open_=False):
        if self.bit or n > _MAX:
            raise _Lost
        if n > len(self.data) - self.pos:
            raise _Short(self.pos + n, open_)
        self.pos += n
        return self.data[self.pos - n:self.pos]

    def left(self):
        return len(self.data) - self.pos

    def done(self):
        return self.pos == len(self.data) and self.bit == 0

    def bits(self, bits):
        if (self.bit + bits + 7) // 8 > self.left():
            raise _Short(self.pos + (self.bit + bits + 7) // 8)
        value = 0
        for _ in range(bits):
            value = value << 1 | self.data[self.pos] >> (7 - self.bit) & 1
            self.bit += 1
            if self.bit == 8:
                self.bit, self.pos = 0, self.pos + 1
        return value

    def uint(self, bits, little):
        if self.bit or bits % 8:
            return self.bits(bits)
        return int.from_bytes(self.take(bits // 8), "little" if little else "big")

    def varint(self, most, little):
        groups = []
        while not groups or groups[-1] & 0x80:
            if len(groups) == most:
                raise _Lost
            groups.append(self.take(1, open_=True)[0])
        value = 0
        for byte in reversed(groups) if little else groups:
            value = value << 7 | byte & 0x7f
        if value >> 64 or (len(groups) > 1 and groups[-1 if little else 0] & 0x7f == 0):
            raise _Bad
        return value


def _signed64(value):
    return value - (1 << 64) if value > _MAX else value


def _read_extent(env, f, r):
    if f.extent == "fixed":
        return r.take(f.extent_arg)
    if f.extent == "code":
        return r.take(_size_of(env, f.extent_arg))
    if f.extent == "prefix":
        return r.take(_read_prefix(f, r))
    if f.extent == "until":
        found, _ = _find_delimiter(f.extent_arg, r.data, r.pos)
        if found is None:
            raise _Short(len(r.data) + 1, True)
        if r.bit:
            raise _Lost
        value = r.data[r.pos:found[0]]
        r.pos = sum(found)
        return value
    if f.extent == "before":
        found, _ = _find_delimiter(f.extent_arg, r.data, r.pos)
        if found is None and r.open:
            raise _Short(len(r.data) + 1, True)
        return r.take((len(r.data) if found is None else found[0]) - r.pos)
    if f.extent == "rest":
        return r.take(r.left() + (1 if r.cut_off else 0))
    raise _Bad


def _read_prefix(f, r):
    try:
        return r.uint(f.extent_arg, f.little) if f.extent_arg else r.varint(10, f.little)
    except _Short as short:
        raise _Short(short.need, True) from None
    except _Bad:
        raise _Lost from None


def _size_of(env, code):
    try:
        size = _run(env, code)
    except _Undefined:
        raise _Lost from None
    if size < 0:
        raise _Lost
    return size


def _loose(env, f):
    return f.loose if f.loose and f.leniency in env.lenient else frozenset()


def _read_items(env, f, r, count):
    items = []
    while len(items) != count and (count is not None or r.left() > 0):
        items.append(_read_field(env, _FIELDS[f.element], r))
    return _pack(items)


def _read_counted(env, f, r):
    count, element = _size_of(env, f.extent_arg), _FIELDS[f.element]
    if element.form == "int" and element.bits % 8 == 0 and count * element.bits // 8 > r.left():
        raise _Short(r.pos + count * element.bits // 8)
    try:
        return _read_items(env, f, r, count)
    except _Short as short:
        raise _Short(short.need, True) from None
    except (_Bad, _Unnamed):
        raise _Lost from None


def _read_list(env, f, r):
    if f.extent == "count":
        return _read_counted(env, f, r)
    inner = _Reader(_read_extent(env, f, r))
    try:
        value = _read_items(env, f, inner, None)
    except (_Short, _Lost, _Unnamed):
        raise _Bad from None
    if inner.bit:
        raise _Bad
    return value


def _read_text(env, f, r):
    value = _read_extent(env, f, r)
    if _TYPES[f.type].kind != "enum":
        return value
    for i, text in enumerate(_ENUMS[_TYPES[f.type].of].texts):
        if text == value or (f.fold and text.lower() == value.lower()):
            return i
    raise _Unnamed


def _read_const(env, f, r):
    if r.take(len(_BLOBS[f.extent_arg])) != _BLOBS[f.extent_arg]:
        raise _Bad


def _read_int(env, f, r):
    at = r.pos
    value = r.uint(f.bits, f.little)
    if f.sum != "none" and r.sums and value != _sum_around(f.sum, r.data, at, f.bits // 8):
        raise _WrongSum
    if f.signed and value >> (f.bits - 1):
        value -= 1 << f.bits
    return _signed64(value)


def _read_calc(env, f, r):
    try:
        return _run(env, f.is_)
    except _Undefined:
        raise _Bad from None


def _read_ahead(env, f, r):
    ahead, rest = _AHEADS[f.element], r.data[r.pos:]
    if ahead.kind == "begins":
        if r.open and len(rest) < len(ahead.text) and ahead.text.startswith(rest):
            raise _Short(len(r.data) + 1, True)
        return int(rest.startswith(ahead.text))
    if ahead.kind == "left":
        if r.open and not rest:
            raise _Short(len(r.data) + 1, True)
        return int(bool(rest))
    at = rest.find(ahead.text)
    found = None if ahead.before is None else _find_delimiter(ahead.before, rest, 0)[0]
    if r.open and at < 0 and found is None:
        raise _Short(len(r.data) + 1, True)
    return int(at >= 0 and (found is None or at < found[0]))


def _read_pairs(env, f, r):
    p = _PAIRS[f.element]
    return _pairs_canonical(p, _pairs_parse(p, _read_extent(env, f, r)))


def _read_object(env, f, r):
    """Gives other fields their values; has none of its own."""
    object_ = _OBJECTS[f.element]
    members, found = _json_members(_read_extent(env, f, r)), {}
    for name, field in object_.members:
        if name in members:
            found[field] = members.pop(name)
        elif not _FIELDS[field].optional:
            raise _Bad
    if object_.rest is None and members:
        raise _Bad
    for field in sorted(set(found) | ({object_.rest} if object_.rest is not None else set())):
        if field in found:
            _take_text(env, _FIELDS[field], found[field])
        elif members or not _FIELDS[field].optional:
            value = _pairs_canonical(_PAIRS[_FIELDS[field].element], list(members.items()))
            _check_field(env, _FIELDS[field], value)


def _take_text(env, f, text):
    """A field's value that stands alone in a text."""
    r = _Reader(text)
    try:
        value = _read_field(env, f, r)
    except _Unnamed:
        raise _fault("unknown") from None
    except (_Bad, _Short):
        raise _fault("malformed") from None
    if not r.done():
        raise _fault("malformed")
    _check_field(env, f, value)


def _decode_member(env, f):
    pairs = _FIELDS[f.element]
    try:
        text = _pair_value(_PAIRS[pairs.element], _slot(env, pairs.slot), _BLOBS[f.extent_arg])
    except _Undefined:
        if f.optional:
            return
        raise _fault("malformed") from None
    _take_text(env, f._replace(extent="rest") if f.form != "const" else f, text)


_READ = {
    "ahead": _read_ahead,
    "pairs": _read_pairs,
    "object": _read_object,
    "int": _read_int,
    "varint": lambda env, f, r: _signed64(r.varint(f.bits // 8, f.little)),
    "decimal": lambda env, f, r: _parse_decimal(_read_extent(env, f, r), f.signed, _loose(env, f)),
    "hex": lambda env, f, r: _parse_hex(_read_extent(env, f, r), _loose(env, f)),
    "bytes": _read_text,
    "const": _read_const,
    "list": _read_list,
    "calc": _read_calc,
}


def _read_field(env, f, r):
    return _READ[f.form](env, f, r)


# ---- finding frames ----


def _trimmed(frame, content):
    return content if frame.trim is None else content.strip(_TRIMS[frame.trim])


_TRIMS = {frame.trim: bytes(i for i in range(256) if _SETS[frame.trim] >> i & 1)
          for frame in _FRAMES if frame.trim is not None}


def _end_behind(fields, need):
    """Where the frame ends when a field ends at `need` and these follow it; None: that cannot be told."""
    bits = 0
    for other in fields:
        if other.present is not None:
            return None
        if other.form == "int":
            bits += other.bits
        elif other.form == "const":
            bits += 8 * len(_BLOBS[other.extent_arg])
        elif other.form in ("calc", "ahead"):
            continue
        elif other.form != "varint" and other.extent == "fixed":
            bits += 8 * other.extent_arg
        else:
            return None
    return need + bits // 8


def _walk(env, frame, run, r, walked):
    """Read fields for where they end; (status, size, 0), or None: they are all there."""
    fields = _fields(run)
    for i, f in enumerate(fields):
        if f.present is not None and not _holds(env, f.present):
            continue
        try:
            value = _read_field(env, f, r)
        except _Short as short:
            if short.need <= frame.max:
                return "partial", 0, 0
            return "oversize", None if short.open or walked else _end_behind(fields[i + 1:], short.need), 0
        except _Lost:
            return "broken", 0, 0
        except (_Bad, _Unnamed):
            continue
        if f.slot is not None:
            env.slots[f.slot] = value
    return None


def _find_by_fields(env, frame, data):
    r = _Reader(data[:frame.max], growing=True)  # what is beyond does not count, however much of it is here
    found = _walk(env, frame, frame.fields, r, frame.walked)
    if found is None and frame.walked:
        body = r.data[r.pos:]
        m = next((m for m in _MESSAGES if _is_candidate(env, frame, m, body)), None)
        if m is None and not body and any(m.from_server and m.leads is not None for m in _MESSAGES):
            return ("partial" if r.pos < frame.max else "oversize"), None, 0
        found = ("broken", 0, 0) if m is None else _walk(env, frame, m.fields, r, False)
    if found is not None:
        return found
    if r.bit or r.pos == 0:
        return "broken", 0, 0
    return "whole", r.pos, r.pos


def _find_by_delimiter(frame, data):
    found, scanned = _find_delimiter(frame.delims, data, 0)
    if found and sum(found) <= frame.max:
        return "whole", sum(found), found[0]
    if found:
        return "oversize", sum(found), 0
    return ("oversize", None, 0) if scanned >= frame.max else ("partial", 0, 0)


def _find_frame(env, frame, data, segment):
    """(status, bytes that it takes, bytes of content)"""
    env.slots.clear()
    if frame.end == "fields":
        return _find_by_fields(env, frame, data)
    if frame.end == "until" and not segment:
        return _find_by_delimiter(frame, data)
    if frame.end == "stream":
        return "whole", min(len(data), frame.max), min(len(data), frame.max)
    if len(data) > frame.max:
        return "oversize", None if frame.end == "eof" else len(data), 0
    return ("partial", 0, 0) if frame.end == "eof" else ("whole", len(data), len(data))


# ---- decoding messages: the event, the first constraint that fails decides ----


def _fault(event):
    stop = _Stop()
    stop.event = "malformed" if event is None else event
    return stop


def _check_padding(env, f, value):
    if f.form in ("const", "calc", "object") or f.sum != "none":
        return
    code = f.is_ if f.is_ is not None else f.init
    written = bytes(len(value)) if isinstance(value, bytes) else 0
    try:
        if code is not None:
            written = _run(env, code)
    except _Undefined:
        raise _fault(f.fault) from None
    if written != value:
        raise _fault(f.fault)


def _check_field(env, f, value):
    if f.name is None and f.slot is None:
        _check_padding(env, f, value)
        return
    if f.type is not None and _TYPES[f.type].kind == "enum" and not _named(_TYPES[f.type].of, value):
        raise _fault("unknown")
    if f.slot is not None:
        env.slots[f.slot] = value
    if not _fits(f.type, value) or not _holds(env, f.check):
        env.slots.pop(f.slot, None)
        raise _fault(f.fault)


def _decode_field(env, f, r):
    if f.present is not None and not _holds(env, f.present):
        return
    if f.member:
        _decode_member(env, f)
        return
    try:
        value = _read_field(env, f, r)
    except _Unnamed:
        raise _fault("unknown") from None
    except _WrongSum:
        raise _fault(f.fault) from None
    except (_Bad, _Short):
        raise _fault(f.fault if f.form == "calc" else "malformed") from None
    _check_field(env, f, value)


def _fields(run):
    return _FIELDS[run[0]:run[0] + run[1]]


def _check_computed(env, run):
    for f in _fields(run):
        if f.is_ is None or f.form in ("calc", "ahead") or f.slot not in env.slots:
            continue
        try:
            right = _run(env, f.is_) == env.slots[f.slot]
        except _Undefined:
            right = False
        if not right:
            raise _fault(f.fault)


def _check_wheres(env, run):
    for where in _WHERES[run[0]:run[0] + run[1]]:
        if not _holds(env, where.that):
            raise _fault(where.fault)


def _tag_matches(env, frame, m):
    if m.tag_kind == "code":
        return _holds(env, m.tag)
    return m.tag_kind == "none" or (frame.tag in env.slots and env.slots[frame.tag] == m.tag)


def _is_candidate(env, frame, m, body):
    if not m.from_server or not m.transports & frame.transports or not _tag_matches(env, frame, m):
        return False
    return m.leads is None or (len(body) > 0 and _SETS[m.leads] >> body[0] & 1 == 1)


def _decode_message(env, frame, m, body):
    """(event, how far reading came)"""
    r = _Reader(body)
    try:
        for f in _fields(m.fields):
            _decode_field(env, f, r)
        if not r.done():
            raise _fault("malformed")
        _check_computed(env, m.fields)
        _check_computed(env, frame.fields)
        _check_wheres(env, m.wheres)
    except _Stop as stop:
        return stop.event, r.pos
    return m.event, r.pos


def _decode_body(env, frame, body):
    best, best_slots, known = ("unknown", -1), dict(env.slots), dict(env.slots)
    for m in _MESSAGES:
        env.slots = dict(known)
        if not _is_candidate(env, frame, m, body):
            continue
        event, at = _decode_message(env, frame, m, body)
        if event == m.event:
            return event
        if at > best[1]:
            best, best_slots = (event, at), env.slots
        if frame.walked:
            break
    env.slots = best_slots
    return best[0]


def _decode(env, frame, content, sums=True):
    env.slots = {}
    r = _Reader(content, sums=sums)
    try:
        for f in _fields(frame.fields):
            _decode_field(env, f, r)
    except _Stop as stop:
        return stop.event
    if frame.body is None:
        return _decode_body(env, frame, content[r.pos:])
    if not r.done():
        return "malformed"
    return _decode_body(env, frame, env.slots[_FIELDS[frame.body].slot])


def _decode_partial(env, frame, data):
    """The fields that are complete at the start of a frame that was cut off."""
    env.slots = {}
    r = _Reader(data, cut_off=True)
    try:
        for i in range(frame.fields[0], frame.fields[0] + frame.fields[1]):
            _decode_field(env, _FIELDS[i], r)
    except _Stop:
        if i != frame.body or r.left() <= 0:
            return
    body = data[r.pos:]
    candidates = [m for m in _MESSAGES if _is_candidate(env, frame, m, body)]
    if not candidates or (len(candidates) > 1 and not frame.walked):
        return
    rest = _Reader(body, cut_off=True)
    try:
        for f in _fields(candidates[0].fields):
            _decode_field(env, f, rest)
    except _Stop:
        pass


# ---- as text ----


_SHOWN_BYTES, _SHOWN_ITEMS = 48, 12
_ESCAPES = {10: "\\n", 13: "\\r", 9: "\\t", 0: "\\0", 92: "\\\\", 34: '\\"'}


def _show_bytes(data):
    shown = "".join(_ESCAPES.get(byte) or (chr(byte) if 0x20 <= byte < 0x7f else "\\x%02x" % byte) for byte in data[:_SHOWN_BYTES])
    return '"%s"' % shown + ("... %d bytes" % len(data) if len(data) > _SHOWN_BYTES else "")


def _show_value(type_, value):
    t = _TYPES[type_]
    if t.kind == "list":
        items = _items(value)
        shown = "[%s]" % ",".join(str(item) for item in items[:_SHOWN_ITEMS])
        return shown + ("... %d items" % len(items) if len(items) > _SHOWN_ITEMS else "")
    if isinstance(value, bytes):
        return _show_bytes(value)
    return _ENUMS[t.of].names.get(value, str(value)) if t.kind == "enum" else str(int(value))


def _decode_own(env, frame, content, m):
    """Read a message that was sent: which one it is need not be found."""
    r = _Reader(content)
    for f in _fields(frame.fields):
        _decode_field(env, f, r)
    body = content[r.pos:] if frame.body is None else env.slots[_FIELDS[frame.body].slot]
    return _decode_message(env, frame, m, body)[0]


def _shown(session, sent, name, data):
    """A frame as `Name{field=value ...}`; None: it cannot be read."""
    message = next((m for m in _MESSAGES if m.name == name), None)
    if message is None:
        return None
    frame = session.frame_out if sent else session.frame_in
    env = _Env(session.vars, session.lenient, session.env.options, session)
    status, _, content = _find_frame(env, frame, data, False)
    content = _trimmed(frame, data[:content] if status == "whole" else data)
    env.slots = {}
    try:
        event = _decode_own(env, frame, content, message) if sent else _decode(env, frame, content)
    except _Stop:
        return None
    fields = [_FIELDS[i] for i in [i for i in _numbers(frame.fields) if i != frame.body] + list(_numbers(message.fields))]
    return None if event != message.event else "%s{%s}" % (message.name, " ".join(
        "%s=%s" % (f.name, _show_value(f.type, env.slots[f.slot])) for f in fields if f.name and f.slot in env.slots))


# ---- encoding ----


class _Writer:
    def __init__(self):
        self.out, self.bit = bytearray(), 0
        self.sum = None  # the field of the frame's sum, which is written last, and its place

    def put(self, data):
        if self.bit:
            raise _Unfit
        self.out += data

    def uint(self, value, bits, little):
        if self.bit == 0 and bits % 8 == 0:
            self.out += (value & ((1 << bits) - 1)).to_bytes(bits // 8, "little" if little else "big")
            return
        for i in range(bits - 1, -1, -1):
            if self.bit == 0:
                self.out.append(0)
            self.out[-1] |= (value >> i & 1) << (7 - self.bit)
            self.bit = (self.bit + 1) % 8

    def varint(self, value, most, little):
        value &= (1 << 64) - 1
        groups = [value & 0x7f]
        while value >> 7 * len(groups):
            groups.append(value >> 7 * len(groups) & 0x7f)
        if len(groups) > most:
            raise _Unfit
        if not little:
            groups.reverse()
        self.put(bytes([group | 0x80 for group in groups[:-1]] + groups[-1:]))


def _computed(env, code):
    try:
        return _run(env, code)
    except _Undefined:
        raise _Unfit from None


def _write_extent(env, f, w, data):
    if f.extent == "fixed" and len(data) != f.extent_arg:
        raise _Unfit
    if f.extent == "code" and len(data) != _computed(env, f.extent_arg):
        raise _Unfit
    if f.extent == "prefix":
        if f.extent_arg == 0:
            w.varint(len(data), 10, f.little)
        elif len(data) >> f.extent_arg:
            raise _Unfit
        else:
            w.uint(len(data), f.extent_arg, f.little)
    w.put(data)
    if f.extent == "before" and _find_delimiter(f.extent_arg, data, 0)[0] is not None:
        raise _Unfit
    if f.extent == "until":
        delimiter = _DELIMS[f.extent_arg][0]
        if _find_delimiter(f.extent_arg, data + delimiter, 0)[0] != (len(data), len(delimiter)):
            raise _Unfit
        w.put(delimiter)


def _write_int(env, f, w, value):
    if f.sum != "none":
        w.sum = f, len(w.out)
        value = 0
    low, high = (-(1 << f.bits - 1), (1 << f.bits - 1) - 1) if f.signed else (0, (1 << f.bits) - 1)
    if f.bits < 64 and not low <= value <= high:
        raise _Unfit
    w.uint(value, f.bits, f.little)


def _write_decimal(env, f, w, value):
    if value < 0 and not f.signed:
        raise _Unfit
    _write_extent(env, f, w, b"%d" % value)


def _write_text(env, f, w, value):
    if _TYPES[f.type].kind == "enum":
        value = _ENUMS[_TYPES[f.type].of].texts[value]
    _write_extent(env, f, w, value)


def _write_list(env, f, w, value):
    element, items = _FIELDS[f.element], _items(value)
    if f.extent == "count" and _computed(env, f.extent_arg) != len(items):
        raise _Unfit
    inner = w if f.extent in ("rest", "count") else _Writer()
    for item in items:
        _WRITE[element.form](env, element, inner, item)
    if inner is not w:
        if inner.bit:
            raise _Unfit
        _write_extent(env, f, w, bytes(inner.out))


def _merge_members(env, frame, m):
    """Pairs in canonical form, with the members that the message has put into those that they are of."""
    for f in _fields(frame.fields) + _fields(m.fields):
        if f.form != "pairs":
            continue
        p, over = _PAIRS[f.element], {}
        for member in _fields(m.fields):
            if member.member and _FIELDS[member.element] is f:
                if member.slot in env.slots:
                    over[_BLOBS[member.extent_arg]] = _member_text(env, member)
                elif not member.optional:
                    raise _Unfit
        given = env.slots.pop(f.slot, None)
        try:
            pairs = [(name, over.pop(name, value)) for name, value in _settled(p, given or b"")]
            text = _pairs_canonical(p, pairs + list(over.items()))
        except _Bad:
            raise _Unfit from None
        if text or f.present is None:
            env.slots[f.slot] = text


def _settled(p, text):
    return _pairs_parse(p, _pairs_canonical(p, _pairs_parse(p, text)))


def _member_text(env, f):
    value = env.slots[f.slot]
    if not _fits(f.type, value) or not _holds(env, f.check):
        raise _Unfit
    inner = _Writer()
    _WRITE[f.form](env, f._replace(extent="rest"), inner, value)
    return bytes(inner.out)


_WRITE = {
    "pairs": lambda env, f, w, value: _write_extent(env, f, w, value),
    "int": _write_int,
    "varint": lambda env, f, w, value: w.varint(value, f.bits // 8, f.little),
    "decimal": _write_decimal,
    "hex": lambda env, f, w, value: _write_extent(env, f, w, _hex(value)),
    "bytes": _write_text,
    "const": lambda env, f, w, value: w.put(_BLOBS[f.extent_arg]),
    "list": _write_list,
    "calc": lambda env, f, w, value: None,
}


def _value_of(env, f):
    if f.slot is not None:
        if f.slot not in env.slots and f.sum == "none":
            raise _Unfit
        return env.slots.get(f.slot, 0)
    code = f.is_ if f.is_ is not None else f.init
    if code is not None:
        return _computed(env, code)
    return b"" if _is_bytes(f.type) else 0


def _encode_fields(env, run, w):
    for f in _fields(run):
        if f.form in ("calc", "ahead", "object") or f.member or (f.present is not None and not _holds(env, f.present)):
            continue
        value = None
        if f.form != "const":
            value = _value_of(env, f)
            if not _fits(f.type, value) or not _holds(env, f.check):
                raise _Unfit
        _WRITE[f.form](env, f, w, value)
    if w.bit:
        raise _Unfit


def _fill_defaults(env, run):
    for f in _fields(run):
        if f.init is None or f.is_ is not None or f.slot is None or f.slot in env.slots:
            continue
        if f.present is None or _holds(env, f.present):
            try:
                env.slots[f.slot] = _run(env, f.init)
            except _Undefined:
                pass


def _compute(env, run, done):
    progress = False
    for f in _fields(run):
        if f.is_ is None or f.slot is None or f.slot in done:
            continue
        env.slots.pop(f.slot, None)
        try:
            env.slots[f.slot] = _run(env, f.is_)
        except _Undefined:
            continue
        done.add(f.slot)
        progress = True
    return progress


def _compute_all(env, frame, m, done):
    while _compute(env, m.fields, done) | _compute(env, frame.fields, done):
        pass


def _encode(env, frame, m, undelimited):
    """The bytes of a message whose fields stand in env."""
    w, done = _Writer(), set()
    if m.tag_kind in ("value", "text"):
        env.slots[frame.tag] = m.tag
    body = None if frame.body is None else _FIELDS[frame.body].slot
    if body is not None:
        done.add(body)
        env.slots.pop(body, None)
    _fill_defaults(env, frame.fields)
    _fill_defaults(env, m.fields)
    _merge_members(env, frame, m)
    _compute_all(env, frame, m, done)
    if body is not None:
        inner = _Writer()
        _encode_fields(env, m.fields, inner)
        env.slots[body] = bytes(inner.out)
        _compute_all(env, frame, m, done)
    _encode_fields(env, frame.fields, w)
    if body is None:
        _encode_fields(env, m.fields, w)
    if not all(_holds(env, where.that) for where in _WHERES[m.wheres[0]:m.wheres[0] + m.wheres[1]]):
        raise _Unfit
    if w.sum is not None:
        f, at = w.sum
        size = f.bits // 8
        w.out[at:at + size] = _sum_around(f.sum, bytes(w.out), at, size).to_bytes(size, "little" if f.little else "big")
    return _finish(frame, bytes(w.out), undelimited)


def _finish(frame, data, undelimited):
    if _trimmed(frame, data) != data or (frame.blank and not data):
        raise _Unfit  # it would not be read as it was sent
    if frame.end == "until" and not undelimited:
        delimiter = _DELIMS[frame.delims][0]
        if _find_delimiter(frame.delims, data + delimiter, 0)[0] != (len(data), len(delimiter)):
            raise _Unfit
        data += delimiter
    if len(data) > frame.max:
        raise _Unfit
    return data


# ---- the machine: one session ----


def _some_value(index):
    t = _TYPES[index]
    if t.kind in ("bytes", "text", "list"):
        return b""
    if t.kind == "enum":
        return next(iter(_ENUMS[t.of].names), 0)
    return max(t.min, min(0, t.max)) if t.kind in ("int", "duration") else 0


def _sends(pc):
    """Whether code can send something."""
    while _OPS[_CODE[pc] & 0xff] not in ("SEND", "END"):
        pc += 1
    return _OPS[_CODE[pc] & 0xff] == "SEND"


def _first_wait(pc):
    """The state in which code that sends nothing begins to wait; None: there is none."""
    while not _sends(pc) and _OPS[_CODE[pc] & 0xff] != "END":
        if _OPS[_CODE[pc] & 0xff] == "GOTO" and _CODE[pc] >> 16 in _WAITING_STATES:
            return _CODE[pc] >> 16
        pc += 1
    return None


def _numbers(run):
    return range(run[0], run[0] + run[1])


_STEPS_MAX = 64  # that one event may bring a call on


class _Session:
    def __init__(self, machine, lenient, options, on_effect, trace, now, peer=None):
        self.machine, self.on_effect, self.trace, self.now = _MACHINES[machine], on_effect, trace, now
        self.peer = peer
        self.frame_in, self.frame_out = _FRAMES[self.machine.frame_in], _FRAMES[self.machine.frame_out]
        self.lenient = frozenset(i for i, name in enumerate(_LENIENCIES) if name in lenient)
        self.vars = {}
        self.state, self.waiting, self.running = self.machine.start, None, None
        self.timers, self.limit = {}, None  # deadlines; that of the running call
        self.input, self.out = b"", []  # what is to be sent: a list of frames
        self.skip, self.skip_until, self.segment = 0, False, None
        self.early = None  # the event of the message that comes next, if it waits for a call
        self.flow = None
        self.done = self.declined = False  # what became of the last event: a rule took it; and declined it
        self.ended, self.end_cause, self.outcome, self.result = False, "", "closed", None
        self.finished = self.heard = False  # the machine came to its end; a message arrived
        self.env = _Env(self.vars, self.lenient, options, self)
        self.own_timers = {i: _TIMERS[i] for i in _numbers(self.machine.timers)}
        for var in _numbers(self.machine.vars):
            self.vars[var] = b"" if _is_bytes(_VARS[var][0]) else 0
        for var in _numbers(self.machine.vars):
            if _VARS[var][1] is not None:
                self.vars[var] = _run(self.env, _VARS[var][1])
        if _RELIABLE is not None:
            self.flow = _Flow(self)
        self._enter_timers(None, self.state, {})
        self.event("connect", now)

    # -- what comes in --

    def event(self, name, now):
        """Something without bytes happens."""
        self.now, self.env.slots = now, {}
        if not self.ended:
            self._handle(name)
            self._await()

    def listens(self, call):
        """Whether a call sends nothing before it has heard something: what came already may be what it waits for."""
        rules = _TRANSITIONS.get((self.state, call.event), ())
        return bool(rules) and not any(_sends(_RULES[rule].body) for rule in rules)

    def call(self, index, values, now, limit):
        """Begin a call that ends by `limit`. False: it waits, as the window is full."""
        self.now, self.result, self.running = now, None, index
        call, early, self.early = _CALLS[index], self.early, None
        if early is not None and not self._begins_with(call, early):
            self._end(early, "protocol")
            return True
        if call.first_var is not None:
            for i, value in enumerate(values):
                if not _fits(_VARS[call.first_var + i][0], value):
                    self._end_call("protocol", call.event)
                    return True
            for i, value in enumerate(values):
                self.vars[call.first_var + i] = value
        self.limit = limit
        self.env.slots = dict(enumerate(values))
        if not self._handle(call.event):
            self.early = early
            self._forget_arguments(call)
            self.running = self.limit = None
            return False
        if self.flow is not None and self.running is not None:
            self.flow.go_on()
        self._await()
        if early is not None:
            self._go_on()
        return True

    def overdue(self, index):
        """A call could not begin in time, or at all."""
        self.running = index
        if self.ended:
            self._end_call("closed", self.end_cause)
        else:
            self.give_up()

    def feed(self, data, now):
        self.now = now
        self.input += data
        if self.segment is None:
            self._decide_mode()
        while self.input and not self.ended:
            if self.skip or self.skip_until:
                if not self._skip_oversize():
                    break
            elif not self._frame():
                break

    def datagram(self, data, now):
        """A datagram is a frame, an empty one, too."""
        self.now, self.input = now, data
        if not self.ended:
            self._frame()
        if self.early is None:
            self.input = b""

    def _go_on(self):
        """With the message that waited."""
        self.early = None
        if self.frame_in.end == "datagram":
            self.datagram(self.input, self.now)
        else:
            self.feed(b"", self.now)

    def end_of_stream(self, now):
        self.now, self.env.slots = now, {}
        if self.input and self.frame_in.end == "eof":
            self._handle(_decode(self.env, self.frame_in, _trimmed(self.frame_in, self.input)))
            self.input, self.env.slots = b"", {}
        if self.ended:
            return
        if self.input and not self.skip and not self.skip_until:
            trim = b"" if self.frame_in.trim is None else _TRIMS[self.frame_in.trim]
            _decode_partial(self.env, self.frame_in, self.input.lstrip(trim) if trim else self.input)
            self._handle("eof-in-frame")
        else:
            self._handle("eof")
        if not self.ended:
            self._end("eof", "closed")  # nothing can come any more

    def deadline(self, until):
        flow = None if self.flow is None or self.ended else self.flow.deadline()
        times = [t for t in list(self.timers.values()) + [self.limit, until, flow] if t is not None]
        return min(times) if times else None

    def tick(self, now):
        self.now, self.env.slots = now, {}
        due = sorted((t, i) for i, t in self.timers.items() if t is not None and t <= now)
        flow = None if self.flow is None else self.flow.deadline()
        first = min((t for t in (due[0][0] if due else None, self.limit, flow) if t is not None), default=None)
        if first is None or first > now:
            return
        if due and due[0][0] == first:
            self.timers[due[0][1]] = None
            self._handle(_TIMERS[due[0][1]].event)
            if self.early is not None:
                self._go_on()
        elif self.limit == first:
            self.give_up()
        else:
            self.flow.tick()
        self._await()

    def give_up(self):
        """The running call took too long; without one the session ends just so."""
        event = _EVENT_NUMBERS["reset"]
        if self.running is not None:
            event = _CALLS[self.running].event
            self._end_call("timeout", event)
        self._end(event, "closed")

    def refused(self):
        """Nobody listens where datagrams go: that ends the running call."""
        self._end_call("refused", _CALLS[self.running].event)
        self._end(_EVENT_NUMBERS["reset"], "closed")

    # -- frames --

    def _decide_mode(self):
        lenient = self.frame_in.end == "until" and self.frame_in.segment_leniency in self.lenient
        self.segment = lenient and _find_delimiter(self.frame_in.delims, self.input, 0)[0] is None

    def _skip_oversize(self):
        if self.skip:
            n = min(self.skip, len(self.input))
            self.skip -= n
        else:
            found, n = _find_delimiter(self.frame_in.delims, self.input, 0)
            if found:
                n, self.skip_until = sum(found), False
        self.input = self.input[n:]
        return n > 0

    def _frame(self):
        """Handle the next frame; False: it is not all there, or waits for a call."""
        status, size, content = _find_frame(self.env, self.frame_in, self.input, self.segment)
        if status == "partial":
            return False
        if status == "oversize":
            self._oversize(size)
        elif status == "broken":
            event = _decode(self.env, self.frame_in, self.input, sums=False)
            if not isinstance(event, str) and _EVENTS[event].kind == "message":
                event = "malformed"
            self._handle(event)
            self._end(event, "protocol")
        else:
            frame, text = self.input[:size], _trimmed(self.frame_in, self.input[:content])
            blank = self.frame_in.blank and not text
            event = None if blank else _decode(self.env, self.frame_in, text)
            if not blank and self._waits(event) and (self.flow is None or self.flow.waits_for_call(event)):
                self.early = event
                return False
            self.input = self.input[size:]
            if blank:
                return True
            self._whole(frame, event, text)
        self._restart("input")
        self._await()
        return True

    def tell_frame(self, sent, message, frame):
        if self.trace is not None:
            self.trace(sent, message, frame, _shown(self, sent, message, frame))

    def _whole(self, frame, event, text):
        known = not isinstance(event, str) and _EVENTS[event].kind == "message"
        self.heard = self.heard or known
        self.tell_frame(False, _EVENTS[event].name if known else None, frame)
        if self.flow is not None and self.flow.takes(event):
            self.flow.receive(event, text)
        else:
            self._handle(event)

    def _oversize(self, size):
        self.env.slots = {}
        self._handle("oversize")
        if size is None and self.frame_in.end != "until":
            self._end("oversize", "protocol")
        elif size is None:
            self.skip_until = True
        else:
            self.skip = max(0, size - len(self.input))
            self.input = self.input[size:]

    # -- one event --

    def _choose(self, event):
        for state in (self.state, self.waiting):
            for rule in _TRANSITIONS.get((state, event), ()):
                if _holds(self.env, _RULES[rule].guard):
                    return _RULES[rule]
        return None

    def _begins_with(self, call, event):
        """Whether a call, begun now, sends nothing before it takes such a message."""
        rules = _TRANSITIONS.get((self.state, call.event), ())
        if not rules or call.opens is not None or _MACHINES[call.machine] is not self.machine:
            return False
        return (_first_wait(_RULES[rules[0]].body), event) in _TRANSITIONS

    def _waits(self, event):
        """Whether this is a message that no rule takes, but a call would that is yet to be begun."""
        if self.running is not None or isinstance(event, str) or _EVENTS[event].kind != "message":
            return False
        return any(self._begins_with(call, event) for call in _CALLS) and self._choose(event) is None

    def _handle(self, event):
        """False: nothing has happened, as a call that sends has to wait until there is room for that."""
        event = _EVENT_NUMBERS.get(event, event)
        rule = self._choose(event)
        why = "unfit"
        if rule is None:
            self._default(event)
            return True
        for code in (rule.body, rule.otherwise):
            if code is None:
                break
            why = self._attempt(code, event)
            if why == "done":
                return True
            if why == "no-room" and _EVENTS[event].kind == "call":
                return False
        if rule.otherwise is None and _EVENTS[event].kind == "call":
            self._end_call("protocol", event)  # it has sent nothing: the session goes on
        elif rule.otherwise is None and why == "no-room" and _EVENTS[event].name != "no-room":
            self._handle("no-room")
            self.declined = True  # it comes again
        else:
            self._end(event, self._outcome(event))
        return True

    def _await(self):
        """The running call goes on if what it waits for has come true."""
        for _ in range(_STEPS_MAX):
            waiting = self.waiting
            if self.ended or waiting not in _AWAITING_STATES:
                return
            self.env.slots = {}
            if self._choose(_EVENT_NUMBERS["awaited"]) is None:
                return
            self._handle("awaited")
            if self.waiting == waiting:
                return

    def _default(self, event):
        kind = _EVENTS[event].kind
        if kind == "message":
            self._end(event, "protocol")
        elif kind == "call":
            self._end_call("protocol", event)
        elif kind != "timer" and _EVENTS[event].name != "connect":
            self._end(event, self._outcome(event))

    def _outcome(self, event):
        known = _EVENTS[event].kind == "fault" or _EVENTS[event].name in ("malformed", "unknown", "oversize")
        return "protocol" if known else "closed"

    def _attempt(self, code, event):
        """Run a body as a whole: "done"; or why it cannot be, "unfit" or "no-room", and nothing of it has happened."""
        before = dict(self.vars)
        rule = _Body(self, event, before)
        try:
            _run(self.env, code, rule.act)
            rule.order()
        except BaseException as error:
            self.vars.clear()
            self.vars.update(before)
            if isinstance(error, (_Undefined, _Unfit)):
                return "unfit"
            if isinstance(error, _NoRoom):
                return "no-room"
            raise
        rule.commit()
        return "done"

    def _end_call(self, outcome, cause, detail=b"", results=()):
        call = _CALLS[self.running]
        self.result = (outcome, cause if cause == call.event else _event_name(cause), detail, results)
        self.running = self.waiting = self.limit = None
        self._forget_arguments(call)

    def _forget_arguments(self, call):
        if call.first_var is not None:
            for var in range(call.first_var, call.first_var + call.args[1]):
                self.vars[var] = b"" if _is_bytes(_VARS[var][0]) else 0

    def _end(self, event, outcome):
        if self.ended:
            return
        if self.running is not None:
            self._end_call(outcome, _EVENT_NUMBERS.get(event, event))
        self.ended, self.end_cause, self.outcome = True, _event_name(event), outcome
        self.timers, self.limit = {}, None

    # -- timers --

    def _start_timer(self, i):
        try:
            after = _run(self.env, _TIMERS[i].after)
        except _Undefined:
            after = 0
        self.timers[i] = self.now + after if after > 0 else None

    def _enter_timers(self, before, state, orders):
        for i, timer in self.own_timers.items():
            inside, was = state in timer.states, before in timer.states
            if inside and (not was or orders.get(i) is True):
                self._start_timer(i)
            elif not inside or orders.get(i) is False:
                self.timers.pop(i, None)

    def _restart(self, why):
        for i, timer in self.own_timers.items():
            if why in timer.restart and i in self.timers and not self.ended:
                self._start_timer(i)


class _Body:
    """A rule's body while it runs: what it does is kept until all of it is done."""

    def __init__(self, session, event, before):
        self.session, self.event, self.before = session, event, before
        self.state, self.waiting = session.state, session.waiting
        self.out, self.made, self.free, self.finished = [], {}, set(), False
        self.timers, self.result, self.over = {}, None, False
        self.orders = []
        self.kept, self.mark, self.declined = [], None, False  # messages to be acknowledged; what the call marks

    def act(self, op, a, b, stack):
        if op == "OUT":
            self.made[b] = stack.pop()
        elif op == "FREE":
            self.free.add(b)
        elif op == "SEND":
            self._send(b)
        elif op == "SET":
            self._set(b, stack.pop())
        elif op == "GOTO":
            self._goto(b)
        elif op == "EFFECT":
            self._effect(b, _pop(stack, a))
        elif op == "TIMER":
            self.timers[b] = bool(a)
        elif op == "RESULT":
            self._result("ok", b"", tuple(_pop(stack, a)))
        elif op == "ERROR":
            self._result(b, stack.pop() if a else b"", ())
        elif op in ("ABORT", "CLOSE"):
            self.over = True
        elif op == "DECLINE":
            self.declined = True
        elif op == "MARK" and self.session.flow is not None:
            self.mark = self.session.flow.next_count(self.kept, self._fresh()), self._fresh()

    def _fresh(self):
        return self.session.flow.renewed(self.before)

    def _send(self, index):
        m, s = _MESSAGES[index], self.session
        env = _Env(s.vars, s.lenient, s.env.options, s)
        env.slots = self.made
        reliable = s.flow is not None and index in _RELIABLE.messages
        if reliable:
            self._address()
        for run in (s.frame_out.fields, m.fields):
            for f in _fields(run):
                if f.slot in self.free and f.slot not in self.made and f.init is None:
                    self.made[f.slot] = _some_value(f.type)
        given = dict(self.made)
        self.out.append((m.name, _encode(env, s.frame_out, m, bool(s.segment))))
        if reliable:
            self.kept.append(_Kept(index, given, self.out[-1][1]))
            self.kept[-1].fresh = self._fresh()
        self.made, self.free = {}, set()

    def _address(self):
        flow = self.session.flow
        if not flow.has_room(self.kept):
            raise _NoRoom
        flow.address(self.made, flow.next_count(self.kept, self._fresh()))

    def _set(self, var, value):
        if not _fits(_VARS[var][0], value):
            raise _Unfit
        self.session.vars[var] = value

    def _goto(self, state):
        if state in _WAITING_STATES or state in _AWAITING_STATES:
            self.waiting = state
        else:
            self.state = state
            self.finished = state == self.session.machine.end
            self.over = self.over or self.finished

    def _effect(self, index, args):
        effect = _EFFECTS[index]
        values = {}
        for i, value in enumerate(args):
            param = _PARAMS[effect.args[0] + i]
            values[param.name] = _from_value(param.type, value)
        self.orders.append((effect, values))

    def order(self):
        """Effects cannot be undone: they come when all else can be done."""
        for effect, values in self.orders:
            if not self.session.on_effect(effect.name, values) and effect.fallible:
                raise _Unfit

    def _result(self, outcome, detail, results):
        if self.session.running is None:
            raise _Unfit
        self.result = (outcome, self.event, detail, results)

    def commit(self):
        s = self.session
        s.done, s.declined = True, self.declined
        if s.flow is not None:
            s.flow.commit(self.kept, self._fresh(), self.mark)
        before, s.state, s.waiting = s.state, self.state, self.waiting
        for name, frame in self.out:
            s.out.append(frame)
            s.tell_frame(True, name, frame)
        if self.result:
            s._end_call(*self.result)
        if before != s.state or self.timers:
            s._enter_timers(before, s.state, self.timers)
        if self.out:
            s._restart("send")
        if self.over:
            s.finished = self.finished
            s._end(self.event, s._outcome(self.event))


def _pop(stack, count):
    values = stack[len(stack) - count:]
    del stack[len(stack) - count:]
    return values


def _next_pause(again, before, options):
    """How long to wait before the next try, in nanoseconds."""
    if before is None:
        return max(0, _run(_Env({}, frozenset(), options), again.pause))
    longer = before * again.growth // 100
    return min(longer, again.cap) if again.cap else longer


# ---- a program that is driven by lines ----


_PLAIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _quoted(data):
    return "".join(chr(byte) if byte in _PLAIN else "%%%02X" % byte for byte in data)


def _unquoted(text):
    first, *parts = _bytes_of(text).split(b"%")
    if not all(len(part) >= 2 and part[:2].isalnum() for part in parts):
        raise ValueError
    return first + b"".join(bytes((int(part[:2], 16),)) + part[2:] for part in parts)


def _decimal_of(text):
    if not text.isascii() or not text[text.startswith("-"):].isdigit():
        raise ValueError
    return int(text)


def _spelled(index, value):
    """A value as the lines have it."""
    value, t = _to_value(index, value), _TYPES[index]
    if t.kind in ("bytes", "text"):
        return _quoted(value)
    if t.kind == "bool":
        return "true" if value else "false"
    if t.kind == "enum":
        return _ENUMS[t.of].names.get(value, str(value))
    if t.kind == "list":
        return ",".join(str(item) for item in _items(value))
    return str(value)


def _read_word(index, text):
    """What an application would give for a word of a line."""
    t = _TYPES[index]
    if t.kind in ("bytes", "text"):
        return _unquoted(text)
    if t.kind == "bool":
        return {"true": True, "false": False}[text]
    if t.kind == "enum":
        return _ENUMS[t.of].values[text] if text in _ENUMS[t.of].values else _decimal_of(text)
    if t.kind == "list":
        return [_decimal_of(item) for item in text.split(",")] if text else []
    return fractions.Fraction(_decimal_of(text), 10**9) if t.kind == "duration" else _decimal_of(text)


_EXPECTED = {
    "int": "a decimal number", "bool": "true or false", "enum": "one of the spec's names",
    "duration": "a decimal number of nanoseconds", "bytes": "% and two hexadecimal digits",
    "text": "% and two hexadecimal digits", "list": "decimal numbers with commas between them"}


def _read_words(call, words):
    """The arguments of a call, by name, from the words of a line."""
    params, given = {_PARAMS[i].name: _PARAMS[i] for i in _numbers(call.args)}, {}
    for word in words:
        name, assign, text = word.partition("=")
        if not assign:
            raise ValueError("expected NAME=VALUE instead of '%s'" % word)
        if name not in params:
            raise ValueError("there is no argument %s" % name)
        if name in given:
            raise ValueError("argument %s is there twice" % name)
        try:
            given[name] = _read_word(params[name].type, text)
        except (ValueError, KeyError):
            raise ValueError("argument %s: expected %s" % (name, _EXPECTED[_TYPES[params[name].type].kind])) from None
    return given


def _read_param(text):
    """NAME=VALUE as it stands on a command line."""
    name, _, value = text.partition("=")
    t = _TYPES[_OPTIONS[_index_of(_OPTIONS, name, "param")].type]
    if t.kind == "duration":
        number = value.rstrip("numsi")
        return name, int(number) * {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9, "min": 60e9}[value[len(number):]] / 1e9
    if t.kind in ("bytes", "text"):
        return name, value.encode("utf-8", "surrogateescape")
    if t.kind == "enum":
        return name, _ENUMS[t.of].values[value]
    if t.kind == "bool":
        return name, {"true": True, "false": False}[value]
    return name, int(value, 0)


def _read_address(text):
    """(transport or None, host, port) of [TRANSPORT:]HOST:PORT."""
    transport = next((t.name for t in _TRANSPORTS if text.startswith(t.name + ":")), None)
    host, _, port = (text[len(transport) + 1:] if transport else text).rpartition(":")
    return transport, host.strip("[]"), int(port)


_Selector = getattr(selectors, "PollSelector", selectors.DefaultSelector)  # epoll does not take files


class _Driver:
    """Does what lines on standard input say and tells on standard output what happens."""

    def __init__(self, make):
        self.orders, self.input, self.live = collections.deque(), b"", False
        self.due = None  # when to connect again
        self.client = make(self)

    def tell(self, *words):
        print(*words, flush=True)

    def effect(self, name, args):
        effect = next(effect for effect in _EFFECTS if effect.name == name)
        params = [_PARAMS[i] for i in _numbers(effect.args)]
        self.tell("effect", name, *["%s=%s" % (p.name, _spelled(p.type, args[p.name])) for p in params])
        return True

    def read(self):
        """Take what stands in standard input."""
        data = os.read(sys.stdin.fileno(), 65536)
        *lines, self.input = (self.input + data).split(b"\n")
        self.orders += [line.decode("utf-8", "surrogateescape").split() for line in lines]
        if not data:
            self.orders.append(None)

    def loop(self):
        with _Selector() as selector:
            selector.register(sys.stdin, selectors.EVENT_READ)
            while True:
                if not self.orders:
                    self.idle(selector)
                    continue
                order = self.orders.popleft()
                if order is None:
                    break
                if order:
                    self.obey(order)
                self.see_end()
        self.client.close()

    def idle(self, orders):
        """Until an order comes, the machine goes on. An order that was given before something came is obeyed before
        that is looked at: whoever gives orders may rely on it."""
        link = self.client._link if self.live else None
        deadline = self.due if link is None else link.session.deadline(None)
        with _Selector() as selector:
            selector.register(sys.stdin, selectors.EVENT_READ)
            if link is not None and link.session.early is None:
                selector.register(link.socket, selectors.EVENT_READ)
            selector.select(_seconds_to(deadline))
        if orders.select(0):
            self.read()
            return
        if link is not None:
            link.step(_now())
        self.see_end()
        if self.due is not None and _now() >= self.due:
            self.open()

    def see_end(self):
        if self.live and not self.client.connected:
            self.live = False
            self.client._settle()
            self.tell("ended")
            link, self.client._over = self.client._over, None
            if link is not None and not link.session.finished:  # nobody closed it: the machine connects again
                self.client._note_heard(link)
                self.due = self.client._retry_at()

    def obey(self, order):
        if order[0] == "connect":
            self.connect()
        elif order[0] == "close":
            self.due = None
            self.client.close()
        elif order[0] == "call":
            self.call(order[1] if order[1:] else "-", order[2:])
        else:
            print("not an order: %s" % " ".join(order), file=sys.stderr)

    def connect(self):
        self.client._pause, self.client._failed = None, 0
        self.open()

    def open(self):
        self.due = None
        try:
            self.client.open()
        except ClientError:
            self.tell("unreachable")
            self.due = self.client._retry_at()
            return
        self.live = True
        self.tell("connected")

    def call(self, name, words):
        try:
            index = _index_of(_CALLS, name, "call")
            results = self.client._call(index, self.arguments(_CALLS[index], _read_words(_CALLS[index], words)))
        except CallFailed as error:
            self.tell("error", name, error.name, _quoted(_bytes_of(error.detail)))
        except ClientError as error:
            self.tell("error", name, _kind_of(error), _quoted(_bytes_of(str(error))))
        except (ValueError, KeyError) as error:
            self.tell("error", name, "value", _quoted(_bytes_of(str(error))))
        else:
            params = [_PARAMS[i] for i in _numbers(_CALLS[index].results)]
            self.tell("result", name, *["%s=%s" % (p.name, _spelled(p.type, v)) for p, v in zip(params, results)])

    def arguments(self, call, given):
        values = []
        for i in _numbers(call.args):
            param = _PARAMS[i]
            if param.name in given:
                values.append(given[param.name])
            elif param.default is not None:
                values.append(param.default)
            else:
                raise ValueError("argument %s is missing" % param.name)
        return values


def _bytes_of(text):
    return text.encode("utf-8", "surrogateescape")


def _kind_of(error):
    kinds = {BadArgument: "value", CallTimeout: "timeout", ProtocolViolation: "protocol"}
    return kinds.get(type(error), "closed")


def _tell_frame(sent, _message, data, text):
    print(">" if sent else "<", text or "-", "(%s)" % data.hex(), file=sys.stderr)


def _drive_options(argv):
    """(address, whether to run, options) of a command line; None: it is not understood."""
    if not argv or argv[0].startswith("-"):
        return None
    options, run, rest = {"params": {}, "lenient": [], "ports": {}}, False, list(argv[1:])
    addresses = [_read_address(text) for text in argv[0].split(",")]
    options["transport"], options["host"], options["port"] = addresses[0]
    options["ports"] = {transport: port for transport, _, port in addresses[1:]}
    while rest:
        word = rest.pop(0)
        if word == "--run":
            run = True
        elif word == "--trace":
            options["trace"] = _tell_frame
        elif rest and word in ("--transport", "--machine"):
            options[word[2:]] = rest.pop(0)
        elif rest and word == "--lenient":
            options["lenient"].append(rest.pop(0))
        elif rest and word == "--bind":
            _, host, port = _read_address(rest.pop(0))
            options["bind"] = (host, port)
        elif rest and word == "--param":
            name, value = _read_param(rest.pop(0))
            options["params"][name] = value
        else:
            raise ValueError("%s: %s" % (word, "a value is missing" if word in _WITH_VALUE else "nothing like it is known"))
    return run, options


_WITH_VALUE = ("--transport", "--machine", "--lenient", "--bind", "--param")
_USAGE = """usage: %s --drive [TRANSPORT:]HOST:PORT[,TRANSPORT:HOST:PORT...] [--run] [--transport NAME] [--machine NAME]
       [--param NAME=VALUE] [--lenient NAME] [--bind HOST:PORT] [--trace]"""


def _main(client, argv):
    """--drive ADDRESS: driven by lines, or with --run what the protocol does by itself. The exit status."""
    try:
        found = _drive_options(argv[1:]) if argv[:1] == ["--drive"] else None
    except (ValueError, KeyError) as error:
        print(error, file=sys.stderr)
        found = None
    if found is None:
        asked = argv[:1] in (["--help"], ["-h"])
        print(_USAGE % sys.argv[0], file=sys.stdout if asked else sys.stderr)
        return 0 if asked else 2
    run, options = found

    def make(driver):
        made = client.__new__(client)
        BaseClient.__init__(made, defer=True, **options)
        made.on_effect = driver.effect
        return made
    driver = _Driver(make)
    if not run:
        driver.loop()
        return 0
    try:
        return 0 if driver.client.run() else 1
    except ClientError as error:
        print(error, file=sys.stderr)
        return 1
