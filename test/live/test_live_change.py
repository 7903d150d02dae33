# SPDX-License-Identifier: Apache-2.0
"""Everything about a domain's PKI changes under load, and no client sees more of it than it should: no
connection is refused or broken, each is shown a certificate that was the name's at that moment (in
the moment of a change the old or the new), and sessions that are open go on."""
import contextlib
import hashlib
import json
import os
import signal
import socket
import subprocess
import threading
import time
from typing import NamedTuple

import pytest
from authority import Authority
from conftest import BUILD, PASSWORD, finish, make_server
from cryptography import x509

RATE, SESSIONS = 200, 50
MAIN, BANK, SHOP, NEW, GUEST = NAMES = ["example.org", "bank.example", "shop.example", "new.example",
                                        "guest.example"]
SERVICES = {"imaps": "imap", "https": "http", "submissions": "smtp", "smtp": "smtp", "imap": "imap"}
GROUPS = ["smtp", "imap", "http"]
KINDS = len(NAMES) * len(SERVICES)  # of connections; each once in a row, then with other options
EVERY = KINDS * 6
RESTART_S = 2  # the key process is away for 30 to 90 ms where the processor is free


class Shown(NamedTuple):
    """A certificate of a domain, with how many are sent; without: the name is refused."""
    domain: str
    fingerprint: str = ""
    n_certificates: int = 0
    version: str = "TLSv1.3"


class Visit(NamedTuple):
    began: float
    ended: float
    service: str
    name: str
    version: str
    kind: str
    fingerprint: str
    n_certificates: int
    outcome: str


class Load:
    """The load program, whose lines are read as they come."""

    def __init__(self, server, account):
        ports = [f"{s}:{server.port(s)}" for s in SERVICES]
        self.process = subprocess.Popen(
            [BUILD / "test" / "tls_load", str(RATE), str(SESSIONS), account, PASSWORD, *ports, "--",
             *NAMES], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.visits, self.sessions = [], []
        self.opened = threading.Event()
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stdout:
            if line == "open\n":
                self.opened.set()
            elif line.startswith("session "):
                self.sessions.append(line.rstrip("\n"))
            else:
                began, ended, *texts, n, outcome = line.rstrip("\n").split(" ", 8)
                self.visits.append(Visit(int(began) / 1e6, int(ended) / 1e6, *texts, int(n), outcome))

    def settle(self, since, timeout=30):
        """Waits until connections of all kinds that began since then are over; on a slow machine,
        until each name was asked for on each service."""
        while True:
            n = sum(v.began >= since for v in self.visits[-2 * EVERY:])
            passed = time.monotonic() - since
            if n >= EVERY or (passed > 1.5 and n >= 2 * KINDS):
                return
            assert passed < timeout and self.process.poll() is None, f"{n} connections in {passed} s"
            time.sleep(0.02)

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(60) == 0
        self.reader.join()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Change:
    """One change of a running server, of which self.now says what is shown afterwards."""

    def __init__(self, live):
        self.server, self.load = live.server, live.load
        self.now = dict(live.states[-1][2])
        self.began = self.ended = time.monotonic()

    def cli(self, *args):
        r = self.server.cli(*args)
        self.ended = time.monotonic()
        return r

    def shows(self, names, domain, alias=None, groups=GROUPS):
        shown = certificate(self.server, domain, alias)
        for name in names:
            for group in groups:
                self.now[name, group] = shown


def certificate(server, domain, alias=None):
    """As the server says it shows."""
    c = json.loads(server.cli("--json", "cert", "show", domain, *([alias] if alias else [])).stdout)
    return Shown(domain, c["fingerprint"].replace(":", "").lower(), 1 + c["chain"].count("BEGIN"))


def certificate_for_tests(server, domain):
    """The one that stands for a domain in mode test, which no command shows."""
    context = server.context()
    with socket.create_connection(("127.0.0.1", server.port("imaps")), 20) as s, \
            context.wrap_socket(s, server_hostname=domain) as t:
        der = t.getpeercert(binary_form=True)
    found = x509.load_der_x509_certificate(der)
    assert found.issuer.rfc4514_string() == "CN=Signet Test CA"
    return Shown(domain, hashlib.sha256(der).hexdigest(), 1)


class Live:
    """A server under load and the whole history of what it is to show."""

    def __init__(self, server):
        self.server = server
        first = {(n, g): certificate(server, n if n in (MAIN, BANK, SHOP) else MAIN)
                 for n in NAMES for g in GROUPS}
        self.states = [(0, None, first)]  # since, until, what; the last one is open
        self.outages = []

    def __enter__(self):
        self.load = Load(self.server, f"load@{MAIN}")
        assert self.load.opened.wait(60)
        self.load.settle(time.monotonic())
        return self

    def __exit__(self, kind, *_):
        if kind:
            self.load.kill()
        else:
            self.load.stop()

    @contextlib.contextmanager
    def change(self, settles=True):
        """The old state holds until the change is done, the new one from when it began."""
        c = Change(self)
        yield c
        since, _, old = self.states[-1]
        self.states[-1] = (since, c.ended, old)
        self.states.append((c.began, None, c.now))
        if settles:
            self.load.settle(c.ended)

    def run(self, *args):
        """A change of which clients must not see anything."""
        with self.change() as c:
            c.cli(*args)

    def kill(self, role):
        """SIGKILL; until another is there, handshakes that need it may fail."""
        began, pid = time.monotonic(), self.server.children()[role]
        os.kill(pid, signal.SIGKILL)
        while self.server.children().get(role, pid) == pid or \
                not self.server.cli("key", "test", MAIN, check=False).stdout.startswith("passed: yes"):
            assert time.monotonic() - began < 30
            time.sleep(0.01)
        self.outages.append((began, time.monotonic()))
        self.load.settle(time.monotonic())

    def states_of(self, v):
        return [s[v.name, SERVICES[v.service]] for since, until, s in self.states
                if since <= v.ended and (until is None or until >= v.began)]

    def fault(self, v):
        """What is wrong with a connection, or None."""
        allowed = self.states_of(v)
        if v.outcome != "ok":
            if any(not s.fingerprint for s in allowed) and v.outcome.endswith("unrecognized name"):
                return None
            # Only handshakes, and only those during which the process was away.
            if v.outcome.startswith("handshake: ") and any(
                    began <= v.ended and v.began <= ended for began, ended in self.outages):
                return None
            return v.outcome
        if v.kind == "resumed":
            # Of a full handshake before, with the same domain.
            given = {s.domain for since, _, state in self.states if since <= v.ended
                     for (name, _), s in state.items() if s.fingerprint == v.fingerprint}
            return None if given & {s.domain for s in allowed if s.fingerprint} else \
                "the ticket of another domain, or of one that is refused, was taken"
        if (v.fingerprint, v.n_certificates) not in {(s.fingerprint, s.n_certificates)
                                                     for s in allowed}:
            return "another certificate"
        return None if v.version <= max(s.version for s in allowed) else "another version"

    def failures_in_outages(self):
        return [v for v in self.load.visits if v.outcome.startswith("handshake: ") and
                any(began <= v.ended and v.began <= ended for began, ended in self.outages) and
                not v.outcome.endswith("unrecognized name")]


@pytest.fixture(scope="module")
def server():
    server = make_server().start()
    server.add_account(f"load@{MAIN}")
    for domain, kind in [(BANK, "rsa:2048"), (SHOP, "ec:p256")]:
        server.cli("domain", "add", domain)
        server.cli("key", "generate", domain, "--type", kind, "--alias", "first")
        server.cli("cert", "self-sign", domain, "--key", "first", "--alias", "first")
        server.cli("domain", "set", domain, "pki=enabled")
    yield server
    finish(server)


@pytest.fixture(scope="module")
def root():
    return Authority("Company Root")


def file(server, name, content):
    path = server.folder / name
    path.write_text(content)
    return str(path)


def change_certificates(live, root):
    issuer = Authority("Company Issuer", issuer=root)
    csr = live.server.folder / "bank.csr"
    rest = [MAIN, NEW, GUEST]  # who is nobody gets the main domain's

    live.run("trust", "add", file(live.server, "root.pem", root.pem))
    live.run("key", "generate", MAIN, "--alias", "second")
    with live.change() as c:
        c.cli("cert", "self-sign", MAIN, "--key", "second", "--alias", "second")
        c.shows(rest, MAIN, "second")
    live.server.cli("request", "create", BANK, "--key", "first", "-o", str(csr))
    issued = issuer.issue(request=csr.read_bytes())
    with live.change() as c:
        c.cli("cert", "install", BANK, file(live.server, "bank.pem", issued.chain_pem()), "--alias",
              "issued")
        c.shows([BANK], BANK, "issued")
        assert c.now[BANK, "imap"].fingerprint == issued.fingerprint.replace(":", "").lower()
        assert c.now[BANK, "imap"].n_certificates == 2
    for step in ["remove"], ["set", file(live.server, "issuer.pem", issuer.pem)]:
        with live.change() as c:
            c.cli("chain", step[0], BANK, *step[1:])
            c.shows([BANK], BANK, "issued")


def change_services_and_keys(live):
    live.server.cli("key", "generate", SHOP, "--type", "ec:p256", "--alias", "other")
    with live.change() as c:
        c.cli("cert", "self-sign", SHOP, "--key", "other", "--alias", "other")
        c.shows([SHOP], SHOP, "other")
    with live.change() as c:
        c.cli("cert", "activate", SHOP, "first", "--service", "imap")
        c.shows([SHOP], SHOP, "first", ["imap"])
    # A key of another kind beside the RSA key; then without it again.
    live.run("key", "generate", BANK, "--type", "ec:p256", "--alias", "small")
    before = {g: live.states[-1][2][BANK, g] for g in GROUPS}
    with live.change() as c:
        c.cli("cert", "self-sign", BANK, "--key", "small", "--alias", "small")
        c.shows([BANK], BANK, "small")
    with live.change() as c:
        c.cli("key", "remove", BANK, "small")
        c.now.update({(BANK, g): s for g, s in before.items()})


def change_rules(live, root):
    stranger = Authority("Stranger")
    live.run("trust", "add", file(live.server, "stranger.pem", stranger.pem), "--domain", SHOP)
    live.run("trust", "deny", file(live.server, "root.pem", root.pem), "--domain", SHOP)
    live.run("trust", "remove", root.fingerprint, "--domain", SHOP)
    with live.change() as c:
        c.cli("tls", "set", "--domain", BANK, "newest=1.2")
        c.now.update({(BANK, g): c.now[BANK, g]._replace(version="TLSv1.2") for g in GROUPS})
    with live.change() as c:
        c.cli("tls", "reset", "--domain", BANK, "newest")
        c.now.update({(BANK, g): c.now[BANK, g]._replace(version="TLSv1.3") for g in GROUPS})
    live.run("tls", "set", "groups=P-256", "session_lifetime=600")
    live.run("tls", "reset", "groups", "session_lifetime")
    live.run("client-ca", "set", SHOP, file(live.server, "clients.pem", root.pem))
    live.run("client-ca", "remove", SHOP)


def change_domains(live):
    for old, new in [(SHOP, NEW), (NEW, SHOP)]:
        with live.change() as c:
            c.cli("domain", "rename", old, new)
            # The old name stands in its certificates; the new one is nobody's afterwards.
            for g in GROUPS:
                moved = c.now[SHOP, g]._replace(domain=new)
                c.now[SHOP, g], c.now[NEW, g] = moved, moved if new == NEW else c.now[GUEST, g]
    live.run("domain", "add", GUEST)
    live.run("domain", "set", GUEST, "pki=enabled")
    live.run("key", "generate", GUEST)
    main = {g: live.states[-1][2][GUEST, g] for g in GROUPS}
    with live.change() as c:
        c.cli("cert", "self-sign", GUEST)
        c.shows([GUEST], GUEST)
    with live.change() as c:
        c.cli("domain", "remove", GUEST)
        c.now.update({(GUEST, g): s for g, s in main.items()})


def change_modes(live):
    before = {(BANK, g): live.states[-1][2][BANK, g] for g in GROUPS}
    with live.change() as c:
        c.cli("domain", "set", BANK, "pki=test")
        test = certificate_for_tests(live.server, BANK)
        c.now.update({k: test for k in before})
    with live.change() as c:
        c.cli("domain", "set", BANK, "pki=disabled")
        c.now.update({k: Shown(BANK) for k in before})
    with live.change() as c:
        c.cli("domain", "set", BANK, "pki=enabled")
        c.now.update(before)


def change_quickly(live):
    """One after the other, as soon as each is done."""
    for _ in range(30):
        with live.change(settles=False) as c:
            c.cli("cert", "refresh", SHOP, "other", "--new-serial")
            c.shows([SHOP], SHOP, "other", ["smtp", "http"])
    live.load.settle(time.monotonic())


def change_processes(live):
    with live.change() as c:
        live.server.process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        c.ended = time.monotonic()
    for _ in range(3):
        live.kill("keyd-domain")
    live.kill("keyd-user")


def test_nobody_notices(server, root):
    with Live(server) as live:
        change_certificates(live, root)
        change_services_and_keys(live)
        change_rules(live, root)
        change_domains(live)
        change_modes(live)
        change_quickly(live)
        change_processes(live)
    visits, sessions = live.load.visits, live.load.sessions
    seconds = visits[-1].ended - visits[0].began
    lost = live.failures_in_outages()
    longest = max(ended - began for began, ended in live.outages)
    print(f"{len(visits)} connections in {seconds:.1f} s, {len(live.states) - 1} changes;"
          f" {sum(v.kind == 'resumed' for v in visits)} resumed; slowest"
          f" {max(v.ended - v.began for v in visits) * 1000:.0f} ms; keyd away for at most"
          f" {longest * 1000:.0f} ms, in which {len(lost)} handshakes failed")
    faults = [(live.fault(v), v, live.states_of(v)) for v in visits if live.fault(v)]
    assert not faults, f"{len(faults)} of {len(visits)}:\n" + "\n".join(map(str, faults[:10]))
    assert len(visits) >= 30 * 2 * KINDS
    assert sum(v.kind == "resumed" for v in visits) > len(visits) / 10
    assert longest < RESTART_S
    assert len(sessions) == SESSIONS and all(s.endswith(" ok") for s in sessions), sessions
    assert min(int(s.split()[3]) for s in sessions) > seconds / 4
