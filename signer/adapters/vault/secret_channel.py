"""HTTPS whose answers are read into locked memory. Makes no Python object of an answer that is fine.

An HTTP library would leave a key in its read buffers, in bytes and in str. Here OpenSSL decrypts into its own
record buffer, which it overwrites (SSL_OP_CLEANSE_PLAINTEXT), and into our locked pages; nowhere else.
"""

import asyncio
import select
import socket
import ssl
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from signer.adapters.vault.locked_memory import LockedBuffer
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason

CHANNELS = 3
"""Requests on their way at once; each has a connection, a thread and pages of its own."""

ANSWER_BYTES = 32 * 1024
"""Longest answer. A batch of 32 keys is 3 kB."""

_SSL_OP_CLEANSE_PLAINTEXT = 1 << 1  # openssl/ssl.h since 3.0; Python has no name for it
_OK, _BAD_REQUEST = 200, 400
_SIZE_LINE_BYTES = 64
_HEAD_END = b"\r\n\r\n"

Used = TypeVar("Used")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where Vault listens. `tls` is asked for each new connection; None is plain HTTP, on loopback only."""

    host: str
    port: int
    tls: Callable[[], ssl.SSLContext | None]
    timeout_ms: int


class StatusError(Exception):
    """Vault answered with another status than 200. Such an answer holds no key; `body` is what it said."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.body = body


class SecretChannels:
    """A few connections to one Vault, opened when they are needed and kept alive."""

    def __init__(self, endpoint: Endpoint, *, channels: int = CHANNELS) -> None:
        """Raises ConfigurationError when memory cannot be locked."""
        self._timeout_s = endpoint.timeout_ms / 1_000
        self._where = f"{endpoint.host}:{endpoint.port}"
        self._channels = tuple(_Channel(endpoint) for _ in range(channels))
        self._free = list(self._channels)
        self._turn = asyncio.Semaphore(channels)
        self._threads = ThreadPoolExecutor(channels, thread_name_prefix="vault-secret")

    async def post(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes | memoryview,
        use: Callable[[memoryview], Used],
    ) -> Used:
        """POST to `/v1/path`; returns what `use` makes of the answer's body, in a thread of ours.

        `use` sees the body of a 200, and of a 400 with `batch_results`. Raises StatusError for the rest, and
        UnavailableError with VAULT_UNREACHABLE, VAULT_SLOW or VAULT_FAULTY.
        """
        await self._turn.acquire()
        channel = self._free.pop()
        work = asyncio.get_running_loop().run_in_executor(
            self._threads, channel.post, path, headers, body, use
        )
        work.add_done_callback(lambda done: self._land(channel, done))
        try:
            async with asyncio.timeout(self._timeout_s):
                return await asyncio.shield(work)
        except TimeoutError:
            channel.abort()
            text = f"Vault at {self._where} did not answer {path} in {self._timeout_s} s"
            raise UnavailableError(FailReason.VAULT_SLOW, text) from None

    def close(self) -> None:
        """Cut off what is still on its way, close the connections, overwrite the pages."""
        for channel in self._channels:
            channel.abort()
        self._threads.shutdown()
        for channel in self._channels:
            channel.close()

    def _land(self, channel: "_Channel", done: "asyncio.Future[Used]") -> None:
        self._free.append(channel)
        self._turn.release()
        if not done.cancelled():
            done.exception()  # whoever waited may be gone


class _Channel:
    """One connection, used by one thread at a time."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._buffer = LockedBuffer(ANSWER_BYTES)
        self._socket: socket.socket | None = None
        self._aborted = False

    def post(
        self,
        path: str,
        headers: Mapping[str, str],
        body: bytes | memoryview,
        use: Callable[[memoryview], Used],
    ) -> Used:
        """Ask, and give the answer to `use`. Whatever happens, the pages are overwritten."""
        self._aborted = False
        try:
            answer = self._ask(_head(self._endpoint, path, headers, len(body)), body)
            content = self._buffer.view[answer.start : answer.end]
            batch_failed = answer.status == _BAD_REQUEST and (
                self._buffer.find(b'"batch_results"', answer.start, answer.end) >= 0
            )
            if answer.status != _OK and not batch_failed:
                raise StatusError(answer.status, bytes(content))
            return use(content)
        except TimeoutError:
            self._drop()
            raise UnavailableError(
                FailReason.VAULT_SLOW, f"Vault did not answer {path} in {self._endpoint.timeout_ms} ms"
            ) from None
        except OSError as error:
            self._drop()
            problem = f"Vault at {self._endpoint.host}:{self._endpoint.port} is out of reach: {error}"
            raise UnavailableError(FailReason.VAULT_UNREACHABLE, problem) from None
        except _NoHttpError as error:
            self._drop()
            raise UnavailableError(
                FailReason.VAULT_FAULTY, f"what answers {path} is not Vault as we know it: {error}"
            ) from None
        finally:
            self._buffer.wipe()

    def abort(self) -> None:
        """Make a thread that is in `post` fail soon. From another thread."""
        self._aborted = True
        kept = self._socket
        if kept is not None:
            try:
                # Not its own method: that takes TLS off first, and what the other thread sends in between,
                # token and all, would go out as it is.
                socket.socket.shutdown(kept, socket.SHUT_RDWR)
            except OSError:
                return  # it has ended by itself

    def close(self) -> None:
        self._drop()
        self._buffer.close()

    def _ask(self, head: bytes, body: bytes | memoryview) -> "_Answer":
        kept = self._socket
        if kept is not None and _is_unasked(kept):
            self._drop()
            kept = None
        if kept is not None:
            try:
                return self._exchange(kept, head, body)
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                if self._aborted:
                    raise TimeoutError from None
                # The server had closed the connection that we kept. Asking twice is harmless.
                self._drop()
                self._buffer.wipe()
        self._socket = fresh = self._connect()
        if self._aborted:
            raise TimeoutError  # while there was no connection to cut off; nobody waits for the answer
        return self._exchange(fresh, head, body)

    def _exchange(self, connection: socket.socket, head: bytes, body: bytes | memoryview) -> "_Answer":
        if isinstance(body, bytes):
            connection.sendall(head + body)
        else:
            connection.sendall(head)
            connection.sendall(body)
        answer = _Reader(connection, self._buffer).answer()
        if answer.closes:
            self._drop()
        return answer

    def _connect(self) -> socket.socket:
        endpoint = self._endpoint
        plain = socket.create_connection((endpoint.host, endpoint.port), timeout=endpoint.timeout_ms / 1_000)
        try:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            tls = endpoint.tls()
            if tls is None:
                return plain
            tls.options |= _SSL_OP_CLEANSE_PLAINTEXT
            return tls.wrap_socket(plain, server_hostname=endpoint.host)
        except BaseException:
            plain.close()
            raise

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class _NoHttpError(Exception):
    """What came is no HTTP/1.1 answer that we read."""


class _GoneError(ConnectionError):
    """The connection ended before the answer did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """An answer whose body lies at start..end of the buffer."""

    status: int
    start: int
    end: int
    closes: bool


class _Reader:
    """Reads one answer into the buffer. Only its head becomes a Python object."""

    def __init__(self, connection: socket.socket, buffer: LockedBuffer) -> None:
        self._connection = connection
        self._buffer = buffer
        self._filled = 0

    def answer(self) -> _Answer:
        start = self._until(_HEAD_END, 0) + len(_HEAD_END)
        status, fields = _parse_head(bytes(self._buffer.view[:start]))
        if fields.get("transfer-encoding", "").lower() == "chunked":
            end, read = self._chunks(start)
        else:
            end = read = start + _number(fields.get("content-length", ""), 10)
            self._fill(end)
        # More than one answer would be taken for the answer to the next question.
        closes = fields.get("connection", "").lower() == "close" or self._filled > read
        return _Answer(status=status, start=start, end=end, closes=closes)

    def _chunks(self, start: int) -> tuple[int, int]:
        """Join the chunks where they lie; returns the end of the joined body, and of what was read for it."""
        end = at = start
        while True:
            line_end = self._until(b"\r\n", at)
            if line_end - at > _SIZE_LINE_BYTES:
                raise _NoHttpError("a chunk without a size")
            size = _number(bytes(self._buffer.view[at:line_end]).split(b";")[0].decode("latin-1"), 16)
            at = line_end + 2
            self._fill(at + size + 2)
            self._buffer.move(end, at, size)
            end, at = end + size, at + size + 2
            if size == 0:
                return end, at

    def _until(self, mark: bytes, start: int) -> int:
        """Read until `mark` is there; returns where."""
        while (found := self._buffer.find(mark, start, self._filled)) < 0:
            self._more()
        return found

    def _fill(self, end: int) -> None:
        while self._filled < end:
            self._more()

    def _more(self) -> None:
        if self._filled == len(self._buffer):
            raise _NoHttpError(f"an answer of more than {len(self._buffer)} bytes")
        count = self._connection.recv_into(self._buffer.view[self._filled :])
        if count == 0:
            raise _GoneError("the connection ended before the answer")
        self._filled += count


def _is_unasked(connection: socket.socket) -> bool:
    """Whether something is there before we asked: the end, or an answer that belongs to nobody."""
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    return bool(poll.poll(0))


def _head(endpoint: Endpoint, path: str, headers: Mapping[str, str], length: int) -> bytes:
    lines = [
        f"POST /v1/{path} HTTP/1.1",
        f"Host: {endpoint.host}:{endpoint.port}",
        f"Content-Length: {length}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    text = "\r\n".join(lines)
    if not text.isascii() or text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise ValueError(f"a line break or a letter beyond ASCII in the request to {path[:80]!r}")
    return text.encode() + _HEAD_END


def _parse_head(head: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    version, _, rest = first.partition(" ")
    if version not in {"HTTP/1.1", "HTTP/1.0"}:
        raise _NoHttpError("no HTTP/1.1")
    fields = {}
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    return _number(rest[:3], 10), fields


def _number(text: str, base: int) -> int:
    try:
        number = int(text, base)
    except ValueError:
        raise _NoHttpError(f"{text[:20]!r} where a number belongs") from None
    if number < 0:
        raise _NoHttpError("a negative length")
    return number
