# SPDX-License-Identifier: Apache-2.0
"""The first start, the second, and starts that must be refused with a reason."""
import os
import resource
import shutil
import signal
import smtplib
import socket
import sqlite3
import ssl
import subprocess
import time

import pytest
from conftest import BUILD, finish, make_server


def test_first_start_makes_a_server_and_the_second_changes_nothing():
    server = make_server().start()
    line = [s for s in server.stdout if s.startswith("administrator: ")]
    assert line == [f"administrator: postmaster@example.org password: {server.admin_password}"]
    assert server.stdout[-1] == "ready"
    assert server.admin_password not in server.log_text()
    first = ssl.get_server_certificate(("127.0.0.1", server.port("imaps")))
    assert server.stop() == 0
    server.start()
    assert not [s for s in server.stdout if s.startswith("administrator: ")]
    assert ssl.get_server_certificate(("127.0.0.1", server.port("imaps"))) == first
    with smtplib.SMTP("127.0.0.1", server.port("submission")) as s:
        s.starttls(context=server.context())
        password = server.admin_password or first_password(line[0])
        s.login("postmaster", password)
    db = sqlite3.connect(f"file:{server.data}/store/signet.db?mode=ro", uri=True)
    assert db.execute("SELECT count(*) FROM tls_key").fetchone() == (1,)
    assert db.execute("SELECT count(*) FROM account").fetchone() == (1,)
    db.close()
    finish(server)


def first_password(line):
    return line.split("password: ")[1]


def test_the_next_start_takes_less_than_a_second():
    server = make_server().start()
    assert server.stop() == 0
    began = time.monotonic()
    server.start()
    assert time.monotonic() - began < 1
    finish(server)


def refused(server, *args):
    r = subprocess.run([BUILD / "signetd", "--data", server.data, "--domain", "example.org",
                        "--listen", "127.0.0.1", "--port-offset", str(server.offset), *args],
                       capture_output=True, text=True, timeout=30, env=server.env)
    assert r.returncode != 0
    assert "ready" not in r.stdout
    return r


def test_a_second_server_on_the_same_folder_is_refused():
    server = make_server().start()
    r = refused(server)
    assert r.returncode == 1 and "another signetd" in r.stderr
    assert server.is_alive()
    finish(server)


def test_a_port_in_use_is_said():
    server = make_server()
    with socket.socket() as s:
        s.bind(("127.0.0.1", server.port("imap")))
        s.listen()
        r = refused(server)
    assert r.returncode == 1 and "imap" in r.stderr
    server.start()
    finish(server)


def test_another_key_encryption_key_is_refused():
    server = make_server().start()
    assert server.stop() == 0
    kek = server.data / "keyd" / "kek"
    saved = kek.read_bytes()
    kek.write_bytes(os.urandom(len(saved)))
    r = refused(server)
    assert r.returncode == 1 and "key-encryption key" in r.stderr
    kek.unlink()
    r = refused(server)
    assert r.returncode == 1 and "kek" in r.stderr
    assert not kek.exists(), "a lost key-encryption key was replaced by a new one"
    kek.write_bytes(saved)
    kek.chmod(0o600)
    server.start()
    finish(server)


@pytest.mark.parametrize("source", ["password", "credential"])
def test_the_key_encryption_key_may_be_in_a_file_of_its_own(tmp_path, source):
    secret = tmp_path / "signet.kek"
    args, env = {"password": (["--key-password-file", secret], {}),
                 "credential": ([], {"CREDENTIALS_DIRECTORY": str(tmp_path)})}[source]
    secret.write_text("correct horse battery staple and more\n")
    secret.chmod(0o600)
    server = make_server(args=args, env=env).start()
    assert not (server.data / "keyd" / "kek").exists()
    for child in "keyd-domain", "keyd-user":
        os.kill(server.children()[child], signal.SIGKILL)
    for _ in range(100):
        tested = server.cli("key", "test", "example.org", check=False)
        if "passed: yes" in tested.stdout:
            break
        time.sleep(0.2)
    assert "passed: yes" in tested.stdout, tested.stderr
    assert server.stop() == 0
    server.start()
    assert server.stop() == 0
    secret.write_text("another horse, another battery, no staple\n")
    assert "key-encryption key" in refused(server, *args).stderr
    secret.chmod(0o644)
    assert "chmod 600" in refused(server, *args).stderr
    secret.unlink()
    assert "kek" in refused(server, *args).stderr
    finish(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
def test_an_unreachable_folder_is_refused_with_the_remedy(tmp_path):
    server = make_server()
    closed = server.folder / "closed"
    closed.mkdir(mode=0o700)
    server.data = closed / "data"
    r = refused(server)
    assert r.returncode == 1 and "chmod" in r.stderr
    closed.chmod(0o711)
    server.start()
    finish(server)


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming an ordinary user needs root")
def test_as_an_ordinary_user():
    server = make_server()
    home = server.folder / "home"
    home.mkdir()
    shutil.chown(home, "nobody", "nogroup")
    programs = server.folder / "bin"
    programs.mkdir()
    shutil.copy(BUILD / "signetd", programs)
    log = open(server.folder / "server.log", "ab")
    r = subprocess.Popen(
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", programs / "signetd",
         "--data", home / "data", "--domain", "example.org", "--listen", "127.0.0.1",
         "--port-offset", str(server.offset)], stdout=subprocess.PIPE, stderr=log, text=True,
        env=server.env)
    try:
        lines = [r.stdout.readline(), r.stdout.readline()]
        assert lines[0].startswith("administrator: ") and lines[1] == "ready\n"
        password = lines[0].strip().split("password: ")[1]
        with smtplib.SMTP("127.0.0.1", server.port("submission")) as s:
            s.starttls(context=server.context())
            s.login("postmaster@example.org", password)
    finally:
        r.terminate()
        assert r.wait(20) == 0
    finish(server)


def test_usage():
    r = subprocess.run([BUILD / "signetd"], capture_output=True, text=True)
    assert r.returncode == 2 and "--data" in r.stderr
    r = subprocess.run([BUILD / "signetd", "--help"], capture_output=True, text=True)
    assert r.returncode == 0 and "example" in r.stdout


def test_a_database_elsewhere_is_made_and_its_lost_key_is_not():
    server = make_server()
    elsewhere = server.folder / "elsewhere"
    elsewhere.mkdir()
    elsewhere.chmod(0o777)
    server.args = ["--database", f"sqlite:{elsewhere}/mail.db"]
    server.start()
    assert server.admin_password
    assert server.stop() == 0
    assert (elsewhere / "mail.db").exists()
    server.start()
    assert server.stop() == 0
    (server.data / "keyd" / "kek").unlink()
    assert "key-encryption key" in refused(server, *server.args).stderr
    finish(server)


@pytest.mark.skipif(os.getuid() != 0, reason="needs root: it becomes a user that may not fork")
def test_where_no_process_can_be_made_nobody_elses_is_harmed():
    uid = 61423
    server = make_server()
    server.data.mkdir()
    os.chown(server.data, uid, uid)
    # The build folder may lie where another user cannot go.
    program = shutil.copy(BUILD / "signetd", server.folder)

    def become_poor():
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
        resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))

    bystander = subprocess.Popen(["sleep", "60"], user=uid, group=uid, extra_groups=[])
    with open(server.folder / "server.log", "ab") as log:
        server.process = subprocess.Popen(
            [program, "--data", server.data, "--domain", "example.org", "--listen",
             "127.0.0.1", "--port-offset", str(server.offset)], env=server.env,
            preexec_fn=become_poor, stdout=subprocess.DEVNULL, stderr=log)
    try:
        deadline = time.monotonic() + 10
        while "fork" not in server.log_text() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert "fork" in server.log_text()
        server.process.send_signal(signal.SIGHUP)
        assert server.stop(5) == 0
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()
        server.kill()
        shutil.rmtree(server.folder)
