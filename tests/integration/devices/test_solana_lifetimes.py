"""A person is slower than a blockhash: signed on a device, run by the real runtime of Solana."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from solders.keypair import Keypair

from signer.adapters.dev_key.derivation import solana_key
from signer.adapters.json_rpc.transport import JsonRpc
from signer.adapters.solana_rpc.blockhashes import SolanaBlockhashes
from signer.domain.accounts import ChainName
from signer.domain.errors import InvalidRequestError, PreconditionError, RejectedError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.solana import SolanaKey
from signer.service.approvals.solana import SignedInTime, sign_attended
from tests.fakes.json_rpc_node import served, text
from tests.fakes.solana_node import SolanaNode
from tests.integration.devices.ledger_rig import REAL
from tests.integration.devices.solana_desk import KINDS, SolanaDesk, solana_desk
from tests.integration.devices.trezor_rig import EMULATOR
from tests.testbed.solana import CHAIN, SOL, SolanaWorld, advance, message, pay

pytestmark = pytest.mark.skipif(bool(REAL or EMULATOR), reason="scripts the device itself")

TO = b"\x09" * 32
AMOUNT = SOL // 10
NODE_PATIENCE_MS = 15_000
FOREIGN = Keypair.from_seed(bytes([99]) * 32)


@dataclass(kw_only=True)
class Scene:
    """A device, its account with 10 SOL on a chain, and the signer's node."""

    desk: SolanaDesk
    node: SolanaNode
    blockhashes: SolanaBlockhashes

    @property
    def world(self) -> SolanaWorld:
        return self.node.world

    @property
    def owner(self) -> Keypair:
        """The device's key, which tests know: it is a public one."""
        owner = Keypair.from_seed(solana_key(0))
        assert bytes(owner.pubkey()) == self.desk.key
        return owner

    @property
    def paid(self) -> int:
        return self.world.balance(TO)

    def payment(self) -> bytes:
        return message(self.desk.key, self.world.blockhash, pay(self.desk.key, TO, AMOUNT))

    def durable(self, nonce: bytes, authority: bytes | None = None) -> bytes:
        first = advance(nonce, authority or self.desk.key)
        return message(self.desk.key, self.world.nonce_value(nonce), first, pay(self.desk.key, TO, AMOUNT))

    async def sign(self, raw: bytes, *authorities: bytes) -> SignedInTime:
        return await sign_attended(
            self.desk.backend, self.desk.account, raw,
            blockhashes=self.blockhashes, watch=self.desk.watch,
            nonce_authorities=frozenset(SolanaKey(each) for each in authorities),
        )  # fmt: skip


@pytest.fixture(name="scene", params=KINDS)
async def _scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(served(SolanaNode()))
        rpc = await stack.enter_async_context(JsonRpc(node.url, timeout_ms=NODE_PATIENCE_MS))
        desk = await stack.enter_async_context(solana_desk(request.param, tmp_path))
        node.world.fund(desk.key, 10 * SOL)
        blockhashes = SolanaBlockhashes(rpc, ChainName(CHAIN))
        yield Scene(desk=desk, node=node, blockhashes=blockhashes)


async def test_a_message_that_waited_is_renewed_and_executes(scene: Scene) -> None:
    waited = scene.payment()
    scene.world.expire(3)

    signed = await scene.sign(waited)

    assert signed.message != waited
    assert scene.world.execute(signed.message, signed.signature) is None
    assert scene.paid == AMOUNT


async def test_the_same_message_with_its_old_blockhash_is_refused_by_the_runtime(scene: Scene) -> None:
    waited = scene.payment()
    scene.world.expire()

    signature = await scene.desk.backend.sign_solana(scene.desk.account, waited)

    assert "BlockhashNotFound" in str(scene.world.execute(waited, signature))
    assert scene.paid == 0


async def test_a_person_slower_than_the_blockhash_signs_nothing_that_is_used(scene: Scene) -> None:
    scene.desk.reads = scene.world.expire

    with pytest.raises(RejectedError, match="came too late and was destroyed") as caught:
        await scene.sign(scene.payment())

    assert caught.value.reason is DenyReason.NOT_CONFIRMED_IN_TIME
    scene.desk.reads = lambda: None
    signed = await scene.sign(scene.payment())
    assert scene.world.execute(signed.message, signed.signature) is None


async def test_a_durable_nonce_outlives_200_blockhashes_and_works_once(scene: Scene) -> None:
    raw = scene.durable(scene.world.open_nonce(scene.desk.key))
    scene.desk.reads = lambda: scene.world.expire(200)

    signed = await scene.sign(raw)

    assert (signed.message, signed.last_valid_block_height) == (raw, None)
    assert scene.world.execute(signed.message, signed.signature) is None
    assert scene.paid == AMOUNT
    for _ in range(3):
        assert scene.world.execute(signed.message, signed.signature) is not None
        scene.world.expire()
    assert scene.paid == AMOUNT


async def test_a_nonce_that_moved_on_before_is_not_shown(scene: Scene) -> None:
    nonce = scene.world.open_nonce(scene.desk.key)
    raw = scene.durable(nonce)
    scene.world.advance(nonce, scene.owner)

    with pytest.raises(PreconditionError, match="it moved on; nothing was shown") as caught:
        await scene.sign(raw)

    assert caught.value.reason is FailReason.NONCE_NOT_USABLE
    assert scene.desk.reviews == 0


async def test_a_nonce_that_moves_on_while_the_person_reads_costs_the_signature(scene: Scene) -> None:
    nonce = scene.world.open_nonce(scene.desk.key)
    scene.desk.reads = lambda: scene.world.advance(nonce, scene.owner)

    with pytest.raises(PreconditionError, match="it moved on; the signature was destroyed"):
        await scene.sign(scene.durable(nonce))

    assert scene.desk.reviews == 1


async def test_an_account_that_is_no_nonce_is_not_shown(scene: Scene) -> None:
    wrong = bytes(scene.world.payer.pubkey())
    raw = message(
        scene.desk.key, scene.world.blockhash, advance(wrong, scene.desk.key), pay(scene.desk.key, TO, 1)
    )

    with pytest.raises(PreconditionError, match="is no nonce account that can be used"):
        await scene.sign(raw)

    assert scene.desk.reviews == 0


async def test_a_nonce_of_somebody_else_is_not_shown(scene: Scene) -> None:
    theirs = scene.world.open_nonce(bytes(FOREIGN.pubkey()))

    with pytest.raises(PreconditionError, match="its authority is"):
        await scene.sign(scene.durable(theirs))  # names us as its authority
    with pytest.raises(InvalidRequestError, match="one listed is allowed"):
        await scene.sign(scene.durable(theirs, bytes(FOREIGN.pubkey())))

    assert scene.desk.reviews == 0


async def test_a_listed_authority_signs_beside_the_person(scene: Scene) -> None:
    authority = bytes(FOREIGN.pubkey())
    raw = scene.durable(scene.world.open_nonce(authority), authority)

    signed = await scene.sign(raw, authority)

    beside = bytes(FOREIGN.sign_message(signed.message))
    assert scene.world.execute(signed.message, signed.signature, beside) is None
    assert scene.paid == AMOUNT


@pytest.mark.parametrize("durable", [False, True], ids=["blockhash", "nonce"])
async def test_a_node_that_dies_before_the_prompt_shows_nothing(scene: Scene, durable: bool) -> None:
    raw = scene.durable(scene.world.open_nonce(scene.desk.key)) if durable else scene.payment()
    scene.node.raw = text("away", 503)

    with pytest.raises(UnavailableError):
        await scene.sign(raw)

    assert scene.desk.reviews == 0
    scene.node.raw = None
    signed = await scene.sign(raw)
    assert scene.world.execute(signed.message, signed.signature) is None


@pytest.mark.parametrize("durable", [False, True], ids=["blockhash", "nonce"])
async def test_a_node_that_dies_while_the_person_reads_costs_the_signature(
    scene: Scene, durable: bool
) -> None:
    raw = scene.durable(scene.world.open_nonce(scene.desk.key)) if durable else scene.payment()
    scene.desk.reads = lambda: setattr(scene.node, "raw", text("away", 503))

    with pytest.raises(UnavailableError, match="it was destroyed"):
        await scene.sign(raw)

    assert scene.desk.reviews == 1


async def test_a_node_that_promises_a_blockhash_for_ever_is_not_believed(scene: Scene) -> None:
    answer = scene.node.seen(
        {"blockhash": str(scene.world.svm.latest_blockhash()), "lastValidBlockHeight": 2**60}
    )
    scene.node.answers["getLatestBlockhash"] = answer

    with pytest.raises(UnavailableError, match="are possible"):
        await scene.sign(scene.payment())

    assert scene.desk.reviews == 0


async def test_a_node_that_shows_an_old_blockhash_as_new_gains_nothing(scene: Scene) -> None:
    old = scene.world.svm.latest_blockhash()
    scene.world.expire()
    last_valid = scene.world.last_valid_block_height
    scene.node.answers["getLatestBlockhash"] = scene.node.seen(
        {"blockhash": str(old), "lastValidBlockHeight": last_valid}
    )

    signed = await scene.sign(scene.payment())

    assert "BlockhashNotFound" in str(scene.world.execute(signed.message, signed.signature))
