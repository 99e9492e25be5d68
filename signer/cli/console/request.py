"""One request, as a person should read it before they press: what leaves, what comes back, at what cost."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import ROUND_FLOOR

from rich.text import Text

from signer.api.seen import SeenApproval
from signer.cli.console.figures import (
    bar,
    is_unknown,
    number,
    paid,
    price,
    received,
    time_of_day,
    window,
)
from signer.cli.console.lines import LABEL, Block, cropped, heading, in_groups, labelled, wrapped
from signer.cli.console.waiting import PHASES
from signer.domain.budget import FEE, NATIVE, TRANSACTIONS, Resource, topped_up
from signer.ports.device import Screen
from signer.ports.ledger import LimitUse
from signer.service.approvals.brief import AssetAmount, Brief

_NATIVE_ASSET = "native"
_NATIVE_DECIMALS = {"eip155": 18, "solana": 9}
_NATIVE_SYMBOLS = {"eip155": "ETH", "solana": "SOL"}
_TITLE = 12
_ROOM_MIN = 28


def details(approval: SeenApproval, ends: str, width: int) -> Iterator[Block]:
    """Everything about the selected request, what matters most with the lowest rank."""
    title = f"REQUEST {approval.id[:8]}, {PHASES[approval.phase]}, ends in {ends}"
    yield Block(lines=(heading(title, width),), rank=0, least=1)
    if approval.message:
        yield Block(lines=labelled("phase", approval.message, width), rank=60)
    if approval.brief is None:
        yield Block(
            lines=labelled("does", f"{approval.method}: is being looked into", width), rank=0, least=1
        )
    else:
        yield from _explained(approval, approval.brief, width)
    yield Block(lines=_from_whom(approval, width), rank=50)
    yield from device_screens(approval, width)


def device_screens(approval: SeenApproval, width: int) -> Iterator[Block]:
    """What the device will show, in its order and words: the last thing that is left out."""
    if not approval.screens:
        text = f"{approval.device} shows nothing of it yet: its turn has not come"
        yield Block(lines=labelled("device", text, width), rank=40)
        return
    title = f"{approval.device} WILL SHOW THIS: confirm only if every letter is the same"
    yield Block(lines=(heading(title, width),), rank=0, least=1)
    for number_, screen in enumerate(approval.screens, 1):
        lines = tuple(_screen(number_, screen, width))
        yield Block(lines=lines, rank=0, least=len(lines))


def _explained(approval: SeenApproval, brief: Brief, width: int) -> Iterator[Block]:
    yield Block(lines=labelled("does", brief.actions[0], width), rank=30, least=1)
    yield Block(lines=labelled("pays", _all(paid, brief.pays), width, "bold"), rank=0, least=1)
    yield Block(lines=labelled("gets", _gets(brief), width, "bold"), rank=0, least=1)
    if brief.receives_at_least and brief.pays and brief.max_slippage_bps:  # a trade: wrapping has no price
        yield Block(lines=_prices(brief, width), rank=20, least=1)
        yield Block(lines=labelled("slippage", _slippage(brief), width), rank=5, least=1)
    yield Block(lines=labelled("fee", _fee(approval, brief), width), rank=10, least=1)
    yield Block(lines=_afterwards(brief, width), rank=35, least=1)
    yield Block(lines=tuple(_budget(approval, brief, width)), rank=80, least=0)
    for action in brief.actions[1:]:
        yield Block(lines=labelled("decoded", action, width), rank=95)


def _gets(brief: Brief) -> str:
    if not brief.receives_at_least:
        return "nothing"
    quoted = f"; the client was quoted {_all(received, brief.quoted)}" if brief.quoted else ""
    return f"at least {_all(received, brief.receives_at_least)}{quoted}"


def _prices(brief: Brief, width: int) -> tuple[Text, ...]:
    paying, getting = brief.pays[0], brief.receives_at_least[0]
    named = [("at worst", getting.amount)]
    named += [(each.source, each.amount.amount) for each in brief.references]
    named += [("quoted", each.amount) for each in brief.quoted]
    told = [
        f"{name} {cost}"
        for name, amount in named
        if not is_unknown(getting) and (cost := price(paying, amount, getting.decimals)) is not None
    ]
    text = f"{paying.symbol} for 1 {getting.symbol}: {', '.join(told)}"
    return labelled("price", text if told else "not known: the policy lists no decimals", width)


def _slippage(brief: Brief) -> str:
    if brief.slippage_bps is None:
        return "NOT KNOWN: there is no reference"
    sources = ", ".join(each.source for each in brief.references)
    return f"{brief.slippage_bps} bps below the best of {sources}; {brief.max_slippage_bps} are allowed"


def _fee(approval: SeenApproval, brief: Brief) -> str:
    return f"at most {paid(_native(approval, brief.fee_max_wei))} ({brief.fee_detail})"


def _afterwards(brief: Brief, width: int) -> tuple[Text, ...]:
    if not brief.positions:
        return labelled("after", "NOT KNOWN: the signer's node is away", width)
    lines: list[Text] = []
    for change in brief.positions:
        asset = change.before
        unit = f"base units of {asset.asset}" if is_unknown(asset) else asset.symbol
        after = number(change.after, asset.decimals, ROUND_FLOOR)
        short = "  TOO LITTLE: it would fail" if change.after < 0 else ""
        text = f"{number(asset.amount, asset.decimals, ROUND_FLOOR)} -> {after} {unit} at worst{short}"
        lines += labelled("" if lines else "after", text, width)
    return tuple(lines)


def _budget(approval: SeenApproval, brief: Brief, width: int) -> Iterator[Text]:
    """Limits that this request counts against."""
    label = "budget"
    for use in brief.budget:
        counted = _counted(approval, brief, use.limit.resource)
        if counted is None:
            continue
        yield _limit(label, use, counted, width)
        label = ""


def _counted(approval: SeenApproval, brief: Brief, resource: Resource) -> AssetAmount | None:
    """What this request adds to a limit at most; None for a limit that it does not touch."""
    if resource == FEE:
        return _native(approval, brief.fee_max_wei, named="fee")
    if resource == TRANSACTIONS:
        return AssetAmount(asset=TRANSACTIONS, symbol="signatures", decimals=0, amount=1)
    asset = _NATIVE_ASSET if resource == NATIVE else topped_up(resource) or resource.removeprefix("token:")
    paid_ = next((each for each in brief.pays if each.asset == asset), None)
    if paid_ is None or topped_up(resource) is None:
        return paid_
    return replace(paid_, symbol=f"{paid_.symbol} topped up")


def _limit(label: str, use: LimitUse, counted: AssetAmount, width: int) -> Text:
    decimals, limit = counted.decimals, use.limit
    figures = (
        f"{number(use.used, decimals)} + {number(counted.amount, decimals)} of "
        f"{number(limit.limit, decimals)} {counted.symbol} in {window(limit.window_s)}"
    )
    return cropped(Text(f"{label:<{LABEL}}{bar(use.used, counted.amount, limit.limit)} {figures}"), width)


def _from_whom(approval: SeenApproval, width: int) -> tuple[Text, ...]:
    nonce = "" if approval.nonce is None else f", nonce {approval.nonce}"
    at = time_of_day(approval.asked_at)
    return (
        *labelled("client", f"{approval.client} by {approval.method} at {at}", width),
        *labelled("account", f"{approval.account} of wallet {approval.wallet}{nonce}", width),
        *labelled("policy", approval.policy_hash[:16], width),
    )


def _screen(position: int, screen: Screen, width: int) -> Iterator[Text]:
    head = f" {position} {screen.title:<{_TITLE}} "
    if width - len(head) < _ROOM_MIN:
        yield from (cropped(Text(line, style="bold"), width) for line in wrapped(head, width))
        head = " " * 4
    for line in in_groups(screen.text, width - len(head)):
        yield cropped(Text(f"{head}{line}", style="bold"), width)
        head = " " * len(head)


def _all(spell: Callable[[AssetAmount], str], amounts: tuple[AssetAmount, ...]) -> str:
    return " and ".join(spell(each) for each in amounts) or "nothing"


def _native(approval: SeenApproval, amount: int, named: str = "") -> AssetAmount:
    namespace = approval.account.partition(":")[0]
    symbol = _NATIVE_SYMBOLS.get(namespace, _NATIVE_ASSET)
    return AssetAmount(
        asset=_NATIVE_ASSET + named,
        symbol=f"{symbol} {named}".strip(),
        decimals=_NATIVE_DECIMALS.get(namespace, 0),
        amount=amount,
    )
