import pytest

from signer.domain.errors import ConfigurationError
from signer.policy.document import parse
from signer.policy.fail_open import Finding, check
from signer.policy.load import load
from tests.fakes.policies import (
    ACCOUNT,
    OWN,
    POLICY,
    QUOTER,
    SAVINGS,
    THIEF,
    USDC,
    V2_ROUTER,
    V3_ROUTER,
    WETH,
)

ZERO = "0x" + "00" * 20
HEAD = f'account = "{ACCOUNT}"\n'


def _findings(*changes: tuple[str, str]) -> tuple[Finding, ...]:
    text = POLICY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new, 1)
    return check(parse(text.encode()))


def test_a_closed_policy_has_no_findings_and_comes_into_force() -> None:
    assert _findings() == ()
    assert load(POLICY.encode()).accounts


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        (HEAD, HEAD + "max_deadline_s = 0\n", "max_deadline_s", "no expiry"),
        (HEAD, HEAD + "max_deadline_s = 121\n", "max_deadline_s", "at most 120 s"),
        (HEAD, HEAD + "max_quote_age_s = 11\n", "max_quote_age_s", "at most 10 s"),
        (HEAD, HEAD + "max_price_age_s = 601\n", "max_price_age_s", "at most 600 s"),
        (HEAD, HEAD + "max_slippage_bps = 101\n", "max_slippage_bps", "at most 100 bps"),
        (
            "max_transactions_per_minute = 30",
            "max_transactions_per_minute = 1_000_001",
            "max_transactions_per_minute",
            "at most 1000000",
        ),
        (
            HEAD,
            HEAD + "max_fee_per_gas_wei = 50_000_000_001\n",
            "max_fee_per_gas_wei",
            "accept_fee_per_gas_above_50_gwei",
        ),
        (
            HEAD,
            HEAD + "accept_fee_per_gas_above_50_gwei = true\nmax_fee_per_gas_wei = 1_000_000_000_001\n",
            "max_fee_per_gas_wei",
            "at most 1000000000000",
        ),
        (
            HEAD,
            HEAD + "max_priority_fee_per_gas_wei = 50_000_000_001\n",
            "max_priority_fee_per_gas_wei",
            "above max_fee_per_gas_wei",
        ),
        (
            HEAD,
            HEAD + "emergency_max_fee_per_gas_wei = 49_999_999_999\n",
            "emergency_max_fee_per_gas_wei",
            "below max_fee_per_gas_wei, so it raises nothing",
        ),
        (
            HEAD,
            HEAD + "emergency_max_fee_per_gas_wei = 1_000_000_000_001\n",
            "emergency_max_fee_per_gas_wei",
            "at most 1000000000000",
        ),
        (
            HEAD,
            HEAD + "emergency_max_priority_fee_per_gas_wei = 50_000_000_001\n",
            "emergency_max_priority_fee_per_gas_wei",
            "above the fee per gas",
        ),
        (
            HEAD,
            HEAD + f"emergency_max_fee_per_day_wei = {2**128}\n",
            "emergency_max_fee_per_day_wei",
            "is no limit",
        ),
        (
            HEAD,
            HEAD + "emergency_max_fee_per_transaction_wei = 100_000_000_000_000_001\n",
            "emergency_max_fee_per_transaction_wei",
            "above the fees of a day",
        ),
        (
            "max_fee_per_day_wei = 100_000_000_000_000_000",
            f"max_fee_per_day_wei = {2**128}",
            "max_fee_per_day_wei",
            "is no limit",
        ),
        (
            "max_fee_per_day_wei = 100_000_000_000_000_000",
            "max_fee_per_day_wei = 1",
            "max_fee_per_transaction_wei",
            "limits nothing",
        ),
        (
            "max_native_per_day_wei = 3_000",
            f"max_native_per_day_wei = {2**128}",
            "max_native_per_day_wei",
            "is no limit",
        ),
        (
            "max_native_per_day_wei = 3_000",
            "max_native_per_day_wei = 999",
            "max_native_per_transfer_wei",
            "limits nothing",
        ),
        (SAVINGS, ZERO, "native_recipients", "is nobody's"),
        (SAVINGS, WETH, "native_recipients", "is a listed contract"),
        (SAVINGS, V3_ROUTER, "native_recipients", "is a listed contract"),
        (f'quoter = "{QUOTER}"\n', "", "routers[1].quoter", "no reference price"),
        (f'quoter = "{QUOTER}"\n', f'quoter = "{ZERO}"\n', "routers[1].quoter", "no reference price"),
        (
            'kind = "uniswap_v2_router02"',
            f'kind = "uniswap_v2_router02"\nquoter = "{QUOTER}"',
            "routers[0].quoter",
            "has no meaning",
        ),
        (
            'kind = "uniswap_v2_router02"',
            'kind = "uniswap_v2_router02"\nfee_tiers = [3000]',
            "routers[0].fee_tiers",
            "has no meaning",
        ),
        ("max_per_day = 10_000_000", f"max_per_day = {2**128}", "tokens[0].max_per_day", "is no limit"),
        ("max_per_day = 10_000_000", "max_per_day = 2_999_999", "tokens[0].max_per_hour", "limits nothing"),
        ("max_per_hour = 3_000_000", "max_per_hour = 999_999", "tokens[0].max_per_trade", "limits nothing"),
        ("max_approval = 4_000_000", f"max_approval = {2**128}", "tokens[1].max_approval", "unlimited"),
        (
            "max_approval = 4_000_000",
            "max_approval = 20_000_001",
            "tokens[1].max_approval",
            "above max_per_day",
        ),
        (f'spenders = ["{V2_ROUTER}"]', f'spenders = ["{THIEF}"]', "tokens[1].spenders", "listed router"),
    ],
)
def test_what_fails_open_is_found_at_its_line(old: str, new: str, key: str, problem: str) -> None:
    text = POLICY.replace(old, new, 1)

    findings = _findings((old, new))

    (finding,) = [found for found in findings if found.key == f"accounts[0].{key}"]
    assert problem in finding.problem
    assert finding.line is not None
    name = key.rsplit(".", maxsplit=1)[-1]
    shown = text.split("\n")[finding.line - 1]
    assert shown.startswith(f"{name} =") or (not new and shown == "[[accounts.routers]]")


def test_a_fee_above_50_gwei_can_be_accepted_in_so_many_words() -> None:
    accepted = HEAD + "accept_fee_per_gas_above_50_gwei = true\nmax_fee_per_gas_wei = 60_000_000_000\n"

    assert _findings((HEAD, accepted)) == ()


def test_an_account_that_is_listed_twice_is_found() -> None:
    findings = check(parse((POLICY + POLICY).encode()))

    (finding,) = findings
    assert finding.key == "accounts[1].account"
    assert finding.line == POLICY.count("\n") + 2


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        (f'address = "{USDC}"', f'address = "{WETH}"', "tokens[1].address", "listed twice"),
        (f'address = "{USDC}"', f'address = "{ZERO}"', "tokens[1].address", "is no token"),
        (f'address = "{USDC}"', f'address = "{OWN}"', "tokens[1].address", "is no token"),
        (f'address = "{USDC}"', f'address = "{V2_ROUTER}"', "tokens[1].address", "is no token"),
        (f'address = "{V3_ROUTER}"', f'address = "{V2_ROUTER}"', "routers[1].address", "listed twice"),
        (f'address = "{V3_ROUTER}"', f'address = "{ZERO}"', "routers[1].address", "is no router"),
        (f'address = "{V3_ROUTER}"', f'address = "{OWN}"', "routers[1].address", "is no router"),
    ],
)
def test_an_address_is_one_thing_once(old: str, new: str, key: str, problem: str) -> None:
    findings = _findings((old, new))

    assert (f"accounts[0].{key}", True) in [(found.key, problem in found.problem) for found in findings]


def test_the_account_itself_as_a_recipient_is_harmless() -> None:
    assert _findings((SAVINGS, OWN)) == ()


def test_what_fails_open_does_not_come_into_force() -> None:
    text = POLICY.replace(HEAD, HEAD + "max_slippage_bps = 10_000\nmax_deadline_s = 3_600\n")

    with pytest.raises(ConfigurationError) as caught:
        load(text.encode(), "policy.toml")

    assert str(caught.value).split("\n") == [
        "policy.toml, line 4: accounts[0].max_deadline_s: 3600 s: at most 120 s are allowed",
        "policy.toml, line 3: accounts[0].max_slippage_bps: 10000 bps: at most 100 bps are allowed",
    ]


def test_a_finding_without_a_line_is_still_a_sentence() -> None:
    assert str(Finding(line=None, key="accounts", problem="is odd")) == "accounts: is odd"
