"""Gathers what a person needs to know before they confirm. Decides nothing, and does without what is away."""

import asyncio

from signer.domain.accounts import Address, address_of
from signer.domain.actions import Swap
from signer.domain.claims import SwapClaim
from signer.domain.decisions import Denied
from signer.domain.errors import UnavailableError
from signer.policy.model import AccountPolicy
from signer.policy.rules.slippage import slippage_bps
from signer.ports.clock import Clock
from signer.ports.holdings import Holdings
from signer.ports.ledger import Ledger, LimitUse
from signer.service.accounts import Accounts
from signer.service.approvals.assets import NATIVE, Assets, gwei
from signer.service.approvals.brief import AssetAmount, Brief, PositionChange, ReferenceAmount
from signer.service.approvals.moves import Moves, moves_of
from signer.service.approvals.sentence import sentence
from signer.service.path.conclude import Case
from signer.service.path.record import describe

_LEAST_SLIPPAGE_BPS = -1_000_000
"""A minimum of more than a hundred times the price never trades, and its exact figure fits on no wire."""


class Briefing:
    """Explains a case."""

    def __init__(self, *, accounts: Accounts, ledger: Ledger, clock: Clock) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._clock = clock

    async def __call__(self, case: Case) -> Brief:
        """What leaves, what comes back, at what price and cost, and what is left afterwards."""
        # The budget before anything else: a moment later, this request may be in it.
        budget = await self._budget(case)
        assets = Assets(case.account, case.policy.account(case.account))
        moves = moves_of(address_of(case.account), case.payload, case.action)
        references = _references(assets, case)
        gas_limit, per_gas = case.payload.gas_limit, case.payload.max_fee_per_gas_wei
        return Brief(
            actions=(sentence(assets, case.action, case.kind, case.replaces), describe(case.action)),
            pays=tuple(assets.of(asset, amount) for asset, amount in moves.out),
            receives_at_least=tuple(assets.of(asset, amount) for asset, amount in moves.back),
            quoted=_quoted(assets, case),
            references=references,
            slippage_bps=_slippage_bps(case, references),
            max_slippage_bps=_max_slippage_bps(case, assets.rules),
            fee_max_wei=case.payload.worst_fee_wei,
            fee_detail=f"{gas_limit:,} gas at {gwei(per_gas)} gwei at most",
            positions=await self._positions(case, assets, moves),
            budget=budget,
        )

    async def _budget(self, case: Case) -> tuple[LimitUse, ...]:
        if isinstance(case.decision, Denied):
            return ()
        return tuple(await self._ledger.usage(case.account, case.decision.limits, self._clock.now()))

    async def _positions(self, case: Case, assets: Assets, moves: Moves) -> tuple[PositionChange, ...]:
        binding = self._accounts.binding(case.account)
        if binding.holdings is None:
            return ()
        changes = _changes(moves, case.payload.worst_fee_wei)
        try:
            head = await binding.chain.head()
            held = await asyncio.gather(
                *(_held(binding.holdings, asset, binding.account.address, head.number) for asset in changes)
            )
        except UnavailableError:
            return ()
        return tuple(
            PositionChange(before=assets.of(asset, before), after=before + change)
            for (asset, change), before in zip(changes.items(), held, strict=True)
        )


def _references(assets: Assets, case: Case) -> tuple[ReferenceAmount, ...]:
    if not isinstance(case.action, Swap):
        return ()
    token = case.action.token_out
    return tuple(
        ReferenceAmount(source=quote.source, amount=assets.token(token, quote.amount_out))
        for quote in case.quotes
    )


def _quoted(assets: Assets, case: Case) -> tuple[AssetAmount, ...]:
    if not isinstance(case.claim, SwapClaim):
        return ()
    return (assets.token(case.claim.token_out, case.claim.quoted_out),)


def _slippage_bps(case: Case, references: tuple[ReferenceAmount, ...]) -> int | None:
    """Against the best reference, as the rule measures it."""
    best = max((each.amount.amount for each in references), default=0)
    if not isinstance(case.action, Swap) or best <= 0:
        return None
    return max(_LEAST_SLIPPAGE_BPS, slippage_bps(best, case.action.minimum_out))


def _max_slippage_bps(case: Case, rules: AccountPolicy | None) -> int:
    return rules.max_slippage_bps if rules is not None and isinstance(case.action, Swap) else 0


def _changes(moves: Moves, worst_fee_wei: int) -> dict[str, int]:
    """Change of every asset that moves, base units; the coin that pays the fee comes last."""
    changes: dict[str, int] = {}
    for asset, amount in moves.out:
        changes[asset] = changes.get(asset, 0) - amount
    for asset, amount in moves.back:
        changes[asset] = changes.get(asset, 0) + amount
    native = changes.pop(NATIVE, 0)
    return {**changes, NATIVE: native - worst_fee_wei}


async def _held(holdings: Holdings, asset: str, owner: Address, block_number: int) -> int:
    if asset == NATIVE:
        return await holdings.native_balance(owner, block_number)
    return await holdings.token_balance(Address(asset), owner, block_number)
