"""Take the payment provider's signed word: an order was paid, a refund or a payout has ended."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

from backend import payments
from backend.errors import Problem
from backend.platform import Platform
from backend.usecases import pay_order, pay_out, refund_order

_REFERENCE = re.compile(r"TPH-([ORW])-([0-9]{6,18})")


def take_notification(platform: Platform, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Do what it says, once, however often it is said.

    Raises Problem not_found (no provider here, or nothing of that reference), signature_missing, signature_invalid,
    json_invalid, request_invalid.
    """
    if payments.provider(platform.settings) is None:
        raise Problem("not_found", "no payment provider is set up here")
    told = payments.read_notification(platform.settings.payment_secrets, headers, body, now)
    match = _REFERENCE.fullmatch(told.data.ref)
    if match is None:
        raise Problem("not_found", "no such reference")
    letter, number = match[1], int(match[2])
    ref, fen, verb = told.data.provider_id, told.data.amount_fen, told.kind.partition(".")[2]
    if told.kind == "charge.paid" and letter == "O":
        known = pay_order.receive_payment(platform, number, fen, ref, now) is not None
    elif told.kind.startswith("refund.") and letter == "R":
        known = refund_order.settle_refund(platform, number, verb, ref, now, fen)
    elif told.kind.startswith("payout.") and letter == "W":
        known = pay_out.settle_payout(platform, number, verb, ref, "", now, fen)
    else:
        known = False
    if not known:
        raise Problem("not_found", "nothing of that reference")
