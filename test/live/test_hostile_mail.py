# SPDX-License-Identifier: Apache-2.0
"""Messages that are attacks on whoever reads them: delivered by SMTP in bounded time, and every way
of reading them ends in bounded time and memory, while others are served."""
import time

import pytest
from conftest import finish, make_server
from hostile import ENV, SLOW, under_attack
from mailtools import Smtp
from rawimap import Imap, pairs

pytestmark = pytest.mark.sanitized
VICTIM = "victim@example.org"
SECONDS = 3  # for each step


@pytest.fixture(scope="module")
def attacked():
    server = make_server(env=ENV).start()
    server.add_account("other@example.org")
    server.add_account(VICTIM)
    yield server
    finish(server)


def field(name, value):
    return name + b": " + value + b"\r\nX-Last: l\r\n\r\nbody\r\n"


def multiparts(levels):
    head = b"Subject: deep\r\nMIME-Version: 1.0\r\n"
    for i in range(levels):
        head += b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (i, i)
    return head + b"Content-Type: text/plain\r\n\r\nneedle\r\n" + b"".join(
        b"--b%d--\r\n" % i for i in reversed(range(levels)))


def folded(text, width=900):
    return b"\r\n ".join(text[i:i + width] for i in range(0, len(text), width))


def attachments(n):
    return (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
            b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n" * n + b"--b--\r\n")


def text(charset, octets):
    return (b"Subject: \xff\xfe\xc0\x80\r\nContent-Type: text/plain; charset=" + charset +
            b"\r\n\r\n" + octets + b"\r\n")


WORDS = b"=?utf-8?Q?a"
MESSAGES = {
    "nested groups": field(b"From", b"g:" * 8000),
    "nested groups, closed": field(b"To", b"g:" * 8000 + b";" * 8000),
    "groups with members": field(b"To", b"g: a@b, " * 8000 + b";" * 8000),
    "unterminated words": field(b"Subject", WORDS * 20000),
    "unterminated words in names": field(b"From", WORDS * 20000 + b" <a@b.example>"),
    "some words": field(b"Subject", b" ".join([b"=?utf-8?B?w6Q=?="] * 900)),
    "many words": field(b"Subject", b" ".join([b"=?utf-8?B?w6Q=?="] * 13000)),
    "many words, folded": field(b"Subject", b"\r\n ".join([b"=?utf-8?B?w6Q=?="] * 13000)),
    "half words": field(b"Subject", b"=?" * 100000),
    "unknown charsets": field(b"Subject", b" ".join(b"=?x-c%d?Q?a?=" % i for i in range(8000))),
    "open comments": field(b"From", b"(" * 200000),
    "nested comments": field(b"From", b"(" * 20000 + b")" * 20000 + b" a@b.example"),
    "more comments": field(b"From", b"(" * 50000 + b")" * 50000 + b" a@b.example"),
    "open quotes": field(b"From", b'"\\' * 100000),
    "angles": field(b"To", b"<" * 200000),
    "routes": field(b"To", b"<" + b"@a," * 60000 + b":a@b>"),
    "many addresses": field(b"To", b", ".join(b"a%d@b.example" % i for i in range(40000))),
    "commas": field(b"Cc", b"," * 300000),
    "references": field(b"References", b" ".join(b"<%d@x>" % i for i in range(60000))),
    "one long reference": field(b"References", b"<" + b"a" * 300000 + b"@x>"),
    "open references": field(b"In-Reply-To", b"<" * 300000),
    "parameters": field(b"Content-Type", b"text/plain" + b"; a=b" * 60000),
    "continued parameters": field(b"Content-Type", b"text/plain" + b"".join(
        b"; name*%d*=%%41" % i for i in range(20000))),
    "continuations backwards": field(b"Content-Disposition", b"attachment" + b"".join(
        b";\r\n filename*%d=x" % i for i in reversed(range(20000)))),
    "a long boundary": b"Content-Type: multipart/mixed; boundary=" + b"b" * 100000 +
                       b"\r\n\r\n" + (b"--" + b"b" * 1000 + b"\r\n") * 2000,
    "an empty boundary": b'Content-Type: multipart/mixed; boundary=""\r\n\r\n' + b"--\r\n" * 100000,
    "almost boundaries": b"Content-Type: multipart/mixed; boundary=aaaaaaaaaaaaaaab\r\n\r\n" +
                         b"--aaaaaaaaaaaaaaa\r\n" * 100000,
    "multiparts": multiparts(10000),
    "messages": b"Content-Type: message/rfc822\r\n\r\n" * 10000 + b"Subject: needle\r\n\r\nx\r\n",
    "parts": attachments(50000),
    "fields": b"".join(b"X%d: y\r\n" % (i % 10) for i in range(1000000)) + b"\r\nneedle\r\n",
    "fields without a colon": b"Subject: s\r\n" + b"nonsense\r\n" * 300000 + b"\r\nx\r\n",
    "many subjects": b"Subject: s\r\nFrom: a@b\r\n" * 100000 + b"\r\nx\r\n",
    "a long field": b"Subject: " + folded(b"x " * 1000000) + b"\r\n\r\nx\r\n",
    "a long line": b"Subject: s\r\n\r\n" + b"x" * 5000000 + b"\r\n",
    "continuations": b"Subject: s\r\n" + b" \r\n" * 500000 + b"\r\nx\r\n",
    "only fields": b"X: y\r\n" * 100000,
    "dates": field(b"Date", b"Tue, " + b"9" * 100000 + b" Feb 2026 00:00:00 +0000"),
    "dates with comments": field(b"Date", b"(" * 100000 + b"Tue, 3 Feb 2026 00:00:00 +0000"),
    "re": field(b"Subject", b"Re: " * 60000 + b"x"),
    "blobs": field(b"Subject", b"[a]" * 60000 + b"Fwd: " * 10000),
    "base64": b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 1000000 + b"\r\n",
    "quoted-printable": b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + b"=\r\n" * 500000,
    "broken utf-8": text(b"utf-8", b"\xf8\xff\xed\xa0\x80" * 100000),
    "utf-7": text(b"utf-7", b"+AAA" * 200000),
    "iso-2022": text(b"iso-2022-jp", b"\x1b$B" * 200000),
}

# Every way to look at a message, one after the other on all of them.
FETCHES = [b"ENVELOPE", b"BODYSTRUCTURE", b"BODY.PEEK[HEADER.FIELDS (SUBJECT X1)]",
           b"BODY.PEEK[HEADER.FIELDS.NOT (X1)]", b"BODY.PEEK[1]", b"BODY.PEEK[1.1.1.1.1.1.1.1]",
           b"BODY.PEEK[" + b".".join([b"1"] * 100) + b"]", b"BINARY.PEEK[1]", b"BINARY.SIZE[1]",
           b"RFC822.HEADER", b"BODY.PEEK[1.MIME]", b"BODY.PEEK[TEXT]<100000.10>"]
OTHERS = [b"SEARCH FROM needle", b"SEARCH SUBJECT needle", b"SEARCH TEXT needle",
          b"SEARCH BODY needle", b"SEARCH HEADER X1 y", b"SEARCH SENTSINCE 1-Jan-2020",
          b"SEARCH OR TO needle CC needle", b"SORT (FROM SUBJECT DATE) UTF-8 ALL",
          b"SORT (REVERSE TO CC SIZE) UTF-8 ALL", b"THREAD REFERENCES UTF-8 ALL",
          b"THREAD ORDEREDSUBJECT UTF-8 ALL"]


def timed(name, took, limit=SECONDS):
    assert took < limit * SLOW, f"{name} took {took:.1f} s"


def test_they_are_delivered_and_read_in_bounded_time(attacked):
    s = Smtp(attacked, timeout=60)
    delivered = []
    with under_attack(attacked, grows_mib=160, wait_s=3):
        for name, message in MESSAGES.items():
            began = time.monotonic()
            code = s.send("evil@b.example", [VICTIM], message)
            timed(f"delivery of {name}", time.monotonic() - began)
            assert code == 250, (name, code)
            delivered.append(name)
    s.close()
    c = Imap(attacked, VICTIM, timeout=60)
    assert c.ok(b"SELECT INBOX").of(b"EXISTS") == [[len(MESSAGES)]]
    with under_attack(attacked, grows_mib=160, wait_s=3):
        for item in FETCHES:
            for i, name in enumerate(delivered):
                began = time.monotonic()
                a = c.command(b"FETCH %d (UID %s)" % (i + 1, item))
                timed(f"{item} of {name}", time.monotonic() - began)
                assert a.status == b"OK" or a.code == b"UNKNOWN-CTE", (name, item, a)
                assert a.of(b"FETCH") or a.code, (name, item)
        for command in OTHERS:
            began = time.monotonic()
            c.ok(command)
            timed(command.decode(), time.monotonic() - began, 2 * SECONDS)
    c.logout()


def test_what_can_be_known_of_them_is_right(attacked):
    """Bounded does not mean that nothing is read: what lies within the limits is found."""
    c = Imap(attacked, VICTIM, timeout=60)
    c.ok(b"SELECT INBOX")
    number = {name: i + 1 for i, name in enumerate(MESSAGES)}

    def fetch(name, item):
        (_, items), = c.ok(b"FETCH %d (%s)" % (number[name], item)).of(b"FETCH")
        return next(iter(pairs(items).values()))

    def found(keys):
        (numbers,) = c.ok(b"SEARCH " + keys).of(b"SEARCH")
        return {int(n) for n in numbers}

    for name, message in MESSAGES.items():
        assert fetch(name, b"BODY.PEEK[]").endswith(message), name
    assert fetch("many addresses", b"ENVELOPE")[5][0][2:] == [b"a0", b"b.example"]
    assert fetch("nested comments", b"ENVELOPE")[2][0][2:] == [b"a", b"b.example"]
    assert fetch("multiparts", b"BODYSTRUCTURE")
    assert [t.lower() for t in fetch("messages", b"BODYSTRUCTURE")[:2]] == [b"message", b"rfc822"]
    assert number["fields"] in found(b"BODY needle")
    assert number["some words"] in found(b"CHARSET UTF-8 SUBJECT {2+}\r\n\xc3\xa4")
    c.logout()


def test_hops_are_counted(attacked):
    s = Smtp(attacked)
    received = b"Received: from a by b; Tue, 3 Feb 2026 00:00:00 +0000\r\n"
    assert s.send("a@b.example", [VICTIM], received * 2000 + b"\r\nx\r\n") == 554
    assert s.send("a@b.example", [VICTIM], received * 10 + b"\r\nx\r\n") == 250
    s.close()
