"""`assay test` over UDP: where an answer comes from."""

import json
import socket
import subprocess
import threading

import pytest

from scripts.testing import ASSAY, ROOT


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
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
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
    done = subprocess.run(list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=120)
    cases = json.loads(done.stdout)["cases"]
    assert [(c["id"], c.get("why")) for c in cases if c["verdict"] != "pass"] == [] and len(cases) >= least
