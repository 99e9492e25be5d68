"""A node before a Solana world, over HTTP on 127.0.0.1. It may be told to lie or to die, as `FakeNode`."""

from base64 import b64encode
from dataclasses import dataclass, field

from typing_extensions import override

from signer.adapters.json_rpc.transport import Json
from signer.domain.base58 import base58, base58_key
from tests.fakes.json_rpc_node import FakeNode
from tests.testbed.solana import GENESIS, SolanaWorld


@dataclass
class SolanaNode(FakeNode):
    """Answers from `world`, in the shapes of Solana's documentation."""

    world: SolanaWorld = field(default_factory=SolanaWorld)

    @override
    def _default(self, method: str, params: list[Json]) -> Json:
        match method, params:
            case "getGenesisHash", []:
                return GENESIS
            case "getBlockHeight", [{"commitment": "confirmed"}]:
                return self.world.height
            case "getLatestBlockhash", [{"commitment": "confirmed"}]:
                return self.seen(
                    {
                        "blockhash": base58(self.world.blockhash),
                        "lastValidBlockHeight": self.world.last_valid_block_height,
                    }
                )
            case "getAccountInfo", [str(name), {"commitment": "confirmed", "encoding": "base64"}]:
                return self.seen(self._account(base58_key(name)))
            case _:
                raise AssertionError(method, params)

    def seen(self, value: Json) -> Json:
        """A value in its context."""
        return {"context": {"apiVersion": "3.1.0", "slot": self.world.height + 9}, "value": value}

    def _account(self, key: bytes) -> Json:
        account = self.world.account(key)
        if account is None or not account.lamports:
            return None
        return account_info(bytes(account.owner), bytes(account.data), lamports=account.lamports)


def account_info(owner: bytes, data: bytes, *, lamports: int = 1) -> dict[str, Json]:
    """An account as getAccountInfo shows it."""
    return {
        "lamports": lamports,
        "owner": base58(owner),
        "data": [b64encode(data).decode(), "base64"],
        "executable": False,
        "rentEpoch": 2**64 - 1,
        "space": len(data),
    }
