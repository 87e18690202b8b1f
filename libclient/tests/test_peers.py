"""Machines that run by themselves and connect again, links of calls, datagrams, frames of one's own, and the program that
lines drive: through an application (apps/peers.c), `assay drive` and `assay call`, against `assay serve` and servers that
misbehave."""

import contextlib
import signal
import socket
import subprocess
import sys
import time

import pytest

from scripts.testing import ASSAY, ROOT, free_port, run, serving
from test_generated import SANITIZE, Fake, build, flags, generated  # noqa: F401: fixtures

HI, CLIMB, WHO, BYE = b"HI\n", b"CLIMB\n", b"WHO\n", b"BYE\n"
EXCHANGE = [("send", HI), b"DAD\n", ("send", CLIMB), b"TOP\n", ("send", WHO), b"MOM\n", ("send", BYE)]


@pytest.fixture(scope="session")
def peers(build, generated, flags):  # noqa: F811
    program = generated / "peers"
    run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", *SANITIZE, *flags[0], "-D_GNU_SOURCE", "-I", generated, "-o", program,
        ROOT / "libclient/tests/apps/peers.c", generated / "relay.c", generated / "dispatch.c", *flags[1])
    return program


@pytest.fixture
def serve(tmp_path):
    """A server of a spec on free ports: its addresses by transport, and its process."""
    listen = "tcp:127.0.0.1:0", "udp:127.0.0.1:0"
    with contextlib.ExitStack() as running:
        yield lambda protocol, *options: running.enter_context(
            serving("spec/%s.yaml" % protocol, "--data", tmp_path, *options, listen=listen))


def start(*command):
    return subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                            text=True)


# ---- machines that run by themselves --------------------------------------------


def test_a_machine_runs_to_its_end(peers, serve):
    at, _ = serve("dispatch")
    lines = run(peers, "run", at["tcp"]).splitlines()
    assert lines == ["running", "< Hi HI", "> Dad DAD", "< Climb CLIMB", "> Top TOP", "< Who WHO", "> Mom MOM", "< Bye BYE", "run ok "]


def test_it_starts_before_its_server_and_outlives_it(peers):
    port = free_port()
    client = start(peers, "run", "127.0.0.1:%d" % port, "pause=50ms")
    assert client.stdout.readline() == "running\n"
    time.sleep(0.2)  # some tries are refused
    with socket.create_server(("127.0.0.1", port)) as listener:
        listener.settimeout(60)
        for script in ([], [HI, b"DAD\n"], [HI, b"DAD\n", CLIMB, b"TOP\n", WHO, b"MOM\n", BYE]):
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(60)
                for what in script:
                    if what in (HI, CLIMB, WHO, BYE):
                        connection.sendall(what)
                    else:
                        assert connection.recv(100) == what
    assert client.wait(timeout=60) == 0
    assert client.stdout.read().endswith("run ok \n")


def test_pauses_and_reasons_without_waiting(peers):
    fake = Fake([("send", HI), b"DAD\n", "reset"], [("send", HI), b"DAD\n", "gone"], EXCHANGE)
    lines = run(peers, "poll", fake.address, "pause=40ms", "patience=2s").splitlines()
    fake.join()
    assert lines == ["connected ok 0 0", "retrying closed 40 0", "connected ok 0 0", "retrying timeout 40 0", "connected ok 0 0",
                     "ended ok 0 1"]


def test_a_stopped_and_a_late_run(peers):
    client = start(peers, "run", "127.0.0.1:%d" % free_port(), "pause=60s")
    assert client.stdout.readline() == "running\n"
    time.sleep(0.1)
    client.send_signal(signal.SIGTERM)
    assert client.stdout.read().startswith("run stopped ") and client.wait(timeout=60) == 0
    assert run(peers, "brief", "127.0.0.1:%d" % free_port()).splitlines()[-1].startswith("run timeout ")


@pytest.mark.parametrize("param, why", [("pause=soon", "param pause: 'soon' is no value for it: expected a duration such as 200ms"),
                                        ("pasue=1s", "the spec has no param 'pasue'"), ("pause", "expected NAME=VALUE"),
                                        ("secret=" + "x" * 257, "is outside of what the spec allows")])
def test_params_that_are_none(peers, param, why):
    assert why in run(peers, "run", "127.0.0.1:1", param)


# ---- frames, datagrams, connections of the other side ---------------------------------


def test_frames_of_ones_own(peers, serve):
    at, _ = serve("dispatch")
    lines = run(peers, "send", at["tcp"], "JUMP\n", "JUMP", "A\nB\n", "<web:main DAD\n").splitlines()
    assert [line for line in lines if line[0] != "<"] == [
        "> - JUMP", "send ok ", *["send value %s: this is not exactly one frame of the protocol" % at["tcp"]] * 2,
        "> - <web:main DAD", "send ok ", "run timeout %s: not through in time" % at["tcp"]]
    assert [line for line in lines if line[0] == "<"] == ["< Hi HI", "< Unknown UNKNOWN command=JUMP", "< Climb web:main/CLIMB"]


def test_a_bound_client_hears_everybody(peers):
    port = free_port(socket.SOCK_DGRAM)
    client = start(peers, "hear", "127.0.0.1:%d" % port, "secret=s;x")
    assert client.stdout.readline().startswith("connect ok")
    for message in (b"LOG", b"LOG secret_code=no", b"", b"x" * 20000, b'LOG secret_code="s;x"'):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(message, ("127.0.0.1", port))
    assert client.stdout.readline() == "effect rotate\n"
    client.terminate()
    assert client.stdout.read().startswith("run stopped") and client.wait(timeout=60) == 0


def test_a_connection_that_the_other_side_made(peers):
    client = start(peers, "adopt")
    port = int(client.stdout.readline())
    assert client.stdout.readline().startswith("adopt unreachable")
    run(ASSAY, "call", ROOT / "spec/relay.yaml", "127.0.0.1:%d" % port, "say", "content=two words")
    rest = client.stdout.read()
    assert client.wait(timeout=60) == 0
    assert "adopt ok" in rest and "effect gather two words" in rest and "effect show" in rest and "run ok" in rest


def test_calls_with_links_of_their_own(peers, serve):
    at, server = serve("relay")
    address = "%s,udp:%s" % (at["tcp"], at["udp"])
    assert run(peers, "calls", address, 65507) == "say ok \npost ok \n"
    hello, post = b"hello\0", b"x" * 65507 + b"\0"
    assert server.stdout.read(len(hello + post)) in (hello + post, post + hello)  # two links: either may be read first
    assert "post value" in run(peers, "calls", address, 65508)
    assert server.stdout.read(len(hello)) == hello
    server.terminate()
    assert server.stdout.read() == b""
    server.wait(timeout=60)
    said = run(peers, "calls", address, 3).splitlines()
    assert said[0].startswith("say unreachable %s: cannot connect" % at["tcp"])
    assert said[1] == "post unreachable udp:%s: post: nobody takes datagrams there" % at["udp"]


def test_one_message_to_a_peer_that_goes(peers):
    fake = Fake([b"h", "reset"])
    said = run(peers, "calls", "%s,udp:127.0.0.1:9" % fake.address, 3).splitlines()[0]
    fake.join()
    assert said.startswith("say closed")


def test_a_connection_lost_beside_a_question(build):  # noqa: F811
    """The pauses grow up to their cap, tries end, and each failure names the side that failed."""
    fake = Fake([b"HELLO\n", "reset"])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        asked = "udp:127.0.0.1:%d" % silent.getsockname()[1]
        lines = run(build("libclient/tests/apps/aside.c", "aside"), "%s,%s" % (fake.address, asked)).splitlines()
    fake.join()
    refused = "%s: cannot connect to %s: Connection refused" % (fake.address, fake.address)
    assert lines == ["connected 0 ", "retrying 100 %s: the connection ended (reset)" % fake.address, "retrying 300 " + refused,
                     "retrying 500 " + refused, "ended 0 " + refused]


@pytest.mark.parametrize("driver", ["c", "python"])
@pytest.mark.parametrize("order", ["connect\n", ""])
def test_a_driven_client_connects_again(generated, driver, order):  # noqa: F811
    """As the machine says, whether it is told to connect or runs; and gives up after as many tries as the spec says."""
    program = [ASSAY, "drive", ROOT / "libclient/tests/aside.yaml"] if driver == "c" else [
        sys.executable, generated / "generated/aside_client.py", "--drive"]
    fake = Fake([b"HELLO\n", "reset"], [b"HELLO\n"], [b"HELLO\n"])
    client = start(*program, fake.address, *([] if order else ["--run"]))
    client.stdin.write(order)
    client.stdin.flush()
    fake.join()
    if order:
        told = [client.stdout.readline() for _ in range(7)]
        assert told == ["connected\n", "ended\n"] * 3 + ["unreachable\n"]
    client.stdin.close()
    assert client.wait(timeout=60) == (0 if order else 69 if driver == "c" else 1)


def test_a_python_client_gives_up_after_as_many_tries(generated):  # noqa: F811
    client = start(sys.executable, generated / "generated/aside_client.py", "--drive", "127.0.0.1:%d" % free_port())
    client.stdin.write("connect\n")
    client.stdin.flush()
    assert [client.stdout.readline() for _ in range(4)] == ["unreachable\n"] * 4
    time.sleep(0.8)  # longer than any pause
    assert client.communicate("")[0] == ""


# ---- drive and call ----------------------------------------------------------------


def drive(spec, address, orders, *options, code=0):
    return run(ASSAY, "drive", ROOT / spec, address, *options, input=orders.encode(), code=code).splitlines()


def test_lines(serve):
    at, _ = serve("relay")
    address = "%s,udp:%s" % (at["tcp"], at["udp"])
    assert drive("spec/relay.yaml", address, "call say content=a%20b\nconnect\ncall pass content=%00\ncall finish\ncall pass content=x\n") == [
        "result say", "connected", "result pass", "result finish", "ended",
        "error pass closed %s%%3A%%20there%%20is%%20no%%20connection" % at["tcp"].replace(":", "%3A")]


def test_lines_that_are_wrong(serve):
    at, _ = serve("dispatch")
    lines = drive("spec/dispatch.yaml", "udp:" + at["udp"],
                  "call nope\ncall log_rotate code=1\ncall log_rotate secret_code=%4\ncall log_rotate\ncall\n")
    assert lines == ["error nope value no%20such%20call", "error log_rotate value there%20is%20no%20argument%20code",
                     "error log_rotate value argument%20secret_code%3A%20expected%20%25%20and%20two%20hexadecimal%20digits",
                     "result log_rotate", "error - value no%20such%20call"]


def test_driving_a_machine_that_runs_by_itself(serve):
    at, _ = serve("dispatch")
    assert drive("spec/dispatch.yaml", at["tcp"], "", "--run") == ["connected", "ended"]
    client = start(ASSAY, "drive", ROOT / "spec/dispatch.yaml", at["tcp"])
    client.stdin.write("connect\n")
    client.stdin.flush()
    assert [client.stdout.readline() for _ in range(2)] == ["connected\n", "ended\n"]
    client.stdin.close()
    assert client.wait(timeout=60) == 0


@pytest.mark.parametrize("driver", ["c", "python"])
def test_a_run_does_not_wait_for_a_call_that_nobody_makes(generated, driver):  # noqa: F811
    """A message that only a call takes ends it."""
    program = [ASSAY, "drive", ROOT / "libclient/tests/kinds.yaml"] if driver == "c" else [
        sys.executable, generated / "generated/kinds_client.py", "--drive"]
    fake = Fake([("send", bytes.fromhex("8302000201")), "gone"])
    done = subprocess.run([*map(str, program), fake.address, "--run"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    fake.join()
    assert done.returncode == 1, done
    assert ("only a call would take" if driver == "c" else "what is not allowed there (Done)") in done.stderr


def test_traces_tell_fields(generated, tmp_path):  # noqa: F811
    """In the same words, whichever language the client is in."""
    orders, told = "connect\ncall echo small=2 big=-9 flag=true color=red data=%ff%22\n", []
    with serving("libclient/tests/kinds.yaml", "--data", tmp_path, listen=["tcp:127.0.0.1:0"]) as (at, _):
        for program in [ASSAY, "drive", ROOT / "libclient/tests/kinds.yaml"], [sys.executable, generated / "generated/kinds_client.py", "--drive"]:
            (tmp_path / "orders").write_text(orders)
            with open(tmp_path / "orders", encoding="utf-8") as given:  # a file: nothing ever comes behind it
                done = subprocess.run([*map(str, program), at["tcp"], "--trace"], stdin=given, capture_output=True, text=True, timeout=60)
            assert done.returncode == 0 and "result echo" in done.stdout, done.stderr
            told.append([line.replace(" " + at["tcp"], "") for line in done.stderr.splitlines()])
    assert told[0] == told[1]
    sent, = [line for line in told[0] if line.startswith("> Echo{")]
    assert all(text in sent for text in (" small=2 big=-9 ", " color=red ", " list=[-1,7] ", ' data="\\xff\\""}'))


def test_generated_programs_are_driven_as_well(generated, flags, tmp_path, serve):  # noqa: F811
    at, _ = serve("dispatch")
    run(ASSAY, "gen", "c", ROOT / "spec/dispatch.yaml", "-o", tmp_path, "--main")
    run("cc", "-std=c11", "-Wall", "-Wextra", "-Werror", *SANITIZE, *flags[0], "-o", tmp_path / "driven", tmp_path / "dispatch.c",
        tmp_path / "dispatch_main.c", *flags[1])
    assert run(tmp_path / "driven", at["tcp"], "--run") == "connected\nended\n"
    assert run(tmp_path / "driven", at["tcp"], "--param", "nope=1", "--run", code=4) == ""


def test_assay_call_over_links_of_calls(serve):
    at, server = serve("dispatch", "--param", "secret=x", "--stats")
    run(ASSAY, "call", ROOT / "spec/dispatch.yaml", "udp:" + at["udp"], "log_rotate", "secret_code=x")
    run(ASSAY, "call", ROOT / "spec/dispatch.yaml", at["tcp"], "quit")
    assert server.wait(timeout=60) == 0
    done = subprocess.run([ASSAY, "call", ROOT / "spec/dispatch.yaml", at["tcp"], "quit"], capture_output=True, timeout=60)
    assert done.returncode == 69 and b"cannot connect to" in done.stderr
