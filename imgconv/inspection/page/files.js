// Files that a reader can save: arrays as NumPy writes them, which imgconv reads as images and as weights.

const DESCRIPTIONS = new Map([
  [Uint8Array, "|u1"],
  [Uint16Array, "<u2"],
  [Float32Array, "<f4"],
  [Float64Array, "<f8"],
]);

/** A .npy file of an array (typed values in C order). */
export function npy(values, shape) {
  const text = `{'descr': '${DESCRIPTIONS.get(values.constructor)}', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`;
  const padded = `${text.padEnd(Math.ceil((text.length + 11) / 64) * 64 - 11)}\n`;
  const header = new Uint8Array(10 + padded.length);
  header.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, padded.length & 255, padded.length >> 8]);
  header.set(new TextEncoder().encode(padded), 10);
  return new Blob([header, values]);
}

/** Whether channels lie side by side in an array of an image, as those of colours do. */
export function isInterleaved({ planes }) {
  return planes.length === 3 || planes.length === 4;
}

/** The photograph or other maps as imgconv reads them: (H, W), (H, W, C) for colours, else (C, H, W). */
export function imageFile(maps) {
  const { planes, height, width } = maps;
  const [apart, step] = isInterleaved(maps) ? [1, planes.length] : [height * width, 1];
  const values = new planes[0].constructor(planes.length * height * width);
  planes.forEach((plane, c) => plane.forEach((value, i) => (values[c * apart + i * step] = value)));
  const channels = planes.length > 1 ? [planes.length] : [];
  return npy(values, isInterleaved(maps) ? [height, width, ...channels] : [...channels, height, width]);
}

/** A PAM file of colours and alpha in whole levels. */
export function pam({ planes, height, width, largest }) {
  const depth = planes.length;
  const colours = depth === 2 ? "GRAYSCALE" : "RGB";
  const sizes = `WIDTH ${width}\nHEIGHT ${height}\nDEPTH ${depth}`;
  const head = `P7\n${sizes}\nMAXVAL ${largest}\nTUPLTYPE ${colours}_ALPHA\nENDHDR\n`;
  const size = planes[0].BYTES_PER_ELEMENT;
  const bytes = new DataView(new ArrayBuffer(size * depth * height * width));
  const put = (at, value) => (size === 1 ? bytes.setUint8(at, value) : bytes.setUint16(2 * at, value));
  planes.forEach((plane, c) => plane.forEach((value, i) => put(i * depth + c, value)));
  return new Blob([head, bytes]);
}

/** A mask (H, W) of the photograph: 0 in missing cells, else 255. */
export function maskFile({ valid, height, width }) {
  return npy(
    valid[0].map((cell) => 255 * cell),
    [height, width],
  );
}

/** The photograph with a value in its missing cells that no other cell has. */
export function markedImage(photo) {
  const { planes, valid, whole, largest } = photo;
  const used = new Set();
  planes.forEach((plane, c) => plane.forEach((value, i) => valid[c][i] && used.add(value)));
  let value = whole ? 0 : -9999;
  while (used.has(value) && value < largest) value += whole ? 1 : -1;
  return { value, image: { ...photo, planes: planes.map((plane, c) => plane.map((cell, i) => (valid[c][i] ? cell : value))) } };
}

/** Weights (O, I, kh, kw) as float32. */
export function weightsFile(weight) {
  return npy(Float32Array.from(weight.flat(3)), [weight.length, weight[0].length, weight[0][0].length, weight[0][0][0].length]);
}

/** Save a file under a name. */
export function save(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = document.createElement("a");
  Object.assign(link, { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
