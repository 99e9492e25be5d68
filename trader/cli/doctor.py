"""`doctor`: checks everything that a run needs, and goes on after a failure; refuses to change anything.

Each line says what was looked at, and what is wrong with it.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from trader.adapters.evm_rpc.node import check_chain
from trader.adapters.signer_client.expiry import expires_at_s
from trader.app import Office, open_office
from trader.cli.exit_codes import ExitCode
from trader.cli.show import show
from trader.domain.errors import TraderError
from trader.domain.ids import WalletId, chain_of
from trader.domain.time import MS_PER_S
from trader.engine.reconcile import compare_books
from trader.settings import Settings

_CERTIFICATE_WARNING_DAYS = 14
_MOST_SKEW_S = 5
_SECONDS_PER_DAY = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check. `detail` is for people."""

    check: str
    ok: bool
    detail: str


async def doctor(settings: Settings, *, as_json: bool) -> int:
    """Check, print, and say by the exit code whether anything is wrong."""
    findings = [Finding(check="settings", ok=True, detail=f"wallet {', '.join(settings.accounts)}")]
    async with AsyncExitStack() as stack:
        try:
            office = await stack.enter_async_context(open_office(settings))
        except TraderError as error:
            findings.append(Finding(check="database", ok=False, detail=str(error)))
        else:
            findings.append(Finding(check="database", ok=True, detail="schema is up to date"))
            for name, check in _CHECKS.items():
                findings.append(await _checked(name, check, office))
            for wallet in office.wallets:
                for name, look in _WALLET_CHECKS.items():
                    findings.append(await _checked(name, partial(look, wallet=wallet), office))
    show(
        {"checks": [{"check": f.check, "ok": f.ok, "detail": f.detail} for f in findings]},
        as_json=as_json,
    )
    return ExitCode.OK if all(finding.ok for finding in findings) else ExitCode.FOUND_A_PROBLEM


async def _checked(name: str, check: Callable[[Office], Awaitable[str]], office: Office) -> Finding:
    try:
        return Finding(check=name, ok=True, detail=await check(office))
    except TraderError as error:
        return Finding(check=name, ok=False, detail=str(error))


class _WrongError(TraderError):
    """A check looked and does not like what it saw."""


async def _certificate(office: Office) -> str:
    path = office.settings.signer.cert_file
    if path is None:
        return "none: plaintext on a Unix socket"
    left_days = (expires_at_s(path) - office.desk.clock.now() // MS_PER_S) // _SECONDS_PER_DAY
    if left_days < _CERTIFICATE_WARNING_DAYS:
        raise _WrongError(
            f"{path}: ends in {left_days} days; renew it (at least {_CERTIFICATE_WARNING_DAYS} is fine)"
        )
    return f"{path}: {left_days} days left"


async def _chain(office: Office) -> str:
    await check_chain(office.node, chain_of(office.wallet))
    head = await office.node.head()
    return f"{chain_of(office.wallet)}, block {head.number}"


async def _clock(office: Office) -> str:
    head = await office.node.head()
    ahead_s = head.timestamp_s - office.desk.clock.now() // MS_PER_S
    if ahead_s > _MOST_SKEW_S:
        raise _WrongError(f"the newest block is {ahead_s} s in our future: set this machine's clock (NTP)")
    return f"the newest block is {-ahead_s} s old"


async def _signer(office: Office, *, wallet: WalletId) -> str:
    accounts = {account.wallet: account for account in await office.signer.accounts()}
    account = accounts.get(wallet)
    if account is None:
        raise _WrongError(f"the signer grants us {len(accounts)} accounts, but not {wallet}")
    if account.leaving:
        return f"account is {account.state}; {account.successor} takes over"
    if account.state != "active":
        raise _WrongError(f"the account is {account.state}: {account.pause_reason}")
    named = next((group.name for group in office.desk.groups.values() if wallet in group.wallets), None)
    if named is not None and account.group != named:
        raise _WrongError(f"{wallet} is in {named!r} here, and in {account.group!r} at the signer")
    attended = f", a person has {account.person_ms // MS_PER_S} s" if account.person_ms else ""
    ready = "" if account.ready else f"; would not sign now: {account.not_ready_reason}"
    return f"account granted, backend {account.backend}{attended}{ready}"


async def _halted(office: Office, *, wallet: WalletId) -> str:
    reason = (await office.store.halted()).get(wallet)
    if reason is not None:
        raise _WrongError(f"halted: {reason}; when the cause is gone, `airlock-trader release`")
    return "may trade"


async def _books(office: Office, *, wallet: WalletId) -> str:
    if not await office.store.balances(wallet):
        return "not opened yet; the first run books the chain's balances"
    await office.store.close_books(wallet)
    if (await office.store.standing(wallet)).move is not None:
        return "not compared: they move to another wallet, and that accounts for every transfer"
    drift = await compare_books(office.desk, wallet, office.assets)
    if drift is None:
        return "not compared: orders are under way"
    if drift.by_asset:
        gaps = ", ".join(f"{asset} {gap:+d}" for asset, gap in drift.by_asset.items())
        raise _WrongError(f"chain minus books at block {drift.block_number}, base units: {gaps}")
    return f"equal to the chain at block {drift.block_number}"


_CHECKS: Mapping[str, Callable[[Office], Awaitable[str]]] = {
    "certificate": _certificate,
    "chain": _chain,
    "clock": _clock,
}


class _OfWallet(Protocol):
    async def __call__(self, office: Office, *, wallet: WalletId) -> str: ...


_WALLET_CHECKS: Mapping[str, _OfWallet] = {
    "signer": _signer,
    "wallet": _halted,
    "books": _books,
}
