"""The signer's own node of an EVM chain: a view of the chain, a price reference, the drain of a rotation."""
