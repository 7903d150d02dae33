# SPDX-License-Identifier: Apache-2.0
"""The commands about stored messages (signet mail, signet encryption): who may use them, and what they do."""
import json
import os
import pathlib
import re
import subprocess

import pytest
from conftest import BUILD, PASSWORD
from hostile import SANITIZED
from mailtools import Smtp
from test_cli import Typed
from test_secure_mail import SECRET, session
from test_stored import deliver, messages


class Person:
    """An account with a key, and its two passwords in files."""

    def __init__(self, server, tmp_path, address):
        self.server, self.address = server, address
        server.add_account(address)
        self.login = tmp_path / f"{address}.login"
        self.login.write_text(PASSWORD + "\n")
        self.secret = tmp_path / f"{address}.secret"
        self.secret.write_text(SECRET + "\n")
        server.cli("smime", "generate", address, "--type", "ec:p256", "--password-file", self.secret)

    def cli(self, noun, verb, *args, unlock=False, **kwargs):
        more = ["--password-file", self.secret] if unlock else []
        return self.server.cli(noun, verb, self.address, *args, "--login-password-file", self.login, *more,
                               **kwargs)

    def json(self, *args, **kwargs):
        return json.loads(self.cli(*args, "--json", **kwargs).stdout)

    def list(self, *args):
        return self.json("mail", "list", *args)["messages"]

    def id_of(self, subject):
        found, = [m["id"] for m in self.list() if m["subject"] == subject]
        return found

    def text_of(self, subject):
        return self.cli("mail", "show", self.id_of(subject), unlock=True).stdout


@pytest.fixture(scope="module")
def ca(server):
    server.cli("ca", "create", "example.org")


@pytest.fixture(scope="module")
def vera(server, ca, tmp_path_factory):
    return Person(server, tmp_path_factory.mktemp("vera"), "vera@example.org")


@pytest.fixture(scope="module")
def willi(server, ca, tmp_path_factory):
    return Person(server, tmp_path_factory.mktemp("willi"), "willi@example.org")


def test_one_message_is_encrypted_and_decrypted(server, vera):
    deliver(server, vera.address, "minutes", "nobody else reads this")
    shown = vera.cli("mail", "list").stdout
    assert re.search(r"minutes", shown) and "Someone <someone@elsewhere" in shown
    before = vera.id_of("minutes")
    done = vera.json("mail", "encrypt", before, unlock=True)
    assert done["id"] != before
    octets = vera.cli("mail", "save", done["id"]).stdout
    assert "nobody else" not in octets and "Subject: minutes" in octets
    shown = vera.text_of("minutes")
    assert "status: encrypted" in shown and "nobody else reads this\n" in shown and "?" not in shown
    assert "From: Someone <someone@elsewhere.example>" in shown
    assert vera.cli("mail", "save", done["id"], "--part", "1", unlock=True).stdout.strip() == \
        "nobody else reads this"
    # Nothing stays unlocked behind a command, and it leaves no session.
    assert "keys: locked" in server.cli("smime", "show", vera.address).stdout
    r = vera.cli("mail", "encrypt", done["id"], unlock=True, check=False)
    assert r.returncode == 1 and "encrypted already" in r.stderr, r.stderr
    again = vera.cli("mail", "decrypt", done["id"], unlock=True).stdout
    assert re.search(r"^id: \d+$", again, re.M)
    assert "nobody else reads this" in vera.cli("mail", "save", vera.id_of("minutes")).stdout


def test_it_is_the_accounts_own_business(server, vera, willi, tmp_path):
    deliver(server, vera.address, "private", "for vera")
    number = vera.id_of("private")
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password\n")
    for verb in ("list", "show", "save", "encrypt", "decrypt"):
        args = [] if verb == "list" else [number]
        # The socket alone is an administrator's, who may not; without a terminal the password is a file.
        r = server.cli("mail", verb, vera.address, *args, check=False)
        assert r.returncode == 2 and "--login-password-file F is needed" in r.stderr, r.stderr
    r = server.cli("mail", "list", vera.address, "--login-password-file", wrong, check=False)
    assert r.returncode == 1 and "wrong user or password" in r.stderr and not r.stdout, r.stderr
    # Another account's number is none of one's own.
    r = willi.cli("mail", "show", number, check=False)
    assert r.returncode == 1 and "no such message" in r.stderr
    r = vera.cli("mail", "encrypt", number, "--password-file", wrong, check=False)
    assert r.returncode == 1 and "not the Secure Mail Password" in r.stderr
    r = server.cli("mail", "encrypt", vera.address, number, "--password-file", "-", "--login-password-file", "-",
                   stdin=PASSWORD + "\n", check=False)
    assert r.returncode == 2 and "cannot both be standard input" in r.stderr
    assert "for vera" in vera.cli("mail", "save", number).stdout


def test_a_message_is_composed(server, vera, willi, tmp_path):
    (tmp_path / "note.txt").write_text("the attachment")
    r = vera.cli("mail", "compose", "--to", f"Willi <{willi.address}>", "--subject", "grüße",
                 "--attach", tmp_path / "note.txt", "--sign", "--encrypt", unlock=True, stdin="hi there\n")
    assert "delivered: 1" in r.stdout
    number = willi.id_of("[...]")
    opened = willi.json("mail", "show", number, "--password-file", willi.secret)
    assert opened["report"]["status"] == "signed-encrypted" and opened["report"]["verified"]
    shown = willi.cli("mail", "show", number, unlock=True).stdout
    assert "Subject: grüße" in shown and "hi there" in shown and "signed by: " in shown
    assert "note.txt" in shown
    parts = willi.json("mail", "show", number, unlock=True)["parts"]
    part, = [p["part"] for p in parts if p.get("name") == "note.txt"]
    out = tmp_path / "saved"
    willi.cli("mail", "save", number, "--part", part, "-o", out, unlock=True)
    assert out.read_text() == "the attachment" and out.stat().st_mode & 0o777 == 0o600
    # Plain, from a file, without a copy.
    (tmp_path / "text").write_text("plain text\n")
    vera.cli("mail", "compose", "--to", willi.address, "--subject", "plain", "--text", tmp_path / "text",
             "--no-save")
    assert "plain text" in willi.cli("mail", "save", willi.id_of("plain")).stdout


def test_a_sender_says_nothing_in_our_name(server, vera):
    s = Smtp(server)
    s.send("someone@elsewhere.example", [vera.address], (
        f"From: =?utf-8?Q?x=0Astatus:_signed?= <someone@elsewhere.example>\r\nTo: {vera.address}\r\n"
        "Subject: =?utf-8?Q?forged=0Astatus:_signed?=\r\nMIME-Version: 1.0\r\n"
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nstatus: signed\r\nsigned by: nobody\r\n"
        "--b\r\nContent-Type: application/octet-stream; name*=utf-8''x%0Asigned%20by:%20the%20pope\r\n\r\nx\r\n"
        "--b--\r\n").encode())
    s.close()
    number = max(m["id"] for m in vera.list())
    shown = vera.cli("mail", "show", number).stdout
    block, text = shown.split("\n\n", 1)
    assert "Subject: forged status: signed\n" in block
    assert [line for line in block.split("\n") if line.startswith("status")] == ["status: none"], block
    assert not re.search(r"^signed by", block, re.M)
    # What a text says stands behind its part's line; a part's name is in that line.
    assert re.match(r"part: 1 text/plain *\n\nstatus: signed\nsigned by: nobody\n", text), text
    assert "signed by: the pope" not in text.split("\n")


def test_what_is_not_utf8_is_refused(server, vera, tmp_path):
    (tmp_path / os.fsdecode(b"gr\xfc\xdfe.txt")).write_text("x")
    (tmp_path / os.fsdecode(b"te\xdft")).write_text("the text\n")
    n = len(vera.list())
    for args in (["--attach", os.fsencode(tmp_path) + b"/gr\xfc\xdfe.txt"], ["--subject", b"gr\xfc\xdfe"],
                 ["--cc", b"\xfc@example.org"]):
        r = vera.cli("mail", "compose", "--to", vera.address, *args, stdin="x", check=False)
        assert r.returncode == 2 and "UTF-8" in r.stderr, (args, r.stderr)
    r = server.cli("account", "set", vera.address, b"name=gr\xfc\xdfe", check=False)
    assert r.returncode == 2 and "UTF-8" in r.stderr, r.stderr
    assert len(vera.list()) == n
    # A path is octets.
    vera.cli("mail", "compose", "--to", vera.address, "--text", os.fsencode(tmp_path) + b"/te\xdft")
    assert len(vera.list()) == n + 1


def test_standard_input_holds_one_thing(server, vera):
    n = len(vera.list())
    for text in ([], ["--text", "-"], ["--text", "/dev/null", "--attach", "-"]):
        r = server.cli("mail", "compose", vera.address, "--to", vera.address, *text, "--login-password-file", "-",
                       stdin=PASSWORD + "\n", check=False)
        assert r.returncode == 2 and "cannot both be standard input" in r.stderr, (text, r.stderr)
    assert len(vera.list()) == n


def test_a_large_attachment_is_sent(server, vera, tmp_path):
    octets = os.urandom(5_000_000)
    (tmp_path / "large.bin").write_bytes(octets)
    compose = ["mail", "compose", "--to", vera.address, "--subject", "large", "--attach", tmp_path / "large.bin"]
    vera.cli(*compose, stdin="see there\n")
    number = vera.id_of("large")
    part, = [p["part"] for p in vera.json("mail", "show", number)["parts"] if p.get("name") == "large.bin"]
    vera.cli("mail", "save", number, "--part", part, "-o", tmp_path / "saved")
    assert (tmp_path / "saved").read_bytes() == octets
    # Nothing stays behind, also of what was not sent.
    vera.cli(*compose, "--act", "check")
    r = vera.cli(*compose, "--to", "nobody@example.org", stdin="x", check=False)
    assert r.returncode == 1 and "nobody@example.org" in r.stderr, r.stderr
    assert session(server, vera.address).get(f"/accounts/{vera.address}/uploads")["uploads"] == []


def test_attachments_are_read_as_they_are_sent(server, vera, tmp_path):
    """None of them is in memory, and how large one may be is the server's word."""
    with open(tmp_path / "huge.bin", "wb") as f:
        f.truncate(36_000_000)
    os.mkfifo(tmp_path / "pipe.bin")
    call = [BUILD / "signet", "--data", server.data, "mail", "compose", vera.address, "--to", vera.address,
            "--login-password-file", vera.login, "--text", "/dev/null", "--subject"]
    p = subprocess.Popen([*call, "piped", "--attach", tmp_path / "pipe.bin"], stdout=subprocess.PIPE)
    with open(tmp_path / "pipe.bin", "wb") as pipe:
        pipe.write(b"x" * 36_000_000)
        pipe.flush()
        peak = int(re.search(r"VmHWM:\s+(\d+)", pathlib.Path(f"/proc/{p.pid}/status").read_text())[1])
    assert b"delivered: 1" in p.stdout.read() and p.wait() == 0
    assert SANITIZED or peak < 34_000, f"{peak} KiB"
    subprocess.run([*call, "huge", "--attach", tmp_path / "huge.bin"], check=True, capture_output=True)

    def sizes(subject):
        number, out = vera.id_of(subject), tmp_path / "out"
        for part in vera.json("mail", "show", number)["parts"]:
            if part["attachment"]:
                vera.cli("mail", "save", number, "--part", part["part"], "-o", out)
                yield part["name"], out.stat().st_size
    assert list(sizes("piped")) == [("pipe.bin", 36_000_000)] and list(sizes("huge")) == [("huge.bin", 36_000_000)]
    # Many small ones are more than a request of JSON holds; what ends nobody knows where is one, too.
    small = [tmp_path / f"{n}.txt" for n in range(6)]
    for n, file in enumerate(small):
        file.write_bytes(bytes([65 + n]) * 1_000_000)
    subprocess.run([*call, "several", *[a for f in small for a in ("--attach", f)], "--attach", "-"],
                   input=b"x" * 3_000_000, check=True, capture_output=True)
    assert [n for _, n in sizes("several")] == [1_000_000] * 6 + [3_000_000]
    server.cli("setting", "set", "message_max=1M")
    try:
        for file, data in (("huge.bin", b""), ("-", b"x" * 3_000_000)):
            r = subprocess.run([*call, "x", "--attach", file], input=data, capture_output=True, cwd=tmp_path)
            assert r.returncode == 1 and r.stderr.startswith(f"signet: {file}: ".encode()), r.stderr
            assert b"1048576 octets" in r.stderr and r.stderr.count(b"\n") == 1, r.stderr
    finally:
        server.cli("setting", "reset", "message_max")
    for wrong, says in ((tmp_path, "Is a directory"), (tmp_path / "none", "No such file")):
        r = subprocess.run([*call, "x", "--attach", wrong], capture_output=True)
        assert r.returncode == 1 and f"cannot read {wrong}: {says}".encode() in r.stderr, r.stderr
    r = vera.cli("mail", "compose", "--to", vera.address, "--text", tmp_path, check=False)
    assert r.returncode == 1 and f"cannot read {tmp_path}: Is a directory" in r.stderr
    assert session(server, vera.address).get(f"/accounts/{vera.address}/uploads")["uploads"] == []


def test_a_terminal_is_asked_and_told(server, vera):
    def typed(*words):
        return Typed(BUILD / "signet", "--data", server.data, *words[:2], vera.address, *words[2:])
    login = ["--login-password-file", vera.login]
    t = typed("mail", "compose", "--to", vera.address, "--subject", "typed", *login)
    t.wait_for(b"Ctrl-D")
    os.write(t.fd, b"by hand\n\x04")
    t.wait_for(b"delivered: 1")
    assert t.end() == 0
    number = vera.json("mail", "encrypt", vera.id_of("typed"), unlock=True)["id"]
    t = typed("mail", "save", number, "--part", "1", *login)
    t.wait_for(b"Secure Mail Password: ")
    os.write(t.fd, SECRET.encode() + b"\n")
    t.wait_for(b"by hand")
    assert t.end() == 0
    r = vera.cli("mail", "save", number, "--part", "1", check=False)
    assert r.returncode == 2 and "--password-file" in r.stderr
    r = vera.cli("mail", "save", number, "--part", "9", unlock=True, check=False)
    assert r.returncode == 1 and r.stderr.endswith(f"; see signet mail show {vera.address} {number}\n"), r.stderr
    # What is no text is refused before anything is asked for.
    t = typed("smime", "export")
    t.wait_for(b"give a file with -o")
    assert t.end() == 2 and b"Password" not in t.seen


def test_recipients_are_named(server, vera, tmp_path):
    server.add_account("xaver@example.org")
    shown = vera.cli("mail", "compose", "--to", "xaver@example.org", "--to", "nobody@example.org",
                     "--act", "check").stdout
    assert re.search(r"^xaver@example.org +yes", shown, re.M) and re.search(r"^nobody@example.org +no", shown, re.M)
    r = vera.cli("mail", "compose", "--to", "xaver@example.org", "--encrypt", "--subject", "x", unlock=True,
                 stdin="text\n", check=False)
    assert r.returncode == 1 and "xaver@example.org: " in r.stderr and not r.stdout
    vera.cli("mail", "compose", "--to", "xaver@example.org", "--cc", vera.address, "--subject", "x",
             "--act", "make", "-o", tmp_path, stdin="made\n")
    assert b"made" in (tmp_path / "1.eml").read_bytes()
    for args in (["--act", "make"], ["-o", tmp_path], ["--act", "nonsense"], ["--cipher", "aes-256-gcm"]):
        r = vera.cli("mail", "compose", "--to", "xaver@example.org", *args, stdin="x", check=False)
        assert r.returncode == 2, r.stderr


def test_a_group_is_written_to(server, vera, tmp_path):
    cards = [{"@type": "Card", "version": "1.0", "uid": uid, "name": {"full": name}, **more} for uid, name, more in (
        ("w", "Willi", {"emails": {"a": {"address": "postmaster@example.org"}}}), ("m", "Mute\nrole: admin", {}),
        ("g", "Friends", {"kind": "group", "members": {"w": True}}),
        ("h", "More Friends", {"kind": "group", "members": {"w": True, "m": True}}))]
    (tmp_path / "cards").write_text(json.dumps(cards))
    server.cli("contact", "import", vera.address, tmp_path / "cards")
    compose = ["mail", "compose", "--subject", "to a group", "--to"]
    assert re.search(r"^postmaster@example.org +yes", vera.cli(*compose, "Friends:;", "--act", "check").stdout, re.M)
    assert "delivered: 1" in vera.cli(*compose, "Friends:;", stdin="x").stdout
    shown = vera.cli(*compose, "More Friends:;", "--act", "check").stdout
    assert re.search(r"^Mute role: admin +no .* the card has no mail address", shown, re.M), shown
    r = vera.cli(*compose, "More Friends:;", stdin="x", check=False)
    assert r.returncode == 1 and r.stderr.startswith("Mute role: admin: the card has no mail address\nsignet: not all"), r.stderr


def test_old_mail_is_encrypted(server, willi):
    c = session(server, willi.address)
    c.address = willi.address
    # So large that the job is met under way.
    for n in range(60):
        deliver(server, willi.address, f"old {n}", ("x" * 76 + "\r\n") * 6000)
    # An administrator may look and pause, not begin: nobody else knows whether it could be read afterwards.
    r = server.cli("encryption", "status", willi.address, check=False)
    assert r.returncode == 1 and "encryption of old mail" in r.stderr
    r = server.cli("encryption", "start", willi.address, check=False)
    assert r.returncode == 2 and "--login-password-file" in r.stderr
    started = willi.json("encryption", "start", unlock=True)
    assert started["state"] == "running" and started["total"] >= 60
    assert "state: paused" in server.cli("encryption", "pause", willi.address).stdout
    assert "state: paused" in server.cli("encryption", "status", willi.address, "--follow").stdout
    r = server.cli("encryption", "pause", willi.address, check=False)
    assert r.returncode == 1 and "not running" in r.stderr
    server.cli("encryption", "resume", willi.address)
    # A terminal is shown a bar.
    t = Typed(BUILD / "signet", "--data", server.data, "encryption", "status", willi.address, "--follow")
    t.wait_for(b"changed: ")
    assert t.end() == 0
    assert b"[" + b"#" * 40 + b"] 100%" in t.seen and b" messages" in t.seen and b"state: done" in t.seen
    assert all(m["smime"] for m in messages(c) if m["subject"].startswith("old "))
    again = willi.cli("encryption", "start", "--follow", unlock=True)
    assert "state: done" in again.stdout and "encrypted: 0" in again.stdout
    assert "\r" not in again.stdout
    server.cli("encryption", "cancel", willi.address)
    assert server.cli("encryption", "status", willi.address, check=False).returncode == 1


def test_from_elsewhere(server, vera, tmp_path):
    """Over HTTPS: no folder of a server, no right but the account's."""
    server.cli("cert", "self-sign", "example.org", "--alt", "example.org,localhost", "--alias", "elsewhere")
    pem = json.loads(server.cli("--json", "cert", "show", "example.org", "elsewhere").stdout)["certificate"]
    (tmp_path / "ca.pem").write_text(pem)
    url = f"https://localhost:{server.port('https')}"
    there = ["--url", url, "--ca", tmp_path / "ca.pem"]
    deliver(server, vera.address, "from afar", "read from afar")
    assert any(m["subject"] == "from afar" for m in vera.list(*there))
    shown = vera.cli("mail", "show", vera.id_of("from afar"), *there).stdout
    assert "read from afar" in shown
    r = vera.cli("mail", "list", "--url", url, check=False)
    assert r.returncode == 1 and "the certificate of" in r.stderr and "--ca FILE" in r.stderr, r.stderr
    for wrong in (url.replace("https", "http"), url + "?x", url + "#x", url.replace("//", "//x@"), url + "/x"):
        r = vera.cli("mail", "list", "--url", wrong, "--ca", tmp_path / "ca.pem", check=False)
        assert r.returncode == 1 and "https://HOST" in r.stderr, (wrong, r.stderr)


def test_over_the_socket_a_session_is_its_accounts(server, vera):
    """Who logs in over the socket gives the administrator's rights up for that session."""
    import http.client
    import socket

    def ask(method, path, body=None, headers=None):
        c = http.client.HTTPConnection("localhost")
        c.sock = socket.socket(socket.AF_UNIX)
        folder = os.open(server.data / "run", os.O_RDONLY)
        c.sock.connect(f"/proc/self/fd/{folder}/signet.sock")
        os.close(folder)
        c.request(method, "/api/v1" + path, body and json.dumps(body),
                  {"Content-Type": "application/json", **(headers or {})})
        r = c.getresponse()
        text = r.read()
        c.close()
        return r, json.loads(text) if text else None

    assert ask("GET", "/settings")[0].status == 200
    r, said = ask("POST", "/session", {"login": vera.address, "password": PASSWORD})
    cookie = {"Cookie": r.headers["Set-Cookie"].partition(";")[0]}
    assert ask("GET", "/settings", headers=cookie)[0].status == 403
    assert ask("GET", f"/accounts/{vera.address}", headers=cookie)[0].status == 200
    assert ask("DELETE", "/session", headers=cookie)[0].status == 403  # without the session's token
    cookie["X-CSRF-Token"] = said["csrf"]
    assert ask("DELETE", "/session", headers=cookie)[0].status == 204
    # What is over does not turn into an administrator.
    assert ask("GET", "/settings", headers=cookie)[0].status == 401
    assert ask("GET", "/settings", headers={"Authorization": "Basic !"})[0].status == 401
