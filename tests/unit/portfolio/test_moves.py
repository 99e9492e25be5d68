"""What a move does to both wallets' books: what the chain does not explain is a gap, and nothing is made."""

from collections import defaultdict
from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from tests.fakes.trade import CHAIN, COIN, TKN, WALLET
from trader.domain.ids import AssetId, WalletId
from trader.domain.moves import Move, Passage, Settlement, Side
from trader.portfolio.moves import PLAIN_TRANSFER_GAS, left_behind, postings_of, settle_move
from trader.portfolio.postings import LedgerAccount

NEW = WalletId(f"{CHAIN}:0x{'22' * 20}")
FORWARD = Move(id=1, wallet=WALLET, other=NEW, target=NEW, from_block=10)
ROUND = Move(id=1, wallet=WALLET, other=NEW, target=WALLET, from_block=10)


def passage(
    carried: Mapping[AssetId, int] | None = None, *, sender: WalletId = WALLET, fee: int = 7, block: int = 11
) -> Passage:
    return Passage(
        transaction_hash=f"0x{block:064x}",
        sender=sender,
        block_number=block,
        carried=carried or {},
        fee_paid_wei=fee,
    )


def settle(
    before: Mapping[AssetId, int],
    after: Mapping[AssetId, int],
    new_after: Mapping[AssetId, int],
    *passages: Passage,
    new_before: Mapping[AssetId, int] | None = None,
    move: Move = FORWARD,
) -> Settlement:
    return settle_move(
        move,
        Side(wallet=WALLET, books=before, chain=after),
        Side(wallet=NEW, books=new_before, chain=new_after),
        passages,
        20,
    )


def test_a_sweep_moves_what_arrived_pays_its_gas_and_leaves_the_rest() -> None:
    settlement = settle(
        {COIN: 100, TKN: 50},
        {COIN: 6, TKN: 0},
        {COIN: 80, TKN: 50},
        passage({TKN: 50}),
        passage({COIN: 80}),
    )

    assert settlement.gaps == {}
    assert settlement.of(NEW).moved == {TKN: 50, COIN: 80}
    assert settlement.of(WALLET).fees == {COIN: 14}
    assert settlement.of(NEW).opening == {}
    assert settlement.agreed_block == 20


def test_what_went_to_a_stranger_is_a_gap() -> None:
    settlement = settle({COIN: 100}, {COIN: 3}, {COIN: 70}, passage({COIN: 70}), passage())

    assert settlement.gaps == {(WALLET, COIN): -13}


def test_what_did_not_arrive_is_a_gap_of_the_successor() -> None:
    settlement = settle({COIN: 100}, {COIN: 13}, {COIN: 79}, passage({COIN: 80}))

    assert settlement.gaps == {(NEW, COIN): -1}


def test_a_surplus_opens_a_new_wallet_and_is_a_gap_of_one_with_books() -> None:
    arrived = passage({COIN: 80})
    opened = settle({COIN: 100}, {COIN: 13}, {COIN: 85}, arrived)
    known = settle({COIN: 100}, {COIN: 13}, {COIN: 85}, arrived, new_before={COIN: 0})

    assert (opened.gaps, opened.of(NEW).opening) == ({}, {COIN: 5})
    assert known.gaps == {(NEW, COIN): 5}


def test_what_came_back_is_netted_and_both_pay_their_gas() -> None:
    settlement = settle(
        {COIN: 100},
        {COIN: 75},
        {COIN: 4},
        passage({COIN: 50}),
        passage({COIN: 32}, sender=NEW, fee=14),
        move=ROUND,
    )

    assert settlement.gaps == {}
    assert settlement.of(WALLET).moved == {COIN: -18}
    assert (settlement.of(WALLET).fees, settlement.of(NEW).fees) == ({COIN: 7}, {COIN: 14})


def test_a_successor_that_went_on_opens_with_what_arrived() -> None:
    settlement = settle(
        {COIN: 100}, {COIN: 13}, {COIN: 2}, passage({COIN: 80}), passage(sender=NEW, block=15, fee=3)
    )

    assert settlement.gaps == {}
    assert (settlement.of(NEW).moved, settlement.of(NEW).fees) == ({COIN: 80}, {})
    assert settlement.agreed_block == 14


def test_coins_that_pay_for_a_few_transfers_are_dust_and_tokens_by_their_own_measure() -> None:
    dust = 4 * PLAIN_TRANSFER_GAS * 10
    settlement = settle({COIN: dust, TKN: 9}, {COIN: dust, TKN: 9}, {})

    assert left_behind(FORWARD, settlement, {TKN: 9}, 10) == {}
    assert left_behind(FORWARD, settlement, {TKN: 8}, 9) == {COIN: dust, TKN: 9}


AMOUNTS = st.dictionaries(st.sampled_from([COIN, TKN]), st.integers(0, 10**30))
PASSAGES = st.lists(
    st.builds(
        lambda sender, carried, fee: passage(carried, sender=sender, fee=fee),
        st.sampled_from([WALLET, NEW]),
        AMOUNTS,
        st.integers(0, 10**18),
    ),
    max_size=6,
)


@given(AMOUNTS, AMOUNTS, AMOUNTS, AMOUNTS, PASSAGES)
def test_entries_balance_and_explain_every_base_unit_but_the_gap(
    before: Mapping[AssetId, int],
    after: Mapping[AssetId, int],
    new_before: Mapping[AssetId, int],
    new_after: Mapping[AssetId, int],
    passages: list[Passage],
) -> None:
    settlement = settle(before, after, new_after, *passages, new_before=new_before)
    cleared: dict[AssetId, int] = defaultdict(int)
    for account in (settlement.wallet, settlement.other):
        totals: dict[AssetId, int] = defaultdict(int)
        free: dict[AssetId, int] = defaultdict(int)
        for posting in postings_of(account):
            totals[posting.asset] += posting.amount
            if posting.account is LedgerAccount.FREE:
                free[posting.asset] += posting.amount
            if posting.account is LedgerAccount.MOVED:
                cleared[posting.asset] += posting.amount
        books = account.before.books or {}
        for asset in (COIN, TKN):
            booked = books.get(asset, 0) + free[asset] + account.gap.get(asset, 0)
            assert booked == account.before.chain.get(asset, 0)
        assert set(totals.values()) <= {0}
    assert set(cleared.values()) <= {0}
