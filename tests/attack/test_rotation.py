"""A trader that was taken over while its account is rotated: it gains nothing by it and stops nothing."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from signer.adapters.evm_rpc.broadcast import EvmBroadcaster
from signer.decode.evm.erc20 import approve_call, transfer_call
from signer.domain.accounts import AccountId, Address, address_of
from signer.domain.budget import TRANSACTIONS
from signer.domain.claims import ApproveClaim, NativeTransferClaim
from signer.domain.decisions import Denied
from signer.domain.errors import PreconditionError
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.records import TransactionRecord
from signer.domain.requests import EvaluateRequest, SignRequest
from signer.domain.slots import SlotState
from signer.domain.transactions import EvmPayload, IdempotencyKey, SignedBytes
from signer.service.clients import NotGrantedError
from signer.service.rotation.rotate_account import RotateRequest, RotationStep
from tests.integration.rotation_rig import NEW, NEW_ADDRESS, OLD, OLD_ADDRESS, RotationRig, rotation_rig
from tests.testbed.accounts import dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import ETHER, World

THIEF = Address(dev_account(8).address)
FOREVER = 2**255


@pytest_asyncio.fixture
async def rig(anvil: Anvil, world: World) -> AsyncIterator[RotationRig]:
    async with rotation_rig(anvil, world) as found:
        await found.fund()
        await found.fund(NEW)
        await found.begin()
        yield found


def asked(
    account: AccountId, to: str, data: bytes = b"", value_wei: int = 0, *, spender: Address = THIEF
) -> SignRequest:
    payload = EvmPayload(
        to=Address(to),
        value_wei=value_wei,
        data=data,
        gas_limit=90_000,
        max_fee_per_gas_wei=20 * GWEI,
        max_priority_fee_per_gas_wei=GWEI,
    )
    claim: ApproveClaim | NativeTransferClaim = NativeTransferClaim(
        recipient=Address(to), amount_wei=value_wei
    )
    if data:
        claim = ApproveClaim(token=Address(to), spender=spender, amount=int.from_bytes(data[-32:], "big"))
    return SignRequest(
        idempotency_key=IdempotencyKey("key-of-a-trader-gone-bad"),
        account=account,
        payload=payload,
        claim=claim,
        request_digest="0" * 64,
    )


@pytest.mark.parametrize("recipient", [NEW_ADDRESS, THIEF, OLD_ADDRESS])
async def test_on_the_draining_account_nobody_but_the_rotation_moves_a_token(
    rig: RotationRig, recipient: Address
) -> None:
    request = asked(OLD, rig.world.usdx, transfer_call(recipient, 1))

    for ask in (
        rig.services.sign_evm_transaction(rig.trader, request),
        rig.services.evaluate(
            rig.trader, EvaluateRequest(account=OLD, payload=request.payload, claim=request.claim)
        ),
        rig.services.sign_evm_transaction(rig.trader, asked(OLD, recipient, value_wei=1)),
        rig.services.sign_evm_transaction(
            rig.trader, asked(OLD, rig.world.usdx, approve_call(Address(rig.world.v2_router), FOREVER))
        ),
    ):
        with pytest.raises(PreconditionError) as refused:
            await ask
        assert refused.value.reason is FailReason.ACCOUNT_DRAINING
    assert await rig.drained() == []


@pytest.mark.parametrize("recipient", [OLD_ADDRESS, THIEF, NEW_ADDRESS])
async def test_on_the_new_account_a_transfer_has_no_reading_whoever_receives(
    rig: RotationRig, recipient: Address
) -> None:
    token = await rig.services.sign_evm_transaction(
        rig.trader, asked(NEW, rig.world.usdx, transfer_call(recipient, 1))
    )
    coin = await rig.services.sign_evm_transaction(rig.trader, asked(NEW, recipient, value_wei=ETHER))

    assert isinstance(token, Denied)
    assert [each.reason for each in token.violations] == [DenyReason.NOT_UNDERSTOOD]
    assert isinstance(coin, Denied)
    assert DenyReason.RECIPIENT_NOT_ALLOWED in {each.reason for each in coin.violations}


async def test_an_inherited_grant_is_no_wider_than_the_one_it_comes_from(rig: RotationRig) -> None:
    stranger = replace(rig.trader, grants={})
    half = replace(rig.trader, grants={OLD: frozenset({"ListAccounts"})})
    half.inherit(OLD, NEW)

    for client in (stranger, half):
        with pytest.raises(NotGrantedError):
            await rig.services.sign_evm_transaction(client, asked(NEW, rig.world.usdx, value_wei=1))


async def test_a_rotation_gives_a_trader_no_second_budget(rig: RotationRig) -> None:
    """The rate is a budget, too: what is signed on the new account counts for the old one, and back."""
    record = await rig.ask("one-on-the-new-account", NEW)
    by_old, by_new = [
        [(use.limit.resource, use.used) for use in budget.lines]
        for budget in [await rig.services.get_budget(rig.trader, each) for each in (OLD, NEW)]
    ]

    assert isinstance(record, TransactionRecord)
    assert address_of(record.account) == NEW_ADDRESS
    assert by_old == by_new
    assert (TRANSACTIONS, 1) in by_old


async def test_a_trader_cannot_say_that_a_sweep_is_out(
    rig: RotationRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Believed, it would keep the signer from broadcasting what never left for a minute, sweep by sweep."""

    async def refuse(_self: EvmBroadcaster, _signed: SignedBytes) -> str:
        return "not now"

    monkeypatch.setattr(EvmBroadcaster, "broadcast", refuse)
    await rig.turn()
    (sweep,) = await rig.drained()
    assert sweep.signed is not None

    told = await rig.services.report_broadcast(rig.trader, sweep.id, sweep.signed.hash)

    assert told.state is SlotState.SIGNED


async def test_only_an_operator_says_where_everything_goes(rig: RotationRig) -> None:
    for step in RotationStep:
        request = RotateRequest(account=NEW, step=step, new_account=AccountId(f"eip155:31337:{THIEF}"))
        with pytest.raises(NotGrantedError):
            await rig.services.rotate_account(rig.trader, request)
    assert [one.new for one in await rig.ledger.rotations()] == [NEW]
