# SPDX-License-Identifier: Apache-2.0
"""A power cut at any moment loses no acknowledged message.

Killing processes cannot show a missing sync, because the kernel keeps what was written. Here a
preloaded library records writes, syncs and replies in order; the disk is rebuilt as it would be after a
cut at each reply: only what was synced is there for sure, of the rest nothing, everything or a random
part. Each time the database must open, be whole, and hold every message acknowledged until then."""
import random
import re
import shutil
import socket
import sqlite3
import struct
import threading

import pytest
from conftest import BUILD, finish, make_server

SENDERS = 4
MESSAGES = 25  # of each sender


def send_messages(port, sender):
    """One session; the acknowledgement of message i carries i by its place in the session."""
    with socket.create_connection(("127.0.0.1", port)) as s:
        f = s.makefile("rwb")
        f.readline()
        f.write(b"EHLO powercut\r\n")
        f.flush()
        while f.readline()[3:4] == b"-":
            pass
        for i in range(MESSAGES):
            f.write(b"MAIL FROM:<a@b.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n")
            f.flush()
            for expected in (b"250", b"250", b"354"):
                assert f.readline().startswith(expected)
            f.write(b"Subject: powercut %d.%d.\r\nTo: bob\r\n\r\ntext\r\n.\r\n" % (sender, i))
            f.flush()
            assert f.readline().startswith(b"250")
        f.write(b"QUIT\r\n")
        f.flush()


def records(path):
    data = path.read_bytes()
    at = 0
    while at + 14 <= len(data):
        kind, file, offset, n = struct.unpack_from("<cBqI", data, at)
        at += 14
        yield kind, file, offset, data[at:at + n]
        at += n


class Disk:
    """Files as they are for sure (synced), and the operations that are not synced yet."""

    def __init__(self):
        self.files = {}
        self.pending = {}

    @staticmethod
    def apply(content, operation):
        kind, offset, data = operation
        if kind == b"T":
            del content[offset:]
            content.extend(bytes(max(0, offset - len(content))))
            return
        content.extend(bytes(max(0, offset - len(content))))
        content[offset:offset + len(data)] = data

    def do(self, kind, name, offset, data):
        if kind == b"S":
            content = self.files.setdefault(name, bytearray())
            for operation in self.pending.pop(name, []):
                self.apply(content, operation)
        elif kind == b"U":
            self.files.pop(name, None)
            self.pending.pop(name, None)
        else:
            self.pending.setdefault(name, []).append((kind, offset, data))

    def write_to(self, folder, choose):
        """choose says of each unsynced operation whether it reached the disk."""
        names = set(self.files) | set(self.pending)
        for name in names:
            content = bytearray(self.files.get(name, b""))
            for operation in self.pending.get(name, []):
                if choose():
                    self.apply(content, operation)
            (folder / name).write_bytes(content)


def subjects(folder):
    db = sqlite3.connect(folder / "signet.db")
    try:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        rows = db.execute("SELECT content.data FROM message JOIN content"
                          " ON content.id = message.content").fetchall()
    finally:
        db.close()
    found = [re.search(rb"Subject: powercut (\d+\.\d+)\.", data) for (data,) in rows]
    return [m[1].decode() for m in found if m]


@pytest.mark.slow
def test_every_prefix_holds_what_was_acknowledged(tmp_path):
    shim = BUILD / "test" / "libpowercut.so"
    server = make_server()
    library = server.folder / "libpowercut.so"
    shutil.copy(shim, library)  # where the server's own user can read it
    log = server.folder / "log"
    log.touch()
    log.chmod(0o666)
    server.start()
    server.add_account("bob@example.org")
    assert server.stop() == 0
    base = {p.name: p.read_bytes() for p in (server.data / "store").iterdir() if p.is_file()}
    server.env.update(LD_PRELOAD=str(library), SIGNET_POWERCUT_LOG=str(log))
    server.start()
    threads = [threading.Thread(target=send_messages, args=(server.port("smtp"), n))
               for n in range(SENDERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    server.kill()

    disk, names, acknowledged, sessions = Disk(), {}, [], {}
    disk.files = {n: bytearray(c) for n, c in base.items() if not n.endswith("-shm")}
    cuts = 0
    random.seed(1)
    for kind, file, offset, data in records(log):
        if kind == b"O":
            names[file] = data.decode().rsplit("/", 1)[1]
            continue
        if kind != b"R":
            disk.do(kind, names[file], offset, data)
            continue
        # Replies to the end of DATA: "250 2.0.0 ..." or what else is said there names no mailbox.
        session = sessions.setdefault(offset, {"state": None, "n": 0})
        for line in data.split(b"\r\n"):
            if line.startswith(b"354"):
                session["state"] = "data"
            elif line.startswith(b"250") and session["state"] == "data":
                session["state"] = None
                session["n"] += 1
                acknowledged.append(session["n"])
        if not acknowledged or len(acknowledged) == cuts:
            continue
        cuts = len(acknowledged)
        for how, choose in (("none", lambda: False), ("all", lambda: True),
                            ("some", lambda: random.random() < 0.5)):
            folder = tmp_path / f"cut-{cuts}-{how}"
            folder.mkdir()
            disk.write_to(folder, choose)
            found = subjects(folder)
            assert len(found) == len(set(found)), f"twice after a cut ({how})"
            assert len(found) >= cuts, \
                f"{cuts} acknowledged, {len(found)} there after a cut ({how} of the unsynced)"
            shutil.rmtree(folder)
    assert cuts == SENDERS * MESSAGES
    server.env.pop("LD_PRELOAD")
    finish(server)
