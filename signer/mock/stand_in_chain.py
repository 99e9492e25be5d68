"""A chain for a mock without a node: blocks follow the clock, nothing is ever mined, every price is 1:1.

Good for testing a client of the signer, useless for prices and confirmations (give an rpc_url for those).
"""

from signer.domain.accounts import Address
from signer.domain.actions import Swap
from signer.domain.chain import Head, Receipt, ReferenceQuote
from signer.domain.time import MS_PER_S
from signer.domain.transactions import SignedBytes
from signer.ports.clock import Clock

_BASE_FEE_WEI = 10**9
_FINALITY = 2


class StandInChain:
    """`ChainView`, `Holdings`, `Broadcaster` without a chain: a block a second, nobody owns anything."""

    def __init__(self, chain_id: int, clock: Clock) -> None:
        self._chain_id = chain_id
        self._clock = clock

    async def chain_id(self) -> int:
        """Whatever was configured."""
        return self._chain_id

    async def head(self) -> Head:
        """A block of this second."""
        return self._block(self._clock.now() // MS_PER_S)

    async def finalized(self) -> Head:
        """Two blocks below the head."""
        return self._block(self._clock.now() // MS_PER_S - _FINALITY)

    async def block_hash(self, number: int) -> str | None:
        """A hash made of the number."""
        return _hash(number) if number <= self._clock.now() // MS_PER_S else None

    async def transaction_count(self, address: Address, block_number: int) -> int:
        """No account ever sent anything."""
        del address, block_number
        return 0

    async def receipt(self, transaction_hash: str) -> Receipt | None:
        """Nothing is ever mined."""
        del transaction_hash
        return None

    async def native_balance(self, owner: Address, block_number: int) -> int:
        """Nobody has anything, so a rotation is swept at once."""
        del owner, block_number
        return 0

    async def token_balance(self, token: Address, owner: Address, block_number: int) -> int:
        """Nothing."""
        del token, owner, block_number
        return 0

    async def allowance(self, token: Address, owner: Address, spender: Address, block_number: int) -> int:
        """Nothing."""
        del token, owner, spender, block_number
        return 0

    async def gas_needed(self, sender: Address, to: Address, data: bytes) -> int | None:
        """Every call would fail."""
        del sender, to, data
        return None

    async def broadcast(self, signed: SignedBytes) -> str | None:
        """Taken, and never mined."""
        del signed
        return None

    def _block(self, number: int) -> Head:
        return Head(
            number=number,
            hash=_hash(number),
            timestamp_s=number,
            base_fee_per_gas_wei=_BASE_FEE_WEI,
            seen_at=self._clock.now(),
        )


class OneToOne:
    """`PriceReference` that says: one base unit in, one base unit out."""

    name = "one_to_one"

    async def quote(self, swap: Swap, via: Address, head: Head) -> ReferenceQuote | None:
        """As many base units out as in, whatever their decimals."""
        del via
        return ReferenceQuote(
            source=self.name,
            amount_out=swap.amount_in,
            block_number=head.number,
            block_timestamp_s=head.timestamp_s,
        )


def _hash(number: int) -> str:
    return f"0x{number:064x}"
