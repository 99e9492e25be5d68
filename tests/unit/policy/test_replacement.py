from dataclasses import replace

import pytest

from signer.domain.accounts import AccountId
from signer.domain.budget import FEE, TRANSACTIONS, Charge
from signer.domain.decisions import Approved, Decision, Denied
from signer.domain.reasons import DenyReason
from signer.domain.transactions import EvmPayload
from signer.policy.replacement import (
    TRACE,
    cancellation_of,
    decide_cancellation,
    decide_replacement,
    least_fee_wei,
    replacement_of,
)
from tests.fakes import calldata
from tests.fakes.policies import ACCOUNT, GWEI, OWN, SWAP, THIEF, policy

NEWEST = calldata.payload(SWAP)  # 200,000 gas at 30 gwei, tip 1 gwei
FEE_PER_GAS = 33 * GWEI
TIP = 11 * GWEI // 10


def _replace(payload: EvmPayload) -> Decision:
    return decide_replacement(policy(), ACCOUNT, newest=NEWEST, replacement=payload, usage={})


def _cancel(payload: EvmPayload) -> Decision:
    return decide_cancellation(policy(), ACCOUNT, newest=NEWEST, cancellation=payload, usage={})


def _reasons(decision: Decision) -> list[DenyReason]:
    assert isinstance(decision, Denied)
    assert decision.trace == TRACE
    return [violation.reason for violation in decision.violations]


def test_a_replacement_is_charged_with_the_difference_in_fee_only() -> None:
    decision = _replace(replacement_of(NEWEST, FEE_PER_GAS, TIP))

    assert isinstance(decision, Approved)
    assert decision.charges == (
        Charge(resource=FEE, amount=200_000 * 3 * GWEI),
        Charge(resource=TRANSACTIONS, amount=1),
    )
    assert {limit.resource for limit in decision.limits} == {FEE, TRANSACTIONS}


def test_a_cancellation_that_costs_less_than_the_swap_is_charged_no_fee() -> None:
    decision = _cancel(cancellation_of(OWN, FEE_PER_GAS, TIP))

    assert isinstance(decision, Approved)
    assert decision.charges[0] == Charge(resource=FEE, amount=0)


def test_a_cancellation_is_an_empty_transfer_to_oneself() -> None:
    payload = cancellation_of(OWN, FEE_PER_GAS, TIP)

    assert (payload.to, payload.value_wei, payload.data, payload.gas_limit) == (OWN, 0, b"", 21_000)


@pytest.mark.parametrize(
    ("fee", "tip", "reasons"),
    [
        (FEE_PER_GAS - 1, TIP, [DenyReason.REPLACEMENT_UNDERPRICED]),
        (FEE_PER_GAS, TIP - 1, [DenyReason.REPLACEMENT_UNDERPRICED]),
        (30 * GWEI, GWEI, [DenyReason.REPLACEMENT_UNDERPRICED] * 2),
        (51 * GWEI, TIP, [DenyReason.GAS_PRICE_TOO_HIGH, DenyReason.FEE_TOO_HIGH]),
        (FEE_PER_GAS, 3 * GWEI, [DenyReason.PRIORITY_FEE_TOO_HIGH]),
    ],
)
def test_both_fees_rise_by_a_tenth_and_stay_within_their_limits(
    fee: int, tip: int, reasons: list[DenyReason]
) -> None:
    assert _reasons(_replace(replacement_of(NEWEST, fee, tip))) == reasons


@pytest.mark.parametrize(("before", "least"), [(0, 1), (1, 2), (9, 10), (10, 11), (11, 13), (100, 110)])
def test_the_tenth_is_rounded_up(before: int, least: int) -> None:
    assert least_fee_wei(before) == least


@pytest.mark.parametrize(
    "changed",
    [
        replace(NEWEST, to=THIEF),
        replace(NEWEST, value_wei=1),
        replace(NEWEST, data=b""),
        replace(NEWEST, gas_limit=200_001),
        cancellation_of(OWN, FEE_PER_GAS, TIP),
    ],
)
def test_a_replacement_changes_nothing_but_fees(changed: EvmPayload) -> None:
    payload = replace(changed, max_fee_per_gas_wei=FEE_PER_GAS, max_priority_fee_per_gas_wei=TIP)

    assert _reasons(_replace(payload)) == [DenyReason.NOT_REPLACEABLE]


@pytest.mark.parametrize(
    "changed",
    [
        {"to": THIEF},
        {"value_wei": 1},
        {"data": b"\0"},
        {"gas_limit": 21_001},
    ],
)
def test_a_cancellation_does_nothing(changed: dict[str, object]) -> None:
    payload = replace(cancellation_of(OWN, FEE_PER_GAS, TIP), **changed)  # type: ignore[arg-type]  # one field each

    assert _reasons(_cancel(payload)) == [DenyReason.NOT_REPLACEABLE]


def test_a_replacement_counts_against_the_rate_and_the_fee_cap() -> None:
    payload = replacement_of(NEWEST, FEE_PER_GAS, TIP)
    usage = {(FEE, 86_400): 10**17, (TRANSACTIONS, 60): 30}

    decision = decide_replacement(policy(), ACCOUNT, newest=NEWEST, replacement=payload, usage=usage)

    assert _reasons(decision) == [DenyReason.FEE_CAP_EXCEEDED, DenyReason.RATE_EXCEEDED]


def test_an_account_that_the_policy_does_not_name_replaces_and_cancels_nothing() -> None:
    stranger = AccountId(f"eip155:31337:{THIEF}")

    for decision in (
        decide_replacement(policy(), stranger, newest=NEWEST, replacement=NEWEST, usage={}),
        decide_cancellation(policy(), stranger, newest=NEWEST, cancellation=NEWEST, usage={}),
    ):
        assert isinstance(decision, Denied)
        assert decision.violations[0].reason is DenyReason.ACCOUNT_NOT_IN_POLICY
