"""What people do to one Vault, by the real commands, each under its own role; refuses to do it any other way.

    async with VaultDesk.open(folder) as desk:  # a server of its own, set up by `vault bootstrap`
        await desk.certify(files)               # the authority and the clients' certificates
        files.write()
        await desk.take_over(files)             # keys of the signer's accounts, its login, its certificate

`files` are those of a signer that would otherwise have dev keys and certificates of `dev-pki`.
"""

import contextlib
import os
import subprocess
from asyncio import to_thread
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.testbed.accounts import dev_account
from tests.testbed.processes import ROOT, until
from tests.testbed.signer_program import PROGRAM, SignerFiles
from tests.testbed.vault import VaultServer
from tests.testbed.vault_files import copied
from tests.testbed.vault_ground import APPROLE, PKI, role_id, wrapped_secret_id

ROLE = "airlock-signer"
OPERATOR, ROTATOR, TRADER = "airlock-operator", "airlock-rotator", "airlock-trader"
_TIMEOUT_S = 60
_TLS = """client_ca = "pki/ca.pem"
revocation_list = "pki/revoked.pem"

[tls.vault]
uri = "spiffe://airlock.local/signer"
hosts = ["localhost", "127.0.0.1"]
ttl_s = {life_s}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that has ended; `output` is stdout and stderr together."""

    code: int
    output: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultDesk:
    """One server, and the settings that say to people's commands where it is."""

    vault: VaultServer
    settings: Path

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, folder: Path) -> AsyncIterator[Self]:
        """A server that `bootstrap` has set up."""
        await to_thread(folder.mkdir, parents=True)
        async with VaultServer() as vault:
            desk = cls(vault=vault, settings=place_file(folder, vault.url, vault.ca))
            where = ("--folder", str(copied(vault, folder)), "--yes")
            await desk.run("vault", "bootstrap", *where, token=vault.root_token)
            yield desk

    async def certify(self, files: SignerFiles) -> None:
        """Before `files.write()`: authority and clients' certificates out of Vault's PKI, not `dev-pki`'s."""
        await to_thread(files.pki.mkdir, parents=True)
        authority = await self.vault.read(f"{PKI}/cert/ca")
        (files.pki / "ca.pem").write_text(str(authority["certificate"]))
        await self.client_certificate(files, "trader", role=TRADER)
        await self.client_certificate(files, "admin", role=OPERATOR)

    async def client_certificate(
        self, files: SignerFiles, client: str, *, role: str, name: str | None = None
    ) -> None:
        """`rotate certificates --client`: a new pair, in place of the one that has the same name."""
        place = files.pki / (name or client)
        where = ("--certificate", f"{place}.pem", "--key", f"{place}.key")
        uri = f"spiffe://airlock.local/{client}"
        await self.as_role(
            role, "rotate", "certificates", "--client", uri, "--role", f"{client}-client", *where
        )

    async def take_over(self, files: SignerFiles, *, certificate_s: int = 3_600) -> None:
        """Import the keys; have the signer log in for them, and for its certificate if `certify` ran."""
        for account, index in zip(files.accounts, files.account_indexes, strict=True):
            await self.import_account(account, bytes.fromhex(dev_account(index).private_key[2:]))
        text = files.settings.read_text()
        for index in files.account_indexes:
            text = text.replace(f'"dev"\ndev = {{ mnemonic_index = {index} }}', '"vault"')
        (files.folder / "secrets").mkdir(mode=0o700)
        if not (files.pki / "server.pem").exists():  # else it has one of `dev-pki`
            text = text.replace('client_ca = "pki/ca.pem"\n', _TLS.format(life_s=certificate_s))
        text += f"""
[vault]
address = "{self.vault.url}"
ca = "{self.vault.ca}"

[vault.login]
approle = {{ role_id = "{await role_id(self.vault)}", secret_id_file = "secrets/secret-id.wrapped" }}
"""
        files.settings.write_text(text)
        await self.deliver(files)

    async def import_account(self, account: str, key: bytes) -> None:
        """`vault import-account`, the key on a pipe."""
        read, write = os.pipe()
        try:
            os.write(write, key.hex().encode())
            os.close(write)
            await self.as_role(
                OPERATOR, "vault", "import-account", "--account", account, "--key-fd", str(read), pass_fd=read
            )
        finally:
            os.close(read)

    async def deliver(self, files: SignerFiles) -> None:
        """Put a new wrapped secret id where the signer looks for one, whole."""
        self.lay(files, await wrapped_secret_id(self.vault))

    def lay(self, files: SignerFiles, wrapping: str) -> None:
        """Put a wrapping token there."""
        place = secret_id_file(files)
        beside = place.with_suffix(".new")
        beside.write_text(f"{wrapping}\n")
        beside.chmod(0o600)
        beside.replace(place)

    async def as_role(self, role: str, *arguments: str, pass_fd: int | None = None) -> Done:
        """`airlock-signer …` under a fresh token of one role; AssertionError when it fails."""
        token = await self.vault.token(role, no_default_policy=True)
        return await self.run(*arguments, token=token, pass_fd=pass_fd)

    async def run(self, *arguments: str, token: str, pass_fd: int | None = None) -> Done:
        """`airlock-signer …` with the desk's settings and a token in a file; AssertionError when it fails."""
        with self.command(*arguments, token=token, pass_fd=pass_fd) as process:
            out, _ = await to_thread(process.communicate, timeout=_TIMEOUT_S)
        done = Done(code=process.returncode, output=out.decode())
        assert done.code == 0, f"{arguments}: {done}"
        return done

    @contextlib.contextmanager
    def command(
        self, *arguments: str, token: str, pass_fd: int | None = None
    ) -> Iterator["subprocess.Popen[bytes]"]:
        """The same, under way; killed at the end of the block if it still runs."""
        fds = () if pass_fd is None else (pass_fd,)
        read, write = os.pipe()
        os.write(write, token.encode())
        os.close(write)
        argv = [PROGRAM, *arguments, "--config", str(self.settings), "--token-file", str(read)]
        process = subprocess.Popen(
            argv,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(read, *fds),
        )
        os.close(read)
        with process:
            try:
                yield process
            finally:
                process.kill()

    async def signer_tokens(self) -> list[str]:
        """Accessors of the tokens with which signers are logged in."""
        found = []
        for accessor in await self.vault.list("auth/token/accessors"):
            reply = await self.vault.request("POST", "auth/token/lookup-accessor", {"accessor": accessor})
            if reply.data.get("path") == f"auth/{APPROLE}/login" and ROLE in str(reply.data.get("policies")):
                found.append(str(accessor))
        return found

    async def only_signer_token(self) -> str:
        """Accessor of the one that is left when a swap is over: the signer logs in, then revokes the old."""
        found: list[str] = []

        async def alone() -> bool:
            found[:] = await self.signer_tokens()
            return len(found) == 1

        await until(alone, what="one token of the signer is left", every_s=0.1)
        return found[0]

    async def revoke_signer_tokens(self) -> int:
        """As an operator does who lost trust in them; how many there were."""
        accessors = await self.signer_tokens()
        for accessor in accessors:
            await self.vault.write("auth/token/revoke-accessor", {"accessor": accessor})
        return len(accessors)


def place_file(folder: Path, url: str, ca: Path) -> Path:
    """Settings with nothing but where Vault, or a proxy in front of it, is."""
    path = folder / "operator.toml"
    path.write_text(f'[vault]\naddress = "{url}"\nca = "{ca}"\n')
    return path


def secret_id_file(files: SignerFiles) -> Path:
    """Where the signer looks for a wrapped secret id."""
    return files.folder / "secrets" / "secret-id.wrapped"
