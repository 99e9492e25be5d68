"""Renews the certificate that the trader shows to the signer, out of Vault's PKI, at two thirds of its life.

The key is made here and never leaves this host. Needs the extra `vault`.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from structlog.typing import FilteringBoundLogger

from trader.adapters.signer_client.expiry import validity_s
from trader.adapters.signer_client.pair import check_pair
from trader.domain.errors import ConfigurationError, SecretsUnavailableError
from trader.domain.time import MS_PER_S
from trader.ports.clock import Clock
from trader.settings import VaultCertificateSettings

log: FilteringBoundLogger = structlog.get_logger("trader")


class Writes(Protocol):
    """A Vault that can be written to."""

    async def write(self, path: str, body: Mapping[str, object]) -> Mapping[str, object]:
        """POST; the `data` of the answer."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFiles:
    """Where the certificate and its key lie."""

    certificate: Path
    key: Path


class ClientCertificate:
    """One certificate."""

    def __init__(
        self, vault: Writes, wanted: VaultCertificateSettings, files: PairFiles, clock: Clock
    ) -> None:
        self._vault, self._wanted, self._files, self._clock = vault, wanted, files, clock

    async def renew_if_due(self) -> bool:
        """Renew when two thirds of the life are over, or there is no certificate; says whether it did."""
        if self._clock.now() < self._due_ms():
            return False
        path = f"{self._wanted.mount}/sign/{self._wanted.role}"
        key = ec.generate_private_key(ec.SECP256R1())
        answer = await self._vault.write(
            path,
            {
                "csr": _request(self._wanted, key),
                "common_name": self._wanted.common_name,
                "ttl": f"{self._wanted.ttl_s}s",
                "exclude_cn_from_sans": True,
            },
        )
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        chain = _chain(path, answer, key)
        try:
            await asyncio.to_thread(_replace, self._files, chain, pem)
        except OSError as error:
            folder = self._files.certificate.parent
            raise ConfigurationError(
                f"{error.filename or folder}: {error.strerror}; a folder that we may write is allowed"
            ) from None
        log.info("certificate.renewed", ends_s=validity_s(self._files.certificate)[1])
        return True

    def _due_ms(self) -> int:
        try:
            check_pair(self._files.certificate, self._files.key)
            begin, end = validity_s(self._files.certificate)
        except ConfigurationError:
            return 0
        return (begin + (end - begin) * 2 // 3) * MS_PER_S


def _request(wanted: VaultCertificateSettings, key: ec.EllipticCurvePrivateKey) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, wanted.common_name)])
    names = x509.SubjectAlternativeName([x509.UniformResourceIdentifier(wanted.uri)])
    request = x509.CertificateSigningRequestBuilder(name).add_extension(names, critical=False)
    return request.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


def _chain(path: str, answer: Mapping[str, object], key: ec.EllipticCurvePrivateKey) -> str:
    between = answer.get("ca_chain")
    certificate = answer.get("certificate")
    try:
        made = x509.load_pem_x509_certificate(str(certificate).encode())
    except ValueError:
        raise SecretsUnavailableError(f"Vault's {path} answers without a certificate") from None
    if made.public_key() != key.public_key():  # the pair in use is better than none
        raise SecretsUnavailableError(f"Vault's {path} answers with a certificate for another key")
    parts = [certificate, *(between if isinstance(between, list) else [])]
    return "\n".join(str(part) for part in parts)


def _replace(files: PairFiles, certificate: str, key: str) -> None:
    # Whoever reads between the two renames finds no pair and looks again; after a crash the next look renews.
    for path, text in ((files.key, key), (files.certificate, certificate)):
        beside = path.with_name(f"{path.name}.next")
        beside.unlink(missing_ok=True)
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{text.strip()}\n")
            file.flush()
            os.fsync(descriptor)
    for path in (files.key, files.certificate):
        path.with_name(f"{path.name}.next").replace(path)
