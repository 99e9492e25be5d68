"""Whether a signature is the guardian's over this policy. Names what is wrong with one that is not."""

from collections.abc import Callable

from signer.decode.evm.personal_message import personal_message_digest
from signer.decode.evm.recovery import recover_address
from signer.decode.solana.offchain_message import offchain_message
from signer.decode.solana.signature import require_signature
from signer.domain.errors import ConfigurationError
from signer.domain.guardian import GuardianName, evm_guardian, solana_key_of
from signer.domain.policy_statement import PolicySignature, PolicyStatement
from signer.domain.transactions import EvmSignature
from signer.policy.model import Policy
from signer.ports.guardian import PolicySigner, SignatureSource


def statement_of(policy: Policy, source: str) -> PolicyStatement:
    """What a guardian has to sign for `policy`. Raises ConfigurationError when it has no serial."""
    if policy.serial is None:
        raise ConfigurationError(
            f"{source}: serial: is missing; a signed policy needs one, higher than that of the last"
        )
    return PolicyStatement(serial=policy.serial, chains=policy.chains, policy_hash=policy.hash)


async def sign_policy(
    signer: PolicySigner,
    statement: PolicyStatement,
    *,
    guardian: GuardianName | None = None,
    announce: Callable[[GuardianName], None] = lambda _: None,
) -> PolicySignature:
    """Signature of the signer's key, verified.

    Before anything is shown to a person, `announce` is told whose key it is. Raises ConfigurationError when
    that is another one than `guardian`, or when the signature is of another key, and what the signer raises.
    """
    holder = await signer.guardian()
    if guardian is not None and holder != guardian:
        raise ConfigurationError(
            f"the key that would sign is {holder}; only the guardian {guardian} is allowed. Nothing was "
            "shown or signed: take the guardian's device and path, or correct the guardian"
        )
    announce(holder)
    signature = await signer.sign_policy(statement, holder)
    signed = PolicySignature(statement=statement, signer=holder, signature=signature)
    verify(signed, statement, "the new signature")
    return signed


async def require_signed(
    policy: Policy, policy_source: str, signatures: SignatureSource, guardian: GuardianName
) -> PolicyStatement:
    """What the guardian signed. Raises ConfigurationError: unsigned, edited, for other chains, by another."""
    statement = statement_of(policy, policy_source)
    signed = await signatures.read()
    if signed is None:
        raise ConfigurationError(
            f"{signatures.name}: is not there: the policy is not signed. `airlock-signer policy sign` "
            f"with the key of the guardian {guardian} makes it"
        )
    verify(signed, statement, signatures.name)
    if signed.signer != guardian:
        raise ConfigurationError(
            f"{signatures.name}: signed by {signed.signer}; only the guardian {guardian} is allowed"
        )
    return statement


def verify(signed: PolicySignature, statement: PolicyStatement, name: str) -> None:
    """Raise ConfigurationError unless `signed` is a signature of its own signer over `statement`.

    What the file says of itself only picks the message; what was signed is made of our own reading of the
    policy.
    """
    claimed = signed.statement
    if claimed.policy_hash != statement.policy_hash:
        raise ConfigurationError(
            f"{name}: the policy was edited after it was signed, or this is the signature of another one: "
            f"signed was sha256 {claimed.policy_hash}, the file has {statement.policy_hash}"
        )
    if claimed.serial != statement.serial:
        raise ConfigurationError(
            f"{name}: signed for serial {claimed.serial}; the policy has serial {statement.serial}"
        )
    if claimed.chains != statement.chains:
        raise ConfigurationError(
            f"{name}: signed for other chains: {_spell(claimed)}; the policy is for {_spell(statement)}"
        )
    try:
        _require_signature(signed, statement.text())
    except ValueError as error:
        problem = f"is no signature of {signed.signer} over this policy: {error}"
        raise ConfigurationError(f"{name}: {problem}") from None


def _require_signature(signed: PolicySignature, text: str) -> None:
    """Raise ValueError unless it is one of its signer."""
    key = solana_key_of(signed.signer)
    if isinstance(signed.signature, EvmSignature):
        recovered = recover_address(personal_message_digest(text), signed.signature)
        if evm_guardian(recovered) != signed.signer:
            raise ValueError(f"made by {recovered}, or over another text")
    elif key is not None:
        require_signature(key, offchain_message(text, key), signed.signature)
    else:
        raise ValueError("made by a key of another kind")


def _spell(statement: PolicyStatement) -> str:
    return ", ".join(statement.chains) or "none"
