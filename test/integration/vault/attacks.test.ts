/** The attacks run to their end in plain sh, see what there is to see where nothing protects it, and nothing where all is refused. */
import { strict as assert } from "node:assert";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { RequestListener, Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { DONE } from "../../fixtures/attackPrelude.ts";
import type { AttackTargets } from "../../fixtures/attackPrelude.ts";
import { ATTACKS, attacksOn } from "../../fixtures/attacks.ts";
import type { Attack } from "../../fixtures/attacks.ts";
import { huntFor, makeCanaries } from "../../fixtures/canaries.ts";
import { skipUnless } from "../../vscode/host/skip.ts";

const hasBox = process.platform === "linux" && spawnSync("bwrap", ["--version"]).status === 0;
const SECRET_FILES = [".netrc", ".git-credentials", ".npmrc", ".ssh/id_test", ".bash_history", ".aws/credentials"];

function targets(evil: string, folder: string): AttackTargets {
  return {
    MH_GIT_HOST: "git.invalid",
    MH_GIT_REPOSITORY: "owner/private",
    MH_API: "api",
    MH_API_FORBIDDEN: "admin/keys",
    MH_API_OTHER: "other",
    MH_EVIL: evil,
    MH_REBIND: "rebind.invalid:443",
    MH_TOKEN_OTHER: "token-of-another-session",
    MH_TOKEN_ENDED: "token-of-an-ended-session",
    MH_SESSIONS: path.join(folder, "sessions"),
    MH_STORAGE: path.join(folder, "storage"),
  };
}

async function listen(handle: RequestListener): Promise<{ server: Server; port: number }> {
  const server = createServer(handle);
  // As the proxy does with what it does not allow.
  server.on("connect", (_request, socket) => socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, port: (server.address() as AddressInfo).port };
}

/** What a script prints; ends it when it takes longer than any of its waits together may. */
async function run(argv: readonly string[], script: string, env: Record<string, string>, cwd: string): Promise<string> {
  const [program = "sh", ...rest] = argv;
  const child = spawn(program, rest, { env, cwd, stdio: ["pipe", "pipe", "ignore"] });
  const pieces: Buffer[] = [];
  child.stdout.on("data", (piece: Buffer) => pieces.push(piece));
  child.stdin.end(script);
  await once(child, "close");
  return Buffer.concat(pieces).toString("latin1");
}

describe("the attacks", function () {
  this.timeout(300_000);
  const canaries = makeCanaries();
  const [first] = canaries;
  const secret = first?.value ?? "";
  let folder: string;
  const servers: Server[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "many-hands-attacks-"));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections();
      server.close();
    }
    await rm(folder, { recursive: true, force: true });
  });

  const environment = (port: number, evil: number): Record<string, string> => ({
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    HOME: folder,
    MANY_HANDS_PROXY: `http://127.0.0.1:${port}/own-token`,
    ...targets(`127.0.0.1:${evil}`, folder),
  });

  async function attackProxy(handle: RequestListener): Promise<readonly (readonly [Attack, string])[]> {
    const proxy = await listen(handle);
    const evil = await listen((request, response) => response.end(JSON.stringify(request.headers)));
    servers.push(proxy.server, evil.server);
    const attacks = ATTACKS.filter(({ reach }) => reach === "proxy");
    const results: (readonly [Attack, string])[] = [];
    for (const attack of attacks) {
      results.push([attack, await run(["sh"], attack.script, environment(proxy.port, evil.port), folder)]);
    }
    return results;
  }

  it("have names of their own, and are for each kind of hand", () => {
    assert.equal(new Set(ATTACKS.map(({ name }) => name)).size, ATTACKS.length);
    for (const kind of ["local", "docker", "ssh", "bastion", "command"] as const) {
      assert.ok(attacksOn(kind).length >= 25, kind);
    }
    for (const { script, name } of ATTACKS) {
      const checked = spawnSync("sh", ["-n"], { input: script });
      assert.equal(checked.status, 0, `${name}: ${String(checked.stderr)}`);
    }
  });

  it("get nothing from an entrance that refuses all, and run to their end", async () => {
    const results = await attackProxy((_request, response) => response.writeHead(403).end("Many Hands: refused"));
    for (const [{ name, expect }, printed] of results) {
      assert.ok(printed.trimEnd().endsWith(DONE), `${name}: ${printed.slice(-200)}`);
      const statuses = Array.from(printed.matchAll(/^status (\d+)/gm), ([, status]) => Number(status));
      if (expect === "refused") assert.ok(statuses.length > 0 && statuses.every((status) => status >= 400), name);
    }
  });

  it("see a credential that an entrance gives back, adds for anybody, or sends elsewhere", async () => {
    const results = await attackProxy((request, response) => {
      const [, to] = /redirect\/\d+\?to=(.*)/.exec(request.url ?? "") ?? [];
      if (to !== undefined) return response.writeHead(302, { location: `${to}?key=${secret}` }).end();
      response.setHeader("x-echo", Buffer.from(`Bearer ${secret}`).toString("base64"));
      response.end(JSON.stringify(request.headers));
    });
    const blind: string[] = [];
    for (const [{ name }, printed] of results) {
      if ((await huntFor(canaries, { texts: { printed } })).length === 0) blind.push(name);
    }
    // Those that Node's own parser refuses before anything is added.
    assert.ok(
      blind.every((name) => /smuggling|end a header early|CONNECT/.test(name)),
      blind.join("\n"),
    );
    assert.ok(blind.length < results.length / 2);
  });

  it("see what is planted in a box without protection, and nothing in an empty one", async function () {
    skipUnless(this, hasBox, "bubblewrap is not installed");
    const attacks = ATTACKS.filter(({ reach }) => reach === "machine");
    const system = ["/usr", "/bin", "/lib", "/lib64", "/sbin", "/etc/alternatives"].flatMap((place) => [
      "--ro-bind-try",
      place,
      place,
    ]);
    const box = ["bwrap", ...system, "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind", folder, folder];
    const argv = [...box, "--unshare-all", "--die-with-parent", "--chdir", folder, "sh"];
    const look = async (more: Record<string, string>): Promise<ReadonlySet<string>> => {
      const seen = new Set<string>();
      for (const attack of attacks) {
        const printed = await run(argv, attack.script, { ...environment(1, 1), MANY_HANDS_PROXY: "", ...more }, folder);
        assert.ok(printed.trimEnd().endsWith(DONE), `${attack.name}: ${printed.slice(-200)}`);
        if ((await huntFor(canaries, { texts: { printed } })).length > 0) seen.add(attack.name);
      }
      return seen;
    };
    assert.deepEqual(await look({}), new Set());
    for (const file of [...SECRET_FILES, "sessions/s/events.jsonl", "storage/state.json"]) {
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), `https://user:${secret}@git.invalid\n`);
    }
    await writeFile(
      path.join(folder, ".gitconfig"),
      `[credential]\n\thelper = "!printf 'username=u\\npassword=${secret}\\n' #"\n`,
    );
    const seen = await look({ TOKEN: secret });
    for (const part of ["environment of the call", "environments,", "secret files", "storage", "history", "git's"]) {
      assert.ok(
        [...seen].some((name) => name.startsWith(part)),
        `${part} is not seen: ${[...seen].join()}`,
      );
    }
  });
});
