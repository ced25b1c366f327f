import { html } from "../assets/preact.js";
import { deedById } from "../api.js";
import { clockLong, duration, factText, factTitle, massText, pick, t, typeName, whole } from "../i18n.js";
import { Icon, kindOf } from "../icons.js";
import { Badge, CO2, signed } from "./parts.js";

const Row = ({ label, children }) => html`<div class="weui-form-preview__item">
  <span class="weui-form-preview__label">${label}</span><span class="weui-form-preview__value">${children}</span></div>`;

export function Deed({ query }) {
  const deed = deedById(query.id);
  if (!deed) return null; // logged out meanwhile
  const counted = deed.verdict === "credited";
  return html`<div class="detail">
    <section class="card detail__head">
      <span class="deed__icon deed__icon_${kindOf(deed.type)} ${counted ? "" : "deed__icon_off"}"><${Icon} name=${kindOf(deed.type)} size=${30} /></span>
      <h2>${typeName(deed)}</h2>
      <p class="detail__points">${counted ? signed(whole(deed.points), deed.points) : "0"}<small>${t("points")}</small></p>
      <${Badge} verdict=${deed.verdict} />
      <p class="detail__reason" data-code=${deed.code}>${pick(deed.reason)}</p>
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
  </div>`;
}
