// Linear light of levels and levels of light, by sRGB or by the transfer function that a file declares. Both go from 0 to 1 here.

/** The light of a level: (a·level + b)^g + e from d on and c·level + f below it, or between samples; `transfer` is null for sRGB. */
function decoded(level, transfer) {
  if (!transfer) return level <= 0.04045 ? level / 12.92 : ((level + 0.055) / 1.055) ** 2.4;
  if (transfer.samples) return sampleAt(level * (transfer.samples.length - 1), transfer.samples);
  const [g, a, b, c, d, e, f] = transfer.parameters;
  return level >= d ? Math.max(a * level + b, 0) ** g + e : c * level + f;
}

/** The level of some light; light that no level has becomes the nearest that one has. */
function encoded(light, transfer) {
  if (!transfer) return light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055;
  if (transfer.samples) return positionIn(light, transfer.samples) / (transfer.samples.length - 1);
  const [g, a, b, c, d, e, f] = transfer.parameters;
  const edge = Math.max(a * d + b, 0) ** g + e;
  return light >= edge ? (Math.max(light - e, 0) ** (1 / g) - b) / a : c ? (light - f) / c : d;
}

/** The value at a position between the numbers of a list; one outside is moved to its ends. */
function sampleAt(position, list) {
  const place = Math.min(Math.max(position, 0), list.length - 1);
  const first = Math.min(Math.floor(place), list.length - 2);
  return list[first] + (place - first) * (list[first + 1] - list[first]);
}

/** The position of a value between the ascending numbers of a list. */
function positionIn(value, list) {
  if (!(value > list[0])) return 0;
  if (value >= list.at(-1)) return list.length - 1;
  let [low, high] = [0, list.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (list[middle] <= value) low = middle;
    else high = middle;
  }
  return low + (value - list[low]) / (list[high] - list[low]);
}

const tables = new WeakMap();

/** The function from a level of a photograph to its light, on the same scale. */
export function toLight({ transfer, largest, whole, planes: [{ constructor }], planes }) {
  if (constructor === Float64Array) return (level) => decoded(level / largest, transfer) * largest;
  if (!whole) return (level) => Math.fround(decoded(level, transfer));
  if (!tables.has(planes)) {
    const light = Float32Array.from({ length: largest + 1 }, (_, level) => decoded(level / largest, transfer) * largest);
    tables.set(planes, light);
  }
  const table = tables.get(planes);
  return (level) => table[level];
}

/** The level of some light on the scale of a photograph. */
export function fromLight(light, { transfer, largest }) {
  return encoded(light / largest, transfer) * largest;
}
