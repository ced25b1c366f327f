// What a file is, and whether it holds. Knows nothing of the page, and asks nobody.
import { Refused, refuseUnless, textOf } from "./verify-bytes.js";
import { checkCertificate } from "./verify-certificate.js";
import { object, read } from "./verify-json.js";
import { Trust, readCheckpoint } from "./verify-note.js";
import { checkMembership, checkReceipt } from "./verify-receipt.js";
import { packsByHash } from "./verify-replay.js";

export const SUBJECTS = ["certificate", "receipt", "membership", "checkpoint", "unknown"]; // what gets a verdict

const KEY = /^[^\s+]+\+[0-9a-f]{8}\+/u;

// A file that was given: {name, bytes, kind, content}; kind "unknown" with the reason in `refused`.
export function sortFile(name, bytes) {
  try {
    return { name, bytes, ...sorted(bytes) };
  } catch (error) {
    return { name, bytes, kind: "unknown", refused: refusal(error) };
  }
}

function sorted(bytes) {
  refuseUnless(textOfStart(bytes) !== "%PDF", "file_pdf");
  const text = textOf(bytes);
  if (KEY.test(text.trim())) return { kind: "keys", content: text };
  if (!/^\s*[[{]/u.test(text)) return { kind: "checkpoint", content: text };
  const content = read(bytes);
  if (Array.isArray(content)) return { kind: "keys", content: text };
  object(content, "file");
  const kind = jsonKind(content);
  refuseUnless(kind, "file_unknown");
  return { kind, content: kind === "keys" ? text : content };
}

const textOfStart = (bytes) => String.fromCharCode(...bytes.slice(0, 4));

function jsonKind(content) {
  const has = (...names) => names.every((name) => name in content);
  if (has("format")) return String(content.format).startsWith("tanpuhui-membership") ? "membership" : "receipt";
  if (has("certificate")) return "certificate";
  if (has("formula", "factors") || has("formula", "facts")) return "pack";
  if (has("kty") || has("keys")) return "keys";
  return has("from", "to", "path") ? "growth" : undefined;
}

// What is wrong, of whatever was thrown: a file of another form makes all sorts of errors.
function refusal(error) {
  return error instanceof Refused ? error : new Refused("malformed", { what: `${error.name}: ${String(error.message).slice(0, 100)}` });
}

// The verdict on a file: {file, verdict, reason, details, steps, found}. verdict: "holds", "open" (something is still wanting),
// "refused"; steps: what was found to hold, in order. trusted: {keys, demanded, known (a signed head as text), growth, packs
// (files), words (see verify-certificate.js)}.
export async function check(file, trusted) {
  const steps = [];
  const told = (name, details) => steps.push({ name, details });
  try {
    if (file.refused) throw file.refused;
    const trust = await trustOf(trusted);
    const found = await checked(file, trusted, trust, told);
    if (trust.waiting) return { file, verdict: "open", reason: "unlogged", details: { entry: trust.waiting }, steps, found };
    return { file, verdict: "holds", steps, found };
  } catch (error) {
    const { reason, details } = refusal(error);
    return { file, verdict: reason === "pack_missing" ? "open" : "refused", reason, details, steps };
  }
}

// The head that the person kept must itself be signed by a key that is trusted.
async function trustOf({ keys, demanded, known, growth }) {
  if (known === undefined) return new Trust(keys, { demanded });
  try {
    const head = readCheckpoint(known);
    await new Trust(keys).head(head, () => {});
    return new Trust(keys, { demanded, known: head, growth });
  } catch (error) {
    throw new Refused("known", { why: refusal(error) });
  }
}

async function checked({ kind, content }, { packs, words }, trust, told) {
  if (kind === "certificate") return checkCertificate(content, words, trust, told);
  if (kind === "membership") return checkMembership(content, words, trust, told);
  if (kind === "receipt") return checkReceipt(content, await packsByHash(packs), trust, told);
  const checkpoint = readCheckpoint(content);
  const { known } = trust;
  refuseUnless(!known || checkpoint.size >= known.size, "checkpoint_again", { size: checkpoint.size, known: known?.size });
  return { checkpoint, witnesses: await trust.head(checkpoint, told) };
}
