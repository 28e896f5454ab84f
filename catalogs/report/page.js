"use strict";

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const at = (id) => document.getElementById(id);

function followSections() {
  const links = new Map(all(".contents a").map((a) => [a.hash.slice(1), a]));
  const seen = new Set();
  const mark = () => {
    const current = [...links.keys()].find((id) => seen.has(id));
    links.forEach((a, id) => (id === current ? a.setAttribute("aria-current", "true") : a.removeAttribute("aria-current")));
  };
  const observer = new IntersectionObserver((entries) => {
    entries.forEach((e) => (e.isIntersecting ? seen.add(e.target.id) : seen.delete(e.target.id)));
    mark();
  }, { rootMargin: "-64px 0px -60% 0px" });
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
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
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

function chooseRows() {
  const rows = all(".row");
  if (!rows.length) return;
  const given = new Map(rows.map((row, i) => [row, i]));
  const wanted = new Set();
  const names = all(".chip").map((chip) => chip.firstChild.textContent.trim().toLowerCase());
  const words = new Map(rows.map((row) => [row, [
    row.querySelector("header").textContent.toLowerCase(),
    ...row.dataset.classes.split(" ").map((i) => names[i] ?? ""),
  ].join(" ")]));
  let group = "";

  const show = () => {
    const find = at("find").value.trim().toLowerCase();
    let shown = 0;
    rows.forEach((row) => {
      const classes = row.dataset.classes.split(" ");
      row.hidden = !((!group || row.dataset.group === group)
        && [...wanted].every((c) => classes.includes(c)) && words.get(row).includes(find));
      shown += !row.hidden;
    });
    at("shown").textContent = `${shown} of ${rows.length} pictures`;
    at("none").hidden = shown > 0;
    at("reset").hidden = shown === rows.length;
  };
  const pressGroup = (chosen) => {
    group = chosen;
    all("[data-group][aria-pressed]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.group === group)));
  };

  all("[data-group][aria-pressed]").forEach((b) => b.addEventListener("click", () => { pressGroup(b.dataset.group); show(); }));
  all(".chip").forEach((chip) => chip.addEventListener("click", () => {
    const on = !wanted.delete(chip.dataset.class);
    if (on) wanted.add(chip.dataset.class);
    chip.setAttribute("aria-pressed", String(on));
    show();
  }));
  at("find").addEventListener("input", show);
  at("reset").addEventListener("click", () => {
    wanted.clear();
    all(".chip").forEach((chip) => chip.setAttribute("aria-pressed", "false"));
    at("find").value = "";
    pressGroup("");
    show();
    at("find").focus();
  });
  at("order")?.addEventListener("change", (event) => {
    const number = (row, name) => (row.dataset[name] === "" ? NaN : Number(row.dataset[name]));
    const gain = (row) => number(row, "student") - number(row, "teacher");
    const keys = { student: (r) => number(r, "student"), teacher: (r) => number(r, "teacher"), gain, loss: (r) => -gain(r) };
    const key = keys[event.target.value] ?? ((row) => -given.get(row));
    const rank = (row) => (Number.isNaN(key(row)) ? -Infinity : key(row));
    rows[0].parentNode.append(...[...rows].sort((a, b) => (rank(b) > rank(a) ? 1 : rank(b) < rank(a) ? -1 : given.get(a) - given.get(b))));
  });
  const rowsBox = document.querySelector(".rows");
  at("strength").addEventListener("input", (event) => rowsBox.style.setProperty("--strength", event.target.value / 100));
  at("names").addEventListener("change", (event) => rowsBox.classList.toggle("no-names", !event.target.checked));
  document.querySelector(".controls").hidden = false;
}

function openForPrint() {
  addEventListener("beforeprint", () => all("details:not([open])").forEach((d) => { d.open = true; d.dataset.shut = ""; }));
  addEventListener("afterprint", () => all("details[data-shut]").forEach((d) => { d.open = false; delete d.dataset.shut; }));
}

followSections();
sortTables();
chooseRows();
openForPrint();
