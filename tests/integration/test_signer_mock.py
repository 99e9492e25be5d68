"""The mock does what its script says, and is the real signer otherwise."""

import asyncio
import json
from pathlib import Path

import grpc
import grpc.aio
import pytest

from protos.airlock.signer.v1 import signer_pb2
from signer.domain.errors import ConfigurationError
from signer.domain.reasons import DenyReason
from signer.mock.pytest_plugin import MockFactory, mock_signer
from signer.mock.script import (
    AwaitApproval,
    CutAfterSigning,
    CutBeforeSigning,
    Delay,
    Deny,
    Hang,
    Script,
    Sign,
    Unavailable,
    load_script,
)
from signer.mock.signer import MockSigner
from tests.fakes import wire

__all__ = ["mock_signer"]  # the fixture, as a user of the plugin gets it


async def sign(
    mock: MockSigner, request: signer_pb2.SignEvmTransactionRequest | None = None, patience_s: float = 10
) -> signer_pb2.SignEvmTransactionResponse:
    async with wire.channel(mock.address, mock.pki) as connection:
        return await wire.signer_stub(connection).SignEvmTransaction(
            request or wire.sign_message("one"), timeout=patience_s
        )


async def error_of(mock: MockSigner, patience_s: float = 10) -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await sign(mock, patience_s=patience_s)
    return caught.value


@pytest.mark.parametrize("reason", [DenyReason.SLIPPAGE_TOO_HIGH, DenyReason.ROLLING_CAP_EXCEEDED])
async def test_it_denies_with_a_reason_and_then_signs(mock_signer: MockFactory, reason: DenyReason) -> None:
    mock = await mock_signer(wire.POLICY, Deny(reason=reason))

    error = await error_of(mock)
    answer = await sign(mock)

    assert wire.reasons(error) == [reason]
    assert answer.nonce == 0


async def test_out_of_reach_signs_nothing(mock_signer: MockFactory) -> None:
    mock = await mock_signer(wire.POLICY, Unavailable())

    error = await error_of(mock)

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert wire.reasons(error) == ["KEY_BACKEND_UNREACHABLE"]
    assert list(mock.audit.records) == []


async def test_a_cut_before_signing_leaves_nothing_behind(mock_signer: MockFactory) -> None:
    mock = await mock_signer(wire.POLICY, CutBeforeSigning())

    error = await error_of(mock)

    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert list(mock.audit.records) == []


async def test_a_cut_after_signing_loses_the_answer_and_the_same_key_gets_it(
    mock_signer: MockFactory,
) -> None:
    mock = await mock_signer(wire.POLICY, CutAfterSigning())
    request = wire.sign_message("one")

    with pytest.raises(grpc.aio.AioRpcError):
        await sign(mock, request)
    answer = await sign(mock, request)

    assert answer.nonce == 0
    assert [record.verdict for record in mock.audit.records] == ["approved"]


async def test_a_hanging_signer_ends_with_the_clients_patience(mock_signer: MockFactory) -> None:
    mock = await mock_signer(wire.POLICY, Hang())

    error = await error_of(mock, patience_s=0.2)

    assert error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert (await sign(mock)).nonce == 0


async def test_a_late_signature_is_a_signature(mock_signer: MockFactory) -> None:
    mock = await mock_signer(wire.POLICY, Delay(ms=50))

    assert (await sign(mock)).nonce == 0


async def test_a_device_waits_until_a_person_confirms(mock_signer: MockFactory) -> None:
    mock = await mock_signer(wire.POLICY, AwaitApproval())

    errors = [await error_of(mock) for _ in range(2)]
    mock.script.approve()
    answer = await sign(mock)

    assert [wire.reasons(error) for error in errors] == [["DEVICE_WAITING"]] * 2
    assert answer.nonce == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [("eip155:31337", "eip155:1"), ("eip155:31337", "eip155:11155111"), (wire.ADDRESS, "0x" + "12" * 20)],
)
async def test_it_refuses_a_real_chain_and_a_real_account(
    mock_signer: MockFactory, before: str, after: str
) -> None:
    with pytest.raises(ConfigurationError, match=r"allowed are"):
        await mock_signer(wire.POLICY.replace(before, after))


async def test_two_mocks_do_not_share_anything(mock_signer: MockFactory) -> None:
    one, two = await asyncio.gather(mock_signer(wire.POLICY), mock_signer(wire.POLICY))

    assert (await sign(one)).nonce == (await sign(two)).nonce == 0


def test_a_script_can_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    path.write_text(json.dumps([{"do": "deny", "reason": "FEE_TOO_HIGH"}, {"do": "delay", "ms": 5}]))

    script = load_script(path)

    assert [script.take(), script.take(), script.take()] == [
        Deny(reason=DenyReason.FEE_TOO_HIGH),
        Delay(ms=5),
        Sign(),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no JSON list"),
        ("{}", "list"),
        ('[{"do": "explode"}]', "step 0"),
        ('[{"do": "deny", "reason": "BECAUSE"}]', "step 0"),
        ('[{"do": "delay", "ms": -1}]', "step 0"),
        ('[{"do": "hang", "ms": 1}]', "step 0"),
    ],
)
def test_a_script_that_cannot_be_understood_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "script.json"
    path.write_text(text)

    with pytest.raises(ConfigurationError, match=r"script\.json.*" + said):
        load_script(path)


def test_an_approval_without_a_waiting_step_changes_nothing() -> None:
    script = Script([Hang()])

    script.approve()

    assert script.left == 1
