"""Where the ages of everything that the settings name are read: for the running signer and for commands."""

from signer.adapters.rotation_facts.certificates import CertificateAges
from signer.adapters.rotation_facts.files import FileAges
from signer.adapters.vault.api import VaultApi
from signer.adapters.vault.rotation_facts import VaultKeyAges
from signer.adapters.vault.transit import Transit
from signer.domain.accounts import chain_of, is_evm
from signer.ports.rotation_facts import FactSource
from signer.service.rotation_schedule import RotationLimits
from signer.settings import RotationSettings, Settings


def host_and_keys(settings: Settings, vault: VaultApi | None) -> tuple[FactSource, ...]:
    """Certificates, policy, accounts and checkpoints of this host; with `vault`, the keys in it."""
    place = settings.vault
    checkpoints = place is not None and place.checkpoint_key is not None
    certificates = CertificateAges(
        server=settings.tls.certificate,
        client_authority=settings.tls.client_ca,
        revocation_list=settings.tls.revocation_list,
    )
    files = FileAges(
        policy=settings.policy,
        ledger=settings.ledger,
        audit=settings.audit,
        checkpoint_every_s=place.checkpoint_every_s if place is not None and checkpoints else None,
    )
    if place is None or vault is None:
        return (certificates, files)
    in_vault = [each for each in settings.accounts if each.backend == "vault"]
    keys = VaultKeyAges(
        transit=Transit(vault, place.transit_mount),
        wrapping_key=place.wrapping_key
        if any(is_evm(chain_of(each.account_id)) for each in in_vault)
        else None,
        checkpoint_key=place.checkpoint_key,
        solana={
            each.account_id: (each.vault.key, each.vault.key_version)
            for each in in_vault
            if each.vault is not None
        },
    )
    return (certificates, files, keys)


def limits_of(settings: RotationSettings) -> RotationLimits:
    """Limits of the [rotation] table."""
    return RotationLimits(**settings.model_dump())
