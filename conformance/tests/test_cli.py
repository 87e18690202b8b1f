"""`assay test` as its users see it: exit codes, reports, targets of every kind."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from scripts.testing import ASSAY, BUILD, ROOT, serving, wait_until

HOST = BUILD / "conformance/tests/runner_test"
MSGLOG = ROOT / "spec/msglog.yaml"
CANDY = ROOT / "spec/candy.yaml"
DISPATCH = ROOT / "spec/dispatch.yaml"
FEW = "msglog/name/close/*"


def assay(*args, timeout=300, env=None):
    return subprocess.run([str(ASSAY), "test", *map(str, args)], cwd=ROOT, timeout=timeout, capture_output=True, text=True,
                          env={**os.environ, **(env or {})})


def served(spec=MSGLOG, listen="127.0.0.1:0", data="."):
    return f"exec:{ASSAY} serve {spec} --listen {listen} --data {data}"


def host(fault, data="", spec=MSGLOG):
    return f"exec:{HOST} host {fault} 127.0.0.1:0 {data or '/dev/null'} {spec}"


# ---- exit codes and targets


def test_conformant_is_0(tmp_path):
    done = assay(MSGLOG, served(data=tmp_path), "--observe", f"record={tmp_path}/messages.log")
    assert done.returncode == 0, done.stdout
    faulty, passed, cases = re.search(r"^(\d+) unsupported, (\d+) pass, (\d+) cases in", done.stdout, re.M).groups()
    assert int(passed) + int(faulty) == int(cases) > 100
    assert faulty == "6"  # effects that fail, memory that is short: see test_faults.py
    assert "\x1b" not in done.stdout and done.stderr == ""


@pytest.mark.parametrize("listen", ["127.0.0.1:0", "[::1]:0"])
def test_server_that_runs_already(listen, tmp_path):
    with serving(MSGLOG, "--data", tmp_path, listen=[listen]) as (at, _):
        assert at["tcp"].startswith(listen.rsplit(":", 1)[0])
        assert assay(MSGLOG, "tcp:" + at["tcp"]).returncode == 0


def test_without_observer_the_effects_are_unsupported(tmp_path):
    done = assay(MSGLOG, served(data=tmp_path), "--json")
    cases = json.loads(done.stdout)["cases"]
    unseen = [c for c in cases if c["verdict"] == "unsupported"]
    assert done.returncode == 0 and unseen
    assert all("--observe record=" in c["why"] or "--fault " in c["why"] for c in unseen)
    assert sum("--observe record=" in c["why"] for c in unseen) > 30


def test_only_unsupported_cases_are_none(tmp_path):
    assert assay(MSGLOG, served(data=tmp_path), "--filter", "*/effect/record-example-1").returncode == 5


def test_nothing_to_run_is_5():
    done = assay(MSGLOG, served(), "--filter", "no/such/case")
    assert done.returncode == 5
    assert "No case ran" in done.stdout


@pytest.mark.parametrize("args", [
    [], [MSGLOG], [MSGLOG, "tcp:nowhere"], [MSGLOG, "exec:"], [MSGLOG, "tcp:127.0.0.1:1", "--jobs", "0"],
    [MSGLOG, "tcp:127.0.0.1:1", "--observe", "record"], [MSGLOG, "tcp:127.0.0.1:1", "--observe", "recorf=x"],
    [MSGLOG, "tcp:127.0.0.1:1", "--param", "nothing=1"], [MSGLOG, "tcp:127.0.0.1:1", "--timeout-scale", "-1"],
    [MSGLOG, "tcp:127.0.0.1:1", "--timeout-scale", "1e300"], [MSGLOG, "tcp:127.0.0.1:1", "--frobnicate"],
    ["no-such-spec.yaml", "tcp:127.0.0.1:1"], [MSGLOG, "tcp:127.0.0.1:1", "--tap", "--json"],
])
def test_usage_and_spec_errors_are_4(args):
    done = assay(*args)
    assert done.returncode == 4
    assert done.stderr.strip()


def test_what_cannot_be_told_is_no_success():
    with open("/dev/full", "w") as full:
        done = subprocess.run([ASSAY, "test", MSGLOG, "--list"], stdout=full, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.returncode == 3
    assert "standard output cannot be written: No space left" in done.stderr


def test_a_report_that_is_not_written_whole_is_no_success():
    done = assay(CANDY, served(CANDY), "--json=/dev/full")
    assert done.returncode == 3
    assert "/dev/full cannot be written: No space left" in done.stderr


def test_nothing_is_opened_in_the_place_of_a_standard_stream():
    """Else what is told would go to a socket or a file."""
    command = ["sh", "-c", 'exec "$0" link --listen 127.0.0.1:0 --to 127.0.0.1:1 <&- >&- 2>&-', ASSAY]
    with subprocess.Popen(command) as link:
        def at(stream):
            with contextlib.suppress(OSError):
                return os.readlink(f"/proc/{link.pid}/fd/{stream}")
        try:
            wait_until(lambda: [at(i) for i in range(3)] == ["/dev/null"] * 3 and at(3), "a link in place")
        finally:
            link.kill()


def test_unreachable_is_69():
    done = assay(MSGLOG, "tcp:127.0.0.1:1")
    assert done.returncode == 69
    assert "refused" in done.stderr
    done = assay(MSGLOG, "exec:echo cannot find my socks >&2; exit 9")
    assert done.returncode == 69
    assert "exit status 9" in done.stderr and "socks" in done.stderr


def test_datagrams_that_nobody_takes():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as reserved:
        reserved.bind(("127.0.0.1", 0))
        place = f"udp:127.0.0.1:{reserved.getsockname()[1]}"
    done = assay(DISPATCH, place, "--transport", "udp")
    assert done.returncode == 69
    assert f"nobody takes datagrams at {place}" in done.stderr


def test_a_transport_that_the_spec_has_not():
    done = assay(MSGLOG, "udp:127.0.0.1:1")
    assert done.returncode == 4
    assert "nothing to judge at udp:127.0.0.1:1: the spec has tcp" in done.stderr


def test_port_placeholder(tmp_path):
    target = f"exec:{ASSAY} serve {MSGLOG} --listen 127.0.0.1:{{port}} --data {tmp_path} > /dev/null"
    assert assay(MSGLOG, target, "--filter", FEW).returncode == 0


def test_nothing_is_left_behind(tmp_path):
    marker = f"{tmp_path}/nowhere"
    assay(MSGLOG, served(data=tmp_path) + f"; : {marker}", "--filter", FEW)
    left = [p for p in Path("/proc").glob("[0-9]*/cmdline") if marker in read(p) or str(tmp_path) in read(p)]
    assert not left


def read(path):
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


# ---- targets that misbehave


def test_death_is_the_finding():
    done = assay(MSGLOG, host("crash"), "--json")
    cases = {c["id"]: c for c in json.loads(done.stdout)["cases"]}
    failed = [c for c in cases.values() if c["verdict"] == "fail"]
    assert done.returncode == 1 and failed
    assert all("/unknown/" in c["id"] and "signal 6" in c["why"] and "no idea" in c["stderr"] for c in failed)
    assert all(c["verdict"] in ("pass", "unsupported") for c in cases.values() if "/unknown/" not in c["id"])


def test_death_of_a_target_that_nobody_restarts():
    with subprocess.Popen([str(HOST), "host", "crash", "127.0.0.1:0", "/dev/null", str(MSGLOG)], cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        address = server.stdout.readline().split()[-1]
        done = assay(MSGLOG, address, "--json", "--timeout-scale", "0.25")
        assert server.wait(60) == -signal.SIGABRT
    document = json.loads(done.stdout)
    verdicts = [c["verdict"] for c in document["cases"]]
    assert done.returncode == 1
    assert 1 <= verdicts.count("fail") <= 32
    assert document["summary"]["stopped"] == "the target is gone"


def test_target_that_never_answers_ends_soon():
    started = time.monotonic()
    done = assay(MSGLOG, host("silent"), "--timeout-scale", "0.25")
    assert done.returncode == 1
    assert "the target answers nothing" in done.stdout
    assert time.monotonic() - started < 150  # of hundreds of cases each of which could be waited for


def test_target_that_takes_no_connection_to_an_end():
    """A listener whose owner never accepts: the kernel takes the connections, nobody answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        done = assay(MSGLOG, f"tcp:127.0.0.1:{listener.getsockname()[1]}", "--filter", FEW, "--timeout-scale", "0.1")
    assert done.returncode == 1
    assert "did not come" in done.stdout


def test_target_whose_reads_cannot_be_seen(tmp_path):
    """A relay stands between: cuts and silence can still be judged, but the far socket is the relay's."""
    with serving(MSGLOG, "--data", tmp_path) as (at, _), relay(at["tcp"]) as port:
        assert assay(MSGLOG, f"tcp:127.0.0.1:{port}", "--filter", "msglog/name/*").returncode == 0


@contextlib.contextmanager
def relay(address):
    place = address.rsplit(":", 1)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)

    def pump(a, b):
        with contextlib.suppress(OSError):
            while chunk := a.recv(65536):
                b.sendall(chunk)
            b.shutdown(socket.SHUT_WR)

    def serve(near):
        with near, socket.create_connection((place[0], int(place[1]))) as far:
            back = threading.Thread(target=pump, args=(far, near))
            back.start()
            pump(near, far)
            back.join()

    def accept():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listener:
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


WRONG = {
    # fault: where in the ids it must be found, and under which requirement
    "split": ("/framing/", "ML-4"),
    "partial": ("/framing/hundreds-at-once", "ML-3"),
    "shared": ("/sessions/", "ML-4"),
    "reset": ("/close/", "ML-6"),
    "early": ("/password/", "ML-4"),
    "hang-up": ("/eof-in-frame/", "ML-7"),
    "unread": ("/framing/behind-the-end", "ML-1"),
    "twice": ("/effect/record-", "ML-3"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_wrong_hosts_are_found_for_the_right_requirement(fault, tmp_path):
    where, requirement = WRONG[fault]
    data = tmp_path / "log"
    done = assay(MSGLOG, host(fault, data), "--observe", f"record={data}", "--json", "--timeout-scale", "0.25")
    failed = [c for c in json.loads(done.stdout)["cases"] if c["verdict"] == "fail"]
    assert done.returncode == 1
    assert [c for c in failed if where in c["id"] and c["requirement"] == requirement], failed[:3]


def test_late_answers_pass(tmp_path):
    data = tmp_path / "log"
    done = assay(MSGLOG, host("late", data), "--observe", f"record={data}")
    assert done.returncode == 0, done.stdout


def test_one_connection_at_a_time_fails_only_where_two_are_needed():
    done = assay(MSGLOG, host("stall"), "--json", "--timeout-scale", "0.25", timeout=300)
    document = json.loads(done.stdout)
    failed = [c["id"] for c in document["cases"] if c["verdict"] == "fail"]
    assert failed and all("/sessions/" in i for i in failed)
    assert document["summary"]["serial"]


# ---- reports


def test_failure_tells_everything_and_can_be_repeated():
    done = assay(MSGLOG, host("reset"), "--filter", "msglog/name/close/example-1", "--seed", "7")
    assert done.returncode == 1
    for part in ["fail", "msglog/name/close/example-1", "ML-6 (MUST): close is possible in every state", "msglog.yaml:",
                 "expected     ", "FIN", "seen         ", "RST", "> Close{", "< Reply{status=succeeded} (00)",
                 "< RST (the target reset the connection)", " ms "]:
        assert part in done.stdout, part
    again = re.search(r"^ +again +(assay test .*)$", done.stdout, re.M)[1]
    assert "--seed 7" in again and "--filter msglog/name/close/example-1" in again
    repeated = subprocess.run(again.replace("assay test", f"{ASSAY} test", 1), shell=True, cwd=ROOT, capture_output=True,
                              text=True, timeout=300)
    assert repeated.returncode == 1
    assert "msglog/name/close/example-1" in repeated.stdout


def test_ids_come_in_order_in_all_reports(tmp_path):
    listed = [line.split()[0] for line in assay(MSGLOG, "--list").stdout.splitlines()]
    files = {kind: tmp_path / kind for kind in ("junit", "tap", "json")}
    done = assay(MSGLOG, served(data=tmp_path), *[f"--{k}={f}" for k, f in files.items()])
    assert done.returncode == 0
    assert listed == sorted(listed) and len(set(listed)) == len(listed)
    assert [c["id"] for c in json.loads(files["json"].read_text())["cases"]] == listed
    assert re.findall(r"^ok \d+ - (\S+)", files["tap"].read_text(), re.M) == listed
    cases = ET.parse(files["junit"]).getroot().iter("testcase")
    assert [f"{c.get('classname')}/{c.get('name')}" for c in cases] == listed


def test_junit_tells_failures_from_skipped_ones(tmp_path):
    report = tmp_path / "junit.xml"
    assay(MSGLOG, host("twice", tmp_path / "log"), "--observe", f"record={tmp_path}/log", "--junit", report)
    suite = ET.parse(report).getroot().find("testsuite")
    cases = suite.findall("testcase")
    assert int(suite.get("tests")) == len(cases)
    assert int(suite.get("failures")) == len(suite.findall("testcase/failure")) > 0
    assert all(f.get("message") and f.get("type") == "ML-3" and "expected" in f.text
               for f in suite.findall("testcase/failure"))
    assay(MSGLOG, served(data=tmp_path), "--junit", report)
    suite = ET.parse(report).getroot().find("testsuite")
    assert int(suite.get("skipped")) == len(suite.findall("testcase/skipped")) > 0
    assert suite.get("failures") == suite.get("errors") == "0"


def test_tap_is_version_14():
    lines = assay(MSGLOG, host("unread"), "--tap").stdout.splitlines()
    assert lines[0] == "TAP version 14"
    count = int(re.fullmatch(r"1\.\.(\d+)", lines[1])[1])
    points = [line for line in lines if re.match(r"(not )?ok ", line)]
    assert [int(re.match(r"(?:not )?ok (\d+) - ", p)[1]) for p in points] == list(range(1, count + 1))
    assert any(p.startswith("not ok") for p in points) and any("# SKIP" in p for p in points)
    # what follows a failed point is a YAML block, indented by two
    at = next(i for i, line in enumerate(lines) if line.startswith("not ok"))
    assert lines[at + 1] == "  ---" and "  ..." in lines[at:]
    yaml = pytest.importorskip("yaml")
    block = yaml.safe_load("\n".join(lines[at + 2 : lines.index("  ...", at)]))
    assert block["verdict"] == "fail" and block["level"] == "MUST" and "again" in block["details"]


def test_repeat_judges_every_case_each_time(tmp_path):
    done = assay(MSGLOG, served(data=tmp_path), "--repeat", "5", "--filter", "msglog/name/*")
    assert done.returncode == 0
    assert len(re.findall(r"cases in", done.stdout)) == 1


def test_colours():
    args = (CANDY, served(CANDY), "--filter", "candy/open/eof*")
    assert "\x1b[" in assay(*args, env={"CLICOLOR_FORCE": "1", "NO_COLOR": ""}).stdout
    assert "\x1b" not in assay(*args, env={"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}).stdout


def test_progress_only_on_a_terminal(tmp_path):
    def stderr_on_terminal(term):
        master, slave = os.openpty()
        subprocess.run([str(ASSAY), "test", str(MSGLOG), served(data=tmp_path)], cwd=ROOT, stdout=subprocess.DEVNULL,
                       stderr=slave, timeout=300, env={**os.environ, "TERM": term})
        os.close(slave)
        chunks = b""
        with contextlib.suppress(OSError):
            while chunk := os.read(master, 65536):
                chunks += chunk
        os.close(master)
        return chunks

    assert re.search(rb"\[=* *\] \d+/\d+", stderr_on_terminal("xterm"))
    assert stderr_on_terminal("dumb") == b""


def test_a_timer_that_outlives_its_state_is_found(tmp_path):
    right, wrong = ROOT / "conformance/tests/checked.yaml", tmp_path / "wrong.yaml"
    text = right.read_text().replace("shut: {after: open_time, in: [Open]}", "shut: {after: open_time, in: [Open, Shut]}")
    wrong.write_text(text.replace("    Shut:\n", "    Shut:\n      - {when: shut, send: {Told: {what: 3, number: 0}}}\n"))
    verdicts = {}
    for spec in (right, wrong):
        report = tmp_path / "report.json"
        assay(right, served(spec), "--filter", "checked/open/shut/*", f"--json={report}")
        verdicts[spec] = {case["id"]: case["verdict"] for case in json.loads(report.read_text())["cases"]}
    assert set(verdicts[right].values()) == {"pass"} and "checked/open/shut/idle" in verdicts[right]
    assert verdicts[wrong]["checked/open/shut/left-before"] == "fail"


def test_interrupt_is_2_and_the_report_is_whole(tmp_path):
    report = tmp_path / "report.json"
    process = subprocess.Popen([str(ASSAY), "test", str(MSGLOG), host("silent"), f"--json={report}"], cwd=ROOT,
                               stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    deadline = time.monotonic() + 60
    while not report.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=300)
    assert process.returncode == 2
    document = json.loads(report.read_text())
    assert document["summary"]["interrupted"] and document["summary"]["cases"] == len(document["cases"])


def test_interrupted_first_verdicts_are_no_failures(tmp_path):
    """A first bad verdict is confirmed alone before it counts; who is interrupted before that has judged nothing."""
    report, held = tmp_path / "report.json", []
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        listener.settimeout(60)
        process = subprocess.Popen([str(ASSAY), "test", str(MSGLOG), f"tcp:127.0.0.1:{listener.getsockname()[1]}",
                                    f"--json={report}"], cwd=ROOT, stdout=subprocess.DEVNULL)
        for _ in range(40):  # as a server does that has no room for so many: some are turned away, others wait
            connection, _ = listener.accept()
            held.append(connection)
            if len(held) % 2:
                connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=300) == 2
    cases = json.loads(report.read_text())["cases"]
    verdicts = {case["verdict"] for case in cases}
    assert "fail" not in verdicts and any("not confirmed" in case.get("why", "") for case in cases), verdicts


def test_a_harness_that_was_held_up_blames_nobody(tmp_path):
    """The tester is stopped for longer than an answer may take, in the middle of the run."""
    report = tmp_path / "report.json"
    process = subprocess.Popen([str(ASSAY), "test", str(MSGLOG), host("late"), f"--json={report}", "--timeout-scale",
                                "0.5"], cwd=ROOT, stdout=subprocess.DEVNULL)
    for _ in range(2):
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.3)
        process.send_signal(signal.SIGSTOP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        process.send_signal(signal.SIGCONT)
    process.wait(300)
    verdicts = {c["id"]: c["verdict"] for c in json.loads(report.read_text())["cases"]}
    assert len(verdicts) > 100
    assert set(verdicts.values()) <= {"pass", "unsupported", "inconclusive"}
