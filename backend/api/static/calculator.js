// The calculator: fields from the methodology's facts, the answer from POST /v1/quantify. Amounts are whole numbers of the
// fact's own small unit; what people type in kilometres or kilograms is moved over by its digits, never by a float.
const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
const at = (id) => document.getElementById(id);
const [texts, regions] = await Promise.all(["/pages/texts.json", "/v1/standard/regions"].map((url) => fetch(url).then((r) => r.json())));
const say = (text) => (typeof text === "string" ? texts[text] : text)[language];
const HUMAN = { pm: ["km", 3], m: ["km", 3], g: ["kg", 3], Wh: ["kWh", 3], l: ["m³", 3] };
const START = { pm: "10", g: "1", Wh: "10", l: "1", step: "6000", use: "1", piece: "1" };
const known = new Map();

for (const region of regions.items) {
  at("region").append(new Option(`${region.parent ? "　" : ""}${region[`name_${language}`]}`, region.code));
}

function element(name, text, attributes = {}) {
  const made = Object.assign(document.createElement(name), attributes);
  if (text !== undefined) made.textContent = text;
  return made;
}

async function pack(code) {
  if (!known.has(code)) known.set(code, await fetch(`/v1/standard/methodologies/${code}`).then((r) => r.json()));
  return known.get(code).versions.find((version) => version.in_force_from).pack;
}

function field(fact) {
  const label = element("label", say(fact.title).replace(/（[^）]*）|\(in [^)]*\)| in (kilo)?(metres|grams)/gu, ""));
  if (fact.kind === "choice") {
    const select = element("select", undefined, { name: fact.name });
    for (const [value, text] of Object.entries(fact.values)) select.append(new Option(say(text), value));
    label.append(select);
    return label;
  }
  const [unit, places] = HUMAN[fact.unit] ?? [fact.unit === "use" || fact.unit === "piece" ? "" : fact.unit, 0];
  const start = String(Math.max(Number(START[fact.unit] ?? "1"), Math.ceil((fact.minimum ?? 0) / 10 ** places)));
  const input = element("input", undefined, { name: fact.name, type: "text", inputMode: "decimal", value: start, required: true, autocomplete: "off" });
  input.dataset.places = places;
  const row = element("span", undefined, { className: "with-unit" });
  row.append(input, element("span", unit));
  label.append(row);
  return label;
}

function whole(text, places) {
  const found = /^\s*(\d{1,12})(?:[.](\d*))?\s*$/u.exec(text.replace(",", "."));
  if (!found) return text;
  const behind = (found[2] ?? "").slice(0, places).padEnd(places, "0");
  return Number(found[1] + behind);
}

async function showFields() {
  const facts = (await pack(at("code").value)).facts;
  at("facts").replaceChildren(...facts.map(field));
}

function shown(milligrams) {
  const size = Math.abs(milligrams);
  const [unit, places] = size >= 1_000_000 ? ["kg", 6] : ["g", 3];
  const digits = String(size).padStart(places + 1, "0");
  const behind = digits.slice(-places).slice(0, 3).replace(/0+$/u, "");
  return [(milligrams < 0 ? "−" : "") + digits.slice(0, -places) + (behind && `.${behind}`), unit];
}

function steps(calculation) {
  const table = element("table", undefined, { className: "steps" });
  for (const step of calculation.steps) {
    const row = table.insertRow();
    row.append(element("th", say(step.name.replace("_g", ""))));
    const value = step.per === "1" ? step.value : `≈ ${(Number(step.value) / Number(step.per)).toFixed(3)}`; // the receipt has it exactly
    row.append(element("td", `${value} gCO₂e`, { className: "number" }));
  }
  return table;
}

function words(version) {
  const list = element("dl", undefined, { className: "words" });
  for (const name of ["baseline", "project", "leakage"]) {
    const row = element("div");
    row.append(element("dt", say(name)), element("dd", say(version.words[name])));
    list.append(row);
  }
  return list;
}

function sources(calculation, pack) {
  const list = element("ul");
  for (const factor of calculation.factors) {
    const number = `${factor.value}${factor.per === "1" ? "" : ` / ${factor.per}`} ${factor.unit === "1" ? "" : factor.unit}`;
    const item = element("li", `${say(pack.factors[factor.id].name)}: ${number} · ${factor.source} ${factor.source_ref ?? ""} [${factor.tier}]`);
    if (factor.caveat) item.append(element("br"), element("small", say(factor.caveat)));
    list.append(item);
  }
  return list;
}

function download(receipt) {
  const link = element("a", say("download"), { download: "receipt.json", href: `data:application/json;charset=utf-8,${encodeURIComponent(JSON.stringify(receipt))}` });
  const line = element("p");
  line.append(link, element("br"), element("small", `${say("replay")} python3 replay.py receipt.json pack.json · `));
  const sha = receipt.records[0].pack.sha256;
  line.append(element("a", "replay.py", { href: "/v1/standard/replay.py" }), " · ", element("a", "pack.json", { href: `/v1/standard/packs/${sha}` }));
  return line;
}

function answer(code, told) {
  const parts = [];
  if (!told.receipt) {
    parts.push(element("h2", say("failed")), element("p", told.reason ? say(told.reason) : told.detail, { className: "note" }));
    return parts;
  }
  const record = told.receipt.records[0];
  const version = known.get(code).versions.find((one) => one.in_force_from);
  const [number, unit] = shown(told.reduction_mg);
  const big = element("p", number, { className: told.reduction_mg < 0 ? "big bad" : "big" });
  big.append(" ", element("small", `${unit} CO₂e`));
  parts.push(element("p", say("you_get"), { className: "quiet" }), big);
  if (told.reduction_mg < 0) parts.push(element("p", say("negative"), { className: "note" }));
  if (told.code === "points_only") parts.push(element("p", say("zero"), { className: "note" }));
  parts.push(element("p", `+ ${told.points} ${say("point_unit")}`, { className: "earned" }));
  if (told.tariff) parts.push(element("p", `${say("tariff_used")} (${told.tariff})`, { className: "quiet" }));
  const badges = element("p", undefined, { className: "badges" });
  badges.append(element("i", say(record.pack.status), { className: `badge ${record.pack.status}` }));
  for (const use of new Set(version.approvals.map((a) => a.use))) badges.append(element("i", say(use), { className: "badge use" }));
  parts.push(badges);
  for (const warning of told.warnings ?? []) parts.push(element("p", say(warning), { className: "note" }));
  if (told.code !== "points_only") parts.push(element("h2", say("how")), steps(record.calculation), words(version), element("h2", say("sources")), sources(record.calculation, version.pack));
  parts.push(element("p"), download(told.receipt));
  parts.at(-2).append(element("a", `${say("read_more")} →`, { href: `/standard/${code}?lang=${language}` }));
  return parts;
}

at("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = at("result");
  result.hidden = false;
  result.replaceChildren(element("p", say("working")));
  const code = at("code").value;
  const data = {};
  for (const input of at("facts").querySelectorAll("[name]")) data[input.name] = input.tagName === "SELECT" ? input.value : whole(input.value, Number(input.dataset.places));
  const item = { type: (await pack(code)).event_type, region: at("region").value, evidence: at("evidence").value, data };
  if (at("on").value) item.on = at("on").value;
  try {
    const response = await fetch("/v1/quantify", { method: "POST", headers: { "Content-Type": "application/json", "Accept-Language": language }, body: JSON.stringify(item) });
    result.replaceChildren(...answer(code, await response.json()));
  } catch {
    result.replaceChildren(element("p", say("network"), { className: "note" }));
  }
});
at("code").addEventListener("change", showFields);
if (location.hash && [...at("code").options].some((option) => option.value === location.hash.slice(1))) at("code").value = location.hash.slice(1);
await showFields();
document.body.dataset.ready = "yes";
