"""The signer client over a real gRPC connection: what was asked arrives, and each status means one thing."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from grpc import StatusCode, aio

from signer.adapters.pki.dev_pki import write_dev_pki
from signer.domain.time import UnixMs
from tests.fakes.fake_signer import FakeSigner, Script
from tests.fakes.signer_server import denial, signer_server, tls_server
from tests.testbed.accounts import dev_account
from tests.testbed.processes import until
from trader.adapters.signer_client import channel
from trader.adapters.signer_client.channel import SignerTarget, TlsFiles, signer_connection
from trader.adapters.signer_client.client import SignerClient, signer_client
from trader.adapters.signer_client.errors import refused_or_raise
from trader.adapters.signer_client.expiry import expires_at_s
from trader.domain.errors import (
    ConfigurationError,
    Instead,
    Refusal,
    SignerNotReadyError,
    SignerUnavailableError,
)
from trader.domain.ids import Address, IdempotencyKey, chain_of
from trader.domain.quotes import TransactionDraft
from trader.ports.signer import (
    IN_PROGRESS,
    Allowed,
    ApprovalBelief,
    GivenUp,
    PersonPhase,
    Refused,
    Signed,
    TransferBelief,
)

KEY = IdempotencyKey("0123456789abcdef0123456789abcdef")
TOKEN, SPENDER = Address("0x" + "11" * 20), Address("0x" + "22" * 20)
BELIEF = ApprovalBelief(token=TOKEN, spender=SPENDER, amount=7)
DRAFT = TransactionDraft(
    to=TOKEN,
    value_wei=0,
    data=b"\x01\x02",
    gas_limit=50_000,
    max_fee_per_gas_wei=10**10,
    max_priority_fee_per_gas_wei=10**9,
    deadline_s=0,
)


@pytest.fixture
def signer() -> FakeSigner:
    return FakeSigner(dev_account(1), chain_id=31337)


@pytest_asyncio.fixture
async def client(signer: FakeSigner, tmp_path: Path) -> AsyncIterator[SignerClient]:
    async with signer_server(signer, tmp_path) as address:
        target = SignerTarget(address=address, tls=None, plaintext_on_unix_socket=True)
        async with signer_client(target, deadline_ms=300) as made:
            yield made


async def test_a_signature_arrives_with_its_hash_and_the_same_key_gives_it_again(
    client: SignerClient, signer: FakeSigner
) -> None:
    first = await client.sign(KEY, signer.wallet, DRAFT, BELIEF)
    second = await client.sign(KEY, signer.wallet, DRAFT, BELIEF)

    assert isinstance(first, Signed)
    assert first == second
    assert "raw" not in repr(first)
    assert signer.drafts == [DRAFT]


async def test_a_denial_is_a_value_with_every_reason(client: SignerClient, signer: FakeSigner) -> None:
    signer.script(Script.DENY, Script.DENY)
    signed = await client.sign(KEY, signer.wallet, DRAFT, BELIEF)
    verdict = await client.evaluate(signer.wallet, DRAFT, BELIEF)

    assert isinstance(signed, Refused)
    assert signed == verdict
    assert signed.refusals[0].reason == "SLIPPAGE_TOO_HIGH"
    assert signed.refusals[0].metadata["limit"] == "50"


async def test_an_allowed_evaluation_says_what_was_understood(
    client: SignerClient, signer: FakeSigner
) -> None:
    assert isinstance(await client.evaluate(signer.wallet, DRAFT, BELIEF), Allowed)


@pytest.mark.parametrize("script", [Script.CUT_BEFORE, Script.CUT_AFTER, Script.HANG])
async def test_no_verdict_is_unknown_and_the_key_may_be_asked_again(
    client: SignerClient, signer: FakeSigner, script: Script
) -> None:
    signer.script(script)
    with pytest.raises(SignerUnavailableError):
        await client.sign(KEY, signer.wallet, DRAFT, BELIEF)

    assert isinstance(await client.sign(KEY, signer.wallet, DRAFT, BELIEF), Signed)
    assert len(signer.signed) == 1


async def test_a_paused_account_is_not_ready(client: SignerClient, signer: FakeSigner) -> None:
    signer.script(Script.PAUSED)
    with pytest.raises(SignerNotReadyError, match="ACCOUNT_PAUSED"):
        await client.sign(KEY, signer.wallet, DRAFT, BELIEF)


async def test_what_was_never_signed_is_looked_up_as_nothing(
    client: SignerClient, signer: FakeSigner
) -> None:
    nothing = await client.lookup(KEY)
    await client.sign(KEY, signer.wallet, DRAFT, BELIEF)
    found = await client.lookup(KEY)

    assert nothing is None
    assert found is not None
    assert found.transaction_hash == signer.signed[0].transaction_hash


async def test_what_is_still_asked_of_a_person_is_neither_signed_nor_unsigned(
    client: SignerClient, signer: FakeSigner
) -> None:
    signer.attend(signer.wallet, person_ms=60_000)
    asked = asyncio.create_task(client.sign(KEY, signer.wallet, DRAFT, BELIEF, person_ms=60_000))

    async def was_asked() -> bool:
        return signer.people.waiting() == [KEY]

    await until(was_asked, what="a person is asked")
    with pytest.raises(SignerUnavailableError) as caught:
        await client.lookup(KEY)
    signer.people.press(KEY)

    assert caught.value.reason == IN_PROGRESS
    assert isinstance(await asked, Signed)
    assert await client.lookup(KEY) is not None


async def test_the_choice_names_an_account_and_what_the_others_would_do(
    client: SignerClient, signer: FakeSigner
) -> None:
    other = signer.hold(dev_account(2))
    signer.group("main", signer.wallet, other)
    signer.most[signer.wallet] = 5
    choice = await client.choose("main", chain_of(other), TOKEN, 7)

    assert choice.wallet == other
    assert [(one.wallet, one.would_sign, one.reason) for one in choice.accounts] == [
        (signer.wallet, False, "AMOUNT_TOO_HIGH"),
        (other, True, ""),
    ]
    assert choice.accounts[0].max_amount_in == 5


async def test_who_would_sign_instead_comes_with_the_error(client: SignerClient, signer: FakeSigner) -> None:
    other = signer.hold(dev_account(2))
    signer.group("main", signer.wallet, other)
    signer.away[signer.wallet] = "DEVICE_GONE"
    with pytest.raises(SignerUnavailableError) as caught:
        await client.sign(KEY, signer.wallet, DRAFT, BELIEF)
    listed = {account.wallet: account for account in await client.accounts()}

    assert caught.value.reason == "DEVICE_GONE"
    assert caught.value.instead == Instead(wallet=other, max_amount_in=2**255)
    assert (listed[other].group, listed[other].ready) == ("main", True)
    assert (listed[signer.wallet].ready, listed[signer.wallet].not_ready_reason) == (False, "DEVICE_GONE")


async def test_a_person_may_take_longer_than_any_other_call(client: SignerClient, signer: FakeSigner) -> None:
    signer.attend(signer.wallet, person_ms=60_000)
    (account,) = await client.accounts()
    asking = asyncio.create_task(client.sign(KEY, signer.wallet, DRAFT, BELIEF, person_ms=account.person_ms))
    heard = await anext(client.phases())
    await asyncio.sleep(0.5)  # longer than the deadline of this client
    signer.people.press(KEY)

    assert isinstance(await asking, Signed)
    assert (heard.key, heard.phase, heard.message) == (KEY, PersonPhase.WAITING, "1 of 3 screens")


async def test_what_waits_for_a_person_is_given_up_by_its_id(
    client: SignerClient, signer: FakeSigner
) -> None:
    signer.attend(signer.wallet, person_ms=60_000)
    asking = asyncio.create_task(client.sign(KEY, signer.wallet, DRAFT, BELIEF, person_ms=60_000))
    heard = await anext(client.phases())
    answer = await client.cancel(IdempotencyKey(f"{KEY}-c"), heard.transaction_id, 2, 1)

    assert answer == GivenUp(transaction_id=heard.transaction_id)
    refused = await asking
    assert isinstance(refused, Refused)
    assert refused.refusals[0].reason == "GIVEN_UP"


@pytest.mark.parametrize("token", [None, TOKEN])
async def test_a_transfer_travels_as_what_it_is(
    client: SignerClient, signer: FakeSigner, token: Address | None
) -> None:
    belief = TransferBelief(token=token, recipient=SPENDER, amount=7)

    assert isinstance(await client.sign(KEY, signer.wallet, DRAFT, belief), Signed)
    assert isinstance(await client.evaluate(signer.wallet, DRAFT, belief), Allowed)


async def test_a_signer_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    target = SignerTarget(address=f"unix:{tmp_path / 'nobody.sock'}", tls=None, plaintext_on_unix_socket=True)
    async with signer_client(target, deadline_ms=200) as client:
        with pytest.raises(SignerUnavailableError):
            await client.accounts()


@pytest.mark.parametrize("state", ["draining", "retired"])
async def test_an_account_that_is_rotated_out_refuses_and_names_its_successor(
    client: SignerClient, signer: FakeSigner, state: str
) -> None:
    successor = signer.hold(dev_account(2))
    signer.rotate(signer.wallet, successor, state=state, swept=True)
    refused = await client.sign(KEY, signer.wallet, DRAFT, BELIEF)
    listed = {account.wallet: account for account in await client.accounts()}
    changed = await anext(client.account_changes())

    assert isinstance(refused, Refused)
    assert refused.refusals[0].reason == f"ACCOUNT_{state.upper()}"
    assert listed[signer.wallet].successor == successor
    assert listed[signer.wallet].emptied
    assert changed == signer.wallet


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (StatusCode.FAILED_PRECONDITION, SignerNotReadyError),
        (StatusCode.ALREADY_EXISTS, SignerNotReadyError),
        (StatusCode.NOT_FOUND, SignerNotReadyError),
        (StatusCode.PERMISSION_DENIED, SignerNotReadyError),
        (StatusCode.UNAVAILABLE, SignerUnavailableError),
        (StatusCode.INTERNAL, SignerUnavailableError),
        (StatusCode.DEADLINE_EXCEEDED, SignerUnavailableError),
        (StatusCode.RESOURCE_EXHAUSTED, SignerUnavailableError),
        (StatusCode.UNKNOWN, SignerUnavailableError),
        (StatusCode.CANCELLED, SignerUnavailableError),
    ],
)
def test_a_status_without_reasons_is_never_a_denial(code: StatusCode, expected: type[Exception]) -> None:
    with pytest.raises(expected):
        refused_or_raise(aio.AioRpcError(code, aio.Metadata(), aio.Metadata(), details="words"))


@pytest.mark.parametrize(
    ("domain", "code", "expected"),
    [
        ("somebody.else", StatusCode.PERMISSION_DENIED, SignerNotReadyError),
        ("signer.airlock", StatusCode.UNAVAILABLE, SignerUnavailableError),
    ],
)
def test_details_of_another_domain_or_status_are_not_believed(
    domain: str, code: StatusCode, expected: type[Exception]
) -> None:
    refused = Refused(refusals=(Refusal(reason="SLIPPAGE_TOO_HIGH", metadata={}),))
    trailer = aio.Metadata(("grpc-status-details-bin", denial(refused, domain).SerializeToString()))
    with pytest.raises(expected):
        refused_or_raise(aio.AioRpcError(code, aio.Metadata(), trailer, details="words"))


def test_a_revoked_grant_says_nothing_about_an_earlier_signature() -> None:
    refused = Refused(refusals=(Refusal(reason="NOT_GRANTED", metadata={}),))
    trailer = aio.Metadata(("grpc-status-details-bin", denial(refused).SerializeToString()))
    with pytest.raises(SignerNotReadyError):
        refused_or_raise(aio.AioRpcError(StatusCode.PERMISSION_DENIED, aio.Metadata(), trailer))


def test_broken_details_are_no_details() -> None:
    trailer = aio.Metadata(("grpc-status-details-bin", b"\xff\xff\xff"))
    with pytest.raises(SignerNotReadyError):
        refused_or_raise(aio.AioRpcError(StatusCode.PERMISSION_DENIED, aio.Metadata(), trailer))


@pytest.mark.parametrize(
    "target",
    [
        SignerTarget(address="127.0.0.1:1", tls=None, plaintext_on_unix_socket=True),
        SignerTarget(address="unix:/tmp/x", tls=None),
        SignerTarget(
            address="127.0.0.1:1",
            tls=TlsFiles(authority=Path("/no/ca"), certificate=Path("/no/c"), key=Path("/no/k")),
        ),
    ],
)
async def test_a_way_without_tls_or_certificates_is_refused(target: SignerTarget) -> None:
    with pytest.raises(ConfigurationError):
        async with signer_client(target):
            pass


@pytest.mark.parametrize(
    ("ours", "theirs", "name", "works"),
    [
        ("one", "one", None, True),
        ("one", "one", "signer", True),
        ("one", "one", "somebody.else", False),
        ("one", "two", None, False),
    ],
    ids=["our authority", "named", "another name", "another authority"],
)
async def test_mutual_tls_works_with_our_authority_and_name_only(
    signer: FakeSigner, tmp_path: Path, ours: str, theirs: str, name: str | None, *, works: bool
) -> None:
    now = UnixMs(time.time_ns() // 1_000_000)
    for folder in {ours, theirs}:
        write_dev_pki(tmp_path / folder, now=now)
    async with tls_server(signer, tmp_path / theirs) as port:
        tls = TlsFiles(
            authority=tmp_path / ours / "ca.pem",
            certificate=tmp_path / ours / "trader.pem",
            key=tmp_path / ours / "trader.key",
        )
        target = SignerTarget(address=f"127.0.0.1:{port}", tls=tls, server_name=name)
        async with signer_client(target, deadline_ms=2_000) as client:
            if works:
                assert [account.wallet for account in await client.accounts()] == [signer.wallet]
            else:
                with pytest.raises(SignerUnavailableError):
                    await client.accounts()
    days = (expires_at_s(tls.certificate) - now // 1000) // 86_400

    assert 1 < days < 400


def test_a_file_that_is_no_certificate_is_named(tmp_path: Path) -> None:
    path = tmp_path / "trader.pem"
    for text in ("", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"):
        path.write_text(text, encoding="ascii")
        with pytest.raises(ConfigurationError, match=str(path)):
            expires_at_s(path)


async def test_a_renewed_certificate_is_taken_over_and_no_call_is_lost(
    signer: FakeSigner, tmp_path: Path
) -> None:
    write_dev_pki(tmp_path, now=UnixMs(time.time_ns() // 1_000_000))
    tls = TlsFiles(
        authority=tmp_path / "ca.pem", certificate=tmp_path / "trader.pem", key=tmp_path / "trader.key"
    )
    async with tls_server(signer, tmp_path) as port:
        target = SignerTarget(address=f"127.0.0.1:{port}", tls=tls, server_name="localhost")
        async with signer_connection(target) as connection:
            client = SignerClient(connection, deadline_ms=2_000)
            before = connection.stub()
            await client.accounts()
            tls.certificate.write_bytes((tmp_path / "admin.pem").read_bytes())
            between_the_two_files = connection.stub()
            await client.accounts()
            tls.key.write_bytes((tmp_path / "admin.key").read_bytes())
            asked = [
                client.sign(IdempotencyKey(f"{number:032x}"), signer.wallet, DRAFT, BELIEF)
                for number in range(20)
            ]
            answers = await asyncio.gather(*asked)
            after = connection.stub()

    assert between_the_two_files is before
    assert after is not before
    assert all(isinstance(answer, Signed) for answer in answers)


async def test_what_ends_with_the_old_connection_is_no_answer_and_cancels_nobody(
    signer: FakeSigner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "_LAST_CALLS_END_MS", 1)
    write_dev_pki(tmp_path, now=UnixMs(time.time_ns() // 1_000_000))
    tls = TlsFiles(
        authority=tmp_path / "ca.pem", certificate=tmp_path / "trader.pem", key=tmp_path / "trader.key"
    )
    async with tls_server(signer, tmp_path) as port:
        target = SignerTarget(address=f"127.0.0.1:{port}", tls=tls, server_name="localhost")
        async with signer_connection(target) as connection:
            client = SignerClient(connection, deadline_ms=20_000)
            signer.script(Script.HANG)
            calls = [
                asyncio.ensure_future(anext(client.account_changes())),
                asyncio.ensure_future(client.sign(KEY, signer.wallet, DRAFT, BELIEF)),
            ]
            await _asked(signer)
            for ours, new in ((tls.certificate, "admin.pem"), (tls.key, "admin.key")):
                ours.write_bytes((tmp_path / new).read_bytes())
            await client.accounts()
            ended = await asyncio.gather(*calls, return_exceptions=True)

    assert [type(each) for each in ended] == [SignerUnavailableError] * 2


async def test_our_own_cancellation_stays_one(client: SignerClient, signer: FakeSigner) -> None:
    signer.script(Script.HANG)
    asking = asyncio.create_task(client.sign(KEY, signer.wallet, DRAFT, BELIEF))
    await _asked(signer)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


async def _asked(signer: FakeSigner) -> None:
    async def was_asked() -> bool:
        return bool(signer.asked)

    await until(was_asked, what="the signer is asked")
