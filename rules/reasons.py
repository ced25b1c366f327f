"""What a verdict code says to the person it concerns: short, kind, and what to do next.

The same sentences go to partners, so they name no other partner and no times. The codes and their order are in
rules/model.py.
"""

from __future__ import annotations

# code -> (中文, English)
REASONS: dict[str, tuple[str, str]] = {
    "field_missing": (
        "记录缺少必填的内容，请补全后重新发送。",
        "The record lacks a required field. Please complete it and send it again.",
    ),
    "field_invalid": (
        "记录中有一项写法不对，请改正后重新发送。",
        "One field of the record is not written as it should be. Please mend it and send it again.",
    ),
    "resent": (
        "这条记录之前已经收到，以第一次的结果为准，无需再发。",
        "This record had already arrived. The first result stands; there is no need to send it again.",
    ),
    "id_reused": (
        "这个编号已用于另一条内容不同的记录，请换一个新编号再发送。",
        "This id already belongs to a record with other content. Please send this one under a new id.",
    ),
    "type_unknown": (
        "平台还没有收录这类绿色行为，请核对类型名称。",
        "This kind of green act is not known here yet. Please check the name of the type.",
    ),
    "subject_unknown": (
        "没有找到对应的用户，请先在“我的”中关联这个应用。",
        "No linked person was found for this record. Please link this app under “Me” first.",
    ),
    "event_unknown": (
        "没有找到要更正的记录，请核对编号。",
        "There is no record of yours with this id to correct. Please check the id.",
    ),
    "region_unknown": (
        "没有可用的地区代码，也无法由坐标确定地区，请写明地区后用新编号重新发送。",
        "The region is not in the national list or not clear from the coordinates. Please state it under a new id.",
    ),
    "region_contradicts": (
        "记录的坐标不在所报的地区内，请核对地区代码和坐标系后用新编号重新发送。",
        "The coordinates do not lie in the stated region. Please check region and datum and send it under a new id.",
    ),
    "in_future": (
        "记录的时间在未来，请在行为结束之后再发送，并检查设备时间。",
        "The record lies in the future. Please send it after the act has ended, and check the device's clock.",
    ),
    "too_late": (
        "这次行为过去太久，已超过可以补录的期限。下次请尽早上传。",
        "This act is too long ago to be counted. Next time, please send it sooner.",
    ),
    "not_in_force": (
        "行为发生时，当地还没有适用的核算方法，所以不能计入。",
        "No method was in force for this place and date, so the act cannot be counted.",
    ),
    "no_consent": (
        "您当时尚未同意计算积分。在“我的”中开启后，之后的行为就会计入。",
        "You had not agreed to points at that time. Turn it on under “Me” and later acts will count.",
    ),
    "claimed_elsewhere": (
        "这次行为已在其他机制中登记，不能重复计入。",
        "This act is already claimed under another scheme, so it cannot be counted here as well.",
    ),
    "fact_missing": (
        "核算减排所需的数据不全，请补全后用新编号重新发送。",
        "A number needed for the calculation is missing. Please complete it and send it under a new id.",
    ),
    "fact_invalid": (
        "核算减排所需的一项数据无法识别，请改正后用新编号重新发送。",
        "A value needed for the calculation could not be read. Please mend it and send it under a new id.",
    ),
    "distance_unknown": (
        "没有测到起点与终点之间的距离，算不出减排。下次请保持定位开启。",
        "The distance from start to end is not known, so nothing can be counted. Please keep location on next time.",
    ),
    "fact_out_of_range": (
        "数据超出了合理范围，请核对数量和单位。",
        "A value lies outside the plausible range. Please check the amount and its unit.",
    ),
    "too_short": (
        "这次行为时间太短，不足以计入。多坚持一会儿就好。",
        "This was too short to count. A little longer next time will do.",
    ),
    "too_long": (
        "这次行为时间过长，可能忘了结束。结束后请及时还车或完成订单。",
        "This lasted implausibly long; perhaps it was not ended. Please end the trip or order when you are done.",
    ),
    "too_fast": (
        "记录的速度超出了这种方式的合理范围，未能计入。",
        "The recorded speed is higher than this way of moving allows, so it was not counted.",
    ),
    "factor_outdated": (
        "核算所需的一个数值已过复核期限，更新之前暂不计入。",
        "A number needed for the calculation is past its review date. It has to be renewed before such acts count.",
    ),
    "withdrawn": (
        "发送方已撤回这条记录，不再计入。",
        "The app that sent this record has taken it back, so it no longer counts.",
    ),
    "corrected": (
        "这条记录已被发送方的更正取代，以更正后的为准。",
        "The app that sent this record has corrected it. The correction counts instead.",
    ),
    "review_refused": (
        "经人工核实，这条记录未能计入。如有疑问可以申诉。",
        "After a person looked into it, this record was not counted. You can appeal if you disagree.",
    ),
    "suspicious": (
        "这条记录有些数据对不上，我们正在人工核实，请稍候。",
        "Some numbers of this record do not fit together. A person is looking into it; please wait.",
    ),
    "act_ref_conflict": (
        "这个单号还出现在另一条不一致的记录中，我们正在核实，请稍候。",
        "This order number also appears in a record that does not agree. We are looking into it; please wait.",
    ),
    "same_act": (
        "同一个单号的行为已经计入过，同一次行为只计一次。",
        "The act with this number is already counted. One act counts once.",
    ),
    "same_record": (
        "同一次行为已经有一条记录，同一次行为只计一次。",
        "There is already a record of this very act. One act counts once.",
    ),
    "overlap": (
        "这段时间已经计入了另一次行为，同一时间只计一次。",
        "Another act is already counted for that time. Only one can count at once.",
    ),
    "points_only": (
        "已计入。这类行为按当地价目计积分，不核算减排量。",
        "Counted. Acts of this kind earn points at the local rate; no reduction is claimed for them.",
    ),
    "no_reduction": (
        "已记录。按标准核算，这次没有减少排放，所以没有积分。",
        "Recorded. Under the standard this act did not lower emissions, so it earns no points.",
    ),
    "capped": (
        "已计入，但达到了当日上限，只计到上限为止。明天再来！",
        "Counted, up to the day's limit. There is room again tomorrow!",
    ),
    "rest_of_day": (
        "已计入。当天已单独计入的部分不再重复计算。",
        "Counted, less what was already counted for single acts of that day.",
    ),
    "continues": (
        "已计入，与刚才的行程合并为同一次。",
        "Counted, as one act together with the one just before.",
    ),
    "ok": (
        "已计入，感谢您的绿色行动！",
        "Counted. Thank you for your green act!",
    ),
}

# which conflict with another mechanism's claim, for `claimed_elsewhere` -> (中文, English)
CLAIMS: dict[str, tuple[str, str]] = {
    "double_issuance": (
        "重复签发：{} 已为同一行为签发减排量。",
        "Double issuance: {} has issued credits for the same act.",
    ),
    "double_use": (
        "重复使用：{} 为同一行为签发的减排量已被使用。",
        "Double use: credits of {} for the same act are used up already.",
    ),
    "double_claiming": (
        "重复主张：同一减排已计入 {} 的总量。",
        "Double claiming: the same reduction counts in a total of {} already.",
    ),
}


def claim_words(conflict: str, mechanism: str, language: str) -> str:
    """Which conflict with which mechanism, in 'zh' or 'en'."""
    zh, en = CLAIMS[conflict]
    return (zh if language == "zh" else en).format(mechanism)


def reason(code: str, language: str) -> str:
    """The sentence for a code in 'zh' or 'en'. Raises KeyError for a code that the standard does not know."""
    zh, en = REASONS[code]
    return zh if language == "zh" else en
