# SPDX-License-Identifier: Apache-2.0
"""A whole server for each module: started in a folder of its own on free loopback ports, stopped by
process id. SIGNET_BUILD names the build folder (default: build); SIGNET_VECTORS the test material."""
import functools
import os
import pathlib
import random
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("SIGNET_BUILD", ROOT / "build"))
VECTORS = pathlib.Path(os.environ.get("SIGNET_VECTORS", ROOT.parent / "shared" / "vectors"))
PORTS = dict(smtp=25, submission=587, submissions=465, imap=143, imaps=993, pop3=110, pop3s=995,
             http=80, https=443, managesieve=4190)
DOMAIN = "example.org"
PASSWORD = "correct horse battery"


# Files that take long. They begin first, so that no worker is busy with one when the others have ended.
LONGEST = ["http", "stress", "revocation", "smime_interop", "tls", "acme", "durability", "pki", "live_change",
           "dialog", "hostile", "outgoing", "client_certificates"]


@functools.cache
def group(path):
    """What one worker runs: a file, or all files that use the HTTP client themselves, because test_whole_api.py
    asks in the end what that was answered there."""
    return "http" if "from webclient import" in path.read_text() else path.stem.removeprefix("test_")


@pytest.hookimpl(tryfirst=True)  # xdist names the groups after this
def pytest_collection_modifyitems(items):
    def place(item):
        name = group(item.path)
        return LONGEST.index(name) if name in LONGEST else len(LONGEST)

    items.sort(key=place)
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group(item.path)))


def offsets():
    """Those of which this process chooses. Of workers beside each other (pytest -n, up to five) each has
    ports of its own: what it found free, none of the others takes before the server does."""
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    # One that takes the place of a worker that died has a higher number, and that one's ports.
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % workers
    width = (32760 - 10000) // workers
    return range(10000 + worker * width, 10000 + (worker + 1) * width - max(PORTS.values()))


def free_offset():
    """An offset at which all ports are free, below those that the kernel gives to clients."""
    for _ in range(200):
        offset = random.choice(offsets())
        try:
            for port in PORTS.values():
                with socket.socket() as s:
                    s.bind(("127.0.0.1", port + offset))
            return offset
        except OSError:
            continue
    raise RuntimeError("no free ports")


class Server:
    """A signetd. start() may be called again after stop() or kill()."""

    def __init__(self, folder, domain=DOMAIN, args=(), env=None):
        self.folder = pathlib.Path(folder)
        self.data = self.folder / "data"
        self.domain = domain
        self.args = list(args)
        self.env = dict(os.environ, **(env or {}))
        # LeakSanitizer traces processes, which the confinement forbids; leaks are the unit tests'.
        self.env.setdefault("ASAN_OPTIONS", "detect_leaks=0:abort_on_error=1")
        self.env.setdefault("UBSAN_OPTIONS", "halt_on_error=1:print_stacktrace=1")
        self.offset = free_offset()
        self.process = None
        self.admin_password = None

    def port(self, service):
        return PORTS[service] + self.offset

    def start(self, timeout=30):
        self.log = open(self.folder / "server.log", "ab")
        self.process = subprocess.Popen(
            [BUILD / "signetd", "--data", self.data, "--domain", self.domain,
             "--listen", "127.0.0.1", "--port-offset", str(self.offset), *self.args],
            stdout=subprocess.PIPE, stderr=self.log, text=True, env=self.env)
        lines = []
        ready = threading.Event()

        def read():
            for line in self.process.stdout:
                lines.append(line.rstrip("\n"))
                if line == "ready\n":
                    ready.set()
            ready.set()

        threading.Thread(target=read, daemon=True).start()
        if not ready.wait(timeout) or "ready" not in lines:
            self.kill()
            raise RuntimeError(f"not ready: {lines}\n{self.log_text()[-4000:]}")
        for line in lines:
            if line.startswith("administrator: "):
                self.admin_password = line.split("password: ", 1)[1]
        self.stdout = lines
        return self

    def children(self, pid=None):
        """Process ids of all our processes, by what they are called."""
        pid = pid or self.process.pid
        found = {}
        for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            try:
                title = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")[0].decode()
            except FileNotFoundError:  # it has just ended
                continue
            found[title.removeprefix("signetd: ")] = int(child)
        return found

    def stop(self, timeout=30):
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def kill(self):
        """SIGKILL to all processes at once."""
        if self.process is None or self.process.poll() is not None:
            return
        pids = [self.process.pid, *self.children().values()]
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.process.wait()
        for pid in pids:
            for _ in range(500):
                if not pathlib.Path(f"/proc/{pid}").exists():
                    break
                time.sleep(0.01)

    def cli(self, *args, check=True, stdin=""):
        r = subprocess.run([BUILD / "signet", "--data", self.data, *args], capture_output=True,
                           text=True, input=stdin, env=self.env, timeout=60)
        if check and r.returncode != 0:
            raise RuntimeError(f"signet {' '.join(map(str, args))}: {r.returncode}: {r.stderr}")
        return r

    def add_account(self, address, password=PASSWORD):
        self.cli("account", "add", address, "--password-file", "-", stdin=password + "\n")
        return address

    def log_text(self):
        return (self.folder / "server.log").read_text(errors="replace")

    def is_alive(self):
        return self.process.poll() is None

    def context(self):
        """A TLS context that trusts the server's self-signed certificate."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


def make_server(**kwargs):
    folder = tempfile.mkdtemp(prefix="signet-live-")
    os.chmod(folder, 0o755)
    return Server(folder, **kwargs)


def finish(server):
    """Stops it and asserts that it was well until then."""
    try:
        if server.process and server.process.poll() is None:
            assert server.stop() == 0
        log = server.log_text()
        for mark in ("ERROR: AddressSanitizer", "runtime error:", "WARNING: ThreadSanitizer"):
            assert mark not in log, log[max(0, log.index(mark) - 1000):][:6000]
    finally:
        server.kill()
        shutil.rmtree(server.folder, ignore_errors=True)


@pytest.fixture(scope="module")
def server():
    s = make_server().start()
    yield s
    finish(s)


@pytest.fixture(scope="module")
def alice(server):
    return server.add_account("alice@example.org")


@pytest.fixture(scope="module")
def bob(server):
    return server.add_account("bob@example.org")


def need(program):
    """The path of a program; the test is skipped, with the name, where it is missing."""
    path = shutil.which(program)
    if not path:
        pytest.skip(f"{program} is not installed")
    return path


def vectors(*folders):
    """Files of the test material; the test is skipped where that is missing."""
    files = [p for f in folders for p in sorted((VECTORS / f).rglob("*")) if p.is_file()]
    if not files:
        pytest.skip(f"no test material in {VECTORS} ({', '.join(folders)})")
    return files
