#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Our server beside its peers, in one run: starts signetd with the accounts u0 to u15 of bench.test and
certificates of both kinds, calls the load programs with it as a target, passes their lines on, and
ends with a table of ratios against the goals. Everything stays on the loopback interface; only what is
started here is ended, by process id. scripts/bench calls this."""
import argparse
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

PORTS = dict(smtp=25, submission=587, submissions=465, imap=143, imaps=993, pop3=110, pop3s=995,
             http=80, https=443)
DOMAIN = "bench.test"
PASSWORD = "secret"
ACCOUNTS = 16


class Server:
    """A signetd on free ports with a new data folder on the disk that the peers use too."""

    def __init__(self, build):
        self.build = build.resolve()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="signet-bench."))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.offset = free_offset()

    def __enter__(self):
        self.process = subprocess.Popen(
            [self.build / "signetd", "--data", self.data, "--domain", DOMAIN,
             "--listen", "127.0.0.1", "--port-offset", str(self.offset)],
            stdout=subprocess.PIPE, stderr=open(self.folder / "log", "wb"), text=True)
        try:
            if not any(line == "ready\n" for line in self.process.stdout):
                raise RuntimeError((self.folder / "log").read_text()[-2000:])
            self.set_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def set_up(self):
        # The load programs log in without TLS.
        self.cli("setting", "set", "cleartext_login=loopback")
        for i in range(ACCOUNTS):
            self.cli("account", "add", f"u{i}@{DOMAIN}", "--password-file", "-", stdin=PASSWORD)
        # The first start has made an ECDSA certificate; RSA beside it.
        key = json.loads(self.cli("--json", "key", "generate", DOMAIN, "--type", "rsa:2048"))
        self.cli("cert", "self-sign", DOMAIN, "--key", key["alias"])

    def cli(self, *args, stdin=""):
        return subprocess.run([self.build / "signet", "--data", self.data, *args], input=stdin,
                              stdout=subprocess.PIPE, text=True, check=True, timeout=60).stdout

    def target(self, service):
        return f"ours=127.0.0.1:{PORTS[service] + self.offset}:{self.process.pid}"

    def address(self, service):
        return f"127.0.0.1:{PORTS[service] + self.offset}"

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def free_offset():
    """An offset at which all ports are free, below those that the kernel gives to clients."""
    for _ in range(200):
        offset = random.randrange(10000, 31700)
        try:
            for port in PORTS.values():
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port + offset))
            return offset
        except OSError:
            continue
    raise RuntimeError("no free ports")


def loads(server, rounds):
    """What each name runs: program and arguments."""
    return {
        "smtp": ["smtp-in", "--peers", "postfix,e2e", "--rounds", rounds, "--bodies", "4096",
                 "--tls", "plain", "--e2e-count", "6000", "--target", server.target("smtp"),
                 "--target-imap", server.address("imap")],
        "imap": ["imap", "--rounds", rounds, "--idle", "", "--target", server.target("imap")],
        "login": ["imap", "--rounds", rounds, "--idle", "", "--messages", "16", "--peers",
                  "maildir", "--target", server.target("imap")],
        "idle": ["imap", "--rounds", "0", "--peers", "none", "--idle", "5000",
                 "--idle-peers", "dovecot-hibernate", "--target-tls", server.target("imaps")],
        "handshakes": ["tls-handshakes", "--rounds", rounds, "--peers",
                       "floor,hitch,haproxy,nginx", "--target", server.target("imaps")],
    }


class Goal:
    """A ratio of ours to the best of some peers; 'less' is for what is better when small. Without
    peers the bound is for our own figure."""

    def __init__(self, text, ours, peers, bound, less=False):
        self.text, self.ours, self.peers, self.bound, self.less = text, ours, peers, bound, less

    def line(self, figures):
        ours = figures.get(self.ours)
        peers = [figures[p] for p in self.peers if p in figures]
        if ours is None or len(peers) < len(self.peers):
            return None
        if not peers:
            met = ours <= self.bound if self.less else ours >= self.bound
            sign = "<=" if self.less else ">="
            return f"{self.text:58} {ours:10.2f}  {sign} {self.bound:<5} {verdict(met)}"
        best = min(peers) if self.less else max(peers)
        ratio = best / ours if self.less else ours / best
        return (f"{self.text:58} {ratio:8.2f} x  >= {self.bound:<5} {verdict(ratio >= self.bound)}"
                f"   {ours:.4g} : {best:.4g}")


def verdict(met):
    return "met" if met else "NOT MET"


def handshake_goals():
    for case in ("rsa-1.3", "rsa-1.2", "ecdsa-1.3", "ecdsa-1.2"):
        name = f"tls.{case}-full"
        peers = [f"{name}.{p}" for p in ("hitch", "haproxy", "nginx")]
        yield Goal(f"{case} full handshakes a second, best proxy", f"{name}.ours", peers, 1)
        yield Goal(f"{case} full handshake, CPU, best proxy", f"{name}.ours.cpu",
                   [f"{p}.cpu" for p in peers], 1, less=True)
    for case in ("rsa-1.3", "rsa-1.2", "ecdsa-1.3"):
        name = f"tls.{case}-resumed"
        yield Goal(f"{case} offers resumed", f"{name}.ours.reused", [], 0.99)
        yield Goal(f"{case} resumed handshake, CPU, nginx", f"{name}.ours.cpu",
                   [f"{name}.nginx.cpu"], 1, less=True)


def imap_goals():
    stores = ("dovecot-maildir", "dovecot-mdbox")
    for what, bound in (("body", 1.5), ("envelope.cold", 5), ("envelope", 2), ("flags", 1)):
        item, _, cold = what.partition(".")
        names = [f"imap.fetch.{item}.{p}{'.cold' if cold else ''}" for p in ("ours", *stores)]
        yield Goal(f"FETCH {what}, messages/s, best of Dovecot", names[0], names[1:], bound)
    for sessions in (1, 16):
        for peer, bound in (("maildir", 5), ("mdbox", 2)):
            yield Goal(f"APPEND, {sessions} sessions, messages/s, Dovecot {peer}",
                       f"imap.append.4k.{sessions}s.ours",
                       [f"imap.append.4k.{sessions}s.dovecot-{peer}"], bound)


def goals():
    for sessions, bound in ((1, 2), (16, 4), (64, 4)):
        name = f"smtp.accept.plain.4k.{sessions}s"
        yield Goal(f"SMTP in, {sessions} sessions, messages/s, Postfix's queue", f"{name}.ours",
                   [f"{name}.postfix"], bound)
        yield Goal(f"SMTP in, {sessions} sessions, CPU, Postfix's queue", f"{name}.ours.cpu",
                   [f"{name}.postfix.cpu"], bound, less=True)
    yield Goal("SMTP until in the mailbox, messages/s, Postfix+Dovecot", "smtp.e2e.ours.delivered",
               ["smtp.e2e.postfix-dovecot.delivered"], 20)
    yield Goal("SMTP until in the mailbox, CPU, Postfix+Dovecot", "smtp.e2e.ours.cpu",
               ["smtp.e2e.postfix-dovecot.cpu"], 20, less=True)
    yield from handshake_goals()
    yield from imap_goals()
    yield Goal("IMAP logins a second, Dovecot", "imap.login.rate.ours",
               ["imap.login.rate.dovecot-maildir"], 5)
    yield Goal("idle TLS IMAP connection, 5,000 of them, KiB", "imap.idle.5000.ours.pss_per_conn",
               [], 30, less=True)
    yield Goal("the same, beside Dovecot hibernating",
               "imap.idle.5000.ours.pss_per_conn",
               ["imap.idle.5000.dovecot-hibernate.pss_per_conn"], 1, less=True)


def measure(command, figures):
    """Runs a load program, passes its lines on, keeps its figures by name."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as p:
        for line in p.stdout:
            print(line, end="", flush=True)
            words = line.split()
            if len(words) >= 3 and words[0] != "#":
                figures[words[0]] = float(words[1])
    return p.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--loads", type=pathlib.Path, required=True)
    parser.add_argument("name", choices=["all", "smtp", "imap", "login", "idle", "handshakes"])
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rounds = os.environ.get("BENCH_ROUNDS", "3")
    figures, complete = {}, True
    # "imap" measures logins as well.
    names = ["smtp", "imap", "idle", "handshakes"] if options.name == "all" else [options.name]
    for name in names:
        with Server(options.build) as server:
            program, *arguments = loads(server, rounds)[name]
            complete &= measure([options.loads / program, *arguments], figures)
    print("\nratios to the best peer of this run, the goal, and the two figures")
    for goal in goals():
        line = goal.line(figures)
        if line:
            print(line)
    sys.exit(0 if complete else 1)


if __name__ == "__main__":
    main()
