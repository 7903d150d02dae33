# SPDX-License-Identifier: Apache-2.0
"""The web side of a running server: logging in, who may do what, every route but those of certificates
(test_http_pki.py), and each answer held against doc/openapi.yaml."""
import base64
import json
import re
import ssl

import pytest
from conftest import PASSWORD, finish, make_server
from hostile import connect
from webclient import API, BASE, METHODS, OPERATIONS, Client, quoted

@pytest.fixture(scope="module")
def web():
    server = make_server().start()
    server.add_account("alice@example.org")
    server.add_account("bob@example.org")
    server.add_account("chief@example.org")
    server.cli("account", "set", "chief@example.org", "role=admin")
    yield server
    finish(server)


@pytest.fixture(scope="module")
def admin(web):
    return Client(web, login="chief@example.org")


@pytest.fixture(scope="module")
def alice(web):
    return Client(web, login="alice@example.org")


# Logging in

def test_a_cookie_session(web):
    c = Client(web)
    assert c.start("chief@example.org") == {"address": "chief@example.org", "role": "admin",
                                            "csrf": c.csrf}
    assert c.get("/session")["csrf"] == c.csrf
    assert c.get("/status")["hostname"] == "example.org"
    other = Client(web)
    other.start("chief@example.org")
    assert other.cookie != c.cookie and other.csrf != c.csrf
    for token in (None, "", "x", other.csrf, c.csrf[:-1], c.csrf + "x"):
        a = c.ask("PATCH", BASE + "/settings", {"hops_max": "200"},
                  headers={"X-CSRF-Token": token} if token else {"X-CSRF-Token": ""}, expect=403)
        assert a.json["field"] == "X-CSRF-Token"
    assert c.get("/settings/hops_max")["value"] != "200"
    c.ask("PATCH", BASE + "/settings", {"hops_max": None}, expect=204)
    cookie = c.cookie
    a = c.ask("DELETE", BASE + "/session", expect=204)
    assert "Max-Age=0" in a.headers["Set-Cookie"]
    c.cookie = cookie
    c.get("/status", expect=401)
    assert other.get("/session")["role"] == "admin"


def test_wrong_cookies_are_nobody(web):
    c = Client(web)
    for cookie in ("x", "0" * 43, "'", "a; __Host-signet=b"):
        c.cookie = cookie
        c.get("/session", expect=401)


def test_a_new_password_ends_the_sessions(web, admin):
    web.add_account("mallory@example.org")
    c = Client(web)
    c.start("mallory@example.org")
    account = "/accounts/mallory@example.org"
    c.ask("PUT", BASE + account + "/password", {"password": "a new password"}, expect=422)
    a = c.ask("PUT", BASE + account + "/password",
              {"password": "a new password", "current": "wrong"}, expect=403)
    assert a.json["field"] == "current"
    c.ask("PUT", BASE + account + "/password",
          {"password": "a new password", "current": PASSWORD}, expect=204)
    c.get("/session", expect=401)
    Client(web, login="mallory@example.org").get("/session", expect=401)
    Client(web, login="mallory@example.org", password="a new password").get("/session")
    c.start("mallory@example.org", "a new password")
    admin.ask("PATCH", BASE + account, {"disabled": True}, expect=200)
    c.get("/session", expect=401)
    admin.ask("DELETE", BASE + account, expect=204)


def test_basic_over_tls_only(web):
    c = Client(web, login="alice@example.org")
    assert c.get("/session") == {"address": "alice@example.org", "role": "user"}
    plain = Client(web, "http", login="alice@example.org")
    assert "https" in plain.get("/session", expect=403)["detail"]
    plain.login = None
    plain.ask("POST", BASE + "/session", {"login": "alice", "password": PASSWORD}, expect=403)
    wrong = Client(web, login="alice@example.org", password="wrong")
    a = wrong.ask("GET", BASE + "/session", expect=401)
    assert a.headers["WWW-Authenticate"].startswith("Basic realm=")
    # A script's request must not make the browser ask for a password.
    a = wrong.ask("GET", BASE + "/session", headers={"Sec-Fetch-Mode": "cors"}, expect=401)
    assert not a.headers["WWW-Authenticate"].startswith("Basic")
    nobody = Client(web, login="nobody@example.org").ask("GET", BASE + "/session", expect=401)
    assert nobody.json == a.json, "it tells who exists"


def test_failed_logins_are_limited(web):
    web.cli("setting", "set", "login_failures_max=3")
    try:
        wrong = Client(web, login="bob@example.org", password="wrong")
        seen = [wrong.ask("GET", BASE + "/session").status for _ in range(6)]
        assert seen[0] == 401 and seen[-1] == 429, seen
        right = Client(web, login="bob@example.org").ask("GET", BASE + "/session")
        assert right.status == 429 and int(right.headers["Retry-After"]) > 0
        Client(web, login="alice@example.org").get("/session")
    finally:
        web.cli("setting", "set", "login_failures_max=20")


# Who may do what

def concrete(pattern):
    return re.sub(r"\{(\w+)\}", lambda m: {"domain": "example.org", "address": "bob@example.org",
                                           "id": "1"}.get(m[1], "x"), pattern)


@pytest.mark.parametrize("method,path", OPERATIONS)
def test_nobody_gets_in_without_logging_in(web, method, path):
    operation = API["paths"][path][method]
    a = Client(web).ask(method.upper(), concrete(path), {} if "requestBody" in operation else None)
    if operation.get("security") == [] or path == "/metrics":
        # 404: no challenge is waiting, no authority is there; 400: no OCSP request
        assert a.status in (200, 400, 404, 415, 422)
    else:
        assert a.status == 401 and "WWW-Authenticate" in a.headers


@pytest.mark.parametrize("method,path", OPERATIONS)
def test_users_reach_their_own_account_only(alice, method, path):
    operation = API["paths"][path][method]
    a = alice.ask(method.upper(), concrete(path), {} if "requestBody" in operation else None)
    if operation.get("security") == [] or path in ("/metrics", BASE + "/session"):
        assert a.status in (200, 204, 400, 404, 415, 422)
    else:
        assert a.status == 403, (method, path, a)


def test_own_account(alice):
    own = BASE + "/accounts/alice@example.org"
    assert alice.get("/accounts/alice@example.org")["role"] == "user"
    assert alice.get("/accounts/ALICE")["address"] == "alice@example.org"
    alice.ask("PATCH", own, {"name": "Alice Ä"}, expect=200)
    for member in ({"role": "admin"}, {"quota": 0}, {"disabled": True}, {"name": "x", "quota": 0}):
        assert alice.ask("PATCH", own, member, expect=403).json["field"] in member
    assert alice.get("/accounts/alice@example.org")["name"] == "Alice Ä"
    alice.ask("DELETE", own, expect=403)
    alice.ask("POST", own + "/mailboxes", {"name": "Mine"}, expect=201)
    alice.ask("DELETE", own + "/mailboxes/Mine", expect=204)


# Every route

def test_domains(admin):
    a = admin.ask("POST", BASE + "/domains", {"name": "Bücher.example", "pki": "test"}, expect=201)
    name = a.json["name"]
    assert name == "xn--bcher-kva.example" and a.json["pki"] == "test"
    domain = f"{BASE}/domains/{name}"
    assert admin.ask("POST", BASE + "/domains", {"name": name}, expect=409).json["field"] == "name"
    for bad in ("", "a b", "-x.example", "x" * 64 + ".example", "..", "a_b.example", "192.0.2.1",
                "[192.0.2.1]"):
        admin.ask("POST", BASE + "/domains", {"name": bad}, expect=422)
    a = admin.ask("PATCH", domain, {"account_quota": "5G"}, expect=200)
    assert a.json["account_quota"] == 5 << 30
    admin.ask("PUT", domain + "/aliases/other.example", expect=204)
    assert admin.get(f"/domains/{name}/aliases") == {"aliases": ["other.example"]}
    assert admin.get("/domains/other.example")["name"] == name
    admin.ask("PUT", domain + "/aliases/example.org", expect=409)
    admin.ask("DELETE", domain + "/aliases/other.example", expect=204)
    admin.ask("DELETE", domain + "/aliases/other.example", expect=404)
    a = admin.ask("PATCH", domain, {"name": "new.example"}, expect=200)
    assert a.json["name"] == "new.example" and a.json["account_quota"] == 5 << 30
    names = [d["name"] for d in admin.get("/domains")["domains"]]
    assert names == ["example.org", "new.example"]
    admin.ask("DELETE", BASE + "/domains/new.example", expect=204)
    admin.get("/domains/new.example", expect=404)
    admin.ask("DELETE", BASE + "/domains/example.org", expect=422)


def test_aliases(admin):
    admin.ask("POST", BASE + "/aliases", {"address": "team@example.org", "targets":
                                          ["alice@example.org", "Bob@Example.ORG"]}, expect=201)
    admin.ask("POST", BASE + "/aliases", {"address": "team@example.org",
                                          "targets": ["alice@example.org"]}, expect=409)
    a = admin.ask("POST", BASE + "/aliases", {"address": "x@example.org", "targets": ["no"]},
                  expect=422)
    assert a.json["field"] == "targets"
    shown = admin.get("/aliases/team@example.org")
    assert shown["targets"][0] == "alice@example.org" and len(shown["targets"]) == 2
    admin.ask("PUT", BASE + "/aliases/team@example.org", {"targets": ["bob@example.org"]},
              expect=204)
    assert admin.get("/aliases?domain=example.org")["aliases"] == [
        {"address": "team@example.org", "targets": ["bob@example.org"]}]
    admin.ask("DELETE", BASE + "/aliases/team@example.org", expect=204)
    admin.get("/aliases/team@example.org", expect=404)


def test_accounts_and_mailboxes(admin):
    a = admin.ask("POST", BASE + "/accounts", {
        "address": "carol@example.org", "password": "long enough", "name": "Carol",
        "quota": "1M", "role": "user"}, expect=201)
    assert a.json["quota"] == 1 << 20 and a.json["name"] == "Carol"
    admin.ask("POST", BASE + "/accounts", {"address": "carol@example.org",
                                           "password": "long enough"}, expect=409)
    account = BASE + "/accounts/carol@example.org"
    a = admin.ask("PATCH", account, {"quota": "default", "disabled": "yes"}, expect=200)
    assert a.json["disabled"] is True and a.json["quota"] == 0
    admin.ask("PUT", account + "/password", {"password": "another one"}, expect=204)
    listed = admin.get("/accounts?domain=example.org")["accounts"]
    assert "carol@example.org" in [x["address"] for x in listed]
    name = "Projects/100% \"sure\"/Ä?#&"
    admin.ask("POST", account + "/mailboxes", {"name": name, "use": "archive"}, expect=422)
    a = admin.ask("POST", account + "/mailboxes", {"name": name}, expect=201)
    assert a.json["name"] == name
    names = [m["name"] for m in admin.get("/accounts/carol@example.org/mailboxes")["mailboxes"]]
    assert names[0] == "INBOX" and {"Projects", name} <= set(names)
    admin.ask("DELETE", f"{account}/mailboxes/{quoted(name)}", expect=204)
    admin.ask("DELETE", f"{account}/mailboxes/{quoted(name)}", expect=404)
    admin.ask("DELETE", f"{account}/mailboxes/INBOX", expect=422)
    admin.ask("DELETE", account, expect=204)
    admin.get("/accounts/carol@example.org", expect=404)
    for last in ("chief@example.org", "postmaster@example.org"):
        listed = [x for x in admin.get("/accounts")["accounts"] if x["role"] == "admin"]
        if len(listed) == 1:
            admin.ask("DELETE", f"{BASE}/accounts/{last}", expect=422)


def test_keys_and_certificates(admin):
    domain = "/domains/example.org"
    a = admin.ask("POST", BASE + domain + "/keys", {"type": "ec:p384", "alias": "second"},
                  expect=201)
    assert "PRIVATE" not in json.dumps(a.json) and "BEGIN PUBLIC KEY" in a.json["public_key"]
    admin.ask("POST", BASE + domain + "/keys", {"alias": "second"}, expect=409)
    admin.ask("POST", BASE + domain + "/keys", {"type": "rsa:512"}, expect=422)
    assert admin.get(domain + "/keys/second") == a.json
    assert "second" in [k["alias"] for k in admin.get(domain + "/keys")["keys"]]
    tested = admin.ask("POST", f"{BASE}{domain}/keys/second/test", expect=200)
    assert tested.json == {"passed": True, "result": "Verification String is OK"}
    made = admin.ask("POST", BASE + domain + "/certificates",
                     {"key": "second", "alias": "mine", "days": 30}, expect=201).json
    assert made["self_signed"] and made["names"] == ["example.org"] and made["services"] == "all"
    assert made.pop("displaced") == [{"alias": "first", "services": "all"}]
    assert admin.get(domain + "/certificates/mine") == made
    assert "mine" in [c["alias"] for c in admin.get(domain + "/certificates")["certificates"]]
    first, = (c for c in admin.get(domain + "/certificates")["certificates"]
              if c["alias"] != "mine")
    assert first["services"] == ""
    admin.ask("PATCH", BASE + domain + "/certificates/mine", {"services": "imap,pop3"}, expect=200)
    admin.ask("PATCH", f"{BASE}{domain}/certificates/{first['alias']}", {"services": "smtp,http"},
              expect=200)
    admin.ask("PATCH", BASE + domain + "/certificates/mine", {"services": "gopher"}, expect=422)
    admin.ask("POST", BASE + domain + "/certificates", {"days": 100000}, expect=422)
    admin.get(domain + "/certificates/none", expect=404)


def test_settings_log_audit_status_and_queue(admin):
    settings = admin.get("/settings")["settings"]
    assert {"message_max", "proxies", "log_level"} <= {s["key"] for s in settings}
    a = admin.ask("PATCH", BASE + "/settings", {"hops_max": 150, "nonsense": 1}, expect=422)
    assert a.json["field"] == "nonsense"
    assert admin.get("/settings/hops_max")["value"] == "100", "half a change was made"
    admin.ask("PATCH", BASE + "/settings", {"hops_max": "150"}, expect=204)
    assert admin.get("/settings/hops_max")["value"] == "150"
    admin.ask("PATCH", BASE + "/settings", {"hops_max": None}, expect=204)
    assert admin.get("/settings/hops_max")["value"] == "100"
    admin.get("/settings/nonsense", expect=404)
    for key, value in (("hops_max", "1"), ("log_level", "loud"), ("proxies", "nowhere"),
                       ("message_max", "-1"), ("message_max", "9" * 30)):
        a = admin.ask("PATCH", BASE + "/settings", {key: value}, expect=422)
        assert a.json["field"] == key
    entries = admin.get("/audit?max=1000")["entries"]
    done = [(e["action"], e["target"]) for e in entries if e["actor"] == "chief@example.org"]
    assert ("setting.set", "hops_max") in done and ("account.add", "carol@example.org") in done
    assert not any(PASSWORD in json.dumps(e) or "long enough" in json.dumps(e) for e in entries)
    log = admin.get("/log?max=5")
    assert len(log["lines"]) == 5 and log["last"] > 5
    assert admin.get(f"/log?after={log['last']}&tag=TLS")["last"] >= log["last"]
    assert not any(PASSWORD in line for line in admin.get("/log?max=4096")["lines"])
    for bad in ("max=x", "max=-1", "max=99999999", "after=1.5"):
        admin.get("/log?" + bad, expect=400)
    status = admin.get("/status")
    assert status["keyd"] == {"domain": True, "user": True} and status["domains"] == ["example.org"]
    assert {p["service"] for p in status["ports"]} >= {"smtp", "imaps", "https"}
    assert admin.get("/queue") == {"queue": []}
    admin.ask("PATCH", BASE + "/queue/17", {"state": "held"}, expect=404)
    admin.ask("DELETE", BASE + "/queue/17", expect=404)


# What is wrong with a request

@pytest.mark.parametrize("body,headers,status,field", [
    (b"{", {}, 400, None), (b"", {}, 400, None), (b"[]", {}, 422, None), (b"1", {}, 400, None),
    (b'{"name":"a.example"', {}, 400, None), (b'{"name":"\xff"}', {}, 400, None),
    (b'{"name":"a.example","name":"b.example"}', {}, 400, None),
    (b'{"name":"a.example"}', {"Content-Type": "text/plain"}, 415, "Content-Type"),
    (b'{"name":"a.example"}', {"Content-Type": "application/x-www-form-urlencoded"}, 415,
     "Content-Type"),
    (b"{}", {}, 422, "name"), (b'{"name":1}', {}, 422, "name"), (b'{"name":null}', {}, 422, "name"),
    (b'{"name":"a.example","x":1}', {}, 422, "x"),
    (b'{"name":"' + b"a" * 300 + b'"}', {}, 422, "name"),
    (b'{"name":"a\\u0000b.example"}', {}, (400, 422), None),
])
def test_bad_bodies(admin, body, headers, status, field):
    a = admin.ask("POST", BASE + "/domains", body, {"Content-Type": "application/json", **headers})
    assert a.status in (status if isinstance(status, tuple) else (status,))
    assert a.headers["Content-Type"] == "application/problem+json" and a.json["status"] == a.status
    assert field is None or a.json["field"] == field


def test_wrong_paths_and_methods(admin):
    for path in ("/api", "/api/v1", "/api/v1/", "/api/v2/status", "/api/v1/status/", "//",
                 "/pki", "/pki/example.org", "/pki/example.org/key.pem", "/%00",
                 "/api/v1/../v1/status", "/api/v1/domains/example.org/keys/x/y", "/api/v1/domains//keys",
                 "/api/v1/accounts/%ff", "/api/v1/accounts/a%00b"):
        a = admin.ask("GET", path)
        assert a.status == 404 and a.json["status"] == 404, (path, a)
    a = admin.ask("DELETE", BASE + "/status", expect=405)
    assert "GET" in a.headers["Allow"] and "DELETE" not in a.headers["Allow"]
    a = admin.ask("OPTIONS", BASE + "/domains", expect=204)
    assert {"GET", "POST", "HEAD", "OPTIONS"} == set(a.headers["Allow"].split(", "))
    a = admin.ask("HEAD", BASE + "/status", expect=200)
    assert a.body == b"" and int(a.headers["Content-Length"]) > 100


def test_a_connection_is_for_one_domain(web, admin):
    """RFC 9110 section 15.5.20."""
    admin.ask("POST", BASE + "/domains", {"name": "second.example"}, expect=201)
    c = Client(web, name="example.org")
    assert c.ask("GET", "/", headers={"Host": "example.org:443"}).status == 200
    a = c.ask("GET", "/", headers={"Host": "second.example"})
    assert a.status == 421 and a.json["field"] == "Host"
    assert c.ask("GET", "/", headers={"Host": "unknown.example"}).status == 421
    admin.ask("DELETE", BASE + "/domains/second.example", expect=204)


# Pages without logging in

@pytest.mark.parametrize("service", ["http", "https"])
def test_downloads(web, service):
    c = Client(web, service)
    der = c.ask("GET", "/pki/example.org/cert.der", expect=200)
    pem = c.ask("GET", "/pki/example.org/cert.pem", expect=200)
    chain = c.ask("GET", "/pki/EXAMPLE.org/chain.pem", expect=200)
    assert ssl.PEM_cert_to_DER_cert(pem.body.decode()) == der.body
    assert chain.body.startswith(pem.body)
    assert der.headers["Content-Disposition"] == 'attachment; filename="example.org.cer"'
    with web.context().wrap_socket(connect(web, "https"), server_hostname="example.org") as s:
        assert s.getpeercert(binary_form=True) == der.body
    for path in ("/pki/nowhere.example/cert.pem", "/pki/..%2fkeyd/cert.pem",
                 "/pki/%2e%2e/cert.pem"):
        assert c.ask("GET", path).status == 404


@pytest.mark.parametrize("service", ["http", "https"])
def test_the_first_page(web, service):
    a = Client(web, service).ask("GET", "/", expect=200)
    page = a.body.decode()
    assert "<h1>example.org</h1>" in page and "Secure Certificate" in page
    links = re.findall(r'href="([^"]*)"', page)
    assert set(links) >= {"/pki/example.org/cert.pem", "/pki/example.org/cert.der"}
    assert all(link.startswith(("/", "data:")) for link in links), "it loads from elsewhere"
    assert "<script" not in page
    for link in links:
        if link.startswith("/"):
            Client(web, service).ask("GET", link, expect=200)


def metrics(web):
    text = Client(web, "http").ask("GET", "/metrics", expect=200).body.decode()
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            assert re.fullmatch(r"# (HELP \w+ .+|TYPE \w+ (counter|gauge))", line), line
            continue
        m = re.fullmatch(r'(signet_\w+(?:\{\w+="[\w.-]+"(?:,\w+="[\w.-]+")*\})?) (\d+)', line)
        assert m, line
        assert m[1] not in found
        found[m[1]] = int(m[2])
        name = m[1].partition("{")[0]
        assert f"# TYPE {name} " in text and f"# HELP {name} " in text
    return found


def test_metrics_move(web, alice):
    before = metrics(web)
    alice.get("/session")
    Client(web, login="alice@example.org", password="wrong").get("/session", expect=401)
    after = metrics(web)
    assert after["signet_keyd_up"] == 1 and after["signet_accounts"] >= 4
    assert {k for k in after if k.startswith("signet_login")}
    grown = {k for k in after if after[k] > before.get(k, 0)}
    assert any("login" in k and "refused" in k for k in grown), grown
    assert any("http_requests" in k for k in grown), grown
    assert set(before) == set(after)
