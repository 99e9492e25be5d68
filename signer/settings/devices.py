"""Hardware wallets in `signer.toml`: which device, and which account is on it. There is no default device."""

from pydantic import Field

from signer.settings.texts import FilePath, Strict

_NAME = r"^[a-z0-9][a-z0-9_\-]{0,39}$"


class LedgerKeySettings(Strict):
    """Where the key of an account is: the `name` of a [[ledgers]] table, and the derivation path."""

    device: str = Field(pattern=_NAME)
    path: str = Field(pattern=r"^m(/(0|[1-9][0-9]{0,9})'?){2,10}$")


class TrezorKeySettings(Strict):
    """Where the key of an account is: the `name` of a [[trezors]] table, and the derivation path."""

    device: str = Field(pattern=_NAME)
    path: str = Field(pattern=r"^m(/(0|[1-9][0-9]{0,9})'?){2,8}$")


class TrezorSettings(Strict):
    """One Trezor. `where`: `serial:NUMBER`, `webusb:BUS:PORT`, or `udp:127.0.0.1:PORT` with `allow_udp`.

    `fingerprint` is that of its root key, 8 hex digits: it names seed and passphrase. `credentials` is the
    file of a paired Safe 7. The other two are as for a Ledger.
    """

    name: str = Field(pattern=_NAME)
    where: str = Field(pattern=r"^(serial|webusb|udp):.{1,200}$")
    lock_file: FilePath
    fingerprint: str | None = Field(default=None, pattern=r"^[0-9a-f]{8}$")
    allow_udp: bool = False
    passphrase_on_device: bool = False
    credentials: FilePath | None = None
    approval_timeout_s: int = Field(default=90, ge=5, le=600)


class LedgerSettings(Strict):
    """One Ledger. `where`: `serial:NUMBER`, `path:DEVICE`, or `tcp:127.0.0.1:PORT` for an emulator.

    `lock_file` is the same for every process that might use the device. `approval_timeout_s` is how long a
    person may take.
    """

    name: str = Field(pattern=_NAME)
    where: str = Field(pattern=r"^(serial|path|tcp):.{1,200}$")
    lock_file: FilePath
    approval_timeout_s: int = Field(default=90, ge=5, le=600)
