"""What is read into locked memory from a server that answers in every way HTTP allows, and in some others."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from typing_extensions import override

from signer.adapters.vault.secret_channel import ANSWER_BYTES, Endpoint, SecretChannels, StatusError
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason
from tests.testbed.vault import VaultServer

OK = b"HTTP/1.1 200 OK\r\n"
BODY = b'{"data":{"batch_results":[]}}'
WHOLE = OK + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY


@dataclass
class Server:
    """Sends `answers` in turn, the last one for ever; b"" closes the connection, None never answers."""

    answers: list[bytes | None] = field(default_factory=lambda: [WHOLE])
    asked: list[bytes] = field(default_factory=list)
    connections: int = 0
    slices: int = 10**6
    transports: list[asyncio.WriteTransport] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.transports.append(writer.transport)
        while head := await _head(reader):
            self.asked.append(head)
            answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
            if answer is None:
                await asyncio.Event().wait()
            elif answer:
                for at in range(0, len(answer), self.slices):
                    writer.write(answer[at : at + self.slices])
                    await asyncio.sleep(0)
                    await writer.drain()
            if not answer or b"Connection: close" in answer:
                break
        writer.close()


@pytest.fixture(name="server")
async def _server() -> Server:
    return Server()


@pytest.fixture(name="channels")
async def _channels(server: Server) -> AsyncIterator[SecretChannels]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    channels = SecretChannels(Endpoint(host="127.0.0.1", port=port, tls=lambda: None, timeout_ms=2_000))
    yield channels
    channels.close()
    listening.close()
    for transport in server.transports:
        transport.abort()
    await asyncio.sleep(0)  # an aborted transport closes in the next round


@pytest.mark.parametrize("slices", [1, 7, 10**6])
@pytest.mark.parametrize(
    "answer",
    [
        WHOLE,
        OK + b"transfer-encoding: Chunked\r\n\r\n" + b"1d\r\n" + BODY + b"\r\n0\r\n\r\n",
        OK + b'Transfer-Encoding: chunked\r\n\r\n3;x=y\r\n{"d\r\n1a\r\n' + BODY[3:] + b"\r\n0\r\n\r\n",
        OK + b"Connection: close\r\nContent-Length: 29\r\n\r\n" + BODY,
    ],
)
async def test_every_framing_gives_the_same_body(
    server: Server, channels: SecretChannels, answer: bytes, slices: int
) -> None:
    server.answers, server.slices = [answer], slices

    assert await channels.post("p", {}, b"{}", bytes) == BODY
    assert await channels.post("p", {}, b"{}", bytes) == BODY


async def test_what_is_sent_is_one_post_with_its_headers(server: Server, channels: SecretChannels) -> None:
    await channels.post("transit/decrypt/k", {"X-Vault-Token": "t"}, memoryview(b'{"a":1}'), bytes)

    (head,) = server.asked
    assert head.startswith(b"POST /v1/transit/decrypt/k HTTP/1.1\r\nHost: 127.0.0.1:")
    assert b"\r\nContent-Length: 7\r\n" in head
    assert head.endswith(b'X-Vault-Token: t\r\n\r\n{"a":1}')


async def test_memory_is_overwritten_whatever_the_reader_does(channels: SecretChannels) -> None:
    kept: list[memoryview] = []

    def keep(body: memoryview) -> None:
        kept.append(body)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await channels.post("p", {}, b"{}", keep)

    assert bytes(kept[0]) == bytes(len(BODY))


async def test_a_connection_is_kept_and_made_anew_when_the_server_has_closed_it(
    server: Server, channels: SecretChannels
) -> None:
    server.answers = [WHOLE, WHOLE, b"", WHOLE]

    for _ in range(3):
        assert await channels.post("p", {}, b"{}", bytes) == BODY

    assert server.connections == 2
    assert len(server.asked) == 4


async def test_another_status_is_told_and_never_read_as_an_answer(
    server: Server, channels: SecretChannels
) -> None:
    server.answers = [b"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\n{}"]

    with pytest.raises(StatusError) as caught:
        await channels.post("p", {}, b"{}", bytes)

    assert (caught.value.status, caught.value.body) == (403, b"{}")


async def test_a_batch_that_failed_in_parts_is_an_answer(server: Server, channels: SecretChannels) -> None:
    server.answers = [WHOLE.replace(b"200 OK", b"400 Bad Request")]

    assert await channels.post("p", {}, b"{}", bytes) == BODY


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", FailReason.VAULT_UNREACHABLE),
        (None, FailReason.VAULT_SLOW),
        (b"SSH-2.0-x\r\n\r\n", FailReason.VAULT_FAULTY),
        (b"HTTP/2 200\r\n\r\n", FailReason.VAULT_FAULTY),
        (OK + b"\r\n", FailReason.VAULT_FAULTY),
        (OK + b"Content-Length: -1\r\n\r\n", FailReason.VAULT_FAULTY),
        (OK + b"Content-Length: many\r\n\r\n", FailReason.VAULT_FAULTY),
        (OK + b"Content-Length: 99999999\r\n\r\n" + bytes(2 * ANSWER_BYTES), FailReason.VAULT_FAULTY),
        (OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", FailReason.VAULT_FAULTY),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n-4\r\n", FailReason.VAULT_FAULTY),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"1" * 99 + b"\r\n", FailReason.VAULT_FAULTY),
        (OK + b"X: " + b"x" * 2 * ANSWER_BYTES, FailReason.VAULT_FAULTY),
        (OK + b"Connection: close\r\nContent-Length: 99\r\n\r\n" + BODY, FailReason.VAULT_UNREACHABLE),
        (OK + b"Content-Length: 99\r\n\r\n" + BODY, FailReason.VAULT_SLOW),
    ],
)
async def test_what_is_no_answer_has_its_own_reason_and_the_next_question_works(
    server: Server, channels: SecretChannels, answer: bytes | None, reason: FailReason
) -> None:
    server.answers = [answer, WHOLE]

    with pytest.raises(UnavailableError) as caught:
        await channels.post("p", {}, b"{}", bytes)

    assert caught.value.reason == reason
    assert await channels.post("p", {}, b"{}", bytes) == BODY


async def test_a_second_answer_is_never_taken_for_the_answer_to_the_next_question(
    server: Server, channels: SecretChannels
) -> None:
    other = WHOLE.replace(b"data", b"late")
    server.answers = [WHOLE + other, WHOLE]

    assert await channels.post("p", {}, b"{}", bytes) == BODY
    assert await channels.post("p", {}, b"{}", bytes) == BODY
    assert server.connections == 2


async def test_an_answer_that_comes_unasked_is_never_taken_for_the_answer_to_the_next_question(
    server: Server, channels: SecretChannels
) -> None:
    await channels.post("p", {}, b"{}", bytes)
    server.transports[0].write(WHOLE.replace(b"data", b"late"))
    await asyncio.sleep(0.05)

    assert await channels.post("p", {}, b"{}", bytes) == BODY


async def test_a_cancelled_caller_leaves_the_channel_usable(server: Server, channels: SecretChannels) -> None:
    server.answers = [None, WHOLE]
    asking = [asyncio.create_task(channels.post("p", {}, b"{}", bytes)) for _ in range(8)]
    await asyncio.sleep(0.05)
    asking[0].cancel()

    answers = await asyncio.gather(*asking, return_exceptions=True)

    assert sum(answer == BODY for answer in answers) >= 6
    assert await channels.post("p", {}, b"{}", bytes) == BODY


@pytest.mark.parametrize("bad", ["a\r\nX: y", "a\nb", "ä"])
async def test_a_header_cannot_smuggle_another(channels: SecretChannels, bad: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        await channels.post("p", {"X-Vault-Token": bad}, b"{}", bytes)


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        return head + await reader.readexactly(length)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


async def test_a_connection_that_is_cut_off_stays_encrypted_for_the_thread_that_writes_to_it(
    vault_server: VaultServer,
) -> None:
    made: list[ssl.SSLSocket] = []

    class Noted(ssl.SSLSocket):
        @override
        def do_handshake(self, block: bool = False) -> None:
            made.append(self)
            super().do_handshake(block)

    context = ssl.create_default_context(cafile=vault_server.ca)
    context.sslsocket_class = Noted
    parts = urlsplit(vault_server.url)
    channels = SecretChannels(
        Endpoint(host=parts.hostname or "", port=parts.port or 0, tls=lambda: context, timeout_ms=2_000),
        channels=1,
    )
    try:
        for _ in range(3):
            with pytest.raises(StatusError):
                await channels.post("sys/none", {}, b"{}", bytes)
        for channel in channels._channels:
            channel.abort()

        assert [each.version() for each in made] == ["TLSv1.3"]
    finally:
        channels.close()
