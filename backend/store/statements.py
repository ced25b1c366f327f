"""The named statements of `sql/*.sql`: every query of the platform stands in one of those files."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString, cast

_FOLDER = Path(__file__).parent / "sql"
_NAME = re.compile(r"^-- name: (\w+)\s*$", re.MULTILINE)


@cache
def of(topic: str) -> dict[str, LiteralString]:
    """The statements of one file: name -> SQL. A file is cut at its `-- name: xyz` lines."""
    parts = _NAME.split((_FOLDER / f"{topic}.sql").read_text("utf-8"))
    return {name: cast(LiteralString, sql.strip()) for name, sql in zip(parts[1::2], parts[2::2], strict=True)}
