from collections.abc import Iterator
from dataclasses import replace

import pytest

from signer.decode.evm.decoder import decode
from signer.domain.accounts import AccountId
from signer.domain.actions import Action, NotUnderstood
from signer.domain.budget import FEE, NATIVE, TRANSACTIONS, Charge, token_resource
from signer.domain.decisions import Approved, Denied, Violation
from signer.domain.reasons import DenyReason
from signer.policy.decide import TRACE, decide
from signer.policy.limits import limits_of
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal
from tests.fakes import calldata
from tests.fakes.policies import (
    ACCOUNT,
    APPROVE,
    DEPOSIT,
    OWN,
    POLICY,
    SWAP,
    THIEF,
    TRANSFER,
    WETH,
    WITHDRAW,
    account_policy,
    policy,
    proposal,
)


@pytest.mark.parametrize("action", [SWAP, APPROVE, TRANSFER, DEPOSIT, WITHDRAW])
def test_what_the_policy_names_passes(action: Action) -> None:
    decision = decide(policy(), proposal(action))

    assert isinstance(decision, Approved)
    assert decision.trace == TRACE


def test_a_swap_is_charged_with_its_input_its_worst_fee_and_one_transaction() -> None:
    decision = decide(policy(), proposal())

    assert isinstance(decision, Approved)
    assert decision.charges == (
        Charge(resource=token_resource(WETH), amount=1_000_000),
        Charge(resource=FEE, amount=200_000 * 30 * 10**9),
        Charge(resource=TRANSACTIONS, amount=1),
    )
    assert {(limit.resource, limit.window_s, limit.limit) for limit in decision.limits} == {
        (token_resource(WETH), 3_600, 3_000_000),
        (token_resource(WETH), 86_400, 10_000_000),
        (FEE, 86_400, 10**17),
        (TRANSACTIONS, 60, 30),
    }


@pytest.mark.parametrize(
    ("action", "resources"),
    [
        (TRANSFER, [NATIVE, FEE, TRANSACTIONS]),
        (APPROVE, [FEE, TRANSACTIONS]),
        (DEPOSIT, [FEE, TRANSACTIONS]),
        (WITHDRAW, [FEE, TRANSACTIONS]),
    ],
)
def test_only_what_leaves_the_account_is_charged(action: Action, resources: list[str]) -> None:
    decision = decide(policy(), proposal(action))

    assert isinstance(decision, Approved)
    assert [charge.resource for charge in decision.charges] == resources


def test_all_limits_of_an_account_are_known_beforehand() -> None:
    limits = limits_of(account_policy())

    assert len(limits) == 3 + 2 * 3
    assert all(limit.limit >= 0 for limit in limits)


def test_an_account_that_the_policy_does_not_name_may_do_nothing() -> None:
    stranger = AccountId(f"eip155:31337:{THIEF}")

    decision = decide(policy(), replace(proposal(), account=stranger))

    assert isinstance(decision, Denied)
    assert [violation.reason for violation in decision.violations] == [DenyReason.ACCOUNT_NOT_IN_POLICY]


def test_the_same_address_on_another_chain_is_another_account() -> None:
    decision = decide(policy(), replace(proposal(), account=AccountId(f"eip155:1:{OWN}")))

    assert isinstance(decision, Denied)
    (violation,) = decision.violations
    assert violation.reason is DenyReason.CHAIN_NOT_ALLOWED
    assert (violation.limit, violation.actual) == ("eip155:31337", "eip155:1")


def test_an_empty_policy_allows_nothing() -> None:
    decision = decide(replace(policy(), accounts=()), proposal())

    assert isinstance(decision, Denied)


def test_every_violation_is_reported_in_the_order_of_the_rules() -> None:
    theft = replace(SWAP, recipient=THIEF, minimum_out=0, amount_in=10**30, path=(WETH, THIEF), deadline=0)

    decision = decide(policy(), proposal(theft))

    assert isinstance(decision, Denied)
    assert [violation.reason for violation in decision.violations] == [
        DenyReason.RECIPIENT_NOT_ALLOWED,
        DenyReason.TOKEN_NOT_ALLOWED,
        DenyReason.AMOUNT_TOO_HIGH,
        DenyReason.DEADLINE_PASSED,
        DenyReason.SLIPPAGE_TOO_HIGH,
        DenyReason.ROLLING_CAP_EXCEEDED,
        DenyReason.ROLLING_CAP_EXCEEDED,
    ]


def test_what_is_not_understood_is_denied_in_the_decoders_words_and_still_judged_by_its_fee() -> None:
    payload = replace(calldata.call(WETH, b"\x12\x34\x56\x78"), gas_limit=10**9)
    action = decode(payload, account_policy().contracts())
    assert isinstance(action, NotUnderstood)

    decision = decide(policy(), replace(proposal(action), payload=payload))

    assert isinstance(decision, Denied)
    assert decision.violations[0] == action.violation
    assert [violation.reason for violation in decision.violations[1:]] == [
        DenyReason.GAS_LIMIT_TOO_HIGH,
        DenyReason.FEE_TOO_HIGH,
        DenyReason.FEE_CAP_EXCEEDED,
    ]


def test_a_broken_rule_is_not_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: AccountPolicy, __: Proposal) -> Iterator[Violation]:
        raise ZeroDivisionError

    monkeypatch.setattr("signer.policy.decide.RULES", (broken,))

    with pytest.raises(ZeroDivisionError):
        decide(policy(), proposal())


def test_a_proposal_is_judged_wholly_by_one_version_of_the_policy() -> None:
    # Decoded while the router was listed, decided when it is not any more.
    without_v2 = POLICY.split("[[accounts.routers]]")
    newer = policy(
        ("[[accounts.routers]]" + without_v2[1], ""),
        (f'spenders = ["{SWAP.router}", ', "spenders = ["),
        (f'spenders = ["{SWAP.router}"]', "spenders = []"),
    )

    decision = decide(newer, proposal())

    assert isinstance(decision, Denied)
    assert [violation.reason for violation in decision.violations] == [DenyReason.CONTRACT_NOT_ALLOWED]
    assert newer.account(ACCOUNT) is not None
