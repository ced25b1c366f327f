// Forms of the console. A form makes its Idempotency-Key when it is opened and keeps it until its call succeeded, so that
// a double click, or sending again after a lost answer, has one effect. What is refused is said at its field.
import { Refusal, newKey } from "./console-access.js";
import { announce, h, has, inLanguage, moved, quantityText, say, unitOf, UNITS, whole } from "./console-core.js";

let made = 0;

// --- fields: {name, node, control, read(), mark(text)}; read gives undefined for what was left out, and raises Mistake ---

class Mistake extends Error {}

function labelled(name, control, { label, hint, unit, required }) {
  control.id = `f${(made += 1)}`;
  control.name = name;
  control.required = Boolean(required);
  const wrong = h("p", { class: "wrong", id: `${control.id}-wrong`, hidden: true });
  const help = hint && h("small", { id: `${control.id}-hint` }, hint);
  control.setAttribute("aria-describedby", `${help ? `${control.id}-hint ` : ""}${control.id}-wrong`);
  const optional = required || control.type === "checkbox" ? undefined : h("small", {}, ` ${say("optional")}`);
  const node = h("div", { class: "field" }, h("label", { for: control.id }, label, optional), h("div", { class: "controls" }, control, unit), wrong, help);
  const mark = (text) => {
    wrong.hidden = !text;
    wrong.textContent = text ?? "";
    if (text) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  };
  control.addEventListener("input", () => mark());
  return { name, node, control, mark };
}

export function text(name, options) {
  const { value, longest = 200, long, pattern } = options;
  const control = long ? h("textarea", { rows: 3, maxlength: longest }) : h("input", { type: "text", maxlength: longest, autocomplete: "off" });
  control.value = value ?? "";
  const field = labelled(name, control, options);
  return { ...field, read: () => {
    const typed = control.value.trim();
    if (!typed && options.required) throw new Mistake(say("missing"));
    if (typed && pattern && !pattern.test(typed)) throw new Mistake(say("not_so"));
    return typed || undefined;
  } };
}

export function choice(name, options) {
  const control = h("select", {}, options.choices.map(([value, title]) => h("option", { value }, title)));
  control.value = options.value ?? options.choices[0]?.[0] ?? "";
  return { ...labelled(name, control, { required: true, ...options }), read: () => {
    if (!control.value && options.must) throw new Mistake(say("missing"));
    return control.value || undefined;
  } };
}

export function date(name, options) {
  const control = h("input", { type: options.month ? "month" : "date", value: options.value });
  return { ...labelled(name, control, options), read: () => {
    if (!control.value && options.required) throw new Mistake(say("missing"));
    return control.value || undefined;
  } };
}

export function tick(name, options) {
  const control = h("input", { type: "checkbox" });
  control.checked = Boolean(options.value);
  const field = labelled(name, control, options);
  field.node.classList.add("tick");
  return { ...field, read: () => control.checked };
}

// Several of many, as a list; none ticked is none named: undefined.
export function ticks(name, { label, hint, choices }) {
  const boxes = choices.map(([value, title]) => [h("input", { type: "checkbox", name, value }), title]);
  const node = h("fieldset", { class: "ticks" }, h("legend", {}, label), hint && h("small", {}, hint), h("div", {}, boxes.map(([box, title]) => h("label", {}, box, h("span", {}, title)))));
  const read = () => {
    const chosen = boxes.filter(([box]) => box.checked).map(([box]) => box.value);
    return chosen.length ? chosen : undefined;
  };
  return { name, node, control: boxes[0][0], mark: () => undefined, read };
}

export function count(name, options) {
  const { low = 1, high = Number.MAX_SAFE_INTEGER, places = 0, value } = options;
  const control = h("input", { type: "text", inputmode: places ? "decimal" : "numeric", autocomplete: "off", value });
  const field = labelled(name, control, options);
  return { ...field, read: () => {
    if (!control.value.trim()) {
      if (options.required) throw new Mistake(say("missing"));
      return undefined;
    }
    const number = whole(control.value, places);
    if (number === undefined) throw new Mistake(say(places ? "no_amount" : "no_count"));
    if (number < low || number > high) throw new Mistake(say("out_of_range", { low: moved(low, places), high: moved(high, places) }));
    return number;
  } };
}

// Yuan for a tonne, read as fen.
export const price = (name, options) => count(name, { places: 2, high: 10 ** 9, unit: h("span", { class: "unit" }, say("yuan_per_tonne")), ...options });

// Grams, typed in the unit that is chosen beside. most: what there is, to be taken by one click.
export function grams(name, options) {
  const { value, most, low = 1, high = 10 ** 13 } = options;
  const start = value === undefined ? (options.unit ?? "t") : unitOf(value);
  const control = h("input", { type: "text", inputmode: "decimal", autocomplete: "off", value: value === undefined ? "" : moved(value, UNITS[start]) });
  const unit = h("select", { "aria-label": say("unit") }, Object.keys(UNITS).map((one) => h("option", { value: one, selected: one === start }, say(`unit_${one}`))));
  const field = labelled(name, control, { ...options, unit });
  const exactly = h("small", { class: "exactly", "aria-live": "polite" });
  const set = (amount) => {
    unit.value = unitOf(amount);
    control.value = moved(amount, UNITS[unit.value]);
    tell();
    control.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const typed = () => whole(control.value, UNITS[unit.value]);
  const tell = () => {
    const amount = typed();
    exactly.textContent = amount ? `= ${moved(amount, 0)} ${say("unit_g")}` : "";
  };
  for (const one of [control, unit]) one.addEventListener("input", tell);
  tell();
  const all = most ? h("button", { type: "button", class: "plain", onclick: () => set(most) }, say("take_all", { quantity: quantityText(most) })) : undefined;
  field.node.append(h("p", { class: "beside" }, exactly, all));
  return { ...field, typed, set, read: () => {
    if (!control.value.trim()) {
      if (options.required) throw new Mistake(say("missing"));
      return undefined;
    }
    const amount = typed();
    if (amount === undefined) throw new Mistake(say("no_grams"));
    if (amount < low || amount > high) throw new Mistake(say("out_of_range", { low: quantityText(low), high: quantityText(high) }));
    return amount;
  } };
}

// --- what went wrong ---

const placeholders = (told) => Object.fromEntries(Object.entries(told).flatMap(([name, value]) => [
  [name, String(value)], ...(name.endsWith("_g") ? [[name.slice(0, -2), quantityText(value)]] : []),
]));

// A text with its figures, if there is such a text and the problem has them all.
function filled(name, told) {
  const text = has(name) ? say(name, placeholders(told)) : undefined;
  return text?.includes("{") ? undefined : text;
}

// What was refused, why, and what to do next: {title, next}. Any other error is one of ours, and is told as such.
export function explain(error) {
  const told = error instanceof Refusal ? error.told : { code: "internal_page" };
  if (!(error instanceof Refusal)) console.error(error);
  const title = filled(`refused_${told.code}`, told) ?? told.title ?? told.code;
  const detail = ["conflict", "too_early", "not_approved"].includes(told.code) ? inLanguage(told.detail) : "";
  return { title, detail: told.frozen_g > 0 ? filled("frozen_part", told) : detail === told.title ? "" : detail,
    next: filled(`next_${told.code}`, told) ?? say("next_any"), request: told.request_id };
}

export function problem(error) {
  const { title, detail, next, request } = explain(error);
  return h("div", { class: "note draft problem", role: "alert" }, h("b", {}, title), detail && h("p", {}, detail), next && h("p", {}, next), request && h("p", {}, h("code", {}, request)));
}

// The API's word on a field where it is one for people, else only that it is wrong.
function fieldMistake({ detail }) {
  return (/[\u3400-\u9fff]/u.test(detail) && inLanguage(detail)) || say("not_so");
}

// --- forms ---

// {"beneficiary.name": "x", "beneficiaries.0.uscc": "y"} as a body.
function body(values) {
  const made = {};
  for (const [name, value] of values) {
    if (value === undefined) continue;
    const path = name.split(".");
    const last = path.pop();
    let place = made;
    path.forEach((step, at) => (place = place[step] ??= /^\d+$/u.test(path[at + 1] ?? last) ? [] : {}));
    place[last] = value;
  }
  return made;
}

// fields: a function that lists those there are now. content: how they are laid out. send(body, key): the call.
// done(answer): what is shown instead. review(body): nodes to be confirmed first.
export function form({ name, fields, content, submit, send, done, review, kind = "" }) {
  let key = newKey();
  let busy = false;
  let step; // the review, while it is shown in place of the form
  const problems = h("div", { class: "problems" });
  const go = h("button", { type: "submit" }, submit);
  const shown = h("form", { class: `sheet ${kind}`, novalidate: true, "aria-label": name, onsubmit: (event) => (event.preventDefault(), submitted()) }, content, problems, h("p", { class: "actions" }, go));

  function read() {
    const values = [];
    let first;
    for (const field of fields()) {
      field.mark();
      try {
        values.push([field.name, field.read()]);
      } catch (error) {
        if (!(error instanceof Mistake)) throw error;
        field.mark(error.message);
        first ??= field;
      }
    }
    reveal(first);
    if (first) announce(`${say("mistakes")} ${first.node.querySelector("label").textContent}: ${first.node.querySelector(".wrong").textContent}`);
    return first ? undefined : body(values);
  }

  async function submitted() {
    const asked = busy ? undefined : read();
    if (!asked) return;
    problems.replaceChildren();
    if (!review) await call(asked);
    else confirm(asked);
  }

  function confirm(asked) {
    const yes = h("button", { type: "button", class: "final", onclick: () => call(asked) }, review.yes);
    const no = h("button", { type: "button", class: "second", onclick: () => back() }, say("change"));
    step = h("div", { class: "sheet review", tabindex: "-1" }, review.show(asked), h("div", { class: "problems" }), h("p", { class: "actions" }, yes, no));
    const back = () => (step.replaceWith(shown), go.focus());
    shown.replaceWith(step);
    step.focus();
  }

  async function call(asked) {
    if (busy) return;
    busy = true;
    const here = step?.isConnected ? step : shown;
    const buttons = [...here.querySelectorAll(".actions button")];
    for (const one of buttons) one.disabled = true;
    here.setAttribute("aria-busy", "true");
    try {
      const answer = await send(asked, key);
      key = newKey();
      await done(answer, here);
    } catch (error) {
      refused(error, here);
    } finally {
      busy = false;
      here.removeAttribute("aria-busy");
      for (const one of buttons) one.disabled = false;
    }
  }

  function refused(error, here) {
    const wrong = error instanceof Refusal ? (error.told.errors ?? []) : [];
    const found = wrong.flatMap((one) => fields().filter((field) => field.name === one.field).map((field) => [field, fieldMistake(one)]));
    if (found.length && here !== shown) here.replaceWith(shown);
    for (const [field, said] of found) field.mark(said);
    const unplaced = found.length ? [] : wrong.map((one) => h("p", {}, fieldMistake(one)));
    const told = problem(error);
    told.append(...unplaced);
    (here.isConnected ? here : shown).querySelector(".problems").replaceChildren(told);
    reveal(found[0]?.[0]);
  }

  return shown;
}

function reveal(field) {
  if (!field) return;
  const closed = field.node.closest("details:not([open])");
  if (closed) closed.open = true;
  field.control.focus();
}

// A button that changes something with one click (and, where asked, a question before): the same care as a form.
export function act(title, send, done, { question, kind = "second" } = {}) {
  const key = newKey();
  const told = h("div", { class: "problems" });
  const run = async () => {
    go.disabled = true;
    told.replaceChildren();
    try {
      await done(await send(key));
    } catch (error) {
      told.replaceChildren(problem(error));
    } finally {
      go.disabled = false;
    }
  };
  const go = h("button", { type: "button", class: kind, onclick: () => {
    if (!question) return run();
    const yes = h("button", { type: "button", class: "final", onclick: run }, title);
    const no = h("button", { type: "button", class: "second", onclick: () => (told.replaceChildren(), go.focus()) }, say("no"));
    told.replaceChildren(h("div", { class: "note draft", role: "group", "aria-label": title }, h("p", {}, question), h("p", { class: "actions" }, yes, no)));
    return yes.focus();
  } }, title);
  return h("div", { class: "act" }, go, told);
}
