# SPDX-License-Identifier: Apache-2.0
"""msgcert on a running server: each subcommand with real files, its listing, passwords on a terminal,
the key store's password, and German."""
import datetime
import json
import os
import pty
import re
import select
import subprocess
import time

import pytest
from conftest import BUILD, finish, make_server, need
from test_certificates import served

PROGRAM = BUILD / "msgcert"
ENGLISH = dict(os.environ, LC_ALL="C")
SUBCOMMANDS = ["add-cert", "add-selfsign-cert", "export-cert", "generate-certDB", "import-cert",
               "import-selfsign-cert", "list-certs", "remove-cert", "renew-cert",
               "renew-selfsign-cert", "request-cert", "show-cert"]
STORE_PASSWORD = "the password of all keys"


def msgcert(server, *args, code=0, stdin="", env=None):
    """Runs it without a terminal; bytes on stdout, one line on stderr if it is refused."""
    r = subprocess.run([PROGRAM, "--data", server.data, *args], capture_output=True,
                       input=stdin.encode(), env=env or ENGLISH, timeout=60, start_new_session=True)
    assert r.returncode == code, (args, r.returncode, r.stderr)
    if code:
        assert r.stdout == b"" and r.stderr.count(b"\n") == 1, r
        assert r.stderr.startswith(b"msgcert: "), r
        return r.stderr.decode()
    return r.stdout


def text(server, *args, **kwargs):
    return msgcert(server, *args, **kwargs).decode()


def rows(listing):
    """A listing's rows by alias; columns begin where the line below the titles has dashes."""
    lines = listing.splitlines()
    if len(lines) == 1:
        return {}
    spans = [m.span() for m in re.finditer("-+", lines[1])]
    spans[-1] = (spans[-1][0], None)
    titles = [lines[0][a:b].strip() for a, b in spans]
    found = [dict(zip(titles, (line[a:b].strip() for a, b in spans))) for line in lines[2:-1]]
    assert lines[-1].split()[0] == str(len(found))
    return {row[titles[0]]: row for row in found}


class Authority:
    """openssl with a key and a certificate of its own."""

    def __init__(self, folder, name="Test CA"):
        self.folder = folder
        self.key, self.cert = folder / "ca.key", folder / "ca.pem"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", self.key, "-out", self.cert, "-subj", f"/O={name}/CN=Root", "-days", "3650")

    @staticmethod
    def openssl(*args, **kwargs):
        r = subprocess.run([need("openssl"), *args], capture_output=True, text=True, **kwargs)
        assert r.returncode == 0, r.stderr
        return r.stdout

    def sign(self, request, name, form="DER", days=90):
        out = self.folder / name
        self.openssl("x509", "-req", "-inform", form, "-in", request, "-CA", self.cert, "-CAkey",
                     self.key, "-days", str(days), "-copy_extensions", "copy", "-out", out)
        return out


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


def in_three_months(time_text):
    """Whether a time is the same day of the month three months from now."""
    got = datetime.datetime.strptime(time_text, "%Y/%m/%d %H:%M")
    now = datetime.datetime.utcnow()
    return 89 <= (got - now).days + 1 <= 93 and (got.month - now.month) % 12 in (3, 4)


def test_help_of_every_subcommand():
    run = lambda *args: subprocess.run([PROGRAM, *args], capture_output=True, text=True, env=ENGLISH)
    for word in ("-?", "--help"):
        general = run(word)
        assert general.returncode == 0 and general.stderr == ""
        assert [s for s in SUBCOMMANDS if f"\n  {s} " not in general.stdout] == []
    for subcommand in SUBCOMMANDS:
        help_ = run(subcommand, "--help")
        assert help_.returncode == 0
        assert help_.stdout.startswith(f"usage: msgcert {subcommand}")
        assert f"example: msgcert {subcommand}" in help_.stdout
        assert run(subcommand, "-?").stdout == help_.stdout
    for word in ("-V", "--version"):
        assert re.fullmatch(r"msgcert \d+\.\d+\.\d+\n", run(word).stdout)
    assert run().returncode == 2
    for wrong in (["destroy"], ["--bad", "list-certs"], ["list-certs", "--bad"], ["list-certs", "x"],
                  ["show-cert"], ["add-cert", "alias"], ["-W"], ["list-certs", "-W"], ["show-cert", ""]):
        r = run(*wrong)
        assert r.returncode == 2 and r.stderr.count("\n") == 1, (wrong, r)


def test_no_server(tmp_path):
    r = subprocess.run([PROGRAM, "--data", tmp_path, "list-certs"], capture_output=True, text=True,
                       env=ENGLISH)
    assert r.returncode == 1 and "--data" in r.stderr
    r = subprocess.run([PROGRAM, "list-certs"], capture_output=True, text=True,
                       env=dict(ENGLISH, SIGNET_DATA=str(tmp_path)))
    assert r.returncode == 1 and str(tmp_path) in r.stderr


def test_default_certificate(server):
    before = served(server, "imaps", "example.org")
    assert text(server, "generate-certDB").startswith("Server-Cert was made.\n")
    first = json.loads(text(server, "--json", "show-cert", "Server-Cert"))
    assert text(server, "generate-certDB").startswith("Server-Cert is there already.\n")
    assert json.loads(text(server, "show-cert", "Server-Cert", "--json")) == first
    assert first["services"] == "" and served(server, "imaps", "example.org") == before
    row = rows(text(server, "list-certs"))["Server-Cert"]
    assert list(row) == ["Alias", "Valid from", "Expires on", "Self-signed", "Issued by", "Issued to"]
    assert row["Self-signed"] == "y" and row["Issued to"] == "Same as issuer"
    assert row["Issued by"] == "CN=example.org" and in_three_months(row["Expires on"])
    assert re.fullmatch(r"\d{4}/\d\d/\d\d \d\d:\d\d", row["Valid from"])
    server.cli("domain", "add", "bare.example")
    made = json.loads(text(server, "generate-certDB", "--domain", "bare.example", "--json"))
    assert made == {"domain": "bare.example", "keys": 1, "certificates": 1, "made": True}
    assert json.loads(text(server, "--domain=bare.example", "--json", "list-certs")
                      )["certificates"][0]["services"] == "all"


def test_show(server, tmp_path):
    text(server, "generate-certDB")
    shown = text(server, "show-cert", "Server-Cert")
    pem = tmp_path / "shown.pem"
    pem.write_text(json.loads(text(server, "--json", "show-cert", "Server-Cert"))["certificate"])
    fingerprints = [Authority.openssl("x509", "-in", pem, "-noout", "-fingerprint", f"-{d}").split("=")[1]
                    for d in ("sha256", "sha1")]
    serial = Authority.openssl("x509", "-in", pem, "-noout", "-serial").split("=")[1].strip()
    at = [shown.index(s.strip()) for s in fingerprints]
    assert at[0] < at[1] and "MD5" not in shown
    assert serial.lower() in shown
    for line in ("Version: 3 (0x2)", "Signature Algorithm: ecdsa-with-SHA256", "Issuer: CN=example.org",
                 "Subject: CN=example.org", "Public Key Algorithm: EC P-256, 256 bits", "Not Before: 20",
                 "Subject Alternative Names: example.org"):
        assert f"        {line}" in shown, line
    flags = shown[shown.index("Certificate Trust Flags:"):].split()
    assert flags == "Certificate Trust Flags: SSL Flags: User Email Flags: Object Signing Flags:".split()
    line = msgcert(server, "show-cert", "none", code=1)
    assert "no certificate is called none; see msgcert list-certs [-C]" in line
    assert line.split(": ", 1)[1] == msgcert(server, "remove-cert", "none", code=1).split(": ", 1)[1]
    assert "see msgcert list-certs -C" in msgcert(server, "show-cert", "-C", "none", code=1)


def test_request_to_certificate(server, authority, tmp_path):
    """As the manual has it: request, the authority's answer, its own certificate, list, show."""
    binary, ascii_ = tmp_path / "r.der", tmp_path / "r.pem"
    assert text(server, "request-cert", "--name", "mail.example.org", "--org", "Example", "--org-unit",
                "Mail", "--city", "Bonn", "--state", "NRW", "--country", "DE", "-o", binary) == ""
    subject = Authority.openssl("req", "-inform", "DER", "-in", binary, "-noout", "-verify", "-subject")
    assert "C = DE, ST = NRW, L = Bonn, O = Example, OU = Mail, CN = mail.example.org" in subject
    assert binary.stat().st_mode & 0o077 == 0
    text(server, "request-cert", "-S", "CN=mail.example.org, O=Example\\, Inc., C=DE", "--alt",
         "example.org", "-F", "ascii", "-o", ascii_)
    shown = Authority.openssl("req", "-in", ascii_, "-noout", "-text")
    assert 'C = DE, O = "Example, Inc.", CN = mail.example.org' in shown
    assert "DNS:mail.example.org, DNS:example.org" in shown
    on_stdout = msgcert(server, "request-cert", "--name", "mail.example.org")
    assert on_stdout[:1] == b"\x30"
    stdout_pem = text(server, "request-cert", "--name", "mail.example.org", "-F", "ascii")
    assert stdout_pem.startswith("-----BEGIN CERTIFICATE REQUEST-----\n")

    n_keys = len(json.loads(server.cli("--json", "key", "list", "example.org").stdout)["keys"])
    assert "DC cannot be asked for" in msgcert(server, "request-cert", "-S", "CN=a.example,DC=org", code=1)
    assert "--country" in msgcert(server, "request-cert", "--name", "a.example", "--country", "DEU", code=2)
    assert "domain name" in msgcert(server, "request-cert", "--name", "two words", code=1)
    assert "is missing" in msgcert(server, "request-cert", "--org", "x", code=2)
    assert "-S" in msgcert(server, "request-cert", "-S", "CN=a.example", "--org", "x", code=2)
    assert "ascii" in msgcert(server, "request-cert", "--name", "a.example", "-F", "xml", code=2)
    assert "type is" in msgcert(server, "request-cert", "--name", "a.example", "--type", "dsa", code=2)
    assert len(json.loads(server.cli("--json", "key", "list", "example.org").stdout)["keys"]) == n_keys

    answer = authority.sign(ascii_, "mail.crt", form="PEM")
    assert "letters, digits" in msgcert(server, "add-cert", "my cert", answer, code=1)
    made = text(server, "add-cert", "mail", answer)
    assert "Alias: mail\n" in made and "Serves: all\n" in made
    assert "exists already" in msgcert(server, "add-cert", "mail", answer, code=1)
    assert "belongs to this certificate" in msgcert(server, "add-cert", "ca", authority.cert, code=1)
    der = Authority.openssl("x509", "-in", answer, "-outform", "DER", "-out", tmp_path / "mail.der")
    assert der == "" and served(server, "imaps", "example.org") == (tmp_path / "mail.der").read_bytes()
    row = rows(text(server, "list-certs"))["mail"]
    assert row["Self-signed"] == "" and row["Issued by"] == "CN=Root,O=Test CA"
    assert row["Issued to"] == "CN=mail.example.org,O=Example\\, Inc.,C=DE"


def test_renewed_certificate(server, authority, tmp_path):
    """For the same key or another one; it serves what the old one did."""
    first, second = tmp_path / "1.der", tmp_path / "2.der"
    text(server, "request-cert", "--name", "example.org", "-o", first)
    old = authority.sign(first, "old.crt")
    text(server, "add-cert", "renewable", old, "--service", "imap")
    assert "there already" in msgcert(server, "renew-cert", "renewable", old, code=1)
    assert "see msgcert list-certs" in msgcert(server, "renew-cert", "none", old, code=1)
    text(server, "renew-cert", "renewable", authority.sign(first, "new.crt", days=200))
    shown = json.loads(text(server, "--json", "show-cert", "renewable"))
    assert shown["services"] == "imap" and shown["has_key"]
    text(server, "request-cert", "--name", "example.org", "--type", "rsa:2048", "-o", second)
    text(server, "renew-cert", "renewable", authority.sign(second, "other.crt"))
    shown = json.loads(text(server, "--json", "show-cert", "renewable"))
    assert shown["services"] == "imap" and shown["public_key"] == "RSA, 2048 bits"
    assert "own key" in msgcert(server, "renew-selfsign-cert", "renewable", code=1)
    server.cli("cert", "renew", "example.org", authority.sign(second, "third.crt", days=300), "renewable")
    again = json.loads(text(server, "--json", "show-cert", "renewable"))
    assert again["services"] == "imap" and again["not_after"] > shown["not_after"]
    text(server, "remove-cert", "renewable")
    msgcert(server, "show-cert", "renewable", code=1)


def test_self_signed(server):
    text(server, "add-selfsign-cert", "--name", "siroe.example.org", "--org", "comms", "--org-unit",
         "Messaging", "--city", "SantaClara", "--state", "ca", "--country", "us", "MySelfSigned-Cert")
    row = rows(text(server, "list-certs"))["MySelfSigned-Cert"]
    assert row["Issued by"] == "CN=siroe.example.org,OU=Messaging,O=comms,L=SantaClara,ST=ca,C=us"
    assert in_three_months(row["Expires on"])
    old = json.loads(text(server, "--json", "show-cert", "MySelfSigned-Cert"))
    new = json.loads(text(server, "--json", "renew-selfsign-cert", "--days", "20", "MySelfSigned-Cert"))
    assert new["subject"] == old["subject"] and new["serial"] != old["serial"]
    assert new["services"] == old["services"] == "all"
    text(server, "renew-selfsign-cert", "MySelfSigned-Cert")
    assert in_three_months(rows(text(server, "list-certs"))["MySelfSigned-Cert"]["Expires on"])
    text(server, "add-selfsign-cert", "kept", "--service", "none", "--days", "5")
    assert json.loads(text(server, "--json", "show-cert", "kept"))["services"] == ""
    assert "a number" in msgcert(server, "add-selfsign-cert", "x", "--days", "soon", code=2)
    assert "exists already" in msgcert(server, "add-selfsign-cert", "kept", code=1)
    text(server, "remove-cert", "kept")


def test_trusted_authority(server, authority, tmp_path):
    assert "Alias: test-ca\n" in text(server, "add-cert", "-C", "test-ca", authority.cert)
    listed = rows(text(server, "list-certs", "-C"))
    assert listed["test-ca"]["Issued by"] == "CN=Root,O=Test CA"
    assert "test-ca" not in rows(text(server, "list-certs"))
    shown = text(server, "show-cert", "test-ca")
    flags = shown[shown.index("SSL Flags:"):]
    assert [line.strip() for line in flags.splitlines()] == [
        "SSL Flags:", "Valid CA", "Trusted CA", "Trusted Client CA", "Email Flags:", "Valid CA",
        "Trusted CA", "Object Signing Flags:"]
    server.cli("domain", "add", "other.example")
    assert "test-ca" not in rows(text(server, "list-certs", "-C", "--domain", "other.example"))
    assert "that alias already" in msgcert(server, "add-cert", "-C", "test-ca",
                                           Authority(tmp_path, "Other").cert, code=1)
    assert "does not go with" in msgcert(server, "add-cert", "-C", "x", authority.cert, "--force", code=2)
    assert "letters, digits" in msgcert(server, "add-cert", "-C", "a b", authority.cert, code=1)
    text(server, "remove-cert", "-C", "test-ca")
    server.cli("trust", "add", authority.cert, "--domain", "example.org", "--alias", "by-signet")
    assert "by-signet" in rows(text(server, "list-certs", "-C"))
    text(server, "remove-cert", "by-signet")
    assert "no certificate is called test-ca" in msgcert(server, "remove-cert", "test-ca", code=1)


def test_pkcs12_out_and_in(server, tmp_path):
    """To another server and back from openssl, with its name."""
    password, file = tmp_path / "password", tmp_path / "mail.p12"
    password.write_text("fire and water\n")
    text(server, "add-selfsign-cert", "--name", "travel.example.org", "travels")
    text(server, "export-cert", "travels", "--password-file", password, "-o", file)
    assert file.stat().st_mode & 0o077 == 0
    shown = Authority.openssl("pkcs12", "-in", file, "-passin", "pass:fire and water", "-nodes")
    assert "PRIVATE KEY" in shown and "friendlyName: travels" in shown
    other = make_server().start()
    try:
        assert "passphrase is wrong" in msgcert(other, "import-cert", file, "--password-file", "-",
                                                code=1, stdin="water and fire\n")
        assert "Alias: travels\n" in text(other, "import-selfsign-cert", file, "--password-file", "-",
                                          stdin="fire and water\n")
        mine, theirs = (json.loads(text(s, "--json", "show-cert", "travels")) for s in (server, other))
        assert mine["fingerprint"] == theirs["fingerprint"] and theirs["has_key"]
        assert "exists already" in msgcert(other, "import-cert", file, "--password-file", password, code=1)
        text(other, "import-cert", file, "--password-file", password, "--alias", "again")
    finally:
        finish(other)


def test_only_self_signed_is_imported_as_such(server, authority, tmp_path):
    key, request, pfx = tmp_path / "k.pem", tmp_path / "r.pem", tmp_path / "f.p12"
    Authority.openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", request, "-subj",
                      "/CN=example.org", "-addext", "subjectAltName=DNS:example.org")
    cert = authority.sign(request, "issued.crt", form="PEM")
    Authority.openssl("pkcs12", "-export", "-in", cert, "-inkey", key, "-out", pfx, "-passout", "pass:pw",
                      "-name", "Not An Alias")
    assert "not self-signed" in msgcert(server, "import-selfsign-cert", pfx, "--password-file", "-",
                                        code=1, stdin="pw")
    made = text(server, "import-cert", pfx, "--password-file", "-", "--service", "none", stdin="pw")
    alias = re.match("Alias: ([0-9a-f]{8})\n", made)[1]
    assert rows(text(server, "list-certs"))[alias]["Issued by"] == "CN=Root,O=Test CA"
    text(server, "remove-cert", alias)


def test_last_certificate_stays():
    server = make_server().start()
    try:
        alias = list(rows(text(server, "list-certs")))[0]
        assert "last certificate in use" in msgcert(server, "remove-cert", alias, code=1)
        assert alias in rows(text(server, "list-certs"))
    finally:
        finish(server)


class Terminal:
    """A program with a terminal of its own, on which somebody types."""

    def __init__(self, *args, env=None):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(args[0], [str(a) for a in args], env or ENGLISH)
        self.seen = ""

    def expect(self, words, timeout=30):
        end = time.monotonic() + timeout
        while words not in self.seen:
            assert time.monotonic() < end and self.read(), f"no {words}: {self.seen}"

    def read(self):
        if not select.select([self.fd], [], [], 30)[0]:
            return False
        try:
            data = os.read(self.fd, 4096)
        except OSError:
            return False
        self.seen += data.decode().replace("\r\n", "\n")
        return bool(data)

    def type(self, prompt, line):
        """Answers a prompt and forgets what was on the screen; the line must not appear."""
        self.expect(prompt)
        self.seen = ""
        os.write(self.fd, line.encode() + b"\n")

    def end(self):
        while self.read():
            pass
        os.close(self.fd)
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])


def test_passwords_are_asked_for_without_echo(server, tmp_path):
    text(server, "add-selfsign-cert", "asked")
    file = tmp_path / "asked.p12"
    t = Terminal(PROGRAM, "--data", server.data, "export-cert", "-o", file, "asked")
    t.type("Password for the PKCS#12 file: ", "sesame")
    t.type("Again: ", "sesame")
    assert t.end() == 0 and "sesame" not in t.seen
    Authority.openssl("pkcs12", "-in", file, "-passin", "pass:sesame", "-nokeys")

    t = Terminal(PROGRAM, "--data", server.data, "export-cert", "-o", tmp_path / "x.p12", "asked")
    t.type("Password for the PKCS#12 file: ", "sesame")
    t.type("Again: ", "caraway")
    assert t.end() == 1 and "not the same" in t.seen and not (tmp_path / "x.p12").exists()

    t = Terminal(PROGRAM, "--data", server.data, "import-cert", file, "--alias", "asked-again")
    t.type("Password of the PKCS#12 file: ", "caraway")
    assert t.end() == 1 and "caraway" not in t.seen and "Again" not in t.seen
    t = Terminal(PROGRAM, "--data", server.data, "import-cert", file, "--alias", "asked-again")
    t.type("Password of the PKCS#12 file: ", "sesame")
    assert t.end() == 0 and "sesame" not in t.seen and "Alias: asked-again" in t.seen
    assert "--password-file" in msgcert(server, "export-cert", "asked", code=2)
    t = Terminal(PROGRAM, "--data", server.data, "request-cert", "--name", "example.org")
    assert t.end() == 2 and "not for a terminal" in t.seen


def test_a_store_without_password_ignores_the_file(server, tmp_path):
    world = tmp_path / "world"
    world.write_text("whatever\n")
    world.chmod(0o644)
    for file in (world, tmp_path / "none"):
        assert "certificates found" in text(server, "list-certs", "-W", file)
        assert "certificates found" in text(server, "-W", file, "list-certs")


@pytest.fixture(scope="module")
def locked(tmp_path_factory):
    """A server whose key store has a password."""
    file = tmp_path_factory.mktemp("key") / "password"
    file.write_text(STORE_PASSWORD + "\n")
    file.chmod(0o600)
    server = make_server(args=["--key-password-file", str(file)]).start()
    server.password_file = file
    yield server
    finish(server)


def test_key_store_password(locked, tmp_path):
    wrong = tmp_path / "wrong"
    wrong.write_text("the password of no keys\n")
    wrong.chmod(0o600)
    readable = tmp_path / "readable"
    readable.write_text(STORE_PASSWORD)
    readable.chmod(0o644)
    listing = text(locked, "list-certs", "-W", locked.password_file)
    assert "1 certificate found\n" in listing
    assert text(locked, "-W", locked.password_file, "list-certs") == listing
    assert text(locked, "list-certs", "-W", "-", stdin=STORE_PASSWORD + "\n") == listing
    assert text(locked, "list-certs") == listing, "without a terminal it goes on"
    assert "chmod 600" in msgcert(locked, "list-certs", "-W", readable, code=1)
    assert "cannot read" in msgcert(locked, "list-certs", "-W", tmp_path / "none", code=1)
    assert "chmod 600" in msgcert(locked, "list-certs", "-W", "/dev/null", code=1)
    assert "not the key store's password" in msgcert(locked, "add-selfsign-cert", "x", "-W", wrong, code=1)
    assert text(locked, "list-certs", "-W", locked.password_file) == listing, "nothing was made"
    assert re.search("tag=PKI key_store.password peer=.* account=local outcome=refused", locked.log_text())
    assert STORE_PASSWORD not in locked.log_text() and "no keys" not in locked.log_text()

    t = Terminal(PROGRAM, "--data", locked.data, "list-certs")
    t.type("Password of the key store: ", STORE_PASSWORD)
    assert t.end() == 0 and "1 certificate found" in t.seen and STORE_PASSWORD not in t.seen
    t = Terminal(PROGRAM, "--data", locked.data, "list-certs")
    t.type("Password of the key store: ", "guess")
    assert t.end() == 1 and "guess" not in t.seen and "certificate found" not in t.seen

    for _ in range(4):
        msgcert(locked, "list-certs", "-W", wrong, code=1)
    assert "too many wrong passwords" in msgcert(locked, "list-certs", "-W", locked.password_file, code=1)
    assert "outcome=too_many" in locked.log_text()


@pytest.mark.parametrize("env", [
    dict(LC_ALL="C.UTF-8", LANGUAGE="de"), dict(LANG="de_DE.UTF-8"), dict(LANGUAGE="de"),
    dict(LANG="en_US.UTF-8", LC_MESSAGES="de_AT.UTF-8")])
def test_german(server, env):
    env = dict(env, PATH=os.environ["PATH"])
    listing = text(server, "list-certs", env=env)
    row = next(row for row in rows(listing).values() if row["Selbst signiert"])
    assert list(row) == ["Alias", "Gültig ab", "Gültig bis", "Selbst signiert", "Ausgestellt von",
                         "Ausgestellt für"]
    assert row["Selbst signiert"] == "j" and row["Ausgestellt für"] == "Wie Aussteller"
    assert re.search(r"^\d+ Zertifikate? gefunden\n\Z", listing, re.M)
    assert "es gibt keinen Unterbefehl nix" in msgcert(server, "nix", code=2, env=env)
    assert "besteht aus Buchstaben" in msgcert(server, "add-selfsign-cert", "a b", code=1, env=env)
    assert "Seriennummer" in text(server, "show-cert", row["Alias"], env=env)
    for subcommand in SUBCOMMANDS:
        help_ = text(server, subcommand, "--help", env=env)
        assert help_.startswith("Aufruf: msgcert") and "Beispiel: msgcert" in help_
        english = text(server, subcommand, "--help")
        same = set(help_.splitlines()) & set(english.splitlines()) - {""}
        assert not same, same


def test_english_where_no_language_fits(server):
    for env in (dict(LC_ALL="C", LANGUAGE="de"), dict(LANG="xx_YY.UTF-8"), {}):
        env["PATH"] = os.environ["PATH"]
        assert "certificate" in text(server, "list-certs", env=env)


def test_completion():
    script = subprocess.run([PROGRAM, "completion"], capture_output=True, text=True, check=True).stdout

    def complete(*words):
        call = ("COMP_WORDS=(msgcert \"$@\"); COMP_CWORD=$#; COMPREPLY=(); _msgcert; "
                "printf '%s\\n' \"${COMPREPLY[@]}\"")
        return subprocess.run(["bash", "-c", script + call, "-", *words], capture_output=True,
                              text=True, check=True).stdout.split()

    assert complete("re") == ["remove-cert", "renew-cert", "renew-selfsign-cert", "request-cert"]
    assert "--org-unit" in complete("--domain", "example.org", "request-cert", "--org")
    assert complete("show-cert", "x", "--da") == ["--data"]
