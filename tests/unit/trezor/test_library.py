from trezorlib.thp.channel import ACK_TIMEOUT, Channel

from signer.adapters.trezor_device import library


def test_the_library_gives_up_on_a_silent_device_within_seconds() -> None:
    """On its own it would repeat 20 times, doubling its pause: 29 hours, in which it hears nobody."""
    assert library.get_client is not None
    pauses = sum(Channel.BUSY_BACKOFF_TIME * 2**each for each in range(Channel.BUSY_RETRIES))

    assert pauses + (1 + Channel.BUSY_RETRIES) * ACK_TIMEOUT < 10
