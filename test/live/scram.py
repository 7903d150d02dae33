# SPDX-License-Identifier: Apache-2.0
"""A client of SCRAM-SHA-256 and -PLUS (RFC 5802, 7677, 9266), and a TLS connection that tells the
"tls-exporter" binding, which Python's own does not: libssl by its C interface."""
import base64
import ctypes
import ctypes.util
import hashlib
import hmac
import os
import socket
import struct

TLS12, TLS13 = 0x0303, 0x0304
SET_MAX_PROTO_VERSION = 124
LABEL = b"EXPORTER-Channel-Binding"


def library():
    ssl = ctypes.CDLL(ctypes.util.find_library("ssl") or "libssl.so.3")
    for name in ("TLS_client_method", "SSL_CTX_new", "SSL_new"):
        getattr(ssl, name).restype = ctypes.c_void_p
    pointer = ctypes.c_void_p
    ssl.SSL_CTX_new.argtypes = ssl.SSL_new.argtypes = ssl.SSL_free.argtypes = [pointer]
    ssl.SSL_CTX_free.argtypes = ssl.SSL_connect.argtypes = ssl.SSL_shutdown.argtypes = [pointer]
    ssl.SSL_CTX_ctrl.argtypes = [pointer, ctypes.c_int, ctypes.c_long, pointer]
    ssl.SSL_set_fd.argtypes = [pointer, ctypes.c_int]
    ssl.SSL_read.argtypes = ssl.SSL_write.argtypes = [pointer, ctypes.c_char_p, ctypes.c_int]
    ssl.SSL_export_keying_material.argtypes = [
        pointer, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t, pointer,
        ctypes.c_size_t, ctypes.c_int]
    return ssl


class Exporter:
    """A TLS connection of lines, over a connected socket."""

    lib = None

    def __init__(self, sock, version=TLS13):
        Exporter.lib = lib = Exporter.lib or library()
        self.sock = sock
        sock.settimeout(None)  # libssl reads and writes itself
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", 20, 0))
        self.ctx = lib.SSL_CTX_new(lib.TLS_client_method())
        lib.SSL_CTX_ctrl(self.ctx, SET_MAX_PROTO_VERSION, version, None)
        self.ssl = lib.SSL_new(self.ctx)
        lib.SSL_set_fd(self.ssl, sock.fileno())
        assert lib.SSL_connect(self.ssl) == 1, "no handshake"
        self.inbox = b""

    def binding(self):
        out = ctypes.create_string_buffer(32)
        assert self.lib.SSL_export_keying_material(self.ssl, out, 32, LABEL, len(LABEL), None, 0,
                                                   0) == 1
        return out.raw

    def send(self, data):
        assert self.lib.SSL_write(self.ssl, data, len(data)) == len(data)

    def line(self):
        while b"\r\n" not in self.inbox:
            buffer = ctypes.create_string_buffer(16384)
            n = self.lib.SSL_read(self.ssl, buffer, 16384)
            if n <= 0:
                raise ConnectionError(f"closed behind {self.inbox!r}")
            self.inbox += buffer.raw[:n]
        line, _, self.inbox = self.inbox.partition(b"\r\n")
        return line

    def close(self):
        self.lib.SSL_free(self.ssl)
        self.lib.SSL_CTX_free(self.ctx)
        self.sock.close()


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def mac(key, text):
    return hmac.digest(key, text, "sha256")


class Scram:
    """One exchange: first(), then final(what the server said), then verify(its last word)."""

    def __init__(self, user, password, flag=b"n", binding=b"", nonce=None):
        self.password = password.encode()
        self.header = flag + b",,"
        self.binding = binding
        self.nonce = nonce or base64.b64encode(os.urandom(18))
        user = user.encode().replace(b"=", b"=3D").replace(b",", b"=2C")
        self.bare = b"n=" + user + b",r=" + self.nonce

    def first(self):
        return self.header + self.bare

    def final(self, server_first):
        fields = dict(f.split(b"=", 1) for f in server_first.split(b","))
        assert fields[b"r"].startswith(self.nonce) and len(fields[b"r"]) > len(self.nonce)
        self.salt, self.iterations = base64.b64decode(fields[b"s"]), int(fields[b"i"])
        assert self.iterations >= 4096  # RFC 7677 section 4
        salted = hashlib.pbkdf2_hmac("sha256", self.password, self.salt, self.iterations)
        without_proof = (b"c=" + base64.b64encode(self.header + self.binding) +
                         b",r=" + fields[b"r"])
        message = self.bare + b"," + server_first + b"," + without_proof
        client_key = mac(salted, b"Client Key")
        proof = xor(client_key, mac(hashlib.sha256(client_key).digest(), message))
        self.signature = mac(mac(salted, b"Server Key"), message)
        return without_proof + b",p=" + base64.b64encode(proof)

    def verify(self, server_final):
        assert server_final == b"v=" + base64.b64encode(self.signature), "not the server"


def b64(data):
    return base64.b64encode(data)


# How each protocol carries the exchange: begin, challenge, success.
CARRIERS = {
    "imaps": (b"a AUTHENTICATE %s %s\r\n", b"+ ", b"a OK "),
    "submissions": (b"AUTH %s %s\r\n", b"334 ", b"235 "),
    "pop3s": (b"AUTH %s %s\r\n", b"+ ", b"+OK "),
}


def greet(connection, service):
    connection.line()
    if service == "submissions":
        connection.send(b"EHLO test.example\r\n")
        while connection.line()[3:4] == b"-":
            pass


def log_in(connection, service, scram, mechanism=b"SCRAM-SHA-256"):
    """True, and the server has proved itself; or False and what it said instead."""
    begin, challenge, success = CARRIERS[service]
    connection.send(begin % (mechanism, b64(scram.first())))
    line = connection.line()
    if not line.startswith(challenge):
        return False, line
    connection.send(b64(scram.final(base64.b64decode(line[len(challenge):]))) + b"\r\n")
    line = connection.line()
    if not line.startswith(challenge):
        return False, line
    scram.verify(base64.b64decode(line[len(challenge):]))
    connection.send(b"\r\n")
    line = connection.line()
    return line.startswith(success), line
