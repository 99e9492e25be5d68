"""What the wire refuses before any use case hears of it, and what it never tells."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NoReturn

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from protos.airlock.signer.v1 import admin_pb2, signer_pb2
from signer.api.server import MAX_MESSAGE_BYTES
from signer.api.use_cases import SignerUseCases
from signer.domain.accounts import AccountId
from signer.domain.decisions import Denied
from signer.domain.errors import ConfigurationError
from signer.domain.records import TransactionRecord
from signer.domain.requests import SignRequest
from signer.service.clients import Client
from signer.service.get_budget import Budget
from tests.fakes import wire
from tests.fakes.signer_edge import EdgeRig, edge_rig

STEPS = admin_pb2.RotateAccountRequest
SERVICE = "/airlock.signer.v1.Signer/"
UNKNOWN_FIELD = b"\xfa\x07\x02hi"


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[EdgeRig]:
    async with edge_rig(tmp_path / "pki") as rig:
        yield rig


async def raw_call(
    edge: EdgeRig, method: str, raw: bytes, *, identity: str = "trader"
) -> grpc.aio.AioRpcError:
    """Send bytes as they are."""
    async with wire.channel(edge.address, edge.pki, identity) as connection:
        call = connection.unary_unary(method, request_serializer=bytes, response_deserializer=bytes)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(raw, timeout=30)
    return caught.value


def requests_of(service: str) -> list[tuple[str, type[Message]]]:
    module = signer_pb2 if service == "Signer" else admin_pb2
    methods = module.DESCRIPTOR.services_by_name[service].methods
    return [(method.name, getattr(module, method.input_type.name)) for method in methods]


@pytest.mark.parametrize(("method", "kind"), requests_of("Signer"))
async def test_every_rpc_refuses_what_is_no_protobuf(edge: EdgeRig, method: str, kind: type[Message]) -> None:
    error = await raw_call(edge, SERVICE + method, b"\xff\xff\xff\xff")

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert kind.DESCRIPTOR.full_name in (error.details() or "")


@pytest.mark.parametrize(("method", "kind"), requests_of("Admin"))
async def test_every_admin_rpc_refuses_fields_that_it_does_not_know(
    edge: EdgeRig, method: str, kind: type[Message]
) -> None:
    raw = kind().SerializeToString() + UNKNOWN_FIELD

    error = await raw_call(edge, f"/airlock.signer.v1.Admin/{method}", raw, identity="admin")

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert wire.bad_fields(error) == ["request"]


async def test_a_field_from_the_future_inside_a_transaction_signs_nothing(edge: EdgeRig) -> None:
    message = wire.sign_message("key")
    message.transaction.MergeFromString(UNKNOWN_FIELD)

    error = await raw_call(edge, SERVICE + "SignEvmTransaction", message.SerializeToString())

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert edge.world.backend.signed == []


async def test_a_message_above_128_kib_is_refused(edge: EdgeRig) -> None:
    error = await raw_call(edge, SERVICE + "SignEvmTransaction", bytes(MAX_MESSAGE_BYTES + 1))

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "larger than max" in (error.details() or "")


async def test_calldata_above_16_kib_is_refused_by_name(edge: EdgeRig) -> None:
    message = wire.sign_message("key")
    message.transaction.data = bytes(16 * 1024 + 1)

    error = await raw_call(edge, SERVICE + "SignEvmTransaction", message.SerializeToString())

    assert wire.bad_fields(error) == ["transaction.data"]


@pytest.mark.parametrize("account", [wire.ACCOUNT.replace("31337", "1"), "eip155:31337:0x" + "99" * 20])
async def test_another_chain_and_an_unknown_account_look_alike(edge: EdgeRig, account: str) -> None:
    message = wire.sign_message("key", account=account)

    error = await raw_call(edge, SERVICE + "SignEvmTransaction", message.SerializeToString())

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert wire.reasons(error) == ["NOT_GRANTED"]


@pytest.mark.parametrize(
    ("method", "request_message", "identity"),
    [
        (
            "Signer/SignSolanaTransaction",
            signer_pb2.SignSolanaTransactionRequest(account=wire.ACCOUNT, message=b"\x80"),
            "trader",
        ),
        (
            "Signer/Evaluate",
            signer_pb2.EvaluateRequest(account=wire.ACCOUNT, solana_message=b"\x80"),
            "trader",
        ),
    ],
    ids=["sign solana", "evaluate solana"],
)
async def test_what_is_not_built_says_so(
    edge: EdgeRig, method: str, request_message: Message, identity: str
) -> None:
    raw = request_message.SerializeToString()

    error = await raw_call(edge, f"/airlock.signer.v1.{method}", raw, identity=identity)

    assert error.code() is grpc.StatusCode.UNIMPLEMENTED
    assert wire.reasons(error) == ["NOT_BUILT"]


@pytest.mark.parametrize(
    ("request_message", "field"),
    [
        (admin_pb2.RotateAccountRequest(account=wire.ACCOUNT), "step"),
        (admin_pb2.RotateAccountRequest(account="nobody", step=STEPS.STEP_STATUS), "account"),
        (
            admin_pb2.RotateAccountRequest(account=wire.ACCOUNT, step=STEPS.STEP_BEGIN, new_account="nobody"),
            "new_account",
        ),
        (admin_pb2.RotateAccountRequest(account=wire.ACCOUNT, step=STEPS.STEP_BEGIN), "new_account"),
        (
            admin_pb2.RotateAccountRequest(account=wire.ACCOUNT, step=STEPS.STEP_FINISH, emergency=True),
            "emergency",
        ),
    ],
    ids=["no step", "no account", "no CAIP-10", "nobody takes over", "an emergency end"],
)
async def test_a_rotation_that_says_too_little_or_too_much_is_refused_by_field(
    edge: EdgeRig, request_message: Message, field: str
) -> None:
    raw = request_message.SerializeToString()

    error = await raw_call(edge, "/airlock.signer.v1.Admin/RotateAccount", raw, identity="admin")

    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert wire.bad_fields(error) == [field]


async def test_the_request_above_the_bound_is_refused_at_once_and_room_comes_back(tmp_path: Path) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    def waiting(use_cases: SignerUseCases) -> SignerUseCases:
        async def get_budget(client: Client, account: AccountId) -> Budget:
            del client, account
            entered.set()
            await leave.wait()
            return Budget(lines=(), policy_hash="")

        return dataclasses.replace(use_cases, get_budget=get_budget)

    request = signer_pb2.GetBudgetRequest(account=wire.ACCOUNT)
    async with edge_rig(tmp_path / "pki", max_in_flight=1, shape=waiting) as edge:
        first = asyncio.create_task(_budget(edge))
        await entered.wait()
        error = await raw_call(edge, SERVICE + "GetBudget", request.SerializeToString())
        leave.set()
        await first
        await _budget(edge)

    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert wire.reasons(error) == ["OVERLOADED"]


async def _budget(edge: EdgeRig) -> None:
    async with wire.channel(edge.address, edge.pki) as connection:
        await wire.signer_stub(connection).GetBudget(signer_pb2.GetBudgetRequest(account=wire.ACCOUNT))


async def test_a_mistake_of_ours_ends_one_call_and_leaks_nothing(tmp_path: Path) -> None:
    def buggy(use_cases: SignerUseCases) -> SignerUseCases:
        async def sign(client: Client, request: SignRequest) -> TransactionRecord | Denied:
            return _fail(client, request)

        return dataclasses.replace(use_cases, sign_evm_transaction=sign)

    async with edge_rig(tmp_path / "pki", shape=buggy) as edge:
        raw = wire.sign_message("key").SerializeToString()
        error = await raw_call(edge, SERVICE + "SignEvmTransaction", raw)
        await _budget(edge)

    assert error.code() is grpc.StatusCode.INTERNAL
    assert wire.reasons(error) == ["BROKEN"]
    assert "sesame" not in str(error)
    assert [name for name, _ in edge.log.events if name == "call.broken"] == ["call.broken"]


def _fail(client: Client, request: SignRequest) -> NoReturn:
    raise RuntimeError(f"open sesame {client} {request}")


async def test_health_is_answered_and_reflection_is_not(edge: EdgeRig) -> None:
    async with wire.channel(edge.address, edge.pki) as connection:
        check = connection.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
            response_deserializer=health_pb2.HealthCheckResponse.FromString,
        )
        healthy = await check(health_pb2.HealthCheckRequest(service="airlock.signer.v1.Signer"))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await _reflected(connection)

    assert healthy.status == health_pb2.HealthCheckResponse.SERVING
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_reflection_is_there_with_its_flag(tmp_path: Path) -> None:
    async with (
        edge_rig(tmp_path / "pki", reflection=True) as edge,
        wire.channel(edge.address, edge.pki) as connection,
    ):
        names = await _reflected(connection)

    assert {"airlock.signer.v1.Signer", "airlock.signer.v1.Admin"} <= set(names)


async def test_no_method_is_registered_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or gRPC may lose a call that arrives while it stops: 23 of 1,500 ends took their whole drain time."""
    registered: list[str] = []

    def note(_: object, service: str, __: object) -> None:
        registered.append(service)

    monkeypatch.setattr("grpc.aio._server.Server.add_registered_method_handlers", note)

    async with edge_rig(tmp_path / "pki", reflection=True) as edge:
        await _budget(edge)

    assert registered == []


async def _reflected(connection: grpc.aio.Channel) -> list[str]:
    call = connection.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
    return [service.name async for answer in call for service in answer.list_services_response.service]


async def test_watchers_are_told_when_the_signer_shuts_down(tmp_path: Path) -> None:
    async with edge_rig(tmp_path / "pki") as edge:
        connection = wire.channel(edge.address, edge.pki)
        watching = wire.signer_stub(connection).WatchTransactions(signer_pb2.WatchTransactionsRequest())
        reading = asyncio.ensure_future(watching.read())
        # The answer to a second call proves that the stream, which was opened before it, has begun.
        await wire.signer_stub(connection).ListAccounts(signer_pb2.ListAccountsRequest())

    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await reading
    await connection.close()
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    assert wire.reasons(caught.value) == ["SHUTTING_DOWN"]


async def test_the_operator_verifies_the_trail(edge: EdgeRig) -> None:
    async with wire.channel(edge.address, edge.pki, "admin") as connection:
        answer = await wire.admin_stub(connection).VerifyAudit(admin_pb2.VerifyAuditRequest(from_sequence=2))

    assert (answer.records, answer.problem) == (3, "")


async def test_an_address_that_is_taken_is_a_configuration_error(edge: EdgeRig, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=f"{edge.address}: cannot listen there"):
        async with edge_rig(tmp_path / "second", listen=edge.address):
            pass
