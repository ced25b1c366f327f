"""`tanpuhui verify`: check what the platform handed out, without trusting it. Works offline."""

from __future__ import annotations

import click

from rules import replay, standard


@click.group("verify")
def group() -> None:
    """Check a file that the platform handed out."""


@group.command("receipt")
@click.argument("file", type=click.File("rb"))
@click.option("--pack", "packs", multiple=True, type=click.File("rb"),
              help="A pack.json, from /v1/standard/packs/{sha256}.  [default: those of this standard]")  # fmt: skip
def verify_receipt(file: click.File, packs: tuple[click.File, ...]) -> None:
    """Calculate the receipt in FILE anew, to the milligram; tells the reason when something does not agree."""
    given = [pack.read() for pack in packs] or [pack.document for pack in standard.load().packs]  # type: ignore[attr-defined]
    try:
        lines, receipt = replay.verify(file.read(replay.FILE_MAX_BYTES + 1), given)  # type: ignore[attr-defined]
    except replay.Refused as refused:
        raise click.ClickException(f"REFUSED / 不成立: {refused}") from None
    for line in lines:
        click.echo(line)
    click.echo(f"OK / 成立: {receipt['reduction_mg']} mg CO2e, {receipt['points']} points / 积分")
