"""The one way a policy comes into force: parsed, and refused when it fails open."""

from signer.domain.errors import ConfigurationError
from signer.policy.document import parse
from signer.policy.fail_open import check
from signer.policy.model import Policy


def load(text: bytes, source: str = "policy") -> Policy:
    """Return the policy of a file's bytes. Raises ConfigurationError with all that is wrong."""
    policy = parse(text, source)
    findings = check(policy)
    if findings:
        raise ConfigurationError("\n".join(f"{source}, {finding}" for finding in findings))
    return policy
