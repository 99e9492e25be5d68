"""What a person is told about a request: amounts by the policy's names, at worst, and no guess."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from signer.adapters.sqlite import SqliteLedger
from signer.domain.accounts import Account, Address
from signer.domain.actions import (
    Action,
    Erc20Transfer,
    NativeTransfer,
    NotUnderstood,
    Swap,
)
from signer.domain.chain import ReferenceQuote
from signer.domain.decisions import Approved, Denied, Violation
from signer.domain.errors import UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.slots import TransactionKind
from signer.domain.transactions import ClientName, EvmPayload, IdempotencyKey, TransactionId
from signer.policy.charges import charges_of
from signer.policy.limits import limits_on
from signer.policy.replacement import cancellation_of
from signer.service.accounts import Accounts, Binding
from signer.service.approvals.brief import AssetAmount, Brief
from signer.service.approvals.briefing import Briefing
from signer.service.path.conclude import Case
from tests.fakes import calldata, policies
from tests.fakes.clock import FakeClock
from tests.fakes.policies import (
    ACCOUNT,
    APPROVE,
    DEPOSIT,
    GWEI,
    NOW_S,
    OWN,
    SAVINGS,
    SWAP,
    THIEF,
    TRANSFER,
    USDC,
    V2_ROUTER,
    WETH,
    WITHDRAW,
)
from tests.fakes.signer_world import FakeBackend, FakeChain

EARLIER = TransactionId("e" * 32)


@dataclass
class FakeHoldings:
    """Holdings by asset, the coin under ""; `away` makes it fail like an unreachable node."""

    held: Mapping[str, int] = field(default_factory=dict)
    away: bool = False

    async def native_balance(self, owner: Address, block_number: int) -> int:
        return await self.token_balance(Address(""), owner, block_number)

    async def token_balance(self, token: Address, owner: Address, block_number: int) -> int:
        assert (owner, block_number) == (OWN, 100)
        if self.away:
            raise UnavailableError(FailReason.CHAIN_UNREACHABLE, "the node is away")
        return self.held.get(token, 0)

    async def allowance(self, token: Address, owner: Address, spender: Address, block_number: int) -> int:
        raise NotImplementedError

    async def gas_needed(self, sender: Address, to: Address, data: bytes) -> int | None:
        raise NotImplementedError


async def brief(case: Case, holdings: FakeHoldings | None = None) -> Brief:
    clock = FakeClock(policies.NOW)
    backend = FakeBackend()
    binding = Binding(
        account=Account(id=ACCOUNT, wallet="hot", wallet_position=0, backend=backend.name),
        backend=backend,
        chain=FakeChain(clock),
        references=(),
        holdings=holdings,
    )
    async with SqliteLedger.in_memory(clock) as ledger:
        accounts = Accounts(bindings=(binding,), ledger=ledger, clock=clock)
        return await Briefing(accounts=accounts, ledger=ledger, clock=clock)(case)


async def _never() -> Denied | None:
    return None


def case(
    action: Action | NotUnderstood,
    *,
    payload: EvmPayload | None = None,
    kind: TransactionKind = TransactionKind.ORIGINAL,
    quotes: tuple[int, ...] = (),
    quoted: bool = True,
) -> Case:
    trade = isinstance(action, Swap) and quoted
    return Case(
        method="SignEvmTransaction",
        client=ClientName("spiffe://test/trader"),
        idempotency_key=IdempotencyKey("key-0000000000000001"),
        request_digest="d" * 64,
        account=ACCOUNT,
        kind=kind,
        replaces=None if kind is TransactionKind.ORIGINAL else EARLIER,
        payload=payload or _payload(action),
        action=action,
        policy=policies.policy(),
        decision=Approved(charges=(), limits=(), trace=()),
        recheck=_never,
        claim=policies.honest_claim(action) if trade and not isinstance(action, NotUnderstood) else None,
        quotes=tuple(
            ReferenceQuote(
                source=f"source {at}", amount_out=amount, block_number=100, block_timestamp_s=NOW_S
            )
            for at, amount in enumerate(quotes)
        ),
    )


def _payload(action: Action | NotUnderstood) -> EvmPayload:
    assert not isinstance(action, NotUnderstood)
    return calldata.payload(action)


def weth(amount: int) -> AssetAmount:
    return AssetAmount(asset=WETH, symbol="WETH", decimals=18, amount=amount)


def usdc(amount: int) -> AssetAmount:
    return AssetAmount(asset=USDC, symbol="USDC", decimals=6, amount=amount)


def eth(amount: int) -> AssetAmount:
    return AssetAmount(asset="native", symbol="ETH", decimals=18, amount=amount)


async def test_a_swap_is_told_with_its_minimum_its_quote_and_every_reference() -> None:
    told = await brief(case(SWAP, quotes=(1_000_000, 998_000)))

    assert (told.pays, told.receives_at_least, told.quoted) == (
        (weth(1_000_000),),
        (usdc(995_000),),
        (usdc(995_000),),
    )
    assert [(each.source, each.amount) for each in told.references] == [
        ("source 0", usdc(1_000_000)),
        ("source 1", usdc(998_000)),
    ]
    assert (told.slippage_bps, told.max_slippage_bps) == (50, 50)
    assert told.actions[0].startswith("Swap 0.000000000001 WETH for at least 0.995 USDC at ")
    assert V2_ROUTER in told.actions[0]
    assert told.actions[1].startswith("Swap(venue=")


async def test_without_a_reference_no_slippage_is_told() -> None:
    told = await brief(case(SWAP))

    assert told.slippage_bps is None
    assert told.references == ()


async def test_a_reference_of_nothing_is_no_reference() -> None:
    assert (await brief(case(SWAP, quotes=(0,)))).slippage_bps is None


async def test_the_fee_is_the_most_that_inclusion_can_cost_and_said_in_gwei() -> None:
    payload = replace(_payload(SWAP), gas_limit=200_000, max_fee_per_gas_wei=20 * GWEI + GWEI // 2)

    told = await brief(case(SWAP, payload=payload))

    assert told.fee_max_wei == payload.worst_fee_wei
    assert told.fee_detail == "200,000 gas at 20.5 gwei at most"


async def test_positions_are_what_is_left_at_worst_with_the_fee_in_the_coin() -> None:
    worst_fee = _payload(SWAP).worst_fee_wei
    holdings = FakeHoldings({WETH: 5_000_000, USDC: 7, "": 10**18})

    told = await brief(case(SWAP), holdings)

    assert [(each.before, each.after) for each in told.positions] == [
        (weth(5_000_000), 4_000_000),
        (usdc(7), 995_007),
        (eth(10**18), 10**18 - worst_fee),
    ]


async def test_wrapping_moves_the_coin_and_unwrapping_brings_it_back() -> None:
    holdings = FakeHoldings({"": 10**18, WETH: 2_000_000})
    wrapped = await brief(case(DEPOSIT), holdings)
    unwrapped = await brief(case(WITHDRAW), holdings)

    assert (wrapped.pays, wrapped.receives_at_least) == ((eth(1_000_000),), (weth(1_000_000),))
    assert wrapped.positions[-1].after == 10**18 - 1_000_000 - _payload(DEPOSIT).worst_fee_wei
    assert (unwrapped.pays, unwrapped.receives_at_least) == ((weth(1_000_000),), (eth(1_000_000),))
    assert unwrapped.positions[-1].after == 10**18 + 1_000_000 - _payload(WITHDRAW).worst_fee_wei
    assert wrapped.actions[0] == "Wrap 0.000000000001 ETH into WETH"
    assert unwrapped.actions[0] == "Unwrap 0.000000000001 WETH"


async def test_an_account_that_holds_too_little_is_told_by_a_holding_below_nothing() -> None:
    told = await brief(case(SWAP), FakeHoldings({WETH: 1}))

    assert told.positions[0].after == 1 - SWAP.amount_in


async def test_while_the_node_is_away_no_position_is_told_and_the_rest_is() -> None:
    told = await brief(case(SWAP, quotes=(1_000_000,)), FakeHoldings(away=True))

    assert told.positions == ()
    assert told.pays == (weth(1_000_000),)


async def test_an_allowance_moves_nothing_and_says_who_may_take_how_much() -> None:
    told = await brief(case(APPROVE), FakeHoldings({"": 10**18}))

    assert (told.pays, told.receives_at_least) == ((), ())
    assert told.actions[0] == f"Let {V2_ROUTER} take up to 0.000000000001 WETH from the account"
    assert [each.before.symbol for each in told.positions] == ["ETH"]


async def test_an_allowance_of_nothing_ends_one() -> None:
    told = await brief(case(replace(APPROVE, amount=0)))

    assert told.actions[0] == f"End the allowance of {V2_ROUTER} for WETH"


async def test_a_transfer_names_its_whole_recipient() -> None:
    told = await brief(case(TRANSFER))

    assert told.pays == (eth(1_000),)
    assert told.actions[0] == f"Send 0.000000000000001 ETH to {SAVINGS}"


async def test_a_transfer_of_a_token_pays_the_token() -> None:
    refill = Erc20Transfer(token=USDC, recipient=SAVINGS, amount=2_500_000)

    told = await brief(case(refill, payload=_payload(APPROVE)))

    assert told.pays == (usdc(2_500_000),)
    assert told.actions[0] == f"Send 2.5 USDC to {SAVINGS}"


async def test_a_token_that_the_policy_does_not_list_is_told_in_base_units_of_its_address() -> None:
    swap = replace(SWAP, path=(WETH, THIEF))

    told = await brief(case(swap, quotes=(1_000_000,)))

    assert told.receives_at_least == (AssetAmount(asset=THIEF, symbol=THIEF, decimals=0, amount=995_000),)
    assert f"995,000 base units of {THIEF}" in told.actions[0]


async def test_a_cancellation_says_what_it_cancels_and_moves_nothing() -> None:
    payload = cancellation_of(OWN, 30 * GWEI, 2 * GWEI)
    nothing = NativeTransfer(recipient=OWN, amount_wei=0)

    told = await brief(
        case(nothing, payload=payload, kind=TransactionKind.CANCELLATION), FakeHoldings({"": 10**18})
    )

    assert told.actions[0].startswith(f"Cancel transaction {EARLIER}: ")
    assert told.pays == ()
    assert [each.after for each in told.positions] == [10**18 - 21_000 * 30 * GWEI]


async def test_a_replacement_says_what_it_replaces_and_tells_the_trade_again() -> None:
    told = await brief(case(SWAP, kind=TransactionKind.REPLACEMENT, quoted=False))

    assert told.actions[0].startswith(f"Higher fee for transaction {EARLIER}: Swap ")
    assert told.pays == (weth(1_000_000),)
    assert told.quoted == ()


async def test_bytes_that_the_policy_no_longer_understands_are_not_guessed() -> None:
    unknown = NotUnderstood(
        violation=Violation(
            reason=DenyReason.NOT_UNDERSTOOD,
            rule="understood",
            limit="x",
            actual="selector 12345678",
            unit="x",
        )
    )
    payload = replace(_payload(SWAP), value_wei=77)

    told = await brief(case(unknown, payload=payload, kind=TransactionKind.REPLACEMENT))

    assert "does not understand these bytes: selector 12345678" in told.actions[0]
    assert told.pays == (eth(77),)


async def test_a_transfer_to_the_account_itself_leaves_nothing() -> None:
    told = await brief(case(NativeTransfer(recipient=OWN, amount_wei=5)))

    assert told.pays == ()
    assert told.actions[0].endswith("to the account itself")


async def test_the_budget_has_the_limits_that_the_request_counts_against() -> None:
    rules = policies.policy().account(ACCOUNT)
    assert rules is not None
    charges = charges_of(rules, _payload(SWAP), SWAP)
    decision = Approved(charges=charges, limits=limits_on(rules, charges), trace=())

    told = await brief(replace(case(SWAP), decision=decision))

    assert {use.limit.resource for use in told.budget} == {"fee", "transactions", f"token:{WETH}"}
    assert all(use.used == 0 for use in told.budget)
