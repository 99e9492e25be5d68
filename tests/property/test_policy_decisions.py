"""Whatever a compromised trader sends: what is approved stays within every number of the policy."""

from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from signer.decode.evm.decoder import decode
from signer.domain.accounts import Address
from signer.domain.actions import (
    Action,
    Erc20Approve,
    NativeTransfer,
    Swap,
    SwapVenue,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.budget import excesses
from signer.domain.chain import ReferenceQuote
from signer.domain.decisions import Approved
from signer.domain.transactions import EvmPayload
from signer.policy.decide import decide
from signer.policy.proposal import Proposal
from signer.policy.replacement import decide_replacement, least_fee_wei, replacement_of
from tests.fakes.policies import (
    ACCOUNT,
    APPROVE,
    DEPOSIT,
    GWEI,
    NOW_S,
    OWN,
    QUOTE,
    SAVINGS,
    SWAP,
    THIEF,
    TRANSFER,
    USDC,
    V3_ROUTER,
    WETH,
    WITHDRAW,
    honest_claim,
    policy,
    proposal,
)

POLICY = policy()
RULES = POLICY.accounts[0]
V3_SWAP = replace(SWAP, venue=SwapVenue.UNISWAP_SWAP_ROUTER02, router=V3_ROUTER, fees=(3000,))

hostile_amounts = st.sampled_from((0, 1_001, 1_000_001, 2**256 - 1)) | st.integers(0, 2**256 - 1)
hostile_addresses = st.sampled_from((OWN, V3_ROUTER, USDC, THIEF, Address("0x" + "00" * 19 + "02")))


def _bend(action: Action, changes: dict[str, int | Address]) -> Action:
    """An action that the policy allows, with some fields as an attacker would have them."""
    known = {name: value for name, value in changes.items() if name in type(action).__dataclass_fields__}
    return replace(action, **known)  # type: ignore[arg-type]  # each field gets a value of its own type


actions = st.builds(
    _bend,
    st.sampled_from((APPROVE, TRANSFER, DEPOSIT, WITHDRAW, SWAP, V3_SWAP)),
    st.fixed_dictionaries(
        {},
        optional={
            "amount": hostile_amounts,
            "amount_wei": hostile_amounts,
            "amount_in": hostile_amounts.map(lambda amount: max(1, amount)),
            "minimum_out": hostile_amounts,
            "spender": hostile_addresses,
            "recipient": hostile_addresses,
            "deadline": st.integers(NOW_S - 5, NOW_S + 200),
        },
    ),
)
quotes = st.lists(
    st.sampled_from((0, 900_000, 1_000_000, 1_100_000)).map(lambda out: replace(QUOTE, amount_out=out)),
    max_size=2,
).map(tuple)
gas_limits = st.just(200_000) | st.integers(0, 600_000)
fees = st.just(30 * GWEI) | st.integers(0, 60 * GWEI)
tips = st.just(GWEI) | st.integers(0, 3 * GWEI)


@given(actions, quotes, gas_limits, fees, tips)
@settings(max_examples=300)
def test_what_is_approved_is_within_every_limit(
    action: Action, references: tuple[ReferenceQuote, ...], gas_limit: int, fee: int, tip: int
) -> None:
    judged = replace(proposal(action), quotes=references)
    payload = replace(
        judged.payload, gas_limit=gas_limit, max_fee_per_gas_wei=fee, max_priority_fee_per_gas_wei=tip
    )
    judged = replace(judged, payload=payload, action=decode(payload, RULES.contracts()))

    decision = decide(POLICY, judged)

    event(f"{type(action).__name__}: {type(decision).__name__}")
    if isinstance(decision, Approved):
        assert judged.action == action
        assert excesses(decision.limits, decision.charges, {}) == ()
        _fees_are_within_limits(payload)
        _action_is_within_limits(judged)


@given(fees, tips)
def test_an_approved_replacement_is_one_that_nodes_take_and_the_policy_pays(fee: int, tip: int) -> None:
    newest = proposal().payload
    payload = replacement_of(newest, fee, tip)

    decision = decide_replacement(POLICY, ACCOUNT, newest=newest, replacement=payload, usage={})

    if isinstance(decision, Approved):
        assert fee >= least_fee_wei(newest.max_fee_per_gas_wei)
        assert tip >= least_fee_wei(newest.max_priority_fee_per_gas_wei)
        _fees_are_within_limits(payload)


@given(actions, actions)
def test_bytes_never_pass_under_another_actions_claim(action: Action, other: Action) -> None:
    if isinstance(decide(POLICY, proposal(action, honest_claim(other))), Approved):
        assert honest_claim(other) == honest_claim(action)


def _fees_are_within_limits(payload: EvmPayload) -> None:
    limits = RULES.fees
    assert payload.max_priority_fee_per_gas_wei <= payload.max_fee_per_gas_wei <= limits.max_fee_per_gas_wei
    assert payload.max_priority_fee_per_gas_wei <= limits.max_priority_fee_per_gas_wei
    assert payload.gas_limit <= limits.max_gas_limit
    assert payload.worst_fee_wei <= limits.max_fee_per_transaction_wei


def _action_is_within_limits(judged: Proposal) -> None:
    action = judged.action
    if isinstance(action, NativeTransfer):
        assert action.recipient == SAVINGS
        assert action.amount_wei <= RULES.native.max_per_transfer_wei
    elif isinstance(action, Erc20Approve):
        token = RULES.token_at[action.token]
        assert action.spender in token.spenders
        assert action.amount <= token.max_approval
    elif isinstance(action, Swap):
        assert action.recipient == OWN
        assert set(action.path) <= set(RULES.token_at)
        assert action.amount_in <= RULES.token_at[action.token_in].max_per_trade
        assert NOW_S < action.deadline <= NOW_S + RULES.max_deadline_s
        assert judged.quotes
        for quote in judged.quotes:
            assert action.minimum_out * 10_000 >= quote.amount_out * 9_950
    elif isinstance(action, WethDeposit | WethWithdraw):
        assert action.amount_wei <= RULES.token_at[WETH].max_per_trade
