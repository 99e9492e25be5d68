"""Between one command and Vault: kills the command when Vault has done what it asked, before it hears of it.

    with KillingProxy(vault, folder) as proxy:
        proxy.doomed, proxy.after = process, "transit/rewrap/"

Only what changes something counts, so that reading the same path is harmless. Refuses nothing, not even LIST,
which aiohttp's parser does not know.
"""

import http.client
import ssl
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from typing_extensions import override

from signer.adapters.pki.authority import Authority
from signer.adapters.system_clock import SystemClock
from tests.testbed.vault import SERVER_URI, VaultServer

_HOST = "127.0.0.1"
_TIMEOUT_S = 60


class KillingProxy:
    """Listens on `url` with a certificate of `ca`, both in a thread of its own until the end of the block."""

    def __init__(self, vault: VaultServer, folder: Path) -> None:
        self.doomed: subprocess.Popen[bytes] | None = None
        self.after = ""
        self.ca = folder / "proxy-ca.pem"
        self._vault, self._folder = vault, folder
        self._server = ThreadingHTTPServer((_HOST, 0), self._handler())
        self.url = f"https://{_HOST}:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._server.socket = self._tls().wrap_socket(self._server.socket, server_side=True)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _tls(self) -> ssl.SSLContext:
        authority = Authority(name="Airlock test CA of a proxy", now=SystemClock().now())
        issued = authority.server(uri=SERVER_URI, hosts=[_HOST])
        self.ca.write_bytes(authority.own.certificate)
        certificate, key = self._folder / "proxy.pem", self._folder / "proxy.key"
        certificate.write_bytes(issued.certificate)
        key.write_bytes(issued.key)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        return context

    def _ask(self, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        there = urlsplit(self._vault.url)
        tls = ssl.create_default_context(cafile=self._vault.ca)
        connection = http.client.HTTPSConnection(
            str(there.hostname), there.port, context=tls, timeout=_TIMEOUT_S
        )
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _kills(self, method: str, path: str) -> bool:
        """Kill, if this was the request; says whether it was."""
        if self.doomed is None or method in {"GET", "LIST"} or self.after not in path:
            return False
        self.doomed.kill()
        return True

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                headers = {name: text for name, text in self.headers.items() if name.startswith("X-Vault-")}
                status, body = proxy._ask(self.command, self.path, self.rfile.read(length), headers)
                if proxy._kills(self.command, self.path):
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_POST = do_PUT = do_LIST = do_GET  # noqa: N815 - the library's names

            @override
            def log_message(self, format: str, *args: object) -> None:
                """Nobody reads it."""

        return Handler
