# SPDX-License-Identifier: Apache-2.0
"""The transcripts of test/dialog against a live server, over TLS where they say so. Their format
is described in test/dialog/README.md; the people and the mail they expect, in the dialog_test.c of
each protocol."""
import base64
import pathlib
import re
import socket
import ssl
import time
import zlib

import pytest
from conftest import ROOT, finish, make_server
from rawimap import Imap

FOLDER = ROOT / "test" / "dialog"
WAIT_MAX_MS = 1000  # what a wrong password costs; no file is worth more time

# What cannot run here, and why. Besides these, files with a longer wait are skipped.
SKIPPED = {
    "pop3/empty": "no client can bring in a message without any octet",
}
MARKS = {"== stop": "the end of the server is tested by others", "== wake": "in memory only",
         "== certificate": "in memory only: see test_client_certificates.py"}


def dialogs():
    for path in sorted(FOLDER.rglob("*.dialog")):
        name = str(path.relative_to(FOLDER))[:-len(".dialog")]
        if not name.startswith("session"):  # a protocol of its own
            yield pytest.param(path, id=name)


def reason_to_skip(name, text):
    for mark, reason in MARKS.items():
        if f"\n{mark}" in "\n" + text:
            return reason
    if any(int(ms) > WAIT_MAX_MS for ms in re.findall(r"(?m)^== wait (\d+)", text)):
        return "it waits too long"
    return SKIPPED.get(name)


class People:
    """Fresh accounts for each file, with settings as the protocol's own runner has them."""

    SETTINGS = {
        "imap": {"message_max": "100k"},
        "smtp": {"message_max": "64k", "recipients_max": "100", "smtp_errors_max": "10"},
        "pop3": {},
        "managesieve": {},
    }
    PASSWORDS = {"alice": "wonderland", "bob": "builder", "full": "fridge", "gone": "girl"}

    def __init__(self, server):
        self.server = server
        self.current = None
        self.made = []
        self.cli = server.cli
        self.cli("setting", "set", "login_failures_max=100000", "smtp_account_rate=100000")
        self.defaults = {key: self.cli("setting", "get", key).stdout.strip()
                         for settings in self.SETTINGS.values() for key in settings}

    def prepare(self, protocol):
        if protocol != self.current:
            settings = {**self.defaults, **self.SETTINGS[protocol]}
            self.cli("setting", "set", *(f"{k}={v}" for k, v in settings.items()))
            self.current = protocol
        for address in self.made:
            self.cli("account", "remove", address)
        self.made = [f"{name}@example.org" for name in self.PASSWORDS
                     if name != "gone" or protocol == "smtp"]
        for address in self.made:
            self.server.add_account(address, self.PASSWORDS[address.partition("@")[0]])
        getattr(self, protocol)()

    def imap(self):
        self.cli("account", "set", "full@example.org", "quota=1k")

    def pop3(self):
        large = b"Subject: four\r\n\r\n"
        i = 1
        while len(large) < 300000 - 30:
            large += b".line %d\r\n" % i
            i += 1
        large += b"x" * (300000 - 2 - len(large)) + b"\r\n"
        c = Imap(self.server, "alice@example.org", password="wonderland")
        for m in (b"Subject: one\r\n.x: y\r\n\r\nfirst\r\n.\r\n..two\r\nlast\r\n",
                  b"Subject: two\n\na\n.\nb\r\nc", b"\r\n", large, b"Subject: five\r\n"):
            c.append(b"INBOX", m)
        c.logout()

    def managesieve(self):
        """Nobody has scripts: the accounts are fresh."""

    def smtp(self):
        for alias, *targets in (("team", "alice@example.org", "bob@example.org"),
                                ("away", "somebody@example.net")):
            self.cli("alias", "remove", alias + "@example.org", check=False)
            self.cli("alias", "add", alias + "@example.org", *targets)
        c = Imap(self.server, "full@example.org", password="fridge")
        c.append(b"INBOX", b"Subject: x\r\n\r\n")
        c.logout()
        self.cli("account", "set", "full@example.org", "quota=1")
        self.cli("account", "set", "gone@example.org", "disabled=yes")


class Connection:
    def __init__(self, server, name, tls_first):
        self.server = server
        service = {"imap": ("imap", "imaps"), "pop3": ("pop3", "pop3s"), "smtp": ("smtp", None), "managesieve": ("managesieve", "managesieve"),
                   "smtp/submission": ("submission", "submissions")}
        folder = name.rpartition("/")[0]
        port = service.get(folder, service[folder.partition("/")[0]])[tls_first]
        self.s = socket.create_connection(("127.0.0.1", server.port(port)), 10)
        self.is_tls = False
        self.inbox = b""
        self.is_closed = False
        self.inflate = self.deflate = None
        if tls_first:
            if folder == "managesieve":
                self.ask_for_tls()
            self.start_tls()

    def ask_for_tls(self):
        """Where no port has TLS from the start, as if one had."""
        with self.s.makefile("rb") as answers:
            while not answers.readline().startswith(b"OK "):
                pass
            self.s.sendall(b"STARTTLS\r\n")
            assert answers.readline().startswith(b"OK ")

    def start_tls(self):
        assert not self.inbox, self.inbox
        self.s = self.server.context().wrap_socket(self.s, server_hostname="example.org")
        self.is_tls = True

    def compress(self):
        self.inflate, self.deflate = zlib.decompressobj(-15), zlib.compressobj(wbits=-15)

    def send(self, data):
        if self.deflate:
            data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        try:
            self.s.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
            pass  # what it said before is still looked at

    def fill(self):
        try:
            data = self.s.recv(65536)
        except (ConnectionResetError, ssl.SSLEOFError):
            data = b""
        if not data:
            self.is_closed = True
        self.inbox += self.inflate.decompress(data) if self.inflate else data
        return data

    def line(self):
        while b"\r\n" not in self.inbox:
            assert self.fill(), f"closed behind {self.inbox!r}"
        line, _, self.inbox = self.inbox.partition(b"\r\n")
        return line

    def octets(self, n):
        while len(self.inbox) < n:
            assert self.fill(), f"closed behind {self.inbox!r}"
        octets, self.inbox = self.inbox[:n], self.inbox[n:]
        return octets

    def eof(self):
        if self.is_tls:
            self.s = self.s.unwrap()  # waits for the server's close_notify: it has nothing to say
            self.is_tls = False
        else:
            self.s.shutdown(socket.SHUT_WR)

    def closed(self):
        while not self.is_closed:
            self.fill()
        assert not self.inbox, self.inbox

    def nothing_more(self):
        if not self.is_closed:
            self.s.settimeout(0.05)
            try:
                self.fill()
            except TimeoutError:
                pass
        assert not self.inbox, f"more than expected: {self.inbox!r}"


ELEMENT = re.compile(
    rb"\\x([0-9a-fA-F]{2})|\\([rnt\\*{$])|\{repeat (\d+) ([^}]*)\}|\$\{(\w+)\}|(\*)", re.S)
PLAIN = {b"r": b"\r", b"n": b"\n", b"t": b"\t"}


class Run:
    def __init__(self, server, path, name):
        self.server, self.name = server, name
        self.lines = path.read_bytes().split(b"\n")
        self.tls_first = b"== tls-first" in self.lines
        self.connections = {}
        self.names = {}
        self.last_sent = b""

    def connection(self, number):
        if number not in self.connections:
            self.connections[number] = Connection(self.server, self.name, self.tls_first)
        return self.connections[number]

    def elements(self, text):
        """Literal octets, and what stands for others: ("name", n), ("any",)."""
        at = 0
        for m in ELEMENT.finditer(text):
            yield text[at:m.start()]
            at = m.end()
            if m[1]:
                yield bytes([int(m[1], 16)])
            elif m[2]:
                yield PLAIN.get(m[2], m[2])
            elif m[3]:
                yield m[4] * int(m[3])
            elif m[5]:
                yield ("name", m[5])
            else:
                yield ("any",)
        yield text[at:]

    def text(self, text):
        return b"".join(e if isinstance(e, bytes) else b"*" if e[0] == "any" else self.names[e[1]]
                        for e in self.elements(text))

    def matches(self, pattern, line):
        """Names get what they stand for."""
        regex, new = b"", []
        if pattern.startswith(b"* "):
            regex, pattern = rb"\* ", pattern[2:]
        for e in self.elements(pattern):
            if isinstance(e, bytes):
                regex += re.escape(e)
            elif e[0] == "any":
                regex += b".*?"
            elif e[1] in self.names:
                regex += re.escape(self.names[e[1]])
            elif e[1] in new:
                regex += b"(?P=%s)" % e[1]
            else:
                regex += b"(?P<%s>.*?)" % e[1]
                new.append(e[1])
        m = re.fullmatch(regex, line, re.S)
        if m:
            self.names.update({k.encode(): v for k, v in m.groupdict().items()})
        return m

    def act(self, word, number):
        if word == b"wait":
            time.sleep(number / 1000)
        elif word not in (b"tls-first", b"stepwise"):
            c = self.connection(number or 1)
            {b"tls": c.start_tls, b"eof": c.eof, b"closed": c.closed}[word]()

    def expect(self, c, pattern, may_skip):
        while True:
            line = c.line()
            if self.matches(pattern, line):
                break
            assert may_skip, (line, pattern)
        if self.last_sent.endswith(b" COMPRESS DEFLATE") and line.split()[1:2] == [b"OK"]:
            c.compress()

    def step(self, line, after_any):
        """True: any lines may come now."""
        if line.startswith(b"== "):
            word, _, number = line[3:].partition(b" ")
            self.act(word, int(number or 0))
            return False
        m = re.fullmatch(rb"([CS])([1-9]?)([-+]?):(?: (.*))?", line, re.S)
        assert m, line
        c = self.connection(int(m[2] or 1))
        text = m[4] or b""
        if m[1] == b"C":
            self.last_sent = text
            c.send(base64.b64decode(text) if m[3] == b"+" else
                   self.text(text) + (b"" if m[3] else b"\r\n"))
        elif m[3]:
            octets = base64.b64decode(text)
            assert c.octets(len(octets)) == octets
        elif text == b"...":
            return True
        else:
            self.expect(c, text, after_any)
        return False

    def run(self):
        after_any = False
        for number, line in enumerate(self.lines):
            if not line.strip() or line.startswith(b"#"):
                continue
            try:
                after_any = self.step(line, after_any)
            except (AssertionError, OSError, KeyError) as e:
                raise AssertionError(f"line {number + 1}: {line!r}") from e
        for c in self.connections.values():
            c.nothing_more()
            c.s.close()


@pytest.fixture(scope="module")
def people():
    server = make_server().start()
    yield People(server)
    finish(server)


@pytest.mark.parametrize("path", dialogs())
def test_transcript(people, path, request):
    name = str(path.relative_to(FOLDER))[:-len(".dialog")]
    reason = reason_to_skip(name, path.read_text(errors="replace"))
    if reason:
        pytest.skip(reason)
    people.prepare(name.partition("/")[0])
    Run(people.server, path, name).run()


def test_what_is_wrong_is_seen(people, tmp_path):
    """That the runner can fail: answers that differ, are missing, or are too many."""
    people.prepare("pop3")
    for text in ("S: +OK *\nC: CAPA\nS: -ERR *\n", "S: +OK *\nC: CAPA\nS: +OK *\n",
                 "S: +OK *\nC: QUIT\nS: +OK ${A}\nS: ${A}\n", "S: +OK *\n== nonsense\n"):
        path = pathlib.Path(tmp_path / "x.dialog")
        path.write_text(text)
        with pytest.raises(AssertionError):
            Run(people.server, path, "pop3/x").run()
