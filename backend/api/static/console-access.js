// Who is signed in, and the calls to the API. The key signs here and goes nowhere: what leaves is a signed statement
// (RFC 7523) for a token of 15 minutes, which is kept in memory alone.
import { language, now } from "./console-core.js";

const TOKEN = "/v1/oauth/token";
const KINDS = { OKP: ["Ed25519", "EdDSA", { name: "Ed25519" }, { name: "Ed25519" }],
  EC: ["P-256", "ES256", { name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" }] };

export class Refusal extends Error {
  constructor(told) {
    super(told.code);
    this.told = told;
  }
}

let signer; // {client, key, kid, kty}
let token; // {text, until}
let renewing;

export const client = () => signer?.client;
export const newKey = () => crypto.randomUUID();

// --- the key ---

// A private JWK as a key that can sign and never be read out again. Raises Refusal key_unreadable, key_public, key_kind,
// key_damaged, not_secure, key_not_supported.
export async function readKey(text) {
  if (!globalThis.crypto?.subtle) throw new Refusal({ code: "not_secure" });
  let jwk;
  try {
    jwk = JSON.parse(text);
  } catch {
    throw new Refusal({ code: "key_unreadable" });
  }
  jwk = jwk?.keys?.[0] ?? jwk;
  const [curve, , algorithm] = KINDS[jwk?.kty] ?? [];
  if (!curve || jwk.crv !== curve) throw new Refusal({ code: "key_kind" });
  if (!jwk.d) throw new Refusal({ code: "key_public" });
  const { kty, crv, x, y, d } = jwk;
  try {
    const key = await crypto.subtle.importKey("jwk", y ? { kty, crv, x, y, d } : { kty, crv, x, d }, algorithm, false, ["sign"]);
    return { key, kty, kid: jwk.kid };
  } catch (error) {
    throw new Refusal({ code: error.name === "NotSupportedError" ? "key_not_supported" : "key_damaged" });
  }
}

const base64url = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/u, "");
const encoded = (value) => base64url(new TextEncoder().encode(JSON.stringify(value)));

async function assertion({ client, key, kid, kty }) {
  const [, alg, , how] = KINDS[kty];
  const seconds = Math.floor(now() / 1000);
  const said = { iss: client, sub: client, aud: document.body.dataset.audience, exp: seconds + 120, jti: crypto.randomUUID() };
  const signed = `${encoded({ alg, typ: "JWT", kid })}.${encoded(said)}`;
  return `${signed}.${base64url(await crypto.subtle.sign(how, key, new TextEncoder().encode(signed)))}`;
}

async function fetchToken(who) {
  const body = new URLSearchParams({ grant_type: "client_credentials",
    client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", client_assertion: await assertion(who) });
  const told = await send(TOKEN, { method: "POST", body, headers: { "Accept-Language": language() } });
  const { role } = JSON.parse(atob(told.access_token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
  if (role !== "company") throw new Refusal({ code: "not_company", role });
  return { text: told.access_token, until: Date.now() + told.expires_in * 1000 - 60_000 };
}

async function currentToken() {
  if (token && Date.now() < token.until) return token.text;
  renewing ??= fetchToken(signer).finally(() => (renewing = undefined));
  token = await renewing;
  return token.text;
}

// --- signing in and out ---

export async function signIn(who, remember) {
  token = await fetchToken(who);
  signer = who;
  if (remember) await onDevice("readwrite", (store) => store.put(who, "signer"));
}

// Who was remembered on this device, signed in again; false where nobody was. Raises Refusal.
export async function signInAgain() {
  const kept = await onDevice("readonly", (store) => store.get("signer")).catch(() => undefined);
  if (!kept) return false;
  await signIn(kept, false);
  return true;
}

export async function signOut() {
  signer = token = undefined;
  await onDevice("readwrite", (store) => store.clear()).catch(() => undefined);
}

// A step in the one store that this page keeps on the device. A key lies there as an object that cannot be read out.
function onDevice(mode, work) {
  return new Promise((resolve, reject) => {
    const opening = indexedDB.open("tanpuhui-console", 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("keys");
    opening.onerror = () => reject(opening.error);
    opening.onsuccess = () => {
      const step = opening.result.transaction("keys", mode);
      const asked = work(step.objectStore("keys"));
      step.oncomplete = () => (opening.result.close(), resolve(asked.result));
      step.onabort = () => (opening.result.close(), reject(step.error));
    };
  });
}

// --- calls ---

// JSON in which numbers beyond 2^53 stay exact.
const exact = (_, value, context) => (typeof value === "number" && context?.source && !Number.isSafeInteger(value) && /^-?\d+$/u.test(context.source) ? BigInt(context.source) : value);

async function send(path, options) {
  let answer, text;
  try {
    answer = await fetch(path, { ...options, cache: "no-store" });
    text = await answer.text();
  } catch {
    throw new Refusal({ code: "network" });
  }
  let told;
  try {
    told = text ? JSON.parse(text, exact) : undefined;
  } catch {
    throw new Refusal({ code: "network" }); // what stands between us and the platform answered instead
  }
  if (!answer.ok) throw new Refusal(told?.code ? told : { code: "network" });
  return told;
}

// A call of the API. key: the Idempotency-Key of a call that changes something. open: a call that needs no token.
export async function ask(method, path, { body, key, open = false } = {}) {
  const attempt = async () => {
    const headers = { Accept: "application/json", "Accept-Language": language() };
    if (!open) headers.Authorization = `Bearer ${await currentToken()}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    return send(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  };
  try {
    return await attempt();
  } catch (error) {
    if (open || error.told?.code !== "token_invalid") throw error;
    token = undefined; // the platform's keys were changed, or its clock was: sign again, once
    return attempt();
  }
}

export function query(path, values) {
  const asked = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== undefined && value !== ""));
  return asked.size ? `${path}?${asked}` : path;
}

export const get = (path, values = {}) => ask("GET", query(path, values));
const kept = new Map();
// What is the same for everybody and changes rarely: asked for once.
export function getOnce(path) {
  if (!kept.has(path)) kept.set(path, ask("GET", path, { open: true }).catch((error) => (kept.delete(path), Promise.reject(error))));
  return kept.get(path);
}
