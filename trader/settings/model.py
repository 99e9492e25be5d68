"""What may stand in the trader's settings file: keys, types, bounds. A secret stands there as a reference."""

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from trader.domain.ids import Address, ChainName, WalletId, chain_of, parse_address, parse_wallet
from trader.domain.secret_refs import ALLOWED, is_reference, parse_reference
from trader.settings.checks import problems


def _address(text: str) -> Address:
    return parse_address(text)


def _wallet(text: str) -> WalletId:
    return parse_wallet(text)


def _token(text: str) -> str:
    return text if text == NATIVE else parse_address(text)


def _dsn(text: str) -> str:
    if is_reference(text):
        parse_reference(text)
    elif _split(text).scheme not in {"postgresql", "postgres"}:
        raise ValueError(f"postgresql://… without a password is allowed; for one with a password {ALLOWED}")
    return text


def _url(text: str) -> str:
    if is_reference(text):
        parse_reference(text)
    elif _split(text).scheme not in {"http", "https"} or not _split(text).hostname:
        raise ValueError(f"http://… or https://… is allowed; for one with an access key {ALLOWED}")
    return text


def _reference(text: str) -> str:
    parse_reference(text)
    return text


def _vault_address(text: str) -> str:
    parts = _split(text)
    if parts.scheme != "https" or not parts.hostname or parts.path.strip("/"):
        raise ValueError("https://HOST:PORT is allowed")
    return text


def _split(text: str) -> SplitResult:
    try:
        return urlsplit(text)
    except ValueError:
        # The library quotes what stands before the path, and the password in it.
        raise ValueError("no URL; SCHEME://HOST:PORT/PATH is allowed") from None


NATIVE = "native"
"""The native coin, where a token's address may stand."""

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

    rpc_url: Annotated[str, AfterValidator(_url)]
    request_timeout_ms: Milliseconds = 5_000
    confirmations: Annotated[int, Field(ge=1, le=1_000)] | None = None


class DatabaseLoginSettings(_Table):
    """Who logs in, when that is not in the DSN: two references, such as the fields of one leased login."""

    user: Annotated[str, AfterValidator(_reference)]
    password: Annotated[str, AfterValidator(_reference)]


class DatabaseSettings(_Table):
    """One of `dsn` (postgresql://… without password, or a reference) and `embedded` (a folder of ours).

    `login` goes with a DSN that names nobody.
    """

    dsn: Annotated[str, AfterValidator(_dsn)] | None = None
    login: DatabaseLoginSettings | None = None
    embedded: File | None = None
    connections: Annotated[int, Field(ge=2, le=100)] = 8

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.dsn is None) == (self.embedded is None):
            raise ValueError("exactly one of dsn and embedded is allowed")
        if self.login is not None and (self.dsn is None or is_reference(self.dsn) or "@" in self.dsn):
            raise ValueError("login is allowed beside a dsn postgresql://HOST/DATABASE without a user")
        return self


class CertificateLoginSettings(_Table):
    """Log in to Vault with a TLS client certificate."""

    mount: str = "cert"
    role: str
    cert_file: File
    key_file: File


class JwtLoginSettings(_Table):
    """Log in to Vault with a token that the platform keeps in a file."""

    mount: str = "kubernetes"
    role: str
    token_file: File


class AppRoleLoginSettings(_Table):
    """Log in to Vault with a response-wrapped secret id in a file, good for one login."""

    mount: str = "approle"
    role_id: str
    secret_id_file: File


class VaultLoginSettings(_Table):
    """Exactly one way to log in."""

    certificate: CertificateLoginSettings | None = None
    jwt: JwtLoginSettings | None = None
    approle: AppRoleLoginSettings | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(way is not None for way in (self.certificate, self.jwt, self.approle)) != 1:
            raise ValueError("exactly one of certificate, jwt and approle is allowed")
        return self


class VaultCertificateSettings(_Table):
    """Our certificate for the signer, out of Vault's PKI; it is written to signer.cert_file and key_file."""

    mount: str = "airlock-pki"
    role: str = "trader-client"
    common_name: str = "trader"
    uri: Annotated[str, Field(pattern=r"^[a-z][a-z0-9+.\-]*://\S{1,200}$")]
    ttl_s: Annotated[int, Field(ge=60, le=90 * 86_400)] = 86_400


class VaultSettings(_Table):
    """Where `vault:` references are looked up, and where our certificate is renewed.

    What has no lease is read again every `read_every_ms`.
    """

    address: Annotated[str, AfterValidator(_vault_address)]
    ca_file: File | None = None
    namespace: str | None = None
    timeout_ms: Milliseconds = 5_000
    read_every_ms: Annotated[int, Field(ge=1_000, le=3_600_000)] = 60_000
    login: VaultLoginSettings
    certificate: VaultCertificateSettings | None = None


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
    """Momentum on one pair. Names are symbols, amounts base units, `v3_fee` hundredths of a bip.

    `wallet` is the name of a [[wallets]] table; without it, the account of the top-level key trades.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9_\-]{1,40}$")]
    wallet: str | None = None
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


class WalletSettings(_Table):
    """A wallet of several accounts, by the signer's name. `min_amount_in`: base units by symbol.

    `when_device_away`: what becomes of a trade that no account would sign whole.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_\-.]{1,64}$")]
    accounts: Annotated[
        tuple[Annotated[str, AfterValidator(_wallet)], ...], BeforeValidator(tuple), Field(min_length=1)
    ]
    when_device_away: Literal["smaller", "wait"] = "wait"
    min_amount_in: dict[str, Positive] = Field(default_factory=dict)


class TreasurySettings(_Table):
    """Refills `to` out of `from`. `token` is an asset's address or "native"; amounts are base units."""

    source: Annotated[str, AfterValidator(_wallet)] = Field(alias="from")
    to: Annotated[str, AfterValidator(_wallet)]
    token: Annotated[str, AfterValidator(_token)]
    below: Positive
    to_level: Positive
    max_per_top_up: Positive
    min_interval_s: Annotated[int, Field(ge=60, le=30 * 86_400)] = 3_600
    life_ms: Milliseconds = 600_000


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
    swap_deadline_s: Annotated[int, Field(ge=5, le=900)] = 60
    stuck_after_ms: Milliseconds = 30_000
    max_replacements: Annotated[int, Field(ge=0, le=3)] = 2
    pair_cooldown_ms: Annotated[int, Field(ge=0)] = 0
    reconcile_every_ms: Milliseconds = 30_000
    stop_within_ms: Milliseconds = 10_000


class Settings(_Table):
    """A whole file. `wallet` is one account; `wallets` are those of which several belong together."""

    wallet: Annotated[str, AfterValidator(_wallet)] | None = None
    wallets: Annotated[tuple[WalletSettings, ...], BeforeValidator(tuple)] = ()
    treasury: Annotated[tuple[TreasurySettings, ...], BeforeValidator(tuple)] = ()
    signer: SignerSettings
    chain: ChainSettings
    database: DatabaseSettings
    assets: Annotated[tuple[AssetSettings, ...], BeforeValidator(tuple), Field(min_length=2)]
    venues: VenueSettings
    strategies: Annotated[tuple[StrategySettings, ...], BeforeValidator(tuple)] = ()
    fees: FeeSettings = FeeSettings()
    engine: EngineSettings = EngineSettings()
    vault: VaultSettings | None = None

    @model_validator(mode="after")
    def _together(self) -> Self:
        if found := [*problems(self)]:
            raise ValueError("; ".join(found))
        return self

    @property
    def accounts(self) -> tuple[WalletId, ...]:
        """Every account, each once; the one of the top-level key comes first."""
        alone = () if self.wallet is None else (self.wallet,)
        named = (*alone, *(account for wallet in self.wallets for account in wallet.accounts))
        return tuple(dict.fromkeys(WalletId(account) for account in named))

    @property
    def chain_name(self) -> ChainName:
        """The chain that all accounts share."""
        return chain_of(self.accounts[0])

    def asset(self, symbol: str) -> AssetSettings:
        """Asset by its symbol, which the file was checked to have."""
        return next(asset for asset in self.assets if asset.symbol == symbol)
