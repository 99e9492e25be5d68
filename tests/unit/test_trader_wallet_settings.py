"""Wallets of several accounts and the treasury in trader.toml: read when they fit, else named."""

from pathlib import Path

import pytest

from trader.domain.errors import ConfigurationError
from trader.domain.ids import WalletId, erc20, native
from trader.domain.ids import parse_address as parse
from trader.engine.groups.group import WhenAway
from trader.plan import book, groups, top_up_line
from trader.settings import load

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "trader.example.toml"
HOT, DEVICE = (WalletId(f"eip155:1:0x{tail:0>40}") for tail in ("beef", "c0de"))
USDC = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48"


def _text() -> str:
    """The example, with what is commented out about wallets and the treasury."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    start = next(number for number, line in enumerate(lines) if line == "# [[wallets]]")
    end = lines.index("[fees]")
    shown = [
        line.removeprefix("# ") if line.startswith("# ") and ("=" in line or "[[" in line) else line
        for line in lines[start:end]
    ]
    text = "\n".join([*lines[:start], *shown, *lines[end:]])
    return text.replace('# wallet = "main" ', 'wallet = "main" ')


def _changed(tmp_path: Path, old: str = "", new: str = "") -> Path:
    text = _text()
    assert old in text
    path = tmp_path / "trader.toml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_the_commented_part_of_the_example_is_valid_and_means_what_it_says(tmp_path: Path) -> None:
    settings = load(_changed(tmp_path))
    group = groups(settings)["main"]
    line = top_up_line(settings, settings.treasury[0])

    assert settings.accounts[1:] == group.wallets == (HOT, DEVICE)
    assert group.when_away is WhenAway.SMALLER
    assert group.min_amount_in == {erc20(settings.chain_name, parse(USDC)): 100_000_000}
    assert book(settings, settings.strategies[0]).group == group
    assert (line.source, line.target) == (DEVICE, HOT)
    assert (line.asset, line.min_interval_ms) == (erc20(settings.chain_name, parse(USDC)), 3_600_000)


def test_the_native_coin_has_its_name(tmp_path: Path) -> None:
    settings = load(
        _changed(tmp_path, 'token = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"', 'token = "native"')
    )

    assert top_up_line(settings, settings.treasury[0]).asset == native(settings.chain_name)


def test_without_an_account_at_the_top_the_wallets_are_enough(tmp_path: Path) -> None:
    text = _text().splitlines()
    path = tmp_path / "trader.toml"
    path.write_text(
        "\n".join(line for line in text if not line.startswith('wallet = "eip155')), encoding="utf-8"
    )

    assert load(path).accounts == (HOT, DEVICE)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('wallet = "main" ', 'wallet = "mine" ', "'mine' is no wallet"),
        ('when_device_away = "smaller"', 'when_device_away = "larger"', "'smaller' or 'wait'"),
        ("min_amount_in = { USDC", "min_amount_in = { USDT", "'USDT' is no asset; one of USDC, WETH"),
        (
            '["eip155:1:0x000000000000000000000000000000000000bEEF"',
            '["eip155:2:0x000000000000000000000000000000000000bEEF"',
            "one chain",
        ),
        (
            '["eip155:1:0x000000000000000000000000000000000000bEEF"',
            '["eip155:1:0x000000000000000000000000000000000000dEaD"',
            "occurs twice",
        ),
        (
            'to = "eip155:1:0x000000000000000000000000000000000000bEEF"',
            'to = "eip155:1:0x000000000000000000000000000000000000f00d"',
            "is no account of this file",
        ),
        (
            'to = "eip155:1:0x000000000000000000000000000000000000bEEF"',
            'to = "eip155:1:0x000000000000000000000000000000000000c0de"',
            "the same account",
        ),
        ("to_level = 2000000000", "to_level = 1", "is above to_level"),
        ("min_interval_s = 3600", "min_interval_s = 1", "greater than or equal to 60"),
        (
            'token = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"',
            'token = "0x00000000000000000000000000000000000000aa"',
            "is no asset",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, old: str, new: str, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(_changed(tmp_path, old, new))

    assert words in str(caught.value)


def test_a_strategy_needs_an_account_or_a_wallet(tmp_path: Path) -> None:
    lines = [
        line for line in _text().splitlines() if not line.startswith(('wallet = "eip155', 'wallet = "main"'))
    ]
    path = tmp_path / "trader.toml"
    path.write_text("\n".join(lines), encoding="utf-8")

    with pytest.raises(ConfigurationError, match="None is no wallet"):
        load(path)
