// A `wx` of our own: the part of WeChat's interface that our pages use, made of browser parts.
// Pages and api.js call nothing but this, so their logic moves to a real mini-program as it is.

import { ask, authorise } from "./wx-sheet.js";

const stack = []; // pages that are open, the last one is seen: {url, key}
let tabs = [];
let changed = () => {};
let nextKey = 0;

const opened = (url) => ({ url, key: ++nextKey });
const same = (page, url) => page.url === url;

/** The app tells which pages are tabs and what to do when another page is seen. */
export function startRouter(tabUrls, onChange) {
  tabs = tabUrls;
  changed = () => onChange([...stack]);
  window.addEventListener("popstate", () => {
    if (stack.length > 1) stack.pop();
    changed();
  });
}

function navigateTo({ url }) {
  stack.push(opened(url));
  history.pushState(null, "");
  changed();
}

function reLaunch({ url }) {
  stack.splice(0, stack.length, opened(url));
  changed();
}

function switchTab({ url }) {
  if (!tabs.includes(url)) throw new Error(`switchTab: ${url} is no tab`);
  if (stack.length !== 1 || !same(stack[0], url)) reLaunch({ url });
}

/** Every answer of the server is a success, whatever its status; only no answer at all is a failure. */
function request({ url, method = "GET", data, header = {}, timeout = 15000, success, fail, complete }) {
  const body = data === undefined ? undefined : JSON.stringify(data);
  const headers = body === undefined ? header : { "Content-Type": "application/json", ...header };
  fetch(url, { method, headers, body, credentials: "omit", signal: AbortSignal.timeout(timeout) })
    .then(async (response) => {
      const text = await response.text();
      let told = text;
      try {
        told = JSON.parse(text);
      } catch {
        // not JSON: handed on as text, as the original does
      }
      success?.({ statusCode: response.status, data: told, header: Object.fromEntries(response.headers) });
    }, () => fail?.({ errMsg: "request:fail" }))
    .finally(() => complete?.());
}

/** On a phone the account is known; here somebody says who is holding it. */
async function login({ success, fail }) {
  const account = await authorise(getStorageSync("wx.account"));
  if (!account) return fail?.({ errMsg: "login:fail auth deny" });
  setStorageSync("wx.account", account);
  request({
    url: `mock/login?as=${encodeURIComponent(account)}`,
    success: ({ statusCode, data }) =>
      statusCode === 200 ? success?.({ code: data.code, errMsg: "login:ok" }) : fail?.({ errMsg: "login:fail" }),
    fail,
  });
}

function getStorageSync(key) {
  const text = localStorage.getItem(key);
  return text === null ? "" : JSON.parse(text);
}

function setStorageSync(key, value) {
  localStorage.setItem(key, JSON.stringify(value));
}

/** Random bytes from the device. */
function getRandomValues({ length, success }) {
  success({ randomValues: crypto.getRandomValues(new Uint8Array(length)).buffer, errMsg: "getRandomValues:ok" });
}

let toastTimer = 0;

function showToast({ title, icon = "none", duration = 2000 }) {
  hideToast();
  const box = document.createElement("div");
  box.id = "wx-toast";
  box.setAttribute("role", "alert");
  box.className = icon === "success" ? "weui-toast" : "weui-toast weui-toast_text";
  const text = document.createElement("p");
  text.className = "weui-toast__content";
  text.textContent = title;
  if (icon === "success") {
    const mark = document.createElement("i");
    mark.className = "weui-icon-success-no-circle weui-icon_toast";
    box.append(mark);
  }
  box.append(text);
  document.getElementById("phone").append(box);
  toastTimer = setTimeout(hideToast, duration);
}

/** A question over the page; with `editable` there is a text to fill in, which comes back as `content`. */
function showModal({ title, content = "", editable, placeholderText = "", confirmText, cancelText, success }) {
  hideToast();
  ask({ title, content, editable, placeholderText, confirmText, cancelText }).then(success);
}

/** Where the original writes into the phone's files, a browser saves a download. */
function writeFile({ filePath, data, success }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([data], { type: "application/json" }));
  link.download = filePath.split("/").pop();
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  success?.();
}

function hideToast() {
  clearTimeout(toastTimer);
  document.getElementById("wx-toast")?.remove();
}

export const wx = {
  getStorageSync,
  setStorageSync,
  removeStorageSync: (key) => localStorage.removeItem(key),
  getAppBaseInfo: () => ({ language: "zh_CN" }),
  request,
  login,
  getRandomValues,
  env: { USER_DATA_PATH: "wxfile://usr" },
  getFileSystemManager: () => ({ writeFile }),
  showToast,
  hideToast,
  showModal,
  navigateTo,
  navigateBack: () => history.back(),
  reLaunch,
  switchTab,
};
