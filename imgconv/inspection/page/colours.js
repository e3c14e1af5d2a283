// Colours: of the cells of maps, and of the page's theme.

import { isAlpha } from "./alpha.js";
import { extremes } from "./sums.js";

const TINTS = { red: [1, 0.45, 0.4], green: [0.5, 0.86, 0.5], blue: [0.5, 0.66, 1] };
const scales = new WeakMap();

/** Whether maps are the three colours of an image, which are drawn as one. */
export function isColour(maps) {
  return /^red,green,blue(,alpha)?$/.test(maps.names.join()) && maps.whole;
}

/** From a value of plane `c` to [red, green, blue]: levels in the colour of their channel, signed values blue to red, others grey. */
export function toneOf(maps, c, tinted = true) {
  const { low, high } = scaleOf(maps, c);
  const span = high - low || 1;
  const tint = (tinted && maps.names.length > 1 && TINTS[maps.names[c]]) || [1, 1, 1];
  if (low >= 0) {
    return (value) => {
      const level = 255 * Math.min(Math.max((value - low) / span, 0), 1) || 0;
      return tint.map((part) => level * part);
    };
  }
  const most = Math.max(-low, high);
  return (value) => diverging(value / most);
}

/** White at 0, red above and blue below. */
function diverging(share) {
  const size = Math.min(Math.abs(share), 1) || 0;
  const [r, g, b] = share > 0 ? [178, 24, 43] : [33, 102, 172];
  return [247 + (r - 247) * size, 247 + (g - 247) * size, 247 + (b - 247) * size];
}

const SHADES = 512; // of each sign
const GREYS = pixelsOf(256, (n) => [n, n, n]);
const SIGNED = pixelsOf(2 * SHADES + 1, (n) => diverging(n / SHADES - 1));

/** A pixel for each of some colours, in the order of bytes of this machine. */
function pixelsOf(count, colour) {
  const bytes = Array.from({ length: count }, (_, n) => [...colour(n), 255]);
  return new Uint32Array(Uint8ClampedArray.from(bytes.flat()).buffer);
}

function scaleOf(maps, c) {
  if (maps.whole || ["ridges", "edges", "alpha"].includes(maps.names[c])) return { low: 0, high: maps.largest };
  const plane = maps.planes[c];
  if (!scales.has(plane)) {
    const [low, high] = extremes(plane, maps.valid?.[c]);
    const levels = low >= 0 && high <= maps.largest && high > maps.largest / 4;
    scales.set(plane, levels ? { low: 0, high: maps.largest } : { low, high });
  }
  return scales.get(plane);
}

/**
 * Pixels of plane `c`, or of all three colours for null, as image data at most `most` pixels wide: of larger maps every second one, or
 * fewer, as a browser shows them in little room. Missing cells are transparent, as are others by their alpha.
 */
export function imageOf(maps, c, most) {
  const every = Math.ceil(maps.width / most);
  const [width, height] = [Math.ceil(maps.width / every), Math.ceil(maps.height / every)];
  const seen = (plane) => (every > 1 ? sampled(plane, maps.width, every) : plane);
  const image = new ImageData(width, height);
  if (c === null) drawColours(image.data, maps.planes.slice(0, 3).map(seen), maps.largest);
  else drawPlane(new Uint32Array(image.data.buffer), seen(maps.planes[c]), scaleOf(maps, c));
  const { data } = image;
  const { planes, valid, largest } = maps;
  const alpha = maps.alpha && !isAlpha(maps, c) ? seen(planes.at(-1)) : [];
  for (let i = 0; i < alpha.length; i++) data[4 * i + 3] = (255 * alpha[i]) / largest;
  for (const known of ((c === null ? valid : valid && [valid[c]]) ?? []).map(seen)) {
    for (let i = 0; i < known.length; i++) data[4 * i + 3] *= known[i];
  }
  return image;
}

/** Every few cells of every few rows. */
function sampled(plane, width, every) {
  const rows = Math.ceil(plane.length / width / every);
  const out = new plane.constructor(rows * Math.ceil(width / every));
  for (let i = 0, o = 0; i < rows; i++) for (let j = i * every * width; j < (i * every + 1) * width; j += every) out[o++] = plane[j];
  return out;
}

function drawColours(data, [red, green, blue], largest) {
  const factor = 255 / largest;
  for (let i = 0, o = 0; i < red.length; i++, o += 4) {
    data[o] = red[i] * factor;
    data[o + 1] = green[i] * factor;
    data[o + 2] = blue[i] * factor;
    data[o + 3] = 255;
  }
}

function drawPlane(pixels, plane, { low, high }) {
  if (low >= 0) {
    const factor = 255 / (high - low || 1);
    for (let i = 0; i < plane.length; i++) {
      const level = (plane[i] - low) * factor + 0.5;
      pixels[i] = GREYS[level > 0 ? (level < 256 ? level | 0 : 255) : 0];
    }
    return;
  }
  const most = Math.max(-low, high);
  for (let i = 0; i < plane.length; i++) pixels[i] = SIGNED[SHADES + Math.round(SHADES * Math.min(Math.max(plane[i] / most, -1), 1) || 0)];
}

/** Black or white, whichever has more contrast with a colour (WCAG 2.2). */
export function inkOn(rgb) {
  const [r, g, b] = rgb.map((level) => (level <= 10 ? level / 3294.6 : ((level / 255 + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}

export function css(rgb) {
  return `rgb(${rgb.map(Math.round).join(" ")})`;
}

const theme = new Map();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => theme.clear());

/** A colour of the theme by the name of its custom property. */
export function themed(name) {
  if (!theme.has(name)) theme.set(name, getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim());
  return theme.get(name);
}
