// What the company holds, gives to others, and has used up: holdings, transfers, certificates.
import { ask, get } from "./console-access.js";
import { announce, badge, day, h, link, note, origin, outside, paged, pairs, percent, quantity, quantityText, quiet, say, sheet, table, time } from "./console-core.js";
import { choice, form, grams, text } from "./console-forms.js";

export const PURPOSES = JSON.parse(document.body.dataset.purposes);
export const purposeText = (code) => say(new Map(PURPOSES).get(code));
export const held = (holdings) => holdings.batches.filter((one) => one.held_g > 0);

function serials(list) {
  if (list.length === 0) return undefined;
  return h("details", { class: "serials" }, h("summary", {}, say("serials_count", { count: list.length })), h("ul", {}, list.map((one) => h("li", {}, h("code", {}, one)))));
}

export async function holdings() {
  const found = await get("/v1/holdings");
  const actions = (one) => (one.held_g > 0 ? h("span", { class: "links" }, link(`#retire/${one.batch}`, say("retire")), link(`#transfer/${one.batch}`, say("transfer"))) : "—");
  const columns = [{ title: say("origin") }, { title: say("held"), right: true }, { title: say("retired"), right: true }, { title: say("serials") }, { title: say("actions") }];
  const rows = found.batches.map((one) => [origin(one), quantity(one.held_g), quantity(one.retired_g), serials(one.serials) ?? "—", actions(one)]);
  return [
    h("ul", { class: "counts" }, h("li", {}, h("span", {}, say("held")), h("b", {}, quantityText(found.held_g))), h("li", {}, h("span", {}, say("retired")), h("b", {}, quantityText(found.retired_g)))),
    found.batches.length ? sheet(undefined, table(say("holdings"), columns, rows)) : sheet(undefined, h("p", {}, say("no_holdings")), h("p", {}, link("#offers", `${say("offers")} →`))),
    found.held_g > 0 && h("p", { class: "actions" }, h("a", { class: "button", href: "#retire" }, say("retire")), h("a", { class: "button second", href: "#transfer" }, say("transfer"))),
  ];
}

// The fields by which grams are taken: a batch or the oldest, of demonstration or real credits, and how many.
export function taken(found, wanted) {
  const batches = held(found);
  const kinds = [...new Set(batches.map((one) => one.demonstration))];
  const kind = (demonstration) => say(demonstration ? "kind_demonstration" : "kind_real");
  const oldest = kinds.map((demonstration) => [`oldest ${demonstration}`, kinds.length > 1 ? `${say("oldest")} · ${kind(demonstration)}` : say("oldest")]);
  const name = (one) => `${say("batch_number", { number: one.batch })} · ${say(one.methodology)} · ${say(one.region)} · ${one.vintage} · ${quantityText(one.held_g)}`;
  const batch = choice("batch", { label: say("which"), choices: [...oldest, ...batches.map((one) => [String(one.batch), name(one)])], value: batches.some((one) => String(one.batch) === wanted) ? wanted : oldest[0]?.[0] });
  const picked = () => batches.find((one) => String(one.batch) === batch.control.value);
  const demonstration = () => picked()?.demonstration ?? batch.control.value === "oldest true";
  const most = () => picked()?.held_g ?? batches.filter((one) => one.demonstration === demonstration()).reduce((sum, one) => sum + Number(one.held_g), 0);
  const amount = grams("quantity_g", { label: say("quantity"), required: true, unit: "kg" });
  const all = h("button", { type: "button", class: "plain", onclick: () => amount.set(most()) });
  amount.node.querySelector(".beside").append(all);
  const tell = () => (all.textContent = say("take_all", { quantity: quantityText(most()) }));
  batch.control.addEventListener("change", tell);
  tell();
  const fields = [amount, { ...batch, read: () => picked()?.batch }, { ...batch, name: "demonstration", mark: () => undefined, read: demonstration }];
  return { fields, nodes: [batch.node, amount.node], amount, picked, demonstration };
}

export const nothingHeld = () => [sheet(undefined, h("p", {}, say("no_holdings")), h("p", {}, link("#offers", `${say("offers")} →`)))];

// --- transfers ---

export async function transfer(batch) {
  const found = await get("/v1/holdings");
  const columns = [{ title: say("number") }, { title: say("time") }, { title: say("quantity"), right: true }, { title: say("from") }, { title: say("to") }];
  const whom = (id, name) => (id ? [name, " ", h("small", {}, id)] : "—");
  const cells = (one) => [`${one.id}`, time(one.made_at), quantity(one.quantity_g), whom(one.from, one.from_name), one.registry ? [one.registry, h("small", {}, ` ${one.registry_note ?? ""}`)] : whom(one.to, one.to_name)];
  const list = async () => sheet(say("transfers"), await paged(say("transfers"), columns, (cursor) => get("/v1/transfers", { cursor }), cells, say("no_transfers")));
  const history = h("div", {}, await list());
  return [quiet(say("transfer_text")), held(found).length ? transferForm(found, batch, async () => history.replaceChildren(await list())) : nothingHeld(), history];
}

function transferForm(found, batch, refresh) {
  const source = taken(found, batch);
  const where = choice("where", { label: say("to_where"), choices: [["to", say("to_company")], ["registry", say("to_registry")]] });
  const to = text("to", { label: say("company_id"), hint: say("company_id_hint"), required: true, longest: 64 });
  const registry = text("registry", { label: say("registry"), required: true, longest: 100 });
  const account = text("registry_note", { label: say("registry_note"), required: true, longest: 300 });
  const fields = () => (where.control.value === "to" ? [to] : [registry, account]);
  const receiver = h("div", { class: "more" });
  const tell = () => receiver.replaceChildren(...fields().map((field) => field.node), where.control.value === "to" ? "" : note(say("registry_final"), "draft"));
  where.control.addEventListener("change", tell);
  tell();
  return form({
    name: say("transfer"), submit: say("review"), fields: () => [...source.fields, ...fields()],
    content: [source.nodes, where.node, receiver],
    review: { yes: say("transfer_yes"), show: (body) => [h("h2", {}, say("transfer_review", { quantity: quantityText(body.quantity_g), to: body.to ?? body.registry })), h("p", {}, say(body.to ? "transfer_back" : "registry_final"))] },
    send: (body, key) => ask("POST", "/v1/transfers", { body, key }),
    done: async (made, here) => {
      announce(say("transferred", { quantity: quantityText(made.quantity_g) }));
      const told = sheet(say("transferred", { quantity: quantityText(made.quantity_g) }), serials(made.serials), h("p", {}, link("#holdings", say("holdings"))));
      told.tabIndex = -1;
      here.replaceWith(told);
      told.focus();
      await refresh();
    },
  });
}

// --- certificates ---

export const beneficiaries = (list) => list.map((one) => h("span", { class: "entity" }, one.name, one.name_en && h("small", {}, one.name_en), h("small", {}, h("code", {}, one.uscc), one.quantity_g && ` · ${quantityText(one.quantity_g)}`)));
const files = (number) => [outside(`/v1/certificates/${number}`, say("public_page")), outside(`/v1/certificates/${number}.pdf`, "PDF"), h("a", { href: `/v1/certificates/${number}.json`, download: `${number}.json` }, "JSON")];

export async function certificates(number) {
  if (number) return certificate(number);
  const columns = [{ title: say("certificate") }, { title: say("retired_at") }, { title: say("quantity"), right: true }, { title: say("beneficiary") }, { title: say("purpose") }, { title: say("files") }];
  const cells = (one) => [[link(`#certificates/${one.number}`, one.number), one.demonstration && [" ", badge("demonstration", "demo")]], h("span", { class: "figures" }, day(one.retired_at)), quantity(one.quantity_g), beneficiaries(one.beneficiaries), [purposeText(one.purpose), h("small", {}, `${one.period_from} – ${one.period_to}`)],
    h("span", { class: "links" }, files(one.number).filter((_, place) => place !== 1 || one.has_pdf), !one.has_pdf && h("span", { class: "quiet" }, say("pdf_waiting")))];
  return [quiet(say("certificates_text")), sheet(undefined, await paged(say("certificates"), columns, (cursor) => get("/v1/retirements", { cursor }), cells, say("no_certificates")))];
}

async function certificate(number) {
  const { certificate: one, amendments } = await ask("GET", `/v1/certificates/${encodeURIComponent(number)}.json`, { open: true });
  const whole = one.beneficiary ? [one.beneficiary] : one.beneficiaries;
  const lines = table(say("lineage"), [{ title: say("origin") }, { title: say("quantity"), right: true }, { title: say("verified_by") }], one.lineage.map((line) => [origin({ ...line, provisional: line.methodology.status === "provisional" }), quantity(line.quantity_g), [line.attestation.verifier, line.own_ppm && h("small", {}, say("own_share", { share: percent(line.own_ppm) }))]]));
  return { title: say("certificate"), nodes: [
    h("article", { class: "sheet certificate" },
      h("p", { class: "quiet" }, say("certificate_of"), h("br"), h("code", {}, one.number)),
      h("p", { class: "big" }, quantityText(one.quantity_g), h("small", {}, " CO₂e")),
      h("p", {}, say("for_good")),
      one.demonstration && note(say("demonstration_note"), "draft"),
      pairs([say("beneficiary"), beneficiaries(whole)], [say("on_behalf_of"), one.on_behalf_of && beneficiaries([one.on_behalf_of])], [say("purpose"), say(one.purpose)], [say("period"), `${one.period.from} – ${one.period.to}`],
        [say("jurisdiction"), one.jurisdiction], [say("retired_at"), time(one.issued_at)],
        [say("stated_footprint"), one.footprint && [quantity(one.footprint.quantity_g), h("small", {}, one.footprint.boundary), h("small", {}, say("covered", { share: percent(one.covered_ppm) }))]],
        [say("stated_neutrality"), one.neutrality_claim && [one.neutrality_claim.statement, h("small", {}, `${say("own_reductions")} `, quantityText(one.neutrality_claim.own_reductions_g))]],
        [say("note"), one.note]),
      h("p", { class: "files" }, files(one.number).map((file, place) => (place === 1 ? pdf(file) : file))),
      lines,
      serials(one.serials),
      amendments.map(({ amendment }) => note(say(amendment.statement), amendment.covered ? "" : "draft")),
      one.statements.map((statement) => quiet(say(statement)))),
    h("p", {}, link("#certificates", `← ${say("certificates")}`)),
  ] };
}

// The PDF is drawn after the retirement: its link is shown as soon as there is one.
function pdf(file, tries = 30) {
  const shown = h("span", { class: "quiet", "aria-live": "polite" }, say("pdf_waiting"));
  const look = async (left) => {
    const answer = await fetch(file.href, { method: "HEAD" }).catch(() => ({ status: 0 }));
    if (answer.status === 200) shown.replaceChildren(file);
    else if (left && (shown.isConnected || left === tries)) setTimeout(look, 2000, left - 1);
  };
  look(tries);
  return shown;
}
