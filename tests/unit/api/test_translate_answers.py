import pytest

from protos.airlock.signer.v1 import signer_pb2, types_pb2
from signer.api.translate import answers
from signer.domain.accounts import AccountId, AccountState
from signer.domain.budget import FEE, NATIVE, TRANSACTIONS, Resource, RollingLimit, top_up_resource
from signer.domain.decisions import Approved, Denied, Violation
from signer.domain.errors import BrokenError
from signer.domain.reasons import DenyReason
from signer.domain.records import TransactionRecord
from signer.domain.slots import SlotState, TransactionKind
from signer.domain.time import UnixMs
from signer.domain.transactions import ClientName, IdempotencyKey, TransactionId, UnsignedEvmTransaction
from signer.ports.ledger import LimitUse
from signer.service.evaluate import Evaluation
from tests.fakes import calldata, policies, wire


def test_every_state_and_kind_of_the_domain_has_its_own_wire_value() -> None:
    assert set(answers.SLOT_STATES) == set(SlotState)
    assert set(answers.KINDS) == set(TransactionKind)
    assert set(answers.ACCOUNT_STATES) == set(AccountState)
    for table in (answers.SLOT_STATES, answers.KINDS, answers.ACCOUNT_STATES):
        assert len(set(table.values())) == len(table)
        assert 0 not in table.values()


def test_every_wire_state_but_unspecified_is_used() -> None:
    assert set(answers.SLOT_STATES.values()) == set(types_pb2.SlotState.values()) - {0}


def test_an_account_is_spelled_in_eip_55() -> None:
    canonical = AccountId("eip155:1:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")

    assert answers.spelled(canonical) == "eip155:1:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def test_an_approval_and_a_denial_are_both_spoken_out() -> None:
    violation = Violation(reason=DenyReason.FEE_TOO_HIGH, rule="fee", limit="1", actual="2", unit="wei")
    denied = Denied(violations=(violation,) * 25, trace=())
    approved = Approved(charges=(), limits=(), trace=())

    no = answers.evaluation(Evaluation(decision=denied, policy_hash="h", actions=("swap",)))
    yes = answers.evaluation(Evaluation(decision=approved, policy_hash="h", actions=()))

    assert no.verdict == signer_pb2.EvaluateResponse.VERDICT_DENIED
    assert (len(no.violations), no.violations_omitted) == (20, 5)
    assert yes.verdict == signer_pb2.EvaluateResponse.VERDICT_APPROVED


@pytest.mark.parametrize(
    ("resource", "unit"),
    [
        (FEE, "wei"),
        (NATIVE, "wei"),
        (TRANSACTIONS, "count"),
        (Resource("token:0xab"), "base units"),
        (top_up_resource(policies.USDC, policies.SAVINGS), "base units"),
        (top_up_resource(None, policies.SAVINGS), "wei"),
    ],
)
def test_a_budget_line_says_its_unit(resource: Resource, unit: str) -> None:
    use = LimitUse(limit=RollingLimit(resource=resource, window_s=60, limit=2**255), used=1)

    line = answers.budget_line(use)

    assert (line.unit, line.limit, line.used) == (unit, str(2**255), "1")


def test_there_is_no_answer_without_a_signature() -> None:
    record = TransactionRecord(
        id=TransactionId("a" * 32),
        account=AccountId(wire.ACCOUNT),
        client=ClientName("c"),
        idempotency_key=IdempotencyKey("k" * 16),
        request_digest="",
        kind=TransactionKind.ORIGINAL,
        replaces=None,
        state=SlotState.RESERVED,
        unsigned=UnsignedEvmTransaction(chain_id=31337, nonce=0, payload=calldata.payload(policies.SWAP)),
        payload_hash="",
        policy_hash="",
        reserved_at=UnixMs(1),
    )

    with pytest.raises(BrokenError):
        answers.signed(record)
    assert answers.transaction(record).transaction_hash == ""
