// Keys, signed notes and what the log writes as such: checkpoints, cosignatures, proofs
// (C2SP signed-note, tlog-checkpoint, tlog-cosignature, tlog-proof).
import { Refused, base64url, hex, isSame, isSigned, readBase64, readBase64url, refuseUnless, sha256, utf8 } from "./verify-bytes.js";
import { list, members, object, readText, string, whole } from "./verify-json.js";
import { isConsistent, isIncluded, leafHash } from "./verify-merkle.js";

const LOG = 0x01;
const WITNESS = 0x04;
const NOTE_MAX_BYTES = 64 * 1024;
const ENTRY_MAX_BYTES = 65_535;
const PATH_MAX = 64;
const PROOF_HEADER = "c2sp.org/tlog-proof@v1";
const NAME = /^[^\s+\x00-\x1f\x7f]{1,200}$/u;
const SIZE = /^(?:0|[1-9][0-9]{0,18})$/u;
const SIGNATURE = /^— ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u;

// --- keys: {name, kind, raw, kid, text}; the name of a JWK is undefined: it may sign any log's heads ---

const keyId = async (name, kind, raw) => (await sha256(utf8(`${name}\n`), Uint8Array.of(kind), raw)).slice(0, 4);

async function thumbprint(raw) {
  return base64url(await sha256(utf8(`{"crv":"Ed25519","kty":"OKP","x":"${base64url(raw)}"}`)));
}

// A key written `<name>+<key id>+<base64>`.
async function readKey(text) {
  const [, name, id, material] = /^([^+]*)\+([^+]*)\+(.*)$/u.exec(text.trim()) ?? [];
  refuseUnless(name !== undefined && NAME.test(name), "key_form");
  const bytes = readBase64(material);
  refuseUnless(bytes.length === 33 && [LOG, WITNESS].includes(bytes[0]), "key_form");
  const raw = bytes.slice(1);
  refuseUnless(hex(await keyId(name, bytes[0], raw)) === id, "key_id");
  return { name, kind: bytes[0], raw, kid: await thumbprint(raw), text: text.trim() };
}

async function readJwk(jwk) {
  if (jwk.kty !== "OKP" || jwk.crv !== "Ed25519") return [];
  const raw = readBase64url(jwk.x, 32);
  const kid = jwk.kid === undefined ? await thumbprint(raw) : string(jwk.kid, "kid");
  return [{ name: undefined, kind: LOG, raw, kid, text: `Ed25519 ${kid}` }];
}

async function keysIn(value) {
  if (typeof value === "string") return [await readKey(value)];
  if (Array.isArray(value)) return (await Promise.all(value.map(keysIn))).flat();
  object(value, "key");
  if ("kty" in value) return readJwk(value);
  if ("key" in value) return keysIn(value.key);
  return "keys" in value ? keysIn(list(value.keys, "keys")) : [];
}

// The keys in a text: a key, a JWK or a JWK Set, one a line or as JSON; what /v1/log/keys answers, too. Refuses none at all.
export async function readKeys(text) {
  const keys = (await Promise.all(keyParts(text.trim()).map(keysIn))).flat();
  refuseUnless(keys.length > 0, "key_none");
  return keys;
}

function keyParts(text) {
  const isJson = (part) => /^[[{"]/u.test(part);
  try {
    if (isJson(text)) return [readText(text)];
  } catch {
    // JSON a line, then: each is read by itself below
  }
  return text.split(/\r?\n/u).map((line) => line.trim()).filter((line) => line && !line.startsWith("#")).map((line) => (isJson(line) ? readText(line) : line));
}

// Refuses unless a key of that kid signed the message, which is of `what`: {kind, number}.
export async function checkSignature(message, signature, keys, what) {
  const { kid, alg, value } = members(signature, ["kid", "alg", "value"], "signature");
  const named = keys.filter((key) => key.kind === LOG && key.kid === kid);
  refuseUnless(named.length > 0 && alg === "EdDSA", "signature_kid", { kid: String(kid).slice(0, 100), alg: String(alg).slice(0, 20) });
  const bytes = readBase64url(value, 64);
  for (const key of named) if (await isSigned(key.raw, message, bytes)) return key;
  throw new Refused("signature_wrong", { signed: what, kid });
}

// --- checkpoints: {origin, size, root, text, signatures: [{name, id, bytes}]} ---

export function readCheckpoint(note) {
  refuseUnless(utf8(note).length <= NOTE_MAX_BYTES, "checkpoint_large");
  const gap = note.lastIndexOf("\n\n");
  const body = note.slice(0, gap);
  const lines = body.split("\n");
  refuseUnless(gap >= 0 && lines.length >= 3 && lines.every(Boolean) && !/[\x00-\x09\x0b-\x1f]/u.test(note), "checkpoint_form");
  refuseUnless(SIZE.test(lines[1]) && BigInt(lines[1]) < 2n ** 63n, "checkpoint_size");
  const signed = note.slice(gap + 2);
  refuseUnless(signed.endsWith("\n"), "checkpoint_cut");
  const signatures = signed.slice(0, -1).split("\n").map(readSignature);
  return { origin: lines[0], size: BigInt(lines[1]), root: readBase64(lines[2], 32), text: `${body}\n`, signatures, note };
}

function readSignature(line) {
  const [, name, material] = SIGNATURE.exec(line) ?? [];
  refuseUnless(name !== undefined, "checkpoint_line");
  const bytes = readBase64(material);
  refuseUnless(bytes.length >= 5, "checkpoint_line");
  return { name, id: bytes.slice(0, 4), bytes: bytes.slice(4) };
}

// When a witness saw the head, in seconds since 1970.
const seenAt = (bytes) => new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0);

async function isNoteSigned(text, key, bytes) {
  if (key.kind === LOG) return isSigned(key.raw, utf8(text), bytes);
  if (bytes.length !== 72) return false;
  return isSigned(key.raw, utf8(`cosignature/v1\ntime ${seenAt(bytes)}\n${text}`), bytes.slice(8));
}

// Those of the keys that signed a head, each with `at` where it is a witness's. Refuses a wrong signature of one of them.
async function signers(checkpoint, keys) {
  const found = new Map();
  for (const { name, id, bytes } of checkpoint.signatures) {
    for (const key of keys) {
      if (key.name !== name || !isSame(await keyId(key.name, key.kind, key.raw), id)) continue;
      refuseUnless(await isNoteSigned(checkpoint.text, key, bytes), "checkpoint_signature", { name });
      found.set(hex(id), key.kind === WITNESS ? { ...key, at: Number(seenAt(bytes)) } : key);
    }
  }
  return [...found.values()];
}

// --- proofs ---

function readProof(text) {
  const gap = text.indexOf("\n\n");
  const lines = text.slice(0, Math.max(gap, 0)).split("\n");
  refuseUnless(gap >= 0 && lines[0] === PROOF_HEADER, "proof_form");
  if (lines[1]?.startsWith("extra ")) lines.splice(1, 1);
  const index = /^index (.*)$/u.exec(lines[1] ?? "")?.[1];
  refuseUnless(index !== undefined && SIZE.test(index), "proof_index");
  return { index: BigInt(index), path: readPath(lines.slice(2)), checkpoint: readCheckpoint(text.slice(gap + 2)) };
}

// Whom a check believes, and what it knows. keys: the platform's and witnesses'; of those in `demanded`, if there are any, one
// must have cosigned. known: a head of before, already checked; growth: the file of a proof that of the known head and the
// one at hand one continues the other. Remembers every head it meets: they must agree.
export class Trust {
  constructor(keys, { demanded = [], known, growth } = {}) {
    refuseUnless(keys.some((key) => key.kind === LOG), "key_none");
    Object.assign(this, { keys, demanded, known, growth, met: new Map(), waiting: undefined });
  }

  // Checks a signed head. Gives the witnesses who cosigned it: [{name, at}].
  async head(checkpoint, told) {
    const { note, origin, size } = checkpoint;
    if (!this.met.has(note)) {
      const witnesses = await this.signed(checkpoint);
      told("head", { origin, size });
      for (const { name, at } of witnesses) told("witness", { name, at: new Date(at * 1000).toISOString().slice(0, 19).replace("T", " ") });
      for (const other of this.met.values()) agree(checkpoint, other.checkpoint);
      if (this.known) await this.grown(checkpoint, told);
      this.met.set(note, { checkpoint, witnesses });
    }
    return this.met.get(note).witnesses;
  }

  async signed(checkpoint) {
    const { origin } = checkpoint;
    const ours = this.keys.filter((key) => key.kind === LOG && (key.name ?? origin) === origin).map((key) => ({ ...key, name: origin }));
    refuseUnless(ours.length > 0, "key_origin", { origin });
    refuseUnless((await signers(checkpoint, ours)).length > 0, "checkpoint_unsigned", { origin });
    const witnesses = await signers(checkpoint, this.keys.filter((key) => key.kind === WITNESS));
    const asked = (key) => this.demanded.some((other) => isSame(other.raw, key.raw));
    refuseUnless(this.demanded.length === 0 || witnesses.some(asked), "witness_missing", { names: this.demanded.map((key) => key.name).join(", ") });
    return witnesses;
  }

  async grown(checkpoint, told) {
    const { known, growth } = this;
    agree(checkpoint, known);
    const [older, newer] = known.size < checkpoint.size ? [known, checkpoint] : [checkpoint, known];
    if (growth) {
      await checkGrowth(growth, older, newer);
      told("grown", { from: older.size, to: newer.size });
    } else {
      told(older.size === newer.size ? "known" : "ungrown", { from: older.size, to: newer.size });
    }
  }

  // The log's entry of `what`, {kind, number}, once its proof holds: {said, index, size, witnesses}; null: it is not there yet,
  // and `waiting` says of what first. Refuses.
  async entry(logged, what, told) {
    if (logged === null || logged === undefined) {
      this.waiting ??= what;
      return null;
    }
    const { kind } = what;
    const raw = utf8(string(members(logged, ["entry", "proof"], "log").entry, "entry"));
    const { index, path, checkpoint } = readProof(string(logged.proof, "proof"));
    const { size, root } = checkpoint;
    const witnesses = await this.head(checkpoint, told);
    const holds = raw.length <= ENTRY_MAX_BYTES && (await isIncluded(await leafHash(raw), index, size, path, root));
    refuseUnless(holds, "proof_root", { entry: what });
    const said = object(readText(logged.entry), "entry");
    refuseUnless(said.kind === kind, "entry_kind", { entry: what, said: String(said.kind).slice(0, 40), kind });
    told("logged", { entry: what, index, size });
    return { said, index, size, witnesses };
  }
}

// Refuses two heads that cannot be of one log.
function agree(one, other) {
  refuseUnless(one.origin === other.origin, "checkpoint_origin", { one: one.origin, other: other.origin });
  refuseUnless(one.size !== other.size || isSame(one.root, other.root), "checkpoint_fork", { size: one.size });
}

// The file of a consistency proof, {"from", "to", "path"}, against two heads.
async function checkGrowth(file, older, newer) {
  members(file, ["from", "path", "to"], "consistency proof");
  const [from, to] = ["from", "to"].map((name) => BigInt(whole(file[name], name)));
  refuseUnless(from === older.size && to === newer.size, "growth_sizes", { from, to, older: older.size, newer: newer.size });
  refuseUnless(await isConsistent(older.size, older.root, newer.size, newer.root, readPath(file.path)), "growth_wrong", { older: older.size, newer: newer.size });
}

// A path in JSON: hashes in base64.
export function readPath(path) {
  refuseUnless(list(path, "path").length <= PATH_MAX, "proof_long");
  return path.map((one) => {
    const hash = readBase64(one);
    refuseUnless(hash.length === 32, "proof_long");
    return hash;
  });
}
