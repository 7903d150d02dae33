# SPDX-License-Identifier: Apache-2.0
"""Mailboxes that several accounts use, with Python's imaplib against a whole server: rights given and
taken away over IMAP and the command line, threads that read while they are taken, copies between
accounts, POP3 beside."""
import imaplib
import json
import poplib
import threading

import pytest
from conftest import PASSWORD, finish, make_server

JIM, ANN, FAR = "jim@example.org", "ann@example.org", "far@other.example"
MESSAGE = b"From: x@example.net\r\nSubject: s\r\nMessage-ID: <%d@example.net>\r\n\r\nbody %d\r\n"


@pytest.fixture(scope="module")
def server():
    s = make_server().start()
    s.cli("domain", "add", "other.example")
    for address in (JIM, ANN, FAR):
        s.add_account(address)
    yield s
    finish(s)


def login(server, address):
    imap = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=server.context())
    imap.login(address, PASSWORD)
    return imap


def rights(server, mailbox, who, letters):
    server.cli("mailbox", "rights", JIM, mailbox, who, letters)


@pytest.fixture
def jim(server):
    imap = login(server, JIM)
    yield imap
    imap.logout()


@pytest.fixture
def ann(server):
    imap = login(server, ANN)
    yield imap
    try:
        imap.logout()
    except imaplib.IMAP4.abort:
        pass


def listed(imap, pattern='"*"'):
    return sorted(line.decode().split(' "/" ')[1].strip('"') for line in imap.list('""', pattern)[1] if line)


def test_names_and_namespace(server, jim, ann):
    assert jim.create("Team")[0] == "OK"
    assert b'(("~" "/"))' in ann.namespace()[1][0]
    assert not [m for m in listed(ann) if m.startswith("~")]
    rights(server, "Team", ANN, "lr")
    rights(server, "Team", FAR, "lr")
    assert [m for m in listed(ann) if m.startswith("~")] == ["~jim", "~jim/Team"]
    far = login(server, FAR)
    assert [m for m in listed(far) if m.startswith("~")] == ["~jim@example.org", "~jim@example.org/Team"]
    assert far.select("~jim@example.org/Team", readonly=True)[0] == "OK"
    assert far.select("~jim/Team", readonly=True)[0] == "NO"
    far.logout()
    assert ann.myrights("~jim/Team")[1] == [b"~jim/Team lr"]
    assert jim.getacl("Team")[1] == [f"Team {JIM} lrswipkxteacd {FAR} lr {ANN} lr".encode()] or \
        sorted(jim.getacl("Team")[1][0].split()[1::2]) == sorted(a.encode() for a in (JIM, ANN, FAR))
    shown = json.loads(server.cli("--json", "mailbox", "rights", JIM, "Team").stdout)["rights"]
    assert {r["identifier"]: r["rights"] for r in shown} == {JIM: "lrswipkxteacd", ANN: "lr", FAR: "lr"}
    for who, letters in (("nobody@example.org", "l"), (ANN, "lq"), (JIM, "l")):
        assert server.cli("mailbox", "rights", JIM, "Team", who, letters, check=False).returncode == 1
    assert server.cli("mailbox", "rights", JIM, "Nothing", check=False).returncode == 1
    assert server.cli("mailbox", "rights", JIM, "Team", ANN, check=False).returncode == 2
    rights(server, "Team", FAR, "none")


def test_copies_between_accounts(server, jim, ann):
    jim.create("Copies")
    rights(server, "Copies", ANN, "lrswite")
    for i in range(3):
        jim.append("Copies", r"(\Seen $Work)" if i == 0 else None, None, MESSAGE % (i, i))
    assert ann.select("~jim/Copies")[0] == "OK"
    assert ann.copy("1:3", "INBOX")[0] == "OK"
    assert ann.uid("MOVE", "2", "INBOX")[0] == "OK"
    assert ann.select("INBOX")[1] == [b"4"]
    flags = [line.decode() for line in ann.fetch("1:4", "(FLAGS)")[1]]
    assert "$Work" in flags[0] and r"\Seen" in flags[0] and "$Work" not in flags[1]
    # The one that was moved belongs to the thread of its copy: the ids say so in each account.
    threads = [line.decode().split("THREADID")[1] for line in ann.fetch("2,4", "(THREADID)")[1]]
    assert threads[0] == threads[1]
    assert ann.fetch("4", "(BODY.PEEK[])")[1][0][1] == MESSAGE % (1, 1)
    # Into the other account, and what it counts there.
    assert ann.copy("1", "~jim/Copies")[0] == "OK"
    assert jim.status("Copies", "(MESSAGES)")[1] == [b"Copies (MESSAGES 3)"]
    before = json.loads(server.cli("--json", "account", "show", JIM).stdout)["used_octets"]
    server.cli("account", "set", JIM, f"quota={before + 10}")
    try:
        assert ann.copy("1", "~jim/Copies")[0] == "NO"
        assert ann.append("~jim/Copies", None, None, MESSAGE % (9, 9))[0] == "NO"
        assert ann.append("INBOX", None, None, MESSAGE % (9, 9))[0] == "OK"
    finally:
        server.cli("account", "set", JIM, "quota=default")


def test_taken_away_while_it_is_read(server, jim):
    jim.create("Busy")
    for i in range(20):
        jim.append("Busy", None, None, MESSAGE % (100 + i, i))
    rights(server, "Busy", ANN, "lrs")
    readers = [login(server, ANN) for _ in range(4)]
    gone, wrong, started = [], [], threading.Barrier(len(readers) + 1)
    withdrawn = threading.Event()

    def read(imap):
        try:
            imap.select("~jim/Busy")
            started.wait()
            for _ in range(2000):
                after = withdrawn.is_set()
                status, data = imap.fetch("1:*", "(BODY.PEEK[TEXT])")
                if after and status == "OK" and data != [None]:
                    wrong.append(data[:1])
        except imaplib.IMAP4.abort as e:
            gone.append(str(e))
        except Exception as e:  # pylint: disable=broad-except
            wrong.append(repr(e))

    threads = [threading.Thread(target=read, args=(r,)) for r in readers]
    for t in threads:
        t.start()
    started.wait()
    assert jim.setacl("Busy", ANN, "s")[0] == "OK"
    withdrawn.set()
    for t in threads:
        t.join(60)
    assert not wrong and len(gone) == len(readers)
    again = login(server, ANN)
    assert again.select("~jim/Busy")[0] == "NO"
    again.logout()


def test_two_who_expunge(server, jim, ann):
    jim.create("Two")
    for i in range(10):
        jim.append("Two", None, None, MESSAGE % (200 + i, i))
    rights(server, "Two", ANN, "lrte")
    jim.select("Two")
    ann.select("~jim/Two")
    ann.store("1:5", "+FLAGS", r"(\Deleted \Flagged)")
    jim.store("4:7", "+FLAGS", r"(\Flagged)")
    assert ann.expunge()[0] == "OK"
    jim.noop()
    assert jim.search(None, "FLAGGED")[1] == [b"1 2"]  # what ann could not flag is not flagged
    assert jim.select("Two")[1] == [b"5"]


def test_pop3_has_the_own_inbox_only(server):
    server.cli("mailbox", "rights", JIM, "INBOX", ANN, "lrswite")
    pop = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=server.context())
    pop.user("~jim/INBOX")
    with pytest.raises(poplib.error_proto):
        pop.pass_(PASSWORD)
    pop.close()
