/** Which addresses are in the open internet (after the special-purpose registries of IANA). */
import { BlockList, isIP } from "node:net";

const notPublic = new BlockList();
for (const [network, bits] of [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 4],
  ["240.0.0.0", 4],
  // The metadata of Azure's machines.
  ["168.63.129.16", 32],
] as const) {
  notPublic.addSubnet(network, bits, "ipv4");
}
// Within what is given out: Teredo and other special uses, documentation, 6to4 (which has an IPv4 address inside).
for (const [network, bits] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const) {
  notPublic.addSubnet(network, bits, "ipv6");
}
/** All that is given out. Not in it: loopback, local, multicast, IPv4 in IPv6 (`::ffff:…`), NAT64 (`64:ff9b::`). */
const givenOut = new BlockList();
givenOut.addSubnet("2000::", 3, "ipv6");

/** True for an address in the open internet, and nothing that is nearer or that a machine's metadata is at. */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return !notPublic.check(address, "ipv4");
    case 6:
      if (address.includes("%")) return false;
      return givenOut.check(address, "ipv6") && !notPublic.check(address, "ipv6");
    default:
      return false;
  }
}
