import { html, useState } from "../assets/preact.js";
import { logIn } from "../api.js";
import { locale, problemText, t } from "../i18n.js";
import { wx } from "../wx.js";

export function Login({ setLanguage }) {
  const [busy, setBusy] = useState(false);
  const enter = async () => {
    setBusy(true);
    try {
      await logIn();
      wx.hideToast();
      wx.switchTab({ url: "pages/home" });
    } catch (problem) {
      wx.showToast({ title: problemText(problem) });
    }
    setBusy(false);
  };
  const chinese = locale() === "zh-CN";
  return html`<div class="login">
    <img class="login__logo" src="icon.svg" alt="" />
    <h2>${t("app")}</h2>
    <p>${t("slogan")}</p>
    <button id="login" class="weui-btn weui-btn_primary ${busy ? "weui-btn_loading" : ""}" disabled=${busy} onClick=${enter}>
      ${busy && html`<i class="weui-mask-loading"></i>`}${t("login")}</button>
    <p class="login__agree">${t("agree")}</p>
    <button class="login__language" onClick=${() => setLanguage(chinese ? "en" : "zh")}>${chinese ? "English" : "中文"}</button>
  </div>`;
}
