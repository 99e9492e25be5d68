"""The detached signature beside the policy, `policy.toml.sig`: JSON, read whole. Judges nothing."""

import asyncio
import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from signer.domain.accounts import ChainName, parse_chain
from signer.domain.errors import ConfigurationError
from signer.domain.guardian import GuardianName, parse_guardian, solana_key_of
from signer.domain.policy_statement import (
    MAX_SERIAL,
    Ed25519Signature,
    GuardianSignature,
    PolicySignature,
    PolicyStatement,
)
from signer.domain.transactions import EvmSignature

_MAX_BYTES = 64 * 1024
_EVM = re.compile(r"0x[0-9a-f]{130}")
_ED25519 = re.compile(r"0x[0-9a-f]{128}")
_PARITIES = {0: 0, 1: 1, 27: 0, 28: 1}
"""The last byte of a signature: devices and wallets give either kind."""


class PolicySignatureFile:
    """The signature of the policy at a path (signer.ports.guardian.SignatureSource)."""

    def __init__(self, policy: Path) -> None:
        self._path = policy.with_name(f"{policy.name}.sig")

    @property
    def name(self) -> str:
        """Path of the file."""
        return str(self._path)

    async def read(self) -> PolicySignature | None:
        """What it says, or None when it is not there. Raises ConfigurationError naming what is wrong."""
        try:
            content = await asyncio.to_thread(self._path.read_bytes)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ConfigurationError(f"{self._path}: cannot be read: {error.strerror}") from error
        if len(content) > _MAX_BYTES:
            raise ConfigurationError(f"{self._path}: {len(content)} bytes: at most {_MAX_BYTES} are allowed")
        try:
            return _Document.model_validate_json(content).to_signature()
        except ValidationError as error:
            first = error.errors(include_input=False, include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "file"
            problem = first["msg"].removeprefix("Value error, ")
            raise ConfigurationError(f"{self._path}: no signature of a policy: {place}: {problem}") from None

    def write(self, signed: PolicySignature) -> None:
        """Replace the file. Raises ConfigurationError when that cannot be done."""
        beside = self._path.with_name(f"{self._path.name}.next")
        try:
            beside.write_text(f"{_Document.of(signed).model_dump_json(indent=2)}\n", encoding="ascii")
            beside.replace(self._path)
        except OSError as error:
            raise ConfigurationError(f"{self._path}: cannot be written: {error.strerror}") from error


def parse_signature(text: str, signer: GuardianName) -> GuardianSignature:
    """Read a signature by the kind of its key.

    Of Ethereum's `personal_sign`: 0x, r, s and v (27, 28, 0 or 1). Of Solana: 0x and 64 bytes. Raises
    ValueError for other text.
    """
    if solana_key_of(signer) is None:
        return _evm_signature(text)
    if not _ED25519.fullmatch(text):
        raise ValueError("0x and 128 lower-case hex digits are allowed for a Solana key")
    return Ed25519Signature(bytes.fromhex(text.removeprefix("0x")))


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True)

    serial: Annotated[int, Field(ge=1, le=MAX_SERIAL)]
    chains: list[Annotated[str, AfterValidator(parse_chain)]]
    policy_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    address: Annotated[str, AfterValidator(parse_guardian)]
    signature: Annotated[str, Field(max_length=200)]

    @model_validator(mode="after")
    def _signature_fits_its_key(self) -> Self:
        try:
            parse_signature(self.signature, GuardianName(self.address))
        except ValueError as error:
            raise ValueError(f"signature: {error}") from None
        return self

    @classmethod
    def of(cls, signed: PolicySignature) -> "_Document":
        statement = signed.statement
        return cls(
            serial=statement.serial,
            chains=list(statement.chains),
            policy_sha256=statement.policy_hash,
            address=signed.signer,
            signature=_spell(signed.signature),
        )

    def to_signature(self) -> PolicySignature:
        statement = PolicyStatement(
            serial=self.serial, chains=tuple(map(ChainName, self.chains)), policy_hash=self.policy_sha256
        )
        signer = GuardianName(self.address)
        return PolicySignature(
            statement=statement, signer=signer, signature=parse_signature(self.signature, signer)
        )


def _spell(signature: GuardianSignature) -> str:
    if isinstance(signature, EvmSignature):
        return f"0x{signature.r:064x}{signature.s:064x}{27 + signature.y_parity:02x}"
    return f"0x{signature.hex()}"


def _evm_signature(text: str) -> EvmSignature:
    if not _EVM.fullmatch(text) or int(text[-2:], 16) not in _PARITIES:
        raise ValueError("0x and 130 lower-case hex digits, of which the last two are 1b or 1c, are allowed")
    raw = bytes.fromhex(text.removeprefix("0x"))
    return EvmSignature(
        r=int.from_bytes(raw[:32], "big"), s=int.from_bytes(raw[32:64], "big"), y_parity=_PARITIES[raw[64]]
    )
