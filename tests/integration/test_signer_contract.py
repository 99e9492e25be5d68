"""The contract of the wire, against the real signer and against the mock: a client cannot tell them apart."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import grpc
import grpc.aio
import pytest

from protos.airlock.signer.v1 import admin_pb2, admin_pb2_grpc, signer_pb2, signer_pb2_grpc, types_pb2
from signer.adapters.pki.dev_pki import write_dev_pki
from signer.adapters.system_clock import SystemClock
from signer.app import open_signer
from signer.decode.evm.envelope import decode_signed, signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import Address
from signer.mock.signer import MockSettings, mock_signer
from signer.settings import load
from tests.fakes import policies, wire
from tests.fakes.json_rpc_node import fake_node
from tests.fakes.signer_world import ListLog

SETTINGS = """
listen = "127.0.0.1:0"
ledger = "ledger.sqlite"
audit = "audit.jsonl"
policy = "policy.toml"
[tls]
certificate = "pki/server.pem"
key = "pki/server.key"
client_ca = "pki/ca.pem"
[[chains]]
id = "eip155:31337"
rpc_url = "{url}"
[[accounts]]
id = "{account}"
wallet = "hot"
backend = "dev"
dev = {{ mnemonic_index = 1 }}
[[clients]]
san = "spiffe://airlock.local/trader"
role = "trader"
[[clients.grants]]
account = "{account}"
methods = ["ListAccounts", "SignEvmTransaction", "Evaluate", "ReplaceTransaction", "CancelTransaction",
           "ReportBroadcast", "GetTransaction", "GetBudget", "WatchTransactions"]
[[clients]]
san = "spiffe://airlock.local/admin"
role = "admin"
"""


@dataclass
class Wire:
    signer: "signer_pb2_grpc.SignerAsyncStub"
    admin: "admin_pb2_grpc.AdminAsyncStub"


@pytest.fixture(params=["real", "mock"])
async def signer(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Wire]:
    pki = tmp_path / "pki"
    (tmp_path / "policy.toml").write_text(wire.POLICY)
    async with AsyncExitStack() as stack:
        if request.param == "mock":
            settings = MockSettings(policy=tmp_path / "policy.toml", pki=pki)
            address = (await stack.enter_async_context(mock_signer(settings))).address
        else:
            node = await stack.enter_async_context(fake_node())
            write_dev_pki(pki, now=SystemClock().now())
            path = tmp_path / "signer.toml"
            path.write_text(SETTINGS.format(url=node.url, account=wire.ACCOUNT))
            real = await stack.enter_async_context(
                open_signer(load(path), clock=SystemClock(), log=ListLog())
            )
            address = f"127.0.0.1:{real.port}"
        trader = await stack.enter_async_context(wire.channel(address, pki))
        admin = await stack.enter_async_context(wire.channel(address, pki, "admin"))
        yield Wire(wire.signer_stub(trader), wire.admin_stub(admin))


async def test_a_signature_is_over_what_was_asked_for_by_the_account(signer: Wire) -> None:
    request = wire.sign_message("one")

    answer = await signer.signer.SignEvmTransaction(request)

    unsigned, signature = decode_signed(answer.raw_transaction)
    assert recover_address(signing_hash(unsigned), signature) == wire.ADDRESS
    assert unsigned.payload.data == request.transaction.data
    assert (unsigned.chain_id, unsigned.nonce, answer.nonce) == (31337, 0, 0)


async def test_the_same_key_gets_the_same_bytes(signer: Wire) -> None:
    request = wire.sign_message("one")

    answers = await asyncio.gather(*(_sign(signer, request) for _ in range(8)))

    assert len({answer.SerializeToString() for answer in answers}) == 1


async def test_the_same_key_with_other_content_is_refused(signer: Wire) -> None:
    request = wire.sign_message("one")
    await signer.signer.SignEvmTransaction(request)
    request.transaction.gas_limit += 1

    error = await _error(_sign(signer, request))

    assert error.code() is grpc.StatusCode.ALREADY_EXISTS
    assert wire.reasons(error) == ["KEY_REUSED"]


async def test_nonces_are_contiguous(signer: Wire) -> None:
    approvals = [wire.sign_message(f"key-{n}", policies.APPROVE) for n in range(6)]

    answers = await asyncio.gather(*(_sign(signer, each) for each in approvals))

    assert sorted(answer.nonce for answer in answers) == list(range(6))


async def test_a_denial_names_every_rule(signer: Wire) -> None:
    thief = replace(wire.own_swap(), recipient=Address("0x" + "66" * 20), minimum_out=0)

    error = await _error(_sign(signer, wire.sign_message("one", thief)))

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert {"RECIPIENT_NOT_ALLOWED", "SLIPPAGE_TOO_HIGH"} <= set(wire.reasons(error))
    for info in wire.error_infos(error):
        assert set(info.metadata) == {"rule", "limit", "actual", "unit"}


async def test_evaluate_agrees_and_reserves_nothing(signer: Wire) -> None:
    good, bad = wire.own_swap(), replace(wire.own_swap(), minimum_out=0)

    verdicts = [
        (await signer.signer.Evaluate(_evaluate(wire.sign_message("one", action)))).verdict
        for action in (good, bad)
    ]

    assert verdicts == [
        signer_pb2.EvaluateResponse.VERDICT_APPROVED,
        signer_pb2.EvaluateResponse.VERDICT_DENIED,
    ]
    assert set((await _used(signer)).values()) == {"0"}


async def test_the_budget_shows_what_is_reserved_and_denies_what_is_above_it(signer: Wire) -> None:
    for number in range(3):
        await signer.signer.SignEvmTransaction(wire.sign_message(f"key-{number}"))

    error = await _error(_sign(signer, wire.sign_message("one-more")))

    assert (await _used(signer))[f"token:{policies.WETH}", 3_600] == "3000000"
    assert wire.reasons(error) == ["ROLLING_CAP_EXCEEDED"]


async def test_a_replacement_takes_the_nonce_with_a_higher_fee(signer: Wire) -> None:
    first = await signer.signer.SignEvmTransaction(wire.sign_message("one"))

    cheap = await _error(_replace(signer, first, percent=105))
    answer = await _replace(signer, first, percent=110)

    assert wire.reasons(cheap) == ["REPLACEMENT_UNDERPRICED"] * 2  # one for each fee
    assert answer.nonce == first.nonce
    assert answer.transaction_hash != first.transaction_hash


async def test_a_cancellation_sends_nothing_to_itself(signer: Wire) -> None:
    first = await signer.signer.SignEvmTransaction(wire.sign_message("one"))
    fees = _fees(first.raw_transaction, percent=110)

    answer = await signer.signer.CancelTransaction(
        signer_pb2.CancelTransactionRequest(
            idempotency_key="cancel-" + "k" * 16,
            transaction_id=first.transaction_id,
            max_fee_per_gas_wei=str(fees[0]),
            max_priority_fee_per_gas_wei=str(fees[1]),
        )
    )

    unsigned, _ = decode_signed(answer.raw_transaction)
    assert (unsigned.payload.to, unsigned.payload.value_wei, unsigned.payload.data) == (wire.ADDRESS, 0, b"")
    assert unsigned.nonce == first.nonce


async def test_a_broadcast_is_a_hint_about_the_hash_that_was_signed(signer: Wire) -> None:
    first = await signer.signer.SignEvmTransaction(wire.sign_message("one"))
    lie = signer_pb2.ReportBroadcastRequest(
        transaction_id=first.transaction_id, transaction_hash="0x" + "ab" * 32
    )
    truth = signer_pb2.ReportBroadcastRequest(
        transaction_id=first.transaction_id, transaction_hash=first.transaction_hash
    )

    error = await _error(signer.signer.ReportBroadcast(lie))
    answer = await signer.signer.ReportBroadcast(truth)

    assert wire.bad_fields(error) == ["transaction_hash"]
    assert answer.transaction.state == types_pb2.SLOT_STATE_BROADCAST


async def test_a_transaction_is_found_by_its_id_and_by_its_key(signer: Wire) -> None:
    request = wire.sign_message("one")
    first = await signer.signer.SignEvmTransaction(request)

    by_id = await signer.signer.GetTransaction(
        signer_pb2.GetTransactionRequest(transaction_id=first.transaction_id)
    )
    by_key = await signer.signer.GetTransaction(
        signer_pb2.GetTransactionRequest(idempotency_key=request.idempotency_key)
    )
    error = await _error(
        signer.signer.GetTransaction(signer_pb2.GetTransactionRequest(transaction_id="0" * 32))
    )

    assert by_id == by_key
    assert by_id.transaction.state == types_pb2.SLOT_STATE_SIGNED
    assert error.code() is grpc.StatusCode.NOT_FOUND


async def test_a_watcher_misses_nothing_over_a_reconnect(signer: Wire) -> None:
    await signer.signer.SignEvmTransaction(wire.sign_message("one"))
    watching = signer.signer.WatchTransactions(signer_pb2.WatchTransactionsRequest(after_cursor="0"))
    first = await anext(aiter(watching))
    watching.cancel()
    again = signer.signer.WatchTransactions(signer_pb2.WatchTransactionsRequest(after_cursor=first.cursor))
    second = await anext(aiter(again))
    again.cancel()

    assert first.transaction.state == types_pb2.SLOT_STATE_RESERVED
    assert first.previous_state == types_pb2.SLOT_STATE_UNSPECIFIED
    assert (second.previous_state, second.transaction.state) == (
        types_pb2.SLOT_STATE_RESERVED,
        types_pb2.SLOT_STATE_SIGNED,
    )


async def test_a_paused_account_signs_nothing_until_it_is_resumed(signer: Wire) -> None:
    paused = await signer.admin.Pause(admin_pb2.PauseRequest(reason="a test"))
    error = await _error(_sign(signer, wire.sign_message("one")))
    listed = (await signer.signer.ListAccounts(signer_pb2.ListAccountsRequest())).accounts[0]
    resumed = await signer.admin.Resume(admin_pb2.ResumeRequest())
    await signer.signer.SignEvmTransaction(wire.sign_message("one"))

    assert [account.lower() for account in paused.paused_accounts] == [wire.ACCOUNT]
    assert error.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert wire.reasons(error) == ["ACCOUNT_PAUSED"]
    assert (listed.state, listed.pause_reason) == (signer_pb2.Account.STATE_PAUSED, "a test")
    assert list(resumed.paused_accounts) == []


async def test_a_policy_reload_is_all_or_nothing(signer: Wire, tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(wire.POLICY.replace("max_per_hour = 3_000_000", "max_per_hour = 1_000_000"))
    tried = await signer.admin.ReloadPolicy(admin_pb2.ReloadPolicyRequest(dry_run=True))
    done = await signer.admin.ReloadPolicy(admin_pb2.ReloadPolicyRequest())
    policy.write_text("garbage")
    error = await _error(signer.admin.ReloadPolicy(admin_pb2.ReloadPolicyRequest()))
    budget = await signer.signer.GetBudget(signer_pb2.GetBudgetRequest(account=wire.ACCOUNT))

    assert tried == done
    assert wire.reasons(error) == ["CONFIGURATION_INVALID"]
    assert budget.policy_hash == done.policy_hash != done.previous_policy_hash


async def test_the_nonces_agree_with_the_chain(signer: Wire) -> None:
    await signer.signer.SignEvmTransaction(wire.sign_message("one"))

    report = await signer.admin.ReconcileNonces(admin_pb2.ReconcileNoncesRequest(account=wire.ACCOUNT))

    assert (report.chain_nonce_latest, report.ledger_next_nonce, list(report.findings)) == (0, 1, [])


async def _sign(
    signer: Wire, request: signer_pb2.SignEvmTransactionRequest
) -> signer_pb2.SignEvmTransactionResponse:
    return await signer.signer.SignEvmTransaction(request)


async def _error(call: "asyncio.Future[object] | object") -> grpc.aio.AioRpcError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call  # type: ignore[misc]  # anything that can be awaited
    return caught.value


async def _replace(
    signer: Wire, first: signer_pb2.SignEvmTransactionResponse, *, percent: int
) -> signer_pb2.ReplaceTransactionResponse:
    max_fee, priority_fee = _fees(first.raw_transaction, percent=percent)
    return await signer.signer.ReplaceTransaction(
        signer_pb2.ReplaceTransactionRequest(
            idempotency_key=f"replace-{percent}-{'k' * 16}",
            transaction_id=first.transaction_id,
            max_fee_per_gas_wei=str(max_fee),
            max_priority_fee_per_gas_wei=str(priority_fee),
        )
    )


def _fees(raw: bytes, *, percent: int) -> tuple[int, int]:
    payload = decode_signed(raw)[0].payload
    return (
        payload.max_fee_per_gas_wei * percent // 100,
        payload.max_priority_fee_per_gas_wei * percent // 100,
    )


def _evaluate(request: signer_pb2.SignEvmTransactionRequest) -> signer_pb2.EvaluateRequest:
    return signer_pb2.EvaluateRequest(account=request.account, evm=request.transaction, claim=request.claim)


async def _used(signer: Wire) -> dict[tuple[str, int], str]:
    budget = await signer.signer.GetBudget(signer_pb2.GetBudgetRequest(account=wire.ACCOUNT))
    return {(line.resource, line.window_s): line.used for line in budget.lines}
