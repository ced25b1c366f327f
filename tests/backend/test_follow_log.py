"""A stranger follows the log: what is right passes, and whatever must never be is an alarm with its evidence."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend import auth, witnesses
from backend.usecases import follow_log, sequence_log, sum_log
from rewards import leaves, merkle, notes, offline
from rules.replay import Refused
from tests import logs
from tests.backend.test_any_market import Driver
from tests.cast import Stage
from tests.logs import Log, deed_entry, keys_entry, new_key, note_key
from tests.market import Market

OLD, NEW = new_key(), new_key()
SALT = bytes(32)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_log, "CACHED_S", 0)
    monkeypatch.setattr(witnesses, "PAUSES_S", (0, 0))


def given_keys(*keys: auth.SigningKey, origin: str = logs.ORIGIN) -> tuple[offline.PlatformKey, ...]:
    return offline.read_keys("\n".join(str(note_key(key, origin)) for key in keys).encode())


def follow(
    log: Any, state: follow_log.State | None = None, *keys: auth.SigningKey, saved: list[bytes] | None = None
) -> follow_log.State:
    """A round, by a state that was written to a file and read again. Without keys: OLD."""
    kept = saved if saved is not None else []
    read = follow_log.read_state(follow_log.write_state(state)) if state else None

    def save(new: follow_log.State) -> None:
        kept.append(follow_log.write_state(new))

    new = follow_log.follow_log(log, read, given_keys(*(keys or (OLD,))), save, lambda done, total: None)
    assert kept[-1] == follow_log.write_state(new)
    return new


def growing(count: int) -> Log:
    """A log of OLD's with its keys entry and deeds, published."""
    log = Log([OLD])
    log.publish(keys_entry(OLD), *(deed_entry(n) for n in range(count - 1)))
    return log


def fact(kind: str, **public: Any) -> bytes:
    return leaves.entry(kind, public, SALT)


ISSUED = {"issued_g": 1000, "remainder_mg": 200, "recalled_mg": 0, "carried_from": None, "carried_mg": 0}
BATCH = (
    fact("close", batch=7, reduction_mg=1_000_500),
    fact("attestation", batch=7, decision="attested", adjustment_mg=300),
    fact("issue", batch=7, **ISSUED),
)
SALE = fact("sale", lines=[{"batch": 7, "quantity_g": 300}])


def retirement(quantity_g: int, batch: int = 7, lines_g: int | None = None) -> bytes:
    lines = [{"batch": batch, "quantity_g": quantity_g if lines_g is None else lines_g}]
    return fact("retirement", certificate="TPH-C-2026-000001", quantity_g=quantity_g, lines=lines, sha256="00")


# --- what is right ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "steps", [[1], [1, 2], [255, 256, 257], [300, 300, 1000], [1, 513, 514, 770], [66_000, 66_001]]
)
def test_a_log_that_grows_is_followed_from_head_to_head(steps: list[int]) -> None:
    log, state = Log([OLD]), None
    for size in steps:
        entries = [keys_entry(OLD), *(deed_entry(n) for n in range(size - 1))][len(log.entries) :]
        note = log.publish(*entries)
        state = follow(log, state)
        assert (state.head.size, state.head.root, state.note) == (size, log.root(size), note)
        assert state.seen.sums.entries == {"keys": 1, "deed": size - 1} if size > 1 else {"keys": 1}


def test_entries_that_were_read_are_not_read_again() -> None:
    log = growing(600)
    state = follow(log)
    log.asked.clear()
    log.publish(*(deed_entry(n) for n in range(599, 800)))
    follow(log, state)
    assert [path for path in log.asked if path.startswith("tile/")] == ["tile/entries/002", "tile/entries/003.p/33"]


def test_a_head_that_is_signed_anew_is_the_same_head() -> None:
    log = growing(3)
    state = follow(log)
    log.files["checkpoint"] = log.note(3, keys=[OLD, NEW]).encode()
    assert follow(log, state).note == log.note(3, keys=[OLD, NEW])


def test_what_is_public_is_added_up() -> None:
    log = Log([OLD])
    log.publish(keys_entry(OLD), *BATCH, SALE, retirement(120))
    state = follow(log)
    log.publish(
        fact("sale", lines=[{"batch": 7, "quantity_g": 100}]),
        fact("refund", lines=[{"batch": 7, "quantity_g": 100}]),
        fact("transfer", registry=None, lines=[{"batch": 7, "quantity_g": 10}]),
        fact("transfer", registry="other", lines=[{"batch": 7, "quantity_g": 30}]),
        fact("cancellation", batch=8, from_batch=7, place="available", quantity_g=5),
    )
    sums = follow(log, state).seen.sums
    grams = {"issue": 1000, "sale": 400, "refund": 100, "transfer": 30, "retirement": 120, "cancellation": 5}
    assert sums.grams == grams
    assert sums.batches == {
        7: sum_log.Batch(
            issued_g=1000,
            sold_g=300,
            gone_g=150,
            cancelled_g=5,
            reduction_mg=1_000_500,
            adjustment_mg=300,
            remainder_mg=200,
        )
    }
    assert sums.entries["transfer"] == 2


def test_a_partial_bundle_that_is_gone_is_read_out_of_the_full_one() -> None:
    log = growing(100)
    early = dict(log.files)
    log.publish(*(deed_entry(n) for n in range(99, 256)))
    del log.files["tile/entries/000.p/100"]
    log.files["checkpoint"] = early["checkpoint"]
    assert follow(log).head.size == 100


def test_a_head_that_comes_out_of_a_cache_is_asked_for_again() -> None:
    log = growing(5)
    stale = log.files["checkpoint"]
    log.publish(deed_entry(5))
    state, fresh = follow(log), log.files["checkpoint"]
    answers = iter([stale, fresh])

    class Cached:
        url = log.url

        def get(self, path: str, limit: int) -> bytes | None:
            return next(answers) if path == "checkpoint" else log.get(path, limit)

    assert follow(Cached(), state).head.size == 6


def test_what_was_read_before_a_break_is_kept_and_proven_with_the_rest() -> None:
    log, saved = growing(256 * 130), []
    lost = log.files.pop("tile/entries/100")
    with pytest.raises(witnesses.Unanswered, match="100"):
        follow(log, saved=saved)
    state = follow_log.read_state(saved[-1])
    assert (state.head.size, state.ahead.size if state.ahead else 0) == (0, 256 * 64)
    log.files["tile/entries/100"] = lost
    log.asked.clear()
    assert follow(log, state).head.size == 256 * 130
    assert "tile/entries/000" not in log.asked


def test_what_was_read_wrong_before_a_break_is_read_again() -> None:
    log, saved = growing(256 * 130), []
    right, lost = log.files["tile/entries/003"], log.files.pop("tile/entries/100")
    log.files["tile/entries/003"] = merkle.bundle([deed_entry(10**9 + n) for n in range(256)])
    with pytest.raises(witnesses.Unanswered):
        follow(log, saved=saved)
    log.files |= {"tile/entries/003": right, "tile/entries/100": lost}
    assert follow(log, follow_log.read_state(saved[-1])).head.size == 256 * 130


def test_an_empty_log_is_a_log() -> None:
    log = Log([OLD])
    log.publish()
    assert follow(log).head.size == 0
    log.publish(keys_entry(OLD))
    assert follow(log).head.size == 1


# --- keys ------------------------------------------------------------------------------------------------------------


def rotated(away: str) -> tuple[Log, follow_log.State | None]:
    """A log whose key changed from OLD to NEW, and what somebody saw who was away meanwhile."""
    log, state = Log([OLD]), None
    log.publish(keys_entry(OLD), deed_entry(1))
    if away != "from the start":
        state = follow(log)
    log.keys = [NEW, OLD]
    log.publish(keys_entry(NEW, OLD), deed_entry(2))
    if away in ("never", "after the overlap"):
        state = follow(log, state)
    log.publish(deed_entry(3))
    log.keys = [NEW]
    log.publish(keys_entry(NEW), deed_entry(4))
    if away == "never":
        state = follow(log, state)
    log.publish(deed_entry(5))
    return log, state


@pytest.mark.parametrize("away", ["never", "after the overlap", "all the time", "from the start"])
def test_a_new_key_is_learnt_from_the_log_under_the_old_ones_signature(away: str) -> None:
    log, before = rotated(away)
    state = follow(log, before)
    assert state.keys == [note_key(NEW)]
    assert state.former == [note_key(OLD)]
    assert follow(log, state, NEW).head.size == 8  # who has the new key now may say so


def test_an_old_key_signs_nothing_more_once_the_log_says_so() -> None:
    log, before = rotated("never")
    state = follow(log, before)
    log.publish(deed_entry(6))
    log.files["checkpoint"] = log.note(9, keys=[OLD]).encode()
    with pytest.raises(follow_log.Alarm, match="no known key signed this head"):
        follow(log, state)


def test_keys_that_changed_without_an_overlap_are_an_alarm() -> None:
    log = growing(3)
    state = follow(log)
    log.keys = [NEW]
    log.publish(keys_entry(NEW), deed_entry(3))
    with pytest.raises(follow_log.Alarm, match="no known key signed this head") as caught:
        follow(log, state)
    assert caught.value.shown["known"] == state.note


def test_keys_that_changed_without_an_entry_are_an_alarm() -> None:
    log = growing(3)
    state = follow(log)
    log.keys = [NEW]
    log.publish(deed_entry(3))
    with pytest.raises(follow_log.Alarm, match="no known key signed this head"):
        follow(log, state)


def test_a_head_without_the_signature_of_the_keys_the_log_names_is_an_alarm() -> None:
    log = growing(3)
    state = follow(log)
    log.publish(keys_entry(NEW), deed_entry(3))  # signed by OLD alone
    with pytest.raises(follow_log.Alarm, match="signed by no key that the log itself says is in use"):
        follow(log, state)


def test_without_a_key_the_logs_own_word_is_taken_at_first_and_never_again() -> None:
    log = growing(3)
    first = follow_log.follow_log(log, None, (), lambda state: None, lambda done, total: None)
    assert (first.keys, first.is_pinned) == ([note_key(OLD)], False)
    assert follow(log).is_pinned
    log.keys = [NEW]
    log.publish(deed_entry(3))
    with pytest.raises(follow_log.Alarm):
        follow_log.follow_log(log, first, (), lambda state: None, lambda done, total: None)


def test_a_jwk_verifies_whatever_the_log_is_called() -> None:
    log = growing(3)
    keys = offline.read_keys(json.dumps(OLD.public_jwk).encode())
    state = follow_log.follow_log(log, None, keys, lambda state: None, lambda done, total: None)
    assert state.keys == [note_key(OLD)]


def test_other_keys_than_those_of_the_state_are_refused() -> None:
    log = growing(3)
    with pytest.raises(Refused, match="signed by other keys"):
        follow(log, follow(log), NEW)


# --- alarms ----------------------------------------------------------------------------------------------------------


def shrink(log: Log) -> None:
    log.files["checkpoint"] = log.note(len(log.entries) - 1).encode()


def show_two_faces(log: Log) -> None:
    log.entries[-1] = deed_entry(999)
    log.files["checkpoint"] = log.note(len(log.entries)).encode()


def rename(log: Log) -> None:
    log.origin = "elsewhere.example/v1/log"
    log.files["checkpoint"] = log.note(len(log.entries)).encode()


def forge(log: Log) -> None:
    note = log.note(len(log.entries) + 1, bytes(32)).replace("AAAAAAAA", "AAAAAAAB", 1)
    log.files["checkpoint"] = note.encode()


def sign_by_a_stranger(log: Log) -> None:
    log.publish(deed_entry(1000))
    log.files["checkpoint"] = log.note(len(log.entries), keys=[NEW]).encode()


def lie_in_an_entry(log: Log) -> None:
    size = len(log.entries)
    log.publish(*(deed_entry(n) for n in range(1000, 1300)))
    entries = merkle.read_bundle(log.files["tile/entries/001"])
    entries[size - 256 + 1] = deed_entry(5)
    log.files["tile/entries/001"] = merkle.bundle(entries)


def lie_in_the_head(log: Log) -> None:
    log.publish(deed_entry(1000))
    log.files["checkpoint"] = log.note(len(log.entries), bytes(range(32))).encode()


def rewrite_history(log: Log) -> None:
    log.entries[3] = deed_entry(999)
    log.publish(deed_entry(1000))


def hide_the_tiles(log: Log) -> None:
    rewrite_history(log)
    log.files = {path: raw for path, raw in log.files.items() if not path.startswith(("tile/0", "tile/1"))}


def saying(*entries: bytes) -> Callable[[Log], str]:
    return lambda log: log.publish(*entries)


ALARMS: dict[str, tuple[Callable[[Log], Any], str]] = {
    "it shrank": (shrink, "the log shrank: it had 300 entries, and has 299"),
    "two faces": (show_two_faces, "two heads of 300 entries with different roots"),
    "another name": (rename, "the log calls itself elsewhere.example/v1/log, and was log.example/v1/log"),
    "a forged head": (forge, "the checkpoint's signature by log.example/v1/log is wrong"),
    "a stranger's head": (sign_by_a_stranger, "no known key signed this head"),
    "an entry that hashes otherwise": (lie_in_an_entry, "entry 301 hashes otherwise than its place in the tree"),
    "a root of nothing": (lie_in_the_head, "its own tiles do not make it either"),
    "history rewritten": (rewrite_history, "the first 300 entries are not what they were"),
    "tiles that cannot be read": (hide_the_tiles, "its tiles cannot be read"),
    "a blank too many": (saying(b'{"kind": "deed"}'), "300: no canonical JSON"),
    "no known kind": (saying(fact("gift", batch=7)), "300: unknown kind 'gift'"),
    "a deed that tells": (saying(fact("deed", person="lin")), "300: a deed tells more than its commitment"),
    "a correction that tells": (saying(fact("correction", reason="x")), "300: a correction tells more"),
    "no commitment": (saying(leaves.entry("deed", {})), "300: its commitment is not one"),
    "a short commitment": (saying(leaves.entry("deed", {}, bytes(31))), "300: its commitment is not one"),
    "a commitment of terms": (saying(leaves.entry("terms", {}, SALT)), "300: its commitment is not one"),
    "text for grams": (saying(*BATCH[:1], fact("issue", batch=7, issued_g="9")), "301: not of the form of its kind"),
    "negative grams": (saying(*BATCH, fact("sale", lines=[{"batch": 7, "quantity_g": -1}])), "303: not of the form"),
    "a batch out of nowhere": (saying(*BATCH[1:]), "300: batch 7 was never closed"),
    "closed twice": (saying(*BATCH, *BATCH[:1]), "303: batch 7 is closed twice"),
    "issued twice": (saying(*BATCH, *BATCH[1:]), "304: batch 7 is issued twice"),
    "issued without attestation": (saying(BATCH[0], BATCH[2]), "301: batch 7 is issued without an attestation"),
    "more issued than measured": (
        saying(*BATCH[:2], fact("issue", batch=7, **ISSUED | {"issued_g": 1001})), "302: batch 7: 1001 g and 200 mg",
    ),
    "a remainder out of nowhere": (
        saying(*BATCH[:2], fact("issue", batch=7, **ISSUED | {"carried_from": 6, "carried_mg": 5})),
        "302: batch 6 has no 5",
    ),
    "more sold than issued": (saying(*BATCH, *[SALE] * 4), "306: batch 7: 1200 g sold and 0 g cancelled of 1000"),
    "more retired than sold": (saying(*BATCH, SALE, retirement(301)), "304: batch 7: 301 g retired or transferred out"),
    "a sum that is none": (saying(*BATCH, SALE, retirement(200, lines_g=199)), "304: TPH-C-2026-000001: its lines"),
    "keys of another log": (
        saying(leaves.entry("keys", {"keys": [str(note_key(OLD, "x"))]})), "300: it names keys that are none",
    ),
    "no keys": (saying(leaves.entry("keys", {"keys": []})), "300: it names keys that are none"),
}  # fmt: skip


@pytest.mark.parametrize(("bend", "words"), ALARMS.values(), ids=ALARMS)
def test_what_must_never_be_is_an_alarm_with_both_heads(bend: Callable[[Log], Any], words: str) -> None:
    log = growing(300)
    state = follow(log)
    kept = follow_log.write_state(state)
    bend(log)
    with pytest.raises(follow_log.Alarm) as caught:
        follow(log, state)
    assert words in str(caught.value)
    assert caught.value.shown == {"known": state.note, "met": log.files["checkpoint"].decode()}
    assert follow_log.write_state(state) == kept
    with pytest.raises(follow_log.Alarm):
        follow(log, state)  # it does not go away by being looked at again


def test_a_log_that_is_not_the_one_of_the_key_is_an_alarm() -> None:
    log = growing(3)
    with pytest.raises(
        follow_log.Alarm, match=r"the key is of other\.example, and the log here is log\.example/v1/log"
    ):
        follow_log.follow_log(
            log, None, given_keys(OLD, origin="other.example"), lambda state: None, lambda done, total: None
        )


# --- the state -------------------------------------------------------------------------------------------------------


@given(st.data())
def test_a_damaged_state_is_never_taken_for_one(data: st.DataObject) -> None:
    whole = follow_log.write_state(follow(growing(40)))
    at = data.draw(st.integers(0, len(whole) - 2))
    damaged = data.draw(
        st.one_of(
            st.just(whole[:at]),
            st.integers(0, 255)
            .filter(lambda b: b != whole[at])
            .map(lambda b: whole[:at] + bytes([b]) + whole[at + 1 :]),
        )
    )
    with pytest.raises(Refused, match="the state is damaged"):
        follow_log.read_state(damaged)


def test_a_state_that_was_written_by_hand_must_agree_with_itself() -> None:
    told = json.loads(follow_log.write_state(follow(growing(40))))
    other = copy.deepcopy(told)
    other["seen"]["edge"][0] = auth.base64_text(bytes(32 * 40))
    del other["sha256"]
    other["sha256"] = hashlib.sha256(leaves.canonical_json(other)).hexdigest()
    with pytest.raises(Refused, match="the state is damaged"):
        follow_log.read_state(leaves.canonical_json(other))


def test_what_is_cosigned_is_the_head_that_was_found_right() -> None:
    state, key = follow(growing(40)), new_key()
    witness = note_key(key, "witness.example/w1", notes.COSIGNATURE)
    told = notes.read_checkpoint(follow_log.cosigned(state, witness.name, key, 1_790_000_000))
    assert told.text == state.head.text
    assert notes.signers(told, [witness], auth.is_ed25519) == [witness]


# --- a platform's own log --------------------------------------------------------------------------------------------


class Platforms:
    """A platform's log as a stranger reads it."""

    url = "http://localhost"

    def __init__(self, stage: Stage) -> None:
        self.http = stage.http

    def get(self, path: str, limit: int) -> bytes | None:
        answer = self.http.get(f"/v1/log/{path}")
        assert answer.status_code in (200, 404), answer.get_data(as_text=True)
        return answer.data if answer.status_code == 200 else None


def test_whatever_a_market_does_its_log_adds_up_for_a_stranger(stage: Stage) -> None:
    driver, state = Driver(Market(stage), 36), None
    for number in range(1, 1_001):
        driver.step()
        if number % 100 == 0:
            sequence_log.sequence_log(stage.platform, datetime.now(UTC))
            state = follow_log.follow_log(Platforms(stage), state, (), lambda new: None, lambda done, total: None)
    assert state is not None
    sums = state.seen.sums
    assert sum(sums.entries.values()) == state.head.size
    assert sums.grams["retirement"] == driver.retired.total()
    assert all(sums.grams[kind] for kind in ("issue", "sale", "refund", "transfer", "retirement", "cancellation"))
    with stage.platform.db.transaction() as conn:
        [issued, cancelled] = [
            int(conn.execute(sql).fetchone()[0])  # type: ignore[index]
            for sql in ("select sum(issued_g) from issue", "select sum(quantity_g) from cancellation")
        ]
    assert (sums.grams["issue"], sums.grams["cancellation"]) == (issued, cancelled)


def test_the_first_word_of_a_platform_is_its_keys(stage: Stage) -> None:
    stage.partner("citybike", ["lin"])
    assert stage.http.get("/v1/log/checkpoint").status_code == 404
    assert sequence_log.is_due(stage.platform)
    assert sequence_log.sequence_log(stage.platform, datetime.now(UTC)) == 1
    assert not sequence_log.is_due(stage.platform)
    state = follow_log.follow_log(Platforms(stage), None, (), lambda new: None, lambda done, total: None)
    assert (state.head.origin, state.seen.sums.keys) == ("localhost/v1/log", [str(key) for key in state.keys])
    assert [base64.b64encode(key.public).decode() for key in state.keys] == [
        base64.b64encode(auth.raw_public(key)).decode() for key in stage.platform.proof_keys
    ]
