// Words in Chinese and English, and how numbers, masses and times are written.

import { wx } from "./wx.js";

const WORDS = {
  app: ["碳普惠", "Tanpuhui"],
  slogan: ["每一次绿色行动，都算数", "Every green act counts, once"],
  login: ["手机号一键登录", "Log in with phone"],
  agree: ["平台不保存手机号，也不保存行踪", "We keep neither your number nor your tracks"],
  home: ["首页", "Home"],
  deeds: ["记录", "Deeds"],
  me: ["我的", "Me"],
  detail: ["记录详情", "Deed"],
  points: ["积分", "Points"],
  myPoints: ["我的积分", "My points"],
  reduction: ["累计减排", "Total reduction"],
  lastDays: ["最近 7 天减排", "Reduction, last 7 days"],
  total7: ["共", "Sum"],
  recent: ["最近记录", "Latest deeds"],
  all: ["全部", "All"],
  more: ["加载更多", "Load more"],
  end: ["没有更多了", "That is all"],
  none: ["还没有记录", "No deeds yet"],
  noneHint: ["关联出行、回收等应用后，你的绿色行动会出现在这里", "Link a partner app, and your green acts will appear here"],
  loading: ["正在加载", "Loading"],
  retry: ["重试", "Try again"],
  network: ["网络不可用，请稍后重试", "No connection, please try again"],
  denied: ["你取消了登录", "Log-in was cancelled"],
  internal: ["服务开小差了，请稍后重试", "Something went wrong, please try again"],
  method: ["核算方法", "Method"],
  partner: ["来源应用", "Sent by"],
  started: ["开始时间", "Began"],
  ended: ["结束时间", "Ended"],
  lasted: ["用时", "Duration"],
  region: ["地区", "Region"],
  evidence: ["凭证", "Evidence"],
  order: ["订单", "Order"],
  device: ["设备记录", "Device record"],
  screenshot: ["截图", "Screenshot"],
  self_declared: ["本人申报", "Self-declared"],
  distance_m: ["距离", "Distance"],
  mass_g: ["重量", "Mass"],
  count: ["数量", "Number"],
  provisional: ["暂定", "Provisional"],
  deedNumber: ["行为编号", "Deed number"],
  inLog: ["公开日志", "Public log"],
  logPlace: ["第 {index} 条，共 {size} 条", "entry {index} of {size}"],
  logWaits: ["排队入日志，稍后可见", "waiting for its place"],
  inBatch: ["所在批次", "In batch"],
  retiredBy: ["已用于注销", "Retired by"],
  retiredCount: ["{count} 份证书", "{count} certificate(s)"],
  saveReceipt: ["保存收据", "Save the receipt"],
  receiptHint: ["收据可离线查验，只有持有收据的人能看到其中的内容", "A receipt can be checked offline; only who holds it sees what is in it"],
  countedBy: ["实际计入", "Counted through"],
  mass: ["减排量", "Reduction"],
  since: ["加入于", "Since"],
  linked: ["已关联的应用", "Linked apps"],
  noPartner: ["还没有关联应用", "No app is linked yet"],
  consents: ["我的授权", "My consents"],
  purpose_points: ["计算积分", "Earn points"],
  purpose_pool: ["归集减排量", "Pool reductions"],
  purpose_budget: ["个人碳预算", "Personal carbon budget"],
  purpose_statistics: ["统计研究", "Statistics"],
  given: ["已同意", "Agreed"],
  notGiven: ["未同意", "Not agreed"],
  language: ["语言", "Language"],
  logout: ["退出登录", "Log out"],
  privacy: ["只有你能看到自己的记录", "Only you can see your own deeds"],
  person: ["绿色行动者", "Green citizen"],
  credited: ["已计入", "Counted"],
  repeated: ["已收到", "Received"],
  duplicate_of: ["重复", "Duplicate"],
  in_review: ["核实中", "In review"],
  refused: ["未计入", "Not counted"],
  malformed: ["格式有误", "Malformed"],
  type_cycling: ["骑行", "Cycling"],
  type_metro: ["地铁出行", "Metro ride"],
  type_recycling: ["旧物回收", "Recycling"],
  type_plastic_substitution: ["减塑替代", "Plastic-free"],
  type_: ["绿色行动", "Green act"],
  today: ["今天", "Today"],
  yesterday: ["昨天", "Yesterday"],
  back: ["返回", "Back"],
  rule: ["规则：", "Rule: "],
  appeal: ["我有异议，申请复核", "I disagree: ask for a review"],
  appealHint: ["由工作人员重新查看这条记录，结果会显示在这里", "A person looks at this record again; the result is shown here"],
  appealWords: ["请说明哪里不对，例如：这是另一次骑行", "What is wrong? For example: this was another ride"],
  appealEmpty: ["请先写明理由", "Please say why first"],
  appealSent: ["已提交", "Sent"],
  appealOpen: ["申诉处理中，请稍候", "Under review, please wait"],
  send: ["提交", "Send"],
  cancel: ["取消", "Cancel"],
  earnings: ["我的收益", "My earnings"],
  earningsHint: ["你的减排量售出后，钱会分到这里", "When your reductions are sold, your share comes here"],
  balance: ["可提现余额（元）", "Balance to withdraw, yuan"],
  withdraw: ["提现", "Withdraw"],
  withdrawAmount: ["提现金额", "Amount"],
  withdrawAll: ["全部", "All"],
  withdrawAsk: ["提现 {amount}？", "Withdraw {amount}?"],
  withdrawHow: ["由工作人员付款。提交后会得到一个凭证号，领款时出示。", "Paid out by our staff. You get a reference to show when you collect the money."],
  withdrawBad: ["请填金额，最少 0.01，最多两位小数", "Please type an amount of 0.01 or more, with two decimals at most"],
  withdrawMuch: ["余额不足，最多可提 {amount}", "The balance is too small: {amount} at most"],
  withdrawSent: ["提现已登记", "Withdrawal noted"],
  withdrawUnknown: ["网络中断，不确定是否已提交；再试一次不会重复提现", "The connection broke. Trying again will not withdraw twice"],
  reference: ["凭证号", "Reference"],
  referenceHint: ["领款时向工作人员出示；付出之前，款项在途", "Show it to our staff to collect the money"],
  lines: ["明细", "Statement"],
  line_share: ["减排量售出分成", "Share of a sale"],
  line_payout: ["提现", "Withdrawal"],
  line_payout_failed: ["提现未成，已退回", "Withdrawal failed, money returned"],
  payout_requested: ["付款中", "On its way"],
  payout_done: ["已付款", "Paid"],
  payout_failed: ["未成", "Failed"],
  vintageOf: ["{month} 的行为", "acts of {month}"],
  demonstration: ["示范批次", "Demonstration batch"],
  ownPart: ["本人在该批的减排量", "Your own reduction in it"],
  batchIncome: ["该批累计售得", "That batch has sold for"],
  claimedBy: ["由谁注销", "Retired for"],
  claimNow: ["权益归属", "Who claims it now"],
  noLines: ["还没有收益", "No earnings yet"],
};

// Rules in words, by verdict code; {name} is a number of the rule, [...] is left out where one of its numbers is missing.
const RULES = {
  region_contradicts: ["坐标须在地区中心 {radius_km} 公里（另加 {region_margin_km} 公里容差）以内", "coordinates lie within {radius_km} km of the region's centre, and {region_margin_km} km of margin"],
  in_future: ["结束时间最多可比收到时间晚 {future_tolerance_s} 秒", "the end may be {future_tolerance_s} s after arrival at most"],
  too_late: ["须在行为发生后 {acceptance_window_days} 天内上传", "to be sent within {acceptance_window_days} days of the act"],
  too_short: ["至少 {duration_min_s} 秒", "{duration_min_s} s at least"],
  too_long: ["最长 {duration_max_s} 秒", "{duration_max_s} s at most"],
  too_fast: ["平均时速不超过 {max_km_per_h} 公里", "{max_km_per_h} km/h on average at most"],
  suspicious: ["数据与坐标不符，或同类记录一天超过 {records_a_day_max} 条", "numbers that do not fit the coordinates, or more than {records_a_day_max} such records a day"],
  same_act: ["同一单号只计一次", "one number counts once"],
  same_record: ["开始与结束均相差不超过 {jitter_s} 秒[，或开始相差不超过 {shift_s} 秒且时长相差不超过 {duration_jitter_s} 秒]，视为同一条记录", "starts and ends within {jitter_s} s of each other[, or starts within {shift_s} s and durations within {duration_jitter_s} s,] are one record"],
  overlap: ["时间重叠超过 {overlap_tolerance_s} 秒[，或超过较短一次的 {overlap_share_percent}%]，只计一次", "acts that share more than {overlap_tolerance_s} s[, or {overlap_share_percent}% of the shorter,] count once"],
  continues: ["同一辆车在 {continue_gap_s} 秒内再次使用，算同一次", "the same vehicle taken again within {continue_gap_s} s is one act"],
  capped: ["每人每日最多计 {cap_mg_per_day}", "{cap_mg_per_day} a person and day at most"],
};

let lang = wx.getStorageSync("lang") || (wx.getAppBaseInfo().language.startsWith("zh") ? "zh" : "en");

export const language = () => lang;
export const locale = () => (lang === "zh" ? "zh-CN" : "en");
export const t = (key) => WORDS[key][lang === "zh" ? 0 : 1];
export const has = (key) => Object.hasOwn(WORDS, key);
export const pick = (text) => text[lang];

export function setLanguage(chosen) {
  lang = chosen;
  wx.setStorageSync("lang", chosen);
  document.documentElement.lang = locale();
}

export const problemText = (problem) => problem.title || (has(problem.code) ? t(problem.code) : t("internal"));

const number = (value, digits) =>
  value.toLocaleString(locale(), { minimumFractionDigits: 0, maximumFractionDigits: digits });

export const whole = (value) => number(value, 0);

/** A text of ours with its {names} filled in. */
export const fill = (key, inside) => t(key).replace(/\{(\w+)\}/g, (_, name) => inside[name]);

/** Fen as yuan, from whole numbers: 12345 is 123.45. */
export function yuan(fen) {
  const size = Math.abs(fen);
  return `${fen < 0 ? "−" : ""}${whole(Math.floor(size / 100))}.${String(size % 100).padStart(2, "0")}`;
}

export const money = (fen) => (fen < 0 ? `−¥${yuan(-fen)}` : `¥${yuan(fen)}`);

/** Yuan as people type them, as fen, by their digits; null for what is no amount. */
export function readYuan(text) {
  const [, whole, behind = ""] = /^(\d{1,12})(?:\.(\d{1,2}))?$/.exec(text.normalize("NFKC").replace(/[¥\s,]/g, "")) || [];
  const fen = whole === undefined ? 0 : Number(whole) * 100 + Number(behind.padEnd(2, "0"));
  return fen > 0 ? fen : null;
}

/** Milligrams as the number and the unit a person would say; what is shown is never more than what there is. */
export function mass(mg) {
  const size = Math.abs(mg);
  const [per, unit] = size < 1e6 ? [1e3, "g"] : size < 1e9 ? [1e6, "kg"] : [1e9, "t"];
  const digits = size / per < 10 ? 2 : size / per < 100 ? 1 : 0;
  const value = Math.floor((mg / per) * 10 ** digits + 1e-6) / 10 ** digits;
  return { value: number(value, digits), unit };
}

export const massText = (mg) => Object.values(mass(mg)).join(" ");

/** The rule behind a verdict with its numbers; empty where there is nothing to add to the reason. */
export function ruleText({ code, parameters }) {
  const text = RULES[code]?.[lang === "zh" ? 0 : 1] ?? "";
  const told = (name) => (name === "cap_mg_per_day" ? massText(parameters[name]) : parameters[name]);
  const known = (part) => [...part.matchAll(/\{(\w+)\}/g)].every(([, name]) => parameters[name] != null);
  const whole = text.replace(/\[(.*?)\]/g, (_, part) => (known(part) ? part : ""));
  if (!known(whole)) return "";
  return whole.replace(/\{(\w+)\}( (?=s\b|km))?/g, (_, name, space) => told(name) + (space ? "\u00a0" : ""));
}

/** What a fact is called: short where we have a word, else as its pack calls it. */
export const factTitle = ({ name, title }) => (has(name) ? t(name) : title ? pick(title) : name);

/** A fact of a deed, in the unit a person would say, or in the words of its pack. */
export function factText({ name, value, label }) {
  if (label) return pick(label);
  if (name === "distance_m") return value < 1000 ? `${value} m` : `${number(value / 1000, 2)} km`;
  if (name === "mass_g") return value < 1000 ? `${value} g` : `${number(value / 1000, 2)} kg`;
  return typeof value === "number" ? whole(value) : String(value);
}

export function typeName(deed) {
  if (deed.methodology) return pick(deed.methodology.name);
  const key = `type_${deed.type.split(".")[0]}`;
  return t(has(key) ? key : "type_");
}

// Times come with the offset of the place where they happened, and are shown as its clocks showed them.
export const dayOf = (time) => time.slice(0, 10);
export const clock = (time) => time.slice(11, 16);
export const clockLong = (time) => `${time.slice(0, 10)} ${time.slice(11, 19)}`;

export function isoDay(date) {
  const two = (n) => String(n).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function addDays(day, n) {
  const [y, m, d] = day.split("-").map(Number);
  return isoDay(new Date(y, m - 1, d + n));
}

export function dayName(day) {
  const today = isoDay(new Date());
  if (day === today) return t("today");
  if (day === addDays(today, -1)) return t("yesterday");
  const [y, m, d] = day.split("-").map(Number);
  const shown = { month: "short", day: "numeric", weekday: "short" };
  if (y !== new Date().getFullYear()) shown.year = "numeric";
  return new Date(y, m - 1, d).toLocaleDateString(locale(), shown);
}

export const shortDay = (day) => `${Number(day.slice(5, 7))}/${Number(day.slice(8, 10))}`;

export function duration(from, to) {
  const seconds = Math.max(0, Math.round((Date.parse(to) - Date.parse(from)) / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  const parts = lang === "zh" ? [`${h} 小时`, `${m} 分`, `${s} 秒`] : [`${h} h`, `${m} min`, `${s} s`];
  return parts.filter((_, i) => [h, m, h ? 0 : s][i]).join(" ") || parts[2];
}
