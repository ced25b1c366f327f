"""Write the log as static files (C2SP tlog-tiles) for any web server: what never changes once, the head last."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from backend.platform import Platform
from backend.store import db, log
from backend.usecases import show_log
from rewards import merkle, notes
from rules.replay import Refused

CHECKPOINT = "checkpoint"
KEYS = "keys"
Tile = tuple[int | str, int, int]  # level or "entries", index, width


def export_log(platform: Platform, folder: Path, tell: Callable[[int, int], None]) -> tuple[int, int]:
    """Bring a folder up to the newest head: (its size, files written). tell: (tiles looked at, tiles in all).

    Raises ValueError when the folder holds another log, or a newer head than ours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with platform.db.transaction(snapshot=True) as conn:
        head = show_log.head(conn)
        note, size, done = show_log.note(conn, head), head["size"], _exported(conn, folder, head["size"])
    files = total(size)
    written = 0
    for number, tile in enumerate(_tiles(size), 1):
        path = folder / "tile" / merkle.tile_path(*tile)
        if not _is_done(tile, done) or not path.is_file():
            with platform.db.transaction(snapshot=True) as conn:
                _write(path, _content(conn, tile))
            written += 1
        tell(number, files)
    _write(folder / KEYS, json.dumps(show_log.list_keys(platform)).encode())
    os.sync()  # nothing that a head promises may be missing after a power cut
    _write(folder / CHECKPOINT, note.encode())
    for level, index, width in _tiles(size):
        if width == merkle.TILE_WIDTH and not _is_done((level, index, width), done):
            shutil.rmtree(folder / "tile" / f"{merkle.tile_path(level, index, width)}.p", ignore_errors=True)
    return size, written


def _exported(conn: db.Connection, folder: Path, size: int) -> int:
    """How many entries the head in a folder has, once it is one of ours; 0 without. Raises ValueError."""
    path = folder / CHECKPOINT
    if not path.exists():
        return 0
    try:
        told = notes.read_checkpoint(path.read_text("utf-8"))
        ours = log.checkpoint(conn, told.size) if told.size <= size else None
    except (Refused, UnicodeDecodeError):
        ours = None
    if ours is None or notes.read_checkpoint(ours["note"]).text != told.text:
        raise ValueError(f"{folder} 中的日志不是本日志，或比本日志更新 · {folder} holds another log, or a newer head")
    return told.size


def _tiles(size: int) -> Iterator[Tile]:
    """All bundles and tiles of a log of a size."""
    for level in ("entries", *range(merkle.LEVELS)):
        count = size if level == "entries" else size >> (int(level) * merkle.TILE_HEIGHT)
        for index in range(-(-count // merkle.TILE_WIDTH)):
            yield level, index, min(count - index * merkle.TILE_WIDTH, merkle.TILE_WIDTH)


def total(size: int) -> int:
    """How many bundles and tiles a log of a size has."""
    counts = [size >> (level * merkle.TILE_HEIGHT) for level in range(merkle.LEVELS)]
    return sum(-(-count // merkle.TILE_WIDTH) for count in (size, *counts))


def _is_done(tile: Tile, done: int) -> bool:
    """Whether a folder with a head of `done` entries has it for certain: a break may have left halves of others."""
    level, index, width = tile
    return merkle.tile_width(0 if level == "entries" else int(level), index, done) >= width


def _content(conn: db.Connection, tile: Tile) -> bytes:
    level, index, width = tile
    first = index * merkle.TILE_WIDTH
    if level == "entries":
        return merkle.bundle(log.entries(conn, first, first + width))
    return b"".join(log.tile(conn, int(level), first, first + width))


def _write(path: Path, content: bytes) -> None:
    """Wholly or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.new")
    new.write_bytes(content)
    new.replace(path)
