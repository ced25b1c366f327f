// Formulas: the Python text of a few lines that pack.json holds, read and calculated here in exact fractions.
// Names, whole numbers, decimals in quotes, + - * /, one comparison in a conditional expression; anything else is refused.
import { Refused, refuseUnless } from "./verify-bytes.js";

export const FUNCTIONS = ["baseline_g", "project_g", "leakage_g"];

// --- fractions: {n, d} in lowest terms, d > 0 ---

function gcd(a, b) {
  while (b) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

export function fraction(n, d = 1n) {
  const [top, bottom] = [BigInt(n), BigInt(d)];
  const common = gcd(top, bottom) || 1n;
  return bottom < 0n ? { n: -top / common, d: -bottom / common } : { n: top / common, d: bottom / common };
}

const plus = (a, b) => fraction(a.n * b.d + b.n * a.d, a.d * b.d);
export const minus = (a, b) => fraction(a.n * b.d - b.n * a.d, a.d * b.d);
export const times = (a, b) => fraction(a.n * b.n, a.d * b.d);

export function over(a, b) {
  refuseUnless(b.n !== 0n, "formula_forbidden");
  return fraction(a.n * b.d, a.d * b.n);
}

export function floor({ n, d }) {
  const rest = ((n % d) + d) % d;
  return (n - rest) / d;
}

// "-1.5e-3" as a fraction.
export function decimal(text) {
  const [, sign, whole, behind = "", power = "0"] = /^(-?)([0-9]{1,30})(?:\.([0-9]{1,30}))?(?:e(-?[0-9]{1,2}))?$/u.exec(text) ?? [];
  refuseUnless(whole !== undefined, "decimal", { text: String(text).slice(0, 80) });
  const places = BigInt(behind.length) - BigInt(power);
  const digits = BigInt(sign + whole + behind);
  return places > 0n ? fraction(digits, 10n ** places) : fraction(digits * 10n ** -places);
}

// A fraction as decimal over per, `per` free of twos and fives: what has a finite decimal form gets per 1.
export function written({ n, d }) {
  let [per, places] = [d, 0n];
  while (per % 2n === 0n || per % 5n === 0n) {
    per /= per % 10n === 0n ? 10n : per % 2n === 0n ? 2n : 5n;
    places += 1n;
  }
  const scaled = (n * per * 10n ** places) / d;
  const behind = Number(places);
  const digits = String(scaled < 0n ? -scaled : scaled).padStart(behind + 1, "0");
  const text = behind ? `${digits.slice(0, -behind)}.${digits.slice(-behind)}` : digits;
  return { value: (n < 0n ? "-" : "") + text, per: String(per) };
}

// --- reading: text -> lines of tokens -> {args, locals: [[name, node]], result} a function ---

const forbidden = () => new Refused("formula_forbidden");
const TOKEN = /[ \t\f]+|#[^\n]*|"""(?:[^"\\]|"(?!""))*"""|"[^"\\\n]*"|'[^'\\\n]*'|[A-Za-z_][A-Za-z0-9_]*|[0-9]+|[<>=!]=|[-+*/<>=(),:]|\n/y;
const WORDS = new Set(["if", "else", "def", "return"]);

// Logical lines {indented, tokens}: a line goes on while a bracket is open.
function lines(text) {
  const made = [];
  let [line, depth] = [undefined, 0];
  for (let place = 0; place < text.length; place = TOKEN.lastIndex) {
    TOKEN.lastIndex = place;
    const token = TOKEN.exec(text)?.[0];
    if (token === undefined) throw forbidden();
    if (token === "\n") line = depth ? line : undefined;
    if (token === "\n" || token[0] === "#" || /^[ \t\f]/u.test(token)) continue;
    if (!line) made.push((line = { indented: place > 0 && text[place - 1] !== "\n", tokens: [] }));
    depth += token === "(" ? 1 : token === ")" ? -1 : 0;
    line.tokens.push(token);
  }
  return made;
}

class Tokens {
  constructor(tokens) {
    this.tokens = tokens;
    this.place = 0;
  }

  get next() {
    return this.tokens[this.place];
  }

  takes(...signs) {
    return signs.includes(this.next) ? this.tokens[this.place++] : undefined;
  }

  must(sign) {
    if (this.takes(sign) === undefined) throw forbidden();
  }

  name() {
    const found = this.next;
    if (found === undefined || !/^[A-Za-z_]/u.test(found) || WORDS.has(found)) throw forbidden();
    this.place += 1;
    return found;
  }

  end() {
    if (this.next !== undefined) throw forbidden();
  }

  expression() {
    const body = this.comparison();
    if (!this.takes("if")) return body;
    const test = this.comparison();
    this.must("else");
    return { kind: "choice", test, body, otherwise: this.expression() };
  }

  comparison() {
    const left = this.chain(["+", "-"], () => this.chain(["*", "/"], () => this.factor()));
    const op = this.takes("<", "<=", ">", ">=", "==", "!=");
    if (!op) return left;
    return { kind: "compare", op, left, right: this.chain(["+", "-"], () => this.chain(["*", "/"], () => this.factor())) };
  }

  chain(signs, part) {
    let left = part();
    for (let op = this.takes(...signs); op; op = this.takes(...signs)) left = { kind: "binary", op, left, right: part() };
    return left;
  }

  factor() {
    if (this.takes("-")) return { kind: "negative", of: this.factor() };
    if (this.takes("(")) {
      const inside = this.expression();
      this.must(")");
      return inside;
    }
    const token = this.next;
    if (token !== undefined && /^(?:0|[1-9][0-9]*)$/u.test(token)) return this.constant(fraction(token));
    if (token !== undefined && /^["']/u.test(token) && !token.startsWith('""')) return this.constant(decimal(token.slice(1, -1)));
    return { kind: "name", name: this.name() };
  }

  constant(value) {
    this.place += 1;
    return { kind: "constant", value };
  }
}

const isText = ({ tokens }) => tokens.length === 1 && /^["']/u.test(tokens[0]);

function head(tokens) {
  const read = new Tokens(tokens);
  read.must("def");
  const name = read.name();
  read.must("(");
  const args = [];
  while (!read.takes(")")) {
    args.push(read.name());
    if (!read.takes(",") && read.next !== ")") throw forbidden();
  }
  read.must(":");
  read.end();
  return { name, args };
}

function body(found) {
  const locals = [];
  for (const [place, line] of found.entries()) {
    if (place === 0 && isText(line)) continue;
    const read = new Tokens(line.tokens);
    const name = read.takes("return") ? undefined : read.name();
    if (name !== undefined) read.must("=");
    const node = read.expression();
    read.end();
    if (name === undefined) return { locals, result: node };
    locals.push([name, node]);
  }
  throw new Refused("formula_return");
}

// name -> function, of all three. Refuses.
export function readFormula(text) {
  const functions = new Map();
  const all = lines(text);
  for (const [place, line] of all.entries()) {
    if (line.indented) continue;
    if (place === 0 && isText(line)) continue;
    const { name, args } = head(line.tokens);
    const rest = all.slice(place + 1);
    const after = rest.findIndex((other) => !other.indented);
    functions.set(name, { name, args, ...body(after < 0 ? rest : rest.slice(0, after)) });
  }
  refuseUnless(functions.size === FUNCTIONS.length && FUNCTIONS.every((name) => functions.has(name)), "formula_functions");
  return functions;
}

// --- calculating ---

const COMPARE = { "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b, "==": (a, b) => a === b, "!=": (a, b) => a !== b };
const ARITHMETIC = { "+": plus, "-": minus, "*": times, "/": over };

function valueOf(node, names) {
  if (node.kind === "constant") return node.value;
  if (node.kind === "name") return named(node.name, names);
  if (node.kind === "negative") return times(fraction(-1), valueOf(node.of, names));
  if (node.kind === "binary") return ARITHMETIC[node.op](valueOf(node.left, names), valueOf(node.right, names));
  if (node.kind !== "choice" || node.test.kind !== "compare") throw forbidden();
  const [left, right] = [valueOf(node.test.left, names), valueOf(node.test.right, names)];
  return valueOf(COMPARE[node.test.op](left.n * right.d, right.n * left.d) ? node.body : node.otherwise, names);
}

function named(name, names) {
  refuseUnless(names.has(name), "formula_name", { name });
  return names.get(name);
}

// The result of a function; names: Map of fractions.
export function call(found, names) {
  const local = new Map(found.args.map((name) => [name, named(name, names)]));
  for (const [name, node] of found.locals) local.set(name, valueOf(node, local));
  return valueOf(found.result, local);
}

// 1 where more of `name` makes more of the result, -1 where it makes less, 0 where it is absent or neither.
export function signOf(found, name) {
  const local = new Map(found.locals);
  const signs = new Set();
  const visit = (node, sign) => {
    if (node.kind === "name" && node.name === name) signs.add(sign);
    else if (node.kind === "name" && local.has(node.name)) visit(local.get(node.name), sign);
    else if (node.kind === "negative") visit(node.of, -sign);
    else if (node.kind === "binary") {
      visit(node.left, sign);
      visit(node.right, ["-", "/"].includes(node.op) ? -sign : sign);
    } else if (node.kind === "choice") {
      if (holds(node.test, name)) signs.add(0);
      visit(node.body, sign);
      visit(node.otherwise, sign);
    }
  };
  visit(found.result, 1);
  return signs.size === 1 ? [...signs][0] : 0;
}

// Whether a name stands anywhere in an expression.
function holds(node, name) {
  if (node.kind === "name") return node.name === name;
  return ["left", "right", "of", "test", "body", "otherwise"].some((part) => node[part] && holds(node[part], name));
}
