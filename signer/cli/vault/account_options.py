"""What create-account and import-account share: options and what they print. Never a key."""

import argparse
import json
import re

from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.backend import VaultKey
from signer.adapters.vault.envelopes import open_store
from signer.adapters.vault.new_account import NewAccounts
from signer.adapters.vault.transit import Transit
from signer.domain.accounts import AccountId, ChainName, parse_account_id, parse_chain
from signer.settings import VaultPlace

_KEY_NAME = re.compile(r"sol-[a-z0-9][a-z0-9\-]{0,59}")
_WALLET = re.compile(r"[a-z0-9][a-z0-9_\-]{0,39}")


def add_shared(parser: argparse.ArgumentParser) -> None:
    """Add `--solana`, `--wallet` and `--json`."""
    parser.add_argument(
        "--solana", metavar="NAME", type=key_name, help="a Solana account: name of its Transit key, sol-…"
    )
    parser.add_argument(
        "--wallet", default="hot", type=wallet, help="wallet that the account belongs to; default hot"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object instead of a TOML snippet")


def new_accounts(vault: VaultApi, place: VaultPlace) -> NewAccounts:
    """Envelopes where the settings want them."""
    return NewAccounts(
        transit=Transit(vault, place.transit_mount),
        envelopes=open_store(place.envelopes, vault, kv_mount=place.kv_mount),
        wrapping_key=place.wrapping_key,
    )


def show(key: VaultKey, arguments: argparse.Namespace) -> None:
    """Print the account and its table for signer.toml."""
    pin = key.solana
    if arguments.json:
        pinned = {} if pin is None else {"key": pin.key, "key_version": pin.key_version}
        print(json.dumps({"account": key.account, **pinned}))
        return
    print(f'{key.account}\n\n[[accounts]]\nid = "{key.account}"\nwallet = "{arguments.wallet}"')
    print('backend = "vault"')
    if pin is not None:
        print(f'vault = {{ key = "{pin.key}", key_version = {pin.key_version} }}')


def chain(text: str) -> ChainName:
    """For argparse: CAIP-2."""
    try:
        return parse_chain(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def account(text: str) -> AccountId:
    """For argparse: CAIP-10."""
    try:
        return parse_account_id(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def key_name(text: str) -> str:
    """For argparse: a name that the roles' policies know."""
    if not _KEY_NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: allowed is sol- and lower-case letters, digits, -")
    return text


def wallet(text: str) -> str:
    """For argparse: a wallet as signer.toml allows it."""
    if not _WALLET.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text[:80]!r}: allowed are lower-case letters, digits, _ and -")
    return text
