/** Follows one call's output until the call has ended, or for as long as somebody wants to wait. */
import type { Clock } from "../../core/clock.ts";
import type { JournalFiles, Take } from "./journalFiles.ts";
import type { Link } from "./link.ts";
import type { Ended } from "./supervisor.ts";

/** What the journal knows of a call. `began`: when it was given, by this computer's clock, in milliseconds. */
export type BegunFate =
  | { readonly kind: "ended"; readonly status: number; readonly began: number }
  | { readonly kind: "running" | "lost" | "void"; readonly began: number };
/** `gone`: it ran, and was forgotten; `none`: it never came here. */
export type Fate = BegunFate | { readonly kind: "gone" } | { readonly kind: "none" };

/** Between two looks at a running call's output, in milliseconds: short at first, longer for what takes long. */
const LOOK_MS_MIN = 25;
const LOOK_MS_MAX = 300;
/** How often a call without a sign of life is looked at again before its fate is called unknown. */
const LOOKS_MAX = 20;

export interface CallFollowerPorts {
  readonly link: Link;
  readonly files: JournalFiles;
  readonly clock: Clock;
}

export class CallFollower {
  readonly #ports: CallFollowerPorts;
  /** Woken when the supervisor says that a call has ended, or when it may have said so to nobody. */
  readonly #waiting = new Map<string, Set<(ended: Ended | null) => void>>();

  /** Notices of calls that nobody waits for yet. */
  readonly #early = new Map<string, Ended | null>();

  constructor(ports: CallFollowerPorts) {
    this.#ports = ports;
    ports.link.onDidEnd((ended) => {
      if (this.#early.has(ended.id)) this.#early.set(ended.id, ended);
      this.#wake(ended.id, ended);
      this.#ahead();
    });
    ports.link.onDidChange((isOpen) => {
      if (isOpen) for (const id of this.#waiting.keys()) this.#wake(id, null);
    });
    ports.link.onDidLose(() => {
      for (const id of this.#waiting.keys()) this.#wake(id, null);
    });
  }

  /** Before a call is sent: its end may be told before anybody waits for it. */
  expect(id: string): void {
    this.#early.set(id, null);
  }

  /** What the journal knows. A call that shows no life is looked at again: its waiter may be about to write. */
  async look(id: string): Promise<Fate> {
    const { link, clock } = this.#ports;
    for (let looks = 0; ; looks += 1) {
      const [kind = "", time = "", status = ""] = (await link.request("look", id)).text.split(" ");
      const began = Number(time) || clock.now();
      if (kind === "ended") return { kind, began, status: Number(status) };
      if (kind === "none" || kind === "gone") return { kind };
      if (kind === "running" || kind === "void") return { kind, began };
      if (looks >= LOOKS_MAX) return kind === "claimed" ? this.#void(id, began) : { kind: "lost", began };
      await clock.sleep(50, link.signal);
    }
  }

  /**
   * Passes on the output from byte 0 until the call has ended, or until `deadline`. A notice that holds the whole output
   * spares the look at it. `first` is what is known already; for a call that was begun just now that is "running".
   */
  async follow(id: string, first: BegunFate, deadline: number, take: Take): Promise<BegunFate> {
    const { clock, files } = this.#ports;
    const { began } = first;
    if (first.kind !== "running") {
      await files.drain(id, 0, take);
      return first;
    }
    let offset = 0;
    let pause = LOOK_MS_MIN;
    let looks = 0;
    for (let quiet = 0; ;) {
      const told = await this.#pause(id, Math.max(1, Math.min(pause, deadline - clock.now())));
      if (told !== null && told.output !== null && offset === 0) {
        if (told.output.length > 0) await take(told.output);
        return { kind: "ended", began, status: told.status };
      }
      const { bytes, status } = await files.drain(id, offset, take);
      offset += bytes;
      if (status !== null) return { kind: "ended", began, status };
      if (clock.now() >= deadline) return { kind: "running", began };
      pause = bytes > 0 ? LOOK_MS_MIN : Math.min(pause * 1.5, LOOK_MS_MAX);
      quiet = bytes > 0 ? 0 : quiet + 1;
      // It has its leader for longer: another call may come beside it.
      if (looks === 0) this.#ahead();
      looks += 1;
      if (told === null && quiet > 0 && quiet % LOOKS_MAX === 0) {
        const fate = await this.look(id);
        if (fate.kind === "lost" || fate.kind === "void") {
          await files.drain(id, offset, take);
          return fate;
        }
        if (fate.kind === "gone" || fate.kind === "none") return { kind: "lost", began };
      }
    }
  }

  /** The next call finds its leader started. Asked for when a call has ended, so that it takes no time from one that runs. */
  #ahead(): void {
    this.#ports.link.request("ahead").catch(() => {});
  }

  async #void(id: string, began: number): Promise<Fate> {
    return (await this.#ports.link.request("void", id)).text === "ok"
      ? { kind: "void", began }
      : { kind: "lost", began };
  }

  /** What the supervisor said of the call's end; null: it said nothing within the time. */
  async #pause(id: string, ms: number): Promise<Ended | null> {
    const { link, clock } = this.#ports;
    const early = this.#early.get(id) ?? null;
    this.#early.delete(id);
    if (early !== null) return early;
    const over = new AbortController();
    const waiters = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, waiters);
    let wake: (ended: Ended | null) => void = () => {};
    const told = new Promise<Ended | null>((resolve) => (wake = resolve));
    waiters.add(wake);
    const slept = clock.sleep(ms, AbortSignal.any([over.signal, link.signal])).then(
      () => null,
      () => null,
    );
    const ended = await Promise.race([told, slept]);
    over.abort();
    waiters.delete(wake);
    if (waiters.size === 0) this.#waiting.delete(id);
    link.signal.throwIfAborted();
    return ended;
  }

  #wake(id: string, ended: Ended | null): void {
    for (const wake of this.#waiting.get(id) ?? []) wake(ended);
  }
}
