# SPDX-License-Identifier: Apache-2.0
"""mbsync keeps a Maildir and a mailbox of 5,000 messages the same, both ways."""
import email
import hashlib
import pathlib
import ssl
import subprocess

from conftest import PASSWORD, need
from mailtools import imap

MESSAGES = 5000


def message(i):
    return (f"From: a@example.org\r\nSubject: message {i}\r\nX-Number: {i}\r\n"
            f"Date: Tue, 03 Feb 2026 04:05:06 +0000\r\n\r\n" + f"line {i}\r\n" * (i % 40 + 1)
            ).encode()


def append_many(server, user, numbers):
    """MULTIAPPEND in groups: one command, one transaction."""
    c = imap(server, user)
    for start in range(0, len(numbers), 250):
        tag = c._new_tag()
        c.send(tag + b" APPEND INBOX")
        for i in numbers[start:start + 250]:
            m = message(i)
            c.send(b" (%s) {%d+}\r\n" % (b"\\Seen" if i % 3 == 0 else b"", len(m)) + m)
        c.send(b"\r\n")
        while True:
            line = c.readline()
            if line.startswith(tag):
                assert b"OK" in line, line
                break
    c.logout()


def remote_state(server, user):
    """Number: (digest, flags) of all messages."""
    c = imap(server, user)
    c.select("INBOX", readonly=True)
    _, data = c.fetch("1:*", "(FLAGS BODY.PEEK[])")
    c.logout()
    state = {}
    for d in data:
        if not isinstance(d, tuple):
            continue
        flags = {f for f in (b"\\Seen", b"\\Flagged", b"\\Answered") if f in d[0]}
        state[number(d[1])] = (digest(d[1]), frozenset(flags))
    return state


def number(octets):
    return int(email.message_from_bytes(octets)["X-Number"])


def digest(octets):
    """Of the message without what mbsync adds."""
    lines = [l for l in octets.replace(b"\r\n", b"\n").split(b"\n")
             if not l.startswith(b"X-TUID:")]
    return hashlib.sha256(b"\n".join(lines)).hexdigest()


LETTERS = {"S": b"\\Seen", "F": b"\\Flagged", "R": b"\\Answered"}


def local_state(maildir):
    state = {}
    for path in pathlib.Path(maildir).glob("*/*"):
        if path.parent.name not in ("cur", "new"):
            continue
        octets = path.read_bytes()
        letters = path.name.rpartition(":2,")[2] if ":2," in path.name else ""
        flags = frozenset(LETTERS[c] for c in letters if c in LETTERS)
        state[number(octets)] = (digest(octets), flags)
    return state


def test_mbsync_both_ways(server, alice, tmp_path):
    need("mbsync")
    append_many(server, alice, range(MESSAGES))
    rc = tmp_path / "mbsyncrc"
    maildir = tmp_path / "mail"
    (maildir / "INBOX").mkdir(parents=True)
    rc.write_text(f"""IMAPAccount a
Host 127.0.0.1
Port {server.port("imaps")}
User {alice}
Pass "{PASSWORD}"
SSLType IMAPS
CertificateFile {tmp_path}/cert.pem

IMAPStore remote
Account a

MaildirStore local
Path {maildir}/
Inbox {maildir}/INBOX

Channel c
Far :remote:
Near :local:
Patterns INBOX
Create Near
Expunge Both
SyncState *
""")
    (tmp_path / "cert.pem").write_text(
        ssl.get_server_certificate(("127.0.0.1", server.port("imaps"))))

    def sync():
        r = subprocess.run(["mbsync", "-c", rc, "-q", "c"], capture_output=True, text=True,
                           env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}, timeout=300)
        assert r.returncode == 0, r.stderr

    sync()
    local = local_state(maildir / "INBOX")
    assert len(local) == MESSAGES
    assert local == remote_state(server, alice)

    # Changes at both ends: removed, flagged, new here; removed, answered, new there.
    files = {number(p.read_bytes()): p for p in (maildir / "INBOX").glob("*/*")
             if p.parent.name in ("cur", "new")}
    for i in range(0, 500, 5):
        files[i].unlink()
    for i in range(1, 500, 5):
        path = files[i]
        base = path.name.partition(":2,")[0]
        path.rename(path.parent.parent / "cur" / f"{base}:2,F{'S' if i % 3 == 0 else ''}")
    for i in range(MESSAGES, MESSAGES + 50):
        (maildir / "INBOX" / "new" / f"{i}.local").write_bytes(message(i).replace(b"\r\n", b"\n"))
    c = imap(server, alice)
    c.select("INBOX")
    # UIDs follow the numbers: message i was appended as UID i + 1.
    c.uid("STORE", ",".join(str(i + 1) for i in range(1002, 1500, 5)), "+FLAGS", "(\\Answered)")
    c.uid("STORE", ",".join(str(i + 1) for i in range(1003, 1500, 5)), "+FLAGS", "(\\Deleted)")
    c.expunge()
    c.logout()
    append_many(server, alice, range(MESSAGES + 50, MESSAGES + 100))
    sync()
    local, remote = local_state(maildir / "INBOX"), remote_state(server, alice)
    assert local == remote
    assert len(local) == MESSAGES + 100 - 100 - 100
    assert 0 not in remote and 1003 not in remote
    assert b"\\Flagged" in remote[1][1] and b"\\Answered" in local[1002][1]
    assert MESSAGES + 1 in remote and MESSAGES + 60 in local
