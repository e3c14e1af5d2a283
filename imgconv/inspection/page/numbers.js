// Numbers and sums as text.

import { isAdded, sumOf } from "./sums.js";

const NOISE_OF_0 = 1e-12; // cosines that should be 0
const LISTED = 25; // products that are listed one by one; longer lists are only counted

/** A number as text: whole numbers in full, others with six significant digits. */
export function number(value) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "NaN" : value > 0 ? "∞" : "−∞";
  const text = Number.isInteger(value)
    ? `${value}`
    : Math.abs(value) >= 1e-4 && Math.abs(value) < 1e6
      ? `${+value.toPrecision(6)}`
      : value.toExponential(4);
  return text.replace("-", "−");
}

/** The result of a stage of arithmetic. */
export function resultText({ name, value }) {
  return name === "missing" ? "missing" : `= ${number(value)}`;
}

/** A number for a narrow cell. */
export function short(value) {
  if (Number.isInteger(value) || !Number.isFinite(value)) return number(value);
  if (Math.abs(value) < NOISE_OF_0) return "0.00";
  const digits = [100, 10, 0.1, 0.0005].findIndex((least) => Math.abs(value) >= least); // after the point
  return (digits < 0 ? value.toExponential(0) : value.toFixed(digits)).replaceAll("-", "−");
}

/** A large whole number with thin spaces between thousands. */
export function grouped(value) {
  return String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

/** A number of things: "1 map", "2 maps". */
export function counted(count, noun) {
  return `${grouped(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** The first and the last of some rows or columns: "row 7", "rows 7 to 9". */
export function fromTo(noun, cells) {
  return cells.length > 1 ? `${noun}s ${cells[0]} to ${cells.at(-1)}` : `${noun} ${cells[0]}`;
}

/** Sizes as text: 3×480×640. */
export function by(sizes) {
  return sizes.join("×");
}

/** The sum of the products of one part, or of the sums of several. */
export function productsText(parts) {
  if (parts.length > 1) {
    return parts.length > LISTED
      ? `of ${parts.length} channels`
      : parts.map((part) => `${part.title} ${number(partSum(part))}`).join(" + ");
  }
  const [{ cells, taps }] = parts;
  const pairs = [];
  taps.forEach((line, u) =>
    line.forEach((tap, v) => {
      if (isAdded(tap, cells.values[u][v])) pairs.push([tap, cells.values[u][v]]);
    }),
  );
  if (pairs.length > LISTED) return `${pairs.length} products`;
  return (
    signed(pairs.map(([tap, value]) => [tap < 0, `${number(Math.abs(tap))}·${value < 0 ? `(${number(value)})` : number(value)}`])) ||
    "no tap but 0"
  );
}

/** Terms [negative, text] joined by their signs. */
export function signed(terms) {
  return terms.map(([negative, text], n) => (n ? (negative ? ` − ${text}` : ` + ${text}`) : negative ? `−${text}` : text)).join("");
}

function partSum({ cells, taps }) {
  return sumOf(cells.values, taps);
}
