import hashlib
import re

import pytest

from signer.domain.actions import ContractKind, SwapVenue
from signer.domain.errors import ConfigurationError
from signer.policy.document import MAX_BYTES, parse
from signer.policy.lines import Lines, spell
from tests.fakes.policies import ACCOUNT, DAI, OWN, POLICY, QUOTER, THIEF, USDC, V2_ROUTER, V3_ROUTER, WETH


def _line(text: str, needle: str) -> int:
    return text[: text.index(needle)].count("\n") + 1


def _refused(text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        parse(text.encode(), "policy.toml")
    return str(caught.value).split("\n")


def test_a_file_becomes_a_policy_with_defaults_filled_in() -> None:
    policy = parse(POLICY.encode())

    (account,) = policy.accounts
    assert policy.account(ACCOUNT) is account
    assert (account.address, account.chain) == (OWN, "eip155:31337")
    assert account.fees.max_fee_per_gas_wei == 50 * 10**9
    assert account.fees.max_priority_fee_per_gas_wei == 2 * 10**9
    assert account.fees.max_gas_limit == 500_000
    assert account.fees.max_fee_per_transaction_wei == 10**16
    assert (account.max_deadline_s, account.max_quote_age_s, account.max_price_age_s) == (120, 10, 120)
    assert account.max_slippage_bps == 50
    assert account.token_at[WETH].max_approval == account.token_at[WETH].max_per_trade
    assert account.contracts() == {
        V2_ROUTER: ContractKind.UNISWAP_V2_ROUTER02,
        V3_ROUTER: ContractKind.UNISWAP_SWAP_ROUTER02,
        WETH: ContractKind.WETH9,
        USDC: ContractKind.ERC20,
        DAI: ContractKind.ERC20,
    }


def test_the_hash_is_that_of_the_files_bytes() -> None:
    text = POLICY.encode()

    assert parse(text).hash == hashlib.sha256(text).hexdigest()
    assert parse(text + b"# a comment\n").hash != parse(text).hash


def test_a_v2_router_prices_itself_and_a_v3_router_by_its_quoter() -> None:
    (account,) = parse(POLICY.encode()).accounts

    assert account.price_source(V2_ROUTER) == V2_ROUTER
    assert account.price_source(V3_ROUTER) == QUOTER
    assert account.price_source(THIEF) is None
    assert account.router_at[V3_ROUTER].venue is SwapVenue.UNISWAP_SWAP_ROUTER02


def test_the_default_tip_is_never_above_the_fee() -> None:
    text = POLICY.replace("native_recipients", "max_fee_per_gas_wei = 7\nnative_recipients")

    (account,) = parse(text.encode()).accounts

    assert account.fees.max_priority_fee_per_gas_wei == 7


def test_addresses_may_be_spelled_in_any_case() -> None:
    (account,) = parse(POLICY.replace(OWN, "0x" + "aA" * 20).encode()).accounts

    assert account.account == ACCOUNT


def test_an_empty_file_is_a_policy_that_allows_nothing() -> None:
    assert parse(b"").accounts == ()


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "max_transactions_per_minute = 30\n",
            "",
            "max_transactions_per_minute: is missing and has no default",
        ),
        ("max_transactions_per_minute = 30", "max_transactions_per_minute = true", "valid integer"),
        (
            "max_transactions_per_minute = 30",
            "max_transactions_per_minute = -1",
            "greater than or equal to 0",
        ),
        ("max_transactions_per_minute = 30", "max_transactions_per_minute = 3.0", "valid integer"),
        ("max_native_per_day_wei = 3_000", 'max_native_per_day_wei = "-3"', "string of decimal digits"),
        ("max_native_per_day_wei = 3_000", 'max_native_per_day_wei = "٣"', "string of decimal digits"),
        ("max_native_per_day_wei = 3_000", f"max_native_per_day_wei = {2**256}", "less than or equal to"),
        (f'account = "{ACCOUNT}"', f'account = "{OWN}"', "CAIP-10"),
        (
            f'account = "{ACCOUNT}"',
            'account = "solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp:7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV"',
            "has no policy yet",
        ),
        ('kind = "weth9"', 'kind = "weth10"', "'erc20' or 'weth9'"),
        (f'quoter = "{QUOTER}"', 'quoter = "0x12"', "not an EVM address"),
        ("decimals = 6", "decimals = 78", "less than or equal to 77"),
    ],
)
def test_a_mistake_names_its_line_its_key_and_what_is_allowed(old: str, new: str, problem: str) -> None:
    text = POLICY.replace(old, new)
    # A key that is missing is answered by its table.
    line = _line(text, new) if new else 1

    (message,) = _refused(text)

    assert message.startswith(f"policy.toml, line {line}: accounts[0]")
    assert problem in message


def test_every_mistake_is_reported_in_a_line_of_its_own() -> None:
    messages = _refused(POLICY.replace("max_per_day", "max_per_year"))

    assert len(messages) == 2 * 3


def test_an_unknown_key_is_refused_with_those_that_are_known() -> None:
    assert "version, serial, accounts are allowed" in _refused("max_slipage_bps = 1\n")[0]
    assert "max_slippage_bps" in _refused(f"[[accounts]]\nmax_slipage_bps = 1\n{POLICY.split(']]', 1)[1]}")[0]
    assert "quoter, fee_tiers are allowed" in _refused(POLICY.replace("quoter =", "qouter ="))[0]
    assert "spenders" in _refused(POLICY.replace("max_approval", "approval"))[0]


def test_a_future_version_is_refused() -> None:
    assert re.search("line 1: version: .*1", _refused("version = 2\n")[0])


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"[[accounts]\n", "not TOML"),
        (b"version = 1\nversion = 1\n", "not TOML"),
        (b"version = " + b"1" * 5_000, "not TOML"),
        (b"version = " + b"[" * 100_000, "nested too deeply"),
        (b"# fine\n\n\xff", "line 3: not UTF-8 at byte 8"),
        (b"#" * (MAX_BYTES + 1), "at most 1048576 are allowed"),
    ],
)
def test_a_file_that_is_not_toml_is_refused_with_its_place(text: bytes, problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        parse(text)


def test_lines_are_found_through_all_spellings_of_tables() -> None:
    lines = Lines("a = 1\n[b.c]\nd = 2\n[[e]]\nf.g = 3\n[[e]]\n[[e.h]]\ni = 4\n[e.j]\nk = { l = 5 }\n")

    assert lines.of(("a",)) == 1
    assert lines.of(("b", "c", "d")) == 3
    assert lines.of(("e", 0, "f", "g")) == 5
    assert lines.of(("e", 1)) == 6
    assert lines.of(("e", 1, "h", 0, "i")) == 8
    assert lines.of(("e", 1, "j", "k", "l")) == 10
    assert lines.of(("nowhere",)) is None
    assert spell(("e", 1, "h", 0, "i")) == "e[1].h[0].i"
