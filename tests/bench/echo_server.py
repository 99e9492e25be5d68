"""The reference of the signing path: a bare grpc.aio echo behind the same mutual TLS.

As a process of its own.
"""

import asyncio
import sys
from pathlib import Path

from signer.settings import harden_environment

harden_environment()

import grpc  # noqa: E402 - reads its environment when it is imported
import grpc.aio  # noqa: E402
import uvloop  # noqa: E402

METHOD = "/bench.Echo/Say"


async def _say(request: bytes, context: "grpc.aio.ServicerContext[bytes, bytes]") -> bytes:  # noqa: ARG001 - gRPC's shape
    return request


async def _serve(pki: Path, port: int) -> None:
    server = grpc.aio.server(options=(("grpc.so_reuseport", 0),))
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "Say": grpc.unary_unary_rpc_method_handler(_say)
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", handlers),))
    credentials = grpc.ssl_server_credentials(
        [((pki / "server.key").read_bytes(), (pki / "server.pem").read_bytes())],
        root_certificates=(pki / "ca.pem").read_bytes(),
        require_client_auth=True,
    )
    server.add_secure_port(f"127.0.0.1:{port}", credentials)
    await server.start()
    await server.wait_for_termination()


def main() -> None:
    """Arguments: folder of the certificates, port. Runs until it is ended."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Path(sys.argv[1]), int(sys.argv[2])))


if __name__ == "__main__":
    main()
