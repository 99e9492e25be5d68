"""Top-ups: one listed account, little by little, by a person; a token goes to nobody else."""

from dataclasses import replace

import pytest

from signer.decode.evm.decoder import decode
from signer.domain.accounts import AccountId, Address
from signer.domain.actions import Action, Erc20Transfer, NativeTransfer, NotUnderstood
from signer.domain.budget import FEE, NATIVE, TRANSACTIONS, top_up_resource
from signer.domain.claims import NativeTransferClaim, TokenTransferClaim
from signer.domain.decisions import Approved, Denied
from signer.domain.errors import ConfigurationError
from signer.domain.reasons import DenyReason
from signer.policy.decide import decide
from signer.policy.document import parse
from signer.policy.fail_open import check
from signer.policy.load import load
from signer.policy.proposal import Proposal
from signer.policy.surroundings import Surroundings, check_fit
from tests.fakes import calldata, policies
from tests.fakes.policies import ACCOUNT, OWN, SAVINGS, SWAP, THIEF, USDC, V2_ROUTER, WETH

HOT = Address("0x" + "77" * 20)
LOOKS_LIKE_HOT = Address("0x7777" + "78" * 16 + "7777")
TOP_UPS = f"""
[[accounts.top_ups]]
to = "{HOT}"
token = "{USDC}"
max_per_top_up = 500
max_per_day = 1_200

[[accounts.top_ups]]
to = "{HOT}"
token = "native"
max_per_top_up = 50
max_per_day = 100
"""
POLICY = load((policies.POLICY + TOP_UPS).encode())
RULES = POLICY.accounts[0]
TOKENS = Erc20Transfer(token=USDC, recipient=HOT, amount=500)
COINS = NativeTransfer(recipient=HOT, amount_wei=50)


def _judged(action: Action, *, attended: bool = True, **changes: object) -> Proposal:
    return replace(policies.proposal(action), attended=attended, **changes)  # type: ignore[arg-type]  # tests name fields


def _reasons(judged: Proposal) -> list[DenyReason]:
    decision = decide(POLICY, judged)
    return [each.reason for each in decision.violations] if isinstance(decision, Denied) else []


@pytest.mark.parametrize("action", [TOKENS, COINS])
def test_a_listed_top_up_passes_and_counts_against_a_cap_of_its_own(action: Action) -> None:
    decision = decide(POLICY, _judged(action))

    assert isinstance(decision, Approved)
    own = top_up_resource(USDC if action is TOKENS else None, HOT)
    assert [charge.resource for charge in decision.charges] == [own, FEE, TRANSACTIONS]
    assert [limit.resource for limit in decision.limits] == [own, FEE, TRANSACTIONS]
    assert decide(POLICY, policies.proposal(SWAP)) == decide(policies.policy(), policies.proposal(SWAP))


@pytest.mark.parametrize("action", [TOKENS, COINS])
def test_without_a_person_none_passes(action: Action) -> None:
    assert _reasons(_judged(action, attended=False)) == [DenyReason.PERSON_NEEDED]


@pytest.mark.parametrize(
    ("action", "reasons"),
    [
        (replace(TOKENS, amount=501), [DenyReason.AMOUNT_TOO_HIGH]),
        (replace(TOKENS, amount=2**256 - 1), [DenyReason.AMOUNT_TOO_HIGH, DenyReason.ROLLING_CAP_EXCEEDED]),
        (replace(COINS, amount_wei=51), [DenyReason.AMOUNT_TOO_HIGH]),
        (replace(TOKENS, recipient=THIEF), [DenyReason.RECIPIENT_NOT_ALLOWED]),
        (replace(TOKENS, recipient=LOOKS_LIKE_HOT), [DenyReason.RECIPIENT_NOT_ALLOWED]),
        (replace(TOKENS, recipient=SAVINGS), [DenyReason.RECIPIENT_NOT_ALLOWED]),
        (replace(TOKENS, recipient=OWN), [DenyReason.RECIPIENT_NOT_ALLOWED]),
        (replace(COINS, recipient=LOOKS_LIKE_HOT), [DenyReason.RECIPIENT_NOT_ALLOWED]),
        (replace(TOKENS, token=WETH), [DenyReason.RECIPIENT_NOT_ALLOWED]),
    ],
)
def test_what_is_not_listed_so_is_refused_with_a_person_too(
    action: Action, reasons: list[DenyReason]
) -> None:
    assert _reasons(_judged(action)) == reasons


@pytest.mark.parametrize(("action", "token", "most"), [(TOKENS, USDC, 1_200), (COINS, None, 100)])
def test_the_cap_of_a_day_holds_and_takes_nothing_from_trades(
    action: Action, token: Address | None, most: int
) -> None:
    resource = top_up_resource(token, HOT)
    amount = action.amount if isinstance(action, Erc20Transfer) else 50
    full = {(resource, 86_400): most - amount + 1}

    assert _reasons(_judged(action, usage=full)) == [DenyReason.ROLLING_CAP_EXCEEDED]
    assert _reasons(_judged(action, usage={(resource, 86_400): most - amount})) == []
    assert _reasons(_judged(action, usage={(NATIVE, 86_400): 3_000})) == []
    assert _reasons(_judged(SWAP, usage=full)) == []


def test_a_coin_for_a_native_recipient_needs_no_person_as_before() -> None:
    assert _reasons(_judged(policies.TRANSFER, attended=False)) == []


@pytest.mark.parametrize(
    ("action", "claim"),
    [
        (TOKENS, TokenTransferClaim(token=USDC, recipient=THIEF, amount=500)),
        (TOKENS, TokenTransferClaim(token=WETH, recipient=HOT, amount=500)),
        (TOKENS, TokenTransferClaim(token=USDC, recipient=HOT, amount=1)),
        (TOKENS, NativeTransferClaim(recipient=HOT, amount_wei=500)),
        (COINS, TokenTransferClaim(token=USDC, recipient=HOT, amount=50)),
    ],
)
def test_a_top_up_is_what_its_client_says_or_nothing(
    action: Action, claim: TokenTransferClaim | NativeTransferClaim
) -> None:
    assert DenyReason.CLAIM_MISMATCH in _reasons(_judged(action, claim=claim))


def test_a_transfer_is_read_only_for_a_token_that_a_top_up_lists() -> None:
    tokens, contracts = calldata.payload(TOKENS), RULES.contracts()

    assert decode(tokens, contracts, RULES.movable) == TOKENS
    assert isinstance(decode(tokens, contracts), NotUnderstood)
    for payload in (
        calldata.payload(replace(TOKENS, token=WETH)),
        replace(tokens, data=tokens.data + b"\0"),
        replace(tokens, data=tokens.data[:-1]),
        replace(tokens, value_wei=1),
        replace(tokens, to=V2_ROUTER),
    ):
        assert isinstance(decode(payload, contracts, RULES.movable), NotUnderstood)


@pytest.mark.parametrize(
    ("old", "new", "key", "problem"),
    [
        (f'to = "{HOT}"', f'to = "0x{"00" * 20}"', "to", "no account to top up"),
        (f'to = "{HOT}"', f'to = "{OWN}"', "to", "no account to top up"),
        (f'to = "{HOT}"', f'to = "{V2_ROUTER}"', "to", "no account to top up"),
        (f'to = "{HOT}"', f'to = "{USDC}"', "to", "no account to top up"),
        (f'token = "{USDC}"', f'token = "{THIEF}"', "token", "not a listed token"),
        ("max_per_top_up = 500", "max_per_top_up = 1_201", "max_per_top_up", "limits nothing"),
        ("max_per_day = 1_200", f'max_per_day = "{2**128}"', "max_per_day", "is no limit"),
    ],
)
def test_a_top_up_that_fails_open_does_not_come_into_force(
    old: str, new: str, key: str, problem: str
) -> None:
    text = policies.POLICY + TOP_UPS.replace(old, new, 1)
    (finding,) = check(parse(text.encode()))

    assert finding.key == f"accounts[0].top_ups[0].{key}"
    assert problem in finding.problem
    assert finding.line is not None
    with pytest.raises(ConfigurationError, match="top_ups"):
        load(text.encode())


def test_the_same_top_up_twice_and_a_recipient_with_two_rules_are_found() -> None:
    twice = TOP_UPS.replace(f'token = "{USDC}"', 'token = "native"')
    both = TOP_UPS.replace(f'"{HOT}"\ntoken = "native"', f'"{SAVINGS}"\ntoken = "native"')

    found = [
        *check(parse((policies.POLICY + twice).encode())),
        *check(parse((policies.POLICY + both).encode())),
    ]
    assert [each.problem.partition(" ")[2] for each in found] == [
        "is listed twice for this token: one table is allowed",
        "is one of native_recipients, too: with or without a person, one is allowed",
    ]


@pytest.mark.parametrize("token", ["USDC", "Native", "0x12"])
def test_another_spelling_of_a_token_is_refused(token: str) -> None:
    text = policies.POLICY + TOP_UPS.replace("native", token)

    with pytest.raises(ConfigurationError, match=r"top_ups\[1\]\.token"):
        parse(text.encode())


def test_a_policy_with_top_ups_needs_a_person_and_a_wallet_with_both_accounts() -> None:
    other = AccountId(f"eip155:31337:{HOT}")
    fit = Surroundings(wallets={ACCOUNT: "main", other: "main"}, approval_timeouts_s={ACCOUNT: 60})
    to = ["accounts[0].top_ups[0].to", "accounts[0].top_ups[1].to"]

    assert check_fit(POLICY, fit) == ()
    assert [each.key for each in check_fit(POLICY, replace(fit, approval_timeouts_s={}))] == [
        "accounts[0].top_ups[0]"
    ]
    for wallets in ({ACCOUNT: "main"}, {ACCOUNT: "main", other: "other"}, {other: "main"}):
        assert [each.key for each in check_fit(POLICY, replace(fit, wallets=wallets))] == to
