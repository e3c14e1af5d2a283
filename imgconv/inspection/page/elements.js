// Elements of the page. All text goes in as text, never as HTML.

/** An element with properties, attributes (`aria-...`, `data-...`, `role`) and children. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (/^(aria-|data-|role$|scope$|for$|colspan$)/.test(name)) node.setAttribute(name, value);
    else node[name] = value;
  }
  node.append(...children);
  return node;
}

/** Give a node these children, and leave what is equal in it as it is: it needs no new layout. */
export function renew(node, children) {
  const old = [...node.childNodes];
  if (old.length !== children.length) return node.replaceChildren(...children);
  for (const [n, child] of children.entries()) {
    if (old[n].isEqualNode(child)) continue;
    const isAlike = child.childElementCount && old[n].cloneNode(false).isEqualNode(child.cloneNode(false));
    if (isAlike) renew(old[n], [...child.childNodes]);
    else old[n].replaceWith(child);
  }
}

export function byId(id) {
  return document.getElementById(id);
}

/** A labelled control. */
export function labelled(text, control, className = "") {
  return element("label", { className }, element("span", { textContent: text }), control);
}

const FITS = 30; // characters of a menu that is closed

/** A menu of [value, text] pairs. A chosen text that does not fit is repeated below. */
export function choice(id, text, options, value, onChange) {
  const select = element(
    "select",
    { id: `set-${id}` },
    ...options.map(([key, label]) => element("option", { value: key, textContent: label, selected: String(key) === String(value) })),
  );
  const whole = element("p", { className: "quiet" });
  const showWhole = () => {
    const chosen = select.selectedOptions[0]?.textContent ?? "";
    whole.textContent = chosen.slice(chosen.indexOf(": ") + 1);
    whole.hidden = chosen.length <= FITS;
  };
  select.addEventListener("change", () => {
    showWhole();
    onChange(select.value);
  });
  showWhole();
  return element("div", { className: "group" }, labelled(text, select), whole);
}

/** A number input; `onChange` gets finite numbers alone. */
export function numberInput(id, value, options, onChange) {
  const input = element("input", { type: "number", id: `set-${id}`, value, step: "any", ...options });
  input.addEventListener("input", () => input.value !== "" && input.validity.valid && onChange(Number(input.value)));
  return input;
}

/** A table from rows of cells; a cell is a text, or [text, properties]. The first row and column are headers where `headers`. */
export function tableOf(rows, { headers = false, caption = "", className = "" } = {}) {
  const table = element("table", { className });
  if (caption) table.append(element("caption", { textContent: caption }));
  rows.forEach((cells, i) => {
    const row = element("tr");
    cells.forEach((cell, j) => {
      const [text, properties] = Array.isArray(cell) ? cell : [cell, {}];
      const isHeader = headers && (i === 0 || j === 0) && text !== "";
      row.append(
        element(isHeader ? "th" : "td", { textContent: text, ...(isHeader && { scope: i === 0 ? "col" : "row" }), ...properties }),
      );
    });
    table.append(row);
  });
  return table;
}

/** A button that copies a text, and says so. */
export function copyButton(text) {
  const button = element("button", { type: "button", textContent: "Copy" });
  button.addEventListener("click", async () => {
    const copied = await navigator.clipboard?.writeText(text).then(
      () => true,
      () => false,
    );
    if (!copied) getSelection().selectAllChildren(button.previousElementSibling);
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
  return button;
}
