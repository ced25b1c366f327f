// What every view of the console uses: words, elements, exact amounts, times, tables.
// Grams and fen are whole numbers. What people type is moved over by its digits; no amount is ever a float.
const words = await fetch("/pages/console.json");
// The clock of the platform, not of this machine: an assertion with a wrong time would be refused.
const ahead = Date.parse(words.headers.get("Date") ?? "") - Date.now() || 0;
const texts = await words.json();

export const at = (id) => document.getElementById(id);
export const language = () => (document.documentElement.lang.startsWith("zh") ? "zh" : "en");
export const now = () => Date.now() + (Math.abs(ahead) > 2000 ? ahead : 0);
export const has = (name) => name in texts;

// A text in the language of the page: the name of one of ours, or {zh, en}. inside: what stands for {names} in it.
export function say(text, inside = {}) {
  const said = typeof text === "string" ? texts[text][language()] : (text[language()] ?? text.zh ?? "");
  return said.replace(/\{(\w+)\}/gu, (whole, name) => inside[name] ?? whole);
}

// The side of a detail "中文 · English" that is read here; nothing where it is of the other language alone.
export function inLanguage(detail) {
  const chinese = (part) => /[\u3400-\u9fff]/u.test(part);
  const halves = (detail ?? "").split(" · ");
  if (halves.length === 2 && chinese(halves[0])) return halves[language() === "zh" ? 0 : 1];
  return chinese(detail ?? "") === (language() === "zh") ? (detail ?? "") : "";
}

// --- elements ---

const SVG = new Set(["svg", "path", "line", "circle", "text", "g", "rect", "polyline", "title", "desc"]);

export function h(name, attributes = {}, ...children) {
  const made = SVG.has(name) ? document.createElementNS("http://www.w3.org/2000/svg", name) : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === false || value === null) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(9).filter((child) => child !== undefined && child !== null && child !== false && child !== ""));
  return made;
}

export const link = (href, ...children) => h("a", { href }, ...children);
export const outside = (href, ...children) => h("a", { href, target: "_blank", rel: "noopener noreferrer" }, ...children);
export const note = (text, kind = "") => h("p", { class: `note ${kind}` }, text);
export const quiet = (...children) => h("p", { class: "quiet" }, ...children);
export const badge = (name, kind = name) => h("i", { class: `badge ${kind}` }, say(name));
export const button = (text, onclick, kind = "") => h("button", { type: "button", class: kind, onclick }, text);

export function announce(text) {
  at("said").textContent = "";
  requestAnimationFrame(() => (at("said").textContent = text));
}

// A sheet of a view, with its title.
export function sheet(title, ...children) {
  return h("section", { class: "sheet" }, title && h("h2", {}, title), ...children);
}

// [title, value] pairs; a pair without a value is left out.
export function pairs(...rows) {
  const shown = rows.filter(([, value]) => value !== undefined && value !== null && value !== false && value !== "");
  return h("dl", { class: "pairs" }, shown.map(([title, value]) => h("div", {}, h("dt", {}, title), h("dd", {}, value))));
}

// columns: [{title, right}]; a row is a list of cells, the first of which is its heading.
export function table(caption, columns, rows) {
  const head = columns.map(({ title, right }) => h("th", { scope: "col", class: right ? "right" : undefined }, title));
  const body = h("tbody", {}, rows.map((cells) => tableRow(columns, cells)));
  return h("div", { class: "wide" }, h("table", { class: "rows" }, h("caption", { class: "hidden" }, caption), h("thead", {}, h("tr", {}, head)), body));
}

function tableRow(columns, cells) {
  return h("tr", {}, cells.map((cell, place) => {
    const { title, right } = columns[place];
    return h(place ? "td" : "th", { scope: place ? undefined : "row", class: right ? "right" : undefined, "data-label": title }, h("div", {}, cell));
  }));
}

// The button for the next page of a list, gone when there is none. read: a cursor's page; add: what becomes of its items.
export function more(cursor, read, add) {
  let next = cursor;
  const go = button(say("show_more"), async () => {
    go.disabled = true;
    try {
      const page = await read(next);
      add(page.items);
      announce(say("more_shown", { count: page.items.length }));
      next = page.next_cursor;
      go.hidden = !next;
    } catch {
      announce(say("refused_network"));
      go.textContent = say("try_again");
    } finally {
      go.disabled = false;
    }
  }, "second");
  go.hidden = !next;
  return go;
}

// A table of a list that has pages. cells: of an item; empty: what is said of a list without items.
export async function paged(caption, columns, read, cells, empty) {
  const first = await read();
  if (first.items.length === 0) return [quiet(empty)];
  const shown = table(caption, columns, first.items.map(cells));
  const add = (items) => shown.querySelector("tbody").append(...items.map((item) => tableRow(columns, cells(item))));
  return [shown, more(first.next_cursor, read, add)];
}

// Words that are wanted elsewhere, and a button that takes them there.
export function copied(text) {
  const copy = button(say("copy"), async () => {
    const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
    copy.textContent = say(done ? "copied" : "copy");
    if (done) announce(say("copied"));
  }, "plain");
  return h("span", { class: "copied" }, h("code", {}, text), " ", copy);
}

// --- amounts ---

export const UNITS = { g: 0, kg: 3, t: 6 };
const grouped = (digits) => digits.replace(/\B(?=(\d{3})+$)/gu, ",");

// A whole number with its point moved: 1500 by 3 is 1.5. behind: digits that are always shown.
export function moved(number, places, behind = 0) {
  const minus = number < 0 ? "−" : "";
  const digits = String(number).replace("-", "").padStart(places + 1, "0");
  const cut = digits.length - places;
  const rest = digits.slice(cut).replace(/0+$/u, "").padEnd(behind, "0");
  return minus + grouped(digits.slice(0, cut)) + (rest && `.${rest}`);
}

// "22.5" with three places is 22500; "1,000" is a thousand; more places than there are, or anything else: undefined.
export function whole(text, places) {
  const plain = text.normalize("NFKC").replace(/\s/gu, "");
  const found = /^(\d{1,15})(?:[.](\d*))?$/u.exec(/^\d{1,3}(,\d{3})+([.]|$)/u.test(plain) ? plain.replaceAll(",", "") : plain);
  const behind = (found?.[2] ?? "").replace(/0+$/u, "");
  if (!found || behind.length > places) return undefined;
  const number = BigInt(found[1] + behind.padEnd(places, "0"));
  return number <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(number) : undefined;
}

export const unitOf = (grams) => (grams >= 1_000_000 ? "t" : grams >= 1000 ? "kg" : "g");

// Exactly, in the unit people read: 1.5 t.
export const quantityText = (grams) => `${moved(grams, UNITS[unitOf(grams)])} ${say(`unit_${unitOf(grams)}`)}`;

export function quantity(grams) {
  const small = unitOf(grams) === "g" ? undefined : h("small", {}, `${grouped(String(grams))} ${say("unit_g")}`);
  return h("span", { class: "quantity" }, quantityText(grams), small && " ", small);
}

export const yuan = (fen) => `¥${moved(fen, 2, 2)}`;
export const perTonne = (fen) => `${yuan(fen)}/${say("unit_t")}`;
export const percent = (ppm) => `${moved(ppm, 4)} %`;

// --- times: of China, whoever reads them ---

const zone = new Intl.DateTimeFormat("sv-SE", { timeZone: "Asia/Shanghai", dateStyle: "short", timeStyle: "short" });
export const time = (instant) => (instant ? zone.format(new Date(instant)) : "");
export const day = (instant) => time(instant).slice(0, 10);

// How long until an instant, counted down; `ended` is called once when it is reached.
export function countdown(instant, ended) {
  const shown = h("span", { class: "countdown", role: "timer" });
  const tick = () => {
    const seconds = Math.floor((Date.parse(instant) - now()) / 1000);
    shown.textContent = seconds < 0 ? say("over") : lasting(seconds);
    if (seconds >= 0) return;
    clearInterval(clock);
    if (shown.isConnected) ended?.();
  };
  const clock = setInterval(() => (shown.isConnected ? tick() : clearInterval(clock)), 1000);
  tick();
  return shown;
}

function lasting(seconds) {
  const two = (number) => String(number).padStart(2, "0");
  const [minutes, hours] = [Math.floor(seconds / 60), Math.floor(seconds / 3600)];
  if (hours >= 24) return say("days_hours", { days: Math.floor(hours / 24), hours: hours % 24 });
  return hours ? `${hours}:${two(minutes % 60)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

// --- what credits are of ---

export function origin(one, { badges = true } = {}) {
  const marks = [one.demonstration && badge("demonstration", "demo"), one.provisional && badge("provisional")].filter(Boolean);
  return h("span", { class: "origin" },
    h("b", {}, say(one.methodology)),
    h("small", {}, `${say(one.region)} · ${one.vintage} · ${say("batch_number", { number: one.batch })}`),
    badges && marks.length > 0 && h("span", { class: "badges" }, marks));
}

export const state = (name) => h("i", { class: `badge state-${name}` }, say(`state_${name}`));

// Regions as a list to choose from: provinces, and their cities below them.
export function regionOptions(regions) {
  const cities = Map.groupBy(regions.filter((region) => region.parent), (region) => region.parent);
  return regions.filter((region) => !region.parent && region.code !== "CN").flatMap((province) => [
    [province.code, named(province)],
    ...(cities.get(province.code) ?? []).map((city) => [city.code, `　${named(city)}`]),
  ]);
}

// The name of a region or a methodology, as the standard lists them.
export const named = (one) => one[`name_${language()}`] ?? say(one.name);
