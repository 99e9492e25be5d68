"""What a rule judges: one transaction with everything that was gathered about it. Values only."""

from dataclasses import dataclass

from signer.domain.accounts import AccountId
from signer.domain.actions import Action, NotUnderstood
from signer.domain.budget import Usage
from signer.domain.chain import Head, ReferenceQuote
from signer.domain.claims import Claim
from signer.domain.time import UnixMs
from signer.domain.transactions import EvmPayload


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One transaction to be judged, with the moment and the chain as the signer sees them.

    `quotes` are the references for a swap (empty for everything else), `usage` the rolling amounts of the
    account. `attended`: a person confirms the signature. `asked_at` is when the client asked, which only a
    person's time makes another moment than `now`.
    """

    account: AccountId
    payload: EvmPayload
    claim: Claim
    action: Action | NotUnderstood
    head: Head
    quotes: tuple[ReferenceQuote, ...]
    usage: Usage
    now: UnixMs
    asked_at: UnixMs
    attended: bool = False
