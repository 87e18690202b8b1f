"""The reader's servers, clients and machines of the specs with several machines and transports: dispatch and relay."""

import socket
import threading
import time

import pytest
from conftest import SPECS
from reader.client import CallError, Client, GivenUp, Runner
from reader.machine import Machine
from reader.server import Server
from reader.spec import load

pytestmark = pytest.mark.timeout(900)
SECOND = 10 ** 9
DISPATCH, RELAY = load(SPECS["dispatch"]), load(SPECS["relay"])


def ask(address, data):
    """All that a connection gives back to these bytes."""
    with socket.create_connection(address, 10) as link:
        link.sendall(data)
        link.shutdown(socket.SHUT_WR)
        return link.makefile("rb").read()


def control(spec=DISPATCH):
    """A session of the control port."""
    spec = spec.over("udp")
    return Machine(spec, "server").connect()[0]


@pytest.mark.parametrize("sent, reply", [
    (b"DAD\nTOP\nMOM\n", b"HI\nCLIMB\nWHO\nBYE\n"),
    (b"<web:main DAD\n", b"HI\nweb:main/CLIMB\n"),
    (b"<web:main kitchen:oven/JUMP a=1\r\n", b"HI\nweb:main/UNKNOWN command=JUMP\n"),
    (b'{"command": "TOP", "x": null}\n', b"HI\nWHO\n"),
    (b'<a:b {"command":"MOM"}\n', b"HI\na:b/BYE\n"),
    (b"LOG\nHI\n", b"HI\nUNKNOWN command=LOG\nUNKNOWN command=HI\n"),
    (b"\n \t\n\r\n  DAD  \n", b"HI\nCLIMB\n"),
    (b"nonsense\xff\nDAD a\nDAD\n", b"HI\nCLIMB\n"),
    (b"DAD x=" + b"y" * 8190 + b"\nTOP\n", b"HI\nWHO\n"),
])
def test_dispatch_server(sent, reply, tmp_path):
    """Questions and answers, byte for byte as a person wrote them."""
    with Server(DISPATCH, tmp_path) as server:
        assert ask(server.address, sent) == reply


def test_quit_cuts_nobody_off(tmp_path):
    """Nobody is let in any more, who is there is served, and it is over with the last one."""
    with Server(DISPATCH, tmp_path) as server, socket.create_connection(server.address, 10) as stays:
        lines = stays.makefile("rb")
        assert lines.readline() == b"HI\n"
        Client(DISPATCH, None, addresses=server.addresses).call("quit")
        with pytest.raises(OSError):
            while True:
                socket.create_connection(server.address, 1).close()
        stays.sendall(b"DAD\n")
        assert lines.readline() == b"CLIMB\n" and not server.over.is_set()
        stays.shutdown(socket.SHUT_WR)
        assert lines.read() == b"" and server.over.wait(60)


def rotations(secret, *datagrams):
    """How often the log was opened anew."""
    session = control(load(SPECS["dispatch"], params={"secret": secret}))
    for data in datagrams:
        session, = session.machine.feed(session, data)
    assert not session.sent and not session.ended
    return [name for name, _, _ in session.effects].count("rotate")


def test_log_over_datagrams():
    """With the secret right, wrong, missing; without one any will do; what is not LOG is ignored."""
    assert rotations(b"", b"LOG", b"LOG_ROTATE", b" LOG ", b"LOG secret_code=any", b"", b"DAD", b"QUIT", b"LOG\n", b"x y") == 4
    assert rotations(b"a;b", b"LOG", b"LOG secret_code=a", b'LOG secret_code="a;b"', b'LOG secret_code="a;c"') == 1
    assert rotations(b"s", b"LOG secret_code=s;secret_code=t", b"LOG secret_code=t;secret_code=s",
                     b'{"command": "LOG_ROTATE", "secret_code": "s"}') == 2


def test_log_rotate_call(tmp_path):
    """The call chooses its message by whether there is a secret."""
    spec = load(SPECS["dispatch"], params={"secret": "a;b"})
    with Server(spec, tmp_path) as server:
        client = Client(spec, None, addresses=server.addresses)
        for args in ({}, {"secret_code": b"wrong"}, {"secret_code": b"a;b"}):
            client.call("log_rotate", **args)
        end = time.monotonic() + 60
        while server.host.reopened == 0:
            assert time.monotonic() < end
        assert server.host.reopened == 1


def test_the_exchange(tmp_path):
    """The client asks its three questions, whatever the pieces in which answers come."""
    for piece in (None, 1):
        with Server(DISPATCH, tmp_path, piece=piece) as server:
            runner = Runner(DISPATCH, server.address)
            runner.run(10)
            assert runner.states == ["AskedMom"] and runner.pauses == []


def scripted(*lives):
    """A server whose connections each say some lines, wait for as many lines, and end; None: it stays silent."""
    listener = socket.create_server(("127.0.0.1", 0))

    def run():
        kept = []
        for life in lives:
            connection, _ = listener.accept()
            kept.append(connection)
            if life is None:
                continue
            lines = connection.makefile("rb")
            for said, wanted in life:
                connection.sendall(said)
                assert not wanted or lines.readline() == wanted
            connection.shutdown(socket.SHUT_WR)
    threading.Thread(target=run, daemon=True).start()
    return listener.getsockname()


def test_an_exchange_that_stops_midway_starts_over():
    """Cut off in each state, silent, answered wrongly: it begins anew after its pause, and comes through in the end."""
    spec = load(SPECS["dispatch"], params={"pause": SECOND // 50, "patience": 2 * SECOND})
    whole = [(b"HI\n", b"DAD\n"), (b"CLIMB\n", b"TOP\n"), (b"WHO\n", b"MOM\n"), (b"BYE\n", b"")]
    address = scripted([], whole[:1], whole[:2], whole[:3], None, [(b"\xff\n", b"")], whole)
    runner = Runner(spec, address)
    runner.run(20)
    assert runner.pauses == [0.02] * 6 and runner.states[-1] == "AskedMom"


def test_reconnecting_grows_and_gives_up():
    """Each pause is longer up to the cap; tries that fail in a row are counted, and a message makes it begin anew."""
    text = SPECS["dispatch"].read_text().replace("reconnect: {pause: pause, ", "reconnect: {pause: 10ms, factor: 2.5, cap: 40ms, most: 4, ")
    from reader.spec import loads
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nobody = listener.getsockname()
    runner = Runner(loads(text), nobody)
    with pytest.raises(GivenUp):
        runner.run(20)
    assert runner.pauses == [0.01, 0.025, 0.04, 0.04]
    whole = [(b"HI\n", b"DAD\n"), (b"CLIMB\n", b"TOP\n"), (b"WHO\n", b"MOM\n"), (b"BYE\n", b"")]
    runner = Runner(loads(text), scripted([], [], whole[:1], whole))
    runner.run(20)
    assert runner.pauses == [0.01, 0.025, 0.01]


def test_silence_of_the_client():
    """It says nothing before HI, and nothing upon what it did not ask for."""
    machine = Machine(DISPATCH, "client")
    session, = machine.connect()
    session, = machine.feed(session, b"CLIMB\nJUMP\nDAD a=1\n\xfe\n")
    assert session.output() == b"" and session.state == "Silent"
    session, = machine.feed(session, b"HI\nHI\nWHO\n")
    assert session.output() == b"DAD\n" and session.state == "AskedDad"
    session, = machine.feed(session, b"x:y/CLIMB\n")
    assert session.output() == b"DAD\nTOP\n"


def test_close_is_not_the_end_of_the_machine():
    """`close: true` ends the link, `goto: End` the machine, too."""
    machine = Machine(DISPATCH, "client")
    session, = machine.close(machine.connect()[0])
    assert (session.ended, session.finished) == ("fin", False)
    session, = machine.feed(machine.connect()[0], b"HI\nCLIMB\nWHO\nBYE\n")
    assert (session.ended, session.finished) == ("fin", True)


def test_relay(tmp_path):
    """A connection is a message, a datagram is one; whole, and none mixed with another."""
    with Server(RELAY, tmp_path) as server:
        client = Client(RELAY, None, addresses=server.addresses)
        one, two = (Client(RELAY, server.address) for _ in range(2))
        one.call("pass", content=b"a\n\0")
        two.call("pass", content=b"b")
        client.call("say", content=b"x" * 65536)
        one.call("pass", content=b"\xff")
        two.call("finish")
        one.call("finish")
        client.call("post", content=b"")
        client.call("post", content=b"two\nlines")
        end = time.monotonic() + 60
        while len(server.host.shown) < 5 and time.monotonic() < end:
            time.sleep(0.001)
        assert sorted(server.host.shown) == sorted([b"x" * 65536 + b"\0", b"b\0", b"a\n\0\xff\0", b"\0", b"two\nlines\0"])


def test_relay_shows_nothing_of_a_connection_that_is_reset():
    """What was gathered is not shown."""
    machine = Machine(RELAY)
    session, = machine.feed(machine.connect()[0], b"half")
    session, = machine.signal(session, "reset")
    assert "show" not in [name for name, _, _ in session.effects] and session.ended


@pytest.mark.parametrize("data", [b"", b"x", b"\0" * 100, bytes(range(256)) * 1000], ids=len)
def test_a_stream_has_no_borders(data):
    """However it is cut, the pieces together are the same."""
    for size in (1, 7, 65535, 65536, 1 << 20):
        machine = Machine(RELAY)
        session, = machine.connect()
        for start in range(0, len(data), size) if size > 1 or len(data) < 1000 else []:
            session, = machine.feed(session, data[start:start + size])
        if size == 1 and len(data) >= 1000:
            continue
        session, = machine.close(session)
        assert b"".join(args["content"] for name, args, _ in session.effects if name == "gather") == data
        assert [args for name, args, _ in session.effects if name == "show"] == [{"end": b"\0"}]
        assert all(len(args["content"]) <= 65536 for name, args, _ in session.effects if name == "gather")


def test_calls_that_cannot_be_sent(tmp_path):
    """A secret that no message can carry."""
    with Server(DISPATCH, tmp_path) as server:
        with pytest.raises(Exception) as caught:
            Client(DISPATCH, None, addresses=server.addresses).call("log_rotate", secret_code=b"x" * 257)
        assert not isinstance(caught.value, CallError)
