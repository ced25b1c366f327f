// Pieces that several pages share.

import { html, useEffect, useState } from "../assets/preact.js";
import { clock, massText, pick, problemText, t, typeName, whole } from "../i18n.js";
import { Icon, kindOf } from "../icons.js";
import { wx } from "../wx.js";

export const CO2 = () => html`CO<sub>2</sub>e`;

/** Load once when the page opens: {value, failed, again}. */
export function useLoaded(load) {
  const [state, setState] = useState({});
  const again = () => {
    setState({});
    load().then(
      (value) => setState({ value }),
      (problem) => setState({ failed: problem }),
    );
  };
  useEffect(again, []);
  return { ...state, again };
}

export const Waiting = () => html`
  <div class="waiting" role="status"><i class="weui-primary-loading"><i class="weui-primary-loading__dot"></i></i><span>${t("loading")}</span></div>`;

export const Failed = ({ problem, again }) => html`
  <div class="failed" role="alert"><p>${problemText(problem)}</p>
    <button class="weui-btn weui-btn_mini weui-btn_default" onClick=${again}>${t("retry")}</button></div>`;

export const Badge = ({ verdict }) => html`<span class="badge badge_${verdict}" data-verdict=${verdict}>${t(verdict)}</span>`;

export const signed = (text, amount) => (amount > 0 ? `+${text}` : text);

export function DeedRow({ deed, day }) {
  const counted = deed.verdict === "credited";
  const plain = deed.code === "ok"; // nothing to explain
  const where = [deed.partner, deed.region && pick(deed.region.name), clock(deed.started_at)].filter(Boolean).join(" · ");
  return html`<button class="deed" data-deed=${deed.id} onClick=${() => wx.navigateTo({ url: `pages/deed?id=${deed.id}` })}>
    <span class="deed__icon deed__icon_${kindOf(deed.type)} ${counted ? "" : "deed__icon_off"}"><${Icon} name=${kindOf(deed.type)} /></span>
    <span class="deed__text">
      <span class="deed__line"><strong>${typeName(deed)}</strong>${!plain && html`<${Badge} verdict=${deed.verdict} />`}</span>
      <span class="deed__where">${day ? `${day} · ` : ""}${where}</span>
    </span>
    <span class="deed__gain">
      ${counted ? html`<b data-none=${deed.points <= 0}>${signed(whole(deed.points), deed.points)}</b><span>${massText(deed.reduction_mg)}</span>` : html`<span>—</span>`}
    </span>
    ${!plain && html`<span class="deed__reason">${pick(deed.reason)}</span>`}
  </button>`;
}
