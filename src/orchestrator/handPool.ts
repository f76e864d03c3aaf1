/** The hands of one session: provisioned when first needed, found again after a reload, provisioned anew when lost. */
import { handKey } from "../core/config.ts";
import type { HandSpec, Resource } from "../core/config.ts";
import { ManyHandsError } from "../core/errors.ts";
import type { NewEvent } from "../core/events.ts";
import { HandFailed } from "../core/hand.ts";
import type { Hand, HandCommand, HandProcess, HandProvider } from "../core/hand.ts";
import { messageOf } from "../core/json.ts";
import type { MountResource } from "../core/resource.ts";
import type { SessionState } from "../core/sessionState.ts";
import type { Egress, GitAccess, HandEntrance } from "../core/vault.ts";
import { openProcessIn, providerOf } from "./providers.ts";
import type { HandBoard } from "./handBoard.ts";

export interface HandPoolPorts {
  readonly sessionId: string;
  readonly providers: ReadonlyMap<string, HandProvider>;
  readonly storagePath: (hand: string) => string;
  readonly state: () => SessionState;
  readonly emit: (events: readonly NewEvent[]) => Promise<unknown>;
  readonly report: (what: string, thrown?: unknown) => void;
  readonly loadMount: () => Promise<MountResource>;
  /** The way to the vault for the hand of that name. */
  readonly entrance?: (hand: string, egress: Egress | null) => Promise<HandEntrance>;
  readonly gitAccess?: (hand: string, url: string) => Promise<GitAccess | null>;
  /** Told of what becomes of each hand. */
  readonly board: HandBoard;
}

interface Held {
  readonly hand: Promise<Hand>;
  /** The session has it no more: what it asks for from now on is refused. */
  isTaken: boolean;
}

export class HandPool {
  readonly #ports: HandPoolPorts;
  /** By `handKey`: where another hand has the name now, the former one is not found by it (I12). */
  readonly #hands = new Map<string, Held>();
  /** By instance: its `hand.provisioned` on its way into the log. */
  readonly #recording = new Map<string, Promise<unknown>>();
  /** By instance: its resources on their way. */
  readonly #mounting = new Map<string, Promise<void>>();
  readonly #closing = new AbortController();

  constructor(ports: HandPoolPorts) {
    this.#ports = ports;
  }

  /** Begins to provision the hand, if nobody has; failures are kept for whoever needs it (I11). */
  prewarm(name: string): void {
    this.get(name).catch(() => {});
  }

  /** The hand, which need not be in the log yet: for a person, not for a call. */
  async ahead(name: string): Promise<Hand> {
    return this.#held(name);
  }

  /**
   * The hand of that name, which is in the log. Rejects with `hand_unknown` or `hand_unavailable`; the next call tries
   * anew. One that was made ahead of time, when the log could not be written, is recorded when it is asked for.
   */
  async get(name: string): Promise<Hand> {
    const hand = await this.#held(name);
    await this.#record(name, hand);
    await this.#mount(name, hand);
    return hand;
  }

  /** The hand if it is there already: for a signal or an acknowledgement, which must not provision one. */
  async existing(name: string): Promise<Hand | null> {
    const spec = this.#specOf(name);
    const held = spec === undefined ? undefined : this.#hands.get(handKey(spec));
    return (await held?.hand.catch(() => null)) ?? null;
  }

  /** Ends the hand and all that runs in it; the next call provisions another. Nothing where there is none yet. */
  async restart(name: string): Promise<void> {
    const { spec } = this.#find(name);
    const held = this.#hands.get(handKey(spec));
    const hand = (await held?.hand.catch(() => null)) ?? null;
    if (held !== undefined) this.#forget(spec, held);
    this.#ports.board.clear(name);
    if (hand === null) return;
    const message = "It was restarted by the person.";
    if (this.#ports.state().instances[name] === hand.instance) {
      await this.#ports.emit([{ type: "hand.lost", hand: name, instance: hand.instance, message }]);
    }
    await hand.destroy();
  }

  /** The session has this hand no more: it is ended, and what it left is removed. Never rejects. */
  async end(spec: HandSpec, instance: string | null): Promise<void> {
    const held = this.#hands.get(handKey(spec));
    if (held !== undefined) {
      held.isTaken = true;
      this.#forget(spec, held);
    }
    this.#ports.board.clear(spec.name);
    try {
      const there = await held?.hand.catch(() => null);
      // One of an earlier life of the program is found again for it.
      const hand =
        there ?? (instance === null || this.#leavesNothing(spec) ? null : await this.#findAgain(spec, instance));
      await hand?.destroy();
    } catch (thrown) {
      this.#ports.report(`the hand ${spec.name} could not be ended`, thrown);
    }
  }

  /** Asks each hand that is there for one round trip; a failure shows in the hand's own state. */
  async ping(): Promise<void> {
    const all = this.#ports.state().hands.map(({ name }) => name);
    const names = all.filter((name) => this.#ports.board.of(name).state === "ready");
    await Promise.all(
      names.map(async (name) => {
        const latency = await (await this.existing(name))?.ping?.().catch(() => null);
        if (latency !== undefined && latency !== null) this.#ports.board.pinged(name, latency);
      }),
    );
  }

  /** Lets go of all hands; commands live on. */
  async close(): Promise<void> {
    this.#closing.abort(new ManyHandsError("hand_detached", "hand", "the session was let go of"));
    await this.#forEach((hand) => hand.close());
  }

  /** Ends all hands and removes what they left. Those of an earlier life of the program are found again for it. */
  async destroy(): Promise<void> {
    const { instances, hands } = this.#ports.state();
    const used = hands.filter((spec) => instances[spec.name] !== undefined && !this.#leavesNothing(spec));
    await Promise.allSettled(used.map(({ name }) => this.get(name)));
    await this.#forEach((hand) => hand.destroy());
    this.#closing.abort();
  }

  async #forEach(act: (hand: Hand) => Promise<void>): Promise<void> {
    const hands = [...this.#hands.values()];
    this.#hands.clear();
    const outcomes = await Promise.allSettled(hands.map(async ({ hand }) => act(await hand)));
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") this.#ports.report("a hand could not be let go of", outcome.reason);
    }
  }

  async #held(name: string): Promise<Hand> {
    const { spec } = this.#find(name);
    const existing = this.#hands.get(handKey(spec));
    if (existing !== undefined) return existing.hand;
    this.#closing.signal.throwIfAborted();
    const provisioned = Promise.withResolvers<Hand>();
    const held: Held = { hand: provisioned.promise, isTaken: false };
    this.#hands.set(handKey(spec), held);
    held.hand.catch(() => this.#forget(spec, held));
    provisioned.resolve(this.#provision(name, held));
    return held.hand;
  }

  async #provision(name: string, held: Held): Promise<Hand> {
    const { spec, provider } = this.#find(name);
    const { board } = this.#ports;
    board.provisioning(name);
    try {
      const entrance = entranceUnless(held, this.#ports.entrance);
      const hand = await provider.provision(spec, {
        sessionId: this.#ports.sessionId,
        storagePath: this.#ports.storagePath(name),
        previousInstance: this.#ports.state().instances[name] ?? null,
        signal: this.#closing.signal,
        ...(entrance === undefined ? {} : { entrance: (egress: Egress | null) => entrance(name, egress) }),
        onProgress: (message) => {
          if (!held.isTaken) board.progress(name, message);
          this.#ports.report(`hand ${name}: ${message}`);
        },
        openProcess: (other, command) => this.#openProcess(spec, other, command),
      });
      if (!held.isTaken) board.ready(name, hand);
      hand.onDidLose((message) => void this.#lost(spec, hand, message));
      hand.onDidFail?.((failure) => void this.#recordError(failure));
      return hand;
    } catch (thrown) {
      if (!held.isTaken) board.failed(name, thrown);
      if (!this.#closing.signal.aborted && !held.isTaken) await this.#recordFailure(spec, thrown);
      throw thrown;
    }
  }

  async #record(name: string, hand: Hand): Promise<void> {
    const { spec } = this.#find(name);
    if (this.#ports.state().instances[name] === hand.instance) return;
    let recording = this.#recording.get(hand.instance);
    if (recording === undefined) {
      recording = this.#ports.emit([provisionedEvent(spec, hand)]);
      this.#recording.set(hand.instance, recording);
    }
    try {
      await recording;
    } finally {
      this.#recording.delete(hand.instance);
    }
  }

  /** What the spec wants to be there and is not yet. One after the other, for all who wait for the hand together. */
  async #mount(name: string, hand: Hand): Promise<void> {
    if (this.#missing(name, hand).length === 0) return;
    let mounting = this.#mounting.get(hand.instance);
    if (mounting === undefined) {
      mounting = this.#mountMissing(name, hand).finally(() => this.#mounting.delete(hand.instance));
      this.#mounting.set(hand.instance, mounting);
    }
    await mounting;
  }

  async #mountMissing(name: string, hand: Hand): Promise<void> {
    const mount = await this.#ports.loadMount();
    const { board } = this.#ports;
    for (const resource of this.#missing(name, hand)) {
      board.mounting(name, `${resource.source_ref} → ${resource.mount_path}`);
      try {
        const onProgress = (message: string): void => board.mounting(name, message);
        const { gitAccess } = this.#ports;
        const access = gitAccess === undefined ? {} : { gitAccess: (url: string) => gitAccess(name, url) };
        const bytes = await mount(resource, hand, { signal: this.#closing.signal, onProgress, ...access });
        const { source_ref, mount_path } = resource;
        const { instance } = hand;
        await this.#ports.emit([{ type: "resource.mounted", hand: name, instance, source_ref, mount_path, bytes }]);
      } catch (thrown) {
        board.failed(name, thrown);
        if (thrown instanceof HandFailed) await this.#recordError(thrown);
        throw thrown;
      }
    }
    board.mounted(name);
  }

  #missing(name: string, hand: Hand): readonly Resource[] {
    const there = this.#ports.state().mounted[hand.instance] ?? [];
    const resources = this.#specOf(name)?.resources ?? [];
    return resources.filter(({ mount_path }) => !there.includes(mount_path));
  }

  async #recordError(failure: HandFailed): Promise<void> {
    try {
      await this.#ports.emit([errorEvent(failure)]);
    } catch (failed) {
      this.#ports.report("a failure of a hand could not be recorded", failed);
    }
  }

  /** The hand in which it runs is provisioned for it, and no other stands in (I12). */
  async #openProcess(spec: HandSpec, name: string, command: HandCommand): Promise<HandProcess> {
    const other = this.#find(name).spec;
    return openProcessIn(other, spec, () => this.get(name), command, this.#closing.signal);
  }

  #leavesNothing(spec: HandSpec): boolean {
    return this.#ports.providers.get(spec.kind)?.leavesNothing === true;
  }

  /** What went wrong with the hand matters more than that it could not be written down. */
  async #recordFailure({ name, kind }: HandSpec, thrown: unknown): Promise<void> {
    try {
      const failed: NewEvent = { type: "hand.provision_failed", hand: name, kind, message: messageOf(thrown) };
      await this.#ports.emit(thrown instanceof HandFailed ? [failed, errorEvent(thrown)] : [failed]);
    } catch (failed) {
      this.#ports.report("a failure of a hand could not be recorded", failed);
    }
  }

  #findAgain(spec: HandSpec, previousInstance: string): Promise<Hand> {
    return providerOf(this.#ports.providers, spec).provision(spec, {
      sessionId: this.#ports.sessionId,
      storagePath: this.#ports.storagePath(spec.name),
      previousInstance,
      signal: this.#closing.signal,
      onProgress: () => {},
    });
  }

  #specOf(name: string): HandSpec | undefined {
    return this.#ports.state().hands.find((candidate) => candidate.name === name);
  }

  #find(name: string): { readonly spec: HandSpec; readonly provider: HandProvider } {
    const spec = this.#specOf(name);
    if (spec === undefined) {
      throw new ManyHandsError("hand_unknown", "hand", `this session has no hand named "${name}"`);
    }
    return { spec, provider: providerOf(this.#ports.providers, spec) };
  }

  async #lost(spec: HandSpec, hand: Hand, message: string): Promise<void> {
    const held = this.#hands.get(handKey(spec));
    if (held === undefined || (await held.hand.catch(() => null)) !== hand) return;
    this.#forget(spec, held);
    const { name } = spec;
    this.#ports.board.lost(name, message);
    try {
      await this.#ports.emit([{ type: "hand.lost", hand: name, instance: hand.instance, message }]);
    } catch (thrown) {
      this.#ports.report("a lost hand could not be recorded", thrown);
    }
  }

  #forget(spec: HandSpec, held: Held): void {
    const key = handKey(spec);
    if (this.#hands.get(key) === held) this.#hands.delete(key);
  }
}

/** What a hand that was taken away asks for is not given: the token of that name may be another hand's by now. */
function entranceUnless(held: Held, entrance: HandPoolPorts["entrance"]): HandPoolPorts["entrance"] {
  if (entrance === undefined) return undefined;
  return (...args) => {
    if (!held.isTaken) return entrance(...args);
    const message = "This hand was taken from the session while it was provisioned.";
    return Promise.reject(new ManyHandsError("hand_unavailable", "session", message));
  };
}

function errorEvent({ type, message, origin }: HandFailed): NewEvent {
  return { type: "session.error", error: { type, message, origin, retry_status: "terminal" } };
}

function provisionedEvent(spec: HandSpec, hand: Hand): NewEvent {
  return {
    type: "hand.provisioned",
    hand: spec.name,
    kind: spec.kind,
    instance: hand.instance,
    description: hand.description,
  };
}
