"""What a drain does next, position by position. The plan remembers nothing: each row is the whole story."""

from dataclasses import replace

import pytest

from signer.domain.accounts import AccountId, Address
from signer.domain.actions import DrainAction, Erc20Approve, Erc20Transfer, NativeTransfer
from signer.domain.records import TransactionRecord
from signer.domain.rotation import ROTATION_CLIENT
from signer.domain.slots import SlotState, TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import (
    ClientName,
    EvmPayload,
    IdempotencyKey,
    SignedBytes,
    TransactionId,
    UnsignedEvmTransaction,
)
from signer.service.rotation.bids import FeeLimits, bid, native_bid, outbid
from signer.service.rotation.plan import (
    AllowanceLeft,
    Broadcast,
    Patience,
    Pending,
    Position,
    Replace,
    Send,
    Swept,
    TokenLeft,
    Wait,
    Waiting,
    is_native_dust,
    plan,
)

GWEI = 10**9
ETHER = 10**18
NOW = UnixMs(1_800_000_000_000)
OLD = Address("0x" + "aa" * 20)
NEW = Address("0x" + "bb" * 20)
WETH, USDC, ROUTER = (Address("0x" + pair * 20) for pair in ("41", "42", "21"))
LIMITS = FeeLimits(
    max_fee_per_gas_wei=50 * GWEI,
    max_priority_fee_per_gas_wei=2 * GWEI,
    max_gas_limit=500_000,
    max_fee_per_transaction_wei=10**16,
)
EMPTY = Position(
    now=NOW,
    emergency=False,
    pending=(),
    inbound=(),
    known=frozenset(),
    refused=frozenset(),
    unsettled=False,
    gap=False,
    allowances=(),
    tokens=(),
    native_wei=0,
    sweep_left_wei=0,
    base_fee_wei=10 * GWEI,
    fees=LIMITS,
    patience=Patience(),
)
ALLOWANCE = AllowanceLeft(token=WETH, spender=ROUTER, gas=60_000)
TOKEN = TokenLeft(token=USDC, amount=5_000, gas=70_000, dust=False)
FULL = replace(EMPTY, allowances=(ALLOWANCE,), tokens=(TOKEN,), native_wei=ETHER)
REVOKE = Erc20Approve(token=WETH, spender=ROUTER, amount=0)
SWEEP = Erc20Transfer(token=USDC, recipient=NEW, amount=5_000)
FILL = NativeTransfer(recipient=NEW, amount_wei=0)


def pending(
    action: DrainAction | None = None,
    *,
    nonce: int = 0,
    state: SlotState = SlotState.BROADCAST,
    age_s: int = 0,
    fee_gwei: int = 25,
    value_wei: int = 0,
    gas: int = 70_000,
    kind: TransactionKind = TransactionKind.ORIGINAL,
    ours: bool = True,
) -> Pending:
    payload = EvmPayload(
        to=USDC,
        value_wei=value_wei,
        data=b"",
        gas_limit=gas,
        max_fee_per_gas_wei=fee_gwei * GWEI,
        max_priority_fee_per_gas_wei=GWEI,
    )
    record = TransactionRecord(
        id=TransactionId(f"{nonce:032x}"),
        account=AccountId(f"eip155:31337:{OLD}"),
        client=ROTATION_CLIENT if ours else ClientName("spiffe://test/trader"),
        idempotency_key=IdempotencyKey("key-of-a-test-0000"),
        request_digest="",
        kind=kind,
        replaces=None,
        state=state,
        unsigned=UnsignedEvmTransaction(chain_id=31337, nonce=nonce, payload=payload),
        payload_hash="0x",
        policy_hash="",
        reserved_at=NOW,
        signed=SignedBytes(raw=b"\x02", hash="0x" + "00" * 32),
        signed_at=UnixMs(NOW - age_s * 1_000),
    )
    return Pending(record=record, action=action, since=UnixMs(NOW - age_s * 1_000))


def sends(position: Position) -> DrainAction:
    step = plan(position, NEW)
    assert isinstance(step, Send), step
    return step.action


def test_allowances_come_before_tokens_and_tokens_before_the_coin() -> None:
    assert sends(FULL) == REVOKE
    assert sends(replace(FULL, allowances=())) == SWEEP
    last = sends(replace(FULL, allowances=(), tokens=()))
    assert isinstance(last, NativeTransfer)
    assert last.recipient == NEW


def test_the_last_transfer_leaves_exactly_its_worst_fee() -> None:
    step = plan(replace(EMPTY, native_wei=ETHER), NEW)

    assert isinstance(step, Send)
    assert isinstance(step.action, NativeTransfer)
    assert step.action.amount_wei + step.gas * step.bid.max_fee_wei == ETHER


def test_in_an_emergency_tokens_come_first_and_the_coin_leaves_what_allowances_cost() -> None:
    urgent = replace(FULL, emergency=True)
    going = pending(SWEEP)
    step = plan(replace(urgent, pending=(going,)), NEW)

    assert sends(urgent) == SWEEP
    assert isinstance(step, Send)
    assert isinstance(step.action, NativeTransfer)
    offer = bid(LIMITS, 10 * GWEI, gas=60_000, urgent=True)
    assert offer is not None
    taken = going.record.unsigned.payload.worst_fee_wei + 60_000 * offer.max_fee_wei
    assert step.action.amount_wei == ETHER - taken - 21_000 * step.bid.max_fee_wei
    fee_gwei = step.bid.max_fee_wei // GWEI
    coin = pending(step.action, nonce=1, value_wei=step.action.amount_wei, gas=21_000, fee_gwei=fee_gwei)
    assert sends(replace(urgent, pending=(going, coin))) == REVOKE


@pytest.mark.parametrize(
    ("position", "why"),
    [
        (replace(FULL, pending=(pending(REVOKE),)), Waiting.MINED),
        (replace(FULL, pending=(pending(ours=False),)), Waiting.IN_FLIGHT),
        (replace(FULL, base_fee_wei=60 * GWEI), Waiting.FEES),
        (replace(FULL, native_wei=10), Waiting.FUNDS),
        (replace(EMPTY, tokens=(replace(TOKEN, gas=None),)), Waiting.UNMOVABLE),
        (replace(EMPTY, unsettled=True), Waiting.FINAL),
        (replace(EMPTY, emergency=True, pending=(pending(SWEEP),)), Waiting.MINED),
        (replace(EMPTY, native_wei=ETHER, base_fee_wei=60 * GWEI), Waiting.FEES),
    ],
)
def test_what_it_waits_for_has_a_name(position: Position, why: Waiting) -> None:
    assert plan(position, NEW) == Wait(why=why)


def test_only_dust_and_nothing_open_is_swept() -> None:
    dust = replace(EMPTY, native_wei=10**14, tokens=(replace(TOKEN, amount=1, dust=True, gas=None),))

    assert plan(EMPTY, NEW) == Swept()
    assert plan(dust, NEW) == Swept()
    assert is_native_dust(dust)
    assert not is_native_dust(FULL)


def test_what_the_last_sweep_left_of_its_fee_stays_dust_when_fees_fall() -> None:
    """Who was told that all is swept has closed its books: a late transfer would be a difference there."""
    cheap = replace(EMPTY, base_fee_wei=1, native_wei=10**14)

    assert isinstance(sends(cheap), NativeTransfer)
    assert plan(replace(cheap, sweep_left_wei=10**14), NEW) == Swept()
    assert isinstance(sends(replace(cheap, sweep_left_wei=10**14 - 1)), NativeTransfer)


def test_what_cannot_be_moved_does_not_keep_the_rest() -> None:
    stuck = replace(TOKEN, gas=None)
    other = replace(TOKEN, token=WETH)

    assert sends(replace(EMPTY, tokens=(stuck, other), native_wei=ETHER)) == replace(SWEEP, token=WETH)


@pytest.mark.parametrize(
    ("left", "why"),
    [
        (replace(TOKEN, gas=None), Waiting.UNMOVABLE),  # a node that could not estimate says the same
        (replace(TOKEN, gas=500_000), Waiting.FEES),  # below the cap per gas, above the one per transaction
        (replace(TOKEN, gas=400_000), Waiting.FUNDS),
    ],
)
def test_the_coin_waits_for_whatever_goes_before_it(left: TokenLeft, why: Waiting) -> None:
    """Once it is gone, nothing pays for the token."""
    waits = replace(EMPTY, tokens=(left,), base_fee_wei=21 * GWEI, native_wei=400_000 * 20 * GWEI)
    with_funds = replace(waits, native_wei=ETHER)

    assert plan(waits if why is Waiting.FUNDS else with_funds, NEW) == Wait(why=why)
    assert isinstance(sends(replace(with_funds, emergency=True, tokens=())), NativeTransfer)


def test_a_signature_that_may_never_have_left_is_broadcast_once_a_turn() -> None:
    fresh = pending(SWEEP, state=SlotState.SIGNED)
    position = replace(FULL, pending=(fresh,))

    assert plan(position, NEW) == Broadcast(record=fresh.record)
    assert plan(replace(position, known=frozenset({fresh.record.id})), NEW) == Wait(why=Waiting.MINED)


def test_what_the_node_refuses_is_out_of_the_way_after_a_moment() -> None:
    action = NativeTransfer(recipient=NEW, amount_wei=ETHER // 2)
    refused = pending(action, state=SlotState.SIGNED, value_wei=ETHER // 2, age_s=5)
    step = plan(replace(FULL, pending=(refused,), known=frozenset({refused.record.id})), NEW)

    assert isinstance(step, Replace)
    assert step.kind is TransactionKind.CANCELLATION


@pytest.mark.parametrize("stuck", [pending(SWEEP, age_s=61), pending(SWEEP, fee_gwei=9)])
def test_what_is_stuck_is_replaced_within_the_policy(stuck: Pending) -> None:
    step = plan(replace(FULL, pending=(stuck,)), NEW)

    assert isinstance(step, Replace)
    assert step.kind is TransactionKind.REPLACEMENT
    assert step.bid.tip_wei >= GWEI * 11 // 10
    assert step.bid.max_fee_wei <= LIMITS.max_fee_per_gas_wei


def test_a_stuck_transfer_of_the_coin_is_cancelled() -> None:
    action = NativeTransfer(recipient=NEW, amount_wei=ETHER // 2)
    step = plan(replace(FULL, pending=(pending(action, age_s=61, value_wei=ETHER // 2),)), NEW)

    assert isinstance(step, Replace)
    assert step.kind is TransactionKind.CANCELLATION


def test_a_stuck_cancellation_is_cancelled_again() -> None:
    stuck = pending(None, age_s=61, kind=TransactionKind.CANCELLATION)
    step = plan(replace(FULL, pending=(stuck,)), NEW)

    assert isinstance(step, Replace)
    assert step.kind is TransactionKind.CANCELLATION


def test_at_the_policys_cap_a_stuck_transaction_is_broadcast_again() -> None:
    stuck = pending(SWEEP, age_s=61, fee_gwei=49)

    assert plan(replace(FULL, pending=(stuck,)), NEW) == Broadcast(record=stuck.record)


def test_a_clients_transaction_is_cancelled_when_it_never_comes_and_at_once_in_an_emergency() -> None:
    waiting, never = pending(ours=False, age_s=299), pending(ours=False, age_s=300)

    assert plan(replace(FULL, pending=(waiting,)), NEW) == Wait(why=Waiting.IN_FLIGHT)
    for position in (
        replace(FULL, pending=(never,)),
        replace(FULL, pending=(waiting,), emergency=True),
    ):
        step = plan(position, NEW)
        assert isinstance(step, Replace)
        assert step.kind is TransactionKind.CANCELLATION


def test_a_clients_transaction_that_cannot_be_outbid_is_made_known_to_the_node() -> None:
    dear = pending(ours=False, age_s=300, fee_gwei=49)

    assert plan(replace(FULL, pending=(dear,)), NEW) == Broadcast(record=dear.record)


@pytest.mark.parametrize("emergency", [False, True])
def test_what_can_neither_be_outbid_nor_paid_for_is_cancelled_at_an_ordinary_fee_and_once(
    *, emergency: bool
) -> None:
    dear = pending(ours=False, age_s=300, fee_gwei=49)
    known = replace(FULL, pending=(dear,), known=frozenset({dear.record.id}), emergency=emergency)
    refused = replace(known, refused=known.known)
    step = plan(refused, NEW)

    assert isinstance(step, Replace)
    assert step.kind is TransactionKind.CANCELLATION
    assert step.bid.max_fee_wei < dear.record.unsigned.payload.max_fee_per_gas_wei
    assert not isinstance(plan(known, NEW), Replace)
    assert not isinstance(plan(replace(refused, base_fee_wei=60 * GWEI), NEW), Replace)
    ours = pending(None, age_s=300, fee_gwei=49, kind=TransactionKind.CANCELLATION)
    assert not isinstance(plan(replace(refused, pending=(ours,)), NEW), Replace)


def test_a_nonce_that_was_given_back_is_filled_before_anything_above_it_is_waited_for() -> None:
    above = pending(ours=False, nonce=3)

    assert sends(replace(FULL, pending=(above,), gap=True)) == FILL
    dear = replace(FULL, pending=(above,), gap=True, base_fee_wei=60 * GWEI)
    assert plan(dear, NEW) == Wait(why=Waiting.FEES)


def test_what_a_rotation_that_was_turned_back_left_under_way_is_tended() -> None:
    left = pending(SWEEP, age_s=61)
    step = plan(replace(EMPTY, inbound=(left,), unsettled=True), NEW)

    assert isinstance(step, Replace)
    assert step.record == left.record
    assert plan(replace(EMPTY, inbound=(pending(SWEEP),), unsettled=True), NEW) == Wait(why=Waiting.FINAL)


def test_an_offer_is_lowered_to_what_can_be_paid() -> None:
    step = plan(replace(FULL, native_wei=60_000 * 12 * GWEI), NEW)

    assert isinstance(step, Send)
    assert step.bid.max_fee_wei == 12 * GWEI
    assert step.bid.tip_wei <= step.bid.max_fee_wei


def test_offers_stay_within_every_cap() -> None:
    tight = replace(LIMITS, max_fee_per_transaction_wei=70_000 * 11 * GWEI)
    chosen = bid(tight, 10 * GWEI, gas=70_000, urgent=True)

    assert chosen is not None
    assert chosen.max_fee_wei == 11 * GWEI
    assert bid(tight, 11 * GWEI, gas=70_000, urgent=True) is None
    assert native_bid(LIMITS, 100 * GWEI).max_fee_wei == LIMITS.max_fee_per_gas_wei
    newest = pending(fee_gwei=25).record.unsigned.payload
    assert outbid(LIMITS, 10 * GWEI, newest, gas=21_000, funds_wei=1, urgent=False) is None
    assert outbid(LIMITS, 60 * GWEI, newest, gas=21_000, funds_wei=None, urgent=False) is not None
