# SPDX-License-Identifier: Apache-2.0
"""Contact cards and recipients' certificates over the command line and the API of a whole server: what is
taken from signed messages and files, what waits, what is never taken, and which certificate is found."""
import datetime
import imaplib
import json
import subprocess

import pytest
from authority import Authority
from conftest import BUILD, PASSWORD, finish, make_server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

ALICE, BOB = "alice@example.org", "bob@example.org"
REMOTE = "rob@remote.example"
DAY = datetime.timedelta(days=1)


class Person:
    """A certificate for mail with its key, as files."""

    def __init__(self, folder, stem, authority, emails, name="Rob Remote", since=-DAY, until=90 * DAY):
        key = rsa.generate_private_key(65537, 2048)
        now = datetime.datetime.utcnow()
        self.cert = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(authority.cert.subject).public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + since).not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(False, None), True)
            .add_extension(x509.KeyUsage(True, False, True, False, False, False, False, False, False),
                           True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
            .add_extension(x509.SubjectAlternativeName([x509.RFC822Name(e) for e in emails]), False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                authority.key.public_key()), False)
            .sign(authority.key, hashes.SHA256()))
        pem = self.cert.public_bytes(serialization.Encoding.PEM)
        self.pem = pem.decode()
        self.file, self.key_file = folder / f"{stem}.pem", folder / f"{stem}.key"
        self.chain_file = folder / f"{stem}-chain.pem"
        self.file.write_bytes(pem)
        self.chain_file.write_text(authority.chain_pem())
        self.key_file.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))
        self.fingerprint = self.cert.fingerprint(hashes.SHA256()).hex(":").upper()

    def sign(self, sender):
        message = (f"From: Somebody Else <{sender}>\r\nTo: {ALICE}\r\nSubject: signed\r\n"
                   f"Date: {datetime.datetime.utcnow():%a, %d %b %Y %H:%M:%S +0000}\r\n"
                   "Message-ID: <x@remote.example>\r\nMIME-Version: 1.0\r\n"
                   "Content-Type: text/plain\r\n\r\nHello\r\n")
        r = subprocess.run([BUILD / "signet", "smime", "sign", "--key", self.key_file, "--cert",
                            self.file, "--chain", self.chain_file],
                           input=message.encode(), capture_output=True, timeout=60)
        assert r.returncode == 0, r.stderr.decode()
        return r.stdout


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    class World:
        pass
    w = World()
    w.folder = tmp_path_factory.mktemp("contacts")
    w.server = make_server().start()
    w.server.add_account(ALICE)
    w.server.add_account(BOB)
    w.ca, w.other_ca = Authority("Mail Root"), Authority("Nobody's Root")
    (w.folder / "ca.pem").write_text(w.ca.pem)
    w.server.cli("trust", "add", str(w.folder / "ca.pem"), "--for", "mail")
    w.rob = Person(w.folder, "rob", w.ca, [REMOTE])
    w.imap = imaplib.IMAP4_SSL("127.0.0.1", w.server.port("imaps"), ssl_context=w.server.context())
    w.imap.login(ALICE, PASSWORD)
    yield w
    w.imap.logout()
    finish(w.server)


def append(w, message):
    status, answer = w.imap.append("INBOX", None, None, message)
    assert status == "OK"
    return answer[0].split()[2].decode().rstrip("]")


def ask(w, *args, check=True):
    r = w.server.cli("--json", "contact", *args, check=check)
    return json.loads(r.stdout) if check and r.stdout else r


def take_message(w, message, *more, check=True):
    return ask(w, "take", ALICE, "--mailbox", "INBOX", "--uid", append(w, message), *more, check=check)


def lookup(w, *addresses):
    return ask(w, "lookup", ALICE, *addresses)["recipients"]


def forget(w, address):
    for card in ask(w, "list", ALICE)["cards"]:
        if address in card["addresses"]:
            w.server.cli("contact", "remove", ALICE, card["uid"])


def test_cards(world):
    card = {"@type": "Card", "version": "1.0", "uid": "urn:uuid:1/2", "name": {"full": "Zoë"},
            "emails": {"a": {"address": "Zoe@Example.NET"}}, "example.com:shoe": {"size": [38, None]}}
    file = world.folder / "card.json"
    file.write_text(json.dumps([card, {**card, "uid": "2", "name": {"full": "Al"}}]))
    world.server.cli("contact", "import", ALICE, str(file))
    listed = ask(world, "list", ALICE)["cards"]
    assert [(c["name"], c["addresses"], c["book"]) for c in listed] == [
        ("Al", ["zoe@example.net"], "Contacts"), ("Zoë", ["zoe@example.net"], "Contacts")]
    shown = ask(world, "show", ALICE, "urn:uuid:1/2")
    assert shown["card"] == card
    assert json.loads(world.server.cli("contact", "show", ALICE, "urn:uuid:1/2").stdout) == card
    # Bob's book is another one.
    assert ask(world, "list", BOB)["cards"] == []
    assert world.server.cli("contact", "show", BOB, "2", check=False).returncode == 1

    file.write_text(json.dumps({**card, "emails": {"a b": {"address": "x@y"}}}))
    r = world.server.cli("contact", "import", ALICE, str(file), check=False)
    assert r.returncode == 1 and "emails/a b is no Id" in r.stderr
    file.write_text("{")
    assert world.server.cli("contact", "import", ALICE, str(file), check=False).returncode == 1
    for uid in ("urn:uuid:1/2", "2"):
        world.server.cli("contact", "remove", ALICE, uid)
    assert world.server.cli("contact", "remove", ALICE, "2", check=False).returncode == 1
    assert ask(world, "list", ALICE)["cards"] == []


def test_taken_from_a_message(world):
    assert lookup(world, REMOTE)[0]["reason"] == "no certificate of this address is known"
    taken = take_message(world, world.rob.sign(REMOTE))
    # The name is the certificate's, not the header's.
    assert (taken["state"], taken["address"], taken["name"]) == ("trusted", REMOTE, "Rob Remote")
    assert taken["reason"] == ""
    listed = json.loads(world.server.cli("--json", "contact", "certificates", ALICE).stdout)["certificates"]
    assert listed and not [c for c in listed if c["state"] == "trusted" and c["reason"]]
    assert "AES-256-GCM" in [c.upper() for c in taken["ciphers"]]
    found, = lookup(world, "ROB@Remote.Example")
    assert (found["source"], found.get("fingerprint")) == ("address-book", world.rob.fingerprint), found
    card, = [c for c in ask(world, "list", ALICE)["cards"] if REMOTE in c["addresses"]]
    assert card["certificates"] == 1
    key, = ask(world, "show", ALICE, card["uid"])["card"]["cryptoKeys"].values()
    assert key["uri"].startswith("data:application/pkix-cert;base64,")
    # Taking it again changes nothing.
    assert take_message(world, world.rob.sign(REMOTE))["state"] == "trusted"
    assert len(ask(world, "certificates", ALICE, REMOTE)["certificates"]) == 1
    forget(world, REMOTE)
    assert lookup(world, REMOTE)[0]["source"] == "none"


def test_a_changed_certificate_waits(world):
    take_message(world, world.rob.sign(REMOTE))
    newer = Person(world.folder, "newer", world.ca, [REMOTE], since=-DAY / 2)
    taken = take_message(world, newer.sign(REMOTE))
    assert taken["state"] == "waiting" and "another certificate" in taken["reason"]
    found, = lookup(world, REMOTE)
    assert found["fingerprint"] == world.rob.fingerprint and found["waiting"]
    assert [c["fingerprint"] for c in ask(world, "waiting", ALICE)["certificates"]] == [newer.fingerprint]

    world.server.cli("contact", "refuse", ALICE, newer.fingerprint)
    assert ask(world, "waiting", ALICE)["certificates"] == []
    assert world.server.cli("contact", "accept", ALICE, newer.fingerprint, check=False).returncode == 1
    take_message(world, newer.sign(REMOTE))
    # Nobody else can say.
    assert world.server.cli("contact", "accept", BOB, newer.fingerprint, check=False).returncode == 1
    assert ask(world, "accept", ALICE, newer.fingerprint)["state"] == "trusted"
    found, = lookup(world, REMOTE)
    assert found["fingerprint"] == newer.fingerprint and not found["waiting"]
    forget(world, REMOTE)


def test_what_is_not_trusted_needs_a_second_step(world):
    stranger = Person(world.folder, "stranger", world.other_ca, ["eve@remote.example"], name="Eve")
    signed = stranger.sign("eve@remote.example")
    r = take_message(world, signed, check=False)
    assert r.returncode == 1 and stranger.fingerprint in r.stderr and "anyway" in r.stderr
    assert lookup(world, "eve@remote.example")[0]["source"] == "none"
    # A fingerprint of another certificate is no consent.
    assert take_message(world, signed, "--anyway", world.rob.fingerprint, check=False).returncode == 1
    taken = take_message(world, signed, "--anyway", stranger.fingerprint)
    assert taken["state"] == "taken-anyway" and taken["reason"]
    found, = lookup(world, "eve@remote.example")
    assert found["taken_anyway"] and found["fingerprint"] == stranger.fingerprint
    forget(world, "eve@remote.example")


def test_an_address_that_is_not_the_authors(world):
    r = take_message(world, world.rob.sign("boss@remote.example"), check=False)
    assert r.returncode == 1 and "anyway" in r.stderr
    taken = take_message(world, world.rob.sign("boss@remote.example"), "--anyway", world.rob.fingerprint)
    # It comes under its own address, never under the one of the header.
    assert taken["address"] == REMOTE
    assert lookup(world, "boss@remote.example")[0]["source"] == "none"
    forget(world, REMOTE)


def test_an_altered_message_is_never_taken(world):
    signed = world.rob.sign(REMOTE).replace(b"Hello", b"Hallo")
    for more in ((), ("--anyway", world.rob.fingerprint)):
        r = take_message(world, signed, *more, check=False)
        assert r.returncode == 1 and "to take it anyway" not in r.stderr
    plain = f"From: {REMOTE}\r\nSubject: x\r\n\r\nx\r\n".encode()
    r = take_message(world, plain, check=False)
    assert r.returncode == 1 and "no signature" in r.stderr
    assert ask(world, "certificates", ALICE)["certificates"] == []


def test_taken_from_a_file(world):
    two = Person(world.folder, "two", world.ca, ["one@remote.example", "two@remote.example"])
    take = ("take", ALICE, "--certificate", str(two.file))
    r = ask(world, *take, "--address", REMOTE, check=False)
    assert r.returncode == 1 and "one@remote.example" in r.stderr
    assert ask(world, *take, "--address", "two@remote.example")["address"] == "two@remote.example"
    found = lookup(world, "one@remote.example", "two@remote.example")
    assert [f["source"] for f in found] == ["none", "address-book"]
    stranger = Person(world.folder, "stranger2", world.other_ca, ["eve@remote.example"])
    r = ask(world, "take", ALICE, "--certificate", str(stranger.file), check=False)
    assert r.returncode == 1 and stranger.fingerprint in r.stderr
    assert ask(world, "take", ALICE, check=False).returncode == 2
    forget(world, "two@remote.example")


def import_card(world, person, address):
    import base64
    der = base64.b64encode(person.cert.public_bytes(serialization.Encoding.DER)).decode()
    card = {"@type": "Card", "version": "1.0", "uid": "planted", "emails": {"a": {"address": address}},
            "cryptoKeys": {"k": {"uri": f"data:application/pkix-cert;base64,{der}"}}}
    file = world.folder / "planted.json"
    file.write_text(json.dumps(card))
    world.server.cli("contact", "import", ALICE, str(file))


def test_a_card_is_no_proof(world):
    eve = Person(world.folder, "eve3", world.other_ca, [REMOTE])
    import_card(world, eve, REMOTE)
    found, = lookup(world, REMOTE)
    assert found["source"] == "none" and found["waiting"]
    world.server.cli("contact", "refuse", ALICE, eve.fingerprint)
    assert "cryptoKeys" not in ask(world, "show", ALICE, "planted")["card"]
    # For other addresses than the card's, though it is good.
    import_card(world, world.rob, "boss@remote.example")
    assert lookup(world, "boss@remote.example")[0]["source"] == "none"
    waiting, = ask(world, "waiting", ALICE)["certificates"]
    assert "other addresses" in waiting["reason"]
    # A good one for its own address is trusted.
    import_card(world, world.rob, REMOTE)
    assert lookup(world, REMOTE)[0]["fingerprint"] == world.rob.fingerprint
    world.server.cli("contact", "remove", ALICE, "planted")


def test_expired_and_distrusted_since(world):
    old = Person(world.folder, "old", world.ca, ["old@remote.example"], since=-3 * DAY, until=-DAY)
    r = ask(world, "take", ALICE, "--certificate", str(old.file), check=False)
    assert r.returncode == 1 and "anyway" in r.stderr
    ask(world, "take", ALICE, "--certificate", str(old.file), "--anyway", old.fingerprint)
    found, = lookup(world, "old@remote.example")
    assert (found["source"], found["fault"]) == ("none", "expired")
    take_message(world, world.rob.sign(REMOTE))
    world.server.cli("trust", "remove", str(world.folder / "ca.pem"))
    try:
        found, = lookup(world, REMOTE)
        assert found["source"] == "none" and found["reason"]
    finally:
        world.server.cli("trust", "add", str(world.folder / "ca.pem"), "--for", "mail")
    assert lookup(world, REMOTE)[0]["source"] == "address-book"
    forget(world, REMOTE)
    forget(world, "old@remote.example")


def test_accounts_of_this_server(world):
    assert lookup(world, BOB)[0]["source"] == "none"
    world.server.cli("ca", "create", "example.org")
    world.server.cli("smime", "generate", BOB, "--type", "rsa:2048", "--password-file", "-",
                     stdin="a secret word\n")
    world.server.cli("alias", "add", "sales@example.org", BOB)
    world.server.cli("alias", "add", "both@example.org", BOB, ALICE)
    found = lookup(world, BOB, "Bob+x@EXAMPLE.org", "sales@example.org", "both@example.org",
                   "nobody@example.org")
    assert [f["source"] for f in found] == ["account"] * 3 + ["none"] * 2
    assert "AES-256-GCM" in [c.upper() for c in found[0]["ciphers"]]
    serial, = [c["serial"] for c in json.loads(
        world.server.cli("--json", "ca", "list", "example.org").stdout)["certificates"]]
    world.server.cli("ca", "revoke", "example.org", serial)
    assert lookup(world, BOB)[0]["source"] == "none"
    # The address book comes first.
    own = Person(world.folder, "bob", world.ca, [BOB])
    ask(world, "take", ALICE, "--certificate", str(own.file))
    found, = lookup(world, BOB)
    assert (found["source"], found["fingerprint"]) == ("address-book", own.fingerprint)
    forget(world, BOB)
