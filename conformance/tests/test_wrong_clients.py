"""Clients over datagrams that get lost, each wrong in one way, are found over sockets, for what they break."""

import json
import subprocess

import pytest

from scripts.testing import ASSAY, ROOT

SPEC = ROOT / "spec" / "pubsub.yaml"
SCALED = [word for name, value in {"first": "100ms", "cap": "300ms", "give_up": "1s", "beat": "800ms"}.items()
          for word in ("--param", f"{name}={value}")]


def judge(client_spec, filter):
    command = " ".join(["exec:" + str(ASSAY), "drive", str(client_spec), "{address}", *SCALED])
    done = subprocess.run([str(ASSAY), "test", str(SPEC), command, "--role", "client", "--filter", filter, "--jobs",
                           "4", "--json", *SCALED], timeout=100, capture_output=True, text=True)
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
    "numbers wrap too early": ("wrap: u16", "wrap: u8", "*/live/lossy/entry-twice", "PS-9"),
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
