"""Policies with a serial, and who signs them: public test accounts only."""

from dataclasses import dataclass

from signer.adapters.dev_key.policy_signer import DevPolicySigner
from signer.domain.guardian import GuardianName
from signer.domain.policy_statement import PolicySignature
from signer.policy.load import load
from signer.service.policy_signature import sign_policy, statement_of
from tests.fakes import policies
from tests.testbed.accounts import dev_account

GUARDIAN_INDEX, STRANGER_INDEX = 7, 8
GUARDIAN = GuardianName(dev_account(GUARDIAN_INDEX).address)
STRANGER = GuardianName(dev_account(STRANGER_INDEX).address)
SIGNATURE_NAME = "policy.toml.sig"


@dataclass
class FakeSignatures:
    """The signature that a test put there, or none."""

    signature: PolicySignature | None = None
    name: str = SIGNATURE_NAME

    async def read(self) -> PolicySignature | None:
        return self.signature


def signer_of(index: int = GUARDIAN_INDEX) -> DevPolicySigner:
    """The key of a public test account."""
    return DevPolicySigner(bytes.fromhex(dev_account(index).private_key.removeprefix("0x")))


def with_serial(serial: int, text: str = policies.POLICY) -> str:
    """The same policy as edition `serial`."""
    return f"serial = {serial}\n{text}"


async def signed(text: str, index: int = GUARDIAN_INDEX) -> PolicySignature:
    """A good signature over a policy's text."""
    return await sign_policy(signer_of(index), statement_of(load(text.encode()), "policy"))
