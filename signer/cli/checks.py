"""What `doctor` looks at, one function per part. Signs nothing and changes nothing."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass

from signer.adapters.dev_key.backend import DevKey, DevKeyBackend
from signer.adapters.evm_rpc.chain_view import EvmChainView
from signer.adapters.json_rpc.transport import JsonRpc
from signer.adapters.policy_file import PolicyFile
from signer.adapters.policy_signature_file import PolicySignatureFile
from signer.adapters.sqlite.inspect import inspect
from signer.api.certificate_dates import certificate_end
from signer.api.revocation import Revocations
from signer.api.tls import ServerTls, TlsFiles
from signer.cli.vault_checks import vault_keys, vault_login, vault_node
from signer.device_access import statuses
from signer.domain.accounts import AccountId, evm_chain_id, is_evm
from signer.domain.errors import ConfigurationError, SignerError
from signer.domain.reasons import FailReason
from signer.domain.time import MS_PER_S
from signer.policy.load import load as load_policy
from signer.ports.clock import Clock
from signer.ports.device import DeviceStatus
from signer.service.policy_signature import require_signed
from signer.settings import ChainSettings, Settings, surroundings_of

_DAY_MS = 24 * 60 * 60 * MS_PER_S
_EXPIRES_SOON_DAYS = 14
_CLOCK_BEHIND_S = 5
_HEAD_OLD_S = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One part, whether it is fine, and what was seen. `warning`: it stops no start, and is no finding."""

    part: str
    fine: bool
    seen: str
    warning: bool = False


async def checks(settings: Settings, clock: Clock) -> AsyncIterator[Check]:
    """Every part, each judged by itself: one that fails does not hide the next."""
    yield await _check("certificates", _certificates(settings, clock))
    yield await _check("policy", _policy(settings))
    yield await _check("ledger", _ledger(settings))
    yield await _check("audit", _audit(settings))
    if any(each.dev is not None for each in settings.accounts):
        yield await _check("backend dev", _backend(settings))
    if settings.ledgers or settings.trezors:
        for check in await _devices(settings):
            yield check
    if settings.vault is not None:
        yield await _check("vault", vault_node(settings.vault))
        yield await _check("vault login", vault_login(settings.vault, clock))
        yield await _check("backend vault", vault_keys(settings, settings.vault, clock))
    for chain in settings.chains:
        if is_evm(chain.name):
            yield await _check(f"chain {chain.id}", _chain(chain, clock))


async def _check(part: str, look: Awaitable[str]) -> Check:
    try:
        return Check(part=part, fine=True, seen=await look)
    except SignerError as error:
        return Check(part=part, fine=False, seen=str(error))


class _NoLog:
    def event(self, name: str, **fields: object) -> None:
        """Nobody listens."""


async def _certificates(settings: Settings, clock: Clock) -> str:
    tls = settings.tls
    files = TlsFiles(
        certificate=tls.certificate,
        key=tls.key,
        client_authority=tls.client_ca,
        revocation_list=tls.revocation_list,
    )
    ServerTls(files, revocations=Revocations(), log=_NoLog())
    days = {
        path.name: (certificate_end(path) - clock.now()) // _DAY_MS
        for path in (tls.certificate, tls.client_ca)
    }
    seen = ", ".join(f"{name} ends in {left} days" for name, left in days.items())
    if min(days.values()) < _EXPIRES_SOON_DAYS:
        raise ConfigurationError(f"{seen}; renew it {_EXPIRES_SOON_DAYS} days before its end")
    return seen


async def _policy(settings: Settings) -> str:
    text = await PolicyFile(settings.policy).read()
    policy = load_policy(text, str(settings.policy), surroundings_of(settings))
    missing = [each.id for each in settings.accounts if policy.account(each.account_id) is None]
    if missing:
        raise ConfigurationError(
            f"{settings.policy}: has no table for {missing[0]}: it would deny everything"
        )
    seen = f"nothing fails open; hash {policy.hash}"
    if settings.policy_guardian is None:
        return seen
    signatures = PolicySignatureFile(settings.policy)
    signed = await require_signed(policy, str(settings.policy), signatures, settings.policy_guardian)
    return f"{seen}; serial {signed.serial} is signed by the guardian"


async def _ledger(settings: Settings) -> str:
    return inspect(settings.ledger)


async def _audit(settings: Settings) -> str:
    path = settings.audit
    if not path.parent.is_dir():
        raise ConfigurationError(
            f"{path}: the folder of the audit file does not exist; make it, with mode 0700"
        )
    return "there; `airlock-signer audit verify` follows its chain" if path.exists() else "not there yet"


async def _backend(settings: Settings) -> str:
    keys = [
        DevKey(account=each.account_id, mnemonic_index=each.dev.mnemonic_index, key_file=each.dev.key_file)
        for each in settings.accounts
        if each.dev is not None
    ]
    held = await DevKeyBackend(keys).accounts()
    return f"holds the pinned key of {len(held)} accounts"


async def _devices(settings: Settings) -> Sequence[Check]:
    try:
        seen = await statuses(settings, _NoLog())
    except SignerError as error:
        return [Check(part="devices", fine=False, seen=str(error))]
    return [_device(account, status) for account, status in seen.items()]


def _device(account: AccountId, status: DeviceStatus) -> Check:
    part = f"{status.kind} {status.name}: {account}"
    if status.ready:
        seen = f"{status.detail}: unlocked, holds the pinned key, free; what a swap needs is switched on"
        return Check(part=part, fine=True, seen=seen)
    # A signer starts without its devices, but not with another seed than the pinned one.
    stops = status.reason in {None, FailReason.BROKEN}
    return Check(part=part, fine=not stops, warning=not stops, seen=status.message)


async def _chain(chain: ChainSettings, clock: Clock) -> str:
    expected = evm_chain_id(chain.name)
    async with JsonRpc(chain.url(), timeout_ms=chain.timeout_ms) as rpc:
        view = EvmChainView(rpc, chain_id=expected, head_max_age_ms=0, clock=clock)
        head = await view.head()
    behind_s = clock.now() // MS_PER_S - head.timestamp_s
    seen = f"{rpc.host}: block {head.number}, {behind_s} s old by this clock"
    if behind_s < -_CLOCK_BEHIND_S:
        raise ConfigurationError(f"{seen}: the clock of this machine is behind; set it by NTP")
    if behind_s > _HEAD_OLD_S:
        raise ConfigurationError(f"{seen}: the node does not follow the chain, or this clock is ahead")
    return seen
