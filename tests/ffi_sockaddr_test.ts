/** Addresses: as text, as objects, and as the kernel has them. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { assertEquals, assertThrows } from "@std/assert";
import { isIPv4, isIPv6 } from "node:net";
import * as c from "../ffi/mod.ts";
import type { SocketAddress } from "../ffi/mod.ts";
import { test } from "./support/descriptors.ts";
import { generator } from "./support/random.ts";

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

function roundTrip(address: SocketAddress): SocketAddress {
  const bytes = c.encodeAddress(address);
  return c.decodeAddress(bytes, bytes.length);
}

/** What an IPv6 address reads back as. */
function shown(host: string): string {
  const address = roundTrip({ family: "ipv6", host, port: 1 });
  return "host" in address ? address.host : address.family;
}

test("an address is encoded as the kernel has it", () => {
  const encoded = (address: SocketAddress) => hex(c.encodeAddress(address));
  assertEquals(
    encoded({ family: "ipv4", host: "127.0.0.1", port: 8080 }),
    "02001f907f0000010000000000000000",
  );
  assertEquals(
    encoded({
      family: "ipv6",
      host: "2001:db8::1",
      port: 443,
      scopeId: 3,
      flowInfo: 0x12345,
    }),
    "0a0001bb" + "00012345" + "20010db8000000000000000000000001" + "03000000",
  );
  assertEquals(encoded({ family: "unix", path: "/a" }), "01002f6100");
  assertEquals(encoded({ family: "unix-abstract", name: "a" }), "01000061");
  assertEquals(encoded({ family: "unix-unnamed" }), "0100");
});

test("an address comes back as it went in", () => {
  const addresses: SocketAddress[] = [
    { family: "ipv4", host: "0.0.0.0", port: 0 },
    { family: "ipv4", host: "255.255.255.255", port: 65535 },
    { family: "ipv6", host: "::", port: 0 },
    { family: "ipv6", host: "fe80::1", port: 1, scopeId: 4_000_000_000 },
    { family: "ipv6", host: "::1", port: 1, flowInfo: 0xfffffff },
    { family: "unix", path: "/tmp/socket ä" },
    { family: "unix", path: "x".repeat(107) },
    { family: "unix-abstract", name: "" },
    { family: "unix-abstract", name: "with\0NUL ä" },
    { family: "unix-abstract", name: "x".repeat(107) },
    { family: "unix-unnamed" },
  ];
  assertEquals(addresses.map(roundTrip), addresses);
});

test("random addresses come back as they went in", () => {
  const random = generator(1);
  for (let round = 0; round < 2_000; round++) {
    const bytes = Array.from({ length: 16 }, () => random(2) * random(256));
    const groups = Array.from(
      { length: 8 },
      (_, index) => (bytes[2 * index] << 8 | bytes[2 * index + 1]).toString(16),
    );
    const long: SocketAddress = {
      family: "ipv6",
      host: groups.join(":").toUpperCase(),
      port: random(65536),
    };
    const encoded = c.encodeAddress(long);
    const short = c.decodeAddress(encoded);
    assertEquals(Array.from(encoded.subarray(8, 24)), bytes);
    assertEquals(c.encodeAddress(short), encoded);
    assertEquals(isIPv6("host" in short ? short.host : ""), true);
  }
});

test("IPv6 is written in its canonical form (RFC 5952)", () => {
  const forms: Record<string, string> = {
    "0:0:0:0:0:0:0:0": "::",
    "0:0:0:0:0:0:0:1": "::1",
    "1:0:0:0:0:0:0:0": "1::",
    "2001:0DB8:0:0:1:0:0:1": "2001:db8::1:0:0:1",
    "2001:db8:0:1:1:1:1:1": "2001:db8:0:1:1:1:1:1",
    "1:0:0:2:0:0:0:3": "1:0:0:2::3",
    "2001:db8::0:1": "2001:db8::1",
    "0:0:1:0:0:0:0:0": "0:0:1::",
    "::ffff:1.2.3.4": "::ffff:1.2.3.4",
    "::FFFF:0102:0304": "::ffff:1.2.3.4",
    "64:ff9b::1.2.3.4": "64:ff9b::102:304",
    "::1.2.3.4": "::102:304",
    "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0",
    "::2:3:4:5:6:7:8": "0:2:3:4:5:6:7:8",
  };
  assertEquals(Object.keys(forms).map(shown), Object.values(forms));
});

test("text is an address exactly if node:net says so", () => {
  const parts = ["", "0", "1", "01", "255", "256", "a", "ffff", "10000", "g"];
  const marks = [".", ":", "::", ":::", "%", " ", "-"];
  const random = generator(2);
  const texts = [
    "1.2.3.4",
    "1.2.3",
    "1.2.3.4.5",
    "01.2.3.4",
    "1.2.3.4 ",
    "1:2:3:4:5:6:7:8",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:1.2.3.4",
    "1:2:3:4:5:6:7:1.2.3.4",
    "1.2.3.4::",
    "::1.2.3.4:1",
    "::1.2.3",
    "1::2::3",
    ":1::",
    "1:",
    ":",
    "",
  ];
  for (let round = 0; round < 20_000; round++) {
    let text = "";
    for (let length = random(9); length >= 0; length--) {
      text += parts[random(parts.length)];
      // Mostly one kind of mark, or nothing would ever be valid.
      text += marks[random(8) > 0 ? round % 2 : random(marks.length)];
    }
    texts.push(text, text.slice(0, -1));
  }
  const taken = (family: "ipv4" | "ipv6", host: string) => {
    try {
      c.encodeAddress({ family, host, port: 0 });
      return true;
    } catch {
      return false;
    }
  };
  const different = texts.filter((text) =>
    !text.includes("%") &&
    (taken("ipv4", text) !== isIPv4(text) ||
      taken("ipv6", text) !== isIPv6(text))
  );
  assertEquals(different, []);
});

test("a scope is a number or the name of an interface", () => {
  const address = { family: "ipv6", port: 1 } as const;
  assertEquals(
    roundTrip({ ...address, host: "fe80::1%7" }),
    { ...address, host: "fe80::1", scopeId: 7 },
  );
  assertEquals(
    roundTrip({ ...address, host: "fe80::1%lo" }),
    { ...address, host: "fe80::1", scopeId: 1 },
  );
  assertThrows(
    () => c.encodeAddress({ ...address, host: "fe80::1%nosuch0" }),
    TypeError,
    'Cannot find a network interface: the current value is "nosuch0"',
  );
  assertThrows(
    () => c.encodeAddress({ ...address, host: "fe80::1%" }),
    TypeError,
    "Cannot find a network interface",
  );
});

test("what is not an address is refused with its value", () => {
  const refused: [SocketAddress, typeof Error, string][] = [
    [
      { family: "ipv4", host: "localhost", port: 1 },
      TypeError,
      'Cannot parse an IPv4 address: the current value is "localhost"',
    ],
    [
      { family: "ipv6", host: "127.0.0.1", port: 1 },
      TypeError,
      'Cannot parse an IPv6 address: the current value is "127.0.0.1"',
    ],
    [
      { family: "ipv4", host: "1.2.3.4", port: 65536 },
      RangeError,
      "the port must be from 0 to 65535, the current value is 65536",
    ],
    [
      { family: "ipv6", host: "::", port: NaN },
      RangeError,
      "the current value is NaN",
    ],
    [
      { family: "unix", path: "" },
      TypeError,
      'Cannot encode a unix path: the current value is ""',
    ],
    [{ family: "unix", path: "a\0b" }, TypeError, "it holds a NUL"],
    [
      { family: "unix", path: "ä".repeat(54) },
      RangeError,
      "Cannot encode a unix path: it has 108 bytes and may have 107",
    ],
    [
      { family: "unix-abstract", name: "x".repeat(108) },
      RangeError,
      "Cannot encode a unix abstract name: it has 108 bytes and may have 107",
    ],
  ];
  for (const [address, kind, message] of refused) {
    assertThrows(() => c.encodeAddress(address), kind, message);
  }
});

test("what the kernel did not write is not decoded", () => {
  const bytes = new Uint8Array(c.sockaddr_storage.size);
  bytes[0] = 99;
  assertThrows(
    () => c.decodeAddress(bytes),
    TypeError,
    "Cannot decode a socket address: its family: the current value is 99",
  );
  for (const length of [0, 1]) {
    assertThrows(() => c.decodeAddress(bytes, length), TypeError);
  }
  assertThrows(() => c.decodeAddress(new Uint8Array(1)), TypeError);
  bytes[0] = c.AF_INET6;
  assertThrows(
    () => c.decodeAddress(bytes, 27),
    RangeError,
    "Cannot decode a socket address: it takes 28 bytes, the current length is 27",
  );
  bytes[0] = c.AF_INET;
  assertThrows(() => c.decodeAddress(bytes.subarray(0, 15), 16), RangeError);
});

test("a view of shared memory is decoded", () => {
  const shared = new Uint8Array(new SharedArrayBuffer(64)).subarray(7);
  const address = { family: "unix", path: "/a" } as const;
  const bytes = c.encodeAddress(address);
  shared.set(bytes);
  assertEquals(c.decodeAddress(shared, bytes.length), address);
});

test("the kernel's own addresses are decoded", () => {
  const path = `${mkdtempSync(`${tmpdir()}/edgewise-`)}/${"s".repeat(107)}`
    .slice(0, 107);
  const name = `edgewise-${c.getpid()}`;
  const unnamed = { family: "unix-unnamed" } as const;
  const addresses: SocketAddress[] = [
    { family: "unix", path },
    { family: "unix-abstract", name },
    unnamed,
  ];
  for (const address of addresses) {
    const fd = c.socket(c.AF_UNIX, c.SOCK_STREAM | c.SOCK_CLOEXEC);
    if (address !== unnamed) {
      c.check(c.bind(fd, c.encodeAddress(address)), "bind");
    }
    const bytes = new Uint8Array(c.sockaddr_storage.size);
    const length = c.check(c.getsockname(fd, bytes), "getsockname");
    assertEquals(c.decodeAddress(bytes, length), address);
    c.close(fd);
  }
  rmSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
});
