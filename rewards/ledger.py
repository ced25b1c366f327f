"""The books: the names of accounts, the row of one transfer, and the words for what must always hold.

A transfer moves one positive amount from `debit` to `credit`; an account is a name and a number. In the credits book
the number is the batch, so every batch can be proven for itself; in the money book income accrues per batch.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

REDUCTIONS = "reductions_mg"
POINTS = "points"
CREDITS = "credits_g"
MONEY = "money_fen"

# Accounts of the credits book, by batch. ISSUANCE is where grams come from; the others are where a gram can be.
ISSUANCE = "issuance"
AVAILABLE = "available"
RESERVE = "reserve"  # 纠错储备 correction reserve
RESERVED = "reserved"
HELD = "held"
RETIRED = "retired"
CANCELLED = "cancelled"
PLACES = (AVAILABLE, RESERVE, RESERVED, HELD, RETIRED, CANCELLED)

# Accounts of the money book. BUYERS is the world outside; BATCH_INCOME is numbered by batch.
BUYERS = "buyers"
BATCH_INCOME = "batch_income"

# What /v1/conservation proves: name -> (unit, 中文, English).
IDENTITIES: dict[str, tuple[str, str, str]] = {
    "reductions_of_people": ("mg", "个人减排账 = 现行行为之和", "people's reductions = current deeds"),
    "points_of_people": ("points", "个人积分账 = 现行行为积分之和", "people's points from deeds = current deeds"),
    "members_of_batches": ("mg", "批次减排量 = 成员行为之和，每一行为只入一批", "batch = its members, each deed once"),
    "grams_minted": ("mg", "1000 × 签发 + 余数 = 核查量 − 调整 + 转入余数",
                     "1000 x issued + remainder = attested - adjustments + carried in"),
    "remainders_carried": ("mg", "转入余数 = 上一批余数", "remainder carried in = remainder of the batch before"),
    "blocks_of_batches": ("g", "签发 = 各账户区块之和，序号连续", "issued = blocks in all places, serials without a gap"),
    "credits_book": ("g", "各账户区块 = 信用账转账净额", "blocks in each place = net transfers"),
    "orders_reserved": ("g", "订单预留 = 区块", "grams of open orders = reserved blocks"),
    "holdings": ("g", "付款订单 − 注销 = 持有区块", "paid orders - retirements = held blocks"),
    "certificates": ("g", "证书 = 已注销区块", "certificates = retired blocks"),
    "money": ("fen", "付款订单金额 = 批次收入账", "amounts of paid orders = income of batches"),
}  # fmt: skip


class Transfer(NamedTuple):
    """One row of table `transfer`, in the order of its columns. Amounts are positive integers in the book's unit."""

    posted_at: datetime
    book: str
    debit: str
    debit_id: int
    credit: str
    credit_id: int
    amount: int
    reason: str
    ref_id: int | None = None
    person_id: int | None = None
