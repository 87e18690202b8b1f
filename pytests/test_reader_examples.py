"""Each spec's hand-checked examples decode and encode as they say."""

import pathlib

import pytest
from conftest import ROOT, SPECS
from reader.codec import decode_stream, encode, example_bytes, sendable
from reader.spec import load
from reader.values import ABSENT

FILES = sorted((ROOT / "spec").glob("*.yaml")) + [SPECS["meter"]]


def all_examples():
    """Every example of every spec, one test each."""
    for path in FILES:
        spec = load(path)
        for message in spec.all_messages.values():
            for number, example in enumerate(message.examples):
                name = "%s-%s-%d" % (pathlib.Path(path).stem, message.name, number)
                yield pytest.param(spec, message, example, id=name)


@pytest.mark.parametrize("spec, message, example", all_examples())
def test_example(spec, message, example):
    """Decoding gives what the example says; encoding gives its bytes."""
    data, spec = example_bytes(example), spec.knowing(message.name)
    sender = example.get("from", "client" if message.sender == "both" else message.sender)
    event, = decode_stream(spec, sender, [data])
    if "fault" in example:
        assert (event.name, event.is_message) == (example["fault"], False)
        return
    assert event.is_message and event.name == message.name
    types = {field.name: field.type for field in spec.frames[sender].fields + message.fields}
    for name, data_of_field in example["is"].items():
        value = event.fields[name]
        assert value is not ABSENT
        if types[name].name == "calc":
            assert str(value) == str(data_of_field)
        else:
            assert value == types[name].from_data(data_of_field)
    same = encode(spec, sender, message.name, sendable(spec, sender, event)).data == data
    assert same == (example.get("other-form") != "true")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_message_has_an_example(path):
    """A message without an example would not be checked by hand."""
    for message in load(path).all_messages.values():
        assert any("is" in example for example in message.examples), message.name
