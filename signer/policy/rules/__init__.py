"""One file per rule. A rule yields every violation that it sees and is silent otherwise; none asks another.

The order of RULES is the order in which a denial lists its reasons.
"""

from collections.abc import Callable, Iterator
from typing import TypeAlias

from signer.domain.decisions import Violation
from signer.policy.model import AccountPolicy
from signer.policy.proposal import Proposal
from signer.policy.rules.amount import amount
from signer.policy.rules.approval import approval
from signer.policy.rules.claim import claim
from signer.policy.rules.contract import contract
from signer.policy.rules.deadline import deadline
from signer.policy.rules.fees import fees
from signer.policy.rules.native import native
from signer.policy.rules.pool import pool
from signer.policy.rules.price_age import price_age
from signer.policy.rules.quote_age import quote_age
from signer.policy.rules.recipient import recipient
from signer.policy.rules.rolling import rolling
from signer.policy.rules.slippage import slippage
from signer.policy.rules.spender import spender
from signer.policy.rules.tokens import tokens
from signer.policy.rules.top_up import top_up
from signer.policy.rules.understood import understood

Rule: TypeAlias = Callable[[AccountPolicy, Proposal], Iterator[Violation]]

RULES: tuple[Rule, ...] = (
    understood,
    claim,
    contract,
    pool,
    recipient,
    tokens,
    spender,
    approval,
    amount,
    native,
    top_up,
    fees,
    deadline,
    quote_age,
    price_age,
    slippage,
    rolling,
)
