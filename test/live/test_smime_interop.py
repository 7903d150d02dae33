# SPDX-License-Identifier: Apache-2.0
"""signet smime against other programs, both ways: OpenSSL, GnuPG's gpgsm, NSS's cmsutil, BouncyCastle."""
import base64
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess

import pytest
from conftest import BUILD, ROOT, need
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

pytestmark = pytest.mark.sanitized
NOW = datetime.datetime.utcnow()
DAY = datetime.timedelta(days=1)
PASSWORD = "interop"
JARS = [f"/usr/share/java/{n}.jar" for n in ("bcpkix", "bcprov", "bcutil")]
PEOPLE = {"rsa": lambda: rsa.generate_private_key(65537, 2048),
          "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
          "p384": lambda: ec.generate_private_key(ec.SECP384R1())}


def certify(ca_key, issuer, key, name, authority):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    usage = dict.fromkeys(("digital_signature", "content_commitment", "key_encipherment",
                           "data_encipherment", "key_agreement", "key_cert_sign", "crl_sign",
                           "encipher_only", "decipher_only"), False)
    for use in (("key_cert_sign", "crl_sign") if authority else
                ("digital_signature", "key_encipherment") if name == "rsa" else
                ("digital_signature", "key_agreement")):
        usage[use] = True
    b = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer or subject)
         .public_key(key.public_key()).serial_number(x509.random_serial_number())
         .not_valid_before(NOW - DAY).not_valid_after(NOW + 100 * DAY)
         .add_extension(x509.BasicConstraints(authority, None), True)
         .add_extension(x509.KeyUsage(**usage), True)
         .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
         .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()),
                        False))
    if not authority:
        b = b.add_extension(x509.SubjectAlternativeName(
            [x509.RFC822Name(f"{name}@example.org")]), False)
        b = b.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
    return b.sign(ca_key, hashes.SHA256())


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("smime")
    pem = serialization.Encoding.PEM
    ca_key = rsa.generate_private_key(65537, 2048)
    ca = certify(ca_key, None, ca_key, "Interop CA", True)
    (folder / "ca.pem").write_bytes(ca.public_bytes(pem))
    (folder / "password").write_text(PASSWORD + "\n")
    for name, make in PEOPLE.items():
        key = make()
        cert = certify(ca_key, ca.subject, key, name, False)
        (folder / f"{name}.pem").write_bytes(cert.public_bytes(pem))
        (folder / f"{name}.key").write_bytes(key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        (folder / f"{name}.p12").write_bytes(pkcs12.serialize_key_and_certificates(
            name.encode(), key, cert, [ca],
            serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2048)
            .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
            .hmac_hash(hashes.SHA1()).build(PASSWORD.encode())))
    return folder


TEXT = b"From: rsa@example.org\nTo: p256@example.org\nSubject: interop\nMIME-Version: 1.0\n"
MESSAGES = {
    "ascii": TEXT + b"Content-Type: text/plain; charset=us-ascii\n\nHello,\n trailing \n\n-- \nme\n",
    "8bit": TEXT + "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"
                   "Grüße aus dem Süden, mit vielen Zeichen\n".encode(),
    "attachment": TEXT + b'Content-Type: multipart/mixed; boundary="b"\n\n--b\nContent-Type: text/plain\n\n'
                  b"see there\n--b\nContent-Type: application/octet-stream\n"
                  b"Content-Transfer-Encoding: base64\n\n" +
                  base64.encodebytes(bytes(range(256)) * 40) + b"--b--\n",
}


def signet(verb, message, *args, check=True):
    r = subprocess.run([BUILD / "signet", "smime", verb, *map(str, args)], input=message,
                       capture_output=True, timeout=300)
    if check:
        assert r.returncode == 0, r.stderr.decode()
    return r


def sign(folder, message, *names, options=()):
    args = [a for n in names for a in ("--key", folder / f"{n}.key", "--cert", folder / f"{n}.pem")]
    return signet("sign", message, *args, "--chain", folder / "ca.pem", *options).stdout


def encrypt(folder, message, *names, options=()):
    return signet("encrypt", message, *[a for n in names for a in ("--to", folder / f"{n}.pem")],
                  *options).stdout


def verify(folder, message, name="rsa"):
    """What was signed, by our reader."""
    return signet("verify", message, "--roots", folder / "ca.pem", "--email",
                  f"{name}@example.org").stdout


def decrypt(folder, message, name):
    return signet("decrypt", message, "--key", folder / f"{name}.key",
                  "--cert", folder / f"{name}.pem").stdout


def body(message):
    head, _, rest = message.partition(b"\r\n\r\n")
    return head, rest


def der_of(message):
    """The CMS structure of an application/pkcs7-mime message."""
    return base64.b64decode(body(message)[1])


def detached(message):
    """The entity that is signed, to the octet, and the signature."""
    head, rest = body(message)
    boundary = re.search(rb'boundary="([^"]+)"', head)[1]
    parts = rest.split(b"--" + boundary)
    assert len(parts) == 4 and parts[1].startswith(b"\r\n") and parts[1].endswith(b"\r\n")
    return parts[1][2:-2], base64.b64decode(body(parts[2].lstrip(b"\r\n"))[1])


def smime_message(kind, der):
    """A message around a CMS structure that another program has made."""
    return (b"From: rsa@example.org\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: application/pkcs7-mime; smime-type=" + kind +
            b"; name=smime.p7m\r\nContent-Transfer-Encoding: base64\r\n\r\n" +
            base64.encodebytes(der).replace(b"\n", b"\r\n"))


def multipart_message(entity, der):
    return (b"From: rsa@example.org\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed;\r\n"
            b' protocol="application/pkcs7-signature"; micalg=sha-256; boundary="=_x"\r\n\r\n--=_x\r\n' +
            entity + b"\r\n--=_x\r\nContent-Type: application/pkcs7-signature\r\n"
            b"Content-Transfer-Encoding: base64\r\n\r\n" +
            base64.encodebytes(der).replace(b"\n", b"\r\n") + b"\r\n--=_x--\r\n")


ENTITY = b"Content-Type: text/plain\r\n\r\nfrom another program\r\n"


class Tool:
    """A program: files are made in a folder of its own."""

    def __init__(self, folder, name):
        self.keys, self.dir, self.n = folder, folder / name, 0
        self.dir.mkdir()
        self.setup()

    def setup(self):
        pass

    def file(self, octets=None):
        self.n += 1
        path = self.dir / f"{self.n}"
        if octets is not None:
            path.write_bytes(octets)
        return str(path)

    def run(self, *args, env=None, **kwargs):
        r = subprocess.run([str(a) for a in args], capture_output=True, timeout=300,
                           env=dict(os.environ, **(env or {})), **kwargs)
        assert r.returncode == 0, (args, r.stdout[-2000:], r.stderr[-2000:].decode(errors="replace"))
        return r

    def cannot(self, what, key, cipher=""):
        """Why this program cannot do that at all; None if it can."""


class OpenSSL(Tool):
    def verify(self, message):
        out = self.file()
        self.run("openssl", "cms", "-verify", "-in", self.file(message), "-CAfile",
                 self.keys / "ca.pem", "-purpose", "smimesign", "-out", out)
        return pathlib.Path(out).read_bytes()

    def decrypt(self, message, name):
        out = self.file()
        self.run("openssl", "cms", "-decrypt", "-in", self.file(message), "-inkey",
                 self.keys / f"{name}.key", "-recip", self.keys / f"{name}.pem", "-out", out)
        return pathlib.Path(out).read_bytes()

    def sign(self, name, opaque):
        return self.run("openssl", "cms", "-sign", "-binary", "-in", self.file(ENTITY), "-signer",
                        self.keys / f"{name}.pem", "-inkey", self.keys / f"{name}.key", "-from",
                        "rsa@example.org", *(["-nodetach"] if opaque else [])).stdout

    def encrypt(self, cipher, *names):
        return self.run("openssl", "cms", "-encrypt", "-binary", "-in", self.file(ENTITY), "-" + cipher,
                        *[self.keys / f"{n}.pem" for n in names]).stdout


class Gpgsm(Tool):
    def setup(self):
        # Sockets of its agent want a short path.
        self.home = pathlib.Path("/tmp") / f"signet-gpgsm-{os.getpid()}"
        self.home.mkdir(mode=0o700)
        digest = x509.load_pem_x509_certificate((self.keys / "ca.pem").read_bytes()).fingerprint(
            hashes.SHA1()).hex().upper()
        (self.home / "trustlist.txt").write_text(f"{digest} S relax\n")
        (self.home / "gpg-agent.conf").write_text("allow-loopback-pinentry\n")
        self.call("--import", self.keys / "ca.pem")
        self.secret = set()
        for name in PEOPLE:
            self.call("--import", self.keys / f"{name}.pem")
            try:
                self.call("--import", self.keys / f"{name}.p12")
                self.secret.add(name)
            except AssertionError:
                pass  # 2.2 takes no EC keys from PKCS #12; "cannot" says so

    def call(self, *args):
        return self.run("gpgsm", "--homedir", self.home, "--batch", "--yes", "--disable-crl-checks",
                        "--pinentry-mode", "loopback", "--passphrase-fd", "0", *args,
                        input=PASSWORD.encode() + b"\n")

    def close(self):
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "all"], check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def cannot(self, what, key, cipher=""):
        if what in ("sign", "decrypt") and key not in self.secret:
            return f"this gpgsm takes no private key of {key} from PKCS #12"
        if "gcm" in cipher:
            return "gpgsm 2.2 does not know AES-GCM"
        if what == "encrypt" and key != "rsa":
            return "gpgsm 2.2 does not encrypt to EC keys"
        return None

    def verify(self, message):
        out = self.file()
        if b"multipart/signed" in body(message)[0]:
            entity, der = detached(message)
            self.call("--verify", self.file(der), self.file(entity))
            return entity
        self.call("--output", out, "--verify", self.file(der_of(message)))
        return pathlib.Path(out).read_bytes()

    def decrypt(self, message, name):
        return self.call("--decrypt", self.file(der_of(message))).stdout

    def sign(self, name, opaque):
        args = ("-u", f"<{name}@example.org>", "--digest-algo", "SHA256")
        if opaque:
            return smime_message(b"signed-data", self.call(*args, "--sign", self.file(ENTITY)).stdout)
        return multipart_message(ENTITY, self.call(*args, "--detach-sign", self.file(ENTITY)).stdout)

    def encrypt(self, cipher, *names):
        args = [a for n in names for a in ("-r", f"<{n}@example.org>")]
        return smime_message(b"enveloped-data", self.call(
            *args, "--cipher-algo", "AES256", "--encrypt", self.file(ENTITY)).stdout)


class Nss(Tool):
    def setup(self):
        self.db = f"sql:{self.dir}"
        self.run("certutil", "-N", "-d", self.db, "--empty-password")
        self.run("certutil", "-A", "-d", self.db, "-n", "ca", "-t", "CT,CT,CT", "-i",
                 self.keys / "ca.pem")
        for name in PEOPLE:
            self.run("pk12util", "-i", self.keys / f"{name}.p12", "-d", self.db, "-K", "", "-W",
                     PASSWORD)

    def call(self, *args):
        return self.run("cmsutil", *args, "-d", self.db)

    def cannot(self, what, key, cipher=""):
        if "gcm" in cipher:
            return "cmsutil does not know AuthEnvelopedData"
        if what in ("encrypt", "decrypt") and key != "rsa":
            return "NSS before 3.103 does not know ECDH"
        return None

    def verify(self, message):
        out = self.file()
        if b"multipart/signed" in body(message)[0]:
            entity, der = detached(message)
            self.call("-D", "-i", self.file(der), "-c", self.file(entity), "-o", out)
            return entity
        self.call("-D", "-i", self.file(der_of(message)), "-o", out)
        return pathlib.Path(out).read_bytes()

    def decrypt(self, message, name):
        # It looks for a key of its own; that of the others is in the way.
        return self.call("-D", "-i", self.file(der_of(message))).stdout

    def sign(self, name, opaque):
        out = self.file()
        self.call("-S", "-N", name, "-H", "SHA256", "-G", "-i", self.file(ENTITY), "-o", out,
                  *([] if opaque else ["-T"]))
        der = pathlib.Path(out).read_bytes()
        return smime_message(b"signed-data", der) if opaque else multipart_message(ENTITY, der)

    def encrypt(self, cipher, *names):
        out = self.file()
        self.call("-E", *[a for n in names for a in ("-r", f"{n}@example.org")], "-i",
                  self.file(ENTITY), "-o", out)
        return smime_message(b"enveloped-data", pathlib.Path(out).read_bytes())


class BouncyCastle(Tool):
    def setup(self):
        self.path = ":".join([*JARS, str(self.dir)])
        self.run("javac", "-nowarn", "-cp", self.path, "-d", self.dir, ROOT / "test/live/JavaCms.java")

    def call(self, *args):
        return self.run("java", "-cp", self.path, "JavaCms", *args)

    def cannot(self, what, key, cipher=""):
        if what == "decrypt" and "gcm" in cipher and key != "rsa":
            return "this BouncyCastle has no recipient for EC and AuthEnvelopedData"
        return None

    def verify(self, message):
        out = self.file()
        if b"multipart/signed" in body(message)[0]:
            entity, der = detached(message)
            content = self.file(entity)
        else:
            der, content = der_of(message), "-"
        found = self.call("verify", self.file(der), content, self.keys / "ca.pem", out).stdout
        assert int(found) > 0
        return pathlib.Path(out).read_bytes()

    def decrypt(self, message, name):
        out = self.file()
        self.call("decrypt", self.keys / f"{name}.p12", PASSWORD, self.file(der_of(message)), out)
        return pathlib.Path(out).read_bytes()

    def sign(self, name, opaque):
        out = self.file()
        self.call("sign", self.keys / f"{name}.p12", PASSWORD, self.file(ENTITY),
                  "opaque" if opaque else "detached", out)
        der = pathlib.Path(out).read_bytes()
        return smime_message(b"signed-data", der) if opaque else multipart_message(ENTITY, der)

    def encrypt(self, cipher, *names):
        out = self.file()
        self.call("encrypt", "gcm" if "gcm" in cipher else "cbc", self.file(ENTITY), out,
                  *[self.keys / f"{n}.pem" for n in names])
        kind = b"authEnveloped-data" if "gcm" in cipher else b"enveloped-data"
        return smime_message(kind, pathlib.Path(out).read_bytes())


TOOLS = {"openssl": (OpenSSL, ("openssl",)), "gpgsm": (Gpgsm, ("gpgsm", "gpgconf")),
         "nss": (Nss, ("cmsutil", "certutil", "pk12util")),
         "bouncycastle": (BouncyCastle, ("java", "javac"))}


@pytest.fixture(scope="module", params=TOOLS)
def tool(request, folder):
    make, programs = TOOLS[request.param]
    for program in programs:
        need(program)
    if make is BouncyCastle and not all(pathlib.Path(j).exists() for j in JARS):
        pytest.skip("libbcmail-java is not installed")
    tool = make(folder, request.param)
    yield tool
    if hasattr(tool, "close"):
        tool.close()


def skip_if(reason):
    if reason:
        pytest.skip(reason)


@pytest.mark.parametrize("form", ["detached", "opaque"])
@pytest.mark.parametrize("key", PEOPLE)
def test_they_verify(folder, tool, key, form):
    skip_if(tool.cannot("verify", key))
    for message in MESSAGES.values():
        signed = sign(folder, message, key, options=["--opaque"] if form == "opaque" else [])
        assert signed.isascii()
        entity = tool.verify(signed)
        assert entity == verify(folder, signed, key)
        assert entity.replace(b"\r\n", b"").find(b"\n") < 0


def test_they_verify_several(folder, tool):
    signed = sign(folder, MESSAGES["8bit"], "rsa", "p256")
    assert tool.verify(signed) == detached(signed)[0]


def test_they_see_what_was_altered(folder, tool):
    signed = sign(folder, MESSAGES["ascii"], "rsa")
    tool.verify(signed)
    with pytest.raises(AssertionError):
        tool.verify(signed.replace(b"Hello,", b"Hallo,"))
    assert signet("verify", signed.replace(b"Hello,", b"Hallo,"), "--roots", folder / "ca.pem",
                  check=False).returncode == 1


@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-256-gcm"])
@pytest.mark.parametrize("key", PEOPLE)
def test_they_decrypt(folder, tool, key, cipher):
    skip_if(tool.cannot("decrypt", key, cipher))
    for message in MESSAGES.values():
        sealed = encrypt(folder, message, key, options=["--cipher", cipher])
        assert tool.decrypt(sealed, key) == decrypt(folder, sealed, key)


def test_they_decrypt_what_is_for_several(folder, tool):
    if isinstance(tool, Nss):
        skip_if(tool.cannot("decrypt", "p256"))
    sealed = encrypt(folder, MESSAGES["attachment"], *PEOPLE)
    for key in PEOPLE:
        if not tool.cannot("decrypt", key):
            assert tool.decrypt(sealed, key) == decrypt(folder, sealed, key)


def test_they_read_what_is_signed_and_encrypted(folder, tool):
    signed = sign(folder, MESSAGES["8bit"], "p256")
    inner = tool.decrypt(encrypt(folder, signed, "rsa"), "rsa")
    assert inner.startswith(b"Content-Type: multipart/signed")
    assert tool.verify(b"MIME-Version: 1.0\r\n" + inner) == verify(folder, signed, "p256")


@pytest.mark.parametrize("form", ["detached", "opaque"])
@pytest.mark.parametrize("key", PEOPLE)
def test_we_verify(folder, tool, key, form):
    skip_if(tool.cannot("sign", key))
    assert signet("verify", tool.sign(key, form == "opaque"), "--roots", folder / "ca.pem",
                  "--email", f"{key}@example.org").stdout == ENTITY


@pytest.mark.parametrize("cipher", ["aes-256-cbc", "aes-256-gcm"])
@pytest.mark.parametrize("key", PEOPLE)
def test_we_decrypt(folder, tool, key, cipher):
    skip_if(tool.cannot("encrypt", key, cipher))
    assert decrypt(folder, tool.encrypt(cipher, key), key) == ENTITY


@pytest.mark.slow
def test_25_megabytes(folder, tool):
    """An attachment of 25 MB, signed and encrypted, and there again."""
    content = base64.encodebytes(os.urandom(25 << 20))
    message = (TEXT + b"Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" +
               content)
    sealed = encrypt(folder, sign(folder, message, "rsa"), "rsa")
    inner = tool.decrypt(sealed, "rsa")
    assert inner == decrypt(folder, sealed, "rsa")
    entity = tool.verify(b"MIME-Version: 1.0\r\n" + inner)
    assert body(entity)[1].replace(b"\r\n", b"\n") == content


# Options that not every program reads, against OpenSSL.


@pytest.fixture(scope="module")
def openssl(folder):
    need("openssl")
    return OpenSSL(folder, "openssl-more")


@pytest.mark.parametrize("options", [["--pss"], ["--digest", "sha-512"], ["--pss", "--opaque"],
                                     ["--keep-8bit"]])
def test_signing_options(folder, openssl, options):
    signed = sign(folder, MESSAGES["8bit"], "rsa", options=options)
    assert openssl.verify(signed) == verify(folder, signed)


@pytest.mark.parametrize("options", [["--oaep"], ["--cipher", "3des"], ["--cipher", "aes-128-cbc"],
                                     ["--cipher", "aes-192-cbc"]])
def test_encrypting_options(folder, openssl, options):
    sealed = encrypt(folder, MESSAGES["8bit"], "rsa", "p256", options=options)
    for key in ("rsa", "p256"):
        assert openssl.decrypt(sealed, key) == decrypt(folder, sealed, key)


def test_outer_header_is_kept(folder):
    signed = sign(folder, MESSAGES["8bit"], "rsa")
    assert signed.startswith(TEXT.replace(b"\n", b"\r\n") + b"Content-Type: multipart/signed;")
    crlf = MESSAGES["ascii"].replace(b"\n", b"\r\n")
    assert detached(sign(folder, crlf, "rsa"))[0] == detached(sign(folder, MESSAGES["ascii"], "rsa"))[0]


def test_header_protection(folder, openssl):
    signed = sign(folder, MESSAGES["8bit"], "rsa", options=["--protect-header"])
    entity = openssl.verify(signed)
    assert b'hp="clear"' in entity and b"\r\nSubject: interop\r\n" in entity
    assert b"\r\nSubject: interop\r\n" in body(signed)[0] + b"\r\n"
    sealed = encrypt(folder, MESSAGES["8bit"], "rsa", options=["--protect-header"])
    inner = openssl.decrypt(sealed, "rsa")
    assert b"interop" not in body(sealed)[0] and b"\r\nSubject: [...]\r\n" in body(sealed)[0]
    assert b'hp="cipher"' in inner and b"\r\nSubject: interop\r\n" in inner
    assert b"\r\nHP-Outer: Subject: [...]\r\n" in inner
    report = json.loads(signet("decrypt", sealed, "--key", folder / "rsa.key", "--cert",
                               folder / "rsa.pem", "--json").stdout)
    assert report["header"] == "hp"
    subject = [f for f in report["fields"] if f["name"] == "Subject"][0]
    assert subject["value"] == "interop" and subject["protection"] == "encrypted"


def test_pfx(folder, openssl):
    signed = signet("sign", MESSAGES["ascii"], "--pfx", folder / "p256.p12", "--password-file",
                    folder / "password").stdout
    openssl.verify(signed)
    (folder / "wrong").write_text("wrong\n")
    r = signet("sign", MESSAGES["ascii"], "--pfx", folder / "p256.p12", "--password-file",
               folder / "wrong", check=False)
    assert r.returncode == 1 and b"p256.p12: the passphrase is wrong" in r.stderr and r.stdout == b""


def test_automatic_cipher(folder):
    assert b"smime-type=enveloped-data" in encrypt(folder, MESSAGES["ascii"], "rsa")


def test_refusals(folder):
    def refused(code, verb, *args, message=MESSAGES["ascii"]):
        r = signet(verb, message, *args, check=False)
        assert r.returncode == code and r.stdout == b"" and r.stderr.count(b"\n") == 1, r
        return r.stderr.decode()

    assert "expired" in refused(1, "encrypt", "--to", folder / "rsa.pem", "--to", folder / "p256.pem",
                                "--time", "2099-01-01T00:00:00Z").replace("p256", "expired")
    both = refused(1, "encrypt", "--to", folder / "rsa.pem", "--to", folder / "p256.pem", "--time",
                   "2099-01-01T00:00:00Z")
    assert "CN=rsa" in both and "CN=p256" in both and both.count("expired") == 2
    assert "RC2" not in refused(2, "encrypt", "--to", folder / "rsa.pem", "--cipher", "rc2-40")
    assert "another key" in refused(1, "sign", "--key", folder / "rsa.key", "--cert",
                                    folder / "p256.pem")
    assert "--cert" in refused(2, "sign", "--key", folder / "rsa.key")
    assert "--to" in refused(2, "encrypt")
    assert "standard input" in refused(2, "sign", "--pfx", folder / "rsa.p12", "--password-file", "-")
    assert "no message" in refused(1, "encrypt", "--to", folder / "rsa.pem", message=b"")
    assert "key usage" in refused(1, "encrypt", "--to", folder / "ca.pem")
