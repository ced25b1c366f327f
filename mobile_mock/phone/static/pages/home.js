import { html, useState } from "../assets/preact.js";
import * as api from "../api.js";
import { addDays, dayName, dayOf, isoDay, mass, massText, shortDay, t, whole } from "../i18n.js";
import { Icon } from "../icons.js";
import { wx } from "../wx.js";
import { CO2, DeedRow, Failed, useLoaded, Waiting } from "./parts.js";

const DAYS = 7;

/** The last seven days, up to today, or up to the latest day on which anything happened if that is long ago. */
function lastDays(lines) {
  const today = isoDay(new Date());
  const latest = lines[0]?.on;
  const end = latest && (latest > today || latest <= addDays(today, -DAYS)) ? latest : today;
  const byDay = new Map(lines.map((line) => [line.on, line]));
  return Array.from({ length: DAYS }, (_, i) => addDays(end, i - DAYS + 1)).map(
    (on) => byDay.get(on) || { on, points: 0, reduction_mg: 0 },
  );
}

function Chart({ lines }) {
  const days = lastDays(lines);
  const [chosen, choose] = useState(null);
  const most = Math.max(1, ...days.map((d) => d.reduction_mg));
  const sum = days.reduce((total, d) => total + d.reduction_mg, 0);
  const shown = days.find((d) => d.on === chosen);
  const height = (mg) => (mg > 0 ? Math.max(4, Math.round((mg / most) * 76)) : 3);
  return html`<section class="card chart">
    <div class="card__head"><h3>${t("lastDays")}</h3>
      <span>${shown ? `${dayName(shown.on)} ${massText(shown.reduction_mg)}` : `${t("total7")} ${massText(sum)}`}</span></div>
    <div class="chart__bars">
      ${days.map((d) => html`<button key=${d.on} class="chart__day ${chosen === d.on ? "chart__day_on" : ""}" data-mg=${d.reduction_mg}
        aria-label="${dayName(d.on)} ${massText(d.reduction_mg)}" onClick=${() => choose(chosen === d.on ? null : d.on)}>
        <svg width="22" height="80" aria-hidden="true"><rect class=${d.reduction_mg > 0 ? "chart__bar" : "chart__bar chart__bar_none"}
          x="0" y=${80 - height(d.reduction_mg)} width="22" height=${height(d.reduction_mg)} rx=${Math.min(6, height(d.reduction_mg) / 2)} /></svg>
        <span>${shortDay(d.on)}</span></button>`)}
    </div>
  </section>`;
}

/** A tree that is further grown the more has been saved: a picture, not a measurement. */
function Tree({ mg }) {
  const grown = [1e5, 1e6, 5e6, 2e7, 1e8].filter((step) => mg >= step).length;
  const leaves = [[60, 42, 13], [43, 56, 12], [77, 56, 12], [50, 34, 14], [71, 36, 14], [60, 22, 13]].slice(0, grown + 1);
  const young = grown === 0;
  return html`<svg class="tree" width="120" height="104" viewBox="0 0 120 104" aria-hidden="true">
    <ellipse cx="60" cy="96" rx="46" ry="6" class="tree__ground" />
    <path d=${young ? "M60 96V70" : "M60 96V52M60 78 46 64M60 72l14-13"} class="tree__trunk" />
    ${young && html`<path d="M60 74c-2-13-11-19-25-19 0 14 10 21 25 19Zm0-8c0-13 9-21 24-21 0 15-9 22-24 21Z" class="tree__leaf" />`}
    ${!young && leaves.map(([x, y, r], i) => html`<circle cx=${x} cy=${y} r=${r} class="tree__leaf tree__leaf_${i % 3}" />`)}
  </svg>`;
}

export function Home() {
  const { value, failed, again } = useLoaded(() => Promise.all([api.me(), api.points(60), api.deeds(5)]));
  if (failed) return html`<${Failed} problem=${failed} again=${again} />`;
  if (!value) return html`<${Waiting} />`;
  const [me, points, deeds] = value;
  const total = mass(me.totals.reduction_mg);
  return html`<div class="home">
    <section class="hero">
      <div>
        <h2>${t("myPoints")}</h2>
        <p class="hero__points" data-points=${me.totals.points}>${whole(me.totals.points)}</p>
        <p class="hero__total" data-reduction=${me.totals.reduction_mg}>${t("reduction")}<b>${total.value}</b> ${total.unit} <${CO2} /></p>
      </div>
      <${Tree} mg=${me.totals.reduction_mg} />
    </section>
    <${Chart} lines=${points.lines} />
    <section class="card">
      <div class="card__head"><h3>${t("recent")}</h3>
        ${deeds.items.length > 0 && html`<button class="card__all" onClick=${() => wx.switchTab({ url: "pages/deeds" })}>${t("all")}<${Icon} name="next" size=${16} /></button>`}</div>
      ${deeds.items.map((deed) => html`<${DeedRow} key=${deed.id} deed=${deed} day=${dayName(dayOf(deed.started_at))} />`)}
      ${deeds.items.length === 0 && html`<div class="none"><${Icon} name="other" size=${40} /><p>${t("none")}</p><span>${t("noneHint")}</span></div>`}
    </section>
  </div>`;
}
