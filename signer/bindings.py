"""Each account with what it signs by: its key, its node, its prices. Loads only the backends that are named.

A signer without a Vault has no HTTP library for one in its process, one without a device nothing of USB.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self

from signer.adapters.dev_key.backend import DevKey, DevKeyBackend
from signer.adapters.evm_rpc.broadcast import EvmBroadcaster
from signer.adapters.evm_rpc.chain_view import EvmChainView
from signer.adapters.evm_rpc.holdings import EvmHoldings
from signer.adapters.evm_rpc.pool_quote import PoolQuote
from signer.adapters.json_rpc.transport import JsonRpc
from signer.adapters.vault.api import VaultApi
from signer.domain.accounts import Account, AccountId, evm_chain_id, is_evm
from signer.domain.errors import PreconditionError, UnavailableError
from signer.domain.wallets import ALWAYS, Condition
from signer.ports.broadcaster import Broadcaster
from signer.ports.chain_view import ChainView
from signer.ports.clock import Clock
from signer.ports.events import EventLog
from signer.ports.holdings import Holdings
from signer.ports.key_backend import KeyBackend, person_before
from signer.ports.price_reference import PriceReference
from signer.service.accounts import Binding
from signer.settings import AccountSettings, ChainSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One chain as its accounts see it."""

    chain: ChainView
    reference: PriceReference
    holdings: Holdings
    broadcaster: Broadcaster

    @classmethod
    def over(cls, rpc: JsonRpc, *, chain_id: int, head_max_age_ms: int, clock: Clock) -> Self:
        """A real node. A head older than `head_max_age_ms` is looked up anew."""
        return cls(
            chain=EvmChainView(rpc, chain_id=chain_id, head_max_age_ms=head_max_age_ms, clock=clock),
            reference=PoolQuote(rpc),
            holdings=EvmHoldings(rpc),
            broadcaster=EvmBroadcaster(rpc),
        )

    def bind(self, account: Account, backend: KeyBackend, condition: Condition = ALWAYS) -> Binding:
        """The account with its key on this chain; `condition` says when it is its turn in its wallet."""
        return Binding(
            account=account,
            backend=backend,
            chain=self.chain,
            references=(self.reference,),
            holdings=self.holdings,
            broadcaster=self.broadcaster,
            condition=condition,
        )


@asynccontextmanager
async def open_bindings(
    settings: Settings, vault: VaultApi | None, *, clock: Clock, log: EventLog
) -> AsyncIterator[tuple[Binding, ...]]:
    """Every account that can be served, its key checked. Devices and nodes are closed at the end.

    Raises ConfigurationError for what cannot be, BrokenError for another key than the pinned one.
    """
    async with AsyncExitStack() as stack:
        backends = _backends(settings, vault)
        devices = await stack.enter_async_context(_devices(settings, log))
        nodes = {
            chain.name: await _node(stack, chain, clock) for chain in settings.chains if is_evm(chain.name)
        }
        bindings = []
        for configured in settings.accounts:
            account_id = configured.account_id
            backend = devices.get(account_id) or backends[configured.backend]
            account = _account(settings, configured, backend)
            await check_at_start(backend, account_id, log)
            node = nodes.get(account.chain)
            if node is None:
                # Its key is there; what it would sign is not understood yet, so nothing is signed.
                log.event("account.not_served", account=account_id, problem="Solana is not decoded yet")
                continue
            bindings.append(node.bind(account, backend, configured.condition))
        yield tuple(bindings)


async def check_at_start(backend: KeyBackend, account: AccountId, log: EventLog) -> None:
    """Check a key. A device may be away or locked at a start: it looks again before each request.

    Raises BrokenError for another key than the pinned one, TypeError for a device that is not one wholly.
    """
    if person_before(backend) is None:
        await backend.check(account)
        return
    try:
        await backend.check(account)
    except (PreconditionError, UnavailableError) as error:
        log.event("account.device_not_ready", account=account, reason=error.reason, problem=str(error))


def _backends(settings: Settings, vault: VaultApi | None) -> Mapping[str, KeyBackend]:
    backends: dict[str, KeyBackend] = {
        "dev": DevKeyBackend(
            DevKey(
                account=account.account_id,
                mnemonic_index=account.dev.mnemonic_index,
                key_file=account.dev.key_file,
            )
            for account in settings.accounts
            if account.dev is not None
        )
    }
    if vault is not None and settings.vault is not None:
        from signer.vault_access import vault_backend  # noqa: PLC0415 - as the module says

        backends["vault"] = vault_backend(settings, settings.vault, vault)
    return backends


@asynccontextmanager
async def _devices(settings: Settings, log: EventLog) -> AsyncIterator[Mapping[AccountId, KeyBackend]]:
    if not (settings.ledgers or settings.trezors):
        yield {}
        return
    from signer.device_access import device_backends  # noqa: PLC0415 - as the module says

    async with device_backends(settings, log) as devices:
        yield devices


async def _node(stack: AsyncExitStack, chain: ChainSettings, clock: Clock) -> Node:
    rpc = await stack.enter_async_context(JsonRpc(chain.url(), timeout_ms=chain.timeout_ms))
    return Node.over(
        rpc, chain_id=evm_chain_id(chain.name), head_max_age_ms=chain.head_max_age_ms, clock=clock
    )


def _account(settings: Settings, configured: AccountSettings, backend: KeyBackend) -> Account:
    before = settings.accounts[: settings.accounts.index(configured)]
    return Account(
        id=configured.account_id,
        wallet=configured.wallet,
        wallet_position=sum(other.wallet == configured.wallet for other in before),
        backend=backend.name,
    )
