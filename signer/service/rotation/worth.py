"""In which order an emergency moves tokens: dearest first, by the policy's own price references.

A token's worth is what the best listed router would pay for it in the wrapped native coin. Where no reference
has a price, or none can be asked in time, the order of the policy file decides, after those that have one.
"""

import asyncio
from collections.abc import Iterator

from signer.domain.accounts import Address
from signer.domain.actions import ContractKind, Swap, SwapVenue
from signer.domain.chain import Head
from signer.domain.errors import UnavailableError
from signer.policy.model import AccountPolicy
from signer.service.accounts import Binding
from signer.service.rotation.plan import TokenLeft

_NO_PRICE = -1


async def dearest_first(
    binding: Binding, rules: AccountPolicy, tokens: tuple[TokenLeft, ...], head: Head
) -> tuple[TokenLeft, ...]:
    """Return the same tokens in another order. Raises nothing: an order is no reason to wait."""
    wrapped = next((token.address for token in rules.tokens if token.kind is ContractKind.WETH9), None)
    worths = await asyncio.gather(*(_worth(binding, rules, left, wrapped, head) for left in tokens))
    ranked = sorted(zip(worths, tokens, strict=True), key=lambda pair: -pair[0])  # stable: the file's order
    return tuple(left for _, left in ranked)


async def _worth(
    binding: Binding, rules: AccountPolicy, left: TokenLeft, wrapped: Address | None, head: Head
) -> int:
    if wrapped is None:
        return _NO_PRICE
    if left.token == wrapped:
        return left.amount
    best = _NO_PRICE
    for swap, via in _routes(rules, left, wrapped):
        for reference in binding.references:
            try:
                quote = await reference.quote(swap, via, head)
            except UnavailableError:
                continue
            best = max(best, _NO_PRICE if quote is None else quote.amount_out)
    return best


def _routes(rules: AccountPolicy, left: TokenLeft, wrapped: Address) -> Iterator[tuple[Swap, Address]]:
    for router in rules.routers:
        via = router.price_source
        if via is None:
            continue
        is_v2 = router.venue is SwapVenue.UNISWAP_V2_ROUTER02
        for fees in [()] if is_v2 else [(tier,) for tier in sorted(router.fee_tiers)]:
            swap = Swap(
                venue=router.venue,
                router=router.address,
                path=(left.token, wrapped),
                fees=fees,
                amount_in=left.amount,
                minimum_out=0,
                recipient=rules.address,
                deadline=0,
            )
            yield swap, via
