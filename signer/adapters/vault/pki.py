"""Certificates from Vault's PKI engine. The private key is made here and never leaves this host.

API: https://developer.hashicorp.com/vault/api-docs/secret/pki (`sign/:name`, `cert/crl`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from signer.adapters.pki.authority import Issued, host_name, key_pem, new_key
from signer.adapters.vault.api import VaultApi, VaultRefusedError
from signer.domain.errors import BrokenError, ConfigurationError
from signer.domain.reasons import FailReason


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateWanted:
    """What to ask for. `hosts` are DNS names and IP addresses; Vault's role says what is allowed."""

    mount: str
    role: str
    common_name: str
    uri: str
    hosts: Sequence[str]
    ttl_s: int


async def issue(vault: VaultApi, wanted: CertificateWanted) -> Issued:
    """A new key and Vault's certificate for it (with what is between it and the root), both PEM.

    Raises UnavailableError, ConfigurationError when the role does not allow it, and BrokenError when the
    certificate is not for our key.
    """
    key = new_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.common_name)])
    names = x509.SubjectAlternativeName(_names(wanted))
    request = (
        x509.CertificateSigningRequestBuilder(subject_name=name)
        .add_extension(names, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = f"{wanted.mount}/sign/{wanted.role}"
    try:
        answer = await vault.write(
            path,
            {
                "csr": request.public_bytes(serialization.Encoding.PEM).decode(),
                "common_name": wanted.common_name,
                # It is a name for people and for Vault's own login, not one to be reached under.
                "exclude_cn_from_sans": True,
                "ttl": f"{wanted.ttl_s}s",
            },
        )
    except VaultRefusedError as error:
        raise ConfigurationError(f"certificate of {wanted.uri}: {error}; the role has to allow it") from error
    chain = _chain(path, answer)
    if not _is_for(chain, key.public_key(), wanted.uri):
        raise BrokenError(FailReason.BROKEN, f"Vault's {path} gave a certificate for another key or name")
    return Issued(certificate=chain, key=key_pem(key))


async def revocation_list(vault: VaultApi, mount: str) -> bytes:
    """The CRL of the engine's authority, PEM. Raises UnavailableError, ConfigurationError or BrokenError."""
    try:
        answer = await vault.read(f"{mount}/cert/crl")
    except VaultRefusedError as error:
        raise ConfigurationError(f"revocation list of {mount}: {error}") from error
    text = None if answer is None else answer.get("certificate")
    if not isinstance(text, str) or "BEGIN X509 CRL" not in text:
        raise ConfigurationError(
            f"Vault has no revocation list at {mount}/cert/crl; the mount has to be a PKI"
        )
    pem = text.strip().encode() + b"\n"
    try:
        x509.load_pem_x509_crl(pem)
    except ValueError:
        raise BrokenError(FailReason.BROKEN, f"Vault's {mount}/cert/crl gave a broken list") from None
    return pem


def _chain(path: str, answer: object) -> bytes:
    fields = answer if isinstance(answer, dict) else {}
    certificate, between = fields.get("certificate"), fields.get("ca_chain") or []
    parts = [certificate, *between] if isinstance(between, list) else [certificate]
    if not parts or not all(isinstance(part, str) and "BEGIN CERTIFICATE" in part for part in parts):
        raise BrokenError(FailReason.BROKEN, f"Vault's {path} gave no certificate")
    return "\n".join(str(part).strip() for part in parts).encode() + b"\n"


def _names(wanted: CertificateWanted) -> list[x509.GeneralName]:
    return [x509.UniformResourceIdentifier(wanted.uri), *(host_name(host) for host in wanted.hosts)]


def _is_for(chain: bytes, key: ec.EllipticCurvePublicKey, uri: str) -> bool:
    try:
        certificate, *_ = x509.load_pem_x509_certificates(chain)
        return certificate.public_key() == key and _carries(certificate, uri)
    except (ValueError, UnsupportedAlgorithm):
        return False


def _carries(certificate: x509.Certificate, uri: str) -> bool:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return False
    return names.get_values_for_type(x509.UniformResourceIdentifier) == [uri]
