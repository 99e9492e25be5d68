"""How much of a token one swap may give: what the rules would say of any amount, as one number."""

from dataclasses import replace

import pytest

from signer.domain.accounts import Address
from signer.domain.budget import FEE, TRANSACTIONS, token_resource
from signer.domain.decisions import Approved, Denied
from signer.domain.reasons import DenyReason
from signer.policy.decide import decide
from signer.policy.room import room
from tests.fakes import calldata
from tests.fakes.policies import DAI, SWAP, THIEF, WETH, policy, proposal

POLICY = policy()
RULES = POLICY.accounts[0]
HOUR, DAY = (token_resource(WETH), 3_600), (token_resource(WETH), 86_400)


@pytest.mark.parametrize(
    ("usage", "most", "reason"),
    [
        ({}, 1_000_000, DenyReason.AMOUNT_TOO_HIGH),
        ({HOUR: 2_000_001}, 999_999, DenyReason.ROLLING_CAP_EXCEEDED),
        ({DAY: 9_999_999}, 1, DenyReason.ROLLING_CAP_EXCEEDED),
        ({HOUR: 3_000_000}, 0, DenyReason.ROLLING_CAP_EXCEEDED),
        ({HOUR: 4_000_000}, 0, DenyReason.ROLLING_CAP_EXCEEDED),
        ({(TRANSACTIONS, 60): 29}, 1_000_000, DenyReason.AMOUNT_TOO_HIGH),
        ({(TRANSACTIONS, 60): 30}, 0, DenyReason.RATE_EXCEEDED),
        ({(FEE, 86_400): 10**17}, 0, DenyReason.FEE_CAP_EXCEEDED),
    ],
)
def test_the_narrowest_limit_counts(usage: dict[tuple[str, int], int], most: int, reason: DenyReason) -> None:
    found = room(RULES, WETH, usage)  # type: ignore[arg-type]  # resources as texts

    assert (found.most, found.reason) == (most, reason)
    assert found.message


@pytest.mark.parametrize("token", [THIEF, DAI])
def test_what_may_not_be_sold_has_no_room(token: Address) -> None:
    assert (room(RULES, token, {}).most, room(RULES, token, {}).reason) == (0, DenyReason.TOKEN_NOT_ALLOWED)


@pytest.mark.parametrize("used", [0, 2_000_000, 2_000_001, 2_999_999, 3_000_000])
def test_the_rules_agree_on_the_last_amount_that_fits(used: int) -> None:
    usage = {HOUR: used, DAY: used}
    most = room(RULES, WETH, usage).most

    for amount, verdict in ((most, Approved if most else Denied), (most + 1, Denied)):
        swap = replace(SWAP, amount_in=amount)
        judged = replace(proposal(swap), payload=calldata.payload(swap), usage=usage)
        assert amount == 0 or isinstance(decide(POLICY, judged), verdict)
