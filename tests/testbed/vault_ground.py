"""Airlock's mounts and keys on an empty Vault; refuses to make an account's key."""

from tests.testbed.packages import Json
from tests.testbed.vault import VaultServer

TRANSIT, KV, TRADER_KV = "transit", "airlock", "airlock-trader"
WRAPPING_KEY, CHECKPOINT_KEY = "airlock-envelopes", "airlock-audit"


async def lay_ground(vault: VaultServer) -> None:
    """Mounts Transit and KV version 2 where the settings expect them, and makes the two keys."""
    await vault.write(f"sys/mounts/{TRANSIT}", {"type": "transit"})
    for mount in (KV, TRADER_KV):
        versioned: dict[str, Json] = {"version": "2"}
        await vault.write(f"sys/mounts/{mount}", {"type": "kv", "options": versioned})
    await vault.write(f"{TRANSIT}/keys/{WRAPPING_KEY}", {"type": "aes256-gcm96"})
    await vault.write(f"{TRANSIT}/keys/{CHECKPOINT_KEY}", {"type": "ed25519"})
