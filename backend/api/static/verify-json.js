// JSON, read strictly: what two readers could take for two things is refused. Written canonically (RFC 8785).
import { Refused, refuseUnless, textOf, utf8 } from "./verify-bytes.js";

export const FILE_MAX_BYTES = 16 * 1024 * 1024;
const DEPTH_MAX = 100;

const SPACE = /[ \t\n\r]*/y;
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const WORD = /true|false|null/y;
const WORDS = { true: true, false: false, null: null };

// The value of a JSON file. Objects have no prototype, so that no name in them means anything by itself.
// Refuses names that are there twice, numbers that are not whole or beyond 2^53, half characters, and deep nesting.
export function read(bytes) {
  refuseUnless(bytes.length <= FILE_MAX_BYTES, "file_large");
  return readText(textOf(bytes));
}

export function readText(text) {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.place = 0;
    this.skip();
  }

  take(pattern) {
    pattern.lastIndex = this.place;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.place += found.length;
    return found;
  }

  skip() {
    this.take(SPACE);
  }

  // Whether the next sign is this one, which is then behind us.
  takes(sign) {
    if (this.text[this.place] !== sign) return false;
    this.place += 1;
    this.skip();
    return true;
  }

  broken() {
    return new Refused("json_broken", { place: this.place + 1 });
  }

  end() {
    if (this.place !== this.text.length) throw this.broken();
  }

  value(depth) {
    refuseUnless(depth <= DEPTH_MAX, "json_deep");
    if (this.takes("{")) return this.members(depth);
    if (this.takes("[")) return this.items(depth);
    if (this.text[this.place] === '"') return this.string();
    const word = this.take(WORD);
    const value = word === undefined ? this.number() : WORDS[word];
    this.skip();
    return value;
  }

  string() {
    const found = this.take(STRING);
    if (found === undefined) throw this.broken();
    this.skip();
    const text = JSON.parse(found);
    refuseUnless(text.isWellFormed(), "json_surrogate");
    return text;
  }

  number() {
    const found = this.take(NUMBER);
    if (found === undefined) throw this.broken();
    refuseUnless(/^-?[0-9]+$/u.test(found), "json_float", { shown: found.slice(0, 80) });
    const number = Number(found) + 0; // -0 is 0
    refuseUnless(Number.isSafeInteger(number), "json_beyond", { shown: found.slice(0, 80) });
    return number;
  }

  members(depth) {
    const made = Object.create(null);
    if (this.takes("}")) return made;
    do {
      const name = this.text[this.place] === '"' ? this.string() : undefined;
      if (name === undefined || !this.takes(":")) throw this.broken();
      refuseUnless(!(name in made), "json_twice", { name: name.slice(0, 80) });
      made[name] = this.value(depth + 1);
    } while (this.takes(","));
    if (!this.takes("}")) throw this.broken();
    return made;
  }

  items(depth) {
    const made = [];
    if (this.takes("]")) return made;
    do made.push(this.value(depth + 1));
    while (this.takes(","));
    if (!this.takes("]")) throw this.broken();
    return made;
  }
}

// The text of a value by RFC 8785: names in the order of their UTF-16 units, no blanks.
export function canonicalText(value) {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (value !== null && typeof value === "object") {
    return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonicalText(value[name])}`).join(",")}}`;
  }
  refuseUnless(value === null || ["string", "boolean"].includes(typeof value) || Number.isSafeInteger(value), "malformed", { what: typeof value });
  return JSON.stringify(value);
}

export const canonical = (value) => utf8(canonicalText(value));
export const isEqual = (one, other) => one !== undefined && other !== undefined && canonicalText(one) === canonicalText(other);

// --- what a member must be: each gives the value back ---

function must(holds, value, name) {
  if (!holds) throw new Refused("malformed", { what: name });
  return value;
}

export const object = (value, name) => must(value !== null && typeof value === "object" && !Array.isArray(value), value, name);
export const list = (value, name) => must(Array.isArray(value), value, name);
export const string = (value, name) => must(typeof value === "string", value, name);
export const integer = (value, name) => must(Number.isSafeInteger(value), value, name);

export function whole(value, name) {
  refuseUnless(Number.isSafeInteger(value) && value >= 0, "whole", { what: name });
  return value;
}

export const sum = (values) => values.reduce((total, value) => total + BigInt(value), 0n);

// That an object has these members and no others; optional: those it may have besides.
export function members(value, names, what, optional = []) {
  object(value, what);
  const wrong = [...names.filter((name) => !(name in value)), ...Object.keys(value).filter((name) => ![...names, ...optional].includes(name))];
  refuseUnless(wrong.length === 0, "members", { what, names: names.join(", "), wrong: wrong.slice(0, 5).join(", ").slice(0, 200) });
  return value;
}
