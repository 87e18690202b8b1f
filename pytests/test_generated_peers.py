"""Generated Python clients of dispatch and relay: machines that run by themselves, links of calls, datagrams, the driver."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import quote, unquote_to_bytes

import pytest
from conftest import ROOT, SPECS, Served, output_of, program
from hypothesis import given, settings, strategies as st
from reader.client import Client
from reader.server import Server
from reader.spec import load
from reader.values import SpecError, Unfit
from scripts.testing import free_port, queued, wait_until
from test_reader_peers import scripted

pytestmark = pytest.mark.timeout(400)
WHOLE = [(b"HI\n", b"DAD\n"), (b"CLIMB\n", b"TOP\n"), (b"WHO\n", b"MOM\n"), (b"BYE\n", b"")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the generated clients stand, as a package."""
    made = tmp_path_factory.mktemp("clients")
    for name in ("dispatch", "relay", "notes"):
        output_of([program(), "gen", "python", SPECS[name], "-o", made / "generated"])
    return made


def module_of(folder, name):
    """A generated client as a module."""
    made = importlib.util.spec_from_file_location("generated_" + name, folder / "generated" / (name + "_client.py"))
    module = importlib.util.module_from_spec(made)
    made.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def dispatch(folder):
    """The client of dispatch."""
    return module_of(folder, "dispatch")


@pytest.fixture(params=["reader's server", "byte by byte", "assay serve"])
def served(request, tmp_path):
    """A server of dispatch, as one of three programs."""
    if request.param == "assay serve":
        with Served(SPECS["dispatch"], tmp_path, "--param", "secret=a;b", "--stats", udp=True) as server:
            yield server
        return
    spec = load(SPECS["dispatch"], params={"secret": "a;b"})
    with Server(spec, tmp_path, piece=1 if request.param == "byte by byte" else None) as server:
        yield server


def test_the_exchange(dispatch, served):
    """run() comes through; the trace shows the exchange as it stands on the wire."""
    seen = []
    with dispatch.Client(*served.address, defer=True, trace=lambda *frame: seen.append(frame)) as client:
        assert client.run(60) is True and not client.connected
    assert [frame[:3] for frame in seen] == [
        (False, "Hi", b"HI\n"), (True, "Dad", b"DAD\n"), (False, "Climb", b"CLIMB\n"), (True, "Top", b"TOP\n"),
        (False, "Who", b"WHO\n"), (True, "Mom", b"MOM\n"), (False, "Bye", b"BYE\n")]
    assert [frame[3] for frame in seen] == ['%s{object=0 command="%s"}' % (name, name.upper()) for name in ("Hi", "Dad", "Climb", "Top", "Who", "Mom", "Bye")]


@pytest.mark.parametrize("lives, tries", [
    ([WHOLE], 0), ([[], WHOLE], 1), ([WHOLE[:1], WHOLE[:2], WHOLE[:3], WHOLE], 3), ([None, WHOLE], 1), ([[(b"HI\n", b"DAD\n"), (b"HI\nWHO\nBYE\n", b"")], WHOLE], 1),
    ([[(b"\xff\n{\nCLIMB\n" + b"x" * 9000 + b"\nHI\n", b"DAD\n"), *WHOLE[1:]]], 0)])
def test_an_exchange_that_stops_midway_starts_over(dispatch, lives, tries):
    """Cut off, silent, answered out of turn: again after the pause, until it is through."""
    told = []

    class Told(dispatch.Client):
        """Notes what is tried again."""

        def on_retry(self, error, seconds):
            told.append((type(error).__name__, seconds))
    with Told(*scripted(*lives), pause=0.05, patience=2.0, defer=True) as client:
        start = time.monotonic()
        assert client.run(60) is True
        assert told == [("ConnectionLost", 0.05)] * tries and time.monotonic() - start >= 0.05 * tries


def test_before_its_server_and_stop(dispatch, tmp_path):
    """Nobody listens: it tries again, and can be told to stop; when somebody does, it comes through."""
    address = "127.0.0.1", free_port()
    with dispatch.Client(*address, pause=0.02, defer=True) as client:
        with pytest.raises(dispatch.CallTimeout):
            client.run(0.2)
        threading.Timer(0.1, client.stop).start()
        assert client.run(60) is False
        listener = socket.create_server(address)
        threading.Thread(target=lambda: talk_once(listener), daemon=True).start()
        assert client.run(60) is True
    with pytest.raises(dispatch.Unreachable):
        with dispatch.Client(*address):
            pass


def talk_once(listener):
    """One whole exchange."""
    with listener:  # until somebody has come: who comes once more is refused
        link, _ = listener.accept()
    with link:
        lines = link.makefile("rb")
        for said, wanted in WHOLE:
            link.sendall(said)
            assert not wanted or lines.readline() == wanted


def test_links_of_calls(dispatch, served):
    """QUIT over a connection of its own, LOG_ROTATE in a datagram: without a connection of the client's."""
    client = dispatch.Client(*served.address, ports={"udp": served.addresses["udp"][1]}, defer=True)
    client.log_rotate()
    client.log_rotate(b"wrong")
    client.log_rotate("a;b")
    with pytest.raises(dispatch.BadArgument):
        client.log_rotate(b"x" * 257)
    # Datagrams and connections are not in one order.
    wait_until(lambda: not queued(served.addresses["udp"][1]) if isinstance(served, Served) else served.host.reopened, "what was sent in datagrams")
    client.quit()
    until = time.monotonic() + 60
    with pytest.raises(dispatch.Unreachable):
        while time.monotonic() < until:
            client.open()
    if isinstance(served, Served):
        errors = served.finish()[1].decode()
        assert re.search(r"rotate\D*1\b", errors), errors
    else:
        assert served.host.reopened == 1 and served.over.wait(60)


def test_a_control_port(dispatch):
    """A client that is bound hears whoever sends there, and asks the application only for what has the secret."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    done = []

    class Control(dispatch.Client):
        """Notes what it is asked for."""

        def on_effect(self, name, args):
            done.append((name, args))
            self.stop()
            return True
    with Control(transport="udp", bind=address, secret="a;b") as control, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for data in (b"LOG", b"nonsense\xff", b"", b"LOG secret_code=a", b'LOG_ROTATE secret_code="a;b"'):
            sender.sendto(data, address)
        assert control.run(20) is False
    assert done == [("rotate", {})]


def drive(folder, name, address, orders, *options):
    """What the built-in driver says to some lines."""
    path = folder / "generated" / (name + "_client.py")
    done = subprocess.run([sys.executable, str(path), "--drive", address, *options], input=orders, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout.split("\n")[:-1], done.stderr


def test_driver_runs(folder, served):
    """--run: status 0 is End."""
    status, said, errors = drive(folder, "dispatch", "%s:%d" % tuple(served.address), "", "--run", "--param", "pause=20ms", "--trace")
    assert (status, said) == (0, []) and errors.split("\n")[:3] == [
        '< Hi{object=0 command="HI"} (48490a)', '> Dad{object=0 command="DAD"} (4441440a)', '< Climb{object=0 command="CLIMB"} (434c494d420a)']


def test_driver_takes_lines(folder, tmp_path):
    """connect, call, close, with what became of each."""
    with Served(SPECS["relay"], tmp_path, "--param", "window=window", udp=True) as served:
        address = "tcp:%s:%d,udp:%s:%d" % (*served.addresses["tcp"], *served.addresses["udp"])
        orders = ("call say content=two%0alines%00\ncall pass content=x\nconnect\ncall pass content=%ff\ncall pass content=a\ncall finish\n"
                  "call nothing\ncall say\ncall say content=a more=b\n")
        status, said, _ = drive(folder, "relay", address, orders)
        assert status == 0
        assert [line.split(" ")[:3] for line in said] == [
            ["result", "say"], ["error", "pass", "closed"], ["connected"], ["result", "pass"], ["result", "pass"], ["result", "finish"], ["ended"],
            ["error", "nothing", "value"], ["error", "say", "value"], ["error", "say", "value"]]
        window, shown = tmp_path / "window", [b"two\nlines\0\0", b"\xffa\0"]
        wait_until(lambda: window.exists() and window.stat().st_size >= sum(map(len, shown)), "both messages")
        assert window.read_bytes() in (b"".join(shown), b"".join(reversed(shown)))  # two connections: either may be read first
    status, said, _ = drive(folder, "relay", "%s:%d" % tuple(served.address), "connect\nclose\n")
    assert (status, said) == (0, ["unreachable"])


def test_driver_tells_effects(folder):
    """What the machine wants done by the application, while no order is given; then the end of the link."""
    address = scripted([(b"DAD a\nHI\n", b"DAD\n")])
    process = subprocess.Popen([sys.executable, str(folder / "generated/dispatch_client.py"), "--drive", "%s:%d" % address], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    with process:
        process.stdin.write("connect\n")
        process.stdin.flush()
        said = [process.stdout.readline().strip() for _ in range(3)]
        process.stdin.close()
        assert said == ["connected", "effect report what=a%20line%20that%20cannot%20be%20read", "ended"]
        assert process.wait(60) == 0


def example(folder, *args):
    """The example application on the generated client."""
    path = os.pathsep.join([str(folder), str(ROOT / "examples")])
    return subprocess.Popen([sys.executable, str(ROOT / "examples/dispatch_client.py"), *args], env=dict(os.environ, PYTHONPATH=path),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_example(folder, served):
    """Its trace, its status, a signal that stops it."""
    process = example(folder, "--server", "%s:%d" % tuple(served.address), "--pause", "0.1", "--trace")
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert re.findall(r"^(->|<-) \S+ (\S+)$", said, re.M) == [
        ("<-", "HI"), ("->", "DAD"), ("<-", "CLIMB"), ("->", "TOP"), ("<-", "WHO"), ("->", "MOM"), ("<-", "BYE")]


def test_example_stops(folder):
    """SIGTERM ends one that waits."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        process = example(folder, "--server", "127.0.0.1:%d" % silent.getsockname()[1])
        link, _ = silent.accept()
        with link:
            process.send_signal(signal.SIGTERM)
            _, said = process.communicate(timeout=60)
    assert process.returncode == 1 and "stopped" in said


def test_no_platform_is_assumed(folder):
    """One file, nothing but the library that comes with Python, no module that only Linux has."""
    text = (folder / "generated/dispatch_client.py").read_text(encoding="utf-8")
    assert set(re.findall(r"^import (\w+)", text, re.M)) <= set(sys.stdlib_module_names) - {"fcntl", "termios", "resource", "pwd", "grp", "pty", "posix", "syslog"}
    assert not re.search(r"^from |select\.epoll|os\.fork|signal\.SIG", text, re.M)


WORD = st.text("ab1Z", min_size=1, max_size=8) | st.sampled_from(["", "1a", "a b", "a:b", "abcdefghi"])
TEXT = st.text(max_size=10) | st.lists(st.sampled_from(list(";\"\\\nr n\t'%,&=:?") + ["a", "head=", "size=7", "z=1"]), max_size=6).map("".join)
CALLS = st.one_of(
    st.tuples(st.just("note"), st.fixed_dictionaries({"who": WORD, "host": WORD, "level": st.integers(-1, 65536), "head": TEXT, "size": st.integers(-6, 70000),
                                                      "tags": TEXT.map(str.encode)})),
    st.tuples(st.just("keep"), st.fixed_dictionaries({"items": (st.just("a=") | st.just("")).flatmap(lambda head: TEXT.map(lambda tail: (head + tail).encode()))})),
    st.tuples(st.just("find"), st.fixed_dictionaries({"terms": (st.just("a:") | st.just("")).flatmap(lambda head: TEXT.map(lambda tail: (head + tail).encode()))})))


@settings(max_examples=60)
@given(calls=st.lists(CALLS, min_size=1, max_size=6))
def test_all_clients_write_the_same(notes_client, tmp_path_factory, calls):
    """Structured text of any values: the generated client, the reader's and the library's have the same said back, or none can send it."""
    spec, seen = load(SPECS["notes"]), []
    with Server(spec, tmp_path_factory.getbasetemp()) as server:
        with notes_client.Client(*server.address) as client:
            seen.append([of_generated(notes_client, client, name, args) for name, args in calls])
        with Client(spec, server.address) as client:
            seen.append([of_reader(client, name, args) for name, args in calls])
        seen.append(of_library(server.address, calls))
    assert seen[0] == seen[1] == seen[2]


@pytest.fixture(scope="module")
def notes_client(folder):
    """The client of the tests' own structured text."""
    return module_of(folder, "notes")


def of_generated(module, client, name, args):
    """What came back; None: it cannot be sent."""
    try:
        return getattr(client, name)(**args)
    except module.BadArgument:
        return None


def of_library(address, calls):
    """The same of libassay, through `assay drive`."""
    def word(value):
        return str(value) if isinstance(value, int) else quote(value, safe="-._~")
    lines = ["connect"] + ["call %s %s" % (name, " ".join("%s=%s" % (key, word(value)) for key, value in args.items())) for name, args in calls]
    said = output_of([program(), "drive", SPECS["notes"], "%s:%d" % tuple(address)], input="\n".join(lines).encode() + b"\n").decode().split("\n")
    assert said[0] == "connected"
    found = [line.split(" ", 3) for line in said[1:] if line.startswith(("result", "error"))]
    assert all(words[0] == "result" or words[2] == "value" for words in found), said
    return [unquote_to_bytes(words[2].partition("=")[2]) if words[0] == "result" else None for words in found]


def of_reader(client, name, args):
    """The same of the reader's client."""
    try:
        return client.call(name, **{key: value.encode() if isinstance(value, str) else value for key, value in args.items()})["said"]
    except (SpecError, Unfit):
        return None
