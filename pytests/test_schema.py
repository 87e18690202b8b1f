"""The JSON Schema for editors: takes every spec, refuses what is misspelt."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

SPEC = Path(__file__).resolve().parent.parent / "spec"
SCHEMA = json.loads((SPEC / "assay.schema.json").read_text(encoding="utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
SPECS = sorted(SPEC.glob("*.yaml")) + sorted(SPEC.glob("drafts/*.yaml"))


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def at(document, trail):
    for step in trail:
        document = document[step]
    return document


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_takes_every_spec(path):
    errors = [f"{'/'.join(map(str, e.absolute_path))}: {e.message}" for e in VALIDATOR.iter_errors(load(path))]
    assert errors == []


# (spec, path to a mapping in it, key, misspelt as)
TYPOS = [
    ("msglog", (), "frame", "framee"),
    ("msglog", ("limits",), "sessions", "session"),
    ("msglog", ("transports", "tcp"), "port", "prot"),
    ("msglog", ("frame", "client"), "max", "maximum"),
    ("msglog", ("requires", "ML-1"), "level", "lvl"),
    ("msglog", ("params", "log"), "default", "defualt"),
    ("msglog", ("types", "Phase"), "enum", "enumm"),
    ("msglog", ("messages", "Name"), "fields", "field"),
    ("msglog", ("messages", "Name", "examples", 0), "hex", "heks"),
    ("msglog", ("effects", "record"), "fails", "fail"),
    ("msglog", ("server", "timers", "idle"), "restart", "reset"),
    ("msglog", ("server", "states", "Ready", 0), "send", "sned"),
    ("msglog", ("server", "states", "Ready", 0, "else"), "goto", "go"),
    ("msglog", ("calls", "msg"), "steps", "step"),
    ("candy", ("messages", "Order", "fields", 1, "count"), "loose", "lose"),
    ("drafts/mqtt", ("machines", "Link"), "per", "for"),
    ("drafts/mqtt", ("machines", "Session", "tables", "queue"), "when-full", "when_full"),
    ("drafts/mqtt", ("machines", "Out", "hears", 0), "key", "by"),
    ("drafts/mqtt", ("machines", "Session", "rules", 5, "then", 0), "each", "every"),
    ("drafts/mqtt", ("messages", "Subscribe", "fields", 1, "filters"), "until", "til"),
    ("drafts/mqtt", ("features", "qos2", "detect"), "present", "present-if"),
    ("drafts/tftp", ("transports", "udp", "link"), "stranger", "strangers"),
    ("drafts/tftp", ("types", "Options", "bag"), "entry", "entries"),
    ("drafts/tftp", ("recodes", "netascii"), "pairs", "pair"),
    ("drafts/tftp", ("calls", "get", "steps", 1, "await"), "state", "states"),
    ("dispatch", ("types", "Params", "pairs"), "assign", "assigns"),
    ("dispatch", ("machines", "Asker", "reconnect"), "pause", "after"),
    ("dispatch", ("frame",), "trim", "strip"),
    ("pubsub", ("reliable", 0), "give-up", "give_up"),
    ("pubsub", ("logs", "lines", "follow"), "cursor", "from"),
    ("pubsub", ("impair",), "up-to", "upto"),
]


@pytest.mark.parametrize("spec,trail,key,typo", TYPOS, ids=lambda v: v if isinstance(v, str) else "")
def test_refuses_a_misspelt_key(spec, trail, key, typo):
    document = load(SPEC / f"{spec}.yaml")
    mapping = at(document, trail)
    mapping[typo] = mapping.pop(key)
    assert not VALIDATOR.is_valid(document)


def test_refuses_yaml_booleans_as_names():
    document = load(SPEC / "msglog.yaml")
    document["server"]["states"]["no"] = []
    assert not VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    "name",
    ["unknown_key", "unknown_key_rule", "unknown_key_type", "machine_key", "wrong_shape", "missing_key", "frame_without_max", "log_empty", "table_wide"],
)
def test_refuses_what_the_compiler_refuses_for_its_shape(name):
    assert not VALIDATOR.is_valid(load(SPEC / "bad" / f"{name}.yaml"))
