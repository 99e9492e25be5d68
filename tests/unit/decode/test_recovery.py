import pytest
from eth_account import Account

from signer.decode.evm.recovery import ORDER, recover_address
from signer.domain.transactions import EvmSignature

DIGEST = bytes(range(32))


def _sign(parity_offset: int = 27) -> tuple[str, EvmSignature]:
    account = Account.create("only for this test")
    theirs = account.unsafe_sign_hash(DIGEST)
    return account.address.lower(), EvmSignature(r=theirs.r, s=theirs.s, y_parity=theirs.v - parity_offset)


def test_the_signer_is_recovered() -> None:
    address, signature = _sign()

    assert recover_address(DIGEST, signature) == address


def test_another_digest_gives_another_signer() -> None:
    address, signature = _sign()

    assert recover_address(bytes(32), signature) != address


def test_the_malleable_twin_of_a_signature_is_refused() -> None:
    _, signature = _sign()
    twin = EvmSignature(r=signature.r, s=ORDER - signature.s, y_parity=1 - signature.y_parity)

    with pytest.raises(ValueError, match="low s"):
        recover_address(DIGEST, twin)


@pytest.mark.parametrize(
    ("signature", "problem"),
    [
        (EvmSignature(r=0, s=1, y_parity=0), "signature r"),
        (EvmSignature(r=ORDER, s=1, y_parity=0), "signature r"),
        (EvmSignature(r=1, s=0, y_parity=0), "signature s"),
        (EvmSignature(r=1, s=1, y_parity=2), "y_parity"),
        (EvmSignature(r=5, s=1, y_parity=0), "does not belong to any key"),  # 5 is no x of the curve
    ],
)
def test_a_malformed_signature_is_refused(signature: EvmSignature, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        recover_address(DIGEST, signature)
