"""An answer that does not come is proven to be missing where that can be done; one that is slow is waited for."""

import json
import subprocess
import threading
import time
from socket import create_server

from scripts.testing import ASSAY, ROOT


def judge(spec, target, *args):
    done = subprocess.run([str(ASSAY), "test", f"spec/{spec}.yaml", target, "--json", *args], cwd=ROOT,
                          timeout=300, capture_output=True, text=True)
    return {c["id"]: c for c in json.loads(done.stdout)["cases"]}


def answer(connection, pauses):
    """0x00 to every message. A name that begins with 3 has to wait: each time for the next of the pauses."""
    with connection, connection.makefile("rb") as requests:
        while head := requests.read(3):
            body = requests.read(int.from_bytes(head[1:], "little"))
            if head[0] == 1 and body[:1] == b"\3":
                time.sleep(pauses.pop(0))
            connection.sendall(b"\0")


def serve(listener, pauses):
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=answer, args=(connection, pauses), daemon=True).start()


def test_a_slow_answer_is_no_missing_one():
    """Too late at first; then, alone, later than a proof is asked for, so that the case has to be played once more."""
    pauses = [2.8, 0.6, 0.6]
    with create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener, pauses), daemon=True).start()
        target = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        cases = judge("msglog", target, "--filter", "msglog/name/name/name-first-03")
    assert {i: c.get("why") for i, c in cases.items() if c["verdict"] != "pass"} == {}
    assert pauses == []


def test_what_is_missing_is_proven_before_all_patience_is_over():
    """A server that takes no segment for an order answers nothing; it closes when we shut our side, so nothing can come."""
    strict = f"exec:{ASSAY} serve spec/candy.yaml --listen 127.0.0.1:0 --strict"
    cases = judge("candy", strict, "--filter", "*/segment-order-example-1", "--timeout-scale", "4")
    case, = cases.values()
    assert case["verdict"] == "unsupported" and case["requirement"] == "CA-6"
    assert case["why"] == "what the target owes did not come"
    assert case["time_ns"] < 6e9  # of 8 s
