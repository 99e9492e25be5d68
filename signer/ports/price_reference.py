"""Prices as a port: what a swap would return, by a source that the client does not control."""

from typing import Protocol

from signer.domain.accounts import Address
from signer.domain.actions import Swap
from signer.domain.chain import Head, ReferenceQuote


class PriceReference(Protocol):
    """One source. The policy takes a list of them, so that a second one needs no change of shape."""

    @property
    def name(self) -> str:
        """Name in decisions and audit, for example `pool_quote`."""
        ...

    async def quote(self, swap: Swap, via: Address, head: Head) -> ReferenceQuote | None:
        """What the swap returns at `head`; None when this source has no price for it (no pool, call reverts).

        `via` is the contract that the policy names for quotes of this router: QuoterV2 for SwapRouter02,
        the router itself for v2. Raises UnavailableError when the source is out of reach: that is not "no
        price".
        """
        ...
