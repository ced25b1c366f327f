import { html, useEffect, useState } from "../assets/preact.js";
import * as api from "../api.js";
import { dayName, dayOf, problemText, t } from "../i18n.js";
import { wx } from "../wx.js";
import { DeedRow, Failed, Waiting } from "./parts.js";

const PAGE = 20;

const byDay = (items) => {
  const days = new Map();
  for (const deed of items) {
    const day = dayOf(deed.started_at);
    days.set(day, [...(days.get(day) || []), deed]);
  }
  return [...days];
};

export function Deeds() {
  const [state, setState] = useState({ items: null, cursor: null, failed: null, busy: false });
  const load = async (cursor) => {
    setState((before) => ({ ...before, failed: null, busy: true }));
    try {
      const page = await api.deeds(PAGE, cursor);
      setState((before) => ({ items: [...(before.items || []), ...page.items], cursor: page.next_cursor, busy: false }));
    } catch (failed) {
      setState((before) => ({ ...before, failed, busy: false }));
      if (cursor) wx.showToast({ title: problemText(failed) });
    }
  };
  useEffect(() => void load(null), []);
  const { items, cursor, failed, busy } = state;
  if (!items) return failed ? html`<${Failed} problem=${failed} again=${() => load(null)} />` : html`<${Waiting} />`;
  return html`<div class="deeds">
    ${byDay(items).map(([day, deeds]) => html`<section key=${day}>
      <h3 class="deeds__day">${dayName(day)}</h3>
      <div class="card card_list">${deeds.map((deed) => html`<${DeedRow} key=${deed.id} deed=${deed} />`)}</div>
    </section>`)}
    ${cursor
      ? html`<button id="more" class="weui-btn weui-btn_default deeds__more" disabled=${busy} onClick=${() => load(cursor)}>${busy ? t("loading") : t("more")}</button>`
      : html`<p class="deeds__end">${items.length ? t("end") : t("none")}</p>`}
  </div>`;
}
