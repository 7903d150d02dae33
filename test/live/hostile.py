# SPDX-License-Identifier: Apache-2.0
"""For tests that attack a server: others are served meanwhile, its memory stays bounded."""
import contextlib
import pathlib
import re
import socket
import threading
import time

from conftest import BUILD
from mailtools import Smtp
from rawimap import Imap

# The sanitizers make everything several times slower and larger.
SANITIZED = b"__asan_init" in (BUILD / "signetd").read_bytes()
SLOW = 6 if SANITIZED else 1
ENV = {"ASAN_OPTIONS": "detect_leaks=0:abort_on_error=1:quarantine_size_mb=16"}


def memory_mib(server):
    text = pathlib.Path(f"/proc/{server.children()['server']}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", text)[1]) / 1024


class Others:
    """People who go on reading and writing; how long the slowest of their steps took."""

    def __init__(self, server, user, proxy=b""):
        self.server, self.user, self.proxy = server, user, proxy
        self.slowest = 0.0
        self.steps = 0
        self.failure = None
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def step(self):
        s = Smtp(self.server, proxy=self.proxy)
        assert s.send("o@other.example", [self.user], b"Subject: other\r\n\r\nx\r\n") == 250
        s.close()
        c = Imap(self.server, self.user, proxy=self.proxy)
        c.ok(b"SELECT INBOX")
        c.ok(b"STORE * +FLAGS.SILENT (\\Deleted)")
        c.ok(b"EXPUNGE")
        c.logout()
        with self.server.context().wrap_socket(connect(self.server, "https", self.proxy)) as h:
            h.sendall(b"GET / HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n")
            assert h.recv(100).startswith(b"HTTP/1.1 200 ")

    def run(self):
        try:
            while not self.stop.is_set():
                began = time.monotonic()
                self.step()
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.steps += 1
                self.stop.wait(0.2)
        except Exception as e:  # told by the thread that waits for us
            self.failure = e


@contextlib.contextmanager
def under_attack(server, grows_mib=64, wait_s=2, proxy=b""):
    """While the block runs others are served within wait_s; afterwards the server lives and has not
    grown by more than was said (four times that under the sanitizers, which keep what is freed)."""
    before = memory_mib(server)
    pid = server.children()["server"]
    others = Others(server, "other@example.org", proxy)
    others.thread.start()
    try:
        yield
    finally:
        others.stop.set()
        others.thread.join()
    if others.failure:
        raise RuntimeError("others were not served") from others.failure
    assert others.steps and others.slowest < wait_s * SLOW, f"others waited {others.slowest:.1f} s"
    assert server.is_alive() and server.children()["server"] == pid, "the server died"
    grown = memory_mib(server) - before
    assert grown < grows_mib * (4 if SANITIZED else 1), f"{grown:.0f} MiB more"


def connect(server, service, proxy=b"", timeout=30):
    s = socket.create_connection(("127.0.0.1", server.port(service)), timeout)
    if proxy:
        s.sendall(proxy)
    return s


class Raw:
    """A connection that sends anything, over TLS where the service begins with it."""

    def __init__(self, server, service, proxy=b"", timeout=30):
        self.s = connect(server, service, proxy, timeout)
        if service in ("submissions", "imaps", "pop3s", "https"):
            self.s = server.context().wrap_socket(self.s, server_hostname="example.org")
        self.inbox = b""
        if not service.startswith("http"):
            self.greeting = self.line()

    def send(self, data):
        self.s.sendall(data)

    def send_anyway(self, data):
        """Whether the server still listens or not."""
        with contextlib.suppress(OSError):
            self.s.sendall(data)

    def line(self):
        while b"\r\n" not in self.inbox:
            data = self.s.recv(65536)
            if not data:
                raise ConnectionError(f"closed behind {self.inbox[-200:]!r}")
            self.inbox += data
        line, _, self.inbox = self.inbox.partition(b"\r\n")
        return line

    def command(self, line):
        """The last line of an SMTP reply, or the next line of the others."""
        self.send(line + b"\r\n")
        while True:
            line = self.line()
            if not re.match(rb"\d{3}-", line):
                return line

    def rest(self):
        """All that comes until the server closes."""
        while True:
            try:
                data = self.s.recv(65536)
            except (ConnectionResetError, BrokenPipeError):
                data = b""
            if not data:
                rest, self.inbox = self.inbox, b""
                return rest
            self.inbox += data

    def starttls(self, server):
        assert not self.inbox, self.inbox
        self.s = server.context().wrap_socket(self.s, server_hostname="example.org")

    def close(self):
        self.s.close()
