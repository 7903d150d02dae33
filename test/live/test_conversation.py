# SPDX-License-Identifier: Apache-2.0
"""Anna and Ben, who have accounts here, and Otto, who has openssl, write to each other: composed, sent, read,
encrypted in place, exported and revoked over the API, as the web client does."""
import base64
import json
import subprocess

import pytest
from authority import Authority
from conftest import finish, make_server
from cryptography import x509
from mailtools import Smtp, imap
from test_secure_mail import FILE_SECRET, session, smime
from test_stored import until
from webclient import BASE, quoted

ANNA, BEN, CARA, OTTO = "anna@example.org", "ben@example.org", "cara@example.org", "otto@elsewhere.example"


def openssl(*args, stdin=None):
    r = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True, timeout=60)
    assert r.returncode == 0, r.stderr.decode()
    return r.stdout


class Person:
    """Somebody with an account, in a web session."""

    def __init__(self, server, address):
        server.add_account(address)
        self.server, self.address, self.secret = server, address, f"{address} knows this, nobody else does"
        self.c = session(server, address)
        self.base = f"{BASE}/accounts/{address}"

    def post(self, act, body=None, expect=200):
        return self.c.ask("POST", f"{self.base}/{act}", body, expect=expect).json

    def makes_a_key(self):
        return self.post("smime/generate", {"password": self.secret, "type": "ec:p256"}, expect=201)

    def locks(self):
        self.c.ask("POST", smime(self.address) + "/lock", expect=200)

    def unlocks(self):
        self.post("smime/unlock", {"password": self.secret})

    def writes(self, *to, subject, text="", expect=200, **more):
        body = {"from": self.address, "subject": subject, "text": text, **more}
        if to:
            body["to"] = list(to)
        return self.post("compose", body, expect)

    def finds(self, subject, mailbox="INBOX"):
        path = f"/accounts/{self.address}/mailboxes/{quoted(mailbox)}/messages"
        found, = [m for m in self.c.get(path)["messages"] if m["subject"] == subject]
        return found

    def newest(self, mailbox="INBOX"):
        """Its subject may be encrypted."""
        return self.c.get(f"/accounts/{self.address}/mailboxes/{quoted(mailbox)}/messages")["messages"][0]

    def reads(self, message):
        return self.c.get(f"/accounts/{self.address}/messages/{message['id']}/read")

    def octets(self, message):
        return self.c.ask("GET", f"{self.base}/messages/{message['id']}", expect=200).body

    def takes_the_certificate(self, message, expect=200):
        return self.post("certificates/take", {"mailbox": "INBOX", "uid": message["uid"]}, expect)

    def exports(self, folder):
        """The key in clear and its certificate, as files."""
        file = self.post("smime/export", {"password": self.secret, "file_password": FILE_SECRET})
        pfx, key, cert = (folder / f"{self.address}.{x}" for x in ("pfx", "key", "pem"))
        pfx.write_bytes(base64.b64decode(file["file"]))
        for out, what in ((key, ("-nocerts", "-nodes")), (cert, ("-nokeys", "-clcerts"))):
            out.write_bytes(openssl("pkcs12", "-in", pfx, "-passin", f"pass:{FILE_SECRET}", *what))
        return key, cert


class Stranger:
    """Otto, with openssl and an authority that nobody here knows."""

    def __init__(self, folder):
        self.authority = Authority("Otto's Root")
        self.issued = self.authority.issue(emails=[OTTO], usage=("mail",), key="rsa")
        self.root, self.key, self.cert = (folder / f"otto.{x}" for x in ("root", "key", "cert"))
        self.root.write_text(self.authority.pem)
        self.key.write_text(self.issued.key_pem())
        self.cert.write_text(self.issued.pem)

    def sends_signed(self, server, to, subject):
        signed = openssl("cms", "-sign", "-signer", self.cert, "-inkey", self.key, "-text", "-from", OTTO, "-to", to,
                         "-subject", subject, "-crlfeol", stdin=b"Otto has a certificate\n")
        message = b"\r\n".join(signed.replace(b"\r\n", b"\n").split(b"\n"))
        s = Smtp(server)
        assert s.send(OTTO, [to], b"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\n" + message) == 250
        s.close()


def decrypts(message, key, cert):
    return openssl("cms", "-decrypt", "-inkey", key, "-recip", cert, stdin=message)


def names(message, cert):
    """Whether a RecipientInfo names the certificate."""
    serial = x509.load_pem_x509_certificate(openssl("x509", "-in", cert)).serial_number
    return serial.to_bytes((serial.bit_length() + 7) // 8, "big") in openssl(
        "cms", "-cmsout", "-outform", "DER", stdin=message)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    class World:
        folder = tmp_path_factory.mktemp("conversation")
        server = make_server().start()
    w = World()
    w.server.cli("ca", "create", "example.org")
    w.anna, w.ben, w.cara = (Person(w.server, a) for a in (ANNA, BEN, CARA))
    w.otto = Stranger(w.folder)
    for person in (w.anna, w.ben, w.cara):
        person.makes_a_key()
    yield w
    finish(w.server)


def test_a_conversation(world, tmp_path):
    anna, ben, cara, otto, server = world.anna, world.ben, world.cara, world.otto, world.server

    # Anna signs. Ben sees that it is from her, and keeps her certificate.
    done = anna.writes(f"Ben <{BEN}>", subject="Hello Ben", text="It is me, Anna.\n", sign=True)
    assert (done["delivered"], done["queued"], done["failed"]) == (1, 0, 0)
    hello = ben.finds("Hello Ben")
    shown = ben.reads(hello)
    assert shown["report"]["status"] == "signed" and "It is me, Anna." in shown["parts"][0]["text"]
    assert anna.finds("Hello Ben", "Sent")["flags"] == ["seen"]
    assert ben.takes_the_certificate(hello, expect=None)["address"] == ANNA

    # Ben answers, signed and encrypted. Anna reads it while her key is open, and not while it is locked.
    ben.writes(ANNA, subject="Secret", text="Only for Anna.\n", sign=True, encrypt=True)
    secret = anna.newest()
    assert secret["smime"] == "encrypted" and b"Only for" not in anna.octets(secret)
    assert b"Subject: Secret" not in anna.octets(secret)
    shown = anna.reads(secret)
    assert shown["report"]["status"] == "signed-encrypted" and "Only for Anna." in shown["parts"][0]["text"]
    anna.locks()
    shown = anna.reads(secret)
    assert shown["locked"] and shown["parts"] == []
    refused = anna.writes(BEN, subject="x", sign=True, expect=403)
    assert refused["field"] == "password"
    anna.writes(BEN, subject="x", encrypt=True, expect=403)
    anna.unlocks()

    # Otto, from outside, signs with a certificate of an authority that is not trusted until it is.
    otto.sends_signed(server, BEN, "From Otto")
    from_otto = ben.finds("From Otto")
    refused = ben.takes_the_certificate(from_otto, expect=409)
    assert refused["detail"]
    server.cli("trust", "add", str(otto.root), "--for", "mail")
    assert ben.takes_the_certificate(from_otto, expect=None)["state"] == "trusted"

    # Ben writes encrypted to Otto and Anna; Cara gets it blindly. Nothing here sends to other servers yet, and
    # that is said before anything is delivered.
    to_all = {"subject": "For three", "text": "Otto, Anna and somebody.\n", "encrypt": True, "sign": True, "bcc": [CARA]}
    refused = ben.writes(OTTO, ANNA, expect=422, **to_all)
    assert [(r["address"], r["refusal"][:9]) for r in refused["recipients"]] == [(OTTO, "550 5.3.2")]
    assert ben.c.get(f"/accounts/{CARA}/mailboxes/INBOX/messages", expect=403)
    copies = ben.writes(OTTO, ANNA, act="make", **to_all)["copies"]
    by = {tuple(c["recipients"]): base64.b64decode(c["message"]) for c in copies}
    assert set(by) == {(OTTO, ANNA), (CARA,), ()}
    assert b"Otto, Anna and somebody." in decrypts(by[OTTO, ANNA], otto.key, otto.cert)
    cara_key, cara_cert = cara.exports(tmp_path)
    assert b"Otto, Anna and somebody." in decrypts(by[CARA,], cara_key, cara_cert)
    assert not names(by[OTTO, ANNA], cara_cert) and names(by[CARA,], cara_cert)
    assert not names(by[CARA,], otto.cert) and names(by[OTTO, ANNA], otto.cert)
    for message in (by[OTTO, ANNA], by[CARA,]):
        assert CARA.encode() not in message and CARA.encode() not in decrypts(
            message, *((otto.key, otto.cert) if message is by[OTTO, ANNA] else (cara_key, cara_cert)))
    # Without Otto it is sent; each of them reads it.
    assert ben.writes(ANNA, **to_all)["delivered"] == 2
    for reader in (anna, cara):
        shown = reader.reads(reader.newest())
        assert shown["report"]["status"] == "signed-encrypted" and "somebody" in shown["parts"][0]["text"]
        assert b"\nbcc:" not in reader.octets(reader.newest()).lower()

    # Anna encrypts an old mail where it lies.
    ben.writes(ANNA, subject="Old", text="A postcard.\n")
    anna.post(f"messages/{anna.finds('Old')['id']}/encrypt")
    assert anna.finds("Old")["smime"] == "encrypted"
    assert "A postcard." in anna.reads(anna.finds("Old"))["parts"][0]["text"]

    # She changes her Secure Mail Password, takes her key along, and openssl opens what she has sent.
    anna.writes(BEN, subject="Kept", text="My own copy.\n", encrypt=True, header_protection=False)
    new = "another one, which is longer than before"
    anna.post("smime/password", {"current": anna.secret, "password": new})
    anna.secret = new
    assert anna.reads(anna.finds("Kept", "Sent"))["locked"]
    assert b"My own copy." in decrypts(anna.octets(anna.finds("Kept", "Sent")), *anna.exports(tmp_path))
    anna.unlocks()

    # The administrator revokes her certificate: on her next signed mail Ben sees that.
    signed = anna.writes(BEN, subject="Later", text="Still me.\n", sign=True)
    assert signed["delivered"] == 1
    assert ben.reads(ben.finds("Later"))["report"]["status"] == "signed"
    serial, = [i["serial"] for i in anna.c.get(f"/accounts/{ANNA}/issued")["certificates"]]
    server.cli("ca", "revoke", "example.org", serial, "--reason", "keyCompromise")
    anna.writes(BEN, subject="Too late", text="Is it me?\n", sign=True)
    assert until(lambda: "revoked" in json.dumps(ben.reads(ben.finds("Too late"))["report"]))
    assert ben.reads(ben.finds("Too late"))["report"]["status"] == "not-verified"


def test_nothing_is_sent_in_part(world):
    """Who has no certificate, all of them with why; and nobody got anything."""
    anna, ben, server = world.anna, world.ben, world.server
    server.add_account("dora@example.org")
    refused = ben.writes(CARA, "dora@example.org", subject="Half", encrypt=True, cc=["nora@example.org"], expect=422)
    assert [(r["address"], r["field"], r["accepted"]) for r in refused["recipients"]] == [
        ("dora@example.org", "to", True), ("nora@example.org", "cc", False)]
    assert refused["recipients"][0]["certificate"]["reason"]
    ben.writes(CARA, "dora@example.org", subject="Half", encrypt=True, expect=422)
    box = imap(server, CARA)
    box.select("INBOX")
    assert box.search(None, "SUBJECT", "Half")[1] == [b""]
    box.logout()
    checked = ben.writes(CARA, "dora@example.org", OTTO, subject="", act="check")["recipients"]
    assert [r["certificate"]["source"] for r in checked][:2] == ["account", "none"]
    assert [r["accepted"] for r in checked] == [True, True, False]


def test_what_may_be_asked(world):
    ben, server = world.ben, world.server
    server.cli("alias", "add", "benjamin@example.org", BEN)
    server.cli("alias", "add", "all@example.org", f"{BEN},{CARA}", check=False)
    for sender in (ANNA, OTTO, "nobody@example.org"):
        assert ben.writes(CARA, subject="x", **{"from": sender}, expect=403)["field"] == "from"
    ben.writes(CARA, subject="By alias", text="x", **{"from": "Benjamin <benjamin@example.org>"})
    assert ben.writes(CARA, subject="x", sign=True, **{"from": "benjamin@example.org"}, expect=422)["detail"]
    for body, field in (({"to": ["a@b, c@d"]}, "to"), ({"to": ["x"]}, "to"), ({"to": ["g: a@b;"]}, "to"),
                        ({"from": f"{BEN}, {BEN}"}, "from"), ({}, "to"), ({"to": [CARA], "act": "x"}, "act"),
                        ({"to": [CARA], "attachments": [{"content": "?"}]}, "attachments"),
                        ({"to": [CARA], "attachments": [{"content": "", "evil": "x"}]}, "attachments"),
                        ({"to": [CARA], "encrypt": True, "cipher": "rot13"}, "cipher"),
                        ({"to": [CARA], "encrypt": True, "cipher": "rc2-40"}, "cipher")):
        assert ben.post("compose", {"from": BEN, **body}, expect=422)["field"] == field, body
    # Nothing of a value becomes a field of its own.
    ben.writes(CARA, subject="one\r\nX-Evil: two", text="x")
    header = world.cara.octets(world.cara.newest()).partition(b"\r\n\r\n")[0]
    assert b"\nX-Evil" not in header and header.count(b"\nFrom:") == 1
    for field in (b"Date", b"Message-ID", b"Received", b"MIME-Version"):
        assert header.count(b"\n" + field + b":") == 1, (field, header)
    assert b"127.0.0.1" not in header
    ben.c.ask("POST", f"{BASE}/accounts/{CARA}/compose", {"from": CARA, "to": [BEN]}, expect=403)


def test_attachments_drafts_and_what_is_kept(world):
    ben, cara = world.ben, world.cara
    octets = bytes(range(256)) * 40
    ben.writes(CARA, subject="A file", text="See there.\n", html="<p>See there.</p>", encrypt=True, sign=True,
               in_reply_to="<a@b>", references=["<c@d>", "<a@b>"], save=False,
               attachments=[{"name": "grün.bin", "type": "application/x-test", "content": base64.b64encode(octets).decode()}])
    m = cara.newest()
    shown = cara.reads(m)
    part, = [p for p in shown["parts"] if p["attachment"]]
    assert part["name"] == "grün.bin" and part["type"] == "application/x-test"
    got = cara.c.ask("GET", f"{cara.base}/messages/{m['id']}/parts/{part['part']}", expect=200)
    assert got.body == octets
    assert b"In-Reply-To: <a@b>" in cara.octets(m) and b"References: <c@d> <a@b>" in cara.octets(m)
    before = len(ben.c.get(f"/accounts/{BEN}/mailboxes/Sent/messages")["messages"])
    ben.writes(CARA, subject="Gone", text="x", save=False)
    assert len(ben.c.get(f"/accounts/{BEN}/mailboxes/Sent/messages")["messages"]) == before
    # A draft needs no recipient, and an encrypted one is its author's alone.
    kept = ben.writes(subject="Draft", text="not done", encrypt=True, act="draft", bcc=[CARA])
    draft = ben.newest("Drafts")
    assert kept["kept"] == draft["id"] and "draft" in draft["flags"] and draft["smime"] == "encrypted"
    assert kept["delivered"] == 0 and "not done" in ben.reads(draft)["parts"][0]["text"]
