# SPDX-License-Identifier: Apache-2.0
"""A certificate authority for tests: roots, intermediates, certificates for servers and people, answers
to requests, revocation lists, PKCS #12."""
import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH,
          "mail": ExtendedKeyUsageOID.EMAIL_PROTECTION, "ocsp": ExtendedKeyUsageOID.OCSP_SIGNING}
ATTRIBUTES = {"cn": NameOID.COMMON_NAME, "o": NameOID.ORGANIZATION_NAME, "uid": NameOID.USER_ID,
              "ou": NameOID.ORGANIZATIONAL_UNIT_NAME, "email": NameOID.EMAIL_ADDRESS}


def now():
    return datetime.datetime.utcnow().replace(microsecond=0)


def days(n):
    return datetime.timedelta(days=n)


def make_key(kind="ec"):
    if kind == "ec":
        return ec.generate_private_key(ec.SECP256R1())
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, int(kind.partition(":")[2] or 2048))


def key_pem(key, form="pkcs8", password=None):
    forms = {"pkcs8": serialization.PrivateFormat.PKCS8,
             "traditional": serialization.PrivateFormat.TraditionalOpenSSL}
    seal = serialization.BestAvailableEncryption(password.encode()) if password else \
        serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, forms[form], seal).decode()


def subject(**attributes):
    return x509.Name([x509.NameAttribute(ATTRIBUTES[k], v) for k, v in attributes.items()])


class Issued:
    """A certificate with its key, where that is known here, and what is sent behind it."""

    def __init__(self, cert, key, issuer):
        self.cert, self.key, self.issuer = cert, key, issuer

    @property
    def pem(self):
        return self.cert.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def der(self):
        return self.cert.public_bytes(serialization.Encoding.DER)

    @property
    def fingerprint(self):
        return self.cert.fingerprint(hashes.SHA256()).hex(":").upper()

    def key_pem(self, **kwargs):
        return key_pem(self.key, **kwargs)

    def intermediates(self):
        """Nearest first, without the root."""
        at, out = self.issuer, []
        while at is not None and at.issuer is not None:
            out.append(at.cert)
            at = at.issuer
        return out

    def chain_pem(self):
        return self.pem + "".join(c.public_bytes(serialization.Encoding.PEM).decode()
                                  for c in self.intermediates())

    def pkcs12(self, password, name="test"):
        return pkcs12.serialize_key_and_certificates(
            name.encode(), self.key, self.cert, self.intermediates(),
            serialization.BestAvailableEncryption(password.encode()))

    def files(self, folder, stem):
        """Writes STEM.pem with the chain and STEM.key; their names."""
        cert, key = folder / f"{stem}.pem", folder / f"{stem}.key"
        cert.write_text(self.chain_pem())
        key.write_text(self.key_pem())
        return str(cert), str(key)


class Authority(Issued):
    """Signs with itself, or under another authority."""

    def __init__(self, name="Test Root", issuer=None, key="ec", lifetime=3650):
        self.revoked = []
        self.crl_number = 0
        own = make_key(key)
        name = subject(cn=name)
        builder = x509.CertificateBuilder().subject_name(name) \
            .issuer_name(issuer.cert.subject if issuer else name).public_key(own.public_key()) \
            .serial_number(x509.random_serial_number()) \
            .not_valid_before(now() - days(1)).not_valid_after(now() + days(lifetime)) \
            .add_extension(x509.BasicConstraints(True, None), True) \
            .add_extension(x509.KeyUsage(True, False, False, False, False, True, True, False, False),
                           True) \
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), False)
        if issuer:
            builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                issuer.key.public_key()), False)
        super().__init__(builder.sign(issuer.key if issuer else own, hashes.SHA256()), own, issuer)

    def issue(self, names=(), emails=(), usage=("server",), lifetime=90, begins=None, key=None,
              request=None, extensions=(), signs=True, encrypts=True, **attributes):
        """A certificate: for a request (PEM or DER), or with a new key of that kind ("ec",
        "rsa:2048", "ed25519") or this key. lifetime in days, from `begins` (default: an hour ago);
        attributes of the subject: cn, o, ou, uid, email. One for mail signs and encrypts, unless
        it is not to."""
        if request is not None:
            load = x509.load_pem_x509_csr if b"-----BEGIN" in request else x509.load_der_x509_csr
            asked = load(request)
            assert asked.is_signature_valid
            own, public = None, asked.public_key()
            who = asked.subject
            alt = asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        else:
            own = key if hasattr(key, "public_key") else make_key(key or "ec")
            public = own.public_key()
            who = subject(**attributes)
            alt = x509.SubjectAlternativeName([*map(x509.DNSName, names),
                                               *map(x509.RFC822Name, emails)])
        begins = begins or now() - datetime.timedelta(hours=1)
        mail, is_rsa = "mail" in usage and encrypts, isinstance(public, rsa.RSAPublicKey)
        builder = x509.CertificateBuilder().subject_name(who).issuer_name(self.cert.subject) \
            .public_key(public).serial_number(x509.random_serial_number()) \
            .not_valid_before(begins) \
            .not_valid_after(begins + datetime.timedelta(hours=1) + days(lifetime)) \
            .add_extension(x509.BasicConstraints(False, None), True) \
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                self.key.public_key()), False) \
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False) \
            .add_extension(x509.KeyUsage(signs, False, mail and is_rsa, False, mail and not is_rsa,
                                         False, False, False, False), True)
        if list(alt):
            builder = builder.add_extension(alt, not list(who))
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([USAGES[u] for u in usage]), False)
        for extension in extensions:
            builder = builder.add_extension(extension, False)
        digest = None if isinstance(self.key, ed25519.Ed25519PrivateKey) else hashes.SHA256()
        return Issued(builder.sign(self.key, digest), own, self)

    def revoke(self, issued):
        self.revoked.append((issued.cert.serial_number, now() - datetime.timedelta(minutes=1)))

    def crl(self, lifetime=7, begins=None):
        """A revocation list in PEM."""
        self.crl_number += 1
        begins = begins or now() - datetime.timedelta(minutes=1)
        builder = x509.CertificateRevocationListBuilder().issuer_name(self.cert.subject) \
            .last_update(begins).next_update(begins + days(lifetime)) \
            .add_extension(x509.CRLNumber(self.crl_number), False) \
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(
                self.key.public_key()), False)
        for serial, when in self.revoked:
            builder = builder.add_revoked_certificate(x509.RevokedCertificateBuilder()
                                                      .serial_number(serial)
                                                      .revocation_date(when).build())
        return builder.sign(self.key, hashes.SHA256()).public_bytes(
            serialization.Encoding.PEM).decode()
