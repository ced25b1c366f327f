"""`tanpuhui verify`: check what the platform handed out, without trusting it. Works offline."""

from __future__ import annotations

from typing import BinaryIO

import click

from backend.cli.terminal import load_standard
from rules import replay


@click.group("verify")
def group() -> None:
    """Check a file that the platform handed out."""


@group.command("receipt")
@click.argument("file", type=click.File("rb"))
@click.option("--pack", "packs", multiple=True, type=click.File("rb"),
              help="A pack.json, from /v1/standard/packs/{sha256}.  [default: those of this standard]")  # fmt: skip
def verify_receipt(file: BinaryIO, packs: tuple[BinaryIO, ...]) -> None:
    """Calculate the receipt in FILE anew, to the milligram; tells the reason when something does not agree."""
    given = [pack.read() for pack in packs] or [pack.document for pack in load_standard().packs]
    try:
        lines, receipt = replay.verify(file.read(replay.FILE_MAX_BYTES + 1), given)
    except replay.Refused as refused:
        raise click.ClickException(f"REFUSED / 不成立: {refused}") from None
    click.echo(replay.told(lines, receipt))
