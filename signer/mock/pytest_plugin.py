"""pytest plugin with the fixture `mock_signer`: `-p signer.mock.pytest_plugin`. Starts nothing by itself.

    async def test_my_client(mock_signer):
        mock = await mock_signer(POLICY_TOML)
        mock.script.then(Deny(reason=DenyReason.SLIPPAGE_TOO_HIGH))
        ... connect to mock.address with mock.pki / "trader.pem", "trader.key" and "ca.pem" ...

Needs pytest-asyncio. A mock ends with its test.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol

import pytest
import pytest_asyncio

from signer.mock.script import Script, Step
from signer.mock.signer import MockSettings, MockSigner
from signer.mock.signer import mock_signer as open_mock


class MockFactory(Protocol):
    """Starts a mock over a policy, with a script."""

    async def __call__(self, policy: str, *steps: Step, rpc_url: str | None = None) -> MockSigner:
        """Serve every account of the policy; the steps are done one by one."""
        ...


@pytest_asyncio.fixture
async def mock_signer(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[MockFactory]:
    """Start mocks: a factory, to be awaited."""
    async with AsyncExitStack() as stack:

        async def start(policy: str, *steps: Step, rpc_url: str | None = None) -> MockSigner:
            folder: Path = tmp_path_factory.mktemp("mock-signer")
            (folder / "policy.toml").write_text(policy, encoding="utf-8")
            settings = MockSettings(policy=folder / "policy.toml", pki=folder / "pki", rpc_url=rpc_url)
            return await stack.enter_async_context(open_mock(settings, script=Script(steps)))

        yield start
