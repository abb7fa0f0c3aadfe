"""Certificates for the tests' https servers, signed by an authority made on the spot."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

# Certificates are judged by the machine's own clock, not by the tests'.
_BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
_END = _BEGIN + timedelta(days=365 * 60)
EXPIRED = _BEGIN + timedelta(days=1)


@dataclass(frozen=True)
class Authority:
    """A certificate authority. `file`: its certificate in PEM form."""

    file: Path
    key: ec.EllipticCurvePrivateKey
    name: x509.Name

    @classmethod
    def make(cls, file: Path) -> Authority:
        key, name = ec.generate_private_key(ec.SECP256R1()), _name("Tests' authority")
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        builder = (
            _builder(name, name, key, _END)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
        )
        file.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(_PEM))
        return cls(file, key, name)

    def trusted(self) -> ssl.SSLContext:
        """Return what `ca_file` becomes."""
        return ssl.create_default_context(cafile=str(self.file))

    def certificate(self, file: Path, *, address: str = "127.0.0.1", end: datetime = _END) -> Path:
        """Write a server's certificate for this address and its key, both into one file."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
        builder = _builder(_name("server"), self.name, key, end).add_extension(
            names, critical=False
        )
        private = key.private_bytes(
            _PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(builder.sign(self.key, hashes.SHA256()).public_bytes(_PEM) + private)
        return file


_PEM = serialization.Encoding.PEM


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(end)
    )


def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context
