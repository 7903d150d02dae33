# SPDX-License-Identifier: Apache-2.0
"""The postmaster is told in time, and once, of certificates that end."""
import email
import email.policy
import time
import urllib.request

import pytest
from conftest import finish, make_server
from mailtools import imap


@pytest.fixture(scope="module")
def server():
    s = make_server().start()
    s.password = s.admin_password
    yield s
    finish(s)


def warnings(server):
    """The messages about certificates in the postmaster's mailbox, oldest first."""
    box = imap(server, "postmaster@example.org", server.password)
    box.select("INBOX", readonly=True)
    uids = box.uid("SEARCH", "SUBJECT", "certificate")[1][0].split()
    found = []
    for uid in uids:
        octets = box.uid("FETCH", uid, "(BODY.PEEK[])")[1][0][1]
        found.append(email.message_from_bytes(octets, policy=email.policy.default))
    box.logout()
    return found


def check(server):
    """Certificates are looked at once the server has been started."""
    assert server.stop() == 0
    server.start()
    time.sleep(2.5)


def metric(server):
    with urllib.request.urlopen(f"http://127.0.0.1:{server.port('http')}/metrics") as r:
        return [line for line in r.read().decode().splitlines()
                if line.startswith("signet_certificate_expiry_seconds")]


def test_told_once(server):
    server.cli("domain", "add", "example.net")
    server.cli("key", "generate", "example.net")
    server.cli("cert", "self-sign", "example.net", "--days", "5", "--alias", "short")
    server.cli("domain", "set", "example.net", "pki=enabled")
    check(server)
    told = warnings(server)
    assert len(told) == 1
    message = told[0]
    assert message["From"].addresses[0].addr_spec == "postmaster@example.org"
    assert message["To"].addresses[0].addr_spec == "postmaster@example.net"
    assert message["Subject"] == "A certificate of example.net expires in 4 days"
    assert message["Auto-Submitted"] == "auto-generated"
    text = message.get_content()
    assert "Name here:   short\n" in text.replace("\r", "")
    assert "signet cert self-sign example.net" in text
    log = server.log_text()
    assert log.count(" certificate.expires ") == 1
    assert "certificate.expires domain=example.net certificate=short kind=self-signed" in log
    check(server)
    check(server)
    assert len(warnings(server)) == 1
    assert server.log_text().count(" certificate.expires ") == 1


def test_metric(server):
    lines = metric(server)
    assert len(lines) == 2
    short = next(line for line in lines if 'domain="example.net",certificate="short"' in line)
    assert 4 * 86400 < int(short.split()[-1]) - time.time() <= 5 * 86400
    assert any('domain="example.org"' in line for line in lines)


def test_a_successor_ends_it(server):
    server.cli("cert", "self-sign", "example.net", "--alias", "next")
    server.cli("cert", "self-sign", "example.net", "--days", "1", "--alias", "shorter")
    server.cli("cert", "activate", "example.net", "next")
    check(server)
    # The newest serves nothing and ends tomorrow; the one that ends in five days is out of use.
    assert len(warnings(server)) == 2
    assert "nothing yet" in warnings(server)[-1].get_content()
    assert "short\"" not in "".join(metric(server))
