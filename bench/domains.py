#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What many domains cost, with a certificate each: how long a server of 1,000 (or as many as the
argument says) takes from its start until it listens, how long one change takes until the next
handshake sees it, and its memory. Lines are 'name value unit'. scripts/bench domains calls this."""
import concurrent.futures
import pathlib
import socket
import statistics
import subprocess
import sys
import time

from beside import DOMAIN, Server


def add(server, domain):
    server.cli("domain", "add", domain)
    server.cli("key", "generate", domain)
    server.cli("cert", "self-sign", domain)
    server.cli("domain", "set", domain, "pki=enabled")


def start(server):
    """Seconds until it says that it is ready."""
    begun = time.monotonic()
    server.process = subprocess.Popen(
        [server.build / "signetd", "--data", server.data, "--domain", DOMAIN, "--listen",
         "127.0.0.1", "--port-offset", str(server.offset)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert any(line == "ready\n" for line in server.process.stdout)
    with socket.create_connection(server.address("imaps").split(":"), 10):
        return time.monotonic() - begun


def memory_kib(server):
    """The proportional memory of all processes."""
    pid = server.process.pid
    children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return sum(int(line.split()[1]) for p in [pid, *children]
               for line in pathlib.Path(f"/proc/{p}/smaps_rollup").read_text().splitlines()
               if line.startswith("Pss:"))


def main():
    n = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    with Server(pathlib.Path(sys.argv[1])) as server:
        before = memory_kib(server)
        begun = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda i: add(server, f"d{i}.test"), range(n)))
        print(f"domains.set_up {(time.monotonic() - begun) / n * 1e3:.1f} ms/domain", flush=True)
        server.process.terminate()
        server.process.wait(60)
        starts = []
        for _ in range(3):
            starts.append(start(server))
            memory = memory_kib(server)
            if len(starts) < 3:
                server.process.terminate()
                server.process.wait(60)
        print(f"domains.{n}.start {statistics.median(starts) * 1e3:.0f} ms")
        print(f"domains.{n}.memory {(memory - before) / n:.1f} KiB/domain")
        changes = []
        for i in range(11):
            begun = time.monotonic()
            server.cli("cert", "refresh", f"d{i * 90 % n}.test", "--new-serial")
            changes.append(time.monotonic() - begun)
        print(f"domains.{n}.change {statistics.median(changes) * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
