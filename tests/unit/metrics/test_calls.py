"""Calls are counted by method, outcome and reason, and by nothing that a client could make many of."""

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from signer.adapters.metrics.calls import CallMetrics


def page(metrics: CallMetrics) -> dict[str, str]:
    registry = CollectorRegistry()
    registry.register(metrics)
    lines = generate_latest(registry).decode().splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def test_every_outcome_is_counted_once_and_nothing_stays_in_flight() -> None:
    metrics = CallMetrics()
    metrics.answered("Evaluate", metrics.begun())
    metrics.denied("SignEvmTransaction", metrics.begun(), ["FEE_TOO_HIGH", "AMOUNT_TOO_HIGH"])
    metrics.failed("SignEvmTransaction", metrics.begun(), "VAULT_SEALED")
    shown = page(metrics)

    assert shown['airlock_calls_total{method="Evaluate",outcome="answered"}'] == "1.0"
    assert shown['airlock_calls_total{method="SignEvmTransaction",outcome="denied"}'] == "1.0"
    assert shown['airlock_calls_total{method="SignEvmTransaction",outcome="failed"}'] == "1.0"
    assert shown['airlock_denials_total{reason="AMOUNT_TOO_HIGH"}'] == "1.0"
    assert shown['airlock_failures_total{reason="VAULT_SEALED"}'] == "1.0"
    assert shown["airlock_calls_in_flight"] == "0.0"


def test_what_is_in_flight_and_open_now_is_shown() -> None:
    metrics = CallMetrics()
    metrics.begun()
    metrics.stream_opened()
    metrics.stream_opened()
    metrics.stream_closed()

    assert page(metrics)["airlock_calls_in_flight"] == "1.0"
    assert page(metrics)["airlock_streams_open"] == "1.0"


def test_a_call_falls_into_every_bucket_that_is_long_enough() -> None:
    metrics = CallMetrics()
    metrics.answered("Evaluate", metrics.begun() - 3_000_000)
    shown = page(metrics)

    assert shown['airlock_call_seconds_bucket{le="0.002",method="Evaluate"}'] == "0.0"
    assert shown['airlock_call_seconds_bucket{le="10",method="Evaluate"}'] == "1.0"
    assert shown['airlock_call_seconds_bucket{le="+Inf",method="Evaluate"}'] == "1.0"
    assert shown['airlock_call_seconds_count{method="Evaluate"}'] == "1.0"
