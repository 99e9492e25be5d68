"""Signatures through the vault backend beside raw hvac calls, in one run. Same Vault, same token.

The reference is one `transit/sign` of hvac per signature, from eight threads with a client each.
"""

import asyncio
import base64
import itertools
import statistics
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random
from typing import Self

import hvac
from typing_extensions import override

from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.backend import SolanaPin, VaultKey, VaultKeyBackend
from signer.adapters.vault.connection import Target
from signer.adapters.vault.envelopes import KvEnvelopes
from signer.adapters.vault.exchange import Exchange
from signer.adapters.vault.lease import Lease
from signer.adapters.vault.login.port import Login
from signer.adapters.vault.new_account import NewAccounts
from signer.adapters.vault.session import open_session
from signer.adapters.vault.transit import ED25519, Transit
from signer.domain.accounts import AccountId, Address, ChainName
from signer.domain.base58 import base58
from signer.domain.time import UnixMs
from signer.domain.transactions import EvmPayload, UnsignedEvmTransaction
from tests.bench.load import Load, closed_loop
from tests.testbed.vault import VaultServer
from tests.testbed.vault_ground import KV, TRANSIT, WRAPPING_KEY, lay_ground

ROUNDS = 5
REQUESTS_1, REQUESTS_32 = 200, 800
HVAC_THREADS = 8
MESSAGE = bytes(1_100)
_DEVNET = "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1"
_CHAIN_ID = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultFigures:
    """`…_1` with one in flight, `…_32` with 32; ratios and the overhead are medians of paired rounds."""

    hvac_1: Load
    hvac_32: Load
    solana_1: Load
    solana_32: Load
    evm_1: Load
    evm_32: Load
    solana_ratio_32: float
    evm_ratio_32: float
    solana_overhead_p50_ms_1: float
    evm_overhead_p50_ms_1: float

    @property
    def overhead_p50_ms_1(self) -> float:
        """The larger of the two."""
        return max(self.solana_overhead_p50_ms_1, self.evm_overhead_p50_ms_1)


async def measure_vault() -> VaultFigures:
    """Start a Vault, sign in all three ways in turn."""
    async with VaultServer() as server:
        await lay_ground(server)
        target = Target(address=server.url, ca=server.ca, timeout_ms=10_000)
        session = open_session(
            target, _RootLogin(server.root_token), clock=SystemClock(), log=_NoLog(), chance=Random(1)
        )
        async with session as api:
            transit, envelopes = Transit(api, TRANSIT), KvEnvelopes(api, KV)
            new = NewAccounts(transit=transit, envelopes=envelopes, wrapping_key=WRAPPING_KEY)
            evm = await new.create(ChainName(f"eip155:{_CHAIN_ID}"))
            solana = await _solana(transit)
            backend = VaultKeyBackend(
                keys=[VaultKey(account=evm), solana],
                transit=transit,
                envelopes=envelopes,
                wrapping_key=WRAPPING_KEY,
            )
            await backend.accounts()
            with _Hvac(server) as raw:
                return await _turns(raw, _solana_question(backend, solana), _evm_question(backend, evm))


async def _turns(
    raw: "_Hvac",
    solana: Callable[[], Awaitable[object]],
    evm: Callable[[], Awaitable[object]],
) -> VaultFigures:
    for ask in (raw.sign, solana, evm):
        await closed_loop(ask, in_flight=32, requests=REQUESTS_32)
    ones, many = [], []
    for _ in range(ROUNDS):
        alone, threaded = (raw.sign_alone, solana, evm), (raw.sign, solana, evm)
        ones.append([await closed_loop(ask, in_flight=1, requests=REQUESTS_1) for ask in alone])
        many.append([await closed_loop(ask, in_flight=32, requests=REQUESTS_32) for ask in threaded])
    hvac_1, solana_1, evm_1 = (_median(loads) for loads in zip(*ones, strict=True))
    hvac_32, solana_32, evm_32 = (_median(loads) for loads in zip(*many, strict=True))
    return VaultFigures(
        hvac_1=hvac_1,
        hvac_32=hvac_32,
        solana_1=solana_1,
        solana_32=solana_32,
        evm_1=evm_1,
        evm_32=evm_32,
        solana_ratio_32=statistics.median(ours.per_s / raw.per_s for raw, ours, _ in many),
        evm_ratio_32=statistics.median(ours.per_s / raw.per_s for raw, _, ours in many),
        solana_overhead_p50_ms_1=statistics.median(ours.p50_ms - raw.p50_ms for raw, ours, _ in ones),
        evm_overhead_p50_ms_1=statistics.median(ours.p50_ms - raw.p50_ms for raw, _, ours in ones),
    )


def _median(loads: tuple[Load, ...]) -> Load:
    return sorted(loads, key=lambda load: load.per_s)[len(loads) // 2]


async def _solana(transit: Transit) -> VaultKey:
    await transit.create("sol-bench", type_=ED25519)
    facts = await transit.facts("sol-bench")
    assert facts is not None
    account = AccountId(f"{_DEVNET}:{base58(facts.public_keys[1])}")
    return VaultKey(account=account, solana=SolanaPin(key="sol-bench", key_version=1))


def _solana_question(backend: VaultKeyBackend, key: VaultKey) -> Callable[[], Awaitable[object]]:
    return lambda: backend.sign_solana(key.account, MESSAGE)


def _evm_question(backend: VaultKeyBackend, account: AccountId) -> Callable[[], Awaitable[object]]:
    numbers = itertools.count()
    payload = EvmPayload(
        to=Address("0x" + "21" * 20),
        value_wei=0,
        data=bytes(260),
        gas_limit=200_000,
        max_fee_per_gas_wei=30 * 10**9,
        max_priority_fee_per_gas_wei=10**9,
    )

    async def ask() -> None:
        transaction = UnsignedEvmTransaction(chain_id=_CHAIN_ID, nonce=next(numbers), payload=payload)
        await backend.sign_evm(account, transaction)

    return ask


class _Hvac:
    """Raw calls: what a program without this backend would do."""

    def __init__(self, server: VaultServer) -> None:
        self._server = server
        self._local = threading.local()
        self._threads = ThreadPoolExecutor(HVAC_THREADS)
        self._input = base64.b64encode(MESSAGE).decode()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    async def sign_alone(self) -> None:
        """One call, in this thread: nothing but hvac."""
        self._sign()

    async def sign(self) -> None:
        """One call, in one of the threads."""
        await asyncio.get_running_loop().run_in_executor(self._threads, self._sign)

    def _sign(self) -> None:
        client: hvac.Client | None = getattr(self._local, "client", None)
        if client is None:
            client = self._local.client = self._server.client()
        client.secrets.transit.sign_data("sol-bench", hash_input=self._input, key_version=1)


class _RootLogin(Login):
    """The bed's root token, for ever."""

    name = "root"
    repeats = True

    def __init__(self, token: str) -> None:
        self._token = token

    @override
    def has_new_credential(self) -> bool:
        return False

    @override
    async def log_in(self, vault: Exchange, now: UnixMs) -> Lease:
        return Lease(token=self._token, at=now, ttl_s=0, full_ttl_s=0, renewable=False)


class _NoLog:
    def event(self, name: str, **fields: object) -> None:
        """Nobody listens."""
