"""The page at which a buyer pays. It works without a script."""

from __future__ import annotations

SECURITY = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}

TEXTS = {
    "zh": {
        "title": "收银台（演示）", "to": "收款方", "who": "碳普惠平台", "for": "用途", "ref": "订单号", "pay": "支付",
        "cancel": "取消", "open": "待支付", "paid": "已支付，可返回平台", "closed": "已关闭，不能再支付",
        "none": "没有这笔付款",
        "demo": "这是演示用的支付服务商，不会发生真实扣款。", "other": "English", "other_lang": "en",
    },
    "en": {
        "title": "Checkout (demonstration)", "to": "To", "who": "Tanpuhui platform", "for": "For", "ref": "Order",
        "pay": "Pay",
        "cancel": "Cancel", "open": "Waiting for payment", "paid": "Paid. You may return to the platform.",
        "closed": "Closed: it can no longer be paid.", "none": "There is no such payment",
        "demo": "This provider is a stand-in: no money is moved.", "other": "中文", "other_lang": "zh",
    },
}  # fmt: skip

PAGE = """<!doctype html><html lang="{{ 'zh-CN' if lang == 'zh' else 'en' }}"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>{{ t.title }}</title><style>
body{margin:0;min-height:100vh;background:linear-gradient(#dceafc,#f4f6f9 360px) no-repeat #f4f6f9;color:#17202c;
font:16px/1.6 -apple-system,"PingFang SC","Microsoft YaHei","Noto Sans CJK SC","WenQuanYi Micro Hei",sans-serif}
main{max-width:420px;margin:0 auto;padding:40px 20px;display:grid;gap:18px}
header{display:flex;justify-content:space-between;align-items:baseline}header a{color:#3b5b86;font-size:14px}
h1{font-size:19px;margin:0;font-weight:600}section{background:#fff;border-radius:18px;padding:26px 22px;display:grid;
gap:16px;box-shadow:0 6px 24px rgba(30,60,110,.07)}
.amount{font-size:40px;text-align:center;font-variant-numeric:tabular-nums;letter-spacing:-.5px;
overflow-wrap:anywhere}
.amount small{font-size:22px}
.state{text-align:center;color:#5c6b7e}.state.paid{color:#0b7a43;font-weight:600}
.state.paid::before{content:"✓";display:block;width:44px;line-height:44px;margin:0 auto 8px;border-radius:50%;
background:#e2f4ea;font-size:22px}
dl{display:grid;grid-template-columns:auto 1fr;gap:8px 18px;margin:0}dt{color:#5c6b7e}dd{margin:0;text-align:right;
overflow-wrap:anywhere}form{display:grid;gap:10px}button{font:inherit;font-weight:600;border:0;border-radius:12px;
padding:13px;background:#1b66d2;color:#fff;cursor:pointer}button.quiet{background:#eef2f7;color:#3b4a5e}
button:focus-visible,a:focus-visible{outline:3px solid #6ea3ee;outline-offset:2px}
p{margin:0;color:#5c6b7e;font-size:14px}
</style><main><header><h1>{{ t.title }}</h1><a href="?lang={{ t.other_lang }}">{{ t.other }}</a></header>
<section>{% if c %}<div class="amount"><small>¥</small> {{ yuan }}</div>
<div class="state {{ c.state }}" role="status">{{ t[c.state] }}</div>
<dl><dt>{{ t.to }}<dd>{{ t.who }}<dt>{{ t.for }}<dd>{{ c.description }}<dt>{{ t.ref }}<dd>{{ c.charge_ref }}</dl>
{% if c.state == "open" %}<form method="post"><input type="hidden" name="lang" value="{{ lang }}">
<button name="do" value="pay">{{ t.pay }} ¥ {{ yuan }}</button>
<button class="quiet" name="do" value="cancel">{{ t.cancel }}</button></form>{% endif %}
{% else %}<div class="state">{{ t.none }}</div>{% endif %}</section><p>{{ t.demo }}</p></main></html>"""
