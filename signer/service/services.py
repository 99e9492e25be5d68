"""Every use case over one set of ports.

The real signer and the mock differ only in the ports that they bring.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from signer.domain.transactions import TransactionId
from signer.ports.audit import Audit
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.ports.ledger import Ledger
from signer.service.accounts import Accounts, Binding
from signer.service.approvals.approvals import Approvals
from signer.service.approvals.briefing import Briefing
from signer.service.approvals.looks import DeviceLooks
from signer.service.cancel_transaction import CANCELLATION, CancelTransaction
from signer.service.clients import Client
from signer.service.dismiss_approval import DismissApproval
from signer.service.evaluate import Evaluate
from signer.service.follow_chain import FollowChain
from signer.service.get_budget import GetBudget
from signer.service.get_transaction import GetTransaction
from signer.service.list_accounts import ListAccounts
from signer.service.path.attend import Attend
from signer.service.path.conclude import Conclude
from signer.service.path.gather import Gather
from signer.service.path.judge import Judge
from signer.service.path.replay import Replay
from signer.service.path.sign import Sign, SignLimits
from signer.service.pause import Pause, Resume
from signer.service.policies import Policies
from signer.service.reconcile_nonces import ReconcileNonces
from signer.service.reload_policy import ReloadPolicy
from signer.service.replace_transaction import REPLACEMENT
from signer.service.report_broadcast import ReportBroadcast
from signer.service.rotation.drain import Drain
from signer.service.rotation.plan import Patience
from signer.service.rotation.position import Positions
from signer.service.rotation.rotate_account import RotateAccount
from signer.service.rotation.successions import Successions
from signer.service.sign_evm_transaction import SignEvmTransaction
from signer.service.take_over_nonce import TakeOverNonce
from signer.service.wallets.choose_account import ChooseAccount
from signer.service.wallets.fallback import Fallback
from signer.service.wallets.outlook import Outlook
from signer.service.wallets.readiness import Readiness
from signer.service.wallets.turn import Turn
from signer.service.watch_approvals import WatchApprovals
from signer.service.watch_transactions import WatchTransactions


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """The outside world of the use cases.

    `follow_interval_ms` is how often the chain is looked at. `clients` get the grants of accounts that take
    over.
    """

    bindings: Iterable[Binding]
    ledger: Ledger
    audit: Audit
    policies: Policies
    clock: Clock
    log: EventLog
    new_id: Callable[[], TransactionId]
    follow_interval_ms: int
    sign_limits: SignLimits
    clients: Sequence[Client] = ()
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """One instance of each use case; `replay` is what a shutdown drains, after it has closed `approvals`."""

    accounts: Accounts
    approvals: Approvals
    replay: Replay
    follow_chain: FollowChain
    list_accounts: ListAccounts
    choose_account: ChooseAccount
    evaluate: Evaluate
    sign_evm_transaction: SignEvmTransaction
    replace_transaction: TakeOverNonce
    cancel_transaction: CancelTransaction
    report_broadcast: ReportBroadcast
    get_transaction: GetTransaction
    get_budget: GetBudget
    watch_transactions: WatchTransactions
    pause: Pause
    resume: Resume
    reload_policy: ReloadPolicy
    reconcile_nonces: ReconcileNonces
    rotate_account: RotateAccount
    watch_approvals: WatchApprovals
    dismiss_approval: DismissApproval
    successions: Successions


def wire(ports: Ports) -> Services:
    """Build every use case. Opens nothing and talks to nobody."""
    ledger, audit, policies, clock = ports.ledger, ports.audit, ports.policies, ports.clock
    accounts = Accounts(bindings=ports.bindings, ledger=ledger, clock=clock)
    readiness = Readiness(accounts=accounts, clock=clock)
    outlook = Outlook(accounts=accounts, readiness=readiness, policies=policies, ledger=ledger, clock=clock)
    turn = Turn(accounts=accounts, readiness=readiness, outlook=outlook)
    fallback = Fallback(accounts=accounts, policies=policies, readiness=readiness, outlook=outlook)
    replay = Replay(ledger=ledger, clock=clock)
    judge = Judge(policies=policies, gather=Gather(accounts=accounts, clock=clock), ledger=ledger)
    sign = Sign(accounts=accounts, ledger=ledger, clock=clock, limits=ports.sign_limits)
    conclude = Conclude(ledger=ledger, audit=audit, clock=clock, sign=sign, new_id=ports.new_id)
    approvals = Approvals(clock=clock)
    attend = Attend(
        accounts=accounts,
        approvals=approvals,
        briefing=Briefing(accounts=accounts, ledger=ledger, clock=clock),
        conclude=conclude,
        new_id=ports.new_id,
        clock=clock,
        log=ports.log,
    )
    replacing, cancelling = (
        TakeOverNonce(
            takeover=takeover,
            accounts=accounts,
            policies=policies,
            replay=replay,
            attend=attend,
            ledger=ledger,
        )
        for takeover in (REPLACEMENT, CANCELLATION)
    )
    successions = Successions(
        accounts=accounts, policies=policies, ledger=ledger, clients=ports.clients, log=ports.log
    )
    drain = Drain(
        accounts=accounts,
        policies=policies,
        positions=Positions(accounts=accounts, ledger=ledger, clock=clock, patience=ports.patience),
        replay=replay,
        attend=attend,
        ledger=ledger,
        clock=clock,
        log=ports.log,
    )
    rotate_account = RotateAccount(
        accounts=accounts,
        policies=policies,
        successions=successions,
        drain=drain,
        ledger=ledger,
        audit=audit,
        clock=clock,
        log=ports.log,
    )
    return Services(
        accounts=accounts,
        approvals=approvals,
        replay=replay,
        follow_chain=FollowChain(
            accounts=accounts,
            ledger=ledger,
            clock=clock,
            log=ports.log,
            poll_interval_ms=ports.follow_interval_ms,
            afterwards=rotate_account.after_look,
        ),
        list_accounts=ListAccounts(accounts=accounts, readiness=readiness),
        choose_account=ChooseAccount(outlook=outlook),
        evaluate=Evaluate(accounts=accounts, turn=turn, fallback=fallback, judge=judge),
        sign_evm_transaction=SignEvmTransaction(
            accounts=accounts, turn=turn, fallback=fallback, replay=replay, judge=judge, attend=attend
        ),
        replace_transaction=replacing,
        cancel_transaction=CancelTransaction(approvals=approvals, cancelling=cancelling, ledger=ledger),
        report_broadcast=ReportBroadcast(ledger=ledger, clock=clock),
        get_transaction=GetTransaction(ledger=ledger, replay=replay),
        get_budget=GetBudget(policies=policies, ledger=ledger, clock=clock),
        watch_transactions=WatchTransactions(accounts=accounts, ledger=ledger, approvals=approvals),
        pause=Pause(accounts=accounts, approvals=approvals, policies=policies, audit=audit, clock=clock),
        resume=Resume(accounts=accounts, policies=policies, audit=audit, clock=clock),
        reload_policy=ReloadPolicy(policies=policies, audit=audit, clock=clock, log=ports.log),
        reconcile_nonces=ReconcileNonces(
            accounts=accounts, policies=policies, ledger=ledger, audit=audit, clock=clock
        ),
        rotate_account=rotate_account,
        watch_approvals=WatchApprovals(
            accounts=accounts,
            approvals=approvals,
            looks=DeviceLooks(accounts=accounts, approvals=approvals, log=ports.log),
            clock=clock,
        ),
        dismiss_approval=DismissApproval(approvals=approvals, policies=policies, audit=audit, clock=clock),
        successions=successions,
    )
