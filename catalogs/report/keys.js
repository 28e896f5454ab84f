// Moving from picture to picture, and one picture large.
function browse() {
  const large = at("large"), keys = at("keys"), stage = large.querySelector(".stage");
  const cards = () => all("[data-card]").filter((card) => !card.closest("[hidden]") && !card.closest("dialog"));
  let current = null;

  const open = (card) => {
    current = card;
    const copy = card.cloneNode(true);
    copy.removeAttribute("data-card");
    all("[id]", copy).forEach((part) => part.removeAttribute("id"));
    all("button.open", copy).forEach((button) => {
      if (!button.classList.contains("cutout")) return button.remove();
      const frame = document.createElement("div");
      frame.className = "cutout";
      frame.append(...button.childNodes);
      return button.replaceWith(frame);
    });
    const named = card.closest(".class")?.querySelector("h3").textContent;
    if (named) copy.prepend(Object.assign(document.createElement("h3"), { textContent: `${named}, ${card.closest(".kind").querySelector("h4").textContent}` }));
    stage.replaceChildren(copy);
    const shown = cards();
    large.querySelector(".place").textContent = `${shown.indexOf(card) + 1} of ${shown.length}`;
    if (!large.open) large.showModal();
  };
  const near = () => {
    const active = document.activeElement?.closest("[data-card]");
    if (active) return active;
    return cards().find((card) => card.getBoundingClientRect().bottom > 80);
  };
  const step = (by) => {
    const shown = cards();
    if (!shown.length) return;
    const from = large.open ? current : document.activeElement?.closest("[data-card]");
    const start = from ? shown.indexOf(from) + by : shown.indexOf(near());
    const card = shown[Math.min(shown.length - 1, Math.max(0, start))];
    if (large.open) open(card);
    else reach(card);
  };
  const reach = (card) => {
    card.querySelector(".open").focus({ preventScroll: true });
    card.scrollIntoView({ block: "nearest" });
  };
  const masks = () => document.body.classList.toggle("no-masks");
  const actions = {
    j: () => step(1), ArrowRight: () => step(1), k: () => step(-1), ArrowLeft: () => step(-1), m: masks,
    "/": () => { large.close(); at("find")?.focus(); at("find")?.select(); },
    "?": () => { if (!keys.open) keys.showModal(); },
    t: () => at("theme").click(),
  };

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, .scroll")) return;
    if (keys.open || !Object.hasOwn(actions, event.key)) return;
    event.preventDefault();
    actions[event.key]();
  });
  all("[data-card]").forEach((card) => {
    card.querySelector(".open").addEventListener("click", () => open(card));
    card.querySelector(".frames")?.addEventListener("click", () => open(card));
  });
  all("[data-step]", large).forEach((button) => button.addEventListener("click", () => step(Number(button.dataset.step))));
  large.querySelector("[data-masks]").addEventListener("click", masks);
  large.addEventListener("close", () => { if (current?.isConnected) reach(current); stage.replaceChildren(); });
  at("help").addEventListener("click", () => keys.showModal());
  all("dialog").forEach((dialog) => {
    dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  });
}
