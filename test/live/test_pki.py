# SPDX-License-Identifier: Apache-2.0
"""A domain's keys, requests, certificates, chains and trust, from the command line and the API, with
files made by others. Named after the rows of the requirements where there is one."""
import base64
import itertools
import json
import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from authority import Authority, days, key_pem, make_key, now
from conftest import ROOT, finish, make_server, need, vectors
from cryptography import x509
from test_cli import refused, rows

SECRET = "a file's password"
NUMBERS = itertools.count()


@pytest.fixture(scope="module")
def server():
    server = make_server().start()
    server.cli("alias", "add", "mail.example.org", "example.org")
    yield server
    finish(server)


@pytest.fixture(scope="module")
def root(server):
    """An authority that the server trusts, with an intermediate."""
    root = Authority("Company Root")
    file = server.folder / "root.pem"
    file.write_text(root.pem)
    server.cli("trust", "add", str(file))
    return root


@pytest.fixture(scope="module")
def intermediate(root):
    return Authority("Company Issuer", issuer=root)


@pytest.fixture
def domain(server, request):
    """A domain of the test's own, with a key."""
    name = re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:40].strip("-")
    name += f"-{next(NUMBERS)}.example"
    server.cli("domain", "add", name)
    server.cli("key", "generate", name, "--alias", "own")
    return name


def write(server, name, content):
    path = server.folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    return str(path)


def answer(server, *args):
    return json.loads(server.cli("--json", *args).stdout)


def password_file(server, text=SECRET):
    path = write(server, "password", text + "\n")
    os.chmod(path, 0o600)
    return path


def shown(server, name, service="imaps", trust=None, algorithms=None):
    """The chain a client that asks for the name is shown, by openssl; and whether it verifies."""
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port(service)}",
               "-servername", name, "-showcerts", "-verify_hostname", name]
    command += ["-CAfile", trust] if trust else []
    command += ["-sigalgs", algorithms] if algorithms else []
    r = subprocess.run(command, input="", capture_output=True, text=True, timeout=30)
    blocks = r.stdout.split("-----BEGIN CERTIFICATE-----")[1:]
    chain = [x509.load_pem_x509_certificate(
        ("-----BEGIN CERTIFICATE-----" + b.split("-----END")[0] +
         "-----END CERTIFICATE-----\n").encode()) for b in blocks]
    return chain, "Verify return code: 0 (ok)" in r.stdout


def install(server, domain, issuer, *args, **kwargs):
    """Asks the issuer for a certificate of the domain, installs it; what was issued."""
    csr = server.folder / f"{domain}.csr"
    server.cli("request", "create", domain, "-o", str(csr))
    issued = issuer.issue(request=csr.read_bytes(), **kwargs)
    server.cli("cert", "install", domain, write(server, "answer.pem", issued.chain_pem()), *args)
    return issued


# Keys

@pytest.mark.parametrize("kind", ["rsa:2048", "rsa:3072", "ec:p256", "ec:p384", "ed25519"])
def test_cgp_8_generate(server, domain, kind):
    key = answer(server, "key", "generate", domain, "--type", kind)
    assert key["type"] == kind
    server.cli("cert", "self-sign", domain, "--key", key["alias"])
    assert shown(server, domain)[0][0].public_key() is not None


@pytest.mark.parametrize("kind,form,says", [
    ("rsa:2048", "traditional", "RSA PRIVATE KEY"), ("rsa:4096", "pkcs8", "PRIVATE KEY"),
    ("ec", "traditional", "EC PRIVATE KEY"), ("ec", "pkcs8", "PRIVATE KEY"),
    ("ed25519", "pkcs8", "PRIVATE KEY")])
def test_cgp_10_import(server, domain, kind, form, says):
    key = make_key(kind)
    pem = key_pem(key, form)
    assert says in pem
    server.cli("key", "import", domain, write(server, "key.pem", pem), "--alias", "brought")
    assert "Verification String is OK" in server.cli("key", "test", domain, "brought").stdout
    server.cli("cert", "self-sign", domain, "--key", "brought")
    assert shown(server, domain)[0][0].public_key().public_numbers() == \
        key.public_key().public_numbers() if kind != "ed25519" else True
    assert "has this key already: brought" in refused(
        server, "key", "import", domain, write(server, "key.pem", pem))


@pytest.mark.parametrize("form", ["pkcs8", "traditional"])
def test_cgp_11_encrypted_key_is_refused_without_its_passphrase(server, domain, form):
    file = write(server, "sealed.pem", key_pem(make_key("rsa:2048"), form, password="secret"))
    text = pathlib.Path(file).read_text()
    assert "ENCRYPTED" in text
    line = refused(server, "key", "import", domain, file)
    assert "the private key in the file is encrypted" in line and "--passphrase-file F" in line
    wrong = password_file(server, "wrong")
    assert "passphrase is wrong" in refused(server, "key", "import", domain, file,
                                            "--passphrase-file", wrong)
    right = password_file(server, "secret")
    server.cli("key", "import", domain, file, "--passphrase-file", right)


def test_keys_of_others(server, domain):
    """Of the kinds that clients cannot use for TLS, or must not, none gets in; and why is said."""
    keys = vectors("tls-keys")[0].parent
    for name, says in [("rsa1024.key", "1024"), ("serverDSAKey.pem", "DSA"),
                       ("serverBrainpoolP256r1ECKey.pem", "named curves"), ("ffdhe2048.pem", ""),
                       ("rsa2048.crt", "")]:
        line = refused(server, "key", "import", domain, str(keys / name))
        assert says.lower() in line.lower(), line
    for name in ["rsa2048.key", "rsa4096.key", "serverECKey.pem", "serverP384ECKey.pem",
                 "serverP521ECKey.pem", "serverEd25519Key.pem"]:
        server.cli("key", "import", domain, str(keys / name))


def test_cgp_13_removing_a_key_removes_its_certificates(server, domain):
    server.cli("cert", "self-sign", domain, "--alias", "first")
    server.cli("key", "remove", domain, "own")
    assert answer(server, "cert", "list", domain)["certificates"] == []
    assert "no such key" in refused(server, "key", "test", domain, "own")


def test_the_main_domain_keeps_one_certificate(server):
    line = refused(server, "key", "remove", "example.org", "first")
    assert "last certificate in use" in line
    assert "last certificate in use" in refused(server, "cert", "remove", "example.org", "first")


def test_kerio_10_export_wants_the_password_again(server, domain):
    """Not over the socket, where one may read everything; but from elsewhere."""
    file = server.folder / "exported.pem"
    server.cli("key", "export", domain, "own", "--password-file", password_file(server), "-o",
               str(file))
    assert file.stat().st_mode & 0o777 == 0o600
    subprocess.run(["openssl", "pkey", "-in", str(file), "-passin", f"pass:{SECRET}", "-noout"],
                   check=True)
    url = f"https://127.0.0.1:{server.port('https')}/api/v1/domains/{domain}/keys/own/export"

    def ask(body):
        login = base64.b64encode(f"postmaster@example.org:{server.admin_password}".encode())
        request = urllib.request.Request(url, json.dumps(body).encode(), {
            "Authorization": "Basic " + login.decode(), "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, context=server.context()) as r:
                return r.status, json.load(r)
        except urllib.error.HTTPError as e:
            return e.code, json.load(e)

    assert ask({"file_password": SECRET})[1]["field"] == "password"
    assert ask({"file_password": SECRET, "password": "wrong"})[0] == 403
    status, body = ask({"file_password": SECRET, "password": server.admin_password})
    assert status == 200 and "ENCRYPTED PRIVATE KEY" in body["file"]
    assert "key.export" in server.cli("audit").stdout


# Requests

def test_cgp_14_to_18_request(server, domain):
    server.cli("alias", "add", f"mail.{domain}", domain)
    csr = server.folder / "whole.csr"
    server.cli("request", "create", domain, "--cn", f"mail.{domain}", "--alt",
               f"*.{domain},bücher.example", "--email", "ca@example.net", "--org", "Bücher & Söhne",
               "--unit", "Post", "--city", "Köln", "--state", "NRW", "--country", "DE",
               "-o", str(csr), "--der")
    text = subprocess.run(["openssl", "req", "-inform", "DER", "-in", str(csr), "-noout", "-verify",
                           "-subject", "-nameopt", "RFC2253,utf8,-esc_msb", "-text"],
                          check=True, capture_output=True, text=True)
    assert f"CN=mail.{domain},OU=Post,O=Bücher & Söhne,L=Köln,ST=NRW,C=DE" in text.stdout
    assert f"DNS:mail.{domain}, DNS:*.{domain}, DNS:xn--bcher-kva.example" in text.stdout
    assert "ca@example.net" in text.stdout
    names = [(n["kind"], n["name"]) for n in json.loads(subprocess.run(
        ["curl", "-s", "--unix-socket", server.data / "run/signet.sock",
         f"http://localhost/api/v1/domains/{domain}/names"],
        check=True, capture_output=True).stdout)["names"]]
    assert ("domain", domain) in names and ("alias", f"mail.{domain}") in names
    assert ("wildcard", f"*.{domain}") in names


@pytest.mark.parametrize("args,says", [
    (["--email", "nobody"], "e-mail address"),
    (["--alt", "not a name"], "not a domain name"), (["--alt", "mail.*.example"], "name"),
    (["--cn", "192.0.2.1"], "not a domain name"), (["--key", "none"], "no such key"),
    (["--org", "x" * 65], "more than 64")])
def test_requests_refused(server, args, says):
    assert says in refused(server, "request", "create", "example.org", *args)


def test_an_answered_request_does_not_wait(server, domain, intermediate):
    """Another name, a self-signed certificate of the key: no answers. The answer is named."""
    one = server.folder / "one.csr"
    server.cli("request", "create", domain, "--alias", "one", "-o", str(one))
    server.cli("request", "create", domain, "--alias", "more", "--alt", f"{domain},www.{domain}")
    server.cli("cert", "self-sign", domain)

    def answers():
        return {r["alias"]: r["certificate"] for r in answer(server, "request", "list", domain)["requests"]}
    assert answers() == {"one": None, "more": None}
    issued = intermediate.issue(request=one.read_bytes())
    server.cli("cert", "install", domain, write(server, "one.pem", issued.chain_pem()), "--alias", "new")
    assert answers() == {"one": "new", "more": None}
    assert answer(server, "request", "show", domain, "one")["certificate"] == "new"
    listed = server.cli("request", "list", domain).stdout.splitlines()
    assert listed[0].endswith("ANSWERED BY") and listed[1].endswith("  new")
    server.cli("cert", "remove", domain, "new")
    assert answers() == {"one": None, "more": None}


@pytest.mark.parametrize("name,foreign", [
    ("www.other.example", True), ("x{}", True), ("www.{}", False), ("*.{}", False), ("{}", False)])
def test_names_that_are_not_the_domains_warn(server, domain, name, foreign):
    name = name.format(domain)
    for command in ["request", "create"], ["cert", "self-sign"]:
        r = server.cli(*command, domain, "--cn", name)
        assert (f"signet: warning: names: {name} is no name of {domain}" in r.stderr) == foreign
        assert bool(r.stderr) == foreign


def test_contact(server, domain):
    csr = write(server, "contact.csr", server.cli("request", "create", domain, "--email",
                                                  "ca@bücher.example").stdout)
    text = subprocess.run(["openssl", "req", "-in", csr, "-noout", "-subject"], check=True,
                          capture_output=True, text=True).stdout
    assert "ca@xn--bcher-kva.example" in text
    line = refused(server, "request", "create", domain, "--email", "bücher@example.net")
    assert "outside ASCII before the @" in line and "IA5String" in line


# Certificates

def test_what_is_displaced_is_named(server, domain):
    assert "displaced" not in answer(server, "cert", "self-sign", domain, "--alias", "first")
    made = answer(server, "cert", "self-sign", domain, "--alias", "second")
    assert made["displaced"] == [{"alias": "first", "services": "all"}]
    r = server.cli("cert", "activate", domain, "first", "--service", "imap,pop3")
    assert r.stdout.endswith("displaced:\n  second  imap,pop3\n")
    server.cli("key", "generate", domain, "--type", "rsa:2048", "--alias", "rsa")
    assert "displaced" not in answer(server, "cert", "self-sign", domain, "--key", "rsa")


def test_cgp_19_install(server, domain, root, intermediate):
    trust = write(server, "root.pem", root.pem)
    issued = install(server, domain, intermediate)
    chain, verified = shown(server, domain, trust=trust)
    assert verified and [c.fingerprint(c.signature_hash_algorithm) for c in chain] == [
        c.fingerprint(c.signature_hash_algorithm) for c in [issued.cert, intermediate.cert]]
    found = answer(server, "cert", "list", domain)["certificates"]
    assert [c["services"] for c in found] == ["all"]
    assert found[0]["fingerprint"] == issued.fingerprint


def test_cgp_19_another_keys_certificate_is_refused(server, domain, intermediate):
    foreign = intermediate.issue(names=[domain], cn=domain)
    line = refused(server, "cert", "install", domain, write(server, "f.pem", foreign.chain_pem()))
    assert "no key that belongs to this certificate" in line


@pytest.mark.parametrize("kwargs,says", [
    ({"begins": now() - days(3), "lifetime": 1}, "expired"), ({"usage": ("client",)}, "serverAuth is missing")])
def test_cgp_19_doubtful_certificates_are_taken_with_warnings(server, domain, intermediate, kwargs,
                                                              says):
    csr = server.folder / "doubt.csr"
    server.cli("request", "create", domain, "-o", str(csr))
    issued = intermediate.issue(request=csr.read_bytes(), **kwargs)
    r = server.cli("cert", "install", domain, write(server, "d.pem", issued.chain_pem()))
    assert "signet: warning: " in r.stderr and says in r.stderr
    check = server.cli("cert", "check", domain, check=False)
    assert check.returncode == 1 and says in check.stdout


def test_cgp_19_a_certificate_for_other_names(server, domain, intermediate):
    csr = server.folder / "other.csr"
    server.cli("request", "create", domain, "--cn", "www.example.com", "-o", str(csr))
    issued = intermediate.issue(request=csr.read_bytes())
    r = server.cli("cert", "install", domain, write(server, "o.pem", issued.chain_pem()))
    assert f"none of the domain's names ({domain})" in r.stderr


@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_bundles_in_pkcs7(server, domain, root, intermediate, form):
    """.p7b, as authorities send it: for cert install, chain set and trust add."""
    def bundle(name, *pems):
        out = server.folder / name
        subprocess.run(["openssl", "crl2pkcs7", "-nocrl", "-outform", form, "-out", out] +
                       [w for i, p in enumerate(pems)
                        for w in ("-certfile", write(server, f"{i}.pem", p))], check=True)
        return str(out)

    csr = server.folder / "bundle.csr"
    server.cli("request", "create", domain, "-o", str(csr))
    issued = intermediate.issue(request=csr.read_bytes())
    server.cli("cert", "install", domain, bundle("all.p7b", root.pem, intermediate.pem, issued.pem))
    assert [c["fingerprint"] for c in answer(server, "cert", "list", domain)["certificates"]] == [
        issued.fingerprint]
    chain = ["CN=Company Issuer"]
    assert [c["subject"] for c in answer(server, "chain", "show", domain)["certificates"]] == chain
    server.cli("chain", "remove", domain)
    server.cli("chain", "set", domain, bundle("chain.p7b", intermediate.pem))
    assert [c["subject"] for c in answer(server, "chain", "show", domain)["certificates"]] == chain
    strangers = [Authority("First Stranger"), Authority("Second Stranger")]
    server.cli("trust", "add", bundle("trust.p7b", *[a.pem for a in strangers]), "--domain", domain)
    assert {"CN=First Stranger", "CN=Second Stranger"} <= {
        c["subject"] for c in answer(server, "trust", "list", "--domain", domain)["certificates"]}


@pytest.mark.parametrize("content", [b"", b"nothing", b"-----BEGIN CERTIFICATE-----\nAAAA\n",
                                     b"\x30\x82\xff\xff" + b"x" * 100])
def test_installing_rubbish(server, domain, content):
    assert "signet: " in refused(server, "cert", "install", domain,
                                 write(server, "rubbish", content))


def test_cgp_25_chain(server, domain, root, intermediate):
    """In any order, with the root: what is sent is right. A stranger is named and refused; by force
    it is taken; what is missing is found if it is known."""
    stranger = Authority("Stranger")
    csr = server.folder / "chain.csr"
    server.cli("request", "create", domain, "-o", str(csr))
    issued = intermediate.issue(request=csr.read_bytes())
    server.cli("cert", "install", domain, write(server, "leaf.pem", issued.pem))
    mixed = write(server, "mixed.pem", root.pem + intermediate.pem)
    server.cli("chain", "set", domain, mixed)
    assert [c["subject"] for c in answer(server, "chain", "show", domain)["certificates"]] == [
        "CN=Company Issuer"]
    foreign = write(server, "foreign.pem", stranger.pem + intermediate.pem)
    assert "not part of the chain: CN=Stranger" in refused(server, "chain", "set", domain, foreign)
    server.cli("chain", "set", domain, foreign, "--force")
    assert len(shown(server, domain)[0]) == 3
    server.cli("chain", "remove", domain)
    assert len(shown(server, domain)[0]) == 1
    # Another certificate's chain is known here.
    other = answer(server, "domain", "add", f"x{domain}")["name"]
    server.cli("key", "generate", other)
    install(server, other, intermediate)
    server.cli("cert", "install", domain, write(server, "leaf.pem", issued.pem), "--alias", "again")
    assert [c["subject"] for c in answer(server, "chain", "show", domain, "again")[
        "certificates"]] == ["CN=Company Issuer"]


def test_several_certificates_side_by_side(server, domain, root, intermediate):
    """SUN-30, SUN-31: one for each service and kind of key; RSA and EC serve together."""
    trust = write(server, "root.pem", root.pem)
    install(server, domain, intermediate, "--alias", "ec")
    server.cli("key", "generate", domain, "--type", "rsa:2048", "--alias", "rsa")
    csr = server.folder / "rsa.csr"
    server.cli("request", "create", domain, "--key", "rsa", "-o", str(csr))
    rsa = intermediate.issue(request=csr.read_bytes())
    server.cli("cert", "install", domain, write(server, "rsa.pem", rsa.chain_pem()), "--alias", "rsa")
    for service in ["imaps", "pop3s", "submissions", "https"]:
        for algorithms, kind in [("ECDSA+SHA256", "EllipticCurve"), ("RSA-PSS+SHA256", "RSA")]:
            chain, verified = shown(server, domain, service, trust, algorithms)
            assert verified and kind in type(chain[0].public_key()).__name__
    # Another EC certificate for IMAP alone: the others keep theirs.
    server.cli("cert", "self-sign", domain, "--key", "own", "--alias", "imap")
    server.cli("cert", "activate", domain, "ec", "--service", "smtp,pop3,http")
    server.cli("cert", "activate", domain, "imap", "--service", "imap")
    assert {c["alias"]: c["services"] for c in answer(server, "cert", "list", domain)[
        "certificates"]} == {"ec": "smtp,pop3,http", "imap": "imap", "rsa": "all"}


def test_cgp_28_self_signed_with_attributes(server, domain):
    server.cli("cert", "self-sign", domain, "--days", "90", "--org", "Example", "--country", "NO")
    chain, _ = shown(server, domain)
    assert chain[0].subject.rfc4514_string() == f"CN={domain},O=Example,C=NO"
    assert chain[0].issuer == chain[0].subject
    assert (chain[0].not_valid_after - chain[0].not_valid_before).days == 90


def test_cgp_29_refresh_keeps_serial(server, domain):
    server.cli("cert", "self-sign", domain, "--days", "30")
    before = shown(server, domain)[0][0]
    time.sleep(1.1)
    r = server.cli("cert", "refresh", domain)
    assert "refuse another with the same number" in r.stderr
    kept = shown(server, domain)[0][0]
    assert kept.serial_number == before.serial_number
    assert kept.not_valid_before > before.not_valid_before
    server.cli("cert", "refresh", domain, "--new-serial")
    assert shown(server, domain)[0][0].serial_number != before.serial_number


def test_cgp_29_only_self_signed_ones_are_refreshed(server, domain, intermediate):
    install(server, domain, intermediate)
    assert "only a certificate that its own key has signed" in refused(server, "cert", "refresh",
                                                                       domain)


def test_cgp_21_renaming_warns(server, domain):
    server.cli("cert", "self-sign", domain, "--alias", "old")
    r = server.cli("domain", "rename", domain, f"new-{domain}")
    assert f"signet: warning: certificate old is not for new-{domain}" in r.stderr


@pytest.mark.parametrize("key", ["ec", "rsa:2048"])
def test_import_and_export_pkcs12(server, domain, root, intermediate, key):
    issued = intermediate.issue(names=[domain], cn=domain, key=key)
    file = write(server, "in.pfx", issued.pkcs12(SECRET))
    server.cli("cert", "import", domain, file, "--password-file", password_file(server), "--alias",
               "imported")
    assert shown(server, domain, trust=write(server, "root.pem", root.pem))[1]
    assert "wrong" in refused(server, "cert", "import", domain, file, "--password-file",
                              password_file(server, "another"))
    out = server.folder / "out.pfx"
    server.cli("cert", "export", domain, "imported", "--pfx", "--password-file",
               password_file(server), "-o", str(out))
    again = subprocess.run(["openssl", "pkcs12", "-in", str(out), "-passin", f"pass:{SECRET}",
                            "-nodes"], check=True, capture_output=True, text=True).stdout
    assert "PRIVATE KEY" in again and again.count("BEGIN CERTIFICATE") == 2
    pem = server.cli("cert", "export", domain, "imported").stdout
    assert "PRIVATE KEY" not in pem and pem.count("BEGIN CERTIFICATE") == 2


@pytest.mark.parametrize("version", ["TLSv1.3", "TLSv1.2"])
@pytest.mark.parametrize("kind", ["ec:p256", "rsa:2048"])
def test_java(server, domain, root, intermediate, version, kind):
    """The TLS of Java checks chain and name, and takes both kinds of keys."""
    java = need("java")
    server.cli("key", "generate", domain, "--type", kind, "--alias", "newest")
    install(server, domain, intermediate)
    trust = write(server, "root.pem", root.pem)
    for service in ("imaps", "https"):
        r = subprocess.run([java, ROOT / "test/live/JavaClient.java", str(server.port(service)), domain,
                            trust, version], capture_output=True, text=True, timeout=60)
        assert r.returncode == 0 and r.stdout.startswith(version), r
    stranger = write(server, "stranger.pem", Authority("Stranger").pem)
    r = subprocess.run([java, ROOT / "test/live/JavaClient.java", str(server.port("imaps")), domain,
                        stranger, version], capture_output=True, text=True, timeout=60)
    assert r.returncode != 0 and "unable to find valid certification path" in r.stderr


def test_check_finds_a_good_certificate_good(server, domain, root, intermediate):
    install(server, domain, intermediate)
    r = server.cli("cert", "check", domain)
    found = {row["CHECK"]: row for row in rows(r.stdout)}
    for check in ["validity", "names", "usage", "key", "signature", "key match", "chain",
                  "validation", "OpenSSL client", "GnuTLS client"]:
        assert found[check]["RESULT"] == "ok", found[check]
    assert found["authority"]["RESULT"] == "warning"
    assert answer(server, "cert", "check", domain)["result"] == "warning"


def test_check_tells_of_names_that_clients_ask_for(server, domain):
    server.cli("cert", "self-sign", domain)
    for _ in range(3):
        shown(server, f"imap.{domain}")
    r = server.cli("cert", "check", domain, check=False)
    row, = (row for row in rows(r.stdout) if row["CHECK"] == "names asked for")
    assert row["RESULT"] == "warning" and f"imap.{domain} (3 times)" in row["WHY"]
    server.cli("alias", "add", f"imap.{domain}", domain)
    server.cli("cert", "self-sign", domain)
    r = server.cli("cert", "check", domain, check=False)
    assert "all names that clients have asked for" in r.stdout
    assert "it is not renewed by itself" in r.stdout


def test_check_of_a_domain_without_certificate(server, domain):
    r = server.cli("cert", "check", domain, check=False)
    assert r.returncode == 1 and "no certificate is in use" in r.stdout


# Trust

def listed(server, *args):
    return {c["subject"]: c for c in answer(server, "trust", "list", *args)["certificates"]}


def test_cgp_32_to_37_scopes(server, domain):
    """Domain, cluster or server, built-in: added, inherited, denied, removed."""
    files, names = {}, ["of-server", "of-cluster", "of-domain"]
    for name in names:
        files[name] = write(server, f"{name}.pem", Authority(name).pem)
    server.cli("trust", "add", files["of-server"], "--server", "--for", "server")
    server.cli("trust", "add", files["of-cluster"], "--cluster")
    server.cli("trust", "add", files["of-domain"], "--domain", domain, "--for", "client,mail")
    here = listed(server, "--domain", domain)
    assert here["CN=of-domain"]["inherited"] is False
    assert here["CN=of-domain"]["purposes"] == "client,mail"
    assert here["CN=of-server"]["inherited"] is True and "CN=of-cluster" not in here
    assert len([c for c in here.values() if c["scope"] == "built-in"]) > 100
    assert all("client" not in c["purposes"] for c in here.values() if c["scope"] == "built-in")
    # A shared domain: the cluster's instead of the server's.
    server.cli("domain", "set", domain, "shared=yes")
    here = listed(server, "--domain", domain)
    assert "CN=of-cluster" in here and "CN=of-server" not in here
    # Each scope lists its own only.
    assert "CN=of-domain" not in listed(server)
    assert "CN=of-server" not in listed(server, "--cluster")
    # What is built in is denied by its fingerprint; deny wins in every domain.
    built_in = next(c for c in here.values() if c["scope"] == "built-in")
    server.cli("trust", "deny", built_in["fingerprint"])
    server.cli("domain", "set", domain, "shared=no")
    again = [c for c in answer(server, "trust", "list", "--domain", domain)["certificates"]
             if c["fingerprint"] == built_in["fingerprint"]]
    assert {(c["scope"], c["denied"], c["overruled"]) for c in again} == {
        ("server", True, False), ("built-in", False, True)}
    server.cli("trust", "remove", built_in["fingerprint"])
    # Or marked for clients.
    server.cli("trust", "add", built_in["fingerprint"], "--domain", domain, "--for", "client")
    server.cli("trust", "remove", built_in["fingerprint_sha1"].lower().replace(":", ""), "--domain",
               domain)
    assert "inherited can be denied" in refused(server, "trust", "remove", built_in["fingerprint"],
                                                "--domain", domain)


@pytest.mark.parametrize("args,says,code", [
    (["add", "{root}", "--for", "server,everything"], "--for is one of server, client, mail", 2),
    (["add", "{rubbish}"], "certificate", 1), (["add", "/none"], "cannot read", 1),
    (["add", "{root}", "--domain", "nowhere.example"], "no such domain", 1),
    (["add", "{root}", "--domain", "example.org", "--cluster"], "only one of", 2),
    (["remove", "00" * 32], "no such certificate", 1), (["deny", "ab" * 32], "fingerprint", 1)])
def test_trust_refused(server, root, args, says, code):
    files = {"root": write(server, "root.pem", root.pem),
             "rubbish": write(server, "rubbish", b"rubbish")}
    line = refused(server, "trust", *(a.format(**files) for a in args), code=code)
    assert says in line


def test_everything_is_still_there_after_a_restart(server, root):
    before = [answer(server, *what) for what in (
        ("cert", "list"), ("key", "list"), ("request", "list", "example.org"), ("trust", "list"))]
    assert server.stop() == 0
    server.start()
    assert before == [answer(server, *what) for what in (
        ("cert", "list"), ("key", "list"), ("request", "list", "example.org"), ("trust", "list"))]


def test_no_connection_is_broken_by_a_change(server, domain, intermediate):
    install(server, domain, intermediate)
    context = server.context()
    with socket.create_connection(("127.0.0.1", server.port("imaps")), 20) as s, \
            context.wrap_socket(s, server_hostname=domain) as t:
        t.recv(1000)
        server.cli("cert", "self-sign", domain)
        t.sendall(b"a noop\r\n")
        assert t.recv(1000).startswith(b"a OK")
