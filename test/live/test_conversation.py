# SPDX-License-Identifier: Apache-2.0
"""Anna and Ben, who have accounts here, and Otto, who has openssl, write to each other. All of it over the API, as
the web client does, from the domain to the revoked certificate; what Otto sends comes in by SMTP."""
import base64

import pytest
from conftest import finish, make_server
from mailtools import imap
from people import Administrator, Person, Stranger, decrypts, names
from test_stored import until
from webclient import BASE

SITE = "company.example"
ANNA, BEN, CARA = f"anna@{SITE}", f"ben@{SITE}", f"cara@{SITE}"
BENJAMIN, DORA, NORA = f"benjamin@{SITE}", f"dora@{SITE}", f"nora@{SITE}"
OTTO = "otto@elsewhere.example"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    class World:
        folder = tmp_path_factory.mktemp("conversation")
        server = make_server().start()
    w = World()
    w.admin = Administrator(w.server)
    w.admin.opens_a_domain(SITE)
    for address in (ANNA, BEN, CARA):
        w.admin.gives_an_account(address, address.partition("@")[0].title())
    w.admin.makes_an_authority(SITE)
    w.anna, w.ben, w.cara = (Person(w.server, a, SITE) for a in (ANNA, BEN, CARA))
    w.otto = Stranger(w.folder, OTTO)
    for person in (w.anna, w.ben, w.cara):
        person.makes_a_key()
    yield w
    finish(w.server)


def status(shown):
    return shown["report"]["status"]


def text(shown):
    return "".join(p.get("text", "") for p in shown["parts"])


def test_anna_and_ben_get_to_know_each_other(world):
    anna, ben = world.anna, world.ben

    # Anna signs. Ben sees that it is from her, and keeps her certificate.
    done = anna.writes(f"Ben <{BEN}>", subject="Hello Ben", text="It is me, Anna.\n", sign=True)
    assert (done["delivered"], done["queued"], done["failed"]) == (1, 0, 0)
    hello = ben.finds("Hello Ben")
    shown = ben.reads(hello)
    assert status(shown) == "signed" and "It is me, Anna." in text(shown)
    assert anna.finds("Hello Ben", "Sent")["flags"] == ["seen"]
    assert ben.takes_the_certificate(hello)["address"] == ANNA

    # Ben answers, signed and encrypted: nothing of it stands in what is stored.
    ben.writes(ANNA, subject="Secret", text="Only for Anna.\n", sign=True, encrypt=True)
    secret = anna.newest()
    assert secret["smime"] == "encrypted" and b"Only for" not in anna.octets(secret)
    assert b"Subject: Secret" not in anna.octets(secret)

    # Anna reads it while her key is open, and not while it is locked.
    shown = anna.reads(secret)
    assert status(shown) == "signed-encrypted" and "Only for Anna." in text(shown)
    anna.locks()
    shown = anna.reads(secret)
    assert shown["locked"] and shown["parts"] == []
    assert anna.writes(BEN, subject="x", sign=True, expect=403)["field"] == "password"
    anna.writes(BEN, subject="x", encrypt=True, expect=403)
    anna.unlocks()

    # She logs out and in again: that is not what opens a key.
    anna.logs_out()
    anna.logs_in()
    assert not anna.has_it_unlocked() and anna.reads(secret)["locked"]
    anna.unlocks()
    assert "Only for Anna." in text(anna.reads(secret))


def test_otto_writes_from_outside(world):
    admin, anna, ben, otto, server = world.admin, world.anna, world.ben, world.otto, world.server

    # He signs with a certificate of an authority that nobody here trusts, so Ben cannot take it.
    otto.sends_signed(server, BEN, "From Otto")
    from_otto = ben.finds("From Otto")
    assert status(ben.reads(from_otto)) == "not-verified"
    assert ben.takes_the_certificate(from_otto, expect=409)["detail"]

    # The administrator trusts that authority for the mail of this domain. Now he can.
    admin.trusts(otto.authority.pem, SITE)
    assert status(ben.reads(from_otto)) == "signed"
    assert ben.takes_the_certificate(from_otto)["state"] == "trusted"

    # Otto looks at a message of Anna's with the authority's certificate from the web, and answers encrypted.
    copy, = [c for c in anna.writes(OTTO, subject="Hello Otto", text="Me again.\n", sign=True, act="make")["copies"]
             if c["recipients"]]
    otto.knows_the_authority(server, SITE)
    assert b"Me again." in otto.verifies(base64.b64decode(copy["message"]))
    otto.sends_encrypted(server, ANNA, "Hello Anna", "Nobody on the way reads this.\n")
    shown = anna.reads(anna.finds("Hello Anna"))
    assert status(shown) == "signed-encrypted" and "Nobody on the way" in text(shown)
    assert b"Nobody on the way" not in anna.octets(anna.finds("Hello Anna"))


def test_ben_writes_to_three(world, tmp_path):
    anna, ben, cara, otto = world.anna, world.ben, world.cara, world.otto

    # To Otto and Anna, and blindly to Cara. Nothing here sends to other servers yet, and that is said before
    # anything is delivered.
    to_all = {"subject": "For three", "text": "Otto, Anna and somebody.\n", "encrypt": True, "sign": True, "bcc": [CARA]}
    refused = ben.writes(OTTO, ANNA, expect=422, **to_all)
    assert [(r["address"], r["refusal"][:9]) for r in refused["recipients"]] == [(OTTO, "550 5.3.2")]
    assert ben.gets(f"/accounts/{CARA}/mailboxes/INBOX/messages", expect=403)

    # What would go out: everybody opens the own copy, and nobody learns of Cara.
    copies = ben.writes(OTTO, ANNA, act="make", **to_all)["copies"]
    by = {tuple(c["recipients"]): base64.b64decode(c["message"]) for c in copies}
    assert set(by) == {(OTTO, ANNA), (CARA,), ()}
    cara_key, cara_cert = cara.exports(tmp_path)
    for message, key, cert in ((by[OTTO, ANNA], otto.key, otto.cert), (by[CARA,], cara_key, cara_cert)):
        opened = decrypts(message, key, cert)
        assert b"Otto, Anna and somebody." in opened
        assert CARA.encode() not in message and CARA.encode() not in opened
    assert not names(by[OTTO, ANNA], cara_cert) and names(by[CARA,], cara_cert)
    assert not names(by[CARA,], otto.cert) and names(by[OTTO, ANNA], otto.cert)

    # Without Otto it is sent; each of them reads it.
    assert ben.writes(ANNA, **to_all)["delivered"] == 2
    for reader in (anna, cara):
        shown = reader.reads(reader.newest())
        assert status(shown) == "signed-encrypted" and "somebody" in text(shown)
        assert b"\nbcc:" not in reader.octets(reader.newest()).lower()


def test_anna_keeps_her_mail(world, tmp_path):
    anna, ben, server, otto = world.anna, world.ben, world.server, world.otto

    # A postcard, which she encrypts where it lies, and then has in clear again.
    ben.writes(ANNA, subject="Old", text="A postcard.\n")
    anna.encrypts(anna.finds("Old"))
    assert anna.finds("Old")["smime"] == "encrypted" and b"A postcard." not in anna.octets(anna.finds("Old"))
    assert "A postcard." in text(anna.reads(anna.finds("Old")))
    anna.decrypts(anna.finds("Old"))
    assert anna.finds("Old")["smime"] is None and b"A postcard." in anna.octets(anna.finds("Old"))

    # From now on her bank's letters are encrypted as they come in, into a mailbox of their own.
    anna.makes_a_mailbox("Bank")
    anna.has_a_rule('require ["fileinto", "vnd.signet.encrypt"];\n'
                    'if header :contains "subject" "account" { fileinto :encrypt "Bank"; }')
    otto.sends(server, ANNA, f"From: {OTTO}\nTo: {ANNA}\nSubject: Your account\n\nIt is empty.\n".encode())
    letter = anna.finds("Your account", "Bank")
    assert letter["smime"] == "encrypted" and b"It is empty." not in anna.octets(letter)
    assert "It is empty." in text(anna.reads(letter))
    anna.locks()
    assert anna.reads(letter)["locked"]
    anna.unlocks()

    # She looks for what Otto wrote, and for what Ben wrote about the old.
    assert [m["subject"] for m in anna.lists(search="ELSEWHERE.example")] == ["Hello Anna"]
    assert [m["subject"] for m in anna.lists(search="ben old")] == ["Old"]
    assert [m["subject"] for m in anna.lists("Bank", search="account")] == ["Your account"]
    assert anna.lists(search="postcard") == []

    # She changes her Secure Mail Password, takes her key along, and openssl opens what she has sent.
    anna.writes(BEN, subject="Kept", text="My own copy.\n", encrypt=True, header_protection=False)
    anna.changes_the_secret("another one, which is longer than before")
    assert anna.reads(anna.finds("Kept", "Sent"))["locked"]
    assert b"My own copy." in decrypts(anna.octets(anna.finds("Kept", "Sent")), *anna.exports(tmp_path))
    anna.unlocks()


def test_anna_loses_her_key(world):
    anna, ben, otto, server = world.anna, world.ben, world.otto, world.server

    # Until now her signature is good.
    anna.writes(BEN, subject="Later", text="Still me.\n", sign=True)
    assert status(ben.reads(ben.finds("Later"))) == "signed"
    assert not otto.sees_it_revoked(server, SITE)

    # She revokes her certificate and says why: nothing is signed with it any more, she is told what to do. Ben sees
    # it on what she has signed; so does Otto, by the list.
    assert anna.revokes("keyCompromise")["reason"] == "keyCompromise"
    refused = anna.writes(BEN, subject="Too late", text="Is it me?\n", sign=True, expect=422)
    assert refused["field"] == "sign" and "(keyCompromise)" in refused["detail"] and "a new key" in refused["detail"]
    late = ben.finds("Later")
    assert until(lambda: status(ben.reads(late)) == "not-verified")
    signer, = [s for layer in ben.reads(late)["report"]["layers"] for s in layer["signers"]]
    assert signer["reason"] == "the certificate is revoked"
    assert until(lambda: otto.sees_it_revoked(server, SITE)) and "Key Compromise" in otto.list_as_text()

    # A new key: Ben is asked whether the other certificate is hers, and says yes.
    anna.makes_a_key()
    anna.writes(BEN, subject="A new key", text="It is me again.\n", sign=True)
    new = ben.finds("A new key")
    assert status(ben.reads(new)) == "signed"
    assert ben.takes_the_certificate(new, expect=202)["state"] == "waiting"
    ben.accepts_what_waits()
    ben.writes(ANNA, subject="Good", text="To your new key.\n", encrypt=True)
    assert "To your new key." in text(anna.reads(anna.newest()))

    # What was encrypted to the old one she reads still.
    assert "Nobody on the way" in text(anna.reads(anna.finds("Hello Anna")))


def test_nothing_is_sent_in_part(world):
    """Who has no certificate, all of them with why; and nobody got anything."""
    ben, server = world.ben, world.server
    world.admin.gives_an_account(DORA, "Dora")
    refused = ben.writes(CARA, DORA, subject="Half", encrypt=True, cc=[NORA], expect=422)
    assert [(r["address"], r["field"], r["accepted"]) for r in refused["recipients"]] == [
        (DORA, "to", True), (NORA, "cc", False)]
    assert refused["recipients"][0]["certificate"]["reason"]
    ben.writes(CARA, DORA, subject="Half", encrypt=True, expect=422)
    box = imap(server, CARA)
    box.select("INBOX")
    assert box.search(None, "SUBJECT", "Half")[1] == [b""]
    box.logout()
    checked = ben.writes(CARA, DORA, OTTO, subject="", act="check")["recipients"]
    assert [r["certificate"]["source"] for r in checked][:2] == ["account", "none"]
    assert [r["accepted"] for r in checked] == [True, True, False]


def test_what_may_be_asked(world):
    ben = world.ben
    world.admin.gives_an_alias(BENJAMIN, BEN)
    world.admin.gives_an_alias(f"all@{SITE}", BEN, CARA)
    for sender in (ANNA, OTTO, f"nobody@{SITE}", f"all@{SITE}"):
        assert ben.writes(CARA, subject="x", **{"from": sender}, expect=403)["field"] == "from"
    ben.writes(CARA, subject="By alias", text="x", **{"from": f"Benjamin <{BENJAMIN}>"})
    assert ben.writes(CARA, subject="x", sign=True, **{"from": BENJAMIN}, expect=422)["detail"]
    for body, field in (({"to": ["a@b, c@d"]}, "to"), ({"to": ["x"]}, "to"), ({"to": ["g: a@b;"]}, "to"),
                        ({"from": f"{BEN}, {BEN}"}, "from"), ({}, "to"), ({"to": [CARA], "act": "x"}, "act"),
                        ({"to": [CARA], "attachments": [{"content": "?"}]}, "attachments"),
                        ({"to": [CARA], "attachments": [{"content": "", "evil": "x"}]}, "attachments"),
                        *(({"to": [CARA], "attachments": [{"name": n, "content": ""}]}, "attachments")
                          for n in ("a/../b.exe", "..", "a\\b", "a\r\nX: y", "a\x7f", "a\u0085")),
                        ({"to": [CARA], "cipher": "rot13"}, "cipher"),
                        ({"to": [CARA], "encrypt": True, "cipher": "rot13"}, "cipher"),
                        ({"to": [CARA], "encrypt": True, "cipher": "rc2-40"}, "cipher")):
        assert ben.does("compose", {"from": BEN, **body}, expect=422)["field"] == field, body
    # Nothing of a value becomes a field of its own.
    ben.writes(CARA, subject="one\r\nX-Evil: two", text="x")
    header = world.cara.octets(world.cara.newest()).partition(b"\r\n\r\n")[0]
    assert b"\nX-Evil" not in header and header.count(b"\nFrom:") == 1
    for field in (b"Date", b"Message-ID", b"Received", b"MIME-Version"):
        assert header.count(b"\n" + field + b":") == 1, (field, header)
    assert b"127.0.0.1" not in header
    ben.asks("POST", f"/accounts/{CARA}/compose", {"from": CARA, "to": [BEN]}, expect=403)


def test_a_group_of_the_address_book(world):
    """It stands for its members, wherever it is named, and nobody reads what the account calls them."""
    ben = world.ben
    world.admin.gives_an_account(f"dan@{SITE}", "Dan")
    for name in ("anna", "cara", "dan"):
        ben.keeps_a_card(f"card-{name}", f"Bad {name}", f"{name}@{SITE}", f"{name}@other.example")
    ben.keeps_a_card("card-mute", "Mute")
    ben.keeps_a_card("urn:uuid:in", "Inner, Circle", members=["card-cara", "urn:uuid:out", "card-dan"])
    ben.keeps_a_card("urn:uuid:out", "Secret Name", "list@other.example", members=["card-anna", "urn:uuid:in", "card-cara"])

    def made(**more):
        copies = ben.writes(subject="x", text="x", act="make", **more)["copies"]
        octets = base64.b64decode(copies[0]["message"])
        return copies, octets.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").decode()
    for name in ("Secret Name:;", " Secret Name : ; ", '"Secret Name":;', "urn:uuid:out:;", '"urn:uuid:out":;'):
        copies, header = made(to=[name])
        assert f"\r\nTo: {ANNA}, {CARA}, dan@{SITE}\r\n" in header, header
        assert [ANNA, CARA, f"dan@{SITE}"] in [c["recipients"] for c in copies]
        assert "Secret" not in header and "Bad" not in header
    # Beside others, and twice.
    copies, header = made(to=[f"Cara <{CARA}>", '"Inner, Circle":;'], cc=["Secret Name:;"])
    assert f"\r\nTo: Cara <{CARA}>, dan@{SITE}, {ANNA}\r\n" in header and "\r\nCc:" not in header, header
    # Nobody sees who is in a blind copy.
    copies, header = made(to=[CARA], bcc=["Secret Name:;"])
    assert ANNA not in header and any(ANNA in c["recipients"] for c in copies)
    ben.writes("Secret Name:;", subject="To all of you", text="x")
    for person in (world.anna, world.cara):
        assert person.finds("To all of you")
    # Certificates are looked for of each member.
    checked = ben.writes("Secret Name:;", subject="", act="check")["recipients"]
    assert [(r["address"], r["group"], r["certificate"]["source"]) for r in checked] == [
        (ANNA, "Secret Name", "address-book"), (CARA, "Secret Name", "account"), (f"dan@{SITE}", "Secret Name", "none")]
    refused = ben.writes("Secret Name:;", subject="x", encrypt=True, expect=422)
    assert [r["address"] for r in refused["recipients"]] == [f"dan@{SITE}"] and "certificate" in refused["detail"]

    # Who has no address is named, and nobody gets anything.
    ben.keeps_a_card("urn:uuid:in", "Inner, Circle", members=["card-mute", "card-gone", "card-cara"])
    checked = ben.writes("Secret Name:;", subject="", act="check")["recipients"]
    lost = [(r["address"], r["name"], r["uid"], r["accepted"]) for r in checked if not r["accepted"]]
    assert lost == [("", "Mute", "card-mute", False), ("", "card-gone", "card-gone", False)]
    for act in ("send", "draft", "make"):
        refused = ben.does("compose", {"from": BEN, "cc": ["Secret Name:;"], "subject": "Half a group", "act": act}, expect=422)
        assert refused["field"] == "cc" and [r["name"] for r in refused["recipients"]] == ["Mute", "card-gone"]
    assert not any(m["subject"] == "Half a group" for m in world.anna.lists() + ben.lists("Drafts"))
    ben.keeps_a_card("card-mute", "Mute", "no address")
    refused = ben.writes("Secret Name:;", subject="x", expect=422)["recipients"]
    assert "cannot be written to" in refused[0]["refusal"]
    ben.keeps_a_card("urn:uuid:in", "Inner, Circle", members=[])
    ben.keeps_a_card("urn:uuid:out", "Secret Name", members=["urn:uuid:in"])
    refused = ben.writes("Secret Name:;", subject="x", expect=422)["recipients"]
    assert [(r["name"], r["refusal"]) for r in refused] == [("Inner, Circle", "the group has no members")]

    # There is none, a person is none, there are two; somebody else has others.
    ben.keeps_a_card("card-other", "Secret Name", members=["card-anna"])
    for name, says in (("Nobody:;", "no group"), ("card-anna:;", "no group"), ("Secret Name:;", "several groups"),
                       (":;", "not one mail address"), (f"Friends: {ANNA};", "not one mail address")):
        refused = ben.writes(name, subject="x", expect=422)
        assert says in refused["detail"] and refused["field"] == "to", refused
    assert "no group" in world.anna.writes("urn:uuid:out:;", subject="x", expect=422)["detail"]
    # More than a message may have.
    ben.keeps_a_card("card-large", "Large", members=[f"n{n}" for n in range(1000)])
    assert "too many recipients" in ben.writes("Large:;", subject="x", expect=422)["detail"]
    ben.keeps_a_card("card-large", "Large", members=[f"n{n}" for n in range(999)])
    assert len(ben.writes("Large:;", subject="x", act="check")["recipients"]) == 999
    assert "too many recipients" in ben.writes("Large:;", "urn:uuid:out:;", subject="x", expect=422)["detail"]


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
    got = cara.c.ask("GET", f"{BASE}{cara.base}/messages/{m['id']}/parts/{part['part']}", expect=200)
    assert got.body == octets
    assert b"In-Reply-To: <a@b>" in cara.octets(m) and b"References: <c@d> <a@b>" in cara.octets(m)
    before = len(ben.lists("Sent"))
    ben.writes(CARA, subject="Gone", text="x", save=False)
    assert len(ben.lists("Sent")) == before
    # A draft needs no recipient, and an encrypted one is its author's alone.
    kept = ben.writes(subject="Draft", text="not done", encrypt=True, act="draft", bcc=[CARA])
    draft = ben.newest("Drafts")
    assert kept["kept"] == draft["id"] and "draft" in draft["flags"] and draft["smime"] == "encrypted"
    assert kept["delivered"] == 0 and "not done" in ben.reads(draft)["parts"][0]["text"]
