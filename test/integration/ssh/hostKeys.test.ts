/** A host is who it says it is, or nobody speaks with it: unknown, changed and revoked keys, each with its own message. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../../../src/core/errors.ts";
import type { ManyHandsError } from "../../../src/core/errors.ts";
import { hasSshd, makeKey, noSshd, publicKey, removeFolder, startSshServer } from "../../fixtures/sshd/sshServer.ts";
import type { SshServer } from "../../fixtures/sshd/sshServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { makeKit, newFolder } from "./sshKit.ts";
import type { Kit } from "./sshKit.ts";

async function refusalOf(kit: Kit, configFile: string): Promise<ManyHandsError> {
  try {
    const hand = await kit.open({ configFile, transport: "ssh2" });
    await hand.destroy();
  } catch (thrown) {
    assert.ok(hasCode(thrown, "hand_unavailable"), String(thrown));
    assert.equal(thrown.origin, "hand");
    return thrown;
  }
  assert.fail("the host was spoken with");
}

describe("the key of a host over SSH", function () {
  this.timeout(60_000);
  let folder: string;
  let server: SshServer;
  let known: string;
  let shown: string;
  const name = (): string => `[${server.address}]:${server.port}`;

  before(async function () {
    skipUnless(this, hasSshd(), noSshd);
    folder = await newFolder();
    server = await startSshServer({ folder });
    known = await readFile(server.knownHosts, "utf8");
    const line = execFileSync("ssh-keygen", ["-l", "-f", `${server.hostKey}.pub`]).toString();
    shown = line.split(" ")[1] ?? "";
    makeKey(join(folder, "other"));
  });
  after(async () => {
    if (folder === undefined) return;
    await server?.stop();
    await removeFolder(folder);
  });

  const lettingNobodyIn = async (text: string, accept: boolean): Promise<{ message: string; kit: Kit }> => {
    await writeFile(server.knownHosts, text);
    const kit = makeKit({ accept });
    const { message } = await refusalOf(kit, server.configFile);
    // Nobody was let in: the far end saw no one prove who they are.
    assert.ok(!kit.steps.some((step) => step.includes("authentication")), kit.steps.join("\n"));
    return { message, kit };
  };

  it("is refused when it is unknown and the person does not accept it, with its fingerprint as ssh-keygen prints it", async () => {
    const { message, kit } = await lettingNobodyIn("", false);
    assert.deepEqual(kit.hostKeys, [{ host: name(), keyType: "ssh-ed25519", fingerprint: shown }]);
    assert.match(message, /is not known/);
    assert.ok(message.includes(shown) && message.includes(server.knownHosts), message);
    assert.equal(await readFile(server.knownHosts, "utf8"), "");
  });

  it("is asked about once when it is unknown, and is known to ssh itself from then on", async () => {
    await writeFile(server.knownHosts, "# a comment without a newline");
    const kit = makeKit({ accept: true });
    const hands = await Promise.all([1, 2, 3].map(() => kit.open({ configFile: server.configFile })));
    await Promise.all(hands.map((hand) => hand.destroy()));
    assert.equal(kit.hostKeys.length, 1);
    const again = makeKit();
    await (await again.open({ configFile: server.configFile })).destroy();
    assert.equal(again.hostKeys.length, 0);
    const found = execFileSync("ssh-keygen", ["-F", name(), "-f", server.knownHosts]).toString();
    assert.match(found, /found: line 2/);
    const words = ["-F", server.configFile, "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "box", "echo in"];
    assert.equal(execFileSync("ssh", words, { stdio: ["ignore", "pipe", "ignore"] }).toString(), "in\n");
  });

  it("is written with a hashed name where HashKnownHosts says so", async () => {
    await writeFile(server.knownHosts, "");
    const hashing = join(folder, "hashing_config");
    await writeFile(hashing, `HashKnownHosts yes\nInclude ${server.configFile}\n`);
    await (await makeKit({ accept: true }).open({ configFile: hashing })).destroy();
    const text = await readFile(server.knownHosts, "utf8");
    assert.match(text, /^\|1\|/);
    assert.ok(!text.includes(server.address));
    const again = makeKit();
    await (await again.open({ configFile: hashing })).destroy();
    assert.equal(again.hostKeys.length, 0);
    execFileSync("ssh-keygen", ["-F", name(), "-f", server.knownHosts]);
  });

  it("is refused when it has changed, whatever the person would say, naming file and line", async () => {
    const { message, kit } = await lettingNobodyIn(`\n${name()} ${await publicKey(join(folder, "other"))}\n`, true);
    assert.equal(kit.hostKeys.length, 0);
    assert.match(message, /has changed/);
    assert.ok(message.includes(`${server.knownHosts}, line 2`), message);
    assert.ok(message.includes(`ssh-keygen -R '${name()}'`), message);
  });

  it("is refused when only a key of another type is known", async () => {
    makeKey(join(folder, "ecdsa"), "-t", "ecdsa");
    const { message } = await lettingNobodyIn(`${name()} ${await publicKey(join(folder, "ecdsa"))}\n`, true);
    assert.match(message, /has changed/);
  });

  it("is refused when it is revoked, though it is known as well", async () => {
    const { message, kit } = await lettingNobodyIn(`${known}@revoked * ${await publicKey(server.hostKey)}\n`, true);
    assert.equal(kit.hostKeys.length, 0);
    assert.match(message, /revoked/);
    assert.ok(message.includes(`${server.knownHosts}, line 2`), message);
  });

  it("is refused without a question where StrictHostKeyChecking is yes", async () => {
    await writeFile(server.knownHosts, "");
    const strict = join(folder, "strict_config");
    await writeFile(strict, `StrictHostKeyChecking yes\nInclude ${server.configFile}\n`);
    const kit = makeKit({ accept: true });
    const { message } = await refusalOf(kit, strict);
    assert.equal(kit.hostKeys.length, 0);
    assert.match(message, /StrictHostKeyChecking/);
  });

  it("is shown by the host in the type that is known, where it has several", async () => {
    await server.stop();
    makeKey(join(folder, "second"), "-t", "ecdsa");
    server = await startSshServer({ folder, lines: [`HostKey ${join(folder, "second")}`] });
    await writeFile(server.knownHosts, `${name()} ${await publicKey(join(folder, "second"))}\n`);
    const kit = makeKit();
    await (await kit.open({ configFile: server.configFile })).destroy();
    assert.equal(kit.hostKeys.length, 0);
  });

  it("is not refused for what a file says of other hosts", async () => {
    await writeFile(server.knownHosts, `other.example ${await publicKey(join(folder, "other"))}\n`);
    await appendFile(server.knownHosts, `${name()} ${await publicKey(server.hostKey)}\n`);
    await (await makeKit().open({ configFile: server.configFile })).destroy();
  });
});
