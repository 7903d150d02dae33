# SPDX-License-Identifier: Apache-2.0
"""What was acknowledged is there, exactly once and whole: through SIGKILLs in the middle of a load,
and with a full disk."""
import collections
import hashlib
import imaplib
import os
import random
import sqlite3
import subprocess
import threading
import time

import pytest
from conftest import finish, make_server
from mailtools import Smtp, checked_message, fetch_all, ident_of, imap

KILLS = 20
SENDERS = 16
APPENDERS = 4


class Load:
    """Senders and appenders that go on until the server dies; they note what was acknowledged."""

    def __init__(self, server):
        self.server = server
        self.acknowledged = {}  # ident: user
        self.lock = threading.Lock()
        self.n = 0

    def ident(self):
        with self.lock:
            self.n += 1
            return f"m{self.n}"

    def note(self, ident, user):
        with self.lock:
            self.acknowledged[ident] = user

    def send(self, index):
        user = f"u{index % 4}@example.org"
        try:
            s = Smtp(self.server)
            while True:
                ident = self.ident()
                size = random.choice((200, 2000, 20000, 1500000) if index == 0 else (200, 2000, 9000))
                if s.send("load@test.example", [user], checked_message(ident, size)) == 250:
                    self.note(ident, user)
        except OSError:
            pass

    def append(self, index):
        user = f"u{index % 4}@example.org"
        try:
            c = imap(self.server, user)
            while True:
                ident = self.ident()
                if c.append("INBOX", None, None, checked_message(ident))[0] == "OK":
                    self.note(ident, user)
        except (OSError, imaplib.IMAP4.error):
            pass

    def run(self, seconds):
        threads = [threading.Thread(target=self.send, args=(i,)) for i in range(SENDERS)]
        threads += [threading.Thread(target=self.append, args=(i,)) for i in range(APPENDERS)]
        for t in threads:
            t.start()
        time.sleep(seconds)
        self.server.kill()
        for t in threads:
            t.join()


@pytest.mark.slow
def test_sigkill_loses_nothing():
    server = make_server().start()
    for i in range(4):
        server.add_account(f"u{i}@example.org")
    load = Load(server)
    for _ in range(KILLS):
        load.run(random.uniform(0.2, 1.2))
        server.start()
    assert len(load.acknowledged) > KILLS * 10
    there = collections.Counter()
    for i in range(4):
        user = f"u{i}@example.org"
        for octets in fetch_all(server, user):
            ident = ident_of(octets)
            there[ident] += 1
            assert load.acknowledged.get(ident, user) == user
    lost = [i for i in load.acknowledged if i not in there]
    assert not lost, f"{len(lost)} of {len(load.acknowledged)} lost"
    twice = [i for i, n in there.items() if n > 1]
    assert not twice, f"{len(twice)} stored twice"
    assert server.stop() == 0
    db = sqlite3.connect(server.data / "store" / "signet.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
    finish(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_full_disk_is_temporary(tmp_path):
    server = make_server()
    (server.folder / "data").mkdir()
    store = server.folder / "data" / "store"
    store.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", store], check=True)
    try:
        server.start()
        server.add_account("bob@example.org")
        s = Smtp(server)
        acknowledged, refused = [], 0
        for i in range(400):
            ident = f"full{i}"
            code = s.send("x@test.example", ["bob@example.org"], checked_random(ident))
            if code == 250:
                acknowledged.append(ident)
            else:
                assert code in (451, 452), code
                refused += 1
                if refused > 5:
                    break
        assert refused > 5, "the disk did not fill up"
        c = imap(server, "bob@example.org")
        assert c.append("INBOX", None, None, checked_random("append"))[0] == "NO"
        found = [ident_of(m) for m in fetch_all(server, "bob@example.org")]
        assert sorted(found) == sorted(acknowledged)
        # Room again: service again, without a restart.
        subprocess.run(["mount", "-o", "remount,size=64m", store], check=True)
        for _ in range(50):
            if s.send("x@test.example", ["bob@example.org"], checked_random("later")) == 250:
                break
            time.sleep(0.1)
        else:
            pytest.fail("no service with room again")
        found = [ident_of(m) for m in fetch_all(server, "bob@example.org")]
        assert sorted(found) == sorted(acknowledged + ["later"])
        assert server.stop() == 0
    finally:
        server.kill()
        subprocess.run(["umount", "-l", store], check=True)
    finish(server)


def checked_random(ident):
    """A message of about 100 kB that hardly compresses."""
    body = b"\r\n".join(os.urandom(38).hex().encode() for _ in range(1300)) + b"\r\n"
    return (b"Subject: " + ident.encode() + b"\r\nX-Digest: " +
            hashlib.sha256(body).hexdigest().encode() + b"\r\n\r\n" + body)
