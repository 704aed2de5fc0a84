// What axe-core does not look at: text in drawings, whether the focus is seen, and the order of headings. Returns sentences.
const faults = [];
const seen = (element) => element.checkVisibility({ visibilityProperty: true });
const name = (element) => `${element.tagName.toLowerCase()}${element.id ? "#" + element.id : ""}` +
  `.${element.getAttribute("class") ?? ""} "${element.textContent.trim().slice(0, 40)}"`;

// Any colour that style sheets can say, as red, green, blue and opacity.
const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
const rgba = (color) => {
  canvas.clearRect(0, 0, 1, 1);
  canvas.fillStyle = color;
  canvas.fillRect(0, 0, 1, 1);
  const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
  return [red, green, blue, alpha / 255];
};
const over = ([r, g, b, a], ground) => [r, g, b].map((part, index) => part * a + ground[index] * (1 - a));
const luminance = (color) => {
  const [red, green, blue] = color.map((part) => part / 255).map((part) => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
  return .2126 * red + .7152 * green + .0722 * blue;
};
const contrast = (one, other) => {
  const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
  return (light + .05) / (dark + .05);
};
const groundOf = (element) => {
  for (let at = element; at; at = at.parentElement) {
    const color = rgba(getComputedStyle(at).backgroundColor);
    if (color[3] === 1) return color.slice(0, 3);
  }
  return rgba("Canvas").slice(0, 3);
};

for (const text of document.querySelectorAll("svg text")) {
  if (!seen(text) || !text.textContent.trim() || getComputedStyle(text).display === "none") continue;
  const card = groundOf(text.closest("svg").parentElement);
  let ground = card;
  if (text.matches(".bar-label")) {
    const box = text.getBoundingClientRect();
    const inside = (bar) => {
      const { left, right, top, bottom } = bar.getBoundingClientRect();
      return left <= box.left + 1 && right >= box.right - 1 && top <= box.top + box.height / 2 && bottom >= box.top + box.height / 2;
    };
    const bar = [...text.closest("svg").querySelectorAll("rect.bar")].find(inside);
    if (bar) ground = over(rgba(getComputedStyle(bar).fill), card);
  }
  const ratio = contrast(over(rgba(getComputedStyle(text).fill), ground), ground);
  if (ratio < 4.5) faults.push(`text in a drawing has a contrast of ${ratio.toFixed(2)}: ${name(text)}`);
}

// Lines and marks that carry meaning: 3 to 1 against what they are drawn on.
for (const line of document.querySelectorAll("svg path.line, svg .mark path, svg .mark circle, svg polyline")) {
  if (!seen(line)) continue;
  const style = getComputedStyle(line);
  const paint = style.stroke === "none" ? style.fill : style.stroke;
  const ground = groundOf(line.closest("svg").parentElement);
  const ratio = contrast(over(rgba(paint), ground), ground);
  if (ratio < 3) faults.push(`a line has a contrast of ${ratio.toFixed(2)}: ${name(line)}`);
}

let level = 0;
for (const heading of document.querySelectorAll("h1, h2, h3, h4, h5, h6")) {
  if (!seen(heading)) continue;
  const own = Number(heading.tagName[1]);
  if (own > level + 1) faults.push(`a heading skips a level: ${name(heading)}`);
  level = own;
}
if (document.querySelectorAll("h1").length !== 1) faults.push("there is not exactly one h1");

for (const element of document.querySelectorAll("[tabindex]")) {
  if (element.tabIndex > 0) faults.push(`it takes its own place in the order of focus: ${name(element)}`);
}
for (const table of document.querySelectorAll("table")) {
  if (!table.querySelector("th[scope]")) faults.push(`a table has no header cells: ${name(table)}`);
  for (const row of table.tBodies[0]?.rows ?? []) {
    if (!row.querySelector("th[scope=row]") && !row.classList.contains("told")) faults.push(`a row has no header cell: ${name(row)}`);
  }
}
for (const drawing of document.querySelectorAll("svg")) {
  const named = (drawing.getAttribute("aria-labelledby") ?? "").split(" ").every((id) => document.getElementById(id)?.textContent.trim());
  if (drawing.getAttribute("aria-hidden") !== "true" && !named) faults.push(`a drawing has no name: ${name(drawing)}`);
}
return [...new Set(faults)];
