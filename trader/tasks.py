"""What a running trader does, as tasks by name. Decides nothing: it runs what fits to the books."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random

from trader.domain.ids import AssetId
from trader.domain.moves import Standing
from trader.engine.attended.watch import Watcher
from trader.engine.desk import Desk
from trader.engine.reconcile import Reconciler
from trader.engine.rotation.follow import Follower
from trader.engine.rotation.mover import Mover
from trader.engine.rotation.scopes import Scopes
from trader.engine.supervisor import Task
from trader.engine.trading import Trading
from trader.engine.treasury import Treasury
from trader.engine.worker import Worker
from trader.plan import book, top_up_line
from trader.ports.price_feed import PriceFeed
from trader.ports.venue import Transfers
from trader.settings import Settings

_RANDOM_BITS = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Crew:
    """What the tasks work with; `keep_secrets` renews secrets."""

    desk: Desk
    settings: Settings
    assets: Sequence[AssetId]
    feed: PriceFeed
    transfers: Transfers
    keep_secrets: Task

    def tasks(self, *, live: bool) -> Mapping[str, Task]:
        """Workers for every order; for each account its rotation and its scope; strategies; the treasury."""
        rng = Random(secrets.randbits(_RANDOM_BITS))  # noqa: S311 - seeded by the system; ids, not secrets
        engine, me = self.settings.engine, f"{rng.getrandbits(64):016x}"
        tasks: dict[str, Task] = {
            f"worker-{number}": Worker(self.desk, f"{me}-{number}").run for number in range(engine.workers)
        }
        tasks["secrets"] = self.keep_secrets
        tasks["attended"] = Watcher(self.desk, every_ms=engine.reconcile_every_ms).run
        alone, grouped = self._strategies(rng, live=live)
        tasks |= {f"strategy-{name}": trading.run for name, trading in grouped.items()}
        for number, wallet in enumerate(self.settings.accounts):
            strategies = alone if wallet == self.settings.wallet else {}
            tasks[f"rotation-{number}"] = Follower(self.desk, wallet, every_ms=engine.reconcile_every_ms).run
            tasks[f"wallet-{number}"] = Scopes(
                self.desk,
                wallet,
                partial(self._wallet_tasks, strategies),
                every_ms=engine.block_poll_ms,
                stop_within_ms=engine.stop_within_ms,
            ).run
        return tasks | self._treasury(rng, live=live)

    def _wallet_tasks(self, strategies: Mapping[str, Trading], standing: Standing) -> Mapping[str, Task]:
        """What runs for one standing of the books: trading and comparing, or nothing but their move."""
        engine = self.settings.engine
        if standing.move is not None:
            move = Mover(self.desk, standing.move, self.assets, every_ms=engine.block_poll_ms)
            return {"move": move.run}
        reconciler = Reconciler(self.desk, standing.wallet, self.assets, every_ms=engine.reconcile_every_ms)
        tasks: dict[str, Task] = {"reconcile": reconciler.run}
        for name, trading in strategies.items():
            trading.move_to(standing.wallet)
            tasks[f"strategy-{name}"] = trading.run
        return tasks

    def _strategies(self, rng: Random, *, live: bool) -> tuple[Mapping[str, Trading], Mapping[str, Trading]]:
        """By name: those of the one account, which stop while its books move, and those of the wallets.

        They outlive a move, with the prices and pauses that they remember.
        """
        alone: dict[str, Trading] = {}
        grouped: dict[str, Trading] = {}
        for strategy in self.settings.strategies:
            trading = Trading(
                self.desk,
                self.feed,
                book(self.settings, strategy),
                rng,
                live=live,
                block_poll_ms=self.settings.engine.block_poll_ms,
            )
            (alone if strategy.wallet is None else grouped)[strategy.name] = trading
        return alone, grouped

    def _treasury(self, rng: Random, *, live: bool) -> dict[str, Task]:
        every_ms = self.settings.engine.reconcile_every_ms
        return {
            f"treasury-{number}": Treasury(
                self.desk, self.transfers, top_up_line(self.settings, line), rng, live=live, every_ms=every_ms
            ).run
            for number, line in enumerate(self.settings.treasury)
        }
