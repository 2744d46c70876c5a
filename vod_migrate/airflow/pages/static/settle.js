// Before anything is painted: the theme, language and time zone that the viewer chose in Airflow.
// The server writes texts and times; where it wrote for other choices, two cookies say so and the page is loaded again.
"use strict";
(function () {
  const root = document.documentElement;

  function stored(name) {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  }

  function around() {
    try {
      return window.parent === window ? null : window.parent.document.documentElement;
    } catch {
      return null;
    }
  }

  function dress() {
    const frame = around();
    const worn = frame ? ["dark", "light"].find((name) => frame.classList.contains(name)) : undefined;
    const kept = stored("theme");
    const theme = worn || (kept === "dark" || kept === "light" ? kept : "");
    if (theme === (root.dataset.theme || "")) return;
    if (theme) root.dataset.theme = theme;
    else delete root.dataset.theme;
    document.dispatchEvent(new Event("vod:theme"));
  }

  function zone() {
    try {
      return JSON.parse(stored("timezone")) || Intl.DateTimeFormat().resolvedOptions().timeZone;
    } catch {
      return Intl.DateTimeFormat().resolvedOptions().timeZone;
    }
  }

  function settle() {
    const tag = stored("i18nextLng") || navigator.language || "en";
    const wanted = {
      [root.dataset.languageCookie]: /^zh\b/i.test(tag) ? "zh-CN" : "en",
      [root.dataset.zoneCookie]: zone() || "UTC",
    };
    const cookies = () => document.cookie.split("; ");
    const missing = Object.entries(wanted)
      .map(([name, value]) => name + "=" + value.replace(/[^\w+/-]/g, ""))
      .filter((cookie) => !cookies().includes(cookie));
    if (!missing.length) return;
    const rest = "; path=" + root.dataset.root + "; max-age=31536000; samesite=lax";
    missing.forEach((cookie) => {
      document.cookie = cookie + rest;
    });
    // A browser that keeps no cookies reads what the server took for best.
    if (missing.every((cookie) => cookies().includes(cookie))) location.reload();
  }

  dress();
  settle();
  const frame = around();
  if (frame) new MutationObserver(dress).observe(frame, { attributes: true, attributeFilter: ["class"] });
  window.addEventListener("storage", (event) => {
    if (event.key === "theme") dress();
    if (event.key === "i18nextLng" || event.key === "timezone") settle();
  });
})();
