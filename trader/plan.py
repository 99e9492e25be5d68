"""What the settings mean to the engine: assets, rules, wallets, strategies, top-ups. Opens nothing."""

from collections.abc import Sequence

from trader.domain.assets import Asset
from trader.domain.ids import Address, AssetId, StrategyName, WalletId, erc20, native
from trader.engine.config import EngineConfig
from trader.engine.groups.group import Group, WhenAway
from trader.engine.trading import Book
from trader.engine.treasury import TopUpLine
from trader.ports.order_store import PortfolioLimits
from trader.ports.price_feed import Pair
from trader.settings import Settings, StrategySettings, TreasurySettings
from trader.strategy.momentum import MomentumRules

NATIVE_DECIMALS = 18
DUST_PER_TOKEN = 1_000
"""A rotation may leave less than a thousandth of a token behind; the signer judges with a finer measure."""
_MS_PER_S = 1_000


def described_assets(settings: Settings) -> Sequence[Asset]:
    """The native coin and every configured token, with how people write them."""
    chain = settings.chain_name
    tokens = [
        Asset(id=erc20(chain, Address(asset.address)), symbol=asset.symbol, decimals=asset.decimals)
        for asset in settings.assets
    ]
    return [Asset(id=native(chain), symbol="ETH", decimals=NATIVE_DECIMALS), *tokens]


def engine_config(settings: Settings) -> EngineConfig:
    """The engine's rules."""
    engine, assets = settings.engine, described_assets(settings)
    positions = zip(assets[1:], settings.assets, strict=True)
    return EngineConfig(
        lease_ms=engine.lease_ms,
        poll_ms=engine.poll_ms,
        retry_first_ms=engine.retry_first_ms,
        retry_most_ms=engine.retry_most_ms,
        quarantine_ms=engine.quarantine_ms,
        swap_deadline_s=engine.swap_deadline_s,
        stuck_after_ms=engine.stuck_after_ms,
        max_replacements=engine.max_replacements,
        confirmations=settings.chain.confirmations,
        max_fee_per_gas_wei=settings.fees.max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=settings.fees.max_priority_fee_per_gas_wei,
        limits=PortfolioLimits(
            max_position={
                asset.id: limit.max_position for asset, limit in positions if limit.max_position is not None
            },
            cooldown_ms=engine.pair_cooldown_ms,
        ),
        symbols={asset.id: asset.symbol for asset in assets},
        dust={asset.id: 10**asset.decimals // DUST_PER_TOKEN for asset in assets[1:]},
    )


def groups(settings: Settings) -> dict[str, Group]:
    """Wallets of several accounts, by name."""
    return {
        wallet.name: Group(
            name=wallet.name,
            wallets=tuple(WalletId(account) for account in wallet.accounts),
            when_away=WhenAway(wallet.when_device_away),
            min_amount_in={
                _token(settings, symbol): amount for symbol, amount in wallet.min_amount_in.items()
            },
        )
        for wallet in settings.wallets
    }


def book(settings: Settings, strategy: StrategySettings) -> Book:
    """What a strategy trades, and where."""
    traded = pair(settings, strategy)
    group = None if strategy.wallet is None else groups(settings)[strategy.wallet]
    return Book(
        name=StrategyName(strategy.name),
        wallet=settings.accounts[0] if group is None else group.wallets[0],
        group=group,
        pair=traded,
        rules=MomentumRules(
            base=traded.base.id,
            quote=traded.quote.id,
            window=strategy.window,
            threshold_bps=strategy.threshold_bps,
            buy_amount=strategy.buy_amount,
            sell_amount=strategy.sell_amount,
            cooldown_ms=strategy.cooldown_ms,
        ),
        venue=strategy.venue,
        max_slippage_bps=strategy.max_slippage_bps,
        order_life_ms=strategy.order_life_ms,
    )


def pair(settings: Settings, strategy: StrategySettings) -> Pair:
    """The two assets of a strategy."""
    by_symbol = {asset.symbol: asset for asset in described_assets(settings)[1:]}
    return Pair(base=by_symbol[strategy.base], quote=by_symbol[strategy.quote])


def top_up_line(settings: Settings, line: TreasurySettings) -> TopUpLine:
    """One line of the treasury."""
    chain = settings.chain_name
    return TopUpLine(
        source=WalletId(line.source),
        target=WalletId(line.to),
        asset=native(chain) if line.token == "native" else erc20(chain, Address(line.token)),  # noqa: S105
        below=line.below,
        to_level=line.to_level,
        most=line.max_per_top_up,
        min_interval_ms=line.min_interval_s * _MS_PER_S,
        life_ms=line.life_ms,
    )


def _token(settings: Settings, symbol: str) -> AssetId:
    return erc20(settings.chain_name, Address(settings.asset(symbol).address))
