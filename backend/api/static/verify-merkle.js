// The Merkle tree of the log (RFC 6962 hashing): proofs that an entry is in a tree, and that a tree is the beginning of another.
// Places and sizes are BigInt; hashes are 32 bytes.
import { isSame, sha256 } from "./verify-bytes.js";

const SIZE_MAX = 2n ** 63n - 1n;
const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export const leafHash = (entry) => sha256(LEAF, entry);
const nodeHash = (left, right) => sha256(NODE, left, right);

// Whether the path leads from a leaf's hash to the root (RFC 9162, 2.1.3.2).
export async function isIncluded(leaf, index, size, path, root) {
  if (index < 0n || index >= size || size > SIZE_MAX) return false;
  let [at, last, found] = [index, size - 1n, leaf];
  for (const sibling of path) {
    if (last === 0n) return false;
    if (at & 1n || at === last) {
      found = await nodeHash(sibling, found);
      while (!(at & 1n) && at) [at, last] = [at >> 1n, last >> 1n];
    } else {
      found = await nodeHash(found, sibling);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  return last === 0n && isSame(found, root);
}

// Whether the tree of `old` leaves is the beginning of the other one (RFC 9162, 2.1.4.2).
export async function isConsistent(old, oldRoot, size, root, path) {
  if (old < 0n || old > size || size > SIZE_MAX) return false;
  if (old === size) return path.length === 0 && isSame(oldRoot, root);
  if (old === 0n) return path.length === 0 && isSame(oldRoot, await sha256());
  const [first, ...rest] = old & (old - 1n) ? path : [oldRoot, ...path];
  if (first === undefined) return false;
  let [at, last] = [old - 1n, size - 1n];
  while (at & 1n) [at, last] = [at >> 1n, last >> 1n];
  let [older, newer] = [first, first];
  for (const sibling of rest) {
    if (last === 0n) return false;
    if (at & 1n || at === last) {
      [older, newer] = [await nodeHash(sibling, older), await nodeHash(sibling, newer)];
      while (!(at & 1n) && at) [at, last] = [at >> 1n, last >> 1n];
    } else {
      newer = await nodeHash(newer, sibling);
    }
    [at, last] = [at >> 1n, last >> 1n];
  }
  return last === 0n && isSame(older, oldRoot) && isSame(newer, root);
}
