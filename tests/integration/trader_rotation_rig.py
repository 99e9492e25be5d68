"""A rotation as the signer would do it: sweeps sent from a public test key, and what it says about them."""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.integration.trader_rig import Rig
from tests.testbed import abi
from tests.testbed.bed import Bed
from tests.testbed.packages import Json
from trader.domain.ids import AssetId, WalletId, address_of
from trader.domain.moves import Standing
from trader.engine.reconcile import chain_balances
from trader.engine.rotation.follow import Follower
from trader.engine.rotation.mover import Mover
from trader.ports.move_store import MoveVerdict

SUCCESSOR = 2
TOKENS = ("USDX", "WETH")
_TRANSFER_GAS = 21_000


async def revoke(bed: Bed, wallet: WalletId) -> None:
    """What costs gas and moves nothing."""
    data = abi.calldata("approve(address,uint256)", bed.world.v2_router, 0)
    await bed.anvil.send(address_of(wallet), bed.world.usdx, data)


async def sweep_token(bed: Bed, token: str, source: WalletId, target: str) -> None:
    amount = await bed.balance(address_of(source), token)
    data = abi.calldata("transfer(address,uint256)", target, amount)
    await bed.anvil.send(address_of(source), bed.world.token(token), data)


async def sweep_coins(bed: Bed, source: WalletId, target: str, *, leave_wei: int = 0) -> None:
    """All but the worst fee and `leave_wei`: the difference to what was paid stays as dust."""
    head = await bed.anvil.head()
    price = int(str(head["baseFeePerGas"]), 16) * 2 + 1
    value = await bed.anvil.balance(address_of(source)) - _TRANSFER_GAS * price - leave_wei
    request: dict[str, Json] = {
        "from": address_of(source),
        "to": target,
        "value": hex(value),
        "gas": hex(_TRANSFER_GAS),
        "maxFeePerGas": hex(price),
        "maxPriorityFeePerGas": "0x1",
    }
    await bed.anvil.receipt(str(await bed.anvil.rpc("eth_sendTransaction", request)))


async def sweep(bed: Bed, source: WalletId, target: WalletId) -> None:
    """Approvals, tokens, coins last."""
    await revoke(bed, source)
    for token in TOKENS:
        if await bed.balance(address_of(source), token):
            await sweep_token(bed, token, source, address_of(target))
    await sweep_coins(bed, source, address_of(target))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """The trader's side, step by step, for whatever wallet the configured one has become."""

    rig: Rig
    new: WalletId

    @property
    def old(self) -> WalletId:
        return self.rig.wallet

    async def follow(self) -> Standing:
        await Follower(self.rig.desk, self.old, every_ms=1).look()
        return await self.rig.store.standing(self.old)

    async def mover(self) -> Mover:
        standing = await self.rig.store.standing(self.old)
        assert standing.move is not None
        return Mover(self.rig.desk, standing.move, self.rig.assets, every_ms=1)

    async def move(self) -> MoveVerdict | None:
        return await (await self.mover()).look()

    async def balances(self, wallet: WalletId) -> Mapping[AssetId, int]:
        head = await self.rig.node.head()
        return await chain_balances(self.rig.desk, wallet, self.rig.assets, head.number)

    async def count_nonces(self) -> None:
        """The signer knows its sweeps, of course; the fake one is told by the chain."""
        for wallet in self.rig.signer.nonces:
            count = await self.rig.bed.anvil.rpc("eth_getTransactionCount", address_of(wallet), "latest")
            self.rig.signer.nonces[wallet] = int(str(count), 16)

    async def assert_no_drift(self, *wallets: WalletId) -> None:
        """Balances, entries and the chain are equal, and the wallets together made or lost nothing."""
        for wallet in wallets:
            assert await self.rig.store.close_books(wallet) == await self.balances(wallet)


async def rotation(rig: Rig, *, empty: bool = True) -> Rotation:
    """The successor is the signer's already; with `empty` it has no coins, unlike anvil's accounts."""
    account = rig.bed.accounts[SUCCESSOR]
    if empty:
        await rig.bed.anvil.rpc("anvil_setBalance", account.address, "0x0")
    return Rotation(rig=rig, new=rig.signer.hold(account))
