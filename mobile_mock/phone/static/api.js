// What the page asks of the platform. Sessions: a short access token, and a refresh token that is good for one use.

import { locale } from "./i18n.js";
import { wx } from "./wx.js";

const SESSION = "session";
let config = { apiBase: "", provider: "" };
let refreshing = null;
const known = new Map(); // deeds that were shown, for their detail page

export const configure = (given) => (config = given);
export const loggedIn = () => Boolean(wx.getStorageSync(SESSION));

function ask(path, { method = "GET", data, token, key } = {}) {
  return new Promise((resolve, reject) => {
    const header = { "Accept-Language": locale() };
    if (token) header.Authorization = `Bearer ${token}`;
    if (key) header["Idempotency-Key"] = key;
    wx.request({
      url: config.apiBase + path,
      method,
      data,
      header,
      success: (answer) => resolve(answer),
      fail: () => reject({ code: "network" }),
    });
  });
}

function settled({ statusCode, data }) {
  if (statusCode >= 200 && statusCode < 300) return data;
  throw { code: data?.code || "internal", title: data?.title, balance_fen: data?.balance_fen, status: statusCode };
}

function keep({ access_token, refresh_token }) {
  wx.setStorageSync(SESSION, { access_token, refresh_token });
}

function forget() {
  wx.removeStorageSync(SESSION);
  known.clear();
  wx.reLaunch({ url: "pages/login" });
}

export async function logIn() {
  const code = await new Promise((resolve, reject) =>
    wx.login({ success: (answer) => resolve(answer.code), fail: () => reject({ code: "denied" }) }),
  );
  keep(settled(await ask("/v1/sessions", { method: "POST", data: { provider: config.provider, code } })));
}

export async function logOut() {
  const { refresh_token } = wx.getStorageSync(SESSION);
  forget();
  await ask("/v1/sessions/end", { method: "POST", data: { refresh_token } }).catch(() => {});
}

/** One refresh at a time: a refresh token that comes twice ends the session. */
function refresh() {
  refreshing ??= (async () => {
    const { refresh_token } = wx.getStorageSync(SESSION);
    keep(settled(await ask("/v1/sessions/refresh", { method: "POST", data: { refresh_token } })));
  })().finally(() => (refreshing = null));
  return refreshing;
}

/** An authorised call; an access token that has run out is renewed once. */
async function call(path, options = {}) {
  const session = wx.getStorageSync(SESSION);
  let answer = await ask(path, { ...options, token: session.access_token });
  if (answer.statusCode === 401) {
    try {
      if (wx.getStorageSync(SESSION).access_token === session.access_token) await refresh();
      answer = await ask(path, { ...options, token: wx.getStorageSync(SESSION).access_token });
    } catch (problem) {
      if (problem.code === "token_invalid") forget();
      throw problem;
    }
  }
  if (answer.statusCode === 401) forget();
  return settled(answer);
}

export const me = () => call("/v1/me");
export const points = (limit) => call(`/v1/me/points?limit=${limit}`);
export const deedById = (id) => known.get(id);

/** How a deed was measured, and what proves it; only its person is ever told. */
export const receipt = (deed) => call(`/v1/me/deeds/${deed}/receipt`);

/** Ask a person to look at a verdict. */
export async function appeal(deed, words) {
  await call("/v1/me/appeals", { method: "POST", data: { event: Number(deed.id), words } });
  deed.in_case = true;
}

export async function deeds(limit, cursor) {
  const after = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
  const page = await call(`/v1/me/deeds?limit=${limit}${after}`);
  page.items.forEach((deed) => known.set(deed.id, deed));
  return page;
}

export function statement(limit, cursor) {
  const after = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
  return call(`/v1/me/statement?limit=${limit}${after}`);
}

export const withdrawals = (limit) => call(`/v1/me/withdrawals?limit=${limit}`);

/** A key for one wish: whoever sends the same wish again with it gets the first answer back. */
export function newKey() {
  return new Promise((resolve, reject) => {
    const hex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const fail = () => reject({ code: "internal" });
    wx.getRandomValues({ length: 16, success: ({ randomValues }) => resolve(hex(randomValues)), fail });
  });
}

/** Ask for money to be paid out by hand, against the reference in the answer. */
export const withdraw = (amount_fen, key) =>
  call("/v1/me/withdrawals", { method: "POST", data: { amount_fen, method: "manual" }, key });
