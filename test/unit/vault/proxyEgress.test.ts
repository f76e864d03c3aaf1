/** Which hosts a limited network allows, and which addresses no hand reaches. */
import assert from "node:assert/strict";
import { egressPresets } from "../../../src/vault/proxy/egressPresets.ts";
import { isHostAllowed, parseDestination } from "../../../src/vault/proxy/egressRules.ts";
import { isPublicAddress } from "../../../src/vault/publicAddress.ts";

const NOT_PUBLIC = [
  "0.0.0.0",
  "0.1.2.3",
  "10.0.0.1",
  "100.64.0.1",
  "100.100.100.200",
  "100.127.255.255",
  "127.0.0.1",
  "127.255.255.254",
  "168.63.129.16",
  "169.254.0.1",
  "169.254.169.254",
  "172.16.0.1",
  "172.31.255.255",
  "192.0.0.192",
  "192.0.2.1",
  "192.88.99.1",
  "192.168.1.1",
  "198.18.0.1",
  "198.19.255.255",
  "198.51.100.1",
  "203.0.113.1",
  "224.0.0.1",
  "239.255.255.255",
  "240.0.0.1",
  "255.255.255.255",
  "::",
  "::1",
  "::7f00:1",
  "::ffff:127.0.0.1",
  "::ffff:8.8.8.8",
  "::ffff:a00:1",
  "0:0:0:0:0:ffff:7f00:1",
  "64:ff9b::7f00:1",
  "64:ff9b::808:808",
  "64:ff9b:1::1",
  "100::1",
  "2001::1",
  "2001:0:53aa:64c:0:0:0:1",
  "2001:10::1",
  "2001:db8::1",
  "2002:7f00:1::",
  "2002:808:808::1",
  "3fff::1",
  "5f00::1",
  "fc00::1",
  "fd00:ec2::254",
  "fe80::1",
  "fe80::1%eth0",
  "2606:4700::1111%eth0",
  "fec0::1",
  "ff02::1",
  "localhost",
  "8.8.8",
  "0x7f.1",
  "2130706433",
  "",
];

const PUBLIC = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.0",
  "169.253.255.255",
  "172.15.255.255",
  "172.32.0.0",
  "192.167.255.255",
  "192.169.0.0",
  "223.255.255.255",
  "2606:4700:4700::1111",
  "2a00:1450:4001::1",
  "2001:4860:4860::8888",
];

describe("a limited network", () => {
  it("reaches no address that is near", () => {
    assert.deepEqual(NOT_PUBLIC.filter(isPublicAddress), []);
    assert.deepEqual(
      PUBLIC.filter((address) => !isPublicAddress(address)),
      [],
    );
  });

  it("reads a destination in one way", () => {
    assert.deepEqual(parseDestination("Example.COM.:443"), { host: "example.com", port: 443 });
    assert.deepEqual(parseDestination("[2606:4700::1]:80"), { host: "2606:4700::1", port: 80 });
    const wrong = ["", "a", "a:", ":1", "a:0", "a:65536", "a:1:2", "a b:1", "a@b:1", "a/b:1", "[x]:1", "[1.1.1.1]:1"];
    wrong.push("a..:1\r\n", "-a:1", "é.com:443", "a%2eb:443", "[fe80::1%25eth0]:1", "::1:443", `${"a".repeat(254)}:1`);
    assert.deepEqual(
      wrong.filter((text) => parseDestination(text) !== undefined),
      [],
    );
  });

  const can = (allowed: readonly string[], target: string): boolean => {
    const destination = parseDestination(target);
    assert.ok(destination !== undefined);
    return isHostAllowed(allowed, destination);
  };

  it("allows hosts by name, below a name, and with a port", () => {
    assert.ok(can(["example.com"], "example.com:443") && can(["example.com"], "example.com:80"));
    assert.ok(!can(["example.com"], "example.com:22") && !can(["example.com"], "a.example.com:443"));
    assert.ok(!can(["example.com"], "badexample.com:443") && !can(["example.com"], "example.com.evil.net:443"));
    assert.ok(can(["*.example.com"], "a.b.example.com:443"));
    assert.ok(!can(["*.example.com"], "example.com:443") && !can(["*.example.com"], "badexample.com:443"));
    assert.ok(can(["example.com:8443"], "example.com:8443") && !can(["example.com:8443"], "example.com:443"));
    assert.ok(can(["*"], "anything.net:443") && !can(["*"], "anything.net:25"));
    assert.ok(!can([], "example.com:443") && !can(["*ample.com"], "example.com:443"));
  });

  it("allows an address only where it is written", () => {
    assert.ok(can(["1.1.1.1"], "1.1.1.1:443") && can(["[2606:4700::1]:8080"], "[2606:4700::1]:8080"));
    assert.ok(!can(["*"], "1.1.1.1:443") && !can(["*.1"], "1.1.1.1:443") && !can(["*"], "[2606:4700::1]:443"));
  });

  it("knows the hosts of package managers by one name", () => {
    assert.ok(can(["npm"], "registry.npmjs.org:443") && !can(["npm"], "npm:443"));
    assert.ok(can(["ubuntu"], "de.archive.ubuntu.com:80"));
    assert.ok(!can(["constructor"], "registry.npmjs.org:443"));
    const all = Object.values(egressPresets).flat();
    assert.ok(all.every((host) => /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$/.test(host) && !host.includes("github")));
  });
});
