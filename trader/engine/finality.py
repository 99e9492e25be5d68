"""How deep is final: the chain's own finalized block, or so many confirmations as configured."""

from trader.engine.desk import Desk


async def final_block_number(desk: Desk) -> int:
    """Number of the newest block that counts as final. Raises ChainUnavailableError."""
    if desk.config.confirmations is None:
        return (await desk.chain.finalized()).number
    # One confirmation is the block itself.
    return (await desk.chain.head()).number + 1 - desk.config.confirmations
