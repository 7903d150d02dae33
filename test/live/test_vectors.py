# SPDX-License-Identifier: Apache-2.0
"""Messages from elsewhere, broken ones too, come back octet for octet: delivered by SMTP and by
APPEND, fetched over IMAP and POP3, and every part that BODYSTRUCTURE names lies where the octets
say."""
import poplib
import re

import pytest
from conftest import PASSWORD, vectors
from mailtools import Smtp
from rawimap import Imap, pairs

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


def fetch(c, uids, items):
    """UID: items, all of them asked for at once."""
    found = {}
    for _, _, given in (r for r in c.ok(b"UID FETCH %s %s" % (uids, items)).untagged
                        if r[1] == b"FETCH"):
        given = pairs(given)
        found[int(given[b"UID"])] = given
    return found


def without_return_path(octets):
    """The final delivery replaces Return-Path (RFC 5321 section 4.4); a field and its continuation
    lines end where the next line does not begin with white space."""
    head, end, body = (b"\r\n" + octets).partition(b"\r\n\r\n")
    head = re.sub(rb"(?i)\r\nReturn-Path[ \t]*:[^\r]*(?:\r\n[ \t][^\r]*)*", b"", head)
    return (head + end + body)[2:]


def is_body(b):
    return isinstance(b[0], list) or (len(b) >= 7 and b[6].isdigit())


def leaves(body, prefix=()):
    """Section numbers of all parts that are not multiparts, with their sizes in octets."""
    if isinstance(body[0], list):
        for i, part in enumerate(b for b in body if isinstance(b, list) and is_body(b)):
            yield from leaves(part, prefix + (i + 1,))
        return
    prefix = prefix or (1,)
    yield prefix, int(body[6])
    if [t.upper() for t in body[:2]] in ([b"MESSAGE", b"RFC822"], [b"MESSAGE", b"GLOBAL"]):
        inner = body[8]
        yield from leaves(inner, prefix if isinstance(inner[0], list) else prefix + (1,))


def check_whole(path, given, data):
    """What FETCH says of a message agrees with its octets and with itself."""
    assert given[b"BODY[]"] == data, path
    assert int(given[b"RFC822.SIZE"]) == len(data), path
    assert given[b"BODY[HEADER]"] + given[b"BODY[TEXT]"] == data, path
    assert given[b"BODY[]<7>"] == data[7:107], path


WHOLE = (b"(RFC822.SIZE BODY.PEEK[] BODY.PEEK[HEADER] BODY.PEEK[TEXT] BODY.PEEK[]<7.100>"
         b" BODYSTRUCTURE)")


def test_append_and_fetch_are_octet_for_octet(server, alice):
    c = Imap(server, alice)
    c.ok(b"CREATE Vectors")
    files = list(messages())
    sent = {}
    for i in range(0, len(files), 50):
        some = files[i:i + 50]
        sent.update(zip(c.append(b"Vectors", *(data for _, data in some)), some))
    assert len(sent) == len(files) > 300
    c.ok(b"EXAMINE Vectors")
    given = fetch(c, b"1:*", WHOLE)
    asked, checked = [], 0
    for uid, (path, data) in sent.items():
        check_whole(path, given[uid], data)
        parts = list(leaves(given[uid][b"BODYSTRUCTURE"]))
        items = b" ".join(b"BODY.PEEK[%s]" % name(section) for section, _ in parts)
        asked.append((uid, parts, c.start(b"UID FETCH %d (%s)" % (uid, items))))
    for uid, parts, tag in asked:
        path, data = sent[uid]
        answer = c.finish(tag)
        assert answer.status == b"OK" and len(answer.untagged) == 1, (path, answer)
        octets = pairs(answer.untagged[0][2])
        for section, size in parts:
            part = octets[b"BODY[%s]" % name(section)]
            part = b"" if part == b"NIL" else part
            assert len(part) == size and part in data, (path, section)
            checked += 1
    assert checked > len(sent)
    c.logout()


def name(section):
    return b".".join(b"%d" % i for i in section)


def send_all(server, user):
    """What was accepted, as it should come back."""
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
        sent.append((path, without_return_path(data)))
    s.close()
    return sent


def test_smtp_to_imap_and_pop3_is_octet_for_octet(server):
    user = server.add_account("vectors@example.org")
    sent = send_all(server, user)
    assert len(sent) > 300
    c = Imap(server, user)
    c.ok(b"EXAMINE INBOX")
    given = fetch(c, b"1:*", WHOLE)
    p = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=server.context())
    poplib._MAXLINE = 1 << 22
    p.user(user)
    p.pass_(PASSWORD)
    assert p.stat()[0] == len(sent) == len(given)
    for i, (path, data) in enumerate(sent):
        whole = given[i + 1][b"BODY[]"]
        check_whole(path, given[i + 1], whole)
        assert whole.endswith(data), path
        trace = whole[:-len(data)]
        assert re.fullmatch(
            rb"Return-Path: <a@b\.example>\r\nDelivered-To: vectors@example\.org\r\n"
            rb"Received: from [^\r]*\r\n(?:\t[^\r]*\r\n)+", trace), (path, trace)
        lines = p.retr(i + 1)[1]
        assert b"\r\n".join(lines) + b"\r\n" == whole, path
    p.quit()
    c.logout()


def test_the_structure_of_a_known_message(server, alice):
    """That the checks above can fail: sections of a hand-made message."""
    data = (b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
            b"--b\r\n\r\none\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n"
            b"\r\ntwo\r\n--b--\r\n")
    c = Imap(server, alice)
    uid, = c.append(b"INBOX", data)
    c.ok(b"SELECT INBOX")
    given = fetch(c, b"%d" % uid, b"(BODYSTRUCTURE BODY.PEEK[1] BODY.PEEK[2] BODY.PEEK[2.1]"
                                  b" BODY.PEEK[2.HEADER])")[uid]
    assert list(leaves(given[b"BODYSTRUCTURE"])) == [((1,), 3), ((2,), 21), ((2, 1), 3)]
    assert given[b"BODY[1]"] == b"one"
    assert given[b"BODY[2]"] == b"Subject: inner\r\n\r\ntwo"
    assert given[b"BODY[2.1]"] == b"two"
    assert given[b"BODY[2.HEADER]"] == b"Subject: inner\r\n\r\n"
    rest = b"B: c\r\n\r\nReturn-Path: d\r\n"
    assert without_return_path(b"A: x\r\nreturn-PATH : y\r\n z\r\n" + rest) == b"A: x\r\n" + rest
    c.logout()
