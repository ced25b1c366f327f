// The company itself: the entities it names, and the partners inside its boundary.
import { ask, get } from "./console-access.js";
import { announce, h, note, paged, quiet, say, sheet, state, table, time } from "./console-core.js";
import { choice, form, text } from "./console-forms.js";

// --- entities ---

export async function entities(_, show) {
  const name = text("name", { label: say("entity_name"), required: true, longest: 100 });
  const english = text("name_en", { label: say("entity_name_en"), longest: 150 });
  const uscc = text("uscc", { label: say("uscc"), hint: say("uscc_hint"), required: true, longest: 40 });
  const fields = [name, english, uscc];
  const columns = [{ title: say("entity") }, { title: say("uscc") }, { title: say("state") }, { title: say("time") }, { title: say("note") }];
  const cells = (one) => [[one.name, one.name_en && h("small", {}, one.name_en)], h("code", {}, one.uscc), state(one.state), time(one.decided_at ?? one.asked_at), one.note ?? "—"];
  return [
    quiet(say("entities_text")),
    sheet(undefined, await paged(say("entities"), columns, (cursor) => get("/v1/entities", { cursor }), cells, say("no_entities"))),
    form({ name: say("name_entity"), submit: say("ask_review"), fields: () => fields, content: [h("h2", {}, say("name_entity")), fields.map((field) => field.node)],
      send: (body, key) => ask("POST", "/v1/entities", { body, key }), done: async (made) => (await show(), announce(`${made.name}: ${say(`state_${made.state}`)}`)) }),
  ];
}

// --- the boundary ---

export async function boundary(_, show) {
  const { items, partners } = await get("/v1/own-partners");
  const declared = new Set(items.map((one) => one.partner));
  const left = partners.filter((one) => !declared.has(one.partner));
  const partner = choice("partner", { label: say("partner"), must: true, choices: [["", say("choose")], ...left.map((one) => [one.partner, `${one.name} · ${one.partner}`])] });
  const rows = items.map((one) => [[one.name, h("small", {}, one.partner)], time(one.declared_at)]);
  return [
    quiet(say("boundary_text")),
    sheet(say("own_partners"), items.length ? table(say("own_partners"), [{ title: say("partner") }, { title: say("declared_at") }], rows) : quiet(say("no_own_partners")), note(say("boundary_end"))),
    left.length > 0 && form({ name: say("declare_partner"), submit: say("review"), fields: () => [partner], content: [h("h2", {}, say("declare_partner")), partner.node],
      review: { yes: say("declare_partner"), show: (body) => [h("h2", {}, say("boundary_review", { partner: left.find((one) => one.partner === body.partner)?.name ?? "" })), note(say("boundary_end"), "draft")] },
      send: (body, key) => ask("POST", "/v1/own-partners", { body, key }), done: async () => (await show(), announce(say("boundary_said"))) }),
  ];
}
