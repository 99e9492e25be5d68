"""One key is one signature, over as many lives as the signer has."""

import asyncio
from pathlib import Path

import grpc
import grpc.aio

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.e2e.asking import asking, refusal, swap
from tests.e2e.scene import Scene, Stage
from tests.testbed.uniswap import USDX_UNIT

BURST, ANSWERS_BEFORE_THE_KILL = 600, 10


async def test_the_same_key_after_a_sigkill_is_the_same_bytes_and_other_content_is_refused(
    stage: Stage, tmp_path: Path
) -> None:
    async with Scene.open(stage, tmp_path) as scene:
        request = swap(scene.signer, "the-one-key")
        other = swap(scene.signer, "the-one-key", amount=2 * USDX_UNIT)
        async with scene.serve() as signer, asking(scene.signer) as asker:
            first = await asker.sign(request)
            signer.kill()
        async with scene.serve(), asking(scene.signer) as asker:
            second = await asker.sign(request)
            error = await refusal(scene.signer, other)

    assert second.SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
    assert error.code() is grpc.StatusCode.ALREADY_EXISTS


async def test_keys_in_flight_at_a_sigkill_have_one_hash_each_over_both_lives(
    stage: Stage, tmp_path: Path
) -> None:
    async with Scene.open(stage, tmp_path, limits={"max_in_flight": BURST}) as scene:
        requests = [swap(scene.signer, f"flight-{number:09d}") for number in range(BURST)]
        async with scene.serve() as signer, asking(scene.signer) as asker:
            first: dict[str, pb.SignEvmTransactionResponse] = {}

            async def ask(request: pb.SignEvmTransactionRequest) -> None:
                first[request.idempotency_key] = await asker.sign(request)
                if len(first) == ANSWERS_BEFORE_THE_KILL:
                    signer.kill()

            outcomes = await asyncio.gather(*map(ask, requests), return_exceptions=True)
        lost = [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
        async with scene.serve(), asking(scene.signer) as asker:
            again = await asyncio.gather(*map(asker.sign, requests))

    second = dict(zip([request.idempotency_key for request in requests], again, strict=True))
    assert len(first) + len(lost) == BURST
    assert lost, "the kill came after the last answer"
    assert {key: second[key] for key in first} == first
    assert sorted(answer.nonce for answer in again) == list(range(BURST))
    assert len({answer.transaction_hash for answer in again}) == BURST
