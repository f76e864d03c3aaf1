/** Whatever a person says comes in at some moment between two effects: at each of them it must be heard. */
import { strict as assert } from "node:assert";
import { defaultHarness } from "../../../../src/brain/harness/defaultHarness.ts";
import type { AssistantBlock } from "../../../../src/core/model.ts";
import { SimulatedWorld } from "./simulatedWorld.ts";

/** Looks once with a tool, then answers; every later message is answered at once. */
function part(_request: unknown, index: number): readonly AssistantBlock[] {
  if (index > 0) return [{ type: "text", text: `Answer ${index}.` }];
  return [
    { type: "text", text: "I look." },
    { type: "tool_use", id: "toolu_1", name: "read", input: {} },
  ];
}

async function life(at: number, say: (world: SimulatedWorld) => void): Promise<SimulatedWorld> {
  const world = new SimulatedWorld(part);
  world.say("First.");
  world.onEffect = (count) => {
    if (count === at) say(world);
  };
  await world.run(defaultHarness);
  return world;
}

/** One life for each effect of the undisturbed one. */
async function sweep(
  say: (world: SimulatedWorld) => void,
  check: (world: SimulatedWorld, at: number) => void,
): Promise<void> {
  const { effects } = await life(0, () => {});
  assert.ok(effects >= 10, `${effects} effects show too little`);
  for (let at = 1; at <= effects; at += 1) check(await life(at, say), at);
}

describe("what comes in between two effects of the harness", () => {
  it("is answered, if it is a message", async () => {
    await sweep(
      (world) => world.say("Second."),
      (world, at) => {
        assert.deepEqual(world.state.queued, [], `before effect ${at}`);
        assert.equal(world.state.status, "idle");
        const asked = world.requests.findIndex(({ request }) => JSON.stringify(request.messages).includes("Second."));
        assert.ok(asked >= 0, `before effect ${at}: no request has the message`);
        const answered = world.events.filter(({ type }) => type === "agent.message").length;
        assert.equal(answered, world.requests.length);
        assert.equal(world.executed.length, 1);
      },
    );
  });

  it("stands in the same place of every request that follows", async () => {
    await sweep(
      (world) => {
        world.say("Second.");
        world.say("Third.");
      },
      (world, at) => {
        const told = world.requests.map(({ request }) =>
          JSON.stringify(request.messages, (key, value: unknown) => (key === "cache_control" ? undefined : value)),
        );
        for (const [index, text] of told.entries()) {
          const next = told[index + 1];
          assert.ok(next === undefined || next.startsWith(text.slice(0, -1)), `before effect ${at}`);
        }
      },
    );
  });

  it("ends it, if it is an interrupt", async () => {
    await sweep(
      (world) => world.append({ type: "user.interrupt" }),
      (world, at) => {
        assert.equal(world.state.interrupt_seq, null);
        assert.equal(world.state.status, "idle");
        assert.deepEqual(world.state.unanswered, []);
        const interrupt = world.events.find(({ type }) => type === "user.interrupt")?.seq ?? 0;
        const later = world.requests.filter(({ seq, interrupted }) => seq > interrupt && !interrupted);
        assert.deepEqual(later, [], `before effect ${at}`);
      },
    );
  });
});
