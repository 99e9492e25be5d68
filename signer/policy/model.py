"""A policy as the rules read it: plain values with every lookup made beforehand. Judges nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from signer.domain.accounts import AccountId, Address, ChainName, address_of, chain_of
from signer.domain.actions import ContractKind, SwapVenue
from signer.domain.budget import (
    FEE,
    NATIVE,
    TRANSACTIONS,
    Resource,
    RollingLimit,
    token_resource,
    top_up_resource,
)
from signer.policy.lines import Lines

MINUTE_S = 60
HOUR_S = 3_600
DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterPolicy:
    """A listed router. `quoter` is the QuoterV2 that prices its swaps; a v2 router prices its own.

    `fee_tiers` are the v3 pools that may be used, by fee in hundredths of a bip.
    """

    address: Address
    kind: ContractKind
    quoter: Address | None
    fee_tiers: frozenset[int]

    @property
    def venue(self) -> SwapVenue:
        """Which swaps it executes."""
        return SwapVenue(self.kind.value)

    @property
    def price_source(self) -> Address | None:
        """Contract to ask for a reference quote; None when the policy names none."""
        return self.address if self.kind is ContractKind.UNISWAP_V2_ROUTER02 else self.quoter


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPolicy:
    """A listed token. Amounts are base units; `symbol` and `decimals` are for people only."""

    address: Address
    symbol: str
    decimals: int
    kind: ContractKind
    max_per_trade: int
    max_per_hour: int
    max_per_day: int
    max_approval: int
    spenders: frozenset[Address]
    sell: bool
    buy: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FeePolicy:
    """Limits on what inclusion may cost.

    The `emergency_` ones hold for the drain of an emergency rotation instead; None raises nothing.
    """

    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int
    max_gas_limit: int
    max_fee_per_transaction_wei: int
    max_fee_per_day_wei: int
    accept_fee_per_gas_above_50_gwei: bool
    emergency_max_fee_per_gas_wei: int | None = None
    emergency_max_priority_fee_per_gas_wei: int | None = None
    emergency_max_fee_per_transaction_wei: int | None = None
    emergency_max_fee_per_day_wei: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NativePolicy:
    """Limits on plain transfers of the native coin. No recipient means no transfer."""

    recipients: frozenset[Address]
    max_per_transfer_wei: int
    max_per_day_wei: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUpPolicy:
    """What another account of the wallet may be given with a person's confirmation. Base units.

    `token`: None is the native coin.
    """

    to: Address
    token: Address | None
    max_per_top_up: int
    max_per_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPolicy:
    """Everything that one account may do."""

    account: AccountId
    fees: FeePolicy
    native: NativePolicy
    max_transactions_per_minute: int
    max_deadline_s: int
    max_quote_age_s: int
    max_price_age_s: int
    max_slippage_bps: int
    routers: tuple[RouterPolicy, ...]
    tokens: tuple[TokenPolicy, ...]
    top_ups: tuple[TopUpPolicy, ...] = ()

    # Made once, when the policy is read: a decision only looks things up.
    address: Address = field(init=False)
    chain: ChainName = field(init=False)
    token_at: Mapping[Address, TokenPolicy] = field(init=False, repr=False)
    router_at: Mapping[Address, RouterPolicy] = field(init=False, repr=False)
    top_up_at: Mapping[tuple[Address | None, Address], TopUpPolicy] = field(init=False, repr=False)
    movable: frozenset[Address] = field(init=False, repr=False)
    limits: tuple[RollingLimit, ...] = field(init=False, repr=False)
    limits_on: Mapping[Resource, tuple[RollingLimit, ...]] = field(init=False, repr=False)
    _contracts: Mapping[Address, ContractKind] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Make the lookups."""
        limits_on = _limits_on(self)
        derived: dict[str, object] = {
            "address": address_of(self.account),
            "chain": chain_of(self.account),
            "token_at": {token.address: token for token in self.tokens},
            "router_at": {router.address: router for router in self.routers},
            "top_up_at": {(each.token, each.to): each for each in self.top_ups},
            "movable": frozenset(each.token for each in self.top_ups if each.token is not None),
            "limits": tuple(limit for limits in limits_on.values() for limit in limits),
            "limits_on": limits_on,
            "_contracts": {
                **{token.address: token.kind for token in self.tokens},
                **{router.address: router.kind for router in self.routers},
            },
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def tops_up(self, token: Address | None, recipient: Address) -> bool:
        """Whether a transfer of this token (None: the native coin) to the recipient is a listed top-up."""
        return (token, recipient) in self.top_up_at

    def contracts(self) -> Mapping[Address, ContractKind]:
        """What each listed address is; the decoder understands no other."""
        return self._contracts

    def price_source(self, router: Address) -> Address | None:
        """Contract to ask for a reference quote of a swap through `router`; None when there is none."""
        listed = self.router_at.get(router)
        return None if listed is None else listed.price_source


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One version of the policy file. `hash` is SHA-256 of the file's bytes, 64 hex digits.

    `serial` orders the versions that a guardian signs; None in a file that nobody signs.
    """

    hash: str
    accounts: tuple[AccountPolicy, ...]
    lines: Lines = field(repr=False, compare=False)
    serial: int | None = None
    _by_id: Mapping[AccountId, AccountPolicy] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Make the lookup."""
        object.__setattr__(self, "_by_id", {account.account: account for account in self.accounts})

    @property
    def chains(self) -> tuple[ChainName, ...]:
        """Every chain that the policy has an account on, sorted."""
        return tuple(sorted({account.chain for account in self.accounts}))

    def account(self, account: AccountId) -> AccountPolicy | None:
        """What the account may do; None when the policy does not name it, which means nothing."""
        return self._by_id.get(account)


def _limits_on(account: AccountPolicy) -> dict[Resource, tuple[RollingLimit, ...]]:
    limits: dict[Resource, tuple[RollingLimit, ...]] = {
        FEE: (RollingLimit(resource=FEE, window_s=DAY_S, limit=account.fees.max_fee_per_day_wei),),
        TRANSACTIONS: (
            RollingLimit(resource=TRANSACTIONS, window_s=MINUTE_S, limit=account.max_transactions_per_minute),
        ),
        NATIVE: (RollingLimit(resource=NATIVE, window_s=DAY_S, limit=account.native.max_per_day_wei),),
    }
    for token in account.tokens:
        resource = token_resource(token.address)
        limits[resource] = (
            RollingLimit(resource=resource, window_s=HOUR_S, limit=token.max_per_hour),
            RollingLimit(resource=resource, window_s=DAY_S, limit=token.max_per_day),
        )
    for each in account.top_ups:
        resource = top_up_resource(each.token, each.to)
        limits[resource] = (RollingLimit(resource=resource, window_s=DAY_S, limit=each.max_per_day),)
    return limits
