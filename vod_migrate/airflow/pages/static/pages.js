// What the pages do besides reading: confirm, trigger a run through Airflow's API, keep what a person opened while parts are
// replaced, say what changed, and lead to pages of Airflow around the frame.
"use strict";
(function () {
  const root = document.documentElement;
  const find = (id) => document.getElementById(id);
  const words = JSON.parse(find("words").textContent);

  // Notices

  function notice(text, link) {
    const place = find("notice");
    place.replaceChildren(text);
    if (link) {
      const anchor = document.createElement("a");
      anchor.href = link.href;
      anchor.dataset.airflow = "";
      anchor.textContent = link.text;
      place.append(" ", anchor);
    }
    place.hidden = !text;
  }

  function say(text) {
    if (find("spoken").textContent !== text) find("spoken").textContent = text;
  }

  // A frame in Airflow may not open windows or navigate its parent by itself, but it may click a link there.

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-airflow], a[target=_blank]");
    if (!link || window.parent === window) return;
    event.preventDefault();
    const outside = window.parent.document.createElement("a");
    outside.href = link.href;
    outside.target = link.target;
    outside.rel = link.rel;
    window.parent.document.body.append(outside);
    outside.click();
    outside.remove();
  });

  // Copies

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const text = JSON.parse(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      offer(text, button);
      return;
    }
    say(words.copied);
    button.dataset.copied = "";
    setTimeout(() => {
      delete button.dataset.copied;
      if (find("spoken").textContent === words.copied) say("");
    }, 2000);
  });

  // Without https, or without permission, a page has no clipboard: the text is shown and selected, for the person's own Ctrl+C.
  function offer(text, button) {
    const field = document.createElement("textarea");
    field.readOnly = true;
    field.value = text;
    field.setAttribute("aria-label", words.copy);
    notice(words.copy);
    find("notice").append(field);
    field.addEventListener("copy", () => setTimeout(() => button.focus()));
    field.addEventListener("blur", () => notice(""));
    field.focus();
    field.select();
  }

  // Questions: the frame's sandbox allows no confirm().

  function ask(button, yes) {
    const dialog = find("confirm");
    find("confirm-question").textContent = button.dataset.question;
    find("confirm-detail").textContent = button.dataset.detail;
    find("confirm-yes").textContent = (button.querySelector("button") || button).textContent.trim();
    find("confirm-change").hidden = !button.dataset.check;
    find("change").value = button.dataset.change || "";
    find("change-refused").textContent = "";
    dialog.dataset.check = button.dataset.check || "";
    dialog.onclose = () => {
      if (dialog.returnValue === "yes") yes();
    };
    dialog.returnValue = "no";
    dialog.showModal();
  }

  const changes = () => find("change").value.split("\n").map((one) => one.trim()).filter(Boolean);

  // Changed settings are checked while the question is open, so that a mistake can be corrected in it.
  find("confirm-form").addEventListener("submit", async (event) => {
    const dialog = find("confirm");
    if (event.submitter.value !== "yes" || !dialog.dataset.check || !changes().length) return;
    event.preventDefault();
    const asked = changes().map((one) => "setting=" + encodeURIComponent(one)).join("&");
    try {
      const answer = await fetch(dialog.dataset.check + "?" + asked, { credentials: "same-origin", headers: { accept: "application/json" } });
      if (answer.ok) dialog.close("yes");
      else find("change-refused").textContent = (await answer.json()).detail;
    } catch {
      find("change-refused").textContent = words.away;
    }
  });

  document.addEventListener("htmx:confirm", (event) => {
    if (!event.target.dataset.question) return;
    event.preventDefault();
    ask(event.target, () => event.detail.issueRequest(true));
  });

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-order]");
    if (button) ask(button, () => order(button));
  });

  async function order(button) {
    const address = root.dataset.airflow + "api/v2/dags/" + encodeURIComponent(button.dataset.dag) + "/dagRuns";
    const body = JSON.parse(button.dataset.order);
    if (button.dataset.check && changes().length) body.conf.settings = changes();
    button.disabled = true;
    try {
      const answer = await fetch(address, {
        method: "POST",
        credentials: "same-origin",
        headers: { "content-type": "application/json", accept: "application/json" },
        body: JSON.stringify(body),
      });
      const told = await answer.json();
      if (!answer.ok) {
        const detail = typeof told.detail === "string" ? told.detail : JSON.stringify(told.detail);
        notice(words.refused + " " + answer.status + ": " + detail);
        return;
      }
      const run = ["dags", told.dag_id, "runs", told.dag_run_id].map(encodeURIComponent).join("/");
      notice(words.started + " " + told.dag_run_id + ".", {
        href: root.dataset.airflow + run + "/plugin/vod-report", text: words.open,
      });
    } catch {
      notice(words.away);
    } finally {
      button.disabled = false;
    }
  }

  // Live parts

  if (window.Idiomorph) {
    Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) =>
      // What somebody is filling in stays as it is.
      !(old.id === "chart" || old.id === "readout" || old.tagName === "FORM" || (old.tagName === "THEAD" && old.querySelector("button.sort")));
    Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) =>
      // What a person opened or closed stays so; a button that waits for its answer stays off.
      !(name === "open" && element.tagName === "DETAILS") && !(name === "disabled" && element.tagName === "BUTTON");
  }

  document.addEventListener("htmx:afterSettle", (event) => {
    if (event.detail.target.id !== "live") return;
    document.dispatchEvent(new Event("vod:rates"));
    const going = document.querySelector("[data-spoken]");
    say(going ? going.dataset.spoken : document.querySelector("h1").textContent);
    if (find("notice").dataset.from === "poll") {
      delete find("notice").dataset.from;
      notice("");
    }
  });

  function failed(event) {
    const answer = event.detail.xhr;
    const parsed = answer && answer.responseText
      ? new DOMParser().parseFromString(answer.responseText, "text/html").body.textContent.replace(/\s+/g, " ").trim()
      : "";
    notice(parsed || words.away);
    if (event.target.id === "poll") find("notice").dataset.from = "poll";
  }
  document.addEventListener("htmx:responseError", failed);
  document.addEventListener("htmx:sendError", failed);
  document.addEventListener("htmx:timeout", failed);

  document.addEventListener("htmx:afterRequest", (event) => {
    const told = event.detail.xhr && event.detail.xhr.getResponseHeader("x-vod-said");
    if (event.detail.successful && told) notice(decodeURIComponent(told));
  });

  const waiting = document.querySelector("[data-retry]");
  if (waiting) setTimeout(() => location.reload(), 1000 * Number(waiting.dataset.retry));
})();
