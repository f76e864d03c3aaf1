/** A session on a host behind a bastion, with no way out: a private repository, an API and an MCP server through the vault. */
import assert from "node:assert/strict";
import { mkdtemp, realpath } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../../../src/core/json.ts";
import { createSshProvider } from "../../../src/hands/ssh/sshProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { describeSightings, huntFor, makeCanaries } from "../../fixtures/canaries.ts";
import { hasGitServer, noGitServer, startGitServer } from "../../fixtures/git/gitServer.ts";
import type { GitServer } from "../../fixtures/git/gitServer.ts";
import { startHttpsServer } from "../../fixtures/httpsServer.ts";
import type { TestServer } from "../../fixtures/httpsServer.ts";
import { startOwnServer } from "../../fixtures/mcp/ownServer.ts";
import type { OwnServer } from "../../fixtures/mcp/ownServer.ts";
import { memorySecrets } from "../../fixtures/memorySecrets.ts";
import { canMakeNetwork, makeBastionNetwork, noNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import type { BastionNetwork } from "../../fixtures/sshd/bastionNetwork.ts";
import { removeFolder } from "../../fixtures/sshd/sshServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { isIdle, Kit, ofType, stateOf, textOf } from "../session/sessionKit.ts";
import { answering, FOR_SESSION } from "./vaultPeople.ts";

describe("a session in a closed network", function () {
  this.timeout(180_000);
  let folder: string;
  let network: BastionNetwork;
  let git: GitServer;
  let api: TestServer;
  let mcp: OwnServer;
  let kit: Kit;
  const canaries = makeCanaries(["git_token", "header", "static_bearer"]);
  const valueOf = (kind: string): string => canaries.find((canary) => canary.kind === kind)?.value ?? "";

  before(async function () {
    skipUnless(this, canMakeNetwork(), noNetwork);
    skipUnless(this, hasGitServer(), noGitServer);
    folder = await realpath(await mkdtemp(join(tmpdir(), "many-hands-vpc-")));
    network = await makeBastionNetwork(folder);
    git = await startGitServer({ username: "x", password: valueOf("git_token") });
    await git.create("acme/app.git");
    api = await startHttpsServer((request, response) => {
      const isRight = request.headers["x-key"] === valueOf("header");
      response.writeHead(isRight ? 200 : 401).end(isRight ? `${request.method} ${request.url}: 21 degrees` : "no key");
    });
    mcp = await startOwnServer({
      tools: [{ name: "note" }],
      gate: (request, response) => {
        if (request.headers.authorization === `Bearer ${valueOf("static_bearer")}`) return false;
        response.writeHead(401).end();
        return true;
      },
    });
  });

  after(async () => {
    await kit?.close();
    await Promise.allSettled([network?.remove(), git?.close(), api?.close(), mcp?.close()]);
    if (folder !== undefined) await removeFolder(folder);
  });

  it("clones, commits, pushes to a branch but not to main, asks an API and calls an MCP tool", async () => {
    const bash = (command: string): JsonObject => ({ type: "tool_use", name: "bash", input: { command, hand: "box" } });
    const remote = `${git.origin}/acme/app.git`;
    const identity = "-c user.name=Agent -c user.email=agent@example.invalid";
    const turns = [
      [bash(`ip route 2>/dev/null; git clone -q ${remote} app && cat app/README.md`)],
      [
        bash(
          `cd app && git checkout -q -b agent/one && echo more >>README.md && git ${identity} commit -qam More && git push origin agent/one 2>&1`,
        ),
      ],
      [bash("git push origin HEAD:main 2>&1; echo exit $?")],
      [bash('curl -sS "$MANY_HANDS_PROXY/api/weather/today?unit=c"')],
      [{ type: "tool_use", name: "mcp__notes__note", input: { text: "done", hand: "notes" } }],
      ["All done."],
    ];
    const secrets = memorySecrets();
    kit = await Kit.open({
      clock: systemClock,
      scenario: (_body, index) => ({ blocks: turns[index] ?? ["Done."] }),
      vault: { secrets, ca: git.ca + api.ca },
    });
    const service = await kit.window();
    service.registerHandProvider(
      "ssh",
      createSshProvider({
        clock: systemClock,
        environment: () => ({ ...process.env, SSH_AUTH_SOCK: "" }),
        ask: { hostKey: () => Promise.resolve(false), secret: () => Promise.resolve(null) },
      }),
    );
    const { vault } = kit;
    const at = (origin: string): { origin: string; path_prefix: string }[] => [{ origin, path_prefix: "/" }];
    await vault.addCredential({
      name: "code",
      kind: "git",
      places: at(git.origin),
      username: "x",
      value: valueOf("git_token"),
    });
    await vault.addCredential({
      name: "weather",
      kind: "header",
      header_name: "x-key",
      places: at(api.origin),
      value: valueOf("header"),
    });
    await vault.addCredential({
      name: "notes",
      kind: "static_bearer",
      places: at(new URL(mcp.url).origin),
      value: valueOf("static_bearer"),
    });
    answering(service, ({ scope }) => {
      if (scope.git === undefined || scope.git.push_refs.length === 0) return FOR_SESSION;
      return { ...FOR_SESSION, scope: { ...scope, git: { ...scope.git, push_refs: ["refs/heads/agent/*"] } } };
    });
    const { configFile, home } = network.host;
    const hands = [
      { name: "box", kind: "ssh", options: { host: "box", configFile, cwd: home } },
      { name: "notes", kind: "mcp", options: { url: mcp.url } },
    ];
    const { id } = await service.createSession({ message: "Work.", hands, permission: "allow" });
    await stateOf(service, id, isIdle);

    const events = await service.getEvents(id, {});
    const said = ofType(events, "agent.tool_result").map(textOf);
    assert.match(said[0] ?? "", /README|acme|app/i);
    assert.ok(!/default/.test(said[0] ?? ""), "the host has no way out");
    assert.match(said[1] ?? "", /\[new branch\]\s+agent\/one -> agent\/one/);
    assert.match(said[2] ?? "", /! \[remote rejected\] HEAD -> main .*Not among what may be pushed/);
    assert.match(said[2] ?? "", /exit 1/);
    assert.match(said[3] ?? "", /^GET \/today\?unit=c: 21 degrees/);
    assert.match(said[4] ?? "", /note .*done/);
    assert.match(git.git("acme/app.git", "branch", "--list"), /agent\/one/);
    assert.equal(git.git("acme/app.git", "log", "--oneline", "main").trim().split("\n").length, 1);

    const given = ofType(events, "vault.grant_given").map(
      ({ credential_name, scope }) => `${credential_name} ${scope.kind}`,
    );
    assert.deepEqual(given.toSorted(), ["code git", "code git", "notes mcp", "weather http"]);
    const used = ofType(events, "vault.credential_used").map(
      ({ credential_name, hand }) => `${credential_name} ${hand}`,
    );
    assert.deepEqual([...new Set(used)].toSorted(), ["code box", "notes null", "weather box"]);
    assert.deepEqual(kit.server.problems, []);

    const texts = { requests: JSON.stringify(kit.server.requests) };
    const sightings = await huntFor(canaries, { folders: [kit.folder, home], texts });
    assert.equal(sightings.length, 0, describeSightings(sightings));
  });
});
