"""What could be done with the account's key, on a chain that no signer watches; refuses to ask any signer."""

from collections.abc import Mapping
from dataclasses import dataclass

from eth_account import Account
from eth_utils.address import to_checksum_address

from protos.airlock.signer.v1 import signer_pb2 as pb
from tests.attack.works import THIEF, Works
from tests.testbed import abi
from tests.testbed.accounts import COUNT, dev_account
from tests.testbed.anvil import Anvil
from tests.testbed.packages import Json
from tests.testbed.price_mover import PriceMover
from tests.testbed.uniswap import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Heist:
    """What can be done with a key, and what it is worth."""

    chain: Anvil
    world: World
    works: Works

    async def force(self, request: pb.SignEvmTransactionRequest) -> dict[str, Json]:
        """Signs exactly these bytes with the account's key and sends them; the receipt of a success."""
        receipt = await self.send_forced(request)
        assert receipt["status"] == "0x1", "the forced transaction reverted: it does no harm"
        return receipt

    async def send_forced(self, request: pb.SignEvmTransactionRequest) -> dict[str, Json]:
        """As `force`, but a revert is a receipt too."""
        return await self._receipt(await self.signed(request))

    async def signed(self, request: pb.SignEvmTransactionRequest) -> str:
        """These bytes under a signature that the signer did not make, `0x` hex, for the next nonce."""
        asked = request.transaction
        fields = {
            "type": 2,
            "to": to_checksum_address(asked.to) if asked.to else "",
            "value": int(asked.value_wei),
            "data": asked.data,
            "gas": asked.gas_limit,
            "maxFeePerGas": int(asked.max_fee_per_gas_wei),
            "maxPriorityFeePerGas": int(asked.max_priority_fee_per_gas_wei),
        }
        return await self._signed(request.account.rpartition(":")[2], fields)

    async def send_signed(self, sender: str, fields: Mapping[str, object]) -> dict[str, Json]:
        """A transaction of any type."""
        return await self._receipt(await self._signed(sender, fields))

    async def send_raw(self, raw: bytes) -> Json:
        return await self.chain.rpc("eth_sendRawTransaction", "0x" + raw.hex())

    async def thief_does(self, to: str, signature: str, *arguments: object) -> None:
        """The thief's own account acts; it needs no signer."""
        await self.chain.send(THIEF, to, abi.calldata(signature, *arguments))

    async def balance(self, owner: str, token: str) -> int:
        """Base units of ETH, WETH, USDX or ABC, or of a token by its address."""
        if token == "ETH":
            return await self.chain.balance(owner)
        address = token if token.startswith("0x") else self.world.token(token)
        return await self.chain.uint(address, "balanceOf(address)", owner)

    async def allowance(self, owner: str, token: str, spender: str) -> int:
        return await self.chain.uint(self.world.token(token), "allowance(address,address)", owner, spender)

    async def later(self, seconds: int) -> None:
        """Time passes on the chain."""
        await self.chain.rpc("evm_increaseTime", seconds)
        await self.chain.mine()

    async def move(self, bps: int, symbol: str = "ABC") -> None:
        """Makes ABC (or WETH) dearer in both pools, or cheaper when negative."""
        await PriceMover(self.chain, self.world, symbol).move(bps)

    async def _signed(self, sender: str, fields: Mapping[str, object]) -> str:
        chain_id = int(str(await self.chain.rpc("eth_chainId")), 16)
        nonce = int(str(await self.chain.rpc("eth_getTransactionCount", sender, "latest")), 16)
        whole = {"chainId": chain_id, "nonce": nonce, **fields}
        signed = Account.sign_transaction(whole, key_of(sender))
        return "0x" + bytes(signed.raw_transaction).hex()

    async def _receipt(self, raw: str) -> dict[str, Json]:
        return await self.chain.receipt(str(await self.chain.rpc("eth_sendRawTransaction", raw)))


def key_of(address: str) -> str:
    """The public test key of an address."""
    return next(
        dev_account(index).private_key for index in range(COUNT) if dev_account(index).address == address
    )
