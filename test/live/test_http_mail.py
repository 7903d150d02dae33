# SPDX-License-Identifier: Apache-2.0
"""The routes of contacts, of rights to mailboxes and of TLS to other servers over HTTP, each answer held
against doc/openapi.yaml. What they mean is tested with the commands (test_contacts.py, test_sharing.py,
test_outgoing.py)."""
import pytest
from authority import Authority
from conftest import PASSWORD
from mailtools import imap
from test_secure_mail import FILE_SECRET, SECRET, pfx_body, session, smime
from webclient import BASE, Client, quoted

ME = "nora@example.org"
REMOTE = "rob@remote.example"


@pytest.fixture(scope="module")
def c(server):
    server.add_account(ME)
    return Client(server, login=ME)


@pytest.fixture(scope="module")
def admin(server):
    return Client(server, login="postmaster@example.org", password=server.admin_password)


@pytest.fixture(scope="module")
def authority(server, tmp_path_factory):
    a = Authority("Remote Root")
    path = tmp_path_factory.mktemp("trust") / "root.pem"
    path.write_text(a.pem)
    server.cli("trust", "add", str(path), "--server", "--for", "mail")
    return a


def path(rest):
    return f"{BASE}/accounts/{ME}{rest}"


def card(uid, name, *addresses):
    return {"@type": "Card", "version": "1.0", "uid": uid, "name": {"full": name},
            "emails": {f"e{i}": {"address": a} for i, a in enumerate(addresses)}}


def test_books_and_cards(c):
    assert c.get(path("/books")[len(BASE):])["books"] == []
    c.ask("POST", path("/books"), {"name": "Work"}, expect=201)
    c.ask("POST", path("/books"), {"name": "Work"}, expect=409)
    c.ask("PATCH", path("/books/Work"), {"name": "Office"}, expect=200)
    c.ask("PATCH", path("/books/Work"), {"name": "Other"}, expect=404)
    made = c.ask("POST", path("/cards"), {"card": card("urn:x:1", "Rob", REMOTE), "book": "Office"},
                 expect=201).json
    assert made["card"]["name"]["full"] == "Rob"
    bad = c.ask("POST", path("/cards"), {"card": {"@type": "Card", "name": 3}}, expect=422)
    assert bad.json["field"].startswith("card")
    changed = card("urn:x:1", "Robert", REMOTE, "robert@remote.example")
    c.ask("PUT", path("/cards/" + quoted("urn:x:1")), {"card": changed}, expect=200)
    assert c.get(path("/cards/" + quoted("urn:x:1"))[len(BASE):])["card"]["name"]["full"] == "Robert"
    listed, = c.get(path("/cards?book=Office")[len(BASE):])["cards"]
    assert listed["addresses"] == [REMOTE, "robert@remote.example"] and listed["certificates"] == 0
    c.ask("DELETE", path("/cards/" + quoted("urn:x:1")), expect=204)
    c.ask("GET", path("/cards/" + quoted("urn:x:1")), expect=404)
    c.ask("DELETE", path("/books/Office"), expect=204)


def test_certificates_of_others(server, c, authority):
    first = authority.issue(emails=[REMOTE], usage=("mail",), key="rsa")
    second = authority.issue(emails=[REMOTE], usage=("mail",), key="rsa")
    stranger = Authority("Stranger").issue(emails=["x@stranger.example"], usage=("mail",), key="rsa")
    taken = c.ask("POST", path("/certificates/take"), {"certificate": first.pem}, expect=201).json
    assert taken["state"] == "trusted" and taken["address"] == REMOTE
    refused = c.ask("POST", path("/certificates/take"), {"certificate": stranger.pem}, expect=409).json
    assert refused["detail"]
    # A changed certificate waits for a word.
    waits = c.ask("POST", path("/certificates/take"), {"certificate": second.pem}, expect=202).json
    assert waits["state"] == "waiting"
    listed, = c.get(path("/certificates/waiting")[len(BASE):])["certificates"]
    waiting = path(f"/certificates/waiting/{quoted(listed['fingerprint'])}")
    # Whom an account trusts is its own word; an administrator may keep its cards, and leaves a trace.
    server.add_account("chief@example.org")
    server.cli("account", "set", "chief@example.org", "role=admin")
    chief = Client(server)
    chief.start("chief@example.org", PASSWORD)
    for where, body in ((path("/certificates/take"), {"certificate": stranger.pem}),
                        (waiting, {"accept": True})):
        assert "account itself" in chief.ask("POST", where, body, expect=403).json["detail"]
    third = authority.issue(emails=["third@remote.example"], usage=("mail",), key="rsa")
    keys = {"cryptoKeys": {"k": {"uri": "data:application/pkix-cert;base64," + "".join(third.pem.split("\n")[1:-2])}}}
    chief.ask("POST", path("/cards"),
              {"card": card("urn:x:chief", "Someone", "third@remote.example") | keys}, expect=201)

    def states():
        found = c.get(path("/certificates/waiting")[len(BASE):])["certificates"]
        return [e["address"] for e in found if e["address"] == "third@remote.example"]
    assert states()
    c.ask("DELETE", path("/cards/" + quoted("urn:x:chief")), expect=204)
    chief.ask("POST", path("/cards"), {"card": card("urn:x:chief", "Someone")}, expect=201)
    c.ask("POST", path("/cards"), {"card": card("urn:x:third", "Third", "third@remote.example") | keys}, expect=201)
    assert not states()
    c.ask("POST", path("/cards"), {"card": card("urn:x:own", "Someone else")}, expect=201)
    entries = [(e["action"], e["detail"]) for e in chief.get("/audit?max=1000")["entries"]]
    assert ("contact.put", "urn:x:chief") in entries and ("contact.put", "urn:x:own") not in entries
    c.ask("POST", waiting, {"accept": True}, expect=200)
    assert len(c.get(path(f"/certificates/known?address={REMOTE}")[len(BASE):])["certificates"]) >= 1
    asked = c.ask("POST", path("/certificates/lookup"), {"addresses": [REMOTE, "nobody@remote.example"]},
                  expect=200).json["recipients"]
    assert [bool(r.get("certificate")) for r in asked] == [True, False]


def test_rights(server, c):
    server.add_account("otto@example.org")
    rights = path("/mailboxes/INBOX/rights")
    assert c.get(rights[len(BASE):])["rights"]
    c.ask("PUT", rights + "/otto@example.org", {"rights": "lrs"}, expect=200)
    c.ask("PUT", rights + "/otto@example.org", {"rights": "lrs!"}, expect=422)
    box = imap(server, "otto@example.org")
    assert box.select('"~nora/INBOX"')[0] == "OK"
    box.logout()
    c.ask("DELETE", rights + "/otto@example.org", expect=200)
    box = imap(server, "otto@example.org")
    assert box.select('"~nora/INBOX"')[0] == "NO"
    box.logout()


def test_tls_of_our_own_connections(server, admin):
    rule = admin.ask("PATCH", BASE + "/outgoing/.example.com", {"tls": "must"}, expect=200).json
    assert rule["pattern"] == ".example.com"
    admin.ask("PATCH", BASE + "/outgoing/.example.com", {"tls": "perhaps"}, expect=422)
    assert [r["pattern"] for r in admin.get("/outgoing")["rules"]] == [".example.com"]
    policy = {p["key"]: p["value"] for p in admin.get("/outgoing/mx.example.com/policy")["policy"]}
    assert policy["tls"] == "must"
    # Our own port 25 is a server like any other; it has STARTTLS and a certificate of its own.
    probe = admin.ask("POST", BASE + "/outgoing/mx.example.com/probe",
                      {"host": "127.0.0.1", "port": server.port("smtp")}, expect=200).json
    assert probe["tls"]["version"].startswith("TLSv1") if "tls" in probe else probe
    admin.ask("DELETE", BASE + "/outgoing/.example.com", expect=204)


def test_another_certificate_for_a_key(server, authority):
    address = "gerd@example.org"
    server.add_account(address)
    first = authority.issue(emails=[address], usage=("mail",), key="rsa")
    second = authority.issue(emails=[address], usage=("mail",), key=first.key)
    s = session(server, address)
    label = s.ask("POST", smime(address) + "/strength", {"password": "12345"}, expect=200).json["strength"]["label"]
    assert label == "very weak"
    s.ask("POST", smime(address) + "/import",
          pfx_body(first.pkcs12(FILE_SECRET, "mine"), password=SECRET), expect=201)
    s.ask("POST", smime(address) + "/install", {"certificate": second.pem}, expect=201)
    key, = s.get(f"/accounts/{address}/smime")["keys"]
    assert [c["certificate"] for c in key["certificates"]] == [second.pem, first.pem]


def test_lists_and_searches(server):
    """Newest first, in pieces that lead on to each other; words in any case, in subject and people, all of them."""
    address = "lists@example.org"
    server.add_account(address)
    c = Client(server, login=address)
    box = imap(server, address)
    for i in range(620):
        subject = "=?utf-8?q?STRASSE_und_=C3=84rger?=" if i in (3, 610) else f"number {i}"
        people = "From: Zo=?utf-8?q?=C3=AB?= Quick <zoe@far.example>\r\nCc: Max <max@near.example>\r\n" if i % 100 == 3 else \
            "From: plain@near.example\r\n"
        box.append("INBOX", None, None, f"{people}To: {address}\r\nSubject: {subject}\r\n\r\nsecret word\r\n".encode())
    box.logout()

    def pieces(**query):
        """All that is found, piece by piece."""
        found, before = [], None
        for _ in range(1000):
            asked = {**query, **({"before": before} if before else {})}
            query_text = "&".join(f"{k}={quoted(str(v))}" for k, v in asked.items())
            a = c.get(f"/accounts/{address}/mailboxes/INBOX/messages?{query_text}")
            found += [m["uid"] for m in a["messages"]]
            assert len(a["messages"]) <= query.get("limit", 50)
            before = a["next"]
            if before is None:
                return found
        raise AssertionError("no end")

    everything = list(range(620, 0, -1))
    for limit in (200, 37, 155):
        assert pieces(limit=limit) == everything
    assert pieces(search="") == everything and pieces(search="   ") == everything
    assert pieces(search="straSSe \u00c4RGER") == [611, 4]
    assert pieces(search="quick far.example max") == [604, 504, 404, 304, 204, 104, 4]
    assert pieces(search="quick strasse") == [4]
    assert pieces(search="quick number", limit=2) == [604, 504, 404, 304, 204, 104]
    assert pieces(search="number plain", limit=1)[:3] == [620, 619, 618]
    # Neither across two addresses nor in the text.
    assert pieces(search="example>max") == [] and pieces(search="secret") == []
    for wrong in ("search=" + "x" * 501, "search=" + "%20".join("abcdefghijk"), "limit=201", "limit=0", "limit=x", "before=-1"):
        c.ask("GET", f"{BASE}/accounts/{address}/mailboxes/INBOX/messages?{wrong}", expect=400)
