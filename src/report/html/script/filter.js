// What is shown: rows and cards that hold the words asked for, and the lines of a chart.
(() => {
  // Fewer than this nobody needs help with.
  const FEWEST = 6;
  const ITEMS = { rows: "tbody tr", bodies: "tbody", cards: ".card" };
  const filters = [];
  for (const place of document.querySelectorAll("[data-filter]")) {
    const items = [...place.querySelectorAll(ITEMS[place.dataset.filter])];
    if (items.length < FEWEST) continue;
    const texts = items.map((item) => item.textContent.toLowerCase());
    const form = document.createElement("div");
    form.className = "filter";
    form.innerHTML = `<label><span></span> <input type="search" autocomplete="off" spellcheck="false"></label><output></output>`;
    form.querySelector("span").textContent = place.dataset.filterName;
    const [input, output] = [form.querySelector("input"), form.querySelector("output")];
    const apply = () => {
      const words = input.value.toLowerCase().split(/\s+/).filter((word) => word);
      let count = 0;
      items.forEach((item, index) => {
        item.hidden = !words.every((word) => texts[index].includes(word));
        count += item.hidden ? 0 : 1;
      });
      // Where all cards of a check are hidden its heading is of no use; where some are left they are shown.
      for (const group of place.querySelectorAll(".of-check, .of-check details")) {
        const left = [...group.querySelectorAll(".card")].some((card) => !card.hidden);
        group.hidden = !left;
        if (words.length && left && group.tagName === "DETAILS") group.open = true;
      }
      output.textContent = words.length ? `${count} of ${items.length}` : "";
    };
    input.addEventListener("input", apply);
    place.prepend(form);
    filters.push(() => {
      input.value = "";
      apply();
    });
  }
  // A link leads to what is there, whatever was asked for before.
  document.addEventListener("click", (event) => {
    const link = event.target.closest?.("a[href^='#'], svg a");
    const target = link && document.getElementById((link.getAttribute("href") ?? "#").slice(1));
    if (target?.closest("[hidden]")) for (const clear of filters) clear();
  }, true);

  for (const item of document.querySelectorAll(".legend [data-line]")) {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("aria-pressed", "true");
    button.append(...item.childNodes);
    item.replaceWith(button);
    const lines = button.closest("figure").querySelectorAll(`svg.chart .line.${item.dataset.line}`);
    button.addEventListener("click", () => {
      const show = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", String(show));
      for (const line of lines) line.style.display = show ? "" : "none";
    });
  }
})();
