"""`assay sim` from the command line, and its schedules against real processes."""

import contextlib
import json
import re
import subprocess

import pytest

from scripts.testing import ASSAY, ROOT, address_told, run

SPECS = ROOT / "sim/tests/specs"
LOCKSTEP = SPECS / "lockstep.yaml"
FORGETFUL = [("if: number == next, do", "if: number <= next, do"), ("next: next + 1", "next: number + 1")]


def sim(*options, code=0, **more):
    return run(ASSAY, "sim", *options, code=code, **more)


@pytest.fixture
def forgetful(tmp_path):
    """A receiver that keeps a block again when it comes again."""
    text = LOCKSTEP.read_text()
    for was, now in FORGETFUL:
        assert was in text
        text = text.replace(was, now)
    path = tmp_path / "forgetful.yaml"
    path.write_text(text)
    return path


def test_a_right_protocol():
    out = sim(LOCKSTEP, "--random", "50")
    assert re.search(r"all sets of up to 2 faults: \d+ schedules", out)
    assert "at random: 50 schedules" in out
    assert "all promises are kept" in out


def test_a_wrong_one(tmp_path):
    out = sim(SPECS / "apprentice.yaml", code=1, cwd=tmp_path)
    assert "broken: " in out and "12 where nothing goes wrong" in out
    assert "schedule of 1 fault:" in out
    plan = tmp_path / "apprentice.plan"
    replayed = sim(SPECS / "apprentice.yaml", "--plan", plan, code=1)
    assert replayed.split("broken: ")[1].splitlines()[0] in out
    assert "all promises are kept" in sim(LOCKSTEP, "--plan", plan)


def test_values_that_clients_share(tmp_path):
    """Whose block it is that comes behind another does not show: none is said to be out of its order."""
    head, calls = LOCKSTEP.read_text().split("    sender:\n")
    spec = tmp_path / "shared.yaml"
    clients = '''    other: [{put: {content: "'1'"}}]\n    sender: [{put: {content: "'1'"}}, {put: {content: "'2'"}}]\n'''
    spec.write_text(head + clients + calls[calls.index("  promises:"):])
    assert "all promises are kept" in sim(spec, "--random", "0", cwd=tmp_path)


def test_a_plan_that_is_not_done(tmp_path):
    plan = tmp_path / "far.plan"
    never = ["#sim crash server 1000000", "#sim fail server 1000", "9 up 1 drop", "1 up 1000 delay 5ms"]
    plan.write_text("\n".join(never + ["1 up 2 drop"]) + "\n")
    told = sim(LOCKSTEP, "--plan", plan)
    told_not_done = [line for line in told.splitlines() if line.startswith("not done: ")]
    assert sorted(told_not_done) == sorted(f"not done: {line}" for line in never)
    assert "all promises are kept" in told
    plan.write_text("#sim crash server 0\n")
    done = subprocess.run([ASSAY, "sim", LOCKSTEP, "--plan", plan], capture_output=True, text=True)
    assert done.returncode == 4 and "far.plan:1:1: expected seed N" in done.stderr


def test_an_effect_that_fails(tmp_path):
    """An acknowledgement though nothing was kept; replayed, and no link can do it."""
    text = LOCKSTEP.read_text().replace("faults: [", "faults: [fail, ")
    spec = tmp_path / "hasty.yaml"
    spec.write_text(text.replace("else: {drop: true}", "else: {send: {Ack: {number: number}}}", 1))
    out = sim(spec, code=1, cwd=tmp_path)
    assert "ended well, but keep is not done at server" in out
    assert "* keep fails: content='1'" in out
    assert "assay link" not in out
    plan = tmp_path / "lockstep.plan"
    assert "#sim fail server 1" in plan.read_text()
    assert "keep is not done" in sim(spec, "--plan", plan, code=1)
    (tmp_path / "right.yaml").write_text(text)
    right = sim(tmp_path / "right.yaml", "--plan", plan)
    assert "keep fails" in right and "all promises are kept" in right
    with linked_with_notes("127.0.0.1:9", plan) as notes:
        assert "lockstep.plan:2: not done" in notes and "fail server 1" in notes


def test_json_of_a_right_one(tmp_path):
    told = json.loads(sim(LOCKSTEP, "--random", "20", "--seed", "3", "--json", "-"))
    assert (told["protocol"], told["verdict"], told["seed"]) == ("lockstep", "kept", 3)
    assert told["search"]["up_to"] == 2 and told["search"]["faults"][0] == "drop"
    assert told["promises"] == [
        {"call": "put", "effect": "keep", "at": ["server"], "requirement": "LS-1", "kept": True}]
    assert told["random"]["schedules"] == 20 and told["datagrams_where_nothing_goes_wrong"] == 12
    assert 0 < told["sets"]["deliveries_run"] < told["sets"]["deliveries"]
    assert "broken" not in told
    out = sim(LOCKSTEP, "--random", "20", "--seed", "3", "--json", tmp_path / "told.json")
    assert f"{told['sets']['schedules']} schedules" in out
    assert json.loads((tmp_path / "told.json").read_text())["sets"] == told["sets"]


def test_json_of_a_wrong_one(forgetful, tmp_path):
    told = json.loads(sim(forgetful, "--json", "-", code=1, cwd=tmp_path))
    broken = told["broken"]
    assert (told["verdict"], broken["what"], broken["requirement"], broken["faults"]) == ("broken", "twice", "LS-1", 1)
    assert told["promises"][0]["kept"] is False
    assert (tmp_path / broken["plan_file"]).read_text() == broken["plan"]
    assert "* keep content=" in broken["diagram"]
    again = json.loads(sim(forgetful, "--plan", broken["plan_file"], "--json", "-", code=1, cwd=tmp_path))
    assert broken["again"] == f"assay sim {forgetful} --plan {broken['plan_file']}"
    assert again["broken"]["why"] == broken["why"] and "search" not in again
    right = json.loads(sim(LOCKSTEP, "--plan", tmp_path / broken["plan_file"], "--json", "-"))
    assert right["verdict"] == "kept" and right["sets"]["schedules"] == 1


def test_the_same_from_the_same_seed(tmp_path):
    def told(*options):
        text = sim(LOCKSTEP, "--faults", "1", *options)
        return re.sub(r"[0-9.]+ s$", "", text, flags=re.MULTILINE)
    assert told("--seed", "5", "--diagram") == told("--seed", "5", "--diagram")
    assert told("--seed", "5", "--random", "500") != told("--seed", "6", "--random", "500")


def test_random_for_a_time():
    out = sim(LOCKSTEP, "--faults", "0", "--random", "200ms")
    assert re.search(r"at random: \d+ schedules", out)


def test_the_sets_can_be_cut():
    out = sim(LOCKSTEP, "--most", "100", "--random", "10")
    assert re.search(r"cut by --most: 1\d\d schedules", out)
    assert "at random: 10 schedules" in out


@pytest.mark.parametrize("options, told", [
    (["--faults", "many"], "--faults"),
    (["--random", "soon"], "--random"),
    (["--plan", "/nonexistent"], "/nonexistent: cannot be read: No such file or directory"),
    (["--plan", "/"], "/: cannot be read: Is a directory"),
    (["--param", "nothing=1"], "nothing"),
    (["--fault", "2"], "--fault"),
    (["--faults", "65"], "up to 64"),
    (["--most", "-1"], "--most"),
    (["--latency", "soon"], "--latency"),
    (["another.yaml"], "another.yaml"),
])
def test_wrong_options(options, told):
    done = subprocess.run([ASSAY, "sim", LOCKSTEP, *options], capture_output=True, text=True)
    assert done.returncode == 4
    assert told in done.stderr


def test_a_spec_without_impair():
    done = subprocess.run([ASSAY, "sim", ROOT / "spec/msglog.yaml"], capture_output=True, text=True)
    assert done.returncode == 4
    assert "impair" in done.stderr


@contextlib.contextmanager
def linked(server, plan):
    command = [ASSAY, "link", "--listen", "udp:127.0.0.1:0", "--to", f"udp:{server}", "--plan", plan]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as link:
        try:
            _, host, port = address_told(link)
            yield f"{host}:{port}"
        finally:
            link.terminate()


@contextlib.contextmanager
def linked_with_notes(server, plan):
    """What a link says of a plan, by when it listens."""
    notes = plan.with_suffix(".notes")
    command = [ASSAY, "link", "--listen", "udp:127.0.0.1:0", "--to", f"udp:{server}", "--plan", plan]
    with open(notes, "w") as errors, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors,
                                                      text=True) as link:
        try:
            address_told(link)
            yield notes.read_text()
        finally:
            link.terminate()


def blocks_kept(spec, plan, stats):
    """How many blocks a real server keeps that a real sender sends it through a link with this plan."""
    orders = "connect\n" + "".join(f"call put content={i}\n" for i in range(1, 7))
    sender = stats.with_suffix(".yaml")  # sends nothing twice for being slow itself
    sender.write_text(LOCKSTEP.read_text().replace("after: 1s", "after: 10s"))
    with open(stats, "w") as errors, subprocess.Popen(
            [ASSAY, "serve", spec, "--stats", "--listen", "udp:127.0.0.1:0"], stdout=subprocess.PIPE, stderr=errors,
            text=True) as server:
        try:
            _, host, port = address_told(server)
            with linked(f"{host}:{port}", plan) as address:
                out = run(ASSAY, "drive", sender, f"udp:{address}", input=orders.encode())
            assert out.count("result put") == 6, out
        finally:
            server.terminate()
    return int(re.search(r"keep\D*(\d+)", stats.read_text())[1])


def test_real_processes_meet_the_schedule(forgetful, tmp_path):
    plan = tmp_path / "found.plan"
    sim(forgetful, "--save", plan, code=1)
    assert blocks_kept(forgetful, plan, tmp_path / "wrong") == 7
    assert blocks_kept(LOCKSTEP, plan, tmp_path / "right") == 6
