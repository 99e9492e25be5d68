"""What a rotation of the account does to the books of both wallets. Refuses to explain away a base unit.

The chain is the witness: transactions that one of the two sent and no order of ours did, their receipts, and
both balances at one final block. What those transactions carried from one to the other moves, what they cost
is a fee, and anything else is a gap.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from trader.domain.ids import AssetId, chain_of, native
from trader.domain.moves import Move, MoveAccount, Passage, Settlement, Side
from trader.portfolio.postings import LedgerAccount, Posting, net

PLAIN_TRANSFER_GAS = 21_000
_DUST_TRANSFERS = 4


def settle_move(
    move: Move, wallet: Side, other: Side, passages: Sequence[Passage], block_number: int
) -> Settlement:
    """Account for everything between `move.from_block` and one final block."""
    sent = [passage.block_number for passage in passages if passage.sender == other.wallet]
    went_on = other.books is None and move.target == other.wallet and bool(sent)
    return Settlement(
        wallet=_account(wallet, passages),
        other=_went_on(other, passages) if went_on else _account(other, passages),
        block_number=block_number,
        agreed_block=min(sent) - 1 if went_on else block_number,
        passages=tuple(passages),
    )


def left_behind(
    move: Move, settlement: Settlement, dust: Mapping[AssetId, int], most_fee_per_gas_wei: int
) -> Mapping[AssetId, int]:
    """What the source still has beyond dust. Coins are dust while they pay for a few transfers at most."""
    few_transfers = {
        native(chain_of(move.wallet)): _DUST_TRANSFERS * PLAIN_TRANSFER_GAS * most_fee_per_gas_wei
    }
    most = {**dust, **few_transfers}
    on_chain = settlement.of(move.source).before.chain
    return {asset: amount for asset, amount in on_chain.items() if amount > most.get(asset, 0)}


def postings_of(account: MoveAccount) -> tuple[Posting, ...]:
    """Entries of one wallet; they sum to zero per asset."""
    fees = {asset: -fee for asset, fee in account.fees.items()}
    return net(
        (
            *_against(LedgerAccount.OPENING, account.opening),
            *_against(LedgerAccount.MOVED, account.moved),
            *_against(LedgerAccount.GAS, fees),
        )
    )


def _account(side: Side, passages: Sequence[Passage]) -> MoveAccount:
    books, moved, fees = side.books or {}, _moved(side, passages), _fees(side, passages)
    rest = {
        asset: side.chain.get(asset, 0) - (books.get(asset, 0) + moved.get(asset, 0) - fees.get(asset, 0))
        for asset in {**side.chain, **moved, **fees, **books}
    }
    # What a wallet without books holds besides is its opening, as for any wallet.
    opening = {asset: amount for asset, amount in rest.items() if amount > 0} if side.books is None else {}
    gap = {asset: amount for asset, amount in rest.items() if amount and asset not in opening}
    return MoveAccount(before=side, opening=opening, moved=moved, fees=fees, gap=gap)


def _went_on(side: Side, passages: Sequence[Passage]) -> MoveAccount:
    """A new wallet that has sent since: what it sent belongs to its own next move, with its own books."""
    return MoveAccount(before=side, opening={}, moved=_moved(side, passages), fees={}, gap={})


def _moved(side: Side, passages: Sequence[Passage]) -> Mapping[AssetId, int]:
    moved: dict[AssetId, int] = defaultdict(int)
    for passage in passages:
        for asset, amount in passage.carried.items():
            moved[asset] += -amount if passage.sender == side.wallet else amount
    return {asset: amount for asset, amount in moved.items() if amount}


def _fees(side: Side, passages: Sequence[Passage]) -> Mapping[AssetId, int]:
    paid = sum(passage.fee_paid_wei for passage in passages if passage.sender == side.wallet)
    return {native(chain_of(side.wallet)): paid} if paid else {}


def _against(account: LedgerAccount, amounts: Mapping[AssetId, int]) -> Iterable[Posting]:
    for asset, amount in amounts.items():
        yield Posting(account=LedgerAccount.FREE, asset=asset, amount=amount)
        yield Posting(account=account, asset=asset, amount=-amount)
