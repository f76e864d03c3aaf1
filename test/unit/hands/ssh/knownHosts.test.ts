/** known_hosts as OpenSSH reads it: which lines speak of a host, and what they say of its key. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  fingerprintOf,
  hostKeyOf,
  lineFor,
  linesFor,
  preferKnown,
  verdictOf,
} from "../../../../src/hands/ssh/knownHosts.ts";
import type { HostKey } from "../../../../src/hands/ssh/knownHosts.ts";

function keyOf(type: string, content: string): HostKey {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(type.length);
  return hostKeyOf(Buffer.concat([head, Buffer.from(type), Buffer.from(content)]));
}

const key = keyOf("ssh-ed25519", "one");
const other = keyOf("ssh-ed25519", "two");
const text = (of: HostKey): string => `${of.type} ${of.blob.toString("base64")}`;
const verdict = (host: string, file: string, shown = key): string =>
  verdictOf(shown, linesFor(host, [{ path: "known", text: file }])).kind;

describe("known_hosts", () => {
  it("knows a host by its name, a list, a pattern, or a port in brackets", () => {
    assert.equal(verdict("box", `box ${text(key)}`), "known");
    assert.equal(verdict("box", `other,box,10.0.0.1 ${text(key)} a comment\r`), "known");
    assert.equal(verdict("web7.example.org", `web?.example.* ${text(key)}`), "known");
    assert.equal(verdict("[box]:2222", `[box]:2222 ${text(key)}`), "known");
    assert.equal(verdict("[box]:2222", `[*]:2222 ${text(key)}`), "known");
    assert.equal(verdict("box", `BOX ${text(key)}`), "known");
  });

  it("does not know a host by what is only like its name", () => {
    for (const name of ["boxes", "bo", "b.x", "[box]:2222", "abox", "box.example.org"]) {
      assert.equal(verdict("box", `${name} ${text(key)}`), "unknown", name);
    }
    assert.equal(verdict("[box]:2222", `box ${text(key)}`), "unknown");
    assert.equal(verdict("bxox", `b[x]ox ${text(key)}`), "unknown");
  });

  it("leaves out a line that says not this host", () => {
    assert.equal(verdict("bad.example.org", `*.example.org,!bad.example.org ${text(key)}`), "unknown");
    assert.equal(verdict("good.example.org", `!bad.example.org,*.example.org ${text(key)}`), "known");
  });

  it("knows a hashed name, and no other by it", () => {
    const salt = Buffer.alloc(20, 7);
    const hash = createHmac("sha1", salt).update("[box]:2222").digest("base64");
    const line = `|1|${salt.toString("base64")}|${hash} ${text(key)}`;
    assert.equal(verdict("[box]:2222", line), "known");
    assert.equal(verdict("box", line), "unknown");
    assert.equal(verdict("box", `|2|${salt.toString("base64")}|${hash} ${text(key)}`), "unknown");
  });

  it("says that a key has changed when the host has another, of whatever type", () => {
    assert.equal(verdict("box", `box ${text(other)}`), "changed");
    assert.equal(verdict("box", `box ${text(keyOf("ssh-rsa", "three"))}`), "changed");
    assert.equal(verdict("box", `box ${text(other)}\nbox ${text(key)}`), "known");
  });

  it("lets a revoked key be nothing else", () => {
    assert.equal(verdict("box", `box ${text(key)}\n@revoked * ${text(key)}`), "revoked");
    assert.equal(verdict("box", `@revoked * ${text(other)}\nbox ${text(key)}`), "known");
    assert.equal(verdict("box", `@revoked * ${text(other)}`), "unknown");
  });

  it("takes the key of an authority for no key of a host", () => {
    assert.equal(verdict("box", `@cert-authority box ${text(key)}`), "unknown");
    const [line] = linesFor("box", [{ path: "known", text: `@cert-authority *,!bad ${text(key)}` }]);
    assert.equal(line?.marker, "cert-authority");
  });

  it("makes nothing of lines that are broken, cut short, or not what they say", () => {
    const whole = text(key);
    for (const line of [
      "box",
      "box ssh-ed25519",
      `box ${whole.slice(0, 20)}`,
      `box ssh-rsa ${key.blob.toString("base64")}`,
      `# box ${whole}`,
      `@strange box ${whole}`,
      `@revokedbox ${whole}`,
      `,!,| ${whole}`,
    ]) {
      assert.equal(verdict("box", line), "unknown", line);
    }
  });

  it("names file and line", () => {
    const files = [
      { path: "first", text: `\n# nothing\nbox ${text(other)}\n` },
      { path: "second", text: `box ${text(other)}` },
    ];
    assert.deepEqual(
      linesFor("box", files).map(({ file, line }) => `${file}:${line}`),
      ["first:3", "second:1"],
    );
  });

  it("offers the algorithms of known types first", () => {
    const wanted = ["ssh-ed25519", "ecdsa-sha2-nistp256", "rsa-sha2-512", "rsa-sha2-256"];
    const lines = linesFor("box", [{ path: "known", text: `box ${text(keyOf("ssh-rsa", "three"))}` }]);
    assert.deepEqual(preferKnown(wanted, lines), [
      "rsa-sha2-512",
      "rsa-sha2-256",
      "ssh-ed25519",
      "ecdsa-sha2-nistp256",
    ]);
    assert.deepEqual(preferKnown(wanted, []), wanted);
  });

  it("writes lines that ssh-keygen finds, hashed or not, and fingerprints as it prints them", () => {
    const folder = mkdtempSync(join(tmpdir(), "many-hands-known-"));
    try {
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(folder, "key")]);
      const printed = execFileSync("ssh-keygen", ["-l", "-f", join(folder, "key.pub")]).toString();
      const [, base64 = ""] = execFileSync("cat", [join(folder, "key.pub")])
        .toString()
        .split(" ");
      const real = hostKeyOf(Buffer.from(base64, "base64"));
      assert.equal(fingerprintOf(real.blob), printed.split(" ")[1]);
      for (const isHashed of [true, false]) {
        writeFileSync(join(folder, "known"), lineFor("[box]:2222", real, isHashed));
        const found = execFileSync("ssh-keygen", ["-F", "[box]:2222", "-f", join(folder, "known")]).toString();
        assert.match(found, /found: line 1/);
        assert.equal(verdict("[box]:2222", lineFor("[box]:2222", real, isHashed), real), "known");
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
