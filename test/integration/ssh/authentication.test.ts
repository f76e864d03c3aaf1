/** How a hand over SSH proves who it is: key files, agent, passwords; and what only the system's ssh can do. */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFile, rm, writeFile } from "node:fs/promises";
import { userInfo } from "node:os";
import { join } from "node:path";
import { hasCode } from "../../../src/core/errors.ts";
import { bash } from "../../contract/hand/handSupport.ts";
import { authorize } from "../../fixtures/sshd/bastionNetwork.ts";
import { hasSshd, makeKey, noSshd, publicKey, removeFolder, startSshServer } from "../../fixtures/sshd/sshServer.ts";
import type { SshServer } from "../../fixtures/sshd/sshServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { makeKit, newFolder } from "./sshKit.ts";

describe("authentication over SSH", function () {
  this.timeout(60_000);
  let folder: string;
  let server: SshServer;
  const at = (name: string): string => join(folder, name);

  before(async function () {
    skipUnless(this, hasSshd(), noSshd);
    folder = await newFolder();
    makeKey(at("authority"));
    server = await startSshServer({ folder, lines: [`TrustedUserCAKeys ${at("authority")}.pub`] });
  });
  after(async () => {
    if (folder === undefined) return;
    await server?.stop();
    await removeFolder(folder);
  });

  /** A configuration with these lines, before those of the server's own. */
  const config = async (name: string, ...lines: readonly string[]): Promise<string> => {
    await writeFile(
      at(name),
      [
        "Host box",
        `HostName ${server.address}`,
        `Port ${server.port}`,
        `User ${userInfo().username}`,
        `UserKnownHostsFile ${server.knownHosts}`,
        "GlobalKnownHostsFile /dev/null",
        ...lines,
        "",
      ].join("\n"),
    );
    return at(name);
  };

  it("asks for the passphrase of a key once, however many hands and connections need it", async () => {
    makeKey(at("locked"), "-N", "open sesame");
    await authorize(server, at("locked"));
    const configFile = await config("locked_config", `IdentityFile ${at("locked")}`, "IdentitiesOnly yes");
    const kit = makeKit({ secret: () => "open sesame" });
    const first = await kit.open({ configFile });
    const second = await kit.open({ configFile });
    await Promise.all([first.destroy(), second.destroy()]);
    await (await kit.open({ configFile })).destroy();
    assert.equal(kit.secrets.length, 1);
    assert.match(kit.secrets[0]?.prompt ?? "", /Passphrase for the key .*locked/);
    assert.equal(server.log().split("Accepted publickey").length - 1, 2);
  });

  it("says that a passphrase was wrong when it asks again, and names the key that was not opened", async () => {
    const configFile = at("locked_config");
    const kit = makeKit({ secret: ({ again }) => (again ? null : "wrong") });
    await assert.rejects(kit.open({ configFile }), (thrown) => {
      assert.ok(hasCode(thrown, "hand_unavailable"));
      assert.match(thrown.message, /did not let .* in .*locked \(its passphrase was not given\)/);
      return thrown.origin === "hand";
    });
    assert.deepEqual(
      kit.secrets.map(({ again }) => again),
      [false, true],
    );
  });

  it("says what was offered and what the host takes when it lets nobody in", async () => {
    makeKey(at("stranger"));
    const configFile = await config("stranger_config", `IdentityFile ${at("stranger")}`, "IdentitiesOnly yes");
    await assert.rejects(makeKit().open({ configFile }), (thrown) => {
      assert.ok(hasCode(thrown, "hand_unavailable"));
      assert.match(thrown.message, /offered: .*stranger; the host takes: publickey/);
      return true;
    });
  });

  it("uses the keys of the agent", async () => {
    makeKey(at("carried"));
    await authorize(server, at("carried"));
    const socket = at("agent");
    const agent = spawn("ssh-agent", ["-D", "-a", socket], { stdio: ["ignore", "pipe", "ignore"] });
    try {
      await once(agent.stdout, "data");
      execFileSync("ssh-add", ["-q", at("carried")], { env: { ...process.env, SSH_AUTH_SOCK: socket } });
      await rm(at("carried"));
      const configFile = await config("agent_config", `IdentityFile ${at("none")}`);
      const kit = makeKit({ environment: { SSH_AUTH_SOCK: socket } });
      const hand = await kit.open({ configFile });
      assert.match((await bash(hand, "echo in")).result.text, /^in/);
      assert.ok(!hand.description.includes("system's ssh"));
      await hand.destroy();
      // The same agent, chosen by the configuration, for a key that is named by its public half.
      const named = [`IdentityAgent ${socket}`, `IdentityFile ${at("carried")}`, "IdentitiesOnly yes"];
      await (await makeKit().open({ configFile: await config("named_config", ...named) })).destroy();
    } finally {
      agent.kill();
    }
  });

  it("chooses the system's ssh by itself for a certificate", async () => {
    makeKey(at("certified"));
    const words = ["-q", "-s", at("authority"), "-I", "test", "-n", userInfo().username, "-V", "+1h"];
    execFileSync("ssh-keygen", [...words, `${at("certified")}.pub`]);
    const configFile = await config("certified_config", `IdentityFile ${at("certified")}`, "IdentitiesOnly yes");
    const kit = makeKit();
    const hand = await kit.open({ configFile });
    assert.ok(kit.steps.some((step) => /by the system's ssh, for the certificate of/.test(step)));
    assert.match(hand.description, /by the system's ssh/);
    assert.equal((await bash(hand, "echo in")).result.text, "in");
    await hand.destroy();
    assert.match(server.log(), /Accepted publickey .* ED25519-CERT/);
  });

  it("chooses the system's ssh by itself where an authority vouches for the host", async () => {
    await appendFile(server.knownHosts, `@cert-authority * ${await publicKey(at("authority"))}\n`);
    const kit = makeKit();
    const hand = await kit.open({ configFile: server.configFile });
    assert.match(hand.description, /by the system's ssh/);
    await hand.destroy();
  });

  it("says why the system's ssh did not reach a host", async () => {
    const options = { configFile: at("stranger_config"), transport: "system" };
    await assert.rejects(makeKit().open(options), (thrown) => {
      assert.ok(hasCode(thrown, "hand_unavailable"));
      assert.match(thrown.message, /Permission denied/);
      return thrown.origin === "hand";
    });
  });
});
