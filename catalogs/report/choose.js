// Which pictures, classes and compared images are shown: classes that are pressed count for all three.
function chooseShown() {
  const rows = all(".picture"), cards = all(".class"), compared = all(".compared");
  const given = new Map(rows.map((row, i) => [row, i]));
  const wanted = new Set();
  const names = new Map(all(".chip").map((chip) => [chip.dataset.class, chip.firstChild.textContent.trim().toLowerCase()]));
  const classesOf = (item) => item.dataset.classes.split(" ");
  const words = new Map(rows.map((row) => [row, [
    row.querySelector("header").textContent.toLowerCase(),
    ...classesOf(row).map((i) => names.get(i) ?? ""),
  ].join(" ")]));
  const hasAll = (item) => { const own = classesOf(item); return [...wanted].every((c) => own.includes(c)); };
  let group = "";

  const hide = (items, fits, place, what) => {
    items.forEach((item) => { item.hidden = !fits(item); });
    const count = items.filter((item) => !item.hidden).length;
    if (at(place)) at(place).textContent = `${count} of ${items.length} ${what}`;
    return count;
  };
  const show = () => {
    const find = at("find")?.value.trim().toLowerCase() ?? "";
    const fits = (row) => (!group || row.dataset.group === group) && hasAll(row) && words.get(row).includes(find);
    const count = hide(rows, fits, "shown", "pictures");
    const carded = cards.some((card) => wanted.has(card.dataset.classes));
    hide(cards, (card) => !carded || wanted.has(card.dataset.classes), "shown-classes", "classes");
    hide(compared, hasAll, "shown-compared", "images");
    if (at("none")) at("none").hidden = count > 0;
    if (at("compared-state")) at("compared-state").hidden = !wanted.size;
    all(".reset").forEach((button) => { button.hidden = !(wanted.size || group || find); });
    all(".chip").forEach((chip) => chip.setAttribute("aria-pressed", String(wanted.has(chip.dataset.class))));
    all("[data-group][aria-pressed]").forEach((b) => b.setAttribute("aria-pressed", String(b.dataset.group === group)));
  };

  all("[data-group][aria-pressed]").forEach((b) => b.addEventListener("click", () => { group = b.dataset.group; show(); }));
  // Pictures above the chip come and go: the page is scrolled so that the chip stays under the pointer.
  all(".chip").forEach((chip) => chip.addEventListener("click", () => {
    const before = chip.getBoundingClientRect().top;
    if (!wanted.delete(chip.dataset.class)) wanted.add(chip.dataset.class);
    show();
    scrollBy({ top: chip.getBoundingClientRect().top - before, behavior: "instant" });
  }));
  at("find")?.addEventListener("input", show);
  all(".reset").forEach((button) => button.addEventListener("click", () => {
    const controls = button.closest(".controls, section");
    wanted.clear();
    group = "";
    if (at("find")) at("find").value = "";
    show();
    controls.querySelector("input, .chip, .open")?.focus({ preventScroll: true });
    controls.scrollIntoView({ block: "nearest", behavior: "instant" });
  }));
  at("order")?.addEventListener("change", (event) => orderRows(rows, given, event.target.value));
  const root = document.body;
  at("strength")?.addEventListener("input", (event) => root.style.setProperty("--strength", event.target.value / 100));
  at("names")?.addEventListener("change", (event) => root.classList.toggle("no-names", !event.target.checked));
  all(".controls").forEach((controls) => { controls.hidden = false; });
}

function orderRows(rows, given, by) {
  const number = (row, name) => (row.dataset[name] === "" ? NaN : Number(row.dataset[name]));
  const gain = (row) => number(row, "student") - number(row, "teacher");
  const keys = { student: (r) => number(r, "student"), teacher: (r) => number(r, "teacher"), gain, loss: (r) => -gain(r) };
  const key = keys[by] ?? ((row) => -given.get(row));
  const rank = (row) => (Number.isNaN(key(row)) ? -Infinity : key(row));
  rows[0].parentNode.append(...[...rows].sort((a, b) => (rank(b) > rank(a) ? 1 : rank(b) < rank(a) ? -1 : given.get(a) - given.get(b))));
}
