# SPDX-License-Identifier: Apache-2.0
"""What mail programs rely on between two looks: news at once, resynchronisation, compression,
logging in without sending the password, and the address of who is behind a proxy."""
import base64
import os
import re
import ssl
import struct
import time
import zlib

import pytest
from conftest import PASSWORD, finish, make_server
from hostile import Raw, connect
from mailtools import Smtp
from rawimap import Imap, numbers, pairs
from scram import CARRIERS, TLS12, TLS13, Exporter, Scram, greet, log_in

pytestmark = pytest.mark.sanitized
MESSAGE = b"Subject: x\r\n\r\nbody\r\n"


# IDLE

def pushed(c, began):
    """The next response; it must come within a second of what caused it."""
    r = c.response()
    took = time.monotonic() - began
    assert took < 1, f"{r} came after {took:.2f} s"
    return r


def test_idle_is_told_at_once(server, bob):
    c = Imap(server, bob)
    other = Imap(server, bob)
    c.ok(b"SELECT INBOX")
    other.ok(b"SELECT INBOX")
    tag = c.start(b"IDLE")
    assert c.response()[0] == b"+"
    s = Smtp(server)
    for n in (1, 2, 3):
        began = time.monotonic()
        assert s.send("a@b.example", [bob], MESSAGE) == 250
        assert pushed(c, began) == [b"%d" % n, b"EXISTS"]
        assert pushed(c, began)[1] == b"RECENT"
    other.ok(b"NOOP")
    began = time.monotonic()
    other.ok(b"STORE 2 +FLAGS.SILENT (\\Seen)")
    r = pushed(c, began)
    assert r[:2] == [b"2", b"FETCH"] and rb"\Seen" in pairs(r[2])[b"FLAGS"]
    other.ok(b"STORE 1,3 +FLAGS.SILENT (\\Deleted)")
    for _ in range(2):
        pushed(c, time.monotonic())
    began = time.monotonic()
    other.ok(b"EXPUNGE")
    assert pushed(c, began) == [b"1", b"EXPUNGE"]
    assert pushed(c, began) == [b"2", b"EXPUNGE"]
    c.send(b"DONE\r\n")
    assert c.finish(tag).status == b"OK"
    for session in (other, c):
        session.logout()
    s.close()


def test_fifty_idle_sessions_are_told(server):
    user = server.add_account("idle@example.org")
    sessions = [Imap(server, user) for _ in range(50)]
    tags = []
    for c in sessions:
        c.ok(b"SELECT INBOX")
        tags.append(c.start(b"IDLE"))
        assert c.response()[0] == b"+"
    began = time.monotonic()
    Smtp(server).send("a@b.example", [user], MESSAGE)
    for c in sessions:
        assert c.response() == [b"1", b"EXISTS"]
    assert time.monotonic() - began < 2
    for c, tag in zip(sessions, tags):
        c.send(b"DONE\r\n")
        assert c.finish(tag).status == b"OK"
        c.logout()


# QRESYNC

def code(a, name):
    found, = (c.split(b" ")[1] for c in a.codes() if c.startswith(name + b" "))
    return int(found)


def test_qresync_tells_what_happened_meanwhile():
    """Also over a restart of the server."""
    server = make_server().start()
    user = server.add_account("away@example.org")
    c = Imap(server, user)
    c.append(b"INBOX", *[MESSAGE] * 20)
    c.ok(b"ENABLE QRESYNC")
    a = c.ok(b"SELECT INBOX")
    validity, modseq = code(a, b"UIDVALIDITY"), code(a, b"HIGHESTMODSEQ")
    c.logout()
    other = Imap(server, user)
    other.ok(b"SELECT INBOX")
    other.ok(b"UID STORE 3,7:9,20 +FLAGS (\\Deleted)")
    other.ok(b"EXPUNGE")
    other.ok(b"UID STORE 5 +FLAGS (\\Flagged)")
    other.append(b"INBOX", MESSAGE, MESSAGE)
    other.logout()
    assert server.stop() == 0
    server.start()
    c = Imap(server, user)
    c.ok(b"ENABLE QRESYNC")
    a = c.ok(b"SELECT INBOX (QRESYNC (%d %d))" % (validity, modseq))
    (earlier, gone), = a.of(b"VANISHED")
    assert earlier == [b"EARLIER"] and numbers(gone) == [3, 7, 8, 9, 20]
    changed = {int(pairs(items)[b"UID"]): set(pairs(items)[b"FLAGS"]) - {rb"\Recent"}
               for _, items in a.of(b"FETCH")}
    assert changed == {5: {rb"\Flagged"}, 21: set(), 22: set()}
    assert a.of(b"EXISTS") == [[17]]
    now = code(a, b"HIGHESTMODSEQ")
    a = c.ok(b"SELECT INBOX (QRESYNC (%d %d))" % (validity, now))
    assert not a.of(b"VANISHED") and not a.of(b"FETCH")
    # Another UIDVALIDITY: what the client knows is worth nothing.
    a = c.ok(b"SELECT INBOX (QRESYNC (%d %d))" % (validity + 1, modseq))
    assert not a.of(b"VANISHED") and not a.of(b"FETCH")
    c.logout()
    finish(server)


# COMPRESS

class Counted:
    """A socket that counts what went through it."""

    def __init__(self, s):
        self.s, self.sent, self.received = s, 0, 0

    def sendall(self, data):
        self.sent += len(data)
        self.s.sendall(data)

    def recv(self, n):
        data = self.s.recv(n)
        self.received += len(data)
        return data

    def close(self):
        self.s.close()


@pytest.mark.parametrize("flush", [zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH, zlib.Z_PARTIAL_FLUSH])
def test_compression_both_ways(server, alice, flush):
    c = Imap(server, alice)
    c.compress()
    c.s = Counted(c.s)
    text = b"Subject: long\r\n\r\n" + b"the same line again and again\r\n" * 50000
    noise = b"Subject: noise\r\n\r\n" + os.urandom(150000).hex("\n", -38).encode() + b"\n"
    noise = noise.replace(b"\n", b"\r\n")
    c.send = lambda data: c.s.sendall(c.deflate.compress(data) + c.deflate.flush(flush))
    uids = c.append(b"INBOX", text, noise)
    assert c.s.sent < len(text) // 20 + len(noise)
    c.ok(b"SELECT INBOX")
    before = c.s.received
    for uid, message in zip(uids, (text, noise)):
        (_, items), = c.ok(b"UID FETCH %d BODY.PEEK[]" % uid).of(b"FETCH")
        assert pairs(items)[b"BODY[]"] == message
    assert c.s.received - before < len(text) // 20 + len(noise)
    assert c.command(b"COMPRESS DEFLATE").code == b"COMPRESSIONACTIVE"
    assert b"COMPRESS=DEFLATE" not in c.ok(b"CAPABILITY").of(b"CAPABILITY")[0]
    c.ok(b"UID STORE %d:%d +FLAGS.SILENT (\\Deleted)" % tuple(uids))
    c.ok(b"EXPUNGE")
    c.logout()


def test_idle_under_compression(server, alice):
    c = Imap(server, alice)
    c.compress()
    c.ok(b"SELECT INBOX")
    tag = c.start(b"IDLE")
    assert c.response()[0] == b"+"
    began = time.monotonic()
    assert Smtp(server).send("a@b.example", [alice], MESSAGE) == 250
    assert pushed(c, began)[1] == b"EXISTS"
    pushed(c, began)
    c.send(b"DONE\r\n")
    assert c.finish(tag).status == b"OK"
    c.logout()


def test_octets_that_are_not_compressed_end_it(server, alice):
    c = Imap(server, alice)
    c.compress()
    c.s.sendall(b"\xff" * 1000 + b"a NOOP\r\n")
    with pytest.raises((ConnectionError, ssl.SSLError)):
        while True:
            c.response()


# SCRAM

@pytest.mark.parametrize("version", [TLS12, TLS13])
@pytest.mark.parametrize("service", CARRIERS)
def test_scram_plus(server, alice, service, version):
    connection = Exporter(connect(server, service), version)
    greet(connection, service)
    scram = Scram(alice, PASSWORD, b"p=tls-exporter", connection.binding())
    ok, line = log_in(connection, service, scram, b"SCRAM-SHA-256-PLUS")
    assert ok, line
    connection.close()


@pytest.mark.parametrize("service", CARRIERS)
def test_scram_without_binding(server, alice, service):
    for user in (alice, "alice", "ALICE@EXAMPLE.ORG"):
        connection = Exporter(connect(server, service))
        greet(connection, service)
        ok, line = log_in(connection, service, Scram(user, PASSWORD))
        assert ok, (user, line)
        connection.close()


def refused(server, service, scram, mechanism=b"SCRAM-SHA-256"):
    connection = Exporter(connect(server, service))
    greet(connection, service)
    ok, line = log_in(connection, service, scram(connection), mechanism)
    connection.close()
    return not ok and re.match(rb"a (NO|BAD) |535 |501 |-ERR ", line)


PLUS = b"SCRAM-SHA-256-PLUS"


@pytest.mark.parametrize("service", CARRIERS)
def test_scram_refuses(server, alice, service):
    server.cli("setting", "set", "login_failures_max=1000")
    cases = [
        (lambda c: Scram(alice, "wrong"), b"SCRAM-SHA-256"),
        (lambda c: Scram("nobody@example.org", PASSWORD), b"SCRAM-SHA-256"),
        # A client that could bind, and was told by somebody in between that we cannot.
        (lambda c: Scram(alice, PASSWORD, b"y"), b"SCRAM-SHA-256"),
        # Somebody in between has two connections: the binding is another one's.
        (lambda c: Scram(alice, PASSWORD, b"p=tls-exporter", os.urandom(32)), PLUS),
        (lambda c: Scram(alice, PASSWORD, b"p=tls-exporter", b""), PLUS),
        (lambda c: Scram(alice, PASSWORD, b"p=tls-unique", c.binding()), PLUS),
        (lambda c: Scram(alice, PASSWORD, b"n"), PLUS),
        (lambda c: Scram(alice, PASSWORD, b"p=tls-exporter", c.binding()), b"SCRAM-SHA-256"),
    ]
    for scram, mechanism in cases:
        assert refused(server, service, scram, mechanism), (scram, mechanism)


def test_scram_does_not_tell_who_exists(server, alice):
    """Somebody unknown gets a salt and a count that look like anybody's, and the same each time."""
    seen = {}
    for user in (alice, "nobody@example.org", "nobody@example.org", "nobody2@example.org"):
        connection = Exporter(connect(server, "imaps"))
        greet(connection, "imaps")
        scram = Scram(user, "wrong")
        assert not log_in(connection, "imaps", scram)[0]
        seen.setdefault(user, set()).add((scram.salt, scram.iterations))
        connection.close()
    assert all(len(s) == 1 for s in seen.values())
    salts = {next(iter(s))[0] for s in seen.values()}
    assert len(salts) == 3 and len({len(s) for s in salts}) == 1
    assert len({next(iter(s))[1] for s in seen.values()}) == 1


def test_a_replayed_exchange_is_refused(server, alice):
    """The server's nonce is new each time."""
    recorded = Scram(alice, PASSWORD, nonce=b"0123456789abcdef")
    connection = Exporter(connect(server, "imaps"))
    greet(connection, "imaps")
    assert log_in(connection, "imaps", recorded)[0]
    final = None

    class Replay(Scram):
        def final(self, server_first):
            return final

    connection.close()
    original = Scram(alice, PASSWORD, nonce=b"0123456789abcdef")
    connection = Exporter(connect(server, "imaps"))
    greet(connection, "imaps")
    connection.send(b"a AUTHENTICATE SCRAM-SHA-256 %s\r\n" % base64.b64encode(original.first()))
    final = original.final(base64.b64decode(connection.line()[2:]))
    connection.close()
    replay = Replay(alice, PASSWORD, nonce=b"0123456789abcdef")
    assert refused(server, "imaps", lambda c: replay)


# PROXY

@pytest.fixture(scope="module")
def proxied():
    server = make_server().start()
    server.add_account("bob@example.org")
    server.cli("setting", "set", "proxies=127.0.0.1,2001:db8::/32")
    yield server
    finish(server)


def v2(command, family, block):
    return b"\r\n\r\n\0\r\nQUIT\n" + bytes([0x20 | command, family]) + \
        struct.pack(">H", len(block)) + block


IP4 = bytes([203, 0, 113, 9, 192, 0, 2, 25]) + struct.pack(">HH", 40000, 25)
IP6 = bytes.fromhex("20010db8000000000000000000000009" "20010db8000000000000000000000001") + \
    struct.pack(">HH", 40000, 25)
TLVS = b"\x01\0\x04smtp" + b"\x04\0\x05\0\0\0\0\0" + b"\x05\0\x02id"


@pytest.mark.parametrize("header,shown", [
    (b"PROXY TCP4 203.0.113.9 192.0.2.25 40000 25\r\n", b"[203.0.113.9]"),
    (b"PROXY TCP6 2001:db8::9 2001:db8::1 40000 25\r\n", b"[IPv6:2001:db8::9]"),
    (b"PROXY UNKNOWN\r\n", b"[127.0.0.1]"),
    (v2(1, 0x11, IP4), b"[203.0.113.9]"),
    (v2(1, 0x11, IP4 + TLVS), b"[203.0.113.9]"),
    (v2(1, 0x21, IP6), b"[IPv6:2001:db8::9]"),
    (v2(0, 0x00, b""), b"[127.0.0.1]"),
], ids=["v1", "v1 IPv6", "v1 unknown", "v2", "v2 with more", "v2 IPv6", "v2 local"])
def test_the_address_behind_a_proxy(proxied, header, shown):
    s = Smtp(proxied, proxy=header)
    assert s.send("a@b.example", ["bob@example.org"], MESSAGE) == 250
    s.close()
    c = Imap(proxied, "bob@example.org", proxy=b"PROXY UNKNOWN\r\n")
    c.ok(b"SELECT INBOX")
    (_, items), = c.ok(b"FETCH * BODY.PEEK[HEADER.FIELDS (RECEIVED)]").of(b"FETCH")
    received = next(iter(pairs(items).values()))
    assert b"(" + shown + b")" in received, received
    c.logout()


def test_a_header_in_pieces_and_before_tls(proxied):
    header = v2(1, 0x11, IP4)
    for service in ("imaps", "submissions", "pop3s", "https"):
        s = connect(proxied, service)
        for i in range(len(header)):
            s.sendall(header[i:i + 1])
        with proxied.context().wrap_socket(s, server_hostname="example.org") as t:
            t.sendall(b"GET / HTTP/1.0\r\n\r\n" if service == "https" else b"")
            assert re.match(rb"\* OK |220 |\+OK |HTTP/1\.1 200 ", t.recv(100))
    assert "peer=203.0.113.9" in proxied.log_text()


def test_without_proxies_a_header_is_nothing_but_a_wrong_command(server):
    c = Raw(server, "smtp")
    assert c.command(b"PROXY TCP4 203.0.113.9 192.0.2.25 40000 25").startswith(b"500 ")
    c.close()
