"""What the commands share: the platform of the environment, and how people are spoken to."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import psycopg
import psycopg_pool

from backend import config
from backend.errors import Problem
from backend.platform import Platform
from rules import standard

TERMINAL = "terminal"  # who did it, where no client is logged in


@contextmanager
def opened() -> Iterator[Platform]:
    """The platform of the environment, with what goes wrong said in a sentence."""
    try:
        platform = Platform.open(os.environ)
        try:
            yield platform
        finally:
            platform.close()
    except (config.SettingsError, standard.StandardError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    except Problem as problem:
        raise click.ClickException(problem.detail or problem.code) from None
    except (psycopg.OperationalError, psycopg_pool.PoolTimeout):
        raise click.ClickException("the database does not answer: is `tanpuhui up` running?") from None


def load_standard(folders: tuple[Path, ...] = ()) -> standard.Standard:
    """The shipped standard and these folders, or else those of the environment, with mistakes said as they are."""
    try:
        return standard.load(*(folders or config.standard_folders(os.environ)))
    except standard.StandardError as error:
        raise click.ClickException(str(error)) from None


def say(text: str) -> None:
    click.echo(text, err=True)
