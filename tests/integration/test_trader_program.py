"""The whole program in one process: settings file, app.run, commands; the price moves and trades settle."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.fakes.fake_signer import FakeSigner
from tests.fakes.signer_server import signer_server
from tests.testbed.anvil import CHAIN_ID
from tests.testbed.bed import Bed
from tests.testbed.price_mover import PriceMover
from tests.testbed.uniswap import ETHER, USDX_UNIT, V3_FEE
from trader.app import open_office, open_store, run
from trader.cli.doctor import doctor
from trader.cli.reports import orders, positions, status
from trader.cli.wallets import release
from trader.domain.errors import ConfigurationError
from trader.domain.orders import CLOSED_STATES, OrderKind, OrderState
from trader.engine.reconcile import Reconciler, compare_books
from trader.settings import Settings, load

TRADER = 1


def settings_file(bed: Bed, folder: Path, target: str) -> Path:
    (folder / "dsn").write_text(bed.dsn + "\n", encoding="utf-8")
    world = bed.world
    path = folder / "trader.toml"
    path.write_text(
        f"""
wallet = "eip155:{CHAIN_ID}:{bed.accounts[TRADER].address}"

[signer]
target = "{target}"
unsafe_plaintext_on_unix_socket = true

[chain]
rpc_url = "{bed.rpc_url}"
confirmations = 1

[database]
dsn = "file:dsn"

[[assets]]
symbol = "USDX"
address = "{world.usdx}"
decimals = 6

[[assets]]
symbol = "WETH"
address = "{world.weth}"
decimals = 18

[venues.uniswap_v2]
router = "{world.v2_router}"
factory = "{world.v2_factory}"

[venues.uniswap_v3]
router = "{world.swap_router}"
quoter = "{world.quoter}"
factory = "{world.v3_factory}"

[[strategies]]
name = "on-v2"
base = "WETH"
quote = "USDX"
venue = "uniswap_v2"
v3_fee = {V3_FEE}
window = 3
threshold_bps = 10
buy_amount = {1_000 * USDX_UNIT}
sell_amount = {ETHER // 5}
cooldown_ms = 0

[[strategies]]
name = "on-v3"
base = "WETH"
quote = "USDX"
venue = "uniswap_v3"
feed = "uniswap_v3"
v3_fee = {V3_FEE}
window = 3
threshold_bps = 10
buy_amount = {1_000 * USDX_UNIT}
sell_amount = {ETHER // 5}
cooldown_ms = 0

[engine]
poll_ms = 10
block_poll_ms = 20
lease_ms = 20000
reconcile_every_ms = 50
""",
        encoding="utf-8",
    )
    return path


@pytest.fixture
def signer(bed: Bed) -> FakeSigner:
    return FakeSigner(bed.accounts[TRADER], chain_id=CHAIN_ID)


async def _trade(bed: Bed, settings: Settings, *, live: bool, trades: int) -> bool:
    stop = asyncio.Event()
    running = asyncio.create_task(run(settings, live=live, stop=stop))
    mover = PriceMover(bed.anvil, bed.world, "WETH")
    async with open_store(settings) as store:
        for step in range(200):
            closed = [
                order
                for order in await store.orders(open_only=False, limit=500)
                if order.kind is OrderKind.SWAP and order.state in CLOSED_STATES
            ]
            if len(closed) >= trades or running.done():
                break
            await mover.move(30 if step % 20 < 10 else -30)
            await asyncio.sleep(0.05)
        for _ in range(200):  # what has begun shall end
            if not await store.orders(open_only=True, limit=1):
                break
            await asyncio.sleep(0.05)
    stop.set()
    return await running


async def test_a_live_run_trades_on_both_venues_and_its_books_close(
    bed: Bed, signer: FakeSigner, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    account = bed.accounts[TRADER].address
    await bed.fund(account, "USDX", 100_000 * USDX_UNIT)
    await bed.fund(account, "WETH", 10 * ETHER)
    async with signer_server(signer, tmp_path) as target:
        settings = load(settings_file(bed, tmp_path, target))
        graceful = await _trade(bed, settings, live=True, trades=6)
        async with open_office(settings) as office:
            await office.store.close_books(office.wallet)
            drift = await compare_books(office.desk, office.wallet, office.assets)
            found = await office.store.orders(open_only=False, limit=500)
            halted = await office.store.halted()
        capsys.readouterr()
        codes = [
            await status(settings, as_json=True),
            await orders(settings, as_json=True, open_only=False, limit=5),
            await positions(settings, as_json=True),
            await doctor(settings, as_json=True),
        ]

    assert graceful
    settled = [order for order in found if order.kind is OrderKind.SWAP and order.state is OrderState.SETTLED]
    assert {order.quote.venue for order in settled if order.quote} == {"uniswap_v2", "uniswap_v3"}
    assert len(settled) >= 4
    assert drift is not None
    assert drift.by_asset == {}
    assert halted == {}
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert codes == [0, 0, 0, 0], printed[-1]
    assert len(printed[1]["orders"]) == 5


async def test_without_live_nothing_is_signed(bed: Bed, signer: FakeSigner, tmp_path: Path) -> None:
    await bed.fund(bed.accounts[TRADER].address, "USDX", 100_000 * USDX_UNIT)
    async with signer_server(signer, tmp_path) as target:
        settings = load(settings_file(bed, tmp_path, target))
        await _trade(bed, settings, live=False, trades=2)
        async with open_store(settings) as store:
            orders = await store.orders(open_only=False, limit=50)
            # The stop may come between an order's steps; its next step waits for the next start.
            under_way = {order.id for order in await store.orders(open_only=True, limit=50)}

    assert {order.reason for order in orders if order.id not in under_way} == {
        "dry run: the signer would sign"
    }
    assert signer.signed == []


async def test_a_wallet_whose_books_drift_is_halted_and_released_when_they_agree_again(
    bed: Bed, signer: FakeSigner, tmp_path: Path
) -> None:
    account = bed.accounts[TRADER].address
    async with signer_server(signer, tmp_path) as target:
        settings = load(settings_file(bed, tmp_path, target))
        await _trade(bed, settings, live=False, trades=0)
        await bed.fund(account, "USDX", 5)
        async with open_office(settings) as office:
            reconciler = Reconciler(office.desk, office.wallet, office.assets, every_ms=1)
            once = await reconciler.look({})
            after_one_look = await office.store.halted()
            await reconciler.look(once)
            halted = await office.store.halted()
        refused = await release(settings, as_json=True)

    assert after_one_look == {}
    assert "USDX +5 base units" in halted[office.wallet]
    assert refused == 1


async def test_a_node_of_another_chain_is_refused_at_start(bed: Bed, tmp_path: Path) -> None:
    path = settings_file(bed, tmp_path, f"unix:{tmp_path / 'nobody.sock'}")
    path.write_text(
        path.read_text(encoding="utf-8").replace(f"eip155:{CHAIN_ID}", "eip155:1"), encoding="utf-8"
    )

    with pytest.raises(ConfigurationError, match=f"eip155:{CHAIN_ID}, the wallet lives on eip155:1"):
        await run(load(path), live=True, stop=asyncio.Event())
