"""Gathers what a person needs to know before they confirm. Decides nothing, and does without what is away."""

from signer.ports.ledger import Ledger
from signer.service.accounts import Accounts
from signer.service.approvals.brief import Brief
from signer.service.path.conclude import Case
from signer.service.path.record import describe


class Briefing:
    """Explains a case."""

    def __init__(self, *, accounts: Accounts, ledger: Ledger) -> None:
        self._accounts = accounts
        self._ledger = ledger

    async def __call__(self, case: Case) -> Brief:
        """What leaves, what comes back, at what price and cost, and what is left afterwards."""
        gas_limit, per_gas = case.payload.gas_limit, case.payload.max_fee_per_gas_wei
        return Brief(
            actions=(describe(case.action),),
            pays=(),
            receives_at_least=(),
            quoted=(),
            references=(),
            slippage_bps=None,
            max_slippage_bps=0,
            fee_max_wei=gas_limit * per_gas,
            fee_detail=f"{gas_limit} gas at {per_gas} wei at most",
            positions=(),
            budget=(),
        )
