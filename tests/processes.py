"""Looking at processes from outside, by Linux's /proc."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path


def eventually(holds: Callable[[], bool]) -> bool:
    """Does it come to hold? A minute is far more than it takes."""
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def is_gone(pid: int) -> bool:
    """True of a zombie too: where nobody collects orphans, ended ones stay listed."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def children(pid: int) -> dict[int, str]:
    """Process ids and command lines of what `pid` has started; what ends meanwhile is left out."""
    found = {}
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                found[int(child)] = Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ")
    return found


def descendants(pid: int) -> dict[int, str]:
    """The same, and what those have started, and so on."""
    found = children(pid)
    for child in tuple(found):
        found |= descendants(child)
    return found
