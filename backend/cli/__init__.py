"""The command line: `tanpuhui`. Results go to standard output, words for people to standard error."""

from __future__ import annotations

import csv
import json
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
import psycopg

from backend import auth, config
from backend.cli import audit, log, serials, standard, verify
from backend.cli.terminal import TERMINAL, opened, say
from backend.embedded import up
from backend.platform import Platform
from backend.store import clients, migrate
from backend.usecases import (
    add_client,
    add_people,
    change_keys,
    export_claims,
    import_claims,
    list_claims,
    read_claims,
    share_key,
    withdraw_claims,
)

PURPOSES = ("points", "pool", "budget", "statistics")
EXPORT_PAGE = 20_000


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
def main() -> None:
    """Tanpuhui 碳普惠: one deed, one credit.

    Start everything with `tanpuhui up`; in another shell let clients and people in. The commands find the running
    platform by TANPUHUI_HOME, or by DATABASE_URL and REDIS_URL when those are set.
    """


main.add_command(up.up)
main.add_command(serials.group)
main.add_command(standard.group)
main.add_command(verify.group)
main.add_command(log.group)
main.add_command(audit.audit)


@main.group()
def db() -> None:
    """The database."""


@db.command("upgrade")
def db_upgrade() -> None:
    """Apply the migrations that the database has not seen, and make the months' partitions."""
    try:
        applied = migrate.upgrade(config.load(os.environ).database_url)
    except config.SettingsError as error:
        raise click.ClickException(str(error)) from None
    except psycopg.OperationalError as error:
        raise click.ClickException(f"the database does not answer: {error}") from None
    say(f"applied: {', '.join(applied)}" if applied else "the database is up to date")


@main.group("clients")
def clients_group() -> None:
    """Partners, companies, verifiers, regulators, operators."""


@clients_group.command("add")
@click.option("--role", required=True, type=click.Choice(auth.CLIENT_ROLES))
@click.option("--name", required=True, help="Its name, as people read it.")
@click.option("--jwk", required=True, type=click.File("r"), help="Its public key, a JWK: Ed25519 or P-256.")
@click.option("--issuer", help="Partners: the name before the colon of act_refs it numbers itself. [default: its name]")
@click.option("--ceiling", multiple=True, metavar="TYPE=TIER", help="The best evidence tier it may claim for a type.")
@click.option(
    "--waiver/--no-waiver", default=True, help="Partners: whether it gives up its own claim to what is pooled."
)
@click.option("--waived-from", type=click.DateTime(["%Y-%m-%d"]), help="Since when.  [default: the acceptance window]")
def clients_add(
    role: str, name: str, jwk: Any, issuer: str | None, ceiling: tuple[str, ...], waiver: bool,
    waived_from: datetime | None,
) -> None:  # fmt: skip
    """Let a client in; prints its client id."""
    with opened() as platform:
        since = _since(platform, waived_from) if role == "partner" and waiver else None
        ceilings = dict(pair.partition("=")[::2] for pair in ceiling)
        key = _read_jwk(jwk)
        client_id, own = add_client.add_client(
            platform, role, name, key, issuer=issuer, ceilings=ceilings, waived_from=since
        )
    say(f"added {role} {name!r}" + (f", issuer of act_refs {own}:…" if own else "")
        + (f", waiver from {since:%Y-%m-%d}" if since else ""))  # fmt: skip
    click.echo(client_id)


def _read_jwk(file: Any) -> dict[str, Any]:
    key = json.load(file)
    if not isinstance(key, dict):
        raise ValueError("--jwk must hold one JWK, a JSON object")
    if "d" in key:
        say("note: the file holds a private key; only its public part is kept. Send public keys only.")
    return key


@clients_group.command("list")
def clients_list() -> None:
    """All clients."""
    with opened() as platform, platform.db.transaction() as conn:
        for client in clients.list_clients(conn):
            click.echo("\t".join(str(client[k] or "") for k in ("client_id", "role", "name", "issuer")))


@clients_group.group("key")
def clients_key_group() -> None:
    """Keys of a client: add the next one, let the client change over, revoke the old one."""


@clients_key_group.command("add")
@click.argument("client")
@click.option("--jwk", required=True, type=click.File("r"), help="Its further public key, a JWK: Ed25519 or P-256.")
def clients_key_add(client: str, jwk: Any) -> None:
    """Let CLIENT sign with another key too; prints the key's kid."""
    with opened() as platform:
        click.echo(change_keys.add_key(platform, client, _read_jwk(jwk)))


@clients_key_group.command("revoke", context_settings={"ignore_unknown_options": True})
@click.argument("client")
@click.argument("kid", type=click.UNPROCESSED)  # base64url: one in 64 begins with a dash
def clients_key_revoke(client: str, kid: str) -> None:
    """Let the key KID of CLIENT sign nothing more, from now on."""
    with opened() as platform:
        left = change_keys.revoke_key(platform, client, kid)
    say(f"revoked; {left} of its keys are left. Tokens given out before live {auth.ACCESS_S // 60} minutes at most.")
    if not left:
        say("note: this client cannot sign anything now; add a key when it has a new one.")


@main.group("people")
def people_group() -> None:
    """Persons and their links to partners."""


@people_group.command("add")
@click.option("--partner", required=True, metavar="CLIENT", help="The partner's client id.")
@click.option("--ids", required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="One opaque partner-side id a line.")  # fmt: skip
@click.option("--person-column", is_flag=False, flag_value="2", default=None, metavar="[COLUMN]",
              help="IDS is a CSV whose second column (or COLUMN, a number or a header's name) holds the login "
                   "provider's id (phone or union id), hashed as at login: the same person at several partners, "
                   "who can log in.")  # fmt: skip
@click.option("--consents", default="points,pool", show_default=True, help="Purposes consented to, or 'none'.")
@click.option("--consented-at", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S%z"]),
              help="When the partner collected them.  [default: the start of the acceptance window]")  # fmt: skip
@click.option("--text-version", default="import-1", show_default=True, help="Which text they agreed to.")
@click.option("--evidence", type=click.Path(exists=True, dir_okay=False, path_type=Path),
              help="The document of the consents; its digest is kept.  [default: the ids file]")  # fmt: skip
def people_add(
    partner: str, ids: Path, person_column: str | None, consents: str, consented_at: datetime | None,
    text_version: str, evidence: Path | None,
) -> None:  # fmt: skip
    """Create or find persons, link them to a partner and record their consents; prints a CSV for the operator.

    The CSV has partner_ref,person_id,subject. Importing the same file again changes nothing and prints the same.
    """
    purposes = [] if consents == "none" else consents.split(",")
    if unknown := sorted(set(purposes) - set(PURPOSES)):
        raise click.BadParameter(f"unknown purpose {unknown[0]!r}; expected {', '.join(PURPOSES)}")
    rows = _read_ids(ids, person_column)
    out = csv.writer(sys.stdout, lineterminator="\n")
    with opened() as platform:
        since = _since(platform, consented_at)
        out.writerow(("partner_ref", "person_id", "subject"))
        out.writerows(
            add_people.add_people(
                platform, partner, rows, purposes=purposes, consented_at=since, text_version=text_version,
                evidence=(evidence or ids).read_bytes(),
            )
        )  # fmt: skip
    say(
        f"{len(rows)} ids; consents to {consents} recorded as given on {since:%Y-%m-%d} (--consented-at states another)"
    )


def _read_ids(path: Path, person_column: str | None) -> list[add_people.Row]:
    """Distinct (partner_ref, provider id or None) in the file's order."""
    try:
        lines = list(csv.reader(path.read_text("utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise click.BadParameter(f"{path}: not a UTF-8 list of ids: {error}") from None
    if person_column is None:
        found: dict[str, str | None] = {line[0].strip(): None for line in lines if line and line[0].strip()}
        return list(found.items())
    if lines and (person_column in lines[0] or lines[0][0] == "partner_ref"):
        header = lines.pop(0)
        column = header.index(person_column) if person_column in header else int(person_column) - 1
    elif person_column.isdigit() and int(person_column) > 1:
        column = int(person_column) - 1
    else:
        raise click.BadParameter(f"{path} has no column {person_column!r}")
    found = {}
    for number, line in enumerate(lines, 1):
        if line and line[0].strip():
            if len(line) <= column or not line[column].strip():
                raise click.BadParameter(f"{path}: row {number} has no person in column {column + 1}")
            found[line[0].strip()] = line[column].strip()
    return list(found.items())


def _since(platform: Platform, given: datetime | None) -> datetime:
    """The moment given, or the earliest one from which an event can still be accepted."""
    if given is not None:
        return given if given.tzinfo else given.replace(tzinfo=UTC)
    now = datetime.now(UTC)
    return now - timedelta(days=platform.standard.parameter("acceptance_window_days", now.date()) + 1)


@main.group("claims")
def claims_group() -> None:
    """Other mechanisms' claims on deeds, and ours for them."""


@claims_group.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--mechanism", required=True, metavar="NAME", help="Whose claims they are: ccer, a scheme, a registry.")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), help="[default: by the file's name]")
@click.option("--source", help="The document this list came as.  [default: the file's name]")
def claims_import(file: Path, mechanism: str, form: str | None, source: str | None) -> None:
    """Block the deeds of FILE from now on; prints those already credited as JSON lines.

    A row has kind (issued, used, counted) and act_ref, or act_digest, or operator, activity, region, from and to (with
    asset_ref, if one asset only). Importing the same file again changes nothing.
    """
    with opened() as platform:
        text = file.read_text("utf-8-sig")
        form = form or ("json" if file.suffix == ".json" else "csv")
        raws = read_claims.read_json(text) if form == "json" else read_claims.read_csv(text)
        done = import_claims.import_claims(platform, mechanism, raws, source or file.name, TERMINAL, datetime.now(UTC))
    for error in done.errors:
        say(f"{file}:{error.line}: {error.field or 'row'}: {error.detail}")
    shown = ("deed", "mechanism", "conflict", "line", "partner", "event_ref", "region", "reduction_mg", "pooled",
             "batch_id", "case_id")  # fmt: skip
    for conflict in done.conflicts:
        click.echo(json.dumps({name: conflict[name] for name in shown}, ensure_ascii=False))
    made = f"list {done.list_id}: " if done.list_id else ""
    say(f"{made}{done.new} new, {done.known} known, {len(done.errors)} with mistakes;"
        f" {len(done.conflicts)} conflicts with deeds already credited")  # fmt: skip
    if done.errors:
        sys.exit(1)


@claims_group.command("list")
def claims_list() -> None:
    """All imported lists."""
    with opened() as platform:
        after: int | None = 0
        while after is not None:
            lists, after = list_claims.list_lists(platform, after, list_claims.PAGE)
            for row in lists:
                state = f"withdrawn {row['withdrawn_at']:%Y-%m-%d}" if row["withdrawn_at"] else "in force"
                cells = (row["list_id"], row["mechanism"], row["source"], row["claims"], row["conflicts"], state)
                click.echo("\t".join(map(str, cells)))


@claims_group.command("withdraw")
@click.argument("list_id", type=click.IntRange(1, 2**63 - 1), metavar="LIST")
@click.option("--reason", required=True)
def claims_withdraw(list_id: int, reason: str) -> None:
    """LIST blocks nothing from now on."""
    with opened() as platform:
        withdraw_claims.withdraw_claims(platform, list_id, reason, TERMINAL, datetime.now(UTC))


@claims_group.command("export")
@click.option("--mechanism", required=True, metavar="NAME", help="For whom: the key shared with it is used.")
@click.option("--region", required=True, metavar="CODE", help="GB/T 2260, or CN.")
@click.option("--month", required=True, type=click.DateTime(["%Y-%m"]), help="YYYY-MM")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True)
def claims_export(mechanism: str, region: str, month: datetime, form: str) -> None:
    """Our own deeds in the same form: keyed digests, so that another mechanism can block them too."""
    items: list[dict[str, str]] = []
    unnumbered, after = 0, 0
    with opened() as platform:
        while True:
            page = export_claims.export_claims(platform, mechanism, region, month.date(), after, EXPORT_PAGE)
            items, unnumbered = items + page.items, unnumbered + page.unnumbered
            if page.following is None:
                break
            after = page.following
    if form == "json":
        click.echo(json.dumps({"claims": items}))
    else:
        out = csv.DictWriter(sys.stdout, export_claims.COLUMNS, lineterminator="\n")
        out.writeheader()
        out.writerows(items)
    say(f"{len(items)} numbers; {unnumbered} deeds have none and cannot be named to others")


@claims_group.command("key")
@click.argument("mechanism")
@click.option(
    "--accept", type=click.File("r"), metavar="FILE", help="Use the key in FILE, which the mechanism gave us."
)
def claims_key(mechanism: str, accept: Any) -> None:
    """Print the key, in hexadecimal, that we share with MECHANISM. It is a secret: hand it over as one."""
    with opened() as platform:
        if accept:
            share_key.accept_key(platform, mechanism, bytes.fromhex(accept.read().strip()), datetime.now(UTC))
        click.echo(share_key.show_key(platform, mechanism).hex())


@main.group("keys")
def keys_group() -> None:
    """Keys for clients."""


@keys_group.command("new")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def keys_new(file: Path) -> None:
    """Make an Ed25519 key: FILE holds the private JWK (0600), FILE.pub the public one."""
    private, public = auth.new_key()
    if file.exists():
        raise click.ClickException(f"{file} exists: a key is never overwritten")
    file.touch(0o600)
    file.write_text(json.dumps(private) + "\n")
    Path(f"{file}.pub").write_text(json.dumps(public) + "\n")
    say(f"private key in {file}, public key in {file}.pub")


@main.command()
def work() -> None:
    """Run the jobs of the queue until told to stop."""
    from backend.workers import jobs  # here, so that the other commands need not load the drawing of certificates

    jobs.work()


@main.command("schedule")
def run_schedule() -> None:
    """Ask for the periodic jobs until told to stop."""
    from backend.workers import schedule

    schedule.schedule()
