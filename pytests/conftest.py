"""What all tests share: specs, the server under test, the option --target."""

import os
import pathlib
import resource
import subprocess
import sys
import threading

import pytest
from hypothesis import HealthCheck, Phase, settings

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

from reader.spec import load  # noqa: E402  (the path above makes it importable)
from scripts.testing import address_told  # noqa: E402

settings.register_profile("default", deadline=None, max_examples=100, derandomize=True,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much,
                                                 HealthCheck.function_scoped_fixture])
# any example will do that fails: none smaller is looked for
settings.register_profile("first", settings.get_profile("default"), phases=[Phase.explicit, Phase.generate])
settings.load_profile("first" if os.environ.get("FEW_EXAMPLES") == "1" else "default")

SPECS = {"candy": ROOT / "spec/candy.yaml", "msglog": ROOT / "spec/msglog.yaml", "relay": ROOT / "spec/relay.yaml",
         "dispatch": ROOT / "spec/dispatch.yaml", "meter": HERE / "specs/meter.yaml",
         "tagged": HERE / "specs/tagged.yaml", "notes": HERE / "specs/notes.yaml"}


def pytest_addoption(parser):
    """`--target tcp:HOST:PORT --target-spec candy` runs the server tests against any server."""
    parser.addoption("--target", help="tcp:HOST:PORT of a running server to test instead of our own")
    parser.addoption("--target-spec", default="msglog", help="the bundled spec that the target serves (default: msglog)")


def pytest_configure(config):
    """Our own marker."""
    config.addinivalue_line("markers", "slow: compiles the engine many times")


def program():
    """The path of the program `assay`. A test that needs it is skipped while it does not exist, unless it must."""
    path = pathlib.Path(os.environ.get("ASSAY", ROOT / "build/debug/assay"))
    if path.exists():
        return path
    reason = "%s does not exist: build it with `make`" % path
    if os.environ.get("CI") == "1" or os.environ.get("ASSAY_REQUIRE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def output_of(command, timeout=300, **more):
    """What a command prints; it has to succeed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, timeout=timeout, **more)
    assert done.returncode == 0, "%s: exit %d\n%s" % (command, done.returncode, done.stderr.decode(errors="replace"))
    return done.stdout


class Target:
    """A server to test: its address, and its data folder when it is our own."""

    def __init__(self, spec, host, port, data=None):
        self.spec, self.host, self.port, self.data = spec, host, port, data

    @property
    def address(self):
        """As socket functions want it."""
        return self.host, self.port


class Served:
    """`assay serve` on a free port of each transport (`udp`: of that, too), ended with the block."""

    def __init__(self, path, data, *options, executable=None, file_size=None, udp=False):
        self.path, self.data, self.executable = path, pathlib.Path(data), executable or program()
        self.command = [str(self.executable), "serve", str(path), "--listen", "127.0.0.1:0", "--data", str(data)]
        self.command += ["--listen", "udp:127.0.0.1:0"] if udp else []
        self.command += [str(option) for option in options]
        self.addresses, self.udp, self.said, self.complained = {}, udp, b"", b""
        self.file_size = file_size
        self.address = self.process = None

    def __enter__(self):
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=self._limit)
        self.listener = threading.Thread(target=self._listen, daemon=True)
        self.listener.start()
        for name in ("tcp", "udp") if self.udp else ("tcp",):
            told, host, port = address_told(self.process)
            assert told == name
            self.addresses[name] = host, port
        self.address = self.addresses["tcp"]
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        return self

    def _listen(self):
        with self.process.stderr as stderr:
            for data in iter(lambda: stderr.read1(65536), b""):
                self.complained += data

    def _read(self):
        with self.process.stdout as stdout:
            for data in iter(lambda: stdout.read1(65536), b""):
                self.said += data

    def finish(self):
        """End it; what it printed behind its addresses, and on standard error. Its status must be 0."""
        if self.alive():
            self.process.terminate()
        assert self.process.wait(60) == 0
        self.reader.join(60)
        self.listener.join(60)
        return self.said, self.complained

    def _limit(self):
        """Files cannot grow beyond this: a disk that is full."""
        if self.file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (self.file_size, self.file_size))

    def alive(self):
        """Whether the process still runs."""
        return self.process.poll() is None

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)
            raise
        finally:
            self.reader.join(60)

    def target(self, spec):
        """The server as a target."""
        return Target(spec, *self.address, data=self.data)


@pytest.fixture(scope="session")
def specs():
    """The bundled specs and the tests' own, by name."""
    return {name: load(path) for name, path in SPECS.items()}


def make_target(request, tmp_path_factory, name):
    """A generator of one target: that of the command line, or `assay serve`."""
    given = request.config.getoption("--target")
    spec = load(SPECS[name])
    if given:
        if request.config.getoption("--target-spec") != name:
            pytest.skip("the target given serves another protocol")
        host, port = given[len("tcp:"):].rsplit(":", 1)
        yield Target(spec, host.strip("[]"), int(port))
        return
    with Served(SPECS[name], tmp_path_factory.mktemp(name)) as served:
        yield served.target(spec)
        assert served.alive(), "the server died"


@pytest.fixture(scope="module")
def candy(request, tmp_path_factory):
    """A server of candy."""
    yield from make_target(request, tmp_path_factory, "candy")


@pytest.fixture(scope="module")
def msglog(request, tmp_path_factory):
    """A server of msglog."""
    yield from make_target(request, tmp_path_factory, "msglog")


@pytest.fixture(scope="module")
def dispatch(request, tmp_path_factory):
    """A server of dispatch."""
    yield from make_target(request, tmp_path_factory, "dispatch")


@pytest.fixture(scope="module")
def notes(request, tmp_path_factory):
    """A server of the tests' own structured text."""
    yield from make_target(request, tmp_path_factory, "notes")


@pytest.fixture(scope="module")
def meter(request, tmp_path_factory):
    """A server of the tests' own protocol."""
    yield from make_target(request, tmp_path_factory, "meter")
