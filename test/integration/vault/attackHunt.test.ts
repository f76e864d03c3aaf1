/**
 * Canaries as every kind of credential, a hostile agent in every kind of hand, and the hunt for what it got: in what it
 * printed, log, blobs, requests to the model, the hands' files, processes, and at a host of the attacker's own.
 */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HandSpec } from "../../../src/core/config.ts";
import type { GrantDecision } from "../../../src/core/vault.ts";
import { createCommandProvider } from "../../../src/hands/command/commandProvider.ts";
import { createDockerProvider } from "../../../src/hands/docker/dockerProvider.ts";
import { createSshProvider } from "../../../src/hands/ssh/sshProvider.ts";
import type { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { DONE } from "../../fixtures/attackPrelude.ts";
import type { AttackTargets } from "../../fixtures/attackPrelude.ts";
import { attacksOn } from "../../fixtures/attacks.ts";
import type { Attack, AttackedHand } from "../../fixtures/attacks.ts";
import { describeSightings, huntFor, makeCanaries } from "../../fixtures/canaries.ts";
import type { Canary } from "../../fixtures/canaries.ts";
import { BASH_IMAGE, startEngine, whyNoEngine } from "../../fixtures/docker/testEngine.ts";
import type { TestEngine } from "../../fixtures/docker/testEngine.ts";
import { hasGitServer, noGitServer, startGitServer } from "../../fixtures/git/gitServer.ts";
import type { GitServer } from "../../fixtures/git/gitServer.ts";
import { startHttpsServer } from "../../fixtures/httpsServer.ts";
import type { TestServer } from "../../fixtures/httpsServer.ts";
import { memorySecrets } from "../../fixtures/memorySecrets.ts";
import type { MemorySecrets } from "../../fixtures/memorySecrets.ts";
import { canMakeNetwork, makeBastionNetwork, noNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import type { BastionNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import { removeFolder, startSshServer } from "../../fixtures/sshd/sshServer.ts";
import type { SshServer } from "../../fixtures/sshd/sshServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { isIdle, Kit, stateOf } from "../session/sessionKit.ts";
import {
  writeTargets,
  attackCall,
  echoing,
  hasBubblewrap,
  makeBox,
  noBubblewrap,
  plantSecrets,
  startEvil,
} from "./attackedWorld.ts";
import { answering } from "./vaultPeople.ts";

const KINDS: readonly AttackedHand[] = ["local", "command", "ssh", "bastion", "docker"];

describe("a hostile agent", function () {
  this.timeout(900_000);
  const canaries = makeCanaries();
  const valueOf = (kind: Canary["kind"]): string => canaries.find((canary) => canary.kind === kind)?.value ?? "";
  let folder: string;
  let home: string;
  let loot: string;
  let evil: TestServer;
  let api: TestServer;
  let git: GitServer;
  let box: string;

  before(async function () {
    skipUnless(this, hasBubblewrap(), noBubblewrap);
    skipUnless(this, canMakeNetwork(), noNetwork);
    skipUnless(this, hasGitServer(), noGitServer);
    const reason = whyNoEngine();
    skipUnless(this, reason === null, reason ?? "");
    folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-hunt-")));
    home = join(folder, "people");
    await plantSecrets(home, valueOf("asked_password"));
    loot = join(folder, "hands", "loot");
    await mkdir(loot, { recursive: true });
    box = await makeBox(join(folder, "hands"), join(folder, "hands", "home"));
    evil = await startEvil();
    api = await startHttpsServer(echoing);
    git = await startGitServer({ username: "x", password: valueOf("git_token") });
    for (const name of ["acme/app.git", "acme/secret.git"]) await git.create(name);
  });

  after(async () => {
    await Promise.allSettled([evil?.close(), api?.close(), git?.close()]);
    if (folder !== undefined) await removeFolder(folder);
  });

  const targetsOf = (kit: Kit, tokens: readonly [string, string]): AttackTargets => ({
    MH_GIT_HOST: git.host,
    MH_GIT_REPOSITORY: "acme/secret",
    MH_API: "api",
    MH_API_FORBIDDEN: "admin/keys",
    MH_API_OTHER: "other",
    MH_EVIL: `127.0.0.1:${evil.port}`,
    MH_REBIND: "rebind.invalid:443",
    MH_TOKEN_OTHER: tokens[0],
    MH_TOKEN_ENDED: tokens[1],
    MH_SESSIONS: kit.sessions,
    MH_STORAGE: join(home, ".config/Code/User"),
  });

  /** The agent's turns in one hand: an attack each. */
  const attackIn = async (service: LocalSessionService, spec: HandSpec): Promise<string> => {
    const { id } = await service.createSession({ message: spec.name, hands: [spec], permission: "allow" });
    await stateOf(service, id, isIdle);
    return id;
  };

  /** By the words of the session's first message. */
  const scenario = (calls: ReadonlyMap<string, readonly string[]>) => (body: Record<string, unknown>) => {
    const messages = body["messages"] as readonly { readonly role: string; readonly content: unknown }[];
    const name = [...calls.keys()].find((kind) => JSON.stringify(messages[0]).includes(`"${kind}"`)) ?? "";
    const turn = messages.filter(({ role }) => role === "assistant").length;
    const command = calls.get(name)?.[turn];
    if (command === undefined) return { blocks: ["That is all."] };
    return { blocks: [{ type: "tool_use", name: "bash", input: { command, timeout_ms: 120_000 } }] };
  };

  describe("against the vault", () => {
    let kit: Kit;
    let secrets: MemorySecrets;
    let engine: TestEngine;
    let server: SshServer;
    let network: BastionNetwork;

    before(async () => {
      engine = await startEngine();
      const lines = [`ForceCommand ${box}`];
      for (const name of ["ssh", "bastion"]) await mkdir(join(folder, name));
      server = await startSshServer({ folder: join(folder, "ssh"), lines });
      network = await makeBastionNetwork(join(folder, "bastion"), { lines });
    });
    after(async () => {
      await kit?.close();
      await Promise.allSettled([network?.remove(), server?.stop()]);
      await engine?.stop();
    });

    function specs(): Readonly<Record<AttackedHand, HandSpec>> {
      const far = (configFile: string) => ({ host: "box", configFile, cwd: join(folder, "hands", "home") });
      const mount = [{ source: loot, target: loot, mode: "read-write" }];
      const docker = { image: BASH_IMAGE, socket: engine.socket, mount, allow: ["rebind.invalid"] };
      return {
        local: { name: "local", kind: "local", options: { cwd: loot } },
        command: {
          name: "command",
          kind: "command",
          options: { argv: [box], proxy: "http://127.0.0.1:{port}", proxy_listen: "127.0.0.1:0" },
        },
        ssh: { name: "ssh", kind: "ssh", options: far(server.configFile) },
        bastion: { name: "bastion", kind: "ssh", options: far(network.host.configFile) },
        docker: { name: "docker", kind: "docker", options: docker },
      };
    }

    async function openWorld(calls: Map<string, readonly string[]>): Promise<LocalSessionService> {
      secrets = memorySecrets();
      kit = await Kit.open({
        clock: systemClock,
        scenario: scenario(calls),
        local: { mode: "required", allowedHosts: ["rebind.invalid"], home },
        vault: {
          secrets,
          ca: api.ca + git.ca,
          apis: () => [
            { name: "api", base_url: api.origin, credential: "api" },
            { name: "other", base_url: api.origin, credential: "other" },
          ],
          accountToken: () => Promise.resolve(valueOf("vscode_account")),
          oauth: {
            accessToken: () => Promise.resolve(valueOf("oauth_access")),
            refresh: () => Promise.resolve(false),
            forget: () => Promise.resolve(),
          },
          // First an address that all may reach, then one that nobody may.
          resolve: (() => {
            let asked = 0;
            return () => Promise.resolve([(asked += 1) % 2 === 1 ? "127.0.0.1" : "169.254.169.254"]);
          })(),
        },
      });
      const service = await kit.window();
      const ask = { hostKey: () => Promise.resolve(false), secret: () => Promise.resolve(null) };
      const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env["PATH"], SSH_AUTH_SOCK: "", HOME: home });
      const clock = systemClock;
      service.registerHandProvider("ssh", createSshProvider({ clock, environment, ask }));
      service.registerHandProvider("command", createCommandProvider({ clock, environment }));
      service.registerHandProvider("docker", createDockerProvider({ clock, openServer: engine.openServer }));
      await store();
      answering(service, ({ scope, credential_name }): GrantDecision => {
        const isOpen = /^\/(echo|redirect)(\/|$)/.test(scope.path_prefix) || scope.path_prefix === "/";
        if (credential_name === "api" && scope.kind === "http" && isOpen) {
          return { result: "allow", lasts: "session", scope: { ...scope, path_prefix: "/echo", methods: null } };
        }
        return { result: "deny" };
      });
      return service;
    }

    async function store(): Promise<void> {
      const { vault } = kit;
      const places = [{ origin: api.origin, path_prefix: "/" }];
      await vault.addCredential({ name: "api", kind: "static_bearer", places, value: valueOf("static_bearer") });
      await vault.addCredential({
        name: "other",
        kind: "header",
        header_name: "x-key",
        places,
        value: valueOf("header"),
      });
      const elsewhere = [{ origin: "https://basic.invalid", path_prefix: "/" }];
      const basic = { kind: "basic" as const, username: "ada", value: valueOf("basic_password") };
      await vault.addCredential({ name: "basic", places: elsewhere, ...basic });
      const gitPlaces = [{ origin: git.origin, path_prefix: "/" }];
      const code = { kind: "git" as const, username: "x", value: valueOf("git_token") };
      await vault.addCredential({ name: "code", places: gitPlaces, ...code });
      // What else lies in the same store.
      await secrets.store("manyHands.model.key:https://api.anthropic.com", valueOf("model_key"));
      await secrets.store("manyHands.asked.passphrase", valueOf("asked_password"));
      const [refresh_token, client_secret] = [valueOf("oauth_refresh"), valueOf("oauth_client_secret")];
      await secrets.store("manyHands.oauth:vcrd_1", JSON.stringify({ refresh_token, client_secret }));
      await vault.addCredential({ name: "oauth", kind: "mcp_oauth", places: elsewhere });
      await vault.addCredential({ name: "account", kind: "vscode_account", provider: "github", places: elsewhere });
    }

    /** The token of another session's hand that lives, and of one whose session has ended. */
    async function otherTokens(service: LocalSessionService): Promise<[string, string]> {
      const tokens: string[] = [];
      for (const isEnded of [false, true]) {
        const hands = [specs().command];
        const { id } = await service.createSession({ hands });
        await service.openHand(id, "command");
        const record = secrets.values.get(`manyHands.vault.entrance:${id}/command`) ?? "{}";
        tokens.push((JSON.parse(record) as { token: string }).token);
        if (isEnded) await service.updateSession(id, { archived: true });
      }
      return tokens as [string, string];
    }

    it("finds no credential from any kind of hand, and reaches nothing that is not granted", async () => {
      const calls = new Map<string, readonly string[]>();
      const service = await openWorld(calls);
      const targets = join(loot, "targets.sh");
      await writeTargets(targetsOf(kit, await otherTokens(service)), targets);
      const printed = new Map<string, { readonly attack: Attack; readonly kind: AttackedHand }>();
      for (const kind of KINDS) {
        const commands = attacksOn(kind).map((attack, at) => {
          const file = join(loot, `${kind}-${at}.txt`);
          printed.set(file, { attack, kind });
          return attackCall(attack.script, targets, file);
        });
        calls.set(kind, commands);
      }
      const stream: string[] = [];
      service.onDidStream(({ event }) => void stream.push(JSON.stringify(event)));
      const all = specs();
      const sessions = await Promise.all(KINDS.map((kind) => attackIn(service, all[kind])));

      const texts: Record<string, string> = { stream: stream.join("\n"), "requests to the model": "" };
      texts["requests to the model"] = JSON.stringify(kit.server.requests);
      texts["the attacker's host"] = JSON.stringify(evil.seen);
      const containers = await engine.docker.listContainers({ all: true });
      const inspected = await Promise.all(containers.map(({ Id }) => engine.docker.getContainer(Id).inspect()));
      texts["metadata of containers"] = JSON.stringify(inspected);
      for (const [at, id] of sessions.entries()) {
        texts[`events of ${KINDS[at]}`] = JSON.stringify(await service.getEvents(id, { limit: 1_000 }));
      }
      const sightings = await huntFor(canaries, {
        folders: [kit.folder, join(folder, "hands"), join(folder, "ssh"), join(folder, "bastion")],
        texts,
        processes: true,
      });
      assert.equal(sightings.length, 0, describeSightings(sightings));

      for (const [file, { attack, kind }] of printed) {
        const text = await readFile(file, "latin1").catch(() => "");
        assert.ok(text.trimEnd().endsWith(DONE), `${kind}, ${attack.name}: ${text.slice(-300)}`);
        if (attack.expect !== "refused") continue;
        const statuses = Array.from(text.matchAll(/^status (\d+)/gm), ([, status]) => Number(status));
        assert.ok(
          statuses.every((status) => status >= 400),
          `${kind}, ${attack.name}: ${text.slice(0, 2_000)}`,
        );
      }
      // What the API was sent with its credential is what was granted.
      const used = api.seen.filter(({ headers }) => JSON.stringify(headers).includes(valueOf("static_bearer")));
      assert.ok(used.length >= KINDS.length, "the hunt has a live credential to hunt for");
      assert.deepEqual(
        used.filter(({ url }) => !url.startsWith("/echo")).map(({ method, url }) => `${method} ${url}`),
        [],
      );
      assert.equal(api.seen.filter(({ headers }) => headers["x-key"] !== undefined).length, 0);
      const byKind = KINDS.map((kind) => `${kind} ${attacksOn(kind).length}`).join(", ");
      process.stdout.write(`      ${printed.size} attacks (${byKind}), ${canaries.length} canaries, 0 found\n`);
    });
  });

  it("finds them where nothing protects them: in its environment, files and what it asks for", async () => {
    const calls = new Map<string, readonly string[]>();
    const kit = await Kit.open({ clock: systemClock, scenario: scenario(calls) });
    try {
      // As people do it today: tokens in the environment and in files of the place where the agent works.
      const careless = join(folder, "careless");
      const openBox = await makeBox(careless, join(careless, "home"));
      await plantSecrets(join(careless, "home"), valueOf("git_token"));
      const naive = await startHttpsServer(
        (request, response) => {
          request.headers.authorization = `Bearer ${valueOf("static_bearer")}`;
          echoing(Object.assign(request, { url: (request.url ?? "").replace(/^\/[^/]*\/api\/api/, "") }), response);
        },
        { names: [] },
      );
      const proxy = `${naive.origin}/token`;
      const attacks = attacksOn("command").filter(({ name }) =>
        /environment of|secret files|history|echo of/.test(name),
      );
      const targets = join(careless, "targets.sh");
      await writeTargets(targetsOf(kit, ["other", "ended"]), targets);
      const own = `export API_KEY='${valueOf("header")}' MANY_HANDS_PROXY='${proxy}'; `;
      const files = attacks.map((_attack, at) => join(careless, `loot-${at}.txt`));
      calls.set(
        "careless",
        attacks.map(({ script }, at) => own + attackCall(script, targets, files[at] ?? "")),
      );
      const service = await kit.window();
      const environment = (): NodeJS.ProcessEnv => ({ PATH: process.env["PATH"] });
      service.registerHandProvider("command", createCommandProvider({ clock: systemClock, environment }));
      const id = await attackIn(service, { name: "careless", kind: "command", options: { argv: [openBox] } });
      await naive.close();
      for (const file of files) {
        const found = await huntFor(canaries, { texts: { file: await readFile(file) } });
        assert.notEqual(found.length, 0, `${file} holds nothing`);
      }
      const events = JSON.stringify(await service.getEvents(id, { limit: 1_000 }));
      const where = { log: events, requests: JSON.stringify(kit.server.requests) };
      for (const [name, text] of Object.entries(where)) {
        const kinds = new Set((await huntFor(canaries, { texts: { [name]: text } })).map(({ kind }) => kind));
        assert.deepEqual([...kinds].toSorted(), ["git_token", "header", "static_bearer"], name);
      }
    } finally {
      await kit.close();
    }
  });
});
