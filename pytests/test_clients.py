"""Generated clients against the reader's server, the reader's client against `assay serve`, and each against its own kind."""

import importlib.util
import os
import socket
import subprocess
import sys
import threading

import pytest
from conftest import ROOT, SPECS, Served, output_of, program
from hypothesis import given, settings, strategies as st
from reader.client import CallError, Client
from reader.server import Server
from reader.spec import load

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """The generated Python clients by protocol, and the folder that holds their package."""
    folder = tmp_path_factory.mktemp("clients")
    modules = {}
    for name, path in SPECS.items():
        output_of([program(), "gen", "python", path, "-o", folder / "generated"])
        made = importlib.util.spec_from_file_location("generated_" + name, folder / "generated" / (name + "_client.py"))
        modules[name] = importlib.util.module_from_spec(made)
        made.loader.exec_module(modules[name])
    return modules, folder


@pytest.fixture(params=["reader's server", "reader's server, byte by byte", "assay serve"])
def serve(request, tmp_path):
    """Starts a server of a protocol: the reader's, one that answers in single bytes, or ours."""
    def start(name):
        if request.param == "assay serve":
            return Served(SPECS[name], tmp_path)
        return Server(load(SPECS[name]), tmp_path, piece=1 if "byte by byte" in request.param else None)
    return start


class Generated:
    """A generated client behind the same face as the reader's."""

    def __init__(self, module, address):
        self.module, self.client = module, module.Client(*address)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.close()

    def call(self, call, /, **args):
        """Do a call; the error's name and text as the reader's client has them."""
        try:
            results = getattr(self.client, call)(**{name: self._value(name, value) for name, value in args.items()})
        except self.module.CallFailed as error:
            raise CallError(error.name, error.detail.encode() if isinstance(error.detail, str) else error.detail) from error
        except self.module.ClientError as error:
            raise CallError(KINDS[type(error).__name__]) from error
        return results

    def _value(self, name, value):
        enum = {"kind": "Kind", "site": "Site", "unit": "Unit"}.get(name)
        return getattr(self.module, enum)[value.upper()] if enum and isinstance(value, str) else value


KINDS = {"ConnectionLost": "closed", "NotConnected": "closed", "CallTimeout": "timeout", "ProtocolViolation": "protocol",
         "BadArgument": "argument", "Unreachable": "unreachable"}


@pytest.fixture(params=["generated", "reader"])
def connect(request, generated):
    """Opens a client of a protocol: the generated one, or the reader's."""
    if request.param == "generated":
        return lambda name, address: Generated(generated[0][name], address)
    return lambda name, address: Client(load(SPECS[name]), address)


def result(results):
    """The results of a call, whichever client did it: in the order of the spec."""
    if isinstance(results, dict):
        return list(results.values())
    return [] if results is None else list(results) if isinstance(results, tuple) else [results]


def error_of(client, call, /, **args):
    """The error that a call ends with."""
    with pytest.raises(CallError) as caught:
        client.call(call, **args)
    return caught.value


def test_candy(serve, connect):
    """Results and refusals on one connection."""
    with serve("candy") as server, connect("candy", server.address) as client:
        for count, kind, amount in ((12, "square", 144), (-3, "square", 9), (46340, "square", 2147395600), (32, "bar", 2147483647),
                                    (1, "bar", 0), (-2147483648, "dozen", 12)):
            assert result(client.call("fetch_candy", count=count, kind=kind)) == [amount]
        for count, kind in ((46341, "square"), (33, "bar")):
            refused = error_of(client, "fetch_candy", count=count, kind=kind)
            assert refused.name == "refused" and refused.text.startswith(b"too many")
        assert result(client.call("fetch_candy", count=5, kind="dozen")) == [12]


def test_msglog(serve, connect, tmp_path):
    """A session; binary text; the log."""
    with serve("msglog") as server, connect("msglog", server.address) as client:
        client.call("connect", name=b"b\xf6b", password=b"abc")
        for text in (b"hi", b"two\r\nlines", b"\0\xff\\", b"x" * 65535):
            client.call("msg", text=text)
        client.call("disconnect")
    assert (tmp_path / "messages.log").read_bytes() == (
        b"[b\xf6b]: hi\r\n[b\xf6b]: two\\r\\nlines\r\n[b\xf6b]: \\0\xff\\\\\r\n[b\xf6b]: " + b"x" * 65535 + b"\r\n")


@pytest.mark.parametrize("name, password, error", [(b"", b"a", "name_refused"), (b"\0", b"a", "name_refused"), (b"a", b"b", "password_refused"),
                                                   (b"a", b"", "password_refused")])
def test_msglog_refusals(serve, connect, name, password, error):
    """Which alternative fits names the error; behind it the connection is closed."""
    with serve("msglog") as server, connect("msglog", server.address) as client:
        assert error_of(client, "connect", name=name, password=password).name == error
        assert error_of(client, "msg", text=b"x").name == "closed"


def test_tagged(serve, connect):
    """Messages that tell their own ends, both ways; a refusal between results."""
    with serve("tagged") as server, connect("tagged", server.address) as client:
        assert result(client.call("get")) == [b""]
        client.call("put", owner="bob" if hasattr(client, "module") else b"bob", value=b"\n;\0" + b"x" * 29)
        assert result(client.call("get")) == [b"\n;\0" + b"x" * 29]
        assert [result(client.call("add", amount=n)) for n in (0, 0x7fffffff, 0x7fffffff)] == [[0], [0x7fffffff], [0xfffffffe]]
        assert error_of(client, "add", amount=2).name == "refused"
        assert result(client.call("add", amount=1)) == [0xffffffff]
        client.call("bye")


def test_meter(serve, connect):
    """Enums over text, lists, numbers of 40 and 64 bits, an error with its text, a pattern that must hold."""
    with serve("meter") as server, connect("meter", server.address) as client:
        assert result(client.call("greet", serial=0xffffffff, site="south")) == [b"south"]
        assert result(client.call("report", unit="watt", samples=(1, -2))) == [-2, 2]
        assert result(client.call("report", unit="volt", samples=(32767,))) == [32765, 3]
        assert result(client.call("report", unit="watt", samples=(-32768, 1))) == [32766, 5]
        refused = error_of(client, "report", unit="watt", samples=(7,))
        assert refused.name == "refused" and refused.text == b"cannot: 0 seen"
        assert result(client.call("report", unit="watt", samples=(7,))) == [32773, 1]
        assert result(client.call("leave")) == [32773]


@settings(max_examples=25)
@given(data=st.data())
def test_both_clients_see_the_same(generated, tmp_path_factory, data):
    """Random calls: the generated client and the reader's give the same results and errors."""
    calls = data.draw(st.lists(st.tuples(st.integers(-(1 << 31), (1 << 31) - 1) | st.integers(-50000, 50000) | st.integers(0, 40),
                                         st.sampled_from(["square", "bar", "dozen"])), min_size=1, max_size=5))
    spec, seen = load(SPECS["candy"]), []
    with Server(spec, tmp_path_factory.getbasetemp()) as server:
        for client in (Generated(generated[0]["candy"], server.address), Client(spec, server.address)):
            with client:
                seen.append([outcome(client, count, kind) for count, kind in calls])
    assert seen[0] == seen[1]


def outcome(client, count, kind):
    """A call's result or error."""
    try:
        return result(client.call("fetch_candy", count=count, kind=kind))
    except CallError as error:
        return error.name, error.text


def answering(answer):
    """A server of one connection that sends some bytes once it was spoken to, and ends; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        with listener, listener.accept()[0] as connection:
            connection.recv(4096)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()


@pytest.mark.parametrize("answer, error", [(b"012\n", "protocol"), (b"hello\n", "protocol"), (b"12", "closed"), (b"", "closed"), (b"\n", "protocol"),
                                           (b"2147483648\n", "protocol"), (b"error: \n", "protocol"), (b"1" * 2000, "protocol"),
                                           (b"error: " + b"e" * 201 + b"\n", "protocol"), (b"error: \xe4\n", "protocol")])
def test_bad_answers(connect, answer, error):
    """What the protocol does not allow ends the call with an error, and so does what is missing."""
    with connect("candy", answering(answer)) as client:
        assert error_of(client, "fetch_candy", count=1, kind="dozen").name == error


@pytest.mark.parametrize("answer, error", [(b"\0\1", "protocol"), (b"\0", "closed"), (b"\xff", "name_refused"), (b"\0\xff", "password_refused")])
def test_bad_replies(connect, answer, error):
    """The same for a call of several steps."""
    with connect("msglog", answering(answer)) as client:
        assert error_of(client, "connect", name=b"a", password=b"a").name == error


@pytest.mark.parametrize("words, said", [("fetch_candy count=12 kind=square", "amount=144"),
                                         ("fetch_candy count=20 kind=bar , fetch_candy count=1 kind=dozen", "amount=524287\namount=12")])
def test_call_from_the_shell(serve, words, said):
    """`assay call` against either server."""
    with serve("candy") as server:
        address = "%s:%d" % tuple(server.address)
        assert output_of([program(), "call", SPECS["candy"], address, *words.split()]).decode().strip() == said


def run_example(folder, name, *args):
    """An example application on a generated client."""
    path = os.pathsep.join([str(folder), str(ROOT / "examples")])
    return subprocess.run([sys.executable, str(ROOT / "examples" / name), *map(str, args)], env=dict(os.environ, PYTHONPATH=path),
                          capture_output=True, text=True, timeout=60)


def test_the_original_interfaces(serve, generated, tmp_path):
    """CandyClient and client(...) on top of the generated clients."""
    with serve("candy") as server:
        done = run_example(generated[1], "candy_client.py", *server.address, "SQUARE", 12, 3)
        assert (done.returncode, done.stdout.split()) == (0, ["144", "9"]), done.stderr
        done = run_example(generated[1], "candy_client.py", *server.address, "BAR", 40, 2)
        assert (done.returncode, done.stdout.split()) == (1, ["1"]) and "too many" in done.stderr
    with serve("msglog") as server:
        done = run_example(generated[1], "msglog_client.py", *server.address, "MyUser", "MyPassword", "one", "two")
        assert done.returncode == 0, done.stderr
        done = run_example(generated[1], "msglog_client.py", *server.address, "MyUser", "bad", "one")
        assert done.returncode == 1 and done.stderr
    assert (tmp_path / "messages.log").read_bytes() == b"[MyUser]: one\r\n[MyUser]: two\r\n"
