#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Store Encrypted beside plain delivery: messages a second that are said to be accepted, which is when
they lie in the mailbox, by 16 sessions of SMTP to 16 accounts, with no rule, with one that keeps, and with
one that keeps encrypted. The three take turns on one server. Lines are 'name value unit'.
usage: sealed.py BUILD LOADS [ROUNDS]"""
import pathlib
import statistics
import sys

from beside import ACCOUNTS, DOMAIN, PASSWORD, PORTS, Server

GOAL = 0.5
RULES = {
    "plain": None,
    "rule": "keep;",
    "encrypted": 'require "vnd.signet.encrypt"; keep :encrypt :mandatory;',
}


def main():
    build, loads, rounds = pathlib.Path(sys.argv[1]), sys.argv[2], int((sys.argv[3:] or ["3"])[0])
    sys.path.insert(0, loads)
    from benchlib import cpu, load

    rates = {name: [] for name in RULES}
    times = {name: [] for name in RULES}
    with Server(build) as server:
        server.cli("ca", "create", DOMAIN)
        for i in range(ACCOUNTS):
            server.cli("smime", "generate", f"u{i}@{DOMAIN}", "--type", "rsa:2048", "--password-file", "-",
                       stdin=PASSWORD)
        for _ in range(rounds):
            for name, rule in RULES.items():
                if rule:
                    server.cli("rule", "set", "server", "-", stdin=rule)
                before = cpu(server.process.pid)
                d = load("smtpload", "-h", "127.0.0.1", "-p", PORTS["smtp"] + server.offset, "-c", 16,
                         "-s", 3, "-b", 4096, "-P", "-t", f"u%d@{DOMAIN}")
                if d.get("errors") or not d["ops"]:
                    sys.exit(f"{name}: {d}")
                rates[name].append(d["ops"] / d["secs"])
                times[name].append((cpu(server.process.pid) - before) * 1e6 / d["ops"])
                if rule:
                    server.cli("rule", "remove", "server")
    for name in RULES:
        print(f"deliver.{name} {statistics.median(rates[name]):.4g} messages/s")
        print(f"deliver.{name}.cpu {statistics.median(times[name]):.4g} us/message")
    ratio = statistics.median(rates["encrypted"]) / statistics.median(rates["plain"])
    print(f"deliver.encrypted.ratio {ratio:.3f} x-of-plain # goal {GOAL}: "
          + ("met" if ratio >= GOAL else "NOT MET"))


main()
