"""A clock that stands still until a test moves it."""

from signer.domain.time import UnixMs

START = UnixMs(1_800_000_000_000)


class FakeClock:
    """Clock port; `advance_s` moves it on, `set` may also move it back."""

    def __init__(self, at: UnixMs = START) -> None:
        self._at = at

    def now(self) -> UnixMs:
        return self._at

    def advance_s(self, seconds: int) -> UnixMs:
        self._at = UnixMs(self._at + seconds * 1000)
        return self._at

    def set(self, at: int) -> None:
        self._at = UnixMs(at)
