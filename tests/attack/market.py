"""Requests of a trader, honest until a test changes them; refuses to judge any."""

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from protos.airlock.signer.v1 import signer_pb2 as pb
from protos.airlock.signer.v1 import types_pb2 as types
from tests.attack.works import PER_TRADE, THIEF, Works
from tests.fakes import calldata
from tests.testbed import abi
from tests.testbed.accounts import dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.signer_program import GWEI
from tests.testbed.uniswap import V3_FEE, World

AMOUNT_IN = PER_TRADE["USDX"]
MINIMUM_BPS = 9_950  # what the policy's 50 bps leave
BPS = 10_000

_keys = itertools.count(1)


def key() -> str:
    """A new idempotency key."""
    return f"attack-{next(_keys):012d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fees:
    """What a request offers for inclusion; the defaults are modest."""

    gas_limit: int = 300_000
    max_fee_per_gas_wei: int = 20 * GWEI
    max_priority_fee_per_gas_wei: int = GWEI


MODEST = Fees()


def call(signature: str, *arguments: object) -> bytes:
    """Calldata that no encoder of the programs writes, as in `call("transfer(address,uint256)", to, 5)`."""
    return bytes.fromhex(abi.calldata(signature, *arguments).removeprefix("0x"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """One account's view: `abc_out` and `weth_out` are what AMOUNT_IN of USDX is worth on V2 and V3 now.

    The others are what the thief's own pools say: junk, the token that keeps a fee, and ABC by way of junk.
    """

    world: World
    works: Works
    own: str
    abc_out: int
    weth_out: int
    junk_out: int
    taxed_out: int
    detour_out: int

    @classmethod
    async def look(cls, chain: Anvil, world: World, works: Works, index: int) -> Self:
        """Asks the chain for the quotes."""

        async def v2(*path: str) -> int:
            return await quote_v2(chain, world, AMOUNT_IN, path)

        return cls(
            world=world,
            works=works,
            own=dev_account(index).address,
            abc_out=await v2(world.usdx, world.abc),
            weth_out=await quote_v3(chain, world, AMOUNT_IN, (world.usdx, world.weth)),
            junk_out=await v2(world.usdx, works.junk),
            taxed_out=await v2(world.usdx, works.taxed),
            detour_out=await v2(world.usdx, works.junk, world.abc),
        )

    @property
    def account(self) -> str:
        """CAIP-10 of the account."""
        return f"eip155:{self.world.chain_id}:{self.own}"

    @property
    def abc_minimum(self) -> int:
        """The least ABC that the policy lets a swap ask for."""
        return least(self.abc_out)

    @property
    def weth_minimum(self) -> int:
        """The least WETH that the policy lets a swap ask for."""
        return least(self.weth_out)

    @property
    def deadline(self) -> int:
        """A minute from now."""
        return int(time.time()) + 60

    def request(
        self, to: str, data: bytes, claim: types.Claim, *, value_wei: int = 0, fees: Fees = MODEST
    ) -> pb.SignEvmTransactionRequest:
        """Any bytes under any claim."""
        return pb.SignEvmTransactionRequest(
            idempotency_key=key(),
            account=self.account,
            transaction=types.EvmTransaction(
                to=to,
                value_wei=str(value_wei),
                data=data,
                gas_limit=fees.gas_limit,
                max_fee_per_gas_wei=str(fees.max_fee_per_gas_wei),
                max_priority_fee_per_gas_wei=str(fees.max_priority_fee_per_gas_wei),
            ),
            claim=claim,
        )

    def swap_v2(
        self,
        *,
        amount_in: int = AMOUNT_IN,
        minimum_out: int | None = None,
        path: Sequence[str] | None = None,
        recipient: str | None = None,
        deadline: int | None = None,
        tail: bytes = b"",
        fees: Fees = MODEST,
        quoted_s_ago: int = 0,
    ) -> pb.SignEvmTransactionRequest:
        """USDX into ABC through Router02, and what is to be wrong with it."""
        minimum = self.abc_minimum if minimum_out is None else minimum_out
        tokens = path or (self.world.usdx, self.world.abc)
        data = calldata.swap_exact_tokens_for_tokens(
            amount_in, minimum, tokens, recipient or self.own, deadline or self.deadline
        )
        claim = swap_claim(tokens[0], tokens[-1], amount_in, minimum, quoted_s_ago=quoted_s_ago)
        return self.request(self.world.v2_router, data + tail, claim, fees=fees)

    def swap_v3(
        self, data: bytes, *, value_wei: int = 0, fees: Fees = MODEST
    ) -> pb.SignEvmTransactionRequest:
        """Any calldata for SwapRouter02, claimed to be an honest swap of USDX into WETH."""
        world = self.world
        claim = swap_claim(world.usdx, world.weth, AMOUNT_IN, self.weth_minimum)
        return self.request(world.swap_router, data, claim, value_wei=value_wei, fees=fees)

    def single(self, recipient: str | None = None) -> bytes:
        """The inner call `exactInputSingle`, USDX into WETH."""
        path = (self.world.usdx, self.world.weth)
        return calldata.exact_input_single(path, V3_FEE, recipient or self.own, AMOUNT_IN, self.weth_minimum)

    def approve(
        self,
        spender: str,
        amount: int,
        *,
        claimed: int | None = None,
        symbol: str = "USDX",
        fees: Fees = MODEST,
    ) -> pb.SignEvmTransactionRequest:
        """An allowance; the claim says `claimed` when that is given."""
        token = self.world.token(symbol)
        said = types.ApproveClaim(
            token=token, spender=spender, amount=str(amount if claimed is None else claimed)
        )
        return self.request(token, calldata.approve(spender, amount), types.Claim(approve=said), fees=fees)

    def pay(self, recipient: str, amount_wei: int, data: bytes = b"") -> pb.SignEvmTransactionRequest:
        """ETH to somebody."""
        claim = types.NativeTransferClaim(recipient=recipient or THIEF, amount=str(amount_wei))
        return self.request(recipient, data, types.Claim(native_transfer=claim), value_wei=amount_wei)

    def deposit(self, amount_wei: int) -> pb.SignEvmTransactionRequest:
        """ETH into WETH."""
        claim = wrap_claim(types.WrapClaim.DIRECTION_DEPOSIT, amount_wei)
        return self.request(self.world.weth, calldata.deposit(), claim, value_wei=amount_wei)

    def withdraw(self, amount_wei: int) -> pb.SignEvmTransactionRequest:
        """WETH into ETH."""
        claim = wrap_claim(types.WrapClaim.DIRECTION_WITHDRAW, amount_wei)
        return self.request(self.world.weth, calldata.withdraw(amount_wei), claim)


def swap_claim(
    token_in: str, token_out: str, amount_in: int, minimum_out: int, *, quoted_s_ago: int = 0
) -> types.Claim:
    """What the trader says that a swap does; a negative age is a quote from the future."""
    return types.Claim(
        swap=types.SwapClaim(
            token_in=token_in,
            token_out=token_out,
            amount_in=str(amount_in),
            minimum_out=str(minimum_out),
            quoted_out=str(minimum_out),
            quote_time_unix_ms=time.time_ns() // 1_000_000 - quoted_s_ago * 1_000,
        )
    )


def wrap_claim(direction: types.WrapClaim.Direction.ValueType, amount_wei: int) -> types.Claim:
    """What the trader says that a deposit or a withdrawal does."""
    return types.Claim(wrap=types.WrapClaim(direction=direction, amount_wei=str(amount_wei)))


def least(quoted_out: int) -> int:
    """The smallest minimum within 50 bps of a quote."""
    return -(-quoted_out * MINIMUM_BPS // BPS)


async def quote_v2(chain: Anvil, world: World, amount_in: int, path: Sequence[str]) -> int:
    """What Router02 would give now."""
    (amounts,) = await chain.call(
        world.v2_router, "getAmountsOut(uint256,address[])", amount_in, list(path), returns="(uint256[])"
    )
    assert isinstance(amounts, tuple)
    out = amounts[-1]
    assert isinstance(out, int)
    return out


async def quote_v3(chain: Anvil, world: World, amount_in: int, path: Sequence[str]) -> int:
    """What one V3 pool would give now."""
    asked = (path[0], path[1], amount_in, V3_FEE, 0)
    (out, *_) = await chain.call(
        world.quoter,
        "quoteExactInputSingle((address,address,uint256,uint24,uint160))",
        asked,
        returns="(uint256,uint160,uint32,uint256)",
    )
    assert isinstance(out, int)
    return out
