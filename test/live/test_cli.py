# SPDX-License-Identifier: Apache-2.0
"""signet as its users meet it: what it prints, what it says when something is wrong, exit codes."""
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import termios
import time

import pytest
from conftest import BUILD, PASSWORD, PORTS, finish, make_server


def rows(text):
    """A table's rows as dictionaries by title; columns begin where their titles do."""
    lines = text.splitlines()
    starts = [i for i, c in enumerate(lines[0]) if c != " " and (i == 0 or lines[0][i - 2:i] == "  ")]
    ends = starts[1:] + [None]
    titles = [lines[0][a:b].strip() for a, b in zip(starts, ends)]
    return [dict(zip(titles, (line[a:b].strip() for a, b in zip(starts, ends))))
            for line in lines[1:]]


def refused(server, *args, code=1, stdin=""):
    """One line on stderr and nothing on stdout; the line."""
    r = server.cli(*args, check=False, stdin=stdin)
    assert r.returncode == code, r.stderr
    assert r.stdout == ""
    assert r.stderr.startswith("signet: ") and r.stderr.count("\n") == 1, r.stderr
    return r.stderr


def test_domain_account_and_alias(server):
    server.cli("domain", "add", "example.net")
    server.add_account("carol@example.net")
    server.cli("account", "set", "carol@example.net", "quota=2G", "name=Carol")
    server.cli("alias", "add", "sales@example.net", "carol@example.net", "postmaster@example.org")
    server.cli("alias", "add", "example.com", "example.net")
    server.cli("mailbox", "create", "carol@example.net", "Projects/Signet")
    assert {"DOMAIN": "example.net", "MAIN": "no", "PKI": "enabled", "ACCOUNTS": "1"} in rows(
        server.cli("domain", "list").stdout)
    assert rows(server.cli("account", "list", "example.net").stdout) == [
        {"ADDRESS": "carol@example.net", "ROLE": "user", "DISABLED": "no", "MESSAGES": "0",
         "OCTETS": "0", "QUOTA": str(2 << 30)}]
    assert rows(server.cli("alias", "list", "example.net").stdout) == [
        {"ALIAS": "example.com", "TARGETS": "example.net"},
        {"ALIAS": "sales@example.net", "TARGETS": "carol@example.net, postmaster@example.org"}]
    mailboxes = rows(server.cli("mailbox", "list", "carol@example.net").stdout)
    assert {"MAILBOX": "Trash", "USE": "trash", "MESSAGES": "0", "UNSEEN": "0",
            "OCTETS": "0"} in mailboxes
    assert "Projects/Signet" in [m["MAILBOX"] for m in mailboxes]
    assert "name: Carol\n" in server.cli("account", "show", "carol@example.net").stdout
    server.cli("mailbox", "remove", "carol@example.net", "Projects/Signet")
    server.cli("alias", "remove", "sales@example.net")
    server.cli("alias", "remove", "example.com")
    assert rows(server.cli("alias", "list").stdout) == []
    assert "accounts" in refused(server, "domain", "remove", "example.net")
    server.cli("account", "remove", "carol@example.net")
    server.cli("domain", "rename", "example.net", "example.com")
    server.cli("domain", "remove", "example.com")


def test_keys_and_certificates(server):
    refused(server, "key", "test", "example.org", "none")
    server.cli("domain", "add", "pki.example")
    assert "signet cert self-sign" in refused(server, "cert", "show", "pki.example")
    server.cli("key", "generate", "pki.example", "--alias", "one")
    made = server.cli("cert", "self-sign", "pki.example", "--days=90", "--alias", "a").stdout
    assert "alias: a\n" in made and "services: all\n" in made
    server.cli("cert", "self-sign", "pki.example", "--alias", "b")
    found = rows(server.cli("cert", "list", "pki.example").stdout)
    assert [(c["CERTIFICATE"], c["ISSUED TO"], c["SERVES"]) for c in found] == [
        ("a", "CN=pki.example", ""), ("b", "CN=pki.example", "all")]
    shown = server.cli("cert", "show", "pki.example").stdout
    assert shown.startswith("alias: b\n") and "-----BEGIN CERTIFICATE-----\n" in shown
    server.cli("cert", "activate", "pki.example", "a", "--service", "imap,pop3")
    assert [c["SERVES"] for c in rows(server.cli("cert", "list", "pki.example").stdout)] == [
        "imap,pop3", "smtp,http"]
    assert server.cli("key", "test", "pki.example").stdout.startswith("passed: yes\n")
    assert "ec:p256" in server.cli("key", "show", "pki.example").stdout
    assert rows(server.cli("key", "list", "pki.example").stdout)[0]["FOR"] == "tls"
    assert {k["DOMAIN"] for k in rows(server.cli("key", "list").stdout)} == {
        "example.org", "pki.example"}
    assert {d["DOMAIN"] for d in rows(server.cli("cert", "list").stdout)} == {
        "example.org", "pki.example"}
    server.cli("domain", "set", "pki.example", "main=yes")
    assert "main" in refused(server, "domain", "remove", "pki.example")
    server.cli("domain", "set", "example.org", "main=yes")
    server.cli("domain", "remove", "pki.example")


CHOICES = [
    ("--type", ("key", "generate", "choice.example")), ("--for", ("key", "generate", "choice.example")),
    ("--for", ("key", "show", "choice.example")), ("--service", ("cert", "activate", "choice.example")),
    ("--for", ("trust", "list")), ("--for", ("key", "list", "choice.example")),
    ("--type", ("smime", "generate", "nobody@choice.example", "--password-file", "-")),
    ("--challenge", ("acme", "order", "choice.example")), ("--key", ("acme", "order", "choice.example"))]


@pytest.fixture(scope="module")
def choosing(server):
    server.cli("domain", "add", "choice.example")
    server.cli("key", "generate", "choice.example")
    server.cli("cert", "self-sign", "choice.example")
    return server


@pytest.mark.parametrize("option,command", CHOICES)
def test_what_may_be_chosen_is_said(choosing, option, command):
    """A value that is none is a usage error with the list; the server takes each of the list."""
    line = refused(choosing, *command, option, "gopher", code=2)
    values = re.search(rf"{option} is one of (.*); not \"gopher\"", line)[1].split(", ")
    assert len(values) > 2
    for value in values:
        r = choosing.cli(*command, option, value, check=False, stdin="password-of-sixteen\n")
        assert r.returncode < 2
        assert not re.search(r"type|service|use is|purpose|challenge .* not known", r.stderr), r.stderr


@pytest.mark.parametrize("words,says", [
    (("--alt", ""), "--alt needs a value"), (("--alt", " , "), "--alt needs a value"),
    (("--country", "Switzerland"), "--country is a code of 2 letters"),
    (("--country", "D1"), "--country is a code of 2 letters"),
    (("--days", "99999"), "--days is a number from 1 to 3650"),
    (("--days", "0"), "--days is a number from 1 to 3650"),
    (("--days", "many"), "--days is a number from 1 to 3650")])
def test_errors_in_the_terms_of_the_options(choosing, words, says):
    assert says in refused(choosing, "cert", "self-sign", "choice.example", *words, code=2)


def test_what_was_removed_without_a_name(server):
    server.cli("domain", "add", "gone.example")
    server.cli("key", "generate", "gone.example", "--alias", "old")
    server.cli("cert", "self-sign", "gone.example", "--alias", "cert")
    server.cli("request", "create", "gone.example", "--alias", "asked")
    assert server.cli("request", "remove", "gone.example").stdout == "removed: asked\n"
    assert server.cli("cert", "remove", "gone.example").stdout == "removed: cert\n"
    server.cli("key", "generate", "gone.example", "--alias", "new")
    assert server.cli("key", "remove", "gone.example", "old").stdout == ""
    assert server.cli("key", "remove", "gone.example").stdout == "removed: new\n"
    assert server.cli("--json", "domain", "list").stdout


def test_domain_show_says_what_a_bad_certificate_does(server):
    server.cli("domain", "add", "abort.example")

    def shown():
        return json.loads(server.cli("--json", "domain", "show", "abort.example").stdout)["client_abort"]
    assert shown() is False
    server.cli("tls", "set", "client_abort=yes")
    assert shown() is True
    server.cli("domain", "set", "abort.example", "client_abort=no")
    assert shown() is False
    server.cli("tls", "reset", "client_abort")
    assert "client_abort: no\n" in server.cli("domain", "show", "abort.example").stdout


def test_trust_list_fits_a_terminal(server):
    text = server.cli("trust", "list").stdout
    assert len(text.splitlines()) > 50 and max(map(len, text.splitlines())) <= 100
    row = rows(text)[0]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["TILL"])
    server.cli("trust", "deny", row["FINGERPRINT"])
    assert "denied" in [r["FOR"] for r in rows(server.cli("trust", "list").stdout)
                        if r["FINGERPRINT"] == row["FINGERPRINT"]]
    server.cli("trust", "remove", row["FINGERPRINT"])
    assert "no certificate has a fingerprint" in refused(server, "trust", "deny", "00:00:00:00:00")


class Typed:
    """A program on a terminal of its own."""

    def __init__(self, *argv):
        self.seen = b""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            # Ignored is inherited, from nohup for one.
            for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
                signal.signal(number, signal.SIG_DFL)
            os.execv(argv[0], [str(a) for a in argv])

    def wait_for(self, text, n=1):
        while self.seen.count(text) < n:
            assert select.select([self.fd], [], [], 30)[0], self.seen
            self.seen += os.read(self.fd, 4096)

    def echoes(self):
        return bool(termios.tcgetattr(self.fd)[3] & termios.ECHO)

    def end(self):
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.fd)
        return os.waitstatus_to_exitcode(status)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_at_a_prompt_gives_the_echo_back(server, number):
    t = Typed(BUILD / "signet", "--data", server.data, "account", "add", "pty@example.org")
    t.wait_for(b"Password: ")
    assert not t.echoes()
    os.kill(t.pid, number)
    os.waitid(os.P_PID, t.pid, os.WEXITED | os.WNOWAIT)
    assert t.echoes()
    assert t.end() == -number


def test_suspended_at_a_prompt(server):
    """The terminal is as before while a program is suspended; it asks again when it goes on."""
    call = f"{BUILD}/signet --data {server.data} account add pty@example.org"
    t = Typed("/bin/bash", "--norc", "-m", "-c", f"{call}; echo stopped $?; read line; fg; echo ended $?")
    t.wait_for(b"Password: ")
    assert not t.echoes()
    os.write(t.fd, b"\x1a")
    t.wait_for(b"stopped 148")
    assert t.echoes()
    os.write(t.fd, b"on\n")
    t.wait_for(b"Password: ", 2)
    assert not t.echoes()
    os.write(t.fd, b"a long password\n")
    t.wait_for(b"Again: ")
    os.write(t.fd, b"a long password\n")
    t.wait_for(b"ended 0")
    assert t.end() == 0 and b"a long password" not in t.seen


def test_settings_and_audit(server):
    server.cli("setting", "set", "message_max=1M", "hops_max=150")
    assert server.cli("setting", "get", "message_max").stdout == f"{1 << 20}\n"
    assert "from 65536 to" in refused(server, "setting", "set", "hops_max=151", "message_max=5")
    assert server.cli("setting", "get", "hops_max").stdout == "150\n", "a refused call changed one"
    server.cli("setting", "reset", "message_max", "hops_max")
    found = {s["KEY"]: s for s in rows(server.cli("setting", "list").stdout)}
    assert found["message_max"]["VALUE"] == str(50 << 20) and found["hops_max"]["VALUE"] == "100"
    assert "signet setting list" in refused(server, "setting", "get", "no_such")
    audit = rows(server.cli("audit").stdout)
    assert {"BY": "local", "ACTION": "setting.set", "OF": "message_max", "DETAIL": "(default)"}.items(
        ) <= audit[0 if audit[0]["OF"] == "message_max" else 1].items()


def test_json_is_the_body(server):
    body = json.loads(server.cli("--json", "domain", "list").stdout)
    assert "example.org" in [d["name"] for d in body["domains"]]
    assert json.loads(server.cli("status", "--json").stdout)["keyd"] == {
        "domain": True, "user": True}


def test_an_option_may_hold_its_value(server):
    run = lambda *args: subprocess.run([BUILD / "signet", *args], capture_output=True, text=True)
    assert run(f"--data={server.data}", "log", "--lines=1").returncode == 0
    for wrong in (["log", "--follow=yes"], ["log", "--linesx=1"], ["log", "--lines"]):
        got = run(f"--data={server.data}", *wrong)
        assert got.returncode == 2 and got.stderr.count("\n") == 1, got


def test_what_is_wrong_is_one_line(server, tmp_path):
    assert "signet domain list" in refused(server, "key", "list", "none.example")
    assert "signet account list" in refused(server, "account", "show", "nobody@example.org")
    assert "list, add, show" in refused(server, "domain", code=2)
    assert "list, add, show" in refused(server, "domain", "destroy", code=2)
    assert "signet domain show --help" in refused(server, "domain", "show", code=2)
    assert "one word too many" in refused(server, "domain", "show", "a", "b", code=2)
    assert "not an option" in refused(server, "cert", "list", "--days", "3", code=2)
    assert "needs a value" in refused(server, "cert", "self-sign", "example.org", "--days", code=2)
    assert "a number" in refused(server, "cert", "self-sign", "example.org", "--days", "x", code=2)
    assert "KEY=VALUE" in refused(server, "account", "set", "a@example.org", "quota", code=2)
    assert '"color"' in refused(server, "domain", "set", "example.org", "color=red")
    empty = tmp_path / "empty"
    empty.write_text("\n")
    assert "password" in refused(server, "account", "add", "x@example.org", "--password-file", empty)
    r = subprocess.run([BUILD / "signet", "--data", tmp_path, "status"], capture_output=True, text=True)
    assert r.returncode == 1 and "--data" in r.stderr
    r = subprocess.run([BUILD / "signet"], capture_output=True, text=True)
    assert r.returncode == 2
    with open("/dev/full", "w") as full:
        r = subprocess.run([BUILD / "signet", "--data", server.data, "status"], stdout=full,
                           stderr=subprocess.PIPE, text=True)
    assert r.returncode == 1 and "No space left" in r.stderr


def test_without_a_terminal_a_password_must_come_from_a_file(server):
    r = subprocess.run([BUILD / "signet", "--data", server.data, "account", "add", "t@example.org"],
                       capture_output=True, text=True, stdin=subprocess.DEVNULL,
                       start_new_session=True)
    assert r.returncode == 2 and "--password-file" in r.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_another_user_is_told(server):
    # The build folder may lie where another user cannot go.
    program = shutil.copy(BUILD / "signet", server.folder)
    r = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", program,
                        "--data", server.data, "status"], capture_output=True, text=True)
    assert r.returncode == 1 and "only root and the user" in r.stderr


def test_help_of_every_command():
    general = subprocess.run([BUILD / "signet", "--help"], capture_output=True, text=True)
    calls = [line.split() for line in general.stdout.splitlines() if line.startswith("  signet ")]
    assert general.returncode == 0 and len(calls) > 30
    for call in calls:
        words = [w for w in call[1:3] if re.fullmatch("[a-z-]+", w)]
        r = subprocess.run([BUILD / "signet", *words, "--help"], capture_output=True, text=True)
        assert r.returncode == 0
        assert r.stdout.startswith("usage: " + " ".join(call))
        example = r.stdout.rpartition("example: ")[2]
        assert " ".join(["signet", *words]) in example


def test_what_does_not_exist_is_answered_with_what_does(server):
    server.add_account("hint@example.org")
    for call, list_of in ((["rule", "list", "nosuch@example.org"], "account list"),
                          (["smime", "show", "nosuch@example.org"], "account list"),
                          (["alias", "remove", "nosuch@example.org"], "alias list"),
                          (["contact", "refuse", "hint@example.org", ":".join(["AB"] * 32)],
                           "contact waiting hint@example.org"),
                          (["contact", "take", "hint@example.org", "--mailbox", "INBOX", "--uid", "99"],
                           "mail list hint@example.org MAILBOX"),
                          (["contact", "take", "hint@example.org", "--uid", "9", "--mailbox", "Nope"],
                           "mailbox list hint@example.org"),
                          (["contact", "show", "hint@example.org", "nosuch"], "contact list hint@example.org"),
                          (["contact", "remove", "hint@example.org", "nosuch"], "contact list hint@example.org"),
                          (["smime", "use", "hint@example.org", "77"], "smime show hint@example.org"),
                          (["smime", "unlock", "hint@example.org", "--password-file", "/dev/stdin"],
                           "smime generate hint@example.org"),
                          (["domain", "show", "nosuch.example"], "domain list"),
                          (["key", "show", "example.org", "nosuch"], "key list")):
        line = refused(server, *call, stdin="x")
        assert line.rstrip().endswith(f"; see signet {list_of}"), (call, line)


def test_help_fits_a_terminal():
    def shown(*words):
        t = Typed("/usr/bin/env", "COLUMNS=60", BUILD / "signet", *words, "--help")
        t.wait_for(b"example")
        assert t.end() == 0
        return t.seen.decode().replace("\r\n", "\n")
    for words in (["mail", "compose"], ["contact", "take"], ["key", "generate"]):
        text, plain = shown(*words), subprocess.run([BUILD / "signet", *words, "--help"], capture_output=True, text=True).stdout
        assert text.split() == plain.split()
        lines = text.partition("\nexample: ")[0].split("\n")
        assert max(map(len, lines)) <= 60 and not any(line.endswith(" ") for line in lines), text
        # What an option is followed by stays with it, and each help stands in one column.
        assert not re.search(r"\[[^]]*\n", text.partition("\n\n")[0])
        assert len({m.end() for m in (re.match(r"  --?\S+( [A-Z,.]+)?  +", line) for line in lines) if m}) == 1


def test_examples_can_be_called(tmp_path):
    """Each is taken as a call, also where there is no server to ask."""
    general = subprocess.run([BUILD / "signet", "--help"], capture_output=True, text=True).stdout
    for words in re.findall(r"^  signet ([a-z-]+(?: [a-z-]+)?)", general, re.M):
        said = subprocess.run([BUILD / "signet", *words.split(), "--help"], capture_output=True, text=True).stdout
        example = said.rpartition("example: ")[2]
        r = subprocess.run(["/bin/bash", "-c", example], capture_output=True, text=True, stdin=subprocess.DEVNULL,
                           cwd=tmp_path, timeout=60, start_new_session=True, env={
                               **os.environ, "PATH": f"{BUILD}:{os.environ['PATH']}", "SIGNET_DATA": str(tmp_path / "none")})
        needs_terminal = r.returncode == 2 and "where there is no terminal" in r.stderr
        assert r.returncode in (0, 1) or needs_terminal, (example, r.returncode, r.stderr)


def test_completion():
    script = subprocess.run([BUILD / "signet", "completion"], capture_output=True, text=True,
                            check=True).stdout

    def complete(*words):
        call = ("COMP_WORDS=(signet \"$@\"); COMP_CWORD=$#; COMPREPLY=(); _signet; "
                "printf '%s\\n' \"${COMPREPLY[@]}\"")
        return subprocess.run(["bash", "-c", script + call, "-", *words], capture_output=True,
                              text=True, check=True).stdout.split()

    assert complete("do") == ["domain"]
    assert set(complete("--data", "/x", "domain", "")) >= {"list", "add", "remove"}
    assert complete("cert", "self-sign", "example.org", "--da") == ["--days"]
    assert complete("domain", "add", "x") == []
    # The value of an option: one of its choices, or a file.
    assert complete("smime", "generate", "alice@example.org", "--type", "ec:") == ["ec:p256", "ec:p384"]
    assert complete("mail", "compose", "alice@example.org", "--act", "") == ["send", "check", "draft", "make"]
    here = str(BUILD / "meson-info")
    assert complete("smime", "generate", "alice@example.org", "--password-file", here) == [here]
    assert complete("cert", "install", "example.org", here) == [here]
    assert complete("client-ca", "set", "example.org", here) == [here]
    assert complete("smime", "show", here) == []


def follower(server, path, *args):
    out = open(path, "w")
    return subprocess.Popen([BUILD / "signet", "--data", server.data, "log", "--follow", *args],
                            stdout=out, stderr=subprocess.STDOUT)


def wait_for(path, text, timeout=20):
    for _ in range(timeout * 10):
        if text in path.read_text():
            return
        time.sleep(0.1)
    raise AssertionError(f"{text} did not come: {path.read_text()[-2000:]}")


def test_log_follows_without_a_gap(tmp_path):
    """Across a server process that dies, too: its successor counts its lines from one."""
    server = make_server().start()
    path = tmp_path / "follow"
    p = follower(server, path, "--tag", "HTTP")
    try:
        for i in range(120):
            server.cli("alias", "add", f"a{i}@example.org", "postmaster@example.org")
            server.cli("alias", "remove", f"a{i}@example.org")
        wait_for(path, "/aliases/a119@example.org")
        os.kill(server.children()["server"], signal.SIGKILL)
        for i in range(200, 220):
            server.cli("alias", "add", f"a{i}@example.org", "postmaster@example.org")
            server.cli("alias", "remove", f"a{i}@example.org")
        wait_for(path, "/aliases/a219@example.org")
    finally:
        p.terminate()
        p.wait()
    lines = path.read_text().splitlines()
    for i in [*range(120), *range(200, 220)]:
        assert sum(f"method=DELETE path=/api/v1/aliases/a{i}@example.org " in l for l in lines) == 1
    assert all(" tag=HTTP " in l for l in lines)
    newest = server.cli("log", "--tag", "HTTP", "--lines", "1").stdout.splitlines()
    assert len(newest) == 1 and "/aliases/a219@example.org" in newest[0]
    finish(server)


def test_what_users_write_does_not_reach_the_terminal(server):
    server.cli("account", "set", "postmaster@example.org", "name=x\u009b31m\u0007y")
    shown = server.cli("account", "show", "postmaster@example.org").stdout
    assert "name: x?31m?y\n" in shown
    server.cli("account", "set", "postmaster@example.org", "name=Postmaster")


def test_a_name_is_no_other_member(server):
    """What somebody has named says nothing on a line of its own, nor turns what stands around it; a program gets it as it is."""
    name = "x\r\nrole: admin\n\n-----BEGIN CERTIFICATE-----\n\u202etxt.exe\u2069"
    server.add_account("two@example.org")
    server.cli("account", "set", "two@example.org", "name=" + name)
    shown = server.cli("account", "show", "two@example.org").stdout
    assert "name: x role: admin  -----BEGIN CERTIFICATE----- ?txt.exe?\n" in shown
    assert [line for line in shown.splitlines() if line.startswith("role")] == ["role: user"]
    assert json.loads(server.cli("--json", "account", "show", "two@example.org").stdout)["name"] == name
    assert "\u202e" not in refused(server, "account", "show", "\u202enobody@example.org")
    server.cli("account", "remove", "two@example.org")


def test_a_script_is_shown_to_a_terminal_without_its_controls(server, tmp_path):
    script = 'keep; # \x1b]0;title\x07 \u009b2J \u202e\n# second line\n'
    (tmp_path / "script").write_text(script)
    server.cli("rule", "set", "postmaster@example.org", tmp_path / "script")
    assert server.cli("rule", "show", "postmaster@example.org").stdout == script
    t = Typed(BUILD / "signet", "--data", server.data, "rule", "show", "postmaster@example.org")
    t.wait_for(b"second line\r\n")
    assert t.end() == 0
    assert t.seen.decode() == "keep; # ?]0;title? ?2J ?\r\n# second line\r\n"
    server.cli("rule", "remove", "postmaster@example.org")


def test_passwords_from_file_and_stdin(server, tmp_path):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    server.cli("account", "add", "file@example.org", "--password-file", file)
    server.cli("account", "password", "file@example.org", "--password-file", "-", stdin="other words")
    server.cli("account", "remove", "file@example.org")


def test_a_port_on_two_addresses_is_shown_once():
    server = make_server(args=["--listen", "[::1]"]).start()
    ports = json.loads(server.cli("--json", "status").stdout)["ports"]
    assert sorted(p["service"] for p in ports) == sorted(PORTS)
    finish(server)
