"""Somebody else's account, another chain, another kind of transaction, another client."""

import contextlib
from collections.abc import AsyncIterator

import grpc
import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address

from protos.airlock.signer.v1 import types_pb2 as types
from tests.attack.harness import Arena
from tests.attack.heist import Heist, key_of
from tests.attack.market import AMOUNT_IN
from tests.attack.robbery import account_loses, thief_gains
from tests.attack.works import THIEF
from tests.fakes import wire
from tests.testbed.anvil import CHAIN_ID, RpcError
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import ETHER

pytestmark = pytest.mark.asyncio(loop_scope="session")

ANOTHER_CHAIN = 1
NOT_SERVED, REPLAYING = 6, 3
UNKNOWN_FIELD = b"\x4a\x04list"  # number 9, a byte string


async def test_an_account_without_a_grant_is_refused_and_would_pay_the_thief(arena: Arena) -> None:
    market = await arena.market(NOT_SERVED)
    request = market.pay(THIEF, ETHER)

    assert await arena.refused(request) == {"NOT_GRANTED"}
    async with arena.heist() as heist:
        await thief_gains("ETH", ETHER)(heist, request, market)


async def test_another_client_is_refused_and_would_spend_the_money(arena: Arena) -> None:
    market = await arena.market()
    request = market.swap_v2()
    error = await arena.error(request, identity="other")

    assert error.code() is grpc.StatusCode.PERMISSION_DENIED
    assert wire.reasons(error) == ["NOT_GRANTED"]
    async with arena.heist() as heist:
        await account_loses("USDX", AMOUNT_IN - 1)(heist, request, market)


async def test_another_chain_is_refused_and_would_be_robbed_there(arena: Arena) -> None:
    market = await arena.market()
    request = market.pay(THIEF, ETHER)
    request.account = f"eip155:{ANOTHER_CHAIN}:{market.own}"

    assert await arena.refused(request) == {"NOT_GRANTED"}
    async with arena.heist() as heist, _as_another_chain(heist):
        await thief_gains("ETH", ETHER)(heist, request, market)


async def test_a_signature_for_this_chain_is_worthless_on_another(arena: Arena) -> None:
    market = await arena.market(REPLAYING)
    signed = await arena.sign(market.swap_v2())

    async with arena.heist() as heist, _as_another_chain(heist):
        with pytest.raises(RpcError, match="invalid chain id"):
            await heist.send_raw(signed.raw_transaction)


async def test_the_wire_has_no_words_for_other_kinds_of_transaction() -> None:
    """No type, no chain id, no nonce, no access list, no blobs, no authorisations."""
    assert {field.name for field in types.EvmTransaction.DESCRIPTOR.fields} == {
        "to",
        "value_wei",
        "data",
        "gas_limit",
        "max_fee_per_gas_wei",
        "max_priority_fee_per_gas_wei",
    }


async def test_a_field_that_the_wire_does_not_have_is_malformed(arena: Arena) -> None:
    market = await arena.market()
    request = market.swap_v2()
    request.transaction.MergeFromString(UNKNOWN_FIELD)

    assert (await arena.error(request)).code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_an_eip_7702_delegation_would_hand_over_the_account(arena: Arena) -> None:
    market = await arena.market()
    async with arena.heist() as heist:
        owned, before = await heist.balance(market.own, "ETH"), await heist.balance(THIEF, "ETH")
        await _delegate(heist, market.own, market.works.sweeper)
        await heist.chain.send(THIEF, market.own)

        assert await heist.balance(market.own, "ETH") == 0
        assert await heist.balance(THIEF, "ETH") - before > owned - ETHER


async def test_a_legacy_transaction_would_pay_the_thief(arena: Arena) -> None:
    market = await arena.market()
    async with arena.heist() as heist:
        before = await heist.balance(THIEF, "ETH")
        fields = {"to": to_checksum_address(THIEF), "value": ETHER, "gas": 21_000, "gasPrice": 20 * GWEI}
        await heist.send_signed(market.own, fields)

        assert await heist.balance(THIEF, "ETH") - before == ETHER


@contextlib.asynccontextmanager
async def _as_another_chain(heist: Heist) -> AsyncIterator[None]:
    """The same accounts and contracts under another chain id, as forks and deterministic deployments have."""
    await heist.chain.rpc("anvil_setChainId", ANOTHER_CHAIN)
    try:
        yield
    finally:
        await heist.chain.rpc("anvil_setChainId", CHAIN_ID)


async def _delegate(heist: Heist, account: str, code: str) -> None:
    nonce = int(str(await heist.chain.rpc("eth_getTransactionCount", account, "latest")), 16)
    authorization = Account.sign_authorization(
        {"chainId": CHAIN_ID, "address": to_checksum_address(code), "nonce": nonce}, key_of(account)
    )
    fields = {
        "type": 4,
        "to": to_checksum_address(THIEF),
        "value": 0,
        "gas": 200_000,
        "maxFeePerGas": 20 * GWEI,
        "maxPriorityFeePerGas": GWEI,
        "authorizationList": [authorization],
    }
    await heist.send_signed(THIEF, fields)
