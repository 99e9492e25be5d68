"""A raw key that signs a policy: out of a file, or a public one for local chains. Asks no person."""

from pathlib import Path

from signer.adapters.dev_key.backend import LOCAL_CHAINS
from signer.adapters.dev_key.derivation import ethereum_key
from signer.adapters.dev_key.key_file import read_key_file
from signer.adapters.dev_key.policy_signer import DevPolicySigner
from signer.cli.command import Arguments
from signer.domain.errors import ConfigurationError
from signer.domain.policy_statement import PolicyStatement


def key_signer(arguments: Arguments, statement: PolicyStatement) -> DevPolicySigner:
    """The key that `--key-file` or `--mnemonic-index` names. Raises ConfigurationError."""
    key_file: Path | None = arguments.key_file
    if key_file is not None:
        return DevPolicySigner(read_key_file(key_file))
    index: int = arguments.mnemonic_index
    if real := sorted(set(statement.chains) - LOCAL_CHAINS):
        raise ConfigurationError(
            f"{arguments.file}: everybody knows the key of --mnemonic-index: no policy for {real[0]}, "
            f"allowed are {', '.join(sorted(LOCAL_CHAINS))}"
        )
    return DevPolicySigner(ethereum_key(index))
