import pytest

from signer.domain.rotating import Fact, Rotating
from signer.domain.time import MS_PER_S, UnixMs
from signer.service.rotation_schedule import COMMANDS, DAY_S, RotationLimits, Urgency, schedule
from tests.fakes.clock import START

LIMITS = RotationLimits()
DAY = DAY_S * MS_PER_S


def ago(days: int) -> UnixMs:
    return UnixMs(START - days * DAY)


@pytest.mark.parametrize(
    ("days", "urgency"),
    [(1, Urgency.FINE), (80, Urgency.FINE), (82, Urgency.SOON), (90, Urgency.OVERDUE), (91, Urgency.OVERDUE)],
)
def test_a_wrapping_key_is_due_at_its_limit(days: int, urgency: Urgency) -> None:
    fact = Fact(what=Rotating.WRAPPING_KEY, name="airlock-envelopes", since=ago(days))
    (entry,) = schedule([fact], LIMITS, START)

    assert entry.urgency is urgency
    assert entry.age_s(START) == days * DAY_S
    assert entry.due_in_s(START) == (90 - days) * DAY_S


def test_what_ends_is_due_at_two_thirds_of_its_life() -> None:
    fact = Fact(what=Rotating.SERVER_CERTIFICATE, name="server.pem", since=ago(30), ends=ago(-60))
    (entry,) = schedule([fact], LIMITS, START)

    assert entry.due == ago(-30)


def test_a_short_life_is_soon_only_in_its_last_tenth() -> None:
    hour = 3_600 * MS_PER_S
    facts = [
        Fact(what=Rotating.VAULT_TOKEN, name="early", since=UnixMs(START), ends=UnixMs(START + hour)),
        Fact(
            what=Rotating.VAULT_TOKEN,
            name="late",
            since=UnixMs(START - hour * 62 // 100),
            ends=UnixMs(START + hour * 38 // 100),
        ),
    ]

    assert {entry.name: entry.urgency for entry in schedule(facts, LIMITS, START)} == {
        "early": Urgency.FINE,
        "late": Urgency.SOON,
    }


def test_the_most_urgent_comes_first_and_what_is_unknown_is_not_fine() -> None:
    facts = [
        Fact(what=Rotating.POLICY, name="fine", since=ago(1)),
        Fact(what=Rotating.POLICY, name="never"),
        Fact(what=Rotating.ACCOUNT, name="unknown", problem="Vault is sealed"),
        Fact(what=Rotating.POLICY, name="soon", since=ago(175)),
        Fact(what=Rotating.POLICY, name="overdue", since=ago(181)),
        Fact(what=Rotating.POLICY, name="more overdue", since=ago(1_000)),
    ]
    entries = schedule(facts, LIMITS, START)

    assert [entry.name for entry in entries] == [
        "more overdue",
        "overdue",
        "unknown",
        "soon",
        "fine",
        "never",
    ]
    assert entries[2].due_in_s(START) is entries[2].age_s(START) is None


def test_a_list_without_a_beginning_is_due_when_it_ends() -> None:
    fact = Fact(what=Rotating.REVOCATION_LIST, name="crl.pem", ends=ago(-1))

    assert schedule([fact], LIMITS, START)[0].due == ago(-1)


def test_everything_that_rotates_names_its_command() -> None:
    assert set(COMMANDS) == set(Rotating)
