"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const make = (tag, text, kind = "") => Object.assign(document.createElement(tag), { textContent: text, className: kind });

  // The node table's filters.
  const rows = $$("#table tbody tr");
  const filter = () => {
    const words = $("#find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const kind = $("#dtype").value, clipped = $("#clipping").checked;
    let shown = 0;
    for (const row of rows) {
      const text = `${row.cells[1].textContent} ${row.cells[2].textContent}`.toLowerCase();
      const fits = words.every((word) => text.includes(word)) && (!kind || row.dataset.kind === kind)
        && (!clipped || row.dataset.clipped === "1");
      row.hidden = !fits;
      shown += fits;
    }
    $("#shown").textContent = `${shown} of ${rows.length} tensors`;
  };
  if (rows.length) {
    $("#find").addEventListener("input", filter);
    $("#dtype").addEventListener("change", filter);
    $("#clipping").addEventListener("change", filter);
    $(".filters").addEventListener("submit", (event) => event.preventDefault());
  }

  // The dialog shows a histogram or a pair of pictures large.
  const dialog = $("#large"), inside = $("div", dialog);
  const show = (title, ...parts) => {
    inside.replaceChildren(make("h2", title), ...parts);
    dialog.showModal();
  };
  $$(".open").forEach((button) => button.addEventListener("click", () => {
    const cells = [...button.closest("tr").cells].map((cell) => cell.textContent.trim());
    const ends = make("div", "", "ends");
    ends.append(make("span", button.dataset.low), make("span", button.dataset.high));
    const limits = button.dataset.limits ? ` · integers express ${button.dataset.limits} · clipped ${cells[9]}` : "";
    show(cells[1], $("svg", button).cloneNode(true), ends, make("p", `${cells[2]}, ${cells[3]}${limits}`, "note"));
  }));
  $$(".pair").forEach((pair) => pair.addEventListener("click", () => {
    if (!dialog.open) show($("b", pair.closest("figure")).textContent, pair.cloneNode(true));
  }));
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  // Dots and names lead to their rows; a dot says what it is.
  const tip = $("#tip");
  const rowOf = (mark) => document.getElementById(`n${mark.dataset.n}`);
  document.addEventListener("mousemove", (event) => {
    const row = event.target.closest("[data-n]") && rowOf(event.target.closest("[data-n]"));
    tip.hidden = !row;
    if (!row) return;
    const cells = [...row.cells].map((cell) => cell.textContent.trim());
    const figures = `${cells[2]}, ${cells[3]} · own ${cells[6]} dB · with all before ${cells[5]} dB · cosine ${cells[4]}`;
    tip.replaceChildren(make("b", cells[1]), document.createElement("br"), figures);
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + tip.offsetHeight + 24 > innerHeight ? event.clientY - tip.offsetHeight - 12 : event.clientY + 16}px`;
  });
  document.addEventListener("click", (event) => {
    const mark = event.target.closest("[data-n],a[href^='#n']");
    const row = mark && (mark.tagName === "A" ? $(`tr${mark.getAttribute("href")}`) : rowOf(mark));
    if (!row) return;
    event.preventDefault();
    $$("tr.here").forEach((one) => one.classList.remove("here"));
    row.hidden = false;
    row.classList.add("here");
    row.scrollIntoView({ block: "center" });
  });
})();
