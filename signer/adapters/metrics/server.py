"""The page that Prometheus reads: GET /metrics, nothing else. Answers from memory and asks nobody."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector

from signer.domain.errors import ConfigurationError

_MAX_HEADER_BYTES = 4_096


@asynccontextmanager
async def serving_metrics(listen: str, collectors: Iterable[Collector]) -> AsyncIterator[int]:
    """Serve until the block ends; yields the port. Raises ConfigurationError when it cannot listen there."""
    registry = CollectorRegistry()
    for collector in collectors:
        registry.register(collector)

    async def page(_request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    application = web.Application()
    application.router.add_get("/metrics", page)
    runner = web.AppRunner(application, access_log=None, max_field_size=_MAX_HEADER_BYTES)
    await runner.setup()
    try:
        host, _, port = listen.rpartition(":")
        try:
            await web.TCPSite(runner, host, int(port)).start()
        except OSError as error:
            raise ConfigurationError(
                f"metrics_listen: cannot listen on {listen} ({error.strerror}); a free address is allowed"
            ) from error
        (bound,) = (int(address[1]) for address in runner.addresses)
        yield bound
    finally:
        await runner.cleanup()
