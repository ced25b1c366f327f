"""Two accounts turn out to be one person: their deeds are settled together, and the corrections appended."""

from __future__ import annotations

from datetime import datetime

from backend.errors import Problem, field_problem
from backend.platform import Platform
from backend.store import corrections, db
from backend.usecases import change_deeds


def merge_persons(
    platform: Platform, person_id: int, merged_id: int, operator_id: str, reason: str, now: datetime
) -> dict[str, int]:
    """Make `merged_id` the same person as `person_id`, who stays; what changed. Merging again changes nothing.

    Points that fall away are borne by the platform: two logins are no fraud. Raises Problem not_found,
    request_invalid.
    """

    def work(conn: db.Connection) -> dict[str, int]:
        for name, one in (("person_id", person_id), ("merged_id", merged_id)):
            if not corrections.person_exists(conn, one):
                raise Problem("not_found", f"{name}: no person {one}")
        change_deeds.lock(conn, [person_id, merged_id])
        now_one = corrections.find_persons(conn, [person_id, merged_id])
        stays, goes = now_one[person_id], now_one[merged_id]
        if stays == goes:
            if person_id == merged_id:
                raise field_problem("merged_id", "field_invalid", "a person cannot be merged with itself")
            return {"person_id": stays, "merged_id": merged_id, "verdicts_changed": 0, "deeds_changed": 0}
        corrections.add_aliases(conn, stays, goes, operator_id, reason, now)
        whole = frozenset((stays, klass) for klass in corrections.find_classes(conn, stays))
        settlement = change_deeds.change_deeds(conn, platform, [], operator_id, now, whole=whole)
        changed, deeds = len(settlement.changed), len(settlement.deeds)
        return {"person_id": stays, "merged_id": goes, "verdicts_changed": changed, "deeds_changed": deeds}

    return platform.db.retrying(work)
