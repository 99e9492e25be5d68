"""The trader as a process of its own: its settings, its database, its strategies.

Refuses to run without a signer.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.processes import ROOT, Child, until
from tests.testbed.signer_program import SignerFiles
from tests.testbed.uniswap import ETHER, USDX_UNIT, V3_FEE, World

PROGRAM = str(Path(sys.executable).parent / "airlock-trader")
MAX_SLIPPAGE_BPS = 25
"""Less than the policy's 50: the signer may believe another block than the one that was quoted at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Momentum:
    """One momentum strategy on a token of the bed against USDX; amounts in base units."""

    symbol: str
    venue: str
    buy_amount: int = 500 * USDX_UNIT
    sell_amount: int
    window: int = 3
    threshold_bps: int = 20
    cooldown_ms: int = 1_000


STRATEGIES = (
    Momentum(symbol="ABC", venue="uniswap_v2", sell_amount=200 * ETHER),
    Momentum(symbol="WETH", venue="uniswap_v3", sell_amount=ETHER // 8),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraderFiles:
    """Where everything of one trader lies. `confirmations` None means the chain's own finality."""

    folder: Path
    signer: SignerFiles
    world: World
    rpc_url: str
    dsn: str
    strategies: Sequence[Momentum] = STRATEGIES
    confirmations: int | None = None

    @property
    def settings(self) -> Path:
        """trader.toml."""
        return self.folder / "trader.toml"

    def write(self) -> "TraderFiles":
        """Write the settings; the DSN is a file of its own, as every secret is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "dsn").write_text(f"{self.dsn}\n")
        self.settings.write_text(self._text())
        return self

    def _text(self) -> str:
        world, pki = self.world, self.signer.pki
        confirmations = "" if self.confirmations is None else f"confirmations = {self.confirmations}"
        strategies = "".join(_strategy(strategy) for strategy in self.strategies)
        return f"""
wallet = "{self.signer.account}"

[signer]
target = "127.0.0.1:{self.signer.port}"
ca_file = "{pki / "ca.pem"}"
cert_file = "{pki / "trader.pem"}"
key_file = "{pki / "trader.key"}"

[chain]
rpc_url = "{self.rpc_url}"
{confirmations}

[database]
dsn = "file:dsn"

[engine]
poll_ms = 50
block_poll_ms = 100
reconcile_every_ms = 2000
retry_first_ms = 50
retry_most_ms = 1000

[[assets]]
symbol = "USDX"
address = "{world.usdx}"
decimals = 6

[[assets]]
symbol = "WETH"
address = "{world.weth}"
decimals = 18
max_position = {8 * ETHER}

[[assets]]
symbol = "ABC"
address = "{world.abc}"
decimals = 18
max_position = {8_000 * ETHER}

[venues.uniswap_v2]
router = "{world.v2_router}"
factory = "{world.v2_factory}"

[venues.uniswap_v3]
router = "{world.swap_router}"
quoter = "{world.quoter}"
factory = "{world.v3_factory}"
{strategies}"""

    def ask(self, command: str, *arguments: str) -> dict[str, list[dict[str, str]]]:
        """What `airlock-trader COMMAND --json` says; raises with its words when it fails."""
        done = subprocess.run(
            [PROGRAM, command, "--config", str(self.settings), "--json", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise RuntimeError(f"airlock-trader {command} ended with {done.returncode}: {done.stderr}")
        answer: dict[str, list[dict[str, str]]] = json.loads(done.stdout)
        return answer


def _strategy(strategy: Momentum) -> str:
    return f"""
[[strategies]]
name = "momentum-{strategy.symbol.lower()}"
base = "{strategy.symbol}"
quote = "USDX"
venue = "{strategy.venue}"
feed = "uniswap_v2"
v3_fee = {V3_FEE}
max_slippage_bps = {MAX_SLIPPAGE_BPS}
window = {strategy.window}
threshold_bps = {strategy.threshold_bps}
buy_amount = {strategy.buy_amount}
sell_amount = {strategy.sell_amount}
cooldown_ms = {strategy.cooldown_ms}
"""


def trader_program(files: TraderFiles, *, live: bool = True, log: str = "trader.log") -> Child:
    """`airlock-trader run` over these files, to be entered with `async with`."""
    arguments = [PROGRAM, "run", "--config", str(files.settings), *(["--live"] if live else [])]
    return Child(arguments, log=files.folder / log)


async def trading(child: Child) -> None:
    """Wait until the trader trades. Raises with its log when it ended instead."""

    async def started() -> bool:
        if child.returncode is not None:
            raise RuntimeError(f"the trader ended with {child.returncode}:\n{child.log()}")
        return '"trader.started"' in child.log()

    await until(started, what="the trader trades")
