from collections.abc import Callable
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorSet

from protos.compatibility import breaking_changes
from tests.testbed import stubs
from tests.testbed.processes import ROOT


def _contract() -> FileDescriptorSet:
    """message Ask { string who = 1; oneof how { bytes raw = 2; } reserved 5; } enum Say, service Door."""
    descriptors = FileDescriptorSet()
    file = descriptors.file.add(name="door.proto", package="door", syntax="proto3")
    ask = file.message_type.add(name="Ask")
    ask.field.add(
        name="who", number=1, type=FieldDescriptorProto.TYPE_STRING, label=FieldDescriptorProto.LABEL_OPTIONAL
    )
    ask.oneof_decl.add(name="how")
    ask.field.add(
        name="raw",
        number=2,
        type=FieldDescriptorProto.TYPE_BYTES,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
        oneof_index=0,
    )
    ask.reserved_range.add(start=5, end=6)
    ask.nested_type.add(name="Inner").field.add(name="deep", number=1, type=FieldDescriptorProto.TYPE_INT64)
    say = file.enum_type.add(name="Say")
    say.value.add(name="SAY_UNSPECIFIED", number=0)
    say.value.add(name="SAY_NO", number=1)
    file.service.add(name="Door").method.add(name="Knock", input_type=".door.Ask", output_type=".door.Ask")
    return descriptors


def _rename_field(new: FileDescriptorSet) -> None:
    new.file[0].message_type[0].field[0].name = "whom"


def _remove_field(new: FileDescriptorSet) -> None:
    del new.file[0].message_type[0].field[0]


def _renumber_field(new: FileDescriptorSet) -> None:
    new.file[0].message_type[0].field[0].number = 9


def _retype_field(new: FileDescriptorSet) -> None:
    new.file[0].message_type[0].field[0].type = FieldDescriptorProto.TYPE_BYTES


def _repeat_field(new: FileDescriptorSet) -> None:
    new.file[0].message_type[0].field[0].label = FieldDescriptorProto.LABEL_REPEATED


def _leave_oneof(new: FileDescriptorSet) -> None:
    new.file[0].message_type[0].field[1].ClearField("oneof_index")


def _unreserve(new: FileDescriptorSet) -> None:
    del new.file[0].message_type[0].reserved_range[:]


def _retype_nested(new: FileDescriptorSet) -> None:
    new.file[0].message_type[0].nested_type[0].field[0].type = FieldDescriptorProto.TYPE_UINT64


def _remove_value(new: FileDescriptorSet) -> None:
    del new.file[0].enum_type[0].value[1]


def _rename_value(new: FileDescriptorSet) -> None:
    new.file[0].enum_type[0].value[1].name = "SAY_NEVER"


def _remove_rpc(new: FileDescriptorSet) -> None:
    del new.file[0].service[0].method[0]


def _stream_rpc(new: FileDescriptorSet) -> None:
    new.file[0].service[0].method[0].server_streaming = True


def _remove_message(new: FileDescriptorSet) -> None:
    del new.file[0].message_type[0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (_rename_field, "field 1 of door.Ask changed"),
        (_remove_field, "field 1 of door.Ask was removed"),
        (_renumber_field, "field 1 of door.Ask was removed"),
        (_retype_field, "field 1 of door.Ask changed"),
        (_repeat_field, "field 1 of door.Ask changed"),
        (_leave_oneof, "field 2 of door.Ask changed"),
        (_unreserve, "number 5 of door.Ask was removed"),
        (_retype_nested, "field 1 of door.Ask.Inner changed"),
        (_remove_value, "value 1 of door.Say was removed"),
        (_rename_value, "value 1 of door.Say changed"),
        (_remove_rpc, "rpc door.Door/Knock was removed"),
        (_stream_rpc, "rpc door.Door/Knock changed"),
        (_remove_message, "message door.Ask was removed"),
    ],
)
def test_a_breaking_change_is_named(change: Callable[[FileDescriptorSet], None], named: str) -> None:
    new = _contract()
    change(new)

    assert any(line.startswith(named) for line in breaking_changes(_contract(), new))


def test_an_addition_breaks_nobody() -> None:
    new = _contract()
    new.file[0].message_type[0].field.add(name="why", number=3, type=FieldDescriptorProto.TYPE_STRING)
    new.file[0].message_type.add(name="Answer")
    new.file[0].enum_type[0].value.add(name="SAY_YES", number=2)
    new.file[0].service[0].method.add(name="Ring", input_type=".door.Ask", output_type=".door.Answer")

    assert breaking_changes(_contract(), new) == []


def test_the_wire_contract_keeps_its_promises() -> None:
    assert breaking_changes(stubs.promised(), stubs.current()) == []


def test_the_snapshot_knows_the_whole_contract() -> None:
    assert breaking_changes(stubs.current(), stubs.promised()) == [], "run `make protos-accept`"


def test_generating_the_stubs_changes_nothing(tmp_path: Path) -> None:
    stubs.generate(tmp_path)

    fresh = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*_pb2*.py*")}
    committed = {
        path.relative_to(ROOT): path.read_bytes() for path in (ROOT / stubs.CONTRACT).glob("*_pb2*.py*")
    }
    assert fresh == committed, "run `make protos`"
