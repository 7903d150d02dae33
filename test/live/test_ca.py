# SPDX-License-Identifier: Apache-2.0
"""A domain's authority: what it issues, in the eyes of others; lists, answers, revoking, renewing."""
import base64
import concurrent.futures
import contextlib
import datetime
import json
import os
import re
import sqlite3
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

import pytest
from authority import make_key
from conftest import BUILD, PASSWORD, finish, make_server, need
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID
from mailtools import imap

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER


@pytest.fixture(scope="module")
def server():
    s = make_server().start()
    s.add_account("alice@example.org")
    s.add_account("bob@example.org")
    yield s
    finish(s)


@pytest.fixture(scope="module")
def ca(server):
    return json.loads(server.cli("--json", "ca", "create", "example.org", "--org", "Example").stdout)


def request_pem(key, name="x"):
    return x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])).sign(
            key, hashes.SHA256()).public_bytes(PEM).decode()


def issue(server, address="alice@example.org", key=None, *args):
    """The certificate, and what the API said."""
    key = key or make_key()
    out = server.cli("--json", "ca", "issue", address, "--request", "-", *args,
                     stdin=request_pem(key))
    said = json.loads(out.stdout)
    return x509.load_pem_x509_certificate(said["certificate"].encode()), said


def get(url):
    with urllib.request.urlopen(url, timeout=20) as r:
        return r.headers, r.read()


def run(*args, check=True, stdin=""):
    r = subprocess.run([str(a) for a in args], capture_output=True, text=True, input=stdin, timeout=60)
    assert not check or r.returncode == 0, (args, r.stdout, r.stderr)
    return r.stdout + r.stderr


def urls(cert):
    access = cert.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    points = cert.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    by = {a.access_method: a.access_location.value for a in access}
    return (points[0].full_name[0].value, by[AuthorityInformationAccessOID.OCSP],
            by[AuthorityInformationAccessOID.CA_ISSUERS])


def test_no_authority(server):
    key = request_pem(make_key())
    r = server.cli("ca", "issue", "alice@example.org", "--request", "-", check=False, stdin=key)
    assert r.returncode == 1 and "signet ca create example.org" in r.stderr
    assert server.cli("ca", "check", "example.org", check=False).returncode == 1
    with pytest.raises(urllib.error.HTTPError) as e:
        get(f"http://127.0.0.1:{server.port('http')}/pki/example.org/ca.crl")
    assert e.value.code == 404


def test_authority_profile(server, ca):
    cert = x509.load_pem_x509_certificate(ca["certificate"].encode())
    assert cert.subject.rfc4514_string() == "CN=S/MIME CA of example.org,O=Example"
    basic = cert.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical and basic.value.ca and basic.value.path_length == 0
    usage = cert.extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical and usage.value.key_cert_sign and usage.value.crl_sign
    constraints = cert.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert [n.value for n in constraints.value.permitted_subtrees] == ["example.org"]
    assert server.cli("ca", "check", "example.org").returncode == 0
    shown = json.loads(server.cli("--json", "ca", "show", "example.org").stdout)
    assert shown["source"] == "authority"
    assert shown["issuer"]["fingerprint"] == ca["fingerprint"]
    headers, der = get(f"http://127.0.0.1:{server.port('http')}/pki/example.org/ca.der")
    assert headers["Content-Type"] == "application/pkix-cert"
    assert der == cert.public_bytes(DER)


def test_profile(server, ca):
    key = make_key("rsa:2048")
    cert, said = issue(server, "alice@example.org", key, "--name", "Alice Example")
    ext = cert.extensions
    assert said["account"] == "alice@example.org" and said["state"] == "valid"
    assert cert.subject.rfc4514_string() == "CN=Alice Example"
    assert cert.public_key().public_numbers() == key.public_key().public_numbers()
    assert cert.serial_number.bit_length() >= 64
    names = ext.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["alice@example.org"]
    usage = ext.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature and usage.key_encipherment and not usage.key_cert_sign
    assert list(ext.get_extension_for_class(x509.ExtendedKeyUsage).value) == \
        [ExtendedKeyUsageOID.EMAIL_PROTECTION]
    assert cert.not_valid_after - cert.not_valid_before < datetime.timedelta(days=398)
    crl, ocsp_url, issuer = urls(cert)
    assert all(u.startswith(f"http://example.org:{server.port('http')}/pki/example.org/")
               for u in (crl, ocsp_url, issuer))


def local(server, url):
    """The same at this machine, where example.org is not."""
    assert url.startswith("http://example.org:")
    return url.replace("//example.org", "//127.0.0.1")


def files(server, tmp, cert):
    root, leaf = tmp / "root.pem", tmp / "leaf.pem"
    server.cli("ca", "export", "example.org", "-o", str(root))
    leaf.write_bytes(cert.public_bytes(PEM))
    return root, leaf


def test_opinions(server, ca, tmp_path):
    for kind in ("ec", "rsa:2048"):
        cert, _ = issue(server, "alice@example.org", make_key(kind))
        root, leaf = files(server, tmp_path, cert)
        # OpenSSL wants keyEncipherment for this purpose, which EC keys cannot do (RFC 8550 4.4.2).
        for purpose in ("smimesign", "smimeencrypt")[:1 if kind == "ec" else 2]:
            run("openssl", "verify", "-x509_strict", "-purpose", purpose, "-verify_email",
                "alice@example.org", "-CAfile", root, leaf)
        out = run("openssl", "verify", "-purpose", "sslserver", "-CAfile", root, leaf, check=False)
        assert "error" in out
        out = run(need("certtool"), "--verify", "--load-ca-certificate", root, "--verify-email",
                  "alice@example.org", "--infile", leaf)
        assert "Verified. The certificate is trusted" in out or "Chain verification output: Verified" in out
        assert server.cli("verify", "--roots", str(root), "--purpose", "mail", "--email",
                          "alice@example.org", str(leaf)).returncode == 0


def test_nss(server, ca, tmp_path):
    cert, _ = issue(server)
    root, leaf = files(server, tmp_path, cert)
    certutil = need("certutil")
    db = f"sql:{tmp_path}"
    run(certutil, "-N", "-d", db, "--empty-password")
    run(certutil, "-A", "-d", db, "-n", "ca", "-t", ",C,", "-i", root)
    run(certutil, "-A", "-d", db, "-n", "alice", "-t", ",,", "-i", leaf)
    assert "certificate is valid" in run(certutil, "-V", "-d", db, "-n", "alice", "-u", "S")
    assert "certificate is valid" in run(certutil, "-V", "-d", db, "-n", "alice", "-u", "R")


def test_refused(server, ca):
    server.cli("alias", "add", "both@example.org", "alice@example.org", "bob@example.org")
    key = request_pem(make_key())
    for address in ("nobody@example.org", "both@example.org", "alice@example.com", "alice"):
        r = server.cli("ca", "issue", address, "--request", "-", check=False, stdin=key)
        assert r.returncode in (1, 2) and r.stderr, address
    weak = request_pem(make_key("rsa:1024"))
    assert server.cli("ca", "issue", "alice@example.org", "--request", "-", check=False,
                      stdin=weak).returncode == 1
    # The request must prove that its maker has the key.
    other = x509.load_pem_x509_csr(key.encode()).public_bytes(DER)
    broken = base64.b64encode(other[:-1] + bytes([other[-1] ^ 1])).decode()
    pem = f"-----BEGIN CERTIFICATE REQUEST-----\n{broken}\n-----END CERTIFICATE REQUEST-----\n"
    r = server.cli("ca", "issue", "alice@example.org", "--request", "-", check=False, stdin=pem)
    assert r.returncode == 1 and "not signed by the key" in r.stderr
    # Without a request the key is the one of Secure Mail, which nobody has made yet.
    r = server.cli("ca", "issue", "bob@example.org", check=False)
    assert r.returncode == 1 and "smime generate" in r.stderr
    assert server.cli("ca", "issue", "alice@example.org", "--request", "-", "--days", "826",
                      check=False, stdin=key).returncode == 2


def crl_of(url):
    headers, der = get(url)
    assert headers["Content-Type"] == "application/pkix-crl"
    assert "max-age" in headers["Cache-Control"]
    return x509.load_der_x509_crl(der)


def number_of(crl):
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def ask(url, cert, ca_cert, post=True, digest=None, nonce=None):
    b = ocsp.OCSPRequestBuilder().add_certificate(cert, ca_cert, digest or hashes.SHA1())
    if nonce:
        b = b.add_extension(x509.OCSPNonce(nonce), False)
    der = b.build().public_bytes(DER)
    if post:
        headers, answer = get(urllib.request.Request(
            url, der, {"Content-Type": "application/ocsp-request"}))
    else:
        headers, answer = get(url + "/" + urllib.parse.quote(base64.b64encode(der), safe=""))
    assert headers["Content-Type"] == "application/ocsp-response"
    return headers, ocsp.load_der_ocsp_response(answer)


def check_signature(response, ca_cert):
    ca_cert.public_key().verify(response.signature, response.tbs_response_bytes,
                                ec.ECDSA(response.signature_hash_algorithm))


def test_revoke(server, ca, tmp_path):
    """A revocation is in the list and in the answers at once, in the words of OpenSSL too."""
    root_cert = x509.load_pem_x509_certificate(ca["certificate"].encode())
    cert, said = issue(server)
    other, _ = issue(server, "bob@example.org")
    root, leaf = files(server, tmp_path, cert)
    crl_url, ocsp_url, _ = (local(server, u) for u in urls(cert))
    before = crl_of(crl_url)
    assert before.get_revoked_certificate_by_serial_number(cert.serial_number) is None
    assert before.is_signature_valid(root_cert.public_key())
    for post in (True, False):
        headers, response = ask(ocsp_url, cert, root_cert, post)
        assert response.certificate_status == ocsp.OCSPCertStatus.GOOD
        check_signature(response, root_cert)
        assert "max-age" in headers["Cache-Control"]
    openssl = ("openssl", "ocsp", "-sha256", "-issuer", root, "-CAfile", root, "-cert", leaf,
               "-url", ocsp_url)
    assert "leaf.pem: good" in run(*openssl)
    assert "leaf.pem: good" in run(*openssl, "-no_nonce")

    revoked = json.loads(server.cli("--json", "ca", "revoke", "example.org", said["serial"],
                                    "--reason", "keyCompromise").stdout)
    assert revoked["state"] == "revoked" and revoked["reason"] == "keyCompromise"
    for post in (True, False):
        _, response = ask(ocsp_url, cert, root_cert, post)
        assert response.certificate_status == ocsp.OCSPCertStatus.REVOKED
        assert response.revocation_reason == x509.ReasonFlags.key_compromise
    assert "leaf.pem: revoked" in run(*openssl)
    after = crl_of(crl_url)
    assert number_of(after) > number_of(before)
    entry = after.get_revoked_certificate_by_serial_number(cert.serial_number)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == \
        x509.ReasonFlags.key_compromise
    assert after.get_revoked_certificate_by_serial_number(other.serial_number) is None

    # Whoever has it already is told so, until there is another one.
    headers, _ = get(crl_url)
    conditional = urllib.request.Request(crl_url, headers={"If-None-Match": headers["ETag"]})
    with pytest.raises(urllib.error.HTTPError) as e:
        get(conditional)
    assert e.value.code == 304 and e.value.headers["ETag"] == headers["ETag"]
    server.cli("ca", "revoke", "example.org", f"{other.serial_number:x}")
    assert number_of(crl_of(conditional)) > number_of(after)

    crl = tmp_path / "list.pem"
    server.cli("ca", "crl", "example.org", "-o", str(crl))
    assert "verify OK" in run("openssl", "crl", "-in", crl, "-CAfile", root, "-noout")
    out = run("openssl", "verify", "-crl_check", "-CRLfile", crl, "-CAfile", root, leaf, check=False)
    assert "certificate revoked" in out
    again = server.cli("ca", "revoke", "example.org", said["serial"], check=False)
    assert again.returncode == 1 and "already" in again.stderr
    assert server.cli("ca", "revoke", "example.org", "00ff", check=False).returncode == 1
    assert server.cli("ca", "revoke", "example.org", said["serial"], "--reason", "boredom",
                      check=False).returncode == 1


def test_answers(server, ca):
    root_cert = x509.load_pem_x509_certificate(ca["certificate"].encode())
    cert, _ = issue(server)
    _, ocsp_url, _ = (local(server, u) for u in urls(cert))
    # RFC 9654: a nonce comes back; such an answer is nobody else's.
    headers, response = ask(ocsp_url, cert, root_cert, nonce=b"n" * 32)
    assert response.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"n" * 32
    assert headers["Cache-Control"] == "no-store"
    _, response = ask(ocsp_url, cert, root_cert, nonce=b"n" * 129)
    assert response.response_status == ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    # The same question without a nonce costs one signature.
    one, two = (ask(ocsp_url, cert, root_cert)[1] for _ in range(2))
    assert one.signature == two.signature
    # The authority itself as an unknown serial number; another issuer; something else.
    _, response = ask(ocsp_url, root_cert, root_cert)
    assert response.response_status == ocsp.OCSPResponseStatus.UNAUTHORIZED
    key = make_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Other")])
    foreign = x509.CertificateBuilder(name, name, key.public_key(), 4711, root_cert.not_valid_before,
                                      root_cert.not_valid_after).sign(key, hashes.SHA256())
    _, response = ask(ocsp_url, foreign, foreign)
    assert response.response_status == ocsp.OCSPResponseStatus.UNAUTHORIZED
    _, junk = get(urllib.request.Request(ocsp_url, b"junk", {
        "Content-Type": "application/ocsp-request"}))
    assert ocsp.load_der_ocsp_response(junk).response_status == \
        ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    with pytest.raises(urllib.error.HTTPError) as e:
        get(urllib.request.Request(ocsp_url, b"junk", {"Content-Type": "text/plain"}))
    assert e.value.code == 415
    # At the domain's short path, over HTTPS, and with octets that a path could hold as they are.
    short = f"https://127.0.0.1:{server.port('https')}/pki/example.org/ocsp"
    der = ocsp.OCSPRequestBuilder().add_certificate(cert, root_cert, hashes.SHA1()).build() \
        .public_bytes(DER)
    text = base64.b64encode(der).decode()
    with urllib.request.urlopen(short + "/" + text, context=server.context(), timeout=20) as r:
        assert ocsp.load_der_ocsp_response(r.read()).certificate_status == ocsp.OCSPCertStatus.GOOD


def test_tables_fit(server, ca, tmp_path):
    """On a narrow terminal each row stands as lines, whole; in a pipe one row is one line."""
    issue(server)
    server.cli("smime", "generate", "bob@example.org", "--type", "ec:p256", "--password-file", "-",
               stdin="a password of bob's\n")
    server.cli("contact", "take", "alice@example.org", "--certificate", "-",
               stdin=issue(server, "bob@example.org")[1]["certificate"], check=False)
    commands = [("ca", "show", "example.org"), ("ca", "list", "example.org"),
                ("smime", "show", "bob@example.org"),
                ("contact", "certificates", "alice@example.org"),
                ("contact", "waiting", "alice@example.org"),
                ("contact", "lookup", "alice@example.org", "bob@example.org", "x@example.net")]
    for command in commands:
        wide = server.cli(*command).stdout
        narrow = subprocess.run([BUILD / "signet", "--data", server.data, *command],
                                capture_output=True, text=True, check=True, timeout=60,
                                env={**os.environ, **(server.env or {}), "COLUMNS": "80"}).stdout
        # Other lines may follow the table.
        title, *rows = wide.split("\n\n")[0].splitlines()
        if all(len(line) <= 80 for line in (title, *rows)):
            assert narrow == wide
            continue
        first = title.split("  ")[0]
        assert rows and title not in narrow
        assert sum(line.startswith(first + " ") for line in narrow.splitlines()) == len(rows), narrow
    # What others have named does not steer the terminal, in an error neither.
    r = server.cli("contact", "show", "alice@example.org", "urn:x:\x1b[2J", check=False)
    assert r.returncode == 1 and "\x1b" not in r.stderr + r.stdout


def test_load_is_bounded(server, ca):
    """However many ask with nonces: some are told to come later, or get the answer that is kept."""
    root_cert = x509.load_pem_x509_certificate(ca["certificate"].encode())
    cert, _ = issue(server)
    _, ocsp_url, _ = (local(server, u) for u in urls(cert))
    ask(ocsp_url, cert, root_cert)
    kinds = set()
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for _, response in pool.map(lambda i: ask(ocsp_url, cert, root_cert,
                                                  nonce=i.to_bytes(16, "big")), range(1, 700)):
            if response.response_status == ocsp.OCSPResponseStatus.SUCCESSFUL:
                assert response.certificate_status == ocsp.OCSPCertStatus.GOOD
                kinds.add(len(list(response.extensions)) > 0)
            else:
                assert response.response_status == ocsp.OCSPResponseStatus.TRY_LATER
                kinds.add("later")
    assert True in kinds and len(kinds) > 1


def test_parallel(server, ca):
    key = request_pem(make_key())

    def one(i):
        out = server.cli("--json", "ca", "issue", "alice@example.org", "--request", "-", stdin=key)
        return json.loads(out.stdout)["serial"]

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        serials = list(pool.map(one, range(50)))
    assert len(set(serials)) == 50


def test_own(server, ca):
    """Users see and revoke their own certificates, and nobody else's."""
    cert, said = issue(server, "bob@example.org")
    _, hers = issue(server, "alice@example.org")
    base = f"https://127.0.0.1:{server.port('https')}/api/v1/accounts/bob@example.org/issued"
    login = "Basic " + base64.b64encode(f"bob@example.org:{PASSWORD}".encode()).decode()

    def call(url, method="GET", body=None, who=login):
        headers = {"Authorization": who, "Content-Type": "application/json"}
        r = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(r, context=server.context(), timeout=20) as answer:
            return json.load(answer)

    listed = call(base)["certificates"]
    assert said["serial"] in [c["serial"] for c in listed]
    assert all(c["account"] == "bob@example.org" for c in listed)
    with pytest.raises(urllib.error.HTTPError) as e:
        call(f"{base}/{hers['serial']}/revoke", "POST", b"{}")
    assert e.value.code == 404
    alice = "Basic " + base64.b64encode(f"alice@example.org:{PASSWORD}".encode()).decode()
    with pytest.raises(urllib.error.HTTPError) as e:
        call(f"{base}/{said['serial']}/revoke", "POST", b"{}", alice)
    assert e.value.code == 403
    done = call(f"{base}/{said['serial']}/revoke", "POST", b'{"reason": "superseded"}')
    assert done["state"] == "revoked" and done["reason"] == "superseded"
    log = [line for line in server.log_text().splitlines() if "ca.revoked " in line]
    assert "reason=superseded" in log[-1]


def test_utf8_address(server, ca):
    server.cli("account", "add", "j\u00f6rg@example.org", "--password-file", "-", stdin=PASSWORD + "\n")
    cert, _ = issue(server, "j\u00f6rg@example.org")
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names[0].type_id.dotted_string == "1.3.6.1.5.5.7.8.9"
    assert names[0].value.endswith("j\u00f6rg@example.org".encode())


def test_account_removed(server, ca):
    root_cert = x509.load_pem_x509_certificate(ca["certificate"].encode())
    server.add_account("carol@example.org")
    cert, _ = issue(server, "carol@example.org")
    server.cli("account", "remove", "carol@example.org")
    crl_url, ocsp_url, _ = (local(server, u) for u in urls(cert))
    entry = crl_of(crl_url).get_revoked_certificate_by_serial_number(cert.serial_number)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == \
        x509.ReasonFlags.cessation_of_operation
    assert ask(ocsp_url, cert, root_cert)[1].certificate_status == ocsp.OCSPCertStatus.REVOKED


def test_key_is_kept(server, ca):
    """The key of an authority does not go while its certificates count."""
    keys = json.loads(server.cli("--json", "key", "list", "example.org", "--for", "ca").stdout)["keys"]
    r = server.cli("key", "remove", "example.org", keys[0]["alias"], check=False)
    assert r.returncode == 1 and "authority" in r.stderr


def test_refresh_and_another(server, ca, tmp_path):
    """What was issued holds under the refreshed certificate; a new authority does not end the old."""
    server.cli("domain", "add", "example.net")
    server.add_account("dora@example.net")
    first = json.loads(server.cli("--json", "ca", "create", "example.net").stdout)
    cert, said = issue(server, "dora@example.net")
    server.cli("alias", "add", "example.com", "example.net")
    again = json.loads(server.cli("--json", "ca", "refresh", "example.net").stdout)
    assert again["subject"] == first["subject"] and again["serial"] != first["serial"]

    def lifetime(shown):
        c = x509.load_pem_x509_certificate(shown["certificate"].encode())
        return (c.not_valid_after - c.not_valid_before).days

    # As long as before, unless it is said otherwise.
    assert lifetime(first) == lifetime(again) == 3650
    for days, options in ((4000, ("--days", "4000")), (4000, ()), (30, ("--days", "30")), (30, ()), (3650, ("--days", "3650"))):
        again = json.loads(server.cli("--json", "ca", "refresh", "example.net", *options).stdout)
        assert lifetime(again) == days
    assert "example.com" in run("openssl", "x509", "-noout", "-ext", "nameConstraints",
                                stdin=again["certificate"])
    root, leaf = tmp_path / "r.pem", tmp_path / "l.pem"
    root.write_text(again["certificate"])
    leaf.write_bytes(cert.public_bytes(PEM))
    run("openssl", "verify", "-purpose", "smimesign", "-CAfile", root, leaf)
    alias, _ = issue(server, "dora@example.com")
    second = json.loads(server.cli("--json", "ca", "create", "example.net", "--type",
                                   "rsa:2048").stdout)
    assert second["subject"] == "CN=S/MIME CA 2 of example.net"
    new, _ = issue(server, "dora@example.net")
    assert new.issuer.rfc4514_string() == second["subject"]
    # The first goes on about what it has issued.
    server.cli("ca", "revoke", "example.net", said["serial"])
    crl_url, ocsp_url, issuer_url = (local(server, u) for u in urls(cert))
    assert crl_of(crl_url).get_revoked_certificate_by_serial_number(cert.serial_number)
    old = x509.load_der_x509_certificate(get(issuer_url)[1])
    assert old.subject == cert.issuer
    assert ask(ocsp_url, cert, old)[1].certificate_status == ocsp.OCSPCertStatus.REVOKED
    # Without an authority of its own nothing is issued; what was stays as it was.
    server.cli("ca", "remove", "example.net")
    assert server.cli("ca", "issue", "dora@example.net", "--request", "-", check=False,
                      stdin=request_pem(make_key())).returncode == 1
    new_crl, new_ocsp, _ = (local(server, u) for u in urls(new))
    assert crl_of(new_crl).get_revoked_certificate_by_serial_number(new.serial_number) is None

    # The domain goes: its authority's last list stays.
    server.cli("account", "remove", "dora@example.net")
    server.cli("domain", "remove", "example.net")
    last = crl_of(new_crl)
    assert last.get_revoked_certificate_by_serial_number(new.serial_number)
    assert last.next_update > new.not_valid_after


def test_pki_mode(server, ca):
    server.cli("domain", "add", "off.example.org")
    server.cli("domain", "set", "off.example.org", "pki=disabled")
    server.add_account("ann@off.example.org")
    server.cli("ca", "create", "off.example.org")
    r = server.cli("ca", "issue", "ann@off.example.org", "--request", "-", check=False,
                   stdin=request_pem(make_key()))
    assert r.returncode == 1 and "pki=enabled" in r.stderr


def test_external(server, tmp_path):
    """Another authority's certificate for ours: request, install, and a chain up to its root."""
    root_key = make_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Corporate Root")])
    now = datetime.datetime.utcnow().replace(microsecond=0)

    def sign(subject, key, length, extra=()):
        b = x509.CertificateBuilder(name, subject, key, x509.random_serial_number(), now,
                                    now + datetime.timedelta(days=900))
        b = b.add_extension(x509.BasicConstraints(True, length), True)
        b = b.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
        for e in extra:
            b = b.add_extension(e.value, e.critical)
        return b.sign(root_key, hashes.SHA256())

    root = sign(name, root_key.public_key(), None)
    server.cli("domain", "add", "example.info")
    server.add_account("erin@example.info")
    csr_file, sub_file, root_file = tmp_path / "ca.csr", tmp_path / "sub.pem", tmp_path / "root.pem"
    server.cli("ca", "request", "example.info", "-o", str(csr_file))
    csr = x509.load_pem_x509_csr(csr_file.read_bytes())
    assert csr.is_signature_valid
    assert csr.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert csr.extensions.get_extension_for_class(x509.NameConstraints)
    keep = [e for e in csr.extensions if not isinstance(e.value, x509.BasicConstraints)]
    sub = sign(csr.subject, csr.public_key(), 0, keep)
    sub_file.write_bytes(sub.public_bytes(PEM))
    root_file.write_bytes(root.public_bytes(PEM))
    # Someone else's certificate, and one that is no authority's, are not taken.
    assert server.cli("ca", "install", "example.info", str(root_file), check=False).returncode == 1
    leaf_only = x509.CertificateBuilder(name, csr.subject, csr.public_key(), 5, now,
                                        now + datetime.timedelta(days=9)).sign(root_key, hashes.SHA256())
    bad = tmp_path / "bad.pem"
    bad.write_bytes(leaf_only.public_bytes(PEM))
    r = server.cli("ca", "install", "example.info", str(bad), check=False)
    assert r.returncode == 1 and "basicConstraints" in r.stderr
    server.cli("ca", "install", "example.info", str(sub_file), "--chain", str(root_file))
    cert, said = issue(server, "erin@example.info")
    chain = re.findall(r"-----BEGIN.*?-----END CERTIFICATE-----\n", said["chain"], re.S)
    assert len(chain) == 2
    leaf = tmp_path / "leaf.pem"
    leaf.write_bytes(cert.public_bytes(PEM))
    run("openssl", "verify", "-purpose", "smimesign", "-CAfile", root_file, "-untrusted", sub_file,
        leaf)
    r = server.cli("ca", "refresh", "example.info", check=False)
    assert r.returncode == 1 and "ca request" in r.stderr


def test_fallback(server):
    """CGP6-2: the domain's own certificate issues where there is no other, if it can."""
    server.cli("domain", "add", "example.biz")
    server.add_account("fay@example.biz")
    key = make_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.biz")])
    now = datetime.datetime.utcnow().replace(microsecond=0)
    own = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now,
                                  now + datetime.timedelta(days=90)) \
        .add_extension(x509.BasicConstraints(True, None), True) \
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("example.biz")]), False) \
        .sign(key, hashes.SHA256())
    pem = own.public_bytes(PEM) + key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server.cli("cert", "import", "example.biz", "-", stdin=pem.decode())
    shown = json.loads(server.cli("--json", "ca", "show", "example.biz").stdout)
    assert shown["source"] == "certificate"
    cert, _ = issue(server, "fay@example.biz")
    assert cert.issuer == own.subject
    own.public_key().verify(cert.signature, cert.tbs_certificate_bytes,
                            ec.ECDSA(cert.signature_hash_algorithm))
    crl_url, ocsp_url, _ = (local(server, u) for u in urls(cert))
    assert ask(ocsp_url, cert, own)[1].certificate_status == ocsp.OCSPCertStatus.GOOD
    assert crl_of(crl_url).is_signature_valid(own.public_key())


def test_trusted_for_mail(server, ca):
    """A domain trusts its own authority, for mail and nothing else."""
    trusted = json.loads(server.cli("--json", "trust", "list", "--domain", "example.org").stdout)
    mine = [c for c in trusted["certificates"] if c["fingerprint"] == ca["fingerprint"]]
    assert mine and mine[0]["purposes"] == "mail" and mine[0]["scope"] == "domain"


def test_metrics(server, ca):
    _, text = get(f"http://127.0.0.1:{server.port('http')}/metrics")
    assert re.search(rb"signet_ca_certificates_total [1-9]", text)
    assert re.search(rb"signet_ocsp_answers_total [1-9]", text)
    assert re.search(rb"signet_ca_certificates_valid [1-9]", text)
    assert re.search(rb"signet_ca_certificates_revoked [1-9]", text)


def test_key_stays_in_its_process(server, ca):
    """The authority's private key is nowhere in the server's memory, also after all this signing."""
    server.cli("domain", "add", "example.edu")
    server.add_account("gil@example.edu")
    key = make_key()
    number = key.private_numbers().private_value.to_bytes(32, "big")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Imported CA")])
    now = datetime.datetime.utcnow().replace(microsecond=0)
    own = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now,
                                  now + datetime.timedelta(days=90)) \
        .add_extension(x509.BasicConstraints(True, 0), True).sign(key, hashes.SHA256())
    pem = key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    server.cli("key", "import", "example.edu", "-", "--for", "smime", stdin=pem.decode())
    server.cli("ca", "install", "example.edu", "-", stdin=own.public_bytes(PEM).decode())
    cert, said = issue(server, "gil@example.edu")
    server.cli("ca", "revoke", "example.edu", said["serial"])
    server.cli("ca", "crl", "example.edu")
    pid = server.children()["server"]
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if "r" not in line.split()[1] or "[v" in line:
                continue
            try:
                mem.seek(start)
                assert number not in mem.read(end - start), line
            except (OSError, ValueError):
                continue


def test_warned(server, ca):
    """A certificate that nobody renews: its user is told, once."""
    cert, said = issue(server, "alice@example.org", None, "--days", "90")
    database = server.data / "store" / "signet.db"
    assert server.stop() == 0
    with sqlite3.connect(database) as db:
        days = (time.time() + 20 * 86400) * 1000000
        db.execute("update issued set not_after = ? where hex(serial) = ?",
                   (int(days), said["serial"].upper()))
    db.close()
    server.start()
    deadline = time.monotonic() + 30
    while "ca.expires" not in server.log_text() and time.monotonic() < deadline:
        time.sleep(0.2)
    box = imap(server, "alice@example.org", PASSWORD)
    box.select("INBOX", readonly=True)
    found = box.uid("SEARCH", "SUBJECT", '"will expire"')[1][0].split()
    assert len(found) == 1
    text = box.uid("FETCH", found[0], "(BODY.PEEK[])")[1][0][1]
    assert said["serial"].encode() in text
    box.logout()


def test_renewed(server, ca):
    """The key of Secure Mail stays, its certificate is renewed without anybody's password."""
    server.add_account("hal@example.org")
    server.cli("smime", "generate", "hal@example.org", "--type", "ec:p256", "--password-file", "-",
               stdin="a long password for mail\n")
    before = [c for c in json.loads(server.cli("--json", "ca", "list", "example.org").stdout)
              ["certificates"] if c["account"] == "hal@example.org"]
    assert len(before) == 1 and before[0]["renewal"]
    due = datetime.datetime.fromisoformat(before[0]["renewal"].split(".")[0].rstrip("Z"))
    assert 230 < (due - datetime.datetime.utcnow()).days < 265
    assert server.stop() == 0
    with sqlite3.connect(server.data / "store" / "signet.db") as db:
        db.execute("update issued set renew = 1 where hex(serial) = ?", (before[0]["serial"].upper(),))
    db.close()
    server.start()
    deadline = time.monotonic() + 30
    while "ca.renew " not in server.log_text() and time.monotonic() < deadline:
        time.sleep(0.2)
    after = [c for c in json.loads(server.cli("--json", "ca", "list", "example.org").stdout)
             ["certificates"] if c["account"] == "hal@example.org"]
    assert len(after) == 2 and after[0]["renewed"] and after[1]["renewal"]
    old, new = (x509.load_pem_x509_certificate(c["certificate"].encode()) for c in after)
    assert old.public_key().public_numbers() == new.public_key().public_numbers()
    assert old.serial_number != new.serial_number
    shown = server.cli("--json", "smime", "show", "hal@example.org").stdout
    current = json.loads(shown)["keys"][0]["certificates"][0]
    assert current["serial"] == after[1]["serial"]
    box = imap(server, "hal@example.org", PASSWORD)
    box.select("INBOX", readonly=True)
    # The message is sent behind that line of the log.
    while not (found := box.uid("SEARCH", "SUBJECT", "renewed")[1][0].split()):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert len(found) == 1
    box.logout()

    # By hand, for the key that the account has: it gets that certificate, too.
    said = json.loads(server.cli("--json", "ca", "issue", "hal@example.org").stdout)
    shown = json.loads(server.cli("--json", "smime", "show", "hal@example.org").stdout)
    assert shown["keys"][0]["certificates"][0]["serial"] == said["serial"]


def test_a_key_is_one_accounts(server, ca):
    """Not certified for a second account; after keyCompromise for nobody, neither by request nor by renewal."""
    for name in ("ines", "jonas"):
        server.add_account(f"{name}@example.org")
    key = make_key()
    pem = request_pem(key)
    issue(server, "ines@example.org", key)
    r = server.cli("ca", "issue", "jonas@example.org", "--request", "-", check=False, stdin=pem)
    assert r.returncode == 1 and "another account" in r.stderr, r.stderr
    _, second = issue(server, "ines@example.org", key)
    server.cli("ca", "revoke", "example.org", second["serial"], "--reason", "keyCompromise")
    own = [c for c in json.loads(server.cli("--json", "ca", "list", "example.org").stdout)["certificates"]
           if c["account"] == "ines@example.org"]
    assert [c["reason"] for c in own] == ["keyCompromise"] * 2
    for address in ("ines@example.org", "jonas@example.org"):
        r = server.cli("ca", "issue", address, "--request", "-", check=False, stdin=pem)
        assert r.returncode == 1 and "keyCompromise" in r.stderr, r.stderr
    # A key of Secure Mail.
    server.cli("smime", "generate", "jonas@example.org", "--type", "ec:p256", "--password-file", "-",
               stdin="a long password for mail\n")
    shown = json.loads(server.cli("--json", "smime", "show", "jonas@example.org").stdout)
    server.cli("ca", "revoke", "example.org", shown["keys"][0]["certificates"][0]["serial"],
               "--reason", "keyCompromise")
    r = server.cli("smime", "renew", "jonas@example.org", check=False)
    assert r.returncode == 1 and "make a new one" in r.stderr, r.stderr
    assert server.cli("ca", "issue", "jonas@example.org", check=False).returncode == 1
    server.cli("smime", "generate", "jonas@example.org", "--type", "ec:p256", "--password-file", "-",
               stdin="a long password for mail\n")


def test_address_changes_hands(server, ca):
    """Who had a certificate for an address that goes to somebody else keeps it: that is said, or it is revoked."""
    for who in ("mia", "max"):
        server.add_account(f"{who}@example.org")
    server.cli("alias", "add", "desk@example.org", "mia@example.org")
    cert, said = issue(server, "desk@example.org")
    own, kept = issue(server, "mia@example.org")
    serials = lambda: {c["serial"]: c["state"] for c in json.loads(
        server.cli("--json", "ca", "list", "example.org").stdout)["certificates"]}
    r = server.cli("alias", "remove", "desk@example.org")
    assert f"signet ca revoke example.org {said['serial']}" in r.stderr and "mia@example.org" in r.stderr
    assert kept["serial"] not in r.stderr and serials()[said["serial"]] == "valid"
    # Somebody else has it: said again. Mia again: nothing to say.
    r = server.cli("--json", "alias", "add", "desk@example.org", "max@example.org")
    warning, = json.loads(r.stdout)["warnings"]
    assert said["serial"] in warning and "mia@example.org keeps a certificate for desk@example.org" in warning
    server.cli("alias", "remove", "desk@example.org")
    assert server.cli("alias", "add", "desk@example.org", "mia@example.org").stderr == ""
    refused = server.cli("alias", "remove", "desk@example.org", "--revoke", "boredom", check=False)
    assert refused.returncode == 1 and "affiliationChanged" in refused.stderr
    assert "desk@example.org" in server.cli("alias", "list", "example.org").stdout
    r = server.cli("--json", "alias", "remove", "desk@example.org", "--revoke", "affiliationChanged")
    assert json.loads(r.stdout) == {"warnings": [], "revoked": 1}
    assert serials()[said["serial"]] == "revoked" and serials()[kept["serial"]] == "valid"
    crl_url = local(server, urls(cert)[0])
    entry = crl_of(crl_url).get_revoked_certificate_by_serial_number(cert.serial_number)
    assert entry.extensions.get_extension_for_class(x509.CRLReason).value.reason == \
        x509.ReasonFlags.affiliation_changed
    # Another name of the domain that goes takes all its addresses along.
    server.cli("alias", "add", "desk.example", "example.org")
    server.cli("ca", "refresh", "example.org")
    cert, said = issue(server, "mia@desk.example")
    r = server.cli("alias", "remove", "desk.example")
    assert f"signet ca revoke example.org {said['serial']}" in r.stderr and kept["serial"] not in r.stderr


def state_of(server, said):
    listed = json.loads(server.cli("--json", "ca", "list", "example.org").stdout)["certificates"]
    state, = [c["state"] for c in listed if c["serial"] == said["serial"]]
    return state


def test_only_what_this_change_moved(server, ca):
    """An alias of another domain takes along what leads to it; what went elsewhere before is left as it is."""
    for who in ("nils", "nora"):
        server.add_account(f"{who}@example.org")
    server.cli("domain", "add", "other.example")
    server.cli("alias", "add", "front@other.example", "nils@example.org")
    server.cli("alias", "add", "reception@example.org", "front@other.example")
    server.cli("alias", "add", "hall@example.org", "nils@example.org")
    _, reception = issue(server, "reception@example.org")
    _, hall = issue(server, "hall@example.org")
    r = server.cli("alias", "remove", "hall@example.org")
    assert hall["serial"] in r.stderr and reception["serial"] not in r.stderr
    r = server.cli("alias", "remove", "front@other.example")
    assert f"signet ca revoke example.org {reception['serial']}" in r.stderr and hall["serial"] not in r.stderr
    server.cli("alias", "add", "front@other.example", "nils@example.org")
    r = server.cli("--json", "alias", "remove", "front@other.example", "--revoke", "affiliationChanged")
    assert json.loads(r.stdout) == {"warnings": [], "revoked": 1}
    assert state_of(server, reception) == "revoked" and state_of(server, hall) == "valid"


def test_account_for_an_old_alias(server, ca):
    """An account that gets an address somebody else has a certificate for."""
    server.add_account("ida@example.org")
    server.cli("alias", "add", "porter@example.org", "ida@example.org")
    _, said = issue(server, "porter@example.org")
    server.cli("alias", "remove", "porter@example.org")
    add = lambda *args: server.cli("account", "add", "porter@example.org", "--password-file", "-", *args,
                                   stdin=PASSWORD + "\n")
    r = add()
    assert f"signet ca revoke example.org {said['serial']}" in r.stderr and "revoked" not in r.stdout
    assert "porter@example.org" in r.stdout and state_of(server, said) == "valid"
    assert said["serial"] in server.cli("account", "remove", "porter@example.org").stderr
    r = add("--revoke", "affiliationChanged")
    assert r.stderr == "" and "revoked: 1" in r.stdout
    assert state_of(server, said) == "revoked"
    assert server.cli("account", "remove", "porter@example.org").stderr == ""


def test_domain_changes_hands(server):
    """A domain's name that goes, and that another domain gets."""
    server.cli("domain", "add", "moving.example")
    server.add_account("uma@moving.example")
    server.cli("ca", "create", "moving.example")
    cert, said = issue(server, "uma@moving.example")
    r = server.cli("domain", "rename", "moving.example", "moved.example")
    command = re.search(r"revoke it: signet (ca revoke moved.example [0-9a-f]+ --reason affiliationChanged)", r.stderr)
    assert said["serial"] in command.group(1)
    # Its old name as an alias: there is nothing to be said.
    assert server.cli("alias", "add", "moving.example", "moved.example").stderr == ""
    assert said["serial"] in server.cli("alias", "remove", "moving.example").stderr
    assert said["serial"] in server.cli("alias", "add", "moving.example", "example.org").stderr
    r = server.cli("--json", "alias", "remove", "moving.example")
    assert json.loads(r.stdout)["warnings"][0].startswith(
        "uma@moved.example keeps a certificate for uma@moving.example, valid until ")
    r = server.cli("domain", "add", "moving.example", "--revoke", "affiliationChanged")
    assert r.stderr == "" and "revoked: 1" in r.stdout
    revoked, = json.loads(server.cli("--json", "ca", "list", "moved.example").stdout)["certificates"]
    assert (revoked["serial"], revoked["state"]) == (said["serial"], "revoked")
    assert server.cli("domain", "remove", "moving.example").stderr == ""
    assert server.cli(*command.group(1).split(), check=False).returncode == 1


def test_settings_that_move(server, ca):
    """What ends an account's name in an address: what stood behind it is nobody's any more."""
    server.add_account("kai@example.org")
    server.cli("alias", "add", "lists@example.org", "kai@example.org")
    _, said = issue(server, "lists@example.org")
    server.cli("alias", "remove", "lists@example.org")
    server.cli("alias", "add", "lists@example.org", "kai+lists@example.org")
    assert said["serial"] in server.cli("setting", "set", "subaddress_separators=-").stderr
    assert server.cli("setting", "reset", "subaddress_separators").stderr == ""


def test_addresses_of_old_rows(server, ca):
    """Certificates of a schema that did not know their addresses are looked at when the server starts."""
    server.add_account("olga@example.org")
    server.cli("alias", "add", "cellar@example.org", "olga@example.org")
    _, said = issue(server, "cellar@example.org")
    assert server.stop() == 0
    database = server.data / "store" / "signet.db"
    unread = "select count(*) from issued where key_sha256 is null"
    with sqlite3.connect(database) as db:
        db.execute("delete from issued_address")
        db.execute("update issued set key_sha256 = null")
        assert db.execute(unread).fetchone()[0]
    db.close()
    server.start()
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as db:
            if not db.execute(unread).fetchone()[0]:
                break
        time.sleep(0.2)
    assert said["serial"] in server.cli("alias", "remove", "cellar@example.org").stderr
