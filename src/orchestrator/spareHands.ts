/** Hands of no session: those that a person opens to look around, and those that are made to test a spec. */
import type { HandSpec } from "../core/config.ts";
import { ManyHandsError } from "../core/errors.ts";
import type { Hand, HandCommand, HandProcess } from "../core/hand.ts";
import type { HandStatus, HandTest, HandTestOptions } from "../core/handInfo.ts";
import type { Redaction } from "../core/redaction.ts";
import { limits } from "../core/limits.ts";
import { HandBoard, failureOf } from "./handBoard.ts";
import { handKey } from "../core/config.ts";
import type { OrchestratorPorts } from "./ports.ts";
import { specOfUse } from "./handList.ts";
import { openProcessIn, providerOf } from "./providers.ts";
import type { Providers } from "./providers.ts";

export interface SpareHandsPorts extends Pick<
  OrchestratorPorts,
  "clock" | "ids" | "store" | "spare" | "report" | "defaultHands" | "configuredHands"
> {
  readonly providers: Providers;
  readonly redaction: Redaction;
  readonly onChange: () => void;
}

interface Spare {
  readonly key: string;
  readonly hand: Promise<Hand>;
  readonly remove: () => Promise<void>;
}

export class SpareHands {
  readonly #ports: SpareHandsPorts;
  readonly #board: HandBoard;
  /** By the spec's name: one at the most. */
  readonly #spares = new Map<string, Spare>();
  readonly #closing = new AbortController();

  constructor(ports: SpareHandsPorts) {
    this.#ports = ports;
    this.#board = new HandBoard({ now: () => ports.clock.now(), onChange: ports.onChange, redaction: ports.redaction });
  }

  /** Null: none was opened from this spec. */
  statusOf(spec: HandSpec): HandStatus | null {
    const status = this.#board.of(spec.name);
    const isOfSpec = this.#spares.get(spec.name)?.key === handKey(spec);
    return isOfSpec || status.failure !== null ? status : null;
  }

  /** The hand from this spec, provisioned if it is not there. Rejects with `hand_unavailable`. */
  async open(spec: HandSpec): Promise<Hand> {
    const { name } = spec;
    const key = handKey(spec);
    for (let existing = this.#spares.get(name); existing !== undefined; existing = this.#spares.get(name)) {
      if (existing.key === key) return existing.hand;
      await this.end(name);
    }
    // Nothing is waited for from here to its place in the map: two who ask at once get the same one.
    this.#closing.signal.throwIfAborted();
    const made = this.#provision(spec, this.#closing.signal, (message) => this.#board.progress(name, message));
    const spare: Spare = { key, ...made };
    this.#spares.set(name, spare);
    this.#board.provisioning(name);
    try {
      const hand = await spare.hand;
      this.#board.ready(name, hand);
      hand.onDidLose((message) => this.#lost(name, spare, message));
      return hand;
    } catch (thrown) {
      if (this.#spares.get(name) === spare) this.#spares.delete(name);
      this.#board.failed(name, thrown);
      throw thrown;
    }
  }

  async end(name: string): Promise<void> {
    const spare = this.#spares.get(name);
    if (spare === undefined) return;
    this.#spares.delete(name);
    this.#board.clear(name);
    await spare.remove();
  }

  /** Provisions, asks for one round trip, and ends it again; never rejects. */
  async test(spec: HandSpec, { signal, onProgress }: HandTestOptions): Promise<HandTest> {
    const { clock } = this.#ports;
    const began = clock.now();
    const over = new AbortController();
    const ending = AbortSignal.any([over.signal, this.#closing.signal, ...(signal === undefined ? [] : [signal])]);
    const failed = (thrown: unknown): HandTest => {
      const at_ms = clock.now();
      const failure = failureOf(thrown, at_ms);
      return { at_ms, provision_ms: at_ms - began, latency_ms: null, description: null, failure };
    };
    let made: Omit<Spare, "key"> | null = null;
    try {
      made = this.#provision(spec, ending, onProgress ?? (() => {}));
      const hand = await Promise.race([made.hand, this.#deadline(over, ending)]);
      const provision_ms = clock.now() - began;
      const latency_ms = (await hand.ping?.()) ?? null;
      return { at_ms: clock.now(), provision_ms, latency_ms, description: hand.description, failure: null };
    } catch (thrown) {
      return failed(thrown);
    } finally {
      over.abort();
      // Not waited for: what a test made may need a while to go, and what became of the test is known.
      void made?.remove();
    }
  }

  async ping(): Promise<void> {
    const ready = [...this.#spares].filter(([name]) => this.#board.of(name).state === "ready");
    await Promise.all(
      ready.map(async ([name, { hand }]) => {
        const latency = await (await hand).ping?.().catch(() => null);
        if (latency !== undefined && latency !== null) this.#board.pinged(name, latency);
      }),
    );
  }

  async close(): Promise<void> {
    this.#closing.abort(new ManyHandsError("cancelled", "session", "Many Hands is shutting down"));
    await Promise.all([...this.#spares.keys()].map((name) => this.end(name)));
  }

  #provision(spec: HandSpec, signal: AbortSignal, onProgress: (message: string) => void): Omit<Spare, "key"> {
    const { ids, providers, spare, store, report } = this.#ports;
    const sessionId = ids.sessionId();
    const storagePath = spare?.path(sessionId, spec.name) ?? store.handStoragePath(sessionId, spec.name);
    // Without an entrance to the vault: no session's grants hold for it.
    const openProcess = (name: string, command: HandCommand): Promise<HandProcess> =>
      this.#openProcess(spec, name, command, signal);
    const context = { sessionId, storagePath, previousInstance: null, signal, onProgress, openProcess };
    const hand = Promise.resolve().then(() => providerOf(providers, spec).provision(spec, context));
    hand.catch(() => {});
    const remove = async (): Promise<void> => {
      try {
        await (await hand.catch(() => null))?.destroy();
        await spare?.remove(sessionId);
      } catch (thrown) {
        report(`what the hand ${spec.name} left could not be removed`, thrown);
      }
    };
    return { hand, remove };
  }

  /** In the hand of that name of the settings, which stays open as if a person had opened it. */
  async #openProcess(spec: HandSpec, name: string, command: HandCommand, signal: AbortSignal): Promise<HandProcess> {
    const { configuredHands, defaultHands } = this.#ports;
    const other = specOfUse((configuredHands ?? defaultHands)(), name);
    return openProcessIn(other, spec, () => this.open(other), command, signal);
  }

  async #deadline(over: AbortController, ending: AbortSignal): Promise<never> {
    await this.#ports.clock.sleep(limits.handTestMs, ending);
    const seconds = limits.handTestMs / 1_000;
    const error = new ManyHandsError("hand_unavailable", "hand", `It was not there after ${seconds} seconds.`);
    over.abort(error);
    throw error;
  }

  #lost(name: string, spare: Spare, message: string): void {
    if (this.#spares.get(name) !== spare) return;
    this.#spares.delete(name);
    this.#board.lost(name, message);
  }
}
