// The company console: who is signed in, and which view is shown. A view is a function that gives its nodes; the hash names it.
import { client, readKey, Refusal, signIn, signInAgain, signOut } from "./console-access.js";
import { announce, at, h, language, say } from "./console-core.js";
import * as company from "./console-company.js";
import * as credits from "./console-credits.js";
import { explain, problem, text, tick } from "./console-forms.js";
import * as offers from "./console-offers.js";
import * as orders from "./console-orders.js";
import * as retire from "./console-retire.js";
import * as told from "./console-told.js";

const VIEWS = {
  offers: offers.offers, orders: orders.orders, standing: orders.standing, holdings: credits.holdings, retire: retire.retire,
  transfer: credits.transfer, certificates: credits.certificates, invoices: orders.invoices, entities: company.entities,
  boundary: company.boundary, messages: told.messages, webhooks: told.webhooks,
};

let shown = 0;

// --- the frame ---

function showFrame() {
  const inside = Boolean(client());
  at("views").hidden = at("menu").hidden = at("who").hidden = !inside;
  at("client").textContent = client() ?? "";
  for (const a of at("views").querySelectorAll("a")) {
    if (a.hash.slice(1) === location.hash.slice(1).split("/")[0]) a.setAttribute("aria-current", "page");
    else a.removeAttribute("aria-current");
  }
  openMenu(false);
}

function openMenu(open) {
  at("menu").setAttribute("aria-expanded", String(open));
  document.body.classList.toggle("open", open);
}

function put(title, nodes) {
  const heading = h("h1", { tabindex: "-1" }, title);
  document.title = `${title} · ${say("console")} · ${say("brand")}`;
  at("view").replaceChildren(heading, ...[nodes].flat(9).filter(Boolean));
  return heading;
}

// --- views ---

async function show({ focus = true } = {}) {
  const turn = (shown += 1);
  if (!client()) return put(say("sign_in"), signInForm());
  const [name, about] = location.hash.slice(1).split("/");
  if (!Object.hasOwn(VIEWS, name)) return location.replace("#offers");
  showFrame();
  at("main").setAttribute("aria-busy", "true");
  let nodes;
  try {
    nodes = await VIEWS[name](about, show);
  } catch (error) {
    if (client()) nodes = [problem(error), h("p", {}, h("button", { type: "button", class: "second", onclick: show }, say("try_again")))];
    else return undefined;
  }
  if (turn !== shown) return undefined; // something else was asked for meanwhile
  at("main").setAttribute("aria-busy", "false");
  const heading = put(nodes.title ?? say(name), nodes.nodes ?? nodes);
  scrollTo(0, 0);
  if (focus) heading.focus({ preventScroll: true });
  return heading;
}

// --- signing in ---

function signInForm(refused) {
  const name = text("client", { label: say("client_id"), hint: say("client_hint"), required: true, longest: 64 });
  name.control.autocomplete = "username";
  const pasted = text("key", { label: say("key_text"), longest: 4000, long: true, required: true });
  pasted.control.spellcheck = false;
  const file = h("input", { type: "file", id: "key-file", accept: ".json,.jwk,.jwks,application/json", "aria-describedby": "key-hint" });
  const chosen = h("span", { class: "quiet" }, say("no_file"));
  file.addEventListener("change", () => (chosen.textContent = file.files[0]?.name ?? say("no_file")));
  const remember = tick("remember", { label: say("remember"), hint: say("remember_hint") });
  const problems = h("div", { class: "problems" }, refused && problem(refused));
  const go = h("button", { type: "submit" }, say("sign_in"));

  async function enter(event) {
    event.preventDefault();
    problems.replaceChildren();
    for (const field of [name, pasted]) field.mark();
    go.disabled = true;
    try {
      if (!name.control.value.trim()) return (name.mark(say("missing")), name.control.focus());
      const typed = file.files[0] ? await file.files[0].text() : pasted.control.value;
      if (!typed.trim()) return (pasted.mark(say("key_missing")), file.focus());
      await signIn({ client: name.read(), ...(await readKey(typed)) }, remember.read());
      pasted.control.value = file.value = "";
      announce(say("signed_in"));
      await show();
    } catch (error) {
      problems.replaceChildren(problem(error));
    } finally {
      go.disabled = false;
    }
    return undefined;
  }

  return [
    h("p", { class: "lead" }, say("console_lead")),
    h("form", { class: "sheet entry", novalidate: true, "aria-label": say("sign_in"), onsubmit: enter },
      name.node,
      h("div", { class: "field" }, h("label", { for: "key-file" }, say("key_file")),
        h("div", { class: "file" }, file, h("label", { for: "key-file", class: "button second", "aria-hidden": "true" }, say("choose_file")), chosen), h("small", { id: "key-hint" }, say("key_hint"))),
      h("details", {}, h("summary", {}, say("paste_key")), pasted.node),
      remember.node, problems, h("p", { class: "actions" }, go)),
    h("p", { class: "note stays" }, h("b", {}, say("key_stays")), say("key_stays_text")),
  ];
}

async function leave() {
  await signOut();
  showFrame();
  put(say("sign_in"), signInForm()).focus();
  announce(say("signed_out"));
}

// --- language ---

// Changed in place: a page that is loaded anew has forgotten who is signed in.
function changeLanguage(event) {
  event.preventDefault();
  const to = language() === "zh" ? "en" : "zh";
  document.documentElement.lang = to === "zh" ? "zh-CN" : "en";
  for (const one of document.querySelectorAll("[data-say]")) one.textContent = say(one.dataset.say);
  history.replaceState(null, "", `?lang=${to}${location.hash}`);
  nameLinks();
  show({ focus: false });
}

function nameLinks() {
  const other = language() === "zh" ? "en" : "zh";
  at("language").textContent = say("other_language");
  at("language").lang = at("language").hreflang = other === "zh" ? "zh-CN" : "en";
  at("views").setAttribute("aria-label", say("views"));
  at("home").href = `/console?lang=${language()}`;
  for (const a of document.querySelectorAll("a.keeps")) a.href = `${new URL(a.href).pathname}?lang=${language()}`;
}

async function begin() {
  at("language").addEventListener("click", changeLanguage);
  at("leave").addEventListener("click", leave);
  at("menu").addEventListener("click", () => openMenu(at("menu").getAttribute("aria-expanded") !== "true"));
  at("home").addEventListener("click", (event) => (event.preventDefault(), (location.hash = "offers")));
  at("skip").addEventListener("click", (event) => (event.preventDefault(), at("main").focus()));
  addEventListener("hashchange", () => show());
  at("views").addEventListener("click", (event) => event.target.hash === location.hash && show()); // shown anew
  try {
    await signInAgain();
    await show({ focus: false });
  } catch (error) {
    put(say("sign_in"), signInForm(error instanceof Refusal ? error : undefined));
    announce(explain(error).title);
  }
  document.body.dataset.ready = "yes";
}

await begin();
