"""The signature beside a policy: what is written is read again, for both kinds of keys."""

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from signer.adapters.policy_signature_file import PolicySignatureFile
from signer.domain.accounts import Address, ChainName
from signer.domain.guardian import evm_guardian, parse_guardian, solana_guardian
from signer.domain.policy_statement import MAX_SERIAL, Ed25519Signature, PolicySignature, PolicyStatement
from signer.domain.transactions import EvmSignature

words = st.integers(0, 2**256 - 1)
statements = st.builds(
    PolicyStatement,
    serial=st.integers(1, MAX_SERIAL),
    chains=st.lists(st.integers(1, 10**9).map(lambda number: ChainName(f"eip155:{number}"))).map(tuple),
    policy_hash=st.binary(min_size=32, max_size=32).map(bytes.hex),
)
by_ethereum = st.builds(
    PolicySignature,
    statement=statements,
    signer=st.binary(min_size=20, max_size=20).map(lambda raw: evm_guardian(Address(f"0x{raw.hex()}"))),
    signature=st.builds(EvmSignature, r=words, s=words, y_parity=st.integers(0, 1)),
)
by_solana = st.builds(
    PolicySignature,
    statement=statements,
    signer=st.integers(2, 2**200).map(lambda y: parse_guardian(solana_guardian(y.to_bytes(32, "little")))),
    signature=st.binary(min_size=64, max_size=64).map(Ed25519Signature),
)


@given(by_ethereum | by_solana)
def test_a_signature_is_read_as_it_was_written(signed: PolicySignature) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = PolicySignatureFile(Path(folder) / "policy.toml")
        file.write(signed)
        read = asyncio.run(file.read())

    assert read == signed
