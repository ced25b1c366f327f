"""The books: every transfer follows from a fact, every share from the sales, every gram from its issue on; and every
identity of conservation holds. Found in sets, by the database; only what does not fit leaves it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from backend.store import audit, audit_books, conservation, db, money
from backend.usecases.collect_findings import Check, Tell
from rewards import ledger, sharing

# A sale that became final in the moment of a settlement may have been met by it or not.
AT_THAT_MOMENT = timedelta(minutes=10)

# check -> (中文, English, statements of sql/audit_books.sql)
BOOKS = {
    "records": ("记录", "records of deeds", ("records", "leading_records", "roots", "reverdicts")),
    "transfers": ("转账", "transfers", ("transfers", "points_charged", "transfers_of_erasures", "payouts")),
    "shares": ("分配", "shares of sales", ("lines_of_settlements", "settlements")),
    "batches": ("批次", "batches and recalls", ("members", "people_of_batches", "partners_of_batches", "recalled")),
    "serials": ("序号", "serials", ("live_blocks", "first_blocks", "cut_blocks", "moved_blocks")),
    "orders": ("订单", "states of orders", ("order_states",)),
    "registry": ("登记簿", "the public registry", ("registry",)),
}


def check_books(conn: db.Connection, tell: Tell) -> Iterator[Check]:
    steps = sum(len(names) for _, _, names in BOOKS.values()) + len(ledger.IDENTITIES)
    done = 0
    for name, (zh, en, statements) in BOOKS.items():
        check = Check(name, zh, en)
        for statement in statements:
            _compare(conn, check, statement)
            tell("books", done := done + 1, steps)
        if name == "shares":
            _check_settlements(conn, check)
        yield check
    identities = Check("conservation", "守恒", "identities of conservation")
    for name in ledger.IDENTITIES:
        _check_identity(conn, identities, name)
        tell("books", done := done + 1, steps)
    yield identities


def _compare(conn: db.Connection, check: Check, statement: str) -> None:
    try:
        with audit.trying(conn):
            for one in audit_books.differences(conn, statement):
                if one.rows is None:
                    check.counts[statement.replace("_", " ")] += int(one.found or 0)
                else:
                    check.differs(one.rows, one.what, one.found, one.expected)
    except audit.Unreadable as error:
        check.find([f"{statement} *"], f"a row cannot be read: {error}", f"有一行无法读取：{error}")


def _check_identity(conn: db.Connection, check: Check, name: str) -> None:
    _, zh, en = ledger.IDENTITIES[name]
    check.counts["identities"] += 1
    try:
        with audit.trying(conn):
            broken = [row for row in conservation.identity(conn, name) if row[1] != row[2]]
    except (audit.Unreadable, TypeError) as error:  # a sum over something that is of nothing
        check.find([f"{name} *"], f"{en}: a row cannot be read: {error}", f"{zh}：有一行无法读取：{error}")
        return
    for scope, left, right in broken:
        row = scope.removesuffix(" differs")
        check.find([row], f"{name}: {left} ≠ {right} ({en})", f"{name}：{left} ≠ {right}（{zh}）")


# --- how the money of a batch was shared -----------------------------------------------------------------------------


def _check_settlements(conn: db.Connection, check: Check) -> None:
    """Every settlement of a batch again, from its sales and the terms they were made under."""
    for batch_id, settlements in groupby(audit.settlements(conn), key=lambda row: row["batch_id"]):
        _check_batch(conn, check, batch_id, list(settlements))


class _Sales:
    """The final sales of a batch, in the order in which they became final: those that settlements have met so far."""

    def __init__(self, conn: db.Connection, batch_id: int) -> None:
        self._rows = audit.sales(conn, batch_id)
        self.following = next(self._rows, None)
        self.entitled: sharing.Shares = (0,) * len(sharing.POTS)
        self.income_fen = 0
        self.orders: list[str] = []  # the latest of them

    def meet(self, until: datetime, income_fen: int | None = None) -> None:
        """Go on to a moment, with no more income than that."""
        while (sale := self.following) is not None and sale["final_at"] <= until:
            if income_fen is not None and self.income_fen + sale["amount_fen"] > income_fen:
                return
            terms = sale["shares_ppm"]
            if None in terms or sharing.shares_mistake(terms):  # told with the leaf of the sale
                terms = [0] * len(sharing.POTS)
            more = sharing.entitled_micro([(sale["amount_fen"], terms)])
            self.entitled = tuple(a + b for a, b in zip(self.entitled, more, strict=True))
            self.income_fen += sale["amount_fen"]
            self.orders = [f"purchase_order {sale['order_id']}", *self.orders[:19]]
            self.following = next(self._rows, None)

    def is_late(self, until: datetime) -> bool:
        """Whether a sale that was final for long has not been met."""
        return self.following is not None and self.following["final_at"] <= until - AT_THAT_MOMENT

    def rows(self) -> list[str]:
        return [*([f"purchase_order {self.following['order_id']}"] if self.following else []), *self.orders]


def _check_batch(conn: db.Connection, check: Check, batch_id: int, settlements: list[dict[str, Any]]) -> None:
    lines: dict[int, dict[int, tuple[int, int]]] = defaultdict(dict)
    for line in audit.partner_lines(conn, batch_id):
        lines[line["settlement_id"]][line["number"]] = (line["amount"], line["transfer_id"])
    weights, sales = money.partner_weights(conn, batch_id), _Sales(conn, batch_id)
    before, partners, pots = sharing.Pots(0, 0, 0, 0), Counter[int](), {}
    for row in settlements:
        name = f"settlement {row['settlement_id']}"
        sales.meet(row["made_at"], row["income_fen"])
        if sales.income_fen != row["income_fen"]:
            rows = [name, *sales.rows()]
            sales.meet(row["made_at"])
            check.differs(rows, "income_fen", row["income_fen"], sales.income_fen)
        elif sales.is_late(row["made_at"]):
            check.find([*sales.rows()[:1], name], "the sale was final by then, and was not shared out",
                       "此笔销售当时已不可退，却未分配")  # fmt: skip
        due = sharing.whole_fen(sales.entitled, is_last=row["is_last"])
        left, before = due.less(before), due
        for what, expected in (("platform_fen", left.platform), ("fund_fen", left.fund)):
            if row[what] != expected:
                check.differs([name, *sales.rows()], what, row[what], expected)
        paid = sharing.allot(due.partners, weights, partners, str(batch_id), is_last=row["is_last"])
        _compare_partners(check, row["settlement_id"], lines[row["settlement_id"]], paid)
        partners.update(paid)
        pots[row["settlement_id"]] = due.citizens
    for one in audit.shares_of_people(conn, batch_id, before.citizens, is_last=settlements[-1]["is_last"]):
        _tell_share(check, batch_id, one, pots)


def _compare_partners(
    check: Check, settlement_id: int, lines: dict[int, tuple[int, int]], expected: dict[int, int]
) -> None:  # fmt: skip
    for number in sorted(lines.keys() | expected.keys()):
        found, transfer_id = lines.get(number, (None, None))
        if found != expected.get(number):
            rows = [f"transfer {transfer_id}" if transfer_id else f"transfer of settlement {settlement_id}",
                    f"settlement {settlement_id}"]  # fmt: skip
            check.differs(rows, f"share of partner {number}", found, expected.get(number))


def _tell_share(check: Check, batch_id: int, one: dict[str, Any], pots: dict[int, int]) -> None:
    """Somebody was paid another amount than their part; by which line, where that can be told."""
    wrong: list[str] = []
    before_fen = 0
    lines = {settlement: (transfer, fen) for settlement, transfer, fen in one["lines"]}
    for settlement, pot in pots.items() if not one["grouped"] else ():
        due = pot * one["mg"] // one["whole"]
        transfer, fen = lines.get(settlement, (None, 0))
        if fen != due - before_fen and (settlement != max(pots) or not wrong):
            wrong.append(f"transfer {transfer}" if transfer else f"transfer of settlement {settlement}")
        before_fen = due
    rows = [*wrong, *(f"transfer {transfer}" for transfer, _ in lines.values()), f"batch {batch_id}"]
    expected = str(one["least"]) if one["least"] == one["most"] else f"{one['least']}..{one['most']}"
    check.differs(rows, f"share of person {one['who']} in batch {batch_id}", one["paid"], expected)
