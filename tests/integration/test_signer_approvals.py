"""WatchApprovals and DismissApproval over the wire: for operators, who get through whatever traders do."""

import asyncio
from collections.abc import AsyncIterable
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import grpc
import grpc.aio
import pytest

from protos.airlock.signer.v1 import admin_pb2, signer_pb2
from signer.api.admin_client import AdminClient, AdminIdentity, admin_client
from signer.api.refused import RefusedError
from signer.api.seen import SeenApproval
from signer.ports.device import DevicePhase
from signer.service.approvals.brief import AssetAmount
from tests.fakes import policies, wire
from tests.fakes.fake_device import FakeDevice
from tests.fakes.signer_edge import EdgeRig, edge_rig
from tests.fakes.signer_world import TRADER, sign_request
from tests.unit.service.test_attend import patient_swap


def operator(rig: EdgeRig, name: str = "admin") -> AdminIdentity:
    return AdminIdentity(
        certificate=rig.pki / f"{name}.pem", key=rig.pki / f"{name}.key", server_ca=rig.pki / "ca.pem"
    )


async def test_an_operator_sees_a_request_and_dismisses_it(tmp_path: Path) -> None:
    device = FakeDevice()
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(edge_rig(tmp_path / "pki", keys=device))
        client = await stack.enter_async_context(admin_client(rig.address, operator(rig)))
        request = sign_request("key-000000000000", patient_swap())
        asked = asyncio.ensure_future(rig.world.services.sign_evm_transaction(TRADER, request))
        async with asyncio.timeout(60):
            seen = await _shown(client)
            dismissed = await client.dismiss_approval(seen.id, "drill")
            again = await client.dismiss_approval(seen.id, "drill")
            await asked

    brief = seen.brief
    assert brief is not None
    assert (dismissed, again, device.confirmed) == (True, False, [])
    assert (seen.nonce, seen.device) == (0, "desk")
    assert brief.pays == (AssetAmount(asset=policies.WETH, symbol="WETH", decimals=18, amount=1_000_000),)
    assert (brief.slippage_bps, brief.max_slippage_bps) == (50, 50)
    assert brief.positions == ()


async def test_a_trader_is_refused_both(tmp_path: Path) -> None:
    async with (
        edge_rig(tmp_path / "pki") as rig,
        admin_client(rig.address, operator(rig, "trader")) as client,
    ):
        with pytest.raises(RefusedError, match="no grant for WatchApprovals"):
            await anext(client.watch_approvals())
        with pytest.raises(RefusedError, match="no grant for DismissApproval"):
            await client.dismiss_approval("0" * 32, "")


async def test_traders_who_take_every_stream_leave_the_operators_room(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(edge_rig(tmp_path / "pki", max_watchers=2))
        channel = await stack.enter_async_context(wire.channel(rig.address, rig.pki, "trader"))
        stub = wire.signer_stub(channel)
        watching = [stub.WatchTransactions(signer_pb2.WatchTransactionsRequest()) for _ in range(3)]
        reading = [asyncio.ensure_future(_first(each)) for each in watching]
        async with asyncio.timeout(60):
            done, _ = await asyncio.wait(reading, return_when=asyncio.FIRST_COMPLETED)
        refused = done.pop().exception()

        client = await stack.enter_async_context(admin_client(rig.address, operator(rig)))
        picture = await anext(client.watch_approvals())
        for each in watching:
            each.cancel()
        await asyncio.gather(*reading, return_exceptions=True)

    assert isinstance(refused, grpc.aio.AioRpcError)
    assert refused.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert picture.approvals == ()


async def test_a_client_that_looks_whether_we_are_there_is_not_cut_while_a_person_takes_their_time(
    tmp_path: Path,
) -> None:
    """gRPC takes the fourth ping of a connection on which nothing else happens for an attack."""
    pinging = (
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.keepalive_time_ms", 1_500),
        ("grpc.http2.max_pings_without_data", 0),
    )
    async with AsyncExitStack() as stack:
        rig = await stack.enter_async_context(edge_rig(tmp_path / "pki"))
        credentials = wire.credentials(rig.pki, "trader")
        channel = await stack.enter_async_context(grpc.aio.secure_channel(rig.address, credentials, pinging))
        quiet = wire.signer_stub(channel).WatchTransactions(signer_pb2.WatchTransactionsRequest())
        reading = asyncio.ensure_future(_first(quiet))
        cut, _ = await asyncio.wait({reading}, timeout=9)
        quiet.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    assert not cut


@pytest.mark.parametrize(
    ("approval", "reason", "field"), [("x", "", "approval_id"), ("0" * 32, "r" * 201, "reason")]
)
async def test_a_malformed_dismissal_names_its_field(
    tmp_path: Path, approval: str, reason: str, field: str
) -> None:
    async with edge_rig(tmp_path / "pki") as rig, wire.channel(rig.address, rig.pki, "admin") as channel:
        request = admin_pb2.DismissApprovalRequest(approval_id=approval, reason=reason)
        with pytest.raises(grpc.aio.AioRpcError, match=field) as caught:
            await wire.admin_stub(channel).DismissApproval(request)

    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def _shown(client: AdminClient) -> SeenApproval:
    """The first request that is before a person, once it is explained."""
    async with aclosing(client.watch_approvals()) as pictures:
        async for picture in pictures:
            for seen in picture.approvals:
                if seen.phase is DevicePhase.WAITING_FOR_CONFIRMATION and seen.brief and seen.screens:
                    return seen
    raise AssertionError("the stream ended")


async def _first(stream: AsyncIterable[signer_pb2.WatchTransactionsResponse]) -> None:
    async for _ in stream:
        return
