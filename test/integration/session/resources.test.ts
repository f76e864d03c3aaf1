/** What a session's hand is given before its first call: folders, repositories, archives and files; and what is said where that fails. */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import type { HandSpec, Resource } from "../../../src/core/config.ts";
import { createCommandProvider } from "../../../src/hands/command/commandProvider.ts";
import type { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import type { AnyEvent } from "../../../src/core/sessionState.ts";
import { isIdle, Kit, ofType, stateOf, textOf } from "./sessionKit.ts";

describe("the resources of a hand", function () {
  this.timeout(60_000);
  let kit: Kit;
  let service: LocalSessionService;
  let server: Server;
  let address: string;
  const files = new Map<string, Buffer>();

  beforeEach(async () => {
    const command = { type: "tool_use", name: "bash", input: { command: "pwd; find . -not -path '*/.git*' | sort" } };
    kit = await Kit.open({ scenario: (_body, index) => ({ blocks: index % 2 === 0 ? [command] : ["Done."] }) });
    service = await kit.window();
    const environment = (): NodeJS.ProcessEnv => ({ ...process.env, HOME: kit.folder });
    service.registerHandProvider("command", createCommandProvider({ clock: systemClock, environment }));
    await mkdir(path.join(kit.folder, "orchard", "src"), { recursive: true });
    await writeFile(path.join(kit.folder, "orchard", "src", "Grüße rows.js"), "rows\n");
    await writeFile(path.join(kit.folder, "orchard", "run.sh"), "echo run\n", { mode: 0o755 });
    await symlink("run.sh", path.join(kit.folder, "orchard", "link"));
    files.clear();
    server = createServer((request, response) => {
      const found = files.get(request.url ?? "");
      response.writeHead(found === undefined ? 404 : 200).end(found ?? "");
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(async () => {
    server.close();
    await kit.close();
  });

  const far = (...names: string[]): string => path.join(kit.folder, "far", ...names);
  const box = (...resources: readonly Resource[]): HandSpec => ({
    name: "box",
    kind: "command",
    options: { argv: ["sh"], cwd: far("work") },
    resources,
  });
  const git = (...args: string[]): void => {
    const who = ["-c", "user.name=Kim", "-c", "user.email=kim@example.invalid"];
    execFileSync("git", [...who, ...args], { cwd: path.join(kit.folder, "orchard"), stdio: "ignore" });
  };

  async function run(...resources: readonly Resource[]): Promise<{ text: string; events: readonly AnyEvent[] }> {
    const { id } = await service.createSession({ message: "Look.", permission: "allow", hands: [box(...resources)] });
    await stateOf(service, id, isIdle);
    const events = await service.getEvents(id, {});
    return { text: textOf(ofType(events, "agent.tool_result")[0]), events };
  }

  it("copies a folder of this computer, with modes and links, once", async () => {
    const { text, events } = await run({ source_ref: path.join(kit.folder, "orchard"), mount_path: "." });
    assert.equal(text, [far("work"), ".", "./link", "./run.sh", "./src", "./src/Grüße rows.js"].join("\n"));
    execFileSync(far("work", "run.sh"), { shell: "/bin/sh" });
    const [mounted] = ofType(events, "resource.mounted");
    assert.equal(mounted?.mount_path, ".");
    assert.ok(mounted.bytes > 1_000);
    const order = events.map(({ type }) => type);
    assert.ok(order.indexOf("resource.mounted") < order.indexOf("hand.call_started"));
  });

  it("clones a repository, at a branch if one is named", async () => {
    git("init", "-q", "-b", "main");
    git("add", ".");
    git("commit", "-qm", "first");
    git("checkout", "-qb", "side");
    await writeFile(path.join(kit.folder, "orchard", "side.txt"), "side\n");
    git("add", ".");
    git("commit", "-qm", "second");
    git("checkout", "-q", "main");
    const source_ref = `git+file://${path.join(kit.folder, "orchard")}`;
    await run({ source_ref, mount_path: "main" }, { source_ref: `${source_ref}#side`, mount_path: far("side") });
    assert.equal(existsSync(far("work", "main", "side.txt")), false);
    assert.equal(await readFile(far("side", "side.txt"), "utf8"), "side\n");
    assert.match(execFileSync("git", ["log", "--oneline"], { cwd: far("side") }).toString(), /second/);
  });

  it("unpacks an archive and puts a file from an address", async () => {
    const tar = (...args: string[]): Buffer =>
      execFileSync("tar", [...args, "-C", path.join(kit.folder, "orchard"), "."]);
    files.set("/orchard.tar.gz", tar("-czf", "-"));
    files.set("/orchard.tar", tar("-cf", "-"));
    files.set("/note.txt", Buffer.from([0, 1, 2, 255]));
    await run(
      { source_ref: `${address}/orchard.tar.gz`, mount_path: "packed" },
      { source_ref: `${address}/orchard.tar`, mount_path: "plain" },
      { source_ref: `${address}/note.txt`, mount_path: "deep/note.bin" },
    );
    for (const name of ["packed", "plain"]) {
      assert.equal(await readFile(far("work", name, "run.sh"), "utf8"), "echo run\n");
    }
    assert.deepEqual(await readFile(far("work", "deep", "note.bin")), Buffer.from([0, 1, 2, 255]));
  });

  it("names what went wrong as the hosted API does, and the model reads it", async () => {
    const wrong: readonly (readonly [string, string, RegExp])[] = [
      ["git+file:///no/such/repository", "repository_not_found_error", /no such repository/i],
      [`${address}/nothing.txt`, "resource_error", /answered 404/],
      ["/no/such/folder", "resource_error", /no such file or folder/],
      ["orchard", "resource_error", /give a git remote, an absolute path/],
    ];
    for (const [source_ref, type, says] of wrong) {
      const { text, events } = await run({ source_ref, mount_path: "there" });
      assert.match(text, says, source_ref);
      assert.match(text, /did not run/);
      assert.equal(ofType(events, "session.error")[0]?.error.type, type);
    }
  });

  it("leaves what is in its place already as it is", async () => {
    await mkdir(far("work", "there"), { recursive: true });
    await writeFile(far("work", "there", "mine"), "mine\n");
    const { text } = await run({ source_ref: path.join(kit.folder, "orchard"), mount_path: "there" });
    assert.match(text, /is there already; nothing was changed/);
    assert.equal(await readFile(far("work", "there", "mine"), "utf8"), "mine\n");
  });

  it("is not put there again when the hand is found again", async () => {
    const { id } = await service.createSession({
      message: "Look.",
      permission: "allow",
      hands: [box({ source_ref: path.join(kit.folder, "orchard"), mount_path: "." })],
    });
    await stateOf(service, id, isIdle);
    await writeFile(far("work", "run.sh"), "changed\n");
    await service.close();
    service = await kit.window();
    const environment = (): NodeJS.ProcessEnv => ({ ...process.env, HOME: kit.folder });
    service.registerHandProvider("command", createCommandProvider({ clock: systemClock, environment }));
    await service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "Again." }] });
    await stateOf(service, id, (state) => isIdle(state) && state.queued.length === 0);
    const events = await service.getEvents(id, {});
    assert.equal(ofType(events, "resource.mounted").length, 1);
    assert.equal(ofType(events, "agent.tool_result").length, 2);
    assert.equal(await readFile(far("work", "run.sh"), "utf8"), "changed\n");
  });
});
