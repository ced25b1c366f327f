// The replay of a receipt: every record calculated anew out of its pack.json, in exact fractions, and every number compared.
// The same as the platform's replay.py, which says how; amounts are whole milligrams.
import { Refused, hex, refuseUnless, sha256 } from "./verify-bytes.js";
import { FUNCTIONS, call, decimal, floor, fraction, minus, over, readFormula, signOf, times, written } from "./verify-formula.js";
import { integer, isEqual, list, members, object, read, string, sum } from "./verify-json.js";

const EVIDENCE = ["order", "device", "screenshot", "self_declared"];
const RECORD = ["pack", "region", "day", "started_at", "ended_at", "evidence", "facts", "calculation", "national_mg", "credited"];
const CREDITED = ["code", "reduction_mg", "points", "cap_mg", "cap_points"];

// What one of a unit is in base units (gram, metre, kilowatt-hour, use), as [above, below].
const MASS = { mg: [1, 1000], g: [1, 1], kg: [1000, 1], t: [1_000_000, 1] };
const UNITS = new Map([
  ...Object.entries(MASS).flatMap(([mass, scale]) => ["", "CO2", "CO2e"].map((gas) => [mass + gas, scale])),
  ...["1", "m", "pm", "vm", "kWh", "piece", "use", "trip", "step", "l", "h"].map((unit) => [unit, [1, 1]]),
  ...["km", "pkm", "vkm", "MWh", "m3"].map((unit) => [unit, [1000, 1]]),
  ["Wh", [1, 1000]],
]);

const own = (value, name) => (name in value ? value[name] : undefined);

// --- days and moments ---

// Days since 1970 of a civil day. Refuses what is none.
export function dayNumber(text) {
  const [, ...parts] = /^([0-9]{4})-([0-9]{2})-([0-9]{2})$/u.exec(text) ?? [];
  const [year, month, day] = parts.map(Number);
  const real = new Date(0);
  real.setUTCFullYear(year, month - 1, day);
  refuseUnless(parts.length > 0 && year > 0 && real.getUTCMonth() === month - 1 && real.getUTCDate() === day, "day", { text: String(text).slice(0, 40) });
  return Math.floor(real.getTime() / 86_400_000);
}

// Microseconds since 1970 of a moment with its zone, as BigInt.
export function moment(text) {
  const found = /^(\d{4}-\d{2}-\d{2})T(\d{2}):(\d{2}):(\d{2})(?:\.(\d{1,6}))?(?:Z|([+-])(\d{2}):(\d{2}))$/u.exec(text);
  refuseUnless(found, "moment", { text: String(text).slice(0, 40) });
  const [, day, hour, minute, second, part = "", sign, zoneHour = "0", zoneMinute = "0"] = found;
  const [h, m, s, zh, zm] = [hour, minute, second, zoneHour, zoneMinute].map(Number);
  refuseUnless(h < 24 && m < 60 && s < 60 && zh < 24 && zm < 60, "moment", { text });
  const offset = (zh * 60 + zm) * (sign === "-" ? -1 : 1);
  const seconds = dayNumber(day) * 86_400 + h * 3600 + (m - offset) * 60 + s;
  return BigInt(seconds) * 1_000_000n + BigInt(part.padEnd(6, "0"));
}

// --- calculating one record ---

// {factors, steps, evidence_percent, rounding, measured_mg} of one record, as a receipt has them. Refuses.
export function calculate(pack, region, facts, day, evidence) {
  checkFacts(pack, facts);
  const whole = pack.facts.filter((fact) => fact.kind === "integer");
  const names = new Map(whole.map((fact) => [fact.name, times(fraction(facts[fact.name]), scale(fact.unit))]));
  const bindings = own(pack, "bindings") ?? {};
  const chosen = Object.keys(bindings).sort().map((name) => [name, factorOf(pack, name, bindings[name], facts, region, day)]);
  const rules = rulesOn(pack, day);
  for (const [, used] of chosen) checkReview(used, day, integer(rules.review_grace_days, "review_grace_days"));
  const grams = run(pack.formula, names, chosen, rules.conservative_bound);
  const reduction = minus(minus(grams[0], grams[1]), grams[2]);
  const steps = [...FUNCTIONS, "reduction_g"].map((name, place) => ({ name, unit: "gCO2e", ...written(grams[place] ?? reduction) }));
  const percent = integer(rules.evidence_percent[evidence], "evidence_percent");
  const measured = times(reduction, fraction(1000));
  const milligrams = floor(measured.n > 0n ? times(measured, fraction(percent, 100)) : measured); // weaker evidence counts for less
  return {
    factors: chosen.map(([name, used]) => ({ name, ...used })),
    steps,
    evidence_percent: percent,
    rounding: "once, towards minus infinity, to 1 mg",
    measured_mg: integer(Number(milligrams), "measured_mg"),
  };
}

function checkFacts(pack, facts) {
  const known = list(pack.facts, "facts").map((fact) => fact.name);
  refuseUnless(isEqual([...known].sort(), Object.keys(object(facts, "facts")).sort()), "facts", { names: known.join(", ") });
  for (const fact of pack.facts) {
    const value = facts[fact.name];
    const fits = fact.kind === "choice"
      ? typeof value === "string" && value in fact.values
      : Number.isSafeInteger(value) && fact.minimum <= value && value <= (own(fact, "maximum") ?? value);
    refuseUnless(fits, "fact", { name: fact.name, value: String(value).slice(0, 40) });
  }
}

// The standard's own rules on a day; the first ones also hold before they begin.
function rulesOn(pack, day) {
  const begun = list(pack.rules, "rules").filter((rules) => rules.from <= day);
  return (begun.length ? begun : pack.rules.slice(0, 1)).reduce((latest, rules) => (rules.from > latest.from ? rules : latest));
}

function checkReview(used, day, graceDays) {
  const late = own(used, "review_by") && dayNumber(day) - dayNumber(used.review_by) > graceDays;
  refuseUnless(!late, "review", { factor: String(own(used, "factor_id")) });
}

// The value of a factor in force in the nearest region on a day, as pack.json says it.
function factorOf(pack, name, table, facts, region, day) {
  const chooses = pack.facts.filter((fact) => fact.kind === "choice" && Object.keys(fact.values).every((value) => value in table));
  const picked = own(table, "") || (chooses.length ? table[facts[chooses[0].name]] : "");
  const factor = own(pack.factors, picked);
  refuseUnless(factor, "factor", { name });
  for (const code of chain(region, own(pack, "grids") ?? {})) {
    const values = factor.values.filter((value) => value.region === code).sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
    for (const [place, value] of values.entries()) {
      const end = own(value, "to") || values[place + 1]?.from || "";
      if (value.from <= day && (!end || day < end)) return { id: picked, unit: String(factor.unit), ...value };
    }
  }
  throw new Refused("factor_day", { factor: picked, day, region });
}

// Where the numbers of a region are looked for: itself, its province, its grid, the nation.
function chain(region, grids) {
  if (region === "CN") return ["CN"];
  const province = `${region.slice(0, 2)}0000`;
  return [region, province, own(grids, province) ?? "", "CN"].filter(Boolean);
}

function scale(unit) {
  const [above, below] = string(unit, "unit").split(/\/(.*)/su);
  const product = (text) => (text ? text.split(".").map(atom).reduce(times) : fraction(1));
  return over(product(above), product(below));
}

function atom(text) {
  refuseUnless(UNITS.has(text), "unit", { unit: text.slice(0, 40) });
  return fraction(...UNITS.get(text));
}

function run(formula, names, chosen, conservative) {
  const functions = readFormula(string(formula, "formula"));
  return FUNCTIONS.map((name) => {
    const found = functions.get(name);
    const ends = chosen.map(([factor, used]) => [factor, end(found, factor, used, conservative)]);
    return call(found, new Map([...names, ...ends]));
  });
}

// A factor as a function must take it: of an uncertain one the end that makes the reduction smaller.
function end(found, name, used, conservative) {
  let text = used.value;
  if (conservative && own(used, "uncertainty")) {
    const more = signOf(found, name) * (found.name === FUNCTIONS[0] ? 1 : -1);
    if (more) text = more > 0 ? used.uncertainty.low : used.uncertainty.high;
  }
  return times(over(decimal(text), decimal(used.per)), scale(used.unit));
}

// --- checking a receipt's records ---

// hash (hex) -> pack.json, of the files given.
export async function packsByHash(files) {
  return new Map(await Promise.all(files.map(async (bytes) => [hex(await sha256(bytes)), bytes])));
}

// The records of a receipt against their packs, and their sums. told: takes a line for each. Gives the names of their
// methodologies, {zh, en}. Refuses.
export function checkRecords(receipt, packs, told) {
  const records = list(receipt.records, "records");
  const ofDeed = receipt.deed !== null;
  if (ofDeed) string(receipt.deed, "deed");
  const found = records.map((record, place) => {
    const one = checkRecord(record, packs, ofDeed);
    told("replayed", { place: place + 1, ...one });
    return one.methodology;
  });
  for (const name of ["reduction_mg", "points"]) {
    const total = sum(records.map((record) => integer(record.credited[name], name)));
    refuseUnless(records.length > 0 && total === BigInt(integer(receipt[name], name)), "total", { name, said: receipt[name], total });
  }
  told("totals", { milligrams: receipt.reduction_mg, points: receipt.points });
  return found;
}

function checkRecord(record, packs, ofDeed) {
  members(record, RECORD, "record");
  const named = members(record.pack, ["code", "version", "status", "sha256"], "pack");
  const raw = packs.get(named.sha256);
  refuseUnless(raw, "pack_missing", { sha256: String(named.sha256).slice(0, 64), code: String(named.code).slice(0, 40) });
  const pack = object(read(raw), "pack.json");
  for (const name of ["code", "version", "status"]) {
    refuseUnless(named[name] === pack[name], "pack_other", { name, said: String(named[name]).slice(0, 40), found: String(pack[name]) });
  }
  checkTime(record, pack, ofDeed);
  refuseUnless(/^(?:CN|[0-9]{6})$/u.test(string(record.region, "region")), "region");
  refuseUnless(EVIDENCE.includes(record.evidence), "evidence", { names: EVIDENCE.join(", ") });
  const expected = calculate(pack, record.region, record.facts, record.day, record.evidence);
  for (const [name, value] of Object.entries(expected)) {
    refuseUnless(isEqual(own(object(record.calculation, "calculation"), name), value), "calculation", difference(name, own(record.calculation, name), value));
  }
  members(record.calculation, Object.keys(expected), "calculation");
  checkCredited(record, expected.measured_mg);
  const national = nationalMg(pack, record);
  refuseUnless(record.national_mg === national, "national", { found: national, said: String(record.national_mg).slice(0, 40) });
  const methodology = pack.name ?? { zh: pack.code, en: pack.code };
  return { methodology, version: pack.version, day: record.day, region: record.region, milligrams: expected.measured_mg };
}

// Of a deed: both moments with their zone, the day that of the start, and the pack in force on it.
function checkTime(record, pack, ofDeed) {
  dayNumber(string(record.day, "day"));
  if (!ofDeed && record.started_at === null && record.ended_at === null) return;
  const [start, ended] = [moment(record.started_at), moment(record.ended_at)];
  refuseUnless(start <= ended, "time_order");
  refuseUnless(record.started_at.slice(0, 10) === record.day, "time_day");
  const inForce = string(pack.in_force_from, "in_force_from") <= record.day && record.day < (own(pack, "in_force_to") ?? "9999");
  refuseUnless(inForce, "in_force", { code: pack.code, day: record.day });
}

// What the same record comes to with the nation's numbers; null where the nation has none on that day.
function nationalMg(pack, record) {
  try {
    return calculate(pack, "CN", record.facts, record.day, record.evidence).measured_mg;
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

// The first thing that differs: {name, said, found} as text.
function difference(name, said, found) {
  const shown = (value) => (value === undefined ? "—" : JSON.stringify(value)).slice(0, 300);
  if (!Array.isArray(said) || !Array.isArray(found) || said.length !== found.length) return { name, said: shown(said), found: shown(found) };
  const place = found.findIndex((one, at) => !isEqual(one, said[at]));
  return { name, said: shown(said[place]), found: shown(found[place]) };
}

// The verdict code says how much of what was measured may have been credited.
function checkCredited(record, measured) {
  const { code, reduction_mg: mg, cap_mg: cap } = members(record.credited, CREDITED, "credited");
  integer(mg, "reduction_mg");
  integer(record.credited.points, "points");
  if (cap !== null) integer(cap, "cap_mg");
  const capped = cap !== null && mg >= 0 && mg < measured && mg <= cap;
  const fits = {
    ok: mg === measured && measured > 0,
    continues: mg === measured && measured > 0,
    no_reduction: mg === measured && measured <= 0,
    points_only: mg === measured && measured === 0,
    capped: (mg === measured && measured === 0) || capped,
    rest_of_day: mg >= 0 && mg < measured,
  };
  refuseUnless(Object.hasOwn(fits, code) && fits[code], "credited", { mg, code: String(code).slice(0, 40), measured });
}
