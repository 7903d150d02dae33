# SPDX-License-Identifier: Apache-2.0
"""Certificates that change while the server runs: SNI chooses the domain on every TLS port, and a new
certificate serves the next handshake while open sessions go on and no connection is refused."""
import smtplib
import socket
import ssl
import threading
import time
import urllib.request

import pytest
from conftest import finish, make_server
from mailtools import imap, tls

DIRECT = ["submissions", "imaps", "pop3s", "https"]


def served(server, service, name):
    """The certificate's octets that a client asking for the name is shown."""
    with socket.create_connection(("127.0.0.1", server.port(service)), 20) as s:
        with server.context().wrap_socket(s, server_hostname=name) as t:
            return t.getpeercert(binary_form=True)


def certificate(server, domain):
    """As the server offers it for download."""
    url = f"http://127.0.0.1:{server.port('http')}/pki/{domain}/cert.der"
    with urllib.request.urlopen(url) as r:
        return r.read()


@pytest.fixture(scope="module")
def two_domains():
    server = make_server().start()
    server.cli("domain", "add", "example.net")
    server.cli("key", "generate", "example.net", "--type", "rsa:2048")
    server.cli("cert", "self-sign", "example.net", "--days", "30")
    server.cli("domain", "set", "example.net", "pki=enabled")
    server.add_account("bob@example.org")
    yield server
    finish(server)


@pytest.mark.parametrize("service", DIRECT)
def test_sni_chooses_the_domain(two_domains, service):
    org = certificate(two_domains, "example.org")
    net = certificate(two_domains, "example.net")
    assert org != net
    assert served(two_domains, service, "example.org") == org
    assert served(two_domains, service, "example.net") == net
    assert served(two_domains, service, "unknown.example") == org


@pytest.mark.parametrize("name", ["example.org", "example.net"])
def test_sni_with_starttls(two_domains, name):
    with smtplib.SMTP("127.0.0.1", two_domains.port("smtp")) as s:
        s._host = name  # what smtplib sends as the name
        s.starttls(context=two_domains.context())
        assert s.sock.getpeercert(binary_form=True) == certificate(two_domains, name)


def test_a_new_certificate_is_live_and_nothing_breaks(two_domains):
    server = two_domains
    old_session = imap(server, "bob@example.org")
    old_session.select("INBOX")
    seen, failures, stop = [], [], threading.Event()

    def connect():
        while not stop.is_set():
            try:
                seen.append(served(server, "imaps", "example.org"))
            except (OSError, ssl.SSLError) as e:
                failures.append(e)

    def some_more(n):
        n += len(seen)
        until = time.monotonic() + 30
        while len(seen) < n and time.monotonic() < until:
            time.sleep(0.01)

    threads = [threading.Thread(target=connect) for _ in range(4)]
    for t in threads:
        t.start()
    expected = [certificate(server, "example.org")]
    for days in (40, 50, 60):
        some_more(20)
        server.cli("cert", "self-sign", "example.org", "--days", str(days))
        expected.append(certificate(server, "example.org"))
        assert served(server, "imaps", "example.org") == expected[-1]
    some_more(20)
    stop.set()
    for t in threads:
        t.join()
    assert len(set(expected)) == 4
    assert not failures, failures[:3]
    assert len(seen) > 50 and set(seen) == set(expected)
    assert old_session.noop()[0] == "OK"
    old_session.logout()


def test_a_service_may_have_a_certificate_of_its_own(two_domains):
    server = two_domains
    server.cli("key", "generate", "example.net", "--type", "rsa:2048", "--alias", "own")
    server.cli("cert", "self-sign", "example.net", "--key", "own", "--alias", "own")
    whole = certificate(server, "example.net")
    assert {served(server, s, "example.net") for s in DIRECT} == {whole}
    server.cli("cert", "self-sign", "example.net", "--key", "own", "--alias", "rest")
    rest = certificate(server, "example.net")
    server.cli("cert", "activate", "example.net", "own", "--service", "imap,pop3")
    shown = {s: served(server, s, "example.net") for s in DIRECT}
    assert shown == {"submissions": rest, "https": rest, "imaps": whole, "pop3s": whole}
    server.cli("cert", "activate", "example.net", "own", "--service", "all")
    assert {served(server, s, "example.net") for s in DIRECT} == {whole}


def test_resumption_works_across_connections_and_ends_with_the_domain(two_domains):
    context = two_domains.context()
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # Python shows its session there at once

    def connect(name, session=None):
        s = socket.create_connection(("127.0.0.1", two_domains.port("imaps")), 20)
        t = context.wrap_socket(s, server_hostname=name, session=session)
        t.recv(100)
        return t

    session = None
    for _ in range(8):  # connections are dealt out to the loops in turn
        t = connect("example.org", session)
        assert t.session_reused == (session is not None)
        session = t.session
        t.close()
    t = connect("example.net", session)
    assert not t.session_reused
    t.close()


def test_a_connection_without_a_name_gets_the_main_domain(two_domains):
    t = tls(two_domains, "imaps")
    assert t.getpeercert(binary_form=True) == certificate(two_domains, "example.org")
    t.close()
