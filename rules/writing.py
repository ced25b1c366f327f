"""Writing into the standard's folders: the beginning of a methodology, and a record of an approval."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from rules import standard
from rules.packs import CATEGORIES

__all__ = ["CATEGORIES", "add_approval", "new_pack"]

TEMPLATE = Path(__file__).parent / "methodologies" / "template"


def new_pack(folder: Path, code: str, name_zh: str, name_en: str, category: str, today: date) -> list[Path]:
    """The files of a methodology `code` in a folder of packs, to be filled in. The paths that were made.

    Raises ValueError for a code that is none or is there already.
    """
    if not re.fullmatch("[a-z][a-z0-9_]{1,40}", code):
        raise ValueError(f"{code!r}: a code is lower-case letters, digits and _ / 代码只能用小写字母、数字和下划线")
    if (folder / "methodologies" / code).exists() or (standard.SHIPPED / "methodologies" / code).exists():
        raise ValueError(f"there is a methodology {code!r} already / 已有同名方法学")
    zh, en = (json.dumps(name, ensure_ascii=False)[1:-1] for name in (name_zh, name_en))  # they stand in quotes
    words = {"CODE": code, "NAME_ZH": zh, "NAME_EN": en, "CATEGORY": category, "TODAY": today.isoformat()}
    made = []
    for source in sorted(TEMPLATE.iterdir()):
        name = source.name.removesuffix(".txt")
        path = folder / "factors" / f"{code}.yaml" if name == "factors.yaml" else folder / "methodologies" / code / name
        path.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text("utf-8")
        path.write_text(re.sub(r"\b(CODE|NAME_ZH|NAME_EN|CATEGORY|TODAY)\b", lambda m: words[m[0]], text), "utf-8")
        made.append(path)
    return made


def add_approval(folder: Path, record: Mapping[str, str], others: Sequence[Path] = ()) -> None:
    """Append an approval to a folder's approvals.yaml, unless the standard would not be sound with it.

    others: the other folders that are read beside the shipped standard. Raises StandardError, and writes nothing.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "approvals.yaml"
    text = path.read_text("utf-8") if path.exists() else "approvals:\n"
    lines = [f"{name}: {_quoted(value)}" for name, value in record.items() if value]
    text = text.rstrip("\n") + "\n  - " + "\n    ".join(lines) + "\n"
    with tempfile.TemporaryDirectory() as trial:
        again = Path(trial) / folder.name
        again.mkdir()
        for inner in ("methodologies", "factors", "parameters.yaml", "tariffs.yaml", "grids.yaml", "bands.yaml"):
            if (folder / inner).exists():
                (again / inner).symlink_to((folder / inner).resolve())
        (again / "approvals.yaml").write_text(text, "utf-8")
        standard.load(*others, again)
    path.write_text(text, "utf-8")


def _quoted(text: str) -> str:
    """A YAML scalar that is read back as this very text."""
    return "'" + " ".join(text.split()).replace("'", "''") + "'"
