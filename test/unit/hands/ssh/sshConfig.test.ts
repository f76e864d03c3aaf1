/** What `ssh -G` prints, and what is made of it; and which words lead to a host. */
import assert from "node:assert/strict";
import { parseSettings } from "../../../../src/hands/ssh/sshConfig.ts";
import { jumpArguments } from "../../../../src/hands/ssh/sshSocket.ts";
import { sshArguments, targetOf } from "../../../../src/hands/ssh/sshTarget.ts";
import type { SshTarget } from "../../../../src/hands/ssh/sshTarget.ts";

const BASE = ["host box", "user ann", "hostname Box.example.org", "port 2222"];
const parse = (...lines: readonly string[]): ReturnType<typeof parseSettings> =>
  parseSettings([...BASE, ...lines, ""].join("\n"), { SSH_AUTH_SOCK: "/agent", HERE: "/here" });
const target: SshTarget = { host: "box", port: null, configFile: null, transport: "auto" };

describe("the configuration of a host", () => {
  it("names a host as known_hosts does", () => {
    assert.equal(parse().knownAs, "[box.example.org]:2222");
    assert.equal(parse("hostkeyalias Alias").knownAs, "alias");
    assert.equal(parseSettings("hostname box\nport 22\n", {}).knownAs, "box");
  });

  it("expands what OpenSSH expands", () => {
    const settings = parse("identityfile /keys/%r@%h:%p", "identityfile ${HERE}/key", "proxycommand nc %h %p 100%%");
    assert.deepEqual(settings.identityFiles, ["/keys/ann@Box.example.org:2222", "/here/key"]);
    assert.equal(settings.proxyCommand, "nc Box.example.org 2222 100%");
    assert.match(parse("identityfile ~/.ssh/key").identityFiles[0] ?? "", /^\/.+\/\.ssh\/key$/);
  });

  it("finds the agent that it is told", () => {
    assert.equal(parse().agent, "/agent");
    assert.equal(parse("identityagent none").agent, null);
    assert.equal(parse("identityagent SSH_AUTH_SOCK").agent, "/agent");
    assert.equal(parse("identityagent $HERE").agent, "/here");
    assert.equal(parse("identityagent ${HERE}/socket").agent, "/here/socket");
  });

  it("sees what only the system's ssh can do", () => {
    assert.equal(parse("pkcs11provider none", "revokedhostkeys none").beyond, null);
    assert.match(parse("certificatefile ~/.ssh/cert.pub").beyond ?? "", /certificate/);
    assert.match(parse("pkcs11provider /lib/token.so").beyond ?? "", /PKCS#11/);
    assert.match(parse("proxycommand connect %C").beyond ?? "", /ProxyCommand/);
  });

  it("says what becomes of an unknown host", () => {
    for (const [value, kind] of [
      ["ask", "ask"],
      ["yes", "refuse"],
      ["true", "refuse"],
      ["accept-new", "accept"],
      ["false", "accept"],
    ] as const) {
      assert.equal(parse(`stricthostkeychecking ${value}`).unknownHost, kind, value);
    }
  });

  it("leads through jumps, the last one asked for the host", () => {
    const through = (jumps: string): string => {
      const words = jumpArguments(parse(`proxyjump ${jumps}`), { ...target, configFile: "/c" });
      return words.filter((word) => word !== "-o" && !word.includes("=")).join(" ");
    };
    const end = "-W [Box.example.org]:2222 --";
    assert.equal(through("bastion"), `-F /c -T ${end} bastion`);
    assert.equal(through("a,bob@b:2200"), `-F /c -T -J a -l bob -p 2200 ${end} b`);
    assert.equal(through("ssh://bob@b:2200"), `-F /c -T -l bob -p 2200 ${end} b`);
    assert.equal(through("bob@[::1]:22"), `-F /c -T -l bob -p 22 ${end} ::1`);
  });

  it("takes no host for an option", () => {
    const spec = (host: string): Parameters<typeof targetOf>[0] => ({ name: "box", kind: "ssh", options: { host } });
    for (const host of ["", "-oProxyCommand=x", "a b", "a\nb"]) assert.throws(() => targetOf(spec(host)));
    assert.deepEqual(sshArguments(targetOf(spec("ann@box"))), ["--", "ann@box"]);
  });
});
