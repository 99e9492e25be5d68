"""A process that signs through the vault backend and then waits, for those who look into its memory.

    python -m tests.integration.vault.signing_child '{"url": …, "ca": …, "wrapping_key": …, "account": …}'

The token comes on stdin. It knows the key of the account from Vault, or not at all.
"""

import asyncio
import json
import sys
from pathlib import Path

from signer.adapters.event_log import JsonEventLog
from signer.adapters.process_memory import forbid_dumps
from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.backend import VaultKey, VaultKeyBackend
from signer.adapters.vault.connection import Target
from signer.adapters.vault.envelopes import KvEnvelopes
from signer.adapters.vault.given_token import open_with_token
from signer.adapters.vault.transit import Transit
from signer.domain.accounts import AccountId, Address, chain_of, evm_chain_id
from signer.domain.transactions import EvmPayload, UnsignedEvmTransaction

SIGNATURES = 100


async def _main(told: dict[str, str], token: str) -> None:
    target = Target(address=told["url"], ca=Path(told["ca"]))
    async with open_with_token(target, token, clock=SystemClock(), log=JsonEventLog()) as api:
        await _sign(api, AccountId(told["account"]), told["wrapping_key"])
        sys.stdout.write("signed\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.readline)


async def _sign(api: VaultApi, account: AccountId, wrapping_key: str) -> None:
    backend = VaultKeyBackend(
        keys=[VaultKey(account=account)],
        transit=Transit(api),
        envelopes=KvEnvelopes(api, "airlock"),
        wrapping_key=wrapping_key,
    )
    await backend.check(account)
    payload = EvmPayload(
        to=Address("0x" + "21" * 20),
        value_wei=0,
        data=b"",
        gas_limit=200_000,
        max_fee_per_gas_wei=1,
        max_priority_fee_per_gas_wei=1,
    )
    chain_id = evm_chain_id(chain_of(account))
    for first in range(0, SIGNATURES, 4):
        transactions = [
            UnsignedEvmTransaction(chain_id=chain_id, nonce=first + each, payload=payload)
            for each in range(4)
        ]
        await asyncio.gather(*(backend.sign_evm(account, each) for each in transactions))


if __name__ == "__main__":
    forbid_dumps()
    asyncio.run(_main(json.loads(sys.argv[1]), sys.stdin.readline().strip()))
