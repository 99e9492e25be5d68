"""Ages of keys in Vault and of our own login there. Reads only, and no key material."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from signer.adapters.vault.key_age import created_at
from signer.adapters.vault.lease import Lease
from signer.adapters.vault.transit import KeyFacts, Transit
from signer.domain.accounts import AccountId
from signer.domain.errors import SignerError
from signer.domain.rotating import Fact, Rotating
from signer.ports.clock import Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKeyAges:
    """Implements `signer.ports.rotation_facts.FactSource`. `solana`: pinned key and version by account."""

    transit: Transit
    wrapping_key: str | None
    checkpoint_key: str | None
    solana: Mapping[AccountId, tuple[str, int]]

    async def facts(self) -> Sequence[Fact]:
        """One for each key."""
        facts = []
        if self.wrapping_key is not None:
            facts.append(await self._fact(Rotating.WRAPPING_KEY, self.wrapping_key, self.wrapping_key))
        if self.checkpoint_key is not None:
            facts.append(await self._fact(Rotating.CHECKPOINT_KEY, self.checkpoint_key, self.checkpoint_key))
        for account, (key, version) in self.solana.items():
            facts.append(await self._fact(Rotating.ACCOUNT, account, key, version))
        return facts

    async def _fact(self, what: Rotating, name: str, key: str, version: int | None = None) -> Fact:
        try:
            found = await self.transit.facts(key)
            if found is None:
                return Fact(what=what, name=name, problem=f"Vault has no key {key}")
            since = created_at(found, version or found.latest_version)
        except SignerError as error:
            return Fact(what=what, name=name, problem=str(error))
        if dangers := found.dangers():
            problem = f"it became {' and '.join(dangers)}, and is refused at the next start: rotate it away"
            return Fact(what=what, name=name, since=since, due=since, problem=problem)
        if what is Rotating.WRAPPING_KEY and _half_done(found):
            problem = f"versions from {found.min_decryption_version} on still open: finish the rotation"
            return Fact(what=what, name=name, since=since, due=since, problem=problem)
        return Fact(what=what, name=name, since=since)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoginAges:
    """Implements `signer.ports.rotation_facts.FactSource`: the token, and what the next one needs.

    `lease` gives the token's life, None without one; `needs` says what a person has to bring, else empty.
    """

    login: str
    lease: Callable[[], Lease | None]
    needs: Callable[[], str]
    clock: Clock

    async def facts(self) -> Sequence[Fact]:
        """The token and the credential behind it."""
        lease, needs = self.lease(), self.needs()
        if lease is None:
            token = Fact(what=Rotating.VAULT_TOKEN, name=self.login, problem="there is no token")
        else:
            token = Fact(
                what=Rotating.VAULT_TOKEN,
                name=self.login,
                since=lease.at,
                ends=lease.ends_at,
                # A token that is renewed as it should be is never seen after its time.
                due=lease.due_at,
            )
        credential = Fact(
            what=Rotating.VAULT_CREDENTIAL,
            name=self.login,
            due=self.clock.now() if needs else None,
            problem=needs,
        )
        return (token, credential)


def _half_done(found: KeyFacts) -> bool:
    return found.min_decryption_version < found.latest_version
