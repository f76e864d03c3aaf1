/** Passwords and questions of a host, asked of the person and remembered; the host is a server of ssh2 that runs real shells. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import ssh2 from "ssh2";
import type { AuthContext, Connection } from "ssh2";
import { hasCode } from "../../../src/core/errors.ts";
import { bash, until } from "../../contract/hand/handSupport.ts";
import { hasSshd, makeKey, noSshd, publicKey, removeFolder } from "../../fixtures/sshd/sshServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { makeKit, newFolder } from "./sshKit.ts";

interface PasswordHost {
  readonly configFile: string;
  /** Logins that were let in. */
  logins(): number;
  /** Ends all connections. */
  drop(): void;
  close(): Promise<void>;
}

async function startHost(folder: string, method: "password" | "keyboard-interactive"): Promise<PasswordHost> {
  makeKey(join(folder, "hostKey"));
  const connections = new Set<Connection>();
  let logins = 0;
  const server = new ssh2.Server({ hostKeys: [await readFile(join(folder, "hostKey"))] }, (client) => {
    connections.add(client);
    client.on("error", () => {});
    client.on("close", () => connections.delete(client));
    client.on("authentication", (context) => {
      judge(context, method);
    });
    client.on("ready", () => {
      logins += 1;
      client.on("session", (accept) => {
        accept().on("exec", (begin, _refuse, { command }) => {
          const channel = begin();
          const shell = spawn("sh", ["-c", command], { env: { ...process.env, HOME: folder } });
          channel.pipe(shell.stdin);
          shell.stdout.pipe(channel);
          shell.stderr.pipe(channel.stderr);
          shell.stdin.on("error", () => {});
          channel.on("close", () => shell.stdin.end());
        });
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const configFile = join(folder, "config");
  await writeFile(join(folder, "known"), `[127.0.0.1]:${port} ${await publicKey(join(folder, "hostKey"))}\n`);
  const lines = ["Host box", "HostName 127.0.0.1", `Port ${port}`, "User ann", "IdentityFile none"];
  await writeFile(configFile, [...lines, `UserKnownHostsFile ${join(folder, "known")}`, ""].join("\n"));
  const drop = (): void => {
    for (const client of connections) client.end();
  };
  const close = async (): Promise<void> => {
    drop();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  };
  return { configFile, logins: () => logins, drop, close };
}

function judge(context: AuthContext, method: "password" | "keyboard-interactive"): void {
  if (context.method !== method || context.username !== "ann") return context.reject([method]);
  if (context.method === "password") {
    return context.password === "right" ? context.accept() : context.reject([method]);
  }
  if (context.method !== "keyboard-interactive") return;
  context.prompt([{ prompt: "Password: ", echo: false }], (answers: string[]) => {
    if (answers[0] === "right") context.accept();
    else context.reject([method]);
  });
}

for (const method of ["password", "keyboard-interactive"] as const) {
  describe(`a host over SSH that asks for a password (${method})`, function () {
    this.timeout(60_000);
    let folder: string;
    let host: PasswordHost;

    before(async function () {
      skipUnless(this, hasSshd(), noSshd);
      folder = await newFolder();
      host = await startHost(folder, method);
    });
    after(async () => {
      if (folder === undefined) return;
      await host?.close();
      await removeFolder(folder);
    });

    it("is given it by the person, who is told when it was wrong, and is not asked again when the connection is lost", async () => {
      const kit = makeKit({ secret: ({ again }) => (again ? "right" : "wrong") });
      const hand = await kit.open({ configFile: host.configFile });
      assert.deepEqual(
        kit.secrets.map(({ again }) => again),
        [false, true],
      );
      assert.match(kit.secrets[0]?.prompt ?? "", /ann@\[127\.0\.0\.1\]/);
      const links: boolean[] = [];
      hand.onDidChangeLink?.((isOpen) => links.push(isOpen));
      host.drop();
      await until(async () => links.at(-1) === true);
      assert.equal((await bash(hand, "echo in")).result.text, "in");
      assert.equal(kit.secrets.length, 2);
      assert.equal(host.logins(), 2);
      await hand.destroy();
    });

    it("is not asked about again when the person gives none", async () => {
      const kit = makeKit();
      await assert.rejects(kit.open({ configFile: host.configFile }), (thrown) => {
        assert.ok(hasCode(thrown, "hand_unavailable"));
        assert.match(thrown.message, /did not let ann in/);
        return thrown.origin === "hand";
      });
      assert.equal(kit.secrets.length, 1);
    });
  });
}
