"""Runs every measurement and prints a table and, last, one line of JSON. Judges nothing."""

import json
import tempfile
from pathlib import Path

from signer.settings import harden_environment

harden_environment()

import uvloop  # noqa: E402 - nothing may import grpc before the line above
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from tests.bench.booking import BookingFigures, measure_booking  # noqa: E402
from tests.bench.devices import DeviceFigures, measure_devices  # noqa: E402
from tests.bench.load import Load  # noqa: E402
from tests.bench.mempool import MempoolFigures, measure_mempool  # noqa: E402
from tests.bench.signing import SOAK_REQUESTS, SigningFigures, measure_signing  # noqa: E402
from tests.bench.vault import VaultFigures, measure_vault  # noqa: E402
from tests.testbed import vault_binary  # noqa: E402
from tests.testbed.bed import uniswap_state  # noqa: E402
from tests.testbed.postgres import postgres_server  # noqa: E402


async def bench(console: Console, folder: Path) -> None:
    """Measure one thing after the other, so that none disturbs another."""
    state = await uniswap_state()
    console.print("signing path beside the bare echo …")
    signing = await measure_signing(state, folder / "signing")
    with postgres_server() as postgres:
        console.print("reserve and intent beside the bare statements …")
        async with postgres.database() as dsn:
            booking = await measure_booking(dsn)
        console.print("signal to mempool …")
        async with postgres.database() as dsn:
            mempool = await measure_mempool(state, folder / "mempool", dsn)
    console.print("signatures that a person confirms, and ten people who do not …")
    devices = await measure_devices(state, folder / "devices")
    vault = None
    if vault_binary.find() is None:
        console.print("vault: skipped, there is no Vault here; `make test` builds it where Go is")
    else:
        console.print("signatures through Vault beside raw hvac calls …")
        vault = await measure_vault()
    shown = table(signing, booking, mempool, vault)
    _add_devices(shown, devices)
    console.print(shown)
    seen = figures(signing, booking, mempool, vault) | _device_figures(devices)
    print(json.dumps(seen), flush=True)


def table(
    signing: SigningFigures, booking: BookingFigures, mempool: MempoolFigures, vault: VaultFigures | None
) -> Table:
    """Everything for people."""
    shown = Table("what", "per second", "p50 ms", "p99 ms", "beside the reference")
    for name, load, beside in (
        *(() if vault is None else _vault_rows(vault)),
        ("echo over mutual TLS, 1 in flight", signing.echo_1, ""),
        ("signature, 1 in flight", signing.sign_1, ""),
        ("signature, 4 in flight", signing.sign_4, ""),
        ("echo over mutual TLS, 32 in flight", signing.echo_32, ""),
        ("signature, 32 in flight", signing.sign_32, _paired(signing.sign_ratio_32)),
        ("bare UPDATE and INSERT, 16 tasks", booking.bare, ""),
        ("reserve and intent, 16 tasks", booking.reserved, _paired(booking.reserve_ratio_16)),
    ):
        shown.add_row(name, f"{load.per_s:,.0f}", f"{load.p50_ms:.2f}", f"{load.p99_ms:.2f}", beside)
    shown.add_row("signal to mempool", "", f"{mempool.p50_ms:.1f}", f"{mempool.p99_ms:.1f}", "")
    grown = (
        f"{signing.rss_mb_at_start:.0f} to {signing.rss_mb_at_end:.0f} MB over {SOAK_REQUESTS:,} signatures"
    )
    shown.add_row("signer, resident", "", "", "", grown)
    shown.add_row("trader, resident", "", "", "", f"{mempool.trader_rss_mb:.0f} MB")
    return shown


def _add_devices(shown: Table, devices: DeviceFigures) -> None:
    for name, load, beside in (
        ("bare exchange with a Ledger double", devices.bare, ""),
        ("signature through it, 1 in flight", devices.signature, f"{devices.overhead_p50_ms:+.2f} ms p50"),
        ("another account, 32 in flight", devices.alone_32, ""),
        (
            "the same while 10 people wait",
            devices.while_waiting_32,
            _paired(devices.while_waiting_ratio_32),
        ),
    ):
        shown.add_row(name, f"{load.per_s:,.0f}", f"{load.p50_ms:.2f}", f"{load.p99_ms:.2f}", beside)


def _device_figures(devices: DeviceFigures) -> dict[str, float]:
    return {
        "device_overhead_p50_ms": round(devices.overhead_p50_ms, 2),
        "while_people_wait_ratio_32": round(devices.while_waiting_ratio_32, 3),
    }


def _vault_rows(vault: VaultFigures) -> tuple[tuple[str, Load, str], ...]:
    return (
        ("raw hvac sign, 1 in flight", vault.hvac_1, ""),
        ("vault: Solana, 1 in flight", vault.solana_1, f"{vault.solana_overhead_p50_ms_1:+.2f} ms p50"),
        ("vault: EVM, 1 in flight", vault.evm_1, f"{vault.evm_overhead_p50_ms_1:+.2f} ms p50"),
        ("raw hvac sign, 32 in flight, 8 threads", vault.hvac_32, ""),
        ("vault: Solana, 32 in flight", vault.solana_32, _paired(vault.solana_ratio_32)),
        ("vault: EVM, 32 in flight", vault.evm_32, _paired(vault.evm_ratio_32)),
    )


def figures(
    signing: SigningFigures, booking: BookingFigures, mempool: MempoolFigures, vault: VaultFigures | None
) -> dict[str, float]:
    """Everything for programs."""
    seen = {} if vault is None else _vault_figures(vault)
    return seen | {
        "sign_ratio_32": round(signing.sign_ratio_32, 3),
        "sign_per_s_32": round(signing.sign_32.per_s),
        "echo_per_s_32": round(signing.echo_32.per_s),
        "sign_p50_ms_1": round(signing.sign_1.p50_ms, 2),
        "sign_p50_ms_4": round(signing.sign_4.p50_ms, 2),
        "reserve_ratio_16": round(booking.reserve_ratio_16, 3),
        "signal_to_mempool_p50_ms": round(mempool.p50_ms, 1),
        "signer_rss_mb": round(signing.rss_mb_at_end, 1),
        "signer_rss_mb_at_start": round(signing.rss_mb_at_start, 1),
        "trader_rss_mb": round(mempool.trader_rss_mb, 1),
    }


def _vault_figures(vault: VaultFigures) -> dict[str, float]:
    return {
        "vault_solana_ratio_32": round(vault.solana_ratio_32, 3),
        "vault_evm_ratio_32": round(vault.evm_ratio_32, 3),
        "vault_overhead_p50_ms_1": round(vault.overhead_p50_ms_1, 2),
    }


def _paired(ratio: float) -> str:
    return f"{ratio:.2f} of it, median of paired rounds"


def main() -> None:
    """Run in a folder that goes away with the bench."""
    with tempfile.TemporaryDirectory(prefix="airlock-bench-") as folder:
        uvloop.run(bench(Console(width=110), Path(folder)))


if __name__ == "__main__":
    main()
