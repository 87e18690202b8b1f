"""Clients over datagrams that get lost, each wrong in one way, are found over sockets, for what they break."""

import json
import subprocess
import sys

import pytest

from scripts.testing import ASSAY, ROOT

SPEC = ROOT / "spec" / "pubsub.yaml"
SCALED = [word for name, value in {"first": "100ms", "cap": "300ms", "give_up": "1s", "beat": "800ms"}.items()
          for word in ("--param", f"{name}={value}")]


def judge(client_spec, filter):
    return judge_program([str(ASSAY), "drive", str(client_spec), "{address}", *SCALED], filter)


def judge_program(words, filter, params=SCALED):
    command = "exec:" + " ".join(words)
    done = subprocess.run([str(ASSAY), "test", str(SPEC), command, "--role", "client", "--filter", filter, "--jobs",
                           "4", "--json", *params], timeout=300, capture_output=True, text=True)
    cases = json.loads(done.stdout)["cases"]
    assert cases, filter
    return [c for c in cases if c["verdict"] != "pass"]


FAULTS = {
    "no back-off": ("factor: 2", "factor: 1", "*/copies/until-acknowledged", "PS-9"),
    "sent again too late": ("first: first", 'first: "first * 6"', "*/copies/until-acknowledged", "PS-9"),
    "never gives up": ("give-up: {after: give_up}", 'give-up: {after: "give_up * 50"}', "*/copies/gives-up", "PS-9"),
    "says too seldom that it is there": ("beat: {after: beat,", 'beat: {after: "beat * 4",', "*/beat/idle", "PS-14"),
    "keeps the session of a server that forgot it":
        ("set: {cookie: cookie, session: random(8), pause: first}", "set: {cookie: cookie, pause: first}",
         "*/proving/challenge/*", "PS-6"),
    "gives up at once": ("give-up: {after: give_up}", "give-up: {after: 1ms}", "*/copies/until-acknowledged", "PS-9"),
    "numbers wrap too early": ("wrap: u16", "wrap: u8", "*/live/lossy/entry-*[er]", "PS-9"),
    "has room for one message": ("    window: 64\n", "    window: 1\n", "*/live/*/entry-swapped*", "PS-9"),
    # a line too many, or the result of its call, whichever is read first
    "takes no heed of the window": ("    window: 64\n", "    window: 200\n", "*/live/window/full", "PS-9 PS-1"),
    # the registration that it sends says so, and that is the rule of the cookie
    "skips a row when it comes back":
        ("why == gone, set: {pause: first}", "why == gone && cursor < 1000, set: {pause: first, cursor: cursor + 1}",
         "*/live/refuse/gone-*", "PS-6"),
    "is refused by any session":
        ("session == self.session && why != gone", "why != gone", "*/joining/refuse/*", "PS-5"),
    "is forgotten by any session":
        ("session == self.session && why == gone", "why == gone", "*/live/foreign/*", "PS-5"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_found(fault, tmp_path):
    right, wrong, filter, requirement = FAULTS[fault]
    text = SPEC.read_text()
    assert text.count(right) == 1, right
    changed = tmp_path / "wrong.yaml"
    changed.write_text(text.replace(right, wrong))
    failed = judge(changed, filter)
    assert set(requirement.split()) & {c["requirement"] for c in failed}, failed
    assert not judge(SPEC, filter), "a right client has to pass the same cases"


# Many messages, of which each is sent again if the program has no processor for as long as the first pause.
SLOWER = ["--param", "first=1s", "--param", "give_up=20s"]

# What a program in another language gets wrong at the end of the numbers, which no spec says.
WRONG_WRAPS = {
    "the last number is left out": ("return (first + count) & self.mask", "return (first + count) % self.mask",
                                    {"pubsub/live/wrap/entry", "pubsub/live/wrap/post"}),
    "what it takes is compared as if numbers did not wrap":
        ("ahead = (self.session.env.slots[_RELIABLE.number] - self.number(self.taken)) & self.mask",
         "ahead = self.session.env.slots[_RELIABLE.number] - self.number(self.taken)", {"pubsub/live/wrap/entry"}),
    "acknowledgements are compared as if numbers did not wrap":
        ("more = (slots[_RELIABLE.ack_slot] - self.number(self.acked)) & self.mask",
         "more = slots[_RELIABLE.ack_slot] - self.number(self.acked)", {"pubsub/live/wrap/post"}),
}


@pytest.fixture(scope="module")
def python_client(tmp_path_factory):
    folder = tmp_path_factory.mktemp("client")
    subprocess.run([str(ASSAY), "gen", "python", str(SPEC), "-o", str(folder)], check=True, stdout=subprocess.DEVNULL)
    return (folder / "pubsub_client.py").read_text()


def judge_python(text, folder, filter):
    program = folder / "pubsub_client.py"
    program.write_text(text)
    return judge_program([sys.executable, str(program), "--drive", "{address}", *SLOWER], filter, SLOWER)


@pytest.mark.parametrize("fault", WRONG_WRAPS)
def test_wrong_wrap_is_found(fault, python_client, tmp_path):
    right, wrong, failing = WRONG_WRAPS[fault]
    assert python_client.count(right) == 1, right
    failed = judge_python(python_client.replace(right, wrong), tmp_path, "*/live/wrap/*")
    assert {c["id"] for c in failed if c["verdict"] == "fail"} == failing, failed
    assert {c["requirement"] for c in failed} <= {"PS-8", "PS-9"}, failed  # the call that sends it, or its numbers


def test_right_wraps_pass(python_client, tmp_path):
    assert not judge_python(python_client, tmp_path, "*/live/wrap/*")
