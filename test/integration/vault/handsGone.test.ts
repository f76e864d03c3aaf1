/** Hands that are taken from a session or replaced, while the secret store takes its time: none keeps or gets what is another's. */
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { HandSpec } from "../../../src/core/config.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import type { LocalSessionService } from "../../../src/orchestrator/localSessionService.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { memorySecrets } from "../../fixtures/memorySecrets.ts";
import type { MemorySecrets } from "../../fixtures/memorySecrets.ts";
import { isIdle, Kit, ofType, stateOf, textOf } from "../session/sessionKit.ts";

const bash = (hand: string, command: string): JsonObject => ({
  type: "tool_use",
  name: "bash",
  input: { command, hand },
});

describe("a hand that a session has no more", function () {
  this.timeout(60_000);
  let kit: Kit;
  let secrets: MemorySecrets;
  let service: LocalSessionService;
  /** What the store does only once it is let. */
  let held: "store" | "delete" | null = null;
  let waits: (() => void) | null = null;
  const letGo = (): void => {
    waits?.();
    waits = null;
  };

  afterEach(async () => {
    held = null;
    letGo();
    await kit?.close();
  });

  /** A store that waits like a keyring that asks a person. */
  function waiting(store: MemorySecrets): MemorySecrets {
    const wait = (): Promise<void> => new Promise((resolve) => (waits = resolve));
    return {
      ...store,
      store: async (name, value) => {
        if (held === "store" && name.endsWith("/second")) await wait();
        await store.store(name, value);
      },
      delete: async (name) => {
        if (held === "delete" && name.endsWith("/second")) await wait();
        await store.delete(name);
      },
    };
  }

  async function start(turns: readonly (JsonObject | string)[]): Promise<readonly [HandSpec, HandSpec]> {
    secrets = memorySecrets();
    kit = await Kit.open({
      clock: systemClock,
      scenario: (_body, index) => ({ blocks: [turns[index] ?? "Done."] }),
      vault: { secrets: waiting(secrets) },
    });
    service = await kit.window();
    const handAt = async (name: string, folder: string): Promise<HandSpec> => {
      await mkdir(join(kit.folder, folder));
      return { name, kind: "local", options: { cwd: join(kit.folder, folder) } };
    };
    return [await handAt("first", "at-home"), await handAt("second", "before")];
  }

  const tokens = (): readonly string[] => [...secrets.values.keys()].filter((name) => name.endsWith("/second"));
  const said = async (id: string): Promise<readonly string[]> =>
    ofType(await service.getEvents(id, {}), "agent.tool_result").map(textOf);
  const again = (id: string): Promise<unknown> =>
    service.emitEvent(id, { type: "user.message", content: [{ type: "text", text: "Again." }] });

  async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
    while (!(await holds())) await systemClock.sleep(10);
  }

  it("has another token when it is added again", async () => {
    const look = bash("second", 'printf %s "$MANY_HANDS_PROXY" | sha256sum');
    const hands = await start([look, "Done.", look]);
    const { id } = await service.createSession({ message: "Look.", hands, permission: "allow" });
    await stateOf(service, id, isIdle);
    await service.updateSession(id, { hands: [hands[0]] });
    await until(() => tokens().length === 0);
    await service.updateSession(id, { hands });
    await again(id);
    await until(async () => (await said(id)).length === 2);
    const [before = "", after = ""] = await said(id);
    assert.match(before, /^[0-9a-f]{64}/);
    assert.match(after, /^[0-9a-f]{64}/);
    assert.notEqual(before, after);
  });

  it("is not used for the one that took its name, and nothing of the session waits for the secret store", async () => {
    const hands = await start([
      bash("second", "pwd"),
      "Done.",
      bash("first", "until [ -e go ]; do sleep 0.05; done"),
      bash("second", "pwd"),
    ]);
    const { id } = await service.createSession({ message: "Look.", hands, permission: "allow" });
    await stateOf(service, id, isIdle);
    await again(id);
    await until(async () => ofType(await service.getEvents(id, {}), "hand.call_started").length === 2);
    held = "delete";
    await mkdir(join(kit.folder, "after"));
    const second = { ...hands[1], options: { cwd: join(kit.folder, "after") } };
    await service.updateSession(id, { hands: [hands[0], second] });
    const files = (await service.openHand(id, "first")).files;
    await files?.write(join(kit.folder, "at-home", "go"), (async function* () {})());
    await until(async () => ofType(await service.getEvents(id, {}), "agent.tool_use").length === 3);
    letGo();
    await until(async () => (await said(id)).length === 3);
    const results = await said(id);
    assert.match(results[0] ?? "", /\/before$/);
    assert.match(results[2] ?? "", /\/after$/);
    assert.equal(tokens().length, 1);
  });

  it("gets no token where it was taken away while that was made", async () => {
    const hands = await start([bash("second", "pwd")]);
    held = "store";
    const { id } = await service.createSession({ message: "Look.", hands, permission: "allow" });
    await until(() => waits !== null);
    await service.updateSession(id, { hands: [hands[0]] });
    letGo();
    await stateOf(service, id, isIdle);
    await until(async () => (await said(id)).length === 1);
    await until(() => tokens().length === 0);
    const provisioned = ofType(await service.getEvents(id, {}), "hand.provisioned");
    assert.deepEqual(
      provisioned.filter(({ hand }) => hand === "second"),
      [],
    );
  });
});
