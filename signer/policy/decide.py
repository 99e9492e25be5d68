"""The decision: every rule, every violation, in order. Deny by default; swallows no exception of a rule."""

from signer.domain.accounts import AccountId, address_of, chain_of
from signer.domain.decisions import Approved, Decision, Denied, Violation
from signer.domain.reasons import DenyReason
from signer.policy.charges import charges_of
from signer.policy.limits import limits_on
from signer.policy.model import Policy
from signer.policy.proposal import Proposal
from signer.policy.rules import RULES

TRACE = ("account", *(rule.__name__ for rule in RULES))
"""Names of the rules that judge every proposal, in order."""


def decide(policy: Policy, proposal: Proposal) -> Decision:
    """Judge one proposal by one version of the policy."""
    account = policy.account(proposal.account)
    if account is None:
        return unlisted_account(policy, proposal.account)
    violations = [violation for rule in RULES for violation in rule(account, proposal)]
    if violations:
        return Denied(violations=tuple(violations), trace=TRACE)
    charges = charges_of(account, proposal.payload, proposal.action)
    return Approved(charges=charges, limits=limits_on(account, charges), trace=TRACE)


def unlisted_account(policy: Policy, account: AccountId) -> Denied:
    """Denial for an account that the policy does not name; says if its address is listed on another chain."""
    chains = [chain_of(known.account) for known in policy.accounts if known.address == address_of(account)]
    if chains:
        violation = Violation(
            reason=DenyReason.CHAIN_NOT_ALLOWED,
            rule="account",
            limit=" ".join(chains),
            actual=chain_of(account),
            unit="chain",
        )
    else:
        violation = Violation(
            reason=DenyReason.ACCOUNT_NOT_IN_POLICY,
            rule="account",
            limit="an account listed in the policy",
            actual=account,
            unit="account",
        )
    return Denied(violations=(violation,), trace=("account",))
