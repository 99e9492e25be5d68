"""Issues X.509 certificates for local use: ECDSA P-256, short-lived. Its key is a file on this machine."""

import datetime as dt
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from signer.domain.time import MS_PER_S, UnixMs

PrivateKey: TypeAlias = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

_CLOCK_SKEW = dt.timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """One certificate authority in memory."""

    def __init__(self, *, name: str, now: UnixMs, days: int = 365) -> None:
        self._now = dt.datetime.fromtimestamp(now // MS_PER_S, dt.UTC)
        self._key = new_key()
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._certificate = (
            x509.CertificateBuilder(subject, subject, self._key.public_key(), x509.random_serial_number())
            .not_valid_before(self._now - _CLOCK_SKEW)
            .not_valid_after(self._now + dt.timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs_certificates=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    @property
    def own(self) -> Issued:
        """The authority's own certificate and key."""
        return Issued(certificate=_pem(self._certificate), key=key_pem(self._key))

    def server(
        self, *, uri: str, hosts: Sequence[str], days: int = 90, key: PrivateKey | None = None
    ) -> Issued:
        """Issue for a server that is reached under `hosts` (DNS names and IP addresses)."""
        names: list[x509.GeneralName] = [
            x509.UniformResourceIdentifier(uri),
            *(host_name(host) for host in hosts),
        ]
        return self._issue(names, ExtendedKeyUsageOID.SERVER_AUTH, days, key)

    def client(
        self, *uris: str, days: int = 90, key: PrivateKey | None = None, common_name: str = ""
    ) -> Issued:
        """Issue for a client. The signer accepts exactly one URI; only Vault's login needs a common name."""
        names = [x509.UniformResourceIdentifier(uri) for uri in uris]
        return self._issue(names, ExtendedKeyUsageOID.CLIENT_AUTH, days, key, common_name)

    def revocation_list(self, *certificates: bytes, days: int = 30) -> bytes:
        """Return a PEM list that takes the given PEM certificates back."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._certificate.subject)
            .last_update(self._now)
            .next_update(self._now + dt.timedelta(days=days))
        )
        for pem in certificates:
            serial = x509.load_pem_x509_certificate(pem).serial_number
            entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(self._now).build()
            builder = builder.add_revoked_certificate(entry)
        return builder.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _issue(
        self,
        names: Sequence[x509.GeneralName],
        purpose: x509.ObjectIdentifier,
        days: int,
        key: PrivateKey | None,
        common_name: str = "",
    ) -> Issued:
        key = key or new_key()
        after = self._now + dt.timedelta(days=days)
        subject = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else []
        issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = (
            x509.CertificateBuilder(
                self._certificate.subject, x509.Name(subject), key.public_key(), x509.random_serial_number()
            )
            # An expired certificate (for tests) still has to begin before it ends.
            .not_valid_before(min(self._now, after) - _CLOCK_SKEW)
            .not_valid_after(after)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
            .add_extension(issuer_key, critical=False)
        )
        if names:
            # RFC 5280: with an empty subject the SAN is the identity, so it is critical.
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not subject)
        return Issued(certificate=_pem(builder.sign(self._key, hashes.SHA256())), key=key_pem(key))


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make an ECDSA P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: PrivateKey) -> bytes:
    """PKCS 8, without a password."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def host_name(text: str) -> x509.GeneralName:
    """IP address or DNS name, as a certificate spells it."""
    try:
        return x509.IPAddress(ipaddress.ip_address(text))
    except ValueError:
        return x509.DNSName(text)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
