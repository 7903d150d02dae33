# SPDX-License-Identifier: Apache-2.0
"""Client certificates against a whole server: what a handshake makes of each kind, with and without
"required" and "abort", in TLS 1.2 and 1.3; logins by them on all protocols; accounts of a domain that
requires them, tried through other doors; tickets."""
import base64
import datetime
import http.client
import imaplib
import json
import poplib
import smtplib
import socket
import ssl
import subprocess

import pytest
from conftest import PASSWORD, finish, make_server, need
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage, NameOID

STRICT, LAX = "strict.example", "lax.example"
ALICE, BOB, CAROL = f"alice@{STRICT}", f"bob@{STRICT}", f"carol@{LAX}"
DAY = datetime.timedelta(days=1)
NAMES = {"CN": NameOID.COMMON_NAME, "O": NameOID.ORGANIZATION_NAME, "UID": NameOID.USER_ID}


class Made:
    """A certificate with its key, as files of a folder."""

    def __init__(self, folder, name, cert, key, chain=()):
        pem = serialization.Encoding.PEM
        self.cert, self.key = cert, key
        self.file = folder / f"{name}.pem"
        self.key_file = folder / f"{name}.key"
        self.file.write_bytes(b"".join(c.public_bytes(pem) for c in (cert, *chain)))
        self.key_file.write_bytes(key.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))


class Authority:
    def __init__(self, folder, subject, issuer=None):
        self.folder = folder
        self.made = self.issue(subject, issuer or self, authority=True, is_root=issuer is None)

    def issue(self, subject, issuer=None, email=None, usage=Usage.CLIENT_AUTH, since=-DAY, until=30 * DAY,
              authority=False, is_root=False, chain=()):
        key = ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        name = x509.Name([x509.NameAttribute(NAMES[k], v) for k, v in subject.items()])
        parent = None if is_root else (issuer or self).made
        public = key.public_key()
        builder = (x509.CertificateBuilder().subject_name(name).public_key(public)
                   .issuer_name(parent.cert.subject if parent else name)
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now + since).not_valid_after(now + until)
                   .add_extension(x509.BasicConstraints(authority, None), critical=True)
                   .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
                   .add_extension(x509.KeyUsage(not authority, False, False, False, False, authority,
                                                authority, False, False), critical=True))
        if parent:
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                parent.key.public_key()), critical=False)
        if email:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.RFC822Name(e) for e in email.split()]), critical=False)
        if usage and not authority:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        cert = builder.sign(parent.key if parent else key, hashes.SHA256())
        file = "".join(c for c in "-".join(subject.values()) if c.isalnum() or c == "-")
        return Made(self.folder, f"{file}-{cert.serial_number % 10**6}", cert, key, chain)


class World:
    """A server whose domain strict.example asks for certificates of one authority."""

    def __init__(self, folder):
        self.server = make_server().start()
        self.cli = self.server.cli
        self.folder = folder
        self.authority = Authority(folder, {"CN": "People", "O": "Example"})
        self.foreign = Authority(folder, {"CN": "Others"})
        middle = Authority(folder, {"CN": "Middle"}, self.authority)
        inner = Authority(folder, {"CN": "Inner"}, middle)
        issue = self.authority.issue
        self.made = {
            "right": issue({"CN": "Alice", "UID": "alice"}, email=ALICE),
            "wrong": issue({"CN": "Nobody"}, email="nobody@strict.example"),
            "other-domain": issue({"CN": "Carol"}, email=CAROL),
            "expired": issue({"CN": "Alice"}, email=ALICE, since=-9 * DAY, until=-DAY),
            "early": issue({"CN": "Alice"}, email=ALICE, since=DAY),
            "server": issue({"CN": "Alice"}, email=ALICE, usage=Usage.SERVER_AUTH),
            "foreign": self.foreign.issue({"CN": "Alice"}, email=ALICE),
            "deep": inner.issue({"CN": "Alice"}, email=ALICE,
                                chain=(inner.made.cert, middle.made.cert)),
            "gap": inner.issue({"CN": "Alice"}, email=ALICE, chain=(inner.made.cert,)),
            "none": None,
        }
        self.prepare()

    def prepare(self):
        for domain in (STRICT, LAX):
            self.cli("domain", "add", domain)
            self.cli("key", "generate", domain)
            self.cli("cert", "self-sign", domain)
        for address in (ALICE, BOB, CAROL):
            self.server.add_account(address)
        self.cli("setting", "set", "login_failures_max=100000")
        self.cli("trust", "add", self.authority.made.file, "--domain", STRICT, "--for", "client")
        self.cli("client-ca", "set", STRICT, self.authority.made.file)

    def rule(self, required=False, abort=False):
        self.cli("domain", "set", STRICT, f"client_required={'yes' if required else 'no'}",
                 f"client_abort={'yes' if abort else 'default'}")

    def context(self, kind="none", version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if version:
            context.minimum_version = context.maximum_version = version
        made = self.made[kind]
        if made:
            context.load_cert_chain(made.file, made.key_file)
        return context

    def imap(self, kind="none", sni=STRICT, version=None, session=None, context=None):
        return Imap(self, context or self.context(kind, version), sni, session)


class Imap:
    """A bare IMAP session, which knows its TLS session."""

    def __init__(self, world, context, sni, session):
        raw = socket.create_connection(("127.0.0.1", world.server.port("imaps")), timeout=20)
        try:
            self.socket = context.wrap_socket(raw, server_hostname=sni, session=session)
            self.file = self.socket.makefile("rb")
            self.greeting = self.line()
        except BaseException:
            raw.close()
            raise

    def line(self):
        return self.file.readline().decode().rstrip("\r\n")

    def ask(self, text):
        self.socket.sendall(f"a {text}\r\n".encode())
        while True:
            line = self.line()
            if not line or line.startswith("a "):
                return line

    def offers(self):
        return "AUTH=EXTERNAL" in self.greeting

    def close(self):
        self.ask("LOGOUT")
        self.file.close()
        self.socket.close()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("pki"))
    yield w
    finish(w.server)


@pytest.fixture(autouse=True)
def as_it_was(request):
    yield
    if "world" in request.fixturenames:
        w = request.getfixturevalue("world")
        w.rule()


# What is presented: what a domain that is content with none makes of it, and the alert where a bad
# certificate ends the handshake.
KINDS = {
    "right": ("login", None),
    "deep": ("login", None),
    "wrong": ("valid", None),
    "other-domain": ("valid", None),
    "none": ("none", None),
    "expired": ("ignored", "CERTIFICATE_EXPIRED"),
    "early": ("ignored", "BAD_CERTIFICATE"),
    "server": ("ignored", "UNSUPPORTED_CERTIFICATE"),
    "foreign": ("ignored", "UNKNOWN_CA"),
    "gap": ("ignored", "UNKNOWN_CA"),
}
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def outcome(world, kind, version):
    """("login" | "offers" | "none") or the alert."""
    try:
        imap = world.imap(kind, version=VERSIONS[version])
    except ssl.SSLError as e:
        return e.reason
    if not imap.offers():
        answer = imap.ask("AUTHENTICATE EXTERNAL =")
        assert answer.startswith("a NO [AUTHENTICATIONFAILED]"), answer
        imap.close()
        return "none"
    answer = imap.ask("AUTHENTICATE EXTERNAL =")
    imap.close()
    return "login" if answer.startswith("a OK") else answer


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("abort", [False, True], ids=["lenient", "abort"])
@pytest.mark.parametrize("required", [False, True], ids=["optional", "required"])
def test_outcomes(world, required, abort, version):
    world.rule(required, abort)
    for kind, (what, alert) in KINDS.items():
        got = outcome(world, kind, version)
        if kind == "none" and required:
            alert = "CERTIFICATE_REQUIRED" if version == "1.3" else "HANDSHAKE_FAILURE"
            assert got.endswith(alert), (kind, got)
        elif alert and (required or abort):
            assert got.endswith(alert), (kind, got)
        else:
            assert got == ("login" if what == "login" else "none"), (kind, got)
    log = world.server.log_text()
    if not required and not abort:
        assert "outcome=ignored" in log and "the certificate expired at" in log
    else:
        assert "client certificate: the certificate expired at" in log


def test_names_are_sent(world):
    world.rule(required=True)
    openssl = need("openssl")
    for sni, wanted in ((STRICT, True), (LAX, False)):
        r = subprocess.run([openssl, "s_client", "-connect", f"127.0.0.1:{world.server.port('imaps')}",
                            "-servername", sni, "-cert", world.made["right"].file,
                            "-key", world.made["right"].key_file], input=b"a LOGOUT\r\n",
                           capture_output=True, timeout=20)
        assert (b"O = Example" in r.stdout and b"Acceptable client certificate CA names" in r.stdout
                ) == wanted, r.stdout


def test_all_protocols(world):
    server = world.server
    context = world.context("right")

    def external(line):
        return base64.b64encode(line.encode()).decode() if line else "="

    imap = world.imap("right")
    assert imap.ask(f"AUTHENTICATE EXTERNAL {external(BOB)}").startswith("a NO [AUTHENTICATIONFAILED]")
    assert imap.ask(f"AUTHENTICATE EXTERNAL {external(ALICE.upper())}").startswith("a OK")
    imap.close()
    plain = imaplib.IMAP4("127.0.0.1", server.port("imap"))
    assert "AUTH=EXTERNAL" not in plain.capabilities
    plain.ssl_context = context
    plain.host = STRICT  # what STARTTLS asks for
    plain.starttls(context)
    assert "AUTH=EXTERNAL" in plain.capabilities
    plain.authenticate("EXTERNAL", lambda _: b"")
    plain.logout()

    for how in ("submissions", "submission"):
        if how == "submissions":
            raw = smtplib.SMTP_SSL(context=Named(context, STRICT))
            raw.connect("127.0.0.1", server.port(how))
        else:
            raw = smtplib.SMTP("127.0.0.1", server.port(how))
            raw.ehlo()
            raw._host = STRICT
            raw.starttls(context=context)
        raw.ehlo("client.example")
        assert "EXTERNAL" in raw.esmtp_features["auth"].split()
        code, text = raw.docmd("AUTH", f"EXTERNAL {external(CAROL)}")
        assert code == 535 and b"certificate" in text
        assert raw.docmd("AUTH", "EXTERNAL =")[0] == 235
        assert raw.mail(ALICE)[0] == 250
        raw.quit()
    mx = smtplib.SMTP("127.0.0.1", server.port("smtp"))
    mx.ehlo()
    mx._host = STRICT
    mx.starttls(context=context)
    mx.ehlo()
    assert "auth" not in mx.esmtp_features
    assert mx.docmd("AUTH", "EXTERNAL =")[0] == 502
    mx.quit()

    pop = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=Named(context, STRICT))
    assert "EXTERNAL" in pop.capa()["SASL"]
    assert pop._shortcmd("AUTH EXTERNAL =").startswith(b"+OK")
    assert pop.stat()[0] == 0
    pop.quit()
    # A password is as good as before beside it.
    imap = world.imap("right")
    assert imap.ask(f'LOGIN {BOB} "{PASSWORD}"').startswith("a OK")
    imap.close()


class Named:
    """A context that asks for another name than the one that is connected to."""

    def __init__(self, context, name):
        self.context, self.name = context, name

    def wrap_socket(self, sock, server_hostname=None, **kwargs):
        return self.context.wrap_socket(sock, server_hostname=self.name, **kwargs)


@pytest.mark.parametrize("required", [False, True], ids=["optional", "required"])
def test_curl(world, required, tmp_path):
    """As a program of others does it; -k, because the server's certificate is self-signed."""
    world.rule(required)
    curl = need("curl")
    message = tmp_path / "message"
    message.write_bytes(b"Subject: by certificate\r\n\r\nhello\r\n")

    def run(kind, url, port, *args):
        made = world.made[kind]
        cert = ["--cert", made.file, "--key", made.key_file] if made else []
        return subprocess.run(
            [curl, "-sS", "-k", "--max-time", "20", *cert, "--login-options", "AUTH=EXTERNAL", "-u",
             f"{ALICE}:", "--resolve", f"{STRICT}:{port}:127.0.0.1", url.format(port=port), *args],
            capture_output=True)

    imaps, smtps = world.server.port("imaps"), world.server.port("submissions")
    for kind, (what, _) in KINDS.items():
        send = run(kind, f"smtps://{STRICT}:{{port}}/client.example", smtps, "--mail-from", ALICE,
                   "--mail-rcpt", ALICE, "-T", message)
        read = run(kind, f"imaps://{STRICT}:{{port}}/INBOX", imaps, "-X", "EXAMINE INBOX")
        works = what == "login"
        assert (send.returncode == 0) == works, (kind, send.stderr)
        assert (read.returncode == 0) == works, (kind, read.stderr)
        if works:
            assert b"EXISTS" in read.stdout


def test_other_doors(world):
    """An account of a domain that requires certificates, by password, over other domains' names."""
    need_text = "client certificate"
    for sni in (STRICT, LAX, None):
        imap = world.imap("none", sni=sni)
        assert imap.ask(f'LOGIN {ALICE} "{PASSWORD}"').startswith("a OK")
        imap.close()
    world.rule(required=True)
    for kind, sni in (("none", LAX), ("none", None), ("right", LAX), ("right", "example.org")):
        imap = world.imap(kind, sni=sni)
        assert not imap.offers()
        for user in (ALICE, f"nobody@{STRICT}"):
            answer = imap.ask(f'LOGIN {user} "{PASSWORD}"')
            assert answer.startswith("a NO") and need_text in answer, answer
        plain = base64.b64encode(f"\0{ALICE}\0{PASSWORD}".encode()).decode()
        answer = imap.ask(f"AUTHENTICATE PLAIN {plain}")
        assert answer.startswith("a NO") and need_text in answer, answer
        assert imap.ask(f'LOGIN {CAROL} "{PASSWORD}"').startswith("a OK")
        imap.close()
    for kind in ("right", "deep", "wrong"):
        imap = world.imap(kind)
        assert imap.ask(f'LOGIN {BOB} "{PASSWORD}"').startswith("a OK")
        imap.close()

    pop = poplib.POP3_SSL("127.0.0.1", world.server.port("pop3s"),
                          context=Named(world.context("right"), LAX))
    pop.user(ALICE)
    with pytest.raises(poplib.error_proto, match=need_text):
        pop.pass_(PASSWORD)
    pop.close()
    smtp = smtplib.SMTP_SSL(context=Named(world.context("none"), LAX))
    smtp.connect("127.0.0.1", world.server.port("submissions"))
    with pytest.raises(smtplib.SMTPAuthenticationError, match=need_text) as caught:
        smtp.login(ALICE, PASSWORD)
    assert caught.value.smtp_code == 534
    smtp.close()
    assert "outcome=needs_certificate" in world.server.log_text()


def test_starttls_switches_domain(world):
    """One listener, many domains: the name of the handshake decides."""
    world.rule(required=True)
    imap = imaplib.IMAP4("127.0.0.1", world.server.port("imap"))
    imap.host = STRICT
    with pytest.raises((ssl.SSLError, imaplib.IMAP4.error, OSError)):
        imap.starttls(world.context("none"))
        imap.noop()
    imap = imaplib.IMAP4("127.0.0.1", world.server.port("imap"))
    imap.host = LAX
    imap.starttls(world.context("none"))
    imap.noop()
    imap.logout()


class Web:
    def __init__(self, world, kind="none", sni=STRICT, host=None):
        raw = socket.create_connection(("127.0.0.1", world.server.port("https")), timeout=20)
        self.connection = http.client.HTTPConnection("127.0.0.1")
        self.connection.sock = world.context(kind).wrap_socket(raw, server_hostname=sni)
        self.host = host or sni

    def ask(self, method, path, body=None, **fields):
        headers = {"Host": self.host, **{k.replace("_", "-"): v for k, v in fields.items()}}
        if body is not None:
            headers["Content-Type"] = "application/json"
        text = None if body is None else json.dumps(body)
        self.connection.request(method, "/api/v1" + path, text, headers)
        r = self.connection.getresponse()
        text = r.read()
        self.cookie = (r.getheader("Set-Cookie") or "").partition(";")[0]
        return r.status, json.loads(text) if text else None


def basic(user):
    return "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode()


def test_http(world):
    own = f"/accounts/{ALICE}"
    web = Web(world, "right")
    assert web.ask("GET", "/session") == (200, {"address": ALICE, "role": "user"})
    assert web.ask("GET", own)[0] == 200
    assert web.ask("GET", f"/accounts/{BOB}")[0] == 403
    # What changes something says that it means it.
    status, problem = web.ask("PATCH", own, {"name": "Alice"})
    assert status == 403 and problem["field"] == "X-Signet-Login"
    assert web.ask("PATCH", own, {"name": "Alice"}, X_Signet_Login="certificate")[0] == 200
    # Other credentials come first, and are not helped by the certificate.
    assert web.ask("GET", "/session", Authorization=basic(BOB))[1]["address"] == BOB
    assert web.ask("GET", "/session", Authorization="Basic eDp5")[0] == 401

    status, identity = web.ask("POST", "/session", {"certificate": True})
    assert status == 200 and identity["address"] == ALICE
    cookie, csrf = web.cookie, identity["csrf"]
    assert web.ask("PATCH", own, {"name": "A"}, Cookie=cookie)[0] == 403
    assert web.ask("PATCH", own, {"name": "A"}, Cookie=cookie, X_CSRF_Token=csrf)[0] == 200
    for wrong in ({}, {"login": ALICE}, {"certificate": False}, {"certificate": True, "login": ALICE},
                  {"certificate": True, "password": PASSWORD}):
        assert web.ask("POST", "/session", wrong)[0] == 422, wrong

    # A session that is over is nobody's, not the certificate's.
    assert web.ask("DELETE", "/session", Cookie=cookie, X_CSRF_Token=csrf)[0] == 204
    assert web.ask("GET", "/session", Cookie=cookie)[0] == 401
    assert web.ask("GET", "/session")[0] == 200
    assert web.ask("POST", "/session", {"certificate": "yes"})[0] == 200
    cookie = web.cookie

    for kind in ("wrong", "expired", "foreign", "server", "none", "other-domain"):
        web = Web(world, kind)
        assert web.ask("GET", "/session")[0] == 401, kind
        assert web.ask("POST", "/session", {"certificate": True})[0] == 401, kind
    # One name in the handshake, another one in the request.
    assert Web(world, "right", STRICT, LAX).ask("GET", "/session")[0] == 421
    assert Web(world, "right", LAX, STRICT).ask("GET", "/session")[0] == 421
    assert Web(world, "right", LAX).ask("GET", "/session")[0] == 401

    world.rule(required=True)
    for fields in ({"Authorization": basic(ALICE)}, {"Cookie": cookie}):
        status, problem = Web(world, "right", LAX).ask("GET", "/session", **fields)
        assert status == 403 and "client certificate" in problem["detail"], fields
        assert Web(world, "right").ask("GET", "/session", **fields)[0] == 200
    status, problem = Web(world, "none", LAX).ask("POST", "/session",
                                                  {"login": ALICE, "password": PASSWORD})
    assert status == 403 and "client certificate" in problem["detail"]


@pytest.mark.parametrize("version", VERSIONS)
def test_tickets(world, version):
    context = world.context("right", VERSIONS[version])

    def visit(session, sni=STRICT):
        imap = world.imap(sni=sni, session=session, context=context)
        imap.ask("NOOP")  # in TLS 1.3 tickets come with what is read
        return imap

    def session_of(imap):
        session = imap.socket.session
        imap.close()
        return session

    session = session_of(visit(None))
    imap = visit(session)
    assert imap.socket.session_reused and imap.offers()
    assert imap.ask("AUTHENTICATE EXTERNAL =").startswith("a OK")
    session = session_of(imap)
    # Not good for another domain, nor from there for this one.
    imap = visit(session, LAX)
    assert not imap.socket.session_reused and not imap.offers()
    lax = session_of(imap)
    imap = visit(lax)
    assert not imap.socket.session_reused and imap.offers()
    imap.close()
    # Nor after the rule has changed.
    world.rule(required=True)
    imap = visit(session)
    assert not imap.socket.session_reused and imap.offers()
    session = session_of(imap)
    imap = visit(session)
    assert imap.socket.session_reused
    session = session_of(imap)

    # The account is asked about anew.
    world.cli("account", "set", ALICE, "disabled=yes")
    imap = visit(session)
    assert not imap.offers()
    assert imap.ask("AUTHENTICATE EXTERNAL =").startswith("a NO")
    imap.close()
    world.cli("account", "set", ALICE, "disabled=no")

    # What the issuer's certificate is worth, too: also on a connection that is there already.
    imap = visit(session)
    assert imap.offers()
    world.rule()
    world.cli("trust", "deny", world.authority.made.file, "--domain", STRICT)
    assert imap.ask("AUTHENTICATE EXTERNAL =").startswith("a NO")
    imap.close()
    imap = visit(session)
    assert not imap.socket.session_reused and not imap.offers()
    imap.close()
    world.cli("trust", "add", world.authority.made.file, "--domain", STRICT, "--for", "client")
    imap = visit(None)
    assert imap.offers()
    imap.close()


def test_rules(world):
    """Rules from certificates to accounts, as the command line sets them and logins see them."""
    right = world.made["right"]

    def found(*rules, kind="right"):
        if rules:
            world.cli("certmap", "set", STRICT, *rules)
        r = json.loads(world.cli("--json", "certmap", "test", STRICT,
                                 world.made[kind].file).stdout)
        imap = world.imap(kind)
        offers = imap.offers()
        imap.close()
        assert offers == (r["valid"] and r["account"] is not None)
        return r["account"] or r["reason"]

    try:
        assert found() == ALICE
        assert found("subject:{UID}") == ALICE
        assert found(f"subject:{{UID}}@{LAX}").startswith("no rule")
        assert found("email;issuer=CN=Others").startswith("no rule")
        assert found("email;issuer=O=Example,CN=People") == ALICE
        assert found("fingerprint").startswith("no rule")
        assert "stored for" in found("email;verifycert")
        world.cli("account-cert", "add", ALICE, right.file)
        assert found("email;verifycert") == ALICE
        assert found("fingerprint") == ALICE
        world.cli("account-cert", "add", BOB, right.file)
        assert "more than one" in found("fingerprint")
        listed = json.loads(world.cli("--json", "account-cert", "list", BOB).stdout)["certificates"]
        world.cli("account-cert", "remove", BOB, listed[0]["fingerprint"])
        assert found("fingerprint") == ALICE
        world.cli("account-cert", "remove", ALICE, right.file)
        assert "stored for" in found("email;verifycert")
        assert world.cli("account-cert", "remove", ALICE, right.file, check=False).returncode == 1
        bad = world.cli("certmap", "set", STRICT, "email", "mail", check=False)
        assert bad.returncode == 1 and "rule 2" in bad.stderr
        # The server's, where the domain has none.
        world.cli("certmap", "remove", STRICT)
        world.cli("certmap", "set", "server", "subject:{UID}")
        assert json.loads(world.cli("--json", "certmap", "show", STRICT).stdout)["of"] == "server"
        assert found() == ALICE
        assert found(kind="deep").startswith("no rule")
    finally:
        world.cli("certmap", "remove", STRICT)
        world.cli("certmap", "remove", "server")
    r = json.loads(world.cli("--json", "certmap", "test", STRICT, world.made["expired"].file).stdout)
    assert not r["valid"] and "expired" in r["invalid_because"] and r["account"] == ALICE


def test_issuers(world):
    """Who may be chosen, and what would lock people out."""
    cli = world.cli
    shown = json.loads(cli("--json", "client-ca", "show", STRICT).stdout)
    assert shown["of"] == "domain" and shown["issuers"][0]["usable"]
    refused = cli("client-ca", "set", STRICT, world.foreign.made.file, check=False)
    assert refused.returncode == 1 and "not trusted for clients: signet trust add" in refused.stderr
    cli("trust", "add", world.foreign.made.file, "--domain", STRICT, "--for", "server,mail")
    assert cli("client-ca", "set", STRICT, world.foreign.made.file, check=False).returncode == 1
    cli("trust", "remove", fingerprint(world.foreign), "--domain", STRICT)

    refused = cli("domain", "set", LAX, "client_required=yes", check=False)
    assert refused.returncode == 1 and "signet client-ca set" in refused.stderr
    world.rule(required=True)
    for args in ((), (world.authority.made.file,)):
        refused = cli("client-ca", "remove", STRICT, *args, check=False)
        assert refused.returncode == 1 and "client_required=no" in refused.stderr
    assert outcome(world, "right", "1.3") == "login"
    # Somebody takes the trust away: nobody is let in, and the log says why.
    cli("trust", "remove", fingerprint(world.authority), "--domain", STRICT)
    assert outcome(world, "right", "1.3").endswith("UNKNOWN_CA")
    assert "client.no_issuer" in world.server.log_text()
    assert not json.loads(cli("--json", "client-ca", "show", STRICT).stdout)["issuers"][0]["usable"]
    cli("trust", "add", world.authority.made.file, "--domain", STRICT, "--for", "client")
    assert outcome(world, "right", "1.3") == "login"
    world.rule()
    cli("client-ca", "remove", STRICT, world.authority.made.file)
    assert outcome(world, "right", "1.3") == "none"

    # A list of the server's, for all domains that have none and trust them.
    cli("trust", "add", world.authority.made.file, "--server", "--for", "client")
    cli("client-ca", "set", "server", fingerprint(world.authority))
    assert outcome(world, "right", "1.3") == "login"
    assert json.loads(cli("--json", "client-ca", "show", STRICT).stdout)["of"] == "server"
    cli("domain", "set", LAX, "client_required=yes")
    refused = cli("client-ca", "remove", "server", check=False)
    assert refused.returncode == 1 and LAX in refused.stderr
    cli("domain", "set", LAX, "client_required=no")
    cli("client-ca", "remove", "server")
    cli("trust", "remove", fingerprint(world.authority), "--server")
    cli("client-ca", "set", STRICT, world.authority.made.file)


def fingerprint(authority):
    return authority.made.cert.fingerprint(hashes.SHA256()).hex(":").upper()


def test_abort_of_the_server(world):
    """Set for all, and taken back by one domain."""
    try:
        world.cli("tls", "set", "client_abort=yes")
        assert outcome(world, "foreign", "1.3").endswith("UNKNOWN_CA")
        world.cli("domain", "set", STRICT, "client_abort=no")
        assert outcome(world, "foreign", "1.3") == "none"
        world.cli("domain", "set", STRICT, "client_abort=default")
        assert outcome(world, "foreign", "1.3").endswith("UNKNOWN_CA")
        assert world.cli("domain", "set", STRICT, "client_abort=maybe", check=False).returncode == 1
    finally:
        world.cli("tls", "reset", "client_abort")
