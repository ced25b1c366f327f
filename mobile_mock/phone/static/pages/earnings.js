// What sales brought, who claims the reductions now, and having the money paid out.

import { html, useEffect, useState } from "../assets/preact.js";
import * as api from "../api.js";
import { fill, massText, money, pick, problemText, readYuan, t, yuan } from "../i18n.js";
import { Icon } from "../icons.js";
import { wx } from "../wx.js";
import { CO2, Failed, Waiting } from "./parts.js";

const PAGE = 20;

/** The first page of the statement, and the references of the latest withdrawals, which its lines do not have. */
async function open() {
  const [page, { items }] = await Promise.all([api.statement(PAGE), api.withdrawals(100)]);
  return { ...page, references: Object.fromEntries(items.map(({ id, reference }) => [id, reference])) };
}

/** One wish keeps one key until it is answered, so that trying again never withdraws twice. */
function useWithdrawal(done) {
  const [wish, setWish] = useState(null);
  const [busy, setBusy] = useState(false);
  const send = async (amount_fen) => {
    setBusy(true);
    try {
      const key = wish?.amount_fen === amount_fen ? wish.key : await api.newKey();
      setWish({ amount_fen, key });
      const payout = await api.withdraw(amount_fen, key);
      setWish(null);
      await done(payout);
    } catch (problem) {
      if (problem.status < 500) setWish(null); // refused: nothing is under way
      wx.showToast({ title: told(problem), duration: 4000 });
    }
    setBusy(false);
  };
  return { busy, send };
}

function told(problem) {
  if (problem.code === "not_enough_money" && problem.balance_fen != null)
    return fill("withdrawMuch", { amount: money(problem.balance_fen) });
  return problem.code === "network" ? t("withdrawUnknown") : problemText(problem);
}

function Withdraw({ balance, done }) {
  const [text, setText] = useState("");
  const { busy, send } = useWithdrawal(async (payout) => {
    setText("");
    await done(payout);
  });
  const submit = (event) => {
    event.preventDefault();
    const fen = readYuan(text);
    if (fen === null) return wx.showToast({ title: t("withdrawBad"), duration: 3000 });
    if (fen > balance) return wx.showToast({ title: fill("withdrawMuch", { amount: money(balance) }), duration: 3000 });
    const words = { title: fill("withdrawAsk", { amount: money(fen) }), confirmText: t("withdraw"), cancelText: t("cancel") };
    wx.showModal({ ...words, content: t("withdrawHow"), success: ({ confirm }) => confirm && send(fen) });
  };
  return html`<form id="withdrawal" class="earnings__form" onSubmit=${submit}>
    <label class="earnings__field"><span>${t("withdrawAmount")}</span><b aria-hidden="true">¥</b>
      <input class="weui-input" name="amount" inputmode="decimal" autocomplete="off" maxlength="16" placeholder="0.00" value=${text}
        onInput=${(event) => setText(event.target.value)} /></label>
    <button type="button" class="earnings__all" onClick=${() => setText(yuan(balance))}>${t("withdrawAll")}</button>
    <button type="submit" id="withdraw" class="weui-btn weui-btn_primary" disabled=${busy}>${busy ? t("loading") : t("withdraw")}</button>
    <p>${t("withdrawHow")}</p>
  </form>`;
}

const Fact = ({ label, children }) => html`<div><dt>${label}</dt><dd>${children}</dd></div>`;

function Share({ line }) {
  const { batch, own_mg, batch_income_fen, claimed_by, note } = line;
  return html`<dl class="line__facts">
      ${own_mg != null && html`<${Fact} label=${t("ownPart")}>${massText(own_mg)} <${CO2} /><//>`}
      <${Fact} label=${t("batchIncome")}>${money(batch_income_fen)}<//>
      ${claimed_by.length > 0 && html`<${Fact} label=${t("claimedBy")}>
        ${claimed_by.map(({ name, retired_g }) => html`<span key=${name}>${name} ${massText(retired_g * 1000)}</span>`)}<//>`}
    </dl>
    <p class="line__note"><b>${t("claimNow")}</b> ${pick(note)}</p>
    ${batch.demonstration && html`<span class="badge">${t("demonstration")}</span>`}`;
}

function Line({ line, reference }) {
  const { kind, batch, payout, amount_fen, at } = line;
  const local = new Date(at); // money has no place: the clock of who looks
  const when = `${local.getFullYear()}-${two(local.getMonth() + 1)}-${two(local.getDate())} ${two(local.getHours())}:${two(local.getMinutes())}`;
  const title = batch ? `${pick(batch.methodology)} · ${pick(batch.region)}` : t(`line_${kind}`);
  return html`<li class="line" data-line=${line.id} data-kind=${kind}>
    <span class="deed__icon ${batch ? "" : "deed__icon_off"}"><${Icon} name=${batch ? "share" : "payout"} /></span>
    <div class="line__text">
      <p class="line__head"><strong>${title}</strong><b class=${amount_fen < 0 ? "line__out" : ""}>${amount_fen > 0 ? "+" : ""}${yuan(amount_fen)}</b></p>
      <p class="line__when">${batch && `${t("line_share")} · ${fill("vintageOf", { month: batch.vintage })} · `}${when}
        ${kind === "payout" && html` <span class="badge badge_${payout.state === "requested" ? "in_review" : payout.state === "failed" ? "refused" : "credited"}">${t(`payout_${payout.state}`)}</span>`}</p>
      ${batch && html`<${Share} line=${line} />`}
      ${kind === "payout" && reference && html`<p class="line__when">${t("reference")} <code>${reference}</code></p>`}
    </div></li>`;
}

const two = (n) => String(n).padStart(2, "0");

/** The reference is what gets the money: it stays on the page until it is left. */
const Made = ({ payout }) => html`<section class="card earnings__made" role="status">
  <i class="weui-icon-success"></i><h2>${t("withdrawSent")} ${money(payout.amount_fen)}</h2>
  <p>${t("reference")}</p><code id="reference">${payout.reference}</code><p>${t("referenceHint")}</p></section>`;

export function Earnings() {
  const [state, setState] = useState({ page: null, failed: null, busy: false, made: null });
  const change = (more) => setState((before) => ({ ...before, ...more }));
  const load = async () => {
    change({ failed: null });
    try {
      change({ page: await open() });
    } catch (failed) {
      change({ failed });
      if (state.page) wx.showToast({ title: problemText(failed) });
    }
  };
  const more = async () => {
    change({ busy: true });
    try {
      const next = await api.statement(PAGE, state.page.next_cursor);
      const lines = [...state.page.lines, ...next.lines];
      change({ page: { ...state.page, lines, next_cursor: next.next_cursor }, busy: false });
    } catch (problem) {
      change({ busy: false });
      wx.showToast({ title: problemText(problem) });
    }
  };
  useEffect(() => void load(), []);
  const { page, failed, busy, made } = state;
  if (!page) return failed ? html`<${Failed} problem=${failed} again=${load} />` : html`<${Waiting} />`;
  const done = async (payout) => {
    change({ made: payout });
    await load();
  };
  return html`<div class="earnings">
    <section class="card earnings__head">
      <h2>${t("balance")}</h2><p class="earnings__balance" data-fen=${page.balance_fen}>${yuan(page.balance_fen)}</p>
      ${page.balance_fen > 0 && html`<${Withdraw} balance=${page.balance_fen} done=${done} />`}
    </section>
    ${made && html`<${Made} payout=${made} />`}
    ${page.lines.length > 0
      ? html`<h3 class="deeds__day">${t("lines")}</h3>
        <ol class="card card_list earnings__lines">${page.lines.map((line) => html`<${Line} key=${line.id} line=${line} reference=${page.references[line.payout?.id]} />`)}</ol>`
      : html`<section class="card none"><${Icon} name="share" size=${40} /><p>${t("noLines")}</p><span>${t("earningsHint")}</span></section>`}
    ${page.next_cursor && html`<button id="more" class="weui-btn weui-btn_default deeds__more" disabled=${busy} onClick=${more}>${busy ? t("loading") : t("more")}</button>`}
    ${!page.next_cursor && page.lines.length > 0 && html`<p class="deeds__end">${t("end")}</p>`}
  </div>`;
}
