"""What a rule judges: one transaction with everything that was gathered about it. Values only."""

from dataclasses import dataclass, field

from signer.domain.accounts import AccountId
from signer.domain.actions import Action, NotUnderstood
from signer.domain.budget import Charge, Usage
from signer.domain.chain import Head, ReferenceQuote
from signer.domain.claims import Claim
from signer.domain.time import UnixMs
from signer.domain.transactions import EvmPayload
from signer.policy.charges import charges_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """One transaction to be judged, with the moment and the chain as the signer sees them.

    `quotes` are the references for a swap (empty for everything else), `usage` the rolling amounts of the
    account. `charges` is the worst that the transaction takes from the rolling limits. `attended`: a person
    confirms the signature. `asked_at` is when the client asked, which only a person's time makes another
    moment than `now`.
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

    charges: tuple[Charge, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what the rules and the verdict both need."""
        object.__setattr__(self, "charges", charges_of(self.payload, self.action))
