/** Which addresses count as one caller. */
import { expect, it } from "vitest";
import { clientAddress } from "../../../src/http/client-address.ts";

const of = (address: string) => clientAddress(new Headers({ "CF-Connecting-IP": address }));

it.each([
  ["192.0.2.1", "192.0.2.1"],
  ["2001:db8:0:1::1", "2001:db8:0:1::/64"],
  ["2001:DB8:0:1:ffff:ffff:ffff:ffff", "2001:db8:0:1::/64"],
  ["2001:0db8:0000:0001:0000:0000:0000:0002", "2001:db8:0:1::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["2001:db8:0:2::1", "2001:db8:0:2::/64"],
  ["::1", "0:0:0:0::/64"],
  ["2001:db8:1:2:3:4:5::", "2001:db8:1:2::/64"],
  ["::ffff:192.0.2.1", "192.0.2.1"],
  ["::FFFF:c000:0201", "192.0.2.1"],
  ["0:0:0:0:0:ffff:c000:201", "192.0.2.1"],
  ["64:ff9b::192.0.2.1", "64:ff9b:0:0::/64"],
])("%s is %s", (address, expected) => {
  expect(of(address)).toBe(expected);
});

it.each(["1:2:3", "1::2::3", "1:2:3:4:5:6:7:8:9", "g::1", "fe80::1%eth0"])(
  "what is no address is itself: %s",
  (address) => {
    expect(of(address)).toBe(address);
  },
);

it("all requests without an address share one", () => {
  expect(clientAddress(new Headers())).toBe("unknown");
});
