"""Which side of which links `assay cases` and `assay mutants` are about."""

import re
import subprocess

import pytest

from scripts.testing import ASSAY, ROOT


def run(command, *args):
    return subprocess.run([str(ASSAY), command, *args], cwd=ROOT, timeout=300, capture_output=True, text=True)


def cases(*args):
    done = run("cases", *args)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_machine_tells_its_role_and_its_transport():
    poster = cases("spec/relay.yaml", "--machine", "Poster")
    assert poster == cases("spec/relay.yaml", "--role", "client", "--transport", "udp")
    assert poster != cases("spec/relay.yaml", "--role", "client")


def test_a_machine_that_only_calls_make_links_for():
    """The first client of that transport asks; calls whose links end with them play another one."""
    sender = cases("spec/dispatch.yaml", "--machine", "Sender")
    assert "hurry" not in sender and sender not in cases("spec/dispatch.yaml", "--role", "client")


def test_a_name_that_a_server_has_too():
    """Who logs and who is told to is one machine, in both roles."""
    control = cases("spec/dispatch.yaml", "--machine", "Control")
    assert control == cases("spec/dispatch.yaml", "--role", "client", "--transport", "udp")


def judged(*args):
    """The machines that `assay mutants` had something to say of."""
    done = run("mutants", "spec/dispatch.yaml", "--filter", "rule-removed", *args)
    assert done.returncode == 0, done.stdout + done.stderr
    return re.findall("^dispatch, (.*?):", done.stdout, re.MULTILINE)


def test_mutants_of_all_that_are_left_open():
    assert judged() == ["Server over tcp", "Control over udp"]
    assert judged("--role", "client") == ["Asker over tcp", "Sender over tcp", "Control over udp"]
    assert judged("--role", "client", "--transport", "tcp") == ["Asker over tcp", "Sender over tcp"]
    assert judged("--transport", "udp") == ["Control over udp"]
    assert judged("--machine", "Sender") == ["Sender over tcp"]


def test_mutants_of_a_machine():
    done = run("mutants", "spec/relay.yaml", "--machine", "Poster")
    assert done.returncode == 0 and " 0 survive" in done.stdout, done.stdout


@pytest.mark.parametrize("args, said", [
    (("--machine", "Nobody"), "which has: Asker Control Sender"),
    (("--machine", "Server"), "no machine of a client"),
    (("--machine", "Sender", "--role", "server"), "a client's"),
    (("--machine", "Sender", "--transport", "udp"), "no links over udp"),
])
@pytest.mark.parametrize("command", ["cases", "mutants"])
def test_what_is_not_there_is_said(command, args, said):
    done = run(command, "spec/dispatch.yaml", *args)
    assert done.returncode == 4 and said in done.stderr
