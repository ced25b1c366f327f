// The page where a proof is checked: files come in by drop or choice, stay in this browser, and a verdict is shown for each.
// The policy of the page lets it connect to nothing; once it is loaded it works without a network.
import { isSame, obstacle } from "./verify-bytes.js";
import { SUBJECTS, check, sortFile } from "./verify-check.js";
import { FILE_MAX_BYTES } from "./verify-json.js";
import { readKeys } from "./verify-note.js";
import { card, h, say } from "./verify-show.js";

const at = (id) => document.getElementById(id);
const platformKeys = JSON.parse(document.body.dataset.keys).join("\n");
const words = JSON.parse(document.body.dataset.words);

let files = []; // what was given: {name, bytes, kind, content}
let known; // the text of a checkpoint that the person kept
let round = 0; // of the checks: an older one that ends late is not shown

// --- what is trusted ---

// What verify-check.js takes for its `trusted`. Refuses keys that cannot be read.
async function trusted() {
  const own = at("key").value.trim();
  const keys = await readKeys(own || platformKeys);
  const of = (kind) => files.filter((file) => file.kind === kind);
  return {
    keys,
    demanded: own ? keys.filter((key) => key.kind !== 1) : [], // who names witnesses wants their word
    known,
    words,
    growth: of("growth").at(-1)?.content,
    packs: of("pack").map((file) => file.bytes),
  };
}

async function showKeys() {
  const own = at("key").value.trim();
  at("back").hidden = !own;
  at("ours").hidden = Boolean(own);
  at("trusted").textContent = say(own ? "trust_yours" : "trust_platform");
  at("trust").classList.toggle("yours", Boolean(own));
  let wrong = "";
  let keys = [];
  try {
    keys = await readKeys(own || platformKeys);
  } catch (error) {
    wrong = say(`no_${error.reason ?? "malformed"}`, error.details ?? { what: error.message });
  }
  at("key").setAttribute("aria-invalid", String(Boolean(wrong)));
  at("key-wrong").textContent = wrong;
  const unique = new Map([...keys].sort((one, other) => (one.name === undefined) - (other.name === undefined)).map((key) => [`${key.kind} ${key.raw}`, key]).reverse());
  at("keys").replaceChildren(...[...unique.values()].reverse().map((key) => h("li", {}, say(key.kind === 1 ? "key_platform" : "key_witness"), " ", h("code", {}, key.text))));
}

// --- checking and showing ---

async function checkAll() {
  round += 1;
  const mine = round;
  await showKeys();
  const subjects = files.filter((file) => SUBJECTS.includes(file.kind));
  const verdicts = [];
  for (const file of subjects) verdicts.push(await verdictOn(file));
  if (mine !== round) return;
  at("verdicts").replaceChildren(...verdicts.map(card));
  showFiles();
  const counts = ["holds", "open", "refused"].map((one) => verdicts.filter((made) => made.verdict === one).length);
  at("said").textContent = verdicts.length ? say("said", { holds: counts[0], open: counts[1], refused: counts[2] }) : "";
  at("verdicts").dataset.round = String(mine);
}

async function verdictOn(file) {
  try {
    return await check(file, await trusted());
  } catch (error) {
    return { file, verdict: "refused", reason: error.reason ?? "malformed", details: error.details ?? { what: error.message }, steps: [] };
  }
}

function showFiles() {
  at("given").replaceChildren(...files.map((file, place) => h("li", {},
    h("span", {}, say(`kind_${file.kind}`)), " ", h("small", {}, file.name),
    h("button", { type: "button", class: "plain", onclick: () => remove(place), "aria-label": say("remove_file", { name: file.name }) }, say("remove")))));
  at("anew").hidden = files.length === 0;
  const lone = files.length > 0 && !files.some((file) => SUBJECTS.includes(file.kind)) ? "lone" : !known && files.some((file) => file.kind === "growth") ? "lone_growth" : "";
  at("lone").hidden = !lone;
  at("lone").textContent = lone && say(lone);
}

function remove(place) {
  files = files.filter((_, other) => other !== place);
  checkAll();
  at("files").focus();
}

// --- files come in ---

// A file's name and content; of one that is too large only as much as shows that it is.
const taken = async (file) => ({ name: file.name, bytes: new Uint8Array(await file.slice(0, FILE_MAX_BYTES + 1).arrayBuffer()) });

async function take(list) {
  for (const { name, bytes } of await Promise.all([...list].map(taken))) {
    const file = sortFile(name, bytes);
    if (file.kind === "keys") useKeys(file.content);
    else files = [...files.filter((other) => !isReplaced(other, file)), file];
  }
  await checkAll();
  at("verdicts").firstElementChild?.scrollIntoView({ block: "nearest" });
}

// Of packs there may be several of one name; of anything else a file of the same name is a newer one.
const isReplaced = (other, file) => other.kind === file.kind && (file.kind === "pack" ? isSame(other.bytes, file.bytes) : other.name === file.name);

function useKeys(text) {
  at("key").value = text.trim();
  at("trust").open = true;
}

async function takeKnown([file]) {
  known = file && new TextDecoder().decode((await taken(file)).bytes);
  at("kept").textContent = file ? say("kept", { name: file.name }) : "";
  await checkAll();
}

function drops(event) {
  event.preventDefault();
  at("drop").classList.toggle("over", event.type === "dragover");
  if (event.type === "drop") take(event.dataTransfer.files);
}

function start() {
  for (const name of ["dragover", "dragleave", "drop"]) document.addEventListener(name, drops);
  at("files").addEventListener("change", async () => {
    const chosen = [...at("files").files];
    at("files").value = ""; // so that the same file can be chosen again
    await take(chosen);
  });
  at("known").addEventListener("change", () => takeKnown(at("known").files));
  at("key").addEventListener("input", checkAll);
  at("keyfile").addEventListener("change", async () => {
    for (const { bytes } of await Promise.all([...at("keyfile").files].map(taken))) useKeys(new TextDecoder().decode(bytes));
    at("keyfile").value = "";
    await checkAll();
  });
  at("back").addEventListener("click", () => {
    at("key").value = "";
    checkAll();
    at("key").focus();
  });
  at("anew").addEventListener("click", () => {
    files = [];
    checkAll();
    at("files").focus();
  });
}

const hindrance = await obstacle();
if (hindrance) {
  at("obstacle").textContent = say(hindrance);
  at("obstacle").hidden = false;
  at("check").hidden = true;
} else {
  start();
  await checkAll();
}
document.body.dataset.ready = "true";
