"""Whether a new wire contract still understands every old client; refuses to call a rename harmless.

Pure. A contract is flattened to facts, keyed by what travels on the wire: field numbers, method names. A fact
of the old contract that is missing from the new one, or differs, breaks somebody; a new fact does not.
"""

from collections.abc import Iterator
from typing import TypeAlias

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorSet,
    ServiceDescriptorProto,
)

Fact: TypeAlias = tuple[str, str]  # (what it is about, what holds)

_WIDEST_RESERVED_RANGE = 1_000  # `reserved 10 to max` is compared by its beginning


def breaking_changes(old: FileDescriptorSet, new: FileDescriptorSet) -> list[str]:
    """Every promise of `old` that `new` breaks, one sentence each; empty when `new` is compatible."""
    promised, kept = dict(_contract(old)), dict(_contract(new))
    return [
        f"{subject} was removed ({fact})"
        if subject not in kept
        else f"{subject} changed: it was ({fact}), it would be ({kept[subject]})"
        for subject, fact in promised.items()
        if kept.get(subject) != fact
    ]


def _contract(descriptors: FileDescriptorSet) -> Iterator[Fact]:
    for file in descriptors.file:
        for message in file.message_type:
            yield from _message(file.package, message)
        for enum in file.enum_type:
            yield from _enum(file.package, enum)
        for service in file.service:
            yield from _service(file.package, service)


def _message(scope: str, message: DescriptorProto) -> Iterator[Fact]:
    name = f"{scope}.{message.name}"
    yield f"message {name}", "exists"
    for field in message.field:
        yield f"field {field.number} of {name}", _field(message, field)
    for reserved in message.reserved_range:
        for number in range(reserved.start, min(reserved.end, reserved.start + _WIDEST_RESERVED_RANGE)):
            yield f"number {number} of {name}", "reserved"
    for nested in message.nested_type:
        yield from _message(name, nested)
    for enum in message.enum_type:
        yield from _enum(name, enum)


def _field(message: DescriptorProto, field: FieldDescriptorProto) -> str:
    label = FieldDescriptorProto.Label.Name(field.label)
    kind = field.type_name or FieldDescriptorProto.Type.Name(field.type)
    presence = "explicit presence" if field.proto3_optional else "no explicit presence"
    in_oneof = field.HasField("oneof_index") and not field.proto3_optional
    oneof = f"in oneof {message.oneof_decl[field.oneof_index].name}" if in_oneof else "in no oneof"
    return f"{field.name}, {label}, {kind}, {presence}, {oneof}"


def _enum(scope: str, enum: EnumDescriptorProto) -> Iterator[Fact]:
    name = f"{scope}.{enum.name}"
    yield f"enum {name}", "exists"
    for value in enum.value:
        yield f"value {value.number} of {name}", value.name


def _service(scope: str, service: ServiceDescriptorProto) -> Iterator[Fact]:
    name = f"{scope}.{service.name}"
    yield f"service {name}", "exists"
    for method in service.method:
        sends = f"stream of {method.input_type}" if method.client_streaming else method.input_type
        answers = f"stream of {method.output_type}" if method.server_streaming else method.output_type
        yield f"rpc {name}/{method.name}", f"{sends} to {answers}"
