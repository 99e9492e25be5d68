"""[accounts.when]: when it is an account's turn, as an operator writes it."""

from pathlib import Path

import pytest

from signer.domain.accounts import Address
from signer.domain.errors import ConfigurationError
from signer.domain.wallets import ALWAYS, AmountRange, Condition, Hours
from signer.settings import parse
from tests.unit.test_signer_settings import TEXT

USDC, DAI = "0x" + "aA" * 20, "0x" + "bb" * 20
BEHIND = "dev = { mnemonic_index = 1 }\n"
LINE = TEXT[: TEXT.index(BEHIND)].count("\n") + 2
"""Number of the line that follows the account's last."""


def _condition(when: str) -> Condition:
    text = TEXT.replace(BEHIND, BEHIND + when)
    return parse(text.encode(), Path("/etc/airlock/signer.toml")).accounts[0].condition


def test_an_account_without_the_table_always_has_its_turn() -> None:
    assert _condition("") is ALWAYS
    assert _condition("[accounts.when]\n") == ALWAYS


def test_everything_at_once() -> None:
    condition = _condition(
        f"""[accounts.when]
hours_utc = "22:30-06:00"
[[accounts.when.amounts]]
token = "{USDC}"
at_least = 1_000
below = "{10**25}"
[[accounts.when.amounts]]
token = "{DAI}"
below = 7
"""
    )

    assert condition == Condition(
        hours=Hours(begin_minute=22 * 60 + 30, end_minute=6 * 60),
        amounts=(
            AmountRange(token=Address(USDC.lower()), at_least=1_000, below=10**25),
            AmountRange(token=Address(DAI), below=7),
        ),
    )


@pytest.mark.parametrize(
    ("text", "end"), [("18:00-24:00", 24 * 60), ("18:00-00:00", 24 * 60), ("00:00-12:00", 12 * 60)]
)
def test_midnight_may_be_either_end(text: str, end: int) -> None:
    hours = _condition(f'[accounts.when]\nhours_utc = "{text}"\n').hours

    assert hours is not None
    assert hours.end_minute == end


@pytest.mark.parametrize(
    ("when", "line", "said"),
    [
        ('[accounts.when]\nhours_utc = "8:00-18:00"\n', 1, 'allowed is "HH:MM-HH:MM" in UTC'),
        ('[accounts.when]\nhours_utc = "08:00-25:00"\n', 1, 'allowed is "HH:MM-HH:MM" in UTC'),
        ('[accounts.when]\nhours_utc = "08:00 18:00"\n', 1, 'allowed is "HH:MM-HH:MM" in UTC'),
        ('[accounts.when]\nhours_utc = "08:00-08:00"\n', 1, "leave hours_utc out"),
        ('[accounts.when]\nhours_utc = "00:00-24:00"\n', 1, "leave hours_utc out"),
        ("[accounts.when]\nhours_utc = 8\n", 1, "'8' are no hours"),
        ("[accounts.when]\nhours = 8\n", 1, "no such key"),
        ('[[accounts.when.amounts]]\ntoken = "USDC"\nbelow = 5\n', 1, "not an EVM address"),
        (f'[[accounts.when.amounts]]\ntoken = "{DAI}"\n', 0, "every amount is at least 0"),
        (f'[[accounts.when.amounts]]\ntoken = "{DAI}"\nat_least = 5\nbelow = 5\n', 0, "no amount is"),
        (f'[[accounts.when.amounts]]\ntoken = "{DAI}"\nbelow = 0\n', 0, "no amount is"),
        (f'[[accounts.when.amounts]]\ntoken = "{DAI}"\nbelow = "5.5"\n', 2, "decimal digits"),
        (f'[[accounts.when.amounts]]\ntoken = "{DAI}"\nbelow = 5.5\n', 2, "integer"),
        (f'[[accounts.when.amounts]]\ntoken = "{DAI}"\nat_least = -1\n', 2, "greater than or equal to 0"),
        (
            f'[accounts.when]\namounts = [{{token = "{DAI}", below = 5}}, {{token = "{DAI}", below = 6}}]\n',
            0,
            "two ranges",
        ),
        ("[accounts.when]\ndevice_ready = false\n", -5, 'backend = "dev" has no device'),
    ],
)
def test_nonsense_is_named_with_its_line(when: str, line: int, said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        _condition(when)

    (problem,) = str(caught.value).splitlines()
    assert said in problem
    assert problem.startswith(f"/etc/airlock/signer.toml:{LINE + line}: ")
