"""Addresses on a Trezor that nobody has pinned yet: read, then compared by a person. Signs nothing."""

from collections.abc import Callable, Sequence

from trezorlib.transport import Transport
from typing_extensions import override

from signer.adapters.device.address_reader import AddressReader, FoundKey
from signer.adapters.device.owner import DeviceOwner
from signer.adapters.trezor_device import library
from signer.adapters.trezor_device.device import TrezorDevice, steps_of
from signer.adapters.trezor_device.places import finder
from signer.adapters.trezor_device.request import Request
from signer.adapters.trezor_device.session import TrezorSession
from signer.domain.accounts import AccountId, ChainName, is_evm
from signer.domain.errors import BrokenError
from signer.domain.reasons import FailReason
from signer.ports.device import Watch


class TrezorAddressReader(AddressReader):
    """Opens the device at the first question; close it with `aclose`."""

    def __init__(self, device: TrezorDevice, *, find: Callable[[], Transport] | None = None) -> None:
        """`find` searches the device anew at each connection; by default where `device.where` says."""
        session = TrezorSession(device, find or finder(device.where))
        self._where = device.where
        self._owner = DeviceOwner(session, name=f"the Trezor at {device.where}", lock_file=device.lock_file)

    @override
    async def read(self, chain: ChainName, path: str) -> FoundKey:
        steps = steps_of(path)

        def read(wallet: library.Session, _: Request) -> FoundKey:
            address = _address(wallet, chain, steps, shown=False)
            return FoundKey(
                account=AccountId(f"{chain}:{address}"),
                path=path,
                fingerprint=wallet.get_root_fingerprint(),
            )

        return await self._owner.run(lambda session, ticket: session.ask(ticket, read))

    @override
    async def show(self, found: FoundKey, watch: Watch) -> None:
        steps = steps_of(found.path)

        def show(wallet: library.Session, request: Request) -> None:
            request.ask(screens=None)
            address = _address(wallet, found.chain, steps, shown=True)
            if found.account != f"{found.chain}:{address}":
                text = f"the Trezor at {self._where} showed {address}, not {found.shown}: it was changed"
                raise BrokenError(FailReason.BROKEN, text)
            request.confirm()

        await self._owner.run(lambda session, ticket: session.ask(ticket, show), watch)

    @override
    async def aclose(self) -> None:
        await self._owner.aclose()


def _address(wallet: library.Session, chain: ChainName, steps: Sequence[int], *, shown: bool) -> str:
    if is_evm(chain):
        return library.ethereum_address(wallet, steps, show_display=shown).lower()
    return library.solana_address(wallet, steps, show_display=shown)
