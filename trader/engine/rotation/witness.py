"""What the chain says about a move: the sweeps, what they carried and cost, and both balances at the end.

Reads final blocks only, and every block once. Refuses to take anybody's word, and the signer's least of all.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trader.domain.errors import ChainUnavailableError
from trader.domain.ids import AssetId, WalletId, address_of, chain_of, native, token_of
from trader.domain.moves import Move, Passage, Settlement, Side
from trader.engine.desk import Desk
from trader.engine.finality import final_block_number
from trader.engine.reconcile import chain_balances, under_way
from trader.portfolio.moves import settle_move
from trader.ports.chain import Receipt, SentTransaction

_BLOCKS_AT_ONCE = 16


@dataclass(slots=True, kw_only=True)
class Witness:
    """Looks at the two wallets of one move; remembers the blocks that it has seen."""

    desk: Desk
    move: Move
    assets: Sequence[AssetId]
    _seen_to: int = field(init=False)
    _sent: list[tuple[int, SentTransaction]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._seen_to = self.move.from_block

    async def settlement(self) -> Settlement | None:
        """The move at the newest final block; None while orders are under way, or that block is too old."""
        move = self.move
        if await under_way(self.desk, move.wallet) or await under_way(self.desk, move.other):
            return None
        # The books before the block: what they know by now is final there.
        booked = [await self.desk.store.balances_of(wallet) for wallet in (move.wallet, move.other)]
        final = await final_block_number(self.desk)
        if final < move.from_block:
            return None
        await self._read_to(final)
        # What the books have counts, too, where the settings do not name it any more.
        assets = list(dict.fromkeys([*self.assets, *(booked[0] or {}), *(booked[1] or {})]))
        on_chain = await asyncio.gather(
            *(chain_balances(self.desk, wallet, assets, final) for wallet in (move.wallet, move.other))
        )
        return settle_move(
            move,
            Side(wallet=move.wallet, books=booked[0], chain=on_chain[0]),
            Side(wallet=move.other, books=booked[1], chain=on_chain[1]),
            await self._passages(final, assets),
            final,
        )

    async def still(self, settlement: Settlement) -> bool:
        """Whether the source has sent nothing since."""
        chain, source = self.desk.chain, address_of(self.move.source)
        head = (await chain.head()).number
        counts = [await chain.transaction_count(source, number) for number in (settlement.block_number, head)]
        return counts[0] == counts[1]

    async def _read_to(self, final: int) -> None:
        senders = [address_of(self.move.wallet), address_of(self.move.other)]
        while self._seen_to < final:
            numbers = range(self._seen_to + 1, min(self._seen_to + _BLOCKS_AT_ONCE, final) + 1)
            blocks = await asyncio.gather(*(self.desk.chain.sent_from(senders, number) for number in numbers))
            for number, block in zip(numbers, blocks, strict=True):
                self._sent += [(number, sent) for sent in block]
            self._seen_to = numbers[-1]

    async def _passages(self, final: int, assets: Sequence[AssetId]) -> Sequence[Passage]:
        """What no order of ours sent."""
        passages: list[Passage] = []
        for wallet in (self.move.wallet, self.move.other):
            sent = [
                (number, one)
                for number, one in self._sent
                if one.sender == address_of(wallet) and number <= final
            ]
            ours = await self.desk.store.nonces_of_orders(wallet, [one.nonce for _, one in sent])
            passages += await asyncio.gather(
                *(self._passage(wallet, number, one, assets) for number, one in sent if one.nonce not in ours)
            )
        return passages

    async def _passage(
        self, sender: WalletId, number: int, sent: SentTransaction, assets: Sequence[AssetId]
    ) -> Passage:
        receipt = await self.desk.chain.receipt(sent.transaction_hash)
        if receipt is None or receipt.block_number != number:
            raise ChainUnavailableError(
                f"the node has no receipt in block {number} for {sent.transaction_hash}, which is there"
            )
        return Passage(
            transaction_hash=sent.transaction_hash,
            sender=sender,
            block_number=number,
            carried=self._carried(sender, sent, receipt, assets),
            fee_paid_wei=receipt.fee_paid_wei,
        )

    def _carried(
        self, sender: WalletId, sent: SentTransaction, receipt: Receipt, assets: Sequence[AssetId]
    ) -> Mapping[AssetId, int]:
        """To the other wallet, and nowhere else: what went anywhere else stays a gap."""
        coin = native(chain_of(sender))
        recipient = address_of(self.move.other if sender == self.move.wallet else self.move.wallet)
        found: dict[AssetId, int] = defaultdict(int)
        if sent.recipient == recipient and not receipt.reverted:
            found[coin] += sent.value_wei
        tokens = {token_of(asset): asset for asset in assets if asset != coin}
        for log in receipt.transfers:
            if log.token in tokens and (log.sender, log.recipient) == (address_of(sender), recipient):
                found[tokens[log.token]] += log.amount
        return {asset: amount for asset, amount in found.items() if amount}
