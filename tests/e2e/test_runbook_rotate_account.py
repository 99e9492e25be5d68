"""The runbook of an account's rotation, followed on a chain, a Vault and a running signer."""

import shutil
from pathlib import Path

from tests.e2e.runbooks import Desk
from tests.e2e.vault_scene import VaultScene
from tests.testbed.packages import Json
from tests.testbed.parts import require
from tests.testbed.uniswap import UniswapState


async def test_an_account_hands_over_and_is_retired(uniswap: UniswapState, tmp_path: Path) -> None:
    require("vault")
    async with VaultScene.open(uniswap, tmp_path) as scene, scene.serve():
        vault, signer = scene.desk.vault, scene.signer
        (tmp_path / "person").mkdir()
        desk = Desk(tmp_path / "person")
        for file in (
            *(signer.pki / name for name in ("admin.pem", "admin.key", "ca.pem")),
            scene.desk.settings,
        ):
            shutil.copy(file, desk.folder)
        (desk.folder / "password").write_text("of the tests", encoding="utf-8")
        await vault.write("sys/auth/userpass", {"type": "userpass"})
        body: dict[str, Json] = {"password": "of the tests", "token_policies": ["airlock-rotator"]}
        await vault.write("auth/userpass/users/rob", {**body, "token_no_default_policy": True})

        followed = await desk.follow(
            "rotate-account",
            {
                "VAULT_ADDR": vault.url,
                "VAULT_CACERT": str(vault.ca),
                "ROTATOR_PASSWORD_FILE": str(desk.folder / "password"),
                "SIGNER": f"127.0.0.1:{signer.admin_port}",
                "ACCOUNT": signer.account,
            },
        )

        assert followed.code == 0, followed.output
        assert "finished: True" in followed.output
        assert await scene.chain.balance(signer.address) < 10**15
