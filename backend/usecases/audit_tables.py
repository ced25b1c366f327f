"""What keeps each table from being changed unseen: a leaf of the log, what follows from leaves, or nothing, and why."""

from __future__ import annotations

from dataclasses import dataclass

LEAF = "leaf"  # its rows stand in entries of the log, or are committed to there
FOLLOWS = "follows"  # recomputed out of rows that do
NOT = "not"


@dataclass(frozen=True, slots=True)
class Kept:
    """How a table is kept: LEAF, FOLLOWS or NOT, and the words for it. but: its columns that nothing keeps."""

    by: str
    zh: str
    en: str
    but: tuple[str, ...] = ()


NEWEST = (
    "最新检查点之后的行尚未受保护",
    "Rows whose leaf is behind the newest checkpoint, or waits for its place, are not protected yet.",
)

TABLES: dict[str, Kept] = {
    # --- people and deeds
    "person": Kept(
        FOLLOWS, "盐：打开此人各行为的叶", "the salt: it opens the leaves of the person's deeds", ("created_at",)
    ),
    "deed": Kept(
        LEAF, "deed 叶，每版本一叶；made_at 对转账", "a leaf a version; made_at by the transfers of that moment"
    ),
    "event": Kept(
        LEAF,
        "已计入的记录：在其行为的叶中；未计入者不受保护",
        "records that are credited: in the leaf of their deed; others are not protected",
        (
            "event_type",
            "act_issuer",
            "act_digest",
            "prior_issuer",
            "prior_digest",
            "asset_digest",
            "refusal",
            "points_micro",
            "stands_event",
            "field",
            "apart_roots",
            "claim_id",
        ),
    ),
    "reverdict": Kept(
        LEAF,
        "改为计入或不再计入的判定：在行为的叶中；编号无缺",
        "verdicts on what is credited: in the leaf of the deed; counted without a gap",
        ("stands_event", "cause_event"),
    ),
    "correction": Kept(LEAF, "correction 叶", "a leaf each"),
    "pack_version": Kept(
        FOLLOWS,
        "内容的哈希，各行为的叶引用之",
        "the hash of its content, which the leaves of deeds name",
        ("first_used_at",),
    ),
    "transfer": Kept(
        FOLLOWS,
        "逐笔由行为、签发、订单、退款、分配、付款重算",
        "each again from deeds, issues, orders, refunds, shares, payouts",
        ("transfer_id",),
    ),
    # --- batches
    "batch": Kept(LEAF, "close 叶", "the leaf of its close"),
    "batch_member": Kept(
        FOLLOWS,
        "批次的树与行为的行；注销者仅数量与合计",
        "the batch's tree and the deeds' rows; of erased people by number and sums",
    ),
    "batch_tree": Kept(LEAF, "close 叶；由成员的叶重算", "the leaf of the close; again from its members' leaves"),
    "batch_tile": Kept(FOLLOWS, "由成员的叶重算", "again from the members' leaves"),
    "batch_partner": Kept(
        FOLLOWS, "由成员的行为重算；有注销者时仅合计", "again from the members' deeds; sums where some are erased"
    ),
    "attestation": Kept(LEAF, "attestation 叶", "a leaf each"),
    "issue": Kept(LEAF, "issue 叶", "a leaf each"),
    "recall": Kept(LEAF, "recall 叶；注销者的由合计", "a leaf each; of erased people by the sums"),
    "batch_recall": Kept(FOLLOWS, "由 recall 与 cancellation 重算", "again from recalls and cancellations"),
    "cancellation": Kept(LEAF, "cancellation 叶", "a leaf each"),
    "amendment": Kept(LEAF, "amendment 叶与签名", "a leaf each, and its signature"),
    "credit_block": Kept(
        FOLLOWS,
        "从签发起逐段重放：订单、退款、转让、注销、取消",
        "replayed from the issue on: orders, refunds, transfers, retirements, cancellations",
        ("block_id",),
    ),
    # --- the market
    "purchase_order": Kept(
        LEAF,
        "已付的：sale 叶，状态由 sale 与 refund 叶；未付的不受保护",
        "paid ones: the leaf of the sale, the state by leaves of sale and refund; unpaid ones are not",
        ("expires_at", "method", "pay_url"),
    ),
    "order_line": Kept(
        LEAF, "在 sale 叶中；未付订单的由预留区块", "in the leaf of the sale; of unpaid orders by what is reserved"
    ),
    "payment": Kept(
        LEAF, "入账的：在 sale 叶中；退回的由转账", "taken ones: in the leaf of the sale; others by their transfers"
    ),
    "refund": Kept(
        LEAF,
        "refund 叶，完成与否由转账；退回款由转账",
        "a leaf each; whether it is done, and strays, by transfers",
        ("external_ref",),
    ),
    "credit_transfer": Kept(LEAF, "transfer 叶", "a leaf each"),
    "retirement": Kept(LEAF, "retirement 叶", "a leaf each"),
    "certificate": Kept(
        LEAF, "retirement 叶与签名，序号对区块", "the leaf of the retirement, its signature; serials by blocks"
    ),
    "sale_terms": Kept(LEAF, "terms 叶", "a leaf each"),
    "settlement": Kept(LEAF, "settlement 叶；由订单与条款重算", "a leaf each; again from orders and their terms"),
    "payout": Kept(
        FOLLOWS,
        "与转账互算；二者都没有叶",
        "with its transfers; neither has a leaf",
        ("method", "external_ref", "done_by"),
    ),
    "client": Kept(
        FOLLOWS,
        "盐：打开其买卖的叶；名称、角色不受保护",
        "the salt: it opens the leaves of its sales; name and role are not protected",
        ("role", "name", "issuer", "created_at", "number"),
    ),
    "registry_entry": Kept(FOLLOWS, "由注销重算", "again from retirements"),
    "registry_line": Kept(FOLLOWS, "由注销重算", "again from retirements"),
    "registry_beneficiary": Kept(FOLLOWS, "由注销重算", "again from retirements"),
    "registry_period": Kept(FOLLOWS, "由注销重算", "again from retirements"),
    "registry_name": Kept(FOLLOWS, "由注销重算", "again from retirements"),
    # --- the log itself
    "log_leaf": Kept(LEAF, "树根与检查点的签名", "the root and the signature of every checkpoint"),
    "log_node": Kept(FOLLOWS, "由条目重算", "again from the entries"),
    "log_checkpoint": Kept(FOLLOWS, "由条目重算，并验签", "again from the entries; its signatures", ("made_at",)),
    "log_cosignature": Kept(FOLLOWS, "见证者的签名", "the witness's signature", ("made_at",)),
    "erasure": Kept(LEAF, "erasure 叶；失去行的叶数与之相符", "a leaf each; as many leaves have no row as it says"),
    "log_pending": Kept(NOT, "等待入日志，几秒而已", "waits for its place, for seconds"),
    # --- not protected
    "erased_person": Kept(
        NOT, "只剩编号：批次中有其行为的可核对", "numbers only: checked where a batch has deeds of theirs"
    ),
    "erased_key": Kept(NOT, "加密摘要，与其人再无关联", "keyed digests that lead to nobody any more"),
    "erased_id": Kept(NOT, "加密摘要，与其人再无关联", "keyed digests that lead to nobody any more"),
    "reopened": Kept(NOT, "个人资料，可被注销", "about a person, who may have it erased"),
    "person_key": Kept(NOT, "个人资料，可被注销", "about a person, who may have it erased"),
    "link": Kept(NOT, "个人资料，可被注销", "about a person, who may have it erased"),
    "consent": Kept(
        NOT, "个人资料，可被注销；只决定今后入池", "about a person, who may have it erased; decides what is pooled next"
    ),
    "person_alias": Kept(
        NOT, "个人资料；已计入者在行为的叶中", "about a person; what came of it is in the leaves of deeds"
    ),
    "refresh_token": Kept(NOT, "会话", "sessions"),
    "used_assertion": Kept(NOT, "会话", "sessions"),
    "client_key": Kept(NOT, "谁可调用；签发、注销等各有叶", "who may call; what was done by it has leaves"),
    "evidence_ceiling": Kept(NOT, "只决定今后的判定", "decides later verdicts only"),
    "partner_waiver": Kept(NOT, "只决定今后入池", "decides what is pooled next"),
    "collection_cap": Kept(NOT, "只决定今后入池", "decides what is pooled next"),
    "claim": Kept(
        NOT, "只决定今后的判定；须用平台密钥核对", "decides later verdicts only; needs the platform's secret"
    ),
    "act_claim": Kept(
        NOT, "只决定今后的判定；须用平台密钥核对", "decides later verdicts only; needs the platform's secret"
    ),
    "claim_list": Kept(NOT, "他人的主张，以其来源文件为准", "others' claims: the document they came as is what counts"),
    "external_claim": Kept(
        NOT, "他人的主张，以其来源文件为准", "others' claims: the document they came as is what counts"
    ),
    "claim_withdrawal": Kept(
        NOT, "他人的主张，以其来源文件为准", "others' claims: the document they came as is what counts"
    ),
    "claim_scan": Kept(NOT, "进度", "progress of a job"),
    "claim_conflict": Kept(
        NOT, "处理结果是一次更正，有叶", "what is decided about it is a correction, which has a leaf"
    ),
    "exchange_key": Kept(NOT, "密钥", "keys"),
    "review": Kept(NOT, "处理结果是一次更正，有叶", "what is decided about it is a correction, which has a leaf"),
    "batch_freeze": Kept(NOT, "暂停，不改变账目", "halts, which change no book"),
    "price_rule": Kept(
        NOT, "只决定今后的价格；成交价在 sale 叶中", "decides later prices; what was paid is in the leaf of the sale"
    ),
    "quote": Kept(NOT, "要约；成交在 sale 叶中", "offers; what became of them is in the leaf of the sale"),
    "order_step": Kept(
        NOT, "何人何时办理；取消与过期的时刻对区块", "who did what; when it was cancelled or expired, by blocks"
    ),
    "standing_order": Kept(NOT, "愿望；成交在 sale 叶中", "wishes; what became of them is in the leaf of the sale"),
    "standing_run": Kept(NOT, "愿望；成交在 sale 叶中", "wishes; what became of them is in the leaf of the sale"),
    "invoice": Kept(NOT, "以税务机关的发票为准", "the tax office's own invoice is what counts"),
    "legal_entity": Kept(NOT, "证书载有当时的名称", "certificates say the name of their day"),
    "own_partner": Kept(NOT, "证书载有当时的占比", "certificates say the share of their day"),
    "certificate_pdf": Kept(NOT, "渲染件，可逐字节再生成", "a rendering, which is made again byte for byte"),
    "idempotency": Kept(NOT, "已答复的请求", "answers that were given"),
    "notice": Kept(NOT, "通知", "what clients were told"),
    "webhook": Kept(NOT, "通知", "what clients were told"),
    "message": Kept(NOT, "通知", "what clients were told"),
    "delivery_due": Kept(NOT, "通知", "what clients were told"),
    "delivery": Kept(NOT, "通知", "what clients were told"),
    "migration": Kept(NOT, "数据库结构的版本", "the version of the schema"),
}
