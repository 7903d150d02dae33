# SPDX-License-Identifier: Apache-2.0
"""ManageSieve as clients speak it: over TLS, with a script that then takes effect."""
import base64
import re
import smtplib
import socket
import subprocess

import pytest
from conftest import PASSWORD, need


class Client:
    """RFC 5804 over a socket: a command gives (OK or NO, code and text, lines before)."""

    def __init__(self, server, tls=True):
        self.server = server
        self.s = socket.create_connection(("127.0.0.1", server.port("managesieve")), 10)
        self.f = self.s.makefile("rwb")
        self.greeting = self.response()
        if tls:
            assert self.command("STARTTLS")[0] == "OK"
            self.s = server.context().wrap_socket(self.s, server_hostname="example.org")
            self.f = self.s.makefile("rwb")
            self.greeting = self.response()

    def line(self):
        line = self.f.readline()
        assert line.endswith(b"\r\n"), line
        literal = re.search(rb"\{(\d+)\}\r\n$", line)
        if literal:
            return line + self.f.read(int(literal.group(1))) + self.line()
        return line

    def response(self):
        lines = []
        while True:
            line = self.line()
            word = line.split()[0].decode() if line.split() else ""
            if word in ("OK", "NO", "BYE"):
                return word, line.decode(), b"".join(lines)
            lines.append(line)

    def command(self, text, literal=None):
        data = text.encode()
        if literal is not None:
            data += b" {%d+}\r\n" % len(literal) + literal
        self.f.write(data + b"\r\n")
        self.f.flush()
        return self.response()

    def login(self, address, password=PASSWORD):
        plain = base64.b64encode(f"\0{address}\0{password}".encode()).decode()
        return self.command(f'AUTHENTICATE "PLAIN" "{plain}"')


def test_script_takes_effect(server, alice):
    c = Client(server)
    assert c.login(alice)[0] == "OK"
    script = b'require "ereject";\r\nif header :is "Subject" "no" { ereject "not this"; }\r\n'
    assert c.command('PUTSCRIPT "mine"', script)[0] == "OK"
    assert c.command('GETSCRIPT "mine"')[2] == b"{%d}\r\n" % len(script) + script + b"\r\n"
    assert c.command('SETACTIVE "mine"')[0] == "OK"
    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as s:
        s.sendmail("jim@example.com", [alice], b"Subject: yes\r\n\r\n")
        with pytest.raises(smtplib.SMTPDataError) as e:
            s.sendmail("jim@example.com", [alice], b"Subject: no\r\n\r\n")
    assert e.value.smtp_error == b"5.7.1 not this"
    word, text, _ = c.command('PUTSCRIPT "bad"', b"keep;\r\nfileinto \"x\";\r\n")
    assert word == "NO" and "line 2, column 1" in text
    assert c.command('LISTSCRIPTS')[2] == b'"mine" ACTIVE\r\n'
    assert c.command('SETACTIVE ""')[0] == "OK"
    assert c.command('DELETESCRIPT "mine"')[0] == "OK"


def test_scripts_are_the_accounts_own(server, alice, bob):
    a, b = Client(server), Client(server)
    assert a.login(alice)[0] == "OK" and b.login(bob)[0] == "OK"
    assert a.command('PUTSCRIPT "x"', b"keep;")[0] == "OK"
    assert "NONEXISTENT" in b.command('GETSCRIPT "x"')[1]
    assert b.command("LISTSCRIPTS")[2] == b""
    assert a.command('DELETESCRIPT "x"')[0] == "OK"


def test_clear_text_is_dropped_with_starttls(server, alice):
    """What came in the same packet as STARTTLS is not taken for something said over TLS."""
    c = Client(server, tls=False)
    assert b'"STARTTLS"' in c.greeting[2] and b'"SASL" ""' in c.greeting[2]
    c.f.write(b'STARTTLS\r\nNOOP "injected"\r\n')
    c.f.flush()
    assert c.response()[0] == "OK"
    c.s = server.context().wrap_socket(c.s, server_hostname="example.org")
    c.f = c.s.makefile("rwb")
    word, _, lines = c.response()
    assert word == "OK" and b"injected" not in lines and b"STARTTLS" not in lines
    assert 'TAG "mine"' in c.command('NOOP "mine"')[1]


def test_limits(server, alice):
    c = Client(server)
    assert c.login(alice)[0] == "OK"
    assert "QUOTA/MAXSIZE" in c.command('PUTSCRIPT "x"', b"#" * 400000)[1]
    assert "QUOTA/MAXSIZE" in c.command('HAVESPACE "x" 400000')[1]
    for i in range(16):
        assert c.command(f'PUTSCRIPT "n{i}"', b"keep;")[0] == "OK"
    assert "QUOTA/MAXSCRIPTS" in c.command('PUTSCRIPT "more"', b"keep;")[1]
    for i in range(16):
        assert c.command(f'DELETESCRIPT "n{i}"')[0] == "OK"


def test_what_is_passed_over_is_bounded(server, alice):
    """A command of many literals ends the session, whether or not they are kept."""
    c = Client(server)
    c.f.write(b"NOOP {5000000+}\r\n" + b"x" * 5000000 + b" {4000000+}\r\n")
    c.f.flush()
    word, text, _ = c.response()
    assert word == "BYE" and "QUOTA/MAXSIZE" in text


def test_sieve_connect(server, alice, tmp_path):
    """A client of others: lists, uploads, activates, downloads."""
    program = need("sieve-connect")
    script = tmp_path / "mine.sieve"
    script.write_text('require "fileinto";\nkeep;\n')

    def run(*args):
        return subprocess.run(
            [program, "--server", "127.0.0.1", "--port", str(server.port("managesieve")),
             "--user", alice, "--passwordfd", "0", "--notlsverify", "--nosslverify", *args],
            input=PASSWORD + "\n", capture_output=True, text=True, timeout=60, cwd=tmp_path)

    r = run("--localsieve", str(script), "--remotesieve", "mine", "--upload")
    if "nknown option" in r.stderr:
        pytest.skip("sieve-connect knows other options")
    assert r.returncode == 0, r.stderr
    assert run("--remotesieve", "mine", "--activate").returncode == 0
    assert '"mine" ACTIVE' in run("--list").stdout
