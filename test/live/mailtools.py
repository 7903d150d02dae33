# SPDX-License-Identifier: Apache-2.0
"""Bare SMTP and IMAP for tests that count acknowledgements: a reply was read or it was not."""
import hashlib
import imaplib
import re
import socket

from conftest import PASSWORD


class Smtp:
    """A session on port 25; every method returns the reply's code, or raises OSError."""

    def __init__(self, server, timeout=20, proxy=b""):
        self.s = socket.create_connection(("127.0.0.1", server.port("smtp")), timeout)
        self.s.sendall(proxy)
        self.f = self.s.makefile("rb")
        self.expect(220)
        self.command(b"EHLO test.example", 250)

    def reply(self):
        while True:
            line = self.f.readline()
            if not line.endswith(b"\n"):
                raise ConnectionError("cut off")
            if line[3:4] != b"-":
                return int(line[:3]), line

    def expect(self, code):
        got, line = self.reply()
        if got != code:
            raise ConnectionError(f"expected {code}: {line}")

    def command(self, line, code=None):
        self.s.sendall(line + b"\r\n")
        if code:
            return self.expect(code)
        return self.reply()[0]

    def send(self, sender, recipients, message):
        """The reply's code to the whole message (CRLF lines, no lone dots)."""
        self.command(b"MAIL FROM:<%s>" % sender.encode(), 250)
        for r in recipients:
            code = self.command(b"RCPT TO:<%s>" % r.encode())
            if code != 250:
                return code
        self.command(b"DATA", 354)
        self.s.sendall(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
        return self.reply()[0]

    def close(self):
        self.s.close()


def imap(server, user, password=PASSWORD):
    c = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=server.context())
    c.login(user, password)
    return c


def checked_message(ident, size=2000):
    """A message that tells whether it is whole."""
    body = (f"{ident}\r\n" * (size // (len(ident) + 2) + 1)).encode()
    return (b"From: load@test.example\r\nTo: bob@example.org\r\nSubject: " + ident.encode() +
            b"\r\nX-Digest: " + hashlib.sha256(body).hexdigest().encode() + b"\r\n\r\n" + body)


def ident_of(octets):
    """The message's ident; asserts that it is whole."""
    head, _, body = octets.partition(b"\r\n\r\n")
    digest = re.search(rb"X-Digest: (\w+)", head)
    ident = re.search(rb"Subject: (\S+)", head)
    assert digest and ident, f"torn: {octets[:300]}"
    assert hashlib.sha256(body).hexdigest().encode() == digest[1], f"torn: {ident[1]}"
    return ident[1].decode()


def fetch_all(server, user, mailbox="INBOX"):
    c = imap(server, user)
    typ, data = c.select(mailbox, readonly=True)
    assert typ == "OK"
    found = []
    if int(data[0]):
        typ, data = c.fetch("1:*", "(BODY.PEEK[])")
        assert typ == "OK"
        found = [d[1] for d in data if isinstance(d, tuple)]
    c.logout()
    return found


def tls(server, service):
    s = socket.create_connection(("127.0.0.1", server.port(service)), 20)
    return server.context().wrap_socket(s, server_hostname="example.org")
