"""Uniswap V2 and V3 as venues, and the ERC-20 calls that they need."""
