"""One-line faults planted in the engine's source: each must be found by the tests of the second reader.

The engine is at once the server and the oracle of the conformance suite, which is
therefore blind to them. Each fault is compiled into a private copy of the program:
one file is compiled, the archive copied, the program linked again.
"""

import json
import os
import shutil
import subprocess
import sys

import pytest
from conftest import HERE, ROOT, program
from reader.yamltree import parse

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

FAULTS = parse((HERE / "faults" / "engine.yaml").read_text(encoding="utf-8"))
ALL = ["test_cases_agree.py", "test_server.py", "-k", "cases_agree or seed_trace or strict or walks or any_stream or segments or hundreds or idle or passwords or disk or meter_edges or each_line or structured_text"]


def planted(fault):
    """The faulty source. A line that is not there, or not as often as the list says, is an error of the list."""
    lines = (ROOT / fault["file"]).read_text(encoding="utf-8").split("\n")
    places = [at for at, line in enumerate(lines) if line.strip() == fault["old"]]
    nth = int(fault.get("nth", 0))
    assert places and (len(places) == 1 or 1 <= nth <= len(places)), (
        "%s: %r stands %d times in %s: mend faults/engine.yaml" % (fault["id"], fault["old"], len(places), fault["file"]))
    at = places[max(nth, 1) - 1]
    lines[at] = lines[at].replace(fault["old"], fault["new"])
    return "\n".join(lines)


class Builder:
    """Links private copies of the program."""

    def __init__(self):
        self.program = program()
        self.build = self.program.parent
        self.flags = [flag for flag in (self.build / "flags").read_text().split() if flag != "-Werror"]
        self.link = self._link_command()

    def _link_command(self):
        archive = self.build.relative_to(ROOT) / "libcore.a"
        target = str(self.program.relative_to(ROOT))
        variant = "VARIANT=" + self.build.name
        said = subprocess.run(["make", "-n", "V=1", "--no-print-directory", variant, "--what-if", str(archive), target], cwd=ROOT,
                              capture_output=True, text=True, timeout=300, check=True).stdout
        return next(line.split() for line in said.split("\n") if "-o " + target in line)

    def make(self, folder, source=None, name=None):
        """The program with one source of core/ replaced."""
        archive = folder / "libcore.a"
        shutil.copy(self.build / "libcore.a", archive)
        if source is not None:
            (folder / name).write_text(source, encoding="utf-8")
            made = folder / name.replace(".c", ".o")
            run([*self.flags, "-w", "-g0", "-c", "-o", made, folder / name])
            run(["ar", "r", archive, made])
        command = [str(archive) if word.endswith("/libcore.a") else word for word in self.link]
        command[command.index("-o") + 1] = str(folder / "assay")
        run(command)
        assert (folder / "assay").exists(), "linked, but not there: %s" % " ".join(command)
        return folder / "assay"


def run(command):
    """A command that has to succeed."""
    done = subprocess.run([str(word) for word in command], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, "%s\n%s" % (" ".join(map(str, command)), done.stderr[-2000:])


@pytest.fixture(scope="module")
def builder():
    """One for all."""
    return Builder()


class Nest:
    """Runs the reader's tests against programs that have so many seconds for an answer: see nest.py."""

    def __init__(self, patience):
        environment = dict(os.environ, PYTHONPATH=str(ROOT), ASSAY=str(program()), ASSAY_REQUIRE="1", TALK_TIMEOUT=str(patience),
                           FEW_EXAMPLES="1")
        self.process = subprocess.Popen([sys.executable, HERE / "nest.py"], cwd=HERE, env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)

    def verdict(self, executable, tests):
        """The exit status and the end of the output of some tests."""
        self.process.stdin.write(json.dumps({"tests": tests, "program": str(executable)}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["status"], answer["said"]


@pytest.fixture(scope="module")
def nest():
    """One for all faults."""
    with Nest(patience=3) as nested:
        yield nested


def test_the_program_without_a_fault_passes(builder, tmp_path):
    """Each test that is known to find a fault; otherwise that would mean nothing."""
    with Nest(patience=60) as nested:
        status, said = nested.verdict(builder.make(tmp_path), sorted({fault["by"] for fault in FAULTS if "by" in fault}))
    assert status == 0, said


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault["id"])
def test_fault_is_found(builder, nest, fault, tmp_path):
    """The reader's tests fail against a program with this fault: the one that is known to, else any of them."""
    folder, name = fault["file"].split("/")
    assert folder == "core"
    executable = builder.make(tmp_path, planted(fault), name)
    status, said = nest.verdict(executable, [fault["by"]] if "by" in fault else ALL)
    if status == 0 and "by" in fault:
        status, said = nest.verdict(executable, ALL)
    assert status == 1, "%s was not found\n%s" % (fault["id"], said)


def test_the_list():
    """About forty, each different, each where the list says."""
    assert len({fault["id"] for fault in FAULTS}) == len(FAULTS) >= 40
    for fault in FAULTS:
        assert planted(fault)
