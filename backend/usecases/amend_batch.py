"""Amend a batch after a recall: a signed amendment beside its certificates, and word to who has grams of it.

One a day and batch: a later recall of the same day makes a new version of that day's amendment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend import auth
from backend.platform import Platform
from backend.store import db, notices, recalls
from backend.usecases import log_facts, tell_client
from rewards import certificates, recalling


def amend_batch(conn: db.Connection, platform: Platform, state: recalls.State, now: datetime) -> None:
    """Say in public what the batch recalled and what replaced it, and tell the companies. Not before its issue."""
    if not state.issued:
        return
    here = now.astimezone(platform.standard.nation.timezone)
    today = here.replace(hour=0, minute=0, second=0, microsecond=0)
    versions, before = recalls.last_amendment(conn, state.batch_id, here.date())
    body = recalling.amendment(
        batch_id=state.batch_id,
        made_on=here.date(),
        version=versions + 1,
        made_at=now,
        issuer=platform.settings.public_url,
        recalled_mg=max(state.recalled_mg - state.before_mg, 0),
        before_mg=before["recalled_in_all_mg"] if before else 0,
        owed_g=state.owed_g,
        cancelled=recalls.find_cancelled(conn, state.batch_id, today),
        previous_sha256=certificates.sha256(before) if before else None,
    )
    canonical, key = certificates.canonical(body), platform.proof_keys[0]
    amendment_id = recalls.add_amendment(
        conn, batch_id=state.batch_id, made_on=here.date(), version=versions + 1, canonical=canonical.decode(),
        kid=key.kid, algorithm=key.algorithm, signature=auth.sign(key, canonical), at=now,
    )  # fmt: skip
    log_facts.log_facts(conn, "amendment", [amendment_id])
    for holder in recalls.find_holders(conn, state.batch_id):
        subject = recalling.subject(state.batch_id, here.date())
        told = _notice(body, holder)
        notices.add_notice(conn, holder["client_id"], "recall", subject, told, now)
        tell_client.tell_client(conn, holder["client_id"], "batch.recalled", told, now)


def _notice(amendment: dict[str, Any], holder: dict[str, Any]) -> dict[str, Any]:
    told = {name: amendment[name] for name in ("batch", "recalled_in_all_g", "owed_g")}
    grams = {name: holder[name] or 0 for name in ("ordered_g", "held_g", "retired_g")}
    return {
        "amendment": amendment["number"], **told, **grams, "certificates": holder["certificates"],
        **amendment["statement"],
    }  # fmt: skip
