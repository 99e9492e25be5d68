"""Rotations on a real chain: everything arrives at the successor, nothing elsewhere; the old one retires."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from signer.adapters.audit_file.memory import MemoryAudit
from signer.adapters.dev_key.backend import DevKeyBackend
from signer.domain.accounts import AccountId, AccountState, Address, address_of
from signer.domain.budget import token_resource
from signer.domain.errors import NotFoundError, PreconditionError
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.requests import FeeBumpRequest
from signer.domain.rotation import ROTATION_CLIENT, RotationState
from signer.domain.slots import SlotState, TransactionKind
from signer.domain.transactions import EvmSignature, IdempotencyKey, UnsignedEvmTransaction
from signer.service.clients import NotGrantedError
from signer.service.rotation.rotate_account import RotateRequest, RotationStep
from tests.integration.rotation_rig import (
    ADMIN,
    FUNDS,
    NATIVE,
    NEW,
    NEW_ADDRESS,
    OLD,
    OLD_ADDRESS,
    THIRD,
    RotationRig,
    rotation_rig,
)
from tests.testbed import abi
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.packages import Json
from tests.testbed.rpc_proxy import Lie, RpcProxy
from tests.testbed.signer_program import GWEI, PolicyFigures
from tests.testbed.uniswap import ETHER, World

DUST_WEI = 10**14
SAYS_NO = "0x60003560e01c6370a0823114603c1b60005260206000f3"
"""A token whose `balanceOf` is 2**60 for everybody, and that answers false (0) to everything else."""


@pytest_asyncio.fixture
async def rig(anvil: Anvil, world: World) -> AsyncIterator[RotationRig]:
    async with rotation_rig(anvil, world) as found:
        await found.fund()
        yield found


def _first(told: Json) -> Lie:
    """Tell this once, and then what is true."""
    answers = [told]
    return lambda _params, true: answers.pop() if answers else true


async def _assert_moved(rig: RotationRig, before: dict[str, int]) -> None:
    """Every token is at the successor, the coin but for fees and dust too, and no allowance is left."""
    after, left = await rig.holdings(NEW_ADDRESS), await rig.holdings(OLD_ADDRESS)
    assert {symbol: after[symbol] - before[symbol] for symbol in FUNDS} == FUNDS
    assert {symbol: left[symbol] for symbol in FUNDS} == dict.fromkeys(FUNDS, 0)
    assert left["ETH"] < DUST_WEI
    assert NATIVE - 10**16 < after["ETH"] - before["ETH"] < NATIVE
    assert await rig.allowances(OLD_ADDRESS) == [0] * 6


async def _signed(rig: RotationRig, key: str, *, fee_gwei: int = 20) -> TransactionRecord:
    record = await rig.ask(key, fee_gwei=fee_gwei)
    assert isinstance(record, TransactionRecord)
    return record


async def _broadcast(rig: RotationRig, record: TransactionRecord) -> None:
    assert record.signed is not None
    await rig.anvil.rpc("eth_sendRawTransaction", f"0x{record.signed.raw.hex()}")


async def test_everything_arrives_at_the_successor_and_the_old_account_retires(rig: RotationRig) -> None:
    for symbol, spender in (("USDX", rig.world.v2_router), ("WETH", rig.world.swap_router)):
        await rig.approve(symbol, spender, 10**30)
    before = await rig.holdings(NEW_ADDRESS)

    await rig.begin()
    await rig.until_swept()
    await _assert_moved(rig, before)
    finished = await rig.rotate(RotationStep.FINISH)

    assert finished.finished
    assert f"{await rig.anvil.balance(OLD_ADDRESS)} wei" in finished.progress[0]
    assert rig.state(OLD) is AccountState.RETIRED
    with pytest.raises(PreconditionError) as refused:
        await rig.ask("after-the-end")
    assert refused.value.reason is FailReason.ACCOUNT_RETIRED
    assert [record.state for record in await rig.drained()] == [SlotState.FINAL] * 6


async def test_first_allowances_then_tokens_and_the_native_coin_goes_last(rig: RotationRig) -> None:
    await rig.approve("ABC", rig.world.v2_router, 5)

    await rig.begin()
    await rig.until_swept()

    targets = [record.unsigned.payload.to for record in await rig.drained()]
    assert targets[0] == rig.world.abc
    assert set(targets[1:4]) == {rig.world.usdx, rig.world.weth, rig.world.abc}
    assert targets[4:] == [NEW_ADDRESS]


async def test_every_step_is_in_the_audit_trail(rig: RotationRig) -> None:
    await rig.begin()
    await rig.until_swept()
    await rig.rotate(RotationStep.FINISH)

    assert isinstance(rig.audit, MemoryAudit)
    acts = [record for record in rig.audit.records if record.method == "RotateAccount"]
    assert [act.verdict for act in acts] == ["operator", *["approved"] * 4, "operator"]
    assert [act.client for act in acts[1:-1]] == [ROTATION_CLIENT] * 4
    assert [act.actions[0].split("(")[0] for act in acts[1:-1]] == [*["Erc20Transfer"] * 3, "NativeTransfer"]
    assert "retired for ever" in acts[-1].details[0]


async def test_the_new_account_trades_at_once_and_the_old_one_no_more(rig: RotationRig) -> None:
    await rig.anvil.rpc("anvil_setBalance", NEW_ADDRESS, hex(ETHER))
    await rig.begin()

    with pytest.raises(PreconditionError, match=f"trade with {NEW}") as refused:
        await rig.ask("on-the-old-one")
    record = await rig.ask("on-the-new-one", NEW)

    assert refused.value.reason is FailReason.ACCOUNT_DRAINING
    assert isinstance(record, TransactionRecord)
    assert record.account == NEW
    listed = await rig.services.list_accounts(rig.trader, None)
    assert [(each.view.account.id, each.view.state, each.view.successor) for each in listed] == [
        (OLD, AccountState.DRAINING, NEW),
        (NEW, AccountState.ACTIVE, None),
    ]
    assert (listed[1].view.account.wallet, listed[1].view.account.wallet_position) == ("hot", 1)
    assert listed[1].methods == listed[0].methods


async def test_what_arrives_late_is_swept_too(rig: RotationRig) -> None:
    await rig.begin()
    await rig.until_swept()
    late = 123 * ETHER
    data = abi.calldata("mint(address,uint256)", OLD_ADDRESS, late)
    await rig.anvil.send(dev_account(LIQUIDITY_PROVIDER).address, rig.world.abc, data)
    await rig.anvil.rpc("anvil_setBalance", OLD_ADDRESS, hex(ETHER))
    before = await rig.holdings(NEW_ADDRESS)

    await rig.turn()
    swept_while_it_lay_there = rig.services.accounts.view(OLD).swept
    with pytest.raises(PreconditionError, match="is not empty"):
        await rig.rotate(RotationStep.FINISH)
    await rig.until_swept()

    after = await rig.holdings(NEW_ADDRESS)
    assert not swept_while_it_lay_there
    assert after["ABC"] - before["ABC"] == late
    assert after["ETH"] > before["ETH"]
    assert (await rig.rotate(RotationStep.FINISH)).finished


async def test_what_is_swept_stays_swept_when_the_chain_becomes_cheaper(rig: RotationRig) -> None:
    await rig.anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(40 * GWEI))
    await rig.anvil.mine(1)
    await rig.begin()
    await rig.anvil.rpc("anvil_setNextBlockBaseFeePerGas", hex(40 * GWEI))
    await rig.until_swept()
    sent, left = await rig.drained(), await rig.anvil.balance(OLD_ADDRESS)
    await rig.anvil.rpc("anvil_setNextBlockBaseFeePerGas", "0x1")
    await rig.anvil.mine(1)
    await rig.turn()

    assert left > 2 * 21_000 * 3 * GWEI  # more than today's price of moving it
    assert await rig.drained() == sent
    assert rig.services.accounts.view(OLD).swept


async def test_a_token_that_says_no_without_reverting_costs_no_fee_after_fee(rig: RotationRig) -> None:
    """`transfer` returns false and moves nothing: sent again and again, it would eat the coin."""
    await rig.anvil.rpc("anvil_setCode", rig.world.abc, SAYS_NO)
    await rig.begin()
    for _ in range(8):
        await rig.turn()
        await rig.anvil.mine(1)
    status = await rig.rotate(RotationStep.STATUS)

    assert rig.world.abc not in {record.unsigned.payload.to for record in await rig.drained()}
    assert "would fail" in status.progress[-1]


async def test_a_stuck_sweep_is_replaced_with_higher_fees(rig: RotationRig) -> None:
    await rig.begin()
    await rig.anvil.rpc("evm_setAutomine", False)
    await rig.turn()
    (first,) = await rig.drained()
    await rig.anvil.rpc("anvil_dropTransaction", first.signed.hash if first.signed else "")

    await rig.turn(seconds=20)
    stuck, higher = await rig.drained()
    await rig.anvil.rpc("evm_setAutomine", True)
    await rig.anvil.mine(1)
    await rig.until_swept()

    assert (higher.kind, higher.replaces) == (TransactionKind.REPLACEMENT, first.id)
    assert higher.nonce == stuck.nonce
    assert higher.unsigned.payload.data == stuck.unsigned.payload.data
    assert higher.unsigned.payload.max_fee_per_gas_wei > stuck.unsigned.payload.max_fee_per_gas_wei
    assert {record.state for record in await rig.drained()} == {SlotState.FINAL, SlotState.REPLACED}


async def test_a_stuck_native_sweep_is_cancelled_because_it_cannot_be_dearer(rig: RotationRig) -> None:
    for symbol in FUNDS:
        await rig.anvil.send(
            OLD_ADDRESS,
            rig.world.token(symbol),
            abi.calldata("transfer(address,uint256)", dev_account(8).address, FUNDS[symbol]),
        )
    await rig.begin()
    await rig.anvil.rpc("evm_setAutomine", False)
    await rig.turn()
    (first,) = await rig.drained()
    await rig.anvil.rpc("anvil_dropTransaction", first.signed.hash if first.signed else "")
    await rig.turn(seconds=20)
    await rig.anvil.rpc("evm_setAutomine", True)
    await rig.anvil.mine(1)
    await rig.until_swept()

    kinds = [record.kind for record in await rig.drained()]
    assert kinds == [TransactionKind.ORIGINAL, TransactionKind.CANCELLATION, TransactionKind.ORIGINAL]
    assert await rig.anvil.balance(OLD_ADDRESS) < DUST_WEI


async def test_a_node_that_counts_a_transaction_before_it_shows_its_block_gets_no_second_one(
    anvil: Anvil, world: World, rpc_proxy: RpcProxy
) -> None:
    async with rotation_rig(anvil, world, url=rpc_proxy.url) as rig:
        await rig.anvil.rpc("anvil_setBalance", OLD_ADDRESS, hex(ETHER))
        await rig.anvil.mine(3)
        await rig.begin()
        await rig.turn()
        (sweep,) = await rig.drained()
        # The head is the one before; the node says that the sweep's nonce was used there already.
        rpc_proxy.lie("eth_getTransactionCount", lambda _params, _count: hex(sweep.nonce + 1))
        await rig.services.rotate_account.after_look(OLD)
        rpc_proxy.clear()
        await rig.until_swept()

        assert [record.id for record in await rig.drained()] == [sweep.id]


async def test_a_node_that_counts_a_transaction_before_it_has_a_receipt_gets_no_second_one(
    anvil: Anvil, world: World, rpc_proxy: RpcProxy
) -> None:
    async with rotation_rig(anvil, world, url=rpc_proxy.url) as rig:
        await rig.anvil.rpc("anvil_setBalance", OLD_ADDRESS, hex(ETHER))
        await rig.anvil.mine(3)
        await rig.begin()
        await rig.turn()
        (sweep,) = await rig.drained()
        # The block before the sweep's, as anvil tells of it while it mines: for its first two answers.
        rpc_proxy.lie("eth_getTransactionCount", _first(hex(sweep.nonce + 1)))
        rpc_proxy.lie("eth_getTransactionReceipt", _first(None))
        await rig.services.rotate_account.after_look(OLD)
        rpc_proxy.clear()
        await rig.until_swept()

        assert [record.id for record in await rig.drained()] == [sweep.id]


async def test_what_is_in_flight_ends_first_and_what_never_comes_is_cancelled(rig: RotationRig) -> None:
    mined, never = await _signed(rig, "in-flight-0"), await _signed(rig, "in-flight-1")
    await rig.begin()
    await rig.turn()
    waiting = await rig.rotate(RotationStep.STATUS)
    await _broadcast(rig, mined)
    await rig.turn()
    assert await rig.drained() == []

    await rig.turn(seconds=40)
    (cancellation,) = await rig.drained()
    await rig.until_swept()

    assert "in flight" in waiting.progress[-1]
    assert (cancellation.kind, cancellation.replaces) == (TransactionKind.CANCELLATION, never.id)
    final = await rig.services.get_transaction(rig.trader, transaction=never.id)
    assert final.state is SlotState.CANCELLED
    assert await rig.allowances(OLD_ADDRESS) == [0] * 6
    assert (await rig.rotate(RotationStep.FINISH)).finished


async def test_an_emergency_waits_for_nobody_and_moves_the_dearest_first(anvil: Anvil, world: World) -> None:
    raised = (
        "max_slippage_bps = 50",
        f"""max_slippage_bps = 50
emergency_max_fee_per_gas_wei = {200 * GWEI}
emergency_max_fee_per_transaction_wei = "{100 * 10**15}"
""",
    )
    async with rotation_rig(anvil, world, policy_changes=[raised]) as rig:
        await rig.fund()
        await rig.approve("WETH", world.v2_router, 10**30)
        before = await rig.holdings(NEW_ADDRESS)
        withheld = await _signed(rig, "withheld", fee_gwei=50)

        await rig.begin(emergency=True)
        await rig.anvil.rpc("evm_setAutomine", False)
        await rig.turn()
        burst = await rig.drained()
        await rig.anvil.rpc("evm_setAutomine", True)
        await rig.anvil.mine(1)
        await rig.until_swept()
        await _assert_moved(rig, before)

        assert (burst[0].kind, burst[0].replaces) == (TransactionKind.CANCELLATION, withheld.id)
        assert burst[0].unsigned.payload.max_fee_per_gas_wei > 50 * GWEI
        # 3 WETH at 3,000 USDX, 5,000 USDX, 700 ABC at 2 USDX; then the coin, then the allowance.
        assert [record.unsigned.payload.to for record in burst[1:]] == [
            world.weth,
            world.usdx,
            world.abc,
            NEW_ADDRESS,
            world.weth,
        ]
        with pytest.raises(PreconditionError, match="it is an emergency"):
            await rig.rotate(RotationStep.ABORT)


async def test_a_thief_with_the_key_who_uses_nonces_does_not_stop_an_emergency(rig: RotationRig) -> None:
    await rig.begin(emergency=True)
    for _ in range(3):
        await rig.anvil.send(OLD_ADDRESS, dev_account(8).address, value=ETHER // 10)

    await rig.until_swept()

    left = await rig.holdings(OLD_ADDRESS)
    assert {symbol: left[symbol] for symbol in FUNDS} == dict.fromkeys(FUNDS, 0)
    assert rig.state(OLD) is AccountState.DRAINING
    assert (await rig.rotate(RotationStep.FINISH)).finished


async def test_turned_back_everything_returns_and_the_new_account_retires(rig: RotationRig) -> None:
    await rig.anvil.rpc("anvil_setBalance", NEW_ADDRESS, hex(ETHER))
    await rig.begin()
    for _ in range(3):
        await rig.turn()
        await rig.anvil.mine(1)
    back = await rig.rotate(RotationStep.ABORT)
    again = await rig.rotate(RotationStep.ABORT)
    trades = await rig.ask("on-the-old-one-again")
    assert isinstance(trades, TransactionRecord)
    await _broadcast(rig, trades)
    await rig.until_swept(NEW)
    finished = await rig.rotate(RotationStep.FINISH, NEW)

    assert (back.new_account, again.new_account) == (OLD, NEW)
    assert finished.finished
    assert (rig.state(OLD), rig.state(NEW)) == (AccountState.ACTIVE, AccountState.RETIRED)
    holdings = await rig.holdings(OLD_ADDRESS)
    assert {symbol: holdings[symbol] for symbol in FUNDS} == FUNDS
    assert holdings["ETH"] > NATIVE - 10**16
    assert rig.services.accounts.view(OLD).successor is None
    assert rig.services.accounts.view(NEW).successor == OLD


async def test_a_sweep_that_is_under_way_when_it_is_turned_back_comes_back_too(rig: RotationRig) -> None:
    await rig.anvil.rpc("anvil_setBalance", NEW_ADDRESS, hex(ETHER))
    await rig.begin()
    await rig.anvil.rpc("evm_setAutomine", False)
    await rig.turn()
    (under_way,) = await rig.drained()
    await rig.rotate(RotationStep.ABORT)
    await rig.turn()
    assert not rig.services.accounts.view(NEW).swept
    await rig.anvil.rpc("evm_setAutomine", True)
    await rig.anvil.mine(1)
    for _ in range(4):
        await rig.turn()
        await rig.anvil.mine(1)
    await rig.until_swept(NEW)

    final = await rig.ledger.get(under_way.id)
    assert final is not None
    assert final.state is SlotState.FINAL
    holdings = await rig.holdings(OLD_ADDRESS)
    assert {symbol: holdings[symbol] for symbol in FUNDS} == FUNDS


async def test_a_chain_of_rotations_goes_on_over_restarts(anvil: Anvil, world: World, tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    async with rotation_rig(anvil, world, path=path) as rig:
        await rig.fund()
        await rig.begin()
        clock = rig.clock
        await rig.turn()
    async with rotation_rig(anvil, world, path=path, clock=clock) as rig:
        await rig.until_swept()
        await rig.rotate(RotationStep.FINISH)
        await rig.rotate(RotationStep.BEGIN, NEW, THIRD)
    async with rotation_rig(anvil, world, path=path, clock=clock) as rig:
        await rig.until_swept(NEW)
        finished = await rig.rotate(RotationStep.FINISH, NEW)
        record = await rig.ask("on-the-third", THIRD)
        views = [rig.services.accounts.view(each) for each in (OLD, NEW, THIRD)]
        holdings = await rig.holdings(address_of(THIRD))
        (use,) = [
            use
            for use in (await rig.services.get_budget(rig.trader, THIRD)).lines
            if use.limit.resource == token_resource(Address(world.usdx)) and use.limit.window_s == 3_600
        ]

    assert finished.finished
    assert isinstance(record, TransactionRecord)
    assert [view.successor for view in views] == [NEW, THIRD, None]
    assert {symbol: holdings[symbol] for symbol in FUNDS} == FUNDS
    assert use.used == 0


async def test_a_trader_cannot_touch_the_transactions_of_a_drain(rig: RotationRig) -> None:
    await rig.begin()
    await rig.anvil.rpc("evm_setAutomine", False)
    await rig.turn()
    (sweep,) = await rig.drained()
    payload = sweep.unsigned.payload
    bump = FeeBumpRequest(
        idempotency_key=IdempotencyKey("outbid-the-sweep"),
        transaction=sweep.id,
        max_fee_per_gas_wei=payload.max_fee_per_gas_wei * 2,
        max_priority_fee_per_gas_wei=payload.max_priority_fee_per_gas_wei * 2,
        request_digest="0" * 64,
    )

    for takeover in (rig.services.replace_transaction, rig.services.cancel_transaction):
        with pytest.raises(PreconditionError) as refused:
            await takeover(rig.trader, bump)
        assert refused.value.reason is FailReason.ACCOUNT_DRAINING
    for step in RotationStep:
        with pytest.raises(NotGrantedError):
            await rig.services.rotate_account(rig.trader, RotateRequest(account=OLD, step=step))


async def test_a_pause_holds_the_drain_until_it_is_resumed(rig: RotationRig) -> None:
    await rig.begin()
    await rig.services.pause(ADMIN, None, "drill")
    await rig.turn()
    held = await rig.rotate(RotationStep.STATUS)
    nothing = await rig.drained()
    await rig.services.resume(ADMIN, None)
    await rig.until_swept()

    assert nothing == []
    assert held.progress[0].startswith("held: drill")


async def test_the_key_of_a_retired_account_is_not_even_asked_for_a_proof(
    rig: RotationRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    await rig.begin()
    await rig.until_swept()
    await rig.rotate(RotationStep.FINISH)
    asked: list[str] = []
    sign = DevKeyBackend.sign_evm

    async def spy(
        self: DevKeyBackend, account: AccountId, transaction: UnsignedEvmTransaction
    ) -> EvmSignature:
        asked.append(account)
        return await sign(self, account, transaction)

    monkeypatch.setattr(DevKeyBackend, "sign_evm", spy)
    for old, new in ((NEW, OLD), (OLD, THIRD)):
        with pytest.raises(PreconditionError, match="retired") as refused:
            await rig.rotate(RotationStep.BEGIN, old, new)
        assert refused.value.reason is FailReason.ACCOUNT_RETIRED

    assert asked == []


async def test_a_trader_that_keeps_raising_its_fees_does_not_hold_up_a_drain(rig: RotationRig) -> None:
    newest = await _signed(rig, "held-back")
    await rig.begin()
    for number in range(3):
        await rig.turn(seconds=11)
        payload = newest.unsigned.payload
        bump = FeeBumpRequest(
            idempotency_key=IdempotencyKey(f"raised-for-the-{number}th-time"),
            transaction=newest.id,
            max_fee_per_gas_wei=payload.max_fee_per_gas_wei * 12 // 10,
            max_priority_fee_per_gas_wei=payload.max_priority_fee_per_gas_wei * 12 // 10,
            request_digest=f"{number:064x}",
        )
        if not await rig.drained():
            raised = await rig.services.replace_transaction(rig.trader, bump)
            assert isinstance(raised, TransactionRecord)
            newest = raised

    (cancellation,) = await rig.drained()
    assert (cancellation.kind, cancellation.replaces) == (TransactionKind.CANCELLATION, newest.id)


@pytest.mark.parametrize("emergency", [False, True])
async def test_what_can_neither_be_paid_for_nor_outbid_does_not_block_a_drain(
    rig: RotationRig, *, emergency: bool
) -> None:
    """A trader gone bad signs more than there is at the highest fee, keeps it, and says that it is out."""
    await rig.approve("ABC", rig.world.v2_router, 5)
    withheld = await _signed(rig, "withheld", fee_gwei=50)
    assert withheld.signed is not None
    await rig.services.report_broadcast(rig.trader, withheld.id, withheld.signed.hash)
    await rig.anvil.rpc("anvil_setBalance", OLD_ADDRESS, hex(60_000 * 40 * GWEI))

    await rig.begin(emergency=emergency)
    await rig.turn(seconds=40)
    await rig.until_swept()

    (cancellation, *_) = await rig.drained()
    assert (cancellation.kind, cancellation.replaces) == (TransactionKind.CANCELLATION, withheld.id)
    assert await rig.allowances(OLD_ADDRESS) == [0] * 6
    assert (await rig.rotate(RotationStep.FINISH)).finished


@pytest.mark.parametrize(
    ("account", "new", "why"),
    [
        (OLD, OLD, "the old account itself"),
        (OLD, "eip155:1:0x" + "aa" * 20, "another chain"),
        (OLD, "eip155:31337:0x" + "aa" * 20, "no public test account"),
        ("solana:" + "1" * 32 + ":" + "1" * 32, NEW, "no EVM chain"),
    ],
)
async def test_what_cannot_take_over_is_refused_by_name(
    rig: RotationRig, account: str, new: str, why: str
) -> None:
    with pytest.raises(PreconditionError, match=why) as refused:
        await rig.rotate(RotationStep.BEGIN, type(OLD)(account), type(OLD)(new))

    assert refused.value.reason is FailReason.ROTATION_NOT_POSSIBLE
    assert rig.state(OLD) is not AccountState.DRAINING


async def test_there_is_nothing_to_say_of_an_account_that_was_never_rotated(rig: RotationRig) -> None:
    with pytest.raises(NotFoundError, match="never rotated"):
        await rig.rotate(RotationStep.STATUS)


async def test_beginning_again_is_the_same_rotation_and_may_make_it_urgent(rig: RotationRig) -> None:
    await rig.begin()
    await rig.begin()
    with pytest.raises(PreconditionError, match="finish that first"):
        await rig.begin(THIRD)
    await rig.begin(emergency=True)

    (rotation,) = await rig.ledger.rotations()
    assert (rotation.state, rotation.emergency) == (RotationState.OPEN, True)


async def test_a_drain_that_a_used_up_fee_cap_holds_up_says_so(anvil: Anvil, world: World) -> None:
    day_wei = 60_000 * 20 * GWEI  # what the trader's transaction may cost, and until that is final, costs
    lowered = (f'per_transaction_wei = "{25 * 10**15}"', f'per_transaction_wei = "{day_wei}"')
    figures = PolicyFigures(fee_per_day_wei=day_wei)
    async with rotation_rig(anvil, world, figures=figures, policy_changes=[lowered]) as rig:
        await rig.fund()
        at_the_cap = await _signed(rig, "at-the-cap")
        await _broadcast(rig, at_the_cap)
        await rig.anvil.receipt(at_the_cap.signed.hash if at_the_cap.signed else "")
        await rig.begin()
        await rig.turn()
        denied = await rig.rotate(RotationStep.STATUS)
        with pytest.raises(PreconditionError, match="FEE_CAP_EXCEEDED"):
            await rig.rotate(RotationStep.FINISH)

    assert denied.progress[-1].startswith(
        f"which is denied now (FEE_CAP_EXCEEDED): rolling_86400_s allows {day_wei} wei, it would be"
    )
