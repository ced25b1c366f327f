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

# Accounts of the books of reductions and points. MEASURED is where both come from; a person's number is the person's.
MEASURED = "measured"
PERSON = "person"
# Who bears points that a person keeps although the deed behind them fell; a partner's number is the partner's.
PARTNER = "partner"
PLATFORM = "platform"
# Where goes what an erased person leaves: reductions in no batch, and points. Money goes to FUND.
ERASED = "erased"
EXPIRED = "expired"

# Reasons of transfers between them: a deed counted for the first time, a difference after settling again, and points
# given back at the cost of who erred (outside of what deeds are worth).
DEED = "deed"
RESETTLED = "resettled"
CHARGED = "charged"
ERASURE = "erasure"  # a person leaves; of reductions, deed by deed

# Accounts of the credits book, by batch. ISSUANCE is where grams come from; the others are where a gram can be.
ISSUANCE = "issuance"
AVAILABLE = "available"
RESERVE = "reserve"  # 纠错储备 correction reserve
RESERVED = "reserved"
HELD = "held"
RETIRED = "retired"
CANCELLED = "cancelled"
TRANSFERRED = "transferred"  # out, to another registry
PLACES = (AVAILABLE, RESERVE, RESERVED, HELD, RETIRED, CANCELLED, TRANSFERRED)

# Accounts of the money book. BUYERS and PAID_OUT are the world outside. BATCH_INCOME is numbered by batch, UNALLOCATED
# by payment, REFUNDING by refund, PAYING_OUT by payout; PERSON, PARTNER (`client.number`) and PLATFORM are as above.
BUYERS = "buyers"
BATCH_INCOME = "batch_income"
UNALLOCATED = "unallocated"  # came for an order that could not take it
REFUNDING = "refunding"
FUND = "fund"  # 公益基金 public benefit
PAYING_OUT = "paying_out"
PAID_OUT = "paid_out"

# What /v1/conservation proves: name -> (unit, 中文, English).
IDENTITIES: dict[str, tuple[str, str, str]] = {
    "reductions_of_people": ("mg", "个人减排账 = 现行行为之和", "people's reductions = current deeds"),
    "points_of_people": ("points", "个人积分账 = 现行行为积分之和", "people's points from deeds = current deeds"),
    "rows_of_deeds": ("deeds", "每个行为仅一条现行记录", "one current row a deed"),
    "reductions_of_deeds": ("mg", "逐行为减排转账净额 = 现行行为", "net transfers of each deed = what it counts for"),
    "points_of_deeds": ("points", "逐行为积分转账净额 = 现行积分", "net points of each deed = what it counts for"),
    "numbers_of_deeds": ("numbers", "同一发号方的一个编号至多一个行为", "an issuer's number is one deed at most"),
    "members_of_batches": ("deeds", "批次行为数 = 成员数", "deeds of a batch = its members, each in one batch"),
    "reductions_of_batches": ("mg", "批次减排量 = 成员行为减排量之和", "reduction of a batch = its members' deeds"),
    "members_recalled": ("mg", "成员减排量 − 召回 = 现行行为之和", "members - what they recalled = current deeds"),
    "recalls_of_batches": ("mg", "批次召回量 = 各行为净损失之和", "recalled of a batch = what its deeds lost"),
    "recalls_replaced": ("g", "召回克数 = 取消与替换 + 欠量", "recalled grams = cancelled or replaced + owed"),
    "grams_cancelled": ("g", "取消记录 = 取消区块", "cancellations = cancelled blocks"),
    "grams_minted": ("mg", "1000 × 签发 + 余数 = 核查量 − 调整 − 签发前召回 + 转入余数",
                     "1000 x issued + remainder = attested - adjustments - recalled before issue + carried in"),
    "remainders_carried": ("mg", "转入余数 = 上一批余数", "remainder carried in = remainder of the batch before"),
    "collected_of_batches": ("mg", "批次减排量 = 各合作方归集量之和", "a batch = what its partners collected"),
    "blocks_of_batches": ("g", "签发 = 可售 + 预留 + 持有 + 注销 + 取消 + 转出 + 纠错储备",
                          "issued = available + reserved + held + retired + cancelled + transferred out + reserve"),
    "serials_of_batches": ("g", "序号从 1 到签发量，无缺口", "serials run from 1 to issued without a gap"),
    "credits_book": ("g", "各处区块 = 信用账转账净额", "blocks in each place = net transfers of the credits book"),
    "orders_reserved": ("g", "未付订单 = 预留区块", "grams of open orders = reserved blocks"),
    "holdings": ("g", "已付订单 + 受让 − 转让 − 注销 = 持有区块",
                 "paid orders + received - given - retired = held blocks"),
    "grams_transferred": ("g", "转出记录 = 转出区块", "transfers to other registries = transferred blocks"),
    "certificates": ("g", "证书 = 已注销区块", "certificates = retired blocks"),
    "order_amounts": ("fen", "订单金额 = 各行金额之和", "amount of an order = its lines"),
    "income_of_batches": ("fen", "已付订单 = 批次收入账", "paid orders = income of their batches"),
    "money_in": ("fen", "收款 − 已退款 = 购买方账净额", "payments - refunds done = what came from buyers, net"),
    "payments_taken": ("fen", "订单收款 = 订单金额", "payment taken by an order = its amount"),
    "refunds_waiting": ("fen", "待退款 = 退款账", "refunds asked for = the account of refunds"),
    "shares_of_settlements": ("fen", "分配记录 = 分配转账", "settlements = transfers out of batch income"),
    "shares_of_batches": ("fen", "批次分配 ≤ 收入，逐项不为负", "no batch shared out more than it took in"),
    "money_out": ("fen", "已付出 = 付出账", "payouts done = what went out"),
    "payouts_waiting": ("fen", "待付出 = 付出中账", "payouts asked for = the account of payouts"),
    "money_held": ("accounts", "没有为负的资金账户", "no account of money is below zero"),
    "accounts_erased": ("accounts", "已注销者无积分、无资金", "erased people hold neither points nor money"),
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
