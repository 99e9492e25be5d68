"""The policy file: TOML into a Policy, or errors with line, key and what is allowed. Ignores no unknown key.

Nothing is converted silently; whether the values are wise is `fail_open`'s question.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from signer.domain.accounts import AccountId, Address, parse_account_id, parse_address
from signer.domain.actions import ContractKind
from signer.domain.errors import ConfigurationError
from signer.domain.policy_statement import MAX_SERIAL
from signer.domain.transactions import UINT256_MAX
from signer.policy.lines import Lines, spell
from signer.policy.model import (
    AccountPolicy,
    FeePolicy,
    NativePolicy,
    Policy,
    RouterPolicy,
    TokenPolicy,
    TopUpPolicy,
)

GWEI = 10**9
MAX_BYTES = 1024 * 1024
DEFAULT_MAX_FEE_PER_GAS_WEI = 50 * GWEI
DEFAULT_MAX_PRIORITY_FEE_PER_GAS_WEI = 2 * GWEI
DEFAULT_MAX_GAS_LIMIT = 500_000

_DECIMAL_DIGITS = 78  # as many as 2^256 - 1 has


def parse(text: bytes, source: str = "policy") -> Policy:
    """Read a policy file; `source` names it in errors. Raises ConfigurationError with one mistake a line."""
    decoded = _decode(text, source)
    lines = Lines(decoded)
    try:
        document = PolicyDocument.model_validate(_toml(decoded, source))
    except ValidationError as error:
        mistakes = [_mistake(detail, lines) for detail in error.errors()]
        raise ConfigurationError("\n".join(f"{source}{mistake}" for mistake in mistakes)) from None
    return Policy(
        hash=hashlib.sha256(text).hexdigest(),
        serial=document.serial,
        accounts=tuple(account.to_policy() for account in document.accounts),
        lines=lines,
    )


def _uint(value: object) -> object:
    """Let uint256 be a TOML integer or, as many tools stop at 64 bits, a decimal string."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= _DECIMAL_DIGITS):
            raise ValueError("an integer or a string of decimal digits is allowed")
        return int(value)
    return value


def _evm_account(text: str) -> AccountId:
    account = parse_account_id(text)
    if not account.startswith("eip155:"):
        raise ValueError(f"{account!r} has no policy yet: `eip155:<id>:0x…` is allowed")
    return account


Uint256 = Annotated[int, BeforeValidator(_uint), Field(ge=0, le=UINT256_MAX)]
Count = Annotated[int, Field(ge=0, le=2**31)]
FeeTier = Annotated[int, Field(ge=1, lt=1_000_000)]
EvmAddress = Annotated[str, AfterValidator(parse_address)]
EvmAccount = Annotated[str, AfterValidator(_evm_account)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RouterTable(_Table):
    """`[[accounts.routers]]`: a contract that may swap."""

    address: EvmAddress
    kind: Literal["uniswap_v2_router02", "uniswap_swap_router02"]
    quoter: EvmAddress | None = None
    fee_tiers: list[FeeTier] = []

    def to_policy(self) -> RouterPolicy:
        """Return the plain value."""
        quoter = None if self.quoter is None else Address(self.quoter)
        return RouterPolicy(
            address=Address(self.address),
            kind=ContractKind(self.kind),
            quoter=quoter,
            fee_tiers=frozenset(self.fee_tiers),
        )


class TokenTable(_Table):
    """`[[accounts.tokens]]`: a token that may be held, given or received. Amounts in its base units."""

    address: EvmAddress
    symbol: Annotated[str, Field(min_length=1, max_length=32)]
    decimals: Annotated[int, Field(ge=0, le=77)]
    kind: Literal["erc20", "weth9"] = "erc20"
    max_per_trade: Uint256
    max_per_hour: Uint256
    max_per_day: Uint256
    max_approval: Uint256 | None = None
    spenders: list[EvmAddress] = []
    sell: bool = True
    buy: bool = True

    def to_policy(self) -> TokenPolicy:
        """Return the plain value."""
        return TokenPolicy(
            address=Address(self.address),
            symbol=self.symbol,
            decimals=self.decimals,
            kind=ContractKind(self.kind),
            max_per_trade=self.max_per_trade,
            max_per_hour=self.max_per_hour,
            max_per_day=self.max_per_day,
            max_approval=self.max_per_trade if self.max_approval is None else self.max_approval,
            spenders=frozenset(map(Address, self.spenders)),
            sell=self.sell,
            buy=self.buy,
        )


class TopUpTable(_Table):
    """`[[accounts.top_ups]]`: another account of the wallet that a person may refill from this one."""

    to: EvmAddress
    token: Literal["native"] | EvmAddress
    max_per_top_up: Uint256
    max_per_day: Uint256

    def to_policy(self) -> TopUpPolicy:
        """Return the plain value."""
        return TopUpPolicy(
            to=Address(self.to),
            token=None if self.token == "native" else Address(self.token),  # noqa: S105 - a coin, no secret
            max_per_top_up=self.max_per_top_up,
            max_per_day=self.max_per_day,
        )


class AccountTable(_Table):
    """`[[accounts]]`: what one account may do. What is not said is not allowed."""

    account: EvmAccount
    max_fee_per_gas_wei: Uint256 = DEFAULT_MAX_FEE_PER_GAS_WEI
    accept_fee_per_gas_above_50_gwei: bool = False
    max_priority_fee_per_gas_wei: Uint256 | None = None
    max_gas_limit: Count = DEFAULT_MAX_GAS_LIMIT
    max_fee_per_transaction_wei: Uint256
    max_fee_per_day_wei: Uint256
    max_transactions_per_minute: Count
    max_deadline_s: Count = 120
    max_quote_age_s: Count = 10
    max_price_age_s: Count = 120
    max_slippage_bps: Count = 50
    emergency_max_fee_per_gas_wei: Uint256 | None = None
    emergency_max_priority_fee_per_gas_wei: Uint256 | None = None
    emergency_max_fee_per_transaction_wei: Uint256 | None = None
    emergency_max_fee_per_day_wei: Uint256 | None = None
    native_recipients: list[EvmAddress] = []
    max_native_per_transfer_wei: Uint256 = 0
    max_native_per_day_wei: Uint256 = 0
    routers: list[RouterTable] = []
    tokens: list[TokenTable] = []
    top_ups: list[TopUpTable] = []

    def to_policy(self) -> AccountPolicy:
        """Return the plain value."""
        priority = self.max_priority_fee_per_gas_wei
        if priority is None:
            priority = min(DEFAULT_MAX_PRIORITY_FEE_PER_GAS_WEI, self.max_fee_per_gas_wei)
        return AccountPolicy(
            account=AccountId(self.account),
            fees=FeePolicy(
                max_fee_per_gas_wei=self.max_fee_per_gas_wei,
                max_priority_fee_per_gas_wei=priority,
                max_gas_limit=self.max_gas_limit,
                max_fee_per_transaction_wei=self.max_fee_per_transaction_wei,
                max_fee_per_day_wei=self.max_fee_per_day_wei,
                accept_fee_per_gas_above_50_gwei=self.accept_fee_per_gas_above_50_gwei,
                emergency_max_fee_per_gas_wei=self.emergency_max_fee_per_gas_wei,
                emergency_max_priority_fee_per_gas_wei=self.emergency_max_priority_fee_per_gas_wei,
                emergency_max_fee_per_transaction_wei=self.emergency_max_fee_per_transaction_wei,
                emergency_max_fee_per_day_wei=self.emergency_max_fee_per_day_wei,
            ),
            native=NativePolicy(
                recipients=frozenset(map(Address, self.native_recipients)),
                max_per_transfer_wei=self.max_native_per_transfer_wei,
                max_per_day_wei=self.max_native_per_day_wei,
            ),
            max_transactions_per_minute=self.max_transactions_per_minute,
            max_deadline_s=self.max_deadline_s,
            max_quote_age_s=self.max_quote_age_s,
            max_price_age_s=self.max_price_age_s,
            max_slippage_bps=self.max_slippage_bps,
            routers=tuple(router.to_policy() for router in self.routers),
            tokens=tuple(token.to_policy() for token in self.tokens),
            top_ups=tuple(each.to_policy() for each in self.top_ups),
        )


class PolicyDocument(_Table):
    """The whole file."""

    version: Literal[1] = 1
    serial: Annotated[int, Field(ge=1, le=MAX_SERIAL)] | None = None
    accounts: list[AccountTable] = []


def _decode(text: bytes, source: str) -> str:
    if len(text) > MAX_BYTES:
        raise ConfigurationError(f"{source}: {len(text)} bytes: at most {MAX_BYTES} are allowed")
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(f"{source}, line {line}: not UTF-8 at byte {error.start}") from None


def _toml(text: str, source: str) -> object:
    try:
        return tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, and int() on thousands of digits
        raise ConfigurationError(f"{source}: not TOML: {error}") from None
    except RecursionError:
        raise ConfigurationError(f"{source}: not a policy: nested too deeply") from None


def _mistake(detail: ErrorDetails, lines: Lines) -> str:
    path = detail["loc"]
    line = lines.of(path)
    place = "" if line is None else f", line {line}"
    return f"{place}: {spell(path)}: {_problem(detail)}"


def _problem(detail: ErrorDetails) -> str:
    match detail["type"]:
        case "missing":
            return "is missing and has no default"
        case "extra_forbidden":
            tables = [part for part in detail["loc"][:-1] if isinstance(part, str)]
            allowed = _TABLES[tables[-1] if tables else ""].model_fields
            return f"is no key of the policy: {', '.join(allowed)} are allowed"
        case _:
            return detail["msg"].removeprefix("Value error, ")


_TABLES: Mapping[str, type[BaseModel]] = {
    "": PolicyDocument,
    "accounts": AccountTable,
    "routers": RouterTable,
    "tokens": TokenTable,
    "top_ups": TopUpTable,
}
"""Model of each table, by the key under which it stands."""
