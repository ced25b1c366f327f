// Retiring: credits are used up for somebody and something, for good. What is typed is read back before it is done.
import { ask, get } from "./console-access.js";
import { announce, button, day, h, note, now, pairs, quantity, quantityText, quiet, say } from "./console-core.js";
import { beneficiaries, held, nothingHeld, PURPOSES, purposeText, taken } from "./console-credits.js";
import { choice, date, form, grams, text, tick } from "./console-forms.js";

export async function retire(batch) {
  const [found, entities] = await Promise.all([get("/v1/holdings"), get("/v1/entities", { limit: 200 })]);
  if (held(found).length === 0) return nothingHeld();
  return [quiet(say("retire_text")), retireForm(found, entities.items.filter((one) => one.state !== "refused"), batch)];
}

// The fields of a legal entity; known ones can be taken over.
function entity(prefix, known, { part = false } = {}) {
  const name = text(`${prefix}.name`, { label: say("entity_name"), required: true, longest: 100 });
  const english = text(`${prefix}.name_en`, { label: say("entity_name_en"), longest: 150 });
  const uscc = text(`${prefix}.uscc`, { label: say("uscc"), hint: say("uscc_hint"), required: true, longest: 40 });
  const quantity = part ? grams(`${prefix}.quantity_g`, { label: say("part"), required: true, unit: "kg" }) : undefined;
  const pick = known.length ? choice("known", { label: say("known_entity"), choices: [["", say("new_entity")], ...known.map((one) => [one.uscc, `${one.name} · ${one.uscc}`])] }) : undefined;
  pick?.control.addEventListener("change", () => {
    const one = known.find((other) => other.uscc === pick.control.value);
    if (one) [name.control.value, english.control.value, uscc.control.value] = [one.name, one.name_en ?? "", one.uscc];
  });
  const fields = [name, english, uscc, ...(part ? [quantity] : [])];
  return { fields, node: h("div", { class: "entity-fields" }, pick?.node, fields.map((field) => field.node)) };
}

// One beneficiary, or several, each with its part.
function beneficiaryFields(known, quantity) {
  let several = [];
  const one = entity("beneficiary", known);
  const shown = h("div", { class: "more" });
  const sum = h("p", { class: "quiet", "aria-live": "polite" });
  const fields = () => (several.length ? several.flatMap((each, place) => each.fields.map((field) => Object.assign(field, { name: field.name.replace(/\.\d+\./u, `.${place}.`) }))) : one.fields);
  const tellSum = () => {
    const parts = several.map((each) => each.fields.at(-1).typed() ?? 0).reduce((all, part) => all + part, 0);
    const whole = quantity.typed();
    sum.textContent = several.length ? say(parts === whole ? "parts_fit" : "parts_differ", { parts: quantityText(parts), quantity: whole ? quantityText(whole) : "—" }) : "";
  };
  const add = () => several.push(entity(`beneficiaries.${several.length}`, known, { part: true }));
  const draw = () => {
    shown.replaceChildren(...(several.length ? several.map((each, place) => h("fieldset", { class: "part" }, h("legend", {}, say("beneficiary_number", { number: place + 1 })), each.node,
      several.length > 1 && button(say("remove"), () => (several.splice(place, 1), draw()), "plain bad"))) : [one.node]),
    h("p", { class: "actions" }, button(say(several.length ? "add_beneficiary" : "several_beneficiaries"), () => {
      if (!several.length) add();
      add();
      draw();
      several.at(-1).fields[0].control.focus();
    }, "plain"), several.length > 0 && button(say("one_beneficiary"), () => ((several = []), draw()), "plain")), sum);
    tellSum();
  };
  shown.addEventListener("input", tellSum);
  quantity.control.addEventListener("input", tellSum);
  draw();
  return { fields, node: h("fieldset", {}, h("legend", {}, say("beneficiary")), shown) };
}

// Fields that are asked for only where their box is ticked.
function only(title, hint, ...fields) {
  const box = tick("only", { label: title, hint });
  const inside = h("div", { class: "more inside", hidden: true }, fields.flatMap((one) => one.node));
  box.control.addEventListener("change", () => (inside.hidden = !box.control.checked));
  return { node: h("div", {}, box.node, inside), box, fields: () => (box.control.checked ? fields.flatMap((one) => one.fields ?? [one]) : []) };
}

function retireForm(found, known, batch) {
  const source = taken(found, batch);
  const whom = beneficiaryFields(known, source.amount);
  const last = Number(day(now()).slice(0, 4)) - 1;
  const purpose = choice("purpose", { label: say("purpose"), choices: PURPOSES.map(([code, words]) => [code, say(words)]) });
  const from = date("period_from", { label: say("period_from"), required: true, value: `${last}-01-01` });
  const to = date("period_to", { label: say("period_to"), required: true, value: `${last}-12-31` });
  const where = text("jurisdiction", { label: say("jurisdiction"), hint: say("jurisdiction_hint"), required: true, value: "CN", longest: 6, pattern: /^[A-Z]{2}(-[A-Z0-9]{1,3})?$/u });
  const behalf = only(say("on_behalf_of"), say("on_behalf_hint"), entity("on_behalf_of", known));
  const footprint = only(say("footprint"), say("footprint_hint"), grams("footprint.quantity_g", { label: say("footprint_quantity"), required: true }), text("footprint.boundary", { label: say("footprint_boundary"), required: true, longest: 300, long: true }));
  const claim = only(say("neutrality_claim"), say("neutrality_hint"), grams("neutrality_claim.own_reductions_g", { label: say("own_reductions"), required: true, low: 0, high: 10 ** 15 }), text("neutrality_claim.statement", { label: say("neutrality_statement"), required: true, longest: 1000, long: true }));
  claim.box.control.addEventListener("change", () => {
    if (claim.box.control.checked && !footprint.box.control.checked) footprint.box.control.click();
  });
  const words = text("note", { label: say("note"), longest: 500, long: true });
  return form({
    name: say("retire"), submit: say("review"), kind: "retire",
    fields: () => [...source.fields, ...whom.fields(), purpose, from, to, where, ...behalf.fields(), ...footprint.fields(), ...claim.fields(), words],
    content: [h("fieldset", {}, h("legend", {}, say("how_much")), h("div", { class: "more" }, source.nodes)), whom.node,
      h("fieldset", {}, h("legend", {}, say("for_what")), h("div", { class: "more grid" }, purpose.node, where.node, from.node, to.node)),
      h("details", {}, h("summary", {}, say("more_claims")), h("div", { class: "more" }, behalf.node, footprint.node, claim.node, words.node))],
    review: { yes: say("retire_yes"), show: (body) => reviewed(body, source) },
    send: (body, key) => ask("POST", "/v1/retirements", { body, key }),
    done: ({ certificate }) => {
      announce(say("retired_said", { quantity: quantityText(certificate.quantity_g), number: certificate.number }));
      location.hash = `certificates/${certificate.number}`;
    },
  });
}

function reviewed(body, source) {
  const picked = source.picked();
  return [
    h("h2", {}, say("retire_review", { quantity: quantityText(body.quantity_g) })),
    note(say("for_good_long"), "draft"),
    body.demonstration && note(say("demonstration_note")),
    pairs([say("quantity"), quantity(body.quantity_g)], [say("which"), picked ? `${say("batch_number", { number: picked.batch })} · ${say(picked.methodology)} · ${say(picked.region)} · ${picked.vintage}` : say("oldest")],
      [say("beneficiary"), beneficiaries(body.beneficiaries ?? [body.beneficiary])], [say("on_behalf_of"), body.on_behalf_of && beneficiaries([body.on_behalf_of])],
      [say("purpose"), purposeText(body.purpose)], [say("period"), `${body.period_from} – ${body.period_to}`], [say("jurisdiction"), body.jurisdiction],
      [say("stated_footprint"), body.footprint && [quantity(body.footprint.quantity_g), h("small", {}, body.footprint.boundary)]],
      [say("stated_neutrality"), body.neutrality_claim && [body.neutrality_claim.statement, h("small", {}, `${say("own_reductions")} ${quantityText(body.neutrality_claim.own_reductions_g)}`)]],
      [say("note"), body.note]),
  ];
}
