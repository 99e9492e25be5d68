"""The one way a policy comes into force: parsed, and refused when it fails open."""

from signer.domain.errors import ConfigurationError
from signer.policy.document import parse
from signer.policy.fail_open import check
from signer.policy.model import Policy
from signer.policy.surroundings import Surroundings, check_fit


def load(text: bytes, source: str = "policy", surroundings: Surroundings | None = None) -> Policy:
    """Return the policy of a file's bytes. Raises ConfigurationError with all that is wrong.

    `surroundings` are there when it is to come into force with those settings.
    """
    policy = parse(text, source)
    findings = check(policy)
    if surroundings is not None:
        findings += check_fit(policy, surroundings)
    if findings:
        raise ConfigurationError("\n".join(f"{source}, {finding}" for finding in findings))
    return policy
