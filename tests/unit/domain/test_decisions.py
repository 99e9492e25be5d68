"""A denial has a reason."""

import pytest

from signer.domain.decisions import Denied


def test_a_denial_without_a_violation_can_not_be_made() -> None:
    with pytest.raises(ValueError, match="at least one violation"):
        Denied(violations=(), trace=())
