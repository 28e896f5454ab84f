// Colours follow the system until somebody chooses; where the page may store nothing, a choice lasts as long as it is open.
const THEMES = { "": ["Auto", "as the system"], dark: ["Dark", "dark"], light: ["Light", "light"] };

function chooseTheme() {
  const root = document.documentElement;
  const remember = (theme) => { try { localStorage.setItem("maskmill-theme", theme); } catch { /* not allowed here */ } };
  const remembered = () => { try { return localStorage.getItem("maskmill-theme") ?? ""; } catch { return ""; } };
  const set = (theme) => {
    if (theme) root.dataset.theme = theme; else delete root.dataset.theme;
    const [name, said] = THEMES[theme];
    at("theme").firstElementChild.textContent = name;
    at("theme").setAttribute("aria-label", `Colours: ${said}`);
  };
  const turn = () => {
    const names = Object.keys(THEMES);
    const next = names[(names.indexOf(root.dataset.theme ?? "") + 1) % names.length];
    set(next);
    remember(next);
  };
  set(remembered() in THEMES ? remembered() : "");
  at("theme").addEventListener("click", turn);
  at("theme").parentNode.hidden = false;
}
