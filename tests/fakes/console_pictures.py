"""Pictures as a signer would send them: a swap before a person, one behind it, a device, an account."""

from protos.airlock.signer.v1 import admin_pb2 as pb
from protos.airlock.signer.v1 import signer_pb2, types_pb2
from signer.api.seen import SeenPicture, seen
from signer.cli.console.state import Moment, State, begin, saw
from signer.domain.time import UnixMs

NOW = UnixMs(1_800_000_000_000)
FIRST, SECOND = "0a" * 16, "0b" * 16
ACCOUNT = "eip155:1:0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
ROUTER = "0x7a250d5630B4cF539739dF2C5dAcb4c659F2488D"
USDC, WETH = "0xa0b86991c6218b36c1d19d4a2e9eb0ce3606eb48", "0xc02aaa39b223fe8d0a0e5c4f27ead9083c756cc2"
HASH = "0x" + "".join(f"{byte:02x}" for byte in range(1, 33))
START = Moment(wall=UnixMs(NOW + 250), steady_ms=5_000)


def usdc(units: int) -> pb.AssetAmount:
    return pb.AssetAmount(asset=USDC, symbol="USDC", decimals=6, amount=str(units))


def weth(units: int) -> pb.AssetAmount:
    return pb.AssetAmount(asset=WETH, symbol="WETH", decimals=18, amount=str(units))


def eth(units: int) -> pb.AssetAmount:
    return pb.AssetAmount(asset="native", symbol="ETH", decimals=18, amount=str(units))


def swap_before_a_person() -> pb.Approval:
    """250,000 USDC for 99.7 WETH, on the screen of the device."""
    return pb.Approval(
        approval_id=FIRST,
        account=ACCOUNT,
        wallet="large",
        client="spiffe://airlock.local/trader",
        method="SignEvmTransaction",
        device="desk",
        phase=signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_WAITING_FOR_CONFIRMATION,
        phase_message="confirm on the device: Tx hash",
        asked_time_unix_ms=NOW - 18_000,
        ends_time_unix_ms=NOW + 102_000,
        nonce=41,
        decoded_actions=[
            f"Swap 250,000 USDC for at least 99.7 WETH at uniswap_v2_router02 {ROUTER}",
            "Swap(venue=uniswap_v2_router02)",
        ],
        pays=[usdc(250_000 * 10**6)],
        receives_at_least=[weth(997 * 10**17)],
        quoted=[weth(9995 * 10**16)],
        references=[pb.ReferenceAmount(source="pool_quote", amount=weth(100 * 10**18))],
        slippage_bps=30,
        max_slippage_bps=50,
        fee_max=str(200_000 * 20 * 10**9),
        fee_detail="200,000 gas at 20 gwei at most",
        positions=[
            pb.Position(before=usdc(400_000 * 10**6), after=str(150_000 * 10**6)),
            pb.Position(before=weth(123 * 10**16), after=str(10093 * 10**16)),
            pb.Position(before=eth(2 * 10**18), after=str(2 * 10**18 - 4 * 10**15)),
        ],
        budget=[
            _line("fee", 86_400, 5 * 10**17, 10**17),
            _line("transactions", 60, 30, 3),
            _line("native", 86_400, 10**18, 0),
            _line(f"token:{USDC}", 3_600, 500_000 * 10**6, 100_000 * 10**6),
            _line(f"token:{USDC}", 86_400, 1_000_000 * 10**6, 100_000 * 10**6),
            _line(f"token:{WETH}", 3_600, 10**20, 0),
        ],
        device_screens=[
            pb.DeviceScreen(title="Blind signing", text="ahead"),
            pb.DeviceScreen(title="To", text=ROUTER),
            pb.DeviceScreen(title="Tx hash", text=HASH),
            pb.DeviceScreen(title="Sign", text="transaction"),
        ],
        policy_hash="ab" * 32,
    )


def queued() -> pb.Approval:
    """Not looked into yet."""
    return pb.Approval(
        approval_id=SECOND,
        account=ACCOUNT,
        wallet="large",
        client="spiffe://airlock.local/other",
        method="CancelTransaction",
        device="desk",
        phase=signer_pb2.WatchTransactionsResponse.DEVICE_PHASE_QUEUED,
        phase_message="1 before this one",
        asked_time_unix_ms=NOW - 3_000,
        ends_time_unix_ms=NOW + 25_000,
        policy_hash="ab" * 32,
    )


def picture(*approvals: pb.Approval, paused: bool = False) -> pb.WatchApprovalsResponse:
    """Everything."""
    states = signer_pb2.Account
    return pb.WatchApprovalsResponse(
        time_unix_ms=NOW,
        approvals=approvals or (swap_before_a_person(), queued()),
        devices=[
            pb.Device(
                name="desk", kind="ledger", state="reviewing", ready=True, detail="Ethereum 1.22.0", waiting=2
            ),
            pb.Device(
                name="safe",
                kind="trezor",
                state="gone",
                reason="DEVICE_LOCKED",
                message="enter the PIN on the device",
            ),
        ],
        outcomes=[
            pb.ApprovalOutcome(
                approval_id="0c" * 16,
                account=ACCOUNT,
                client="spiffe://airlock.local/trader",
                summary="Swap(venue=uniswap_v2_router02)",
                verdict="denied",
                reasons=["REJECTED_ON_DEVICE"],
                message="no",
                time_unix_ms=NOW - 60_000,
            )
        ],
        accounts=[
            states(
                account=ACCOUNT,
                wallet="large",
                backend="ledger",
                state=states.STATE_PAUSED if paused else states.STATE_ACTIVE,
                pause_reason="fire drill" if paused else "",
            )
        ],
    )


def seen_picture(*approvals: pb.Approval, paused: bool = False) -> SeenPicture:
    return seen(picture(*approvals, paused=paused))


def showing(*approvals: pb.Approval, paused: bool = False) -> State:
    """Connected, with the picture just arrived."""
    return saw(begin("127.0.0.1:7443", START), seen_picture(*approvals, paused=paused), START)


def later(ms: int) -> Moment:
    return Moment(wall=UnixMs(START.wall + ms), steady_ms=START.steady_ms + ms)


def _line(resource: str, window_s: int, limit: int, used: int) -> types_pb2.BudgetLine:
    return types_pb2.BudgetLine(
        resource=resource, window_s=window_s, limit=str(limit), used=str(used), unit="base units"
    )
