"""The trader trades on while every secret of its settings is replaced in Vault: no restart, no order lost."""

import uuid
from pathlib import Path

import pytest_asyncio

from tests.e2e.books import Books, open_books
from tests.e2e.scene import Scene, Stage, said
from tests.testbed.postgres_role import postgres_role
from tests.testbed.processes import until
from tests.testbed.trader_program import TraderFiles
from tests.testbed.vault import VaultServer
from tests.testbed.vault_ground import TRADER_KV, role_id, wrapped_secret_id
from trader.domain.orders import OrderKind, OrderState

ROLE = "airlock-trader"
FIRST, SECOND = "hunter2-first", "hunter2-second"
SECRET_ID = "secrets/secret-id.wrapped"


@pytest_asyncio.fixture
async def secret(airlock_vault: VaultServer) -> str:
    """Where this test's secrets are in Vault."""
    del airlock_vault
    return f"trader-{uuid.uuid4().hex[:8]}"


async def test_the_trader_trades_on_while_its_password_access_key_and_secret_id_are_replaced(
    stage: Stage, airlock_vault: VaultServer, secret: str, tmp_path: Path
) -> None:
    async with (
        Scene.open(stage, tmp_path) as scene,
        scene.serve(),
        postgres_role(scene.bed.dsn, FIRST) as role,
    ):

        async def store(password: str) -> None:
            fields = {"dsn": role.dsn(password), "url": f"{scene.bed.rpc_url}/?key={password}"}
            await airlock_vault.write(f"{TRADER_KV}/data/{secret}", {"data": dict(fields)})

        await store(FIRST)
        files = scene.trader()
        await _refer_to_vault(files, airlock_vault, secret)
        await scene.fund()
        async with scene.trade(files) as trader, open_books(scene) as books:
            async with scene.tide():
                await books.until_settled(1)
                await store(SECOND)  # too early: it does not work yet
                await said(trader, '"event": "secret.not_refreshed"')
                await role.change_password(SECOND)
                for setting in ("database.dsn", "chain.rpc_url"):
                    await said(trader, f'"setting": "{setting}", "event": "secret.changed"')
                await _deliver(files, airlock_vault)
                await until(lambda: _taken(files), what="the trader takes its new secret id")
                await role.hang_up()  # whoever connects from here on needs the new password
                before = await _settled(books)
                await books.until_settled(before + 1)
            await books.until_closed()
            await books.until_final()
            log = trader.log()

            assert trader.returncode is None
            assert not [word for word in (FIRST, SECOND, "hvs.") if word in log]
            assert '"task": "secrets"' not in log
            await books.assert_one_swap_each()
            await books.assert_close()


async def _refer_to_vault(files: TraderFiles, vault: VaultServer, secret: str) -> None:
    text = files.settings.read_text()
    text = text.replace('"file:dsn"', f'"vault:{TRADER_KV}/{secret}#dsn"')
    text = text.replace(f'"{files.rpc_url}"', f'"vault:{TRADER_KV}/{secret}#url"')
    text += f"""
[vault]
address = "{vault.url}"
ca_file = "{vault.ca}"
read_every_ms = 1000

[vault.login]
approle = {{ role_id = "{await role_id(vault, ROLE)}", secret_id_file = "{SECRET_ID}" }}
"""
    files.settings.write_text(text)
    (files.folder / "dsn").unlink()
    (files.folder / SECRET_ID).parent.mkdir(mode=0o700)
    await _deliver(files, vault)


async def _deliver(files: TraderFiles, vault: VaultServer) -> None:
    place = files.folder / SECRET_ID
    beside = place.with_suffix(".new")
    beside.write_text(await wrapped_secret_id(vault, ROLE))
    beside.replace(place)


async def _taken(files: TraderFiles) -> bool:
    return not (files.folder / SECRET_ID).exists()


async def _settled(books: Books) -> int:
    """Settled swaps of the venue that has more of them."""
    venues = [order.venue for order in await books.orders(OrderState.SETTLED, kind=OrderKind.SWAP)]
    return max(venues.count(venue) for venue in set(venues))
