"""Chains and paths on the command line, and which belong together by default."""

import argparse

from signer.domain.accounts import ChainName, is_evm, parse_chain

ETHEREUM, SOLANA = ChainName("eip155:1"), ChainName("solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp")
"""Mainnets: the chain of a path when none is given."""

ETHEREUM_PATH, SOLANA_PATH = "m/44'/60'/0'/0/0", "m/44'/501'/0'/0'"
"""The first accounts, as wallets count them."""


def chain(text: str) -> ChainName:
    """For argparse: CAIP-2."""
    try:
        return parse_chain(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_path(parser: argparse.ArgumentParser, *, chain_required: bool) -> None:
    """Add `--path` and `--chain`."""
    parser.add_argument("--path", required=True, metavar="PATH", help=f"{ETHEREUM_PATH} or {SOLANA_PATH}")
    parser.add_argument(
        "--chain",
        metavar="CAIP-2",
        type=chain,
        required=chain_required,
        help="eip155:1 or solana:…"
        + ("" if chain_required else "; default: the mainnet that the path is for"),
    )


def chain_of_path(path: str) -> ChainName:
    """The mainnet whose wallets have keys at this path."""
    return SOLANA if path.startswith("m/44'/501'") else ETHEREUM


def first_path(of: ChainName) -> str:
    """Where the first account of a chain is."""
    return ETHEREUM_PATH if is_evm(of) else SOLANA_PATH
