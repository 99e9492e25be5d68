"""`make protos` and `make protos-accept`: the stubs, the snapshot; refuses to accept a breaking change.

The stubs follow the .proto files at once. The snapshot is the promise to clients already out there, so it
follows only when it is told to, and only to a contract that those clients still understand.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from google.protobuf.descriptor_pb2 import FileDescriptorSet

from protos.compatibility import breaking_changes
from tests.testbed.processes import ROOT

CONTRACT = Path("protos/airlock/signer/v1")
SNAPSHOT = ROOT / CONTRACT / "descriptor.binpb"


def generate(target: Path) -> None:
    """Writes the stubs of every .proto file below `target`."""
    plugins = [f"--{kind}_out={target}" for kind in ("python", "grpc_python", "mypy", "mypy_grpc")]
    folder = Path(sys.executable).parent
    plugins += [
        f"--plugin=protoc-gen-{name}={folder / f'protoc-gen-{name}'}" for name in ("mypy", "mypy_grpc")
    ]
    _protoc(*plugins)


def current() -> FileDescriptorSet:
    """The contract as the .proto files say it now."""
    with tempfile.TemporaryDirectory() as scratch:
        target = Path(scratch) / "descriptor.binpb"
        _protoc(f"--descriptor_set_out={target}")
        return FileDescriptorSet.FromString(target.read_bytes())


def promised() -> FileDescriptorSet:
    """The contract that clients rely on."""
    return FileDescriptorSet.FromString(SNAPSHOT.read_bytes())


def accept() -> list[str]:
    """Makes the current contract the promise; if it breaks the old one, says how and changes nothing."""
    broken = breaking_changes(promised(), current()) if SNAPSHOT.exists() else []
    if not broken:
        SNAPSHOT.write_bytes(current().SerializeToString(deterministic=True))
    return broken


def _protoc(*outputs: str) -> None:
    sources = sorted(str(path.relative_to(ROOT)) for path in (ROOT / CONTRACT).glob("*.proto"))
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", "-I", ".", *outputs, *sources], cwd=ROOT, check=True
    )


def main() -> int:
    """`generate DIR` or `accept`."""
    match sys.argv[1:]:
        case ["generate", target]:
            generate(Path(target).resolve())
            return 0
        case ["accept"]:
            broken = accept()
            sys.stderr.writelines(f"{line}\n" for line in broken)
            return 1 if broken else 0
        case _:
            sys.stderr.write("stubs: allowed are `generate DIR` and `accept`\n")
            return 2


if __name__ == "__main__":
    sys.exit(main())
