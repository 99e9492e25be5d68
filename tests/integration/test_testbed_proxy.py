import json

import aiohttp
import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address

from tests.testbed.accounts import dev_account
from tests.testbed.anvil import CHAIN_ID, Anvil, RpcError, rpc
from tests.testbed.faults import (
    Delay,
    DropAfter,
    DropBefore,
    Hang,
    HtmlBody,
    NullResult,
    Refuse,
    Status,
    Swallow,
    WrongHash,
    WrongId,
)
from tests.testbed.packages import Json
from tests.testbed.rpc_proxy import SEND, RpcProxy

GWEI = 10**9
SENDER = dev_account(2)
LONG_S, SHORT_S = 60, 0.3


def _transfer(*, fee_gwei: int, tip_gwei: int, nonce: int = 0) -> tuple[str, str]:
    signed = Account.sign_transaction(
        {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "to": to_checksum_address(SENDER.address),
            "value": 1,
            "gas": 21_000,
            "maxFeePerGas": fee_gwei * GWEI,
            "maxPriorityFeePerGas": tip_gwei * GWEI,
        },
        SENDER.private_key,
    )
    return signed.raw_transaction.to_0x_hex(), signed.hash.to_0x_hex()


async def _post(proxy: RpcProxy, method: str, *params: Json, timeout_s: float = LONG_S) -> dict[str, Json]:
    body = {"jsonrpc": "2.0", "id": 5, "method": method, "params": list(params)}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s)) as session,
        session.post(proxy.url, json=body) as response,
    ):
        answer: dict[str, Json] = json.loads(await response.text())
        return answer


async def test_an_unscripted_proxy_is_transparent(anvil: Anvil, rpc_proxy: RpcProxy) -> None:
    through = await rpc(rpc_proxy.url, "eth_getBlockByNumber", "latest", False)

    assert through == await anvil.head()
    assert [call.method for call in rpc_proxy.calls] == ["eth_getBlockByNumber"]


@pytest.mark.parametrize(
    ("fee_gwei", "tip_gwei", "accepted"),
    [(21, 2, False), (22, 1, False), (21, 3, False), (40, 1, False), (22, 2, True)],
)
async def test_a_replacement_must_raise_both_fees_by_a_tenth(
    anvil: Anvil, rpc_proxy: RpcProxy, fee_gwei: int, tip_gwei: int, *, accepted: bool
) -> None:
    await anvil.rpc("evm_setAutomine", False)
    await rpc(rpc_proxy.url, SEND, _transfer(fee_gwei=20, tip_gwei=1)[0])
    raw, tx_hash = _transfer(fee_gwei=fee_gwei, tip_gwei=tip_gwei)

    if accepted:
        assert await rpc(rpc_proxy.url, SEND, raw) == tx_hash
    else:
        with pytest.raises(RpcError, match="-32000 replacement transaction underpriced"):
            await rpc(rpc_proxy.url, SEND, raw)


async def test_a_pooled_transaction_is_already_known(anvil: Anvil, rpc_proxy: RpcProxy) -> None:
    await anvil.rpc("evm_setAutomine", False)
    raw, _ = _transfer(fee_gwei=20, tip_gwei=1)
    await rpc(rpc_proxy.url, SEND, raw)

    with pytest.raises(RpcError, match="-32000 already known"):
        await rpc(rpc_proxy.url, SEND, raw)


async def test_a_stuck_nonce_is_pending_until_it_is_released(anvil: Anvil, rpc_proxy: RpcProxy) -> None:
    raw, tx_hash = _transfer(fee_gwei=20, tip_gwei=1)
    rpc_proxy.stick(SENDER.address, 0)

    assert await rpc(rpc_proxy.url, SEND, raw) == tx_hash
    await anvil.mine()
    seen = await rpc(rpc_proxy.url, "eth_getTransactionByHash", tx_hash)
    assert isinstance(seen, dict)
    assert seen["blockHash"] is None
    assert await rpc(rpc_proxy.url, "eth_getTransactionCount", SENDER.address, "pending") == "0x1"
    assert await rpc(rpc_proxy.url, "eth_getTransactionCount", SENDER.address, "latest") == "0x0"

    await rpc_proxy.release()

    assert (await anvil.receipt(tx_hash))["status"] == "0x1"


async def test_a_stuck_transaction_is_replaced_under_the_same_rule(rpc_proxy: RpcProxy) -> None:
    rpc_proxy.stick(SENDER.address, 0)
    await rpc(rpc_proxy.url, SEND, _transfer(fee_gwei=20, tip_gwei=1)[0])

    with pytest.raises(RpcError, match="underpriced"):
        await rpc(rpc_proxy.url, SEND, _transfer(fee_gwei=21, tip_gwei=2)[0])
    raw, tx_hash = _transfer(fee_gwei=22, tip_gwei=2)
    assert await rpc(rpc_proxy.url, SEND, raw) == tx_hash


async def test_a_connection_dropped_before_never_reached_the_node(anvil: Anvil, rpc_proxy: RpcProxy) -> None:
    raw, tx_hash = _transfer(fee_gwei=20, tip_gwei=1)
    rpc_proxy.fault(SEND, DropBefore())

    with pytest.raises(aiohttp.ClientConnectionError):
        await _post(rpc_proxy, SEND, raw)

    assert await anvil.rpc("eth_getTransactionByHash", tx_hash) is None


async def test_a_lost_response_did_reach_the_node(anvil: Anvil, rpc_proxy: RpcProxy) -> None:
    raw, tx_hash = _transfer(fee_gwei=20, tip_gwei=1)
    rpc_proxy.fault(SEND, DropAfter())

    with pytest.raises(aiohttp.ClientConnectionError):
        await _post(rpc_proxy, SEND, raw)

    assert (await anvil.receipt(tx_hash))["status"] == "0x1"


async def test_an_http_error_carries_its_retry_after(rpc_proxy: RpcProxy) -> None:
    rpc_proxy.fault("eth_chainId", Status(429, retry_after_s=3))
    rpc_proxy.fault("eth_chainId", Status(503))

    seen = []
    async with aiohttp.ClientSession() as session:
        for _ in range(3):
            body = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
            async with session.post(rpc_proxy.url, json=body) as response:
                seen.append((response.status, response.headers.get("Retry-After")))

    assert seen == [(429, "3"), (503, None), (200, None)]


async def test_a_web_page_is_not_json(rpc_proxy: RpcProxy) -> None:
    rpc_proxy.fault("eth_chainId", HtmlBody())

    with pytest.raises(json.JSONDecodeError):
        await _post(rpc_proxy, "eth_chainId")


async def test_a_hanging_call_never_answers_and_does_not_hold_up_the_end(rpc_proxy: RpcProxy) -> None:
    rpc_proxy.fault("eth_chainId", Hang())

    with pytest.raises(TimeoutError):
        await _post(rpc_proxy, "eth_chainId", timeout_s=SHORT_S)


async def test_a_delayed_answer_is_true(rpc_proxy: RpcProxy) -> None:
    rpc_proxy.fault("eth_chainId", Delay(0.01))

    assert (await _post(rpc_proxy, "eth_chainId"))["result"] == hex(CHAIN_ID)


async def test_wrong_answers_are_wrong_in_the_scripted_way(anvil: Anvil, rpc_proxy: RpcProxy) -> None:
    raw, tx_hash = _transfer(fee_gwei=20, tip_gwei=1)
    rpc_proxy.fault("eth_chainId", WrongId())
    rpc_proxy.fault("eth_chainId", NullResult())
    rpc_proxy.fault("eth_chainId", Refuse(-32005, "limit exceeded"))
    rpc_proxy.fault(SEND, WrongHash())

    assert (await _post(rpc_proxy, "eth_chainId"))["id"] != 5
    assert (await _post(rpc_proxy, "eth_chainId"))["result"] is None
    assert (await _post(rpc_proxy, "eth_chainId"))["error"] == {"code": -32005, "message": "limit exceeded"}
    assert (await _post(rpc_proxy, SEND, raw))["result"] != tx_hash
    assert (await anvil.receipt(tx_hash))["status"] == "0x1"


async def test_a_swallowed_transaction_is_acknowledged_and_gone(anvil: Anvil, rpc_proxy: RpcProxy) -> None:
    raw, tx_hash = _transfer(fee_gwei=20, tip_gwei=1)
    rpc_proxy.fault(SEND, Swallow())

    assert (await _post(rpc_proxy, SEND, raw))["result"] == tx_hash
    assert await anvil.rpc("eth_getTransactionByHash", tx_hash) is None


async def test_a_standing_fault_lasts_until_it_is_cleared(rpc_proxy: RpcProxy) -> None:
    rpc_proxy.fault("eth_chainId", NullResult(), times=None)
    answers = [(await _post(rpc_proxy, "eth_chainId"))["result"] for _ in range(3)]
    rpc_proxy.clear()

    assert answers == [None, None, None]
    assert (await _post(rpc_proxy, "eth_chainId"))["result"] == hex(CHAIN_ID)


async def test_a_lie_rewrites_a_true_result(rpc_proxy: RpcProxy) -> None:
    rpc_proxy.lie("eth_getBalance", lambda params, _true: hex(len(params)))

    assert await rpc(rpc_proxy.url, "eth_getBalance", SENDER.address, "latest") == "0x2"


async def test_a_batch_is_answered_in_order(rpc_proxy: RpcProxy) -> None:
    calls: Json = [
        {"jsonrpc": "2.0", "id": number, "method": "eth_chainId", "params": []} for number in (4, 9)
    ]

    async with aiohttp.ClientSession() as session, session.post(rpc_proxy.url, json=calls) as response:
        answers = await response.json()

    assert [answer["id"] for answer in answers] == [4, 9]
