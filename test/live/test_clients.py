# SPDX-License-Identifier: Apache-2.0
"""Real clients against a running server: what an administrator tries first."""
import email
import imaplib
import poplib
import smtplib
import socket
import ssl
import subprocess

import pytest
from conftest import DOMAIN, PASSWORD, need

MESSAGE = ("From: Alice <alice@example.org>\r\nTo: Bob <bob@example.org>\r\nSubject: {}\r\n"
           "Date: Tue, 03 Feb 2026 04:05:06 +0000\r\nMessage-ID: <{}@example.org>\r\n\r\nHello\r\n")


def imap_login(server, user):
    c = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=server.context())
    c.login(user, PASSWORD)
    return c


def subjects(server, user):
    c = imap_login(server, user)
    c.select("INBOX", readonly=True)
    _, data = c.fetch("1:*", "(BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    c.logout()
    return [email.message_from_bytes(d[1])["Subject"] for d in data if isinstance(d, tuple)]


def test_smtplib_starttls_to_imap_and_pop3(server, alice, bob):
    with smtplib.SMTP("127.0.0.1", server.port("submission")) as s:
        s.ehlo()
        assert "auth" not in s.esmtp_features
        s.starttls(context=server.context())
        s.login(alice, PASSWORD)
        s.sendmail(alice, [bob], MESSAGE.format("smtplib", "one"))
    assert "smtplib" in subjects(server, bob)
    p = poplib.POP3_SSL("127.0.0.1", server.port("pop3s"), context=server.context())
    p.user(bob)
    p.pass_(PASSWORD)
    n, _ = p.stat()
    lines = p.retr(n)[1]
    assert b"Subject: smtplib" in lines and lines[-1] == b"Hello"
    assert lines[0].startswith(b"Return-Path: <alice@example.org>")
    p.quit()


def test_mx_takes_mail_without_login_and_does_not_relay(server, bob):
    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as s:
        s.ehlo()
        assert not s.has_extn("auth")
        s.sendmail("stranger@elsewhere.example", [bob], MESSAGE.format("from outside", "two"))
        s.mail("stranger@elsewhere.example")
        code, _ = s.rcpt("someone@elsewhere.example")
        assert code == 550
        code, _ = s.rcpt("nobody@" + DOMAIN)
        assert code == 550
    assert "from outside" in subjects(server, bob)


def test_postmaster_and_subaddress(server, bob):
    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as s:
        s.sendmail("x@elsewhere.example", ["PostMaster@" + DOMAIN, "bob+list@" + DOMAIN],
                   MESSAGE.format("plus", "three"))
        code, _ = s.docmd("MAIL FROM:<>")
        assert code == 250
        code, _ = s.docmd("RCPT TO:<postmaster>")
        assert code == 250
    assert "plus" in subjects(server, bob)


@pytest.mark.parametrize("service,options", [
    ("submission", ["-tls"]),
    ("submissions", ["--tls-on-connect"]),
])
@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks(server, alice, bob, service, options, mechanism):
    need("swaks")
    subject = f"swaks {service} {mechanism}"
    r = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(server.port(service)), *options,
         "--auth", mechanism, "--auth-user", alice, "--auth-password", PASSWORD, "--from", alice,
         "--to", bob, "--header", f"Subject: {subject}"], capture_output=True, text=True)
    assert r.returncode == 0, r.stdout
    assert subject in subjects(server, bob)


def test_swaks_wrong_password(server, alice, bob):
    need("swaks")
    r = subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(server.port("submission")), "-tls",
         "--auth", "PLAIN", "--auth-user", alice, "--auth-password", "wrong", "--from", alice,
         "--to", bob], capture_output=True, text=True)
    assert r.returncode != 0
    assert "535" in r.stdout


def test_curl_smtps_imaps_pop3s(server, alice, bob, tmp_path):
    need("curl")
    mail = tmp_path / "mail.eml"
    mail.write_bytes(MESSAGE.format("curl", "four").encode())
    base = ["curl", "-sS", "-k", "--user", f"{alice}:{PASSWORD}"]
    subprocess.run([*base, f"smtps://127.0.0.1:{server.port('submissions')}", "--mail-from", alice,
                    "--mail-rcpt", alice, "--upload-file", mail], check=True)
    out = subprocess.run([*base, f"imaps://127.0.0.1:{server.port('imaps')}/INBOX;UID=1"],
                         check=True, capture_output=True).stdout
    assert b"Subject: curl" in out
    out = subprocess.run([*base, f"pop3s://127.0.0.1:{server.port('pop3s')}/1"], check=True,
                         capture_output=True).stdout
    assert b"Subject: curl" in out
    out = subprocess.run([*base, "--ssl-reqd", f"imap://127.0.0.1:{server.port('imap')}/INBOX",
                          "-X", "SEARCH SUBJECT curl"], check=True, capture_output=True).stdout
    assert out.strip() == b"* SEARCH 1"


STARTTLS = [("submission", "smtp"), ("smtp", "smtp"), ("imap", "imap"), ("pop3", "pop3")]
DIRECT = ["submissions", "imaps", "pop3s", "https"]


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("service,starttls", STARTTLS + [(s, None) for s in DIRECT])
def test_openssl_s_client(server, service, starttls, version):
    need("openssl")
    args = ["openssl", "s_client", "-connect", f"127.0.0.1:{server.port(service)}", version,
            "-servername", DOMAIN]
    if starttls:
        args += ["-starttls", starttls]
    r = subprocess.run(args, input=b"", capture_output=True)
    assert r.returncode == 0, r.stderr
    assert b"CN = example.org" in r.stdout
    assert b"id-ecPublicKey" in r.stdout or b"prime256v1" in r.stdout or b"ECDSA" in r.stdout


@pytest.mark.parametrize("service", ["imaps", "https"])
@pytest.mark.parametrize("version", ["-tls1", "-tls1_1"])
def test_old_tls_is_refused(server, service, version):
    need("openssl")
    r = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port(service)}",
                        version, "-cipher", "ALL:@SECLEVEL=0"], input=b"", capture_output=True)
    assert r.returncode != 0


@pytest.mark.parametrize("service,starttls", STARTTLS + [(s, None) for s in DIRECT])
def test_gnutls_cli(server, service, starttls):
    need("gnutls-cli")
    args = ["gnutls-cli", "--insecure", "-p", str(server.port(service)), "127.0.0.1",
            "--sni-hostname", DOMAIN]
    if starttls:
        args += [f"--starttls-proto={starttls}"]
    r = subprocess.run(args, input=b"", capture_output=True, timeout=20)
    assert b"Handshake was completed" in r.stdout, r.stdout + r.stderr


def test_neomutt_batch(server, alice, bob, tmp_path):
    need("neomutt")
    rc = tmp_path / "muttrc"
    rc.write_text(
        f'set smtp_url="smtps://alice%40example.org@127.0.0.1:{server.port("submissions")}/"\n'
        f'set smtp_pass="{PASSWORD}"\nset from="{alice}"\nset ssl_verify_host=no\n'
        'set ssl_verify_dates=no\nset ssl_force_tls=yes\nset record=""\nset copy=no\n'
        f'set certificate_file="{tmp_path}/cert.pem"\nset smtp_authenticators="plain"\n'
        f'set header_cache=""\nset tmpdir="{tmp_path}"\n')
    cert = ssl.get_server_certificate(("127.0.0.1", server.port("submissions")))
    (tmp_path / "cert.pem").write_text(cert)
    r = subprocess.run(["neomutt", "-n", "-F", rc, "-s", "neomutt sends", "--", bob],
                       input="Hello from neomutt\n", capture_output=True, text=True,
                       env={"HOME": str(tmp_path), "TERM": "dumb", "PATH": "/usr/bin:/bin"})
    assert r.returncode == 0, r.stdout + r.stderr
    assert "neomutt sends" in subjects(server, bob)


def test_starttls_drops_injected_commands(server):
    """What is pipelined behind STARTTLS in the clear must not be obeyed (RFC 3207 section 4.2)."""
    with socket.create_connection(("127.0.0.1", server.port("submission"))) as s:
        s.recv(1000)
        s.sendall(b"EHLO x\r\n")
        s.recv(4000)
        s.sendall(b"STARTTLS\r\nMAIL FROM:<injected@example.org>\r\n")
        answer = s.recv(1000)
        if not answer.startswith(b"220"):
            assert answer.startswith(b"5")
            return
        try:
            t = server.context().wrap_socket(s)
        except (ssl.SSLError, ConnectionError):
            return
        t.sendall(b"NOOP\r\n")
        assert t.recv(1000).startswith(b"250")
        t.settimeout(0.5)
        with pytest.raises(TimeoutError):
            t.recv(1000)
