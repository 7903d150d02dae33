# SPDX-License-Identifier: Apache-2.0
"""Large things over HTTP: files for messages, revocation lists, and bodies of people who have not logged in."""
import contextlib
import json
import pathlib
import random
import re
import sqlite3
import subprocess
import threading
import time

import pytest
from conftest import finish, make_server
from hostile import SANITIZED, connect, memory_mib, under_attack
from people import Person
from test_stored import files_hold, until
from webclient import BASE, Client

ANNA, BEN = "anna@example.org", "ben@example.org"
MB = 1000 * 1000


@pytest.fixture(scope="module")
def world():
    class World:
        server = make_server().start()
    w = World()
    for address in ("other@example.org", ANNA, BEN):
        w.server.add_account(address)
    w.server.cli("ca", "create", "example.org")
    w.anna, w.ben = Person(w.server, ANNA), Person(w.server, BEN)
    for person in (w.anna, w.ben):
        person.makes_a_key()
    yield w
    finish(w.server)


def noise(n, seed=1):
    return random.Random(seed).randbytes(n)


def uploads(person, octets, kind="application/x-test", expect=201):
    return person.c.ask("POST", f"{BASE}{person.base}/uploads", octets, {"Content-Type": kind}, expect=expect).json


def has(person):
    return [u["id"] for u in person.c.get(f"/accounts/{person.address}/uploads")["uploads"]]


def rows(server, table):
    with contextlib.closing(sqlite3.connect(f"file:{next((server.data / 'store').glob('*.db'))}?mode=ro", uri=True)) as db:
        return db.execute(f"select count(*) from {table}").fetchone()[0]


def begin_peak(server):
    """The process's peak from now on; what it has now."""
    pathlib.Path(f"/proc/{server.children()['server']}/clear_refs").write_text("5")
    return peak_mib(server)


def peak_mib(server):
    text = pathlib.Path(f"/proc/{server.children()['server']}/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", text)[1]) / 1024


def shown_files(person, message):
    """Each attachment's name and octets, as its reader gets them."""
    shown = person.reads(message)
    return shown, [(p["name"], person.c.ask("GET", f"{BASE}{person.base}/messages/{message['id']}/parts/{p['part']}",
                                            expect=200).body) for p in shown["parts"] if p["attachment"]]


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "secure"])
def test_twenty_megabytes(world, secure):
    """Three files of 20 MB together, in clear or signed and encrypted: the same octets at the other end."""
    anna, ben, server = world.anna, world.ben, world.server
    files = [("one.bin", noise(11 * MB, 1)), ("zwö.bin", noise(9 * MB - 1, 2)), ("empty", b"")]
    before = begin_peak(server)
    ids = [uploads(anna, octets)["id"] for _, octets in files]
    uploading = peak_mib(server) - before
    assert uploading < (400 if SANITIZED else 48), "uploads are not to be in memory"
    assert has(anna) == ids
    before = begin_peak(server)
    sent = anna.writes(BEN, subject="Large", text="See there.\n", sign=secure, encrypt=secure, attachments=[
        {"name": name, "upload": id} for id, (name, _) in zip(ids, files)])
    assert sent["delivered"] == 1 and sent["kept"]
    composing = peak_mib(server) - before
    print(f"\n{'secure' if secure else 'plain'}: uploads {uploading:.0f} MiB, composing {composing:.0f} MiB")
    assert composing < (2000 if SANITIZED else 450)
    # What was used is gone, and not only from the list.
    assert has(anna) == [] and rows(server, "account_blob") == 0 and rows(server, "upload") == 0
    shown, got = shown_files(ben, ben.newest())
    assert [(n, len(o)) for n, o in got] == [(n, len(o)) for n, o in files]
    assert got == files
    if secure:
        assert shown["report"]["status"] == "signed-encrypted"
        assert until(lambda: not files_hold(server, files[0][1][5 * MB:5 * MB + 100]))
    # The sender's own copy has them too.
    assert shown_files(anna, anna.newest("Sent"))[1] == files


def test_what_is_refused(world):
    anna, ben, server = world.anna, world.ben, world.server
    id = uploads(anna, b"hers")["id"]
    # Somebody else's, in a message and in the path.
    assert ben.writes(ANNA, subject="x", attachments=[{"upload": id}], expect=422)["field"] == "attachments"
    ben.c.ask("DELETE", f"{BASE}{ben.base}/uploads/{id}", expect=404)
    ben.c.ask("DELETE", f"{BASE}{anna.base}/uploads/{id}", expect=403)
    ben.c.ask("GET", f"{BASE}{anna.base}/uploads", expect=403)
    ben.c.ask("POST", f"{BASE}{anna.base}/uploads", b"x", {"Content-Type": "image/png"}, expect=403)
    # A page of another site has neither the session's own token nor another type than a form's.
    a = anna.c.ask("POST", f"{BASE}{anna.base}/uploads", b"x", {"Content-Type": "image/png", "X-CSRF-Token": "no"}, expect=403)
    assert a.json["field"] == "X-CSRF-Token"
    uploads(anna, b"x", "text/plain", expect=415)
    # Larger than a message may be, as a file and together.
    server.cli("setting", "set", "message_max=1M")
    a = anna.c.ask("POST", f"{BASE}{anna.base}/uploads", noise((1 << 20) + 1), {"Content-Type": "image/png"}, expect=413)
    assert a.json["limit"] == 1 << 20 and "1048576 octets" in a.json["detail"]
    two = [uploads(anna, noise(500_000, i))["id"] for i in range(2)]
    refused = anna.writes(BEN, subject="x", attachments=[{"upload": u} for u in two], expect=422)
    assert refused["field"] == "attachments" and "1048576 octets" in refused["detail"]
    assert has(anna) == [id, *two]
    server.cli("setting", "reset", "message_max")
    # The quota counts uploads in.
    used = anna.c.get(f"/accounts/{ANNA}")["used_octets"]
    server.cli("account", "set", ANNA, f"quota={used + 1_500_000}")
    a = uploads(anna, noise(500_000), expect=409)
    assert "quota" in a["detail"]
    server.cli("account", "set", ANNA, "quota=0")
    for u in has(anna):
        anna.c.ask("DELETE", f"{BASE}{anna.base}/uploads/{u}", expect=204)
    assert has(anna) == [] and rows(server, "account_blob") == 0


def test_an_upload_that_is_given_up(world):
    """Half of it, and then the connection ends: nothing stays, in no file."""
    anna, server = world.anna, world.server
    octets = noise(5 * MB, 7)
    before = rows(server, "content_piece")
    c = anna.c.connection()
    c.putrequest("POST", f"{BASE}{anna.base}/uploads", skip_accept_encoding=True)
    for field in (("Content-Type", "image/png"), ("Content-Length", str(2 * len(octets))),
                  ("Cookie", f"__Host-signet={anna.c.cookie}"), ("X-CSRF-Token", anna.c.csrf)):
        c.putheader(*field)
    c.endheaders()
    c.send(octets)
    assert until(lambda: rows(server, "content_piece") > before + 10)
    assert until(lambda: files_hold(server, octets[1 * MB:1 * MB + 100]))
    c.close()
    assert until(lambda: rows(server, "account_blob") == 0)
    assert until(lambda: not files_hold(server, octets[1 * MB:1 * MB + 100]))
    assert rows(server, "content_piece") == before and has(anna) == []


def test_a_kill_in_the_middle(world):
    """What was uploaded is there after it."""
    anna, server = world.anna, world.server
    octets = noise(2 * MB, 8)
    id = uploads(anna, octets)["id"]
    server.kill()
    server.start()
    anna.c = Client(server)
    anna.c.start(ANNA)
    world.ben.c = Client(server)
    world.ben.c.start(BEN)
    assert has(anna) == [id]
    anna.writes(BEN, subject="After", attachments=[{"upload": id, "name": "a"}])
    assert shown_files(world.ben, world.ben.newest())[1] == [("a", octets)]


def push(sock, stop):
    """Sends as long as anybody takes it."""
    block = b"x" * 65536
    sock.settimeout(1)
    with contextlib.suppress(OSError):
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                sock.sendall(block)


BODIES = [f"POST {BASE}/accounts/{ANNA}/uploads HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 52428800\r\n",
          f"POST {BASE}/accounts/{ANNA}/uploads HTTP/1.1\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\n",
          f"POST {BASE}/crls HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 17000000\r\n",
          f"POST {BASE}/accounts/{ANNA}/compose HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 4000000\r\n",
          f"POST {BASE}/session HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 60000000\r\n"]


def test_large_bodies_of_nobody(world):
    """Twenty who push megabytes without having logged in; a hundred who hold on to what they may send."""
    server, stop, threads, held = world.server, threading.Event(), [], []
    before = memory_mib(server)
    with under_attack(server, grows_mib=32, wait_s=8):
        for i in range(20):
            s = server.context().wrap_socket(connect(server, "https"))
            s.sendall((BODIES[i % len(BODIES)] + "Host: example.org\r\n\r\n").encode())
            if i % len(BODIES) == 1:
                s.sendall(b"1000000\r\n")
            threads.append(threading.Thread(target=push, args=(s, stop)))
            threads[-1].start()
        for _ in range(100):
            s = server.context().wrap_socket(connect(server, "https"))
            s.sendall(f"POST {BASE}/session HTTP/1.1\r\nHost: a\r\nContent-Length: 16384\r\n\r\n".encode() + b"x" * 16383)
            held.append(s)
        most = 0
        for _ in range(30):
            time.sleep(0.1)
            most = max(most, memory_mib(server) - before)
        print(f"\n20 that push and 100 that hold: {most:.1f} MiB more")
        assert most < (200 if SANITIZED else 40)
        stop.set()
        for t in threads:
            t.join()
        for s in held:
            s.close()


def test_the_answer_reaches_who_sends_all_first(world):
    """A client that reads only after it has sent 30 MB gets its 413 and its 401, not a reset."""
    for path, status in ((f"{BASE}/session", 413), (f"{BASE}/accounts/{ANNA}/uploads", 401)):
        a = Client(world.server).ask("POST", path, noise(30 * MB), {"Content-Type": "image/png"})
        assert a.status == status and a.json["detail"]


@pytest.fixture
def big_list(tmp_path):
    """An authority and its list of 6 MB."""
    def openssl(*args):
        subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, cwd=tmp_path, timeout=120)
    random_ = random.Random(3)
    (tmp_path / "index.txt").write_text("".join(
        f"R\t301231000000Z\t260101000000Z\t{random_.getrandbits(151) | 1 << 151:038X}\tunknown\t/CN={i}\n" for i in range(160_000)))
    (tmp_path / "number").write_text("01\n")
    (tmp_path / "ca.cnf").write_text("[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\ncrlnumber=number\ndefault_md=sha256\n"
                                     "default_crl_days=30\nprivate_key=ca.key\ncertificate=ca.pem\n")
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "ca.key",
            "-out", "ca.pem", "-subj", "/CN=Big Root", "-days", 30, "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl("ca", "-config", "ca.cnf", "-gencrl", "-out", "big.pem")
    openssl("crl", "-in", "big.pem", "-outform", "DER", "-out", "big.der")
    return tmp_path


def test_a_large_revocation_list(world, big_list):
    """6 MB by the command, as DER and as PEM; one that is too large is refused with words."""
    server = world.server
    assert (big_list / "big.der").stat().st_size > 6 * MB
    server.cli("trust", "add", str(big_list / "ca.pem"), "--for", "client")
    for file in ("big.der", "big.pem"):
        began = time.monotonic()
        server.cli("crl", "add", str(big_list / file), *(("--domain", "example.org") if file == "big.pem" else ()))
        print(f"\n{file}: {time.monotonic() - began:.1f} s, {memory_mib(server):.0f} MiB")
    found = json.loads(server.cli("--json", "crl", "list").stdout)["lists"]
    assert [(row["revoked"], row["domain"]) for row in found] == [(160_000, None), (160_000, "example.org")]
    (big_list / "huge").write_bytes(b"\x30" * (12 << 20))
    r = server.cli("crl", "add", str(big_list / "huge"), check=False)
    assert r.returncode == 1 and "8388608 octets" in r.stderr, r.stderr
    (big_list / "huger").write_bytes(b"\x30" * (15 << 20))
    r = server.cli("crl", "add", str(big_list / "huger"), check=False)
    assert r.returncode == 1 and "octets" in r.stderr, r.stderr
    for row in found:
        server.cli("crl", "remove", str(row["id"]))
