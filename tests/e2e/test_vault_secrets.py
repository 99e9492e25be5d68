"""Right after 100 signatures the key is nowhere: not in the signer's memory, its files, or what Vault wrote.

The figures are printed at the end of the run, in a line that begins with VAULT_SECRETS.
"""

import asyncio
import os
import resource
import secrets
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.e2e.asking import asking, swap
from tests.e2e.vault_scene import VaultScene
from tests.testbed.accounts import dev_account
from tests.testbed.figures import Figures
from tests.testbed.memory import forms_of, search_memory
from tests.testbed.packages import Json
from tests.testbed.processes import Child
from tests.testbed.signer_program import serving

SIGNATURES = 100
TOKEN = {"token": b"hvs."}  # how every token of Vault begins


async def test_the_key_is_nowhere_right_after_a_hundred_signatures(
    vault_scene: VaultScene, vault_signer: Child, figures: Figures
) -> None:
    files, vault = vault_scene.signer, vault_scene.desk.vault
    key = bytes.fromhex(dev_account(files.account_indexes[0]).private_key[2:])
    planted = secrets.token_bytes(32)
    async with asking(files) as asker:
        for first in range(0, SIGNATURES, 10):
            names = [f"memory-{first + each:08d}" for each in range(10)]
            await asyncio.gather(*(asker.sign(swap(files, name)) for name in names))
        # A client's own word, which the signer keeps: whoever does not find it finds nothing.
        await asker.sign(swap(files, planted.hex()))

        in_memory = await asyncio.to_thread(search_memory, vault_signer.pid, forms_of(key))
        of_plant = await asyncio.to_thread(search_memory, vault_signer.pid, forms_of(planted))
    ours = [path for path in files.folder.rglob("*") if path.is_file()]
    vaults = [vault.audit_log, vault.folder / "server.log", *(vault.folder / "data").rglob("*.db")]
    key_in_ours = await asyncio.to_thread(_found, ours, forms_of(key))
    key_in_vaults = await asyncio.to_thread(_found, vaults, forms_of(key))
    plant_in_ours = await asyncio.to_thread(_found, ours, forms_of(planted))
    tokens = await asyncio.to_thread(_found, [*ours, vault.audit_log], TOKEN)

    told: dict[str, Json] = {
        "key_in_memory": dict(Counter(f"{each.form} in {each.mapping}" for each in in_memory)),
        "key_in_our_files": key_in_ours,
        "key_in_vaults_files": key_in_vaults,
        "vault_tokens_in_files": tokens,
        "planted_in_memory": len(of_plant),
        "planted_in_files": plant_in_ours,
        "files": len(ours) + len(vaults),
    }
    figures("VAULT_SECRETS", "after_100_signatures", told)
    assert (in_memory, key_in_ours, key_in_vaults, tokens) == ([], {}, {}, {})
    assert "hex" in {each.form for each in of_plant}, "the scan does not work"
    assert any("hex" in name for name in plant_in_ours), "the scan does not work"
    assert b"transit/decrypt" in vault.audit_log.read_bytes()
    assert {files.ledger, files.audit, vault_signer.log_path} <= {*ours}


async def test_a_signer_that_crashes_leaves_no_core(
    vault_scene: VaultScene, vault_signer: Child, figures: Figures
) -> None:
    limit = resource.prlimit(vault_signer.pid, resource.RLIMIT_CORE)
    os.kill(vault_signer.pid, signal.SIGSEGV)
    died = await asyncio.to_thread(os.waitid, os.P_PID, vault_signer.pid, os.WEXITED | os.WNOWAIT)
    vault_signer.kill()  # reaps it
    await vault_scene.desk.revoke_signer_tokens()
    await vault_scene.desk.deliver(vault_scene.signer)
    vault_signer.start()
    await serving(vault_scene.signer, vault_signer)

    assert died is not None
    dumped = died.si_code == os.CLD_DUMPED
    figures("VAULT_SECRETS", "crash", {"signal": died.si_status, "core_dumped": dumped, "limit": limit[0]})
    assert (limit, died.si_status, dumped) == ((0, 0), signal.SIGSEGV, False)


def _found(paths: Iterable[Path], needles: Mapping[str, bytes]) -> dict[str, Json]:
    """How often each needle is in each file; what is there 0 times is left out."""
    found: dict[str, Json] = {}
    for path in paths:
        content = path.read_bytes()
        found |= {
            f"{form} in {path.name}": content.count(raw) for form, raw in needles.items() if raw in content
        }
    return found
