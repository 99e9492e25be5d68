"""Step 6: sign, check, make the signature durable.

Only then is there anything to answer.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from signer.decode.evm.envelope import encode_signed, signing_hash
from signer.decode.evm.recovery import recover_address
from signer.domain.decisions import Denied, Violation
from signer.domain.errors import BrokenError, RejectedError, UnavailableError
from signer.domain.reasons import FailReason
from signer.domain.records import TransactionRecord
from signer.domain.rotation import use_of
from signer.domain.slots import SlotState
from signer.domain.time import UnixMs
from signer.domain.transactions import EvmSignature, SignedBytes
from signer.ports.clock import Clock
from signer.ports.ledger import Ledger
from signer.service.accounts import Accounts, Binding
from signer.service.approvals.approval import Approval

Recheck = Callable[[], Awaitable[Denied | None]]
"""Judges the same request again; a denial destroys the signature unsent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignLimits:
    """`recheck_after_ms`: a signature that took longer than this is judged again before it is used."""

    recheck_after_ms: int = 2_000


class Sign:
    """Turns a reserved slot into a signed one, or gives the slot back."""

    def __init__(self, *, accounts: Accounts, ledger: Ledger, clock: Clock, limits: SignLimits) -> None:
        self._accounts = accounts
        self._ledger = ledger
        self._clock = clock
        self._limits = limits

    async def __call__(
        self,
        reserved: TransactionRecord,
        recheck: Recheck,
        approval: Approval | None = None,
    ) -> TransactionRecord | Denied:
        """Signed record, or the denial of a recheck; `approval` where a person confirms.

        On any error the slot is given back: no signature has left.
        """
        kept = False
        try:
            started = self._clock.now()
            try:
                signed, payload_hash = await self._signature(reserved, approval)
                denied = await self._late(started, recheck, approval)
                # After the last wait: a pause that was answered while prices were looked up holds.
                self._accounts.require_signing(reserved.account, use_of(reserved.kind, reserved.client))
                if approval is not None:
                    approval.require_wanted()
            except RejectedError as rejected:
                return said_no(rejected)
            if denied is not None:
                return denied
            record = await self._ledger.mark_signed(reserved.id, signed, payload_hash, self._clock.now())
            kept = True
        finally:
            if not kept:
                await self._give_back(reserved)
        return record

    async def _late(self, started: UnixMs, recheck: Recheck, approval: Approval | None) -> Denied | None:
        # A person is always slow: what they confirmed is judged again, however fast they were.
        if approval is None and self._clock.now() - started <= self._limits.recheck_after_ms:
            return None
        return await recheck()

    async def _signature(
        self, reserved: TransactionRecord, approval: Approval | None
    ) -> tuple[SignedBytes, str]:
        binding = self._accounts.binding(reserved.account)
        if approval is None:
            signature = await binding.backend.sign_evm(reserved.account, reserved.unsigned)
        else:
            signature = await _confirmed(approval, reserved)
        digest = signing_hash(reserved.unsigned)
        _verify(binding, digest, signature)
        return encode_signed(reserved.unsigned, signature), "0x" + digest.hex()

    async def _give_back(self, reserved: TransactionRecord) -> None:
        # A ledger that is away now keeps the slot RESERVED; the next question with the same key, or the next
        # start, releases it. A mark that became durable in spite of its error stays signed for ever.
        with suppress(UnavailableError):
            current = await self._ledger.get(reserved.id)
            if current is not None and current.state is SlotState.RESERVED:
                await self._ledger.release(reserved.id, self._clock.now())


async def _confirmed(approval: Approval, reserved: TransactionRecord) -> EvmSignature:
    device = approval.wanted.device
    approval.show(reserved.nonce, device.screens(reserved.account, reserved.unsigned))
    watched = device.attended(approval.watch)
    return await approval.unless_over(watched.sign_evm(reserved.account, reserved.unsigned))


def said_no(rejected: RejectedError) -> Denied:
    """A person's no is a denial like the policy's: final for this request, and recorded."""
    violation = Violation(
        reason=rejected.reason, rule="person", limit="a confirmation", actual=str(rejected), unit="answer"
    )
    return Denied(violations=(violation,), trace=("person",))


def _verify(binding: Binding, digest: bytes, signature: EvmSignature) -> None:
    try:
        recovered = recover_address(digest, signature)
    except ValueError as error:
        raise BrokenError(FailReason.SIGNATURE_INVALID, f"{binding.backend.name}: {error}") from error
    if recovered != binding.account.address:
        text = f"{binding.backend.name} signed as {recovered}, the account is {binding.account.address}"
        raise BrokenError(FailReason.SIGNATURE_INVALID, text)
