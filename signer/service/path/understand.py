"""Step 2: bytes become one typed action, or a denial that says where they stopped making sense."""

from signer.decode.evm.decoder import decode
from signer.domain.accounts import AccountId
from signer.domain.actions import Action, NotUnderstood
from signer.domain.transactions import EvmPayload
from signer.policy.model import Policy


def understand(policy: Policy, account: AccountId, payload: EvmPayload) -> Action | NotUnderstood:
    """What the payload does, read by the kinds of contract that the policy lists for the account."""
    rules = policy.account(account)
    if rules is None:
        return decode(payload, {})
    return decode(payload, rules.contracts(), rules.movable)
