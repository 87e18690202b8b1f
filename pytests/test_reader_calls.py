"""The reader's client against the reader's server: calls, their results and their errors."""

import socket
import threading

import pytest
from conftest import SPECS
from reader.client import CallError, Client
from reader.server import Server
from reader.spec import load, loads

pytestmark = pytest.mark.timeout(900)


def error_of(client, call, /, **args):
    """The error that a call ends with."""
    with pytest.raises(CallError) as caught:
        client.call(call, **args)
    return caught.value


def test_candy(tmp_path):
    """Results, an error of the call's own with its text, and the connection goes on."""
    spec = load(SPECS["candy"])
    with Server(spec, tmp_path) as server, Client(spec, server.address) as client:
        assert client.call("fetch_candy", count=12, kind="square") == {"amount": 144}
        assert client.call("fetch_candy", count=20, kind="bar") == {"amount": 524287}
        refused = error_of(client, "fetch_candy", count=1 << 20, kind="square")
        assert refused.name == "refused" and refused.text.startswith(b"too many")
        assert client.call("fetch_candy", count=-1, kind="dozen") == {"amount": 12}


def test_msglog(tmp_path):
    """A whole session; the log holds what was said."""
    spec = load(SPECS["msglog"])
    with Server(spec, tmp_path) as server, Client(spec, server.address) as client:
        assert client.call("connect", name=b"bob", password=b"abc") == {}
        client.call("msg", text=b"hi\n")
        client.call("disconnect")
        assert (tmp_path / "messages.log").read_bytes() == b"[bob]: hi\\n\r\n"


@pytest.mark.parametrize("name, password, error", [(b"", b"a", "name_refused"), (b"a", b"b", "password_refused")])
def test_msglog_refusals(tmp_path, name, password, error):
    """The first alternative that fits decides the error; a call behind the end finds the connection closed."""
    spec = load(SPECS["msglog"])
    with Server(spec, tmp_path) as server, Client(spec, server.address) as client:
        assert error_of(client, "connect", name=name, password=password).name == error
        assert error_of(client, "msg", text=b"x").name == "closed"


def answering(answer):
    """A server of one connection that sends some bytes once it was spoken to; its address."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        with listener, listener.accept()[0] as connection:
            connection.recv(4096)
            connection.sendall(answer)
            if answer:
                connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass
    threading.Thread(target=serve, daemon=True).start()
    return listener.getsockname()


@pytest.mark.parametrize("answer, error", [(b"012\n", "protocol"), (b"hello\n", "protocol"), (b"12", "closed"), (b"\n", "protocol")])
def test_what_cannot_be_read(answer, error):
    """A bad reply ends the call with `protocol`, a missing one with `closed`."""
    spec = load(SPECS["candy"])
    with Client(spec, answering(answer)) as client:
        assert error_of(client, "fetch_candy", count=1, kind="dozen").name == error


def test_timeout():
    """A call ends after the time that the spec gives it."""
    text = SPECS["candy"].read_text(encoding="utf-8").replace("within: 10s", "within: 50ms")
    spec = loads(text)
    with Client(spec, answering(b"")) as client:
        assert error_of(client, "fetch_candy", count=1, kind="dozen").name == "timeout"
