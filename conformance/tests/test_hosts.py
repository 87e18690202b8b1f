"""Programs that people wrote by hand for the bundled protocols: the right ones pass, and each deliberate fault is
found for the requirement that it breaks."""

import json
import subprocess
import sys

import pytest

from scripts.testing import ASSAY, ROOT

HOSTS = ROOT / "conformance/tests/hosts"


def judge(spec, program, fault, arguments="", *options, timeout=300):
    """The exit code, and the report, of one judgement."""
    wrong = f" --wrong {fault}" if fault else ""
    command = f"exec:{sys.executable} -SB {HOSTS / program} {arguments}{wrong}"
    done = subprocess.run([ASSAY, "test", f"spec/{spec}.yaml", command, "--json", *options], cwd=ROOT, timeout=timeout,
                          capture_output=True, text=True)
    assert done.returncode in (0, 1), done.stderr + done.stdout[-2000:]
    return done.returncode, json.loads(done.stdout)


def broken(report):
    """The requirements that failed cases name."""
    names = ("requirement", "case_requirement", "field_requirement")
    return {c.get(name) for c in report["cases"] if c["verdict"] == "fail" for name in names}


def found(code, report, expected):
    assert code == 1 and expected & broken(report), (expected, broken(report), report["summary"])


def passes(code, report):
    assert [(c["id"], c.get("why")) for c in report["cases"] if c["verdict"] in ("fail", "error", "inconclusive")] == []
    assert code == 0


# ---- a server of dispatch ---------------------------------------------------


def dispatch_server(fault, *options):
    return judge("dispatch", "dispatch_server.py", fault, "--secret abc", "--param", "secret=abc", "--observe",
                 "report=stderr", *options)


def test_right_dispatch_server():
    passes(*dispatch_server(None))


SERVER_FAULTS = [
    ("no-greeting", {"DI-1", "DI-2"}, "*/dad/*"),
    ("greets-twice", {"DI-1", "DI-2"}, "*/dad/*"),
    ("wrong-answer", {"DI-2"}, "*/top/*"),
    ("prefix-not-answered", {"DI-2", "DI-5"}, "*/dad/*"),
    ("json-refused", {"DI-15", "DI-2"}, "*/dad/*"),
    ("json-answered-in-json", {"DI-15", "DI-2"}, "*/dad/*"),
    ("unknown-without-command", {"DI-4"}, "*/unknown/*"),
    ("unknown-ignored", {"DI-4"}, "*/unknown/*"),
    ("malformed-closes", {"DI-6"}, "*/malformed/dad-*"),
    ("malformed-answered", {"DI-6"}, "*/malformed/dad-*"),
    ("no-line-limit", {"DI-11"}, "*/effect/*over*"),
    ("oversize-closes", {"DI-11"}, "*/oversize/*"),
    ("blank-answered", {"DI-13", "DI-2", "DI-4"}, "*"),
    ("no-trim", {"DI-13", "DI-2", "DI-4"}, "*"),
    ("one-read-one-line", {"DI-2", "DI-3", "DI-4", "DI-6"}, "*/framing/*"),
    ("quit-closes", {"DI-3"}, "*/stop/*"),
    ("quit-cuts-others", {"DI-3"}, "*/stop/*"),
    ("quit-keeps-listening", {"DI-3"}, "*/stop/*"),
    ("log-answered", {"DI-9"}, "*/log/*"),
]
CONTROL_FAULTS = [
    ("secret-not-checked", {"DI-9"}, "*/no-rotate-example-1"),
    ("missing-secret-taken", {"DI-9"}, "*/no-rotate-example-1"),
    ("first-name-wins", {"DI-10"}, "*/rotate-secret-code-text-1-twice-last"),
]


@pytest.mark.parametrize("fault,expected,few", SERVER_FAULTS)
def test_wrong_dispatch_server(fault, expected, few):
    found(*dispatch_server(fault, "--filter", few), expected)


def control(fault, folder, *options):
    """The same program, watched when it opens its log anew."""
    rotated = folder / "rotated"
    rotated.touch()
    return judge("dispatch", "dispatch_server.py", fault, f"--secret abc --log {folder}/log --rotated {rotated}", "--param",
                 "secret=abc", "--observe", f"rotate={rotated}", "--transport", "udp", *options)


def test_right_control(tmp_path):
    code, report = control(None, tmp_path, "--filter", "*rotate*")
    passes(code, report)
    assert report["summary"]["unsupported"] == 0


@pytest.mark.parametrize("fault,expected,few", CONTROL_FAULTS)
def test_wrong_control(fault, expected, few, tmp_path):
    found(*control(fault, tmp_path, "--filter", few), expected)


# ---- a client of dispatch ---------------------------------------------------


def dispatch_client(fault, *options, patience=300):
    program = f"--server {{host}}:{{port}} --pause 0.2 --patience {patience / 1000}"
    return judge("dispatch", "dispatch_client.py", fault, program, "--role", "client", "--upper", "exit", "--jobs", "16",
                 "--param", "pause=200ms", "--param", f"patience={patience}ms", *options)


def test_right_dispatch_client():
    passes(*dispatch_client(None, "--filter", "dispatch/*/*[cet]*"))


CLIENT_FAULTS = [
    ("speaks-first", {"DI-7"}, "dispatch/silent/hi/*"),
    ("out-of-order", {"DI-7"}, "dispatch/*/climb/*"),
    ("any-answer", {"DI-7"}, "dispatch/askeddad/*"),
    ("asks-twice", {"DI-7"}, "dispatch/*/hi/*"),
    ("hangs-midway", {"DI-12", "DI-8"}, "dispatch/*/stuck/*"),
    ("busy-reconnect", {"DI-8"}, "dispatch/*again*"),
    ("never-reconnects", {"DI-8"}, "dispatch/*again*"),
    ("too-late", {"DI-8"}, "dispatch/*again*"),
    ("done-too-early", {"DI-7"}, "dispatch/*/who/*"),
    ("never-done", {"DI-7"}, "dispatch/askedmom/bye/example-1"),
    ("wrong-status", {"DI-7"}, "dispatch/*/bye/*"),
    ("crashes-on-malformed", {"DI-6"}, "dispatch/*/malformed/*"),
    ("closes-on-malformed", {"DI-6"}, "dispatch/*/malformed/*"),
    ("needs-whole-reads", {"DI-7"}, "dispatch/*/framing/*"),
    ("one-read-one-line", {"DI-7"}, "dispatch/*/framing/pair-*"),
    ("gives-up", {"DI-8"}, "dispatch/*server-restarts*"),
    ("goes-on-midway", {"DI-7", "DI-8"}, "dispatch/*/connects-again"),
]


@pytest.mark.parametrize("fault,expected,few", CLIENT_FAULTS)
def test_wrong_dispatch_client(fault, expected, few):
    """Where its patience is not waited for, it is long: who is answered late by a busy judge gives up, rightly."""
    found(*dispatch_client(fault, "--filter", few, patience=300 if "stuck" in few else 1000), expected)


SPINS = ("spins", {"DI-12"}, "dispatch/askeddad/stuck/idle")


def test_dispatch_client_that_spins():
    """One case, as several would take the processors from each other; and long, as others may have most of them."""
    fault, expected, few = SPINS
    found(*dispatch_client(fault, "--filter", few, patience=3000), expected)


# ---- a peer of relay --------------------------------------------------------


def relay_peer(fault, *options):
    return judge("relay", "relay_peer.py", fault, "{port} {peer_host} {peer_port}", "--role", "peer", "--upper",
                 "terminal", "--transport", "tcp", *options)


def test_right_relay_peer():
    passes(*relay_peer(None))


PEER_FAULTS = [
    ("cut-at-2048", {"RL-1", "RL-3"}),
    ("newline-lost", {"RL-1", "RL-3"}),
    ("text-only", {"RL-1", "RL-3"}),
    ("mixed", {"RL-6", "RL-1"}),
    ("one-at-a-time", {"RL-6", "RL-1"}),
    ("reset-shows", {"RL-5"}),
    ("reset-ends", {"RL-5"}),
    ("answers", {"RL-4", "RL-6", "RL-1"}),
    ("one-read", {"RL-1"}),
    ("sends-twice", {"RL-1"}),
    ("sends-newline", {"RL-1"}),
    ("keeps-open", {"RL-1"}),
    ("one-connection", {"RL-1"}),
    ("last-byte-lost", {"RL-1"}),
]


@pytest.mark.parametrize("fault,expected", PEER_FAULTS)
def test_wrong_relay_peer(fault, expected):
    found(*relay_peer(fault), expected)


def relay_server(fault):
    """The same program as a server alone: an observer of its terminal."""
    return judge("relay", "relay_peer.py", fault, "0 127.0.0.1 9", "--observe", "show=stdout")


def test_right_relay_server_is_seen():
    code, report = relay_server(None)
    passes(code, report)
    assert report["summary"]["pass"] >= 18 and report["summary"]["unsupported"] <= 4


@pytest.mark.parametrize("fault,expected", [f for f in PEER_FAULTS if f[0] in ("newline-lost", "reset-shows", "mixed")])
def test_wrong_relay_server(fault, expected):
    found(*relay_server(fault), expected)


# ---- all of them ------------------------------------------------------------


@pytest.mark.parametrize("program,tested", [
    ("dispatch_server.py", SERVER_FAULTS + CONTROL_FAULTS),
    ("dispatch_client.py", [*CLIENT_FAULTS, SPINS]),
    ("relay_peer.py", PEER_FAULTS),
])
def test_each_fault_has_a_test(program, tested):
    listed = subprocess.run([sys.executable, "-SB", HOSTS / program, "--faults"], capture_output=True, text=True, check=True)
    assert set(listed.stdout.split()) == {fault for fault, *_ in tested}
