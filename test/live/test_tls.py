# SPDX-License-Identifier: Apache-2.0
"""TLS as clients of different making meet it on every port; policies of server, listeners and domains;
domains in test and disabled; addresses; the TLS log; scanners."""
import datetime
import json
import os
import re
import smtplib
import socket
import ssl
import subprocess
import time

import pytest
from conftest import BUILD, finish, make_server, need
from mailtools import tls

DIRECT = ["submissions", "imaps", "pop3s", "https"]
STARTTLS = {"smtp": "smtp", "submission": "smtp", "imap": "imap", "pop3": "pop3"}
SANITIZED = "asan" in BUILD.name or "tsan" in BUILD.name


def run(*command, stdin="", timeout=60):
    r = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, text=True,
                       errors="replace", timeout=timeout)
    return r.returncode, r.stdout + r.stderr


def issue(tmp, name, key_args, sign_with=None):
    """A key and certificate made with the openssl program; an authority if sign_with is None."""
    key, cert = tmp / f"{name}.key", tmp / f"{name}.pem"
    ca = sign_with is None
    ext = tmp / f"{name}.ext"
    ext.write_text("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
                   "subjectKeyIdentifier=hash\n" if ca else
                   "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
                   "extendedKeyUsage=serverAuth\nsubjectAltName=DNS:example.org,DNS:localhost\n"
                   "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
                   "crlDistributionPoints=URI:http://crl.example.org/root.crl\n")
    subprocess.run(["openssl", "genpkey", *key_args, "-out", key], check=True, capture_output=True)
    subprocess.run(["openssl", "req", "-new", "-key", key, "-subj",
                    "/CN=Test Root/O=Signet tests" if ca else "/CN=example.org", "-out",
                    tmp / f"{name}.csr"], check=True, capture_output=True)
    signer = ["-signkey", key] if ca else ["-CA", sign_with[1], "-CAkey", sign_with[0]]
    subprocess.run(["openssl", "x509", "-req", "-in", tmp / f"{name}.csr", *signer, "-sha256",
                    "-days", "100", "-set_serial", str(int.from_bytes(os.urandom(12), "big")),
                    "-extfile", ext, "-out", cert], check=True, capture_output=True)
    return key, cert


EC = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]
RSA = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("ca")
    return tmp, issue(tmp, "root", EC)


@pytest.fixture(scope="module")
def server(ca):
    """The main domain has an ECDSA and an RSA certificate of a test authority side by side."""
    tmp, root = ca
    s = make_server().start()
    for name, args in ("leaf-ec", EC), ("leaf-rsa", RSA):
        key, cert = issue(tmp, name, args, root)
        s.cli("key", "import", "example.org", key, "--alias", name)
        s.cli("cert", "install", "example.org", cert, "--alias", name)
        s.cli("cert", "activate", "example.org", name)
    s.cli("domain", "add", "example.net")
    s.cli("key", "generate", "example.net")
    s.cli("cert", "self-sign", "example.net")
    yield s
    finish(s)


@pytest.fixture
def policy(server):
    """Sets policies that are taken back afterwards."""
    taken = []

    def change(*args, where=()):
        keys = [a.split("=")[0] for a in args]
        r = server.cli("tls", "set", *args, *where)
        taken.append((keys, where))
        return r.stdout
    yield change
    for keys, where in reversed(taken):
        server.cli("tls", "reset", *keys, *where)


def s_client(server, service, *args, name="example.org"):
    starttls = ["-starttls", STARTTLS[service]] if service in STARTTLS else []
    return run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port(service)}", "-servername",
               name, *starttls, *args, "-brief")


def agreed(output):
    m = re.search(r"Protocol version: (\S+)\nCiphersuite: (\S+)", output)
    return m.groups() if m else None


def log_since(server, mark, *words, timeout=5):
    """The first TLS line with all the words that was written behind the mark."""
    end = time.time() + timeout
    while time.time() < end:
        for line in server.log_text()[mark:].splitlines():
            if "tag=TLS" in line and all(w in line for w in words):
                return line
        time.sleep(0.05)
    raise AssertionError(f"no line with {words}:\n{server.log_text()[mark:][-3000:]}")


@pytest.mark.parametrize("service", [*DIRECT, *STARTTLS])
@pytest.mark.parametrize("sigalgs,kind", [(None, "ECDSA"), ("rsa_pss_rsae_sha256", "RSA")])
def test_openssl_on_every_port(server, ca, service, sigalgs, kind):
    more = ["-sigalgs", sigalgs] if sigalgs else []
    code, out = s_client(server, service, "-CAfile", ca[1][1], "-verify_return_error", *more)
    assert code == 0 and "Verification: OK" in out, out
    assert agreed(out)[0] == "TLSv1.3"
    assert f"Signature type: {kind}" in out


@pytest.mark.parametrize("service", [*DIRECT, *STARTTLS])
def test_gnutls_on_every_port(server, ca, service):
    gnutls = need("gnutls-cli")
    starttls = [f"--starttls-proto={STARTTLS[service]}"] if service in STARTTLS else []
    code, out = run(gnutls, "--x509cafile", ca[1][1], "--port", server.port(service), *starttls,
                    "--sni-hostname=example.org", "--verify-hostname=example.org", "127.0.0.1")
    assert "Handshake was completed" in out and "certificate is trusted" in out, out


@pytest.mark.parametrize("service", DIRECT)
def test_nss(server, ca, service, tmp_path):
    tstclnt = need("tstclnt")
    certutil = need("certutil")
    run(certutil, "-N", "-d", f"sql:{tmp_path}", "--empty-password")
    run(certutil, "-A", "-d", f"sql:{tmp_path}", "-n", "root", "-t", "C,,", "-i", ca[1][1])
    code, out = run(tstclnt, "-h", "127.0.0.1", "-p", server.port(service), "-d",
                    f"sql:{tmp_path}", "-a", "example.org", "-V", "tls1.2:", "-C", "-Q", "-v")
    assert "SSL version 3.4" in out or "handshake success" in out.lower() or code == 0, out


def test_curl(server, ca):
    port = server.port("https")
    for version in ("--tls-max 1.2", ""):
        code, out = run("curl", "-sS", "--cacert", ca[1][1], "--resolve",
                        f"example.org:{port}:127.0.0.1", *version.split(),
                        f"https://example.org:{port}/")
        assert code == 0, out


def test_resumption_over_ports_a_new_keyd_and_a_new_server(server):
    context = server.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # Python shows its session there at once

    def connect(service, session=None):
        with socket.create_connection(("127.0.0.1", server.port(service)), 20) as s:
            with context.wrap_socket(s, server_hostname="example.org", session=session) as t:
                return t.session_reused, t.session

    _, session = connect("imaps")
    assert all(connect(s, session)[0] for s in DIRECT)
    os.kill(server.children()["keyd-domain"], 9)
    time.sleep(1)
    assert all(connect(s, session)[0] for s in DIRECT)
    server.stop()
    server.start()
    assert all(connect(s, session)[0] for s in DIRECT)
    # Not under other rules than the session was made under, and never for another domain.
    server.cli("tls", "set", "groups=P-256", "--listener", "imaps")
    assert not connect("imaps", session)[0] and connect("pop3s", session)[0]
    server.cli("tls", "reset", "groups", "--listener", "imaps")
    server.cli("tls", "set", "tickets=no")
    assert not connect("imaps", session)[0]
    server.cli("tls", "reset", "tickets")
    assert connect("imaps", session)[0]


def test_old_clients_are_refused_with_the_reason_and_accepted_when_set(server, policy):
    old = ["-tls1", "-cipher", "ALL:@SECLEVEL=0"]
    mark = len(server.log_text())
    code, out = s_client(server, "imaps", *old)
    assert code != 0 and "alert protocol version" in out
    log_since(server, mark, "outcome=failed", "service=imaps", "name=example.org",
              "the client offers only TLS 1.0; the oldest accepted is 1.2")
    assert "security level 0" in policy("oldest=1.0", "cbc=yes")
    for service in ("imaps", "https", "smtp"):
        code, out = s_client(server, service, *old)
        assert code == 0 and agreed(out)[0] == "TLSv1", out
    # Newer clients do not notice.
    assert agreed(s_client(server, "imaps", "-tls1_2", "-cipher", "ALL")[1])[1].endswith(
        "GCM-SHA256")


def test_a_listener_and_a_domain_may_differ(server, policy):
    policy("oldest=1.3", where=("--listener", "imaps"))
    assert s_client(server, "imaps", "-tls1_2")[0] != 0
    assert agreed(s_client(server, "pop3s", "-tls1_2")[1])[0] == "TLSv1.2"
    policy("oldest=1.2", "newest=1.2", where=("--domain", "example.net"))
    assert agreed(s_client(server, "imaps", name="example.net")[1])[0] == "TLSv1.2"
    assert agreed(s_client(server, "imaps")[1])[0] == "TLSv1.3"
    assert agreed(s_client(server, "smtp", name="example.net")[1])[0] == "TLSv1.2"


def test_what_leaves_no_suite_is_refused(server):
    for args, words in [
        (["oldest=1.0"], "no suite is left for TLS 1.0"),
        (["ciphers=NULL-SHA256"], "does not encrypt"),
        (["suites=TLS_NONSENSE"], "suites"),
        (["groups=nonsense"], "groups"),
        (["oldest=1.3", "newest=1.2"], "newer than"),
        (["oldest=1.3", "suites="], None),
    ]:
        r = server.cli("tls", "set", *args, check=False)
        assert r.returncode == (1 if words else 0), (args, r.stdout)
        assert words is None or words in r.stderr, r.stderr
    server.cli("tls", "reset", "oldest", "suites")
    assert agreed(s_client(server, "imaps")[1])[0] == "TLSv1.3"


def sslv2_hello():
    """A ClientHello of TLS 1.0 in the format of SSL 2 (RFC 6101 appendix E.1)."""
    suites = bytes.fromhex("00c013 00c009 000033 00002f".replace(" ", ""))
    body = b"\x01\x03\x01" + len(suites).to_bytes(2, "big") + b"\0\0" + b"\0\x20" + suites + \
        os.urandom(32)
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def test_a_hello_in_the_format_of_ssl_2(server, policy):
    def answer():
        with socket.create_connection(("127.0.0.1", server.port("imaps")), 10) as s:
            s.sendall(sslv2_hello())
            return s.recv(5)
    mark = len(server.log_text())
    assert answer()[0] == 21  # an alert
    log_since(server, mark, "format of SSL 2", "outcome=failed")
    policy("oldest=1.0", "cbc=yes")
    mark = len(server.log_text())
    assert answer()[0] == 21
    log_since(server, mark, "format of SSL 2", "outcome=failed")
    policy("sslv2_hello=yes")
    assert answer()[0] == 22  # ServerHello


def test_the_log_says_why(server, ca):
    def after(action, *words):
        mark = len(server.log_text())
        action()
        return log_since(server, mark, "outcome=failed", *words)

    def raw(data, service="imaps"):
        with socket.create_connection(("127.0.0.1", server.port(service)), 10) as s:
            s.sendall(data)
            s.settimeout(10)
            try:
                s.recv(100)
            except OSError:
                pass

    after(lambda: raw(b"GET / HTTP/1.1\r\n\r\n", "https"), "service=https", "an HTTP request")
    after(lambda: raw(b"a001 CAPABILITY\r\n"), "plain text on a TLS port")
    after(lambda: raw(b""), "peer closed")
    after(lambda: s_client(server, "imaps", "-CAfile", ca[0] / "leaf-ec.pem", "-no-CApath",
                           "-no-CAstore", "-verify_return_error"),
          "the client does not trust our certificate (alert unknown_ca)", "domain=example.org")
    after(lambda: s_client(server, "imaps", "-tls1_2", "-cipher", "AES128-SHA256"),
          "no cipher in common", "TLS_RSA_WITH_AES_128_CBC_SHA256")
    after(lambda: s_client(server, "imaps", "-groups", "P-521"), "no group for the key exchange")
    after(lambda: s_client(server, "imaps", "-alpn", "pop3"), "ALPN")


def test_log_levels(server, policy):
    policy("log=details", where=("--listener", "pop3s"))
    mark = len(server.log_text())
    s_client(server, "pop3s", "-tls1_2")
    line = log_since(server, mark, "outcome=done", "service=pop3s")
    for field in ("version=TLSv1.2", "group=x25519", "domain=example.org", "resumed=0", "offered="):
        assert field in line, line
    policy("log=failures", where=("--listener", "imaps"))
    policy("log=off", where=("--listener", "submissions"))
    mark = len(server.log_text())
    s_client(server, "imaps")
    s_client(server, "submissions", "-tls1_1")
    s_client(server, "imaps", "-tls1_1")
    log_since(server, mark, "service=imaps", "outcome=failed")
    assert "outcome=done" not in "".join(
        x for x in server.log_text()[mark:].splitlines() if "tls.handshake" in x)
    assert "service=submissions tls.handshake" not in server.log_text()[mark:]


def shown(server, service, name, address="127.0.0.1"):
    context = server.context()
    with socket.create_connection((address, server.port(service)), 20) as s:
        with context.wrap_socket(s, server_hostname=name) as t:
            der = t.getpeercert(binary_form=True)
    _, out = run_der(der)
    return out


def run_der(der):
    r = subprocess.run(["openssl", "x509", "-inform", "DER", "-noout", "-subject", "-issuer",
                        "-startdate", "-enddate", "-serial"], input=der, capture_output=True)
    return r.returncode, r.stdout.decode()


def test_pki_modes(server):
    net = shown(server, "imaps", "example.net")
    assert "subject=CN = example.net" in net
    server.cli("domain", "set", "example.net", "pki=test")
    test = shown(server, "imaps", "example.net")
    assert "subject=CN = example.org" in test and "issuer=CN = Signet Test CA" in test
    days = [datetime.datetime.strptime(m, "%b %d %H:%M:%S %Y GMT")
            for m in re.findall(r"not(?:Before|After)=(.*)", test)]
    assert (days[1] - days[0]).days == 30
    assert shown(server, "https", "example.net") == test
    # A new one at each start, the domain's own comes back with the mode.
    server.stop()
    server.start()
    again = shown(server, "imaps", "example.net")
    assert "Signet Test CA" in again and again != test
    server.cli("domain", "set", "example.net", "pki=disabled")
    for service in (*DIRECT, *STARTTLS):
        code, out = s_client(server, service, name="example.net")
        assert code != 0 and "unrecognized name" in out, (service, out)
        assert s_client(server, service)[0] == 0
    code, out = run("openssl", "s_client", "-connect", f"127.0.0.1:{server.port('imaps')}",
                    "-noservername", "-brief")
    assert code == 0 and "CN = example.org" in out
    server.cli("domain", "set", "example.net", "pki=enabled")
    assert shown(server, "imaps", "example.net") == net


def test_the_main_domain_keeps_a_certificate(server):
    r = server.cli("domain", "set", "example.org", "pki=disabled", check=False)
    assert r.returncode == 1 and "main domain" in r.stderr
    server.cli("domain", "add", "bare.example")
    r = server.cli("domain", "set", "bare.example", "main=yes", check=False)
    assert r.returncode == 1 and "no certificate" in r.stderr
    # Served under the main domain's certificate, which is what a domain without one had before.
    assert "CN = example.org" in shown(server, "imaps", "bare.example")
    server.cli("domain", "remove", "bare.example")


def test_addresses_of_domains():
    s = make_server(args=["--listen", "127.0.0.2"]).start()
    try:
        s.cli("domain", "add", "example.net")
        s.cli("key", "generate", "example.net")
        s.cli("cert", "self-sign", "example.net")
        s.cli("domain", "set", "example.net", "addresses=127.0.0.2")

        def names(name, address):
            return "example.net" if "CN = example.net" in shown(s, "imaps", name, address) else \
                "example.org"
        assert names(None, "127.0.0.1") == "example.org"
        assert names(None, "127.0.0.2") == "example.net"
        assert names("unknown.example", "127.0.0.2") == "example.net"
        assert names("example.org", "127.0.0.2") == "example.org"
        assert names("example.net", "127.0.0.1") == "example.net"
        s.cli("tls", "set", "sni=no")
        assert names("example.org", "127.0.0.2") == "example.net"
        assert names("example.net", "127.0.0.1") == "example.org"
        s.cli("tls", "reset", "sni")
        r = s.cli("domain", "set", "example.org", "addresses=127.0.0.2", check=False)
        assert r.returncode == 1 and "another domain" in r.stderr
        s.cli("domain", "set", "example.net", "pki=disabled")
        assert names(None, "127.0.0.2") == "example.org"
    finally:
        finish(s)


def test_probe(server, policy):
    ports = json.loads(server.cli("--json", "tls", "probe", "example.org").stdout)["ports"]
    assert {p["service"] for p in ports} == {*DIRECT, *STARTTLS}
    for p in ports:
        assert p["tcp"] and p["tls"] and p["resumption"] and not p["asks_client"], p
        assert p["versions"] == ["1.2", "1.3"] and p["group"] == "x25519"
        assert p["certificate"]["active"] and p["certificate"]["covers"]
        assert ("starttls" in p) == (p["service"] in STARTTLS)
    assert {p["service"]: p.get("alpn") for p in ports} == {
        "smtp": None, "submission": None, "submissions": None, "imap": "imap", "imaps": "imap",
        "pop3": "pop3", "pop3s": "pop3", "https": "http/1.1"}
    policy("oldest=1.3", "tickets=no", where=("--domain", "example.net"))
    table = server.cli("tls", "probe", "example.net").stdout
    assert table.count("no resumption") == 8 and "1.2" not in table.replace("127.", "")
    assert server.cli("tls", "probe", "nobody.example", check=False).returncode == 1


def test_policies_come_from_somewhere(server, policy):
    def values(*where):
        answer = json.loads(server.cli("--json", "tls", "show", *where).stdout)
        return {s["key"]: (s["value"], s["source"]) for s in answer["settings"]}
    assert values()["oldest"] == ("1.2", "default")
    policy("session_lifetime=1h")
    policy("session_lifetime=2h", where=("--listener", "imaps"))
    policy("session_lifetime=3h", where=("--domain", "example.net"))
    assert values()["session_lifetime"] == ("3600", "server")
    assert values("--listener", "imaps")["session_lifetime"] == ("7200", "listener")
    assert values("--listener", "imap")["session_lifetime"] == ("3600", "server")
    both = values("--listener", "imaps", "--domain", "example.net")
    assert both["session_lifetime"] == ("10800", "domain") and both["oldest"][1] == "default"


@pytest.mark.skipif(SANITIZED, reason="scanners are for the ordinary build")
@pytest.mark.parametrize("service", ["https", "imaps", "smtp"])
def test_testssl_finds_nothing_above_low(server, ca, service, tmp_path):
    testssl = need("testssl")
    starttls = ["--starttls", STARTTLS[service]] if service in STARTTLS else []
    out = tmp_path / "findings.json"
    _, text = run(testssl, "--quiet", "--color", "0", "--warnings", "batch", "--add-ca", ca[1][1],
                  "--ip", "127.0.0.1", "--jsonfile", out, "--protocols", "--std",
                  "--server-defaults", "--server-preference", "--vulnerable", *starttls,
                  f"example.org:{server.port(service)}", timeout=500)
    findings = json.loads(out.read_text())
    seen = {f["id"].split()[0]: f["finding"] for f in findings}
    assert "offered" in seen["TLS1_3"] and "not vulnerable" in seen["heartbleed"], text
    assert seen["cert_chain_of_trust"] == "passed." and seen["TLS1"] == "not offered", text
    bad = [f for f in findings if f["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")]
    assert not bad, bad


@pytest.mark.skipif(SANITIZED, reason="scanners are for the ordinary build")
@pytest.mark.parametrize("service", ["https", "imaps", "smtp"])
def test_sslscan(server, service):
    sslscan = need("sslscan")
    starttls = [f"--starttls-{STARTTLS[service]}"] if service in STARTTLS else []
    _, out = run(sslscan, "--no-colour", "--sni-name=example.org", *starttls,
                 f"127.0.0.1:{server.port(service)}", timeout=120)
    for version in ("SSLv2", "SSLv3", "TLSv1.0", "TLSv1.1"):
        assert re.search(rf"{version}\s+disabled", out), out
    for version in ("TLSv1.2", "TLSv1.3"):
        assert re.search(rf"{version}\s+enabled", out), out
    accepted = re.findall(r"(?:Accepted|Preferred)\s+\S+\s+\d+ bits\s+(\S+)", out)
    assert accepted and not [c for c in accepted if "CBC" in c or c.endswith("-SHA")], accepted
    assert "Compression enabled" not in out and "not supported" in out, out
