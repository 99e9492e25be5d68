"""Which values of `signer.toml` are paths. They are relative to the folder of the file."""

from pathlib import Path

_FILE = "file:"
_PATH_KEYS = frozenset(
    {
        "ledger",
        "audit",
        "policy",
        "certificate",
        "key",
        "client_ca",
        "revocation_list",
        "path",
        "key_file",
        "ca",
        "secret_id_file",
        "credentials",
        "token_file",
        "lock_file",
    }
)
_FILE_OR_OTHER = frozenset({"rpc_url", "envelopes"})
_NAMES = frozenset({("vault", "key"), ("ledger", "path"), ("trezor", "path")})
"""Table and key of what only looks like a path of a file: the name of a Transit key, a derivation path."""


def absolute(node: object, folder: Path, table: str = "") -> object:
    """Resolve every path below `node`, the content of `table`, against `folder`."""
    if isinstance(node, list):
        return [absolute(item, folder, table) for item in node]
    if not isinstance(node, dict):
        return node
    resolved: dict[object, object] = {}
    for key, value in node.items():
        if key in _PATH_KEYS and isinstance(value, str) and (table, key) not in _NAMES:
            resolved[key] = str(folder / value)
        elif key in _FILE_OR_OTHER and isinstance(value, str) and value.startswith(_FILE):
            resolved[key] = f"{_FILE}{folder / value.removeprefix(_FILE)}"
        else:
            resolved[key] = absolute(value, folder, str(key))
    return resolved
