# SPDX-License-Identifier: Apache-2.0
"""The processes as they really run: who they are, what they may do, and that no private key is in the
server's memory. What the kernel refuses is tried from inside by src/app/sandbox_test.c."""
import base64
import json
import os
import pathlib
import re
import shutil
import signal
import sqlite3
import ssl
import subprocess
import threading
import time

import pytest
from authority import Authority, key_pem, make_key
from conftest import BUILD, PASSWORD, finish, make_server
from mailtools import Smtp, checked_message, imap
from webclient import BASE, Client


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_all_processes_are_confined(server):
    children = server.children()
    assert set(children) == {"keyd-domain", "keyd-user", "server"}
    for name, pid in children.items():
        s = status(pid)
        assert s["NoNewPrivs"] == "1", name
        assert s["Seccomp"] == "2", name
    # Not dumpable: its files in /proc belong to root whoever it runs as.
    assert os.stat(f"/proc/{children['server']}/mem").st_uid == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts others as other users")
def test_as_root_they_are_different_users(server):
    children = server.children()
    uids = {name: status(pid)["Uid"].split()[0] for name, pid in children.items()}
    assert "0" not in uids.values()
    assert uids["keyd-domain"] == uids["keyd-user"] != uids["server"]
    keyd = os.stat(server.data / "keyd")
    assert str(keyd.st_uid) == uids["keyd-domain"] and keyd.st_mode & 0o777 == 0o700
    assert (os.stat(server.data / "keyd" / "kek").st_mode & 0o777) == 0o600
    assert os.stat(server.data / "store").st_mode & 0o777 == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming an ordinary user needs root")
def test_the_confinement_holds_for_an_ordinary_user_too(server):
    program = server.folder / "sandbox_test"
    shutil.copy(BUILD / "src" / "app" / "app_sandbox_test", program)
    program.chmod(0o755)
    r = subprocess.run(["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", program],
                       capture_output=True, text=True)
    assert r.returncode == 0, r.stdout + r.stderr
    assert "SKIPPED" not in r.stdout


def readable_memory(pid):
    """All that can be read of a process, mapping by mapping."""
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            m = re.match(r"([0-9a-f]+)-([0-9a-f]+) r", line)
            if not m or "[vvar" in line or "[vsyscall]" in line:
                continue
            start, end = int(m[1], 16), int(m[2], 16)
            try:
                mem.seek(start)
                yield mem.read(end - start)
            except (OSError, OverflowError, ValueError):
                continue


def memory_holds(pid, *needles):
    return any(n in chunk for chunk in readable_memory(pid) for n in needles)


@pytest.mark.skipif(os.geteuid() != 0, reason="reading another process's memory needs root")
def test_no_private_key_in_the_servers_memory(server):
    for _ in range(20):
        ssl.get_server_certificate(("127.0.0.1", server.port("imaps")))
    server.cli("key", "generate", "example.org", "--type", "ec:p384", "--alias", "another")
    server.cli("key", "test", "example.org", "another")
    db = sqlite3.connect(f"file:{server.data}/store/signet.db?mode=ro", uri=True)
    rows = db.execute("SELECT domain, key_id, wrapped FROM tls_key").fetchall()
    db.close()
    assert len(rows) == 2
    children = server.children()
    # The search finds what is there: this string is in the server's program.
    assert memory_holds(children["server"], b"confinement.weaker")
    for domain, key_id, wrapped in rows:
        scalar = subprocess.run(
            [BUILD / "test" / "unwrap", server.data / "keyd" / "kek", key_id.decode(),
             f"domain:{domain}", "1", wrapped.hex()],
            capture_output=True, text=True, check=True).stdout.strip()
        big = bytes.fromhex(scalar)
        assert len(big) >= 31
        assert not memory_holds(children["server"], big, big[::-1])
        if key_id == rows[0][1]:  # the one TLS uses is open in keyd: the search would see it
            assert memory_holds(children["keyd-domain"], big, big[::-1])


@pytest.mark.skipif(os.geteuid() != 0, reason="reading another process's memory needs root")
@pytest.mark.parametrize("service", ["socket", "https"])
def test_a_key_that_passed_through_leaves_nothing_in_the_servers_memory(server, service):
    """Imported as PEM, and in PKCS #12, exported, over the Unix socket and over TLS: neither the key nor
    its file's passwords are found afterwards, in any of the forms in which they went through."""
    admin = None
    if service == "https":
        server.add_account("chief@example.org")
        server.cli("account", "set", "chief@example.org", "role=admin")
        admin = Client(server, login="chief@example.org")
    key = make_key()
    scalar = key.private_numbers().private_value.to_bytes(32, "big")
    pem, domain = key_pem(key), f"{BASE}/domains/example.org"
    lines = [line.encode() for line in pem.splitlines()[1:3]]
    secret = f"a secret of {service} {time.time()}"
    pfx = Authority().issue(names=["example.org"]).pkcs12(secret)

    def ask(path, body):
        if admin:
            a = admin.ask("POST", domain + path, dict(body, **(
                {"password": admin.password} if "export" in path else {})))
            assert a.status in (200, 201), a
        else:
            out = subprocess.run(["curl", "-sf", "--unix-socket", server.data / "run/signet.sock",
                                  "-H", "Content-Type: application/json", "--data", "@-",
                                  f"http://localhost{domain}{path}"], input=json.dumps(body),
                                 capture_output=True, text=True)
            assert out.returncode == 0, out
    ask("/keys/import", {"file": pem, "alias": f"passed-{service}"})
    ask("/certificates/import", {"file": base64.b64encode(pfx).decode(), "passphrase": secret,
                                 "alias": f"pfx-{service}", "services": "none"})
    ask(f"/keys/passed-{service}/export", {"file_password": secret})
    ask(f"/certificates/pfx-{service}/export", {"file_password": secret})
    time.sleep(1.5)  # connections end
    server_pid = server.children()["server"]
    assert memory_holds(server_pid, f"passed-{service}".encode()), "the search would not see it"
    found = {name for name, needle in {
        "scalar": scalar, "first line": lines[0][8:], "second line": lines[1],
        "password": secret.encode(), "reversed": scalar[::-1],
    }.items() if memory_holds(server_pid, needle)}
    assert not found


def test_a_killed_keyd_is_back_and_nobody_notices():
    server = make_server().start()
    bob = server.add_account("bob@example.org")
    stop, failures, served = threading.Event(), [], [0]

    def send():
        s = Smtp(server)
        n = 0
        while not stop.is_set():
            n += 1
            if s.send("a@b.example", [bob], checked_message(f"k{n}", 500)) != 250:
                failures.append(n)
            served[0] += 1

    sender = threading.Thread(target=send)
    sender.start()
    session = imap(server, bob)
    session.select("INBOX")
    longest = 0
    for _ in range(5):
        os.kill(server.children()["keyd-domain"], signal.SIGKILL)
        os.kill(server.children()["keyd-user"], signal.SIGKILL)
        began = time.monotonic()
        while True:
            try:
                ssl.get_server_certificate(("127.0.0.1", server.port("imaps")))
                break
            except OSError:
                assert time.monotonic() - began < 5
        longest = max(longest, time.monotonic() - began)
        assert session.noop()[0] == "OK"
        time.sleep(0.3)
    stop.set()
    sender.join()
    assert longest < 1, f"no handshake for {longest:.2f} s"
    assert not failures and served[0] > 10
    assert session.logout()[0] == "BYE"
    finish(server)


def test_a_killed_server_is_started_again_on_the_same_ports():
    server = make_server().start()
    bob = server.add_account("bob@example.org")
    before = server.children()
    os.kill(before["server"], signal.SIGKILL)
    began = time.monotonic()
    while time.monotonic() - began < 10:
        try:
            if imap(server, bob).noop()[0] == "OK":
                break
        except OSError:
            time.sleep(0.05)
    after = server.children()
    assert after["server"] != before["server"]
    assert after["keyd-domain"] == before["keyd-domain"]
    assert imap(server, bob, PASSWORD).noop()[0] == "OK"
    finish(server)


def test_nothing_is_left_when_the_supervisor_is_killed():
    server = make_server().start()
    children = server.children().values()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait()
    for _ in range(100):
        if not any(pathlib.Path(f"/proc/{pid}").exists() for pid in children):
            break
        time.sleep(0.05)
    else:
        pytest.fail("a process outlived the supervisor")
    server.start()
    finish(server)
