/** The way to a far end: a supervisor over a shell there, opened again when its stream is lost. */
import type { Clock } from "../../core/clock.ts";
import { ManyHandsError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { Emitter } from "../../core/listen.ts";
import type { Disposable } from "../../core/listen.ts";
import type { Reply } from "./replyReader.ts";
import { FarEndGone } from "./shellStream.ts";
import type { FarEnd } from "./shellStream.ts";
import { StreamLost, Supervisor } from "./supervisor.ts";
import type { Ended, FarFacts, SupervisorSettings } from "./supervisor.ts";

export interface LinkPorts {
  readonly clock: Clock;
  readonly farEnd: FarEnd;
  readonly settings: SupervisorSettings;
  /** Ends the opening, as long as it has not succeeded. */
  readonly signal: AbortSignal;
}

export class Link {
  readonly facts: FarFacts;
  readonly #ports: LinkPorts;
  readonly #closing = new AbortController();
  readonly #ended = new Emitter<Ended>();
  readonly #lost = new Emitter<string>();
  readonly #changed = new Emitter<boolean>();
  #supervisor: Promise<Supervisor>;
  #lostReason: string | null = null;

  readonly onDidEnd = this.#ended.listen;
  /** False: the stream is lost and being opened again; true: it is there again, and notices may have been missed. */
  readonly onDidChange = this.#changed.listen;

  private constructor(ports: LinkPorts, supervisor: Supervisor, facts: FarFacts) {
    this.#ports = ports;
    this.facts = facts;
    this.#supervisor = Promise.resolve(supervisor);
    this.#listenTo(supervisor);
  }

  /** Rejects with `hand_unavailable`. */
  static async open(ports: LinkPorts): Promise<Link> {
    const stream = await ports.farEnd.open(ports.signal);
    const { supervisor, facts } = await Supervisor.open(stream, ports.settings);
    return new Link(ports, supervisor, facts);
  }

  get signal(): AbortSignal {
    return this.#closing.signal;
  }

  /** Told at once where it is lost already: the far end is gone, or cannot be reached any more. */
  onDidLose(listener: (reason: string) => void): Disposable {
    if (this.#lostReason !== null) queueMicrotask(() => listener(this.#lostReason ?? ""));
    return this.#lost.listen(listener);
  }

  /**
   * One request, sent again over the next stream when its own was lost before it was answered: every request can be sent
   * twice. Rejects with `hand_unavailable` when there is no next one, with the link's own reason when it was closed.
   */
  async request(name: string, ...words: readonly string[]): Promise<Reply> {
    for (;;) {
      try {
        return await this.requestOnce(name, ...words);
      } catch (thrown) {
        if (!(thrown instanceof StreamLost)) throw thrown;
      }
    }
  }

  /** The same, but rejects with StreamLost when the stream was lost on the way. */
  async requestOnce(name: string, ...words: readonly string[]): Promise<Reply> {
    this.signal.throwIfAborted();
    const supervisor = await this.#supervisor;
    this.signal.throwIfAborted();
    return supervisor.request(name, ...words);
  }

  close(reason: Error): void {
    if (this.signal.aborted) return;
    this.#closing.abort(reason);
    void this.#supervisor.then(
      (supervisor) => supervisor.close(),
      () => {},
    );
  }

  #listenTo(supervisor: Supervisor): void {
    supervisor.onDidEnd((ended) => this.#ended.fire(ended));
    supervisor.onDidLose((reason) => this.#broke(reason));
  }

  #broke(reason: string): void {
    if (this.signal.aborted) return;
    this.#changed.fire(false);
    this.#supervisor = this.#reopen(reason);
    this.#supervisor.then(
      () => this.#changed.fire(true),
      (thrown: unknown) => this.#gone(thrown instanceof Error ? thrown.message : String(thrown)),
    );
  }

  async #reopen(reason: string): Promise<Supervisor> {
    const { clock, farEnd, settings } = this.#ports;
    let pause: number = limits.handRelinkMs;
    let last: unknown = null;
    for (let tries = 0; tries < limits.handRelinksMax; tries += 1) {
      // At once at first: a shell that was killed is there again in a moment.
      if (tries > 0) {
        await clock.sleep(pause, this.signal);
        pause = Math.min(pause * 2, limits.handRelinkMsMax);
      }
      try {
        const stream = await farEnd.open(this.signal);
        const { supervisor, facts } = await Supervisor.open(stream, settings);
        if (facts.instance !== this.facts.instance) {
          supervisor.close();
          throw new FarEndGone("Its journal is gone: it is another hand now.");
        }
        this.#listenTo(supervisor);
        return supervisor;
      } catch (thrown) {
        this.signal.throwIfAborted();
        if (thrown instanceof FarEndGone) throw thrown;
        last = thrown;
      }
    }
    const why = last instanceof Error ? last.message : String(last);
    throw new ManyHandsError("hand_unavailable", "network", `The hand's stream was lost (${reason}). ${why}`, last);
  }

  #gone(reason: string): void {
    if (this.signal.aborted) return;
    this.#lostReason = reason;
    this.#lost.fire(reason);
  }
}
