# SPDX-License-Identifier: Apache-2.0
"""Messages that lie in mailboxes: listed and read by their owner over the API, encrypted and decrypted
where they lie, and old mail encrypted in the background; and that nothing stays of what was in clear."""
import os
import re
import subprocess
import time

import pytest
from authority import Authority
from mailtools import Smtp, imap
from test_confinement import memory_holds
from test_secure_mail import FILE_SECRET, SECRET, pfx_body, session, smime
from webclient import BASE, quoted

root = pytest.mark.skipif(os.geteuid() != 0, reason="reading another process's memory needs root")


@pytest.fixture(scope="module")
def authority(server, tmp_path_factory):
    a = Authority("Stored Mail Root")
    path = tmp_path_factory.mktemp("trust") / "root.pem"
    path.write_text(a.pem)
    server.cli("trust", "add", str(path), "--server", "--for", "mail")
    return a


def person(server, authority, address):
    """An account with an imported key that is open in the session."""
    server.add_account(address)
    issued = authority.issue(emails=[address], usage=("mail",), key="rsa")
    c = session(server, address)
    c.ask("POST", smime(address) + "/import",
          pfx_body(issued.pkcs12(FILE_SECRET, "mine"), password=SECRET), expect=201)
    c.address = address
    return c, issued


def deliver(server, address, subject, body, extra=""):
    message = (f"From: Someone <someone@elsewhere.example>\r\nTo: {address}\r\nSubject: {subject}\r\n"
               f"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\n{extra}\r\n{body}\r\n").encode()
    s = Smtp(server)
    s.send("someone@elsewhere.example", [address], message)
    s.close()


def messages(c, mailbox="INBOX"):
    return c.get(f"/accounts/{c.address}/mailboxes/{quoted(mailbox)}/messages?limit=200")["messages"]


def one(c, subject):
    found, = [m for m in messages(c) if m["subject"] == subject]
    return found


def path(c, message, act):
    return f"{BASE}/accounts/{c.address}/messages/{message['id']}/{act}"


def read(c, message):
    return c.ask("GET", path(c, message, "read"), expect=200).json


def octets(c, message):
    return c.ask("GET", path(c, message, "read").removesuffix("/read"), expect=200).body


def files_hold(server, secret):
    """Whether the octets stand in any file of the store (the log of the database too)."""
    store = server.data / "store"
    return any(secret in f.read_bytes() for f in store.rglob("*") if f.is_file())


def until(what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.1)
    return False


def test_what_is_for_others_is_not_locked(server, authority, tmp_path):
    """A client asks for the password only where it helps."""
    c, _ = person(server, authority, "olga@example.org")
    other = tmp_path / "other.pem"
    other.write_text(authority.issue(emails=["x@elsewhere.example"], usage=("mail",), key="rsa").pem)
    sealed = subprocess.run(["openssl", "cms", "-encrypt", "-aes256", "-subject", "not for you", "-from",
                             "x@elsewhere.example", "-to", c.address, str(other)],
                            input=b"text\r\n", capture_output=True, check=True).stdout
    box = imap(server, c.address)
    box.append("INBOX", None, None, sealed.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n"))
    for act in ("lock", None):
        if act:
            c.ask("POST", smime(c.address) + "/" + act, expect=200)
        else:
            c.ask("POST", smime(c.address) + "/unlock", {"password": SECRET}, expect=200)
        shown = read(c, one(c, "not for you"))
        layer, = shown["report"]["layers"]
        assert shown["report"]["status"] == "locked" and not shown["locked"]
        assert "for others" in layer["reason"] and not layer["recipients"][0]["ours"]
        refused = c.ask("GET", path(c, one(c, "not for you"), "parts/1"), expect=422)
        assert "for others" in refused.json["detail"]


def test_the_copy_of_the_subject_is_for_other_programs(server, authority):
    c, _ = person(server, authority, "pia@example.org")
    c.ask("POST", f"{BASE}/accounts/{c.address}/compose",
          {"from": c.address, "to": [c.address], "subject": "Gr\u00fc\u00dfe, hidden", "text": "Hello,\r\n\r\nPia\r\n",
           "html": "<html><body><p>Hello</p></body></html>", "sign": True, "encrypt": True}, expect=200)
    m = messages(c)[0]
    for decrypted in (False, True):
        shown = read(c, m)
        fields = {f["name"]: f for f in shown["report"]["fields"]}
        assert fields["Subject"]["text"] == "Gr\u00fc\u00dfe, hidden"
        assert [p["text"].replace("\r\n", "") for p in shown["parts"]] == \
            ["Hello,Pia", "<html><body><p>Hello</p></body></html>"]
        # As a file it is what was signed.
        assert b"header-protection-legacy-display" in c.ask("GET", path(c, m, "parts/2"), expect=200).body
        if not decrypted:
            c.ask("POST", path(c, m, "decrypt"), expect=200)
            m = messages(c)[0]


def test_a_message_is_encrypted_and_decrypted_in_place(server, authority):
    c, issued = person(server, authority, "lena@example.org")
    deliver(server, c.address, "=?utf-8?q?gr=C3=BC=C3=9Fe?=", "nobody else reads this")
    deliver(server, c.address, "another", "stays")
    m = messages(c)[1]
    assert m["subject"] == "grüße"
    box = imap(server, c.address)
    box.select("INBOX")
    box.store("1", "+FLAGS", r"(\Flagged kept)")
    before = box.fetch("1", "(INTERNALDATE FLAGS)")[1][0]
    clear = octets(c, m)
    done = c.ask("POST", path(c, m, "encrypt"), expect=200).json
    assert done["uid"] == 3 and done["id"] != m["id"] and done["held_elsewhere"] == 0
    c.ask("GET", path(c, m, "read"), expect=404)
    m = next(x for x in messages(c) if x["id"] == done["id"])
    assert m["smime"] == "encrypted" and "flagged" in m["flags"]
    sealed = octets(c, m)
    assert b"nobody else reads this" not in sealed and b"Subject:" in sealed
    box.noop()
    after = box.fetch("2", "(INTERNALDATE FLAGS)")[1][0]
    assert after.split(b"INTERNALDATE")[1].split(b'"')[1] == before.split(b"INTERNALDATE")[1].split(b'"')[1]
    assert b"kept" in after and rb"\Flagged" in after
    # Read, with the key open: encrypted, and what was in it.
    shown = read(c, m)
    assert shown["report"]["status"] == "encrypted" and not shown["locked"]
    assert "nobody else reads this" in shown["parts"][0]["text"]
    part = c.ask("GET", path(c, m, "parts/1"), expect=200)
    assert part.body == b"nobody else reads this\r\n"
    # A second time it is left alone.
    c.ask("POST", path(c, m, "encrypt"), expect=409)
    # Locked: neither read nor encrypted nor decrypted, and nothing of it is told.
    c.ask("POST", smime(c.address) + "/lock", expect=200)
    shown = read(c, m)
    assert shown["locked"] and shown["parts"] == [] and shown["report"]["status"] == "locked"
    layer, = shown["report"]["layers"]
    assert layer["recipients"][0]["ours"] and layer["reason"] == "the key that opens it is locked"
    c.ask("GET", path(c, m, "parts/1"), expect=403)
    for act in ("encrypt", "decrypt"):
        c.ask("POST", path(c, m, act), expect=403)
    c.ask("POST", smime(c.address) + "/unlock", {"password": SECRET}, expect=200)
    done = c.ask("POST", path(c, m, "decrypt"), expect=200).json
    m = next(x for x in messages(c) if x["id"] == done["id"])
    # An entity that goes into another needs a type: that, and no more, came to the header.
    assert re.sub(rb"(?m)^(MIME-Version|Content-Type): .*\r\n", b"", octets(c, m)) == clear
    c.ask("POST", path(c, m, "decrypt"), expect=409)
    box.logout()


def test_a_sender_writes_no_trace_into_the_header(server, authority, tmp_path):
    c, issued = person(server, authority, "tamara@example.org")
    (tmp_path / "m").write_bytes(
        b"From: Someone <someone@elsewhere.example>\r\nSubject: inside\rX-Forged: by a lone CR\r\n"
        b"Authentication-Results: mx; spf=pass\r\nReceived: from nowhere\r\nReturn-Path: <forged@example.org>\r\n"
        b"X-List: one\r\nX-List: two\r\n"
        b"Content-Type: text/plain; hp=\"cipher\"\r\n\r\ntext\r\n")
    (tmp_path / "c").write_text(issued.pem)
    sealed = subprocess.run(["openssl", "cms", "-encrypt", "-aes256", "-binary", "-in", tmp_path / "m",
                             tmp_path / "c"], capture_output=True, check=True).stdout.replace(b"\r\n", b"\n")
    outer = (b"Authentication-Results: mx; spf=fail\nReceived: from somewhere\nX-List: eins\nX-List: zwei\n"
             b"From: Someone <someone@elsewhere.example>\nSubject: [...]\n")
    box = imap(server, c.address)
    box.append("INBOX", None, None, (outer + sealed).replace(b"\n", b"\r\n"))
    box.logout()
    c.ask("POST", path(c, one(c, "[...]"), "decrypt"), expect=200)
    header = octets(c, messages(c)[0]).split(b"\r\n\r\n")[0].split(b"\r\n")
    assert b"Authentication-Results: mx; spf=fail" in header and b"Received: from somewhere" in header
    assert b"Subject: inside X-Forged: by a lone CR" in header
    assert [h for h in header if h.startswith(b"X-List")] == [b"X-List: one", b"X-List: two"]
    assert not [h for h in header if h.startswith((b"X-Forged", b"Return-Path")) or b"pass" in h or b"nowhere" in h]


def test_openssl_reads_what_was_encrypted_here(server, authority, tmp_path):
    c, issued = person(server, authority, "olaf@example.org")
    deliver(server, c.address, "for openssl", "the same text for everybody")
    c.ask("POST", path(c, one(c, "for openssl"), "encrypt"), expect=200)
    (tmp_path / "m").write_bytes(octets(c, one(c, "for openssl")))
    (tmp_path / "k").write_text(issued.key_pem())
    (tmp_path / "c").write_text(issued.pem)
    opened = subprocess.run(["openssl", "cms", "-decrypt", "-in", tmp_path / "m", "-inkey", tmp_path / "k",
                             "-recip", tmp_path / "c"], capture_output=True, check=True)
    assert b"the same text for everybody" in opened.stdout


def test_a_mailbox_is_its_owners(server, authority):
    c, _ = person(server, authority, "petra@example.org")
    deliver(server, c.address, "private", "for petra")
    m = one(c, "private")
    server.add_account("boss@example.org")
    server.cli("account", "set", "boss@example.org", "role=admin")
    boss = session(server, "boss@example.org")
    boss.ask("GET", f"{BASE}/accounts/{c.address}/mailboxes/INBOX/messages", expect=403)
    for act in ("read", "parts/1"):
        boss.ask("GET", path(c, m, act), expect=403)
    boss.ask("GET", path(c, m, "read").removesuffix("/read"), expect=403)
    boss.ask("POST", path(c, m, "encrypt"), expect=403)
    # An id of somebody else's is none of one's own.
    other, _ = person(server, authority, "quentin@example.org")
    other.ask("GET", f"{BASE}/accounts/{other.address}/messages/{m['id']}/read", expect=404)
    for nonsense in ("0", "-1", "x", "9" * 30):
        other.ask("GET", f"{BASE}/accounts/{other.address}/messages/{nonsense}/read", expect=404)


@root
def test_nothing_stays_of_what_was_encrypted(server, authority):
    c, _ = person(server, authority, "rosa@example.org")
    secret = b"the treasure lies under the third oak"
    for n in range(3):
        deliver(server, c.address, f"map {n}", f"{n}: " + secret.decode())
    assert files_hold(server, secret)  # else the test sees nothing
    box = imap(server, c.address)
    box.select("INBOX")
    assert secret in box.fetch("1", "(BODY[])")[1][0][1]
    for n in range(3):
        m = one(c, f"map {n}")
        c.ask("POST", path(c, m, "encrypt"), expect=200)
    box.logout()
    assert until(lambda: not files_hold(server, secret))
    # What is read with an open key is nowhere afterwards either.
    assert secret.decode() in read(c, one(c, "map 1"))["parts"][0]["text"]
    c.ask("POST", smime(c.address) + "/lock", expect=200)
    assert secret not in server.log_text().encode()
    assert not files_hold(server, secret)
    for name in ("server", "keyd-user", "keyd-domain"):
        assert until(lambda: not memory_holds(server.children()[name], secret)), name


def test_mail_that_arrives_encrypted_was_never_stored_in_clear(server, authority):
    c, _ = person(server, authority, "udo@example.org")
    server.cli("rule", "set", c.address, "-", stdin='require "vnd.signet.encrypt"; keep :encrypt :mandatory;')
    small, large = b"the small secret of the day", b"the large secret of the day"
    deliver(server, c.address, "small", small.decode())
    deliver(server, c.address, "large", large.decode() + "\r\n" + "z" * 70 + ("\r\n" + "y" * 70) * 30000
            + "\r\n" + large.decode())
    assert [m["smime"] for m in messages(c)] == ["encrypted", "encrypted"]
    assert until(lambda: not files_hold(server, small) and not files_hold(server, large))
    assert small.decode() in read(c, one(c, "small"))["parts"][0]["text"]
    # With the cipher that the account has chosen.
    for cipher in ("aes-128-cbc", "aes-256-gcm"):
        c.ask("PATCH", smime(c.address), {"cipher": cipher}, expect=200)
        deliver(server, c.address, cipher, "one of two")
        layer, = read(c, one(c, cipher))["report"]["layers"]
        assert layer["cipher"].lower() == cipher
    whole = c.ask("GET", path(c, one(c, "large"), "parts/1"), expect=200).body
    assert len(whole) > 2_000_000 and whole.count(large) == 2


def test_old_mail_is_encrypted_in_the_background(server, authority):
    c, _ = person(server, authority, "sven@example.org")
    base = f"/accounts/{c.address}/encryption"
    c.get(base, expect=404)
    for n in range(60):
        # Of a size that takes the server longer than we take for the next requests.
        deliver(server, c.address, f"old {n}", ("x" * 500 + "\r\n") * 1000)
    c.ask("POST", path(c, one(c, "old 7"), "encrypt"), expect=200)
    # Only with the key open, since nobody could read it again otherwise.
    c.ask("POST", smime(c.address) + "/lock", expect=200)
    c.ask("POST", BASE + base, expect=403)
    c.ask("POST", smime(c.address) + "/unlock", {"password": SECRET}, expect=200)
    started = c.ask("POST", BASE + base, expect=200).json
    assert started["total"] == 60 and started["state"] == "running"
    c.ask("POST", BASE + base, expect=409)
    c.ask("POST", BASE + base + "/pause", expect=200)
    at = c.get(base)
    time.sleep(0.5)
    assert c.get(base)["state"] == "paused"
    assert c.get(base)["encrypted"] - at["encrypted"] <= 1  # the one that was under way
    c.ask("POST", BASE + base + "/pause", expect=409)
    deliver(server, c.address, "came later", "in clear")
    c.ask("POST", BASE + base + "/resume", expect=200)
    assert until(lambda: c.get(base)["state"] == "done", 60)
    done = c.get(base)
    assert done["encrypted"] == 59 and done["encrypted_before"] == 1 and done["failed"] == 0
    kinds = {m["subject"]: m["smime"] for m in messages(c)}
    assert all(kinds[f"old {n}"] == "encrypted" for n in range(60))
    assert kinds.get("came later") is None
    assert "x" * 500 in read(c, one(c, "old 3"))["parts"][0]["text"]
    c.ask("DELETE", BASE + base, expect=204)
    c.get(base, expect=404)


def test_it_goes_on_after_a_kill(server, authority):
    c, _ = person(server, authority, "tina@example.org")
    base = f"/accounts/{c.address}/encryption"
    for n in range(80):
        deliver(server, c.address, f"old {n}", "y" * 300)
    c.ask("POST", BASE + base, expect=200)
    os.kill(server.children()["server"], 9)
    assert until(lambda: server.is_alive() and server.children().get("server"))
    again = until_session(server, c.address)
    again.address = c.address
    assert until(lambda: again.get(base)["state"] == "done", 90)
    rows = messages(again)
    assert len(rows) == 80 and all(m["smime"] == "encrypted" for m in rows)


def until_session(server, address):
    for _ in range(100):
        try:
            return session(server, address)
        except (OSError, ConnectionError):
            time.sleep(0.1)
    raise AssertionError("the server does not come back")
