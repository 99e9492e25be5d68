"""Who is calling: the one URI or DNS SAN of the client's certificate, over TLS 1.3. All else is nobody."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509

from signer.api.certificate_dates import end_of
from signer.api.errors import UnauthenticatedError
from signer.api.revocation import Revocations
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName
from signer.ports.clock import Clock
from signer.service.clients import Client

_TLS_1_3 = b"TLSv1.3"
_MAX_REMEMBERED = 1_024


class Peer(Protocol):
    """What a call knows of its connection (grpc.aio.ServicerContext has it)."""

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        """What the handshake proved."""
        ...

    def peer(self) -> str:
        """Address of the other side."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A certificate that was parsed before; it still ends, and may still be revoked."""

    client: Client
    not_after: UnixMs
    issuer: bytes
    serial: int


class Identities:
    """Maps connections to configured clients. A certificate is parsed once and remembered by its bytes."""

    def __init__(
        self,
        *,
        clients: Mapping[ClientName, Client],
        revocations: Revocations,
        clock: Clock,
        unix_socket_client: ClientName | None = None,
    ) -> None:
        self._clients = clients
        self._revocations = revocations
        self._clock = clock
        self._unix_socket_client = unix_socket_client
        self._known: dict[bytes, _Known] = {}

    def clients(self) -> tuple[Client, ...]:
        """Every configured client."""
        return tuple(self._clients.values())

    def client_of(self, peer: Peer) -> Client:
        """Return the client. Raises UnauthenticatedError saying what is missing and what is allowed."""
        auth = peer.auth_context()
        certificate = next(iter(auth.get("x509_pem_cert", ())), None)
        if certificate is None:
            return self._without_certificate(peer)
        version = next(iter(auth.get("ssl_tls_version", ())), b"no TLS version")
        if version != _TLS_1_3:
            raise UnauthenticatedError(f"{version.decode()} was negotiated; TLSv1.3 is allowed")
        known = self._known.get(certificate) or self._learn(certificate)
        if self._clock.now() > known.not_after:
            raise UnauthenticatedError(
                f"the certificate of {known.client.name} has expired; renew it and reconnect"
            )
        if self._revocations.is_revoked(known.issuer, known.serial):
            raise UnauthenticatedError(f"the certificate of {known.client.name} is revoked")
        return known.client

    def _without_certificate(self, peer: Peer) -> Client:
        if self._unix_socket_client is not None and peer.peer().startswith("unix:"):
            return self._clients[self._unix_socket_client]
        raise UnauthenticatedError("no client certificate; one with one URI or DNS SAN is allowed")

    def _learn(self, pem: bytes) -> _Known:
        certificate = _parse(pem)
        name = single_name(certificate)
        client = self._clients.get(name)
        if client is None:
            raise UnauthenticatedError(f"{name[:200]} is no client of this signer; its settings list who is")
        known = _Known(
            client=client,
            not_after=end_of(certificate),
            issuer=certificate.issuer.public_bytes(),
            serial=certificate.serial_number,
        )
        if len(self._known) >= _MAX_REMEMBERED:
            self._known.clear()
        self._known[pem] = known
        return known


def single_name(certificate: x509.Certificate) -> ClientName:
    """The one URI or DNS SAN. Raises UnauthenticatedError for none, several, or another kind."""
    try:
        sans = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        raise UnauthenticatedError(
            "the certificate has no SAN; exactly one URI or DNS name is allowed"
        ) from None
    names = [san for san in sans if isinstance(san, x509.UniformResourceIdentifier | x509.DNSName)]
    if len(names) != 1 or len(list(sans)) != 1:
        raise UnauthenticatedError(
            f"the certificate has {len(list(sans))} SANs; exactly one, a URI or a DNS name, is allowed"
        )
    return ClientName(names[0].value)


def _parse(pem: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise UnauthenticatedError("the client certificate cannot be read; X.509 is allowed") from None
