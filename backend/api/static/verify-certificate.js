// Certificates: what was retired for whom, signed, in the log; and what was recalled of its batches since. All that can be
// calculated of a certificate is calculated here, so that not even its signer can contradict itself.
import { hex, refuseUnless, sha256 } from "./verify-bytes.js";
import { canonical, integer, isEqual, list, members, object, string, sum, whole } from "./verify-json.js";
import { checkSignature } from "./verify-note.js";
import { dayNumber, moment } from "./verify-replay.js";

const CERTIFICATE = "tanpuhui.certificate.v1";
const AMENDMENT = "tanpuhui.amendment.v1";
const PEOPLE_MIN = 20; // no published figure rests on fewer people
const MILLION = 1_000_000n;

const SAYS = ["kind", "number", "issuer", "url", "issued_at", "company", "purpose", "period", "jurisdiction", "quantity_g", "serials", "lineage", "demonstration", "statements"];
const MAY_SAY = ["beneficiary", "beneficiaries", "on_behalf_of", "footprint", "covered_ppm", "neutrality_claim", "note"];
const LINE = ["batch", "region", "methodology", "gas_basis", "vintage", "quantity_g", "attestation", "demonstration"];
const LINE_MAY = ["people_in_batch", "deeds_in_batch", "members_root", "own_ppm", "note"];
const AMENDED = ["kind", "number", "issuer", "batch", "made_on", "version", "made_at", "recalled_mg", "recalled_in_all_mg", "recalled_in_all_g", "replaced_by", "owed_g", "covered", "statement", "previous_sha256"];

const SERIAL = /^TPH-([0-9]{6})-([a-z][a-z0-9_]*)-([0-9]{4})(0[1-9]|1[0-2])-([1-9][0-9]{0,17})-([1-9][0-9]{0,17})-([1-9][0-9]{0,17})$/u;
const NUMBER = /^TPH-C-([0-9]{4})-[0-9]{6,12}$/u;
const USCC = /^[0-9ABCDEFGHJKLMNPQRTUWXY]{18}$/u;

const hashOf = async (body) => hex(await sha256(canonical(body)));

// A certificate file: {certificate, names, place, amendments}; place: null where it is not in the log yet.
// words: what the platform's certificates must say: {purposes: [[code, {zh, en}]], statements: {name: {zh, en}}}. Refuses.
export async function checkCertificate(file, words, trust, told) {
  members(file, ["certificate", "signature"], "certificate.json", ["log", "amendments"]);
  const body = members(file.certificate, SAYS, "certificate", MAY_SAY);
  const spans = checkSerials(body);
  checkFacts(body, words.purposes);
  checkForWhom(body);
  checkClaims(body, words.statements);
  const names = beneficiaries(body).map((one) => string(one.name, "name")).join("、");
  told("serials", { grams: body.quantity_g, names, count: body.serials.length, batches: spans.size });
  await checkSignature(canonical(body), file.signature, trust.keys, { kind: "certificate" });
  told("signed", { number: body.number, issuer: string(body.issuer, "issuer") });
  const place = await trust.entry(file.log, { kind: "retirement" }, told);
  if (place) await checkRetirement(body, place.said, told);
  const amendments = await checkAmendments(list(file.amendments ?? [], "amendments"), spans, trust, told);
  return { certificate: body, names, place, amendments };
}

const beneficiaries = (body) => ("beneficiary" in body ? [object(body.beneficiary, "beneficiary")] : list(body.beneficiaries, "beneficiaries"));

// --- what a certificate says of itself ---

// batch -> [[first, last]]: each gram once, of a batch of the lineage, as many as stated.
function checkSerials(body) {
  const lines = new Map(list(body.lineage, "lineage").map((line) => [members(line, LINE, "lineage", LINE_MAY).batch, line]));
  refuseUnless(lines.size === body.lineage.length, "lineage_twice");
  const spans = new Map([...lines.keys()].map((batch) => [whole(batch, "batch"), []]));
  for (const text of list(body.serials, "serials")) {
    const { batch, span, place } = readSerial(text);
    const line = lines.get(batch);
    refuseUnless(line, "serial_batch", { text });
    refuseUnless(place === [line.region.code, line.methodology.code, line.vintage].join(" "), "serial_lineage", { text, batch });
    spans.get(batch).push(span);
  }
  checkDisjoint(spans);
  for (const [batch, line] of lines) {
    const [found, said] = [gramsOf(spans.get(batch)), whole(line.quantity_g, "quantity_g")];
    refuseUnless(found > 0n && found === BigInt(said), "lineage_grams", { batch, said, found });
  }
  const total = sum([...lines.values()].map((line) => line.quantity_g));
  refuseUnless(total > 0n && total === BigInt(whole(body.quantity_g, "quantity_g")), "quantity", { said: body.quantity_g, found: total });
  return spans;
}

const gramsOf = (spans) => spans.reduce((before, [first, last]) => before + last - first + 1n, 0n);

function readSerial(text) {
  const [, region, pack, year, month, batch, first, last] = SERIAL.exec(string(text, "serials")) ?? [];
  refuseUnless(region !== undefined && year !== "0000", "serial_form", { text: text.slice(0, 100) });
  refuseUnless(BigInt(first) <= BigInt(last), "serial_order", { text });
  return { batch: Number(batch), span: [BigInt(first), BigInt(last)], place: `${region} ${pack} ${year}-${month}` };
}

// Refuses a gram that is there twice.
function checkDisjoint(spans) {
  for (const [batch, several] of spans) {
    const sorted = [...several].sort(([one], [other]) => (one < other ? -1 : 1));
    const wrong = sorted.findIndex(([first], place) => place > 0 && first <= sorted[place - 1][1]);
    if (wrong >= 0) refuseUnless(false, "serial_overlap", { batch, one: sorted[wrong - 1].join("-"), other: sorted[wrong].join("-") });
  }
}

// Its kind, number, time, address, purpose, period.
function checkFacts(body, purposes) {
  refuseUnless(body.kind === CERTIFICATE, "certificate_kind", { kind: CERTIFICATE });
  const year = NUMBER.exec(string(body.number, "number"))?.[1];
  const isTime = /^[0-9-]{10}T[0-9:]{8}Z$/u.test(body.issued_at) && moment(body.issued_at) !== undefined;
  refuseUnless(year !== undefined && isTime && body.issued_at.startsWith(year), "certificate_number");
  refuseUnless(body.url === `${body.issuer}/v1/certificates/${body.number}`, "certificate_url");
  const { code } = object(body.purpose, "purpose");
  const purpose = purposes.find(([known]) => known === code)?.[1];
  refuseUnless(purpose && isEqual(body.purpose, { code, ...purpose }), "purpose", { code: String(code).slice(0, 40) });
  const { from, to } = object(body.period, "period");
  refuseUnless(dayNumber(from) <= dayNumber(to), "period");
}

// Beneficiaries, whose parts are the whole.
function checkForWhom(body) {
  refuseUnless("beneficiary" in body !== "beneficiaries" in body, "beneficiary");
  const whom = beneficiaries(body);
  for (const one of "on_behalf_of" in body ? [...whom, object(body.on_behalf_of, "on_behalf_of")] : whom) {
    refuseUnless(isUscc(string(one.uscc, "uscc")), "uscc", { code: one.uscc.slice(0, 40), name: String(one.name).slice(0, 200) });
  }
  if ("beneficiary" in body) return;
  const parts = sum(whom.map((one) => whole(one.quantity_g, "quantity_g")));
  refuseUnless(parts === BigInt(body.quantity_g), "beneficiaries", { found: parts, said: body.quantity_g });
}

// Whether a 统一社会信用代码 has the check sign of GB 32100-2015 (weights 3^i mod 31).
function isUscc(code) {
  if (!USCC.test(code)) return false;
  const signs = "0123456789ABCDEFGHJKLMNPQRTUWXY";
  const total = [...code.slice(0, 17)].reduce(([before, weight], sign) => [before + signs.indexOf(sign) * weight, (weight * 3) % 31], [0, 1])[0];
  return signs[(31 - (total % 31)) % 31] === code[17];
}

// What follows from the rest: demonstration, statements, the share covered.
function checkClaims(body, statements) {
  const demonstration = body.lineage.some((line) => line.demonstration);
  refuseUnless(body.demonstration === demonstration, "demonstration");
  const claims = "neutrality_claim" in body;
  const provisional = body.lineage.some((line) => line.methodology.status === "provisional");
  const due = (waiting) => [
    ...(demonstration ? ["demonstration"] : []), "not_ccer", claims ? "neutrality" : "not_neutrality",
    ...(waiting ? ["entity_waiting"] : []), ...(provisional ? ["provisional"] : []),
  ].map((name) => statements[name]);
  // Only a demonstration does not wait for the review of an entity.
  refuseUnless([false, demonstration].some((waiting) => isEqual(body.statements, due(waiting))), "statements");
  refuseUnless(body.lineage.every((line) => integer(line.people_in_batch ?? PEOPLE_MIN, "people_in_batch") >= PEOPLE_MIN), "people", { count: PEOPLE_MIN });
  const stated = body.footprint;
  refuseUnless(stated || !claims, "claim");
  const covered = stated ? coveredPpm(body.quantity_g, object(stated, "footprint").quantity_g) : undefined;
  refuseUnless(body.covered_ppm === covered, "covered", { said: String(body.covered_ppm ?? "—").slice(0, 40), found: String(covered ?? "—") });
}

// The share of a footprint that retired grams cover, rounded down; never more than all of it.
function coveredPpm(retired, footprint) {
  refuseUnless(whole(footprint, "footprint") > 0, "malformed", { what: "footprint" });
  const share = (BigInt(retired) * MILLION) / BigInt(footprint);
  return Number(share < MILLION ? share : MILLION);
}

// --- what the log says of it ---

async function checkRetirement(body, entry, told) {
  const hash = await hashOf(body);
  refuseUnless(entry.certificate === body.number, "entry_number", { said: String(entry.certificate).slice(0, 40), number: body.number });
  refuseUnless(entry.sha256 === hash, "entry_hash", { said: String(entry.sha256).slice(0, 64), number: body.number });
  const lines = (of) => of.map((line) => [line.batch, line.quantity_g]).sort(([one], [other]) => one - other);
  refuseUnless(entry.quantity_g === body.quantity_g && isEqual(lines(list(entry.lines, "lines")), lines(body.lineage)), "entry_grams");
  checkMoment(entry.at, body.issued_at);
  told("entry_certificate", { sha256: hash });
}

// The log has it to the microsecond, what was signed to the second.
function checkMoment(logged, said) {
  const second = 1_000_000n;
  refuseUnless(moment(logged) / second === moment(said) / second, "entry_moment", { said: logged, found: said });
}

// --- amendments ---

// One a day and batch, each naming the one before it; none cancels what was retired. Gives [{amendment, place}].
async function checkAmendments(given, retired, trust, told) {
  const before = new Map();
  const spans = new Map([...retired].map(([batch, several]) => [batch, [...several]]));
  const found = [];
  for (const one of given) {
    members(one, ["amendment", "signature"], "amendments", ["log"]);
    const body = members(one.amendment, AMENDED, "amendment");
    const { batch, number } = body;
    refuseUnless(retired.has(batch), "amendment_batch", { number: String(number).slice(0, 80) });
    await checkFollows(body, before.get(batch));
    for (const cut of list(body.replaced_by, "replaced_by")) {
      spans.set(cut.batch, [...(spans.get(cut.batch) ?? []), ...cancelled(body, cut)]);
    }
    await checkSignature(canonical(body), one.signature, trust.keys, { kind: "amendment", number });
    const place = await trust.entry(one.log, { kind: "amendment", number }, told);
    if (place) await checkAmended(body, place.said);
    before.set(batch, body);
    told(body.owed_g ? "amended_owed" : "amended_covered", { number, batch, recalled: body.recalled_in_all_g, owed: body.owed_g });
    found.push({ amendment: body, place });
  }
  checkDisjoint(spans);
  return found;
}

// After the batch's amendment of an earlier day, and with figures that follow from it.
async function checkFollows(body, before) {
  const number = string(body.number, "number");
  refuseUnless(body.previous_sha256 === (before ? await hashOf(before) : null), "amendment_chain", { number, batch: body.batch });
  dayNumber(body.made_on);
  const inAll = BigInt(integer(body.recalled_mg, "recalled_mg")) + BigInt(before?.recalled_in_all_mg ?? 0);
  const fits = [
    body.kind === AMENDMENT,
    number === `TPH-A-${String(body.batch).padStart(6, "0")}-${body.made_on.replaceAll("-", "")}-${body.version}`,
    !before || before.made_on < body.made_on,
    inAll >= 0n && BigInt(integer(body.recalled_in_all_mg, "recalled_in_all_mg")) === inAll,
    BigInt(integer(body.recalled_in_all_g, "recalled_in_all_g")) === (inAll + 999n) / 1000n,
    body.covered === (whole(body.owed_g, "owed_g") === 0),
  ];
  refuseUnless(fits.every(Boolean), "amendment_figures", { number });
}

// The grams that were cancelled for a recall.
function cancelled(body, cut) {
  members(cut, ["batch", "from", "quantity_g", "reason", "serials"], "replaced_by");
  const ranges = list(cut.serials, "serials").map(readSerial);
  const spans = ranges.map((one) => one.span);
  const fits = [
    ranges.every((one) => one.batch === cut.batch),
    gramsOf(spans) === BigInt(whole(cut.quantity_g, "quantity_g")),
    cut.reason === (cut.batch === body.batch ? "recall" : "replacement"),
  ];
  refuseUnless(fits.every(Boolean), "amendment_serials", { number: body.number });
  return spans;
}

async function checkAmended(body, entry) {
  const holds = entry.number === body.number && entry.batch === body.batch && entry.sha256 === (await hashOf(body));
  refuseUnless(holds, "amendment_entry", { number: body.number });
  checkMoment(entry.at, body.made_at);
}
