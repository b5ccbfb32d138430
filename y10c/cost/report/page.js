// What every page of y10c does: light and dark, tables that sort.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Theme: the system's until the button is pressed. Storage may be refused for local files.
  const root = document.documentElement;
  const stored = (value) => {
    try {
      if (value) localStorage.setItem("y10c-theme", value);
      return localStorage.getItem("y10c-theme");
    } catch { return null; }
  };
  const before = stored();
  if (before) root.dataset.theme = before;
  $("#theme").addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    stored(root.dataset.theme);
  });

  // Tables sort by the column whose head is clicked: numbers first downwards, words first upwards.
  const value = (cell) => {
    const text = cell.dataset.v ?? cell.textContent.trim();
    const number = parseFloat(text);
    return cell.classList.contains("n") ? (isNaN(number) ? -Infinity : number) : text;
  };
  const sort = (head) => {
    const table = head.closest("table"), column = head.cellIndex, numeric = head.classList.contains("n");
    const now = head.getAttribute("aria-sort");
    const up = now === "none" ? !numeric : now === "descending";
    $$("th[aria-sort]", table).forEach((one) => one.setAttribute("aria-sort", "none"));
    head.setAttribute("aria-sort", up ? "ascending" : "descending");
    const keyed = $$("tbody tr", table).map((row) => [value(row.cells[column]), row]);
    const compare = numeric ? (a, b) => a - b : (a, b) => a.localeCompare(b, "en", { numeric: true });
    keyed.sort((a, b) => (up ? 1 : -1) * compare(a[0], b[0]));
    table.tBodies[0].append(...keyed.map((pair) => pair[1]));
  };
  $$("th[aria-sort] button").forEach((button) => button.addEventListener("click", () => sort(button.parentElement)));
})();
