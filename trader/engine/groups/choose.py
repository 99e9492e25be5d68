"""Asks the signer which account of a wallet would sign, and compares with the books. Reserves nothing."""

import asyncio
from collections.abc import Collection

from trader.domain.ids import AssetId, WalletId, chain_of, token_of
from trader.engine.desk import Desk
from trader.engine.groups.group import Group, WhenAway
from trader.portfolio.choosing import Candidate, Pick, pick_smaller, pick_whole

NOBODY: frozenset[WalletId] = frozenset()


async def pick_account(
    desk: Desk, group: Group, asset_in: AssetId, amount_in: int, *, without: Collection[WalletId] = NOBODY
) -> Pick | None:
    """The account to quote for, and how much; None when the trade has to wait.

    Raises SignerUnavailableError or SignerNotReadyError.
    """
    candidates = await _candidates(desk, group, asset_in, amount_in, without)
    whole = pick_whole(candidates, amount_in)
    least = group.min_amount_in.get(asset_in)
    if whole is not None or group.when_away is WhenAway.WAIT or least is None:
        return whole
    smaller = pick_smaller(candidates, amount_in, least)
    if smaller is None:
        return None
    # A smaller trade may be another account's by the wallet's conditions: the signer is asked about it, too.
    return pick_whole(await _candidates(desk, group, asset_in, smaller.amount, without), smaller.amount)


async def trading_wallets(desk: Desk, group: Group) -> list[WalletId]:
    """Who trades for each of the configured accounts now; one whose books move does not."""
    standings = await asyncio.gather(*(desk.store.standing(wallet) for wallet in group.wallets))
    return [standing.wallet for standing in standings if standing.move is None]


async def _candidates(
    desk: Desk, group: Group, asset_in: AssetId, amount_in: int, without: Collection[WalletId]
) -> list[Candidate]:
    chain, token = chain_of(group.wallets[0]), token_of(asset_in)
    choice, ours = await asyncio.gather(
        desk.signer.choose(group.name, chain, token, amount_in), trading_wallets(desk, group)
    )
    asked = [one for one in choice.accounts if one.wallet in ours and one.wallet not in without]
    free = await asyncio.gather(*(_free(desk, one.wallet, asset_in) for one in asked))
    return [
        Candidate(wallet=one.wallet, would_sign=one.would_sign, most=one.max_amount_in, free=amount)
        for one, amount in zip(asked, free, strict=True)
    ]


async def _free(desk: Desk, wallet: WalletId, asset: AssetId) -> int:
    return next((one.free for one in await desk.store.balances(wallet) if one.asset == asset), 0)
