"""A small world to judge in: one account, two routers, three tokens, and a swap that the policy allows."""

from dataclasses import replace

from signer.domain.accounts import AccountId, Address
from signer.domain.actions import (
    Action,
    Erc20Approve,
    Erc20Transfer,
    NativeTransfer,
    NotUnderstood,
    Swap,
    SwapVenue,
    WethDeposit,
    WethWithdraw,
)
from signer.domain.chain import Head, ReferenceQuote
from signer.domain.claims import (
    ApproveClaim,
    Claim,
    NativeTransferClaim,
    SwapClaim,
    TokenTransferClaim,
    WrapClaim,
    WrapDirection,
)
from signer.domain.time import UnixMs
from signer.policy.load import load
from signer.policy.model import AccountPolicy, Policy
from signer.policy.proposal import Proposal
from tests.fakes import calldata

GWEI = 10**9
NOW_S = 1_800_000_000
NOW = UnixMs(NOW_S * 1000)

OWN = Address("0x" + "aa" * 20)
ACCOUNT = AccountId(f"eip155:31337:{OWN}")
V2_ROUTER = Address("0x" + "21" * 20)
V3_ROUTER = Address("0x" + "31" * 20)
QUOTER = Address("0x" + "32" * 20)
WETH = Address("0x" + "41" * 20)
USDC = Address("0x" + "42" * 20)
DAI = Address("0x" + "43" * 20)
SAVINGS = Address("0x" + "51" * 20)
THIEF = Address("0x" + "66" * 20)

POLICY = f"""\
[[accounts]]
account = "{ACCOUNT}"
max_fee_per_transaction_wei = "10000000000000000"
max_fee_per_day_wei = 100_000_000_000_000_000
max_transactions_per_minute = 30
native_recipients = ["{SAVINGS}"]
max_native_per_transfer_wei = 1_000
max_native_per_day_wei = 3_000

[[accounts.routers]]
address = "{V2_ROUTER}"
kind = "uniswap_v2_router02"

[[accounts.routers]]
address = "{V3_ROUTER}"
kind = "uniswap_swap_router02"
quoter = "{QUOTER}"
fee_tiers = [500, 3000]

[[accounts.tokens]]
address = "{WETH}"
symbol = "WETH"
decimals = 18
kind = "weth9"
max_per_trade = 1_000_000
max_per_hour = 3_000_000
max_per_day = 10_000_000
spenders = ["{V2_ROUTER}", "{V3_ROUTER}"]

[[accounts.tokens]]
address = "{USDC}"
symbol = "USDC"
decimals = 6
max_per_trade = 2_000_000
max_per_hour = 6_000_000
max_per_day = 20_000_000
max_approval = 4_000_000
spenders = ["{V2_ROUTER}"]

[[accounts.tokens]]
address = "{DAI}"
symbol = "DAI"
decimals = 18
max_per_trade = 0
max_per_hour = 0
max_per_day = 0
sell = false
"""

SWAP = Swap(
    venue=SwapVenue.UNISWAP_V2_ROUTER02,
    router=V2_ROUTER,
    path=(WETH, USDC),
    fees=(),
    amount_in=1_000_000,
    minimum_out=995_000,
    recipient=OWN,
    deadline=NOW_S + 60,
)
APPROVE = Erc20Approve(token=WETH, spender=V2_ROUTER, amount=1_000_000)
TRANSFER = NativeTransfer(recipient=SAVINGS, amount_wei=1_000)
TOKEN_TRANSFER = Erc20Transfer(token=USDC, recipient=SAVINGS, amount=1_000)
DEPOSIT = WethDeposit(token=WETH, amount_wei=1_000_000)
WITHDRAW = WethWithdraw(token=WETH, amount_wei=1_000_000)

HEAD = Head(
    number=100, hash="0x" + "ab" * 32, timestamp_s=NOW_S - 5, base_fee_per_gas_wei=10 * GWEI, seen_at=NOW
)
QUOTE = ReferenceQuote(
    source="pool_quote", amount_out=1_000_000, block_number=100, block_timestamp_s=NOW_S - 5
)


def policy(*changes: tuple[str, str]) -> Policy:
    """The policy with texts replaced; refuses changes that change nothing."""
    text = POLICY
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return load(text.encode())


def account_policy(*changes: tuple[str, str]) -> AccountPolicy:
    return policy(*changes).accounts[0]


def proposal(action: Action | NotUnderstood = SWAP, claim: Claim | None = None) -> Proposal:
    """A proposal that the policy allows when it allows the action, with the claim that fits it."""
    if isinstance(action, NotUnderstood):
        return replace(proposal(), action=action)
    return Proposal(
        account=ACCOUNT,
        payload=calldata.payload(action),
        claim=honest_claim(action) if claim is None else claim,
        action=action,
        head=HEAD,
        quotes=(QUOTE,) if isinstance(action, Swap) else (),
        usage={},
        now=NOW,
        asked_at=NOW,
    )


def honest_claim(action: Action) -> Claim:
    match action:
        case NativeTransfer():
            return NativeTransferClaim(recipient=action.recipient, amount_wei=action.amount_wei)
        case Erc20Approve():
            return ApproveClaim(token=action.token, spender=action.spender, amount=action.amount)
        case Erc20Transfer():
            return TokenTransferClaim(token=action.token, recipient=action.recipient, amount=action.amount)
        case WethDeposit():
            return WrapClaim(direction=WrapDirection.DEPOSIT, amount_wei=action.amount_wei)
        case WethWithdraw():
            return WrapClaim(direction=WrapDirection.WITHDRAW, amount_wei=action.amount_wei)
        case Swap():
            return SwapClaim(
                token_in=action.token_in,
                token_out=action.token_out,
                amount_in=action.amount_in,
                minimum_out=action.minimum_out,
                quoted_out=action.minimum_out,
                quote_time=UnixMs(NOW - 1_000),
            )
