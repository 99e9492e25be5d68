"""Assets by the names that the policy gives them. Guesses no symbol and no decimals."""

from dataclasses import dataclass
from decimal import Context, Decimal

from signer.domain.accounts import AccountId, Address, chain_of, is_evm
from signer.policy.model import AccountPolicy
from signer.service.approvals.brief import AssetAmount

NATIVE = "native"
"""Asset name of the chain's own coin, as the wire has it."""

_EVM_DECIMALS, _SOLANA_DECIMALS, _GWEI_DECIMALS = 18, 9, 9
_EXACT = Context(prec=120)


@dataclass(frozen=True, slots=True)
class Assets:
    """Names for the assets of one account; `rules` is None where the policy has no table for it."""

    account: AccountId
    rules: AccountPolicy | None

    def token(self, token: Address, amount: int) -> AssetAmount:
        """An amount of a token."""
        listed = None if self.rules is None else self.rules.token_at.get(token)
        if listed is None:
            return AssetAmount(asset=token, symbol=token, decimals=0, amount=amount)
        return AssetAmount(asset=token, symbol=listed.symbol, decimals=listed.decimals, amount=amount)

    def native(self, amount: int) -> AssetAmount:
        """An amount of the chain's coin."""
        symbol, decimals = (
            ("ETH", _EVM_DECIMALS) if is_evm(chain_of(self.account)) else ("SOL", _SOLANA_DECIMALS)
        )
        return AssetAmount(asset=NATIVE, symbol=symbol, decimals=decimals, amount=amount)

    def of(self, asset: str, amount: int) -> AssetAmount:
        """An amount of an asset by its name."""
        return self.native(amount) if asset == NATIVE else self.token(Address(asset), amount)


def spell(amount: AssetAmount) -> str:
    """An amount as people write it, exact: `1,000.5 USDC`; base units where the decimals are not known."""
    unit = f"base units of {amount.symbol}" if amount.symbol == amount.asset else amount.symbol
    return f"{_plain(amount.amount, amount.decimals)} {unit}"


def gwei(wei: int) -> str:
    """Wei in gwei, exact."""
    return _plain(wei, _GWEI_DECIMALS)


def _plain(units: int, decimals: int) -> str:
    text = f"{Decimal(units).scaleb(-decimals, context=_EXACT):,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
