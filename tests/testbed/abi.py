"""Calldata for the bed's own calls, from a Solidity signature; refuses to be used by the programs under test.

It is a second, independent encoder on purpose: a bug in the programs' own encoders cannot hide in it.
"""

from eth_abi.abi import decode, encode
from eth_abi.grammar import TupleType, parse
from eth_utils.crypto import keccak


def calldata(signature: str, *arguments: object) -> str:
    """`0x` hex of a call, as in `calldata("transfer(address,uint256)", to, 5)`; tuples are nested tuples."""
    types = _types(signature[signature.index("(") :])
    return "0x" + (keccak(text=signature)[:4] + encode(types, arguments)).hex()


def constructor(bytecode: bytes, types: str, *arguments: object) -> str:
    """`0x` hex of a creation, as in `constructor(code, "(address,uint8)", owner, 6)`."""
    return "0x" + (bytecode + encode(_types(types), arguments)).hex()


def returned(types: str, data: str) -> tuple[object, ...]:
    """The values in a call's result, as in `returned("(uint256,bool)", "0x…")`."""
    values: tuple[object, ...] = decode(_types(types), bytes.fromhex(data.removeprefix("0x")))
    return values


def _types(signature: str) -> list[str]:
    if signature == "()":
        return []
    parsed = parse(signature)
    assert isinstance(parsed, TupleType), signature
    return [component.to_type_str() for component in parsed.components]
