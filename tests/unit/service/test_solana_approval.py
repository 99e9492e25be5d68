"""A Solana message before a person: what may be shown, and which signature may leave."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typing_extensions import override

from signer.decode.solana.signature import require_signature
from signer.domain.accounts import AccountId
from signer.domain.base58 import base58
from signer.domain.errors import (
    BrokenError,
    InvalidRequestError,
    PreconditionError,
    RejectedError,
    SignerError,
    UnavailableError,
)
from signer.domain.reasons import DenyReason, FailReason
from signer.domain.solana import Blockhash, BlockHeight, SignedSolanaMessage, SolanaKey
from signer.ports.blockhashes import LatestBlockhash, NonceAccount
from signer.ports.device import Watch
from signer.service.approvals.solana import LIFE_MAX_BLOCKS, SignedInTime, sign_attended
from tests.fakes.fake_device import FakeDevice
from tests.testbed.solana import CHAIN, advance, message, pay

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OWN = SolanaKey(PRIVATE.public_key().public_bytes_raw())
ACCOUNT = AccountId(f"{CHAIN}:{base58(OWN)}")
NONCE, OTHER = SolanaKey(b"\x02" * 32), SolanaKey(b"\x03" * 32)
OLD, FRESH, VALUE, NEXT_VALUE = (Blockhash(bytes([number]) * 32) for number in range(11, 15))
PLAIN = message(OWN, OLD, pay(OWN, OTHER, 5))
DURABLE = message(OWN, VALUE, advance(NONCE, OWN), pay(OWN, OTHER, 5))
AWAY = UnavailableError(FailReason.CHAIN_UNREACHABLE, "node is away")


@dataclass
class Person(FakeDevice):
    """Signs what is made, after `reads`; `made` is all that was put before them."""

    made: list[bytes] = field(default_factory=list)
    reads: Callable[[], None] = lambda: None
    private: Ed25519PrivateKey = PRIVATE
    returns: bytes | None = None

    @override
    async def sign_solana_at_turn(
        self, account: AccountId, make: Callable[[], Awaitable[bytes]], watch: Watch
    ) -> SignedSolanaMessage:
        assert account == ACCOUNT
        self.made.append(await make())
        self.reads()
        signed = self.returns or self.made[-1]
        return SignedSolanaMessage(message=signed, signature=self.private.sign(signed))


@dataclass
class FakeBlockhashes:
    """A chain that says what the test tells it."""

    height: int = 1_000
    last_valid: int = 1_150
    nonce: NonceAccount | SignerError = field(
        default_factory=lambda: NonceAccount(value=VALUE, authority=OWN)
    )
    away: bool = False

    async def latest(self) -> LatestBlockhash:
        self._there()
        return LatestBlockhash(blockhash=FRESH, last_valid_block_height=BlockHeight(self.last_valid))

    async def block_height(self) -> BlockHeight:
        self._there()
        return BlockHeight(self.height)

    async def nonce_account(self, account: SolanaKey) -> NonceAccount:
        self._there()
        assert account == NONCE
        if isinstance(self.nonce, SignerError):
            raise self.nonce
        return self.nonce

    def goes_away(self) -> None:
        self.away = True

    def _there(self) -> None:
        if self.away:
            raise AWAY


@dataclass
class Scene:
    person: Person = field(default_factory=Person)
    chain: FakeBlockhashes = field(default_factory=FakeBlockhashes)

    async def sign(self, raw: bytes, *, authorities: frozenset[SolanaKey] = frozenset()) -> SignedInTime:
        return await sign_attended(
            self.person, ACCOUNT, raw,
            blockhashes=self.chain, watch=lambda _: None, nonce_authorities=authorities,
        )  # fmt: skip


@pytest.fixture(name="scene")
def _scene() -> Scene:
    return Scene()


async def test_the_person_signs_the_message_with_a_new_blockhash(scene: Scene) -> None:
    signed = await scene.sign(PLAIN)

    assert signed.message == message(OWN, FRESH, pay(OWN, OTHER, 5))
    assert signed.last_valid_block_height == 1_150
    require_signature(OWN, signed.message, signed.signature)


@pytest.mark.parametrize("height", [1_000, 1_149, 1_150])
async def test_a_signature_before_the_last_valid_block_is_used(scene: Scene, height: int) -> None:
    scene.person.reads = lambda: setattr(scene.chain, "height", height)

    assert (await scene.sign(PLAIN)).last_valid_block_height == 1_150


async def test_a_signature_after_the_last_valid_block_is_destroyed(scene: Scene) -> None:
    scene.person.reads = lambda: setattr(scene.chain, "height", 1_151)

    with pytest.raises(RejectedError, match="came too late and was destroyed") as caught:
        await scene.sign(PLAIN)

    assert caught.value.reason is DenyReason.NOT_CONFIRMED_IN_TIME


@pytest.mark.parametrize("life", [-5, 0, LIFE_MAX_BLOCKS + 1, 2**60])
async def test_a_blockhash_that_cannot_be_so_young_is_not_shown(scene: Scene, life: int) -> None:
    scene.chain.last_valid = scene.chain.height + life

    with pytest.raises(UnavailableError, match=f"good for {life} blocks"):
        await scene.sign(PLAIN)

    assert scene.person.made == []


@pytest.mark.parametrize("raw", [PLAIN, DURABLE], ids=["blockhash", "nonce"])
async def test_nothing_is_shown_when_the_node_is_away(scene: Scene, raw: bytes) -> None:
    scene.chain.away = True

    with pytest.raises(UnavailableError):
        await scene.sign(raw)

    assert scene.person.made == []


@pytest.mark.parametrize("raw", [PLAIN, DURABLE], ids=["blockhash", "nonce"])
async def test_a_signature_whose_age_nobody_knows_is_destroyed(scene: Scene, raw: bytes) -> None:
    scene.person.reads = scene.chain.goes_away

    with pytest.raises(UnavailableError, match=r"node is away; .*it was destroyed"):
        await scene.sign(raw)

    assert len(scene.person.made) == 1


async def test_a_durable_message_is_shown_as_it_is(scene: Scene) -> None:
    signed = await scene.sign(DURABLE)

    assert signed.message == scene.person.made[0] == DURABLE
    assert signed.last_valid_block_height is None


_CHANGED = [
    (NonceAccount(value=NEXT_VALUE, authority=OWN), "it moved on"),
    (NonceAccount(value=VALUE, authority=OTHER), "its authority is"),
    (PreconditionError(FailReason.NONCE_NOT_USABLE, "there is no account"), "there is no account"),
]


@pytest.mark.parametrize(("found", "problem"), _CHANGED, ids=["moved", "foreign", "gone"])
async def test_a_nonce_that_is_not_as_the_message_has_it_is_not_shown(
    scene: Scene, found: NonceAccount | SignerError, problem: str
) -> None:
    scene.chain.nonce = found

    with pytest.raises(PreconditionError, match=problem) as caught:
        await scene.sign(DURABLE)

    assert caught.value.reason is FailReason.NONCE_NOT_USABLE
    assert scene.person.made == []


@pytest.mark.parametrize(("found", "problem"), _CHANGED, ids=["moved", "foreign", "gone"])
async def test_a_nonce_that_changes_while_the_person_reads_costs_the_signature(
    scene: Scene, found: NonceAccount | SignerError, problem: str
) -> None:
    scene.person.reads = lambda: setattr(scene.chain, "nonce", found)

    with pytest.raises(PreconditionError, match=problem):
        await scene.sign(DURABLE)

    assert len(scene.person.made) == 1


async def test_a_foreign_authority_is_refused_unless_it_is_listed(scene: Scene) -> None:
    foreign = message(OWN, VALUE, advance(NONCE, OTHER), pay(OWN, OTHER, 5))
    scene.chain.nonce = NonceAccount(value=VALUE, authority=OTHER)

    with pytest.raises(InvalidRequestError, match="or one listed is allowed"):
        await scene.sign(foreign)
    assert scene.person.made == []

    assert (await scene.sign(foreign, authorities=frozenset({OTHER}))).message == foreign


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "ends at byte 0"),
        (b"\x81" + PLAIN[1:], "version 1"),
        (message(OTHER, OLD, pay(OTHER, OWN, 5)), "needs no signature of"),
        (message(OWN, VALUE, pay(OWN, OTHER, 5), advance(NONCE, OWN)), "it is allowed once"),
    ],
    ids=["empty", "version", "signer", "nonce"],
)
async def test_a_message_that_cannot_be_signed_so_reaches_nobody(
    scene: Scene, raw: bytes, problem: str
) -> None:
    with pytest.raises(InvalidRequestError, match=problem):
        await scene.sign(raw)

    assert scene.person.made == []


async def test_a_signature_by_another_key_is_never_used(scene: Scene) -> None:
    scene.person.private = Ed25519PrivateKey.from_private_bytes(bytes(32))

    with pytest.raises(BrokenError) as caught:
        await scene.sign(PLAIN)

    assert caught.value.reason is FailReason.SIGNATURE_INVALID


async def test_a_signature_over_another_message_is_never_used(scene: Scene) -> None:
    scene.person.returns = PLAIN  # well signed, but with the blockhash of before

    with pytest.raises(BrokenError, match="another message than was made"):
        await scene.sign(PLAIN)
