"""What lets a Solana message live, as a node shows it."""

from dataclasses import dataclass
from typing import Protocol

from signer.domain.solana import Blockhash, BlockHeight, SolanaKey


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestBlockhash:
    """A message with `blockhash` is taken up to a block of the height `last_valid_block_height`."""

    blockhash: Blockhash
    last_valid_block_height: BlockHeight


@dataclass(frozen=True, slots=True, kw_only=True)
class NonceAccount:
    """An initialized nonce account: the `value` that a message has to carry, and who must sign for it."""

    value: Blockhash
    authority: SolanaKey


class Blockhashes(Protocol):
    """One chain, as one node shows it at "confirmed". Every method raises UnavailableError when it cannot."""

    async def latest(self) -> LatestBlockhash:
        """Blockhash of the youngest confirmed block."""
        ...

    async def block_height(self) -> BlockHeight:
        """Height of the youngest confirmed block."""
        ...

    async def nonce_account(self, account: SolanaKey) -> NonceAccount:
        """A nonce account as it is now.

        Raises PreconditionError (NONCE_NOT_USABLE) when there is none at that address.
        """
        ...
