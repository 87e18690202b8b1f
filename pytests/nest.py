"""Runs tests in forks of one process, in which all that they import is there, and what the second reader derives.

A request is a line of JSON on standard input: {"tests": [words for pytest], "program": PATH}; so is the answer: {"status": N,
"said": the end of what pytest printed}. In the environment ASSAY names the program whose cases are derived beforehand.
"""

import json
import os
import re
import sys
import tempfile

import pytest
import test_cases_agree
import test_peers
import test_server

IMPORTED = (test_peers, test_server)
SAID_MAX = 1500
derived_for = set()


def derive_for(tests):
    """What the reader permits does not depend on the program, nor do most of the cases: it is derived here, once for all forks."""
    for name, how in {found for test in tests for found in re.findall(r"test_cases_agree\[(\w+)-(\w+)\]", test)} - derived_for:
        test_cases_agree.disagreements(name, how == "strict", test_cases_agree.exported_by_program(name, how == "strict"))
        derived_for.add((name, how))


def run(request):
    """The answer to a request."""
    derive_for(request["tests"])
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.dup2(said.fileno(), 1)
            os.dup2(said.fileno(), 2)
            os.environ["ASSAY"] = request["program"]
            status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", *request["tests"]])
            sys.stdout.flush()
            os._exit(status)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        return {"status": os.waitstatus_to_exitcode(status), "said": said.read().decode(errors="replace")[-SAID_MAX:]}


def main():
    """Until standard input ends. What forks read is nobody's request."""
    requests = os.fdopen(os.dup(0), encoding="utf-8")
    with open(os.devnull, "rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    for line in requests:
        print(json.dumps(run(json.loads(line))), flush=True)


if __name__ == "__main__":
    main()
