"""Properties of the reader's codec, for every spec."""

import pytest
import strategies
from conftest import SPECS
from hypothesis import given, strategies as st
from reader.codec import Framer, decode_stream, encode, sendable
from reader.spec import load
from reader.values import ABSENT, Undefined, Unfit

STREAMS = [name for name in SPECS if name != "relay"]  # whose frames have borders
STRICT = {name: load(path, strict=True) for name, path in SPECS.items()}
LENIENT = {name: load(path) for name, path in SPECS.items()}
SIDES = [(name, sender) for name in STREAMS for sender in ("client", "server")]
DATAGRAMS = {name: load(SPECS[name]).over("udp") for name in ("relay", "dispatch")}


@pytest.mark.parametrize("name, sender", SIDES)
@given(data=st.data())
def test_what_is_encoded_decodes_to_the_same(name, sender, data):
    """decode(encode(m)) == m."""
    spec = STRICT[name]
    message, values, encoded = data.draw(strategies.messages(spec, sender))
    event, = decode_stream(spec, sender, [encoded])
    assert event.is_message and event.name == message.name
    for field, value in values.items():
        assert same(message, field, event.fields[field], value)


def same(message, field, read, sent):
    """Whether a value came through; optional pairs that are empty are not there, and members are put into them."""
    if any(member.pairs == field for member in message.fields):
        keys = {member.key for member in message.fields if member.pairs == field}
        kept = [pair for pair in sent.grammar.parse(sent) if pair[0] not in keys]
        return kept == ([] if read is ABSENT else [pair for pair in read.grammar.parse(read) if pair[0] not in keys])
    return read == sent or sent == b"" and read is ABSENT


OTHER_FORMS = ("dispatch", "notes")  # nearly everything in them has other forms


def ends_in_white_space(name, event):
    """What was read in quotes or from JSON, but cannot be sent: the other side would trim it."""
    params = event.fields.get("params", ABSENT)
    return name in OTHER_FORMS and params is not ABSENT and params.endswith((b" ", b"\t"))


@pytest.mark.parametrize("name", sorted(DATAGRAMS))
@pytest.mark.parametrize("sender", ["client", "server"])
@given(data=st.data())
def test_datagrams(name, sender, data):
    """Each is a frame, and its content is that of the message."""
    spec = DATAGRAMS[name]
    sent = data.draw(st.lists(strategies.messages(spec, sender), max_size=4))
    events = decode_stream(spec, sender, [encoded for _, _, encoded in sent])
    assert [event.name for event in events] == [message.name for message, _, _ in sent]
    for event, (message, values, _) in zip(events, sent):
        assert all(same(message, field, event.fields[field], value) for field, value in values.items())


@pytest.mark.parametrize("name, sender", SIDES)
@given(data=st.data())
def test_what_is_accepted_encodes_to_the_same(name, sender, data):
    """Re-encoding accepted bytes gives them back; `site` of meter folds case and `serial` has two delimiters."""
    spec = STRICT[name]
    if name in OTHER_FORMS:
        return
    stream = data.draw(strategies.streams(spec, sender))
    position = 0
    framer = Framer(spec, sender)
    framer.feed(stream)
    while True:
        event = framer.next_event()
        if event is None:
            break
        taken = stream[position:len(stream) - len(framer.buffer)]
        position += len(taken)
        if not event.is_message or event.name == "Hello":
            continue
        assert encode(spec, sender, event.name, sendable(spec, sender, event)).data == taken


@pytest.mark.parametrize("name, sender", SIDES)
@given(data=st.data())
def test_decoding_what_was_re_encoded_changes_nothing(name, sender, data):
    """With leniencies: decode(encode(decode(x))) is decode(x)."""
    spec = LENIENT[name]
    for event in decode_stream(STRICT[name], sender, [data.draw(strategies.streams(spec, sender))]):
        if event.is_message and not ends_in_white_space(name, event):
            again, = decode_stream(STRICT[name], sender, [encode(spec, sender, event.name, sendable(spec, sender, event)).data])
            for field in sendable(spec, sender, event):
                assert again.fields[field] == event.fields[field]


@pytest.mark.parametrize("name, sender", SIDES)
@given(data=st.data())
def test_cuts_change_nothing(name, sender, data):
    """Any split of the stream gives the same events."""
    spec = STRICT[name]
    stream = data.draw(strategies.streams(spec, sender))
    pieces = data.draw(strategies.cuts(stream))
    whole = decode_stream(spec, sender, [stream], closed=True)
    split = decode_stream(spec, sender, pieces, closed=True)
    assert [(event.name, event.fields) for event in whole] == [(event.name, event.fields) for event in split]
    assert whole == [] or whole[-1].fatal or whole[-1].name in ("eof", "eof-in-frame")


@pytest.mark.parametrize("name, sender", SIDES)
@given(data=st.data())
def test_every_prefix_is_a_cut_frame(name, sender, data):
    """A frame that is cut short is eof-in-frame, with fields that the whole frame has, too."""
    spec = STRICT[name]
    _, _, encoded = data.draw(strategies.messages(spec, sender))
    whole, = decode_stream(spec, sender, [encoded])
    for size in range(1, min(len(encoded), 60)):
        event, = decode_stream(spec, sender, [encoded[:size]], closed=True)
        assert event.name == "eof-in-frame"
        header = {field.name for field in spec.frames[sender].fields}
        for field, value in event.fields.items():
            if field in header and value is ABSENT:
                continue  # not there yet
            assert whole.fields[field] is value or whole.fields[field] == value


def test_what_does_not_fit_is_not_encoded():
    """Values beyond a type, a delimiter inside, a frame that is too long."""
    candy, meter = STRICT["candy"], STRICT["meter"]
    for text in (b"", b"x" * 201, b"two\nlines", b"\xe4"):
        with pytest.raises(Unfit):
            encode(candy, "server", "Error", {"text": text})
    with pytest.raises(Unfit):
        encode(meter, "client", "Reading", {"version": 1, "unit": meter.types["Unit"].enum.value("watt"), "samples": (1 << 15,)})
    with pytest.raises((Unfit, Undefined)):
        encode(meter, "server", "Refused", {"version": 1, "why": b"x" * 300})
    with pytest.raises(Unfit):
        encode(meter, "client", "Config", {"version": 1, "level": 5, "rate": 1 << 28, "rest": ()})
    assert ABSENT is not None


def test_conditional_fields_come_and_go():
    """Presence flags follow the fields that they announce."""
    spec = STRICT["meter"]
    watt = spec.types["Unit"].enum.value("watt")
    plain = encode(spec, "client", "Reading", {"version": 1, "unit": watt, "samples": (1,)})
    assert plain.data.hex() == "a5020104" + "10" + "01" + "0100" + "5e"
    noted = encode(spec, "client", "Reading", {"version": 1, "unit": watt, "samples": (1,), "note": b"hi"})
    assert noted.data.hex() == "a5020108" + "12" + "01" + "0100" + "00026869" + "52"
    scaled = encode(spec, "client", "Reading", {"version": 1, "unit": watt, "samples": (1,), "scale": -2})
    assert scaled.data.hex() == "a5020106" + "11" + "01" + "0100" + "ffe0" + "5c"
