"""`assay test --role client`: programs that are right pass, each wrong one is found for what it does wrong."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from scripts.testing import ASSAY, ROOT

TESTS = ROOT / "conformance/tests"
GUESTS = TESTS / "guests"
PYTHON = "/usr/bin/python3 -ISB"
MARK = "ASSAY_JUDGED_BY"  # in the environment of what is started here, to tell it from what others judge
TRIES = 10  # to see that a program works while it should wait: it cannot where others have the processors


def judge(name, fault, *args, place="{address}", timeout=300):
    command = [ASSAY, "test", TESTS / f"{name}.yaml", f"exec:{PYTHON} {GUESTS}/{name}.py {fault} {place}", "--role",
               "client", "--json", *args]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, timeout=timeout, capture_output=True, text=True,
                          env={**os.environ, MARK: str(os.getpid())})
    report = json.loads(done.stdout)
    assert report["role"] == "client"
    return done.returncode, report


def lookup(fault, *args):
    return judge("lookup", fault, *args)


def again(fault, *args):
    return judge("again", fault, *args, place="{host} {port}")


def failures(report):
    return [c for c in report["cases"] if c["verdict"] == "fail"]


def left_over():
    return [p for p in Path("/proc").glob("[0-9]*/environ") if f"{MARK}={os.getpid()}".encode() in _read(p).split(b"\0")]


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


@pytest.mark.parametrize("client", [lookup, again])
def test_right_clients_pass(client):
    code, report = client("none")
    assert [(c["id"], c.get("why")) for c in report["cases"] if c["verdict"] != "pass"] == []
    assert code == 0 and report["summary"]["ran"] >= 14
    assert not left_over()


@pytest.mark.parametrize("fault,filter,requirement,word", [
    ("hang", "*get-1/timeout/half*", None, "error get timeout"),
    ("no-error", "*missing-example-1-byte-by-byte", "LO-2", "error get missing"),
    ("half", "*value-example-1-cut-*", "LO-1", "result get"),
    ("shout", "*value-example-1-byte-by-byte", "LO-1", "result get"),
    ("deaf", "lookup/open/note/example-1", "LO-3", "effect note"),
    ("rest", "*timeout/half-an-answer", None, "result get"),
    ("careless", "*open/get/key-empty", None, ""),
    ("tolerant", "*malformed/value-*", None, ""),
])
def test_wrong_answers_to_the_application(fault, filter, requirement, word):
    code, report = lookup(fault, "--filter", filter)
    failed = failures(report)
    assert code == 1 and failed
    assert any(requirement in (None, c.get("requirement")) and word in c["expected"] + c["seen"] for c in failed)
    assert not left_over()


@pytest.mark.parametrize("fault,why", [
    ("crash", "the program ended by itself: exit status 1"),
])
def test_death(fault, why):
    code, report = lookup(fault, "--filter", "*malformed/value-*")
    failed = [c for c in failures(report) if c["why"] == why]
    assert code == 1 and failed
    assert all("ValueError" in c["stderr"] for c in failed)


@pytest.mark.parametrize("fault,why", [
    ("babble", "no line of the upper interface"),
    ("status", "the program ended badly: exit status 3"),
    ("stay", "it does not end, although its standard input has"),
    ("absent", "it did not connect"),
    ("mute", "it connected, and does not say so"),
])
def test_programs_that_do_not_play_along(fault, why):
    code, report = lookup(fault, "--filter", "lookup/open/note/example-1")
    assert code == 1 and why in report["cases"][0]["why"]
    assert not left_over()


def test_no_answer_of_an_earlier_call_is_taken_for_a_later_one():
    code, report = lookup("stale", "--filter", "*timeout*")
    assert code == 1 and failures(report)


@pytest.mark.parametrize("fault,filter,why", [
    ("eager", "*stuck*", "too early"),
    ("hang", "*stuck*", "did not come"),
    ("once", "*connects-again", "the program ended by itself"),  # it is waited for there: however long its end takes
])
def test_clients_that_connect_again(fault, filter, why):
    code, report = again(fault, "--filter", filter)
    assert code == 1 and any(why in c["why"] for c in failures(report)), failures(report)
    assert not left_over()


def test_a_client_that_works_while_it_should_wait():
    for _ in range(TRIES):
        code, report = again("busy", "--filter", "*stuck*")
        if code == 1:
            break
    assert code == 1 and any("in which it had only to wait" in c["why"] for c in failures(report)), failures(report)
    assert not left_over()


def test_a_reset_may_come_before_a_client_knows_that_it_is_connected():
    code, report = again("cautious", "--upper", "lines", "--filter", "*reset/again-and-again")
    assert [(c["id"], c.get("why")) for c in report["cases"] if c["verdict"] != "pass"] == []
    assert code == 0 and report["cases"]


def test_a_judge_that_is_late_itself_blames_nobody():
    """It takes the connection when half of the client's patience is over."""
    code, report = again("judge-is-late", "--filter", "*stuck*")
    assert [(c["id"], c.get("why")) for c in report["cases"] if c["verdict"] != "pass"] == []
    assert code == 0 and report["cases"]


def test_a_client_that_takes_too_long_to_come_back():
    code, report = again("slow", "--filter", "*again*")
    assert code == 1 and any("did not connect again within" in c["why"] for c in failures(report)), failures(report)


def dispatch_client(*args):
    command = [ASSAY, "test", "spec/dispatch.yaml", f"exec:{ASSAY} drive spec/dispatch.yaml {{address}}", "--role", "client",
               "--json", *args]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, timeout=300, capture_output=True, text=True)
    return done.returncode, json.loads(done.stdout)


def test_machines_that_play_only_on_links_of_calls():
    code, report = dispatch_client("--filter", "*/quit/*", "--timeout-scale", "10")
    assert code == 0 and [c["part"] for c in report["cases"]] == ["client over tcp, machine Sender"]
    assert report["summary"]["seconds"] < 10, "the client ends its link, and waits for the other side to end it, too"


@pytest.mark.parametrize("args,parts", [
    (["--upper", "lines"], "client over udp (--transport udp)"),
    (["--upper", "exit"], "client over tcp, machine Sender (--upper lines); client over udp (--transport udp)"),
    (["--upper", "lines", "--transport", "udp"], None),
])
def test_what_is_not_judged_is_said(args, parts):
    _, report = dispatch_client("--filter", "none", *args)
    assert report["summary"].get("not_judged") == parts


def test_exit_status_tells_how_it_ended():
    code, report = again("status", "--filter", "*bye/example-1")
    assert code == 1 and "ended badly: exit status 1" in report["cases"][0]["why"]


def test_one_case_again():
    _, report = lookup("deaf", "--filter", "lookup/open/note/example-1")
    command = failures(report)[0]["again"]
    assert "--role client" in command and "--filter lookup/open/note/example-1" in command
    done = subprocess.run(["sh", "-c", command.replace("assay", str(ASSAY), 1)], cwd=ROOT, timeout=300,
                          capture_output=True, text=True)
    assert done.returncode == 1 and "effect note" in done.stdout


@pytest.mark.parametrize("command,words", [
    ("./no-such-program {address}", ["./no-such-program", "exit status 127", "not found", "`connect`"]),
    ("sh -c 'echo first >&2; echo no such host >&2; exit 3' {address}", ["exit status 3", "said: no such host;"]),
    ("true", ["exit status 0", "the command has no {address}"]),
])
def test_a_program_that_never_connects_is_said_once(command, words):
    done = subprocess.run([str(ASSAY), "test", str(TESTS / "lookup.yaml"), f"exec:{command}", "--role", "client"],
                          capture_output=True, text=True, timeout=300)
    assert done.returncode == 69 and done.stderr.count("\n") == 1 and "fail" not in done.stdout.lower()
    assert all(word in done.stderr for word in words), done.stderr


def test_what_the_program_told_is_reported_in_its_own_words():
    _, report = lookup("shy", "--filter", "lookup/get-1/framing/*byte-by-byte")
    assert {c["seen"] for c in failures(report)} == {"error get value"}


@pytest.mark.parametrize("args,word", [
    (["tcp:127.0.0.1:1", "--role", "client"], "exec:COMMAND"),
    (["exec:true", "--role", "waiter"], "--role waiter"),
    (["exec:true", "--role", "client", "--upper", "phone"], "--upper phone"),
])
def test_usage(args, word):
    done = subprocess.run([str(ASSAY), "test", str(TESTS / "lookup.yaml"), *args], capture_output=True, text=True, timeout=300)
    assert done.returncode == 4 and word in done.stderr
