// The calculator. The fields are the server's, a <template> a behaviour; the answer is that of POST /v1/quantify.
// Amounts are whole numbers of a fact's own small unit: what people type in kilometres or kilograms is moved over by its digits,
// and what comes back is divided as integers. No number here is ever a float.
const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
const at = (id) => document.getElementById(id);
const form = at("form");
const names = new Map(Object.entries(JSON.parse(form.dataset.grids)));
let texts = {};
let asked = 0;

const say = (text) => (typeof text === "string" ? texts[text] : text)[language];

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

const picked = (name) => form.querySelector(`input[name=${name}]:checked`);
const template = (code) => document.querySelector(`template[data-code="${code}"]`);

// --- numbers ---

const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/gu, ",");

// "22.5" with three places is 22500; "1,000" is a thousand; what may be two things, as "1,5", is none: undefined.
function whole(text, places) {
  const plain = text.normalize("NFKC").replace(/\s/gu, "");
  const found = /^(\d{1,12})(?:[.](\d*))?$/u.exec(/^\d{1,3}(,\d{3})+([.]|$)/u.test(plain) ? plain.replaceAll(",", "") : plain);
  if (!found || (places === 0 && /[1-9]/u.test(found[2] ?? ""))) return undefined;
  return Number(found[1] + (found[2] ?? "").slice(0, places).padEnd(places, "0"));
}

function moved(number, places) {
  const digits = String(number).padStart(places + 1, "0");
  const cut = digits.length - places;
  const behind = digits.slice(cut).replace(/0+$/u, "");
  return grouped(digits.slice(0, cut)) + (behind && `.${behind}`);
}

// value / per, both decimal text, to three places; "≈" where that is not all of it. floor: never more than there is.
function decimal(value, per, floor = false) {
  const [, minus, before, behind = ""] = /^(-?)(\d+)(?:[.](\d+))?$/u.exec(value);
  const above = BigInt(minus + before + behind) * 1000n;
  const below = BigInt(per) * 10n ** BigInt(behind.length);
  let thousandths = (above - (((above % below) + below) % below)) / below;
  if (!floor && 2n * (above - thousandths * below) >= below) thousandths += 1n;
  const sign = thousandths < 0n ? "−" : "";
  return `${floor || above === thousandths * below ? "" : "≈ "}${sign}${moved(thousandths < 0n ? -thousandths : thousandths, 3)}`;
}

const inGrams = (milligrams) => `${decimal(String(milligrams), "1000")} ${say("gram")}`;

// --- what is asked ---

function showActs() {
  for (const label of at("acts").children) label.hidden = label.dataset.category !== picked("category").value;
}

function pick(code) {
  const input = form.querySelector(`input[name=act][value="${code}"]`);
  input.checked = true;
  form.querySelector(`input[name=category][value="${input.parentElement.dataset.category}"]`).checked = true;
  showActs();
  showFields();
}

function showFields() {
  const code = picked("act").value;
  at("fields").replaceChildren(template(code).content.cloneNode(true));
  history.replaceState(null, "", `#${code}`);
  for (const link of document.querySelectorAll(".lang")) link.hash = code;
}

function showPlaces(regions) {
  for (const region of regions) {
    names.set(region.code, region[`name_${language}`]);
    if (!region.parent) at("province").append(new Option(region[`name_${language}`], region.code));
  }
  const showCities = () => {
    const cities = regions.filter((region) => region.parent === at("province").value);
    at("city").replaceChildren(new Option(say("whole_province"), ""), ...cities.map((city) => new Option(city[`name_${language}`], city.code)));
    at("city-label").hidden = cities.length === 0;
  };
  at("province").addEventListener("change", showCities);
  showCities();
}

function facts() {
  const data = {};
  for (const field of at("fields").querySelectorAll("[data-name]")) {
    const control = field.querySelector("input[type=text], select, input:checked");
    data[field.dataset.name] = control.type === "text" ? whole(control.value, Number(control.dataset.places)) : control.value;
  }
  return data;
}

// A fact as it was counted, in its words: 22.5 km, PET bottles.
function factText(name, value) {
  const field = at("fields").querySelector(`[data-name="${name}"]`);
  const input = field.querySelector("input[type=text]");
  if (input) return `${moved(value, Number(input.dataset.places))} ${input.dataset.unit}`.trim();
  return field.querySelector("option:checked, input:checked + span").textContent;
}

const factTitle = (name) => at("fields").querySelector(`[data-name="${name}"] :is(legend, label, span)`).textContent;

// --- the answer ---

const fill = (text, put) => text.replace(/\{(\w+)(?::(\w+))?\}/gu, (_, name, end) => put(name, end));

function number(used, end, unit) {
  const text = ((end ? used.uncertainty?.[end] : undefined) ?? used.value).replace("-", "−") + (used.per === "1" ? "" : `/${used.per}`);
  return `${text.startsWith("−") ? `(${text})` : text} ${unit}`.trim();
}

function row(title, amount, lines = [], kind = "") {
  return element("div", { class: `row ${kind}` }, element("b", {}, title), element("span", { class: "amount" }, amount), ...lines);
}

function ledger(record, behaviour) {
  const { steps, factors, evidence_percent: percent, measured_mg: milligrams } = record.calculation;
  const used = new Map(factors.map((factor) => [factor.name, factor]));
  const known = JSON.parse(behaviour.dataset.factors);
  const words = behaviour.dataset.version === record.pack.version ? JSON.parse(behaviour.dataset.words) : {};
  const rows = steps.map((step, place) => {
    const name = step.name.replace("_g", "");
    const text = words[name]?.[language];
    const lines = [];
    if (text && text !== "0") {
      const called = fill(text, (one) => (used.has(one) ? say(known[used.get(one).id].name) : factTitle(one)));
      const counted = fill(text, (one, end) => (used.has(one) ? number(used.get(one), end, say(known[used.get(one).id].unit)) : factText(one, record.facts[one])));
      lines.push(element("p", {}, called), element("p", { class: "figures" }, `= ${counted}`));
    }
    const last = place === steps.length - 1;
    const sign = last ? "= " : place === 0 ? "" : "− ";
    return row(sign + say(name), `${decimal(step.value, step.per)} ${say("gram")}`, lines, last ? "sum" : "");
  });
  if (percent !== 100) rows.push(row(say("counted_share"), `${percent} %`, [element("p", {}, say(record.evidence))]));
  rows.push(row(say("exactly"), inGrams(milligrams), [], "sum"));
  return element("div", {}, element("h2", {}, say("steps")), element("div", { class: "ledger" }, ...rows));
}

function sources(record, behaviour) {
  const known = JSON.parse(behaviour.dataset.factors);
  const list = record.calculation.factors.map((used) => {
    const { name, unit } = known[used.id] ?? { name: { zh: used.id, en: used.id }, unit: { zh: used.unit, en: used.unit } };
    const interval = used.uncertainty ? ` (${used.uncertainty.low} – ${used.uncertainty.high}, ${used.uncertainty.kind})` : "";
    const where = names.get(used.region) ?? say("nation");
    return element("div", { class: "source" },
      element("div", {}, element("b", {}, say(name)), ` ${number(used, "", say(unit) || say("ratio"))}${interval}`),
      element("small", {}, `${where} · ${say("since").replace("{first}", used.from)} · ${used.tier} ${say(`tier_${used.tier}`)}`),
      element("small", {}, [used.source, used.source_ref].filter(Boolean).join(" · ")),
      used.caveat && element("small", {}, say(used.caveat)));
  });
  return element("div", {}, element("h2", {}, say("sources")), ...list);
}

function checking(receipt) {
  const save = `data:application/json;charset=utf-8,${encodeURIComponent(JSON.stringify(receipt))}`;
  const packs = `/v1/standard/packs/${receipt.records[0].pack.sha256}`;
  return element("details", {}, element("summary", {}, say("check")),
    element("p", { class: "quiet" }, say("check_note")),
    element("p", { class: "files" },
      element("a", { href: save, download: "receipt.json" }, `${say("download")} receipt.json`),
      element("a", { href: packs, download: "pack.json" }, "pack.json"),
      element("a", { href: "/v1/standard/replay.py", download: "replay.py" }, "replay.py")),
    element("pre", { tabindex: "0" }, "python3 replay.py receipt.json pack.json"));
}

const note = (text, kind = "") => element("p", { class: `note ${kind}` }, text);

// The one figure that matters: [what it is called, the figure, its unit]. Large ones in kilograms, rounded down.
function headline(told) {
  if (told.code === "points_only") return ["you_earn", grouped(String(told.points)), say("point_unit")];
  const large = Math.abs(told.reduction_mg) >= 1_000_000;
  return ["reduction", decimal(String(told.reduction_mg), large ? "1000000" : "1000", true), `${say(large ? "kilogram" : "gram")} CO₂e`];
}

function notes(told, record, uses) {
  const national = record.national_mg;
  return [
    told.code === "points_only" && note(say("zero")),
    told.code === "points_only" && told.points === 0 && note(say("no_tariff")),
    told.reduction_mg < 0 && note(say("negative"), "draft"),
    told.daily_cap_mg && told.reduction_mg > told.daily_cap_mg && note(say("capped").replace("{cap}", inGrams(told.daily_cap_mg))),
    told.daily_points && told.points > told.daily_points && note(say("capped").replace("{cap}", `${told.daily_points} ${say("point_unit")}`)),
    ...(told.warnings ?? []).map((warning) => note(say(warning))),
    told.code !== "points_only" && record.region !== "CN" && national !== null && national !== told.reduction_mg
      && element("p", { class: "quiet" }, `${say("nationwide")} ${inGrams(national)}`),
    note(element("span", {}, element("b", {}, say(record.pack.status)), say(told.methodology.status_reason)), record.pack.status),
    uses.includes("demonstration") && note(element("span", {}, element("b", {}, say("demonstration")), say("demo_note"))),
  ].filter(Boolean);
}

function answer(told, behaviour) {
  const record = told.receipt.records[0];
  const [title, figure, unit] = headline(told);
  at("said").textContent = `${say(title)} ${figure} ${unit}, ${told.points} ${say("point_unit")}`;
  const page = element("a", { href: `/standard/${behaviour.dataset.code}?lang=${language}` }, `${say("read_more")} →`);
  const earned = told.code === "points_only" ? undefined : element("p", { class: "earned" }, `+ ${grouped(String(told.points))} ${say("point_unit")}`);
  const big = element("p", { class: told.reduction_mg < 0 ? "big bad" : "big" }, figure, " ", element("small", {}, unit));
  const tariff = told.tariff ? element("small", {}, `${say("tariff_used")} (${told.tariff})`) : undefined;
  return [
    element("div", { class: "headline" }, element("p", { class: "quiet" }, say(title)), big, earned, tariff),
    ...notes(told, record, behaviour.dataset.uses.split(" ")),
    ...(told.code === "points_only" ? [] : [ledger(record, behaviour), sources(record, behaviour)]),
    element("p", {}, page),
    checking(told.receipt),
  ];
}

function refusal(told) {
  const reason = told.reason ? say(told.reason) : told.detail;
  at("said").textContent = `${say("failed")}: ${reason}`;
  const wrong = at("fields").querySelector(`[data-name="${(told.field ?? "").replace("data.", "")}"] :is(input, select)`);
  wrong?.setAttribute("aria-invalid", "true");
  const hint = wrong?.closest(".field").querySelector("small");
  return [element("h2", {}, say("failed")), note(reason, "draft"), ...(hint ? [element("p", { class: "quiet" }, `${factTitle(wrong.name)}: ${hint.textContent}`)] : [])];
}

// The refusal of an amount that is no number above 0; undefined where there is none.
function misread(data) {
  const wrong = [...at("fields").querySelectorAll("input[type=text]")].find((input) => !(data[input.name] > 0));
  if (!wrong) return undefined;
  const reason = say(wrong.dataset.places === "0" ? "type_whole" : "type_number").replace("{example}", wrong.defaultValue);
  return { reason: { zh: reason, en: reason }, field: wrong.name };
}

async function ask(item) {
  const headers = { "Content-Type": "application/json", "Accept-Language": language };
  try {
    return await (await fetch("/v1/quantify", { method: "POST", headers, body: JSON.stringify(item) })).json();
  } catch {
    return { detail: say("network") };
  }
}

async function calculate() {
  const turn = (asked += 1);
  const behaviour = template(picked("act").value);
  const item = { type: behaviour.dataset.type, region: at("city").value || at("province").value, evidence: at("evidence").value, data: facts() };
  if (at("on").value) item.on = at("on").value;
  for (const input of at("fields").querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  at("result").setAttribute("aria-busy", "true");
  const told = misread(item.data) ?? (await ask(item));
  if (turn !== asked) return; // something else was asked meanwhile
  at("answer").replaceChildren(...(told.receipt ? answer(told, behaviour) : refusal(told)));
  at("result").setAttribute("aria-busy", "false");
  at("result").dataset.shown = "yes";
}

async function begin() {
  const [found, regions] = await Promise.all(["/pages/texts.json", "/v1/standard/regions"].map((url) => fetch(url).then((answered) => answered.json())));
  texts = found;
  showPlaces(regions.items);
  const wanted = location.hash.slice(1);
  pick(template(wanted) ? wanted : "metro");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    await calculate();
    if (matchMedia("(max-width: 899px)").matches) at("result").scrollIntoView();
  });
  form.addEventListener("change", (event) => {
    if (event.target.name === "category") pick([...at("acts").children].find((label) => label.dataset.category === event.target.value).firstChild.value);
    else if (event.target.name === "act") showFields();
    if (at("result").dataset.shown && form.checkValidity()) calculate(); // a shown result always is that of the form
  });
  document.body.dataset.ready = "yes";
}

await begin();
