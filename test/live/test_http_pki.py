# SPDX-License-Identifier: Apache-2.0
"""The routes of keys, certificates, trust, revocation and TLS, each answer held against
doc/openapi.yaml; and at the end that every route was answered."""
import base64
import datetime
import http.server
import threading
import urllib.parse

import pytest
from authority import Authority, key_pem, make_key
from conftest import finish, make_server
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID
from webclient import BASE, OPERATIONS, Client, succeeded

DOMAIN = f"{BASE}/domains/example.org"
FILE_PASSWORD = "of the file"


@pytest.fixture(scope="module")
def web():
    server = make_server().start()
    server.add_account("chief@example.org")
    server.cli("account", "set", "chief@example.org", "role=admin")
    server.add_account("bob@example.org")
    yield server
    finish(server)


@pytest.fixture(scope="module")
def admin(web):
    return Client(web, login="chief@example.org")


@pytest.fixture(scope="module")
def authority():
    return Authority("Issuer", issuer=Authority("Root"))


def octets(answer):
    text = answer["file"]
    return base64.b64decode(text) if answer["encoding"] == "base64" else text.encode()


def test_keys(admin):
    pem = key_pem(make_key())
    a = admin.ask("POST", DOMAIN + "/keys/import", {"file": pem, "alias": "brought"}, expect=201)
    assert a.json["type"] == "ec:p256" and "PRIVATE" not in a.body.decode()
    admin.ask("POST", DOMAIN + "/keys/import", {"file": pem}, expect=409)
    for body, field in (({"file": "%%%"}, "file"), ({"file": pem, "use": "none"}, "use"),
                        ({"file": pem, "alias": "a b"}, "alias"), ({"passphrase": "x"}, "file"),
                        ({"file": base64.b64encode(b"junk").decode()}, "file")):
        a = admin.ask("POST", DOMAIN + "/keys/import", body, expect=422)
        assert a.json["field"] == field
    export = DOMAIN + "/keys/brought/export"
    a = admin.ask("POST", export, {"file_password": FILE_PASSWORD}, expect=422)
    assert a.json["field"] == "password"
    admin.ask("POST", export, {"file_password": FILE_PASSWORD, "password": "x"}, expect=403)
    a = admin.ask("POST", export, {"file_password": FILE_PASSWORD, "password": admin.password},
                  expect=200)
    assert octets(a.json).startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----")
    admin.ask("DELETE", DOMAIN + "/keys/brought", expect=204)
    admin.ask("DELETE", DOMAIN + "/keys/brought", expect=404)
    assert "last certificate" in admin.ask("DELETE", DOMAIN + "/keys/first", expect=409).json["detail"]


def test_requests_certificates_and_chains(admin, authority):
    names = admin.get("/domains/example.org/names")["names"]
    assert names == [{"name": "example.org", "kind": "domain"},
                     {"name": "*.example.org", "kind": "wildcard"}]
    a = admin.ask("POST", DOMAIN + "/requests", {"alias": "mine", "country": "DE"}, expect=201)
    admin.ask("POST", DOMAIN + "/requests", {"alias": "mine"}, expect=409)
    for field, value in (("country", "D1"), ("email", "x"), ("names", ["-.example"]),
                         ("common_name", "a b"), ("organization", "\u0007")):
        assert admin.ask("POST", DOMAIN + "/requests", {field: value},
                         expect=422).json["field"] == field
    assert admin.get("/domains/example.org/requests/mine") == a.json
    assert admin.get("/domains/example.org/requests")["requests"] == [a.json]
    requested = a.json["request"]
    issued = authority.issue(request=requested.encode())
    admin.ask("DELETE", DOMAIN + "/requests/mine", expect=204)
    admin.ask("DELETE", DOMAIN + "/requests/mine", expect=404)

    install = {"certificate": issued.pem, "alias": "good", "services": "imap"}
    admin.ask("POST", DOMAIN + "/certificates/install", dict(install, services="x"), expect=422)
    a = admin.ask("POST", DOMAIN + "/certificates/install", install, expect=201)
    assert any(w.startswith("chain: ") for w in a.json["warnings"])
    renewed = authority.issue(request=requested.encode())
    a = admin.ask("PUT", DOMAIN + "/certificates/good", {"certificate": renewed.pem}, expect=200)
    assert a.json["fingerprint"] == renewed.fingerprint and a.json["services"] == "imap"
    foreign = authority.issue(names=["example.org"])
    admin.ask("PUT", DOMAIN + "/certificates/good", {"certificate": foreign.pem}, expect=422)
    der = base64.b64encode(issued.der).decode()
    admin.ask("POST", DOMAIN + "/certificates/install", {"certificate": der}, expect=201)
    a = admin.ask("POST", DOMAIN + "/certificates/install", {"certificate": foreign.pem}, expect=422)
    assert a.json["field"] == "certificate"

    chain = DOMAIN + "/certificates/good/chain"
    assert admin.ask("GET", chain, expect=200).json["certificates"] == []
    admin.ask("PUT", chain, {"chain": foreign.pem}, expect=422)
    a = admin.ask("PUT", chain, {"chain": authority.pem}, expect=200)
    assert a.json["chain"].count("BEGIN") == 1
    assert len(admin.ask("GET", chain, expect=200).json["certificates"]) == 1
    check = admin.get("/domains/example.org/check?certificate=good")
    assert check["result"] == "error", "nobody trusts the root"
    assert admin.get("/domains/example.org/check")["domain"] == "example.org"
    admin.get("/domains/example.org/check?certificate=none", expect=404)
    admin.ask("DELETE", chain, expect=200)

    whole = DOMAIN + "/certificates/good/export"
    assert b"BEGIN CERTIFICATE" in octets(admin.ask("POST", whole, {}, expect=200).json)
    pfx = admin.ask("POST", whole, {"file_password": FILE_PASSWORD, "password": admin.password},
                    expect=200).json["file"]
    a = admin.ask("POST", DOMAIN + "/certificates/import",
                  {"file": pfx, "passphrase": FILE_PASSWORD, "services": "none"}, expect=409)
    a = admin.ask("POST", DOMAIN + "/certificates/import",
                  {"file": pfx, "passphrase": FILE_PASSWORD, "services": "none", "alias": "again"},
                  expect=201)
    assert a.json["services"] == "" and a.json["has_key"]
    a = admin.ask("POST", DOMAIN + "/certificates/import", {"file": pfx, "passphrase": "x"},
                  expect=422)
    assert a.json["field"] == "passphrase"
    for alias in ("good", "again"):
        admin.ask("DELETE", f"{DOMAIN}/certificates/{alias}", expect=204)

    admin.ask("POST", DOMAIN + "/certificates", {"alias": "own", "unit": "Post"}, expect=201)
    refresh = DOMAIN + "/certificates/own/refresh"
    admin.ask("POST", refresh, {"days": 4000}, expect=422)
    admin.ask("POST", refresh, {"new_serial": "yes"}, expect=422)
    assert admin.ask("POST", refresh, {}, expect=200).json["warnings"]
    assert "warnings" not in admin.ask("POST", refresh, {"new_serial": True}, expect=200).json


def test_trust(admin, authority):
    root = authority.issuer
    for body, field in (({}, "certificate"), ({"certificate": root.pem, "fingerprint": "x"},
                                              "certificate"),
                        ({"certificate": root.pem, "scope": "all"}, "scope"),
                        ({"certificate": root.pem, "scope": "domain"}, "domain"),
                        ({"certificate": root.pem, "purposes": "x"}, "purposes"),
                        ({"certificate": root.pem, "purposes": "mail", "deny": True}, "purposes")):
        assert admin.ask("POST", BASE + "/trust", body, expect=422).json["field"] == field
    a = admin.ask("POST", BASE + "/trust", {"certificate": root.pem, "domain": "example.org",
                                            "purposes": "client,server"}, expect=201)
    assert a.json["certificates"][0]["fingerprint"] == root.fingerprint
    listed = admin.get("/trust?domain=example.org")["certificates"]
    assert [c["scope"] for c in listed if c["subject"] == "CN=Root"] == ["domain"]
    assert not [c for c in admin.get("/trust")["certificates"] if c["subject"] == "CN=Root"]
    admin.get("/trust?scope=planet", expect=422)


def test_empty_files(admin, authority):
    """A file that is given and empty is one that went wrong, and not taken for one that is not given."""
    pem = authority.issue(names=["example.org"]).pem
    own = f"{BASE}/accounts/chief@example.org/smime"
    for path, body, field in (
            (DOMAIN + "/certificates/install", {"certificate": pem, "chain": ""}, "chain"),
            (DOMAIN + "/ca/install", {"certificate": pem, "chain": ""}, "chain"),
            (own + "/install", {"certificate": pem, "chain": ""}, "chain"),
            (DOMAIN + "/ca/certificates", {"address": "bob@example.org", "request": ""}, "request"),
            (BASE + "/trust", {"certificate": ""}, "certificate"),
            (BASE + "/crls", {"list": ""}, "list"),
            (BASE + "/crls", {"list": pem, "authority": ""}, "authority"),
            (BASE + "/crls", {"url": "http://crl.example.org/", "authority": ""}, "authority")):
        said = admin.ask("POST", path, body, expect=422).json
        assert said["field"] == field and said["detail"].startswith(f"{field} is a file"), (path, said)
    for path, body in ((BASE + "/trust", {"certificate": "", "fingerprint": authority.fingerprint}),
                       (BASE + "/crls", {"list": "", "url": "http://crl.example.org/"})):
        assert "either" in admin.ask("POST", path, body, expect=422).json["detail"]


def test_client_certificates(admin, authority, web):
    root = authority.issuer
    issuers = DOMAIN + "/client-issuers"
    admin.ask("PUT", issuers, {"issuers": [root.fingerprint]}, expect=204)
    assert admin.ask("GET", issuers, expect=200).json["issuers"][0]["usable"]
    admin.ask("DELETE", f"{issuers}/{root.fingerprint}", expect=204)
    admin.ask("PUT", issuers, {"issuers": [root.fingerprint]}, expect=204)
    admin.ask("DELETE", issuers, expect=204)
    admin.ask("POST", BASE + "/trust", {"certificate": root.pem, "purposes": "client"}, expect=201)
    issuers = BASE + "/client-issuers"
    admin.ask("PUT", issuers, {"issuers": [root.fingerprint]}, expect=204)
    assert admin.ask("GET", issuers, expect=200).json["issuers"]
    admin.ask("DELETE", f"{issuers}/{root.fingerprint}", expect=204)
    admin.ask("PUT", issuers, {"issuers": [root.fingerprint]}, expect=204)
    admin.ask("DELETE", issuers, expect=204)

    bob = authority.issue(emails=["bob@example.org"], usage=["client"], cn="bob")
    for base in (DOMAIN, BASE):
        admin.ask("PUT", base + "/certmap", {"rules": ["nonsense"]}, expect=422)
        admin.ask("PUT", base + "/certmap", {"rules": ["email"]}, expect=204)
        assert admin.ask("GET", base + "/certmap", expect=200).json["rules"][0]["method"] == "email"
        admin.ask("DELETE", base + "/certmap", expect=204)
    a = admin.ask("POST", DOMAIN + "/certmap/test", {"certificate": bob.chain_pem()}, expect=200)
    assert a.json["account"] == "bob@example.org"
    own = f"{BASE}/accounts/bob@example.org/certificates"
    admin.ask("POST", own, {"certificate": bob.pem}, expect=201)
    assert len(Client(web, login="bob@example.org").ask("GET", own, expect=200)
               .json["certificates"]) == 1
    Client(web, login="bob@example.org").ask("DELETE", f"{own}/{bob.fingerprint}", expect=403)
    admin.ask("DELETE", f"{own}/{bob.fingerprint}", expect=204)
    admin.ask("DELETE", f"{BASE}/trust/{root.fingerprint}?domain=example.org", expect=204)
    admin.ask("DELETE", f"{BASE}/trust/{root.fingerprint}", expect=204)
    admin.ask("DELETE", f"{BASE}/trust/{root.fingerprint}", expect=404)


def test_tls(admin):
    admin.get("/tls")
    admin.ask("PATCH", BASE + "/tls?domain=example.org", {"oldest": "1.3"}, expect=200)
    admin.ask("PATCH", BASE + "/tls?domain=example.org", {"oldest": None}, expect=200)
    admin.ask("PATCH", BASE + "/tls?listener=gopher", {"oldest": "1.3"}, expect=404)
    admin.ask("POST", DOMAIN + "/tls-probe", expect=200)


def test_key_store(admin):
    """This one has no password: whatever is given is ignored."""
    assert admin.get("/key-store") == {"password": False}
    admin.ask("POST", BASE + "/key-store/check", {"password": "x"}, expect=200)


def revocation_list(number):
    """An authority's certificate and a list of it, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Lists")])
    now = datetime.datetime.now(datetime.timezone.utc)
    hour = datetime.timedelta(hours=1)
    cert = x509.CertificateBuilder(name, name, key.public_key(), 1, now - hour, now + hour) \
        .add_extension(x509.BasicConstraints(True, None), True).sign(key, hashes.SHA256())
    crl = x509.CertificateRevocationListBuilder(name, now - hour, now + hour) \
        .add_extension(x509.CRLNumber(number), False).sign(key, hashes.SHA256())
    return [o.public_bytes(serialization.Encoding.PEM).decode() for o in (cert, crl)]


def test_revocation_lists(admin):
    authority, crl = revocation_list(255)

    class Site(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(crl.encode())

        def log_message(self, *args):
            pass

    site = http.server.HTTPServer(("127.0.0.1", 0), Site)
    threading.Thread(target=site.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{site.server_address[1]}/"
    crls = BASE + "/crls"
    admin.ask("POST", crls, {}, expect=422)
    admin.ask("POST", crls, {"list": crl, "url": url}, expect=422)
    admin.ask("POST", crls, {"list": "x"}, expect=422)
    admin.ask("POST", crls, {"list": crl}, expect=422)
    admin.ask("POST", crls, {"list": crl, "authority": authority, "domain": "none.example"},
              expect=404)
    made, = admin.ask("POST", crls, {"list": crl, "authority": authority}, expect=201).json["lists"]
    assert (made["issuer"], made["number"], made["domain"]) == ("CN=Lists", "ff", None)
    admin.ask("DELETE", f"{crls}/{made['id']}", expect=204)
    admin.ask("DELETE", f"{crls}/{made['id']}", expect=404)
    admin.ask("POST", crls, {"url": "ftp://x/"}, expect=422)
    made, = admin.ask("POST", crls, {"url": url, "authority": authority, "domain": "example.org"},
                      expect=201).json["lists"]
    assert "number" not in made and made["domain"] == "example.org"
    admin.ask("POST", crls, {"url": url, "domain": "example.org"}, expect=409)
    refused = admin.ask("POST", f"{crls}/{made['id']}/fetch", expect=422).json
    assert "127.0.0.1" in refused["detail"]
    admin.ask("PATCH", BASE + "/settings", {"fetch_private": True}, expect=204)
    assert admin.ask("POST", f"{crls}/{made['id']}/fetch", expect=200).json["number"] == "ff"
    admin.ask("POST", f"{crls}/4711/fetch", expect=422)
    assert [c["id"] for c in admin.get("/crls?domain=example.org")["lists"]] == [made["id"]]
    admin.ask("DELETE", f"{crls}/{made['id']}", expect=204)
    admin.ask("PATCH", BASE + "/settings", {"fetch_private": None}, expect=204)
    site.shutdown()


def test_acme(admin):
    """An authority that does not answer: the order stands, and says why nothing comes of it."""
    for base in (BASE, DOMAIN):
        account = base + "/acme/account"
        admin.ask("PATCH", account, {"directory": "ftp://ca.example/"}, expect=422)
        admin.ask("PATCH", account, {"directory": "https://127.0.0.1:1/directory",
                                     "contact": ["chief@example.org"], "terms_agreed": True}, expect=200)
        assert admin.ask("GET", account, expect=200).json["contact"] == ["chief@example.org"]
    admin.ask("POST", DOMAIN + "/acme", {"challenge": "by-post"}, expect=422)
    a = admin.ask("POST", DOMAIN + "/acme", {"names": ["example.org"]})
    assert a.status in (200, 201, 202)
    admin.ask("POST", DOMAIN + "/acme/renew")
    admin.ask("GET", DOMAIN + "/acme", expect=200)
    admin.get("/acme")
    admin.ask("DELETE", DOMAIN + "/acme", expect=204)
    for base in (DOMAIN, BASE):
        admin.ask("DELETE", base + "/acme/account", expect=204)


def test_domain_authority(admin, web):
    """The domain as an authority for its users: every route, and what it refuses."""
    ca = DOMAIN + "/ca"
    assert admin.ask("GET", ca, expect=200).json["source"] == "none"
    admin.ask("GET", ca + "/certificate", expect=404)
    admin.ask("GET", ca + "/crl", expect=404)
    admin.ask("DELETE", ca, expect=404)
    admin.ask("POST", ca + "/refresh", {}, expect=409)
    for body in ({"type": "ed25519"}, {"key": "brought"}, {"days": 0}, {"country": "Atlantis"}):
        assert admin.ask("POST", ca, body).status in (404, 422)
    made = admin.ask("POST", ca, {"organization": "Example"}, expect=201).json
    admin.ask("POST", ca + "/refresh", {"days": 100}, expect=200)
    asked = admin.ask("POST", ca + "/request", {"type": "rsa:2048"}, expect=201).json
    csr = x509.load_pem_x509_csr(asked["request"].encode())
    top = make_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Top")])
    now = datetime.datetime.utcnow()
    sub = x509.CertificateBuilder(name, csr.subject, csr.public_key(), 77, now,
                                  now + datetime.timedelta(days=90)).add_extension(
        x509.BasicConstraints(True, 0), True).sign(top, hashes.SHA256())
    pem = sub.public_bytes(serialization.Encoding.PEM).decode()
    admin.ask("POST", ca + "/install", {"certificate": made["certificate"]}, expect=201)
    admin.ask("POST", ca + "/install", {"certificate": "junk"}, expect=422)
    admin.ask("POST", ca + "/install", {"certificate": pem}, expect=201)
    assert admin.ask("GET", ca + "/check", expect=200).json["result"] != "error"
    admin.ask("GET", ca + "/certificate", expect=200)

    request = x509.CertificateSigningRequestBuilder().subject_name(name).sign(
        make_key(), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    for body in ({"address": "bob@example.org", "request": "%"}, {"address": "nobody@example.org"},
                 {"address": "bob@example.org"}, {"address": "bob@example.org", "request": request,
                                                  "days": 826}):
        admin.ask("POST", ca + "/certificates", body, expect=422)
    issued = admin.ask("POST", ca + "/certificates",
                       {"address": "bob@example.org", "request": request}, expect=201).json
    listed = admin.ask("GET", ca + "/certificates", expect=200).json["certificates"]
    assert [c["serial"] for c in listed] == [issued["serial"]]
    mine = f"{BASE}/accounts/bob@example.org/issued"
    assert len(admin.ask("GET", mine, expect=200).json["certificates"]) == 1

    cert = x509.load_pem_x509_certificate(issued["certificate"].encode())
    der = ocsp.OCSPRequestBuilder().add_certificate(cert, sub, hashes.SHA1()).build() \
        .public_bytes(serialization.Encoding.DER)
    text = urllib.parse.quote(base64.b64encode(der), safe="")
    label = admin.ask("GET", ca, expect=200).json["issuer"]["crl_url"].split("/")[-2]
    plain = Client(web, service="http")
    for base in ("/pki/example.org", f"/pki/example.org/{label}"):
        for what in ("ca.der", "ca.crl", "ocsp/" + text):
            plain.ask("GET", f"{base}/{what}", expect=200)
        plain.ask("POST", base + "/ocsp", der, {"Content-Type": "application/ocsp-request"},
                  expect=200)
        plain.ask("POST", base + "/ocsp", der, {"Content-Type": "text/plain"}, expect=415)
    plain.ask("GET", "/pki/example.org/0123456789ab/ca.crl", expect=404)
    plain.ask("GET", "/pki/nowhere.example/ca.crl", expect=404)

    serial = issued["serial"]
    admin.ask("POST", ca + "/certificates/xyz/revoke", {}, expect=404)
    admin.ask("POST", f"{ca}/certificates/{serial}/revoke", {"reason": "fun"}, expect=422)
    admin.ask("POST", f"{ca}/certificates/{serial}/revoke", {"reason": "superseded"}, expect=200)
    admin.ask("POST", f"{mine}/{serial}/revoke", {}, expect=409)
    other = admin.ask("POST", ca + "/certificates",
                      {"address": "bob@example.org", "request": request}, expect=201).json
    admin.ask("POST", f"{mine}/{other['serial']}/revoke", {}, expect=200)
    assert admin.ask("GET", ca + "/crl", expect=200).json["revoked"] == 2
    admin.ask("DELETE", ca, expect=204)
