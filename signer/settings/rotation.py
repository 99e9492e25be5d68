"""The [rotation] table: the age at which something is due that does not end by itself."""

from pydantic import Field

from signer.settings.texts import Strict

_LONGEST_DAYS = 3_650


class RotationSettings(Strict):
    """Days. What ends by itself (certificates, tokens) is due at two thirds of its life."""

    wrapping_key_days: int = Field(default=90, ge=1, le=_LONGEST_DAYS)
    account_days: int = Field(default=365, ge=1, le=_LONGEST_DAYS)
    checkpoint_key_days: int = Field(default=365, ge=1, le=_LONGEST_DAYS)
    policy_days: int = Field(default=180, ge=1, le=_LONGEST_DAYS)
    soon_days: int = Field(default=14, ge=0, le=_LONGEST_DAYS)
