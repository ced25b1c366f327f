// The frame of the page: navigation bar, the pages that are open, and the tab bar.

import { html, render, useEffect, useState } from "./assets/preact.js";
import { configure, loggedIn } from "./api.js";
import { language, locale, setLanguage, t } from "./i18n.js";
import { Capsule, Icon, StatusBar } from "./icons.js";
import { startRouter, wx } from "./wx.js";
import { Deed } from "./pages/deed.js";
import { Deeds } from "./pages/deeds.js";
import { Earnings } from "./pages/earnings.js";
import { Home } from "./pages/home.js";
import { Login } from "./pages/login.js";
import { Me } from "./pages/me.js";

const PAGES = {
  "pages/login": { view: Login, title: "", bare: true },
  "pages/home": { view: Home, title: "app", tab: "home", bare: true },
  "pages/deeds": { view: Deeds, title: "deeds", tab: "deeds" },
  "pages/me": { view: Me, title: "me", tab: "me", bare: true },
  "pages/deed": { view: Deed, title: "detail" },
  "pages/earnings": { view: Earnings, title: "earnings" },
};
const TABS = Object.keys(PAGES).filter((url) => PAGES[url].tab);

const parsed = (url) => {
  const [path, query = ""] = url.split("?");
  return { path, page: PAGES[path], query: Object.fromEntries(new URLSearchParams(query)) };
};

function NavigationBar({ page, deep }) {
  return html`<header class="nav">
    <${StatusBar} />
    <div class="nav__bar">
      ${deep && html`<button class="nav__back" onClick=${wx.navigateBack} aria-label=${t("back")}><${Icon} name="back" /></button>`}
      <h1>${page.title && t(page.title)}</h1>
      <${Capsule} />
    </div>
  </header>`;
}

function TabBar({ seen }) {
  return html`<nav class="weui-tabbar">
    ${TABS.map((url) => {
      const { tab } = PAGES[url];
      return html`<button class="weui-tabbar__item ${url === seen ? "weui-bar__item_on" : ""}" data-tab=${tab}
        aria-current=${url === seen ? "page" : undefined} onClick=${() => wx.switchTab({ url })}>
        <${Icon} name=${tab} size=${27} /><span class="weui-tabbar__label">${t(tab)}</span></button>`;
    })}
  </nav>`;
}

function App({ first }) {
  const [stack, setStack] = useState([]);
  const [, setLang] = useState(language());
  useEffect(() => {
    startRouter(TABS, setStack);
    wx.reLaunch({ url: first });
  }, []);
  const relabel = (chosen) => {
    setLanguage(chosen);
    setLang(chosen);
  };
  return stack.map(({ url, key }, depth) => {
    const { path, page, query } = parsed(url);
    const seen = depth === stack.length - 1;
    return html`<section key=${key} class="page ${page.bare ? "page_bare" : ""}" data-page=${path.split("/")[1]} hidden=${!seen}>
      <${NavigationBar} page=${page} deep=${depth > 0} />
      <div class="page__body"><${page.view} query=${query} setLanguage=${relabel} seen=${seen} /></div>
      ${page.tab && html`<${TabBar} seen=${path} />`}
    </section>`;
  });
}

async function start() {
  configure(await (await fetch("config.json")).json());
  document.documentElement.lang = locale();
  render(html`<${App} first=${loggedIn() ? "pages/home" : "pages/login"} />`, document.getElementById("app"));
}

start();
