"""Each rule at its edges: the last value that passes, the first that does not."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from signer.domain.accounts import Address
from signer.domain.actions import Action, Swap, SwapVenue
from signer.domain.budget import FEE, NATIVE, TRANSACTIONS, Resource, token_resource
from signer.domain.claims import ApproveClaim, Claim, NativeTransferClaim, SwapClaim, WrapClaim, WrapDirection
from signer.domain.decisions import Approved, Denied, Violation
from signer.domain.reasons import DenyReason
from signer.domain.time import UnixMs
from signer.policy.decide import decide
from signer.policy.proposal import Proposal
from tests.fakes.policies import (
    APPROVE,
    DAI,
    DEPOSIT,
    GWEI,
    HEAD,
    NOW,
    NOW_S,
    OWN,
    QUOTE,
    SAVINGS,
    SWAP,
    THIEF,
    TRANSFER,
    USDC,
    V2_ROUTER,
    V3_ROUTER,
    WETH,
    WITHDRAW,
    honest_claim,
    policy,
    proposal,
)

POLICY = policy()
V3_SWAP = replace(SWAP, venue=SwapVenue.UNISWAP_SWAP_ROUTER02, router=V3_ROUTER, fees=(3000,))


def _violations(judged: Proposal) -> tuple[Violation, ...]:
    match decide(POLICY, judged):
        case Approved():
            return ()
        case Denied(violations=violations):
            return violations


def _reasons(judged: Proposal) -> list[DenyReason]:
    return [violation.reason for violation in _violations(judged)]


def _swap_claim() -> SwapClaim:
    claim = honest_claim(SWAP)
    assert isinstance(claim, SwapClaim)
    return claim


# claim


@pytest.mark.parametrize(
    ("action", "claim", "difference"),
    [
        (SWAP, replace(_swap_claim(), token_in=DAI), (f"token_in {DAI}", f"token_in {WETH}")),
        (SWAP, replace(_swap_claim(), token_out=DAI), (f"token_out {DAI}", f"token_out {USDC}")),
        (SWAP, replace(_swap_claim(), amount_in=7), ("amount_in 7", "amount_in 1000000")),
        (SWAP, replace(_swap_claim(), minimum_out=7), ("minimum_out 7", "minimum_out 995000")),
        (
            APPROVE,
            ApproveClaim(token=USDC, spender=V2_ROUTER, amount=1_000_000),
            (f"token {USDC}", f"token {WETH}"),
        ),
        (
            APPROVE,
            ApproveClaim(token=WETH, spender=V3_ROUTER, amount=1_000_000),
            (f"spender {V3_ROUTER}", f"spender {V2_ROUTER}"),
        ),
        (
            APPROVE,
            ApproveClaim(token=WETH, spender=V2_ROUTER, amount=1),
            ("amount 1", "amount 1000000"),
        ),
        (
            DEPOSIT,
            WrapClaim(direction=WrapDirection.WITHDRAW, amount_wei=1_000_000),
            ("direction withdraw", "direction deposit"),
        ),
        (
            WITHDRAW,
            WrapClaim(direction=WrapDirection.WITHDRAW, amount_wei=1),
            ("amount_wei 1", "amount_wei 1000000"),
        ),
        (
            TRANSFER,
            NativeTransferClaim(recipient=OWN, amount_wei=1_000),
            (f"recipient {OWN}", f"recipient {SAVINGS}"),
        ),
        (
            TRANSFER,
            NativeTransferClaim(recipient=SAVINGS, amount_wei=1),
            ("amount_wei 1", "amount_wei 1000"),
        ),
        (SWAP, honest_claim(APPROVE), ("kind approve", "kind swap")),
        (APPROVE, honest_claim(TRANSFER), ("kind native transfer", "kind approve")),
        (DEPOSIT, honest_claim(SWAP), ("kind swap", "kind wrap")),
        (TRANSFER, honest_claim(WITHDRAW), ("kind wrap", "kind native transfer")),
    ],
)
def test_bytes_that_do_other_than_the_client_believes_are_refused(
    action: Action, claim: Claim, difference: tuple[str, str]
) -> None:
    (violation,) = _violations(proposal(action, claim))

    assert violation.reason is DenyReason.CLAIM_MISMATCH
    assert (violation.limit, violation.actual) == difference


# contract, recipient, tokens


@pytest.mark.parametrize(
    ("action", "reasons"),
    [
        (replace(SWAP, router=THIEF), [DenyReason.CONTRACT_NOT_ALLOWED]),
        (
            replace(V3_SWAP, router=V2_ROUTER),
            [DenyReason.CONTRACT_NOT_ALLOWED, DenyReason.POOL_NOT_ALLOWED],
        ),
        (replace(DEPOSIT, token=USDC), [DenyReason.CONTRACT_NOT_ALLOWED]),
        (
            replace(DEPOSIT, token=THIEF),
            [DenyReason.CONTRACT_NOT_ALLOWED, DenyReason.AMOUNT_TOO_HIGH],
        ),
        (
            replace(APPROVE, token=THIEF),
            [
                DenyReason.CONTRACT_NOT_ALLOWED,
                DenyReason.SPENDER_NOT_ALLOWED,
                DenyReason.APPROVAL_TOO_HIGH,
            ],
        ),
    ],
)
def test_a_contract_that_is_not_listed_as_what_it_was_taken_for_is_refused(
    action: Action, reasons: list[DenyReason]
) -> None:
    assert _reasons(proposal(action)) == reasons


@pytest.mark.parametrize(
    "recipient", [THIEF, "0x" + "00" * 20, "0x" + "00" * 19 + "01", "0x" + "00" * 19 + "02"]
)
@pytest.mark.parametrize("swap", [SWAP, V3_SWAP])
def test_only_the_account_itself_spelled_out_receives(swap: Swap, recipient: str) -> None:
    judged = proposal(replace(swap, recipient=Address(recipient)))

    assert _reasons(judged) == [DenyReason.RECIPIENT_NOT_ALLOWED]


def test_a_pool_of_an_unlisted_fee_tier_is_refused_on_every_hop() -> None:
    thin = replace(V3_SWAP, path=(WETH, DAI, USDC), fees=(3000, 10_000))

    assert _reasons(proposal(V3_SWAP)) == []
    assert _reasons(proposal(thin)) == [DenyReason.POOL_NOT_ALLOWED]


def test_without_listed_fee_tiers_there_is_no_v3_pool() -> None:
    verdict = decide(policy(("fee_tiers = [500, 3000]\n", "")), proposal(V3_SWAP))

    assert isinstance(verdict, Denied)
    assert [violation.reason for violation in verdict.violations] == [DenyReason.POOL_NOT_ALLOWED]


def test_a_listed_token_may_stand_between_even_if_it_may_not_be_sold() -> None:
    assert _reasons(proposal(replace(SWAP, path=(WETH, DAI, USDC)))) == []


@pytest.mark.parametrize("path", [(WETH, THIEF, USDC), (WETH, DAI, THIEF)])
def test_an_unlisted_token_on_any_hop_is_refused(path: tuple[Address, ...]) -> None:
    (violation,) = _violations(proposal(replace(SWAP, path=path)))

    assert violation.reason is DenyReason.TOKEN_NOT_ALLOWED
    assert violation.actual == THIEF


@pytest.mark.parametrize("path", [(WETH, USDC, WETH), (WETH, USDC, DAI, USDC), (WETH, WETH)])
def test_a_route_that_visits_a_token_twice_is_refused(path: tuple[Address, ...]) -> None:
    assert _reasons(proposal(replace(SWAP, path=path))) == [DenyReason.TOKEN_NOT_ALLOWED]


def test_a_token_that_may_not_be_sold_is_not_sold() -> None:
    reasons = _reasons(proposal(replace(SWAP, path=(DAI, USDC), amount_in=0)))

    assert reasons == [DenyReason.TOKEN_NOT_ALLOWED]


def test_selling_wraps_and_buying_wraps_follow_the_flags_too() -> None:
    held = policy(('kind = "weth9"\n', 'kind = "weth9"\nsell = false\nbuy = false\n'))

    for action in (DEPOSIT, WITHDRAW, replace(SWAP, path=(USDC, WETH))):
        decision = decide(held, proposal(action))

        assert isinstance(decision, Denied)
        assert [violation.reason for violation in decision.violations] == [DenyReason.TOKEN_NOT_ALLOWED]


# spender, approval, amount, native


def test_only_listed_spenders_of_that_token_are_approved_even_for_nothing() -> None:
    assert _reasons(proposal(replace(APPROVE, spender=THIEF))) == [DenyReason.SPENDER_NOT_ALLOWED]
    assert _reasons(proposal(replace(APPROVE, spender=THIEF, amount=0))) == [DenyReason.SPENDER_NOT_ALLOWED]
    assert _reasons(proposal(replace(APPROVE, token=USDC, spender=V3_ROUTER))) == [
        DenyReason.SPENDER_NOT_ALLOWED
    ]


@pytest.mark.parametrize(
    ("amount", "reasons"),
    [
        (0, []),
        (1_000_000, []),
        (1_000_001, [DenyReason.APPROVAL_TOO_HIGH]),
        (2**256 - 1, [DenyReason.APPROVAL_TOO_HIGH]),
    ],
)
def test_an_approval_is_at_most_what_one_trade_may_be(amount: int, reasons: list[DenyReason]) -> None:
    assert _reasons(proposal(replace(APPROVE, amount=amount))) == reasons


def test_a_token_may_have_an_approval_limit_of_its_own() -> None:
    usdc = replace(APPROVE, token=USDC)

    assert _reasons(proposal(replace(usdc, amount=4_000_000))) == []
    assert _reasons(proposal(replace(usdc, amount=4_000_001))) == [DenyReason.APPROVAL_TOO_HIGH]


@pytest.mark.parametrize(
    "action",
    [
        replace(SWAP, amount_in=1_000_001),
        replace(DEPOSIT, amount_wei=1_000_001),
        replace(WITHDRAW, amount_wei=1_000_001),
        replace(TRANSFER, amount_wei=1_001),
    ],
)
def test_one_unit_above_the_limit_of_a_trade_is_too_much(action: Action) -> None:
    (violation,) = _violations(proposal(action))

    assert violation.reason is DenyReason.AMOUNT_TOO_HIGH
    assert int(violation.actual) == int(violation.limit) + 1


def test_coins_go_to_listed_recipients_only() -> None:
    (violation,) = _violations(proposal(replace(TRANSFER, recipient=THIEF)))

    assert violation.reason is DenyReason.RECIPIENT_NOT_ALLOWED
    assert (violation.limit, violation.actual) == (SAVINGS, THIEF)


def test_without_listed_recipients_no_coin_leaves() -> None:
    closed = policy((f'native_recipients = ["{SAVINGS}"]\n', ""))

    decision = decide(closed, proposal(replace(TRANSFER, amount_wei=0)))

    assert isinstance(decision, Denied)
    assert [violation.reason for violation in decision.violations] == [DenyReason.RECIPIENT_NOT_ALLOWED]


# fees


@pytest.mark.parametrize(
    ("gas_limit", "fee", "tip", "reasons"),
    [
        (200_000, 50 * GWEI, 2 * GWEI, []),
        (200_000, 50 * GWEI + 1, 0, [DenyReason.GAS_PRICE_TOO_HIGH, DenyReason.FEE_TOO_HIGH]),
        (190_000, 50 * GWEI + 1, 0, [DenyReason.GAS_PRICE_TOO_HIGH]),
        (200_000, 30 * GWEI, 2 * GWEI + 1, [DenyReason.PRIORITY_FEE_TOO_HIGH]),
        (200_000, GWEI, GWEI + 1, [DenyReason.PRIORITY_FEE_TOO_HIGH]),
        (21_000, GWEI, 0, []),
        (20_999, GWEI, 0, [DenyReason.GAS_LIMIT_TOO_LOW]),
        (500_000, GWEI, GWEI, []),
        (500_001, GWEI, GWEI, [DenyReason.GAS_LIMIT_TOO_HIGH]),
        (333_333, 30 * GWEI, GWEI, []),
        (333_334, 30 * GWEI, GWEI, [DenyReason.FEE_TOO_HIGH]),
    ],
)
def test_each_fee_has_its_limit(gas_limit: int, fee: int, tip: int, reasons: list[DenyReason]) -> None:
    judged = proposal()
    payload = replace(
        judged.payload, gas_limit=gas_limit, max_fee_per_gas_wei=fee, max_priority_fee_per_gas_wei=tip
    )

    assert _reasons(replace(judged, payload=payload)) == reasons


# deadline, quote age, price age


@pytest.mark.parametrize(
    ("deadline", "reasons"),
    [
        (0, [DenyReason.DEADLINE_PASSED]),
        (NOW_S, [DenyReason.DEADLINE_PASSED]),
        (NOW_S + 1, []),
        (NOW_S + 120, []),
        (NOW_S + 121, [DenyReason.DEADLINE_TOO_FAR]),
        (2**256 - 1, [DenyReason.DEADLINE_TOO_FAR]),
    ],
)
def test_a_deadline_is_ahead_and_at_most_two_minutes(deadline: int, reasons: list[DenyReason]) -> None:
    assert _reasons(proposal(replace(SWAP, deadline=deadline))) == reasons


@pytest.mark.parametrize(
    ("head_s", "deadline", "reasons"),
    [
        (NOW_S + 60, NOW_S + 60, [DenyReason.DEADLINE_PASSED]),
        (NOW_S + 60, NOW_S + 61, []),
        (NOW_S - 36, NOW_S + 120, []),
        (NOW_S - 37, NOW_S + 120, [DenyReason.DEADLINE_TOO_FAR]),
    ],
)
def test_a_deadline_is_held_against_the_chains_clock_too(
    head_s: int, deadline: int, reasons: list[DenyReason]
) -> None:
    judged = proposal(replace(SWAP, deadline=deadline))

    assert _reasons(replace(judged, head=replace(HEAD, timestamp_s=head_s))) == reasons


@pytest.mark.parametrize(
    ("age_ms", "reasons"),
    [
        (10_000, []),
        (10_001, [DenyReason.QUOTE_TOO_OLD]),
        (0, []),
        (-2_000, []),
        (-2_001, [DenyReason.QUOTE_TOO_OLD]),
    ],
)
def test_a_quote_is_fresh_and_not_of_the_future(age_ms: int, reasons: list[DenyReason]) -> None:
    claim = replace(_swap_claim(), quote_time=UnixMs(NOW - age_ms))

    assert _reasons(proposal(SWAP, claim)) == reasons


@pytest.mark.parametrize(
    ("age_s", "reasons"),
    [
        (120, []),
        (121, [DenyReason.PRICE_TOO_OLD]),
        (-120, [DenyReason.DEADLINE_PASSED]),
        (-121, [DenyReason.DEADLINE_PASSED, DenyReason.PRICE_TOO_OLD]),
    ],
)
def test_a_chain_that_stands_still_or_runs_ahead_prices_nothing(
    age_s: int, reasons: list[DenyReason]
) -> None:
    head = replace(HEAD, timestamp_s=NOW_S - age_s)
    swap = replace(SWAP, deadline=NOW_S + 30)

    assert _reasons(replace(proposal(swap), head=head, quotes=(QUOTE,))) == reasons


def test_a_reference_from_an_old_block_prices_nothing() -> None:
    old = replace(QUOTE, block_timestamp_s=NOW_S - 121)

    assert _reasons(replace(proposal(), quotes=(QUOTE, old))) == [DenyReason.PRICE_TOO_OLD]


def test_an_approval_needs_no_price() -> None:
    assert _reasons(replace(proposal(APPROVE), head=replace(HEAD, timestamp_s=0))) == []


# slippage


@pytest.mark.parametrize(
    ("reference", "minimum_out", "actual_bps"),
    [
        (1_000_000, 995_000, None),
        (1_000_000, 994_999, "51"),
        (1_000_000, 990_000, "100"),
        (1_000_000, 0, "10000"),
        (1_000_000, 2_000_000, None),
        # 199 x 0.995 is 198.005: the minimum is 199, not 198.
        (199, 199, None),
        (199, 198, "51"),
        (1, 1, None),
        (1, 0, "10000"),
    ],
)
def test_slippage_is_rounded_against_the_trader(
    reference: int, minimum_out: int, actual_bps: str | None
) -> None:
    judged = proposal(replace(SWAP, minimum_out=minimum_out))

    violations = _violations(replace(judged, quotes=(replace(QUOTE, amount_out=reference),)))

    expected = [] if actual_bps is None else [(DenyReason.SLIPPAGE_TOO_HIGH, "50", actual_bps)]
    assert [(found.reason, found.limit, found.actual) for found in violations] == expected


def test_the_strictest_reference_counts() -> None:
    quotes = (QUOTE, replace(QUOTE, source="feed", amount_out=1_000_006), replace(QUOTE, amount_out=5))

    assert _reasons(replace(proposal(), quotes=quotes)) == [DenyReason.SLIPPAGE_TOO_HIGH]


@pytest.mark.parametrize(
    ("amounts", "actual"), [((), "none"), ((0,), "pool_quote=0"), ((1, 0), "pool_quote=1 pool_quote=0")]
)
def test_without_a_price_there_is_no_swap(amounts: Sequence[int], actual: str) -> None:
    quotes = tuple(replace(QUOTE, amount_out=amount) for amount in amounts)

    (violation,) = _violations(replace(proposal(replace(SWAP, minimum_out=0)), quotes=quotes))

    assert violation.reason is DenyReason.NO_REFERENCE_PRICE
    assert violation.actual == actual


# rolling


@pytest.mark.parametrize(
    ("action", "resource", "window_s", "room", "reason"),
    [
        (SWAP, token_resource(WETH), 3_600, 2_000_000, DenyReason.ROLLING_CAP_EXCEEDED),
        (SWAP, token_resource(WETH), 86_400, 9_000_000, DenyReason.ROLLING_CAP_EXCEEDED),
        (TRANSFER, NATIVE, 86_400, 2_000, DenyReason.ROLLING_CAP_EXCEEDED),
        (SWAP, FEE, 86_400, 10**17 - 6 * 10**15, DenyReason.FEE_CAP_EXCEEDED),
        (APPROVE, TRANSACTIONS, 60, 29, DenyReason.RATE_EXCEEDED),
    ],
)
def test_a_window_takes_what_fits_and_not_one_unit_more(
    action: Action, resource: Resource, window_s: int, room: int, reason: DenyReason
) -> None:
    judged = proposal(action)

    assert _reasons(replace(judged, usage={(resource, window_s): room})) == []
    (violation,) = _violations(replace(judged, usage={(resource, window_s): room + 1}))
    assert violation.reason is reason
    assert violation.rule == f"rolling_{window_s}_s"
    assert int(violation.actual) == int(violation.limit) + 1


def test_what_another_token_used_does_not_count() -> None:
    usage = {(token_resource(USDC), 3_600): 10**30}

    assert _reasons(replace(proposal(), usage=usage)) == []


def test_the_unit_of_a_token_cap_names_the_token() -> None:
    usage = {(token_resource(WETH), 3_600): 3_000_000}

    (violation,) = _violations(replace(proposal(), usage=usage))

    assert violation.unit == f"base units of {WETH}"
