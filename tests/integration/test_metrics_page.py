"""What the page shows of rotations, checkpoints and states; it is read over HTTP, on loopback."""

import socket

import aiohttp
import pytest
from prometheus_client.registry import Collector

from signer.adapters.metrics.approvals import ApprovalMetrics
from signer.adapters.metrics.rotations import CheckpointMetrics, RotationMetrics
from signer.adapters.metrics.server import serving_metrics
from signer.adapters.metrics.state import StateMetrics
from signer.domain.accounts import AccountId, AccountState
from signer.domain.errors import ConfigurationError
from signer.domain.rotating import Fact, Rotating
from signer.domain.time import MS_PER_S, UnixMs
from signer.service.audit_checkpoints import CheckpointState
from signer.service.rotation_schedule import DAY_S, RotationLimits, schedule
from tests.fakes.clock import START, FakeClock

ACCOUNT = AccountId("eip155:31337:0x" + "a1" * 20)


async def page(*collectors: Collector) -> dict[str, str]:
    async with (
        serving_metrics("127.0.0.1:0", collectors) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        assert answer.status == 200
        lines = (await answer.text()).splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


async def test_ages_and_due_times_are_shown_as_of_now() -> None:
    clock = FakeClock()
    since = UnixMs(START - 80 * DAY_S * MS_PER_S)
    facts = [
        Fact(what=Rotating.WRAPPING_KEY, name="w", since=since),
        Fact(what=Rotating.SERVER_CERTIFICATE, name="server.pem", problem="cannot be read"),
    ]
    entries = schedule(facts, RotationLimits(), START)
    clock.advance_s(20 * DAY_S)
    shown = await page(RotationMetrics(lambda: entries, clock))

    assert float(shown['airlock_rotation_age_seconds{name="w",what="wrapping_key"}']) == 100 * DAY_S
    assert float(shown['airlock_rotation_due_seconds{name="w",what="wrapping_key"}']) == -10 * DAY_S
    assert shown['airlock_rotation_unknown{name="server.pem",what="server_certificate"}'] == "1.0"
    assert 'airlock_rotation_age_seconds{name="server.pem",what="server_certificate"}' not in shown


async def test_a_delay_of_checkpoints_is_shown() -> None:
    clock = FakeClock()
    state = CheckpointState(
        last_seq=7, last_at=START, uncovered=12, failing_since=START, problem="Vault is sealed"
    )
    at_once = await page(CheckpointMetrics(lambda: state, clock))
    clock.advance_s(90)
    later = await page(CheckpointMetrics(lambda: state, clock))

    assert at_once["airlock_audit_checkpoint_delayed_seconds"] == "1.0"
    assert later["airlock_audit_checkpoint_delayed_seconds"] == "90.0"
    assert later["airlock_audit_uncovered_records"] == "12.0"
    assert "sealed" not in str(later)


async def test_states_and_parts_are_shown() -> None:
    shown = await page(
        StateMetrics(accounts=lambda: {ACCOUNT: AccountState.DRAINING}, parts={"vault": lambda: False})
    )

    assert shown == {
        f'airlock_account{{account="{ACCOUNT}",state="draining"}}': "1.0",
        'airlock_up{part="vault"}': "0.0",
    }


async def test_what_waits_for_a_person_is_counted_by_device() -> None:
    shown = await page(ApprovalMetrics(lambda: {"desk": (4_000, 61_500)}))

    assert shown == {
        'airlock_approvals_waiting{device="desk"}': "2.0",
        'airlock_approvals_oldest_seconds{device="desk"}': "61.5",
    }


async def test_only_the_one_page_is_served() -> None:
    async with serving_metrics("127.0.0.1:0", []) as port, aiohttp.ClientSession() as session:
        answers = [
            (await session.request(method, f"http://127.0.0.1:{port}{path}")).status
            for method, path in (("GET", "/"), ("POST", "/metrics"), ("GET", "/metrics/../etc"))
        ]

    assert answers == [404, 405, 404]


async def test_an_address_in_use_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(ConfigurationError, match=f"metrics_listen: cannot listen on {listen}"):
            async with serving_metrics(listen, []):
                pass
