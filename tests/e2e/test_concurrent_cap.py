"""A cap under a burst: as many signatures as it allows, and not one more, whatever the order of arrival."""

import asyncio
from pathlib import Path

import grpc
import grpc.aio

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.e2e.asking import asking, swap
from tests.e2e.books import open_books
from tests.e2e.scene import Scene, Stage
from tests.fakes import wire
from tests.testbed.signer_program import PolicyFigures
from tests.testbed.uniswap import USDX_UNIT

ASKED, ALLOWED = 500, 100


async def test_500_at_once_under_a_cap_for_100_are_exactly_100_signatures(
    stage: Stage, tmp_path: Path
) -> None:
    figures = PolicyFigures(
        usdx_per_trade=USDX_UNIT, usdx_per_hour=ALLOWED * USDX_UNIT, usdx_per_day=ASKED * USDX_UNIT
    )
    async with (
        Scene.open(stage, tmp_path, figures=figures, limits={"max_in_flight": ASKED}) as scene,
        scene.serve(),
        asking(scene.signer) as asker,
    ):
        requests = [swap(scene.signer, f"burst-{number:010d}") for number in range(ASKED)]
        answers = await asyncio.gather(*map(asker.sign, requests), return_exceptions=True)

        signed = [answer for answer in answers if isinstance(answer, pb.SignEvmTransactionResponse)]
        refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert (len(signed), len(refused)) == (ALLOWED, ASKED - ALLOWED)
        assert sorted(answer.nonce for answer in signed) == list(range(ALLOWED))
        assert len({answer.transaction_hash for answer in signed}) == ALLOWED
        assert {error.code() for error in refused} == {grpc.StatusCode.PERMISSION_DENIED}
        for error in refused:
            (info,) = wire.error_infos(error)
            assert (info.reason, info.domain) == ("ROLLING_CAP_EXCEEDED", "signer.airlock")
            assert info.metadata["limit"] == str(ALLOWED * USDX_UNIT)
            assert int(info.metadata["actual"]) > ALLOWED * USDX_UNIT
            assert set(info.metadata) >= {"rule", "limit", "actual", "unit"}
        assert max(await asker.used(f"token:{scene.bed.world.usdx}")) == ALLOWED * USDX_UNIT
        async with open_books(scene) as books:
            slots = books.slots()
            assert [(state, nonce) for state, nonce, _ in slots] == [("signed", n) for n in range(ALLOWED)]
            assert {tx_hash for _, _, tx_hash in slots} == {answer.transaction_hash for answer in signed}
