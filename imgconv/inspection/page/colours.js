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
const SHADE_BYTES = [...Array(2 * SHADES + 1).keys()].flatMap((n) => [...diverging(n / SHADES - 1), 255]);
const PIXELS = new Uint32Array(Uint8ClampedArray.from(SHADE_BYTES).buffer); // a pixel each, in the order of bytes of this machine

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

/** Pixels of plane `c`, or of all three colours for null, as image data; missing cells are transparent, as are others by their alpha. */
export function imageOf(maps, c) {
  const image = opaqueImageOf(maps, c);
  const { data } = image;
  const { planes, valid, largest } = maps;
  const alpha = maps.alpha && !isAlpha(maps, c) ? planes.at(-1) : [];
  for (let i = 0; i < alpha.length; i++) data[4 * i + 3] = (255 * alpha[i]) / largest;
  for (const known of (c === null ? valid : valid && [valid[c]]) ?? []) {
    for (let i = 0; i < known.length; i++) data[4 * i + 3] *= known[i];
  }
  return image;
}

function opaqueImageOf(maps, c) {
  const { width, height, planes } = maps;
  const image = new ImageData(width, height);
  const { data } = image;
  if (c === null) {
    const factor = 255 / maps.largest;
    for (let i = 0, o = 0; i < planes[0].length; i++, o += 4) {
      data[o] = planes[0][i] * factor;
      data[o + 1] = planes[1][i] * factor;
      data[o + 2] = planes[2][i] * factor;
      data[o + 3] = 255;
    }
    return image;
  }
  const { low, high } = scaleOf(maps, c);
  const plane = planes[c];
  if (low >= 0) {
    const factor = 255 / (high - low || 1);
    for (let i = 0, o = 0; i < plane.length; i++, o += 4) {
      data[o] = data[o + 1] = data[o + 2] = (plane[i] - low) * factor;
      data[o + 3] = 255;
    }
    return image;
  }
  const pixels = new Uint32Array(data.buffer);
  const most = Math.max(-low, high);
  for (let i = 0; i < plane.length; i++) pixels[i] = PIXELS[SHADES + Math.round(SHADES * Math.min(Math.max(plane[i] / most, -1), 1) || 0)];
  return image;
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
