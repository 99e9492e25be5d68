"""A Ledger or a Trezor with a Solana key, and a person before it: one shape for tests of both."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from signer.domain.accounts import AccountId, address_of
from signer.domain.base58 import base58_key
from signer.domain.solana import SolanaKey
from signer.mock.devices.ledger import person as ledger_person
from signer.mock.devices.ledger.apdu import Review
from signer.mock.devices.trezor.person import Decision, Screen
from signer.ports.device import DevicePhase, DeviceProgress
from signer.ports.key_backend import AttendedBackend
from tests.integration.devices import ledger_rig, trezor_rig

KINDS = ("ledger", "trezor")


@dataclass(kw_only=True)
class SolanaDesk:
    """`reads` is what happens while the person has a request before them; `says_yes` is what they do then."""

    account: AccountId
    reads: Callable[[], None] = lambda: None
    says_yes: bool = True
    reviews: int = 0
    told: list[DeviceProgress] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.backend: AttendedBackend
        self.unplug: Callable[[], None]

    @property
    def key(self) -> SolanaKey:
        return SolanaKey(base58_key(address_of(self.account)))

    @property
    def phases(self) -> list[DevicePhase]:
        return [each.phase for each in self.told]

    def watch(self, progress: DeviceProgress) -> None:
        self.told.append(progress)

    def decide(self) -> bool:
        """The person, once a request."""
        self.reviews += 1
        self.reads()
        return self.says_yes


@asynccontextmanager
async def solana_desk(kind: str, folder: Path, *, answer_ms: int = 20_000) -> AsyncIterator[SolanaDesk]:
    """A device of `kind`, and `answer_ms` for everything but the person."""
    open_desk = _ledger if kind == "ledger" else _trezor
    async with open_desk(folder, answer_ms) as desk:
        yield desk


@asynccontextmanager
async def _ledger(folder: Path, answer_ms: int) -> AsyncIterator[SolanaDesk]:
    desk = SolanaDesk(account=ledger_rig.SOLANA)
    patience = replace(ledger_rig.PATIENT, answer_ms=answer_ms)

    def person(_: Review) -> ledger_person.Act:
        return ledger_person.APPROVE if desk.decide() else ledger_person.REJECT

    async with ledger_rig.ledger_rig(folder, app="Solana", patience=patience) as rig:
        rig.device.person = person
        desk.backend, desk.unplug = rig.backend, rig.device.unplug
        yield desk


@asynccontextmanager
async def _trezor(folder: Path, answer_ms: int) -> AsyncIterator[SolanaDesk]:
    del folder  # its rig has one
    desk = SolanaDesk(account=trezor_rig.SOLANA)

    def person(screen: Screen) -> Decision:
        yes = desk.decide() if screen.number == 1 else True
        return trezor_rig.APPROVE if yes else trezor_rig.REJECT

    async with trezor_rig.rig(person=person, answer_ms=answer_ms, approval_ms=60_000) as rig:
        desk.backend, desk.unplug = rig.backend, rig.port.unplug
        yield desk
