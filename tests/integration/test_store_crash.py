import random
import sys
from pathlib import Path

from tests.fakes.books import open_books, rows
from tests.fakes.trade import COIN, TKN, WALLET, WRAPPED, new_order
from tests.testbed.processes import Child, until
from trader.domain.orders import OrderState
from trader.domain.time import UnixMs

FUNDS = {WRAPPED: 10**6, COIN: 10**12, TKN: 0}


async def test_books_close_whenever_a_process_is_killed(postgres_dsn: str, tmp_path: Path) -> None:
    chance = random.Random(7)
    async with open_books(postgres_dsn, FUNDS) as store:
        for round_ in range(6):
            one, other = (_child(postgres_dsn, tmp_path, f"{name}{round_}", round_, "churn") for name in "ab")
            async with one, other:
                steps = chance.randint(20, 120)  # how far the killed one came differs every time

                async def far_enough(child: Child = one, steps: int = steps) -> bool:
                    assert child.returncode is None, child.log()
                    return len(child.log().splitlines()) >= steps

                await until(far_enough, what=f"{steps} claims")
                one.kill()
                await store.close_books(WALLET)
                other.kill()
            await store.close_books(WALLET)

        states = await store.states()
        assert states[OrderState.SETTLED] > 0
        assert states[OrderState.EXPIRED] > 0
    # Every order's last line is its state, and no line is missing: nothing moved without its record.
    assert await rows(postgres_dsn, _STRAY) == []


async def test_two_processes_never_hold_one_order(postgres_dsn: str, tmp_path: Path) -> None:
    async with open_books(postgres_dsn) as store:
        ids = sorted([(await store.create(new_order(created_at=UnixMs(0)))).id for _ in range(60)])
        async with (
            _child(postgres_dsn, tmp_path, "a", 1, "claim") as one,
            _child(postgres_dsn, tmp_path, "b", 2, "claim") as other,
        ):
            assert [await one.wait(), await other.wait()] == [0, 0], one.log() + other.log()
            held = one.log().split() + other.log().split()

    assert sorted(held) == ids


def _child(dsn: str, folder: Path, name: str, seed: int, mode: str) -> Child:
    return Child(
        [sys.executable, "-m", "tests.integration.store_child", dsn, name, str(seed), mode],
        log=folder / f"{name}.log",
        grace_s=1,
    )


_STRAY = """
SELECT o.id FROM orders o LEFT JOIN order_events e ON e.order_id = o.id
 GROUP BY o.id HAVING count(e.seq) <> o.last_seq OR max(e.seq) <> o.last_seq
     OR (SELECT to_state FROM order_events l WHERE l.order_id = o.id AND l.seq = o.last_seq) <> o.state
"""
