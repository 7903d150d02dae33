# SPDX-License-Identifier: Apache-2.0
"""Messages from elsewhere, broken ones too, come back octet for octet: delivered by SMTP and by APPEND,
fetched over IMAP and POP3, and every part that BODYSTRUCTURE names lies where the octets say."""
import poplib
import re

import pytest
from conftest import PASSWORD, vectors
from mailtools import Smtp, imap

pytestmark = pytest.mark.sanitized
FOLDERS = ("mime", "dkim", "protected-headers", "rfc4134", "examples-cms", "openssl-cms")
SIZE_MAX = 4 << 20


def messages():
    """Everything there that could be taken for a message; certificates and tables are good bad
    messages too. Line ends as SMTP wants them; what holds a NUL goes by APPEND only."""
    for path in vectors(*FOLDERS):
        data = path.read_bytes()
        if 0 < len(data) <= SIZE_MAX:
            yield path, re.sub(rb"\r\n|\r|\n", b"\r\n", data)


def fetch_one(c, uid, item):
    typ, data = c.uid("FETCH", str(uid), item)
    assert typ == "OK"
    literal = [d[1] for d in data if isinstance(d, tuple)]
    return literal[0] if literal else None


def after_trace(octets):
    """Without the fields that the server puts in front."""
    while re.match(rb"(Return-Path|Delivered-To|Received):", octets):
        end = re.search(rb"\r\n(?![ \t])", octets)
        octets = octets[end.end():]
    return octets


def parse(text):
    """An IMAP parenthesised list without literals: lists, strings, atoms."""
    tokens = re.findall(rb'\(|\)|"(?:[^"\\]|\\.)*"|[^\s()"]+', text)
    stack = [[]]
    for t in tokens:
        if t == b"(":
            stack.append([])
        elif t == b")":
            done = stack.pop()
            stack[-1].append(done)
        else:
            stack[-1].append(t)
    assert len(stack) == 1, text
    return stack[0]


def leaves(body, prefix=()):
    """Section numbers of all parts with their size in octets (None: multipart)."""
    if isinstance(body[0], list):
        for i, part in enumerate(b for b in body if isinstance(b, list) and is_body(b)):
            yield from leaves(part, prefix + (i + 1,))
    else:
        yield (prefix or (1,)), int(body[6])


def is_body(b):
    return isinstance(b[0], list) or (len(b) >= 7 and b[6].isdigit())


@pytest.mark.slow
def test_append_and_fetch_are_octet_for_octet(server, alice):
    c = imap(server, alice)
    c.create("Vectors")
    sent = {}
    for path, data in messages():
        typ, answer = c.append("Vectors", None, None, data)
        assert typ == "OK", (path, answer)
        uid = int(re.search(rb"APPENDUID \d+ (\d+)", answer[0])[1])
        sent[uid] = (path, data)
    assert len(sent) > 300
    c.select("Vectors", readonly=True)
    checked = 0
    for uid, (path, data) in sent.items():
        assert fetch_one(c, uid, "(BODY.PEEK[])") == data, path
        head = fetch_one(c, uid, "(BODY.PEEK[HEADER])")
        text = fetch_one(c, uid, "(BODY.PEEK[TEXT])")
        assert head + text == data, path
        assert fetch_one(c, uid, "(BODY.PEEK[]<7.100>)") == data[7:107], path
        typ, answer = c.uid("FETCH", str(uid), "(BODYSTRUCTURE)")
        assert typ == "OK"
        if any(isinstance(d, tuple) for d in answer):
            continue  # a literal in it: checked by the unit tests of the structure
        body = parse(answer[0].split(b"BODYSTRUCTURE ", 1)[1].rsplit(b")", 1)[0])[0]
        for section, size in leaves(body):
            part = fetch_one(c, uid, f"(BODY.PEEK[{'.'.join(map(str, section))}])")
            assert part is not None and len(part) == size, (path, section)
            assert part in data, (path, section)
            checked += 1
    assert checked > 300
    c.logout()


@pytest.mark.slow
def test_smtp_to_imap_and_pop3_is_octet_for_octet(server):
    user = server.add_account("vectors@example.org")
    sent = []
    s = Smtp(server, timeout=60)
    for path, data in messages():
        if b"\0" in data:
            continue
        if not data.endswith(b"\r\n"):
            data += b"\r\n"
        code = s.send("a@b.example", [user], data)
        if code != 250:
            # Only for what the standard lets us refuse: lines without end, loops.
            assert code in (500, 552, 554), (path, code)
            s.command(b"RSET", 250)
            continue
        sent.append((path, data))
    s.close()
    assert len(sent) > 300
    c = imap(server, user)
    c.select("INBOX", readonly=True)
    p = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=server.context())
    poplib._MAXLINE = 1 << 22
    p.user(user)
    p.pass_(PASSWORD)
    assert p.stat()[0] == len(sent)
    for i, (path, data) in enumerate(sent):
        whole = fetch_one(c, i + 1, "(BODY.PEEK[])")
        assert whole.endswith(data), path
        assert re.match(rb"Return-Path: <a@b.example>\r\n", whole), path
        assert whole[:-len(data)].count(b"\r\n\r\n") == 0
        lines = p.retr(i + 1)[1]
        assert b"\r\n".join(lines) + b"\r\n" == whole, path
    p.quit()
    c.logout()


def test_the_structure_of_a_known_message(server, alice):
    """That the check above can fail: sections of a hand-made message."""
    data = (b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntwo"
            b"\r\n--b--\r\n")
    c = imap(server, alice)
    typ, answer = c.append("INBOX", None, None, data)
    uid = int(re.search(rb"APPENDUID \d+ (\d+)", answer[0])[1])
    c.select("INBOX", readonly=True)
    assert fetch_one(c, uid, "(BODY.PEEK[1])") == b"one"
    assert fetch_one(c, uid, "(BODY.PEEK[2])") == b"Subject: inner\r\n\r\ntwo"
    assert fetch_one(c, uid, "(BODY.PEEK[2.1])") == b"two"
    assert fetch_one(c, uid, "(BODY.PEEK[2.HEADER])") == b"Subject: inner\r\n\r\n"
    assert after_trace(b"Received: x\r\n\ty\r\nSubject: z\r\n") == b"Subject: z\r\n"
    c.logout()
