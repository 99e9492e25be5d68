"""Whoever uses a secret gets the new one when it changes, and keeps the old one while nobody answers."""

import asyncio
from dataclasses import dataclass, field

from pydantic import SecretStr

from trader.adapters.postgres.pool import with_login
from trader.adapters.secrets.keeper import Composed, Keeper
from trader.domain.errors import SecretsUnavailableError
from trader.domain.secret_refs import SecretReference


@dataclass
class FakeSecrets:
    value: str = "first"
    away: bool = False
    asked: list[SecretReference] = field(default_factory=list)
    asking: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def current(self, reference: SecretReference) -> SecretStr:
        async with self.asking:
            self.asked.append(reference)
            self.asking.notify_all()
        if self.away:
            raise SecretsUnavailableError("Vault is away")
        return SecretStr(self.value)


async def test_a_change_reaches_its_user_once_and_an_outage_changes_nothing() -> None:
    secrets, used, stop = FakeSecrets(), [], asyncio.Event()
    keeper = Keeper(secrets, look_every_ms=1)

    async def use(value: str) -> None:
        used.append(value)

    await keeper.watch("database.dsn", "vault:mount/path#dsn", use)
    running = asyncio.create_task(keeper.run(stop))
    await _until_asked_again(secrets)
    secrets.away = True
    await _until_asked_again(secrets)
    secrets.away, secrets.value = False, "second"
    await _until_asked_again(secrets)
    stop.set()
    await running

    assert used == ["second"]


async def test_a_text_that_is_no_reference_is_itself_and_is_not_watched() -> None:
    secrets = FakeSecrets()
    keeper = Keeper(secrets, look_every_ms=1)

    assert await keeper.value("https://node.internal") == "https://node.internal"
    assert await keeper.value("file:dsn") == "first"
    assert len(secrets.asked) == 1


async def test_what_changes_between_the_start_of_its_user_and_the_watch_is_not_missed() -> None:
    secrets, used, stop = FakeSecrets(), [], asyncio.Event()
    keeper = Keeper(secrets, look_every_ms=1)

    async def use(value: str) -> None:
        used.append(value)

    await keeper.value("file:dsn")
    secrets.value = "second"
    await keeper.watch("database.dsn", "file:dsn", use)
    running = asyncio.create_task(keeper.run(stop))
    await _until_asked_again(secrets)
    stop.set()
    await running

    assert used == ["second"]


async def _until_asked_again(secrets: FakeSecrets) -> None:
    """Two questions later, what the first one led to is done."""
    enough = len(secrets.asked) + 2
    async with secrets.asking:
        await secrets.asking.wait_for(lambda: len(secrets.asked) >= enough)


async def test_a_login_of_two_fields_is_one_dsn_and_follows_its_lease() -> None:
    secrets, used, stop = FakeSecrets(value="p@ss/word"), [], asyncio.Event()
    keeper = Keeper(secrets)
    dsn = Composed(("postgresql://db.internal:5433/books", "file:user", "file:password"), with_login)

    async def use(value: str) -> None:
        used.append(value)

    first = await keeper.value(dsn)
    await keeper.watch("database.dsn", dsn, use)
    secrets.value = "other"
    running = asyncio.create_task(keeper.run(stop))
    await _until_asked_again(secrets)
    await _until_asked_again(secrets)
    stop.set()
    await running

    assert first == "postgresql://p%40ss%2Fword:p%40ss%2Fword@db.internal:5433/books"
    assert used == ["postgresql://other:other@db.internal:5433/books"]
