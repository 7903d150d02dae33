# SPDX-License-Identifier: Apache-2.0
"""TLS of the server's own connections: rules by destination, whom it shows which certificate, whom it
believes, and what hostile servers cannot do. The other side is a server of the test's own."""
import contextlib
import datetime
import ipaddress
import json
import re
import socket
import ssl
import threading
import time

import pytest
from authority import Authority, Issued, days, make_key, now, subject
from conftest import finish, make_server
from cryptography import x509
from cryptography.hazmat.primitives import hashes

HOST = "mx.partner.example"


class Peer:
    """An SMTP server on a port of its own, for any number of connections, and what it saw of the last."""

    def __init__(self, cert=None, client_ca=None, required=True, version=None, starttls=True,
                 hostile=None, code=b"220 go ahead"):
        self.context = None
        if cert:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*cert)
            self.context.sni_callback = self.on_name
            if version:
                self.context.minimum_version = self.context.maximum_version = version
            if client_ca:
                self.context.load_verify_locations(client_ca)
                self.context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
        self.starttls, self.hostile, self.code = starttls and self.context, hostile, code
        self.visits = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def on_name(self, connection, name, context):
        self.visits[-1]["sni"] = name

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            connection.settimeout(20)
            self.visits.append({"lines": [], "client": None, "tls": False, "sni": None})
            with contextlib.suppress(OSError):
                (self.hostile or self.talk)(connection)
            with contextlib.suppress(OSError):
                connection.close()

    def talk(self, c):
        visit = self.visits[-1]
        c.sendall(b"220-mx.partner.example\r\n220 ESMTP\r\n")
        file = c.makefile("rb")
        while line := file.readline(1000):
            line = line.rstrip(b"\r\n")
            visit["lines"].append(line.decode())
            if line.startswith(b"EHLO"):
                more = b"250-STARTTLS\r\n" if self.starttls and not visit["tls"] else b""
                c.sendall(b"250-mx.partner.example\r\n" + more + b"250 SIZE 1000\r\n")
            elif line == b"STARTTLS":
                c.sendall(self.code + b"\r\n")
                if not self.code.startswith(b"220 ") or b"\n" in self.code:
                    continue
                c = self.context.wrap_socket(c, server_side=True)
                file = c.makefile("rb")
                visit["tls"] = True
                visit["client"] = c.getpeercert(binary_form=True)
            elif line == b"QUIT":
                c.sendall(b"221 bye\r\n")
                return
            else:
                c.sendall(b"502 no\r\n")

    @property
    def last(self):
        return self.visits[-1]

    def close(self):
        self.listener.close()


class World:
    """The server; an authority that it trusts and signs its servers and clients; one that it does not."""

    def __init__(self, folder):
        self.folder = folder
        self.server = make_server().start()
        self.ca, self.foreign = Authority("Partners"), Authority("Somebody Else")
        self.ca_file = str(folder / "ca.pem")
        (folder / "ca.pem").write_text(self.ca.pem)
        self.cli("trust", "add", self.ca_file, "--server", "--for", "server")
        self.peer_cert = self.ca.issue(names=[HOST], cn=HOST).files(folder, "peer")
        self.client = self.ca.issue(names=["example.org"], usage=("client",), cn="our client")
        self.install("partner", self.client)

    def cli(self, *args, **kwargs):
        return self.server.cli(*args, **kwargs)

    def install(self, alias, issued, domain="example.org"):
        cert, key = issued.files(self.folder, alias)
        self.cli("key", "import", domain, key, "--alias", alias)
        self.cli("cert", "install", domain, cert, "--alias", alias, "--service", "none")

    def rule(self, pattern, *values):
        r = self.cli("outgoing", "set", pattern, *values)
        self.patterns.add(pattern)
        return r

    def probe(self, peer, destination="partner.example", host=HOST):
        """As the server would at that name: the test's resolver is an address."""
        r = self.cli("--json", "outgoing", "probe", destination, "--host", host, "--port",
                     str(peer.port), check=False)
        return json.loads(r.stdout) | {"exit": r.returncode, "stderr": r.stderr}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    w = World(tmp_path_factory.mktemp("outgoing"))
    yield w
    finish(w.server)


@pytest.fixture
def world(built):
    """Without rules before and after."""
    built.patterns = set()
    yield built
    for pattern in built.patterns:
        built.cli("outgoing", "remove", pattern)


@pytest.fixture
def peer():
    peers = []

    def make(*args, **kwargs):
        peers.append(Peer(*args, **kwargs))
        return peers[-1]

    yield make
    for p in peers:
        p.close()


def test_rules_are_kept_and_shown(world):
    assert json.loads(world.cli("--json", "outgoing", "list").stdout) == {"rules": [], "warnings": []}
    world.rule("*", "tls=may", "oldest=1.2")
    world.rule(".Example.COM", "tls=must")
    world.rule("example.com", "tls=verify", "identity=example.org/partner")
    world.rule("example.com", "oldest=1.3")
    rules = json.loads(world.cli("--json", "outgoing", "list").stdout)["rules"]
    assert rules == [
        dict(pattern="*", tls="may", oldest="1.2", identity="inherit"),
        dict(pattern=".example.com", tls="must", oldest="inherit", identity="inherit"),
        dict(pattern="example.com", tls="verify", oldest="1.3", identity="example.org/partner")]
    shown = world.cli("outgoing", "show", "mail.example.com").stdout
    assert re.search(r"tls +must +\.example\.com\n", shown)
    assert re.search(r"oldest +1\.2 +\*\n", shown)
    assert re.search(r"identity +none +default\n", shown)
    shown = world.cli("outgoing", "show", "example.com").stdout
    assert re.search(r"identity +example\.org/partner +example\.com\n", shown)
    world.rule("example.com", "tls=inherit", "identity=inherit")
    shown = world.cli("outgoing", "show", "example.com").stdout
    assert re.search(r"tls +may +\*\n", shown) and re.search(r"oldest +1\.3 +example\.com\n", shown)
    audit = world.cli("audit").stdout
    assert "outgoing.set" in audit and "tls=verify oldest=1.3 identity=example.org/partner" in audit


@pytest.mark.parametrize("pattern, values, message", [
    ("*.example.com", ["tls=may"], "pattern is a domain"),
    ("192.0.2.1", ["tls=may"], "pattern is a domain"),
    ("example.com", ["tls=maytls"], "tls is none"),
    ("example.com", ["oldest=3"], "oldest is 1.0"),
    ("example.com", ["identity=nobody.example"], "an identity is none"),
    ("example.com", ["identity=example.org/nothing"], "has no certificate nothing"),
    ("example.com", ["colour=red"], "colour"),
])
def test_what_is_no_rule_is_refused(world, pattern, values, message):
    r = world.cli("outgoing", "set", pattern, *values, check=False)
    assert r.returncode == 1 and message in r.stderr
    assert json.loads(world.cli("--json", "outgoing", "list").stdout)["rules"] == []


def test_removing_what_is_not_there(world):
    r = world.cli("outgoing", "remove", "example.com", check=False)
    assert r.returncode == 1 and "no rule" in r.stderr


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_identity_goes_where_the_rule_says_and_nowhere_else(world, peer, version):
    p = peer(world.peer_cert, client_ca=world.ca_file, required=False, version=version)
    world.rule("partner.example", "identity=example.org/partner")
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == "ready" and said["encrypted"] and said["asked"] and said["sent"]
    assert p.last["client"] == world.client.der
    assert p.last["lines"] == ["EHLO example.org", "STARTTLS", "EHLO example.org", "QUIT"]
    # Another destination at the same server.
    said = world.probe(p, "other.example", host="127.0.0.1")
    assert said["outcome"] == "ready" and said["encrypted"] and said["asked"] and not said["sent"]
    assert p.last["client"] is None
    # Below the domain the rule does not hold.
    assert not world.probe(p, "a.partner.example", host="127.0.0.1")["sent"]
    world.rule("*", "identity=example.org/partner")
    world.rule("partner.example", "identity=none")
    assert not world.probe(p, host="127.0.0.1")["sent"] and p.last["client"] is None
    assert world.probe(p, "other.example", host="127.0.0.1")["sent"]


def test_a_server_that_is_not_asking_gets_none(world, peer):
    p = peer(world.peer_cert)
    world.rule("*", "identity=example.org/partner")
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == "ready" and not said["asked"] and not said["sent"]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_insists(world, peer, version):
    p = peer(world.peer_cert, client_ca=world.ca_file, version=version)
    world.rule("partner.example", "tls=must")
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == "unmet" and said["exit"] == 1 and said["asked"] and not said["sent"]
    assert "alert" in said["reason"] or "closed" in said["reason"]
    world.rule("partner.example", "identity=example.org/partner")
    assert world.probe(p, host="127.0.0.1")["outcome"] == "ready"
    assert p.last["client"] == world.client.der


def test_main_is_the_main_domains_certificate_in_use(world, peer):
    certs = json.loads(world.cli("--json", "cert", "list", "example.org").stdout)["certificates"]
    before, = [c["alias"] for c in certs if c["services"]]
    p = peer(world.peer_cert, client_ca=world.ca_file)
    # Made for servers only, and by itself.
    assert "clientAuth" in world.rule("*", "tls=must", "identity=main").stderr
    assert world.probe(p, host="127.0.0.1")["outcome"] == "unmet"
    both = world.ca.issue(names=["example.org"], usage=("server", "client"), cn="both")
    world.install("both", both)
    world.cli("cert", "activate", "example.org", "both")
    assert world.cli("outgoing", "list").stderr == ""
    for identity in "main", "example.org", "example.org/both":
        world.rule("*", f"identity={identity}")
        assert world.probe(p, host="127.0.0.1")["sent"] and p.last["client"] == both.der
    world.cli("cert", "activate", "example.org", before)
    world.rule("*", "identity=main")
    assert world.probe(p, host="127.0.0.1")["outcome"] == "unmet"


def verified(world, stem, ca, names=(), lifetime=90, begins=None):
    """For hosts and addresses; the names of its files."""
    key = make_key()
    begins = begins or now() - days(1)
    builder = x509.CertificateBuilder().subject_name(subject(cn="peer")) \
        .issuer_name(ca.cert.subject).public_key(key.public_key()) \
        .serial_number(x509.random_serial_number()).not_valid_before(begins) \
        .not_valid_after(begins + days(lifetime)) \
        .add_extension(x509.BasicConstraints(False, None), True) \
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
            ca.key.public_key()), False) \
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False) \
        .add_extension(x509.KeyUsage(True, False, False, False, False, False, False, False, False),
                       True) \
        .add_extension(x509.ExtendedKeyUsage([x509.OID_SERVER_AUTH]), False) \
        .add_extension(x509.SubjectAlternativeName(
            [x509.IPAddress(ipaddress.ip_address(n)) if n[0].isdigit() else x509.DNSName(n)
             for n in names]), False)
    return Issued(builder.sign(ca.key, hashes.SHA256()), key, ca).files(world.folder, stem)


def test_verify_wants_the_right_server(world, peer):
    world.rule("partner.example", "tls=verify", "identity=example.org/partner")
    good = peer(verified(world, "good", world.ca, ["localhost", "127.0.0.1"]),
                client_ca=world.ca_file)
    for host in "localhost", "127.0.0.1":
        said = world.probe(good, host=host)
        assert said["outcome"] == "ready" and said["verified"] and said["sent"], said
    assert good.visits[-1]["sni"] is None and good.visits[-2]["sni"] == "localhost"
    wrong = [
        (verified(world, "foreign", world.foreign, ["localhost"]), "issuer|trust"),
        (verified(world, "name", world.ca, ["elsewhere.example"]), "localhost"),
        (verified(world, "old", world.ca, ["localhost"], 5, now() - days(10)), "expired|over|until"),
        (verified(world, "early", world.ca, ["localhost"], 5, now() + days(2)), "valid|begin"),
    ]
    for cert, reason in wrong:
        p = peer(cert, client_ca=world.ca_file, required=False)
        said = world.probe(p, host="localhost")
        assert said["outcome"] == "unmet" and said["exit"] == 1 and not said["verified"], said
        assert re.search(reason, said["reason"]), said
        # It is not told who we are, nor talked to again in clear.
        assert not said["sent"] and p.last["client"] is None and len(p.visits) == 1
        # Where encryption alone is asked for the server is believed nothing, and used.
        world.rule("partner.example", "tls=must")
        said = world.probe(p, host="localhost")
        assert said["outcome"] == "ready" and said["encrypted"] and not said["verified"]
        assert re.search(reason, said["verdict"]), said
        world.rule("partner.example", "tls=verify")


def test_without_starttls(world, peer):
    p = peer()
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == "ready" and not said["encrypted"] and said["exit"] == 0
    assert "does not offer STARTTLS" in said["reason"]
    assert "STARTTLS" not in p.last["lines"]
    for tls in "must", "verify":
        world.rule("partner.example", f"tls={tls}")
        said = world.probe(p, host="127.0.0.1")
        assert said["outcome"] == "unmet" and said["exit"] == 1
        assert p.last["lines"] == ["EHLO example.org"]


def test_never_tls(world, peer):
    p = peer(world.peer_cert)
    world.rule("partner.example", "tls=none")
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == "ready" and said["starttls"] and not said["encrypted"]
    assert p.last["lines"] == ["EHLO example.org", "QUIT"]


def test_refused_starttls(world, peer):
    p = peer(world.peer_cert, code=b"454 4.7.0 not now")
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == "ready" and not said["encrypted"] and "454 4.7.0 not now" in said["reason"]
    assert said["offers"] == ["STARTTLS", "SIZE 1000"]
    world.rule("partner.example", "tls=must")
    assert world.probe(p, host="127.0.0.1")["outcome"] == "unmet"


def test_handshake_that_fails(world, peer):
    p = peer(world.peer_cert, version=ssl.TLSVersion.TLSv1_2)
    world.rule("partner.example", "oldest=1.3")
    said = world.probe(p, host="127.0.0.1")
    # Where encryption is not required mail goes in clear, over another connection.
    assert said["outcome"] == "ready" and not said["encrypted"] and "TLS has failed" in said["reason"]
    assert p.last["lines"] == ["EHLO example.org", "QUIT"] and len(p.visits) == 2
    world.rule("partner.example", "tls=must")
    assert world.probe(p, host="127.0.0.1")["outcome"] == "unmet" and len(p.visits) == 3


def test_old_versions_where_the_rule_says_so(world, peer):
    cert = world.ca.issue(names=[HOST], cn=HOST, key="rsa:2048").files(world.folder, "oldpeer")
    p = peer(cert)
    p.context.set_ciphers("ALL:@SECLEVEL=0")
    p.context.minimum_version = p.context.maximum_version = ssl.TLSVersion.TLSv1
    world.rule("partner.example", "tls=must")
    assert world.probe(p, host="127.0.0.1")["outcome"] == "unmet"
    world.rule("partner.example", "oldest=1.0")
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == "ready" and said["version"] == "TLSv1"


@pytest.mark.parametrize("tls", ["may", "must", "verify"])
def test_injection_behind_starttls_is_refused(world, peer, tls):
    """RFC 3207 section 5: an answer in clear that would be taken for an encrypted one."""
    p = peer(world.peer_cert, code=b"220 go ahead\r\n250 injected")
    world.rule("partner.example", f"tls={tls}")
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == "unmet" and "in clear behind" in said["reason"] and not said["encrypted"]
    assert len(p.visits) == 1


def endless_greeting(c):
    while True:
        c.sendall(b"220-more\r\n")


def endless_line(c):
    while True:
        c.sendall(b"220 " + b"x" * 4096)


def drip(c):
    for octet in b"220-" + b"x" * 1000:
        c.sendall(bytes([octet]))
        time.sleep(0.2)


def silence(c):
    c.recv(1)


def not_smtp(c):
    c.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
    c.recv(1000)


def busy(c):
    c.sendall(b"421 4.3.2 too busy\r\n")
    c.recv(1000)


def many_extensions(c):
    c.sendall(b"220 hello\r\n")
    c.recv(1000)
    for i in range(10000):
        c.sendall(b"250-X%d\r\n" % i)


def garbage_for_tls(c):
    c.sendall(b"220 hello\r\n")
    c.recv(1000)
    c.sendall(b"250-x\r\n250 STARTTLS\r\n")
    c.recv(1000)
    c.sendall(b"220 go\r\n")
    time.sleep(0.2)
    while True:
        c.sendall(b"250 no\r\n" * 1000)


@pytest.mark.parametrize("hostile, outcome, reason, most", [
    (endless_greeting, "unreachable", "lines", 5),
    (endless_line, "unreachable", "octets", 5),
    (drip, "unreachable", "in time", 30),
    (silence, "unreachable", "in time", 30),
    (not_smtp, "unreachable", "not SMTP", 5),
    (busy, "refused", "421 4.3.2 too busy", 5),
    (many_extensions, "unreachable", "lines", 5),
    (garbage_for_tls, "unmet", "", 5),
])
def test_hostile_servers_are_left(world, peer, hostile, outcome, reason, most):
    p = peer(hostile=hostile)
    world.rule("partner.example", "tls=must")
    start = time.monotonic()
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == outcome and reason in said["reason"], said
    assert time.monotonic() - start < most
    assert world.server.is_alive()


def test_nobody_there(world):
    with socket.create_server(("127.0.0.1", 0)) as s:
        port = s.getsockname()[1]
    r = world.cli("outgoing", "probe", "partner.example", "--host", "127.0.0.1", "--port", str(port),
                  check=False)
    assert r.returncode == 1 and "cannot connect" in r.stderr
    r = world.cli("outgoing", "probe", "partner.example", check=False)
    assert r.returncode == 1 and "--host" in r.stderr
    r = world.cli("outgoing", "probe", "partner.example", "--host", "no.such.host.invalid", check=False)
    assert r.returncode == 1 and "no.such.host.invalid" in r.stderr


def test_what_may_be_refused_is_told(world, peer):
    """Lacks clientAuth, has expired, is gone: at the command, in the list, in the check."""
    ca = world.ca
    world.install("server-only", ca.issue(names=["example.org"], usage=("server",), cn="s"))
    r = world.rule("partner.example", "identity=example.org/server-only")
    assert "clientAuth" in r.stderr and "warning" in r.stderr
    assert "clientAuth" in world.cli("outgoing", "list").stderr
    check = json.loads(world.cli("--json", "cert", "check", "example.org", "server-only",
                                 check=False).stdout)
    rows = [c for c in check["checks"] if c["check"] == "outgoing"]
    assert len(rows) == 1 and rows[0]["result"] == "warning" and "clientAuth" in rows[0]["text"]
    check = json.loads(world.cli("--json", "cert", "check", "example.org", "partner",
                                 check=False).stdout)
    assert not [c for c in check["checks"] if c["check"] == "outgoing"]
    r = world.rule("partner.example", "identity=example.org/partner")
    assert r.stderr == ""
    check = json.loads(world.cli("--json", "cert", "check", "example.org", "partner",
                                 check=False).stdout)
    assert [c["result"] for c in check["checks"] if c["check"] == "outgoing"] == ["ok"]
    # Removed while the rule names it: the rule stays, nothing else is shown instead.
    world.rule("partner.example", "identity=example.org/server-only")
    world.cli("cert", "remove", "example.org", "server-only")
    assert "no such certificate" in world.cli("outgoing", "list").stderr
    check = json.loads(world.cli("--json", "cert", "check", "example.org", check=False).stdout)
    row, = [c for c in check["checks"] if c["check"] == "outgoing"]
    assert row["result"] == "warning" and "example.org/server-only" in row["text"]
    p = peer(world.peer_cert, client_ca=world.ca_file, required=False)
    said = world.probe(p, host="127.0.0.1")
    assert said["asked"] and not said["sent"] and p.last["client"] is None
    assert any("no such certificate" in w for w in said["warnings"])
    assert 'identity_problem="there is no such certificate' in world.server.log_text()


def test_a_renewed_identity_is_shown_at_once(world, peer):
    """In the place of the old one, which serves nothing: the rules are all that use it."""
    old, new = (world.ca.issue(names=["example.org"], usage=("client",), cn=n) for n in ("old", "new"))
    world.install("renewed", old)
    world.rule("partner.example", "identity=example.org/renewed")
    p = peer(world.peer_cert, client_ca=world.ca_file)
    assert world.probe(p, host="127.0.0.1")["sent"] and p.last["client"] == old.der
    cert, key = new.files(world.folder, "renewed-again")
    world.cli("key", "import", "example.org", key, "--alias", "renewed-again")
    world.cli("cert", "renew", "example.org", cert, "renewed")
    assert world.probe(p, host="127.0.0.1")["sent"] and p.last["client"] == new.der


def test_an_expired_identity_is_told(world):
    world.install("soon", world.ca.issue(names=["example.org"], usage=("client",), cn="soon",
                                         begins=now() - datetime.timedelta(hours=1, seconds=-6),
                                         lifetime=0))
    assert "expired" not in world.rule("partner.example", "identity=example.org/soon").stderr
    time.sleep(7)
    assert "expired" in world.cli("outgoing", "list").stderr


def test_rules_and_identities_outlive_a_restart(world, peer):
    p = peer(world.peer_cert, client_ca=world.ca_file)
    world.rule("partner.example", "tls=must", "identity=example.org/partner")
    assert world.server.stop() == 0
    world.server.start()
    assert world.probe(p, host="127.0.0.1")["sent"] and p.last["client"] == world.client.der


def test_the_servers_end_does_not_wait_for_others(world, peer):
    p = peer(hostile=silence)
    probe = threading.Thread(target=lambda: world.cli(
        "outgoing", "probe", "partner.example", "--host", "127.0.0.1", "--port", str(p.port),
        check=False))
    probe.start()
    while not p.visits:
        time.sleep(0.05)
    start = time.monotonic()
    assert world.server.stop() == 0
    took = time.monotonic() - start
    probe.join()
    world.server.start()
    assert took < 12


def test_of_two_kinds_the_one_that_the_server_knows(world, peer):
    """A domain with RSA and ECDSA certificates in use."""
    world.cli("domain", "add", "both.example")
    made = {}
    for kind in "ec", "rsa:2048":
        made[kind] = world.ca.issue(names=["both.example"], usage=("server", "client"), key=kind, cn=kind)
        world.install("both-" + kind[:2], made[kind], "both.example")
        world.cli("cert", "activate", "both.example", "both-" + kind[:2])
    world.rule("partner.example", "tls=must", "identity=both.example")
    p = peer(world.peer_cert, client_ca=world.ca_file)
    assert world.probe(p, host="127.0.0.1")["sent"] and p.last["client"] == made["ec"].der


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("kind", ["rsa:2048", "ed25519"])
def test_keys_of_each_kind_sign(world, peer, kind, version):
    """The key process signs for us as a client too; the chain goes with the certificate."""
    alias = f"{kind[:3]}-{version.name[-1]}"
    below = Authority("Below", issuer=world.ca)
    issued = below.issue(names=["example.org"], usage=("client",), key=kind, cn=alias)
    world.install(alias, issued)
    world.rule("partner.example", "tls=must", f"identity=example.org/{alias}")
    p = peer(world.peer_cert, client_ca=world.ca_file, version=version)
    said = world.probe(p, host="127.0.0.1")
    assert said["outcome"] == "ready" and said["sent"] and p.last["client"] == issued.der, said


def test_addresses_are_tried_one_after_the_other(world, peer):
    """localhost is ::1 first on many machines, where nobody listens."""
    p = peer(world.peer_cert)
    assert world.probe(p, host="localhost")["outcome"] == "ready"
    said = world.probe(p, "[127.0.0.1]", host="127.0.0.1")
    assert said["outcome"] == "ready" and said["destination"] == "[127.0.0.1]"
    r = world.cli("--json", "outgoing", "probe", "[127.0.0.1]", "--port", str(p.port))
    assert json.loads(r.stdout)["host"] == "127.0.0.1"


def test_the_log_says_what_was_agreed(world, peer):
    p = peer(world.peer_cert, client_ca=world.ca_file)
    world.rule("partner.example", "tls=must", "identity=example.org/partner")
    world.probe(p, host="127.0.0.1")
    lines = [x for x in world.cli("log", "--tag", "TLS").stdout.splitlines() if "outgoing.open" in x]
    assert "destination=partner.example" in lines[-1] and "rule=must" in lines[-1]
    assert "version=TLSv1." in lines[-1] and "certificate=sent" in lines[-1]
    assert "identity=example.org/partner" in lines[-1] and "outcome=ready" in lines[-1]
    assert "verdict=" in lines[-1]
