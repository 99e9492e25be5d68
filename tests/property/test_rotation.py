"""Whatever happens in whatever order: RETIRED signs nothing, and value goes to the successor only."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from signer.adapters.sqlite import SqliteLedger
from signer.decode.evm.decoder import decode_drain
from signer.decode.evm.erc20 import approve_call, transfer_call
from signer.domain.accounts import AccountId, AccountState, Address
from signer.domain.actions import Erc20Approve, NotUnderstood
from signer.domain.decisions import Approved
from signer.domain.errors import SignerError
from signer.domain.rotation import ROTATION_CLIENT, RotationState
from signer.domain.slots import IllegalTransitionError, SlotEvent
from signer.domain.transactions import EvmPayload
from signer.policy.draining import decide_drain, draining
from signer.ports.ledger import Reservation, Reserved, SlotChange
from tests.fakes import policies
from tests.fakes.clock import FakeClock
from tests.fakes.reservations import (
    ACCOUNT,
    OTHER_ACCOUNT,
    payload_hash,
    reservation,
    signed,
    transaction_id,
)

SUCCESSOR = Address("0x" + "bb" * 20)
ADDRESSES = st.sampled_from(
    [
        SUCCESSOR,
        policies.OWN,
        policies.THIEF,
        policies.WETH,
        policies.USDC,
        policies.V2_ROUTER,
        policies.SAVINGS,
    ]
)
DATA = st.one_of(
    st.builds(transfer_call, ADDRESSES, st.integers(0, 2**256 - 1)),
    st.builds(approve_call, ADDRESSES, st.integers(0, 3)),
    st.binary(max_size=80),
    st.just(b""),
)


class Life:
    """Two accounts that hand over to each other, and everything that was ever signed."""

    def __init__(self, ledger: SqliteLedger, clock: FakeClock) -> None:
        self.ledger = ledger
        self.clock = clock
        self.numbers = 0
        self.signed: dict[tuple[AccountId, int], str] = {}

    async def act(self, act: str, account: AccountId) -> None:
        """Do it, or be refused."""
        self.clock.advance_s(1)
        was_retired = await self.retired(account)
        signatures = len(self.signed)
        with contextlib.suppress(SignerError, IllegalTransitionError):
            await ACTS[act](self, account)
        if was_retired:
            assert await self.retired(account)
            assert not any(key[0] == account for key in list(self.signed)[signatures:])

    async def retired(self, account: AccountId) -> bool:
        status = await self.ledger.account(account)
        return status is not None and status.state is AccountState.RETIRED

    async def trade(self, account: AccountId) -> None:
        await self._reserve(self._wanted(account), AccountState.ACTIVE)

    async def drain(self, account: AccountId) -> None:
        await self._reserve(replace(self._wanted(account), client=ROTATION_CLIENT), AccountState.DRAINING)

    async def sign(self, _: AccountId) -> None:
        number = self.numbers
        record = await self.ledger.mark_signed(
            transaction_id(number), signed(number), payload_hash(number), self.clock.now()
        )
        before = self.signed.setdefault((record.account, record.nonce), record.payload_hash)
        assert before == record.payload_hash

    async def release(self, _: AccountId) -> None:
        await self.ledger.release(transaction_id(self.numbers), self.clock.now())

    async def become_final(self, _: AccountId) -> None:
        change = SlotChange(id=transaction_id(self.numbers), event=SlotEvent.OTHER_HASH_FINAL)
        await self.ledger.apply([change], self.clock.now())

    async def begin(self, account: AccountId) -> None:
        other = OTHER_ACCOUNT if account == ACCOUNT else ACCOUNT
        await self.ledger.begin_rotation(account, other, 0, self.clock.now(), emergency=False)

    async def abort(self, _: AccountId) -> None:
        for one in await self.ledger.rotations():
            await self.ledger.turn_rotation_back(one.id, self.clock.now())

    async def finish(self, _: AccountId) -> None:
        for one in await self.ledger.rotations():
            if one.state is RotationState.OPEN:
                await self.ledger.finish_rotation(one.id, "", self.clock.now())

    async def pause(self, account: AccountId) -> None:
        await self.ledger.pause(account, "drill", self.clock.now())

    async def resume(self, account: AccountId) -> None:
        await self.ledger.resume(account, self.clock.now())

    def _wanted(self, account: AccountId) -> Reservation:
        self.numbers += 1
        return reservation(self.numbers, self.clock.now(), account=account)

    async def _reserve(self, wanted: Reservation, needed: AccountState) -> None:
        outcome = await self.ledger.reserve(wanted)
        if isinstance(outcome, Reserved):
            status = await self.ledger.account(wanted.account)
            assert status is not None
            assert (status.state, status.reason) == (needed, "")


ACTS: Mapping[str, Callable[[Life, AccountId], Awaitable[None]]] = {
    act.__name__: act
    for act in (
        Life.trade,
        Life.drain,
        Life.sign,
        Life.release,
        Life.become_final,
        Life.begin,
        Life.abort,
        Life.finish,
        Life.pause,
        Life.resume,
    )
}


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(ACTS)), st.sampled_from([ACCOUNT, OTHER_ACCOUNT])), max_size=40)
)
def test_retired_signs_nothing_and_no_nonce_has_two_payloads(acts: list[tuple[str, AccountId]]) -> None:
    async def play() -> None:
        clock = FakeClock()
        async with SqliteLedger.in_memory(clock) as ledger:
            life = Life(ledger, clock)
            for account in (ACCOUNT, OTHER_ACCOUNT):
                await ledger.open_account(account, 0, clock.now())
            for act, account in acts:
                await life.act(act, account)

    asyncio.run(play())


@given(to=ADDRESSES, data=DATA, value_wei=st.integers(0, 2**90), emergency=st.booleans())
def test_what_a_drain_may_do_gives_value_to_the_successor_only(
    to: Address, data: bytes, value_wei: int, *, emergency: bool
) -> None:
    policy = draining(policies.account_policy(), SUCCESSOR, emergency=emergency)
    payload = EvmPayload(
        to=to,
        value_wei=value_wei,
        data=data,
        gas_limit=60_000,
        max_fee_per_gas_wei=policies.GWEI,
        max_priority_fee_per_gas_wei=policies.GWEI,
    )
    action = decode_drain(payload, policy.rules.contracts())

    if isinstance(decide_drain(policy, payload, action), Approved):
        assert not isinstance(action, NotUnderstood)
        if isinstance(action, Erc20Approve):
            assert (action.amount, value_wei) == (0, 0)
        else:
            assert action.recipient == SUCCESSOR
            assert to == SUCCESSOR or (
                value_wei == 0 and data == transfer_call(SUCCESSOR, int.from_bytes(data[-32:], "big"))
            )
