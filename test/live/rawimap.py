# SPDX-License-Identifier: Apache-2.0
"""An IMAP client that hides nothing: every response comes back as a list, literals included, so
tests can hold each of them against the standard. It knows no command."""
import re
import socket
import zlib

from conftest import PASSWORD

TOKEN = re.compile(rb'[()]|"(?:[^"\\]|\\.)*"|[^\s()"\[]*\[[^\]]*\](?:<\d+>)?|[^\s()"]+')


class Text(bytes):
    """A quoted string or a literal: never NIL, never a number."""


class Answer:
    """A tagged response and the untagged ones before it."""

    def __init__(self, status, code, text, untagged):
        self.status, self.code, self.text, self.untagged = status, code, text, untagged

    def __repr__(self):
        return f"{self.status} {self.code} {self.text} {self.untagged[:5]}"

    def of(self, name):
        """The untagged responses of this name, less the name ("* SEARCH 1 2", "* 3 EXISTS")."""
        found = []
        for r in self.untagged:
            if r[0] == name:
                found.append(r[1:])
            elif len(r) > 1 and r[1] == name:
                found.append([int(r[0])] + r[2:])
        return found

    def codes(self):
        """Of the untagged OK responses."""
        return [r[1] for r in self.untagged if r[0] == b"OK" and r[1]]


def unquote(token):
    return Text(re.sub(rb"\\(.)", rb"\1", token[1:-1]))


def parse_list(pieces):
    """Text and literals, alternating, as nested lists."""
    stack = [[]]
    for piece in pieces:
        if isinstance(piece, Text):
            stack[-1].append(piece)
            continue
        for token in TOKEN.findall(piece):
            if token == b"(":
                stack.append([])
            elif token == b")":
                done = stack.pop()
                stack[-1].append(done)
            elif token[:1] == b'"':
                stack[-1].append(unquote(token))
            else:
                stack[-1].append(token)
    assert len(stack) == 1, pieces
    return stack[0]


def parse_status(rest):
    """[status, code or None, text] of what follows "* " or the tag."""
    status, _, text = rest.partition(b" ")
    code = None
    if text.startswith(b"["):
        code, _, text = text[1:].partition(b"]")
        text = text.lstrip(b" ")
    return [status, code, text]


STATUS = (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH")


def pairs(items):
    """FETCH or STATUS items as a dictionary."""
    assert len(items) % 2 == 0, items
    found = dict(zip(items[::2], items[1::2]))
    assert len(found) == len(items) // 2, items
    return found


def numbers(text):
    """A sequence set's numbers."""
    found = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        found += range(int(first), int(last or first) + 1)
    return found


class Imap:
    def __init__(self, server, user=None, service="imaps", password=PASSWORD, timeout=30,
                 proxy=b""):
        self.s = socket.create_connection(("127.0.0.1", server.port(service)), timeout)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if proxy:
            self.s.sendall(proxy)
        if service == "imaps":
            self.s = server.context().wrap_socket(self.s, server_hostname=server.domain)
        self.inbox = b""
        self.inflate = self.deflate = None
        self.n = 0
        self.greeting = self.response()
        assert self.greeting[0] == b"OK", self.greeting
        if user:
            self.ok(b'LOGIN "%s" "%s"' % (user.encode(), password.encode()))

    def send(self, data):
        if self.deflate:
            data = self.deflate.compress(data) + self.deflate.flush(zlib.Z_SYNC_FLUSH)
        self.s.sendall(data)

    def fill(self):
        data = self.s.recv(65536)
        if not data:
            raise ConnectionError(f"cut off behind {self.inbox!r}")
        self.inbox += self.inflate.decompress(data) if self.inflate else data

    def line(self):
        start = 0
        while True:
            end = self.inbox.find(b"\n", start)
            if end >= 0:
                break
            start = len(self.inbox)
            self.fill()
        line, self.inbox = self.inbox[:end + 1], self.inbox[end + 1:]
        assert line.endswith(b"\r\n") and b"\r" not in line[:-2] and b"\0" not in line, line
        return line[:-2]

    def octets(self, n):
        if len(self.inbox) < n:
            chunks, have = [self.inbox], len(self.inbox)
            while have < n:
                self.inbox = b""
                self.fill()
                chunks.append(self.inbox)
                have += len(self.inbox)
            self.inbox = b"".join(chunks)
        data, self.inbox = self.inbox[:n], self.inbox[n:]
        return data

    def response(self):
        """The next: [b"*"...] without the star, [b"+", text], or [tag, status, code, text]."""
        line = self.line()
        head, _, rest = line.partition(b" ")
        if head == b"+":
            return [b"+", rest]
        if head != b"*":
            return [head, *parse_status(rest)]
        if rest.partition(b" ")[0] in STATUS:
            return parse_status(rest)
        pieces = [rest]
        while True:
            m = re.search(rb"~?\{(\d+)\}$", pieces[-1])
            if not m:
                return parse_list(pieces)
            pieces[-1] = pieces[-1][:m.start()]
            pieces += [Text(self.octets(int(m[1]))), self.line()]

    def start(self, command):
        """Sends a command; literals may be in it as {n+}. Its tag."""
        self.n += 1
        tag = b"t%d" % self.n
        self.send(tag + b" " + command + b"\r\n")
        return tag

    def finish(self, tag, take=None):
        """Reads up to the tagged response; take(response) sees each untagged one at once."""
        untagged = []
        while True:
            r = self.response()
            if r[0] == tag:
                return Answer(r[1], r[2], r[3], untagged)
            if r[0] == b"BYE":
                raise ConnectionError(r)
            untagged.append(r)
            if take:
                take(r)

    def command(self, command, take=None):
        return self.finish(self.start(command), take)

    def ok(self, command, take=None):
        a = self.command(command, take)
        assert a.status == b"OK", (command[:200], a)
        return a

    def compress(self):
        self.ok(b"COMPRESS DEFLATE")
        self.inflate = zlib.decompressobj(-15)
        self.deflate = zlib.compressobj(wbits=-15)
        assert not self.inbox

    def append(self, mailbox, *messages, flags=b""):
        """One command however many messages; the UIDs."""
        command = b"APPEND %s" % mailbox
        for m in messages:
            command += b" (%s) {%d+}\r\n" % (flags, len(m)) + m
        a = self.ok(command)
        return numbers(a.code.split()[2])

    def logout(self):
        tag = self.start(b"LOGOUT")
        assert self.response()[0] == b"BYE"
        assert self.response()[:2] == [tag, b"OK"]
        self.close()

    def close(self):
        self.s.close()

