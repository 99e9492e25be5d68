"""What must fit together in a settings file, beyond what each key allows by itself. Raises nothing."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from trader.domain.ids import Address, chain_of, erc20
from trader.domain.secret_refs import VAULT

if TYPE_CHECKING:
    from trader.settings.model import Settings

_BEST = "best"
_NATIVE = "native"


def problems(settings: "Settings") -> Iterable[str]:
    """Each problem as one line that says what is allowed."""
    if not settings.accounts:
        yield "wallet or [[wallets]]: at least one account is needed"
        return
    yield from _wallet_problems(settings)
    yield from _asset_problems(settings)
    yield from _strategy_problems(settings)
    yield from _lease_problems(settings)
    yield from _secret_problems(settings)
    yield from _treasury_problems(settings)


def _wallet_problems(settings: "Settings") -> Iterable[str]:
    if len({chain_of(account) for account in settings.accounts}) > 1:
        yield "wallets: accounts of one chain are allowed"
    named = [account for wallet in settings.wallets for account in wallet.accounts]
    if settings.wallet is not None:
        named.append(settings.wallet)
    for account in sorted({account for account in named if named.count(account) > 1}):
        yield f"wallets: {account} occurs twice; an account belongs to one wallet"
    names = [wallet.name for wallet in settings.wallets]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"wallets: the name {name} occurs twice"
    for number, strategy in enumerate(settings.strategies):
        known = settings.wallet is not None if strategy.wallet is None else strategy.wallet in names
        if not known:
            yield (
                f"strategies[{number}]: {strategy.wallet!r} is no wallet; the name of a [[wallets]] table is"
                " allowed, or none beside a top-level wallet"
            )
    symbols = {asset.symbol for asset in settings.assets}
    for number, wallet in enumerate(settings.wallets):
        for symbol in sorted(wallet.min_amount_in.keys() - symbols):
            allowed = ", ".join(sorted(symbols))
            yield f"wallets[{number}].min_amount_in: {symbol!r} is no asset; one of {allowed} is allowed"


def _treasury_problems(settings: "Settings") -> Iterable[str]:
    tokens = {asset.address for asset in settings.assets} | {_NATIVE}
    lines = [(line.source, line.to, line.token) for line in settings.treasury]
    for number, line in enumerate(settings.treasury):
        place = f"treasury[{number}]"
        for account in {line.source, line.to} - {str(account) for account in settings.accounts}:
            yield f"{place}: {account} is no account of this file"
        if line.source == line.to:
            yield f"{place}: from and to are the same account; two different ones are allowed"
        if line.token not in tokens:
            yield f"{place}: {line.token} is no asset; the address of one, or {_NATIVE!r}, is allowed"
        if line.below > line.to_level:
            yield f"{place}: below {line.below} is above to_level; at most {line.to_level} is allowed"
        if lines.index(lines[number]) != number:
            yield f"{place}: from, to and token occur twice; one line is allowed"


def _asset_problems(settings: "Settings") -> Iterable[str]:
    symbols = [asset.symbol for asset in settings.assets]
    yield from (
        f"assets: {symbol} occurs twice" for symbol in sorted({s for s in symbols if symbols.count(s) > 1})
    )
    chain = settings.chain_name
    tokens = [erc20(chain, Address(asset.address)) for asset in settings.assets]
    yield from (
        f"assets: {token} occurs twice" for token in sorted({t for t in tokens if tokens.count(t) > 1})
    )


def _strategy_problems(settings: "Settings") -> Iterable[str]:
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


def _lease_problems(settings: "Settings") -> Iterable[str]:
    least = 2 * settings.signer.deadline_ms
    if settings.engine.lease_ms < least:
        yield f"engine.lease_ms: at least {least}, which is 2 × signer.deadline_ms, is allowed"
    if settings.engine.stuck_after_ms < settings.engine.poll_ms:
        yield "engine.stuck_after_ms: at least engine.poll_ms is allowed"


def _secret_problems(settings: "Settings") -> Iterable[str]:
    if (
        settings.vault is not None
        and settings.vault.certificate is not None
        and not settings.signer.cert_file
    ):
        yield "vault.certificate: signer.cert_file and signer.key_file say where it lies; they are needed"
    login = settings.database.login
    references = {
        "chain.rpc_url": settings.chain.rpc_url,
        "database.dsn": settings.database.dsn or "",
        "database.login.user": "" if login is None else login.user,
        "database.login.password": "" if login is None else login.password,
    }
    for name, reference in references.items():
        if reference.startswith(VAULT) and settings.vault is None:
            yield f"{name}: a vault: reference needs the [vault] table"
