"""`tanpuhui verify`: check what the platform handed out, without trusting it. Works offline."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import BinaryIO

import click

from backend import auth, config
from backend.cli.terminal import load_standard, say
from backend.usecases import build_verifier
from rewards import offline_script
from rewards.offline import printable
from rules import replay

HELP = {
    "receipt": "A receipt: its calculation, and its place in the log.",
    "membership": "That a deed is in a batch which was retired.",
    "certificate": "A certificate and its amendments.",
    "checkpoint": "A head of the log, and that it only grew.",
}


DEFAULTS = {
    "pack": "  [default: those of this standard]",
    "key": "  [default: those of the platform of the environment, where there is one]",
}


@click.group("verify")
def group() -> None:
    """Check a file that the platform handed out."""


@group.command("script")
def print_script() -> None:
    """Print the stand-alone verifier: one Python file that needs nothing of the platform."""
    click.echo(build_verifier.build_verifier(), nl=False)


def _command(kind: str) -> click.Command:
    """The command of a kind of file; all have the options of the stand-alone script."""

    def run(file: BinaryIO, unlogged: bool, **given: Sequence[BinaryIO]) -> None:
        files = {name: [_read(one) for one in several] for name, several in given.items()}
        if kind == "receipt" and not files["pack"]:
            files["pack"] = [pack.document for pack in load_standard().packs]
        files["key"] = files["key"] or _own_keys()
        try:
            lines = offline_script.verify_file(kind, _read(file), files, unlogged=unlogged)
        except replay.Refused as refused:
            raise click.ClickException(f"REFUSED / 不成立: {printable(str(refused))}") from None
        click.echo("\n".join(lines))

    options: list[click.Parameter] = [click.Argument(["file"], type=click.File("rb"))]
    for name, text in offline_script.OPTIONS.items():
        text += DEFAULTS.get(name, "")
        options.append(click.Option([f"--{name}"], multiple=True, type=click.File("rb"), help=text))
    options.append(click.Option(["--unlogged"], is_flag=True, help=offline_script.UNLOGGED))
    return click.Command(kind, callback=run, params=options, help=HELP[kind])


def _own_keys() -> list[bytes]:
    """The public keys of the platform that the settings describe; nothing where they describe none."""
    try:
        keys = auth.signing_keys(config.load(os.environ).proof_keys)
    except config.SettingsError:
        return []
    say("trusting the keys of this platform's own settings; --key names others / 以本平台配置中的公钥核验")
    return [json.dumps({"keys": [key.public_jwk for key in keys]}).encode()]


def _read(file: BinaryIO) -> bytes:
    return file.read(replay.FILE_MAX_BYTES + 1)


for _kind in offline_script.KINDS:
    group.add_command(_command(_kind))
