# SPDX-License-Identifier: Apache-2.0
"""People of a story: an administrator and users in web sessions of their own, who know nothing but the API,
and a stranger with openssl whose mail comes in by SMTP. Each act is a verb; what it is answered is held against
doc/openapi.yaml (webclient.py)."""
import base64
import subprocess

from authority import Authority
from conftest import PASSWORD
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from mailtools import Smtp
from webclient import BASE, Client, quoted

FILE_SECRET = "the file's own secret"


def openssl(*args, stdin=None):
    r = subprocess.run(["openssl", *map(str, args)], input=stdin, capture_output=True, timeout=60)
    assert r.returncode == 0, r.stderr.decode()
    return r.stdout


def decrypts(message, key, cert):
    return openssl("cms", "-decrypt", "-inkey", key, "-recip", cert, stdin=message)


def names(message, cert):
    """Whether a RecipientInfo names the certificate."""
    serial = x509.load_pem_x509_certificate(openssl("x509", "-in", cert)).serial_number
    return serial.to_bytes((serial.bit_length() + 7) // 8, "big") in openssl(
        "cms", "-cmsout", "-outform", "DER", stdin=message)


class Visitor:
    """Somebody in a web session."""

    def __init__(self, server, address, password=PASSWORD, site="example.org"):
        self.server, self.address, self.password, self.site = server, address, password, site
        self.logs_in()

    def logs_in(self):
        self.c = Client(self.server, name=self.site)
        self.c.start(self.address, self.password)

    def logs_out(self):
        self.c.ask("DELETE", BASE + "/session", expect=204)

    def asks(self, method, path, body=None, expect=200):
        return self.c.ask(method, BASE + path, body, expect=expect).json

    def gets(self, path, expect=200):
        return self.asks("GET", path, expect=expect)


class Administrator(Visitor):
    def __init__(self, server):
        super().__init__(server, "postmaster@example.org", server.admin_password)

    def opens_a_domain(self, name):
        """With a key and a certificate of its own."""
        self.asks("POST", "/domains", {"name": name, "pki": "enabled"}, expect=201)
        self.asks("POST", f"/domains/{name}/keys", {"type": "ec:p256"}, expect=201)
        self.asks("POST", f"/domains/{name}/certificates", {"common_name": name}, expect=201)

    def gives_an_account(self, address, name):
        self.asks("POST", "/accounts", {"address": address, "password": PASSWORD, "name": name}, expect=201)

    def gives_an_alias(self, address, *targets):
        self.asks("POST", "/aliases", {"address": address, "targets": list(targets)}, expect=201)

    def makes_an_authority(self, domain):
        """For the mail of its users."""
        self.asks("POST", f"/domains/{domain}/ca", {"organization": domain}, expect=201)

    def trusts(self, pem, domain):
        """For mail, and for this domain alone."""
        self.asks("POST", "/trust", {"certificate": pem, "scope": "domain", "domain": domain, "purposes": "mail"},
                  expect=201)


class Person(Visitor):
    """Somebody with an account."""

    def __init__(self, server, address, site="example.org"):
        super().__init__(server, address, site=site)
        self.secret = f"{address} knows this, nobody else does"
        self.base = f"/accounts/{address}"

    def does(self, act, body=None, expect=200):
        return self.asks("POST", f"{self.base}/{act}", body, expect)

    # The key

    def makes_a_key(self):
        return self.does("smime/generate", {"password": self.secret, "type": "ec:p256"}, expect=201)

    def locks(self):
        self.does("smime/lock")

    def unlocks(self):
        self.does("smime/unlock", {"password": self.secret})

    def has_it_unlocked(self):
        return self.gets(f"{self.base}/smime/state")["unlocked"]

    def changes_the_secret(self, secret):
        self.does("smime/password", {"current": self.secret, "password": secret})
        self.secret = secret

    def exports(self, folder):
        """The key in clear and its certificate, as files."""
        file = self.does("smime/export", {"password": self.secret, "file_password": FILE_SECRET})
        pfx, key, cert = (folder / f"{self.address}.{x}" for x in ("pfx", "key", "pem"))
        pfx.write_bytes(base64.b64decode(file["file"]))
        for out, what in ((key, ("-nocerts", "-nodes")), (cert, ("-nokeys", "-clcerts"))):
            out.write_bytes(openssl("pkcs12", "-in", pfx, "-passin", f"pass:{FILE_SECRET}", *what))
        return key, cert

    def revokes(self, reason):
        """The certificate that is not revoked yet."""
        mine = self.gets(f"{self.base}/issued")["certificates"]
        serial, = [i["serial"] for i in mine if not i["revoked"]]
        return self.does(f"issued/{serial}/revoke", {"reason": reason})

    # Mail

    def writes(self, *to, subject, text="", expect=200, **more):
        body = {"from": self.address, "subject": subject, "text": text, **more}
        if to:
            body["to"] = list(to)
        return self.does("compose", body, expect)

    def lists(self, mailbox="INBOX", search=None):
        query = f"?search={quoted(search)}" if search is not None else ""
        return self.gets(f"{self.base}/mailboxes/{quoted(mailbox)}/messages{query}")["messages"]

    def finds(self, subject, mailbox="INBOX"):
        found, = [m for m in self.lists(mailbox) if m["subject"] == subject]
        return found

    def newest(self, mailbox="INBOX"):
        """Its subject may be encrypted."""
        return self.lists(mailbox)[0]

    def reads(self, message):
        return self.gets(f"{self.base}/messages/{message['id']}/read")

    def octets(self, message):
        return self.c.ask("GET", f"{BASE}{self.base}/messages/{message['id']}", expect=200).body

    def encrypts(self, message):
        """Where it lies."""
        return {"id": self.does(f"messages/{message['id']}/encrypt")["id"]}

    def decrypts(self, message):
        return {"id": self.does(f"messages/{message['id']}/decrypt")["id"]}

    def makes_a_mailbox(self, name):
        self.does("mailboxes", {"name": name}, expect=201)

    def has_a_rule(self, text):
        self.asks("PUT", f"/rules/{self.address}/main", {"text": text, "active": True}, expect=None)

    # Address books

    def keeps_a_card(self, uid, name, *addresses, members=None):
        """Of a person, or of a group."""
        card = {"@type": "Card", "version": "1.0", "uid": uid, "name": {"full": name}}
        if addresses:
            card["emails"] = {f"e{n}": {"address": a, "pref": n + 1} for n, a in enumerate(addresses)}
        if members is not None:
            card |= {"kind": "group", "members": {m: True for m in members}}
        self.asks("PUT", f"{self.base}/cards/{uid}", {"card": card}, expect=None)

    # Certificates of others

    def takes_the_certificate(self, message, expect=201):
        return self.does("certificates/take", {"mailbox": "INBOX", "uid": message["uid"]}, expect)

    def accepts_what_waits(self):
        waiting, = self.gets(f"{self.base}/certificates/waiting")["certificates"]
        self.does(f"certificates/waiting/{waiting['fingerprint']}", {"accept": True})


class Stranger:
    """Somebody elsewhere, with openssl and an authority that nobody here knows."""

    def __init__(self, folder, address):
        self.address, self.folder = address, folder
        self.authority = Authority("A Root Elsewhere")
        self.issued = self.authority.issue(emails=[address], usage=("mail",), key="rsa")
        self.root, self.key, self.cert, self.other = (folder / f"stranger.{x}"
                                                      for x in ("root", "key", "cert", "other"))
        self.root.write_text(self.authority.pem)
        self.key.write_text(self.issued.key_pem())
        self.cert.write_text(self.issued.pem)

    def signs(self, text, *header):
        return openssl("cms", "-sign", "-signer", self.cert, "-inkey", self.key, "-text", *header, "-crlfeol",
                       stdin=text.encode())

    def sends(self, server, to, message):
        message = b"\r\n".join(message.replace(b"\r\n", b"\n").split(b"\n"))
        s = Smtp(server)
        assert s.send(self.address, [to], b"Date: Sat, 28 Nov 2026 10:00:00 +0000\r\n" + message) == 250
        s.close()

    def sends_signed(self, server, to, subject, text="Otto has a certificate\n"):
        self.sends(server, to, self.signs(text, "-from", self.address, "-to", to, "-subject", subject))

    def sends_encrypted(self, server, to, subject, text):
        """Signed inside, to the certificate that was kept."""
        self.sends(server, to, openssl("cms", "-encrypt", "-aes-256-cbc", "-from", self.address, "-to", to, "-subject",
                                       subject, self.other, stdin=self.signs(text)))

    def fetches(self, server, path, site):
        """Over plain HTTP, as anybody may."""
        return Client(server, service="http", name=site).ask("GET", path, expect=200).body

    def knows_the_authority(self, server, site):
        der = self.fetches(server, f"/pki/{site}/ca.der", site)
        pem = x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
        (self.folder / "their.root").write_bytes(pem)

    def verifies(self, message):
        """What was signed; its certificate is kept."""
        return openssl("cms", "-verify", "-CAfile", self.folder / "their.root", "-signer", self.other, stdin=message)

    def sees_it_revoked(self, server, site):
        crl = self.folder / "their.crl"
        crl.write_bytes(openssl("crl", "-inform", "DER", stdin=self.fetches(server, f"/pki/{site}/ca.crl", site)))
        r = subprocess.run(["openssl", "verify", "-CAfile", self.folder / "their.root", "-CRLfile", crl, "-crl_check",
                            self.other], capture_output=True, text=True)
        return r.returncode != 0 and "certificate revoked" in r.stderr

    def list_as_text(self):
        return openssl("crl", "-noout", "-text", "-in", self.folder / "their.crl").decode()
