"""`airlock-signer mock`: a signer for integration tests. Refuses what is not a public test key or chain."""

import asyncio
import json
import signal
from pathlib import Path

from signer.adapters.event_log import JsonEventLog
from signer.cli.command import Arguments, Subparsers
from signer.cli.exit_codes import ExitCode
from signer.mock.script import Script, load_script
from signer.mock.signer import MockSettings, mock_signer


def add_to(subparsers: Subparsers) -> None:
    """Add the command."""
    parser = subparsers.add_parser("mock", help="run a signer with public keys and scripted behaviour")
    parser.add_argument(
        "--listen", default="127.0.0.1:0", metavar="HOST:PORT", help="port 0 takes a free one"
    )
    parser.add_argument("--policy", required=True, type=Path, help="policy.toml; its accounts are served")
    parser.add_argument("--pki", required=True, type=Path, metavar="DIR", help="made when it is not there")
    parser.add_argument(
        "--rpc-url", help="local node; without it every price is 1:1 and nothing is ever mined"
    )
    parser.add_argument("--script", type=Path, metavar="FILE", help='JSON, as [{"do": "delay", "ms": 500}]')
    parser.set_defaults(command=_run)


def _run(arguments: Arguments) -> int:
    settings = MockSettings(
        policy=arguments.policy, pki=arguments.pki, listen=arguments.listen, rpc_url=arguments.rpc_url
    )
    script = load_script(arguments.script) if arguments.script else Script()
    asyncio.run(_until_told_to_stop(settings, script))
    return ExitCode.OK


async def _until_told_to_stop(settings: MockSettings, script: Script) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with mock_signer(settings, script=script, log=JsonEventLog()) as mock:
        # The first line on stdout tells a test harness where to connect.
        print(json.dumps({"listening": mock.address, "accounts": list(mock.accounts)}), flush=True)
        await stop.wait()
