import pytest

from signer.adapters.vault.refusals import ItemRefused
from signer.adapters.vault.secret_batch import opened
from signer.domain.errors import UnavailableError
from signer.domain.reasons import FailReason


def test_plaintexts_and_errors_come_in_order() -> None:
    answer = _answer(
        '{"plaintext":"AQID","reference":""},{"plaintext":"","error":"no } \\"way\\""},{"plaintext":"BA=="}'
    )

    first, second, third = opened(answer, 3)

    assert isinstance(first, memoryview)
    assert isinstance(third, memoryview)
    assert (bytes(first), bytes(third)) == (b"\x01\x02\x03", b"\x04")
    assert second == ItemRefused('no } \\"way\\"')


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        '{"data":{}}',
        '{"data":{"batch_results":null}}',
        '{"data":{"batch_results":[]}}',
        '{"data":{"batch_results":[{}]}}',
        '{"data":{"batch_results":[{"plaintext":""}]}}',
        '{"data":{"batch_results":[{"plaintext":7}]}}',
        '{"data":{"batch_results":[{"plaintext":"AQI"}]}}',
        '{"data":{"batch_results":[{"plaintext":"A=ID"}]}}',
        '{"data":{"batch_results":[{"plaintext":"AQID"',
        '{"data":{"batch_results":[{"plaintext":"AQID"},{"plaintext":"AQID"}]}}',
        '{"data":{"batch_results":["AQID"]}}',
    ],
)
def test_an_answer_of_another_shape_is_faulty_and_not_quoted(text: str) -> None:
    with pytest.raises(UnavailableError) as caught:
        opened(memoryview(bytearray(text.encode())), 1)

    assert caught.value.reason == FailReason.VAULT_FAULTY
    assert "AQI" not in str(caught.value)


def _answer(items: str) -> memoryview:
    return memoryview(bytearray(f'{{"data":{{"batch_results":[{items}]}},"mount_type":""}}'.encode()))
