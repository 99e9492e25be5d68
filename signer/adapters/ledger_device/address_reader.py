"""Addresses on a Ledger that nobody has pinned yet: read, then compared by a person. Signs nothing."""

from typing_extensions import override

from signer.adapters.device.address_reader import AddressReader, FoundKey
from signer.adapters.device.owner import DeviceOwner
from signer.adapters.ledger_device.application import Key, KeyPlace, Path, Request
from signer.adapters.ledger_device.backend import LedgerPlace
from signer.adapters.ledger_device.ethereum import ETHEREUM
from signer.adapters.ledger_device.paths import application_of, encode_path
from signer.adapters.ledger_device.places import opener
from signer.adapters.ledger_device.session import LedgerSession, Patience
from signer.domain.accounts import AccountId, ChainName
from signer.ports.device import Watch
from signer.ports.events import EventLog

_P1, _SHOW = 2, b"\x01"
"""With this first parameter the same question, in both applications, is for the person to confirm."""

_ANSWER_BYTES = {True: 1 + 65 + 1 + 40, False: 32}
"""Length of an address answer, with its public key: Ethereum, or else Solana."""


class LedgerAddressReader(AddressReader):
    """Opens the device at the first question; close it with `aclose`."""

    def __init__(self, device: LedgerPlace, *, log: EventLog, patience: Patience | None = None) -> None:
        """Raises ConfigurationError for a place that cannot be."""
        session = LedgerSession(
            opener(device.where), name=device.name, patience=patience or Patience(), log=log
        )
        self._owner = DeviceOwner(session, name=device.name, lock_file=device.lock_file)

    @override
    async def read(self, chain: ChainName, path: str) -> FoundKey:
        place = KeyPlace(path=Path(encode_path(path)), application=application_of(chain, path))
        address = await self._owner.run(lambda session, _: session.address(place))
        return FoundKey(account=AccountId(f"{chain}:{address}"), path=path)

    @override
    async def show(self, found: FoundKey, watch: Watch) -> None:
        application = application_of(found.chain, found.path)
        key = Key(account=found.account, path=Path(encode_path(found.path)), application=application)

        def same(data: bytes) -> str:
            if (address := application.address(data)) != key.address:
                raise ValueError(f"it showed {address}")
            return address

        request = Request(
            key=key,
            commands=(_shown(application.ask_address(key.path)),),
            answer_bytes=_ANSWER_BYTES[application is ETHEREUM],
            read=same,
            shown=found.shown,
            needs_blind_signing=False,
        )
        await self._owner.run(lambda session, ticket: session.sign(request, ticket), watch)

    @override
    async def aclose(self) -> None:
        await self._owner.aclose()


def _shown(question: bytes) -> bytes:
    return question[:_P1] + _SHOW + question[_P1 + 1 :]
