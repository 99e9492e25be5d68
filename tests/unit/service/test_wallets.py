"""Wallets: who is chosen, who is named when an account cannot sign, and what is refused out of turn."""

import asyncio
from collections.abc import Mapping

import pytest

from signer.domain.accounts import AccountId, ChainName, address_of
from signer.domain.actions import Action, Erc20Approve, Erc20Transfer, NativeTransfer, WethDeposit
from signer.domain.decisions import Denied
from signer.domain.errors import PreconditionError, SignerError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.records import TransactionRecord
from signer.domain.requests import EvaluateRequest
from signer.domain.wallets import AmountRange, Condition, Hours, NextAccount
from signer.ports.ledger import LimitUse
from signer.service.clients import NotGrantedError
from signer.service.wallets.choose_account import ChoiceRequest, Choices
from signer.service.wallets.outlook import Choice, Given
from tests.fakes.policies import NOW_S, SAVINGS, V2_ROUTER, WETH
from tests.fakes.signer_world import ADMIN
from tests.fakes.wallet_world import (
    CHAIN,
    COLD,
    HOT,
    TRADER,
    WALLET,
    WARM,
    WalletWorld,
    client,
    policy_text,
    swap,
    wallet_world,
)
from tests.unit.service.test_take_over_nonce import bump

NOW_MINUTE = NOW_S // 60 % (24 * 60)
SMALL = Condition(amounts=(AmountRange(token=WETH, below=1_000),))
LARGE = Condition(amounts=(AmountRange(token=WETH, at_least=1_000),))
LATER = Condition(hours=Hours(begin_minute=NOW_MINUTE + 60, end_minute=NOW_MINUTE + 120))
BY_SIZE = {HOT: SMALL, COLD: LARGE}
GONE = (FailReason.DEVICE_GONE, "desk is away: plug it in")
TOP_UP = f"""
[[accounts.top_ups]]
to = "{address_of(HOT)}"
token = "{WETH}"
max_per_top_up = 500
max_per_day = 1_000
"""


async def _choose(
    world: WalletWorld, amount: int, *, grants: Mapping[AccountId, tuple[str, ...]] | None = None
) -> Choices:
    asking = TRADER if grants is None else client(grants)
    request = ChoiceRequest(wallet=WALLET, chain=CHAIN, given=Given(token=WETH, amount=amount))
    return await world.services.choose_account(asking, request)


async def _sign(world: WalletWorld, account: AccountId, action: Action | None = None) -> TransactionRecord:
    answer = await world.services.sign_evm_transaction(TRADER, world.request(account, action))
    assert isinstance(answer, TransactionRecord)
    return answer


async def _error(
    world: WalletWorld, account: AccountId, action: Action | None = None
) -> PreconditionError | UnavailableError:
    with pytest.raises(SignerError) as caught:
        await world.services.sign_evm_transaction(TRADER, world.request(account, action))
    assert isinstance(caught.value, PreconditionError | UnavailableError)
    return caught.value


def _by_account(chosen: Choices) -> dict[AccountId, Choice]:
    return {each.account: each for each in chosen.choices}


async def test_the_first_account_that_would_sign_is_chosen() -> None:
    async with wallet_world(conditions=BY_SIZE) as world:
        small, large = await _choose(world, 999), await _choose(world, 1_000)

        assert (small.account, large.account) == (HOT, WARM)
        assert [each.account for each in large.choices] == [HOT, WARM, COLD]
        assert _by_account(small)[HOT] == Choice(
            account=HOT, would_sign=True, reason="", message="", max_amount_in=999
        )
        refused = _by_account(large)[HOT]
        assert (refused.would_sign, refused.reason, refused.max_amount_in) == (False, "WALLET_CONDITION", 999)
        assert "1000" in refused.message


async def test_a_small_trade_is_not_for_the_account_of_large_ones() -> None:
    async with wallet_world(conditions=BY_SIZE) as world:
        cold = _by_account(await _choose(world, 5))[COLD]

        assert (cold.would_sign, cold.reason, cold.max_amount_in) == (False, "WALLET_CONDITION", 1_000_000)


async def test_nobody_is_chosen_for_what_nobody_may_give() -> None:
    async with wallet_world() as world:
        chosen = await _choose(world, 1_000_001)

        assert chosen.account is None
        assert {each.reason for each in chosen.choices} == {"AMOUNT_TOO_HIGH"}
        assert {each.max_amount_in for each in chosen.choices} == {1_000_000}


async def test_what_is_used_of_the_caps_makes_room_smaller_until_there_is_none() -> None:
    async with wallet_world(conditions=BY_SIZE | {WARM: LATER}) as world:
        tight = policy_text({COLD: [("max_per_hour = 3_000_000", "max_per_hour = 1_500_000")]})
        world.source.text = tight
        await world.services.reload_policy(ADMIN, dry_run=False)
        signing = asyncio.ensure_future(_sign(world, COLD, swap(COLD, 1_000_000)))
        await world.until(lambda: bool(world.desk.shown))
        world.desk.press()
        await signing

        cold = _by_account(await _choose(world, 600_000))[COLD]
        assert (cold.reason, cold.max_amount_in) == ("ROLLING_CAP_EXCEEDED", 500_000)
        assert (await _choose(world, 500_000)).account == COLD


@pytest.mark.parametrize(
    ("grants", "seen"),
    [
        ({HOT: ("ChooseAccount", "SignEvmTransaction")}, {HOT: ""}),
        ({HOT: ("ChooseAccount",), WARM: ("SignEvmTransaction",)}, {HOT: "NOT_GRANTED"}),
    ],
)
async def test_only_granted_accounts_are_shown_and_only_signing_ones_chosen(
    grants: Mapping[AccountId, tuple[str, ...]], seen: dict[AccountId, str]
) -> None:
    async with wallet_world() as world:
        chosen = await _choose(world, 5, grants=grants)

        assert {each.account: each.reason for each in chosen.choices} == seen
        assert chosen.account == next((each for each, reason in seen.items() if not reason), None)


async def test_a_wallet_without_a_grant_is_as_good_as_none() -> None:
    async with wallet_world() as world:
        texts = set()
        for wallet, chain, grants in (
            (WALLET, CHAIN, {HOT: ("SignEvmTransaction",)}),
            ("other", CHAIN, {HOT: ("ChooseAccount",)}),
            (WALLET, ChainName("eip155:1"), {HOT: ("ChooseAccount",)}),
        ):
            request = ChoiceRequest(wallet=wallet, chain=chain, given=Given(token=WETH, amount=1))
            with pytest.raises(NotGrantedError) as caught:
                await world.services.choose_account(client(grants), request)
            texts.add(str(caught.value))

        assert len(texts) == 1


async def test_an_account_is_chosen_by_its_state_hours_and_device() -> None:
    async with wallet_world(conditions={WARM: LATER}) as world:
        await world.services.pause(ADMIN, HOT, "drill")
        world.desk.problem = GONE
        chosen = await _choose(world, 5)

        assert chosen.account is None
        assert [(each.reason, each.max_amount_in) for each in chosen.choices] == [
            ("ACCOUNT_PAUSED", 0),
            ("WALLET_CONDITION", 0),
            ("DEVICE_GONE", 0),
        ]
        assert "drill" in chosen.choices[0].message
        assert "UTC" in chosen.choices[1].message
        assert "plug it in" in chosen.choices[2].message

        world.desk.problem = None
        assert (await _choose(world, 5)).account == COLD
        world.clock.advance_s(3_600)
        assert (await _choose(world, 5)).account == WARM
        await world.services.resume(ADMIN, HOT)
        assert (await _choose(world, 5)).account == HOT


async def test_an_account_list_says_who_is_ready_and_when_who_has_its_turn() -> None:
    async with wallet_world(conditions={HOT: SMALL, WARM: LATER}) as world:
        world.desk.problem = (FailReason.DEVICE_LOCKED, "desk is locked: enter its PIN")
        hot, warm, cold = await world.services.list_accounts(TRADER, None)

        assert (hot.view.condition, hot.not_ready, hot.view.approval_timeout_ms) == (
            f"below 1000 of {WETH}",
            None,
            None,
        )
        assert warm.not_ready is not None
        assert warm.not_ready.reason is FailReason.WALLET_CONDITION
        assert cold.not_ready is not None
        assert cold.not_ready.message == "desk is locked: enter its PIN"
        assert (cold.view.condition, cold.view.approval_timeout_ms) == (
            "its device is there and unlocked",
            90_000,
        )


@pytest.mark.parametrize("amount", [1_000, 1_000_000])
async def test_an_amount_out_of_range_is_refused_before_anything_and_names_the_next(amount: int) -> None:
    async with wallet_world(conditions=BY_SIZE) as world:
        error = await _error(world, HOT, swap(HOT, amount))

        assert error.reason is FailReason.WALLET_CONDITION
        assert error.next_account == NextAccount(account=WARM, max_amount_in=1_000_000)
        assert world.audit.records == ()
        assert world.keys[HOT].signed == []
        assert (await _sign(world, WARM, swap(WARM, amount))).account == WARM


async def test_out_of_hours_nothing_new_is_signed_but_what_gives_nothing_is() -> None:
    async with wallet_world(conditions={HOT: LATER}) as world:
        for action in (
            swap(HOT),
            Erc20Approve(token=WETH, spender=V2_ROUTER, amount=5),
            WethDeposit(token=WETH, amount_wei=5),
            NativeTransfer(recipient=SAVINGS, amount_wei=5),
        ):
            assert (await _error(world, HOT, action)).reason is FailReason.WALLET_CONDITION
        revoked = await _sign(world, HOT, Erc20Approve(token=WETH, spender=V2_ROUTER, amount=0))

        assert revoked.nonce == 0
        world.clock.advance_s(3_600)
        assert (await _sign(world, HOT, Erc20Approve(token=WETH, spender=V2_ROUTER, amount=5))).nonce == 1


@pytest.mark.parametrize(
    ("action", "named"),
    [
        (swap(HOT), NextAccount(account=WARM, max_amount_in=1_000_000)),
        (
            Erc20Approve(token=WETH, spender=V2_ROUTER, amount=5),
            NextAccount(account=WARM, max_amount_in=1_000_000),
        ),
        (WethDeposit(token=WETH, amount_wei=5), NextAccount(account=WARM, max_amount_in=None)),
        (NativeTransfer(recipient=SAVINGS, amount_wei=5), None),
        (Erc20Approve(token=WETH, spender=V2_ROUTER, amount=0), None),
    ],
)
async def test_a_paused_account_names_the_next_for_what_another_one_can_do(
    action: Action, named: NextAccount | None
) -> None:
    async with wallet_world() as world:
        await world.services.pause(ADMIN, HOT, "drill")

        error = await _error(world, HOT, action)

        assert (error.reason, error.next_account) == (FailReason.ACCOUNT_PAUSED, named)


async def test_the_next_may_give_less() -> None:
    async with wallet_world(conditions={WARM: SMALL}) as world:
        await world.services.pause(ADMIN, HOT, "drill")
        world.desk.problem = GONE

        assert (await _error(world, HOT, swap(HOT, 5_000))).next_account == NextAccount(
            account=WARM, max_amount_in=999
        )


async def test_one_that_would_only_give_more_is_not_named() -> None:
    async with wallet_world(conditions={WARM: LARGE, COLD: LARGE}) as world:
        await world.services.pause(ADMIN, HOT, "drill")

        assert (await _error(world, HOT, swap(HOT, 5))).next_account is None


async def test_only_later_ones_are_named_and_the_last_has_no_next() -> None:
    async with wallet_world() as world:
        await world.services.pause(ADMIN, WARM, "drill")
        world.desk.problem = GONE

        assert (await _error(world, WARM)).next_account is None
        error = await _error(world, COLD)
        assert (error.reason, error.next_account) == (FailReason.DEVICE_GONE, None)


@pytest.mark.parametrize(
    ("trouble", "named"),
    [
        (UnavailableError(FailReason.VAULT_SEALED, "sealed"), True),
        (UnavailableError(FailReason.KEY_BACKEND_UNREACHABLE, "away"), True),
        (PreconditionError(FailReason.DEVICE_REFUSES, "no"), True),
        (UnavailableError(FailReason.AUDIT_UNAVAILABLE, "full"), False),
        (UnavailableError(FailReason.CHAIN_UNREACHABLE, "away"), False),
    ],
)
async def test_a_key_in_trouble_names_the_next_and_common_trouble_nobody(
    trouble: PreconditionError | UnavailableError, *, named: bool
) -> None:
    async with wallet_world() as world:
        world.keys[HOT].trouble = trouble

        error = await _error(world, HOT)

        assert (type(error), error.reason, str(error)) == (type(trouble), trouble.reason, str(trouble))
        assert (error.next_account is not None) is named
        assert trouble.next_account is None


async def test_trouble_while_the_next_is_looked_for_hides_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> tuple[LimitUse, ...]:
        raise UnavailableError(FailReason.LEDGER_UNAVAILABLE, "the disk is full")

    async with wallet_world() as world:
        await world.services.pause(ADMIN, HOT, "drill")
        monkeypatch.setattr(world.ledger, "usage", away)

        error = await _error(world, HOT)

        assert (error.reason, error.next_account) == (FailReason.ACCOUNT_PAUSED, None)


async def test_a_wrap_names_nobody_when_nobody_is_ready() -> None:
    async with wallet_world(conditions={WARM: LATER}) as world:
        await world.services.pause(ADMIN, HOT, "drill")
        world.desk.problem = GONE

        error = await _error(world, HOT, WethDeposit(token=WETH, amount_wei=5))

        assert error.next_account is None


async def test_a_client_hears_only_of_accounts_that_it_may_use() -> None:
    async with wallet_world() as world:
        await world.services.pause(ADMIN, HOT, "drill")
        asking = client({HOT: ("SignEvmTransaction",), COLD: ("SignEvmTransaction",)})

        with pytest.raises(PreconditionError) as caught:
            await world.services.sign_evm_transaction(asking, world.request(HOT))

        assert caught.value.next_account == NextAccount(account=COLD, max_amount_in=1_000_000)


async def test_a_denial_names_nobody() -> None:
    async with wallet_world() as world:
        answer = await world.services.sign_evm_transaction(TRADER, world.request(HOT, swap(HOT, 1_000_001)))

        assert isinstance(answer, Denied)


@pytest.mark.parametrize(
    "problem",
    [
        GONE,
        (FailReason.DEVICE_LOCKED, "locked"),
        (FailReason.DEVICE_WRONG_APP, "open Ethereum"),
        (FailReason.DEVICE_BUSY, "busy"),
    ],
)
async def test_a_device_in_trouble_is_refused_before_its_queue(problem: tuple[FailReason, str]) -> None:
    async with wallet_world() as world:
        world.desk.problem = problem

        error = await _error(world, COLD)

        assert (error.reason, str(error)) == problem
        assert world.desk.shown == []
        assert world.services.approvals.outcomes() == ()


@pytest.mark.parametrize("alone", [True, False])
async def test_a_request_may_wait_for_its_device(*, alone: bool) -> None:
    """By the settings, or because no other account could do it meanwhile."""
    conditions = {} if alone else {COLD: Condition(device_ready=False)}
    grants = {COLD: tuple(TRADER.grants[COLD])}
    async with wallet_world(conditions=conditions) as world:
        if alone:
            for each in (HOT, WARM):
                del world.services.accounts._bindings[each]
        world.desk.problem = GONE
        request = world.request(COLD)
        signing = asyncio.ensure_future(world.services.sign_evm_transaction(client(grants), request))
        await world.until(lambda: bool(world.desk.shown))
        world.desk.press()

        assert isinstance(await signing, TransactionRecord)
        assert world.desk.looks == 0


async def test_a_device_whose_key_is_another_one_is_broken_and_names_nobody() -> None:
    async with wallet_world() as world:
        world.desk.problem = (FailReason.BROKEN, "another seed")

        with pytest.raises(SignerError, match="another seed"):
            await world.services.sign_evm_transaction(TRADER, world.request(COLD))


async def test_nobody_is_looked_at_while_everything_works() -> None:
    async with wallet_world(conditions=BY_SIZE) as world:
        await _sign(world, HOT, swap(HOT, 5))
        await _sign(world, WARM, swap(WARM, 5))

        assert world.desk.looks == 0


async def test_hours_that_end_in_the_queue_end_the_request_without_a_dialog() -> None:
    hours = Condition(hours=Hours(begin_minute=NOW_MINUTE, end_minute=NOW_MINUTE + 1))
    async with wallet_world(conditions={COLD: hours}) as world:
        first = asyncio.ensure_future(_sign(world, COLD))
        await world.until(lambda: bool(world.desk.shown))
        second = asyncio.ensure_future(_error(world, COLD))
        await world.until(lambda: len(world.services.approvals.waiting()) == 2)
        world.clock.advance_s(60)
        world.desk.press()

        assert (await second).reason is FailReason.WALLET_CONDITION
        assert len(world.desk.shown) == 1
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_an_evaluation_is_refused_like_a_signature_and_names_the_next_that_may_evaluate() -> None:
    async with wallet_world(conditions=BY_SIZE) as world:
        wanted = world.request(HOT, swap(HOT, 5_000))
        request = EvaluateRequest(account=HOT, payload=wanted.payload, claim=wanted.claim)

        with pytest.raises(PreconditionError) as caught:
            await world.services.evaluate(TRADER, request)

        assert caught.value.reason is FailReason.WALLET_CONDITION
        assert caught.value.next_account == NextAccount(account=WARM, max_amount_in=1_000_000)


async def test_a_replacement_belongs_to_its_account_whatever_the_hour() -> None:
    hours = Condition(hours=Hours(begin_minute=NOW_MINUTE, end_minute=NOW_MINUTE + 1))
    async with wallet_world(conditions={HOT: hours}) as world:
        signed = await _sign(world, HOT)
        world.clock.advance_s(3_600)

        cancelled = await world.services.cancel_transaction(TRADER, bump("a-cancellation-0", signed.id))

        assert isinstance(cancelled, TransactionRecord)


@pytest.mark.parametrize("attended", [True, False])
async def test_a_top_up_passes_with_a_person_only(*, attended: bool) -> None:
    policy = policy_text({COLD: []}) + TOP_UP
    action = Erc20Transfer(token=WETH, recipient=address_of(HOT), amount=500)
    async with wallet_world(policy=policy, attended=attended) as world:
        signing = asyncio.ensure_future(
            world.services.sign_evm_transaction(TRADER, world.request(COLD, action))
        )
        if attended:
            await world.until(lambda: bool(world.desk.shown))
            world.desk.press()
        answer = await signing

        if attended:
            assert isinstance(answer, TransactionRecord)
        else:
            assert isinstance(answer, Denied)
            assert [each.reason for each in answer.violations] == [DenyReason.PERSON_NEEDED]
            assert world.keys[COLD].signed == []


async def test_an_account_that_does_not_trade_is_not_topped_up() -> None:
    action = Erc20Transfer(token=WETH, recipient=address_of(HOT), amount=500)
    async with wallet_world(policy=policy_text() + TOP_UP) as world:
        await world.services.pause(ADMIN, HOT, "stolen?")

        error = await _error(world, COLD, action)

        assert (error.reason, error.next_account) == (FailReason.WALLET_CONDITION, None)
        assert "stolen?" in str(error)
        assert world.desk.shown == []


async def test_an_account_without_a_policy_is_never_chosen() -> None:
    head, _, _ = policy_text().rpartition("[[accounts]]\naccount =")
    async with wallet_world(policy=head) as world:
        cold = _by_account(await _choose(world, 5))[COLD]

        assert (cold.reason, cold.max_amount_in) == ("ACCOUNT_NOT_IN_POLICY", 0)
