"""`assay test` over UDP: where an answer comes from, targets that cannot store, cases that take real time."""

import json
import selectors
import socket
import subprocess
import threading

import pytest

from scripts.testing import ASSAY, ROOT, serving


class Post(threading.Thread):
    """A server of post.yaml that signs for every parcel; where `beside`, from another port."""

    def __init__(self, beside):
        super().__init__(daemon=True)
        self.socket, self.other = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.socket.bind(("127.0.0.1", 0))
        self.other.bind(("127.0.0.1", 0))
        self.answering = self.other if beside else self.socket

    def run(self):
        while True:
            data, peer = self.socket.recvfrom(65536)
            if not data:
                return
            if data[0] == 1 and len(data) <= 101:
                self.answering.sendto(bytes([2, len(data) - 1]), peer)

    def stop(self):
        self.other.sendto(b"", self.socket.getsockname())
        self.join()
        self.socket.close()
        self.other.close()


@pytest.fixture
def post(request):
    server = Post(request.param)
    server.start()
    yield server
    server.stop()


def judge(server):
    command = [ASSAY, "test", "conformance/tests/post.yaml", "udp:127.0.0.1:%d" % server.socket.getsockname()[1], "--json",
               "--filter", "post/open/parcel/example-1"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    return done.returncode, json.loads(done.stdout)["cases"]


@pytest.mark.parametrize("post", [False], indirect=True)
def test_an_answer_from_where_it_was_asked_for(post):
    code, cases = judge(post)
    assert code == 0 and [c["verdict"] for c in cases] == ["pass"]


@pytest.mark.parametrize("post", [True], indirect=True)
def test_an_answer_from_another_port_is_named(post):
    code, cases = judge(post)
    assert code == 1 and [c["verdict"] for c in cases] == ["fail"]
    assert "127.0.0.1:%d, which nobody asked" % post.other.getsockname()[1] in cases[0]["seen"]


@pytest.mark.parametrize("spec,least", [("post", 40), ("ask", 41)])
def test_clients_whose_call_makes_the_link_and_those_that_keep_one(spec, least):
    path = f"conformance/tests/{spec}.yaml"
    command = [ASSAY, "test", path, f"exec:{ASSAY} drive {path} {{address}}", "--role", "client", "--json"]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=300)
    cases = json.loads(done.stdout)["cases"]
    assert [(c["id"], c.get("why")) for c in cases if c["verdict"] != "pass"] == [] and len(cases) >= least


WIDE = "conformance/tests/wide.yaml"
SLOW = ["--param", "first=1s", "--param", "give_up=10s"]


def wide(command, *options):
    """Windows of 256, and a table that all sessions share though no disk keeps it."""
    done = subprocess.run(list(map(str, [ASSAY, "test", WIDE, f"exec:{command} {' '.join(SLOW)}", *SLOW, "--timed", "none",
                                         "--json", *options])), cwd=ROOT, capture_output=True, text=True, timeout=300)
    cases = json.loads(done.stdout)["cases"]
    assert [(c["id"], c.get("why")) for c in cases if c["verdict"] not in ("pass", "unsupported")] == []
    return {c["id"] for c in cases}


def test_sessions_see_what_another_has_put():
    ids = wide(f"{ASSAY} serve {WIDE} --listen udp:127.0.0.1:0", "--filter", "wide/*/[jlw]*")
    assert ids >= {"wide/live/window/full", "wide/live/window/held", "wide/live/lossy/note-seen-by-another"}


def test_calls_that_find_the_window_full():
    ids = wide(f"{ASSAY} drive {WIDE} {{address}}", "--role", "client", "--filter", "wide/idle/*")
    assert "wide/idle/window/full" in ids


PUBSUB = "spec/pubsub.yaml"
SOON = [word for name, value in {"first": "40ms", "cap": "160ms", "give_up": "1s", "beat": "300ms", "lease": "1s"}.items()
        for word in ("--param", f"{name}={value}")]
KEEPER = " ".join([str(ASSAY), "serve", PUBSUB, "--listen udp:127.0.0.1:0 --data {data}", *SOON])


def pubsub(*options):
    command = [ASSAY, "test", PUBSUB, f"exec:{KEEPER}", *SOON, *options]
    return subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=300)


def test_targets_that_cannot_store_are_judged():
    """A file of 50 blocks takes the table and a row of it, but no row of the log; one of 44 not even that."""
    done = pubsub("--json", "--filter", "pubsub/*/*-fails/*", "--fault", f"keep=ulimit -f 50; exec {KEEPER}",
                  "--fault", f"users=ulimit -f 44; exec {KEEPER}")
    cases = json.loads(done.stdout)["cases"]
    assert [(c["id"], c.get("why")) for c in cases if c["verdict"] != "pass"] == [] and done.returncode == 0
    assert {c["id"].split("/")[2] for c in cases} == {"keep-fails", "users-fails"}


def test_a_target_that_stores_is_none_in_which_storing_fails():
    done = pubsub("--json", "--filter", "pubsub/*/*-fails/*", "--fault", f"keep={KEEPER}", "--fault", f"users={KEEPER}")
    assert {c["verdict"] for c in json.loads(done.stdout)["cases"]} == {"fail"} and done.returncode == 1


def test_cases_that_wait_for_real_timers_are_a_class():
    ids = {which: [line.split()[0] for line in pubsub("--list", *options).stdout.splitlines()]
           for which, options in {"all": [], "only": ["--timed", "only"], "none": ["--timed", "none"]}.items()}
    assert sorted(ids["only"] + ids["none"]) == ids["all"] and ids["only"] and ids["none"]
    assert {i.split("/")[2] for i in ids["only"]} >= {"silence", "copies"}
    done = pubsub("--json", "--timed", "only", "--filter", "pubsub/live/copies/the-rest")
    timed = json.loads(done.stdout)["summary"]["timed"]
    assert done.returncode == 0 and timed["cases"] == 1 and timed["longest"] == timed["seconds"] > 0
    assert pubsub("--timed", "some").returncode == 4


@pytest.mark.parametrize("seal,wrong", [("1s", []), ("100s", ["too-old"]), ("20ms", ["old-and-good"])])
def test_seals_end_when_they_have_to(seal, wrong):
    command = [ASSAY, "test", PUBSUB, f"exec:{KEEPER} --limit seal={seal}", *SOON, "--limit", "seal=1s", "--json", "--filter",
               "pubsub/unknown/seal/*"]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=300)
    cases = json.loads(done.stdout)["cases"]
    assert [c["id"].split("/")[-1] for c in cases if c["verdict"] == "fail"] == wrong
    assert {c["verdict"] for c in cases} <= {"pass", "fail"} and len(cases) == 2
    assert all(c["requirement"] == "PS-6" for c in cases if c["id"].endswith("too-old"))


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def summed(datagram):
    """The datagram under the right sum."""
    return datagram[:4] + crc32c(datagram[:4] + bytes(4) + datagram[8:]).to_bytes(4, "big") + datagram[8:]


HELLO, CHALLENGE, WHOLE = 0x11, 0x12, 32


def answers_more(datagram, from_client):
    return summed(datagram + bytes(16)) if not from_client and datagram[0] == CHALLENGE else datagram


def asks_for_less(datagram, from_client):
    short = from_client and 16 <= len(datagram) < WHOLE and datagram[0] == HELLO and summed(datagram) == datagram
    return summed(datagram.ljust(WHOLE)) if short else datagram


class Between(threading.Thread):
    """Hands datagrams on between a server and whoever comes, each from a socket of its own, changed on the way."""

    def __init__(self, server, change):
        super().__init__(daemon=True)
        self.server, self.change, self.ways = server, change, {}
        self.selector = selectors.DefaultSelector()
        self.front, self.bell = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self.front.bind(("127.0.0.1", 0))
        self.selector.register(self.front, selectors.EVENT_READ)

    def forward(self, data, peer):
        if peer not in self.ways:
            way = self.ways[peer] = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            way.connect(self.server)
            self.selector.register(way, selectors.EVENT_READ, peer)
        self.ways[peer].send(self.change(data, True) if data else data)

    def run(self):
        while True:
            for key, _ in self.selector.select():
                data, peer = key.fileobj.recvfrom(65536)
                if key.data:
                    self.front.sendto(self.change(data, False) if data else data, key.data)
                elif peer == self.bell.getsockname():
                    return
                else:
                    self.forward(data, peer)

    def __enter__(self):
        self.bell.bind(("127.0.0.1", 0))
        self.start()
        return "udp:127.0.0.1:%d" % self.front.getsockname()[1]

    def __exit__(self, *_):
        self.bell.sendto(b"", self.front.getsockname())
        self.join()
        for one in (self.front, self.bell, self.selector, *self.ways.values()):
            one.close()


@pytest.mark.parametrize("change,wrong", [(lambda datagram, _: datagram, set()),
                                          (answers_more, {"example-1", "hello-bare", "hello-one-less"}),
                                          (asks_for_less, {"hello-bare", "hello-one-less"})])
def test_a_stranger_is_not_sent_more_than_it_sent(change, wrong, tmp_path):
    with serving(PUBSUB, "--data", tmp_path, listen=("udp:127.0.0.1:0",)) as (addresses, _):
        host, port = addresses["udp"].rsplit(":", 1)
        with Between((host, int(port)), change) as target:
            cases = []
            for few in ("pubsub/unknown/hello/example-1", "pubsub/unknown/strangers/*"):
                done = subprocess.run([ASSAY, "test", PUBSUB, target, "--json", "--filter", few], cwd=ROOT,
                                      capture_output=True, text=True, timeout=300)
                cases += json.loads(done.stdout)["cases"]
    assert {c["id"].split("/")[-1] for c in cases if c["verdict"] == "fail"} == wrong and len(cases) == 3
    assert all("PS-6" in (c.get("requirement"), c.get("case_requirement")) for c in cases if c["verdict"] == "fail")


def restarts(target, *options):
    command = [ASSAY, "test", PUBSUB, f"exec:{target}", *SOON, "--json", "--filter", "pubsub/live/restart/*", *options]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=300)
    return {c["id"].split("/")[-1]: c for c in json.loads(done.stdout)["cases"]}


@pytest.mark.parametrize("jobs", ["1", "8"])
def test_what_was_acknowledged_outlives_the_process(jobs):
    cases = restarts(KEEPER, "--jobs", jobs)
    assert {c["verdict"] for c in cases.values()} == {"pass"} and {"kept", "then-token-size-16"} <= set(cases)


def test_a_target_that_forgets_is_found():
    cases = restarts(f"rm -f {{data}}/*; exec {KEEPER}")
    wrong = {name: c["requirement"] for name, c in cases.items() if c["verdict"] == "fail"}
    assert "kept" in wrong and wrong["then-token-size-16"] == "PS-7"


def test_timers_that_last_as_long_as_variables_say():
    path = "conformance/tests/patient.yaml"
    command = [ASSAY, "test", path, f"exec:{ASSAY} drive {path} {{address}}", "--role", "client", "--json", "--filter",
               "patient/asking/[ae]*/*"]
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=300)
    cases = json.loads(done.stdout)["cases"]
    assert [(c["id"], c.get("why")) for c in cases if c["verdict"] != "pass"] == []
    assert {"patient/asking/again/idle", "patient/asking/enough/outlasts-again"} <= {c["id"] for c in cases}


def test_a_server_that_sends_nothing_reliably_cannot_do_that_wrong(tmp_path):
    text = (ROOT / "conformance/tests/patient.yaml").read_text()
    for was, now in [("from: both\n    tag: word", "from: client\n    tag: word"), ("send: {Word: {text: text}}}", "ignore: true}"),
                     ("no-room, given-up], drop", "no-room], drop"), ("        - {when: Word, goto: Up}\n", "")]:
        assert was in text
        text = text.replace(was, now, 1)
    spec = tmp_path / "patient.yaml"
    spec.write_text(text)
    done = subprocess.run([ASSAY, "mutants", spec, "--list", "--filter", "reliable-wrong"], capture_output=True, text=True,
                          timeout=300)
    wrong = [line for line in done.stdout.splitlines() if line.startswith(("SURVIVED", "killed"))]
    assert any("what comes twice" in line for line in wrong)
    assert not any(how in line for line in wrong for how in ("pauses", "sent again", "gives up")), done.stdout
