"""`assay serve` of dispatch and relay, as their users meet them: stopping, the control port, the log, messages whole."""

import re
import socket
import time

import pytest
from conftest import SPECS, Served
from reader.client import Client, Runner
from reader.spec import load
from talk import TIMEOUT
from traces import traces

pytestmark = pytest.mark.timeout(900)
DISPATCH, RELAY = load(SPECS["dispatch"]), load(SPECS["relay"])


def until(holds, what):
    """Wait for something to become true."""
    end = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < end, "in vain waited for " + what
        time.sleep(0.002)


def counts(errors):
    """How often each effect was ordered, as --stats tells at the end."""
    return {name: int(number) for name, number in re.findall(r"effect (\w+): (\d+)", errors.decode())}


def send(address, *datagrams):
    """Datagrams from one port, which are read in their order."""
    link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    with link:
        link.connect(address)
        for data in datagrams:
            link.send(data)


def ask(address, data):
    """All that a connection gives back to these bytes."""
    with socket.create_connection(address, 10) as link:
        link.sendall(data)
        link.shutdown(socket.SHUT_WR)
        return link.makefile("rb").read()


@pytest.mark.parametrize("trace", traces("dispatch"))
def test_unreadable_lines_are_counted(trace, tmp_path):
    """As many as a person counts."""
    with Served(SPECS["dispatch"], tmp_path) as served:
        with socket.create_connection(served.address, 10) as link:
            for step in trace.steps:
                link.sendall(bytes.fromhex(step.get("send", "")))
            link.shutdown(socket.SHUT_WR)
            replies = link.makefile("rb").read()
        assert trace.pattern(0).fullmatch(replies), replies
        until(lambda: served.complained.count(b"a line ") >= int(trace.tree["reported"]), "all reports")
        _, errors = served.finish()
    lines = [line for line in errors.split(b"\n") if b"a line " in line]
    assert len(lines) == int(trace.tree["reported"])
    assert not lines or re.search(rb"\b%d\b" % len(lines), lines[-1]), lines[-1]


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    """The spec with reports in a file: then opening the log anew can be seen."""
    path = tmp_path_factory.mktemp("spec") / "dispatch.yaml"
    text = SPECS["dispatch"].read_text(encoding="utf-8")
    assert "to: {report: stderr}" in text
    path.write_text(text.replace("to: {report: stderr}", "to: {append: lines.log}"), encoding="utf-8")
    return path


@pytest.mark.parametrize("trace", traces("dispatch", over="udp"))
def test_log(trace, keeping, tmp_path):
    """The file is opened anew when LOG says the secret, and only then: as often as a person counts, and once more for the one at the end."""
    secret, log = trace.params["secret"], tmp_path / "lines.log"
    last = b'LOG secret_code="%s"' % secret.encode() if secret else b"LOG"
    with Served(keeping, tmp_path, "--stats", *(["--param", "secret=" + secret] if secret else []), udp=True) as served:
        ask(served.address, b"?\n")
        until(lambda: log.exists() and log.stat().st_size, "a line in the log")
        log.rename(tmp_path / "aside")
        send(served.addresses["udp"], *trace.datagrams, last)

        def reopened():
            ask(served.address, b"?\n")
            return log.exists() and log.stat().st_size
        until(reopened, "a line in the new log")
        said, errors = served.finish()
    assert said == b"" and counts(errors)["rotate"] == int(trace.tree["rotations"]) + 1


def test_quit_cuts_nobody_off(tmp_path):
    """QUIT stops the server from taking connections; who is there is served; it ends with the last one, with status 0."""
    with Served(SPECS["dispatch"], tmp_path, udp=True) as served, socket.create_connection(served.address, 10) as stays:
        lines = stays.makefile("rb")
        assert lines.readline() == b"HI\n"
        Client(DISPATCH, None, addresses=served.addresses).call("quit")

        def refused():
            try:
                socket.create_connection(served.address, 1).close()
            except ConnectionRefusedError:
                return True
            except ConnectionResetError:  # it came while the listening ended
                pass
            return False
        until(refused, "the end of listening")
        stays.sendall(b"<me:here DAD\nJUMP\n")
        assert lines.readline() == b"me:here/CLIMB\n" and lines.readline() == b"UNKNOWN command=JUMP\n"
        assert served.alive()
        stays.shutdown(socket.SHUT_WR)
        assert lines.read() == b""
        assert served.process.wait(60) == 0


def test_the_exchange(tmp_path):
    """The reader's client comes through with our server."""
    with Served(SPECS["dispatch"], tmp_path) as served:
        runner = Runner(DISPATCH, served.address)
        runner.run(20)
        assert runner.pauses == [] and runner.states == ["AskedMom"]


@pytest.mark.parametrize("trace", traces("relay") + traces("relay", over="udp"))
def test_relay_shows(trace, tmp_path):
    """A message whole and byte for byte, over either transport; in a file and on standard output."""
    for window in ("stdout", "window"):
        with Served(SPECS["relay"], tmp_path, "--param", "window=" + window, udp=True) as served:
            if trace.over is None:
                assert ask(served.address, b"".join(bytes.fromhex(step.get("send", "")) for step in trace.steps)) == b""
            else:
                send(served.addresses["udp"], *trace.datagrams)
            file = tmp_path / "window"
            if window == "window":
                until(lambda: file.exists() and file.stat().st_size >= len(trace.shown()), "the message in its file")
            else:
                until(lambda: len(served.said) >= len(trace.shown()), "the message on standard output")
            said, _ = served.finish()
        assert (said if window == "stdout" else file.read_bytes()) == trace.shown()


def test_relay_mixes_nothing(tmp_path):
    """Many senders at once, one of them far behind; a reset shows nothing, and the program goes on."""
    with Served(SPECS["relay"], tmp_path, "--param", "window=window", udp=True) as served:
        links = [socket.create_connection(served.address, 10) for _ in range(20)]
        for part in range(5):
            for number, link in enumerate(links):
                link.sendall(b"%d," % number * (1000 if part else 1))
        broken = socket.create_connection(served.address, 10)
        broken.sendall(b"lost" * 50000)
        broken.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 0, 0, 0, 0]))
        broken.close()
        for link in links[1:]:
            link.shutdown(socket.SHUT_WR)
            assert link.recv(1) == b""
        file = tmp_path / "window"
        messages = [b"%d," % number * 4001 for number in range(20)]
        until(lambda: file.exists() and file.read_bytes().count(b"\0") == 19, "nineteen messages")
        assert sorted(file.read_bytes().split(b"\0")[:-1]) == sorted(messages[1:]), "the slow one comes later"
        links[0].shutdown(socket.SHUT_WR)
        assert links[0].recv(1) == b""
        until(lambda: file.read_bytes().count(b"\0") == 20, "the last one")
        assert file.read_bytes().endswith(messages[0] + b"\0")


def test_both_sides_of_relay(tmp_path):
    """The reader's calls against our server."""
    with Served(SPECS["relay"], tmp_path, "--param", "window=window", udp=True) as served:
        client = Client(RELAY, None, addresses=served.addresses)
        client.call("say", content=b"over a connection\n")
        client.call("post", content=b"in a datagram")
        file = tmp_path / "window"
        until(lambda: file.exists() and file.read_bytes().count(b"\0") == 2, "two messages")
        assert sorted(file.read_bytes().split(b"\0")) == [b"", b"in a datagram", b"over a connection\n"]
