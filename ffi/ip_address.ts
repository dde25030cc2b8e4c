/** IPv4 and IPv6 addresses as text: RFC 4291 to read, RFC 5952 to write. @module */

/** The 4 bytes of an IPv4 address such as "127.0.0.1", or null for other text. */
export function parseIpv4(text: string): number[] | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  // A leading zero means octal to some and nothing to others: refused.
  if (!parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part))) return null;
  const bytes = parts.map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

/** An IPv4 address as text, from its 4 bytes, of which the first stands `at`. */
export function formatIpv4(bytes: ArrayLike<number>, at = 0): string {
  return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}`;
}

/** The 16 bytes of an IPv6 address such as "::1", or null for other text. */
export function parseIpv6(text: string): number[] | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const [head, tail] = halves.map((half) => half === "" ? [] : half.split(":"));
  const shortened = tail !== undefined;
  const start = parseGroups(head, !shortened);
  const end = parseGroups(tail ?? [], true);
  if (start === null || end === null) return null;
  const missing = 16 - start.length - end.length;
  if (shortened ? missing < 2 : missing !== 0) return null;
  return [...start, ...new Array<number>(missing).fill(0), ...end];
}

/** The bytes of hexadecimal groups, where the last may be an IPv4 address. */
function parseGroups(groups: string[], last: boolean): number[] | null {
  const bytes: number[] = [];
  for (const [index, group] of groups.entries()) {
    if (/^[0-9a-f]{1,4}$/i.test(group)) {
      const value = parseInt(group, 16);
      bytes.push(value >> 8, value & 0xff);
      continue;
    }
    const embedded = last && index === groups.length - 1
      ? parseIpv4(group)
      : null;
    if (embedded === null) return null;
    bytes.push(...embedded);
  }
  return bytes;
}

/** An IPv6 address as text, from its 16 bytes. */
export function formatIpv6(bytes: ArrayLike<number>): string {
  const groups = Array.from(
    { length: 8 },
    (_, index) => bytes[2 * index] << 8 | bytes[2 * index + 1],
  );
  if (
    groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff
  ) {
    return `::ffff:${formatIpv4(bytes, 12)}`;
  }
  const [start, length] = longestZeros(groups);
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${
    hex.slice(start + length).join(":")
  }`;
}

/** The first of the longest runs of zeros: where it starts, and how long it is. */
function longestZeros(groups: number[]): [start: number, length: number] {
  let best: [number, number] = [0, 0];
  let start = 0;
  for (let index = 0; index < groups.length; index++) {
    if (groups[index] !== 0) start = index + 1;
    else if (index + 1 - start > best[1]) best = [start, index + 1 - start];
  }
  return best;
}
