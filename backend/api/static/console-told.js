// What the company is told: notices, messages, and the webhooks that messages are sent to.
import { ask, get } from "./console-access.js";
import { announce, button, copied, h, has, link, more, note, now, paged, pairs, quantityText, quiet, say, sheet, state, time, yuan } from "./console-core.js";
import { act, form, text, ticks } from "./console-forms.js";

const KINDS = new Map(JSON.parse(document.body.dataset.kinds));
const kindText = (kind) => (KINDS.has(kind) ? say(KINDS.get(kind)) : has(`message_${kind}`) ? say(`message_${kind}`) : kind);

// --- messages ---

export async function messages() {
  const notices = await told("/v1/notices", (one) => one.kind, (one) => one.body);
  const happened = await told("/v1/messages", (one) => one.type, (one) => one.data);
  return [
    quiet(say("messages_text")),
    notices && sheet(say("notices"), notices),
    sheet(say("happened"), happened ?? quiet(say("no_messages"))),
    h("p", {}, link("#webhooks", `${say("webhooks")} →`)),
  ];
}

// A list of what was told, and its next pages; undefined where there is nothing.
async function told(path, kind, body) {
  const line = (one) => h("li", {}, h("p", {}, h("b", {}, kindText(kind(one))), " ", h("small", {}, time(one.made_at))), body(one).zh && h("p", {}, say(body(one))), figures(body(one)));
  const read = (cursor) => get(path, { cursor });
  const first = await read();
  if (first.items.length === 0) return undefined;
  const list = h("ul", { class: "messages" }, first.items.map(line));
  return [list, more(first.next_cursor, read, (items) => list.append(...items.map(line)))];
}

// What a message is about, with links to it.
function figures(body) {
  const shown = [
    body.order && link(`#orders/${body.order}`, say("order_number", { number: body.order })),
    body.certificate && link(`#certificates/${body.certificate}`, body.certificate),
    body.standing_order && link("#standing", say("standing_number", { number: body.standing_order })),
    body.batch && say("batch_number", { number: body.batch }),
    body.quantity_g && quantityText(body.quantity_g), body.amount_fen && yuan(body.amount_fen),
    body.state && has(`state_${body.state}`) && state(body.state), typeof body.name === "string" && body.name, body.uscc && h("code", {}, body.uscc), typeof body.note === "string" && body.note,
    body.problem && has(`problem_${body.problem}`) && say(`problem_${body.problem}`),
  ].filter(Boolean);
  return shown.length > 0 && h("p", { class: "links" }, shown.map((one) => h("span", {}, one)));
}

// --- webhooks ---

export async function webhooks(number, show) {
  const { items } = await get("/v1/webhooks");
  const found = number && items.find((one) => String(one.id) === number);
  if (number && found) return webhook(found, show);
  const url = text("url", { label: say("url"), hint: say("url_hint"), required: true, longest: 2000 });
  url.control.type = "url";
  const kinds = ticks("kinds", { label: say("kinds"), hint: say("kinds_hint"), choices: [...KINDS].map(([kind, words]) => [kind, say(words)]) });
  return [
    quiet(say("webhooks_text")),
    items.length ? items.map((one) => sheet(undefined, h("h2", { class: "url" }, link(`#webhooks/${one.id}`, one.url)), standing(one))) : sheet(undefined, quiet(say("no_webhooks"))),
    form({ name: say("new_webhook"), submit: say("make_webhook"), fields: () => [url, kinds], content: [h("h2", {}, say("new_webhook")), url.node, kinds.node],
      send: (body, key) => ask("POST", "/v1/webhooks", { body, key }), done: (made, here) => showSecret(made, here) }),
  ];
}

function standing(one) {
  const mark = one.disabled_at ? "disabled" : one.failing_since ? "failing" : "working";
  return pairs([say("state"), state(mark)], [say("kinds"), one.kinds.length ? one.kinds.map(kindText).join(say("comma")) : say("all_kinds")],
    [say("waiting"), one.waiting > 0 && `${one.waiting}`], [say("failing_since"), one.failing_since && time(one.failing_since)],
    [say("disabled_at"), one.disabled_at && [time(one.disabled_at), h("small", {}, one.disabled_for)]], [say("old_until"), one.old_until && time(one.old_until)], [say("made"), time(one.made_at)]);
}

// The secret is told once: it is shown until the person goes on.
function showSecret(one, here) {
  const told = h("section", { class: "sheet", tabindex: "-1", "aria-label": say("secret") }, h("h2", {}, say("secret")), note(say("secret_once"), "draft"), h("p", {}, copied(one.secret)),
    h("p", {}, link(`#webhooks/${one.id}`, `${say("go_on")} →`)));
  here.replaceWith(told);
  announce(say("secret_once"));
  told.focus();
}

async function webhook(one, show) {
  const path = `/v1/webhooks/${one.id}`;
  const again = (words) => async () => (await show(), announce(say(words)));
  const columns = [{ title: say("time") }, { title: say("message") }, { title: say("attempt"), right: true }, { title: say("outcome") }, { title: say("took"), right: true }];
  const cells = (each) => [time(each.at), [kindText(each.kind), h("small", {}, h("code", {}, each.message))], `${each.attempt}`, each.status ? `HTTP ${each.status}` : (each.error ?? "—"), `${each.took_ms} ms`];
  const secret = h("div", { class: "act" });
  const rotate = act(say("rotate_secret"), (key) => ask("POST", `${path}/secret`, { key }), (made) => showSecret(made, secret), { question: say("rotate_question") });
  secret.append(rotate);
  return { title: say("webhook"), nodes: [
    sheet(undefined, h("h2", { class: "url" }, one.url), standing(one),
      h("div", { class: "acts" },
        act(say("send_test"), (key) => ask("POST", `${path}/test`, { key }), again("test_sent")),
        one.disabled_at && act(say("enable"), (key) => ask("POST", `${path}/enable`, { key }), again("enabled_said")),
        act(say("replay"), (key) => ask("POST", "/v1/messages/replay", { body: { webhook: one.id, since: new Date(now() - 86_400_000).toISOString() }, key }), again("replay_said"), { question: say("replay_question") }),
        secret,
        one.old_until && act(say("drop_old"), (key) => ask("DELETE", `${path}/secret/old`, { key }), again("dropped_said")),
        act(say("remove_webhook"), (key) => ask("DELETE", path, { key }), () => (location.hash = "webhooks"), { question: say("remove_question"), kind: "plain bad" }))),
    sheet(say("deliveries"), await paged(say("deliveries"), columns, (cursor) => get(`${path}/deliveries`, { cursor }), cells, say("no_deliveries")), button(say("look_again"), () => show({ focus: false }), "plain")),
    h("p", {}, link("#webhooks", `← ${say("webhooks")}`)),
  ] };
}
