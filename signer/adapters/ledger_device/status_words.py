"""What each status word of a device means: one error each, with what the person should do.

The same word means different things in the two applications, and 6a80 is two things in one: see `error_of`.
"""

from collections.abc import Callable, Mapping
from typing import TypeAlias

from signer.adapters.ledger_device.situations import Asked, blind_signing_off
from signer.domain.errors import BrokenError, PreconditionError, RejectedError, SignerError, UnavailableError
from signer.domain.reasons import DenyReason, FailReason

_Make: TypeAlias = Callable[[Asked], SignerError]


def error_of(word: int, asked: Asked) -> SignerError:
    """The error for a word other than 9000."""
    special = _BY_APPLICATION.get((asked.application.name, word))
    make = special or _WORDS.get(word)
    if make is None:
        text = f"{asked.device}: {asked.application.name} answered {word:04x}, which nothing explains"
        return BrokenError(FailReason.BROKEN, text)
    error = make(asked)
    error.add_note(f"status word {word:04x}")
    return error


def _rejected(asked: Asked) -> SignerError:
    return RejectedError(DenyReason.REJECTED_ON_DEVICE, f"{asked.device}: rejected by the person before it")


def _locked(asked: Asked) -> SignerError:
    text = (
        f"{asked.device}: is locked: unlock it with its PIN and open {asked.application.name}, then ask again"
    )
    return PreconditionError(FailReason.DEVICE_LOCKED, text)


def _not_open(asked: Asked) -> SignerError:
    text = f"{asked.device}: {asked.application.name} is not open: open it (install it if missing), ask again"
    return PreconditionError(FailReason.DEVICE_WRONG_APP, text)


def _busy(asked: Asked) -> SignerError:
    text = f"{asked.device}: shows something else: end what is on its screen, then ask again"
    return UnavailableError(FailReason.DEVICE_BUSY, text)


def _left_over(asked: Asked) -> SignerError:
    text = f"{asked.device}: was in the middle of another upload, which is ended now: ask again"
    return UnavailableError(FailReason.DEVICE_BUSY, text)


def _switching(asked: Asked) -> SignerError:
    text = (
        f"{asked.device}: is switching applications: wait until {asked.application.name} is open, ask again"
    )
    return UnavailableError(FailReason.DEVICE_BUSY, text)


def _no_pin(asked: Asked) -> SignerError:
    return _refuses(asked, "it has no PIN yet: set it up on the device")


def _bad_path(asked: Asked) -> SignerError:
    return _refuses(asked, "the derivation path is outside of what it allows: correct it in the settings")


def _bad_type(asked: Asked) -> SignerError:
    return _refuses(asked, "it does not know this type of transaction: update the application")


def _invalid(asked: Asked) -> SignerError:
    return _refuses(
        asked, "it calls the request malformed: nothing was signed, and asking again changes nothing"
    )


def _refuses(asked: Asked, why: str) -> SignerError:
    text = f"{asked.device}: {asked.application.name} refuses: {why}"
    return PreconditionError(FailReason.DEVICE_REFUSES, text)


def _not_understood(asked: Asked) -> SignerError:
    text = (
        f"{asked.device}: {asked.application.name} does not know its own command: open it again; "
        "if that does not help, update it"
    )
    return PreconditionError(FailReason.DEVICE_WRONG_APP, text)


def _bad_length(asked: Asked) -> SignerError:
    text = f"{asked.device}: {asked.application.name} says that our command has a wrong length: a bug of ours"
    return BrokenError(FailReason.BROKEN, text)


_WORDS: Mapping[int, _Make] = {
    0x6985: _rejected,
    **dict.fromkeys((0x5515, 0x6804, 0x6B0C, 0x6982, 0x6986), _locked),
    0x6A80: _invalid,
    0x6808: blind_signing_off,
    0x6980: _left_over,
    **dict.fromkeys((0x6A81, 0x6A83), _invalid),
    0x6501: _bad_type,
    **dict.fromkeys((0x6A15, 0x6801), _bad_path),
    0x6A87: _bad_length,
    **dict.fromkeys((0x6B00, 0x6D00, 0x6E00), _not_understood),
    **dict.fromkeys((0x6E01, 0x650F, 0x6807, 0x6511, 0x5501), _not_open),
    0x6901: _busy,
    0x5502: _no_pin,
    0x6601: _switching,
}
_BY_APPLICATION: Mapping[tuple[str, int], _Make] = {
    # Ethereum has no words for 6a81 and 6a83: only Solana answers them, so another application is open.
    ("Ethereum", 0x6A81): _not_understood,
    ("Ethereum", 0x6A83): _not_understood,
}
WORDS = frozenset(_WORDS)
"""Every word of the table."""
