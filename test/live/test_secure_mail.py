# SPDX-License-Identifier: Apache-2.0
"""Secure Mail keys of accounts: over the API by their owner, over the command line by an administrator who
was given the password, and what an attacker with one of both gets."""
import base64
import collections
import concurrent.futures
import json
import os
import pathlib
import signal
import sqlite3
import subprocess
import time

import pytest
from authority import Authority, days, make_key, now
from conftest import PASSWORD, finish, make_server, need
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12
from test_confinement import memory_holds
from webclient import BASE, Client

SECRET = "Pferd Batterie Klammer Süß"
FILE_SECRET = "file secret of the tests"
root = pytest.mark.skipif(os.geteuid() != 0, reason="reading another process's memory needs root")


@pytest.fixture(scope="module")
def authority():
    return Authority("People's Root")


def smime(address):
    return f"{BASE}/accounts/{address}/smime"


def pfx_body(octets, **more):
    return {"file": base64.b64encode(octets).decode(), "passphrase": FILE_SECRET, **more}


def issued(authority, address, **kwargs):
    return authority.issue(emails=[address], usage=("mail",), **kwargs)


def session(server, address, password=PASSWORD):
    c = Client(server)
    c.start(address, password)
    return c


def with_key(server, authority, address):
    """An account with an imported key, and a session that has it unlocked."""
    server.add_account(address)
    person = issued(authority, address)
    c = session(server, address)
    a = c.ask("POST", smime(address) + "/import",
              pfx_body(person.pkcs12(FILE_SECRET, "mine"), password=SECRET), expect=201)
    return person, c, a.json


def is_unlocked(client, address):
    return client.get(smime(address)[len(BASE):] + "/state")["unlocked"]


def test_import_unlocks_for_this_session_only(server, authority):
    person, c, made = with_key(server, authority, "anna@example.org")
    key, = made["keys"]
    assert made["unlocked"] and key["current"] and key["size"].startswith("EC P-256")
    assert key["certificates"][0]["certificate"] == person.pem
    assert made["strength"]["label"] == "good"
    assert [w for w in made["warnings"] if "chain" in w]  # the root is not trusted here
    assert is_unlocked(c, "anna@example.org")
    other = session(server, "anna@example.org")
    assert not is_unlocked(other, "anna@example.org")
    assert other.get("/accounts/anna@example.org/smime")["sessions"] == 1
    other.ask("POST", smime("anna@example.org") + "/unlock", {"password": "wrong"}, expect=403)
    assert not is_unlocked(other, "anna@example.org")
    # Composed or not, with whatever space: the same password.
    typed = SECRET.replace("ü", "u\u0308").replace(" ", "\u00a0")
    other.ask("POST", smime("anna@example.org") + "/unlock", {"password": typed}, expect=200)
    assert is_unlocked(other, "anna@example.org")
    other.ask("POST", smime("anna@example.org") + "/lock", expect=200)
    assert not is_unlocked(other, "anna@example.org") and is_unlocked(c, "anna@example.org")


def test_logout_password_change_and_login_do_not_leave_keys_open(server, authority):
    address = "otto@example.org"
    _, c, _ = with_key(server, authority, address)
    c.ask("DELETE", BASE + "/session", expect=204)
    again = session(server, address)
    state = again.get(f"/accounts/{address}/smime")
    assert not state["unlocked"] and state["sessions"] == 0
    again.ask("POST", smime(address) + "/unlock", {"password": SECRET}, expect=200)
    third = session(server, address)
    # Another Secure Mail Password, set in one session, locks in all.
    third.ask("POST", smime(address) + "/password", {"current": "wrong", "password": "x"}, expect=403)
    assert is_unlocked(again, address)
    a = third.ask("POST", smime(address) + "/password", {"current": SECRET, "password": "neu"},
                  expect=200).json
    assert a["strength"]["label"] == "very weak"
    assert not is_unlocked(again, address) and a["sessions"] == 0
    again.ask("POST", smime(address) + "/unlock", {"password": SECRET}, expect=403)
    again.ask("POST", smime(address) + "/unlock", {"password": "neu"}, expect=200)
    # Another password for logging in ends sessions, and what they had open.
    server.cli("account", "password", address, "--password-file", "-", stdin="another one here\n")
    admin = server.cli("--json", "smime", "show", address)
    assert json.loads(admin.stdout)["sessions"] == 0


def test_a_killed_keyd_knows_no_key(server, authority):
    address = "karl@example.org"
    _, c, _ = with_key(server, authority, address)
    before = server.children()["keyd-user"]
    os.kill(before, signal.SIGKILL)
    for _ in range(100):
        if server.children().get("keyd-user", before) != before:
            break
        time.sleep(0.05)
    for _ in range(50):
        a = c.ask("GET", smime(address) + "/state")
        if a.status == 200:
            break
        time.sleep(0.1)
    assert not a.json["unlocked"] and a.json["sessions"] == 0
    for _ in range(50):
        a = c.ask("POST", smime(address) + "/unlock", {"password": SECRET})
        if a.status == 200:
            break
        time.sleep(0.1)
    assert a.status == 200 and a.json["unlocked"] and a.json["sessions"] == 1


def test_keys_lock_by_themselves(server, authority):
    address = "ida@example.org"
    _, c, _ = with_key(server, authority, address)
    c.ask("PATCH", smime(address), {"lock_after": 10}, expect=200)
    c.ask("POST", smime(address) + "/unlock", {"password": SECRET}, expect=200)
    left = c.get(f"/accounts/{address}/smime/state")["seconds_left"]
    assert 8 <= left <= 10
    until = time.monotonic() + 12
    while is_unlocked(c, address):  # asking is no use: it does not prolong
        assert time.monotonic() < until
        time.sleep(0.5)
    assert c.get(f"/accounts/{address}")["address"] == address  # the session goes on
    for wrong in ({"lock_after": 9}, {"lock_after": "2h"}, {"cipher": "rc4"},
                  {"from": "nobody"}, {"from": "x@elsewhere.example"}):
        c.ask("PATCH", smime(address), wrong, expect=422)


def test_history_export_and_removal(server, authority, tmp_path):
    address = "hans@example.org"
    person, c, _ = with_key(server, authority, address)
    older = issued(authority, address, begins=now() - days(800), lifetime=400, key=make_key("rsa:2048"))
    base = smime(address)
    c.ask("POST", base + "/import", pfx_body(older.pkcs12(FILE_SECRET), password="wrong"), expect=403)
    made = c.ask("POST", base + "/import", pfx_body(older.pkcs12(FILE_SECRET), password=SECRET),
                 expect=201).json
    assert [k["current"] for k in made["keys"]] == [True, False]
    assert made["keys"][1]["type"] == "rsa:2048"
    assert any("expired" in w for w in made["warnings"])
    # The same file again brings nothing new, and does no harm.
    made = c.ask("POST", base + "/import", pfx_body(older.pkcs12(FILE_SECRET), password=SECRET),
                 expect=200).json
    assert len(made["keys"]) == 2 and len(made["keys"][1]["certificates"]) == 1

    c.ask("POST", base + "/export", {"password": "wrong", "file_password": "x"}, expect=403)
    for form, number, owner in (("modern", None, person), ("old", made["keys"][1]["number"], older)):
        body = {"password": SECRET, "file_password": FILE_SECRET, "form": form}
        if number:
            body["key"] = number
        file = c.ask("POST", base + "/export", body, expect=200).json
        octets = base64.b64decode(file["file"])
        key, cert, _ = pkcs12.load_key_and_certificates(octets, FILE_SECRET.encode())
        assert cert == owner.cert and file["name"] == "CertAndKey.pfx"
        assert key.private_numbers() == owner.key.private_numbers()
        (tmp_path / "out.pfx").write_bytes(octets)
        r = subprocess.run(["openssl", "pkcs12", "-info", "-noout", "-in", tmp_path / "out.pfx",
                            "-passin", "stdin"], input=FILE_SECRET, capture_output=True, text=True)
        assert ("pbeWithSHA1And3-KeyTripleDES-CBC" in r.stderr) == (form == "old"), r.stderr
        assert ("AES-256-CBC" in r.stderr) == (form == "modern"), r.stderr
    assert c.ask("POST", base + "/export", {"password": SECRET, "file_password": "größe"},
                 expect=200).json["warnings"]

    # CGPW-17: only what the file holds goes.
    stranger = issued(authority, address)
    c.ask("POST", base + "/compare-and-remove", pfx_body(stranger.pkcs12(FILE_SECRET)), expect=422)
    c.ask("POST", base + "/compare-and-remove",
          {**pfx_body(person.pkcs12(FILE_SECRET)), "passphrase": "wrong"}, expect=422)
    assert len(c.get(f"/accounts/{address}/smime")["keys"]) == 2
    left = c.ask("POST", base + "/compare-and-remove",
                 {**pfx_body(person.pkcs12(FILE_SECRET)), "revoke": "superseded"}, expect=200).json
    assert [(k["type"], k["current"]) for k in left["keys"]] == [("rsa:2048", True)]
    # Its certificate is another authority's.
    assert left["revoked"] == 0 and "ask its authority" in left["warnings"][0]


def test_several_keys_in_a_file(server):
    address = "vera@example.org"
    server.add_account(address)
    c = session(server, address)
    octets = two_keys(server.folder)
    a = c.ask("POST", smime(address) + "/import", pfx_body(octets, password=SECRET), expect=422)
    assert a.json["field"] == "which" and "1: " in a.json["detail"] and "2: " in a.json["detail"]
    c.ask("POST", smime(address) + "/import", pfx_body(octets, password=SECRET, which="nobody"), expect=422)
    c.ask("POST", smime(address) + "/import", pfx_body(octets, password=SECRET, which="2"), expect=201)


def two_keys(folder):
    need("keytool")
    store = folder / "two.p12"
    for name in ("eins", "zwei"):
        subprocess.run(["keytool", "-genkeypair", "-alias", name, "-keyalg", "RSA", "-keystore", store,
                        "-storetype", "PKCS12", "-storepass", FILE_SECRET, "-dname", f"CN={name}"],
                       check=True, capture_output=True)
    return store.read_bytes()


def test_rights(server, authority):
    address = "rita@example.org"
    _, c, _ = with_key(server, authority, address)
    server.add_account("boss@example.org")
    server.cli("account", "set", "boss@example.org", "role=admin")
    server.add_account("eve@example.org")
    boss, eve = session(server, "boss@example.org"), session(server, "eve@example.org")
    for method, tail, body in (("GET", "", None), ("POST", "/unlock", {"password": SECRET}),
                               ("POST", "/lock", None), ("GET", "/state", None)):
        eve.ask(method, smime(address) + tail, body, expect=403)
    # An administrator sees, and can do nothing that the password is needed for.
    shown = boss.get(f"/accounts/{address}/smime")
    assert len(shown["keys"]) == 1 and not shown["unlocked"]
    boss.ask("POST", smime(address) + "/unlock", {"password": PASSWORD}, expect=403)
    boss.ask("POST", smime(address) + "/export", {"password": "", "file_password": "x"}, expect=422)
    boss.ask("POST", smime(address) + "/generate", {"password": "mine"}, expect=403)
    # Unlocking needs a session: not a password with each request.
    basic = Client(server, login=address)
    basic.ask("POST", smime(address) + "/unlock", {"password": SECRET}, expect=403)
    assert is_unlocked(c, address)
    # CGPW-7
    server.cli("account", "set", address, "smime=no")
    assert not is_unlocked(c, address)
    a = c.ask("POST", smime(address) + "/unlock", {"password": SECRET}, expect=403)
    assert a.json["field"] == "smime" and not c.get(f"/accounts/{address}/smime")["enabled"]
    server.cli("account", "set", address, "smime=default")
    c.ask("POST", smime(address) + "/unlock", {"password": SECRET}, expect=200)


def test_guessing_is_slow_and_shuts_nobody_out(server, authority):
    """A thousand wrong passwords from one place: a few are tried, the rest cost next to nothing. The key
    process counts for itself, whoever asks."""
    address = "gus@example.org"
    _, c, _ = with_key(server, authority, address)
    keyd = server.children()["keyd-user"]

    def cpu():
        f = pathlib.Path(f"/proc/{keyd}/stat").read_text().rpartition(")")[2].split()
        return (int(f[11]) + int(f[12])) / os.sysconf("SC_CLK_TCK")

    before, statuses, began = cpu(), {}, time.monotonic()
    for i in range(1000):
        a = c.ask("POST", smime(address) + "/unlock", {"password": f"guess {i}"})
        statuses[a.status] = statuses.get(a.status, 0) + 1
        if i == 0:
            one = cpu() - before
        if i == 100:  # what was open stays open; later it may have been idle for its three minutes
            assert is_unlocked(c, address)
    spent = cpu() - before
    more = int((time.monotonic() - began) / 60)  # tries that have come back meanwhile
    assert set(statuses) == {403, 429} and statuses[403] <= 10 + more, statuses
    assert spent < (12 + more) * max(one, 0.3), (spent, one)
    a = c.ask("POST", smime(address) + "/unlock", {"password": SECRET}, expect=429)
    assert a.headers["Retry-After"]
    log = server.log_text()
    assert "smime.unlock" in log and "guess 1" not in log and SECRET not in log
    # The owner's tries come back, one a minute.
    until = time.monotonic() + 75
    while c.ask("POST", smime(address) + "/unlock", {"password": SECRET}).status != 200:
        assert time.monotonic() < until
        time.sleep(5)


def test_who_unlocks_much_keeps_nobody_waiting(server, authority):
    """One person's many unlockings at once: one at a time is done, the others are told to come again, and
    neither somebody else's keys nor anything else of the API waits for them."""
    _, _, _ = with_key(server, authority, "greedy@example.org")
    _, other, _ = with_key(server, authority, "patient@example.org")
    clients = [session(server, "greedy@example.org") for _ in range(8)]
    until = time.monotonic() + 6
    seen = collections.Counter()

    def greedy(c):
        while time.monotonic() < until:
            a = c.ask("POST", smime("greedy@example.org") + "/unlock", {"password": SECRET})
            assert a.status == 200 or (a.status == 429 and a.headers["Retry-After"] == "5"), a
            seen[a.status] += 1

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        runs = [pool.submit(greedy, c) for c in clients]
        n_unlocked = 0
        while time.monotonic() < until:
            other.get("/accounts/patient@example.org")
            other.ask("POST", smime("patient@example.org") + "/unlock", {"password": SECRET}, expect=200)
            n_unlocked += 1
        for r in runs:
            r.result()
    # Eight to one, and yet about as many.
    assert seen[200] and seen[429] and n_unlocked * 4 >= seen[200], (seen, n_unlocked)


def test_start_over(server, authority):
    address = "lost@example.org"
    person, c, made = with_key(server, authority, address)
    new = issued(authority, address)
    body = pfx_body(new.pkcs12(FILE_SECRET), password="another phrase", start_over=True)
    c.ask("POST", smime(address) + "/import", body, expect=422)
    c.ask("POST", smime(address) + "/import", {**body, "login_password": "wrong"}, expect=403)
    made = c.ask("POST", smime(address) + "/import", {**body, "login_password": PASSWORD}, expect=201).json
    assert [(k["current"], k["earlier_password"]) for k in made["keys"]] == [(True, False), (False, True)]
    c.ask("PATCH", smime(address), {"current": made["keys"][1]["number"]}, expect=422)
    # Whoever has the file of the old key gets it back, under the new password.
    made = c.ask("POST", smime(address) + "/import",
                 pfx_body(person.pkcs12(FILE_SECRET), password="another phrase"), expect=201).json
    assert not any(k["earlier_password"] for k in made["keys"]) and len(made["keys"]) == 2
    assert c.ask("POST", smime(address) + "/unlock", {"password": "another phrase"},
                 expect=200).json["keys"] == 2


def test_command_line(server, authority, tmp_path):
    address = "cleo@example.org"
    server.add_account(address)
    person = issued(authority, address)
    pfx, secret, file_secret = tmp_path / "c.pfx", tmp_path / "secret", tmp_path / "file-secret"
    pfx.write_bytes(person.pkcs12(FILE_SECRET))
    secret.write_text(SECRET + "\n")
    file_secret.write_text(FILE_SECRET + "\n")
    with_files = ("--password-file", secret, "--pfx-password-file", file_secret)
    r = server.cli("smime", "generate", address, "--password-file", secret, check=False)
    assert r.returncode == 1 and "signet ca create example.org" in r.stderr
    r = server.cli("smime", "import", address, pfx, check=False)
    assert r.returncode == 2
    r = server.cli("smime", "import", address, pfx, *with_files)
    assert "EC P-256" in r.stdout and "password: " in r.stderr
    assert "EC P-256" in server.cli("smime", "show", address).stdout
    r = server.cli("smime", "unlock", address, "--password-file", secret)
    assert "right" in r.stdout
    assert json.loads(server.cli("--json", "smime", "show", address).stdout)["sessions"] == 0
    r = server.cli("smime", "unlock", address, "--password-file", file_secret, check=False)
    assert r.returncode == 1 and "not the Secure Mail Password" in r.stderr
    server.cli("smime", "lock", address)
    server.cli("smime", "export", address, *with_files, "-o", tmp_path / "out.pfx")
    assert (tmp_path / "out.pfx").stat().st_mode & 0o777 == 0o600
    key, cert, _ = pkcs12.load_key_and_certificates((tmp_path / "out.pfx").read_bytes(),
                                                    FILE_SECRET.encode())
    assert cert == person.cert
    (tmp_path / "new").write_text("a new one\n")
    server.cli("smime", "password", address, "--old-password-file", secret, "--password-file",
               tmp_path / "new")
    assert server.cli("smime", "unlock", address, "--password-file", secret, check=False).returncode == 1
    server.cli("smime", "unlock", address, "--password-file", tmp_path / "new")
    r = server.cli("smime", "compare-and-remove", address, tmp_path / "out.pfx", "--pfx-password-file",
                   file_secret)
    assert json.loads(server.cli("--json", "smime", "show", address).stdout)["keys"] == []
    assert server.cli("smime", "unlock", address, "--password-file", secret, check=False).returncode == 1
    assert server.cli("smime", "generate", address, "--type", "ed25519", "--password-file", secret,
                      check=False).returncode == 2


def test_generate_and_renew():
    """The domain's authority issues; what is issued for a key is followed by what renews it."""
    server = make_server().start()
    address = server.add_account("gina@example.org")
    server.cli("ca", "create", "example.org")
    c = session(server, address)
    made = c.ask("POST", smime(address) + "/generate", {"password": SECRET}, expect=201).json
    key, = made["keys"]
    assert made["unlocked"] and key["size"].startswith("RSA, 3072")
    assert key["certificates"][0]["names"] == [address]
    c.ask("POST", smime(address) + "/generate", {"password": "other"}, expect=403)
    again = c.ask("POST", smime(address) + "/renew", {}, expect=200).json["keys"]
    assert [x["current"] for x in again[0]["certificates"]] == [True, False]
    assert again[0]["id"] == key["id"]

    # A key that goes leaves its certificates valid, and says so; or takes them along.
    def remove(**more):
        file = c.ask("POST", smime(address) + "/export",
                     {"password": SECRET, "file_password": FILE_SECRET}, expect=200).json["file"]
        return c.ask("POST", smime(address) + "/compare-and-remove",
                     {"file": file, "passphrase": FILE_SECRET, **more})

    def states():
        listed = json.loads(server.cli("--json", "ca", "list", "example.org").stdout)["certificates"]
        return {x["serial"]: (x["state"], x.get("reason")) for x in listed}

    serials = [x["serial"] for x in again[0]["certificates"]]
    for reason in ("boredom", ""):
        refused = remove(revoke=reason)
        assert refused.status == 422 and "superseded" in refused.json["detail"]
    removed = remove()
    assert removed.status == 200 and removed.json["keys"] == [] and removed.json["revoked"] == 0
    assert len(removed.json["warnings"]) == 2
    for serial in serials:
        assert any(f"signet ca revoke example.org {serial}" in w for w in removed.json["warnings"])
        assert states()[serial][0] in ("valid", "renewed")
    made = c.ask("POST", smime(address) + "/generate", {"password": SECRET}, expect=201).json
    serial = made["keys"][0]["certificates"][0]["serial"]
    removed = remove(revoke="cessationOfOperation")
    assert removed.status == 200 and removed.json["revoked"] == 1 and removed.json["warnings"] == []
    assert states()[serial] == ("revoked", "cessationOfOperation")
    assert all(states()[s][0] in ("valid", "renewed") for s in serials)
    finish(server)


@root
def test_nothing_of_key_and_passwords_stays(authority):
    """After import, unlock, export and change: neither the private key nor any of the passwords is in the
    database, its log, the server's log, or the server's memory; and the search would see them."""
    server = make_server().start()
    address = "nina@example.org"
    secrets = {name: f"{name} {os.urandom(9).hex()}" for name in ("first", "second", "file", "out")}
    server.add_account(address)
    person = authority.issue(emails=[address], usage=("mail",), key=make_key("rsa:2048"))
    numbers = person.key.private_numbers()
    c = session(server, address)
    base, pfx = smime(address), person.pkcs12(secrets["file"], "marker-of-nina")
    body = {"file": base64.b64encode(pfx).decode(), "passphrase": secrets["file"],
            "password": secrets["first"]}
    c.ask("POST", base + "/import", body, expect=201)
    c.ask("POST", base + "/lock", expect=200)
    c.ask("POST", base + "/unlock", {"password": secrets["first"]}, expect=200)
    c.ask("POST", base + "/export", {"password": secrets["first"], "file_password": secrets["out"],
                                     "form": "old"}, expect=200)
    c.ask("POST", base + "/password", {"current": secrets["first"], "password": secrets["second"]},
          expect=200)
    c.ask("POST", base + "/unlock", {"password": secrets["second"]}, expect=200)
    time.sleep(1.5)  # connections end

    def forms(number):
        octets = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return [octets, octets[::-1]]

    needles = {"p": forms(numbers.p), "q": forms(numbers.q), "d": forms(numbers.d),
               "dmp1": forms(numbers.dmp1), **{k: [v.encode()] for k, v in secrets.items()}}
    children = server.children()
    # What the server does know is found, and keyd has the key open: the search works.
    assert memory_holds(children["server"], address.encode())
    assert memory_holds(children["keyd-user"], *needles["p"])
    assert not {n for n, forms in needles.items() if memory_holds(children["server"], *forms)}
    files = [p for p in (server.data / "store").rglob("*") if p.is_file()]
    stored = [p.read_bytes() for p in files] + [server.log_text().encode()]
    assert any(person.der[100:200] in octets for octets in stored)
    assert not {n for n, forms in needles.items() for o in stored if any(f in o for f in forms)}
    for name in ("server", "keyd-user"):
        # Not dumpable: a crash leaves no core.
        assert os.stat(f"/proc/{children[name]}/mem").st_uid == 0
    with_limits = pathlib.Path(f"/proc/{children['keyd-user']}/limits").read_text()
    assert [l for l in with_limits.splitlines() if l.startswith("Max core file size")][0].split()[4] == "0"
    # Locked: keyd forgets it, too.
    c.ask("POST", base + "/lock", expect=200)
    time.sleep(0.3)
    assert not memory_holds(children["keyd-user"], *needles["p"])
    db = sqlite3.connect(f"file:{server.data}/store/signet.db?mode=ro", uri=True)
    assert db.execute("SELECT count(*) FROM secure_key").fetchone() == (1,)
    db.close()
    finish(server)


CIPHERS = {"aes-256-gcm": "60864801650304012e", "aes-256-cbc": "60864801650304012a",
           "aes-192-cbc": "608648016503040116", "aes-128-cbc": "608648016503040102",
           "3des": "2a864886f70d0307"}  # object identifiers of contents, DER


def ciphers_of(message):
    """Which of them encrypt the message."""
    der = subprocess.run(["openssl", "cms", "-cmsout", "-outform", "DER"], input=message, capture_output=True,
                         check=True).stdout
    return [name for name, oid in CIPHERS.items() if bytes.fromhex(oid) in der]


@pytest.fixture(scope="module")
def own_authority(server):
    """The domain's own; made late, since a test above has none."""
    server.cli("ca", "create", "example.org")


def test_the_account_chooses_the_cipher(server, own_authority):
    """CGPW-31: for what is composed, encrypted in place and stored by a rule; over the API and the command line."""
    address = "zoe@example.org"
    server.add_account(address)
    c = session(server, address)
    base = f"{BASE}/accounts/{address}"
    c.ask("POST", base + "/smime/generate", {"password": SECRET, "type": "rsa:2048"}, expect=201)
    assert c.get(f"/accounts/{address}/smime")["cipher"] == "automatic"
    c.ask("PUT", f"{BASE}/rules/{address}/store", {"text": STORE, "active": True})

    def composed(**more):
        compose(c, address, encrypt=True, **more)

    def by_rule():
        compose(c, address, subject="rule")

    def ciphers(make, **more):
        make(**more)
        m, octets = newest(c, address)
        assert m["smime"] == "encrypted"
        shown = c.get(f"/accounts/{address}/messages/{m['id']}/read")
        assert shown["parts"][0]["text"].strip().endswith("x")
        return ciphers_of(octets)

    # The certificate says that GCM is read.
    assert ciphers(composed) == ["aes-256-gcm"]
    for i, cipher in enumerate(CIPHERS):
        if i % 2:
            c.ask("PATCH", base + "/smime", {"cipher": cipher}, expect=200)
        else:
            server.cli("smime", "set", address, f"cipher={cipher}")
        assert c.get(f"/accounts/{address}/smime")["cipher"] == cipher
        for make in (composed, lambda: in_place(c, address), by_rule):
            assert ciphers(make) == [cipher]
    # One message may have another.
    assert ciphers(composed, cipher="aes-128-cbc") == ["aes-128-cbc"]
    for cipher in ("rc2-40", "des", "rc4", "none", ""):
        a = c.ask("PATCH", base + "/smime", {"cipher": cipher}, expect=422)
        assert a.json["field"] == "cipher"
        assert server.cli("smime", "set", address, f"cipher={cipher}", check=False).returncode == 1
    assert c.get(f"/accounts/{address}/smime")["cipher"] == "3des"


def test_whom_a_certificate_is_for(server, own_authority):
    """CGPW-12: the From address of the settings where mail for it comes to the account alone, else the account's."""
    address = "ute@example.org"
    server.add_account(address)
    server.add_account("ulf@example.org")
    server.cli("alias", "add", "sales@example.org", address)
    server.cli("alias", "add", "team@example.org", address, "ulf@example.org")
    c = session(server, address)
    base = f"{BASE}/accounts/{address}"

    def made_for(sender):
        if sender is not None:
            c.ask("PATCH", base + "/smime", {"from": sender}, expect=200)
        made = c.ask("POST", base + "/smime/generate", {"password": SECRET, "type": "ec:p256"}, expect=201).json
        key, = [k for k in made["keys"] if k["current"]]
        cert = x509.load_pem_x509_certificate(key["certificates"][0]["certificate"].encode())
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return names.get_values_for_type(x509.RFC822Name), made["warnings"]

    assert made_for(None) == ([address], [])
    assert made_for("sales@example.org") == (["sales@example.org"], [])
    for sender in ("team@example.org", "ulf@example.org", "nobody@example.org"):
        names, (warning,) = made_for(sender)
        assert names == [address] and "From address" in warning
    assert made_for("") == ([address], [])
    # What is renewed keeps its addresses, whatever the settings say by now; another one is asked for by name.
    c.ask("PATCH", base + "/smime", {"from": "sales@example.org"}, expect=200)

    def renewed(expect=200, **more):
        a = c.ask("POST", base + "/smime/renew", more, expect=expect).json
        return (a["keys"][0]["certificates"][0]["names"], a["warnings"]) if expect == 200 else a

    names, (warning,) = renewed()
    assert names == [address] and "From address" in warning and "--from" in warning
    assert renewed(**{"from": "sales@example.org"}) == (["sales@example.org"], [])
    assert renewed() == (["sales@example.org"], [])
    for sender in ("team@example.org", "ulf@example.org", "x@elsewhere.example"):
        refused = renewed(expect=422, **{"from": sender})
        assert refused["field"] == "from" and sender in refused["detail"]
    server.cli("smime", "renew", address, "--from", address)
    assert renewed()[0] == [address]
    # A domain alias that the authority was not made for: refused by name, and no other one instead without a word.
    server.cli("alias", "add", "example.berlin", "example.org")
    refused = renewed(expect=422, **{"from": "ute@example.berlin"})
    assert "ca refresh" in refused["detail"]
    names, (warning,) = made_for("ute@example.berlin")
    assert names == [address] and "From address" in warning and "ca refresh" in warning
    c.ask("PATCH", base + "/smime", {"from": ""}, expect=200)
    c.ask("PATCH", base + "/smime", {"from": "x@elsewhere.example"}, expect=422)
    server.cli("smime", "set", address, "from=sales@example.org")
    shown = json.loads(server.cli("--json", "smime", "show", address).stdout)
    assert shown["from"] == "sales@example.org"
    r = server.cli("smime", "set", address, "from=x@elsewhere.example", check=False)
    assert r.returncode == 1 and r.stderr.strip()


def test_where_secure_mail_is_off(server, own_authority):
    """CGPW-7: refused by each route, with what it is, and nothing is lost; for an account and for a domain."""
    address = "olga@example.org"
    server.add_account(address)
    server.add_account("oleg@example.org")
    c, other = session(server, address), session(server, "oleg@example.org")
    base = f"{BASE}/accounts/{address}"
    for who in (c, other):
        who.ask("POST", f"{BASE}/accounts/{'olga' if who is c else 'oleg'}@example.org/smime/generate",
                {"password": SECRET, "type": "ec:p256"}, expect=201)
    mail = {"from": address, "to": [address], "subject": "kept", "text": "still here"}
    c.ask("POST", base + "/compose", {**mail, "encrypt": True, "save": False}, expect=200)
    sealed = c.get(f"/accounts/{address}/mailboxes/INBOX/messages")["messages"][0]
    c.ask("POST", base + "/compose", {**mail, "save": False}, expect=200)
    clear = c.get(f"/accounts/{address}/mailboxes/INBOX/messages")["messages"][0]
    for off, on in ((("account", "set", address, "smime=no"), ("account", "set", address, "smime=default")),
                    (("domain", "set", "example.org", "smime=no"), ("domain", "set", "example.org", "smime=yes"))):
        server.cli(*off)
        shown = c.get(f"/accounts/{address}/smime")
        assert not shown["enabled"] and not shown["unlocked"] and len(shown["keys"]) == 1
        assert not c.get(f"/accounts/{address}")["smime"]
        for method, tail, body in (
                ("PATCH", "smime", {"cipher": "3des"}), ("PATCH", "smime", {"from": address}),
                ("POST", "smime/unlock", {"password": SECRET}),
                ("POST", "smime/generate", {"password": SECRET, "type": "ec:p256"}),
                ("POST", "smime/export", {"password": SECRET, "file_password": FILE_SECRET}),
                ("POST", "smime/password", {"current": SECRET, "password": "another"}),
                ("POST", "smime/renew", {}), ("POST", "encryption", None),
                ("POST", "compose", {**mail, "sign": True}), ("POST", "compose", {**mail, "encrypt": True}),
                ("POST", f"messages/{clear['id']}/encrypt", None),
                ("POST", f"messages/{sealed['id']}/decrypt", None),
                ("GET", f"messages/{sealed['id']}/parts/1", None)):
            a = c.ask(method, f"{base}/{tail}", body, expect=403)
            assert a.json["field"] == "smime" and "switched off" in a.json["detail"], (tail, a.json)
        for args in (("generate",), ("unlock",)):
            r = server.cli("smime", *args, address, "--password-file", "-", stdin=SECRET + "\n", check=False)
            assert r.returncode == 1 and "switched off" in r.stderr
        assert "switched off" in server.cli("smime", "set", address, "cipher=3des", check=False).stderr
        # Others do not find the certificate; mail in clear goes on.
        seen = other.ask("POST", f"{BASE}/accounts/oleg@example.org/certificates/lookup", {"addresses": [address]},
                         expect=200).json
        found, = seen["recipients"]
        assert found["address"] == address and found["source"] == "none" and "certificate" not in found, seen
        # Nobody is asked for a password that opens nothing now.
        shown = c.get(f"/accounts/{address}/messages/{sealed['id']}/read")
        assert not shown["locked"] and shown["report"]["status"] == "locked" and shown["parts"] == []
        assert "still here" in c.get(f"/accounts/{address}/messages/{clear['id']}/read")["parts"][0]["text"]
        c.ask("POST", base + "/compose", {**mail, "subject": "plain", "save": False}, expect=200)
        server.cli(*on)
        assert c.get(f"/accounts/{address}/smime")["cipher"] == "automatic"
        c.ask("POST", base + "/smime/unlock", {"password": SECRET}, expect=200)
        assert "still here" in c.get(f"/accounts/{address}/messages/{sealed['id']}/read")["parts"][0]["text"]


def newest(c, address):
    """The newest message of the INBOX: its row and its octets."""
    m = c.get(f"/accounts/{address}/mailboxes/INBOX/messages")["messages"][0]
    return m, c.ask("GET", f"{BASE}/accounts/{address}/messages/{m['id']}", expect=200).body


def compose(c, address, expect=200, **more):
    return c.ask("POST", f"{BASE}/accounts/{address}/compose",
                 {"from": address, "to": [address], "subject": "s", "text": "x", "save": False, **more},
                 expect=expect).json


def certificates(c, address):
    return [cert for key in c.get(f"/accounts/{address}/smime")["keys"] for cert in key["certificates"]]


STORE = 'require "vnd.signet.encrypt"; if header "subject" "rule" { keep :encrypt; }'
CLEAR = b"Signet-Not-Encrypted: the certificate of the owner of the mailbox was revoked\r\n"


def in_place(c, address, expect=200):
    compose(c, address, subject="place")
    a = c.ask("POST", f"{BASE}/accounts/{address}/messages/{newest(c, address)[0]['id']}/encrypt", expect=expect)
    return a.json if expect != 200 else newest(c, address)[1]


@pytest.mark.parametrize("first", ["sign", "encrypt"])
def test_separate_certificates_to_sign_and_to_encrypt(server, authority, first, tmp_path):
    """RFC 8550 4.4.2: whichever came last and is the current one, each purpose has the one that is for it."""
    address = f"{first}-first@example.org"
    server.add_account(address)
    c = session(server, address)
    made = {"sign": issued(authority, address, key="rsa", encrypts=False),
            "encrypt": issued(authority, address, key="rsa", signs=False)}
    for use in (first, *[u for u in made if u != first]):
        c.ask("POST", smime(address) + "/import", pfx_body(made[use].pkcs12(FILE_SECRET), password=SECRET),
              expect=201)
    uses = {cert["fingerprint"]: cert["uses"] for cert in certificates(c, address)}
    assert uses == {made[u].fingerprint: [u] for u in made}
    shown = server.cli("smime", "show", address).stdout
    assert "used to sign only" in shown and "used to encrypt only" in shown
    # Others find the one, whoever they are.
    found, = json.loads(server.cli("--json", "contact", "lookup", address, address).stdout)["recipients"]
    assert (found["source"], found["fingerprint"]) == ("account", made["encrypt"].fingerprint)
    # Stored by a rule, in place, and composed: encrypted to it; and signed by the other.
    c.ask("PUT", f"{BASE}/rules/{address}/store", {"text": STORE, "active": True})
    compose(c, address, subject="rule")
    sealed = [newest(c, address)[1], in_place(c, address)]
    compose(c, address, subject="both", sign=True, encrypt=True)
    m, octets = newest(c, address)
    report = c.get(f"/accounts/{address}/messages/{m['id']}/read")["report"]
    assert made["sign"].fingerprint in json.dumps(report)
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    key.write_text(made["encrypt"].key_pem())
    cert.write_text(made["encrypt"].pem)
    for message in (*sealed, octets):
        assert b"Signet-Not-Encrypted" not in message
        subprocess.run(["openssl", "cms", "-decrypt", "-inkey", key, "-recip", cert], input=message, check=True,
                       capture_output=True)


def test_a_revoked_certificate_of_ones_own(server, own_authority):
    """Not signed with, not encrypted to, from the moment on; shown, told of, and over with the next one."""
    address = "rosalind@example.org"
    server.add_account(address)
    c = session(server, address)
    c.ask("POST", smime(address) + "/generate", {"password": SECRET, "type": "rsa:2048"}, expect=201)
    c.ask("PUT", f"{BASE}/rules/{address}/store", {"text": STORE, "active": True})
    compose(c, address, sign=True, encrypt=True)
    compose(c, address, subject="rule")
    assert newest(c, address)[0]["smime"] == "encrypted"
    cert, = certificates(c, address)
    assert (cert["state"], cert["uses"]) == ("valid", ["sign", "encrypt"])
    server.cli("ca", "revoke", "example.org", cert["serial"], "--reason", "superseded")

    for _ in range(150):
        m, notice = newest(c, address)
        if m["subject"] == "The certificate of your mail was revoked":
            break
        time.sleep(0.1)
    assert cert["serial"].encode() in notice and b"superseded\r\n" in notice and b"Get a new one" in notice

    # At once, though the certificate was used a moment ago.
    compose(c, address, subject="rule")
    m, octets = newest(c, address)
    assert m["smime"] is None and octets.count(CLEAR) == 1
    a = compose(c, address, sign=True, expect=422)
    assert a["field"] == "sign" and "was revoked at" in a["detail"] and "(superseded)" in a["detail"]
    assert "signet smime renew" in a["detail"]
    a = compose(c, address, encrypt=True, expect=422)
    assert "was revoked" in json.dumps(a)
    a = in_place(c, address, expect=409)
    assert "was revoked" in a["detail"] and "renew" in a["detail"]
    c.ask("POST", f"{BASE}/accounts/{address}/encryption")
    for _ in range(100):
        job = c.get(f"/accounts/{address}/encryption")
        if job["state"] == "stopped":
            break
        time.sleep(0.1)
    assert job["state"] == "stopped" and "was revoked" in json.dumps(job)
    found, = json.loads(server.cli("--json", "contact", "lookup", address, address).stdout)["recipients"]
    assert (found["source"], found["fault"]) == ("none", "revoked") and "was revoked" in found["reason"]
    assert [line for line in server.log_text().splitlines() if "rule" in line and "was revoked at" in line]
    cert, = certificates(c, address)
    assert (cert["state"], cert["reason"], cert["uses"]) == ("revoked", "superseded", []) and cert["revoked"]
    assert "revoked, superseded, " in server.cli("smime", "show", address).stdout

    # The next one of the same key ends it, at once again.
    server.cli("smime", "renew", address)
    new, old = certificates(c, address)
    assert (new["uses"], old["uses"], old["state"]) == (["sign", "encrypt"], [], "revoked")
    compose(c, address, sign=True, encrypt=True)
    compose(c, address, subject="rule")
    assert newest(c, address)[0]["smime"] == "encrypted"
    told = [m for m in c.get(f"/accounts/{address}/mailboxes/INBOX/messages")["messages"]
            if m["subject"] == "The certificate of your mail was revoked"]
    assert len(told) == 1


def test_signing_with_an_expired_certificate(server, authority):
    address = "eva@example.org"
    server.add_account(address)
    c = session(server, address)
    old = issued(authority, address, key="rsa", begins=now() - days(90), lifetime=30)
    c.ask("POST", smime(address) + "/import", pfx_body(old.pkcs12(FILE_SECRET), password=SECRET), expect=201)
    a = compose(c, address, sign=True, expect=422)
    assert a["field"] == "sign" and "expired at" in a["detail"] and "renew" in a["detail"]
    assert certificates(c, address)[0]["state"] == "expired"
    assert "expired" in server.cli("smime", "show", address).stdout
