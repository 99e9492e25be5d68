"""The mock signer rotates accounts, too: the real path over a chain on which nobody owns anything."""

from pathlib import Path

from protos.airlock.signer.v1 import admin_pb2, signer_pb2
from signer.mock.signer import MockSettings, mock_signer
from tests.fakes import policies, wire
from tests.fakes.signer_world import ADDRESS
from tests.testbed.accounts import dev_account

NEW = f"eip155:31337:{dev_account(2).address}"


async def test_a_rotation_of_the_mock_is_swept_at_once_and_seen_by_its_clients(tmp_path: Path) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(policies.POLICY.replace(policies.OWN, ADDRESS))
    account = f"eip155:31337:{ADDRESS}"
    async with (
        mock_signer(MockSettings(policy=policy, pki=tmp_path / "pki")) as mock,
        wire.channel(mock.address, mock.pki, "admin") as admin_channel,
        wire.channel(mock.address, mock.pki, "trader") as trader_channel,
    ):
        admin = wire.admin_stub(admin_channel)

        async def rotate(step: admin_pb2.RotateAccountRequest.Step.ValueType) -> list[bool]:
            begins = step == admin_pb2.RotateAccountRequest.STEP_BEGIN
            request = admin_pb2.RotateAccountRequest(
                account=account, step=step, new_account=NEW if begins else ""
            )
            answer = await admin.RotateAccount(request, timeout=30)
            return [answer.swept, answer.finished]

        begun = await rotate(admin_pb2.RotateAccountRequest.STEP_BEGIN)
        finished = await rotate(admin_pb2.RotateAccountRequest.STEP_FINISH)
        listed = await wire.signer_stub(trader_channel).ListAccounts(signer_pb2.ListAccountsRequest())

    old, new = listed.accounts
    assert (begun, finished) == ([True, False], [True, True])
    assert (old.state, old.successor.lower()) == (signer_pb2.Account.STATE_RETIRED, NEW)
    assert (new.account.lower(), new.state) == (NEW, signer_pb2.Account.STATE_ACTIVE)
    assert new.granted_methods == old.granted_methods
