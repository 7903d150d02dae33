# SPDX-License-Identifier: Apache-2.0
"""What nobody should send: every protocol answers with a clear error where it has one, keeps its
memory bounded, and serves the others meanwhile."""

import contextlib
import re
import resource
import select
import socket
import ssl
import threading
import time
import zlib

import pytest
from conftest import PASSWORD, finish, make_server
from hostile import ENV, SLOW, Raw, connect, under_attack
from mailtools import Smtp
from rawimap import Imap, pairs

pytestmark = pytest.mark.sanitized
BOB = "bob@example.org"


@pytest.fixture(scope="module")
def hostile():
    server = make_server(env=ENV).start()
    server.add_account("other@example.org")
    server.add_account(BOB)
    server.cli("setting", "set", "login_failures_max=100000", "smtp_timeout_s=10",
               "pop3_timeout_s=10")
    yield server
    finish(server)


@pytest.fixture(scope="module", autouse=True)
def slow_senders(hostile):
    """They begin with the first test; the last one looks what has become of them."""
    slow = SlowSenders(hostile)
    yield slow
    slow.stop.set()
    for t in slow.threads:
        t.join()


def short(value):
    """Names of parameters that can be printed."""
    if isinstance(value, bytes):
        return re.sub(r"[^ -~]", "?", value[-24:].decode("latin-1"))
    return None


# Slow and half-open senders

CLIENT_HELLO = b"\x16\x03\x01\x01\x00\x01\x00\x00\xfc\x03\x03"


class SlowSenders:
    """Each sends an octet at a time, never a whole line, and notes when it was sent away."""

    KINDS = {
        # name: (service, what it says first, what it then drips, how long it may last at most)
        "smtp command": ("smtp", b"", b"EHLO " + b"x" * 500, 12),
        "smtp data": ("smtp", b"EHLO a\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\n"
                              b"DATA\r\n", b"x" * 500, 12),
        "smtp silence": ("smtp", b"", b"", 12),
        "pop3 command": ("pop3", b"", b"USER " + b"x" * 500, 12),
        "imap command": ("imap", b"", b"a LOGIN " + b"x" * 500, 65),
        "imap literal": ("imap", b"a LOGIN {400+}\r\n", b"x" * 390, 65),
        "http head": ("http", b"GET / HTTP/1.1\r\nHost: example.org\r\n", b"X: " + b"x" * 500, 17),
        "https head": ("https", b"GET / HTTP/1.1\r\nHost: example.org\r\n", b"X: " + b"x" * 500, 17),
        "http silence": ("http", b"", b"", 17),
        "http body": ("https", b"POST /api/v1/session HTTP/1.1\r\nHost: example.org\r\n"
                               b"Content-Type: application/json\r\nContent-Length: 500\r\n\r\n",
                      b"x" * 490, 65),
        "handshake": ("imaps plain", CLIENT_HELLO, b"x" * 240, 32),
        "https handshake": ("https plain", CLIENT_HELLO, b"x" * 240, 32),
    }

    def __init__(self, server):
        self.server = server
        self.stop = threading.Event()
        self.ended = {}  # name: (seconds, what was said at last)
        self.threads = [threading.Thread(target=self.run, args=(name,)) for name in self.KINDS]
        for t in self.threads:
            t.start()

    def run(self, name):
        service, first, drip, _ = self.KINDS[name]
        began = time.monotonic()
        said = b""
        service, _, plain = service.partition(" ")
        s = connect(self.server, service)
        if service in ("https", "imaps") and not plain:
            s = self.server.context().wrap_socket(s)
        with contextlib.suppress(OSError):
            s.sendall(first)
            sent = 0
            while not self.stop.is_set():
                if sent < len(drip):
                    s.sendall(drip[sent:sent + 1])
                    sent += 1
                s.settimeout(0.3)
                try:
                    data = s.recv(10000)
                except TimeoutError:
                    continue
                if not data:
                    break
                said += data
        self.ended[name] = (time.monotonic() - began, said)
        s.close()


# Long lines

LONG = b"x" * 100000


@pytest.mark.parametrize("service,line,answer", [
    ("smtp", LONG, b"500 5.5.6 "),
    ("smtp", b"MAIL FROM:<" + LONG + b">", b"500 5.5.6 "),
    ("submission", b"EHLO " + LONG, b"500 5.5.6 "),
    ("submissions", b"AUTH PLAIN " + LONG, b"500 5.5.6 "),
    ("imap", LONG, rb"\* BAD "),
    ("imaps", b'a LOGIN "' + LONG + b'" x', rb"\* BAD "),
    ("imaps", b"a AUTHENTICATE PLAIN " + LONG, rb"\* BAD "),
    ("pop3", LONG, b"-ERR line too long"),
    ("pop3s", b"USER " + LONG, b"-ERR line too long"),
], ids=short)
def test_a_long_line_is_an_error_and_the_session_goes_on(hostile, service, line, answer):
    with under_attack(hostile):
        c = Raw(hostile, service)
        assert re.match(answer, c.command(line))
        last = c.command(b"a LOGOUT" if service.startswith("imap") else b"QUIT")
        assert re.match(rb"221 |\* BYE |\+OK ", last), last
        c.close()


def test_long_lines_after_login(hostile):
    with under_attack(hostile):
        c = Imap(hostile, BOB)
        c.send(b"a SEARCH SUBJECT " + LONG + b"\r\n")
        assert c.response()[0] == b"BAD"
        c.ok(b"NOOP")
        c.logout()
        p = Raw(hostile, "pop3s")
        assert p.command(b"USER " + BOB.encode()).startswith(b"+OK")
        assert p.command(b"PASS " + PASSWORD.encode()).startswith(b"+OK")
        assert p.command(b"RETR " + LONG).startswith(b"-ERR")
        assert p.command(b"QUIT").startswith(b"+OK")


def test_a_line_without_end(hostile):
    """64 MiB of one line: dropped as it comes."""
    with under_attack(hostile, grows_mib=16):
        for service, answer in (("smtp", b"500 5.5.6 "), ("imap", b"* BAD "), ("pop3", b"-ERR ")):
            c = Raw(hostile, service)
            for _ in range(64):
                c.send(b"x" * (1 << 20))
            assert c.command(b"").startswith(answer)
            c.close()


# NULs, bare line ends, invalid UTF-8, bad base64

@pytest.mark.parametrize("octets", [b"NO\0OP\r\n", b"\0\r\n", b"NO\rOP\r\n", b"NO\nOP\r\n"],
                         ids=short)
@pytest.mark.parametrize("service,answer", [("smtp", b"5"), ("imap", b"* BAD "), ("pop3", b"-ERR")],
                         ids=short)
def test_octets_that_no_command_has(hostile, service, octets, answer):
    c = Raw(hostile, service)
    c.send(octets)
    assert c.line().startswith(answer)
    assert re.match(rb"250 |a OK |\+OK", c.command({"smtp": b"NOOP", "imap": b"a NOOP",
                                                    "pop3": b"CAPA"}[service]))
    c.close()


BAD_BASE64 = [b"!!!!", b"AGFsaWNl=AHg=", b"A", b"====", b"\xff\xfe", b"AGFsaWNlAHg", b"AG Fs", b"-"]


@pytest.mark.parametrize("text", BAD_BASE64, ids=short)
@pytest.mark.parametrize("service,begin,go_on,answer", [
    ("submissions", b"AUTH PLAIN", b"334", b"501 |535 "),
    ("imaps", b"a AUTHENTICATE PLAIN", b"+", b"a (BAD|NO) "),
    ("pop3s", b"AUTH PLAIN", b"+", b"-ERR "),
], ids=short)
def test_bad_base64(hostile, service, begin, go_on, answer, text):
    c = Raw(hostile, service)
    if service == "submissions":
        c.command(b"EHLO a")
    assert c.command(begin).startswith(go_on)
    assert re.match(answer, c.command(text))
    assert c.command(begin).startswith(go_on)
    assert re.match(b"501 |a (BAD|NO) |-ERR ", c.command(b"*"))
    c.close()


def test_invalid_utf8(hostile):
    c = Imap(hostile, BOB)
    c.ok(b"ENABLE UTF8=ACCEPT")
    for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"a\xc3"):
        assert c.command(b'CREATE "%s"' % bad).status in (b"BAD", b"NO"), bad
        assert c.command(b"CREATE {%d+}\r\n%s" % (len(bad), bad)).status in (b"BAD", b"NO"), bad
        assert c.command(b'SEARCH CHARSET UTF-8 SUBJECT "%s"' % bad).status in (b"BAD", b"NO"), bad
    c.logout()
    s = Smtp(hostile)
    assert s.command(b"MAIL FROM:<\xff\xfe@b.example> SMTPUTF8") in (501, 553)
    assert s.command(b"MAIL FROM:<a@b.example> SMTPUTF8") == 250
    assert s.command(b"RCPT TO:<bob\xc3@example.org>") in (501, 553)
    s.close()
    assert post(hostile, b'{"login":"\xff\xfe","password":"x"}') == 400


# SMTP smuggling

@pytest.mark.parametrize("end", [b"\n.\r\n", b"\n.\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r.\r\n",
                                 b"\n.\r", b"\r.\n", b"\r\n\n.\r\n", b"\r\r\n.\r\n", b"\n\r\n.\r\n",
                                 b"\0\n.\r\n"], ids=short)
@pytest.mark.parametrize("pieces", [False, True])
def test_smuggling(hostile, end, pieces):
    """No end of data but CRLF . CRLF: nothing behind another is obeyed, nothing is delivered."""
    c = Raw(hostile, "smtp")
    for line in (b"EHLO a", b"MAIL FROM:<a@b.example>", b"RCPT TO:<%s>" % BOB.encode(), b"DATA"):
        assert re.match(b"250 |354 ", c.command(line))
    octets = (b"Subject: first\r\n\r\ntext" + end + b"MAIL FROM:<smuggled@b.example>\r\n"
              b"RCPT TO:<bob@example.org>\r\nDATA\r\nSubject: smuggled\r\n\r\nx\r\n.\r\nQUIT\r\n")
    for i in range(0, len(octets), 1 if pieces else len(octets)):
        c.send_anyway(octets[i:i + (1 if pieces else len(octets))])
    answer = c.rest()
    assert re.fullmatch(rb"521 5\.6\.0 [^\r\n]*\r\n", answer), answer
    i = Imap(hostile, BOB)
    assert i.ok(b"EXAMINE INBOX").of(b"EXISTS") == [[0]]
    i.logout()


def test_a_nul_in_a_message_comes_back(hostile):
    """What is kept is what came, and the part with the NUL can be had as BINARY (RFC 3516)."""
    hostile.add_account("nul@example.org")
    s = Smtp(hostile)
    assert s.send("a@b.example", ["nul@example.org"], b"Subject: n\r\n\r\na\0b\r\n") == 250
    s.close()
    c = Imap(hostile, "nul@example.org")
    c.ok(b"SELECT INBOX")
    (_, items), = c.ok(b"FETCH 1 (BODY.PEEK[TEXT] BINARY.PEEK[1])").of(b"FETCH")
    assert pairs(items)[b"BODY[TEXT]"] == pairs(items)[b"BINARY[1]"] == b"a\0b\r\n"
    c.logout()


# STARTTLS

@pytest.mark.parametrize("service,before,command,injected,probe,fresh", [
    ("smtp", [b"EHLO a"], b"STARTTLS", b"EHLO evil\r\nMAIL FROM:<e@vil.example>\r\n",
     b"RCPT TO:<bob@example.org>", b"503 "),
    ("submission", [b"EHLO a"], b"STARTTLS", b"EHLO evil\r\nMAIL FROM:<e@vil.example>\r\n",
     b"RCPT TO:<bob@example.org>", b"503 "),
    ("imap", [], b"a STARTTLS", b"b NOOP\r\nc LOGIN {5+}\r\nalice x\r\n", b"d NOOP", b"d OK "),
    ("pop3", [], b"STLS", b"USER evil\r\nPASS x\r\n", b"PASS x", b"-ERR USER comes first"),
], ids=short)
@pytest.mark.parametrize("late", [False, True])
def test_commands_behind_starttls(hostile, service, before, command, injected, probe, fresh, late):
    """RFC 3207 section 4.2: dropped, or the handshake fails; never obeyed."""
    c = Raw(hostile, service)
    for line in before:
        c.command(line)
    c.send(command + b"\r\n" + (b"" if late else injected))
    assert re.match(rb"220 |a OK |\+OK ", c.line())
    if late:
        c.send(injected)
    assert not c.inbox
    try:
        c.starttls(hostile)
    except (ssl.SSLError, ConnectionError):
        assert late, "what came in one piece with STARTTLS was not dropped"
        return
    assert c.command(probe).startswith(fresh)
    c.s.settimeout(0.2)
    with pytest.raises(TimeoutError):
        c.line()
    c.close()


# IMAP: literals, parentheses

@pytest.mark.parametrize("login", [False, True])
@pytest.mark.parametrize("size", [b"4294967295", b"4294967296", b"18446744073709551616",
                                  b"99999999999999999999999", b"10000000"], ids=short)
def test_literal_bombs(hostile, login, size):
    with under_attack(hostile, grows_mib=16):
        for waits in (True, False):
            c = Imap(hostile, BOB if login else None)
            literal = b"{%s%s}\r\n" % (size, b"" if waits else b"+")
            c.send(b"x " + (b"SEARCH SUBJECT " if login else b"LOGIN ") + literal)
            answer = c.response()
            if waits:
                assert answer[0] == b"x" and answer[1] in (b"BAD", b"NO"), answer
                c.ok(b"NOOP")
            else:
                assert answer[0] == b"BYE", answer
            c.close()


def test_append_bombs(hostile):
    with under_attack(hostile, grows_mib=16):
        for size in (b"4294967295", b"99999999999999999999", b"60000000"):
            c = Imap(hostile, BOB)
            a = c.command(b"APPEND INBOX {%s}" % size)
            assert a.status == b"NO" and a.code == b"TOOBIG", a
            c.send(b"x APPEND INBOX {%s+}\r\n" % size)
            assert c.response()[0] == b"BYE"
            c.close()


NESTED = 30000


@pytest.mark.parametrize("command", [
    b"SEARCH " + b"(" * NESTED + b"ALL" + b")" * NESTED,
    b"SEARCH " + b"(" * 2 * NESTED,
    b"SEARCH " + b"NOT " * (NESTED // 2) + b"ALL",
    b"SEARCH " + b"OR " * 9000 + b" ".join([b"ALL"] * 9001),
    b"FETCH 1 " + b"(" * 2 * NESTED,
    b"FETCH 1 BODY[" + b"1." * NESTED + b"1]",
    b"FETCH 1 (" + b"BODY[1] " * 7000 + b"FLAGS)",
    b"LIST (" + b"(" * NESTED + b") \"\" *",
    b"STORE 1 FLAGS " + b"(" * NESTED,
    b"ID " + b"(" * NESTED,
    b"SEARCH " + b",".join(b"%d" % i for i in range(1, 10000, 1)),
    b"SEARCH UID 1:4294967295," + b",".join(b"1:*" for _ in range(10000)),
    b"LIST \"\" \"" + b"%*" * 20000 + b"a\"",
    b"SORT (" + b"REVERSE " * 7000 + b"DATE) UTF-8 ALL",
], ids=short)
def test_nested_and_repeated(hostile, command):
    """Parentheses in a line of their length at most; with literals a command has no more room."""
    with under_attack(hostile, grows_mib=32):
        c = Imap(hostile, BOB)
        uid, = c.append(b"INBOX", b"Subject: x\r\n\r\nx\r\n")
        c.ok(b"SELECT INBOX")
        began = time.monotonic()
        a = c.command(command)
        assert a.status in (b"BAD", b"NO", b"OK")
        assert time.monotonic() - began < 2 * SLOW
        deep = command.count(b"((") or command.count(b"NOT ") or command.count(b"OR ")
        assert not deep or a.status == b"BAD", a
        c.ok(b"UID STORE %d +FLAGS.SILENT (\\Deleted)" % uid)
        c.ok(b"EXPUNGE")
        c.logout()


def test_a_hundred_thousand_parentheses(hostile):
    """Longer than a line may be."""
    with under_attack(hostile):
        c = Imap(hostile, BOB)
        c.ok(b"EXAMINE INBOX")
        c.send(b"x SEARCH " + b"(" * 100000 + b"\r\n")
        assert c.response()[0] == b"BAD"
        c.ok(b"NOOP")
        c.logout()


# Floods

def flood(server, c, piece, most):
    """Sends without reading until the server takes no more; then reads all answers. How much was
    sent."""
    sent = 0
    c.setblocking(False)
    while sent < most:
        _, writable, _ = select.select([], [c], [], 1)
        if not writable:
            break
        try:
            n = c.send(piece[sent % len(piece):])
        except (BlockingIOError, ssl.SSLWantWriteError):
            continue
        sent += n
    return sent


@pytest.mark.parametrize("service,first,line", [
    ("smtp", b"", b"NOOP\r\n"),
    ("smtp", b"", b"EHLO a\r\n"),
    ("pop3", b"", b"CAPA\r\n"),
    ("imap", b"", b"a CAPABILITY\r\n"),
    ("http", b"", b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"),
    ("http", b"", b"GET /pki/example.org/cert.pem HTTP/1.1\r\nHost: example.org\r\n\r\n"),
], ids=short)
def test_a_flood_of_commands_whose_answers_nobody_reads(hostile, service, first, line):
    """The server stops reading; it does not pile up answers."""
    with under_attack(hostile, grows_mib=24, wait_s=4):
        c = connect(hostile, service)
        most = 64 << 20
        sent = flood(hostile, c, first + line * (1 << 14), most)
        assert sent < most, "it read on and on"
        c.close()


def test_a_flood_of_fetches_whose_answers_nobody_reads(hostile):
    with under_attack(hostile, grows_mib=48, wait_s=4):
        c = Imap(hostile, BOB)
        c.append(b"INBOX", b"Subject: large\r\n\r\n" + (b"x" * 78 + b"\r\n") * 60000)
        c.ok(b"SELECT INBOX")
        clients = []
        for _ in range(20):
            d = Imap(hostile, BOB)
            d.ok(b"EXAMINE INBOX")
            d.send(b"".join(b"f%d FETCH 1 BODY.PEEK[]\r\n" % i for i in range(100)))
            clients.append(d)
        time.sleep(2)
        for d in clients:
            d.close()
        c.ok(b"STORE 1:* +FLAGS.SILENT (\\Deleted)")
        c.ok(b"EXPUNGE")
        c.logout()


def test_a_decompression_bomb(hostile):
    """256 MiB that are 256 KiB on the wire: as a line, as a literal, as a message."""
    bomb = zlib.compressobj(9, wbits=-15)
    packed = b"".join(bomb.compress(b"\0" * (1 << 20)) for _ in range(256))
    packed += bomb.compress(b"\r\n") + bomb.flush(zlib.Z_SYNC_FLUSH)
    assert len(packed) < 1 << 20
    for first in (b"", b"x SEARCH SUBJECT {100000+}\r\n", b"x APPEND INBOX {268435456+}\r\n"):
        with under_attack(hostile, grows_mib=64, wait_s=4):
            c = Imap(hostile, BOB)
            c.compress()
            c.send(first)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLError):
                c.s.sendall(packed)
            assert c.response()[0] in (b"BAD", b"BYE")
            c.close()


# Many connections

def raise_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


@pytest.mark.parametrize("service,n,kib", [("imap", 10000, 12), ("http", 2000, 40)])
def test_many_connections_from_this_machine(hostile, service, n, kib):
    """They are not counted one by one; each costs little."""
    if raise_files() < n + 500:
        pytest.skip("not enough descriptors are allowed")
    held = []
    try:
        with under_attack(hostile, grows_mib=n * kib // 1024 + 32, wait_s=4):
            for _ in range(n):
                held.append(connect(hostile, service, timeout=60))
            if service == "imap":
                for s in held[::97]:
                    assert s.recv(1000).startswith(b"* OK ")
    finally:
        for s in held:
            s.close()
    with under_attack(hostile):
        pass


PROXY = b"PROXY TCP4 192.0.2.1 192.0.2.2 1000 %d\r\n"


@pytest.fixture(scope="module")
def proxied():
    server = make_server(env=ENV).start()
    server.add_account("other@example.org")
    server.add_account(BOB)
    server.cli("setting", "set", "proxies=127.0.0.1", "connections_max=300")
    yield server
    finish(server)


def test_ten_thousand_connections_from_one_peer(proxied):
    """All but peer_connections_max are closed at once; others get in."""
    other = b"PROXY TCP4 198.51.100.7 192.0.2.2 1000 25\r\n"
    with under_attack(proxied, grows_mib=32, wait_s=4, proxy=other):
        held, closed = [], 0
        for i in range(10000):
            s = connect(proxied, "imap", PROXY % 143, timeout=20)
            try:
                greeting = s.recv(1000)
            except ConnectionResetError:
                greeting = b""
            if greeting.startswith(b"* OK "):
                held.append(s)
            else:
                assert greeting == b"" or greeting.startswith(b"* BYE"), greeting
                closed += 1
                s.close()
        assert len(held) == 100 and closed == 9900
        for s in held:
            s.close()


@pytest.mark.parametrize("header", [
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n", b"PROXY TCP4 1.2.3.4\r\n", b"PROXY TCP9 a b 1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n", b"PROXY " + b"x" * 200, b"EHLO a\r\n", b"GET / HTTP/1.1\r\n\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff" + b"x" * 20, b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\0",
    b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c" + b"x" * 12,
    b"\r\n\r\n\0\r\nQUIT\n\x22\x11\0\x0c" + b"x" * 12,
    b"\0" * 50, b"\xff" * 200,
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n", b"proxy TCP4 1.2.3.4 5.6.7.8 1 2\r\n",
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x10" + b"\x01\x02\x03\x04" * 2 + b"\0\x01\0\x02\x20\0\x09\x01",
], ids=short)
def test_garbage_for_a_proxy_header(proxied, header):
    for service in ("smtp", "imaps", "http"):
        s = connect(proxied, service)
        with contextlib.suppress(OSError):
            s.sendall(header)
            s.shutdown(socket.SHUT_WR)  # some announce more: it would wait for that, up to its time
            assert s.recv(100) == b""
        s.close()


# HTTP

def http(server, octets, service="https"):
    """The status and all that was said; None: closed without an answer."""
    c = Raw(server, service)
    c.send_anyway(octets)
    rest = c.rest()
    c.close()
    m = re.match(rb"HTTP/1\.1 (\d{3}) ", rest)
    return (int(m[1]), rest) if m else (None, rest)


def post(server, body):
    return http(server, POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) +
                body)[0]


HOST = b"Host: example.org\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST
POST = b"POST /api/v1/session HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
NEXT = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"


@pytest.mark.parametrize("octets,status", [
    (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}" + NEXT, 400),
    (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}" + NEXT, 400),
    (POST + b"Content-Length: 2, 2\r\n\r\n{}" + NEXT, 400),
    (POST + b"Content-Length: +2\r\n\r\n{}" + NEXT, 400),
    (POST + b"Content-Length: 0x2\r\n\r\n{}" + NEXT, 400),
    (POST + b"Content-Length: -1\r\n\r\n{}" + NEXT, 400),
    (POST + b"Content-Length: 99999999999999999999999\r\n\r\n{}" + NEXT, 400),
    (POST + b"Content-Length: 4294967296\r\n\r\n{}" + NEXT, 413),
    (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: identity\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\n{}\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n2\n{}\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}x\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n{}\r\n0\r\n\r\n" + NEXT, 400),
    (POST + b"Transfer-Encoding: chunked\r\n\r\nffffffff\r\n{}\r\n0\r\n\r\n" + NEXT, 413),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 10000 + b"\r\n{}\r\n0\r\n\r\n", 400),
    (POST.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + NEXT, 400),
    (GET + b"X: a\0b\r\n\r\n", 400), (GET + b"X: a\x01b\r\n\r\n", 400),
    (GET + b"X: a\rb\r\n\r\n", 400), (GET + b"X: a\n\r\n", 400), (GET + b"X: a\x7f\r\n\r\n", 400),
    (GET + b" folded\r\n\r\n", 400), (GET + b"X y: z\r\n\r\n", 400), (GET + b": z\r\n\r\n", 400),
    (GET + b"nonsense\r\n\r\n", 400),
    (b"GET / HTTP/1.1\r\n\r\n", 400), (GET + HOST + b"\r\n", 400),
    (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400),
    (b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n", 400), (b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n", 400),
    (b"GET /\0 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /\xff HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET / HTTP/2.0\r\n" + HOST + b"\r\n", 505), (b"GET / FTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"GET /\r\n\r\n", 400), (b"G\xc3\xa9T / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    (b"GET /" + b"x" * 100000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (GET + b"X: " + b"x" * 100000 + b"\r\n\r\n", 431),
    (GET + b"".join(b"X%d: y\r\n" % i for i in range(5000)) + b"\r\n", 431),
    (GET + b"Expect: nonsense\r\n\r\n", 417),
], ids=short)
def test_http_smuggling(hostile, octets, status):
    """Refused, and nothing behind it is taken for a request."""
    got, said = http(hostile, octets)
    assert got == status, said[:300]
    assert len(re.findall(rb"HTTP/1\.1 \d{3} ", said)) == 1, said
    assert b"application/problem+json" in said and b"onnection: close" in said, said


def test_what_http_allows(hostile):
    """That the refusals above are not for everything."""
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n2;ext=1\r\n{}\r\n0\r\nTrailer: x\r\n\r\n"
    c = Raw(hostile, "https")
    c.send(GET + b"\r\n" + chunked +
           b"GET /metrics HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    said = c.rest()
    assert re.findall(rb"HTTP/1\.1 (\d{3}) ", said) == [b"200", b"422", b"200"], said


def test_http_bodies_are_bounded(hostile):
    with under_attack(hostile, grows_mib=16):
        assert post(hostile, b'{"login":"%s","password":"x"}' % (b"x" * 100000)) == 413
        assert post(hostile, b'{"login":"%s","password":"x"}' % (b"x" * 15000)) in (400, 422)
        assert post(hostile, b"[" * 15000) == 400
        assert post(hostile, b'{"login":' * 1500) == 400


# At the end

def test_slow_senders_were_sent_away(slow_senders):
    """By the time each is allowed; with a word where the protocol has one."""
    for t in slow_senders.threads:
        t.join(70)
    late = [t for t in slow_senders.threads if t.is_alive()]
    assert not late, [n for n in slow_senders.KINDS if n not in slow_senders.ended]
    for name, (seconds, said) in slow_senders.ended.items():
        _, _, _, most = slow_senders.KINDS[name]
        assert seconds < most + 3 * SLOW, (name, seconds)
    said = {name: said for name, (_, said) in slow_senders.ended.items()}
    for name in ("smtp command", "smtp data", "smtp silence"):
        assert said[name].splitlines()[-1].startswith(b"421 4.4.2 "), said[name]
    for name in ("imap command", "imap literal"):
        assert said[name].splitlines()[-1].startswith(b"* BYE "), said[name]
    for name in ("http head", "https head", "http body"):
        assert said[name].startswith(b"HTTP/1.1 408 "), said[name]
