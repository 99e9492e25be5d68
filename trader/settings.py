"""The trader's settings file. Refuses unknown keys, secrets as literals, and what could not work together.

Every error names file, line, key and what is allowed. Relative paths are relative to the file's own folder.
"""

import tomllib
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from trader.domain.errors import ConfigurationError
from trader.domain.ids import Address, WalletId, chain_of, erc20, parse_address, parse_wallet
from trader.domain.toml_lines import line_of, spell

SECRET_FILE_PREFIX = "file:"  # noqa: S105 - how a reference begins, not a secret
_MAX_SECRET_BYTES = 4_096
_BEST = "best"


def _address(text: str) -> Address:
    return parse_address(text)


def _wallet(text: str) -> WalletId:
    return parse_wallet(text)


def _no_password(text: str) -> str:
    if text.startswith(SECRET_FILE_PREFIX):
        return text
    parts = urlsplit(text)
    if parts.scheme not in ("postgresql", "postgres"):
        raise ValueError(
            "postgresql://… without a password, or file:PATH of a file that holds the DSN, is allowed"
        )
    if parts.password is not None or "password" in parse_qs(parts.query):
        raise ValueError(
            "a password in this file is refused; put the DSN into a file of its own and write file:PATH"
        )
    return text


def _http_or_file(text: str) -> str:
    parts = urlsplit(text)
    if text.startswith(SECRET_FILE_PREFIX):
        return text
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("http://…, https://…, or file:PATH of a file that holds the URL, is allowed")
    if parts.password is not None:
        raise ValueError(
            "a password in this file is refused; put the URL into a file of its own and write file:PATH"
        )
    return text


AddressText = Annotated[str, AfterValidator(_address)]
File = Annotated[Path, Field(strict=False)]
Positive = Annotated[int, Field(ge=1)]
Milliseconds = Annotated[int, Field(ge=1, le=24 * 3_600_000)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class SignerSettings(_Table):
    """How to reach the signer: `target` is host:port with three files, or unix:/path in plaintext by name."""

    target: str
    ca_file: File | None = None
    cert_file: File | None = None
    key_file: File | None = None
    server_name: str | None = None
    deadline_ms: Milliseconds = 10_000
    unsafe_plaintext_on_unix_socket: bool = False

    @model_validator(mode="after")
    def _transport(self) -> Self:
        files = [self.ca_file, self.cert_file, self.key_file]
        if self.unsafe_plaintext_on_unix_socket:
            if not self.target.startswith("unix:") or any(files):
                raise ValueError(
                    "plaintext is allowed only for a unix: target, and without certificate files"
                )
        elif not all(files):
            raise ValueError("ca_file, cert_file and key_file are needed: the signer speaks mutual TLS only")
        return self


class ChainSettings(_Table):
    """The trader's own node. `confirmations`: a receipt that deep is final; without it the chain says so."""

    rpc_url: Annotated[str, AfterValidator(_http_or_file)]
    request_timeout_ms: Milliseconds = 5_000
    confirmations: Annotated[int, Field(ge=1, le=1_000)] | None = None


class DatabaseSettings(_Table):
    """One of `dsn` (postgresql://… without password, or file:PATH) and `embedded` (a folder of ours)."""

    dsn: Annotated[str, AfterValidator(_no_password)] | None = None
    embedded: File | None = None
    connections: Annotated[int, Field(ge=2, le=100)] = 8

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.dsn is None) == (self.embedded is None):
            raise ValueError("exactly one of dsn and embedded is allowed")
        return self


class AssetSettings(_Table):
    """An ERC-20 token. `max_position` in base units bounds what the trader wants to hold of it."""

    symbol: Annotated[str, Field(pattern=r"^[A-Za-z0-9.]{1,16}$")]
    address: AddressText
    decimals: Annotated[int, Field(ge=0, le=36)]
    max_position: Positive | None = None


class V2Settings(_Table):
    """Uniswap V2. `gas_limit` in gas."""

    router: AddressText
    factory: AddressText
    gas_limit: Annotated[int, Field(ge=21_000, le=2_000_000)] = 190_000


class V3Settings(_Table):
    """Uniswap V3: SwapRouter02 and QuoterV2. `gas_limit` in gas, for one pool."""

    router: AddressText
    quoter: AddressText
    factory: AddressText
    gas_limit: Annotated[int, Field(ge=21_000, le=2_000_000)] = 230_000


class VenueSettings(_Table):
    """Contracts by venue."""

    uniswap_v2: V2Settings | None = None
    uniswap_v3: V3Settings | None = None
    approval_gas_limit: Annotated[int, Field(ge=21_000, le=500_000)] = 75_000

    @property
    def names(self) -> tuple[str, ...]:
        """Venues that have contracts."""
        return tuple(name for name in ("uniswap_v2", "uniswap_v3") if getattr(self, name) is not None)


class StrategySettings(_Table):
    """Momentum on one pair. Names are symbols, amounts base units, `v3_fee` hundredths of a bip."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_\-]{1,40}$")]
    kind: Literal["momentum"] = "momentum"
    base: str
    quote: str
    venue: Literal["best", "uniswap_v2", "uniswap_v3"] = "best"
    feed: Literal["uniswap_v2", "uniswap_v3"] = "uniswap_v2"
    v3_fee: Annotated[int, Field(ge=1, le=999_999)] | None = None
    window: Annotated[int, Field(ge=2, le=10_000)] = 5
    threshold_bps: Annotated[int, Field(ge=1, le=10_000)] = 20
    buy_amount: Positive
    sell_amount: Positive
    cooldown_ms: Annotated[int, Field(ge=0)] = 30_000
    max_slippage_bps: Annotated[int, Field(ge=1, le=100)] = 50
    order_life_ms: Milliseconds = 60_000


class FeeSettings(_Table):
    """Caps, wei per gas. The signer has its own; these only keep us from asking in vain."""

    max_fee_per_gas_wei: Positive = 50_000_000_000
    max_priority_fee_per_gas_wei: Positive = 2_000_000_000


class EngineSettings(_Table):
    """How the engine works. A lease outlives two steps; a signature may take the signer's whole deadline."""

    workers: Annotated[int, Field(ge=1, le=64)] = 4
    lease_ms: Milliseconds = 60_000
    poll_ms: Milliseconds = 250
    block_poll_ms: Milliseconds = 1_000
    retry_first_ms: Milliseconds = 250
    retry_most_ms: Milliseconds = 15_000
    quarantine_ms: Milliseconds = 60_000
    swap_deadline_s: Annotated[int, Field(ge=5, le=120)] = 60
    stuck_after_ms: Milliseconds = 30_000
    max_replacements: Annotated[int, Field(ge=0, le=3)] = 2
    pair_cooldown_ms: Annotated[int, Field(ge=0)] = 0
    reconcile_every_ms: Milliseconds = 30_000
    stop_within_ms: Milliseconds = 10_000


class Settings(_Table):
    """A whole file."""

    wallet: Annotated[str, AfterValidator(_wallet)]
    signer: SignerSettings
    chain: ChainSettings
    database: DatabaseSettings
    assets: Annotated[tuple[AssetSettings, ...], BeforeValidator(tuple), Field(min_length=2)]
    venues: VenueSettings
    strategies: Annotated[tuple[StrategySettings, ...], BeforeValidator(tuple)] = ()
    fees: FeeSettings = FeeSettings()
    engine: EngineSettings = EngineSettings()

    @model_validator(mode="after")
    def _together(self) -> Self:
        problems = [*_asset_problems(self), *_strategy_problems(self), *_lease_problems(self)]
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def asset(self, symbol: str) -> AssetSettings:
        """Asset by its symbol, which the file was checked to have."""
        return next(asset for asset in self.assets if asset.symbol == symbol)


def load(path: Path) -> Settings:
    """Read and check a file. Raises ConfigurationError naming file, line, key and what is allowed."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}; a readable TOML file is allowed") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: not UTF-8 text; a TOML file is allowed") from None
    try:
        parsed = tomllib.loads(text, parse_float=Decimal)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{path}: {error}") from None
    try:
        settings = Settings.model_validate(parsed)
    except ValidationError as error:
        raise ConfigurationError("\n".join(_problems(path, text, error))) from None
    return _absolute(settings, path.resolve().parent)


def secret(reference: str) -> SecretStr:
    """What a reference points at: the first line of `file:PATH`, else the text itself; ConfigurationError."""
    if not reference.startswith(SECRET_FILE_PREFIX):
        return SecretStr(reference)
    path = Path(reference.removeprefix(SECRET_FILE_PREFIX))
    try:
        with path.open(encoding="utf-8") as file:
            line = file.readline(_MAX_SECRET_BYTES).strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigurationError(f"{path}: {why}; a readable file with one line is allowed") from None
    if not line:
        raise ConfigurationError(f"{path}: empty; a file with one line is allowed")
    return SecretStr(line)


def _problems(path: Path, text: str, error: ValidationError) -> Iterable[str]:
    for problem in error.errors(include_url=False, include_input=False):
        line = line_of(text, problem["loc"]) or 1
        message = problem["msg"].removeprefix("Value error, ")
        yield f"{path}:{line}: {spell(problem['loc']) or 'settings'}: {message}"


def _absolute(settings: Settings, folder: Path) -> Settings:
    """The same settings with every path made absolute."""

    def full(path: Path | None) -> Path | None:
        return None if path is None else folder / path

    def reference(text: str) -> str:
        if not text.startswith(SECRET_FILE_PREFIX):
            return text
        return f"{SECRET_FILE_PREFIX}{folder / text.removeprefix(SECRET_FILE_PREFIX)}"

    signer, database, chain = settings.signer, settings.database, settings.chain
    return settings.model_copy(
        update={
            "signer": signer.model_copy(
                update={name: full(getattr(signer, name)) for name in ("ca_file", "cert_file", "key_file")}
            ),
            "database": database.model_copy(
                update={
                    "embedded": full(database.embedded),
                    "dsn": None if database.dsn is None else reference(database.dsn),
                }
            ),
            "chain": chain.model_copy(update={"rpc_url": reference(chain.rpc_url)}),
        }
    )


def _asset_problems(settings: Settings) -> Iterable[str]:
    symbols = [asset.symbol for asset in settings.assets]
    yield from (
        f"assets: {symbol} occurs twice" for symbol in sorted({s for s in symbols if symbols.count(s) > 1})
    )
    chain = chain_of(WalletId(settings.wallet))
    tokens = [erc20(chain, Address(asset.address)) for asset in settings.assets]
    yield from (
        f"assets: {token} occurs twice" for token in sorted({t for t in tokens if tokens.count(t) > 1})
    )


def _strategy_problems(settings: Settings) -> Iterable[str]:
    symbols = {asset.symbol for asset in settings.assets}
    names = [strategy.name for strategy in settings.strategies]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"strategies: the name {name} occurs twice"
    for number, strategy in enumerate(settings.strategies):
        place = f"strategies[{number}]"
        for symbol in (strategy.base, strategy.quote):
            if symbol not in symbols:
                yield f"{place}: {symbol!r} is no asset; one of {', '.join(sorted(symbols))} is allowed"
        if strategy.base == strategy.quote:
            yield f"{place}: base and quote are both {strategy.base}; two different assets are allowed"
        for venue in {strategy.venue, strategy.feed} - {_BEST, *settings.venues.names}:
            yield f"{place}: {venue} has no contracts under [venues.{venue}]"
        needs_fee = "uniswap_v3" in (strategy.venue, strategy.feed)
        if needs_fee and strategy.v3_fee is None:
            yield f"{place}: v3_fee is needed for uniswap_v3 (hundredths of a bip, for example 3000)"
    if not settings.venues.names:
        yield "venues: at least one of [venues.uniswap_v2] and [venues.uniswap_v3] is needed"


def _lease_problems(settings: Settings) -> Iterable[str]:
    least = 2 * settings.signer.deadline_ms
    if settings.engine.lease_ms < least:
        yield f"engine.lease_ms: at least {least}, which is 2 × signer.deadline_ms, is allowed"
    if settings.engine.stuck_after_ms < settings.engine.poll_ms:
        yield "engine.stuck_after_ms: at least engine.poll_ms is allowed"
