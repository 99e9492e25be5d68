"""Lines of a screen, and which of them stay when the screen is small. Knows nothing of what they say."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.text import Text

LABEL = 10
_GROUP = 4
_LONG_WORD = 33
_GROUPS_IN_A_LINE = 8
_GROUPS_OF_AN_ADDRESS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Lines that belong together.

    When there is no room, blocks of a higher rank give lines up first, from their end, down to `least`. One
    that is `titled` does not stay for its title alone.
    """

    lines: tuple[Text, ...]
    rank: int
    least: int = 0
    titled: bool = False


def fitted(blocks: Sequence[Block], height: int) -> tuple[list[Text], int]:
    """Lines of the blocks that fit into `height`, and how many are left out."""
    kept = [len(block.lines) for block in blocks]
    by_rank = sorted(range(len(blocks)), key=lambda at: blocks[at].rank, reverse=True)
    for floors in ([block.least for block in blocks], [0] * len(blocks)):
        for at in by_rank:
            over = sum(kept) - height
            if over > 0:
                kept[at] -= max(0, min(over, kept[at] - floors[at]))
                if blocks[at].titled and kept[at] == 1 < len(blocks[at].lines):
                    kept[at] = 0
    lines = [line for block, count in zip(blocks, kept, strict=True) for line in block.lines[:count]]
    return lines, sum(len(block.lines) for block in blocks) - len(lines)


def labelled(label: str, text: str, width: int, style: str = "") -> tuple[Text, ...]:
    """A label and its text, wrapped beside it; a label that is too long begins the text."""
    if len(label) >= LABEL:
        label, text = "", f"{label}: {text}"
    pieces = wrapped(text, width - LABEL) or [""]
    labels = [label, *[""] * (len(pieces) - 1)]
    return tuple(
        cropped(Text(f"{name:<{LABEL}}{piece}", style=style), width)
        for name, piece in zip(labels, pieces, strict=True)
    )


def wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` cells; nothing is lost."""
    lines = textwrap.wrap(text, max(width, 1), break_on_hyphens=False)
    return [piece for line in lines for piece in _by_cells(line, max(width, 2))]


def heading(text: str, width: int) -> Text:
    """The title of a section: a line that is one even without colours."""
    return cropped(Text(f"-- {text} {'-' * width}", style="bold"), width)


def cropped(line: Text, width: int) -> Text:
    """The line, cut to the width; it never wraps by itself."""
    line.truncate(width)
    line.no_wrap = True
    return line


def in_groups(text: str, width: int) -> list[str]:
    """A text as a device shows it, its long words in groups of four letters that are easy to compare.

    An address takes one line, a hash two of eight groups, where there is room. Nothing is lost, and what is
    empty is one empty line.
    """
    lines: list[str] = []
    words: list[str] = []
    for word in text.split():
        if len(word) < _LONG_WORD:
            words.append(word)
        else:
            lines += [*wrapped(" ".join(words), width), *_grouped(word, width)]
            words = []
    return [*lines, *wrapped(" ".join(words), width)] or [""]


def _grouped(word: str, width: int) -> Iterable[str]:
    prefix, digits = (word[:2], word[2:]) if word.startswith("0x") else ("", word)
    groups = [digits[at : at + _GROUP] for at in range(0, len(digits), _GROUP)]
    most = len(groups) if len(groups) <= _GROUPS_OF_AN_ADDRESS else _GROUPS_IN_A_LINE
    in_a_line = max(1, min(most, (width - len(prefix) + 1) // (_GROUP + 1)))
    for at in range(0, len(groups), in_a_line):
        yield f"{prefix if at == 0 else ' ' * len(prefix)}{' '.join(groups[at : at + in_a_line])}"


def _by_cells(line: str, width: int) -> Iterable[str]:
    """Cut again what is wider than its letters are many."""
    while cell_len(line) > width:
        cut = width // 2
        yield line[:cut]
        line = line[cut:]
    yield line
