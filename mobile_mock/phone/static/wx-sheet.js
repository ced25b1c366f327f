// What WeChat itself shows when a mini-program asks who you are: a sheet that slides up. Not part of our pages.

const WORDS = {
  zh: {
    name: "碳普惠",
    asks: "申请",
    wish: "获取并验证你的手机号",
    account: "手机号或演示账号",
    hint: "演示环境：输入任意手机号，不会发送短信",
    refuse: "不允许",
    allow: "允许",
  },
  en: {
    name: "Tanpuhui",
    asks: "asks to",
    wish: "Use and verify your phone number",
    account: "Phone number or demo account",
    hint: "Demonstration: any number will do, no message is sent",
    refuse: "Deny",
    allow: "Allow",
  },
};

function element(tag, className, text, children = []) {
  const made = document.createElement(tag);
  made.className = className;
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function button(className, text) {
  const made = element("button", className, text);
  made.type = "button";
  return made;
}

/** The dialog of wx.showModal: resolves to {confirm, cancel, content}. */
export function ask({ title, content, editable, placeholderText, confirmText, cancelText }) {
  const field = element(editable ? "textarea" : "p", editable ? "weui-textarea modal__field" : "", content);
  if (editable) Object.assign(field, { placeholder: placeholderText, maxLength: 2000, rows: 4, name: "content" });
  field.setAttribute("aria-label", placeholderText || title);
  const cancel = button("weui-dialog__btn weui-dialog__btn_default", cancelText);
  const confirm = button("weui-dialog__btn weui-dialog__btn_primary", confirmText);
  const mask = element("div", "weui-mask sheet__mask");
  const box = element("div", "weui-dialog modal", "", [
    element("div", "weui-dialog__hd", "", [element("strong", "weui-dialog__title", title)]),
    element("div", "weui-dialog__bd", "", [field]),
    element("div", "weui-dialog__ft", "", [cancel, confirm]),
  ]);
  box.setAttribute("role", "dialog");
  box.setAttribute("aria-modal", "true");
  box.setAttribute("aria-label", title);
  document.getElementById("phone").append(mask, box);
  (editable ? field : confirm).focus({ preventScroll: true });
  return new Promise((resolve) => {
    const close = (confirmed) => {
      mask.remove();
      box.remove();
      resolve({ confirm: confirmed, cancel: !confirmed, content: editable ? field.value : undefined });
    };
    confirm.addEventListener("click", () => close(true));
    cancel.addEventListener("click", () => close(false));
    box.addEventListener("keydown", (event) => event.key === "Escape" && close(false));
  });
}

/** Resolves to the account that was allowed, or to "" when it was refused. */
export function authorise(remembered) {
  const words = WORDS[document.documentElement.lang.startsWith("zh") ? "zh" : "en"];
  const logo = element("img", "sheet__logo");
  logo.src = "icon.svg";
  logo.alt = "";
  const input = element("input", "weui-input");
  Object.assign(input, { value: remembered || "", placeholder: words.account, maxLength: 64, name: "account" });
  input.setAttribute("aria-label", words.account);
  const refuse = button("weui-btn weui-btn_default", words.refuse);
  const allow = button("weui-btn weui-btn_primary", words.allow);
  const mask = element("div", "weui-mask sheet__mask");
  const sheet = element("form", "sheet", "", [
    element("div", "sheet__who", "", [logo, element("strong", "", words.name), element("span", "", words.asks)]),
    element("h2", "sheet__wish", words.wish),
    element("label", "sheet__field", "", [input]),
    element("p", "sheet__hint", words.hint),
    element("div", "sheet__buttons", "", [refuse, allow]),
  ]);
  sheet.setAttribute("role", "dialog");
  sheet.setAttribute("aria-modal", "true");
  sheet.setAttribute("aria-label", words.wish);
  document.getElementById("phone").append(mask, sheet);
  input.focus({ preventScroll: true });
  return new Promise((resolve) => {
    const close = (account) => {
      mask.remove();
      sheet.remove();
      resolve(account);
    };
    const accept = (event) => {
      event.preventDefault();
      const account = input.value.trim();
      if (account) close(account);
      else input.focus();
    };
    sheet.addEventListener("submit", accept);
    allow.addEventListener("click", accept);
    refuse.addEventListener("click", () => close(""));
    sheet.addEventListener("keydown", (event) => event.key === "Escape" && close(""));
  });
}
