"""Whatever a compromised trader asks as a top-up: what is approved goes where it is listed, with a person."""

from dataclasses import replace

from hypothesis import event, given, settings
from hypothesis import strategies as st

from signer.decode.evm.decoder import decode
from signer.domain.accounts import Address
from signer.domain.actions import Action, Erc20Transfer, NativeTransfer
from signer.domain.budget import TRANSACTIONS, excesses
from signer.domain.decisions import Approved
from signer.policy.decide import decide
from tests.fakes.policies import OWN, SAVINGS, THIEF, USDC, WETH, honest_claim, proposal
from tests.unit.policy.test_top_ups import HOT, LOOKS_LIKE_HOT, POLICY, RULES

recipients = st.sampled_from((HOT, HOT, LOOKS_LIKE_HOT, THIEF, SAVINGS, OWN, USDC))
sizes = st.sampled_from((0, 1, 50, 51, 500, 501, 2**256 - 1)) | st.integers(0, 2_000)
transfers = st.one_of(
    st.builds(
        Erc20Transfer, token=st.sampled_from((USDC, USDC, WETH, HOT)), recipient=recipients, amount=sizes
    ),
    st.builds(NativeTransfer, recipient=recipients, amount_wei=sizes),
)
tails = st.sampled_from((b"", b"", b"", b"\0", bytes(64)))


@given(asked=transfers, claimed=transfers, tail=tails, attended=st.booleans())
@settings(max_examples=400)
def test_what_is_approved_is_a_listed_top_up(
    *, asked: Action, claimed: Action, tail: bytes, attended: bool
) -> None:
    judged = proposal(asked)
    payload = replace(judged.payload, data=judged.payload.data + tail)
    action = decode(payload, RULES.contracts(), RULES.movable)
    for claim in (honest_claim(asked), honest_claim(claimed)):
        whole = replace(judged, payload=payload, action=action, claim=claim, attended=attended)

        decision = decide(POLICY, whole)

        event(f"{type(asked).__name__}: {type(decision).__name__}")
        if isinstance(decision, Approved):
            assert action == asked
            assert claim == honest_claim(asked)
            assert tail == b""
            assert TRANSACTIONS in {limit.resource for limit in decision.limits}
            assert excesses(decision.limits, decision.charges, {}) == ()
            _is_allowed(asked, attended=attended)


def _is_allowed(asked: Action, *, attended: bool) -> None:
    if isinstance(asked, NativeTransfer) and asked.recipient == SAVINGS:
        assert asked.amount_wei <= 1_000
        return
    assert attended
    token: Address | None = None
    if isinstance(asked, Erc20Transfer):
        token, recipient, amount = asked.token, asked.recipient, asked.amount
    else:
        assert isinstance(asked, NativeTransfer)
        recipient, amount = asked.recipient, asked.amount_wei
    assert (token, recipient) in {(USDC, HOT), (None, HOT)}
    assert amount <= (50 if token is None else 500)
