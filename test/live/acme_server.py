# SPDX-License-Identifier: Apache-2.0
"""Authorities to ask for certificates: Pebble with its own DNS server, and a small one of ours for what
Pebble does not do (renewal information, answers that no authority should give)."""
import base64
import datetime
import http.server
import ipaddress
import json
import os
import pathlib
import shutil
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from conftest import need


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def now():
    return datetime.datetime.utcnow()


def make_cert(subject, key, issuer=None, issuer_key=None, names=(), life=datetime.timedelta(days=90)):
    """A certificate; self-signed and an authority's without an issuer."""
    public = key if not hasattr(key, "public_key") else key.public_key()
    is_authority = issuer is None and not names
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    signer = issuer_key or key
    builder = (x509.CertificateBuilder().subject_name(name)
               .issuer_name(issuer.subject if issuer else name).public_key(public)
               .serial_number(x509.random_serial_number())
               .not_valid_before(now() - datetime.timedelta(minutes=1)).not_valid_after(now() + life)
               .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), True)
               .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                              False))
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(list(names)), False)
    return builder.sign(signer, hashes.SHA256())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def key_pem(key):
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def loopback_identity(folder):
    """cert.pem and key.pem of a server on 127.0.0.1; the certificate is its own authority."""
    key = ec.generate_private_key(ec.SECP256R1())
    cert = make_cert("directory", key, names=[x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
                                             x509.DNSName("localhost")])
    (folder / "cert.pem").write_text(pem(cert))
    (folder / "key.pem").write_text(key_pem(key))
    return folder / "cert.pem"


class Pebble:
    """Pebble, which asks the ports of a server of ours, and its DNS server, where every name is
    127.0.0.1 and TXT records are what has been set."""

    def __init__(self, server, binding=None, reject=0):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="signet-pebble-"))
        os.chmod(self.folder, 0o755)
        self.ca = loopback_identity(self.folder)
        self.dns, self.management, self.port = free_port(), free_port(), free_port()
        config = {"pebble": {
            "listenAddress": f"127.0.0.1:{self.port}",
            "managementListenAddress": f"127.0.0.1:{free_port()}",
            "certificate": str(self.ca), "privateKey": str(self.folder / "key.pem"),
            "httpPort": server.port("http"), "tlsPort": server.port("https"),
            "ocspResponderURL": "", "externalAccountBindingRequired": bool(binding),
            "externalAccountMACKeys": binding or {}}}
        (self.folder / "config.json").write_text(json.dumps(config))
        self.env = dict(os.environ, PEBBLE_VA_NOSLEEP="1", PEBBLE_WFE_NONCEREJECT=str(reject))
        self.env.pop("PEBBLE_VA_ALWAYS_VALID", None)
        self.processes = []

    @property
    def directory(self):
        return f"https://127.0.0.1:{self.port}/dir"

    def run(self, program, *args):
        log = open(self.folder / "log", "ab")
        self.processes.append(subprocess.Popen([need(program), *args], stdout=log, stderr=log,
                                               env=self.env, cwd=self.folder))

    def start(self):
        self.run("pebble-challtestsrv", "-dns01", f"127.0.0.1:{self.dns}", "-management",
                 f"127.0.0.1:{self.management}", "-http01", "", "-https01", "", "-tlsalpn01", "",
                 "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "")
        return self.start_authority()

    def start_authority(self):
        self.run("pebble", "-config", str(self.folder / "config.json"), "-dnsserver",
                 f"127.0.0.1:{self.dns}")
        context = ssl.create_default_context(cafile=self.ca)
        for _ in range(200):
            try:
                urllib.request.urlopen(self.directory, context=context, timeout=5).read()
                return self
            except OSError:
                time.sleep(0.05)
        raise RuntimeError((self.folder / "log").read_text()[-4000:])

    def stop_authority(self):
        process = self.processes.pop()
        process.terminate()
        process.wait(10)

    def set_txt(self, name, value):
        body = json.dumps({"host": name + ".", "value": value}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{self.management}/set-txt", body, timeout=10).read()

    def point(self, name, address):
        """Where the authority looks for a name."""
        body = json.dumps({"host": name + ".", "addresses": [address]}).encode()
        urllib.request.urlopen(f"http://127.0.0.1:{self.management}/add-a", body, timeout=10).read()

    def log(self):
        return (self.folder / "log").read_text(errors="replace")

    def stop(self):
        while self.processes:
            self.stop_authority()
        shutil.rmtree(self.folder, ignore_errors=True)


def unbase64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Stub:
    """An ACME server that believes everything. What it says about renewal, and what it does wrong, is
    set by the test: window (two datetimes), retry_after (seconds), life of certificates, and
    answers: {path: (status, headers, body)} instead of its own."""

    def __init__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="signet-stub-"))
        self.ca_file = loopback_identity(self.folder)
        self.ca_key = ec.generate_private_key(ec.SECP256R1())
        self.ca = make_cert("Stub CA", self.ca_key)
        self.window = None
        self.retry_after = 21600
        self.life = datetime.timedelta(days=90)
        self.answers = {}
        self.orders, self.certs, self.requests, self.asked = [], [], [], []
        self.nonces = 0
        self.lock = threading.Lock()

    def start(self):
        stub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def do_GET(self):
                stub.handle(self, None)

            def do_HEAD(self):
                stub.handle(self, None)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                stub.handle(self, json.loads(body))

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca_file, self.folder / "key.pem")
        self.http.socket = context.wrap_socket(self.http.socket, server_side=True,
                                               do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    @property
    def directory(self):
        return self.url + "/dir"

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def handle(self, request, jws):
        with self.lock:
            payload = None
            if jws:
                protected = json.loads(unbase64(jws["protected"]))
                assert protected["url"] == self.url + request.path
                payload = json.loads(unbase64(jws["payload"]) or b"null")
            self.requests.append((request.command, request.path, payload))
            status, headers, body = self.answers.get(request.path) or self.answer(request.path, payload)
            self.nonces += 1
            headers = {"Replay-Nonce": f"nonce-{self.nonces}", **headers}
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        body = body.encode() if isinstance(body, str) else body
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name, str(value))
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(body)

    def answer(self, path, payload):
        what, _, which = path.strip("/").partition("/")
        return getattr(self, "do_" + what.replace("-", "_"))(which, payload)

    def do_dir(self, which, payload):
        names = dict(newNonce="nonce", newAccount="account", newOrder="new-order")
        if self.window:
            names["renewalInfo"] = "renewal"
        return 200, {}, {name: f"{self.url}/{path}" for name, path in names.items()}

    def do_nonce(self, which, payload):
        return 200, {}, b""

    def do_account(self, which, payload):
        return 201, {"Location": self.url + "/account/1"}, {"status": "valid"}

    def do_new_order(self, which, payload):
        self.orders.append(dict(payload, status="ready"))
        n = len(self.orders) - 1
        return 201, {"Location": f"{self.url}/order/{n}"}, self.order(n)

    def order(self, n):
        answer = dict(self.orders[n], authorizations=[f"{self.url}/authorization/{n}"],
                      finalize=f"{self.url}/finalize/{n}")
        if answer["status"] == "valid":
            answer["certificate"] = f"{self.url}/certificate/{n}"
        return answer

    def do_order(self, which, payload):
        return 200, {}, self.order(int(which))

    def do_finalize(self, which, payload):
        n = int(which)
        request = x509.load_der_x509_csr(unbase64(payload["csr"]))
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        cert = make_cert(names[0].value, request.public_key(), self.ca, self.ca_key, list(names),
                         self.life)
        self.certs.append(cert)
        self.orders[n].update(status="valid", cert=len(self.certs) - 1)
        return 200, {}, self.order(n)

    def do_certificate(self, which, payload):
        chain = pem(self.certs[self.orders[int(which)]["cert"]]) + pem(self.ca)
        return 200, {"Content-Type": "application/pem-certificate-chain"}, chain

    def do_renewal(self, which, payload):
        self.asked.append(which)
        window = self.window(which) if callable(self.window) else self.window
        start, end = (t.strftime("%Y-%m-%dT%H:%M:%SZ") for t in window)
        return 200, {"Retry-After": self.retry_after}, {
            "suggestedWindow": {"start": start, "end": end},
            "explanationURL": self.url + "/why"}
