// Receipts and memberships: a deed calculated anew, its commitment opened, found in the log and in its batch.
import { base64, readBase64, refuseUnless, sha256, utf8 } from "./verify-bytes.js";
import { checkCertificate } from "./verify-certificate.js";
import { canonical, canonicalText, members, object, string, whole } from "./verify-json.js";
import { isIncluded, leafHash } from "./verify-merkle.js";
import { readPath } from "./verify-note.js";
import { checkRecords, moment } from "./verify-replay.js";

const CALCULATION = "tanpuhui-receipt/1"; // the calculation alone: a dry run
const RECEIPT = "tanpuhui-receipt/2"; // with what opens and proves its entry in the log
const MEMBERSHIP = "tanpuhui-membership/1";
const MEMBERS = ["format", "deed", "records", "reduction_mg", "points"];
const PROVING = ["version", "head", "row", "salt", "log", "batch"];
const HEAD = ["methodology", "month", "region", "version"];

// A receipt file: {receipt, methodologies (names by record), place, batch}; place: null where the deed is not in the log yet, undefined where the file is of
// a calculation that nobody was credited for. packs: by hash. Refuses.
export async function checkReceipt(file, packs, trust, told) {
  refuseUnless([CALCULATION, RECEIPT].includes(file.format), "receipt_format", { formats: RECEIPT });
  const proven = file.format === RECEIPT;
  members(file, proven ? [...MEMBERS, ...PROVING] : MEMBERS, "receipt.json");
  const methodologies = checkRecords(file, packs, told);
  if (!proven) return { receipt: file, methodologies };
  const head = readHead(file.head);
  const seen = file.records.map((record) => [record.pack.code, record.day.slice(0, 7), record.region, record.pack.version].join(" "));
  refuseUnless(seen.includes(HEAD.map((name) => head[name]).join(" ")), "head");
  const { deed, version, reduction_mg, points, row } = file;
  const body = { deed, version, reduction_mg, points, row, records: file.records.map(committed) };
  const entry = await entryOf(head, await sha256(readBase64(file.salt), canonical(body)));
  const place = await checkLogged(file.log, entry, trust, told);
  if (file.batch !== null) await checkMember(file.batch, entry, head, trust, told);
  return { receipt: file, methodologies, place, batch: file.batch };
}

function readHead(head) {
  members(head, HEAD, "head");
  for (const name of HEAD) string(head[name], name);
  return head;
}

// A record as the commitment has it.
function committed(record) {
  const { region, day, evidence, facts, credited } = record;
  return {
    region, day, evidence, facts, ...credited,
    pack: record.pack.sha256,
    measured_mg: record.calculation.measured_mg,
    started_us: Number(moment(record.started_at)),
    ended_us: Number(moment(record.ended_at)),
  };
}

// The log's entry of a deed, as text.
async function entryOf(head, opening) {
  const commitment = base64(await sha256(utf8("tanpuhui-deed/1\n"), canonical(head), utf8("\n"), opening));
  return canonicalText({ kind: "deed", commitment });
}

// A membership file: {head, place, batch, retired, grams}. Refuses.
export async function checkMembership(file, words, trust, told) {
  members(file, ["format", "head", "opening", "log", "batch", "certificate"], "membership.json");
  refuseUnless(file.format === MEMBERSHIP, "membership_format", { format: MEMBERSHIP });
  const head = readHead(file.head);
  const entry = await entryOf(head, readBase64(file.opening));
  const place = await checkLogged(file.log, entry, trust, told);
  const { batch } = file;
  const closed = await checkMember(batch, entry, head, trust, told);
  const retired = await checkCertificate(file.certificate, words, trust, told);
  const line = retired.certificate.lineage.find((one) => one.batch === batch.batch);
  refuseUnless(line, "membership_batch", { number: retired.certificate.number, batch: batch.batch });
  if (closed) checkLineage(line, closed, batch.size);
  told("membership", { batch: batch.batch, grams: line.quantity_g, names: retired.names });
  return { head, place, batch, retired, line };
}

// The deed's place in the log: its entry must be the one that is expected.
async function checkLogged(logged, entry, trust, told) {
  const place = await trust.entry(logged, { kind: "deed" }, told);
  if (!place) return null;
  refuseUnless(logged.entry === entry, "commitment");
  told("commitment", { commitment: place.said.commitment });
  return place;
}

// The deed's entry in the batch's own tree, whose root the log's entry of the closing names. Gives that entry.
async function checkMember(batch, entry, head, trust, told) {
  members(batch, ["batch", "certificates", "close", "index", "path", "size"], "batch");
  const [number, index, size] = ["batch", "index", "size"].map((name) => whole(batch[name], name));
  const place = await trust.entry(batch.close, { kind: "close", number }, told);
  if (!place) return null;
  const { said } = place;
  const pool = [head.region, head.methodology, head.version, head.month.replaceAll("-", "")].join(".");
  refuseUnless(said.batch === number && said.pool === pool && (said.deeds ?? size) === size, "batch_close", { batch: number });
  const leaf = await leafHash(await leafHash(utf8(entry)));
  const root = readBase64(said.members_root, 32);
  refuseUnless(await isIncluded(leaf, BigInt(index), BigInt(size), readPath(batch.path), root), "batch_root", { batch: number });
  told("member", { batch: number, size });
  return said;
}

// That the certificate tells of the batch what the log says of its close.
function checkLineage(line, closed, size) {
  const pack = object(line.methodology, "methodology");
  const told = {
    members_root: line.members_root,
    pool: `${line.region.code}.${pack.code}.${pack.version}.${line.vintage.replaceAll("-", "")}`,
    gas_basis: line.gas_basis,
    demonstration: line.demonstration,
  };
  for (const [name, found] of Object.entries(told)) {
    const said = closed[name];
    refuseUnless(found === said, "lineage_close", { name, batch: line.batch, found: String(found).slice(0, 80), said: String(said).slice(0, 80) });
  }
  const deeds = line.deeds_in_batch ?? size;
  refuseUnless(deeds === size, "lineage_deeds", { found: String(deeds).slice(0, 40), said: size });
}
