// Sorting of tables that are whole on the page, and of the failures. A table that goes on on other pages is sorted by the server.
"use strict";
(function () {
  const chosen = new WeakMap();  // table: { column, direction }
  const collator = new Intl.Collator(document.documentElement.lang, { numeric: true });

  const columns = (table) => [...table.tHead.rows[0].cells];

  // Numbers as the pages write them: 1,234; −5; 12 %. What differs in its unit has its value in data-value.
  function valueOf(row, column, numeric) {
    const cell = row.cells[column];
    if (!cell) return numeric ? -Infinity : "";
    const text = cell.dataset.value ?? cell.textContent.trim();
    if (!numeric) return text;
    const number = parseFloat(text.replace(/,/g, "").replace(/^[±+]/, "").replace("\u2212", "-"));
    return Number.isNaN(number) ? -Infinity : number;
  }

  function arrange(table) {
    const { column, direction } = chosen.get(table);
    const head = columns(table);
    const numeric = head[column].classList.contains("n") || "numeric" in head[column].dataset;
    const compare = (one, other) => {
      const [a, b] = [valueOf(one, column, numeric), valueOf(other, column, numeric)];
      return direction * (numeric ? (a > b) - (a < b) : collator.compare(a, b));
    };
    head.forEach((cell, place) => {
      if (place === column) cell.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
    const body = table.tBodies[0];
    const before = [...body.rows];
    const after = [...before].sort(compare);
    if (before.every((row, place) => row === after[place])) return;
    const focused = document.activeElement;
    body.append(...after);
    if (body.contains(focused)) focused.focus();
  }

  function prepare(table) {
    if ("paged" in table.dataset || !table.tHead || !table.tBodies[0] || table.tBodies[0].rows.length < 2) return;
    if (chosen.has(table)) arrange(table);
    if (table.querySelector("thead .sort")) return;
    columns(table).forEach((cell, column) => {
      if ("unsorted" in cell.dataset || !cell.textContent.trim()) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...cell.childNodes);
      cell.append(button);
      button.addEventListener("click", () => {
        const now = chosen.get(table);
        const first = cell.classList.contains("n") ? -1 : 1;  // of numbers the largest is looked for
        chosen.set(table, { column, direction: now && now.column === column ? -now.direction : first });
        arrange(table);
      });
    });
  }

  // Failures are articles: by their number, or by their name.
  let order = "";
  function arrangeFailures() {
    const articles = [...document.querySelectorAll("article.failure")];
    if (!order || articles.length < 2) return;
    const compare = {
      count: (one, other) => other.dataset.count - one.dataset.count,
      name: (one, other) => collator.compare(one.dataset.name, other.dataset.name),
    }[order];
    const sorted = [...articles].sort(compare);
    document.querySelectorAll("[data-failures-by]").forEach((button) =>
      button.setAttribute("aria-pressed", String(button.dataset.failuresBy === order)));
    if (articles.every((one, place) => one === sorted[place])) return;
    const end = articles[articles.length - 1].nextSibling;
    sorted.forEach((one) => one.parentNode.insertBefore(one, end));
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-failures-by]");
    if (!button) return;
    order = button.dataset.failuresBy;
    arrangeFailures();
  });

  function all() {
    document.querySelectorAll("main table").forEach(prepare);
    arrangeFailures();
  }
  all();
  document.addEventListener("htmx:afterSettle", all);
})();
