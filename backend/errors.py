"""Everything that can go wrong, with a stable code: RFC 9457 problems in Chinese and English.

Any layer may raise `Problem`; the app turns it into `application/problem+json`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PROBLEM_TYPE = "application/problem+json"

# code -> (status, 中文, English). The reference page and the OpenAPI document are made from this table.
CATALOGUE: dict[str, tuple[int, str, str]] = {
    "json_invalid": (400, "请求体不是有效的 JSON", "The body is not valid JSON"),
    "batch_empty": (400, "批次为空：至少一条事件", "The batch is empty: send at least one event"),
    "request_invalid": (422, "请求有误，见 errors", "The request has mistakes, see errors"),
    "cursor_invalid": (400, "分页游标无效，请从头翻页", "The cursor is not valid: start again from the first page"),
    "key_missing": (400, "缺少 Idempotency-Key 请求头", "The Idempotency-Key header is missing"),
    "token_missing": (401, "需要访问令牌", "An access token is needed"),
    "token_invalid": (401, "访问令牌无效或已过期", "The access token is not valid or has expired"),
    "assertion_invalid": (401, "客户端断言无效", "The client assertion is not valid"),
    "signature_missing": (401, "缺少 X-JWS-Signature 请求头", "The X-JWS-Signature header is missing"),
    "signature_invalid": (401, "签名与请求体不符", "The signature does not fit the body"),
    "code_invalid": (401, "登录码无效或已用过", "The login code is not valid or was used before"),
    "forbidden": (403, "此角色不能调用该接口", "This role may not call this route"),
    "not_found": (404, "没有找到", "Nothing was found here"),
    "method_not_allowed": (405, "不支持该方法", "This method is not supported here"),
    "not_approved": (409, "该方法学在该地区未获准入池", "The methodology is not approved for pooling in this region"),
    "conflict": (409, "与当前状态冲突", "This conflicts with the present state"),
    "too_early": (409, "还不到时候", "It is too early for this"),
    "unpaid_limit": (409, "未付款的订单已达上限", "Your unpaid orders hold back as much as they may"),
    "sold_out": (409, "可售数量不足", "There is not enough left to sell"),
    "own_boundary": (409, "不得使用来自自身边界内的减排量", "Reductions from inside your own boundary may not be used"),
    "entity_waiting": (409, "该主体尚待复核，复核后再试", "The entity is being reviewed: try again afterwards"),
    "not_enough_money": (409, "余额不足", "The balance is too small"),
    "not_enough_held": (409, "持有数量不足", "You do not hold enough of this"),
    "expired": (410, "已过期", "This has expired"),
    "body_too_large": (413, "请求体过大", "The body is too large"),
    "batch_too_large": (413, "批次过大", "The batch has too many events"),
    "type_not_supported": (415, "不支持该内容类型", "This content type is not supported"),
    "key_reused": (422, "同一 Idempotency-Key 用于不同的请求", "The Idempotency-Key was used for another request"),
    "too_many_requests": (429, "请求过于频繁", "Too many requests"),
    "internal": (500, "内部错误，已记录", "An internal error, recorded under this request id"),
    "provider_unavailable": (502, "外部服务提供方暂不可用", "The provider is not available"),
    "unavailable": (503, "服务暂不可用，请稍后重试", "The service is not available, try again shortly"),
}


@dataclass
class Problem(Exception):
    """A refusal with a stable code.

    code: a key of CATALOGUE. detail: what exactly, and what to do. errors: offending fields, each
    {"field", "code", "detail"}. headers: for the answer, e.g. Retry-After. extra: members added to the problem.
    """

    code: str
    detail: str = ""
    errors: list[dict[str, str]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> int:
        return CATALOGUE[self.code][0]

    def body(self, language: str, instance: str) -> dict[str, Any]:
        _, zh, en = CATALOGUE[self.code]
        title = zh if language == "zh" else en
        body = {
            "type": f"urn:tanpuhui:problem:{self.code}",
            "title": title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail or title,
            "instance": instance,
        }
        if self.errors:
            body["errors"] = self.errors
        return body | self.extra


def field_problem(name: str, code: str, detail: str) -> Problem:
    """`request_invalid` for one field."""
    return Problem("request_invalid", detail, errors=[{"field": name, "code": code, "detail": detail}])
