"""What a drain may do: give everything to the successor, end allowances, and nothing else whatsoever."""

from dataclasses import replace

import pytest

from signer.decode.evm.decoder import decode, decode_drain
from signer.decode.evm.erc20 import approve_call, transfer_call
from signer.domain.accounts import AccountId, Address
from signer.domain.actions import Erc20Approve, Erc20Transfer, NativeTransfer, NotUnderstood
from signer.domain.budget import FEE, Charge
from signer.domain.decisions import Approved, Decision, Denied
from signer.domain.reasons import DenyReason
from signer.domain.transactions import EvmPayload
from signer.policy.draining import (
    DrainingPolicy,
    decide_drain,
    decide_drain_cancellation,
    decide_drain_replacement,
    draining,
    listed_allowances,
)
from signer.policy.inherit import rules_of_old, with_successors
from signer.policy.replacement import cancellation_of, replacement_of
from tests.fakes import calldata, policies
from tests.fakes.policies import GWEI, OWN, SAVINGS, THIEF, USDC, V2_ROUTER, V3_ROUTER, WETH

SUCCESSOR = Address("0x" + "bb" * 20)
NEW = AccountId(f"eip155:31337:{SUCCESSOR}")
EMERGENCY = (
    "max_transactions_per_minute = 30",
    f"""max_transactions_per_minute = 30
emergency_max_fee_per_gas_wei = {200 * GWEI}
emergency_max_priority_fee_per_gas_wei = {20 * GWEI}
emergency_max_fee_per_transaction_wei = "90000000000000000"
""",
)


def rules(*changes: tuple[str, str], emergency: bool = False) -> DrainingPolicy:
    return draining(policies.account_policy(*changes), SUCCESSOR, emergency=emergency)


def payload(
    to: Address, data: bytes = b"", value_wei: int = 0, *, fee_gwei: int = 20, gas: int = 60_000
) -> EvmPayload:
    return EvmPayload(
        to=to,
        value_wei=value_wei,
        data=data,
        gas_limit=gas,
        max_fee_per_gas_wei=fee_gwei * GWEI,
        max_priority_fee_per_gas_wei=GWEI,
    )


def judged(policy: DrainingPolicy, asked: EvmPayload) -> Decision:
    return decide_drain(policy, asked, decode_drain(asked, policy.rules.contracts()))


def reasons(decision: Decision) -> list[DenyReason]:
    assert isinstance(decision, Denied)
    return [violation.reason for violation in decision.violations]


@pytest.mark.parametrize(
    "asked",
    [
        payload(WETH, transfer_call(SUCCESSOR, 10**30)),
        payload(USDC, transfer_call(SUCCESSOR, 1)),
        payload(SUCCESSOR, value_wei=10**30),
        payload(WETH, approve_call(V2_ROUTER, 0)),
        payload(USDC, approve_call(V3_ROUTER, 0)),
    ],
)
def test_everything_may_go_to_the_successor_and_costs_a_fee_only(asked: EvmPayload) -> None:
    decision = judged(rules(), asked)

    assert isinstance(decision, Approved)
    assert [(charge.resource, charge.amount) for charge in decision.charges] == [(FEE, asked.worst_fee_wei)]
    assert {limit.resource for limit in decision.limits} == {FEE}


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (payload(WETH, transfer_call(THIEF, 1)), DenyReason.RECIPIENT_NOT_ALLOWED),
        (payload(WETH, transfer_call(OWN, 1)), DenyReason.RECIPIENT_NOT_ALLOWED),
        (payload(THIEF, value_wei=1), DenyReason.RECIPIENT_NOT_ALLOWED),
        (payload(SAVINGS, value_wei=1), DenyReason.RECIPIENT_NOT_ALLOWED),
        (payload(WETH, approve_call(V2_ROUTER, 1)), DenyReason.APPROVAL_TOO_HIGH),
        (payload(WETH, approve_call(THIEF, 0)), DenyReason.SPENDER_NOT_ALLOWED),
        (payload(THIEF, transfer_call(SUCCESSOR, 1)), DenyReason.CONTRACT_NOT_ALLOWED),
        (payload(V2_ROUTER, transfer_call(SUCCESSOR, 1)), DenyReason.NOT_UNDERSTOOD),
        (payload(WETH, transfer_call(SUCCESSOR, 1) + b"\0"), DenyReason.NOT_UNDERSTOOD),
        (payload(WETH, transfer_call(SUCCESSOR, 1), value_wei=1), DenyReason.UNEXPECTED_VALUE),
        (payload(WETH, calldata.payload(policies.WITHDRAW).data), DenyReason.NOT_UNDERSTOOD),
        (calldata.payload(replace(policies.SWAP, recipient=SUCCESSOR)), DenyReason.NOT_UNDERSTOOD),
        (payload(SUCCESSOR, value_wei=1, fee_gwei=51), DenyReason.GAS_PRICE_TOO_HIGH),
        (payload(SUCCESSOR, value_wei=1, gas=400_000, fee_gwei=50), DenyReason.FEE_TOO_HIGH),
    ],
)
def test_anything_else_is_denied_whoever_asks(asked: EvmPayload, reason: DenyReason) -> None:
    assert reason in reasons(judged(rules(), asked))


def test_a_transfer_has_no_reading_for_a_client() -> None:
    asked = payload(WETH, transfer_call(SUCCESSOR, 1))

    assert isinstance(decode(asked, policies.account_policy().contracts()), NotUnderstood)


def test_what_is_written_is_what_is_read() -> None:
    contracts = policies.account_policy().contracts()

    assert decode_drain(payload(WETH, transfer_call(SUCCESSOR, 7)), contracts) == Erc20Transfer(
        token=WETH, recipient=SUCCESSOR, amount=7
    )
    assert decode_drain(payload(WETH, approve_call(V2_ROUTER, 0)), contracts) == Erc20Approve(
        token=WETH, spender=V2_ROUTER, amount=0
    )
    assert decode_drain(payload(SUCCESSOR, value_wei=3), contracts) == NativeTransfer(
        recipient=SUCCESSOR, amount_wei=3
    )


def test_an_emergency_raises_fees_only_as_the_policy_says() -> None:
    dear = payload(SUCCESSOR, value_wei=1, fee_gwei=150)

    assert isinstance(judged(rules(EMERGENCY, emergency=True), dear), Approved)
    assert reasons(judged(rules(EMERGENCY), dear)) == [DenyReason.GAS_PRICE_TOO_HIGH]
    assert reasons(judged(rules(emergency=True), dear)) == [DenyReason.GAS_PRICE_TOO_HIGH]


def test_a_stuck_sweep_may_cost_more_and_do_nothing_else() -> None:
    newest = payload(WETH, transfer_call(SUCCESSOR, 1))
    higher = replacement_of(newest, 22 * GWEI, 2 * GWEI)
    policy = rules()

    approved = decide_drain_replacement(policy, newest=newest, replacement=higher)
    denied = decide_drain_replacement(policy, newest=newest, replacement=replace(higher, data=b""))

    assert isinstance(approved, Approved)
    assert approved.charges == (Charge(resource=FEE, amount=60_000 * 2 * GWEI),)
    assert reasons(denied) == [DenyReason.NOT_REPLACEABLE]


def test_a_transaction_in_the_way_may_be_cancelled_whatever_the_rate() -> None:
    newest = replace(calldata.payload(policies.SWAP), max_priority_fee_per_gas_wei=GWEI)
    policy = rules()
    cancellation = cancellation_of(OWN, 40 * GWEI, 2 * GWEI)

    decision = decide_drain_cancellation(policy, newest=newest, cancellation=cancellation)

    assert isinstance(decision, Approved)
    assert {charge.resource for charge in decision.charges} == {FEE}
    assert {limit.resource for limit in decision.limits} == {FEE}


def test_every_listed_token_is_looked_at_for_every_listed_router() -> None:
    assert len(listed_allowances(policies.account_policy())) == 3 * 2


def test_a_successor_inherits_the_table_and_the_file_wins() -> None:
    policy = policies.policy()
    inherited = with_successors(policy, [(policies.ACCOUNT, NEW)])
    own_table = with_successors(inherited, [(policies.ACCOUNT, NEW)])

    table = inherited.account(NEW)
    assert table is not None
    assert (table.address, table.tokens) == (SUCCESSOR, policy.accounts[0].tokens)
    assert own_table.accounts == inherited.accounts
    assert inherited.hash == policy.hash


def test_a_chain_of_successors_inherits_from_one_to_the_next() -> None:
    third = AccountId("eip155:31337:0x" + "cc" * 20)
    policy = with_successors(policies.policy(), [(policies.ACCOUNT, NEW), (NEW, third)])

    assert policy.account(third) is not None


def test_an_account_that_was_struck_from_the_file_drains_by_its_successors_table() -> None:
    only_new = policies.policy((policies.ACCOUNT, NEW))

    found = rules_of_old(only_new, policies.ACCOUNT, NEW)

    assert found is not None
    assert (found.account, found.address) == (policies.ACCOUNT, OWN)
    assert rules_of_old(replace(only_new, accounts=()), policies.ACCOUNT, NEW) is None
