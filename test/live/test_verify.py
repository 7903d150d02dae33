# SPDX-License-Identifier: Apache-2.0
"""signet verify: certificates in files, judged without a server."""
import datetime
import json
import os
import subprocess

import pytest
from conftest import BUILD
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

pytestmark = pytest.mark.sanitized
NOW = datetime.datetime(2026, 1, 1)
YEAR = datetime.timedelta(days=365)


def name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


class Authority:
    def __init__(self, text, above=None):
        self.name, self.key = name(text), ec.generate_private_key(ec.SECP256R1())
        self.cert = (above or self).sign(self.key, self.name, True)

    def sign(self, key, subject, authority=False, serial=None):
        b = (x509.CertificateBuilder().subject_name(subject).issuer_name(self.name)
             .public_key(key.public_key()).serial_number(serial or x509.random_serial_number())
             .not_valid_before(NOW - YEAR).not_valid_after(NOW + YEAR)
             .add_extension(x509.BasicConstraints(authority, None), True)
             .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
             .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                 self.key.public_key()), False))
        if not authority:
            b = b.add_extension(x509.SubjectAlternativeName(
                [x509.DNSName("mail.example.org"), x509.RFC822Name("a@example.org")]), False)
            b = b.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        return b.sign(self.key, hashes.SHA256())

    def crl(self, *serials):
        b = (x509.CertificateRevocationListBuilder().issuer_name(self.name)
             .last_update(NOW - YEAR).next_update(NOW + YEAR)
             .add_extension(x509.CRLNumber(1), False)
             .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                 self.key.public_key()), False))
        for serial in serials:
            b = b.add_revoked_certificate(x509.RevokedCertificateBuilder().serial_number(serial)
                                          .revocation_date(NOW - YEAR).build())
        return b.sign(self.key, hashes.SHA256())


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("verify")
    root = Authority("Root")
    between = Authority("Between", root)
    leaf = between.sign(ec.generate_private_key(ec.SECP256R1()), name("leaf"), serial=4711)
    pem = serialization.Encoding.PEM
    for file, thing in (("root", root.cert), ("between", between.cert), ("leaf", leaf),
                        ("other", Authority("Other").cert), ("root-crl", root.crl()),
                        ("crl", between.crl(17)), ("revoked", between.crl(4711))):
        (folder / f"{file}.pem").write_bytes(thing.public_bytes(pem))
    (folder / "leaf.der").write_bytes(leaf.public_bytes(serialization.Encoding.DER))
    (folder / "empty.pem").write_text("")
    (folder / "chain.pem").write_bytes((folder / "leaf.pem").read_bytes() +
                                       (folder / "between.pem").read_bytes())
    (folder / "lists.pem").write_bytes((folder / "root-crl.pem").read_bytes() +
                                       (folder / "crl.pem").read_bytes())
    (folder / "text.pem").write_text("nothing\n")
    return folder


def key_usage(**said):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment",
             "key_agreement", "key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{n: said.get(n, False) for n in names})


class Signer:
    """A name with a key, for what of the standard is rare: lists by another key or another issuer."""

    def __init__(self, text, above=None, **usage):
        self.name, self.key = name(text), ec.generate_private_key(ec.SECP256R1())
        self.cert = (above or self).sign(self.key, text, True, **usage)

    def sign(self, key, text, authority=False, serial=None, points=None, **usage):
        b = (x509.CertificateBuilder().subject_name(name(text)).issuer_name(self.name)
             .public_key(key.public_key()).serial_number(serial or x509.random_serial_number())
             .not_valid_before(NOW - YEAR).not_valid_after(NOW + YEAR)
             .add_extension(x509.BasicConstraints(authority, None), True)
             .add_extension(key_usage(**usage), True)
             .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
             .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                 self.key.public_key()), False))
        if points:
            b = b.add_extension(points, False)
        return b.sign(self.key, hashes.SHA256())

    def crl(self, revoked=(), *more, number=1):
        b = (x509.CertificateRevocationListBuilder().issuer_name(self.name)
             .last_update(NOW - YEAR).next_update(NOW + YEAR)
             .add_extension(x509.CRLNumber(number), False)
             .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                 self.key.public_key()), False))
        for extension, critical in more:
            b = b.add_extension(extension, critical)
        for serial, issuer in revoked:
            r = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(NOW - YEAR)
            if issuer:
                r = r.add_extension(x509.CertificateIssuer([x509.DirectoryName(issuer)]), True)
            b = b.add_revoked_certificate(r.build())
        return b.sign(self.key, hashes.SHA256())


def text_of(thing):
    return thing.public_bytes(serialization.Encoding.PEM).decode()


def judge(root, leaf, others, lists):
    """The verdict, and the rules of what was found."""
    case = {"peer_certificate": text_of(leaf), "trusted_certs": [text_of(root.cert)],
            "untrusted_intermediates": [text_of(o.cert) for o in others],
            "crls": [text_of(c) for c in (root.crl(), *lists)],
            "validation_time": "2026-01-01T00:00:00Z", "validation_kind": "CLIENT"}
    done = subprocess.run([BUILD / "signet", "verify", "--batch"], input=json.dumps(case) + "\n",
                          capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    return answer["valid"], {f["rule"] for f in answer["findings"]}


def scope(**said):
    nothing = dict(full_name=None, relative_name=None, only_contains_user_certs=False,
                   only_contains_ca_certs=False, only_some_reasons=None, indirect_crl=False,
                   only_contains_attribute_certs=False)
    return x509.IssuingDistributionPoint(**(nothing | said)), True


def test_lists_by_another_key():
    """RFC 5280 section 6.3.3 (f): one name, a key for certificates and one for lists."""
    root = Signer("Root", key_cert_sign=True, crl_sign=True)
    certs = Signer("CA", root, key_cert_sign=True)
    lists = Signer("CA", root, crl_sign=True)
    leaf = certs.sign(ec.generate_private_key(ec.SECP256R1()), "leaf", serial=77,
                      digital_signature=True)
    assert judge(root, leaf, [certs, lists], [lists.crl()]) == (True, set())
    assert judge(root, leaf, [certs, lists], [lists.crl([(77, None)])]) == (False, {"revoked"})
    assert judge(root, leaf, [certs], [lists.crl()])[0] is False
    assert judge(root, leaf, [certs], [certs.crl()]) == (False, {"crl-issuer"})


def test_lists_by_another_issuer():
    """Section 5.2.5: an indirect list, for a certificate whose distribution point names its issuer."""
    root = Signer("Root", key_cert_sign=True, crl_sign=True)
    certs = Signer("CA", root, key_cert_sign=True)
    lists = Signer("Lists", root, key_cert_sign=True, crl_sign=True)
    point = [x509.DirectoryName(lists.name)]
    leaf = certs.sign(ec.generate_private_key(ec.SECP256R1()), "leaf", serial=78,
                      digital_signature=True, points=x509.CRLDistributionPoints(
                          [x509.DistributionPoint(point, None, None, point)]))
    indirect = scope(indirect_crl=True, full_name=point)
    both = [certs, lists]
    assert judge(root, leaf, both, [lists.crl([(5, certs.name)], indirect)]) == (True, set())
    assert judge(root, leaf, both, [lists.crl([(78, certs.name)], indirect)]) == (False, {"revoked"})
    assert judge(root, leaf, both, [lists.crl([(78, None)])]) == (False, {"no-crl"})


def test_lists_for_some():
    """Lists about users or authorities only, and lists of changes (sections 5.2.4 and 5.2.5)."""
    root = Signer("Root", key_cert_sign=True, crl_sign=True)
    ca = Signer("CA", root, key_cert_sign=True, crl_sign=True)
    leaf = ca.sign(ec.generate_private_key(ec.SECP256R1()), "leaf", serial=79,
                   digital_signature=True)
    changes = x509.DeltaCRLIndicator(1), True
    assert judge(root, leaf, [ca], [ca.crl([], scope(only_contains_user_certs=True))])[0] is True
    assert judge(root, leaf, [ca], [ca.crl([], scope(only_contains_ca_certs=True))])[0] is False
    assert judge(root, leaf, [ca], [ca.crl(), ca.crl([(5, None)], changes, number=2)])[0] is True
    freshest = x509.FreshestCRL([x509.DistributionPoint(
        [x509.UniformResourceIdentifier("http://example.org/")], None, None, None)]), False
    assert judge(root, leaf, [ca], [ca.crl([], freshest),
                                    ca.crl([(79, None)], changes, number=2)]) == (False, {"revoked"})


def run(files, *words, stdin=None):
    return subprocess.run([BUILD / "signet", "verify", *words], cwd=files, input=stdin,
                          capture_output=True, text=True, timeout=60)


GOOD = ("--roots", "root.pem", "--untrusted", "between.pem", "--time", "2026-01-01T00:00:00Z")


@pytest.mark.parametrize("words", [
    (), ("--purpose", "server"), ("--host", "mail.example.org"), ("--email", "a@example.org"),
    ("--purpose", "any", "--host=MAIL.example.org"), ("--roots", "other.pem"),
    ("--untrusted", "other.pem"), ("--crl", "crl.pem", "--crl", "root-crl.pem"),
    ("--crl", "lists.pem")])
def test_valid(files, words):
    done = run(files, *GOOD, *words, "leaf.pem")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "valid\n0  CN=leaf\n1  CN=Between\n2  CN=Root\n"


@pytest.mark.parametrize("words, rule", [
    (("--host", "example.org"), "name"), (("--ip", "192.0.2.1"), "name"),
    (("--email", "A@example.org"), "name"), (("--purpose", "client"), "extended-key-usage"),
    (("--time", "2028-01-01T00:00:00+01:00"), "expired"), (("--crl", "crl.pem"), "no-crl"),
    (("--crl", "revoked.pem", "--crl", "root-crl.pem"), "revoked")])
def test_not_valid(files, words, rule):
    done = run(files, *GOOD, *words, "leaf.pem")
    assert done.returncode == 1
    assert done.stderr.startswith("signet: leaf.pem is not valid: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout.startswith("not valid\n")
    assert f"\nerror {rule}: " in done.stdout
    report = json.loads(run(files, *GOOD, *words, "--json", "leaf.pem").stdout)
    assert report["valid"] is False
    assert rule in [f["rule"] for f in report["findings"]]


def test_trust(files):
    """The chain in the leaf's own file; an intermediate or the leaf itself trusted; nothing trusted."""
    at = ("--time", "2026-01-01T00:00:00Z")
    assert run(files, *at, "--roots", "root.pem", "chain.pem").returncode == 0
    assert run(files, *at, "--roots", "between.pem", "leaf.pem").returncode == 0
    assert run(files, *at, "--roots", "leaf.pem", "leaf.pem").returncode == 0
    assert run(files, *at, "--roots", "leaf.pem", "leaf.der").returncode == 0
    assert run(files, *at, "--roots", "root.pem", "leaf.pem").returncode == 1
    for form in "DER", "PEM":
        subprocess.run(["openssl", "crl2pkcs7", "-nocrl", "-certfile", files / "root.pem", "-certfile",
                        files / "between.pem", "-outform", form, "-out", files / "all.p7b"], check=True)
        assert run(files, *at, "--roots", "all.p7b", "leaf.pem").returncode == 0
    (files / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    done = run(files, *at, "--roots", "key.pem", "leaf.pem")
    assert done.returncode == 1
    assert "key.pem: there is a private key in the file, but no certificate" in done.stderr
    assert run(files, *at, "--roots", "other.pem", "chain.pem").returncode == 1
    assert run(files, *at, "chain.pem").returncode == 1


def test_a_path_is_octets(files):
    name = os.fsencode(files) + b"/gr\xfcn.pem"
    with open(name, "w") as f:
        f.write((files / "leaf.pem").read_text())
    done = run(files, *GOOD, name)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("words, code", [
    ((), 2), (("leaf.pem", "root.pem"), 2), (("--time", "yesterday", "leaf.pem"), 2),
    (("--purpose", "fun", "leaf.pem"), 2), (("--host",), 2), (("--nothing", "leaf.pem"), 2),
    (("--host", "a b", "leaf.pem"), 2), (("--host", "192.0.2.1", "leaf.pem"), 2),
    (("--ip", "zzz", "leaf.pem"), 2), (("--ip", "192.0.2", "leaf.pem"), 2),
    (("--email", "nobody", "leaf.pem"), 2), (("--email", "@example.org", "leaf.pem"), 2),
    (("--email", "a@b c", "leaf.pem"), 2), (("--batch", "extra"), 2),
    (("absent.pem",), 1), (("text.pem",), 1), (("empty.pem",), 1), (("--roots", "absent.pem", "leaf.pem"), 1),
    (("--roots", "text.pem", "leaf.pem"), 1), (("--untrusted", "crl.pem", "leaf.pem"), 1),
    (("--crl", "leaf.pem", "leaf.pem"), 1)])
def test_refused(files, words, code):
    done = run(files, *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("signet: ") and done.stderr.count("\n") == 1


def test_batch(files):
    """One answer a line, at once, in order, whatever the lines are."""
    case = {"id": "good", "peer_certificate": (files / "leaf.pem").read_text(),
            "untrusted_intermediates": [(files / "between.pem").read_text()],
            "trusted_certs": [(files / "root.pem").read_text()],
            "validation_time": "2026-01-01T00:00:00Z", "validation_kind": "SERVER",
            "expected_peer_name": {"kind": "DNS", "value": "mail.example.org"}}
    lines = [json.dumps(case), "", "{", json.dumps(case | {"id": 7, "trusted_certs": []}),
             json.dumps(case | {"id": "last"})]
    with subprocess.Popen([BUILD / "signet", "verify", "--batch"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as signet:
        answers = []
        for line in lines[:-1]:
            signet.stdin.write(line + "\n")
            signet.stdin.flush()
            answers.append(json.loads(signet.stdout.readline()))
        signet.stdin.write(lines[-1])  # the last line has no end
        signet.stdin.close()
        answers.append(json.loads(signet.stdout.readline()))
        assert signet.stdout.read() == ""
    assert signet.returncode == 0
    assert [a["id"] for a in answers] == ["good", None, None, 7, "last"]
    assert [a["valid"] for a in answers] == [True, False, False, False, True]
    assert [[f["rule"] for f in a["findings"]] for a in answers] == [
        [], ["input"], ["input"], ["no-issuer"], []]
