# SPDX-License-Identifier: Apache-2.0
"""Certificates from authorities: against Pebble for the protocol, and against a small authority of our
own for renewal information and for answers that none should give."""
import base64
import datetime
import imaplib
import json
import os
import socket
import sqlite3
import ssl
import time
import urllib.error
import urllib.request

import pytest
from cryptography import x509

from acme_server import Pebble, Stub, make_cert, pem
from conftest import DOMAIN, finish, make_server, need

HOOK = """#!/bin/sh
# deploy|clean DOMAIN RECORD VALUE
set -e
echo "$*" >> {log}
case $1 in
deploy) what=set-txt body="{{\\"host\\":\\"$3.\\",\\"value\\":\\"$4\\"}}" ;;
clean) what=clear-txt body="{{\\"host\\":\\"$3.\\"}}" ;;
esac
curl -fsS -d "$body" http://127.0.0.1:{management}/$what
"""


def order(server, *args, wait=True, check=True):
    return server.cli("acme", "order", DOMAIN, *args, *(["--wait"] if wait else []), check=check)


def status(server, domain=DOMAIN):
    return json.loads(server.cli("--json", "acme", "status", domain).stdout)["orders"]


def until(condition, what, seconds=30):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def shown(server, service="imaps", name=DOMAIN, ciphers=None, alpn=None):
    """The certificate that a port shows."""
    context = server.context()
    if ciphers:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(ciphers)
    if alpn:
        context.set_alpn_protocols(alpn)
    with socket.create_connection(("127.0.0.1", server.port(service)), timeout=10) as s:
        with context.wrap_socket(s, server_hostname=name) as t:
            return x509.load_der_x509_certificate(t.getpeercert(True))


def names_of(cert):
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return sorted(names.get_values_for_type(x509.DNSName))


def issuer_of(cert):
    return cert.issuer.rfc4514_string()


@pytest.fixture
def server():
    s = make_server()
    yield s
    finish(s)


@pytest.fixture
def pebble(server):
    authority = Pebble(server).start()
    yield authority
    authority.stop()


@pytest.fixture
def stub():
    authority = Stub().start()
    yield authority
    authority.stop()


def use(server, authority, *args):
    ca = authority.ca if isinstance(authority, Pebble) else authority.ca_file
    server.cli("acme", "account", "set", "--directory", authority.directory, "--ca", ca, "--agree",
               *args)


def with_hook(server, pebble):
    """The program for DNS records, where its user can reach it."""
    need("curl")
    log, program = server.folder / "hook.log", server.folder / "hook"
    log.touch()
    os.chmod(log, 0o666)
    program.write_text(HOOK.format(log=log, management=pebble.management))
    os.chmod(program, 0o755)
    server.args += ["--acme-hook", str(program)]
    return log


def test_http_01(server, pebble):
    server.start()
    server.cli("alias", "add", "mail." + DOMAIN, DOMAIN)
    before = shown(server)
    use(server, pebble, "--contact", "postmaster@" + DOMAIN)
    order(server)
    cert = shown(server)
    assert "Pebble" in issuer_of(cert) and cert != before
    assert names_of(cert) == [DOMAIN, "mail." + DOMAIN]
    assert shown(server, "https", "mail." + DOMAIN) == cert
    [row] = status(server)
    assert row["next"] == "renew" and row["failures"] == 0 and row["last_error"] is None
    # At about two thirds of its life.
    life = cert.not_valid_after - cert.not_valid_before
    at = datetime.datetime.strptime(row["at"], "%Y-%m-%dT%H:%M:%SZ") - cert.not_valid_before
    assert life * 0.6 < at < life * 0.67
    assert check_row(server, "renewal") == ("ok", "by itself, planned for " + row["at"])
    account = json.loads(server.cli("--json", "acme", "account", "show").stdout)
    assert account["url"].startswith(pebble.directory[:-3])
    assert account["contact"] == ["postmaster@" + DOMAIN]
    # Nothing is left that an authority could still ask for.
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{server.port('http')}/.well-known/acme-challenge/x")
    assert "tag=ACME certificate.installed" in server.log_text()


def test_tls_alpn_01(server, pebble):
    server.start()
    use(server, pebble)
    order(server, "--challenge", "tls-alpn-01", "--names", f"{DOMAIN},www.{DOMAIN}")
    cert = shown(server)
    assert "Pebble" in issuer_of(cert) and names_of(cert) == [DOMAIN, "www." + DOMAIN]
    # Whoever asks for a challenge that nobody waits for gets no answer at all.
    with pytest.raises(ssl.SSLError):
        shown(server, "https", alpn=["acme-tls/1"])


def test_dns_01_and_wildcard(server, pebble):
    log = with_hook(server, pebble)
    server.start()
    use(server, pebble)
    order(server, "--names", f"{DOMAIN},*.{DOMAIN},mail.example.net")
    cert = shown(server)
    assert names_of(cert) == ["*." + DOMAIN, DOMAIN, "mail.example.net"]
    calls = [line.split() for line in log.read_text().splitlines()]
    deployed = sorted(c[1:] for c in calls if c[0] == "deploy")
    # Two values at one name, for the name and its wildcard; all were taken away again.
    assert len(deployed) == 3 and len({c[2] for c in deployed}) == 3
    assert sorted(c[1:] for c in calls if c[0] == "clean") == deployed
    assert {c[1] for c in deployed} == {"_acme-challenge." + DOMAIN, "_acme-challenge.mail.example.net"}


def test_dns_program_fails(server, pebble):
    log = with_hook(server, pebble)
    server.start()
    use(server, pebble)
    (server.folder / "hook").write_text("#!/bin/sh\necho the zone is locked >&2\nexit 3\n")
    r = order(server, "--challenge", "dns-01", check=False)
    assert r.returncode == 1 and "code 3: the zone is locked" in r.stderr
    # What the start allowed may have changed hands since.
    os.chmod(server.folder / "hook", 0o777)
    r = server.cli("acme", "renew", DOMAIN, "--wait", check=False)
    assert r.returncode == 1 and "writable by nobody else" in r.stderr
    assert log.read_text() == ""


def test_hook_is_refused_at_start(server):
    program = server.folder / "hook"
    program.write_text("#!/bin/sh\n")
    os.chmod(program, 0o757)
    server.args += ["--acme-hook", str(program)]
    with pytest.raises(RuntimeError, match="writable by nobody else"):
        server.start()
    server.args[-1] = "hook"
    with pytest.raises(RuntimeError, match="absolute path"):
        server.start()


def test_external_account(server):
    keys = {"kid-1": "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"}
    pebble = Pebble(server, binding=keys).start()
    try:
        server.start()
        use(server, pebble)
        r = order(server, check=False)
        assert r.returncode == 1 and "--eab-kid" in r.stderr
        secret = server.folder / "eab"
        secret.write_text(keys["kid-1"][:-4] + "AAAA\n")
        use(server, pebble, "--eab-kid", "kid-1", "--eab-key", str(secret))
        assert order(server, check=False).returncode == 1
        secret.write_text(keys["kid-1"] + "\n")
        use(server, pebble, "--eab-kid", "kid-1", "--eab-key", str(secret))
        order(server)
        assert "Pebble" in issuer_of(shown(server))
        assert keys["kid-1"] not in server.log_text()
        assert keys["kid-1"] not in server.cli("--json", "acme", "account", "show").stdout
    finally:
        pebble.stop()


def test_bad_nonces(server):
    pebble = Pebble(server, reject=60).start()
    try:
        server.start()
        use(server, pebble)
        order(server)
        assert "Pebble" in issuer_of(shown(server))
        assert "badNonce" in pebble.log() or "nonce" in pebble.log().lower()
    finally:
        pebble.stop()


def test_both_kinds_of_keys(server, pebble):
    server.start()
    use(server, pebble)
    # Both prove the same name: one after the other.
    order(server, "--key", "ec:p256,rsa:2048", "--challenge", "tls-alpn-01")
    ec = shown(server, ciphers="ECDHE-ECDSA-AES128-GCM-SHA256")
    rsa = shown(server, ciphers="ECDHE-RSA-AES128-GCM-SHA256")
    assert "Pebble" in issuer_of(ec) and "Pebble" in issuer_of(rsa) and ec != rsa
    assert [row["type"] for row in status(server)] == ["ec:p256", "rsa:2048"]


def test_renewal_under_a_live_connection(server, pebble):
    server.start()
    use(server, pebble)
    order(server)
    first = shown(server)
    imap = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=server.context())
    server.cli("acme", "renew", DOMAIN, "--wait")
    second = shown(server)
    assert second != first and second.public_key() != first.public_key()
    # The connection of before is not disturbed.
    imap.login("postmaster@" + DOMAIN, server.admin_password)
    assert imap.select()[0] == "OK"
    imap.logout()
    certs = json.loads(server.cli("--json", "cert", "list", DOMAIN).stdout)["certificates"]
    assert sorted(c["services"] for c in certs) == ["", "", "all"]
    # Services that were taken away from it are not taken back.
    for cert in certs:
        if cert["services"] == "all":
            server.cli("cert", "activate", DOMAIN, cert["alias"], "--service", "imap")
    server.cli("acme", "renew", DOMAIN, "--wait")
    certs = json.loads(server.cli("--json", "cert", "list", DOMAIN).stdout)["certificates"]
    assert sorted(c["services"] for c in certs) == ["", "", "", "imap"]


def test_removed_by_hand(server, pebble):
    """The next one takes nothing away from what was put in its place."""
    server.start()
    use(server, pebble)
    order(server)
    certs = json.loads(server.cli("--json", "cert", "list", DOMAIN).stdout)["certificates"]
    [ordered] = [c["alias"] for c in certs if c["services"] == "all"]
    [own] = [c["alias"] for c in certs if c["services"] == ""]
    file = server.folder / "own.pem"
    server.cli("cert", "export", DOMAIN, own, "-o", str(file))
    r = server.cli("cert", "renew", DOMAIN, str(file), ordered, check=False)
    assert r.returncode == 1 and "renews by itself" in r.stderr
    server.cli("cert", "activate", DOMAIN, own, "--service", "imap,http")
    server.cli("cert", "remove", DOMAIN, ordered)
    for _ in range(2):
        server.cli("acme", "renew", DOMAIN, "--wait")
        certs = json.loads(server.cli("--json", "cert", "list", DOMAIN).stdout)["certificates"]
        assert {c["services"] for c in certs if c["alias"] == own} == {"imap,http"}
        assert [c["services"] for c in certs if c["services"] and c["alias"] != own] == \
            ["smtp,pop3"]


def test_restart_in_the_middle(server, pebble):
    log = with_hook(server, pebble)
    program = server.folder / "hook"
    quick = program.read_text()
    program.write_text(quick.replace("set -e", "set -e\necho began >&2\nsleep 30"))
    server.start()
    use(server, pebble)
    order(server, "--challenge", "dns-01", wait=False)
    until(lambda: status(server)[0]["next"] == "continue", "an order at the authority")
    server.kill()
    assert log.read_text() == ""
    program.write_text(quick)
    server.start()
    until(lambda: status(server)[0]["next"] == "renew", "the order goes on by itself")
    assert "Pebble" in issuer_of(shown(server))
    # One order, not two; what it laid out was taken away.
    assert [line.split()[0] for line in log.read_text().splitlines()] == ["deploy", "clean"]
    assert server.log_text().count("order.made") == 1


def test_account_that_the_authority_forgot(server, pebble):
    server.start()
    use(server, pebble)
    order(server)
    first = shown(server)
    # Pebble keeps everything in memory.
    pebble.stop_authority()
    pebble.start_authority()
    server.cli("acme", "renew", DOMAIN, "--wait")
    assert shown(server) != first


def inbox(server, text="No new certificate"):
    imap = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=server.context())
    imap.login("postmaster@" + DOMAIN, server.admin_password)
    imap.select()
    found = []
    for number in imap.search(None, "ALL")[1][0].split():
        found.append(imap.fetch(number, "(BODY.PEEK[])")[1][0][1].decode())
    imap.logout()
    return [m for m in found if text in m]


def test_failure_is_told_once(server, pebble):
    server.start()
    use(server, pebble)
    # Where nobody listens.
    pebble.point(DOMAIN, "127.0.0.9")
    before = shown(server)
    r = order(server, check=False)
    assert r.returncode == 1 and DOMAIN in r.stderr
    [message] = inbox(server)
    assert f"To: <postmaster@{DOMAIN}>" in message and f"signet acme renew {DOMAIN}" in message
    assert pebble.directory in message
    assert shown(server) == before
    [row] = status(server)
    assert row["failures"] == 1 and row["next"] == "order" and row["last_error"]
    wait = datetime.datetime.strptime(row["at"], "%Y-%m-%dT%H:%M:%SZ") - datetime.datetime.utcnow()
    assert datetime.timedelta(minutes=4) < wait < datetime.timedelta(minutes=7)
    # The second failure of the day is not told again.
    assert server.cli("acme", "renew", DOMAIN, "--wait", check=False).returncode == 1
    assert len(inbox(server)) == 1
    metrics = urllib.request.urlopen(f"http://127.0.0.1:{server.port('http')}/metrics").read().decode()
    assert "signet_acme_failures_total 2" in metrics


def test_what_is_refused(server, pebble):
    server.start()
    r = order(server, check=False)
    assert r.returncode == 1 and "acme account set" in r.stderr
    for args, word in ((("--directory", "http://127.0.0.1/dir"), "https"),
                       (("--directory", "file:///etc/passwd"), "https"),
                       (("--contact", "nobody"), "contact"),
                       (("--eab-kid", "x"), "identifier and a key")):
        r = server.cli("acme", "account", "set", "--directory", pebble.directory, *args, check=False)
        assert r.returncode == 1 and word in r.stderr, args
    use(server, pebble)
    server.cli("domain", "add", "example.net")
    for args, word in ((("--names", "*." + DOMAIN), "--acme-hook"),
                       (("--names", "*." + DOMAIN, "--challenge", "http-01"), "dns-01 only"),
                       (("--challenge", "dns-01"), "--acme-hook"),
                       (("--names", "example.net"), "another domain"),
                       (("--names", "192.0.2.1"), "domain name"),
                       (("--names", "a b"), "domain name"),
                       (("--key", "ed25519"), "ec:p256"),
                       (("--challenge", "dns-02"), "dns-01")):
        r = order(server, *args, wait=False, check=False)
        code = 2 if args[1] in ("ed25519", "dns-02") else 1  # not in the list of choices
        assert r.returncode == code and word in r.stderr, (args, r.stderr)
    assert status(server) == []
    # Whom the directory's certificate comes from is looked at.
    server.cli("acme", "account", "remove")
    server.cli("acme", "account", "set", "--directory", pebble.directory, "--agree")
    r = order(server, check=False)
    assert r.returncode == 1 and "certificate" in r.stderr
    server.cli("acme", "stop", DOMAIN)
    assert status(server) == []


def test_own_account_of_a_domain(server, pebble, stub):
    server.start()
    server.cli("domain", "add", "example.net")
    use(server, pebble)
    server.cli("acme", "account", "set", "example.net", "--directory", stub.directory, "--ca",
               str(stub.ca_file))
    server.cli("acme", "order", "example.net", "--wait")
    order(server)
    assert "Stub CA" in issuer_of(shown(server, name="example.net"))
    assert "Pebble" in issuer_of(shown(server))
    of = json.loads(server.cli("--json", "acme", "account", "show", "example.net").stdout)["of"]
    assert of == "domain"


def days(n):
    return datetime.datetime.utcnow() + datetime.timedelta(days=n)


def test_renewal_information(server, stub):
    stub.window = days(20), days(21)
    stub.retry_after = 3600
    server.start()
    use(server, stub)
    order(server)
    until(lambda: stub.asked, "the authority is asked")
    until(lambda: status(server)[0]["advice"] is not None, "its answer is kept")
    cert = stub.certs[0]
    aki = cert.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    serial = cert.serial_number.to_bytes(cert.serial_number.bit_length() // 8 + 1, "big")
    expected = ".".join(base64.urlsafe_b64encode(b).rstrip(b"=").decode() for b in (aki, serial))
    assert stub.asked == [expected]

    def at(field):
        value = status(server)[0][field]
        return datetime.datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")

    until(lambda: days(19) < at("at") < days(22), "the window is kept to")
    assert days(20) - datetime.timedelta(minutes=1) <= at("at") <= days(21)
    # Retry-After, and no more than one question until then.
    assert abs(at("advice") - datetime.datetime.utcnow() - datetime.timedelta(hours=1)) < \
        datetime.timedelta(minutes=1)
    assert len(stub.certs) == 1


def test_window_in_the_past_renews_now(server, stub):
    old = []

    def window(which):
        if not old:
            old.append(which)
        return (days(-2), days(-1)) if which == old[0] else (days(30), days(31))

    stub.window = window
    server.start()
    use(server, stub)
    order(server)
    until(lambda: len(stub.certs) == 2, "it is renewed at once")
    until(lambda: status(server)[0]["next"] == "renew" and len(stub.asked) == 2, "and then is quiet")
    assert shown(server) == stub.certs[1]
    assert stub.orders[1]["replaces"] == old[0] and "replaces" not in stub.orders[0]


def test_window_that_is_always_past(server, stub):
    """An authority must not be able to keep us busy."""
    stub.window = days(-2), days(-1)
    server.start()
    use(server, stub)
    order(server)
    until(lambda: len(stub.certs) >= 3, "renewals")
    until(lambda: status(server)[0]["next"] == "renew", "quiet")
    time.sleep(3)
    assert len(stub.certs) == 3
    at = datetime.datetime.strptime(status(server)[0]["at"], "%Y-%m-%dT%H:%M:%SZ")
    assert at > datetime.datetime.utcnow() + datetime.timedelta(hours=20)


def problem(kind, detail, status_code=400, **headers):
    return status_code, headers, {"type": "urn:ietf:params:acme:error:" + kind, "detail": detail}


def authorization(stub, status):
    """What the authority says of the domain's name, by tls-alpn-01."""
    return 200, {}, {"status": status, "identifier": {"type": "dns", "value": DOMAIN},
                     "challenges": [{"type": "tls-alpn-01", "url": stub.url + "/challenge/0", "status": status,
                                     "token": "a" * 43}]}


def test_proof_that_cannot_be_shown(server, stub):
    """tls-alpn-01 is proved by the key of the order. Where somebody removed that meanwhile, the order ends and says
    so, what it had laid out is taken away, and the next one has another key."""
    server.start()
    use(server, stub)
    before = shown(server)
    stub.answers = {"/order/0": (200, {}, {"status": "pending", "authorizations": [stub.url + "/authorization/0"],
                                           "finalize": stub.url + "/finalize/0"}),
                    "/authorization/0": authorization(stub, "pending"),
                    "/challenge/0": (200, {}, {"type": "tls-alpn-01", "url": stub.url + "/challenge/0",
                                               "status": "processing", "token": "a" * 43})}
    order(server, "--challenge", "tls-alpn-01", wait=False)
    until(lambda: ("POST", "/challenge/0", {}) in stub.requests, "the authority is told to look")
    assert shown(server, "https", alpn=["acme-tls/1"]) != before
    server.kill()
    with sqlite3.connect(server.data / "store" / "signet.db") as db:
        [(key,)] = db.execute("select tls_key from acme_order")
        assert db.execute("select count(*) from acme_proof").fetchone() == (1,)
        db.execute("pragma foreign_keys = on")
        db.execute("delete from tls_key where id = ?", (key,))
    db.close()
    server.start()
    until(lambda: status(server)[0]["failures"] == 1, "the order gives up")
    [row] = status(server)
    assert row["last_error"] == "the key that was made for the order is gone" and row["next"] == "order"
    [message] = inbox(server)
    assert "Trouble:     the key that was made for the order is gone" in message
    assert shown(server) == before
    with pytest.raises(ssl.SSLError):
        shown(server, "https", alpn=["acme-tls/1"])
    with sqlite3.connect(f"file:{server.data}/store/signet.db?mode=ro", uri=True) as db:
        assert db.execute("select count(*) from acme_proof").fetchone() == (0,)
    db.close()
    stub.answers = {}
    server.cli("acme", "renew", DOMAIN, "--wait")
    assert "Stub CA" in issuer_of(shown(server)) and status(server)[0]["failures"] == 0


def test_short_life(server, stub):
    """A certificate that lives for hours is warned of only if it is not renewed."""
    stub.life = datetime.timedelta(hours=20)
    server.start()
    use(server, stub)
    order(server)
    assert server.stop() == 0
    server.start()
    time.sleep(3)
    assert "certificate.expires" not in server.log_text()
    stub.answers["/new-order"] = problem("unauthorized", "not any more", 403)
    assert server.cli("acme", "renew", DOMAIN, "--wait", check=False).returncode == 1
    assert server.stop() == 0
    server.start()
    until(lambda: "certificate.expires" in server.log_text(), "a warning")
    assert "kind=renewal" in server.log_text()
    [message] = inbox(server, "expires in 19 hours")
    assert "unauthorized: not any more" in message


def check_row(server, name):
    rows = json.loads(server.cli("--json", "cert", "check", DOMAIN, check=False).stdout)
    [row] = [row for row in rows["checks"] if row["check"] == name]
    return row["result"], row["text"]


def test_rate_limit_is_kept_to(server, stub):
    server.start()
    use(server, stub)
    stub.answers["/new-order"] = problem("rateLimited", "too many", 429, **{"Retry-After": 7200})
    r = order(server, check=False)
    assert r.returncode == 1 and "rateLimited: too many" in r.stderr
    stub.answers = {}
    order(server)
    stub.answers["/new-order"] = problem("rateLimited", "too many", 429, **{"Retry-After": 7200})
    assert server.cli("acme", "renew", DOMAIN, "--wait", check=False).returncode == 1
    result, text = check_row(server, "renewal")
    assert result == "warning" and "failed 1 times" in text and "rateLimited" in text
    at = datetime.datetime.strptime(status(server)[0]["at"], "%Y-%m-%dT%H:%M:%SZ")
    assert abs(at - datetime.datetime.utcnow() - datetime.timedelta(hours=2)) < \
        datetime.timedelta(minutes=2)


def chain_of(stub, names, key=None):
    """A certificate that was not asked for."""
    from cryptography.hazmat.primitives.asymmetric import ec
    key = key or ec.generate_private_key(ec.SECP256R1())
    return pem(make_cert("x", key, stub.ca, stub.ca_key, [x509.DNSName(n) for n in names]))


def test_hostile_answers(server, stub):
    """What no authority should say is refused in words, and nothing of it is put to use."""
    server.start()
    use(server, stub)
    before = shown(server)
    ok = {"status": "ready", "authorizations": [stub.url + "/authorization/0"],
          "finalize": stub.url + "/finalize/0"}
    valid = dict(ok, status="valid", certificate=stub.url + "/certificate/0")
    other = "https://192.0.2.1/"
    rows = [
        ({"/dir": (200, {}, "<html>")}, "not ACME"),
        ({"/dir": (200, {}, b"{" + b" " * 300000)}, "larger than it may be"),
        ({"/dir": (302, {"Location": stub.url + "/nonce"}, b"")}, "status 302"),
        ({"/dir": (200, {}, {"newNonce": "http://127.0.0.1/", "newAccount": stub.url + "/a",
                             "newOrder": stub.url + "/o"})}, "not ACME"),
        # Into the network behind us, by an address that is not the directory's own.
        ({"/dir": (200, {}, {"newAccount": f"https://127.0.0.1:{server.port('https')}/",
                             "newNonce": stub.url + "/nonce", "newOrder": stub.url + "/o"})},
         "not a public address"),
        ({"/new-order": (201, {"Location": other}, dict(ok, status="done"))}, "not ACME"),
        ({"/new-order": (201, {}, ok)}, "did not say where"),
        ({"/new-order": (201, {"Location": other}, ok)}, "not a public address"),
        ({"/new-order": (500, {}, b"\x00\xff")}, "status 500"),
        ({"/order/0": (200, {}, valid), "/certificate/0": (200, {}, "no PEM")}, "cannot be read"),
        ({"/order/0": (200, {}, valid), "/certificate/0": (200, {}, b"x" * 600000)},
         "larger than it may be"),
        ({"/order/0": (200, {}, valid), "/certificate/0": (200, {}, chain_of(stub, [DOMAIN]))},
         "another key"),
        ({"/order/0": (200, {}, dict(ok, status="pending")), "/authorization/0": (200, {}, {
            "status": "pending", "identifier": {"type": "dns", "value": "victim.example"},
            "challenges": [{"type": "http-01", "url": stub.url + "/c", "status": "pending",
                            "token": "a" * 43}]})}, "not ordered"),
        ({"/order/0": (200, {}, dict(ok, status="pending")), "/authorization/0": (200, {}, {
            "status": "pending", "identifier": {"type": "dns", "value": DOMAIN},
            "challenges": [{"type": "http-01", "url": stub.url + "/c", "status": "pending",
                            "token": "../../../../../etc/passwd"}]})}, "not ACME"),
        ({"/order/0": (200, {}, "[]")}, "not ACME"),
        ({"/order/0": (200, {}, dict(ok, status="invalid", error={
            "type": "urn:ietf:params:acme:error:caa", "detail": "CAA\r\nforbids"}))},
         "caa: CAA??forbids"),
    ]
    for answers, word in rows:
        stub.orders.clear()
        # The first order may have failed already when "renew" asks for the second.
        stub.answers = {path.replace("/0", f"/{n}"): a for path, a in answers.items() for n in range(5)}
        order(server, wait=False)
        r = server.cli("acme", "renew", DOMAIN, "--wait", check=False)
        assert r.returncode == 1 and word in r.stderr, (answers, r.stderr)
        assert shown(server) == before
        server.cli("acme", "stop", DOMAIN)
        server.cli("acme", "account", "remove")
        use(server, stub)
    stub.answers = {}
    stub.orders.clear()
    order(server)
    assert "Stub CA" in issuer_of(shown(server))
