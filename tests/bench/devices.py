"""A signature through the whole signer and a Ledger double, and what ten waiting people cost everybody else.

The reference of the first is the same exchange with the double, bare, from a thread: what is left is ours.
Its person confirms at once. The reference of the second is the same load with nobody waiting.
"""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import grpc.aio

from protos.airlock.signer.v1 import signer_pb2_grpc as rpc
from signer.adapters.ledger_device import ethereum
from signer.adapters.ledger_device.application import Key
from signer.adapters.ledger_device.application import Path as DevicePath
from signer.adapters.ledger_device.paths import encode_path
from signer.domain.accounts import AccountId, Address
from signer.domain.transactions import EvmPayload, UnsignedEvmTransaction
from signer.mock.devices.ledger.person import APPROVE, IGNORE, always
from tests.bench.load import Load, closed_loop
from tests.bench.signing import generous, signing_question
from tests.e2e.asking import Asker, swap
from tests.e2e.device_scene import DeviceScene
from tests.integration.devices.ledger_wire import PlainClient
from tests.testbed.signer_program import SignerFiles, channel
from tests.testbed.uniswap import UniswapState

ROUNDS = 15
DEVICE_REQUESTS, OTHER_REQUESTS = 40, 600
WAITING = 10
_LOOK = ("b001000000", "e006000000", "b001000000")
"""What the signer asks besides the address and the signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceFigures:
    """Medians of the rounds. `overhead_p50_ms`: of a signature, everything but the device and the person.

    `while_waiting_ratio_32`: signatures of another account while ten requests wait, beside those before.
    """

    bare: Load
    signature: Load
    alone_32: Load
    while_waiting_32: Load
    overhead_p50_ms: float
    while_waiting_ratio_32: float


async def measure_devices(state: UniswapState, folder: Path) -> DeviceFigures:
    """Start a Ledger double and a signer with an account on it and one on a development key."""
    async with DeviceScene.open(state, folder, figures=generous(), block_time_s=None) as scene:
        await scene.chain.mine(3)
        async with scene.serve(), channel(scene.signer) as connection:
            pairs = await _signatures(scene, connection)
            beside = await _beside(scene, connection)
    bare, signature = (_median(loads) for loads in zip(*pairs, strict=True))
    alone, waiting = (_median(loads) for loads in zip(*beside, strict=True))
    return DeviceFigures(
        bare=bare,
        signature=signature,
        alone_32=alone,
        while_waiting_32=waiting,
        overhead_p50_ms=statistics.median(ours.p50_ms - raw.p50_ms for raw, ours in pairs),
        while_waiting_ratio_32=statistics.median(after.per_s / before.per_s for before, after in beside),
    )


async def _signatures(scene: DeviceScene, connection: grpc.aio.Channel) -> list[tuple[Load, Load]]:
    scene.device.person = always(APPROVE)
    ask = signing_question(scene.signer, connection)
    await closed_loop(ask, in_flight=1, requests=DEVICE_REQUESTS)
    rows = []
    for _ in range(ROUNDS):
        await scene.chain.mine(1)
        ours = await closed_loop(ask, in_flight=1, requests=DEVICE_REQUESTS)
        rows.append((await asyncio.to_thread(_bare, scene), ours))
    return rows


def _bare(scene: DeviceScene) -> Load:
    """The same commands to the double, on a connection of its own, with nothing around them."""
    commands = [bytes.fromhex(each) for each in _LOOK] + _signing_commands(scene.signer)
    times = []
    with PlainClient(scene.server.port) as client:
        for _ in range(DEVICE_REQUESTS):
            started = time.perf_counter()
            for command in commands:
                client.ask(command)
            times.append(time.perf_counter() - started)
    ranked = statistics.quantiles(times, n=100)
    return Load(per_s=len(times) / sum(times), p50_ms=ranked[49] * 1_000, p99_ms=ranked[98] * 1_000)


def _signing_commands(files: SignerFiles) -> list[bytes]:
    transaction = UnsignedEvmTransaction(
        chain_id=files.world.chain_id,
        nonce=1,
        payload=EvmPayload(
            to=Address(files.world.v2_router),
            value_wei=0,
            data=bytes(260),
            gas_limit=200_000,
            max_fee_per_gas_wei=20 * 10**9,
            max_priority_fee_per_gas_wei=10**9,
        ),
    )
    path = DevicePath(encode_path("m/44'/60'/0'/0/0"))
    key = Key(account=AccountId(files.account), path=path, application=ethereum.ETHEREUM)
    address = b"\xe0\x02\x00\x00" + bytes([len(path)]) + path
    return [address, *ethereum.signing_request(key, transaction).commands]


async def _beside(scene: DeviceScene, connection: grpc.aio.Channel) -> list[tuple[Load, Load]]:
    stub = cast("rpc.SignerAsyncStub", rpc.SignerStub(connection))
    scene.device.person = always(IGNORE)
    ask = signing_question(_second(scene.signer), connection)
    await closed_loop(ask, in_flight=32, requests=OTHER_REQUESTS)
    rows = []
    for number in range(ROUNDS):
        await scene.chain.mine(1)
        alone = await closed_loop(ask, in_flight=32, requests=OTHER_REQUESTS)
        async with _people_wait(scene, stub, number):
            rows.append((alone, await closed_loop(ask, in_flight=32, requests=OTHER_REQUESTS)))
    return rows


@asynccontextmanager
async def _people_wait(scene: DeviceScene, stub: "rpc.SignerAsyncStub", number: int) -> AsyncIterator[None]:
    asker = Asker(files=scene.signer, stub=stub)
    asked = [
        asyncio.ensure_future(asker.sign(swap(scene.signer, f"waits-{number}-{each}")))
        for each in range(WAITING)
    ]
    await scene.shown()
    await asyncio.sleep(0.2)  # until all ten are in the queue: it is their waiting that is measured
    yield
    assert not any(each.done() for each in asked)
    while not all(each.done() for each in asked):
        scene.device.reject()
        await asyncio.sleep(0.005)
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, grpc.aio.AioRpcError) for each in ended)


def _second(files: SignerFiles) -> SignerFiles:
    """The same signer, for its other account."""
    return SignerFiles(
        folder=files.folder,
        world=files.world,
        rpc_url=files.rpc_url,
        account_indexes=files.account_indexes[1:],
        port=files.port,
        admin_port=files.admin_port,
    )


def _median(loads: Sequence[Load]) -> Load:
    return sorted(loads, key=lambda load: load.per_s)[len(loads) // 2]
