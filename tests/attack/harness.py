"""The arena of every robbery: a real signer process that is to refuse it, and a twin of its chain for force.

The signer watches `chain`. Force is used on `twin`, a chain of the same state that no signer watches: there
the account's public test key signs the very bytes that were refused. Each heist leaves the twin as it was.
"""

import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import grpc
import grpc.aio

from protos.airlock.signer.v1 import signer_pb2 as pb
from protos.airlock.signer.v1 import signer_pb2_grpc as rpc
from signer.adapters.pki.authority import Authority
from signer.adapters.pki.dev_pki import ADMIN_URI, LOCAL_HOSTS, SIGNER_URI, TRADER_URI
from signer.domain.time import UnixMs
from tests.attack.heist import Heist
from tests.attack.market import Market
from tests.attack.works import Works, prepare
from tests.fakes import wire
from tests.testbed.anvil import Anvil
from tests.testbed.signer_program import (
    GWEI,
    PolicyFigures,
    SignerFiles,
    policy_text,
    serving,
    signer_program,
)
from tests.testbed.uniswap import UniswapState, World

OTHER_URI = "spiffe://airlock.local/other"
TIMEOUT_S = 60
NOBODY = "0x" + "00" * 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Arena:
    """A signer process, its chain, and the twin; requests come with the trader's own certificate."""

    files: SignerFiles
    world: World
    works: Works
    chain: Anvil
    twin: Anvil
    stub: "rpc.SignerAsyncStub"

    @classmethod
    @contextlib.asynccontextmanager
    async def open(
        cls, folder: Path, uniswap: UniswapState, policies: Mapping[int, str | PolicyFigures]
    ) -> AsyncIterator[Self]:
        """One account for each index in `policies`, under these figures or this text."""
        async with contextlib.AsyncExitStack() as stack:
            chain = await stack.enter_async_context(Anvil())
            twin = await stack.enter_async_context(Anvil())
            works, dump = await prepare(uniswap, tuple(policies))
            await chain.load_state(dump)
            await twin.load_state(dump)
            files = SignerFiles(
                folder=folder, world=uniswap.world, rpc_url=chain.url, account_indexes=tuple(policies)
            )
            _write(files, tuple(policies.values()))
            program = await stack.enter_async_context(signer_program(files))
            await serving(files, program)
            connection = await stack.enter_async_context(wire.channel(f"127.0.0.1:{files.port}", files.pki))
            yield cls(
                files=files,
                world=uniswap.world,
                works=works,
                chain=chain,
                twin=twin,
                stub=wire.signer_stub(connection),
            )

    async def market(self, index: int = 1) -> Market:
        """What an honest trader would ask now for the account with this index."""
        return await Market.look(self.chain, self.world, self.works, index)

    async def sign(self, request: pb.SignEvmTransactionRequest) -> pb.SignEvmTransactionResponse:
        await self.chain.mine()  # the signer prices by the newest block, and here nobody else makes one
        return await self.stub.SignEvmTransaction(request, timeout=TIMEOUT_S)

    async def error(
        self, request: pb.SignEvmTransactionRequest, *, identity: str = "trader"
    ) -> grpc.aio.AioRpcError:
        """The signer's error. Fails when there is none, or when the refusal left anything in the ledger."""
        before = self.ledger()
        await self.chain.mine()
        async with wire.channel(f"127.0.0.1:{self.files.port}", self.files.pki, identity) as connection:
            try:
                await wire.signer_stub(connection).SignEvmTransaction(request, timeout=TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                assert self.ledger() == before, "a refused request changed the ledger"
                return error
        raise AssertionError(f"the signer signed {request.idempotency_key}")

    async def refused(self, request: pb.SignEvmTransactionRequest) -> set[str]:
        """Every reason of a denial by the policy; nothing was signed or reserved."""
        error = await self.error(request)
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED, error
        return set(wire.reasons(error))

    def ledger(self) -> Sequence[tuple[str | int, ...]]:
        """Next nonce of each account, nonces given back, how many transactions and signatures there are."""
        with contextlib.closing(sqlite3.connect(f"file:{self.files.ledger}?mode=ro", uri=True)) as connection:
            return [
                *connection.execute("SELECT account, next_nonce FROM accounts ORDER BY account"),
                *connection.execute("SELECT account, nonce FROM free_nonces ORDER BY account, nonce"),
                *connection.execute("SELECT count(*), count(raw) FROM transactions"),
            ]

    @contextlib.asynccontextmanager
    async def heist(self) -> AsyncIterator[Heist]:
        """The twin as the thief's playground; afterwards it never happened."""
        snapshot = await self.twin.rpc("evm_snapshot")
        # A revert does not bring these back.
        await self.twin.rpc("anvil_setCoinbase", NOBODY)
        await self.twin.rpc("anvil_setNextBlockBaseFeePerGas", hex(GWEI))
        try:
            yield Heist(chain=self.twin, world=self.world, works=self.works)
        finally:
            assert await self.twin.rpc("evm_revert", snapshot) is True


def _write(files: SignerFiles, policies: Sequence[str | PolicyFigures]) -> None:
    _write_pki(files.pki)
    files.write()
    text = "version = 1\n"
    for account, policy in zip(files.accounts, policies, strict=True):
        written = policy if isinstance(policy, str) else policy_text((account,), files.world, policy)
        text += written.removeprefix("version = 1\n")
    files.policy.write_text(text)
    # A client of the same authority that has business with the last account only.
    grant = f'[[clients.grants]]\naccount = "{files.accounts[-1]}"\nmethods = ["SignEvmTransaction"]\n'
    with files.settings.open("a") as settings:
        settings.write(f'\n[[clients]]\nsan = "{OTHER_URI}"\nrole = "trader"\n{grant}')


def _write_pki(folder: Path) -> None:
    """As `dev-pki` does, and one client more."""
    authority = Authority(name="Airlock attack CA", now=UnixMs(time.time_ns() // 1_000_000))
    folder.mkdir(parents=True)
    for name, issued in {
        "ca": authority.own,
        "server": authority.server(uri=SIGNER_URI, hosts=LOCAL_HOSTS),
        "trader": authority.client(TRADER_URI),
        "admin": authority.client(ADMIN_URI),
        "other": authority.client(OTHER_URI),
    }.items():
        (folder / f"{name}.pem").write_bytes(issued.certificate)
        (folder / f"{name}.key").write_bytes(issued.key)
        (folder / f"{name}.key").chmod(0o600)
