/** A machine as a hand: what it is and what its calls gave is in one file, so that a reload finds both. */
import { randomUUID } from "node:crypto";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Call, CallResult, Hand, HandProvider, ToolSpec } from "../../../src/api.ts";
import { Chip8 } from "./chip8.ts";
import type { Snapshot } from "./chip8.ts";
import { program } from "./program.ts";

const FRAMES_MAX = 600;
/** A key is held this long, and let go of for as long as the program needs to act on it. */
const HELD_FRAMES = 4;
const FREE_FRAMES = 10;

interface Kept {
  readonly instance: string;
  readonly machine: Snapshot;
  /** By call id, until they are acknowledged: a call runs once, whoever asks for it again. */
  readonly results: Readonly<Record<string, string>>;
}

const frames = { type: "integer", minimum: 1, maximum: FRAMES_MAX };

const tools: readonly ToolSpec[] = [
  {
    name: "press",
    description: "Holds a key of the machine down for some frames, lets go of it, and gives the screen.",
    input_schema: {
      type: "object",
      properties: { key: { type: "string", pattern: "^[0-9a-f]$", description: "One hexadecimal digit." }, frames },
      required: ["key"],
      additionalProperties: false,
    },
    parallel: false,
    permission: "always_allow",
  },
  {
    name: "step",
    description: "Lets the machine run for some frames without a key, and gives the screen.",
    input_schema: { type: "object", properties: { frames }, required: ["frames"], additionalProperties: false },
    parallel: false,
    permission: "always_allow",
  },
  {
    name: "screen",
    description: "Gives the screen as text, two rows of dots in one line.",
    input_schema: { type: "object", properties: {}, additionalProperties: false },
    parallel: true,
    permission: "always_allow",
  },
  {
    name: "reset",
    description: "Switches the machine off and on again.",
    input_schema: { type: "object", properties: {}, additionalProperties: false },
    parallel: false,
    permission: "always_ask",
  },
];

const description = "a CHIP-8 that shows a dot; the keys 2, 4, 6 and 8 move it";

export const emulatorProvider: HandProvider = {
  tools: () => tools,
  describe: () => description,
  provision: async (_spec, { storagePath }) => {
    await mkdir(storagePath, { recursive: true });
    const file = join(storagePath, "machine.json");
    const text = await readFile(file, "utf8").catch(() => null);
    const fresh = (): Kept => ({ instance: randomUUID(), machine: new Chip8(program).snapshot(), results: {} });
    const kept = text === null ? fresh() : (JSON.parse(text) as Kept);
    const hand = new EmulatorHand(file, kept);
    await hand.save();
    return hand;
  },
};

class EmulatorHand implements Hand {
  readonly instance: string;
  readonly description = description;
  readonly #file: string;
  #kept: Kept;
  /** One call after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(file: string, kept: Kept) {
    this.#file = file;
    this.#kept = kept;
    this.instance = kept.instance;
  }

  /** It is in this process: there is nothing to lose. */
  readonly onDidLose: Hand["onDidLose"] = () => ({ dispose: () => {} });

  execute(call: Call): Promise<CallResult> {
    return this.#inTurn(async () => {
      const before = this.#kept.results[call.id];
      if (before !== undefined) return resultOf(before);
      const machine = Chip8.from(this.#kept.machine);
      const text = act(machine, call);
      this.#kept = {
        ...this.#kept,
        machine: machine.snapshot(),
        results: { ...this.#kept.results, [call.id]: text },
      };
      // Before anybody hears of it: whoever asks after a crash is given what happened.
      await this.save();
      return resultOf(text);
    });
  }

  async attach(call: Call): ReturnType<Hand["attach"]> {
    const text = this.#kept.results[call.id];
    return text === undefined ? { kind: "never_started" } : { kind: "result", result: resultOf(text) };
  }

  /** Its calls are over in a moment. */
  async signal(): Promise<void> {}

  acknowledge(ids: readonly string[]): Promise<void> {
    return this.#inTurn(async () => {
      const left = Object.entries(this.#kept.results).filter(([id]) => !ids.includes(id));
      this.#kept = { ...this.#kept, results: Object.fromEntries(left) };
      await this.save();
    });
  }

  async save(): Promise<void> {
    await writeFile(`${this.#file}.new`, JSON.stringify(this.#kept));
    await rename(`${this.#file}.new`, this.#file);
  }

  async close(): Promise<void> {
    await this.#turn;
  }

  async destroy(): Promise<void> {
    await this.close();
    await rm(this.#file, { force: true });
  }

  #inTurn<T>(use: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(use, use);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

/** Changes the machine as the call wants, and gives what the model reads. */
function act(machine: Chip8, { name, input }: Call): string {
  const { key, frames: count } = input as { readonly key?: string; readonly frames?: number };
  try {
    if (name === "press") {
      machine.run(count ?? HELD_FRAMES, Number.parseInt(key ?? "0", 16));
      machine.run(FREE_FRAMES, null);
    } else if (name === "step") machine.run(count ?? 1, null);
    else if (name === "reset") machine.reset(program);
    else if (name !== "screen") return `This machine has no tool "${name}".`;
  } catch (thrown) {
    return `The machine has stopped: ${String(thrown)}`;
  }
  return machine.text();
}

function resultOf(text: string): CallResult {
  const is_error = !text.startsWith("|");
  const outcome = is_error ? ({ kind: "not_run" } as const) : ({ kind: "exited", code: 0 } as const);
  return { outcome, text, is_error, output_bytes: 0, truncated: false };
}
