# SPDX-License-Identifier: Apache-2.0
"""Answers of a responder stapled to handshakes, and revocation lists on their way here."""
import contextlib
import datetime
import http.server
import json
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
import urllib.request

import pytest
from conftest import finish, make_server, need
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
HOUR = datetime.timedelta(hours=1)
PEM = serialization.Encoding.PEM


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def eventually(question, seconds=20):
    """What it says once it says something; the last word otherwise."""
    end = time.monotonic() + seconds
    while True:
        said = question()
        if said or time.monotonic() > end:
            return said
        time.sleep(0.1)


class Authority:
    """A CA with an OCSP responder (openssl ocsp) and lists."""

    def __init__(self, folder, name="Test CA"):
        self.folder = folder
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.cert = self.sign(self.name, self.key.public_key(), [
            (x509.BasicConstraints(True, None), True),
            (x509.KeyUsage(True, False, False, False, False, True, True, False, False), True)])
        self.port = free_port()
        self.responder = None
        self.entries = {}
        self.number = 0
        folder.mkdir()
        (folder / "ca.pem").write_bytes(self.cert.public_bytes(PEM))
        (folder / "ca.key").write_bytes(self.key.private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))

    def sign(self, subject, key, extensions, days=90):
        b = x509.CertificateBuilder(self.name, subject, key, x509.random_serial_number(),
                                    NOW - HOUR, NOW + datetime.timedelta(days=days))
        for extension, critical in extensions:
            b = b.add_extension(extension, critical)
        b = b.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), False)
        b = b.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self.key.public_key()), False)
        return b.sign(self.key, hashes.SHA256())

    def for_server(self, request, must_staple=False, port=None):
        """The answer to a request for a server's certificate that names our responder."""
        extensions = [
            (request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value, False),
            (x509.BasicConstraints(False, None), True),
            (x509.KeyUsage(True, False, False, False, False, False, False, False, False), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
            (x509.AuthorityInformationAccess([x509.AccessDescription(
                AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(
                    f"http://127.0.0.1:{port or self.port}/"))]), False)]
        if must_staple:
            extensions.append((x509.TLSFeature([x509.TLSFeatureType.status_request]), False))
        cert = self.sign(request.subject, request.public_key(), extensions)
        self.entries[cert.serial_number] = "V"
        return cert.public_bytes(PEM)

    def start(self, minutes):
        """The responder; its answers hold so long."""
        lines = [f"{state}\t300101000000Z\t{'' if state == 'V' else '260101000000Z'}\t"
                 f"{serial:0{len(f'{serial:X}') + len(f'{serial:X}') % 2}X}\tunknown\t/CN={serial}\n"
                 for serial, state in self.entries.items()]
        (self.folder / "index.txt").write_text("".join(lines))
        self.responder = subprocess.Popen(
            [need("openssl"), "ocsp", "-index", self.folder / "index.txt", "-port",
             str(self.port), "-rsigner", self.folder / "ca.pem", "-rkey", self.folder / "ca.key",
             "-CA", self.folder / "ca.pem", "-nmin", str(minutes)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        # Not by connecting: the responder waits for what a connection asks, one after the other.
        def is_there():
            sockets = pathlib.Path("/proc/net/tcp").read_text() + \
                pathlib.Path("/proc/net/tcp6").read_text()
            return re.search(rf":{self.port:04X} [0-9A-F]+:0000 0A ", sockets)

        assert eventually(is_there)
        return self

    def stop(self):
        if self.responder:
            self.responder.send_signal(signal.SIGTERM)
            self.responder.wait()
            self.responder = None

    def crl(self, revoked=(), number=None, hours=24, key=None, age=1, encoding=PEM):
        self.number = self.number + 1 if number is None else number
        b = x509.CertificateRevocationListBuilder(self.name, NOW - age * HOUR, NOW + hours * HOUR)
        for cert in revoked:
            b = b.add_revoked_certificate(x509.RevokedCertificateBuilder(
                cert.serial_number, NOW - HOUR).build())
        b = b.add_extension(x509.CRLNumber(self.number), False)
        b = b.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
            self.key.public_key()), False)
        return b.sign(key or self.key, hashes.SHA256()).public_bytes(encoding)


@pytest.fixture(scope="module")
def server():
    s = make_server().start()
    yield s
    finish(s)


@pytest.fixture(scope="module")
def authority(server):
    a = Authority(server.folder / "ca")
    yield a
    a.stop()


def install(server, authority, alias, **kwargs):
    request = server.folder / "request.pem"
    server.cli("request", "create", "example.org", "-o", str(request))
    answer = authority.for_server(x509.load_pem_x509_csr(request.read_bytes()), **kwargs)
    (server.folder / "answer.pem").write_bytes(answer)
    server.cli("cert", "install", "example.org", str(server.folder / "answer.pem"), "--chain",
               str(server.folder / "ca" / "ca.pem"), "--alias", alias)


def status(server, *args, service="imaps"):
    """What openssl s_client is told of the certificate."""
    r = subprocess.run(
        [need("openssl"), "s_client", "-connect", f"127.0.0.1:{server.port(service)}",
         "-servername", "example.org", "-status", "-CAfile", server.folder / "ca" / "ca.pem",
         *args], input="", capture_output=True, text=True, timeout=30)
    return r.stdout


def is_stapled(server, *args, **kwargs):
    return "Cert Status: good" in status(server, *args, **kwargs)


def log_has(server, pattern):
    return re.search(pattern, server.log_text())


def check_row(server, name):
    """What signet cert check says of one point."""
    r = server.cli("--json", "cert", "check", "example.org", check=False)
    rows = [row for c in json.loads(r.stdout)["certificates"] for row in c["rows"]] \
        if '"certificates"' in r.stdout else json.loads(r.stdout)["rows"]
    return [row for row in rows if row["check"] == name]


def test_private_addresses_are_refused(server, authority):
    server.cli("trust", "add", str(authority.folder / "ca.pem"))
    install(server, authority, "one")
    assert eventually(lambda: log_has(server, "ocsp.answer .*certificate=one .*outcome=failed"))
    assert not is_stapled(server)
    assert "OCSP response: no response sent" in status(server)


def test_stapled(server, authority):
    authority.start(minutes=600)
    server.cli("setting", "set", "fetch_private=yes")
    # The next try is in five minutes; a start asks at once.
    assert server.stop() == 0
    server.start()
    assert eventually(lambda: is_stapled(server))
    for args in (("-tls1_2",), ("-tls1_3",)):
        assert is_stapled(server, *args)
    assert is_stapled(server, service="https")
    assert is_stapled(server, "-starttls", "smtp", service="smtp")
    assert "OCSP Response Status: successful" in status(server)
    assert log_has(server, "ocsp.answer domain=example.org certificate=one .*outcome=good")


def test_gnutls_takes_it(server):
    r = subprocess.run(
        [need("gnutls-cli"), "--x509cafile", server.folder / "ca" / "ca.pem", "--port",
         str(server.port("imaps")), "--sni-hostname", "example.org", "--verify-hostname",
         "example.org", "127.0.0.1"], input="", capture_output=True, text=True, timeout=30)
    assert "- OCSP" in r.stdout or "OCSP status request" in r.stdout, r.stdout[:3000]
    assert "- Status: The certificate is trusted." in r.stdout


def test_metric_and_check(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port('http')}/metrics") as r:
        text = r.read().decode()
    until = int(re.search(
        r'signet_ocsp_answer_until_seconds\{domain="example.org",certificate="one"\} (\d+)',
        text)[1])
    assert 500 * 60 < until - time.time() < 700 * 60
    assert "stapling" in server.cli("cert", "check", "example.org", check=False).stdout


def test_kept_over_a_restart(server, authority):
    """The responder is down, and the first handshake has the answer all the same."""
    authority.stop()
    assert server.stop() == 0
    server.start()
    assert is_stapled(server)


def test_revoked_is_never_shown(server, authority):
    """A short answer is asked for again at half of its life; what it says then counts at once."""
    install(server, authority, "two")
    authority.start(minutes=1)
    assert server.stop() == 0
    server.start()
    assert eventually(lambda: is_stapled(server))
    newest = max(authority.entries, key=list(authority.entries).index)
    authority.entries[newest] = "R"
    authority.stop()
    authority.start(minutes=1)
    assert eventually(lambda: log_has(server, "ocsp.answer .*certificate=two .*outcome=revoked"),
                      60)
    assert "OCSP response: no response sent" in status(server)
    authority.stop()
    # Nor does a restart bring back the good answer that was stored before it.
    assert server.stop() == 0
    server.start()
    time.sleep(1)
    assert "OCSP response: no response sent" in status(server)


def test_must_staple_without_an_answer(server, authority):
    install(server, authority, "strict", must_staple=True, port=free_port())
    line = eventually(lambda: log_has(
        server, "level=error tag=PKI ocsp.answer .*certificate=strict .*must_staple=1.*"))
    assert line and "outcome=failed" in line[0]
    r = server.cli("cert", "check", "example.org", "strict", check=False)
    assert r.returncode == 1
    assert "without which clients refuse it" in r.stdout


def test_turned_off(server, authority):
    install(server, authority, "three")
    authority.start(minutes=600)
    assert server.stop() == 0
    server.start()
    assert eventually(lambda: is_stapled(server))
    server.cli("setting", "set", "ocsp_stapling=no")
    assert eventually(lambda: not is_stapled(server))
    server.cli("setting", "set", "ocsp_stapling=yes")
    assert eventually(lambda: is_stapled(server))


def test_a_silent_responder_does_not_hold_up_the_end(server, authority):
    authority.stop()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        install(server, authority, "silent", port=silent.getsockname()[1])
        silent.accept()  # it is being asked
        begin = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begin < 8
    server.start()
    install(server, authority, "four")


class Lists(http.server.BaseHTTPRequestHandler):
    """Serves what self.server.files says."""

    def do_GET(self):
        body = self.server.files.get(self.path)
        self.send_response(200 if body is not None else 404)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body or b"")

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def site():
    s = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Lists)
    s.files = {}
    s.url = f"http://127.0.0.1:{s.server_address[1]}"
    threading.Thread(target=s.serve_forever, daemon=True).start()
    yield s
    s.shutdown()


def lists(server, *args):
    return json.loads(server.cli("--json", "crl", "list", *args).stdout)["lists"]


def add(server, octets, *args):
    path = server.folder / "list.crl"
    path.write_bytes(octets)
    return server.cli("crl", "add", str(path), *args, check=False)


def user(authority, name="user", points=None):
    key = ec.generate_private_key(ec.SECP256R1())
    extensions = [
        (x509.BasicConstraints(False, None), True),
        (x509.KeyUsage(True, False, False, False, False, False, False, False, False), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False)]
    if points:
        extensions.append((x509.CRLDistributionPoints([x509.DistributionPoint(
            [x509.UniformResourceIdentifier(points)], None, None, None)]), False))
    cert = authority.sign(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]),
                          key.public_key(), extensions)
    return cert, key


def test_hostile_lists_are_refused(server, authority):
    stranger = Authority(server.folder / "stranger", "Stranger")
    good = authority.crl(number=1, encoding=serialization.Encoding.DER)
    rows = [
        (stranger.crl(), "is not known here"),
        (authority.crl(number=1, key=stranger.key), "signature is not the authority's"),
        (authority.crl(number=1, age=48, hours=-1), "has expired"),
        (good + b"\0", "not a revocation list"),
        (good[:-1], "not a revocation list"),
        (b"", "is empty"),
        (b"hello", "revocation list"),
        (os.urandom(100000), None),
        (b"\x30" * 900000, None),
    ]
    for octets, reason in rows:
        r = add(server, octets)
        assert r.returncode == 1, (reason, r)
        if reason:
            assert reason in r.stderr, (reason, r.stderr)
    assert lists(server) == []


def test_files(server, authority):
    cert, _ = user(authority)
    assert add(server, authority.crl([cert], number=5)).returncode == 0
    assert add(server, authority.crl(number=4)).returncode == 1
    assert add(server, authority.crl([cert], number=6), "--domain", "example.org").returncode == 0
    found = lists(server)
    assert [(row["domain"], row["number"], row["revoked"]) for row in found] == \
        [(None, "05", 1), ("example.org", "06", 1)]
    assert len(lists(server, "--domain", "example.org")) == 2
    for row in found:
        server.cli("crl", "remove", str(row["id"]))
    assert lists(server) == []
    assert server.cli("crl", "remove", "4711", check=False).returncode == 1


def test_an_authority_that_comes_along(server):
    stranger = Authority(server.folder / "along", "Came along")
    assert add(server, stranger.crl()).returncode == 1
    assert add(server, stranger.crl(), "--authority",
               str(server.folder / "along" / "ca.pem")).returncode == 0
    server.cli("crl", "remove", str(lists(server)[0]["id"]))


def test_fetching(server, authority, site):
    url = site.url + "/users.crl"
    site.files["/users.crl"] = authority.crl(number=10, encoding=serialization.Encoding.DER)
    assert server.cli("crl", "add", url, "--domain", "example.org").returncode == 0
    assert server.cli("crl", "add", url, "--domain", "example.org", check=False).returncode == 1
    server.cli("crl", "fetch")
    row = lists(server)[0]
    assert (row["number"], row["revoked"], row["problem"]) == ("0a", 0, "")
    assert log_has(server, f"crl.fetch list={row['id']} url={url} outcome=done")
    # Asked again when half of its life is over.
    next_fetch = datetime.datetime.fromisoformat(row["next_fetch"].replace("Z", "+00:00"))
    assert 10 * HOUR < next_fetch - NOW < 14 * HOUR

    cert, _ = user(authority)
    site.files["/users.crl"] = authority.crl([cert], number=11)
    server.cli("crl", "fetch", str(row["id"]))
    assert lists(server)[0]["revoked"] == 1

    stranger = Authority(server.folder / "elsewhere", "Elsewhere")
    server.cli("trust", "add", str(server.folder / "elsewhere" / "ca.pem"))
    for body, reason in [
            (authority.crl(number=9), "newer list"),
            (authority.crl(number=12) + authority.crl(number=13), "more than one"),
            (stranger.crl(), "another authority's now"),
            (b"x" * (9 << 20), "larger than it may be"),
            (b"<html>", "not a revocation list"),
            (None, "status 404")]:
        site.files["/users.crl"] = body
        r = server.cli("crl", "fetch", str(row["id"]), check=False)
        assert r.returncode == 1 and reason in r.stderr, (reason, r.stderr)
        kept = lists(server)[0]
        assert kept["number"] == "0b" and reason in kept["problem"]
    server.cli("setting", "set", "crl_fetch=never")
    r = server.cli("crl", "fetch", str(row["id"]), check=False)
    assert r.returncode == 1 and "crl_fetch=given" in r.stderr
    server.cli("setting", "set", "crl_fetch=given", "fetch_private=no")
    site.files["/users.crl"] = authority.crl([cert], number=14)
    r = server.cli("crl", "fetch", str(row["id"]), check=False)
    assert r.returncode == 1 and lists(server)[0]["number"] == "0b"
    server.cli("setting", "set", "fetch_private=yes")
    server.cli("crl", "fetch", str(row["id"]))
    assert lists(server)[0]["number"] == "0e"
    assert server.cli("crl", "add", "http://a:b@127.0.0.1/", check=False).returncode == 1


def log_in(server, cert, key):
    """What a client that shows the certificate is told: the greeting, or why not."""
    pem = server.folder / "client.pem"
    pem.write_bytes(cert.public_bytes(PEM) + key.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = server.context()
    context.load_cert_chain(pem)
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # there a refusal ends the handshake
    try:
        with socket.create_connection(("127.0.0.1", server.port("imaps")), 20) as s:
            with context.wrap_socket(s, server_hostname="example.org") as t:
                return t.recv(100).decode()
    except ssl.SSLError as e:
        return e.reason


def test_client_certificates(server, authority):
    cert, key = user(authority, "client")
    other = user(authority, "other")
    server.cli("client-ca", "set", "example.org", str(authority.folder / "ca.pem"))
    server.cli("domain", "set", "example.org", "client_required=yes")
    assert log_in(server, cert, key).startswith("* OK")
    assert add(server, authority.crl([cert], number=100), "--domain", "example.org").returncode == 0
    assert log_in(server, cert, key) == "SSLV3_ALERT_CERTIFICATE_REVOKED"
    assert eventually(lambda: log_has(server, "tls.handshake .*revoked"))
    assert log_in(server, *other).startswith("* OK")
    assert add(server, authority.crl([other[0]], number=101), "--domain",
               "example.org").returncode == 0
    assert log_in(server, cert, key).startswith("* OK")
    assert log_in(server, *other) == "SSLV3_ALERT_CERTIFICATE_REVOKED"
    server.cli("domain", "set", "example.org", "client_required=no")


def test_lists_that_certificates_name(server, authority, site):
    """Only where that is allowed, and from then on they count."""
    cert, key = user(authority, "named", points=site.url + "/named.crl")
    server.cli("domain", "set", "example.org", "client_required=yes")
    for row in lists(server):
        server.cli("crl", "remove", str(row["id"]))
    site.files["/named.crl"] = authority.crl([cert], number=200)
    assert log_in(server, cert, key).startswith("* OK")
    server.cli("setting", "set", "crl_fetch=named", "fetch_private=yes")
    assert log_in(server, cert, key).startswith("* OK")
    # Looked at once a minute, and once the server has started. It is forgotten by a stop.
    assert eventually(lambda: lists(server) and lists(server)[0].get("number"), 70)
    row = lists(server)[0]
    assert (row["named"], row["domain"], row["url"]) == (True, "example.org",
                                                         site.url + "/named.crl")
    assert log_in(server, cert, key) == "SSLV3_ALERT_CERTIFICATE_REVOKED"
