// Orders: where one stands, how it is paid, cancelled, taken back; standing orders; invoices.
import { ask, get, getOnce } from "./console-access.js";
import { announce, copied, countdown, h, link, named, note, origin, outside, paged, pairs, perTonne, quantity, quantityText, quiet, regionOptions, say, sheet, state, time, yuan } from "./console-core.js";
import { act, choice, count, date, form, grams, price, problem, text, tick } from "./console-forms.js";
import { lineTable, standing as kindOf } from "./console-offers.js";

const STATES = ["reserved", "declared", "paid", "refunded", "cancelled", "expired"];

export async function orders(number, show) {
  if (number) return order(number, show);
  const chosen = choice("state", { label: say("state"), choices: [["", say("any")], ...STATES.map((one) => [one, say(`state_${one}`)])] });
  const list = h("div", { class: "list" });
  const columns = [{ title: say("order") }, { title: say("made_at") }, { title: say("quantity"), right: true }, { title: say("amount"), right: true }, { title: say("state") }];
  const cells = (one) => [link(`#orders/${one.id}`, one.payment.reference), time(one.made_at), quantity(one.quantity_g), yuan(one.amount_fen), [state(one.state), one.expires_at && h("small", {}, ` ${time(one.expires_at)} ${say("until")}`)]];
  const refresh = async () => list.replaceChildren(...await paged(say("orders"), columns, (cursor) => get("/v1/orders", { state: chosen.read(), cursor }), cells, say("no_orders")));
  chosen.control.addEventListener("change", () => refresh().catch((error) => list.replaceChildren(problem(error))));
  await refresh();
  return [h("form", { class: "filters", onsubmit: (event) => event.preventDefault() }, chosen.node), sheet(undefined, list), h("p", {}, link("#offers", `${say("buy_more")} →`))];
}

// --- one order ---

async function order(number, show) {
  const [found, invoices] = await Promise.all([get(`/v1/orders/${encodeURIComponent(number)}`), get("/v1/invoices", { limit: 200 })]);
  const mine = invoices.items.filter((one) => one.order === found.id);
  const origins = await Promise.all(found.lines.map((line) => get(`/v1/batches/${line.batch}`).catch(() => undefined)));
  const lines = found.lines.map((line, place) => ({ ...line, origin: origins[place] && origin({ ...origins[place], batch: line.batch }) }));
  const open = ["reserved", "declared"].includes(found.state);
  const again = () => show();
  return { title: say("order_number", { number: found.payment.reference }), nodes: [
    steps(found),
    h("div", { class: "two" },
      h("div", { class: "stackup" },
        sheet(say("what_you_buy"),
          h("p", { class: "big" }, yuan(found.amount_fen)), h("p", {}, quantity(found.quantity_g)),
          origins.some((one) => one?.demonstration) && note(say("demonstration_note"), "draft"), lineTable(lines)),
        mine.length > 0 && sheet(say("invoices"), invoiceList(mine))),
      h("div", { class: "stackup" },
        open && payment(found, again),
        found.state === "paid" && sheet(say("paid_next"), h("p", {}, say("paid_text")), h("p", { class: "actions" }, link("#holdings", say("holdings")), link("#retire", say("retire")))),
        found.state === "expired" && sheet(say("state_expired"), h("p", {}, say("expired_text")), h("p", {}, link("#offers", say("ask_quote")))),
        found.state === "cancelled" && sheet(say("state_cancelled"), h("p", {}, say("cancelled_text"))),
        found.state === "refunded" && sheet(say("state_refunded"), h("p", {}, say("refunded_text"))),
        found.state === "paid" && mine.length === 0 && invoiceForm(found, invoices.items, again),
        found.state === "paid" && refundForm(found, again))),
    h("p", {}, link("#orders", `← ${say("orders")}`)),
  ] };
}

function steps(found) {
  const usual = ["reserved", "declared", "paid"];
  const names = ["cancelled", "expired", "refunded"].includes(found.state) ? [...usual.filter((one) => found.steps[one]), found.state] : usual;
  return h("ol", { class: "steps", "aria-label": say("state") }, names.map((name) => {
    const since = found.steps[name];
    const done = since || name === found.state;
    return h("li", { class: done ? `done is-${name}` : "", "aria-current": name === found.state ? "step" : undefined },
      h("b", {}, say(`state_${name}`)), h("small", {}, since ? time(since) : name === found.state ? "" : say("not_yet")));
  }));
}

function payment(found, again) {
  const declared = found.state === "declared";
  const { reference, account, pay_url: url, method } = found.payment;
  const provider = method === "provider";
  const payer = text("payer", { label: say("payer"), hint: say("payer_hint"), longest: 200 });
  const path = `/v1/orders/${found.id}/payment`;
  const done = (told) => async () => (await again(), announce(say(told)));
  return sheet(declared ? say("payment_awaited") : say("pay"),
    h("p", { class: "holds" }, say(declared ? "waits_until" : "reserved_until", { time: time(found.expires_at) }), " ", countdown(found.expires_at, () => show({ focus: false }))),
    /^https?:/u.test(url ?? "") && h("p", {}, outside(url, h("span", { class: "button" }, say("pay_online")))),
    pairs([say("amount"), h("b", { class: "figures" }, yuan(found.amount_fen))], [say("reference"), copied(reference)], account && [say("bank_account"), copied(account)]),
    h("p", {}, say(declared && !provider ? "bank_declared" : provider ? "provider_text" : "bank_text")),
    !declared && form({ name: say("declare"), kind: "inner", submit: say("declare"), fields: () => [payer], content: payer.node,
      send: (body, key) => ask("POST", path, { body: { method: "bank_transfer", ...body }, key }), done: done("declared_said") }),
    !declared && document.body.dataset.provider === "true" && h("details", {}, h("summary", {}, say("other_ways")),
      h("p", { class: "quiet" }, say("provider_hint")),
      act(say("choose_provider"), (key) => ask("POST", path, { body: { method: "provider" }, key }), done("provider_said"))),
    act(say("cancel_order"), (key) => ask("DELETE", `/v1/orders/${found.id}`, { key }), done("cancelled_said"), { question: say("cancel_question"), kind: "plain bad" }));
}

function refundForm(found, again) {
  const reason = text("reason", { label: say("reason"), required: true, longest: 500, long: true });
  if (found.final_at && Date.parse(found.final_at) <= Date.now()) return sheet(say("refund"), quiet(say("refund_over", { time: time(found.final_at) })));
  return sheet(say("refund"), quiet(found.final_at ? say("refund_until", { time: time(found.final_at) }) : say("refund_text")),
    h("details", {}, h("summary", {}, say("ask_refund")),
      form({ name: say("refund"), kind: "inner", submit: say("ask_refund"), fields: () => [reason], content: reason.node,
        review: { yes: say("ask_refund"), show: () => h("p", {}, say("refund_review", { amount: yuan(found.amount_fen), quantity: quantityText(found.quantity_g) })) },
        send: (body, key) => ask("POST", `/v1/orders/${found.id}/refund`, { body, key }), done: async () => (await again(), announce(say("refunded_text"))) })));
}

// --- invoices ---

function invoiceForm(found, before, again) {
  const last = before[0]?.buyer ?? {};
  const name = text("buyer.name", { label: say("buyer_name"), required: true, longest: 100, value: last.name });
  const uscc = text("buyer.uscc", { label: say("uscc"), required: true, longest: 40, value: last.uscc, hint: say("uscc_hint") });
  return sheet(say("invoice"), quiet(say("invoice_text")), h("details", {}, h("summary", {}, say("ask_invoice")),
    form({ name: say("invoice"), kind: "inner", submit: say("ask_invoice"), fields: () => [name, uscc], content: [name.node, uscc.node],
      send: (body, key) => ask("POST", `/v1/orders/${found.id}/invoice`, { body, key }), done: async () => (await again(), announce(say("invoice_asked"))) })));
}

const invoiceColumns = () => [{ title: say("number") }, { title: say("kind") }, { title: say("order") }, { title: say("buyer") }, { title: say("amount"), right: true }, { title: say("tax_ref") }];
const invoiceCells = (one) => [h("code", {}, one.number), say(`kind_${one.kind}`), link(`#orders/${one.order}`, `${one.order}`), [one.buyer.name, " ", h("small", {}, one.buyer.uscc)], yuan(one.amount_fen),
  one.tax_ref ? [one.tax_ref, h("small", {}, ` ${time(one.issued_at)}`)] : h("span", { class: "quiet" }, say("not_issued"))];

function invoiceList(items) {
  return items.map((one) => pairs([say("number"), h("code", {}, one.number)], [say("kind"), say(`kind_${one.kind}`)], [say("buyer"), `${one.buyer.name} ${one.buyer.uscc}`], [say("tax_ref"), one.tax_ref ?? say("not_issued")]));
}

export async function invoices() {
  return [quiet(say("invoices_text")), sheet(undefined, await paged(say("invoices"), invoiceColumns(), (cursor) => get("/v1/invoices", { cursor }), invoiceCells, say("no_invoices")))];
}

// --- standing orders ---

export async function standing(_, show) {
  const [{ items }, regions, methodologies] = await Promise.all([get("/v1/standing-orders"), getOnce("/v1/standard/regions"), getOnce("/v1/standard/methodologies")]);
  const names = new Map([...regions.items, ...methodologies.items].map((one) => [one.code, named(one)]));
  return [
    quiet(say("standing_text")),
    h("div", { class: "two" },
      h("div", { class: "stackup" }, items.length ? items.map((one) => standingSheet(one, names, show)) : sheet(undefined, quiet(say("no_standing")))),
      standingForm(regions.items, methodologies.items, show)),
  ];
}

function standingSheet(one, names, show) {
  const columns = [say("month"), say("order"), say("outcome")];
  const runs = one.runs.map((run) => h("tr", {}, h("th", { scope: "row" }, run.month), h("td", {}, run.order ? link(`#orders/${run.order}`, `${run.order}`) : "—"), h("td", {}, run.problem ? say(`problem_${run.problem}`) : say("ordered"))));
  return sheet(say("standing_number", { number: one.id }),
    h("p", {}, h("b", {}, say("standing_is", { quantity: quantityText(one.quantity_g), day: one.day, price: perTonne(one.limit_fen_per_tonne) })), one.ended_at && [" ", h("i", { class: "badge" }, say("ended"))]),
    pairs([say("region"), names.get(one.region) ?? one.region], [say("behaviour"), names.get(one.methodology) ?? one.methodology],
      [say("partial"), say(one.partial ? "yes" : "no")], [say("kind_of_credits"), say(one.demonstration ? "kind_demonstration" : "kind_real")],
      [say("until_on"), one.until_on], [say("made"), time(one.made_at)], [say("ended"), one.ended_at && time(one.ended_at)]),
    runs.length ? h("table", { class: "runs" }, h("caption", {}, say("runs")), h("thead", {}, h("tr", {}, columns.map((title) => h("th", { scope: "col" }, title)))), h("tbody", {}, runs)) : quiet(say("no_runs")),
    !one.ended_at && act(say("end_standing"), (key) => ask("DELETE", `/v1/standing-orders/${one.id}`, { key }), async () => (await show(), announce(say("ended"))), { question: say("end_question"), kind: "plain bad" }));
}

function standingForm(regions, methodologies, show) {
  const usable = methodologies.filter((one) => one.status !== "draft" && !one.points_only);
  const any = ["", say("any")];
  const fields = [
    grams("quantity_g", { label: say("each_month"), required: true }),
    price("limit_fen_per_tonne", { label: say("limit_price"), hint: say("limit_hint"), required: true }),
    count("day", { label: say("day_of_month"), hint: say("day_hint"), required: true, low: 1, high: 28, value: "1" }),
    choice("region", { label: say("region"), choices: [any, ...regionOptions(regions)] }),
    choice("methodology", { label: say("behaviour"), choices: [any, ...usable.map((one) => [one.code, named(one)])] }),
    date("until_on", { label: say("until_on") }),
    ...kindOf(),
    tick("partial", { label: say("partial"), hint: say("partial_hint") }),
  ];
  return form({ name: say("new_standing"), submit: say("make_standing"), fields: () => fields,
    content: [h("h2", {}, say("new_standing")), fields.map((field) => field.node)],
    send: (body, key) => ask("POST", "/v1/standing-orders", { body, key }), done: async () => (await show(), announce(say("standing_made"))) });
}
