"""reader, writer and chat with a server that is killed, over a network that loses, and at a terminal.

ASSAY_BUILD names the build folder, in which `make examples` has been done.
"""

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from scripts.testing import ASSAY, BUILD, PATIENCE, ROOT, free_port, wait_until

SPEC = ROOT / "spec/pubsub.yaml"
QUICK = ["--param", "first=20ms", "--param", "cap=200ms", "--param", "beat=300ms"]
BAD_LINE = ["--drop", "rate=30%", "--duplicate", "rate=10%", "--swap", "rate=10%", "--corrupt", "rate=5%", "--delay", "1ms..20ms@rate=20%"]


def program(name):
    return BUILD / "examples/pubsub" / name


class Program:
    """A program whose output goes to files, which outlive it: one that is started again goes on with them."""

    def __init__(self, folder, name, *command, **options):
        self.out, self.err = folder / (name + ".out"), folder / (name + ".err")
        self.command, self.options = [str(c) for c in command], options
        self.begin()

    def begin(self):
        with open(self.out, "ab") as out, open(self.err, "ab") as err:
            self.process = subprocess.Popen(self.command, stdout=out, stderr=err, **self.options)

    def lines(self):
        return self.out.read_text().splitlines()

    def whole_lines(self):
        """How many there are; what is at the end may be on its way."""
        return self.out.read_bytes().count(b"\n")

    def said(self):
        return self.err.read_text()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self, number=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=PATIENCE)

    def wait(self):
        return self.process.wait(timeout=PATIENCE)

    def most_memory(self):
        """Bytes of memory that it held at once."""
        return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{self.process.pid}/status").read_text())[1]) * 1024


class Place:
    """A folder, a server in it, a bad line before it, and programs that are ended with the test."""

    def __init__(self, folder):
        self.folder, self.programs, self.port = folder, [], free_port(socket.SOCK_DGRAM)
        self.server_port = self.port
        (folder / "data").mkdir()

    def start(self, name, *command, **options):
        self.programs.append(Program(self.folder, name, *command, **options))
        return self.programs[-1]

    def listens(self, p, before=0):
        def told():
            assert p.process.poll() is None, f"ended with {p.process.poll()}: {p.said()}"
            return len(p.lines()) > before and p.lines()[-1].startswith("listening on udp:")

        wait_until(told, "an address")
        return p

    def serve(self, *options):
        self.server = self.start("server", ASSAY, "serve", SPEC, "--listen", f"udp:127.0.0.1:{self.server_port}", "--data",
                                 self.folder / "data", "--param", "first=20ms", "--param", "cap=200ms", *options)
        return self.listens(self.server)

    def restart_server(self):
        self.server.kill()
        before = len(self.server.lines())
        self.server.begin()
        self.listens(self.server, before)

    def spoil(self, *faults):
        """From now on programs reach the server over a bad line."""
        self.port = free_port(socket.SOCK_DGRAM)
        return self.listens(
            self.start("link", ASSAY, "link", "--listen", f"udp:127.0.0.1:{self.port}", "--to",
                       f"udp:127.0.0.1:{self.server_port}", *faults))

    def command(self, what, user, *options):
        return [program(what), "--username", user, "--port", self.port, "--state", self.folder / f"{user}.state", *QUICK, *options]

    def reader(self, user, *options):
        return self.start(user, *self.command("reader", user, *options))

    def writer(self, user, text, *options):
        source = self.folder / f"{user}.{len(self.programs)}.in"
        source.write_bytes(text if isinstance(text, bytes) else text.encode())
        with open(source, "rb") as stdin:
            return self.start(user, *self.command("writer", user, *options), stdin=stdin)


@pytest.fixture
def place(tmp_path):
    here = Place(tmp_path)
    yield here
    for p in here.programs:
        if p.process.poll() is None:
            p.process.kill()
            p.process.wait()


def numbered(user, count, first=0):
    return [f"{user}: line {n} of {user}" for n in range(first, first + count)]


def text_of(entries):
    """What is written so that these are read."""
    return "".join(e.split(": ", 1)[1] + "\n" for e in entries)


def await_lines(reader, count):
    wait_until(lambda: reader.whole_lines() >= count or reader.process.poll() is not None, f"{count} lines")


def await_stored(place, text):
    """Until a writer has been told that this line is stored. Readers see a line before that; what the server traces was sent when
    somebody else has been answered. (The server is to trace.)"""
    told = re.compile(rf'^#(\d+) > Line\b.*text="{text}"\}}$(?s:.*)^#\1 < Ack\b', re.M)
    wait_until(lambda: told.search(place.server.said()), f"the acknowledgement of {text!r}")
    assert place.writer("else", "").wait() == 0


# ---- reading and writing ------------------------------------------------------


def test_late_reader_is_sent_all(place):
    place.serve()
    entries = numbered("ann", 500)
    assert place.writer("ann", text_of(entries)).wait() == 0
    reader = place.reader("bob")
    await_lines(reader, 500)
    assert reader.lines() == entries
    assert reader.end() == 0


def test_writers_see_their_own_lines_and_readers_those_of_all(place):
    place.serve()
    readers = [place.reader(user) for user in ("bob", "eve")]
    writers = [place.writer(user, text_of(numbered(user, 100))) for user in ("ann", "joe")]
    assert [w.wait() for w in writers] == [0, 0]
    for r in readers:
        await_lines(r, 200)
    assert readers[0].lines() == readers[1].lines()
    for user in ("ann", "joe"):
        assert [e for e in readers[0].lines() if e.startswith(user)] == numbered(user, 100)


def test_reader_started_again_goes_on_where_it_was(place):
    place.serve()
    entries = numbered("ann", 30)
    reader = place.reader("bob")
    place.writer("ann", text_of(entries[:10])).wait()
    await_lines(reader, 10)
    assert reader.end() == 0
    place.writer("ann", text_of(entries[10:20])).wait()
    reader.begin()
    await_lines(reader, 20)
    assert reader.end(signal.SIGINT) == 0
    place.writer("ann", text_of(entries[20:])).wait()
    reader.begin()
    await_lines(reader, 30)
    reader.end()
    assert reader.lines() == entries
    anew = place.start("anew", *reader.command, "--from-start")
    await_lines(anew, 30)
    assert anew.lines() == entries


def test_reader_asks_for_lines_in_batches(place):
    place.serve("--trace")
    reader = place.reader("bob", "--delay", "5")
    wait_until(lambda: "Welcome" in place.server.said(), "the reader")
    assert place.writer("ann", text_of(numbered("ann", 4))).wait() == 0
    assert place.writer("ann", text_of(numbered("ann", 2, 4))).wait() == 0
    await_lines(reader, 5)
    assert reader.lines()[:5] == numbered("ann", 5)
    wait_until(lambda: "Entry" in place.server.said(), "the trace of what arrived")
    sent = re.findall(r"\b(Line|Entry)\b", place.server.said())
    assert sent.index("Entry") >= 5, f"an entry was sent before there were five lines: {sent}"


def test_reader_is_killed_again_and_again(place):
    place.serve()
    entries = numbered("ann", 3000)
    reader = place.reader("bob")
    writer = place.writer("ann", text_of(entries))
    for _ in range(12):
        more = len(reader.lines()) + 100
        wait_until(lambda: len(reader.lines()) > min(more, 2900), "more lines")
        reader.kill()
        reader.begin()
    assert writer.wait() == 0
    await_lines(reader, 3000)
    assert reader.lines() == entries
    reader.end()


def test_line_that_was_printed_but_not_noted_is_not_printed_twice(place):
    place.serve()
    reader = place.reader("bob")
    place.writer("ann", "one\n").wait()
    await_lines(reader, 1)
    assert reader.end() == 0
    place.writer("ann", "two\nthree\n").wait()
    with open(reader.out, "ab") as out:
        out.write(b"ann: tw")  # as if it had been killed in the middle of it
    reader.begin()
    await_lines(reader, 3)
    assert reader.lines() == ["ann: one", "ann: two", "ann: three"]


def test_output_that_others_write_to_is_left_alone(place):
    place.serve()
    reader = place.reader("bob")
    place.writer("ann", "one\n").wait()
    await_lines(reader, 1)
    assert reader.end() == 0
    place.writer("ann", "two\n").wait()
    with open(reader.out, "ab") as out:
        out.write(b"a note\n")
    reader.begin()
    await_lines(reader, 3)
    assert reader.lines() == ["ann: one", "a note", "ann: two"]


# ---- servers that go, and lines that are bad ---------------------------------------


def test_server_is_killed_while_lines_are_written(place):
    place.serve()
    entries = numbered("ann", 4000)
    reader = place.reader("bob")
    writer = place.writer("ann", text_of(entries))
    for n in (500, 1500, 2500):
        await_lines(reader, n)
        place.restart_server()
    assert writer.wait() == 0, writer.said()
    await_lines(reader, 4000)
    assert reader.lines() == entries
    assert reader.end() == 0


def test_idle_programs_outlive_their_server(place):
    place.serve()
    reader = place.reader("bob", "--wait", "--param", "give_up=300ms")
    writer = place.start("ann", *place.command("writer", "ann"), stdin=subprocess.PIPE)
    for n in range(1, 4):
        writer.process.stdin.write(b"line %d\n" % n)
        writer.process.stdin.flush()
        await_lines(reader, n)
        place.restart_server()
    writer.process.stdin.close()
    assert writer.wait() == 0, writer.said()
    assert reader.lines() == ["ann: line 1", "ann: line 2", "ann: line 3"]
    assert reader.end() == 0


def test_bad_line(place):
    place.serve()
    place.spoil(*BAD_LINE)
    entries = numbered("ann", 300)
    reader = place.reader("bob")
    writer = place.writer("ann", text_of(entries))
    assert writer.wait() == 0, writer.said()
    await_lines(reader, 300)
    assert reader.lines() == entries
    assert reader.end() == 0
    assert writer.said() == ""


def test_lines_that_may_be_lost_are_told(place):
    place.serve("--trace")
    place.writer("ann", text_of(numbered("ann", 3))).wait()
    writer = place.start("ann2", *place.command("writer", "ann", "--param", "give_up=2s"), stdin=subprocess.PIPE)
    writer.process.stdin.write(b"x1\n")
    writer.process.stdin.flush()
    reader = place.reader("bob")
    await_lines(reader, 4)
    await_stored(place, "x1")
    place.server.kill()
    writer.process.stdin.write(b"x2\nx3\n")
    writer.process.stdin.flush()
    wait_until(lambda: "did not say" in writer.said(), "that lines are missed")
    place.restart_server()
    writer.process.stdin.write(b"x4\n")
    writer.process.stdin.close()
    assert writer.wait() == 69
    assert "lines 2 to 3: the server did not say that they are stored" in writer.said()
    assert writer.said().count("did not say") == 1
    await_lines(reader, 5)
    assert reader.lines()[-1] == "ann: x4"


def test_writer_whose_server_is_gone_ends_when_nothing_is_left(place):
    place.serve("--trace")
    writer = place.start("ann", *place.command("writer", "ann", "--param", "give_up=2s"), stdin=subprocess.PIPE)
    writer.process.stdin.write(b"one\n")
    writer.process.stdin.flush()
    await_stored(place, "one")
    place.server.kill()
    writer.process.stdin.write(text_of(numbered("ann", 30)).encode())
    writer.process.stdin.close()
    assert writer.wait() == 69
    assert "lines 2 to 31: the server did not say that they are stored" in writer.said()


def test_writer_that_is_ended_tells_what_it_did_not_write(place):
    place.serve("--trace")
    writer = place.start("ann", *place.command("writer", "ann"), stdin=subprocess.PIPE)
    writer.process.stdin.write(b"one\n")
    writer.process.stdin.flush()
    await_stored(place, "one")
    place.server.kill()
    writer.process.stdin.write(text_of(numbered("ann", 200)).encode())
    writer.process.stdin.flush()
    wait_until(lambda: not struct.unpack("i", fcntl.ioctl(writer.process.stdin, termios.FIONREAD, bytes(4)))[0], "that all is read")
    assert writer.end() == 69
    told = re.search(r"lines 2 to (\d+): the server did not say", writer.said())
    rest = re.search(r"what follows line (\d+) was not written", writer.said())
    assert told and rest and told[1] == rest[1], writer.said()


# ---- what is refused, and how it ends --------------------------------------------------


def test_lines_that_cannot_be_written(place):
    place.serve()
    lines = [b"good", b"a\0b", b"x" * 1024, b"x" * 1025, b"\xff\xfe", b"a\rb", b"", "\u00e9t\u00e9".encode(), b"crlf\r", b"y" * 200000, b"end"]
    writer = place.writer("ann", b"\n".join(lines))
    assert writer.wait() == 65
    assert [int(n) for n in re.findall(r"line (\d+): not written", writer.said())] == [2, 4, 5, 6, 10]
    reader = place.reader("bob")
    await_lines(reader, 6)
    assert reader.lines() == ["ann: good", "ann: " + "x" * 1024, "ann: ", "ann: \u00e9t\u00e9", "ann: crlf", "ann: end"]


def test_name_that_is_taken(place):
    place.serve()
    assert place.writer("ann", "mine\n").wait() == 0
    thief = place.start("thief", *place.command("writer", "ann", "--state", place.folder / "thief.state"), stdin=subprocess.DEVNULL)
    assert thief.wait() == 77
    assert "'ann' is taken" in thief.said()


def test_state_is_private_and_stands_where_it_should(place):
    place.serve()
    env = dict(os.environ, XDG_STATE_HOME=str(place.folder / "xdg"))
    command = [str(c) for c in (program("writer"), "--username", "ann/../x", "--port", place.port)]
    for _ in range(2):
        assert subprocess.run(command, env=env, input=b"x\n", timeout=PATIENCE).returncode == 0
    states = [p for p in (place.folder / "xdg").rglob("*") if p.is_file()]
    assert [str(p.relative_to(place.folder / "xdg")) for p in states] == [f"pubsub/127.0.0.1_{place.port}/ann%2f..%2fx"]
    assert states[0].stat().st_mode & 0o777 == 0o600


def test_one_reader_for_each_state(place):
    place.serve()
    first = place.reader("bob")
    wait_until(lambda: (place.folder / "bob.state").exists(), "the state")
    wait_until(lambda: first.process.poll() is None, "the reader")
    second = place.start("second", *place.command("reader", "bob"))
    assert second.wait() == 75
    assert "another program reads with it" in second.said()


def test_no_server(place):
    for what in ("reader", "writer", "chat"):
        p = place.start(what, *place.command(what, "ann", "--param", "give_up=200ms"), stdin=subprocess.DEVNULL)
        assert p.wait() == 69
        assert f"no answer from 127.0.0.1 port {place.port}" in p.said()


def test_waiting_for_a_server(place):
    writer = place.writer("ann", "patient\n", "--wait", "--param", "give_up=2s")
    wait_until(lambda: "trying on" in writer.said(), "a first try")
    place.serve()
    assert writer.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_say_good_bye(place, number):
    place.serve("--trace")
    reader = place.reader("bob")
    place.writer("ann", "one\n").wait()
    await_lines(reader, 1)  # it knows that it is welcome
    assert reader.end(number) == 0
    wait_until(lambda: re.search(r"^#(\d+) < Entry\b(?s:.*)^#\1 > Leave\b", place.server.said(), re.M), "the good-bye")


def test_reader_whose_output_is_stuck_can_be_ended(place):
    place.serve()
    assert place.writer("ann", "\n".join("x" * 1000 for _ in range(300))).wait() == 0
    reading, writing = os.pipe()
    reader = subprocess.Popen([str(c) for c in place.command("reader", "bob")], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    try:
        state = place.folder / "bob.state"
        wait_until(lambda: state.exists() and int(state.read_text().split()[5]) >= 50, "a full pipe")
        reader.terminate()
        assert reader.wait(timeout=4) == 0, "it takes all the time that it would have for what is under way"
        noted = int(state.read_text().split()[5])
        there = b""
        while piece := os.read(reading, 65536):
            there += piece
        assert there.count(b"\n") == noted and there.endswith(b"\n")
    finally:
        reader.kill()
        os.close(reading)


def test_output_that_nobody_reads(place):
    place.serve()
    assert place.writer("ann", "one\ntwo\n").wait() == 0
    reading, writing = os.pipe()
    os.close(reading)
    reader = subprocess.run([str(c) for c in place.command("reader", "bob")], stdout=writing, stderr=subprocess.PIPE, timeout=PATIENCE)
    os.close(writing)
    assert reader.returncode == 74 and b"Broken pipe" in reader.stderr
    again = place.reader("bob")
    await_lines(again, 2)
    assert again.lines() == ["ann: one", "ann: two"]


@pytest.mark.parametrize("what", ["reader", "writer", "chat"])
def test_usage(what):
    said = subprocess.run([program(what), "-h"], capture_output=True, timeout=PATIENCE)
    assert said.returncode == 0 and b"--username NAME" in said.stdout and b"Exit status" in said.stdout
    for wrong in ([], ["--username", "x", "--port", "x"], ["--username", "x", "--delay", "0"], ["--username", ""], ["--username", "x" * 65],
                  ["--username", "x", "more"], ["--username", "x", "--param", "none=1"]):
        assert subprocess.run([program(what), *wrong], capture_output=True, timeout=PATIENCE).returncode == 64


# ---- chat -----------------------------------------------------------------------------


class Screen:
    """A terminal as far as a line editor needs one; `rows` are what a person sees, the oldest first, nothing scrolls away."""

    def __init__(self, columns):
        self.columns, self.rows, self.row, self.column, self.rest = columns, [[]], 0, 0, b""

    def text(self):
        return ["".join(row).rstrip() for row in self.rows]

    def feed(self, data):
        """What is cut in the middle of a character or of an escape sequence waits for its rest."""
        data = self.rest + data
        whole = len(data) - len(re.search(rb"(?:\x1b(?:\[[0-9;?]*)?)?\Z", data)[0])
        try:
            text, self.rest = data[:whole].decode(), data[whole:]
        except UnicodeDecodeError:
            self.rest = data
            return
        for escape, character in re.findall(r"\x1b\[([0-9;?]*[A-Za-z@])|([^\x1b])", text):
            if escape:
                self.escape(escape[-1], int(escape[:-1] or 1) if escape[:-1].isdigit() or not escape[:-1] else 0, escape[:-1])
            else:
                self.put(character)

    def row_now(self):
        while len(self.rows) <= self.row:
            self.rows.append([])
        row = self.rows[self.row]
        row.extend(" " * (self.column - len(row)))
        return row

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
            self.row_now()
        elif character == "\b":
            self.column = max(0, min(self.column, self.columns - 1) - 1)
        elif character >= " ":
            if self.column == self.columns:
                self.row, self.column = self.row + 1, 0
            row = self.row_now()
            row[self.column : self.column + 1] = [character]
            self.column += 1

    def escape(self, what, n, digits):
        row = self.row_now()
        if what == "A":
            self.row = max(0, self.row - n)
        elif what == "B":
            self.row += n
        elif what == "C":
            self.column = min(self.columns - 1, self.column + n)
        elif what == "D":
            self.column = max(0, self.column - n)
        elif what == "G":
            self.column = n - 1
        elif what == "J":
            del row[self.column :], self.rows[self.row + 1 :]
        elif what == "K":
            del row[self.column :]
        elif what == "P":
            del row[self.column : self.column + n]
        elif what == "@":
            row[self.column : self.column] = " " * n
        elif what not in "mhl":
            raise AssertionError(f"the terminal does not know {digits}{what}")


class Typist:
    """Someone at a terminal."""

    def __init__(self, command, columns):
        self.screen = Screen(columns)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.environ.update(TERM="xterm", LC_ALL="C.UTF-8")
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
            os.execv(command[0], [str(c) for c in command])

    def look(self):
        while select.select([self.fd], [], [], 0.01)[0]:
            try:
                data = os.read(self.fd, 65536)
            except OSError:
                data = b""
            if not data:
                break
            self.screen.feed(data)
        return self.screen.text()

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def await_screen(self, *rows):
        """The last rows of the screen, those that are empty at its end aside."""

        def seen():
            there = self.look()
            while there and not there[-1]:
                there.pop()
            return there[-len(rows) :] == list(rows)

        with contextlib.suppress(AssertionError):
            wait_until(seen, "the screen")
        there = self.look()
        while there and not there[-1]:
            there.pop()
        assert there[-len(rows) :] == list(rows), there

    def ended(self):
        pid, status = 0, None

        def reaped():
            nonlocal pid, status
            self.look()
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            return pid

        wait_until(reaped, "the end")
        self.pid = 0
        return os.waitstatus_to_exitcode(status)

    def close(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        os.close(self.fd)


@pytest.fixture
def typist(place):
    place.serve("--trace")
    someone = []

    def begin(user, columns=60, *options):
        someone.append(Typist(place.command("chat", user, *options), columns))
        return someone[-1]

    yield begin
    for t in someone:
        t.close()


def test_line_that_comes_while_one_is_typed_does_not_tear_it(place, typist):
    t = typist("carl")
    t.await_screen("carl>")
    t.type("half a l\u00eene")
    t.await_screen("carl> half a l\u00eene")
    place.writer("ann", "one\n\u00e9\ntwo\n").wait()
    t.await_screen("ann: one", "ann: \u00e9", "ann: two", "carl> half a l\u00eene")
    t.type(", whole")
    t.await_screen("ann: two", "carl> half a l\u00eene, whole")
    t.type("\r")
    t.await_screen("ann: one", "ann: \u00e9", "ann: two", "carl: half a l\u00eene, whole", "carl>")
    t.type("\x04")
    assert t.ended() == 0
    assert t.look()[:4] == ["ann: one", "ann: \u00e9", "ann: two", "carl: half a l\u00eene, whole"]


def test_long_line_that_is_typed_is_not_torn_either(place, typist):
    t = typist("carl", 40)
    t.await_screen("carl>")
    t.type("x" * 34)  # up to the margin
    t.await_screen("carl> " + "x" * 34)
    place.writer("ann", "one\n").wait()
    t.await_screen("ann: one", "carl> " + "x" * 34)
    t.type("y" * 50)
    t.await_screen("ann: one", "carl> " + "x" * 34, "y" * 40, "y" * 10)
    place.writer("ann", "two\n").wait()
    t.await_screen("ann: one", "ann: two", "carl> " + "x" * 34, "y" * 40, "y" * 10)
    t.type("\x01")  # to its beginning
    place.writer("ann", "three\n").wait()
    t.await_screen("ann: one", "ann: two", "ann: three", "carl> " + "x" * 34, "y" * 40, "y" * 10)
    t.type("z\x05\r")  # from its end
    t.await_screen("ann: three", "carl: z" + "x" * 33, "x" + "y" * 39, "y" * 11, "carl>")
    t.type("again\r")
    t.await_screen("y" * 11, "carl: again", "carl>")


def test_lines_come_while_a_key_is_half_there(place, typist):
    t = typist("carl")
    t.await_screen("carl>")
    t.type("ab\x1b")
    t.await_screen("carl> ab")
    place.writer("ann", "one\n").wait()
    t.await_screen("ann: one", "carl> ab")
    t.type("[D!")
    t.await_screen("ann: one", "carl> a!b")


def test_control_characters_of_others_do_not_reach_the_terminal(place, typist):
    t = typist("carl")
    t.await_screen("carl>")
    place.writer("ann", "\x1b[2Jgone\x07 \u009b2J\n").wait()
    t.await_screen("ann: ?[2Jgone? ??2J", "carl>")


def test_chat_says_what_it_misses_above_the_line(place, typist):
    t = typist("carl", 100, "--param", "give_up=2s")
    t.await_screen("carl>")
    t.type("one\r")
    t.await_screen("carl: one", "carl>")
    await_stored(place, "one")
    place.server.kill()
    t.type("two\rthr")
    t.await_screen("carl: one", "chat: line 2: the server did not say that it is stored",
                   f"chat: no answer from 127.0.0.1 port {place.port}; trying on", "carl> thr")
    place.restart_server()
    t.await_screen("chat: registered again", "carl> thr")
    t.type("ee\r")
    t.await_screen("carl: three", "carl>")


def test_interrupt_at_the_terminal(place, typist):
    t = typist("carl")
    t.await_screen("carl>")
    t.type("half\x03")
    assert t.ended() == 0


def test_chat_without_a_terminal_reads_and_writes(place):
    place.serve()
    ann, bob = (place.start(user, *place.command("chat", user), stdin=subprocess.PIPE) for user in ("ann", "bob"))
    for p, line in ((ann, b"hi\n"), (bob, b"hello\n")):
        before = len(ann.lines())
        p.process.stdin.write(line)
        p.process.stdin.flush()
        for each in (ann, bob):
            await_lines(each, before + 1)
    for p in (ann, bob):
        p.process.stdin.close()
        assert p.wait() == 0
        assert p.lines() == ["ann: hi", "bob: hello"]
