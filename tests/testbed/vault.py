"""A Vault server of its own: raft, TLS, an audit file, unsealed; refuses any address but 127.0.0.1.

    async with VaultServer() as vault:
        await vault.write("sys/mounts/transit", {"type": "transit"})

It keeps its data for the life of the block, so that it can be killed and started again. The unseal keys
and the root token are in memory only. No method is bound to an event loop: a server of the whole session can
be used from every test.
"""

import os
import shutil
import signal
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import aiohttp

from signer.adapters.pki.authority import Authority
from signer.adapters.system_clock import SystemClock
from tests.testbed import vault_binary
from tests.testbed.packages import Json
from tests.testbed.processes import ROOT, Child, free_port, until
from tests.testbed.vault_requests import VaultRequests

SERVER_URI = "spiffe://airlock.local/vault"
_ACTIVE, _UNINITIALISED, _SEALED = 200, 501, 503
_CONFIGURATION = ROOT / "vault" / "server.hcl"


class VaultServer(VaultRequests):
    """One server. `audited=False` leaves it without an audit device, `initialised=False` empty and sealed.

    `shares` and `threshold` are those of the unseal key.
    """

    def __init__(
        self, *, audited: bool = True, initialised: bool = True, shares: int = 1, threshold: int = 1
    ) -> None:
        super().__init__()
        self._audited, self._initialised = audited, initialised
        self._shares, self._threshold = shares, threshold
        self._stack = AsyncExitStack()
        self._child: Child | None = None
        self.unseal_keys: tuple[str, ...] = ()

    async def __aenter__(self) -> Self:
        binary = vault_binary.find()
        if binary is None:
            raise FileNotFoundError(
                "vault is neither on PATH nor in the cache; `make test` builds it where Go is"
            )
        async with AsyncExitStack() as stack:
            folder = tempfile.TemporaryDirectory(prefix="airlock-vault-", ignore_cleanup_errors=True)
            self.folder = Path(stack.enter_context(folder))
            self._write_configuration()
            argv = [*_dies_with_us(), str(binary), "server", "-config", str(self.folder / "server.hcl")]
            # What the machine's owner set for another Vault must not reach this one.
            env = {name: "" for name in os.environ if name.startswith(("VAULT_", "BAO_"))}
            self._child = Child(argv, log=self.folder / "server.log", env=env)
            stack.push_async_callback(self._end)
            self._child.start()
            await until(self._answers, what="vault listens", every_s=0.05)
            if self._initialised:
                await self._initialise()
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    @property
    def audit_log(self) -> Path:
        """What the audit device writes."""
        return self.folder / "audit.log"

    @property
    def pid(self) -> int:
        return self._running.pid

    def log(self) -> str:
        """What the server wrote so far."""
        return self._running.log()

    # What can happen to a server.

    async def seal(self) -> None:
        """Vault answers 503 to everything from now on."""
        await self.write("sys/seal")

    async def unseal(self) -> None:
        """And waits until it is active."""
        for key in self.unseal_keys[: self._threshold]:
            await self.expect("PUT", "sys/unseal", {"key": key})
        await until(self._is_active, what="vault is active", every_s=0.05)

    async def restart(self) -> None:
        """SIGTERM, start, unseal; same port, same data."""
        await self._running.stop()
        await self.start_again()

    def kill(self) -> None:
        """SIGKILL; `start_again` brings it back."""
        self._running.kill()

    async def start_again(self, *, unseal: bool = True) -> None:
        """After `kill`: starts on the same port and data; sealed when `unseal` is False."""
        self._running.start()
        await until(self._answers, what="vault listens again", every_s=0.05)
        if unseal:
            await self.unseal()

    def stall(self) -> None:
        """SIGSTOP: connections are taken and nothing answers, until `resume`."""
        os.kill(self.pid, signal.SIGSTOP)
        # The signal is on its way until the last thread stands: on a busy machine one could still answer.
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    @property
    def _running(self) -> Child:
        assert self._child is not None, "the server was not started"
        return self._child

    def _write_configuration(self) -> None:
        authority = Authority(name="Airlock test CA of Vault", now=SystemClock().now())
        server = authority.server(uri=SERVER_URI, hosts=["127.0.0.1", "localhost"])
        (self.folder / "ca.pem").write_bytes(authority.own.certificate)
        (self.folder / "server.pem").write_bytes(server.certificate)
        (self.folder / "server.key").write_bytes(server.key)
        (self.folder / "data").mkdir()
        port = free_port()
        self.url = f"https://127.0.0.1:{port}"
        text = _configuration(self.folder, port=port, cluster_port=free_port())
        (self.folder / "server.hcl").write_text(text, encoding="utf-8")

    async def _initialise(self) -> None:
        body: dict[str, Json] = {"secret_shares": self._shares, "secret_threshold": self._threshold}
        reply = await self.expect("PUT", "sys/init", body)
        keys = reply.body["keys_base64"]
        assert isinstance(keys, list)
        self.unseal_keys, self.root_token = tuple(map(str, keys)), str(reply.body["root_token"])
        await self.unseal()
        if self._audited:
            options: dict[str, Json] = {"file_path": str(self.audit_log), "hmac_accessor": "false"}
            await self.write("sys/audit/file", {"type": "file", "options": options})

    async def _answers(self) -> bool:
        if self._running.returncode is not None:
            raise AssertionError(f"vault ended at its start: {self.log()}")
        return await self._health() in {_ACTIVE, _UNINITIALISED, _SEALED, 429}

    async def _is_active(self) -> bool:
        return await self._health() == _ACTIVE

    async def _health(self) -> int:
        try:
            return (await self.request("GET", "sys/health", token="")).status
        except (aiohttp.ClientError, OSError):
            return 0

    async def _end(self) -> None:
        # Nothing of it is kept, and a stalled server would not hear a SIGTERM.
        self._running.kill()


def _dies_with_us() -> list[str]:
    """A prefix that ends the server when this process is killed itself; not every system has it."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "KILL"]


def _configuration(folder: Path, *, port: int, cluster_port: int) -> str:
    """The project's own `server.hcl`, with what is marked CHANGE changed."""
    text = _CONFIGURATION.read_text(encoding="utf-8")
    changes = {
        '"/opt/vault/data"': f'"{folder}/data"\n  performance_multiplier = 1',
        '"0.0.0.0:8200"': f'"127.0.0.1:{port}"',
        '"0.0.0.0:8201"': f'"127.0.0.1:{cluster_port}"',
        '"/etc/vault/tls/server.pem"': f'"{folder}/server.pem"',
        '"/etc/vault/tls/server.key"': f'"{folder}/server.key"',
        '"https://vault-1.airlock.internal:8200"': f'"https://127.0.0.1:{port}"',
        '"https://vault-1.airlock.internal:8201"': f'"https://127.0.0.1:{cluster_port}"',
        'log_level = "info"': 'log_level = "warn"',
    }
    for shipped, ours in changes.items():
        assert text.count(shipped) == 1, f"{_CONFIGURATION}: {shipped} is there {text.count(shipped)} times"
        text = text.replace(shipped, ours)
    return text
