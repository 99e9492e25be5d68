"""The policy's page and example are checked against the code that they describe."""

from pathlib import Path

import pytest
from pydantic import BaseModel

from signer.policy.decide import TRACE
from signer.policy.document import AccountTable, PolicyDocument, RouterTable, TokenTable, TopUpTable
from signer.policy.load import load

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "policy.md").read_text()


def _section(title: str) -> str:
    return PAGE.split(f"{title}\n", 1)[1].split("\n#", 1)[0]


@pytest.mark.parametrize(
    ("title", "table"),
    [
        ("### Top level", PolicyDocument),
        ("### `[[accounts]]`", AccountTable),
        ("### `[[accounts.routers]]`", RouterTable),
        ("### `[[accounts.tokens]]`", TokenTable),
        ("### `[[accounts.top_ups]]`", TopUpTable),
    ],
)
def test_the_page_lists_exactly_the_keys_of_the_file(title: str, table: type[BaseModel]) -> None:
    rows = [line.split("`")[1] for line in _section(title).splitlines() if line.startswith("| `")]

    assert rows == list(table.model_fields)


def test_the_page_lists_exactly_the_rules_in_their_order() -> None:
    rows = [line.split("`")[1] for line in _section("## Rules").splitlines() if line.startswith("| `")]

    assert rows == list(TRACE)


def test_the_example_comes_into_force_and_bounds_what_the_page_says() -> None:
    (account,) = load((DOCS / "policy.example.toml").read_bytes()).accounts

    weth, usdc = account.tokens
    assert (weth.max_per_day, usdc.max_per_day) == (10 * 10**18, 30_000 * 10**6)
    assert account.fees.max_fee_per_day_wei == 10**18 // 4
    assert account.native.max_per_day_wei == 0
    assert account.max_slippage_bps == 50
