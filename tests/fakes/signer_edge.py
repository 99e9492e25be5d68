"""The real edge of the signer, over TLS on 127.0.0.1, in front of the use cases of `signer_world`."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from signer.adapters.pki.authority import Authority, Issued
from signer.adapters.pki.dev_pki import ADMIN_URI, LOCAL_HOSTS, SIGNER_URI, TRADER_URI
from signer.adapters.system_clock import SystemClock
from signer.api.identity import Identities
from signer.api.revocation import Revocations
from signer.api.server import ServerOptions, serve
from signer.api.tls import ServerTls, TlsFiles
from signer.api.use_cases import AdminUseCases, SignerUseCases
from signer.app import _admin_use_cases, _signer_use_cases
from signer.domain.transactions import ClientName
from signer.ports.audit import AuditReport
from signer.ports.key_backend import KeyBackend
from signer.service.clients import Client, Role
from signer.service.verify_audit import VerifyAudit
from tests.fakes.signer_world import ACCOUNT, METHODS, ListLog, SignerWorld, signer_world


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRig:
    """A served world. `pki` holds the files; `authority` can issue more."""

    address: str
    admin_address: str
    pki: Path
    authority: Authority
    tls: ServerTls
    log: ListLog
    world: SignerWorld

    def issue(self, name: str, issued: Issued) -> str:
        """Write a certificate and its key; returns the name for `wire.channel`."""
        (self.pki / f"{name}.pem").write_bytes(issued.certificate)
        (self.pki / f"{name}.key").write_bytes(issued.key)
        return name


def _same(use_cases: SignerUseCases) -> SignerUseCases:
    return use_cases


def authority() -> Authority:
    return Authority(name="test authority", now=SystemClock().now())


def write_pki(folder: Path, issuer: Authority) -> TlsFiles:
    """Write what a signer needs, and an empty CRL."""
    folder.mkdir(exist_ok=True)
    for name, issued in (
        ("ca", issuer.own),
        ("server", issuer.server(uri=SIGNER_URI, hosts=LOCAL_HOSTS)),
        ("trader", issuer.client(TRADER_URI)),
        ("admin", issuer.client(ADMIN_URI)),
    ):
        (folder / f"{name}.pem").write_bytes(issued.certificate)
        (folder / f"{name}.key").write_bytes(issued.key)
    (folder / "crl.pem").write_bytes(issuer.revocation_list())
    return TlsFiles(
        certificate=folder / "server.pem",
        key=folder / "server.key",
        client_authority=folder / "ca.pem",
        revocation_list=folder / "crl.pem",
    )


@asynccontextmanager
async def edge_rig(
    pki: Path,
    *,
    listen: str = "127.0.0.1:0",
    max_in_flight: int = 64,
    max_watchers: int = 64,
    keys: KeyBackend | None = None,
    admin_listener: bool = False,
    reflection: bool = False,
    unix_socket: Path | None = None,
    shape: Callable[[SignerUseCases], SignerUseCases] = _same,
) -> AsyncIterator[EdgeRig]:
    """Open everything."""
    issuer = authority()
    files = write_pki(pki, issuer)
    log, revocations = ListLog(), Revocations()
    trader = Client(name=ClientName(TRADER_URI), role=Role.TRADER, grants={ACCOUNT: METHODS})
    admin = Client(name=ClientName(ADMIN_URI), role=Role.ADMIN)

    async def whole() -> AuditReport:
        return AuditReport(records=3, head_hash="ab" * 32, problem="")

    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(signer_world(keys=keys))
        tls = ServerTls(files, revocations=revocations, log=log)
        admin_use_cases: AdminUseCases = _admin_use_cases(world.services, VerifyAudit(verify=whole))
        listening = await stack.enter_async_context(
            serve(
                options=ServerOptions(
                    listen=listen,
                    admin_listen="127.0.0.1:0" if admin_listener else None,
                    unsafe_plaintext_unix_socket=unix_socket,
                    reflection=reflection,
                    max_in_flight=max_in_flight,
                    max_watchers=max_watchers,
                    drain_timeout_s=1,
                ),
                signer=shape(_signer_use_cases(world.services)),
                admin=admin_use_cases,
                identities=Identities(
                    clients={trader.name: trader, admin.name: admin},
                    revocations=revocations,
                    clock=SystemClock(),
                    unix_socket_client=trader.name if unix_socket else None,
                ),
                tls=tls,
                log=log,
            )
        )
        yield EdgeRig(
            address=f"127.0.0.1:{listening.port}",
            admin_address=f"127.0.0.1:{listening.admin_port}",
            pki=pki,
            authority=issuer,
            tls=tls,
            log=log,
            world=world,
        )
