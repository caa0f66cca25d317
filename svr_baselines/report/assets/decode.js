"use strict";
// What the page was given: numbers as few bytes, back to arrays. The formats are those of encode.py.

const LEVELS = 1023;

function readSet(index) {
  return JSON.parse(document.getElementById(`set-${index}`).textContent);
}

function decodeBytes(text) {
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

// The bytes are little-endian, as is every machine that a browser runs on today.
const decodeUint32 = (text) => new Uint32Array(decodeBytes(text).buffer);
const decodeUint16 = (text) => new Uint16Array(decodeBytes(text).buffer);
const decodeFloat32 = (text) => new Float32Array(decodeBytes(text).buffer);

// Half a sphere of directions, as `directions` in encode.py.
const DIRECTIONS = (() => {
  const found = new Float32Array(3 * 256);
  for (let i = 0; i < 256; i++) {
    const z = (i + 0.5) / 256;
    const angle = i * Math.PI * (3 - Math.sqrt(5));
    const radius = Math.sqrt(1 - z * z);
    found.set([radius * Math.cos(angle), radius * Math.sin(angle), z], 3 * i);
  }
  return found;
})();

// Points in the cube from -1 to 1, the normals' numbers, and how far the cloud reaches around its axis and up.
function decodeCloud(encoded) {
  const packed = decodeUint32(encoded.p);
  const points = new Float32Array(3 * packed.length);
  let around = 0;
  let up = 0;
  for (let i = 0; i < packed.length; i++) {
    const x = ((packed[i] & LEVELS) / LEVELS) * 2 - 1;
    const y = (((packed[i] >>> 10) & LEVELS) / LEVELS) * 2 - 1;
    const z = (((packed[i] >>> 20) & LEVELS) / LEVELS) * 2 - 1;
    points[3 * i] = x;
    points[3 * i + 1] = y;
    points[3 * i + 2] = z;
    around = Math.max(around, Math.hypot(x, z));
    up = Math.max(up, Math.abs(y));
  }
  return { points, normals: decodeBytes(encoded.n), gap: encoded.gap, around, up };
}

// Rows of a symmetric matrix from what is above its diagonal.
function decodeMatrix(encoded, count) {
  const above = decodeUint16(encoded.d);
  const rows = Array.from({ length: count }, () => new Float32Array(count));
  let next = 0;
  for (let i = 0; i < count; i++) {
    for (let j = i + 1; j < count; j++) {
      rows[i][j] = rows[j][i] = above[next++] * encoded.step;
    }
  }
  return rows;
}
