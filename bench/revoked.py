#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An authority with 100,000 revoked certificates: how long its list takes to make, how many fetches of it are
answered in a second, four at a time, and how many questions to its responder, one after the other.
usage: revoked.py BUILD [REVOKED]"""
import concurrent.futures
import http.client
import json
import os
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.parse

from beside import DOMAIN, PASSWORD, PORTS, Server

FETCHES, QUESTIONS = 200, 1000


def revoke_many(data, n):
    """As rows: to issue them one by one would take minutes, and is not what is asked."""
    with sqlite3.connect(data / "store" / "signet.db", timeout=60) as db:
        authority, end = db.execute("select authority, not_after from issued limit 1").fetchone()
        db.executemany(
            "insert into issued (authority, account, serial, address, der, not_after, renew, failures,"
            " successor, revoked, reason, listed, told, created)"
            " values (?, null, ?, x'78', x'78', ?, 0, 0, null, ?, 5, 0, -1, 0)",
            ((authority, os.urandom(16), end, int(time.time() * 1e6)) for _ in range(n)))
    db.close()


def fetch(port, path, body=None):
    c = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    c.request("POST" if body else "GET", path, body,
              {"Content-Type": "application/ocsp-request"} if body else {})
    answer = c.getresponse().read()
    c.close()
    return answer


def question(folder, root, leaf):
    (folder / "root.pem").write_text(root)
    (folder / "leaf.pem").write_text(leaf)
    subprocess.run(["openssl", "ocsp", "-issuer", folder / "root.pem", "-cert", folder / "leaf.pem",
                    "-no_nonce", "-reqout", folder / "q"], check=True, stdout=subprocess.DEVNULL)
    return (folder / "q").read_bytes()


def issue(server, user):
    server.cli("smime", "generate", f"{user}@{DOMAIN}", "--type", "ec:p256", "--password-file", "-",
               stdin=PASSWORD)
    shown = json.loads(server.cli("--json", "smime", "show", f"{user}@{DOMAIN}"))
    return shown["keys"][0]["certificates"][0]


def main():
    n = int((sys.argv[2:] or ["100000"])[0])
    with Server(pathlib.Path(sys.argv[1])) as server, tempfile.TemporaryDirectory() as folder:
        ca = json.loads(server.cli("--json", "ca", "create", DOMAIN))
        good, bad = issue(server, "u0"), issue(server, "u1")
        port = PORTS["http"] + server.offset
        path = urllib.parse.urlsplit(ca["crl_url"]).path
        revoke_many(server.data, n)
        server.cli("ca", "revoke", DOMAIN, bad["serial"])
        before = time.monotonic()
        # Until it is there, whoever asks gets the one before.
        while (size := len(fetch(port, path))) < 10 * n:
            if time.monotonic() - before > 300:
                sys.exit("the list is not there after five minutes")
            time.sleep(0.05)
        print(f"crl.made {time.monotonic() - before:.3g} s # {n + 1} revoked")
        print(f"crl.size {size} octets")
        before = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: fetch(port, path), range(FETCHES)))
        print(f"crl.fetched {FETCHES / (time.monotonic() - before):.4g} fetches/s")
        asked = question(pathlib.Path(folder), ca["certificate"], good["certificate"])
        path = path.replace("ca.crl", "ocsp")
        before = time.monotonic()
        for _ in range(QUESTIONS):
            fetch(port, path, asked)
        print(f"ocsp.answered {QUESTIONS / (time.monotonic() - before):.4g} answers/s")


main()
