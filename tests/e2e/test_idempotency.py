"""One key is one signature, over as many lives as the signer has."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import grpc
import grpc.aio

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.e2e.asking import Asker, asking, refusal, swap
from tests.e2e.load import GENEROUS, reason_of
from tests.e2e.scene import Scene, Stage
from tests.testbed.uniswap import USDX_UNIT

BURST, BURSTS, ANSWERS_BEFORE_THE_KILL = 600, 5, 10


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
    first: dict[str, pb.SignEvmTransactionResponse] = {}
    requests: list[pb.SignEvmTransactionRequest] = []
    lost: list[grpc.aio.AioRpcError] = []
    async with Scene.open(stage, tmp_path, limits={"max_in_flight": BURST}, figures=GENEROUS) as scene:
        # On a busy machine the kill may come after the last answer: then with another burst.
        while not lost and len(requests) < BURSTS * BURST:
            names = [f"flight-{len(requests) + number:09d}" for number in range(BURST)]
            burst = [swap(scene.signer, name) for name in names]
            requests += burst
            lost = await _killed_in_flight(scene, burst, first)
        async with scene.serve(), asking(scene.signer) as asker:
            bursts = [requests[at : at + BURST] for at in range(0, len(requests), BURST)]
            answers = [
                answer
                for each in bursts
                for answer in await asyncio.gather(*(_signed(asker, request) for request in each))
            ]

    second = dict(zip([request.idempotency_key for request in requests], answers, strict=True))
    assert len(first) + len(lost) == len(requests)
    assert lost, "every kill came after the last answer"
    assert {key: second[key] for key in first} == first
    assert sorted(answer.nonce for answer in answers) == list(range(len(requests)))
    assert len({answer.transaction_hash for answer in answers}) == len(requests)


async def _signed(asker: Asker, request: pb.SignEvmTransactionRequest) -> pb.SignEvmTransactionResponse:
    """Ask again; with a new quote where, on a slow machine, that of a key without a signature is too old."""
    try:
        return await asker.sign(request)
    except grpc.aio.AioRpcError as error:
        if reason_of(error) != "QUOTE_TOO_OLD":
            raise
    return await asker.sign(swap(asker.files, request.idempotency_key))


async def _killed_in_flight(
    scene: Scene,
    burst: Sequence[pb.SignEvmTransactionRequest],
    answers: dict[str, pb.SignEvmTransactionResponse],
) -> list[grpc.aio.AioRpcError]:
    """Ask for all at once and kill the signer early; `answers` get what came, the rest is returned."""
    async with scene.serve() as signer, asking(scene.signer) as asker:
        enough = len(answers) + ANSWERS_BEFORE_THE_KILL

        async def ask(request: pb.SignEvmTransactionRequest) -> None:
            answers[request.idempotency_key] = await asker.sign(request)
            if len(answers) == enough:
                signer.kill()

        outcomes = await asyncio.gather(*map(ask, burst), return_exceptions=True)
    return [outcome for outcome in outcomes if isinstance(outcome, grpc.aio.AioRpcError)]
