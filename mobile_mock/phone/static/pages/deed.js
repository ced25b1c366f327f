import { html, useEffect, useState } from "../assets/preact.js";
import { appeal, deedById, receipt } from "../api.js";
import { clockLong, duration, factText, fill, factTitle, massText, pick, problemText, ruleText, t, typeName, whole } from "../i18n.js";
import { Icon, kindOf } from "../icons.js";
import { wx } from "../wx.js";
import { Badge, CO2, signed } from "./parts.js";

const Row = ({ label, children }) => html`<div class="weui-form-preview__item">
  <span class="weui-form-preview__label">${label}</span><span class="weui-form-preview__value">${children}</span></div>`;

/** A verdict against the person can be appealed, once at a time. */
function Appeal({ deed }) {
  const [open, setOpen] = useState(deed.in_case);
  if (deed.verdict === "in_review" || (!open && !["refused", "duplicate_of"].includes(deed.verdict))) return null;
  if (open) return html`<p class="appeal__open" role="status">${t("appealOpen")}</p>`;
  const send = async (words) => {
    if (!words) return wx.showToast({ title: t("appealEmpty") });
    try {
      await appeal(deed, words);
      setOpen(true);
      wx.showToast({ title: t("appealSent"), icon: "success" });
    } catch (problem) {
      wx.showToast({ title: problemText(problem) });
    }
  };
  const words = { title: t("appeal"), placeholderText: t("appealWords"), confirmText: t("send"), cancelText: t("cancel") };
  const write = () =>
    wx.showModal({ ...words, editable: true, success: ({ confirm, content }) => confirm && send(content.trim()) });
  return html`<div class="appeal"><button id="appeal" class="weui-btn weui-btn_default" onClick=${write}>${t("appeal")}</button>
    <p>${t("appealHint")}</p></div>`;
}

/** The number of an entry and of all entries, out of a proof as C2SP tlog-proof writes it. */
function place(proof) {
  const [head, checkpoint] = proof.split("\n\n", 2);
  return { index: Number(head.split("\n")[1].split(" ")[1]) + 1, size: Number(checkpoint.split("\n")[1]) };
}

/** What proves the deed: its place in the public log, its batch, who used that up; and the receipt to keep. */
function Proof({ deed }) {
  const [shown, setShown] = useState(null);
  useEffect(() => {
    receipt(deed.deed).then(setShown, () => {}); // without it the page says what it said before
  }, [deed.deed]);
  if (!shown) return null;
  const save = () => {
    const filePath = `${wx.env.USER_DATA_PATH}/receipt-${deed.deed}.json`;
    wx.getFileSystemManager().writeFile({ filePath, data: JSON.stringify(shown) });
  };
  const certificates = shown.batch?.certificates ?? [];
  return html`<section id="proof" class="weui-form-preview card"><div class="weui-form-preview__bd">
      <${Row} label=${t("inLog")}>${shown.log ? fill("logPlace", place(shown.log.proof)) : t("logWaits")}<//>
      ${shown.batch && html`<${Row} label=${t("inBatch")}>${shown.batch.batch}<//>`}
      ${certificates.length > 0 && html`<${Row} label=${t("retiredBy")}>${fill("retiredCount", { count: certificates.length })}<//>`}
    </div></section>
    <div class="appeal"><button id="save-receipt" class="weui-btn weui-btn_default" onClick=${save}>${t("saveReceipt")}</button>
    <p>${t("receiptHint")}</p></div>`;
}

export function Deed({ query }) {
  const deed = deedById(query.id);
  if (!deed) return null; // logged out meanwhile
  const counted = deed.verdict === "credited";
  const rule = ruleText(deed.rule);
  return html`<div class="detail">
    <section class="card detail__head">
      <span class="deed__icon deed__icon_${kindOf(deed.type)} ${counted ? "" : "deed__icon_off"}"><${Icon} name=${kindOf(deed.type)} size=${30} /></span>
      <h2>${typeName(deed)}</h2>
      <p class="detail__points">${counted ? signed(whole(deed.points), deed.points) : "0"}<small>${t("points")}</small></p>
      <${Badge} verdict=${deed.verdict} />
      <p class="detail__reason" data-code=${deed.code}>${pick(deed.reason)}</p>
      ${rule && html`<p class="detail__rule" data-rule=${deed.rule.code}>${t("rule")}${rule}</p>`}
    </section>
    <section class="weui-form-preview card"><div class="weui-form-preview__bd">
      <${Row} label=${t("mass")}>${massText(deed.reduction_mg)} <${CO2} /><//>
      ${deed.facts.map((fact) => html`<${Row} label=${factTitle(fact)}>${factText(fact)}<//>`)}
      <${Row} label=${t("started")}>${clockLong(deed.started_at)}<//>
      ${deed.ended_at !== deed.started_at && html`<${Row} label=${t("ended")}>${clockLong(deed.ended_at)}<//>
      <${Row} label=${t("lasted")}>${duration(deed.started_at, deed.ended_at)}<//>`}
      ${deed.region && html`<${Row} label=${t("region")}>${pick(deed.region.name)}<//>`}
    </div></section>
    <section class="weui-form-preview card"><div class="weui-form-preview__bd">
      <${Row} label=${t("partner")}>${deed.partner}<//>
      ${deed.counted_by && html`<${Row} label=${t("countedBy")}>${deed.counted_by}<//>`}
      ${deed.evidence && html`<${Row} label=${t("evidence")}>${t(deed.evidence)}<//>`}
      ${deed.methodology && html`<${Row} label=${t("method")}>${pick(deed.methodology.name)} ${deed.methodology.version}${deed.methodology.status === "provisional" && html` <span class="badge badge_in_review">${t("provisional")}</span>`}<//>`}
      ${deed.deed && html`<${Row} label=${t("deedNumber")}>${deed.deed}<//>`}
    </div></section>
    ${counted && html`<${Proof} deed=${deed} />`}
    <${Appeal} deed=${deed} />
  </div>`;
}
