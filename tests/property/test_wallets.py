"""Random wallets: what ChooseAccount foresees is what signing then does, for every account, both ways."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from hypothesis import event, given, settings
from hypothesis import strategies as st

from signer.domain.accounts import AccountId
from signer.domain.errors import PreconditionError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.wallets import AmountRange, Condition, Hours
from signer.service.wallets.choose_account import ChoiceRequest
from signer.service.wallets.outlook import Given
from tests.fakes.policies import NOW_S, WETH
from tests.fakes.signer_world import ADMIN
from tests.fakes.wallet_world import (
    ACCOUNTS,
    CHAIN,
    COLD,
    TRADER,
    WALLET,
    WalletWorld,
    policy_text,
    swap,
    wallet_world,
)

NOW_MINUTE = NOW_S // 60 % (24 * 60)
amounts, caps = st.integers(1, 12), st.integers(3, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One account of a random wallet."""

    caps: tuple[int, int, int]
    sells: bool
    condition: Condition
    paused: bool
    used: int


hours = st.sampled_from(
    (
        None,
        None,
        Hours(begin_minute=NOW_MINUTE, end_minute=NOW_MINUTE + 1),
        Hours(begin_minute=NOW_MINUTE + 1, end_minute=NOW_MINUTE),
    )
)
ranges = st.one_of(
    st.none(),
    st.builds(lambda least: AmountRange(token=WETH, at_least=least), amounts),
    st.builds(lambda below: AmountRange(token=WETH, below=below), amounts),
    st.builds(
        lambda least, more: AmountRange(token=WETH, at_least=least, below=least + more), amounts, amounts
    ),
)
conditions = st.builds(
    lambda when, wanted, ready: Condition(
        hours=when, amounts=() if wanted is None else (wanted,), device_ready=ready
    ),
    hours,
    ranges,
    st.booleans(),
)
members = st.builds(
    Member,
    caps=st.tuples(caps, caps, caps).map(lambda three: tuple(sorted(three))),
    sells=st.integers(0, 9).map(bool),
    condition=conditions,
    paused=st.integers(0, 9).map(lambda number: number == 9),
    used=st.integers(0, 3),
)
wallets = st.tuples(members, members, members)
problems = st.sampled_from(
    (None, None, (FailReason.DEVICE_GONE, "gone"), (FailReason.DEVICE_LOCKED, "locked"))
)


@given(wallets, problems, st.integers(1, 6))
@settings(max_examples=150, deadline=None)
def test_an_account_signs_what_was_foreseen_and_nothing_more(
    wallet: tuple[Member, Member, Member], problem: tuple[FailReason, str] | None, amount: int
) -> None:
    asyncio.run(_check(dict(zip(ACCOUNTS, wallet, strict=True)), problem, amount))


async def _check(
    wallet: Mapping[AccountId, Member], problem: tuple[FailReason, str] | None, amount: int
) -> None:
    conditions_of = {account: member.condition for account, member in wallet.items()}
    async with wallet_world(conditions=conditions_of, policy=_policy(wallet)) as world:
        for account, member in wallet.items():
            if member.used:
                await _signs(world, account, member.used)
            if member.paused:
                await world.services.pause(ADMIN, account, "drill")
        world.desk.problem = problem
        request = ChoiceRequest(wallet=WALLET, chain=CHAIN, given=Given(token=WETH, amount=amount))

        chosen = await world.services.choose_account(TRADER, request)

        event(f"chosen: {None if chosen.account is None else ACCOUNTS.index(chosen.account)}")
        willing = [each.account for each in chosen.choices if each.would_sign]
        assert chosen.account == (willing[0] if willing else None)
        for each in chosen.choices:
            assert each.would_sign is (each.reason == "")
            if not each.would_sign:
                event(each.reason)
                assert not await _signs(world, each.account, amount)
            if each.max_amount_in:
                assert not await _signs(world, each.account, each.max_amount_in + 1)
                assert await _signs(world, each.account, each.max_amount_in)


async def _signs(world: WalletWorld, account: AccountId, amount: int) -> bool:
    """Whether it is signed; a person confirms whatever is shown."""
    if account == COLD:
        world.desk.press()
    try:
        answer = await world.services.sign_evm_transaction(
            TRADER, world.request(account, swap(account, amount))
        )
    except (PreconditionError, UnavailableError):
        answer = None
    world.desk.forget_presses()
    return isinstance(answer, TransactionRecord)


def _policy(wallet: Mapping[AccountId, Member]) -> str:
    changes = {}
    for account, member in wallet.items():
        trade, hour, day = member.caps
        changes[account] = [
            ("max_per_trade = 1_000_000\n", f"max_per_trade = {trade}\nsell = {str(member.sells).lower()}\n"),
            ("max_per_hour = 3_000_000", f"max_per_hour = {hour}"),
            ("max_per_day = 10_000_000", f"max_per_day = {day}"),
        ]
    return policy_text(changes)
