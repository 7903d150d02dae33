# SPDX-License-Identifier: Apache-2.0
"""signet smime verify and decrypt, as people and scripts call them: exit codes, what goes where."""
import json
import os
import subprocess
from pathlib import Path

import pytest

BUILD = Path(os.environ.get("SIGNET_BUILD", Path(__file__).parents[2] / "build"))
MESSAGE = (b"From: Alice <alice@example.org>\r\nTo: bob@example.org\r\nSubject: Hello\r\n"
           b"MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nHello, Bob.\r\n")


def signet(*arguments, data=b""):
    return subprocess.run([BUILD / "signet", "smime", *map(str, arguments)], input=data,
                          capture_output=True, timeout=60)


def openssl(*arguments, data=None):
    done = subprocess.run(["openssl", *map(str, arguments)], input=data, capture_output=True,
                          timeout=60, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    """An authority, alice and bob with keys, each NAME.key and NAME.pem."""
    folder = tmp_path_factory.mktemp("people")
    (folder / "ca.cnf").write_text(
        "[req]\ndistinguished_name=dn\nx509_extensions=v3\nprompt=no\n[dn]\nCN=Test CA\n[v3]\n"
        "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
        "subjectKeyIdentifier=hash\n")
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / "ca.key", "-out",
            folder / "ca.pem", "-days", 30, "-config", folder / "ca.cnf")
    for name in ("alice", "bob"):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", folder / f"{name}.key", "-out",
                folder / f"{name}.csr", "-subj", f"/CN={name}")
        (folder / "ext").write_text(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature,keyEncipherment\n"
            f"extendedKeyUsage=emailProtection\nsubjectAltName=email:{name}@example.org\n"
            "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")
        openssl("x509", "-req", "-in", folder / f"{name}.csr", "-CA", folder / "ca.pem", "-CAkey",
                folder / "ca.key", "-out", folder / f"{name}.pem", "-days", 20, "-extfile",
                folder / "ext")
    openssl("pkcs12", "-export", "-inkey", folder / "bob.key", "-in", folder / "bob.pem", "-out",
            folder / "bob.p12", "-passout", "pass:secret")
    (folder / "password").write_text("secret\n")
    return folder


@pytest.fixture(scope="module")
def signed(people):
    return signet("sign", "--key", people / "alice.key", "--cert", people / "alice.pem",
                  data=MESSAGE).stdout


@pytest.fixture(scope="module")
def encrypted(people, signed):
    return signet("encrypt", "--to", people / "bob.pem", data=signed).stdout


def test_verify_writes_the_entity(people, signed):
    done = signet("verify", "--roots", people / "ca.pem", data=signed)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(b"\r\n\r\nHello, Bob.\r\n")
    assert b"\n" not in done.stdout.replace(b"\r\n", b"")
    assert done.stderr == b""


@pytest.mark.parametrize("options, change, reason", [
    ([], None, b"not trusted here"),                                          # the system's authorities
    (["--roots", "ca.pem"], (b"Hello, Bob", b"Hello, Eve"), b"changed after it was signed"),
    (["--roots", "ca.pem", "--email", "bob@example.org"], None, b"alice@example.org"),
    (["--roots", "ca.pem"], (b"From: Alice <alice@", b"From: Alice <eve@"), b"alice@example.org"),
    (["--roots", "ca.pem", "--time", "2045-01-01T00:00:00Z"], (b"multipart/signed", b"multipart/mixed"),
     b"is not signed"),
])
def test_verify_refuses(people, signed, options, change, reason):
    options = [people / o if o.endswith(".pem") else o for o in options]
    data = signed.replace(*change) if change else signed
    done = signet("verify", *options, data=data)
    assert done.returncode == 1
    assert done.stdout == b""
    assert reason in done.stderr and done.stderr.count(b"\n") == 1


def test_entity_without_header(people):
    """What has no From is anybody's, unless somebody is asked for."""
    entity = MESSAGE.split(b"MIME-Version: 1.0\r\n")[1]
    data = openssl("cms", "-sign", "-binary", "-signer", people / "alice.pem", "-inkey",
                   people / "alice.key", data=entity)
    assert signet("verify", "--roots", people / "ca.pem", data=data).returncode == 0
    refused = signet("verify", "--roots", people / "ca.pem", "--email", "eve@example.org", data=data)
    assert refused.returncode == 1 and refused.stdout == b""


def test_report_alone_with_json(people, signed):
    good = signet("verify", "--json", "--roots", people / "ca.pem", data=signed)
    bad = signet("verify", "--json", "--roots", people / "ca.pem",
                 data=signed.replace(b"Hello, Bob", b"Hello, Eve"))
    assert good.returncode == 0 and bad.returncode == 1
    assert json.loads(good.stdout)["status"] == "signed"
    report = json.loads(bad.stdout)
    assert report["status"] == "not-verified"
    assert report["layers"][0]["signers"][0]["verdict"] == "content-altered"


def test_decrypt(people, encrypted):
    done = signet("decrypt", "--key", people / "bob.key", "--cert", people / "bob.pem",
                  data=encrypted)
    assert done.returncode == 0, done.stderr
    assert b"Hello, Bob." in done.stdout and b"multipart/signed" in done.stdout
    inner = signet("verify", "--roots", people / "ca.pem", data=done.stdout)
    assert inner.returncode == 0, inner.stderr
    again = signet("decrypt", "--pfx", people / "bob.p12", "--password-file", people / "password",
                   data=encrypted)
    assert again.stdout == done.stdout


def test_decrypt_refuses(people, encrypted):
    other = signet("decrypt", "--key", people / "alice.key", "--cert", people / "alice.pem",
                   data=encrypted)
    assert other.returncode == 1 and other.stdout == b"" and b"none of the keys" in other.stderr
    plain = signet("decrypt", "--key", people / "bob.key", "--cert", people / "bob.pem",
                   data=MESSAGE)
    assert plain.returncode == 1 and plain.stdout == b"" and b"is not encrypted" in plain.stderr


def test_usage(people):
    assert signet("verify", "--time", "yesterday", data=MESSAGE).returncode == 2
    assert signet("decrypt", "--key", people / "bob.key", data=MESSAGE).returncode == 2
    assert signet("verify", data=b"").returncode == 1
    both = signet("verify", "--roots", "-", data=(people / "ca.pem").read_bytes())
    assert both.returncode == 2 and b"cannot both be standard input" in both.stderr
    assert b"signet smime verify --roots" in signet("verify", "--help").stdout


@pytest.mark.parametrize("cipher", ["-aes256", "-aes-256-gcm", "-des3", "-rc2", "-des"])
def test_openssl_encrypts(people, cipher):
    """Old ciphers need OpenSSL's legacy provider; we read them."""
    legacy = ["-provider", "legacy", "-provider", "default"] if cipher in ("-rc2", "-des") else []
    data = openssl("cms", "-encrypt", "-binary", cipher, *legacy, people / "bob.pem", data=MESSAGE)
    done = signet("decrypt", "--key", people / "bob.key", "--cert", people / "bob.pem", data=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == MESSAGE


@pytest.mark.parametrize("options", [[], ["-nodetach"], ["-nodetach", "-stream", "-indef"],
                                     ["-keyopt", "rsa_padding_mode:pss"], ["-keyid"], ["-md", "sha512"]])
def test_openssl_signs(people, options):
    entity = MESSAGE.split(b"MIME-Version: 1.0\r\n")[1]
    data = openssl("cms", "-sign", "-binary", "-signer", people / "alice.pem", "-inkey",
                   people / "alice.key", *options, data=entity)
    done = signet("verify", "--roots", people / "ca.pem", "--email", "alice@example.org", data=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout == entity


def test_large(people):
    """25 MB, signed and encrypted."""
    entity = b"Content-Type: text/plain\r\n\r\n" + b"x" * 70 + b"\r\n"
    entity += (b"0123456789" * 7 + b"\r\n") * 350000
    message = b"From: alice@example.org\r\n" + entity
    data = signet("sign", "--key", people / "alice.key", "--cert", people / "alice.pem",
                  data=message).stdout
    data = signet("encrypt", "--to", people / "bob.pem", data=data).stdout
    assert len(data) > 25_000_000
    done = signet("verify", "--key", people / "bob.key", "--cert", people / "bob.pem", "--roots",
                  people / "ca.pem", data=data)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(entity[-1000:])
