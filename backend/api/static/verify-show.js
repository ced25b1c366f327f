// Verdicts in words: a card a file, with every step for those who want it.
const data = document.body.dataset;
const texts = JSON.parse(data.texts);
const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";

// A text of ours by its name, or {zh, en}; inside: what stands for the {names} in it.
export function say(text, inside = {}) {
  const said = (typeof text === "string" ? texts[text] : text)[language] ?? "";
  return said.replace(/\{(\w+)\}/gu, (whole, name) => (inside[name] === undefined ? whole : shown(inside[name])));
}

const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/gu, ",");
const shown = (value) => (typeof value === "bigint" ? grouped(String(value)) : String(value));

export function h(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== undefined && child !== null && child !== false && child !== ""));
  return made;
}

// A whole number with its point moved: 1500 by 3 is 1.5.
function moved(number, places) {
  const digits = String(number).replace("-", "").padStart(places + 1, "0");
  const behind = digits.slice(digits.length - places).replace(/0+$/u, "");
  return (number < 0 ? "−" : "") + grouped(digits.slice(0, digits.length - places)) + (behind && `.${behind}`);
}

function grams(number) {
  const [places, unit] = number >= 1_000_000 ? [6, "t"] : number >= 1000 ? [3, "kg"] : [0, "g"];
  return `${places ? moved(number, places) : grouped(String(number))} ${say(`unit_${unit}`)} CO₂e`;
}

const milligrams = (number) => `${moved(number, 3)} ${say("unit_g")} CO₂e`;
const percent = (ppm) => `${moved(ppm, 4)} %`;
const place = ({ index, size }) => say("place", { index, size });

// --- the card of a verdict ---

const MARKS = { holds: "✓", open: "…", refused: "✗" };

export function card({ file, verdict, reason, details, steps, found }) {
  const [title, words, rows, notes] = found ? WORDS[file.kind](found) : [undefined, undefined, [], []];
  const id = `verdict-${(card.count = (card.count ?? 0) + 1)}`;
  const heading = title ?? say(`kind_${file.kind}`);
  return h("section", { class: `sheet verdict ${verdict}`, "aria-labelledby": id, "data-kind": file.kind, "data-verdict": verdict, "data-reason": reason },
    h("h2", { id }, h("span", { class: "mark" }, h("span", { "aria-hidden": "true" }, MARKS[verdict]), ` ${say(`verdict_${verdict}`)}`), h("span", {}, heading)),
    h("p", { class: "quiet file" }, file.name),
    reason && h("p", { class: "words reason" }, reasonText(reason, details)),
    !reason && h("p", { class: "words" }, words),
    reason === "pack_missing" && wanted(file, details),
    rows.length > 0 && pairs(rows),
    notes.length > 0 && h("div", { class: "remarks" }, notes.map((text) => h("div", {}, text))),
    stepList(steps, reason && reasonText(reason, details)));
}

// Details that are themselves to be put in words: amounts, what an entry or a signature is of, another reason.
const PUT = {
  grams: (value) => grams(value),
  recalled: (value) => grams(value),
  owed: (value) => grams(value),
  milligrams: (value) => milligrams(value),
  methodology: (value) => say(value),
  why: ({ reason, details }) => reasonText(reason, details),
  entry: ({ kind, number }) => say(`entry_${kind}`, { number }),
  signed: ({ kind, number }) => say(`signed_${kind}`, { number }),
};

const spoken = (details) => Object.fromEntries(Object.entries(details).map(([name, value]) => [name, name in PUT ? PUT[name](value) : value]));
const reasonText = (reason, details) => say(`no_${reason}`, spoken(details));

function pairs(rows) {
  const filled = rows.filter(([, value]) => value && value.length !== 0);
  return h("dl", { class: "facts" }, filled.map(([name, value]) => h("div", {}, h("dt", {}, say(name)), h("dd", {}, value))));
}

// The packs that a receipt wants, to be fetched by whoever reads this: the page itself fetches nothing.
function wanted(file, { sha256 }) {
  const packs = new Map([[sha256, ""], ...(file.content.records ?? []).map((record) => [record.pack?.sha256, record.pack?.code])]);
  const links = [...packs].filter(([hash]) => /^[0-9a-f]{64}$/u.test(hash)).map(([hash, code]) =>
    h("li", {}, h("a", { href: `/v1/standard/packs/${hash}`, download: "pack.json" }, `pack.json ${code ?? ""}`), h("code", {}, hash)));
  return h("ul", { class: "wanted" }, links);
}

function stepList(steps, failed) {
  const done = steps.map(({ name, details }) => h("li", {}, h("b", { "aria-hidden": "true" }, name === "ungrown" ? "…" : "✓"), h("span", {}, say(`step_${name}`, spoken(details)))));
  if (failed) done.push(h("li", { class: "failed" }, h("b", { "aria-hidden": "true" }, "✗"), h("span", {}, failed)));
  if (steps.length === 0) return undefined;
  return h("details", {}, h("summary", {}, say("each_step", { count: steps.length })), h("ol", { class: "steps" }, done));
}

// --- what each kind of file says: [title, sentence, rows, notes] ---

const WORDS = { certificate: certificateWords, receipt: receiptWords, membership: membershipWords, checkpoint: checkpointWords };

function certificateWords({ certificate: c, names, place: at, amendments }) {
  const words = say("certificate_holds", { quantity: grams(c.quantity_g), names, ...(at ?? {}) });
  return [`${say("kind_certificate")} ${c.number}`, words, [...certificateRows(c), ...placeRows(at)], certificateNotes(c, amendments)];
}

const named = (one) => [one.name, language === "en" && one.name_en ? one.name_en : "", one.uscc].filter(Boolean).join(" · ");

function certificateRows(c) {
  const many = c.beneficiary ? [c.beneficiary] : c.beneficiaries;
  return [
    ["beneficiary", h("ul", {}, many.map((one) => h("li", {}, named(one) + (one.quantity_g ? ` · ${grams(one.quantity_g)}` : ""))))],
    ["on_behalf_of", c.on_behalf_of && named(c.on_behalf_of)],
    ["quantity", grams(c.quantity_g)],
    ["retired_by", c.company?.name],
    ["retired_at", c.issued_at?.replace("T", " ").replace("Z", " UTC")],
    ["purpose", c.purpose && say(c.purpose)],
    ["period", `${c.period.from} — ${c.period.to}`],
    ["covers", c.footprint && say("covers_words", { share: percent(c.covered_ppm), footprint: grams(c.footprint.quantity_g) })],
    ["lineage", h("ul", {}, c.lineage.map((line) => h("li", {}, lineWords(line))))],
    ["serials", h("ul", { class: "codes" }, c.serials.map((text) => h("li", {}, h("code", {}, text))))],
  ];
}

const lineWords = (line) => say("line", {
  methodology: say(line.methodology), version: line.methodology.version ?? "", region: say(line.region), vintage: line.vintage, batch: line.batch, grams: grams(line.quantity_g),
});

function certificateNotes(c, amendments) {
  const owed = amendments.filter((one) => one.amendment.owed_g > 0);
  const own = c.demonstration ? c.statements.slice(1) : c.statements;
  return [
    c.demonstration && h("b", {}, say(c.statements[0])),
    amendments.length > 0 && say(owed.length ? "amended_owed" : "amended", { count: amendments.length }),
    [say("own_statements"), h("ul", { class: "plainly" }, own.map((statement) => h("li", {}, say(statement))))],
    say("later_amendments"),
  ].filter(Boolean);
}

const placeRows = (at) => (at ? [["in_log", place(at)], ["witnesses", witnessNames(at.witnesses)]] : []);
const witnessNames = (witnesses) => witnesses.map((one) => one.name).join("、");

function receiptWords({ receipt: r, methodologies, place: at, batch }) {
  const amounts = { quantity: milligrams(r.reduction_mg), points: r.points };
  const rows = [["credited_mg", amounts.quantity], ["credited_points", String(r.points)], ["records", h("ul", {}, r.records.map((one, nth) => h("li", {}, recordWords(one, methodologies[nth]))))]];
  if (at === undefined) return [say("kind_calculation"), say("calculation_holds", amounts), rows, []];
  rows.push(...placeRows(at), ["batch", batch && say("batch_words", { batch: batch.batch, size: batch.size })]);
  const certificates = batch?.certificates ?? [];
  rows.push(["used_in", certificates.length > 0 && h("ul", {}, certificates.map((number) => h("li", {}, h("a", { href: `/v1/certificates/${encodeURIComponent(number)}` }, number))))]);
  const words = [say("receipt_holds", { ...amounts, ...(at ?? {}) }), batch && say("receipt_batch", { batch: batch.batch, size: batch.size })].filter(Boolean).join(language === "zh" ? "" : " ");
  return [`${say("kind_receipt")} ${r.deed}`, words, rows, [say(batch ? "receipt_used_note" : "receipt_no_batch")]];
}

const recordWords = (record, methodology) => say("record", {
  methodology: say(methodology), version: record.pack.version, day: record.day, region: record.region, milligrams: milligrams(record.calculation.measured_mg),
});

function membershipWords({ head, place: at, retired, line }) {
  const { certificate: c, names } = retired;
  const details = { methodology: say(line.methodology), region: say(line.region), month: head.month, batch: line.batch, grams: grams(line.quantity_g), names, number: c.number };
  const rows = [["certificate", c.number], ["beneficiary", names], ["batch", lineWords(line)], ...placeRows(at)];
  return [say("kind_membership"), say("membership_holds", details), rows, [say("membership_note"), ...certificateNotes(c, retired.amendments)]];
}

function checkpointWords({ checkpoint, witnesses }) {
  const { origin, size } = checkpoint;
  const rows = [["origin", origin], ["size", shown(size)], ["root", h("code", {}, checkpoint.text.split("\n")[2])], ["witnesses", witnessNames(witnesses)]];
  return [say("kind_checkpoint"), say("checkpoint_holds", { origin, size }), rows, [say("checkpoint_note")]];
}
