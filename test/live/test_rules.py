# SPDX-License-Identifier: Apache-2.0
"""Rules from the command line through SMTP to IMAP: what a user and an administrator see of them."""
import imaplib
import json
import smtplib
import subprocess

import pytest
from conftest import BUILD, PASSWORD
from test_secure_mail import session, smime
from webclient import BASE, Client, quoted

SECRET = "a secure mail password"


@pytest.fixture(autouse=True)
def no_rules(server, alice, bob):
    yield
    for owner in ("server", "example.org", alice, bob):
        for script in json.loads(server.cli("--json", "rule", "list", owner).stdout)["scripts"]:
            server.cli("rule", "remove", owner, script["name"])
    for address in (alice, bob):
        with login(server, address) as c:
            for box in boxes(c):
                if c.select(box)[1] == [b"0"]:
                    continue
                c.store("1:*", "+FLAGS", r"\Deleted")
                c.expunge()


def login(server, address):
    c = imaplib.IMAP4_SSL("127.0.0.1", server.port("imaps"), ssl_context=server.context())
    c.login(address, PASSWORD)
    return c


def boxes(c):
    return [line.rsplit(b'"/" ', 1)[1].strip(b'"').decode() for line in c.list()[1]]


def rules(server, owner, text, *options):
    return server.cli("rule", "set", owner, "-", *options, stdin=text)


def send(server, sender, to, message, size=0):
    with smtplib.SMTP("127.0.0.1", server.port("smtp")) as s:
        text = message.replace("\n", "\r\n").encode()
        if size:
            text += (b"y" * 70 + b"\r\n") * (size // 72)
        return s.sendmail(sender, to if isinstance(to, list) else [to], text)


def mail(subject="hello", to="alice@example.org", more=""):
    return f"From: Jim <jim@example.com>\nTo: {to}\nSubject: {subject}\n{more}\nbody of {subject}\n"


def found(server, address):
    """{mailbox: [(flags, whole message)]} of what is not empty."""
    result = {}
    with login(server, address) as c:
        for box in boxes(c):
            if c.select(box, readonly=True)[1] == [b"0"]:
                continue
            _, data = c.fetch("1:*", "(FLAGS BODY.PEEK[])")
            messages = [(imaplib.ParseFlags(d[0]), d[1]) for d in data if isinstance(d, tuple)]
            if messages:
                result[box] = messages
    return result


def test_fileinto_flags_and_create(server, alice):
    rules(server, alice, '''require ["fileinto", "mailbox", "imap4flags", "variables"];
if header :matches "Subject" "[*] *" {
    addflag ["\\\\Seen", "filed"];
    fileinto :create "Lists/${1}";
}''')
    send(server, "jim@example.com", alice, mail("[dev] hello"))
    send(server, "jim@example.com", alice, mail("plain"))
    got = found(server, alice)
    assert sorted(got) == ["INBOX", "Lists/dev"]
    flags = got["Lists/dev"][0][0]
    assert rb"\Seen" in flags and b"filed" in flags
    assert b"body of plain" in got["INBOX"][0][1]


def test_server_and_domain_first(server, alice, bob):
    rules(server, "server", '''require "editheader"; addheader "X-Server" "seen";''')
    rules(server, "example.org", '''require "fileinto";
if header :contains "Subject" "junk" { fileinto "Junk"; }''')
    rules(server, alice, '''require "fileinto"; fileinto "Archive";''')
    send(server, "jim@example.com", [alice, bob], mail("junk"))
    send(server, "jim@example.com", [alice, bob], mail("letter"))
    got = found(server, alice)
    assert sorted(got) == ["Archive", "Junk"]
    assert all(b"X-Server: seen\r\n" in m for box in got.values() for _, m in box)
    assert sorted(found(server, bob)) == ["INBOX", "Junk"]


def test_reject_is_said_in_the_dialog(server, alice, bob):
    rules(server, alice, '''require "reject"; reject "no mail from you,
please";''')
    with pytest.raises(smtplib.SMTPDataError) as e:
        send(server, "jim@example.com", alice, mail())
    assert e.value.smtp_code == 550
    assert e.value.smtp_error == b"5.7.1 no mail from you, please"
    # With another recipient the message is taken, and the sender hears of it.
    send(server, bob, [alice, bob], mail(to="alice@example.org, bob@example.org"))
    got = found(server, bob)["INBOX"]
    assert len(got) == 2 and any(b"no mail from you,\r\n    please" in m for _, m in got)
    assert found(server, alice) == {}


def test_redirect_and_its_loop(server, alice, bob):
    rules(server, alice, f'redirect "{bob}";')
    rules(server, bob, f'require "copy"; redirect :copy "{alice}";')
    send(server, "jim@example.com", alice, mail())
    assert found(server, alice) == {}
    assert len(found(server, bob)["INBOX"]) == 1


def test_vacation_answers_once(server, alice, bob):
    rules(server, alice, '''require "vacation";
vacation :days 3 :subject "Grüße" "I am away until Monday.";''')
    for _ in range(2):
        send(server, bob, alice, f"From: {bob}\nTo: {alice}\nSubject: x\nMessage-ID: <1@b>\n\nx\n")
    send(server, bob, alice, f"From: {bob}\nTo: {alice}\nAuto-Submitted: auto-generated\n\nx\n")
    assert len(found(server, alice)["INBOX"]) == 3
    got = found(server, bob)["INBOX"]
    assert len(got) == 1
    answer = got[0][1]
    assert b"Auto-Submitted: auto-replied" in answer
    assert b"In-Reply-To: <1@b>" in answer
    assert b"I am away until Monday." in answer
    assert f"To: <{bob}>".encode() in answer


def test_a_rule_that_fails_keeps(server, alice):
    rules(server, alice, '''require ["variables", "fileinto"];
fileinto "Junk";
set "x" "nobody";
redirect "${x}";''')
    send(server, "jim@example.com", alice, mail())
    assert list(found(server, alice)) == ["INBOX"]
    assert "rule.run account=alice@example.org level=account" in server.log_text()


def test_body_of_a_large_message(server, alice):
    rules(server, alice, '''require ["body", "fileinto", "editheader"];
if body :contains "body of large" { addheader "X-Found" "it"; fileinto "Archive"; }''')
    send(server, "jim@example.com", alice, mail("large"), size=3 << 20)
    got = found(server, alice)["Archive"]
    assert b"X-Found: it\r\n" in got[0][1] and len(got[0][1]) > 3 << 20


def make_keys(server, address):
    server.cli("smime", "generate", address, "--password-file", "-", stdin=SECRET + "\n")


def test_store_encrypted(server, alice, bob):
    """CGP-61 to CGP-63: in the owner's mailbox for the owner, in another's for both."""
    rules(server, alice, '''require "vnd.signet.encrypt"; keep :encrypt;''')
    send(server, "jim@example.com", alice, mail("early"))
    _, clear = found(server, alice)["INBOX"][0]
    assert b"body of early" in clear
    assert b"Signet-Not-Encrypted: the owner of the mailbox has no certificate\r\n" in clear
    rules(server, alice, '''require "vnd.signet.encrypt"; keep :encrypt :mandatory;''')
    with pytest.raises(smtplib.SMTPDataError) as e:
        send(server, "jim@example.com", alice, mail("refused"))
    assert e.value.smtp_error.startswith(b"5.7.10 ")
    server.cli("ca", "create", "example.org")
    make_keys(server, alice)
    make_keys(server, bob)
    for size in (0, 2 << 20):
        send(server, "jim@example.com", alice, mail("secret"), size=size)
    sealed = [m for _, m in found(server, alice)["INBOX"] if b"early" not in m]
    assert len(sealed) == 2
    for m in sealed:
        header, _, body = m.partition(b"\r\n\r\n")
        assert b"application/pkcs7-mime" in header and b"Subject: secret\r\n" in header
        assert b"body of secret" not in m
        assert recipients(m) == 1
    # Encrypted already: as it came.
    raw = sealed[0].replace(b"\r\n", b"\n").replace(b"Delivered-To:", b"X-Was-At:").decode()
    send(server, "jim@example.com", alice, raw)
    assert sum(m.endswith(sealed[0][-200:]) for _, m in found(server, alice)["INBOX"]) == 2
    rules(server, "example.org", f'''require ["fileinto", "vnd.signet.encrypt"];
if header :is "Subject" "both" {{ fileinto :encrypt "~bob/INBOX"; }}''')
    send(server, "jim@example.com", alice, mail("both"))
    assert recipients(found(server, bob)["INBOX"][0][1]) == 2
    # Both read it, the other one where the mailbox lets her: also over the API.
    a = session(server, alice)
    listed = f"/accounts/{alice}/mailboxes/{quoted('~bob/INBOX')}/messages"
    a.get(listed, expect=404)
    server.cli("mailbox", "rights", bob, "INBOX", alice, "lr")
    m, = a.get(listed)["messages"]
    assert a.get(f"/accounts/{alice}/messages/{m['id']}/read")["locked"]
    a.ask("POST", smime(alice) + "/unlock", {"password": SECRET}, expect=200)
    shown = a.get(f"/accounts/{alice}/messages/{m['id']}/read")
    assert "body of both" in shown["parts"][0]["text"]
    # Not changed by who may only read, nor read by who has lost the right.
    a.ask("POST", f"{BASE}/accounts/{alice}/messages/{m['id']}/decrypt", expect=404)
    server.cli("mailbox", "rights", bob, "INBOX", alice, "")
    a.get(f"/accounts/{alice}/messages/{m['id']}/read", expect=404)
    # Who could not read it has it in clear, and hears why. What somebody else says is taken away.
    server.add_account("dora@example.org")
    send(server, "jim@example.com", "dora@example.org",
         "Signet-Not-Encrypted: forged\n" + mail("both", to="dora@example.org"))
    clear, = [m for _, m in found(server, bob)["INBOX"] if b"body of both" in m]
    assert b"Signet-Not-Encrypted: the account whose mail it was has no certificate\r\n" in clear
    assert b"forged" not in clear


def test_a_reason_that_is_not_ascii(server, alice):
    """RFC 5429 section 2.1.1: whoever asks for UTF-8 (RFC 6531) gets it."""
    rules(server, alice, 'require "reject"; reject "Geh fort, bis ich zurück bin";')
    for options, expected in (((), b"5.7.1 Geh fort, bis ich zur?ck bin"),
                              (("SMTPUTF8",), "5.7.1 Geh fort, bis ich zurück bin".encode())):
        with smtplib.SMTP("127.0.0.1", server.port("smtp")) as s, \
                pytest.raises(smtplib.SMTPDataError) as e:
            s.ehlo()
            s.sendmail("jim@example.com", [alice], mail().replace("\n", "\r\n").encode(), options)
        assert e.value.smtp_error == expected
    rules(server, alice, 'require "reject"; reject "не пишите мне";')
    with pytest.raises(smtplib.SMTPDataError) as e:
        send(server, "jim@example.com", alice, mail())
    assert e.value.smtp_error == b"5.7.1 refused by the rules of the recipient"


def test_the_next_message_sees_it(server):
    """Nothing of what rules and certificates said for one message is believed for the next."""
    carl = server.add_account("carl@example.org")
    server.cli("ca", "create", "example.org", check=False)
    serials = []

    def arrives():
        send(server, "jim@example.com", carl, mail("secret", to=carl))
        return found(server, carl)["INBOX"][-1][1]

    assert b"body of secret" in arrives()
    rules(server, "example.org", """require "vnd.signet.encrypt"; keep :encrypt :mandatory;""")
    with pytest.raises(smtplib.SMTPDataError):
        arrives()
    for _ in range(2):
        make_keys(server, carl)
        keys = json.loads(server.cli("--json", "smime", "show", carl).stdout)["keys"]
        server.cli("smime", "use", carl, str(max(k["number"] for k in keys)))
        serials.append(serial(arrives()))
        assert serial(arrives()) == serials[-1]
    assert serials[0] != serials[1]
    server.cli("smime", "renew", carl)
    serials.append(serial(arrives()))
    assert serials[2] not in serials[:2]
    server.cli("account", "set", carl, "smime=no")
    with pytest.raises(smtplib.SMTPDataError):
        arrives()
    server.cli("account", "set", carl, "smime=yes")
    assert serial(arrives()) == serials[2]
    rules(server, "example.org", "keep;")
    assert b"body of secret" in arrives()
    server.cli("account", "remove", carl)
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        send(server, "jim@example.com", carl, mail("secret", to=carl))


def serial(message):
    """Of the certificate that the message is encrypted to, by OpenSSL."""
    r = subprocess.run(["openssl", "cms", "-cmsout", "-print", "-inform", "SMIME"], input=message,
                       capture_output=True, check=True)
    return next(line for line in r.stdout.splitlines() if b"serialNumber" in line)


def recipients(message):
    """How many can open it, by OpenSSL."""
    r = subprocess.run(["openssl", "cms", "-cmsout", "-print", "-inform", "SMIME"], input=message,
                       capture_output=True, check=True)
    return r.stdout.count(b"d.ktri:") + r.stdout.count(b"d.kari:")


def test_commands(server, alice, tmp_path):
    good, bad = tmp_path / "good.sieve", tmp_path / "bad.sieve"
    good.write_text('require "fileinto";\nif header :is "Subject" "x" { fileinto "A"; }\n')
    bad.write_text("keep;\nnonsense;\n")
    message = tmp_path / "m.eml"
    message.write_text("Subject: x\n\nbody\n")
    run = lambda *args: subprocess.run([BUILD / "signet", "rule", *args], capture_output=True,
                                       text=True, cwd=tmp_path)
    assert run("check", good).returncode == 0
    assert run("check", good, "--message", message).stdout == 'fileinto "A"\n'
    r = run("check", bad)
    assert r.returncode == 1 and "bad.sieve: line 2, column 1: there is no command" in r.stderr
    assert server.cli("rule", "list", alice).stdout.count("\n") == 1
    r = server.cli("rule", "show", alice, check=False)
    assert r.returncode == 1 and "has no active rules" in r.stderr
    server.cli("rule", "set", alice, str(good))
    server.cli("rule", "set", alice, str(good), "--name", "other", "--inactive")
    assert server.cli("rule", "show", alice).stdout == good.read_text()
    scripts = json.loads(server.cli("--json", "rule", "list", alice).stdout)["scripts"]
    assert [(s["name"], s["active"]) for s in scripts] == [("other", False), ("rules", True)]
    r = server.cli("rule", "set", alice, str(bad), check=False)
    assert r.returncode == 1 and "line 2, column 1" in r.stderr
    server.cli("rule", "remove", alice)
    r = server.cli("rule", "remove", alice, "none", check=False)
    assert r.returncode == 1
    for owner in ("nobody@example.org", "example.com"):
        assert server.cli("rule", "list", owner, check=False).returncode == 1


def test_over_the_api_everybody_has_his_own(server, alice, bob):
    """Also who is called as a domain or the server is: a path names the owner, not the login."""
    for name in ("server", "example.org"):
        address = server.add_account(f"{name}@example.org")
        c = Client(server, login=address)
        c.ask("PUT", f"{BASE}/rules/{address}/mine", {"text": "keep;"}, expect=200)
        assert [s["name"] for s in c.get(f"/rules/{address}")["scripts"]] == ["mine"]
        assert c.get(f"/rules/{address}/mine")["text"] == "keep;"
        for owner in ("server", "example.org", alice):
            c.ask("PUT", f"{BASE}/rules/{owner}/theirs", {"text": "discard;"}, expect=403)
            c.ask("GET", f"{BASE}/rules/{owner}", expect=403)
        c.ask("DELETE", f"{BASE}/rules/{address}/mine", expect=204)
    bad = c.ask("PUT", f"{BASE}/rules/{address}/bad", {"text": "keep;\nfileinto 3;"}, expect=422)
    assert "line 2" in bad.json["detail"]
