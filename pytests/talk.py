"""Does a stimulus to a server over sockets and holds what comes back against the reader's expected sets."""

import os
import random
import socket
import struct
import time

from reader.expected import agrees, begins, expected
from reader.machine import Machine

TIMEOUT = float(os.environ.get("TALK_TIMEOUT", "60"))


class Link:
    """One connection of the tester."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, TIMEOUT)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received, self.end, self.shut, self.aborted = b"", None, False, False

    def send(self, data):
        """One write; a server that is gone shows when reading."""
        try:
            self.socket.sendall(data)
        except BrokenPipeError:
            pass
        except ConnectionResetError:
            self.aborted = True

    def close_write(self):
        """Shut the write side."""
        self.shut = True
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def reset(self):
        """Abort the connection."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()
        self.end = "reset by us"

    def read(self):
        """Read once; False at the end."""
        try:
            data = self.socket.recv(1 << 16)
        except ConnectionResetError:
            self.end = "rst"
            return False
        except socket.timeout as error:
            raise AssertionError("nothing more came, received so far: %r" % self.received[-200:]) from error
        if not data:
            self.end = "rst" if self.aborted else "fin"
        self.received += data
        return bool(data)

    def read_to_end(self):
        """All that comes, and how it ends."""
        while self.end is None:
            self.read()
        self.socket.close()


def wait_for(spec, link, outcomes):
    """Read until all is there that is owed; more or other bytes end the wait, too: the end of the case judges them."""
    deadline = time.monotonic() + TIMEOUT
    most = max(sum(len(pattern.data) for pattern in outcome.patterns) for outcome in outcomes)
    while link.end is None and time.monotonic() < deadline:
        if any(agrees(spec, outcome, link.received) for outcome in outcomes) or len(link.received) > most + 1024:
            return
        link.read()


def perform(address, spec, links, steps):
    """Do all steps; what was received on each link and how it ended."""
    opened = [Link(address) for _ in range(links)]
    for index, step in enumerate(steps):
        link = opened[step.get("link", 0)]
        if "send" in step:
            link.send(bytes.fromhex(step["send"]))
        elif step.get("eof"):
            link.close_write()
        elif step.get("reset"):
            link.reset()
        elif step.get("await"):
            for each, outcomes in zip(opened, expected(spec, links, steps[:index])):
                if each.end is None:
                    wait_for(spec, each, outcomes)
    for link in opened:
        if link.end is None and not link.shut:
            link.close_write()
    for link in opened:
        link.read_to_end()
    return opened


def ended(links, steps):
    """The steps with the shut write sides that `perform` adds."""
    done = {step.get("link", 0) for step in steps if step.get("eof") or step.get("reset")}
    return steps + [{"link": link, "eof": True} for link in range(links) if link not in done]


def check(target, links, steps):
    """Do a stimulus and judge it: whole bytes, end, and the log where it can be seen."""
    spec = target.spec
    before = log_size(target)
    seen = perform(target.address, spec, links, steps)
    lines = judge(spec, links, ended(links, steps), seen)
    if target.data is not None and lines is not None:
        check_log(target, before, lines)


def judge(spec, links, steps, seen):
    """Hold what was seen against the expected sets; the lines recorded on each link, None if a reset leaves that open."""
    data = None if any(step.get("reset") for step in steps) else [link.received for link in seen]
    for number, (link, outcomes) in enumerate(zip(seen, expected(spec, links, steps, seen=data))):
        if link.end == "reset by us":
            continue
        assert any(permits(spec, outcome, link) for outcome in outcomes), (
            "link %d: permitted %r, seen %s %s, steps %r" % (number, outcomes[:4], link.received.hex()[-400:], link.end, steps))
    return None if any(step.get("reset") for step in steps) else recorded(spec, links, steps)


def permits(spec, outcome, link):
    """Whether an outcome permits all that was received and the end; a reset may destroy what was sent before it."""
    if outcome.end != link.end:
        return False
    return agrees(spec, outcome, link.received) or outcome.end == "rst" and begins(spec, outcome, link.received)


def recorded(spec, links, steps):
    """What the model's `record` writes on each link."""
    lines = []
    for link in range(links):
        own = [dict(step, link=0) for step in steps if step.get("link", 0) == link]
        found = []
        machine = Machine(spec, "server", lambda session, name, args, found=found: not found.append((name, args)), True)
        session = machine.connect()[0]
        for step in own:
            if "send" in step:
                session = machine.feed(session, bytes.fromhex(step["send"]))[0]
        lines.append([args["line"] for name, args in found if name == "record"])
    return lines


def log_size(target):
    """Where the log ends now."""
    path = target.data / "messages.log" if target.data is not None else None
    return path.stat().st_size if path is not None and path.exists() else 0


def check_log(target, before, lines):
    """The log holds each link's lines in their order, and nothing else."""
    wanted = [line for own in lines for line in own]
    path = target.data / "messages.log"
    added = path.read_bytes()[before:] if path.exists() else b""
    found = [line + b"\r\n" for line in added.split(b"\r\n")[:-1]]
    assert added == b"" or added.endswith(b"\r\n")
    assert sorted(found) == sorted(wanted)
    for own in lines:
        rest = iter(found)
        assert all(line in rest for line in own), "the order of %r in %r" % (own, found)


def walk(spec, seed, length, samples):
    """The frames of a seeded walk: mostly such as keep the model's session alive."""
    dice = random.Random(seed)
    machine = Machine(spec, "server", ours_only=True)
    session, frames = machine.connect()[0], []
    while len(frames) < length:
        frame = dice.choice(samples)
        after = machine.feed(session.copy(), frame)[0]
        if after.ended and dice.random() < 0.8:
            continue
        frames.append(frame)
        session = after
        if session.ended:
            break
    return frames


def cut(dice, data, pieces):
    """Some bytes in so many pieces."""
    places = sorted(dice.randrange(len(data) + 1) for _ in range(pieces - 1))
    edges = [0] + places + [len(data)]
    return [data[a:b] for a, b in zip(edges, edges[1:]) if a < b]
