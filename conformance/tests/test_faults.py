"""`assay test --fault`: cases of effects that fail and of short memory, against targets started in that state."""

import json
import shlex
import subprocess

import pytest

from scripts.testing import ASSAY, ROOT

MSGLOG = ROOT / "spec/msglog.yaml"


def command(data, *more):
    return shlex.join([str(ASSAY), "serve", str(MSGLOG), "--listen", "127.0.0.1:0", "--data", str(data), *more])


def judge(data, *args):
    done = subprocess.run([str(ASSAY), "test", str(MSGLOG), "exec:" + command(data), "--json", *args], cwd=ROOT,
                          timeout=300, capture_output=True, text=True)
    cases = json.loads(done.stdout)["cases"] if done.stdout else []
    faulty = {c["id"]: c for c in cases if c["id"].split("/")[2] in ("no-room", "record-fails", "verify-fails")}
    return done, faulty


@pytest.fixture
def other(tmp_path):
    """A data folder of its own: two servers do not append to one log."""
    (tmp_path / "other").mkdir()
    return tmp_path / "other"


@pytest.fixture
def broken(other):
    """Commands that start a server that cannot write, has no memory, and knows nobody's password."""
    (other / "nobody").write_text("")
    return {"record": "ulimit -f 0; exec " + command(other),
            "no-room": command(other, "--limit", "memory=32"),
            "verify": command(other, "--param", "passwords=nobody")}


def test_without_such_a_target_they_are_unsupported(tmp_path):
    done, faulty = judge(tmp_path)
    assert done.returncode == 0 and len(faulty) == 6
    for case in faulty.values():
        name = {"no-room": "no-room", "record-fails": "record", "verify-fails": "verify"}[case["id"].split("/")[2]]
        assert case["verdict"] == "unsupported" and f"--fault {name}=COMMAND" in case["why"]


def test_the_right_server_passes_them(tmp_path, broken):
    options = [f"--fault={name}={start}" for name, start in broken.items()]
    done, faulty = judge(tmp_path, *options, f"--observe=record={tmp_path}/messages.log")
    cases = json.loads(done.stdout)["cases"]
    assert done.returncode == 0 and len(faulty) == 6
    assert [c["id"] for c in cases if c["verdict"] != "pass"] == []


@pytest.mark.parametrize("name, event, req", [("record", "record-fails", "ML-3"), ("verify", "verify-fails", "ML-5"),
                                              ("no-room", "no-room", "ML-2")])
def test_a_server_that_hides_the_fault_fails(name, event, req, tmp_path, other):
    """A healthy server answers 0x00: in the circumstance that would be a lie."""
    done, faulty = judge(tmp_path, f"--fault={name}={command(other)}")
    assert done.returncode == 1
    for case in faulty.values():
        mine = case["id"].split("/")[2] == event
        assert case["verdict"] == ("fail" if mine else "unsupported"), case
        assert case["requirement"] == req or not mine


def test_a_target_that_does_not_start_is_an_error_of_its_cases_only(tmp_path):
    done, faulty = judge(tmp_path, "--fault=record=exit 3")
    assert done.returncode == 1
    assert {c["verdict"] for i, c in faulty.items() if "record-fails" in i} == {"error"}
    rest = [c["verdict"] for c in json.loads(done.stdout)["cases"] if c["id"] not in faulty]
    assert set(rest) <= {"pass", "unsupported"}


@pytest.mark.parametrize("text, why", [("recrd=true", "the name of an effect"), ("record", "NAME=COMMAND"),
                                       ("record=", "NAME=COMMAND")])
def test_what_cannot_be_meant_is_refused(text, why, tmp_path):
    done, _ = judge(tmp_path, "--fault", text)
    assert done.returncode == 4 and why in done.stderr
