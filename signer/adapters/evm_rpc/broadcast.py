"""Broadcasting over JSON-RPC. The bytes appear in no error and no log."""

from signer.adapters.json_rpc.transport import JsonRpc, RpcError
from signer.domain.transactions import SignedBytes

_HAD_IT = ("already known", "already imported", "known transaction")
"""What geth, reth, anvil and others say about bytes that they have."""


class EvmBroadcaster:
    """`Broadcaster` through one node."""

    def __init__(self, rpc: JsonRpc) -> None:
        self._rpc = rpc

    async def broadcast(self, signed: SignedBytes) -> str | None:
        """None when the node has the bytes now, otherwise its objection. Raises UnavailableError."""
        try:
            await self._rpc.call("eth_sendRawTransaction", f"0x{signed.raw.hex()}")
        except RpcError as error:
            if any(text in error.message.lower() for text in _HAD_IT):
                return None
            return error.message
        return None
