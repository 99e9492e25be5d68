"""What happens between the signer, a Ledger and a person, one scene after the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from tests.demo.hardware.client import Client, refused
from tests.demo.hardware.desk import Desk
from tests.demo.hardware.files import HOT_PER_TRADE_LATER, write, write_policy
from tests.e2e.device_scene import WALLET
from tests.e2e.scene import Ended, command_line, operator
from tests.fakes import wire
from tests.testbed import abi
from tests.testbed.accounts import LIQUIDITY_PROVIDER, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.bed import uniswap_state
from tests.testbed.price_mover import PriceMover
from tests.testbed.processes import free_port
from tests.testbed.signer_program import PROGRAM, SignerFiles, serving, signer_program
from tests.testbed.uniswap import USDX_UNIT

BLOCK_TIME_S = 0.2
LARGE, SMALL = 1_000 * USDX_UNIT, 150 * USDX_UNIT
GUARDIAN, GUARDIAN_PATH = 3, "m/44'/60'/0'/0/3"


@dataclass(slots=True)
class Seen:
    """What happened, in numbers."""

    policies_signed_on_device: int = 0
    policies_refused: list[str] = field(default_factory=list)
    trades_on_device: int = 0
    trades_on_hot_account: int = 0
    rejected: list[str] = field(default_factory=list)
    destroyed_too_late: list[str] = field(default_factory=list)
    unplugged: list[str] = field(default_factory=list)
    next_account_named: bool = False
    requests_shown: int = 0

    def figures(self) -> dict[str, object]:
        """Everything, for the last line."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    def everything(self) -> bool:
        """Whether each scene showed what it is there for."""
        return (
            self.policies_signed_on_device == 2
            and len(self.policies_refused) == 1
            and self.trades_on_device == 2
            and self.trades_on_hot_account == 2
            and self.rejected == ["REJECTED_ON_DEVICE"]
            and self.destroyed_too_late == ["SLIPPAGE_TOO_HIGH"]
            and self.unplugged == ["DEVICE_OUTCOME_UNKNOWN"]
            and self.next_account_named
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that is open. `desk` is the Ledger of the first account, `guard` that of the policy."""

    console: Console
    seen: Seen
    chain: Anvil
    files: SignerFiles
    client: Client
    desk: Desk
    guard: Desk
    guard_port: int

    @property
    def device_account(self) -> str:
        """The account on the Ledger."""
        return self.files.accounts[0]

    @property
    def hot_account(self) -> str:
        """The account on a development key."""
        return self.files.accounts[1]

    def tell(self, text: str) -> None:
        """One line for who watches."""
        self.console.print(f"  {text}")

    async def pressed(self, button: str) -> None:
        """Wait for the next request on the Ledger, and let the person press."""
        number = self.seen.requests_shown = self.seen.requests_shown + 1
        screens = await self.desk.shows(number)
        self.tell(f"the Ledger shows: {next(each for each in screens if each.startswith('Tx hash'))}")
        await self.desk.press(button)
        self.tell(f"the person: {button}")


async def play(console: Console, folder: Path) -> Seen:
    """Every scene."""
    seen = Seen()
    console.rule("[bold]1. A policy that its guardian signs on a device")
    async with _stage(console, folder, seen) as stage:
        console.rule("[bold]2. A large trade, confirmed on the Ledger")
        await _large_trade(stage)
        console.rule("[bold]3. The person says no")
        await _rejection(stage)
        console.rule("[bold]4. The person is too late: the price has moved")
        await _too_late(stage)
        console.rule("[bold]5. Unplugged in mid-review: the hot account takes over, smaller")
        await _unplugged(stage)
        console.rule("[bold]6. A wider limit, and who may widen it")
        await _wider(stage)
        console.rule("[bold]7. Plugged in again")
        await _back(stage)
    return seen


@asynccontextmanager
async def _stage(console: Console, folder: Path, seen: Seen) -> AsyncIterator[Stage]:
    uniswap = await uniswap_state()
    async with AsyncExitStack() as stack:
        chain = await stack.enter_async_context(Anvil(block_time_s=BLOCK_TIME_S))
        await chain.load_state(uniswap.dump)
        port, guard_port = free_port(), free_port()
        desk = await stack.enter_async_context(Desk.open(port, folder))
        guard = await stack.enter_async_context(Desk.open(guard_port, folder))
        files = write(
            folder / "signer",
            uniswap.world,
            chain.url,
            device=f"127.0.0.1:{port}",
            guardian=dev_account(GUARDIAN).address,
        )
        for account in files.accounts:
            await _give(chain, files, account, 20_000 * USDX_UNIT)
        await _sign_policy(console, seen, files, guard, guard_port)
        signer = await stack.enter_async_context(signer_program(files))
        await serving(files, signer)
        console.print(f"  signer: process {signer.pid}, its guardian is another Ledger")
        connection = wire.channel(f"127.0.0.1:{files.port}", files.pki)
        stub = wire.signer_stub(await stack.enter_async_context(connection))
        client = Client(stub=stub, chain=chain, world=uniswap.world, wallet=WALLET)
        yield Stage(
            console=console,
            seen=seen,
            chain=chain,
            files=files,
            client=client,
            desk=desk,
            guard=guard,
            guard_port=guard_port,
        )


async def _large_trade(stage: Stage) -> None:
    assert await _chosen(stage, LARGE) == stage.device_account
    await _trade_on_device(stage)


async def _trade_on_device(stage: Stage) -> None:
    client, account = stage.client, stage.device_account
    before = await client.holds(account)
    allowance = client.approve(account, LARGE)
    await stage.pressed("approve")
    await client.settled(allowance)
    signing = await client.swap(account, LARGE)
    await stage.pressed("approve")
    mined = await client.settled(signing)
    assert await client.holds(account) > before
    stage.seen.trades_on_device += 1
    stage.tell(f"mined: {mined}")


async def _rejection(stage: Stage) -> None:
    signing = await stage.client.swap(stage.device_account, LARGE)
    await stage.pressed("reject")
    stage.seen.rejected = wire.reasons(await refused(signing))
    stage.tell(f"the client hears {stage.seen.rejected}")


async def _too_late(stage: Stage) -> None:
    mover = PriceMover(stage.chain, stage.files.world, "ABC")
    request = await stage.client.quoted(stage.device_account, LARGE)
    signing = stage.client.sign(request)
    await stage.desk.shows(stage.seen.requests_shown + 1)
    await mover.move(-100)
    await stage.client.until_denied(request)
    await stage.pressed("approve")
    stage.seen.destroyed_too_late = wire.reasons(await refused(signing))
    stage.tell(f"the signature was destroyed; the client hears {stage.seen.destroyed_too_late}")
    await mover.move(100)
    await stage.client.until_allowed(stage.device_account, LARGE)


async def _unplugged(stage: Stage) -> None:
    signing = await stage.client.swap(stage.device_account, LARGE)
    await stage.pressed("unplug")
    error = await refused(signing)
    stage.seen.unplugged = wire.reasons(error)
    stage.tell(f"the client hears {stage.seen.unplugged}: the account is paused until somebody looked")
    named = wire.error_infos(error)[0].metadata.get("next_account", "")
    stage.seen.next_account_named = named.lower() == stage.hot_account
    stage.tell(f"and which account would sign instead: {named}")
    assert await _chosen(stage, LARGE) is None
    choices = {each.account.lower(): each for each in (await stage.client.choose(LARGE)).choices}
    most = int(choices[stage.hot_account].max_amount_in)
    stage.tell(f"it takes {most // USDX_UNIT} USDX at most")
    await _trade_on_hot(stage, min(most, SMALL))


async def _wider(stage: Stage) -> None:
    files, wanted = stage.files, HOT_PER_TRADE_LATER
    write_policy(files, serial=2, hot_per_trade=wanted)
    reloaded = await operator(files, "reload-policy")
    assert reloaded.code != 0, "an unsigned policy came into force"
    stage.seen.policies_refused.append("edited after it was signed")
    stage.tell(f"refused: {' '.join(reloaded.err.split()).replace(str(files.folder), '…')}")
    await _sign_policy(stage.console, stage.seen, files, stage.guard, stage.guard_port)
    assert (await operator(files, "reload-policy")).code == 0
    await _trade_on_hot(stage, wanted)


async def _back(stage: Stage) -> None:
    await stage.desk.press("plug")
    await stage.desk.press("open Ethereum")
    assert (await operator(stage.files, "resume", "--account", stage.device_account)).code == 0
    assert await _chosen(stage, LARGE) == stage.device_account
    await _trade_on_device(stage)


async def _trade_on_hot(stage: Stage, amount: int) -> None:
    await stage.client.settled(stage.client.approve(stage.hot_account, amount))
    mined = await stage.client.settled(await stage.client.swap(stage.hot_account, amount))
    stage.seen.trades_on_hot_account += 1
    stage.tell(f"{amount // USDX_UNIT} USDX on the hot account, mined: {mined}")


async def _chosen(stage: Stage, amount: int) -> str | None:
    answer = await stage.client.choose(amount)
    return answer.account.lower() or None


async def _sign_policy(console: Console, seen: Seen, files: SignerFiles, guard: Desk, port: int) -> None:
    """The command on one side, a person who reads and presses on the other."""
    number = guard.reviews + 1
    command = (
        "policy",
        "sign",
        str(files.policy),
        "--ledger",
        f"tcp:127.0.0.1:{port}",
        "--path",
        GUARDIAN_PATH,
    )
    signing: asyncio.Task[Ended] = asyncio.create_task(command_line(PROGRAM, *command))
    screens = await guard.shows(number)
    console.print(f"  the guardian's Ledger shows: {' | '.join(screens)}")
    await guard.press("approve")
    ended = await signing
    assert ended.code == 0, ended.err
    seen.policies_signed_on_device += 1
    console.print(f"  {ended.out.strip().splitlines()[-1].replace(str(files.folder), '…')}")


async def _give(chain: Anvil, files: SignerFiles, account: str, amount: int) -> None:
    data = abi.calldata("mint(address,uint256)", account.rpartition(":")[2], amount)
    await chain.send(dev_account(LIQUIDITY_PROVIDER).address, files.world.usdx, data)
