"""The clients that `assay gen` writes, the library under them, `assay call` and the examples, used as their users would:
against `assay serve`, and against servers that misbehave.

`make test-clients` runs this; ASSAY_BUILD is the folder that was built, with libassay installed in its folder `stage`.
"""

import contextlib
import importlib
import json
import os
import pathlib
import re
import select
import shutil
import socket
import subprocess
import sys
import threading

import pytest

from scripts.testing import ASSAY, BUILD, ROOT, run, serving

SPECS = {
    "candy": ROOT / "spec/candy.yaml",
    "msglog": ROOT / "spec/msglog.yaml",
    "relay": ROOT / "spec/relay.yaml",
    "dispatch": ROOT / "spec/dispatch.yaml",
    "pubsub": ROOT / "spec/pubsub.yaml",
    "kinds": ROOT / "libclient/tests/kinds.yaml",
    "tagged": ROOT / "pytests/specs/tagged.yaml",
    "aside": ROOT / "libclient/tests/aside.yaml",
}
STRICT = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined"] if BUILD.name == "asan" else []


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """A folder with generated C, and generated Python in its folder `generated`."""
    folder = tmp_path_factory.mktemp("gen")
    for spec in SPECS.values():
        run(ASSAY, "gen", "c", spec, "-o", folder)
        run(ASSAY, "gen", "python", spec, "-o", folder / "generated")
    for example in (ROOT / "examples").glob("*.py"):
        shutil.copy(example, folder)
    return folder


@pytest.fixture(scope="session")
def flags():
    """What pkg-config says about the installed library: for compiling, for linking."""
    env = dict(os.environ, PKG_CONFIG_PATH=str(BUILD / "stage/lib/pkgconfig"))
    compiling = run("pkg-config", "--cflags", "assay", env=env).split()
    linking = run("pkg-config", "--libs", "assay", env=env).split()
    return compiling, linking + ["-Wl,-rpath,%s" % (BUILD / "stage/lib")]


@pytest.fixture(scope="session")
def build(generated, flags):
    """Build an application on a generated client; the path of its program."""

    def building(source, protocol, name=None):
        program = generated / (name or pathlib.Path(source).stem)
        run("cc", *STRICT, *SANITIZE, *flags[0], "-I", generated, "-o", program, ROOT / source, generated / (protocol + ".c"),
            *flags[1])
        return program

    return building


@pytest.fixture(scope="session")
def serve(tmp_path_factory):
    """Servers of the specs, by protocol: (host:port, port, data folder)."""
    servers = {}
    with contextlib.ExitStack() as running:

        def served(protocol):
            if protocol not in servers:
                data = tmp_path_factory.mktemp(protocol)
                at, _ = running.enter_context(serving(SPECS[protocol], "--data", data))
                servers[protocol] = at["tcp"], int(at["tcp"].rsplit(":", 1)[1]), data
            return servers[protocol]

        yield served


@pytest.fixture
def python(generated):
    """Import a generated module or an example."""
    sys.path.insert(0, str(generated))
    yield importlib.import_module
    sys.path.remove(str(generated))


class Fake:
    """A server that does what a script says: for each connection a list of bytes to expect, ("send", bytes), ("drip", bytes): each
    on its own, ("flood", bytes): again and again until the client goes, "reset", "gone": the client must go, or what is called."""

    def __init__(self, *connections):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)  # what is not read is soon stuck
        self.listener.settimeout(60)
        self.port = self.listener.getsockname()[1]
        self.address = "127.0.0.1:%d" % self.port
        self.failure = None
        self.thread = threading.Thread(target=self.run, args=(connections,))
        self.thread.start()

    def run(self, connections):
        try:
            for left, script in enumerate(connections, 1 - len(connections)):
                connection, _ = self.listener.accept()
                if left == 0:
                    self.listener.close()  # before anybody can see that the last one is over, and try once more
                connection.settimeout(60)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with connection:
                    for step in script:
                        self.step(connection, step)
        except Exception as failure:  # told by join()
            self.failure = failure

    def step(self, connection, step):
        if isinstance(step, bytes):
            got = b""
            while len(got) < len(step):
                more = connection.recv(len(step) - len(got))
                assert more, ("the client went", got, step)
                got += more
            assert got == step
        elif callable(step):
            step()
        elif step == "gone":
            try:
                assert connection.recv(1) == b""
            except ConnectionResetError:
                pass
        elif step == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        elif step[0] == "flood":
            try:
                while True:
                    connection.sendall(step[1] * 1000)
            except (ConnectionError, socket.timeout):
                pass
        elif step[0] == "drip":
            for i in range(len(step[1])):
                connection.sendall(step[1][i:i + 1])
        else:
            connection.sendall(step[1])

    def join(self):
        self.thread.join()
        self.listener.close()
        assert self.failure is None, self.failure


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


# ---- the library -------------------------------------------------------------


def symbols(*options):
    return [line.split() for line in run("nm", *options).splitlines() if line]


def test_only_public_symbols_are_exported():
    header = (ROOT / "libclient/assay.h").read_text()
    shared = {line[-1].split("@")[0] for line in symbols("-D", "--defined-only", BUILD / "stage/lib/libassay.so") if line[-2] in "TDBR"}
    static = {line[-1] for line in symbols("-g", "--defined-only", BUILD / "stage/lib/libassay.a") if len(line) == 3 and line[1] in "TDBR"}
    assert shared and all(name.startswith("assay_client_") and name + "(" in header for name in shared)
    if not SANITIZE:
        assert static == shared
    assert "libassay.so.0" in run("readelf", "-d", BUILD / "stage/lib/libassay.so")


def test_program_man_page_and_libraries_are_of_one_version():
    version = re.search('^#define ASSAY_VERSION "([0-9.]+)"$', (BUILD / "stage/include/assay.h").read_text(), re.M)[1]
    assert run(ASSAY, "--version") == f"assay {version}\n"
    assert "--version" in run(ASSAY, "--help")
    man = run(ROOT / "scripts/man", ASSAY)
    assert man.startswith(f'.TH ASSAY 1 "" "assay {version}"\n') and "\\-\\-version\n" in man
    for package in ("assay", "assay-server"):
        assert f"Version: {version}\n" in (BUILD / f"stage/lib/pkgconfig/{package}.pc").read_text()


def test_allocation_is_where_clients_are_made_and_nowhere_else():
    allocating = set()
    for archive in ("liblibclient.a", "libcore.a"):
        member = None
        for line in run("nm", BUILD / archive).splitlines():
            member = line[:-1] if line.endswith(":") else member
            if line.split()[-1:] and line.split()[-1] in ("malloc", "calloc", "realloc", "strdup"):
                allocating.add(member)
    assert allocating == {"client.o", "drive.o"}  # the latter is a program
    source = (ROOT / "libclient/client.c").read_text()
    assert source.count("malloc(") == 1


@pytest.mark.parametrize("protocol", SPECS)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_generated_c_is_strict(generated, flags, tmp_path, protocol, compiler):
    if not shutil.which(compiler):
        pytest.skip("no " + compiler)
    more = ["-Wshadow", "-Wconversion", "-Wstrict-prototypes", "-Wmissing-prototypes"]
    run(compiler, *STRICT, *more, *flags[0], "-c", "-o", tmp_path / "o", generated / (protocol + ".c"))


@pytest.mark.parametrize("protocol", SPECS)
def test_generated_header_is_cplusplus(generated, flags, tmp_path, protocol):
    (tmp_path / "t.cc").write_text('#include "%s.h"\nint main() { return %s_close == nullptr; }\n' % (protocol, protocol))
    run("g++", "-std=c++11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wno-address", "-fsyntax-only", *flags[0], "-I", generated,
        tmp_path / "t.cc")


@pytest.mark.parametrize("protocol", SPECS)
def test_tables_survive_being_compiled(generated, flags, tmp_path, protocol):
    run("cc", "-std=c11", *SANITIZE, "-I", ROOT, *flags[0], "-DMODEL=%s_model" % protocol, "-o", tmp_path / "same",
        ROOT / "libclient/tests/apps/same_tables.c", generated / (protocol + ".c"), BUILD / "libcompiler.a", BUILD / "libcore.a",
        BUILD / "stage/lib/libassay.a", "-lyaml")
    source = (generated / (protocol + ".c")).read_text()
    assert run(tmp_path / "same") == source[source.index("static const struct assay_requirement"):]


@pytest.mark.parametrize("language", ["c", "python"])
def test_generation_repeats(generated, tmp_path, language):
    for path in run(ASSAY, "gen", language, SPECS["kinds"], "-o", tmp_path).split():
        where = generated / "generated" if language == "python" else generated
        assert pathlib.Path(path).read_bytes() == (where / pathlib.Path(path).name).read_bytes()


def test_applications_need_no_yaml(build):
    assert "yaml" not in run("ldd", build("examples/candy.c", "candy"))


# ---- every fault of a system ----------------------------------------------------


def test_faults_at_every_byte_in_memory(generated):
    """The client's own code over a link in memory: libclient/tests/apps/memory.c tells what is done to it."""
    program = generated / "memory"
    protocols = ["candy", "msglog", "relay", "dispatch"]
    archives = [BUILD / ("lib%s.a" % layer) for layer in ("libclient", "net", "core")]
    run("cc", "-std=c11", "-D_GNU_SOURCE", "-g", *SANITIZE, "-I", ROOT, "-I", BUILD / "stage/include", "-I", generated, "-o", program,
        ROOT / "libclient/tests/apps/memory.c", *[generated / (p + ".c") for p in protocols], *archives)
    assert int(run(program).split()[0]) > 1000


def test_faults_at_every_datagram_in_memory(generated):
    """The same where datagrams get lost: libclient/tests/apps/lossy.c tells what is done to them."""
    program = generated / "lossy"
    archives = [BUILD / ("lib%s.a" % layer) for layer in ("libclient", "net", "core")]
    run("cc", "-std=c11", "-D_GNU_SOURCE", "-g", "-O1", *SANITIZE, "-I", ROOT, "-I", BUILD / "stage/include", "-I", generated, "-o", program,
        ROOT / "libclient/tests/apps/lossy.c", generated / "pubsub.c", *archives)
    assert int(run(program).split()[0]) > 1000


# ---- C -----------------------------------------------------------------------


def test_every_kind_of_value_in_c(build, serve):
    run(build("libclient/tests/apps/kinds_app.c", "kinds"), serve("kinds")[0])


def test_candy_in_c(build, serve):
    program, address = build("examples/candy.c", "candy"), serve("candy")[0]
    assert run(program, address, "square", 12, -3) == "144\n9\n"
    assert run(program, address, "bar", 20) == "524287\n"
    done = subprocess.run([program, address, "square", "50000", "2"], capture_output=True, timeout=60)
    assert done.returncode == 1 and done.stdout == b"4\n" and b"refused: too many" in done.stderr


def test_messages_that_end_themselves_in_c(build, serve):
    assert run(build("libclient/tests/apps/tagged.c", "tagged"), serve("tagged")[0]) == "a\nb;c\n2147483647\n4294967294\n"


def test_candy_in_c_without_a_server(build):
    port = closed_port()
    done = subprocess.run([build("examples/candy.c", "candy"), "127.0.0.1:%d" % port, "bar", "2"], capture_output=True, timeout=60)
    assert done.returncode == 1 and ("127.0.0.1:%d" % port).encode() in done.stderr and b"refused" in done.stderr


def test_many_clients_in_one_thread(build, serve):
    squares = sum(n * n for n in range(1, 31))
    assert run(build("examples/candy_many.c", "candy"), serve("candy")[0], 100, 30) == "%d\n" % (100 * squares)


def test_a_reply_in_pieces_in_c(build):
    fake = Fake([b"s 12\n", ("drip", b"144\n"), b"s 3\n", ("send", b"9\n"), "gone"])
    assert run(build("examples/candy.c", "candy"), fake.address, "square", 12, 3) == "144\n9\n"
    fake.join()


def test_garbage_in_c(build):
    fake = Fake([b"s 12\n", ("send", b"what?\n"), "gone"])
    done = subprocess.run([build("examples/candy.c", "candy"), fake.address, "square", "12"], capture_output=True, timeout=60)
    assert done.returncode == 1 and done.stdout == b"" and b"cannot be read" in done.stderr
    fake.join()


def test_msglog_in_c(build, serve):
    program, (address, _, data) = build("examples/msglog.c", "msglog"), serve("msglog")
    run(program, address, "cuser", "abc", "hello there", "two\nlines")
    run(program, address, "cuser", "abc", input=b"from\nstdin\n")
    log = (data / "messages.log").read_bytes().split(b"\r\n")
    assert [line for line in log if line.startswith(b"[cuser]")] == [
        b"[cuser]: hello there", b"[cuser]: two\\nlines", b"[cuser]: from", b"[cuser]: stdin"]
    done = subprocess.run([program, address, "cuser", "bbb"], capture_output=True, timeout=60)
    assert done.returncode == 1 and b"password_refused" in done.stderr


# ---- Python ------------------------------------------------------------------


def test_every_kind_of_value_in_python(python, serve):
    kinds = python("generated.kinds_client")
    with kinds.Client("127.0.0.1", serve("kinds")[1]) as client:
        values = (3, -(1 << 63), True, kinds.Color.DARK_BLUE, 65535, kinds.Word.REGISTER, "d\u00e9j\u00e0", [-32768, 0, 32767], b"a\0b")
        result = client.echo(*values)
        assert tuple(result) == values
        assert isinstance(result.color, kinds.Color) and result.flag is True and result.class_ == "d\u00e9j\u00e0"
        assert client.echo(0, 0, False, "green", kinds.Level.HIGH, "class", "", [], b"").level is kinds.Level.HIGH
        with pytest.raises(kinds.Refused, match="the number is too big") as refused:
            client.echo(200, 0, False, 1, 1, 0, "", [0] * 200, b"")
        assert refused.value.detail == "the number is too big" and refused.value.name == "refused"
        for position, bad in ((0, 256), (1, 1 << 63), (3, 3), (3, "blue"), (6, "x" * 201), (7, [40000]), (8, bytes(1001)), (0, "3"), (0, 1.5)):
            with pytest.raises(kinds.BadArgument):
                client.echo(*(values[:position] + (bad,) + values[position + 1:]))
        with pytest.raises(kinds.BadArgument, match="cannot carry these arguments"):
            client.echo(*((4,) + values[1:]))  # small is the count of the list: nothing can be sent, and nothing ends
        assert client.echo(*values).big == -(1 << 63)
        client.close_call()
        assert not client.connected


def test_arguments_with_a_default_in_python(python, serve):
    kinds = python("generated.kinds_client")
    with kinds.Client("127.0.0.1", serve("kinds")[1]) as client:
        defaults = (kinds.Level.HIGH, kinds.Word.REGISTER, "d\u00e9j\u00e0 \"", [-1, 7], b"\0\\")
        assert tuple(client.echo(2, 5, False, "red"))[4:] == defaults
        assert client.echo(2, 5, False, "red", data=b"x").data == b"x"
        assert client.scaled(count=1) == client.scaled(1, count=1)
        with pytest.raises(TypeError):
            client.scaled(1, 1)  # a needed argument behind one with a default goes by its name


def test_effects_in_python(python, serve):
    kinds = python("generated.kinds_client")

    class Reader(kinds.Client):
        def __init__(self, *args):
            self.news = []
            super().__init__(*args)

        def on_effect(self, name, args):
            self.news.append((name, args["number"], args["text"]))
            return args["number"] % 2 == 1

    with Reader("127.0.0.1", serve("kinds")[1]) as reader:
        assert reader.subscribe(5) == (3, 2)
        assert reader.news == [("deliver", 1, "first")] + [("deliver", n, "more") for n in range(2, 6)]
    with kinds.Client("127.0.0.1", serve("kinds")[1]) as plain:
        assert plain.subscribe(3).left == 3


def test_candy_client(python, serve):
    candy = python("candy_client")
    port = serve("candy")[1]
    with candy.CandyClient("127.0.0.1", port) as client, candy.CandyClient("127.0.0.1", port) as other:
        assert client.fetch_candy(12, candy.CANDY_OPT("SQUARE")) == 144
        assert other.fetch_candy(20, candy.CANDY_OPT("BAR")) == 524287
        assert client.fetch_candy(7, candy.CANDY_OPT.DOZEN) == 12
        with pytest.raises(candy.CallFailed, match="32 bits"):
            client.fetch_candy(1 << 30, candy.CANDY_OPT("SQUARE"))
        assert client.fetch_candy(-3, candy.CANDY_OPT("SQUARE")) == 9


def test_candy_client_with_an_original_server(python):
    candy = python("candy_client")
    fake = Fake([b"s 12\n", ("send", b"144"), b"d 1", ("send", b"12"), "gone"])
    with candy.CandyClient("127.0.0.1", fake.port, legacy=True) as client:
        assert client.fetch_candy(12, candy.CANDY_OPT("SQUARE")) == 144
        assert client.fetch_candy(1, candy.CANDY_OPT("DOZEN")) == 12
    fake.join()


def test_msglog_client(python, serve):
    msglog = python("msglog_client")
    _, port, data = serve("msglog")
    log = msglog.client("MyUser", "MyPassword", port=port, defer=True)
    assert not log.connected
    log.connect()
    log.msg("hello")
    log.msg(b"\xff\0")
    log.disconnect()
    log.name, log.password = "Other", "secret"
    log.connect()
    log.msg("again")
    log.disconnect()
    log.disconnect()
    lines = (data / "messages.log").read_bytes().split(b"\r\n")
    mine = [line for line in lines if line.startswith((b"[MyUser]", b"[Other]"))]
    assert mine == [b"[MyUser]: hello", b"[MyUser]: \xff\\0", b"[Other]: again"]
    log.password = "bad"
    with pytest.raises(msglog.ClientError, match="password_refused"):
        log.connect()
    assert not log.connected
    with pytest.raises(msglog.ClientError):
        log.msg("nobody hears this")


LOGGED_IN = [b"\1\3\0bob", ("send", b"\0"), b"\2\3\0abc", ("send", b"\0")]


def test_servers_that_misbehave_in_python(python):
    msglog = python("generated.msglog_client")
    fake = Fake([b"\1\3\0bob", ("send", b"\xff")], [b"\1\3\0bob", ("send", b"\x55"), "gone"], [b"\1\3\0bob"],
                [b"\1\3\0bob", "reset"], [b"\1\3\0bob", "gone"], LOGGED_IN)
    client = msglog.Client("127.0.0.1", fake.port)
    with pytest.raises(msglog.NameRefused):
        client.connect("bob", "abc")
    for error, timeout in ((msglog.ProtocolViolation, None), (msglog.ConnectionLost, None), (msglog.ConnectionLost, None),
                           (msglog.CallTimeout, 1.0)):
        client.timeout = timeout
        client.open()
        with pytest.raises(error, match="127.0.0.1:%d: connect: " % fake.port):
            client.connect("bob", "abc")
        assert not client.connected
        with pytest.raises(msglog.NotConnected):
            client.msg("x")
    client.timeout = None
    client.open()
    client.connect("bob", "abc")
    fake.join()
    with pytest.raises(msglog.ConnectionLost):
        client.msg("the server has gone")


def test_replies_together_and_too_many_in_python(python):
    msglog = python("generated.msglog_client")
    fake = Fake([b"\1\3\0bob", ("send", b"\0\0"), b"\2\3\0abc", b"\3\1\0x", ("send", b"\0\0"), "gone"])
    with msglog.Client("127.0.0.1", fake.port) as client:
        client.connect("bob", "abc")
        client.msg("x")
        with pytest.raises((msglog.ProtocolViolation, msglog.NotConnected)):
            client.msg("the reply that nobody asked for is not its own")
    fake.join()


DONE = b"\x83\2\0\7\0"


def test_a_greeting_waits_for_the_call_that_expects_it_in_python(python):
    kinds = python("generated.kinds_client")
    fake = Fake([("send", DONE), "gone"], [("send", DONE), "gone"])
    with kinds.Client("127.0.0.1", fake.port) as client:
        select.select([client._link.socket], [], [], 20)
        assert client.listen() == 7
    with kinds.Client("127.0.0.1", fake.port) as client:
        select.select([client._link.socket], [], [], 20)
        with pytest.raises(kinds.ProtocolViolation):  # a call that asks something does not take it for its answer
            client.scaled(count=1)
    fake.join()


def test_a_reply_in_pieces_in_python(python):
    candy = python("generated.candy_client")
    fake = Fake([b"s 12\n", ("drip", b"144\n"), b"s 3\n", ("send", b"9\n"), "gone"])
    with candy.Client("127.0.0.1", fake.port) as client:
        assert client.fetch_candy(12, candy.Kind.SQUARE) == 144 and client.fetch_candy(3, "square") == 9
    fake.join()


def test_no_server_in_python(python):
    candy = python("generated.candy_client")
    port = closed_port()
    with pytest.raises(candy.Unreachable, match="127.0.0.1:%d" % port):
        candy.Client("127.0.0.1", port)
    with pytest.raises(candy.Unreachable, match="no-such-host.invalid"):
        candy.Client("no-such-host.invalid", 80)
    assert not candy.Client("127.0.0.1", port, defer=True).connected
    with pytest.raises(ValueError, match="segmets"):
        candy.Client("127.0.0.1", port, defer=True, lenient=["segmets"])


def test_python_needs_the_standard_library_only(generated):
    text = (generated / "generated/kinds_client.py").read_text()
    imports = {line.split()[1] for line in text.splitlines() if line.startswith(("import ", "from "))}
    assert imports <= set(sys.stdlib_module_names)
    run(sys.executable, "-I", "-W", "error", "-c", "import ast; ast.parse(open(r'%s').read(), feature_version=(3, 8))"
        % (generated / "generated/kinds_client.py"))


# ---- assay call --------------------------------------------------------------


def call(protocol, address, *words, code=0):
    return run(ASSAY, "call", SPECS[protocol], address, *words, code=code)


def failing_call(protocol, address, *words, code):
    done = subprocess.run([ASSAY, "call", str(SPECS[protocol]), address, *words], capture_output=True, timeout=60)
    assert done.returncode == code, (done.stdout, done.stderr)
    return done.stderr.decode()


def test_call_prints_results(serve):
    address = serve("candy")[0]
    assert call("candy", address, "fetch_candy", "count=12", "kind=square") == "amount=144\n"
    assert call("candy", "tcp:" + address, "fetch_candy", "kind=dozen", "count=0x7", ",", "fetch_candy", "count=20", "kind=1") == (
        "amount=12\namount=524287\n")


def test_call_does_a_session(serve, tmp_path):
    address, _, data = serve("msglog")
    (tmp_path / "note").write_bytes(b"from a file\0")
    call("msglog", address, "connect", "name=caller", "password=abc", ",", "msg", "text=hi", ",", "msg", "text=@%s" % (tmp_path / "note"),
         ",", "msg", "text=hex:00 ff41", ",", "msg", "text=text:@x", ",", "disconnect")
    lines = (data / "messages.log").read_bytes().split(b"\r\n")
    assert [line for line in lines if line.startswith(b"[caller]")] == [
        b"[caller]: hi", b"[caller]: from a file\\0", b"[caller]: \\0\xffA", b"[caller]: @x"]


ECHO = ["small=2", "big=-5", "flag=true", "color=dark-blue", "level=high", "word=class", "class=text:@x", "list=-1,2", "data=hex:00"]


def test_call_knows_every_kind_of_value(serve):
    address = serve("kinds")[0]
    assert call("kinds", address, "echo", *ECHO).split("\n") == ECHO + [""]
    told = json.loads(call("kinds", address, "--json", "echo", *ECHO, ))
    assert told == {"call": "echo", "results": {"small": 2, "big": -5, "flag": True, "color": "dark-blue", "level": "high",
                                                "word": "class", "class": "@x", "list": [-1, 2], "data": "\0"}}
    assert call("kinds", address, "subscribe", "count=2") == (
        "effect deliver\nnumber=1\ntext=first\neffect deliver\nnumber=2\ntext=more\nthanked=2\nleft=0\n")


def test_call_tells_errors_of_the_spec(serve):
    address = serve("candy")[0]
    assert "fetch_candy: refused: too many" in failing_call("candy", address, "fetch_candy", "count=99999", "kind=square", code=1)
    told = call("candy", address, "--json", "fetch_candy", "count=99999", "kind=square", ",", "fetch_candy", "count=1", "kind=bar", code=1)
    told = json.loads(told)  # one object: the calls behind it are not done
    assert told["error"] == "refused" and told["detail"].startswith("too many")


@pytest.mark.parametrize("words, hint", [
    (["fetch_cand", "count=1", "kind=bar"], "did you mean 'fetch_candy'"),
    (["fetch_candy", "coun=1", "kind=bar"], "did you mean 'count'"),
    (["fetch_candy", "count=1", "kind=bat"], "did you mean 'bar'"),
    (["fetch_candy", "count=1"], "needs kind=VALUE"),
    (["fetch_candy", "count=1", "kind=bar", "count=2"], "given twice"),
    (["fetch_candy", "count=one", "kind=bar"], "not a number"),
    (["fetch_candy", "count=1", "kind=bar", ","], "missing behind the comma"),
    (["fetch_candy", "count", "kind=bar"], "NAME=VALUE"),
])
def test_call_helps_with_its_command_line(words, hint):
    assert hint in failing_call("candy", "127.0.0.1:1", *words, code=4)


def test_call_refuses_values_outside_the_spec(serve):
    assert "count" in failing_call("candy", serve("candy")[0], "fetch_candy", "count=2147483648", "kind=bar", code=4)


def test_call_without_a_server():
    port = closed_port()
    assert "127.0.0.1:%d" % port in failing_call("candy", "127.0.0.1:%d" % port, "fetch_candy", "count=1", "kind=bar", code=69)
    assert "no-such-host" in failing_call("candy", "no-such-host.invalid:1", "fetch_candy", "count=1", "kind=bar", code=69)
    assert "expected HOST:PORT" in failing_call("candy", "nonsense", "fetch_candy", "count=1", "kind=bar", code=4)
    assert "not a number" in failing_call("candy", "127.0.0.1:99999", "fetch_candy", "count=1", "kind=bar", code=4)


@pytest.mark.parametrize("call, code", [("listen", 0), ("scaled", 1)])
def test_a_greeting_waits_for_the_call_that_expects_it(build, call, code):
    fake = Fake([("send", DONE), "gone"])
    run(build("libclient/tests/apps/greeted.c", "kinds"), fake.address, call, code=code)
    fake.join()


def test_call_times_out():
    fake = Fake([b"b 1\n", "gone"])
    assert "no answer in time" in failing_call("candy", fake.address, "--timeout", "1s", "fetch_candy", "count=1", "kind=bar", code=1)
    fake.join()


NEWS = bytes.fromhex("82 0300 01 6869")


DONE_ONCE = bytes.fromhex("83 0200 01 00")


def test_a_call_while_an_effect_is_in_flight(build):
    """It is refused; one that follows the completion leaves behind what the effect brings about."""
    fake = Fake([("send", NEWS), b"\3\0\0" + b"\2\1\0\1", ("send", DONE_ONCE), "gone"])
    run(build("libclient/tests/apps/busy.c", "kinds"), fake.address)
    fake.join()
    fake = Fake([("send", NEWS * 3), b"\4\0\0" * 3 + b"\2\1\0\1", ("send", DONE), "gone"])
    run(build("libclient/tests/apps/greeted.c", "kinds"), fake.address, "scaled")
    fake.join()


def test_an_order_behind_an_effect():
    fake = Fake([b"\2\1\0\1", ("send", DONE_ONCE + NEWS), b"\3\0\0" + b"\2\1\0\1", ("send", DONE_ONCE), "gone"])
    said = run(ASSAY, "drive", SPECS["kinds"], fake.address, input=b"connect\ncall subscribe count=1\ncall subscribe count=1\n")
    fake.join()
    subscribed = "result subscribe thanked=1 left=0\n"
    assert said in ("connected\n" + subscribed + "effect deliver number=1 text=hi\n" + subscribed,
                    "connected\neffect deliver number=1 text=hi\n" + subscribed + subscribed)


def early(driver, generated, orders, *steps):
    """What a driven client says that had read a greeting, and shown the news before it, when it was told to call."""
    program = [ASSAY, "drive", SPECS["kinds"]] if driver == "c" else [sys.executable, generated / "generated/kinds_client.py", "--drive"]
    thanked = threading.Event()
    fake = Fake([("send", NEWS + DONE), b"\3\0\0", thanked.set, *steps])
    client = subprocess.Popen([str(part) for part in [*program, fake.address]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    client.stdin.write("connect\n")
    client.stdin.flush()
    assert thanked.wait(60)
    said = client.communicate(orders, timeout=60)[0].splitlines()
    fake.join()
    assert client.returncode == 0 and said[:2] == ["connected", "effect deliver number=1 text=hi"]
    return said[2:]


@pytest.mark.parametrize("driver", ["c", "python"])
def test_a_greeting_waits_for_its_order(generated, driver):
    """However long it was there, whatever stands behind it, and though the server is gone by then."""
    heard = "result listen thanked=7"
    assert early(driver, generated, "call listen\n", "gone") == [heard]
    assert early(driver, generated, "call listen\ncall listen\n", ("send", DONE), "gone") == [heard, heard]
    said = early(driver, generated, "call listen\ncall listen\n")
    assert said[0] == heard and sorted(line[:19] for line in said[1:]) == ["ended", "error listen closed"]
    assert early(driver, generated, "close\n", "gone") == ["ended"]


@pytest.mark.parametrize("driver", ["c", "python"])
def test_a_greeting_in_the_way_of_another_order(generated, driver):
    """It is a breach, and nothing is asked; so is one that no call begins with, at once."""
    said = early(driver, generated, "call subscribe count=1\n", "gone")
    assert len(said) == 2 and said[0].startswith("error subscribe protocol ") and said[1] == "ended"


@pytest.mark.parametrize("driver", ["c", "python"])
def test_no_effect_where_the_rest_of_its_rule_cannot_be_done(tmp_path, driver):
    """The first news are shown and thanked for; the number of the others does not fit where it is to be kept."""
    text = SPECS["kinds"].read_text()
    for old, new in (("client:\n  states:", "client:\n  vars: {last: {type: u8, max: 1}}\n  states:"),
                     ("        send: {Thanks: {}}\n", "        set: {last: number}\n        send: {Thanks: {}}\n")):
        assert text.count(old) == 1
        text = text.replace(old, new)
    spec = tmp_path / "kinds.yaml"
    spec.write_text(text)
    run(ASSAY, "gen", "python", spec, "-o", tmp_path)
    program = [ASSAY, "drive", spec] if driver == "c" else [sys.executable, tmp_path / "kinds_client.py", "--drive"]
    fake = Fake([b"\2\1\0\2", ("send", NEWS), b"\3\0\0", ("send", NEWS.replace(b"\1hi", b"\2hi")), b"\4\0\0", ("send", DONE_ONCE), "gone"])
    said = run(*program, fake.address, input=b"connect\ncall subscribe count=2\n")
    fake.join()
    assert said == "connected\neffect deliver number=1 text=hi\nresult subscribe thanked=1 left=0\n"


WRONG_WORDS = {
    "subscribe": "argument%20count%20is%20missing",
    "subscribe count": "expected%20NAME%3DVALUE%20instead%20of%20%27count%27",
    "subscribe cuont=1": "there%20is%20no%20argument%20cuont",
    "subscribe count=1 count=2": "argument%20count%20is%20there%20twice",
    **{"subscribe count=" + number: "argument%20count%3A%20expected%20a%20decimal%20number" for number in ("", "+1", "0x1", "1_0", "two")},
    "echo flag=1": "argument%20flag%3A%20expected%20true%20or%20false",
    "echo color=blue": "argument%20color%3A%20expected%20one%20of%20the%20spec%27s%20names",
    "echo data=%4": "argument%20data%3A%20expected%20%25%20and%20two%20hexadecimal%20digits",
    "echo data=%zz": "argument%20data%3A%20expected%20%25%20and%20two%20hexadecimal%20digits",
    "echo list=1,,2": "argument%20list%3A%20expected%20decimal%20numbers%20with%20commas%20between%20them",
}


@pytest.mark.parametrize("driver", ["c", "python"])
def test_orders_with_wrong_words(generated, serve, driver):
    """Each is answered with what is wrong, in the same words by every program, and the connection goes on."""
    address = serve("kinds")[0]
    program = [ASSAY, "drive", SPECS["kinds"]] if driver == "c" else [sys.executable, generated / "generated/kinds_client.py", "--drive"]
    orders = ["connect", *["call " + order for order in WRONG_WORDS], "call subscribe count=0"]
    said = run(*program, address, input="\n".join(orders).encode() + b"\n").splitlines()
    assert said == ["connected", *["error %s value %s" % (order.split()[0], why) for order, why in WRONG_WORDS.items()],
                    "error subscribe refused no%20count%20from%201%20to%209"]


@pytest.mark.parametrize("driver", ["c", "python"])
def test_a_question_that_nobody_takes(generated, driver):
    """Refused datagrams, and connections, end the call with one of the kinds that lines know, and say where."""
    program = [ASSAY, "drive", SPECS["aside"]] if driver == "c" else [sys.executable, generated / "generated/aside_client.py", "--drive"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        asked = "127.0.0.1:%d" % free.getsockname()[1]
    said = run(*program, "127.0.0.1:1,udp:" + asked, input=b"call ask\n")
    assert said == "error ask closed udp%%3A%s%%3A%%20ask%%3A%%20nobody%%20takes%%20datagrams%%20there\n" % asked.replace(":", "%3A")


def test_a_driven_python_client_obeys_orders_first(generated):
    """One that was given before something came is done before that is looked at: the judge relies on it."""
    program = "exec:%s %s --drive {address}" % (sys.executable, generated / "generated/kinds_client.py")
    done = subprocess.run([ASSAY, "test", SPECS["kinds"], program, "--role", "client", "--filter", "*listen*", "--jobs", "8"],
                          capture_output=True, timeout=240)
    assert done.returncode == 0 and b" pass, " in done.stdout, done.stdout[-3000:]


def test_a_driven_python_client_helps_with_its_command_line(generated):
    program = generated / "generated/kinds_client.py"
    for options, code, why in ((["--help"], 0, b""), ([], 2, b""), (["--drive", "127.0.0.1:1", "--rnu"], 2, b"--rnu: nothing like it is known"),
                               (["--drive", "127.0.0.1:1", "--param"], 2, b"--param: a value is missing")):
        done = subprocess.run([sys.executable, program, *options], capture_output=True, timeout=60)
        assert done.returncode == code and b"kinds_client.py --drive" in done.stdout + done.stderr and why in done.stderr


def test_a_flood_does_not_stop_the_clock(python):
    """Nor does a server that never reads: thanks for the news are stuck after a while."""
    fake = Fake([b"\2\1\0\3", ("flood", NEWS)])
    assert "no answer in time" in failing_call("kinds", fake.address, "--timeout", "3s", "subscribe", "count=3", code=1)
    fake.join()
    fake = Fake([b"\2\1\0\3", ("flood", NEWS)])
    kinds = python("generated.kinds_client")
    with kinds.Client("127.0.0.1", fake.port, timeout=1.0) as client, pytest.raises(kinds.CallTimeout):
        client.subscribe(3)
    fake.join()


def test_gen_helps_with_its_command_line(tmp_path):
    done = subprocess.run([ASSAY, "gen", "pyton", str(SPECS["candy"])], capture_output=True, timeout=60)
    assert done.returncode == 4 and b"did you mean 'python'" in done.stderr
    (tmp_path / "file").write_text("")
    done = subprocess.run([ASSAY, "gen", "c", str(SPECS["candy"]), "-o", str(tmp_path / "file")], capture_output=True, timeout=60)
    assert done.returncode == 1 and b"candy" in done.stderr
