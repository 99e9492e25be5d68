"""What makes a well-formed policy fail open. Finds every such place; changes and forgives nothing."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from typing_extensions import override

from signer.domain.accounts import Address
from signer.domain.actions import ContractKind
from signer.policy.lines import KeyPath, spell
from signer.policy.model import AccountPolicy, FeePolicy, Policy, RouterPolicy, TokenPolicy, TopUpPolicy

UNBOUNDED = 2**128
"""From here on an amount is no limit: no token has a supply near it."""
GWEI = 10**9
FEE_PER_GAS_WEI_NORMAL = 50 * GWEI
FEE_PER_GAS_WEI_CEILING = 1_000 * GWEI
SLIPPAGE_BPS_CEILING = 100
DEADLINE_S_CEILING = 120
QUOTE_AGE_S_CEILING = 10
PRICE_AGE_S_CEILING = 600
RATE_CEILING = 1_000_000

_ZERO = Address("0x" + 40 * "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One place that fails open: where it stands, why, and what is allowed."""

    line: int | None
    key: str
    problem: str

    @override
    def __str__(self) -> str:
        """One line for people."""
        place = "" if self.line is None else f"line {self.line}: "
        return f"{place}{self.key}: {self.problem}"


_Problem = tuple[KeyPath, str]
"""A key below the account, and what is wrong with it."""


def check(policy: Policy) -> tuple[Finding, ...]:
    """Return every place that fails open, in the order of the file's accounts; empty when there is none."""
    return tuple(
        Finding(line=policy.lines.of(path), key=spell(path), problem=problem)
        for index, account in enumerate(policy.accounts)
        for below, problem in _account(policy.accounts[:index], account)
        for path in [("accounts", index, *below)]
    )


def _account(before: Iterable[AccountPolicy], account: AccountPolicy) -> Iterator[_Problem]:
    if any(account.account == other.account for other in before):
        yield ("account",), f"{account.account} is listed twice: one table an account is allowed"
    yield from _time_and_price(account)
    yield from _fees(account)
    yield from _emergency_fees(account.fees)
    yield from _native(account)
    for index, router in enumerate(account.routers):
        for key, problem in _router(account, account.routers[:index], router):
            yield ("routers", index, key), problem
    for index, token in enumerate(account.tokens):
        for key, problem in _token(account, account.tokens[:index], token):
            yield ("tokens", index, key), problem
    for index, each in enumerate(account.top_ups):
        for key, problem in _top_up(account, account.top_ups[:index], each):
            yield ("top_ups", index, key), problem


def _time_and_price(account: AccountPolicy) -> Iterator[_Problem]:
    if account.max_deadline_s == 0:
        yield ("max_deadline_s",), f"0 is no expiry: 1 to {DEADLINE_S_CEILING} s are allowed"
    ceilings = {
        "max_deadline_s": (account.max_deadline_s, DEADLINE_S_CEILING, "s"),
        "max_quote_age_s": (account.max_quote_age_s, QUOTE_AGE_S_CEILING, "s"),
        "max_price_age_s": (account.max_price_age_s, PRICE_AGE_S_CEILING, "s"),
        "max_slippage_bps": (account.max_slippage_bps, SLIPPAGE_BPS_CEILING, "bps"),
        "max_transactions_per_minute": (account.max_transactions_per_minute, RATE_CEILING, "transactions"),
    }
    for key, (value, ceiling, unit) in ceilings.items():
        if value > ceiling:
            yield (key,), f"{value} {unit}: at most {ceiling} {unit} are allowed"


def _fees(account: AccountPolicy) -> Iterator[_Problem]:
    fees = account.fees
    if fees.max_fee_per_gas_wei > FEE_PER_GAS_WEI_CEILING:
        yield (
            ("max_fee_per_gas_wei",),
            f"{fees.max_fee_per_gas_wei} wei: at most {FEE_PER_GAS_WEI_CEILING} are allowed",
        )
    elif fees.max_fee_per_gas_wei > FEE_PER_GAS_WEI_NORMAL and not fees.accept_fee_per_gas_above_50_gwei:
        allowed = f"{FEE_PER_GAS_WEI_NORMAL}, or set accept_fee_per_gas_above_50_gwei = true"
        yield ("max_fee_per_gas_wei",), f"{fees.max_fee_per_gas_wei} wei: at most {allowed}"
    if fees.max_priority_fee_per_gas_wei > fees.max_fee_per_gas_wei:
        yield ("max_priority_fee_per_gas_wei",), "above max_fee_per_gas_wei, of which it is a part"
    if fees.max_fee_per_day_wei >= UNBOUNDED:
        yield ("max_fee_per_day_wei",), _no_limit(fees.max_fee_per_day_wei)
    if fees.max_fee_per_transaction_wei > fees.max_fee_per_day_wei:
        yield ("max_fee_per_transaction_wei",), "above max_fee_per_day_wei, so it limits nothing"


def _emergency_fees(fees: FeePolicy) -> Iterator[_Problem]:
    # What a drain may cost at worst: it is asked for by an operator, and yet it is a limit like the others.
    raised = (
        ("max_fee_per_gas_wei", fees.emergency_max_fee_per_gas_wei, fees.max_fee_per_gas_wei),
        (
            "max_priority_fee_per_gas_wei",
            fees.emergency_max_priority_fee_per_gas_wei,
            fees.max_priority_fee_per_gas_wei,
        ),
        (
            "max_fee_per_transaction_wei",
            fees.emergency_max_fee_per_transaction_wei,
            fees.max_fee_per_transaction_wei,
        ),
        ("max_fee_per_day_wei", fees.emergency_max_fee_per_day_wei, fees.max_fee_per_day_wei),
    )
    per_gas, priority, per_transaction, per_day = (
        normal if emergency is None else emergency for _, emergency, normal in raised
    )
    for name, emergency, normal in raised:
        if emergency is not None and emergency < normal:
            yield (f"emergency_{name}",), f"below {name}, so it raises nothing: {normal} or more is allowed"
    if per_gas > FEE_PER_GAS_WEI_CEILING and fees.emergency_max_fee_per_gas_wei is not None:
        problem = f"{per_gas} wei: at most {FEE_PER_GAS_WEI_CEILING} are allowed"
        yield ("emergency_max_fee_per_gas_wei",), problem
    if priority > per_gas and fees.emergency_max_priority_fee_per_gas_wei is not None:
        yield ("emergency_max_priority_fee_per_gas_wei",), "above the fee per gas of which it is a part"
    if per_day >= UNBOUNDED and fees.emergency_max_fee_per_day_wei is not None:
        yield ("emergency_max_fee_per_day_wei",), _no_limit(per_day)
    if per_transaction > per_day and fees.emergency_max_fee_per_transaction_wei is not None:
        yield (
            ("emergency_max_fee_per_transaction_wei",),
            "above the fees of a day, so it limits nothing",
        )


def _native(account: AccountPolicy) -> Iterator[_Problem]:
    native = account.native
    if native.max_per_day_wei >= UNBOUNDED:
        yield ("max_native_per_day_wei",), _no_limit(native.max_per_day_wei)
    if native.max_per_transfer_wei > native.max_per_day_wei:
        yield ("max_native_per_transfer_wei",), "above max_native_per_day_wei, so it limits nothing"
    for recipient in sorted(native.recipients):
        if recipient == _ZERO:
            yield ("native_recipients",), f"{recipient} is nobody's: what is sent there is lost"
        if recipient in account.contracts():
            yield (
                ("native_recipients",),
                f"{recipient} is a listed contract: it would keep what is sent there",
            )


def _router(
    account: AccountPolicy, before: Iterable[RouterPolicy], router: RouterPolicy
) -> Iterator[tuple[str, str]]:
    if any(router.address == other.address for other in before):
        yield "address", f"{router.address} is listed twice: one table a router is allowed"
    if router.address in {_ZERO, account.address}:
        yield "address", f"{router.address} is no router: the address of a contract is allowed"
    if router.kind is ContractKind.UNISWAP_V2_ROUTER02:
        if router.quoter is not None:
            yield "quoter", "has no meaning for uniswap_v2_router02, which quotes its own pools"
        if router.fee_tiers:
            yield "fee_tiers", "has no meaning for uniswap_v2_router02, which has one pool per pair"
    elif router.quoter in {None, _ZERO}:
        yield "quoter", "without a QuoterV2 there is no reference price: its address is needed"


def _token(
    account: AccountPolicy, before: Iterable[TokenPolicy], token: TokenPolicy
) -> Iterator[tuple[str, str]]:
    if any(token.address == other.address for other in before):
        yield "address", f"{token.address} is listed twice: one table a token is allowed"
    if token.address in {_ZERO, account.address} or token.address in account.router_at:
        yield (
            "address",
            f"{token.address} is no token: the address of a token that is not a router is allowed",
        )
    if token.max_per_day >= UNBOUNDED:
        yield "max_per_day", _no_limit(token.max_per_day)
    if token.max_per_hour > token.max_per_day:
        yield "max_per_hour", "above max_per_day, so it limits nothing"
    if token.max_per_trade > token.max_per_hour:
        yield "max_per_trade", "above max_per_hour, so it limits nothing"
    if token.max_approval >= UNBOUNDED:
        yield "max_approval", f"unlimited approval: {_no_limit(token.max_approval)}"
    elif token.max_approval > token.max_per_day:
        yield "max_approval", "above max_per_day: a router could be left with more than a day's trades"
    for spender in sorted(token.spenders - account.router_at.keys()):
        yield "spenders", f"{spender} is not a listed router: addresses of this account's routers are allowed"


def _top_up(
    account: AccountPolicy, before: Iterable[TopUpPolicy], top_up: TopUpPolicy
) -> Iterator[tuple[str, str]]:
    if any((top_up.token, top_up.to) == (other.token, other.to) for other in before):
        yield "to", f"{top_up.to} is listed twice for this token: one table is allowed"
    if top_up.to in {_ZERO, account.address} or top_up.to in account.contracts():
        yield "to", f"{top_up.to} is no account to top up: another one of the wallet is allowed"
    if top_up.token is None and top_up.to in account.native.recipients:
        yield "to", f"{top_up.to} is one of native_recipients, too: with or without a person, one is allowed"
    if top_up.token is not None and top_up.token not in account.token_at:
        yield "token", f'{top_up.token} is not a listed token: "native" or the address of one is allowed'
    if top_up.max_per_day >= UNBOUNDED:
        yield "max_per_day", _no_limit(top_up.max_per_day)
    if top_up.max_per_top_up > top_up.max_per_day:
        yield "max_per_top_up", "above max_per_day, so it limits nothing"


def _no_limit(amount: int) -> str:
    return f"{amount} is no limit: less than 2^128 is allowed"
