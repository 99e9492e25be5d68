"""Who takes the trader's host finds no key: not in memory, database or files, nor in the audit trail."""

import asyncio
from pathlib import Path

from tests.e2e import scans
from tests.e2e.books import open_books
from tests.e2e.scene import Scene, Stage
from tests.testbed.accounts import dev_account

_SIGNER_ONLY = frozenset({"ledger.sqlite", "ledger.sqlite-wal"})


async def test_the_key_is_in_the_signers_memory_and_nowhere_else(stage: Stage, tmp_path: Path) -> None:
    async with Scene.open(stage, tmp_path) as scene, scene.serve() as signer, open_books(scene) as books:
        await scene.fund()
        index = scene.signer.account_indexes[0]
        key = scans.spellings("key", bytes.fromhex(dev_account(index).private_key[2:]))
        async with scene.trade(scene.trader()) as trader:
            async with scene.tide():
                await books.until_settled(1)
                in_trader, trader_bytes = await asyncio.to_thread(scans.in_memory, trader.pid, key)
                in_signer, _ = await asyncio.to_thread(scans.in_memory, signer.pid, key)
            await books.until_closed()
        signed = {
            name: needle
            for what, secret in scans.signed_bytes(scene.signer)
            for name, needle in scans.spellings(what, secret).items()
        }
        in_database, rows = await scans.in_database(scene.bed.dsn, {**key, **signed})
        postgres = await scans.data_folder(scene.bed.dsn)
        in_postgres, pages = await asyncio.to_thread(scans.in_folder, postgres, {**key, **signed})
        in_files, files = await asyncio.to_thread(
            scans.in_folder, scene.folder, {**key, **signed}, but=_SIGNER_ONLY
        )
        in_ledger, _ = await asyncio.to_thread(scans.in_folder, scene.signer.folder, signed)

    assert "key raw" in in_signer, "the scan does not work"
    assert any(name.endswith("raw") for name in in_ledger), "the scan does not work"
    assert (in_trader, in_database, in_postgres, in_files) == (set(), set(), set(), set())
    assert trader_bytes > 20 * 2**20
    assert min(rows, pages, files) > 10
    assert len(signed) >= 2 * 2 * 3 * 5  # approval and swap on two venues; bytes, r and s; five spellings
