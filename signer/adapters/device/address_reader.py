"""How the address of an account gets into the settings: read from a device, compared on it by a person."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from signer.decode.evm.eip55 import checksummed
from signer.domain.accounts import AccountId, ChainName, address_of, chain_of, is_evm
from signer.ports.device import Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundKey:
    """A key on a device. `fingerprint`: 4 bytes of its root, where the device tells them (Trezor)."""

    account: AccountId
    path: str
    fingerprint: bytes | None = None

    @property
    def chain(self) -> ChainName:
        """CAIP-2."""
        return chain_of(self.account)

    @property
    def shown(self) -> str:
        """The address as devices spell it."""
        address = address_of(self.account)
        return checksummed(address) if is_evm(self.chain) else address


class AddressReader(ABC):
    """Reads addresses that nobody has pinned yet, from one device. Signs nothing."""

    @abstractmethod
    async def read(self, chain: ChainName, path: str) -> FoundKey:
        """The key at a path. Shows nothing, but for a PIN or passphrase that the device itself asks for.

        Raises ConfigurationError for a path that cannot be, and what a KeyBackend raises.
        """

    @abstractmethod
    async def show(self, found: FoundKey, watch: Watch) -> None:
        """Show the address on the device until a person has compared it.

        Raises RejectedError when they say that it is another one, or say nothing; else as `read`.
        """

    @abstractmethod
    async def aclose(self) -> None:
        """Let go of the device."""
