"""Whether a signature is the guardian's over this policy. Names what is wrong with one that is not."""

from signer.decode.evm.personal_message import personal_message_digest
from signer.decode.evm.recovery import recover_address
from signer.domain.accounts import Address
from signer.domain.errors import ConfigurationError
from signer.domain.policy_statement import PolicySignature, PolicyStatement
from signer.policy.model import Policy
from signer.ports.guardian import PolicySigner, SignatureSource


def statement_of(policy: Policy, source: str) -> PolicyStatement:
    """What a guardian has to sign for `policy`. Raises ConfigurationError when it has no serial."""
    if policy.serial is None:
        raise ConfigurationError(
            f"{source}: serial: is missing; a signed policy needs one, higher than that of the last"
        )
    return PolicyStatement(serial=policy.serial, chains=policy.chains, policy_hash=policy.hash)


async def sign_policy(signer: PolicySigner, statement: PolicyStatement) -> PolicySignature:
    """Signature of the signer's key, verified. Raises ConfigurationError when it is of another key."""
    signed = PolicySignature(
        statement=statement, address=await signer.address(), signature=await signer.sign_policy(statement)
    )
    verify(signed, statement, "the new signature")
    return signed


async def require_signed(
    policy: Policy, policy_source: str, signatures: SignatureSource, guardian: Address
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
    if signed.address != guardian:
        raise ConfigurationError(
            f"{signatures.name}: signed by {signed.address}; only the guardian {guardian} is allowed"
        )
    return statement


def verify(signed: PolicySignature, statement: PolicyStatement, name: str) -> None:
    """Raise ConfigurationError unless `signed` is a signature of its own address over `statement`.

    What the file says of itself only picks the message; the digest is made of our own reading of the policy.
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
        recovered = recover_address(personal_message_digest(statement.text()), signed.signature)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from None
    if recovered != signed.address:
        raise ConfigurationError(f"{name}: is no signature of {signed.address} over this policy")


def _spell(statement: PolicyStatement) -> str:
    return ", ".join(statement.chains) or "none"
