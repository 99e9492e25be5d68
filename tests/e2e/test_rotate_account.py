"""The operator's command and the signer's program, killed while it drains: everything arrives, once."""

import asyncio
import json
import random
from pathlib import Path

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.e2e.asking import asking, refusal, swap
from tests.e2e.scene import Ended, command_line
from tests.fakes import wire
from tests.testbed import abi
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.parts import require
from tests.testbed.signer_program import PROGRAM, SignerFiles, serving, signer_program
from tests.testbed.uniswap import ETHER, USDX_UNIT, UniswapState

OK, UNDER_WAY = 0, 1
FUNDS = {"USDX": 9_000 * USDX_UNIT, "ABC": 500 * ETHER}
NEW = dev_account(2).address
MOST_S = 120


async def test_the_signer_is_killed_again_and_again_while_it_drains_and_everything_arrives_once(
    uniswap: UniswapState, tmp_path: Path
) -> None:
    require("anvil")
    rng = random.Random(20_261_121)
    async with Anvil(block_time_s=0.3) as chain:
        await chain.load_state(uniswap.dump)
        files = SignerFiles(folder=tmp_path / "signer", world=uniswap.world, rpc_url=chain.url).write()
        files.settings.write_text(f"{files.settings.read_text()}\n[limits]\nfollow_interval_ms = 50\n")
        before = await _funded(chain, files)
        new_account = f"eip155:{uniswap.world.chain_id}:{NEW}"

        async with signer_program(files) as signer:
            await serving(files, signer)
            begun = await _rotate(files, "begin", "--new-account", new_account)
            on_the_old = await refusal(files, swap(files, "while-draining"))
            for _ in range(3):
                await asyncio.sleep(rng.uniform(0, 0.4))
                signer.kill()
                signer.start()
                await serving(files, signer)
            accounts = await _until_swept(files)
            unfinished = await _rotate(files, "status")
            finished = await _rotate(files, "finish")
            signer.kill()
            signer.start()
            await serving(files, signer)
            retired = await refusal(files, swap(files, "when-retired"))
            status = await _rotate(files, "status")
        verified = await command_line(PROGRAM, "audit", "verify", str(files.audit))

        assert (begun.code, unfinished.code) == (OK, UNDER_WAY), (begun, unfinished)
        assert wire.reasons(on_the_old) == ["ACCOUNT_DRAINING"]
        assert NEW in (on_the_old.details() or "")
        assert [each.state for each in accounts] == [pb.Account.STATE_DRAINING, pb.Account.STATE_ACTIVE]
        assert accounts[0].successor.lower() == new_account
        assert accounts[1].granted_methods == accounts[0].granted_methods
        assert finished.code == OK, finished
        assert (status.code, json.loads(status.out)["finished"]) == (OK, True)
        assert wire.reasons(retired) == ["ACCOUNT_RETIRED"]
        after = await _holdings(chain, files, NEW)
        assert {symbol: after[symbol] - before[symbol] for symbol in FUNDS} == FUNDS
        assert await _holdings(chain, files, files.address) == dict.fromkeys(FUNDS, 0)
        assert await chain.balance(files.address) < 10**15
        assert verified.code == OK, verified


async def _funded(chain: Anvil, files: SignerFiles) -> dict[str, int]:
    """Give the old account tokens and an allowance to take back; returns what the new one had."""
    provider = dev_account(LIQUIDITY_PROVIDER).address
    for symbol, amount in FUNDS.items():
        data = abi.calldata("mint(address,uint256)", files.address, amount)
        await chain.send(provider, files.world.token(symbol), data)
    allow = abi.calldata("approve(address,uint256)", files.world.v2_router, 10**30)
    await chain.send(files.address, files.world.usdx, allow)
    return await _holdings(chain, files, NEW)


async def _holdings(chain: Anvil, files: SignerFiles, owner: str) -> dict[str, int]:
    return {
        symbol: await chain.uint(files.world.token(symbol), "balanceOf(address)", owner) for symbol in FUNDS
    }


async def _rotate(files: SignerFiles, step: str, *arguments: str) -> Ended:
    where = ("--address", f"127.0.0.1:{files.admin_port}", "--pki", str(files.pki), "--json")
    return await command_line(
        PROGRAM, "rotate", "account", step, "--account", files.account, *where, *arguments
    )


async def _until_swept(files: SignerFiles) -> list[pb.Account]:
    async with asyncio.timeout(MOST_S), asking(files) as asker:
        while True:
            listed = await asker.stub.ListAccounts(pb.ListAccountsRequest(), timeout=30)
            if listed.accounts[0].swept:
                return list(listed.accounts)
            await asyncio.sleep(0.1)
