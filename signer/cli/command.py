"""What a command is to the command line."""

import argparse
from collections.abc import Callable
from typing import TypeAlias

Arguments: TypeAlias = argparse.Namespace
Command: TypeAlias = Callable[[Arguments], int]
Subparsers: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"  # noqa: SLF001 - argparse has no public name
