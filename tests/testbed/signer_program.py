"""The signer as a process of its own: its files, its certificates, its policy.

Refuses to run on another chain than the bed's.
"""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import grpc
import grpc.aio

from signer.adapters.pki.dev_pki import write_dev_pki
from signer.adapters.system_clock import SystemClock
from tests.testbed.accounts import dev_account
from tests.testbed.processes import Child, free_port, listens, until
from tests.testbed.uniswap import ETHER, USDX_UNIT, V3_FEE, World

PROGRAM = str(Path(sys.executable).parent / "airlock-signer")
TRADER_SAN = "spiffe://airlock.local/trader"
ADMIN_SAN = "spiffe://airlock.local/admin"
GWEI = 10**9

TRADER_METHODS = (
    "ListAccounts",
    "ChooseAccount",
    "SignEvmTransaction",
    "Evaluate",
    "ReplaceTransaction",
    "CancelTransaction",
    "ReportBroadcast",
    "GetTransaction",
    "GetBudget",
    "WatchTransactions",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFigures:
    """What tests vary of the policy; everything else is as an operator would write it."""

    usdx_per_trade: int = 2_000 * USDX_UNIT
    usdx_per_hour: int = 100_000 * USDX_UNIT
    usdx_per_day: int = 200_000 * USDX_UNIT
    transactions_per_minute: int = 600
    max_price_age_s: int = 120
    fee_per_day_wei: int = 50 * ETHER
    native_recipients: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignerFiles:
    """Where everything of one signer lies; it signs for public test accounts, first of all for `account`."""

    folder: Path
    world: World
    rpc_url: str
    account_indexes: Sequence[int] = (1,)
    figures: PolicyFigures = field(default_factory=PolicyFigures)
    port: int = field(default_factory=free_port)
    admin_port: int = field(default_factory=free_port)

    @property
    def pki(self) -> Path:
        """Folder of the certificates that `dev-pki` makes."""
        return self.folder / "pki"

    @property
    def address(self) -> str:
        """Address of the account, lower case."""
        return dev_account(self.account_indexes[0]).address

    @property
    def account(self) -> str:
        """CAIP-10 of the first account, lower case."""
        return self.accounts[0]

    @property
    def accounts(self) -> tuple[str, ...]:
        """CAIP-10 of every account."""
        return tuple(
            f"eip155:{self.world.chain_id}:{dev_account(index).address}" for index in self.account_indexes
        )

    @property
    def settings(self) -> Path:
        """signer.toml."""
        return self.folder / "signer.toml"

    @property
    def policy(self) -> Path:
        """policy.toml."""
        return self.folder / "policy.toml"

    @property
    def ledger(self) -> Path:
        """SQLite file."""
        return self.folder / "ledger.sqlite"

    @property
    def audit(self) -> Path:
        """Hash-chained file."""
        return self.folder / "audit.jsonl"

    def write(self) -> "SignerFiles":
        """Make certificates, settings and policy."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self.pki.exists():
            write_dev_pki(self.pki, now=SystemClock().now())
        self.settings.write_text(self._settings())
        self.policy.write_text(policy_text(self.accounts, self.world, self.figures))
        return self

    def _settings(self) -> str:
        accounts = "".join(
            _account(account, index)
            for account, index in zip(self.accounts, self.account_indexes, strict=True)
        )
        return f"""
listen = "127.0.0.1:{self.port}"
admin_listen = "127.0.0.1:{self.admin_port}"
ledger = "ledger.sqlite"
audit = "audit.jsonl"
policy = "policy.toml"

[tls]
certificate = "pki/server.pem"
key = "pki/server.key"
client_ca = "pki/ca.pem"

[[chains]]
id = "eip155:{self.world.chain_id}"
rpc_url = "{self.rpc_url}"

{accounts}
{_trader_client(self.accounts)}
[[clients]]
san = "{ADMIN_SAN}"
role = "admin"
"""


def _account(account: str, index: int) -> str:
    return f"""
[[accounts]]
id = "{account}"
wallet = "hot-{index}"
backend = "dev"
dev = {{ mnemonic_index = {index} }}
"""


def _trader_client(accounts: Sequence[str]) -> str:
    methods = ", ".join(f'"{method}"' for method in TRADER_METHODS)
    grants = "".join(
        f"""
[[clients.grants]]
account = "{account}"
methods = [{methods}]
"""
        for account in accounts
    )
    return f"""
[[clients]]
san = "{TRADER_SAN}"
role = "trader"
{grants}"""


def policy_text(accounts: Sequence[str], world: World, figures: PolicyFigures) -> str:
    """A policy for the pairs of the bed: USDX against WETH and ABC on both routers.

    The same for each account.
    """
    return "version = 1\n" + "".join(_account_policy(account, world, figures) for account in accounts)


def _account_policy(account: str, world: World, figures: PolicyFigures) -> str:
    routers = (world.v2_router, world.swap_router)
    tokens = (
        TokenFigures(
            world.usdx,
            "USDX",
            6,
            "erc20",
            figures.usdx_per_trade,
            figures.usdx_per_hour,
            figures.usdx_per_day,
        ),
        TokenFigures(world.weth, "WETH", 18, "weth9", 2 * ETHER, 100 * ETHER, 200 * ETHER),
        TokenFigures(world.abc, "ABC", 18, "erc20", 2_000 * ETHER, 100_000 * ETHER, 200_000 * ETHER),
    )
    recipients = ", ".join(f'"{recipient}"' for recipient in figures.native_recipients)
    return f"""
[[accounts]]
account = "{account}"
max_fee_per_gas_wei = {50 * GWEI}
max_priority_fee_per_gas_wei = {3 * GWEI}
max_gas_limit = 500000
max_fee_per_transaction_wei = "{25 * 10**15}"
max_fee_per_day_wei = "{figures.fee_per_day_wei}"
max_transactions_per_minute = {figures.transactions_per_minute}
max_deadline_s = 120
max_quote_age_s = 10
max_price_age_s = {figures.max_price_age_s}
max_slippage_bps = 50
native_recipients = [{recipients}]
max_native_per_transfer_wei = "{ETHER}"
max_native_per_day_wei = "{20 * ETHER}"

[[accounts.routers]]
address = "{world.v2_router}"
kind = "uniswap_v2_router02"

[[accounts.routers]]
address = "{world.swap_router}"
kind = "uniswap_swap_router02"
quoter = "{world.quoter}"
fee_tiers = [{V3_FEE}]
""" + "".join(_token(token, routers) for token in tokens)


class TokenFigures(NamedTuple):
    """One `[[accounts.tokens]]` table; amounts in base units."""

    address: str
    symbol: str
    decimals: int
    kind: str
    per_trade: int
    per_hour: int
    per_day: int


def _token(token: TokenFigures, spenders: Sequence[str]) -> str:
    listed = ", ".join(f'"{spender}"' for spender in spenders)
    return f"""
[[accounts.tokens]]
address = "{token.address}"
symbol = "{token.symbol}"
decimals = {token.decimals}
kind = "{token.kind}"
max_per_trade = "{token.per_trade}"
max_per_hour = "{token.per_hour}"
max_per_day = "{token.per_day}"
spenders = [{listed}]
"""


def signer_program(files: SignerFiles) -> Child:
    """`airlock-signer run` over these files, to be entered with `async with`; then wait with `serving`."""
    return Child([PROGRAM, "run", "--config", str(files.settings)], log=files.folder / "signer.log")


async def serving(files: SignerFiles, child: Child) -> None:
    """Wait until the signer takes connections. Raises with its log when it ended instead."""

    async def answers() -> bool:
        if child.returncode is not None:
            raise RuntimeError(f"the signer ended with {child.returncode}:\n{child.log()}")
        # gRPC waits a second before it tries a closed port again.
        if not await listens(files.port):
            return False
        async with channel(files) as connection:
            try:
                await asyncio.wait_for(connection.channel_ready(), 1)
            except TimeoutError:
                return False
            return True

    await until(answers, what="the signer serves")


def channel(
    files: SignerFiles, *, identity: str = "trader", pki: Path | None = None, port: int | None = None
) -> grpc.aio.Channel:
    """Mutual TLS to the signer's `port` with one of the certificates of `dev-pki` (or of another folder)."""
    folder = pki or files.pki
    credentials = grpc.ssl_channel_credentials(
        root_certificates=(files.pki / "ca.pem").read_bytes(),
        private_key=(folder / f"{identity}.key").read_bytes(),
        certificate_chain=(folder / f"{identity}.pem").read_bytes(),
    )
    return grpc.aio.secure_channel(f"127.0.0.1:{port or files.port}", credentials)
