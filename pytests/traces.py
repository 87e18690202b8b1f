"""The seed traces: stimuli with what a person expects of a conforming server."""

import re

import pytest
from conftest import HERE, SPECS
from reader.spec import load
from reader.types import data_bytes
from reader.yamltree import parse

ERROR = rb"error: [\x20-\x7e]{1,200}"


class Trace:
    """One trace, its steps as `assay cases` has them."""

    def __init__(self, name, tree):
        self.name, self.tree, self.id = name, tree, tree["id"]
        self.strict = tree.get("strict") == "true"
        self.params = {key: int(value) if value.isdigit() else str(value) for key, value in tree.get("params", {}).items()}
        self.fail = tree.get("fail", [])
        self.links = int(tree.get("links", 1))
        self.end, self.over = str(tree.get("end")), tree.get("over")
        self.steps = [step for item in tree.get("steps", []) for step in self._steps(item)]
        self.datagrams = [data_bytes(text) + b"f" * int(tree.get("fill", 0)) for text in tree.get("datagrams", [])]

    def _steps(self, item):
        step = {"link": int(item.get("link", 0))}
        for key in ("eof", "await"):
            if key in item:
                return [{**step, key: True}]
        if "pause" in item:
            return [{"pause": int(item["pause"])}]
        data = bytes.fromhex(item["send"]) if self.name == "msglog" else data_bytes(item["send"])
        data = data.ljust(int(item.get("pad", 0))) + b"f" * int(item.get("fill", 0)) + data_bytes(item.get("then", ""))
        if self.tree.get("bytewise") == "true":
            return [{**step, "send": "%02x" % byte} for byte in data]
        return [{**step, "send": data.hex()}]

    @property
    def on_the_wire(self):
        """Whether a server as it comes can be held against it."""
        return not (self.strict or self.params or self.fail)

    def spec(self):
        """The spec with this trace's options."""
        return load(SPECS[self.name], params=self.params, strict=self.strict)

    def pattern(self, link):
        """A regular expression over the whole output of a link."""
        if self.name == "msglog":
            return re.compile(re.escape(bytes.fromhex(self.tree["reply"][link])))
        texts = {"ERROR": ERROR, "ERROR_LF": ERROR + b"\n"}
        return re.compile(b"".join(texts.get(text, re.escape(data_bytes(text))) for text in self.tree["reply"]))

    def sample(self, link):
        """Bytes that another conforming server may send: its error texts are its own."""
        if self.name == "msglog":
            return bytes.fromhex(self.tree["reply"][link])
        texts = {"ERROR": "error: no", "ERROR_LF": "error: something else\n"}
        return b"".join(data_bytes(texts.get(text, text)) for text in self.tree["reply"])

    def shown(self):
        """All that a person sees, or None."""
        if "shown" not in self.tree:
            return None
        long = self.tree.get("long", {})
        return data_bytes(self.tree["shown"]) + b"f" * int(long.get("fill", 0)) + data_bytes(long.get("then", ""))

    def log(self):
        """The lines that must stand in the log, or None."""
        if "long" in self.tree and "shown" not in self.tree:
            long = self.tree["long"]
            return [data_bytes(long["prefix"]) + b"f" * int(long["fill"]) + b"\r\n"]
        return [data_bytes(line) for line in self.tree["log"]] if "log" in self.tree else None


def traces(*names, over=None):
    """All traces of these protocols (over streams, or another transport), as parameters of a test."""
    found = []
    for name in names:
        text = (HERE / "traces" / (name + ".yaml")).read_text(encoding="utf-8")
        found += [pytest.param(Trace(name, tree), id="%s-%s" % (name, tree["id"])) for tree in parse(text)
                  if tree.get("over") == over]
    return found
