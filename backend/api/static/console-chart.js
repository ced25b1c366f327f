// What was paid in the last year, day by day, and what was asked for: drawn by hand as SVG, and told as tables.
import { day, h, now, perTonne, quantityText, say, yuan } from "./console-core.js";

const DAY = 86_400_000;
const TONNE = 1_000_000;

export const priceFor = (tiers, grams) => tiers.findLast((tier) => tier.from_g <= grams)?.price_fen_per_tonne;

// A province's rule holds for its cities, too.
const within = (place, whole) => place === whole || (whole.endsWith("0000") && place.slice(0, 2) === whole.slice(0, 2));

function fits(rule, filter) {
  if (rule.batch !== null) return false;
  if (rule.region && !(filter.region && within(filter.region, rule.region))) return false;
  return ["methodology", "vintage"].every((name) => !rule[name] || rule[name] === filter[name]);
}

const scope = (rule) => [rule.region, rule.methodology, rule.vintage].join("|");
// The rule that names most holds, a city above a province, of those the newest.
const rank = (rule) => [[rule.region, rule.methodology, rule.vintage].filter(Boolean).length, Number(Boolean(rule.region) && !rule.region.endsWith("0000")), Date.parse(rule.valid_from), rule.id];
const above = (one, other) => {
  const place = one.findIndex((part, at) => part !== other[at]);
  return place >= 0 && one[place] > other[place];
};

// What a tonne was asked for of all that fits the filter: [{at, fen}], a step each.
export function asking(rules, filter) {
  const fitting = rules.filter((rule) => fits(rule, filter)).sort((one, other) => Date.parse(one.valid_from) - Date.parse(other.valid_from) || one.id - other.id);
  const newest = new Map();
  const steps = [];
  for (const rule of fitting) {
    newest.set(scope(rule), rule);
    const best = [...newest.values()].filter((one) => one.tiers.length).reduce((best, one) => (best && !above(rank(one), rank(best)) ? best : one), undefined);
    const fen = best && priceFor(best.tiers, TONNE);
    if (steps.at(-1)?.fen !== fen) steps.push({ at: Date.parse(rule.valid_from), fen });
  }
  return steps.filter((step) => step.at <= now());
}

// Whole steps of 1, 2 or 5 yuan times ten to whatever gives three to six lines.
function lines(low, high) {
  const widths = [100, 200, 500].flatMap((one) => [1, 10, 100, 1000, 10_000].map((times) => one * times)).sort((one, other) => one - other);
  const width = widths.find((one) => (high - low) / one <= 4) ?? widths.at(-1);
  const first = Math.max(0, Math.floor(low / width) * width - (low % width ? 0 : width));
  const found = [first];
  while (found.at(-1) < high || found.length < 3) found.push(found.at(-1) + width);
  return found;
}

export function chart(days, steps) {
  const until = now();
  const since = until - 365 * DAY;
  const asked = steps.filter((step, place) => step.fen !== undefined && (steps[place + 1]?.at ?? until) > since);
  const fens = [...days.flatMap((one) => [one.low_fen_per_tonne, one.high_fen_per_tonne]), ...asked.map((step) => step.fen)].map(Number);
  if (fens.length === 0) return undefined;
  const narrow = matchMedia("(max-width: 700px)").matches;
  const [width, height, left, right, top, bottom] = narrow ? [350, 210, 52, 10, 12, 26] : [540, 240, 54, 12, 14, 28];
  const grid = lines(Math.min(...fens), Math.max(...fens));
  const x = (instant) => (left + ((Math.max(instant, since) - since) / (until - since)) * (width - left - right)).toFixed(1);
  const y = (fen) => (height - bottom - ((Number(fen) - grid[0]) / (grid.at(-1) - grid[0])) * (height - top - bottom)).toFixed(1);
  const middle = (one) => Date.parse(`${one.on}T12:00:00+08:00`);

  return h("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summary(days, asked) },
    grid.map((fen) => [h("line", { class: "grid", x1: left, x2: width - right, y1: y(fen), y2: y(fen) }), h("text", { x: left - 8, y: Number(y(fen)) + 4, "text-anchor": "end" }, yuan(fen).replace(/\.00$/u, ""))]),
    months(since, until, narrow ? 4 : 3).map(([instant, name]) => h("text", { x: x(instant), y: height - 8, "text-anchor": "middle" }, name)),
    asked.length > 0 && h("path", { class: "asked", d: stairs(steps, since, until, x, y) }),
    days.map((one) => h("line", { class: "span", x1: x(middle(one)), x2: x(middle(one)), y1: y(one.low_fen_per_tonne), y2: y(one.high_fen_per_tonne) })),
    h("polyline", { class: "paid", points: days.map((one) => `${x(middle(one))},${y(one.average_fen_per_tonne)}`).join(" ") }),
    days.map((one) => h("circle", { class: "paid", cx: x(middle(one)), cy: y(one.average_fen_per_tonne), r: 3.5 }, h("title", {}, `${one.on}: ${perTonne(one.average_fen_per_tonne)}, ${quantityText(one.quantity_g)}`))));
}

function stairs(steps, since, until, x, y) {
  return steps.map((step, place) => {
    const end = steps[place + 1]?.at ?? until;
    if (step.fen === undefined || end <= since) return "";
    const before = steps[place - 1];
    const joined = before?.fen !== undefined && step.at > since;
    return `${joined ? `L${x(step.at)} ${y(before.fen)} L` : "M"}${x(step.at)} ${y(step.fen)} L${x(end)} ${y(step.fen)}`;
  }).join(" ");
}

function months(since, until, every) {
  const found = [];
  const first = new Date(since + 8 * 3_600_000);
  for (let ahead = 1; ; ahead += 1) {
    const instant = Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + ahead) - 8 * 3_600_000;
    if (instant > until - 10 * DAY) return found;
    if (ahead % every === 1 % every) found.push([instant, day(instant).slice(0, 7)]);
  }
}

function summary(days, asked) {
  const last = days.at(-1);
  const paid = last ? say("chart_paid", { on: last.on, price: perTonne(last.average_fen_per_tonne) }) : say("chart_unsold");
  return asked.length ? `${paid} ${say("chart_asked", { price: perTonne(asked.at(-1).fen) })}` : paid;
}
