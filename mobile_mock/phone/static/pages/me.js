import { html, useEffect, useState } from "../assets/preact.js";
import * as api from "../api.js";
import { dayOf, language, massText, money, t, whole } from "../i18n.js";
import { Icon } from "../icons.js";
import { wx } from "../wx.js";
import { CO2, Failed, useLoaded, Waiting } from "./parts.js";

const Cell = ({ title, hint, children }) => html`<div class="weui-cell">
  <div class="weui-cell__bd"><p>${title}</p>${hint && html`<p class="weui-cell__desc">${hint}</p>`}</div>
  <div class="weui-cell__ft">${children}</div></div>`;

/** What sales have brought, read again whenever the page is seen; the page does not wait for it. */
function Earned({ seen }) {
  const [fen, setFen] = useState(null);
  useEffect(() => {
    if (seen) api.statement(1).then(({ balance_fen }) => setFen(balance_fen), () => setFen(null));
  }, [seen]);
  return html`<section class="weui-cells card"><button id="earnings" class="weui-cell me__earned" onClick=${() => wx.navigateTo({ url: "pages/earnings" })}>
    <span class="weui-cell__bd">${t("earnings")}</span>
    <span class="weui-cell__ft">${fen !== null && html`<b>${money(fen)}</b>`}<${Icon} name="next" size=${16} /></span></button></section>`;
}

const LANGUAGES = [["zh", "中文"], ["en", "English"]];

export function Me({ setLanguage, seen }) {
  const { value: me, failed, again } = useLoaded(api.me);
  if (failed) return html`<${Failed} problem=${failed} again=${again} />`;
  if (!me) return html`<${Waiting} />`;
  return html`<div class="me">
    <section class="me__head">
      <img src="icon.svg" alt="" />
      <div><h2>${t("person")}</h2><p>${t("since")} ${dayOf(me.since)}</p></div>
    </section>
    <section class="card me__totals">
      <div><b>${whole(me.totals.points)}</b><span>${t("points")}</span></div>
      <div><b>${massText(me.totals.reduction_mg)}</b><span>${t("mass")} <${CO2} /></span></div>
    </section>
    <${Earned} seen=${seen} />
    <h3 class="weui-cells__title">${t("linked")}</h3>
    <section class="weui-cells card" id="partners">
      ${me.partners.map((p) => html`<${Cell} key=${p.partner} title=${p.name}>${dayOf(p.linked_at)}<//>`)}
      ${me.partners.length === 0 && html`<${Cell} title=${t("noPartner")} />`}
    </section>
    <h3 class="weui-cells__title">${t("consents")}</h3>
    <section class="weui-cells card" id="consents">
      ${me.consents.map((c) => html`<${Cell} key=${c.purpose} title=${t(`purpose_${c.purpose}`)} hint=${c.given && dayOf(c.given_at)}>
        <span class=${c.given ? "me__given" : ""}>${c.given ? t("given") : t("notGiven")}</span><//>`)}
    </section>
    <section class="weui-cells card">
      <${Cell} title=${t("language")}><div class="switch" role="group" aria-label=${t("language")}>
        ${LANGUAGES.map(([code, name]) => html`<button key=${code} data-lang=${code} aria-pressed=${language() === code}
          onClick=${() => setLanguage(code)}>${name}</button>`)}</div><//>
    </section>
    <section class="weui-cells card"><button id="logout" class="weui-cell me__logout" onClick=${api.logOut}>${t("logout")}</button></section>
    <p class="deeds__end">${t("privacy")}</p>
  </div>`;
}
