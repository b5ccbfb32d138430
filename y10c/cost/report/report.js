"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];

  // The layer table's filters.
  const rows = $$("#table tbody tr");
  const filter = () => {
    const words = $("#find").value.toLowerCase().split(/\s+/).filter(Boolean);
    const bound = $("#bound").value, advised = $("#advised").checked;
    let shown = 0;
    for (const row of rows) {
      const text = row.cells[1].textContent.toLowerCase() + " " + row.cells[2].textContent;
      const fits = words.every((word) => text.includes(word)) && (!bound || row.dataset.b === bound)
        && (!advised || row.lastElementChild.textContent !== "");
      row.hidden = !fits;
      shown += fits;
    }
    $("#shown").textContent = `${shown} of ${rows.length} layers`;
  };
  $("#find").addEventListener("input", filter);
  $("#bound").addEventListener("change", filter);
  $("#advised").addEventListener("change", filter);
  $(".filters").addEventListener("submit", (event) => event.preventDefault());

  // The timeline's zoom is its width; the ticks follow.
  const time = $(".time"), view = time.parentElement, end = +time.dataset.end;
  let zoom = 1;
  const ticks = () => {
    const count = Math.max(2, view.clientWidth * zoom / 110);
    const rough = end / count, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough * 0.999999);
    const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
    let marks = "";
    for (let i = 0; i * step <= end; i++) {
      const x = (100 * i * step / end).toFixed(4), words = `${(i * step).toFixed(digits)} ${time.dataset.unit}`;
      const room = (1 - i * step / end) * view.clientWidth * zoom;
      const side = room < 8 * words.length + 8 ? `dx="-4" text-anchor="end"` : `dx="4"`;
      marks += `<line x1="${x}%" x2="${x}%" y1="0" y2="100%"/><text x="${x}%" y="100%" ${side} dy="-6">${words}</text>`;
    }
    $(".ticks", time).innerHTML = marks;
  };
  const setZoom = (wanted, x = view.clientWidth / 2) => {
    const next = Math.min(Math.max(wanted, 1), 64), at = (view.scrollLeft + x) / zoom;
    zoom = next;
    time.style.width = `${100 * zoom}%`;
    view.scrollLeft = at * zoom - x;
    ticks();
  };
  ticks();
  addEventListener("resize", ticks);
  $$("[data-zoom]").forEach((button) => button.addEventListener("click", () => {
    const factor = +button.dataset.zoom;
    setZoom(factor ? zoom * factor : 1);
  }));
  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey) return;
    event.preventDefault();
    setZoom(zoom * (event.deltaY < 0 ? 1.3 : 1 / 1.3), event.clientX - view.getBoundingClientRect().left);
  }, { passive: false });

  // Paper cannot be clicked.
  addEventListener("beforeprint", () => $$(".notes details").forEach((one) => { one.open = true; }));

  // Marks of all plots: a tip on hovering, the layer's row on a click.
  const tip = $("#tip");
  const rowOf = (mark) => document.getElementById(mark.dataset.n ? `n${mark.dataset.n}` : `l${mark.dataset.l}`);
  const heads = (row) => $$("thead th", row.closest("table")).map((head) => head.textContent);
  const describe = (row) => {
    const names = heads(row), cells = [...row.cells].map((cell) => cell.textContent.trim());
    const wanted = row.id[0] === "n" ? [1, 3, 4, 5] : [2, 5, 8, 9, 12];
    return [cells[row.id[0] === "n" ? 0 : 1], wanted.map((i) => `${names[i]}: ${cells[i]}`).join(" · ")];
  };
  document.addEventListener("mousemove", (event) => {
    const mark = event.target.closest("[data-l],[data-n]");
    const row = mark && rowOf(mark);
    tip.hidden = !row;
    if (!row) return;
    const [name, figures] = describe(row);
    tip.replaceChildren(Object.assign(document.createElement("b"), { textContent: name }), document.createElement("br"), figures);
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + tip.offsetHeight + 24 > innerHeight ? event.clientY - tip.offsetHeight - 12 : event.clientY + 16}px`;
  });
  const go = (row) => {
    $$("tr.here").forEach((one) => one.classList.remove("here"));
    row.hidden = false;
    row.closest("details")?.setAttribute("open", "");
    row.classList.add("here");
    row.scrollIntoView({ block: "center" });
  };
  document.addEventListener("click", (event) => {
    const mark = event.target.closest("[data-l],[data-n],a[href^='#l']");
    if (!mark) return;
    const row = mark.tagName === "A" ? $(`tr${mark.getAttribute("href")}`) : rowOf(mark);
    if (!row) return;
    event.preventDefault();
    go(row);
  });
})();
