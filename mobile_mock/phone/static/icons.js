// Line icons, 24 by 24, drawn in the current colour.

import { html } from "./assets/preact.js";

const PATHS = {
  cycling: "M5.5 18.5a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7Zm13 0a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7ZM5.5 15 9 8h5.5l4 7M9 8 8 6H6m8.5 2L12 15 9 8.5M14 5h2.5",
  metro: "M7 3.5h10a2 2 0 0 1 2 2v9a3 3 0 0 1-3 3H8a3 3 0 0 1-3-3v-9a2 2 0 0 1 2-2ZM5 11h14M12 4v7M8.5 14.3h.01M15.5 14.3h.01M8 17.5l-2 3m10-3 2 3",
  recycling: "m8.5 9.5 2.6-4.6a1 1 0 0 1 1.8 0L15 8.5m0 0 .6-2.6M15 8.5l-2.5-.8M17 11.5l2.4 4.2a1.2 1.2 0 0 1-1 1.8H13m0 0 1.9-1.9M13 17.5l1.9 1.9M10 17.5H5.6a1.2 1.2 0 0 1-1-1.8L7.1 11.3m0 0L4.5 12m2.6-.7.7 2.6",
  plastic_substitution: "M6.5 8.5h11l1 11.5h-13l1-11.5ZM9 10.5V7a3 3 0 0 1 6 0v3.5M12 18v-3.5m0 0c0-1.3.9-2 2.5-2 0 1.4-.9 2-2.5 2Z",
  other: "M12 20v-8m0 1.5c0-4-2.5-6.5-7.5-6.5 0 4.5 2.5 7 7.5 6.5Zm0-3c0-4 2.5-6.5 7.5-6.5 0 5-3 7.2-7.5 6.5Z",
  home: "m4 11 8-7 8 7v8.5a1 1 0 0 1-1 1h-4.5V14h-5v6.5H5a1 1 0 0 1-1-1V11Z",
  deeds: "M6 3.5h12a1 1 0 0 1 1 1v16l-3.5-2-3.5 2-3.5-2-3.5 2v-16a1 1 0 0 1 1-1ZM9 8.5h6M9 12.5h6",
  me: "M12 11.5a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20.5c.5-4.2 3.3-6.5 7.5-6.5s7 2.3 7.5 6.5h-15Z",
  back: "m14.5 5-7 7 7 7",
  next: "m9.5 6 6 6-6 6",
  share: "M12 20.5a8.5 8.5 0 1 0 0-17 8.5 8.5 0 0 0 0 17ZM8.5 7.5 12 12l3.5-4.5M12 12v5M9 12.5h6M9 15h6",
  payout: "M12 15.5v-11m0 0L8 8.5m4-4 4 4M5 15v3.5a1.5 1.5 0 0 0 1.5 1.5h11a1.5 1.5 0 0 0 1.5-1.5V15",
};

export const Icon = ({ name, size = 24 }) => html`
  <svg class="icon" width=${size} height=${size} viewBox="0 0 24 24" fill="none" stroke="currentColor" aria-hidden="true"
    stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"><path d=${PATHS[name] || PATHS.other} /></svg>`;

export const kindOf = (type) => {
  const kind = type.split(".")[0];
  return Object.hasOwn(PATHS, kind) ? kind : "other";
};

/** The clock, signal and battery of a phone, for screens that have none of their own. */
export const StatusBar = () => html`
  <div class="status" aria-hidden="true"><b>${new Date().toTimeString().slice(0, 5)}</b>
    <svg width="66" height="13" viewBox="0 0 66 13" fill="currentColor">
      <path d="M0 8.5h3v4H0zM4.5 6h3v6.5h-3zM9 3.2h3v9.3H9zM13.5.5h3v12h-3z" />
      <path d="M29 2.3c2.7 0 5.1 1 6.9 2.8l1.2-1.2A11.6 11.6 0 0 0 29 .6a11.6 11.6 0 0 0-8.1 3.3l1.2 1.2A9.8 9.8 0 0 1 29 2.3Zm0 3.9c1.6 0 3.1.6 4.2 1.7l1.2-1.2A7.7 7.7 0 0 0 29 4.5c-2.1 0-4 .8-5.4 2.2l1.2 1.2A6 6 0 0 1 29 6.2Zm0 3.8c-1 0-1.9.4-2.5 1l2.5 1.7 2.5-1.7c-.6-.6-1.5-1-2.5-1Z" />
      <path d="M44 .9h17a3 3 0 0 1 3 3V9a3 3 0 0 1-3 3H44a3 3 0 0 1-3-3V3.9a3 3 0 0 1 3-3Zm0 1A2 2 0 0 0 42 3.9V9a2 2 0 0 0 2 2h17a2 2 0 0 0 2-2V3.9a2 2 0 0 0-2-2H44Zm.5 1h16a1.5 1.5 0 0 1 1.5 1.5v4.2a1.5 1.5 0 0 1-1.5 1.5h-16A1.5 1.5 0 0 1 43 8.6V4.4a1.5 1.5 0 0 1 1.5-1.5ZM65 4.6c.7.3 1 1 1 1.9s-.3 1.6-1 1.9V4.6Z" />
    </svg></div>`;

/** The three dots and the ring at the top right of every mini-program. */
export const Capsule = () => html`
  <svg class="capsule" width="87" height="32" viewBox="0 0 87 32" fill="none" aria-hidden="true">
    <rect x=".5" y=".5" width="86" height="31" rx="15.5" class="capsule__box" /><path d="M43.5 7v18" class="capsule__bar" />
    <g fill="currentColor"><circle cx="22" cy="16" r="3" /><circle cx="13.5" cy="16" r="2" /><circle cx="30.5" cy="16" r="2" /></g>
    <circle cx="65" cy="16" r="8" stroke="currentColor" stroke-width="2.4" /><circle cx="65" cy="16" r="3" fill="currentColor" />
  </svg>`;
