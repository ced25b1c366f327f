"""`python -m mobile_mock.demo`, called by `./run demo`."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import click

from mobile_mock.demo import host, show, story


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Send real files of this folder (mibici/, valleybike_raw/, shenzhen_card/) in place of made ones.",
)
@click.option("--events", default=3000, show_default=True, help="Made events.")
@click.option("--keep", is_flag=True, help="Leave it serving, and print the pages to open.")
def main(data: Path | None, events: int, keep: bool) -> None:
    """The main job, end to end: onboard, send, credit, pool, attest, issue, sell, retire, certify, prove.

    The last line is JSON; the exit code is 1 if anything does not hold.
    """
    home = Path(os.environ.get("TANPUHUI_HOME") or ".tanpuhui/demo").resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        with host.serving(home) as place:
            summary = story.tell(place, data, events)
            show.pages(place, summary, keep)
            click.echo(json.dumps(summary, ensure_ascii=False))
            if keep:
                place.wait()
    except (host.Failed, story.DoesNotHold) as error:
        raise click.ClickException(str(error)) from None
    wrong = [name for name in ("conservation", "answer_key") if summary[name] not in ("ok", story.NO_KEY)]
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main(prog_name="./run demo")
