// Bytes and texts, hashes and signatures: what every check stands on. Nothing of the verifier asks the network for anything.

// Something does not hold. reason: the name of its text in verify.json; details: what stands for the {names} in that text.
export class Refused extends Error {
  constructor(reason, details = {}) {
    super(reason);
    this.reason = reason;
    this.details = details;
  }
}

export function refuseUnless(holds, reason, details = {}) {
  if (!holds) throw new Refused(reason, details);
}

export const utf8 = (text) => new TextEncoder().encode(text);

// The text of bytes. Refuses what is not UTF-8.
export function textOf(bytes) {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Refused("file_utf8");
  }
}

function joined(...parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let place = 0;
  for (const part of parts) {
    all.set(part, place);
    place += part.length;
  }
  return all;
}

export const isSame = (one, other) => one.length === other.length && one.every((byte, place) => byte === other[place]);
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
export const base64 = (bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
export const base64url = (bytes) => base64(bytes).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/u, "");

// Standard base64, padded, written in the one way it can be; length: how many bytes it must be, if that is known.
export const readBase64 = (text, length) => decoded(text, (one) => one, base64, "base64", length);

// base64url without padding, as signatures and keys of JOSE are written.
export const readBase64url = (text, length) => decoded(text, (one) => one.replaceAll("-", "+").replaceAll("_", "/"), base64url, "base64url", length);

function decoded(text, standard, encode, form, length) {
  const shown = String(text).slice(0, 80);
  const isText = typeof text === "string" && /^[A-Za-z0-9+/_-]*={0,2}$/u.test(text);
  let bytes;
  try {
    bytes = isText ? Uint8Array.from(atob(standard(text)), (letter) => letter.charCodeAt(0)) : undefined;
  } catch {
    bytes = undefined;
  }
  refuseUnless(bytes && encode(bytes) === text && (length === undefined || bytes.length === length), length === undefined ? "base64" : "base64_length", { shown, form, length });
  return bytes;
}

export const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", joined(...parts)));

// What keeps this browser from checking anything: a reason, or undefined.
export async function obstacle() {
  if (!globalThis.crypto?.subtle) return globalThis.isSecureContext ? "browser_old" : "browser_insecure";
  try {
    await crypto.subtle.importKey("raw", new Uint8Array(32).fill(1), "Ed25519", false, ["verify"]);
    return undefined;
  } catch (error) {
    return error.name === "DataError" ? undefined : "browser_old"; // those 32 bytes may be no point: then it knows the curve
  }
}

// Whether an Ed25519 signature is that key's over the message.
export async function isSigned(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  try {
    const imported = await crypto.subtle.importKey("raw", key, "Ed25519", false, ["verify"]);
    return await crypto.subtle.verify("Ed25519", imported, signature, message);
  } catch {
    return false; // a key that is no point of the curve signs nothing
  }
}
