"""A certificate authority, a certificate for Google's names, and a service account's key."""

from __future__ import annotations

import dataclasses
import datetime
import json
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_NAMES = ("*.googleapis.com",)


@dataclasses.dataclass(frozen=True)
class Files:
    """Where they are.

    Attributes:
        authority: Certificate that clients trust.
        chain: Certificate and key of the server.
        account: Key of a service account, as Google hands it out.
    """

    authority: Path
    chain: Path
    account: Path


def make(folder: Path) -> Files:
    """Makes all three, good for a day."""
    files = Files(folder / "authority.pem", folder / "server.pem", folder / "account.json")
    authority_key, server_key = _key(), _key()
    issuer = _name("authority of a test")
    authority = _certificate(issuer, issuer, authority_key, authority_key, None)
    server = _certificate(_name(_NAMES[0]), issuer, server_key, authority_key, _NAMES)
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files.chain.write_bytes(_pem(server_key) + server.public_bytes(serialization.Encoding.PEM))
    account = {
        "type": "service_account",
        "project_id": "a-project",
        "private_key_id": "1",
        "private_key": _pem(_key()).decode(),
        "client_email": "runner@a-project.iam.gserviceaccount.com",
        "client_id": "1",
        "token_uri": "https://oauth2.googleapis.com/token",
    }
    files.account.write_text(json.dumps(account))
    return files


def _key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: rsa.RSAPrivateKey,
    signed_by: rsa.RSAPrivateKey,
    names: tuple[str, ...] | None,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=names is None, path_length=None), critical=True)
        # Python from 3.13 on refuses certificates that do not say these three.
        .add_extension(_usage(signs=names is None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by.public_key()),
            critical=False,
        )
    )
    if names is not None:
        listed = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(listed, critical=False)
    return builder.sign(signed_by, hashes.SHA256())
