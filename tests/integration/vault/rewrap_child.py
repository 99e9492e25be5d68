"""A rotation of a wrapping key that is killed before or after its Nth write to Vault.

Arguments: URL FOLDER TOKEN KEY MOUNT PLACE WHEN N. Exit code 0 means that there were fewer writes.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from typing_extensions import override

from signer.adapters.system_clock import SystemClock
from signer.adapters.vault.api import Body
from signer.adapters.vault.envelopes import open_store
from signer.adapters.vault.transit import Transit
from signer.adapters.vault.wrapping_key import WrappingKeyRotation
from tests.testbed.vault import VaultServer
from tests.testbed.vault_api import PlainVaultApi

TRANSIT = "transit"  # not imported: every import is paid for by every kill


class _NoLog:
    def event(self, name: str, **fields: object) -> None:
        """Nobody listens."""


class KillingApi(PlainVaultApi):
    """Kills this process before or after its Nth write."""

    def __init__(self, server: VaultServer, when: str, number: int) -> None:
        super().__init__(server)
        self._when, self._left = when, number

    @override
    async def write(self, path: str, body: Body) -> Mapping[str, object]:
        self._left -= 1
        if self._left == 0 and self._when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        answer = await super().write(path, body)
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer


def main() -> None:
    url, folder, token, key, mount, place, when, number = sys.argv[1:]
    server = VaultServer()
    server.url, server.folder, server.root_token = url, Path(folder), token
    api = KillingApi(server, when, int(number))
    store = open_store(place, api, kv_mount=mount)
    rotation = WrappingKeyRotation(
        transit=Transit(api, TRANSIT), store=store, key=key, clock=SystemClock(), log=_NoLog()
    )
    asyncio.run(rotation.run(min_age_s=0))


if __name__ == "__main__":
    main()
