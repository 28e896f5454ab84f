"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const at = (id) => document.getElementById(id);

function followSections() {
  const links = new Map(all(".contents a").map((a) => [a.hash.slice(1), a]));
  const seen = new Set();
  const mark = () => {
    const current = [...links.keys()].find((id) => seen.has(id));
    links.forEach((a, id) => (id === current ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current")));
    const link = links.get(current), list = link?.closest("ul");
    if (list && list.scrollWidth > list.clientWidth) list.scrollLeft = link.offsetLeft - list.offsetLeft - 24;
  };
  const observer = new IntersectionObserver((entries) => {
    entries.forEach((e) => (e.isIntersecting ? seen.add(e.target.id) : seen.delete(e.target.id)));
    mark();
  }, { rootMargin: "-72px 0px -60% 0px" });
  all("main > section").forEach((section) => observer.observe(section));
}

function sortTables() {
  const value = (row, column) => {
    const cell = row.children[column];
    return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.trim();
  };
  const compare = (a, b) => (typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b)));
  all("table.sortable").forEach((table) => {
    all("thead th", table).forEach((head, column) => {
      if ("plain" in head.dataset) return;
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      const arrow = Object.assign(document.createElement("span"), { className: "arrow", ariaHidden: "true" });
      button.firstChild.after(arrow);
      head.append(button);
      button.addEventListener("click", () => {
        const numeric = "value" in (table.tBodies[0].rows[0]?.children[column].dataset ?? {});
        const before = head.getAttribute("aria-sort");
        const down = before ? before === "ascending" : numeric;
        all("thead th", table).forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].sort((a, b) => compare(value(a, column), value(b, column)));
        table.tBodies[0].append(...(down ? rows.reverse() : rows));
      });
    });
  });
}

function openForPrint() {
  addEventListener("beforeprint", () => all("details:not([open])").forEach((d) => { d.open = true; d.dataset.shut = ""; }));
  addEventListener("afterprint", () => all("details[data-shut]").forEach((d) => { d.open = false; delete d.dataset.shut; }));
}
