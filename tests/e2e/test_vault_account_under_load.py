"""An account in Vault is rotated while 16 clients sign and broadcast: each moves to the successor by itself.

The figures are printed at the end of the run, in the line that begins with VAULT_ROTATIONS.
"""

import asyncio
import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import grpc.aio
from eth_account import Account

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.e2e.asking import Asker, asking, refusal, swap
from tests.e2e.load import CLIENTS, reason_of
from tests.e2e.scene import command_line
from tests.e2e.vault_scene import VaultScene
from tests.fakes import wire
from tests.testbed import abi
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.anvil import RpcError
from tests.testbed.figures import Figures
from tests.testbed.parts import require
from tests.testbed.processes import until
from tests.testbed.signer_program import PROGRAM, SignerFiles
from tests.testbed.uniswap import ETHER, USDX_UNIT, UniswapState
from tests.testbed.vault_desk import ROTATOR

_TOKENS = {"USDX": 9_000 * USDX_UNIT, "ABC": 500 * ETHER}
_PAUSE_S = 0.1
_DRAINING = "ACCOUNT_DRAINING"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One answer, by the account that was asked."""

    client: int
    account: str
    at: float
    reason: str = ""
    raw: bytes = field(default=b"", repr=False)


class Crowd:
    """Clients as a trader is one: they sign, broadcast, and follow an account to its successor."""

    def __init__(self, scene: VaultScene) -> None:
        self._scene, self._files = scene, scene.signer
        self._numbers = itertools.count()
        self._over = asyncio.Event()
        self.heard: list[Heard] = []

    async def work(self, number: int) -> None:
        account = self._files.account
        async with asking(self._files) as asker:
            while not self._over.is_set():
                key, owner = f"moving-{number:02d}-{next(self._numbers):08d}", account.rpartition(":")[2]
                request = swap(self._files, key, recipient=owner)
                request.account = account
                if await self._asked(asker, number, request) == _DRAINING:
                    account = await self._successor(asker, account)
                await asyncio.sleep(_PAUSE_S)

    def stop(self) -> None:
        self._over.set()

    def signed(self, account: str | None = None) -> Sequence[Heard]:
        return [one for one in self.heard if one.raw and one.account == (account or one.account)]

    async def serves_everybody(self, account: str) -> None:
        now = time.monotonic()

        async def served() -> bool:
            return len({one.client for one in self.signed(account) if one.at >= now}) == CLIENTS

        await until(served, what=f"every client has a signature of {account}", timeout_s=90)

    async def _asked(self, asker: Asker, number: int, request: pb.SignEvmTransactionRequest) -> str:
        try:
            answer = await asker.sign(request)
        except grpc.aio.AioRpcError as error:
            reason, raw = reason_of(error), b""
        else:
            reason, raw = "", answer.raw_transaction
            await self._broadcast(raw)
        heard = Heard(client=number, account=request.account, at=time.monotonic(), reason=reason, raw=raw)
        self.heard.append(heard)
        return reason

    async def _broadcast(self, raw: bytes) -> None:
        try:
            await self._scene.chain.rpc("eth_sendRawTransaction", "0x" + raw.hex())
        except RpcError as error:
            # The drain may have outbid it: it knows what was signed and not seen yet.
            if not any(word in str(error) for word in ("nonce", "underpriced", "already")):
                raise

    async def _successor(self, asker: Asker, account: str) -> str:
        while True:
            listed = await asker.stub.ListAccounts(pb.ListAccountsRequest(), timeout=30)
            old = next(each for each in listed.accounts if each.account.lower() == account.lower())
            if old.swept or old.state == pb.Account.STATE_RETIRED:
                return old.successor.lower()
            await asyncio.sleep(_PAUSE_S)


async def test_clients_follow_an_account_to_its_successor_and_nothing_stays_behind(
    uniswap: UniswapState, tmp_path: Path, figures: Figures
) -> None:
    require("anvil")
    require("vault")
    async with VaultScene.open(uniswap, tmp_path, limits="follow_interval_ms = 100") as scene:
        files, crowd = scene.signer, Crowd(scene)
        await _fund(scene)
        new = await _successor_account(scene)
        async with scene.serve():
            begun = await _rotated(crowd, files, new)
            retired = await refusal(files, swap(files, "asked-when-retired"))

        told = [one.reason for one in crowd.heard if one.reason]
        wrong = [
            one for one in crowd.signed() if Account.recover_transaction(one.raw).lower() not in one.account
        ]
        times = sorted(one.at for one in crowd.signed())
        figures(
            "VAULT_ROTATIONS",
            "account",
            {
                "signed": len(crowd.signed()),
                "signed_by_successor": len(crowd.signed(new)),
                "clients_that_moved": told.count(_DRAINING),
                "failed": len(told) - told.count(_DRAINING),
                "wrong_address": len(wrong),
                "double": len(crowd.signed()) - len({one.raw for one in crowd.signed()}),
                "moved_within_ms": round((_next(times, begun) - begun) * 1_000),
                "longest_gap_ms": round(max(b - a for a, b in pairwise(times)) * 1_000),
                "left_wei": await scene.chain.balance(files.address),
            },
        )
        assert set(told) == {_DRAINING}
        assert len(told) == CLIENTS
        assert wrong == []
        assert len({one.raw for one in crowd.signed()}) == len(crowd.signed())
        assert wire.reasons(retired) == ["ACCOUNT_RETIRED"]
        assert await _held(scene, files.address) == dict.fromkeys(_TOKENS, 0)
        assert await _allowance(scene, files.address) == 0
        assert await scene.chain.balance(files.address) < 10**15


async def _rotated(crowd: Crowd, files: SignerFiles, new: str) -> float:
    """Begin and finish while the crowd works; returns when it began."""
    async with asyncio.TaskGroup() as clients:
        for number in range(CLIENTS):
            clients.create_task(crowd.work(number))
        await crowd.serves_everybody(files.account)
        begun = time.monotonic()
        await _rotate(files, "begin", "--new-account", new)
        await crowd.serves_everybody(new)
        await _rotate(files, "finish")
        await crowd.serves_everybody(new)
        crowd.stop()
    return begun


async def _fund(scene: VaultScene) -> None:
    """Tokens, and an allowance that the drain has to take back."""
    provider, files = dev_account(LIQUIDITY_PROVIDER).address, scene.signer
    for symbol, amount in _TOKENS.items():
        data = abi.calldata("mint(address,uint256)", files.address, amount)
        await scene.chain.send(provider, files.world.token(symbol), data)
    allow = abi.calldata("approve(address,uint256)", files.world.v2_router, 10**30)
    await scene.chain.send(files.address, files.world.usdx, allow)


async def _successor_account(scene: VaultScene) -> str:
    made = await scene.desk.as_role(
        ROTATOR, "vault", "create-account", "--successor-of", scene.signer.account, "--json"
    )
    return str(json.loads(made.output)["account"])


async def _rotate(files: SignerFiles, step: str, *arguments: str) -> None:
    where = ("--address", f"127.0.0.1:{files.admin_port}", "--pki", str(files.pki), "--json")
    command = (PROGRAM, "rotate", "account", step, "--account", files.account, *where, *arguments)

    async def done() -> bool:
        return (await command_line(*command)).code == 0

    await until(done, what=f"rotate account {step}", timeout_s=90, every_s=0.5)


async def _held(scene: VaultScene, owner: str) -> dict[str, int]:
    world = scene.signer.world
    return {
        symbol: await scene.chain.uint(world.token(symbol), "balanceOf(address)", owner) for symbol in _TOKENS
    }


async def _allowance(scene: VaultScene, owner: str) -> int:
    world = scene.signer.world
    return await scene.chain.uint(world.usdx, "allowance(address,address)", owner, world.v2_router)


def _next(times: Sequence[float], moment: float) -> float:
    return min(time for time in times if time > moment)
