"""A signer's no, as the operator's side of the wire has it. Loads nothing: every command may get one."""

from signer.domain.errors import SignerError


class RefusedError(SignerError):
    """The signer answered, and said no."""
