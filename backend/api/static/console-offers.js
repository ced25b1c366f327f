// What is for sale, what it cost, and a quote that becomes an order.
import { ask, get, getOnce } from "./console-access.js";
import { asking, chart } from "./console-chart.js";
import { announce, countdown, h, named, note, origin, perTonne, quantity, quantityText, quiet, say, sheet, table, time, yuan } from "./console-core.js";
import { act, choice, form, grams, price, problem, tick } from "./console-forms.js";

const MOST = 200; // offers and price rules that are shown at once

export async function offers() {
  const [all, rules, regions, methodologies] = await Promise.all([
    get("/v1/offers", { limit: MOST }), ask("GET", `/v1/prices/rules?limit=${MOST}`, { open: true }), getOnce("/v1/standard/regions"), getOnce("/v1/standard/methodologies"),
  ]);
  const names = new Map([...regions.items, ...methodologies.items].map((one) => [one.code, named(one)]));
  const filters = filterFields(all.items);
  const list = h("div", { class: "offers" });
  const prices = h("div", { class: "prices" });
  const quoting = quoteForm(filters);
  let turn = 0;

  async function refresh() {
    const mine = (turn += 1);
    const wanted = Object.fromEntries(filters.map((field) => [field.name, field.read()]));
    try {
      const unfiltered = Object.values(wanted).every((value) => !value);
      const [found, paid] = await Promise.all([unfiltered ? all : get("/v1/offers", { ...wanted, limit: MOST }), get("/v1/prices", { ...wanted, days: 365 })]);
      if (mine !== turn) return;
      list.replaceChildren(...shownOffers(found.items, quoting.take));
      prices.replaceChildren(...shownPrices(paid.items, rules.items, wanted, names));
      announce(say("offers_found", { count: found.items.length }));
    } catch (error) {
      list.replaceChildren(problem(error));
    }
  }

  for (const field of filters) field.control.addEventListener("change", refresh);
  await refresh();
  return [
    h("form", { class: "filters", "aria-label": say("filters"), onsubmit: (event) => event.preventDefault() }, filters.map((field) => field.node)),
    h("div", { class: "market" }, list, quoting.node, sheet(say("price_history"), prices)),
  ];
}

// The regions, methodologies and vintages there are. A province is offered where one of its cities is.
function filterFields(items) {
  const named = (pick) => [...new Map(items.map((item) => [pick(item).code, say(pick(item))])).entries()].sort(([one], [other]) => (one < other ? -1 : 1));
  const vintages = [...new Set(items.map((item) => item.vintage))].sort().reverse();
  const any = ["", say("any")];
  return [
    choice("region", { label: say("region"), choices: [any, ...named((item) => item.region)] }),
    choice("methodology", { label: say("behaviour"), choices: [any, ...named((item) => item.methodology)] }),
    choice("vintage", { label: say("vintage"), choices: [any, ...vintages.map((vintage) => [vintage, vintage])] }),
  ];
}

function tiers(prices) {
  if (prices.length < 2) return undefined;
  return h("ul", { class: "tiers" }, prices.map((tier) => h("li", {}, h("span", {}, say("from_quantity", { quantity: quantityText(tier.from_g) })), h("b", {}, perTonne(tier.price_fen_per_tonne)))));
}

function shownOffers(items, take) {
  if (items.length === 0) return [note(say("no_offers"))];
  return [h("ul", { class: "cards" }, items.map((offer) => h("li", { class: "card offer" },
    origin(offer),
    h("p", { class: "cost" }, h("b", {}, yuan(offer.price_fen_per_tonne)), h("small", {}, `/${say("unit_t")}`)),
    tiers(offer.prices),
    h("p", { class: "left" }, h("span", {}, `${say("available")} `, quantity(offer.available_g))),
    h("button", { type: "button", class: "second", onclick: () => take(offer) }, say("quote_these"), h("span", { class: "hidden" }, ` ${say("batch_number", { number: offer.batch })}`)))))];
}

function shownPrices(days, rules, wanted, names) {
  const steps = asking(rules, wanted);
  const drawn = chart(days, steps);
  const columns = [{ title: say("day") }, { title: say("sold"), right: true }, { title: say("lowest"), right: true }, { title: say("average"), right: true }, { title: say("highest"), right: true }];
  const rows = days.map((one) => [one.on, quantityText(one.quantity_g), yuan(one.low_fen_per_tonne), yuan(one.average_fen_per_tonne), yuan(one.high_fen_per_tonne)]);
  return [
    drawn ? h("div", {}, drawn, h("p", { class: "key" }, days.length > 0 && h("span", {}, h("i", { class: "mark paid" }), say("paid_average")), steps.length > 0 && h("span", {}, h("i", { class: "mark asked" }), say("asked_tonne")))) : quiet(say("no_prices")),
    days.length > 0 && h("details", {}, h("summary", {}, say("prices_table")), table(say("price_history"), columns, rows.reverse())),
    rules.length > 0 && h("details", {}, h("summary", {}, say("rules_table")), ruleTable(rules, names)),
  ].filter(Boolean);
}

function ruleTable(rules, names) {
  const of = (rule) => [rule.batch && say("batch_number", { number: rule.batch }), names.get(rule.region) ?? rule.region, names.get(rule.methodology) ?? rule.methodology, rule.vintage].filter(Boolean).join(" · ") || say("everything");
  const rows = rules.map((rule) => [time(rule.valid_from), of(rule), rule.tiers.length ? tierText(rule.tiers) : say("taken_back")]);
  return table(say("rules_table"), [{ title: say("valid_from") }, { title: say("holds_for") }, { title: say("asked_tonne") }], rows);
}

const tierText = (tiers) => h("ul", {}, tiers.map((tier) => h("li", {}, tiers.length > 1 ? `${say("from_quantity", { quantity: quantityText(tier.from_g) })}: ` : "", perTonne(tier.price_fen_per_tonne))));

// --- the quote ---

export function standing(demonstration = undefined) {
  const here = document.body.dataset.demonstration === "true";
  if (!here) return [];
  return [choice("demonstration", { label: say("kind_of_credits"), value: String(demonstration ?? true), choices: [["true", say("kind_demonstration")], ["false", say("kind_real")]] })]
    .map((field) => ({ ...field, read: () => field.control.value === "true" }));
}

function quoteForm(filters) {
  const amount = grams("quantity_g", { label: say("quantity"), required: true });
  const partial = tick("partial", { label: say("partial"), hint: say("partial_hint") });
  const limit = price("limit_fen_per_tonne", { label: say("limit_price"), hint: say("limit_hint") });
  const kind = standing();
  const answer = h("div", { class: "answer", tabindex: "-1" });
  const wishes = h("p", { class: "wishes" });
  const tell = () => (wishes.textContent = filters.map((field) => field.control.value && field.control.selectedOptions[0].textContent).filter(Boolean).join(" · ") || say("any_origin"));
  for (const field of filters) field.control.addEventListener("change", tell);
  tell();
  const shown = form({
    name: say("quote"), submit: say("ask_quote"),
    fields: () => [amount, partial, limit, ...kind, ...filters],
    content: [h("h2", {}, say("quote")), h("p", { class: "quiet" }, say("origin"), ": ", wishes), amount.node, kind.map((field) => field.node),
      h("details", {}, h("summary", {}, say("more_wishes")), h("div", { class: "more" }, limit.node, partial.node))],
    send: (body, key) => ask("POST", "/v1/quotes", { body, key }),
    done: (quote) => showQuote(quote, answer),
  });
  const take = (offer) => {
    for (const field of filters) field.control.value = { region: offer.region.code, methodology: offer.methodology.code, vintage: offer.vintage }[field.name];
    filters[0].control.dispatchEvent(new Event("change"));
    if (kind.length) kind[0].control.value = String(offer.demonstration);
    if (!amount.control.value) amount.set(Math.min(Number(offer.available_g), 1_000_000));
    amount.control.focus();
    amount.control.select();
  };
  return { node: h("div", { class: "quoting" }, shown, answer), take };
}

export function lineTable(lines) {
  const columns = [{ title: say("batch") }, { title: say("quantity"), right: true }, { title: say("price"), right: true }, { title: say("amount"), right: true }];
  return table(say("lines"), columns, lines.map((line) => [line.origin ?? say("batch_number", { number: line.batch }), quantity(line.quantity_g), perTonne(line.price_fen_per_tonne), yuan(line.amount_fen)]));
}

function showQuote(quote, answer) {
  const order = act(say("order_now"), (key) => ask("POST", "/v1/orders", { body: { quote_id: quote.id }, key }), (made) => (location.hash = `orders/${made.id}`), { kind: "" });
  const over = () => {
    order.replaceWith(note(say("quote_over")));
    announce(say("quote_over"));
  };
  answer.replaceChildren(h("section", { class: "sheet quote", "aria-label": say("your_quote") },
    h("h2", {}, say("your_quote")),
    h("p", { class: "big" }, yuan(quote.amount_fen)),
    h("p", {}, quantity(quote.quantity_g), quote.quantity_g < quote.asked_g && h("span", { class: "quiet" }, ` ${say("of_asked", { quantity: quantityText(quote.asked_g) })}`)),
    quote.demonstration && note(say("demonstration_note"), "draft"),
    lineTable(quote.lines),
    h("p", { class: "quiet" }, say("holds_for_time"), " ", countdown(quote.expires_at, over), " · ", say("nothing_reserved")),
    order));
  announce(say("quote_is", { amount: yuan(quote.amount_fen), quantity: quantityText(quote.quantity_g) }));
  answer.focus();
}
