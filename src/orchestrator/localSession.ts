/** One session of this computer, as this window sees it: reads always, writes and runs while it holds the lease. */
import { ManyHandsError, hasCode } from "../core/errors.ts";
import type { ClientEvent, NewEvent, StreamEvent } from "../core/events.ts";
import type { HandSpec } from "../core/config.ts";
import type { Hand, HandProvider } from "../core/hand.ts";
import type { HandStatus } from "../core/handInfo.ts";
import { messageOf } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import type { SessionInfo, SessionUpdate } from "../core/service.ts";
import type { SessionLog } from "../core/sessionLog.ts";
import { isKnown, needsBrain } from "../core/sessionState.ts";
import type { AnyEvent } from "../core/sessionState.ts";
import type { GrantDecision } from "../core/vault.ts";
import { checkHands, handsChangedText, handsGone } from "./handChange.ts";
import type { OrchestratorPorts } from "./ports.ts";
import { SessionRunner } from "./sessionRunner.ts";
import type { SessionRunnerPorts } from "./sessionRunner.ts";

export interface LocalSessionPorts extends OrchestratorPorts {
  readonly redaction: SessionRunnerPorts["redaction"];
  readonly providers: ReadonlyMap<string, HandProvider>;
  readonly untilProvided: SessionRunnerPorts["untilProvided"];
  readonly onAppend: (events: readonly AnyEvent[]) => void;
  readonly onStream: (event: StreamEvent) => void;
  readonly onChange: () => void;
  readonly onChangeHands: () => void;
}

export class LocalSession {
  readonly log: SessionLog;
  readonly #ports: LocalSessionPorts;
  #runner: SessionRunner;
  #paused: string | null = null;
  #closed = false;
  /** Uses of the lease, one after the other: an append must not meet the release of a run that just ended. */
  #turn: Promise<unknown> = Promise.resolve();
  readonly #listening: readonly { dispose(): void }[];

  constructor(log: SessionLog, ports: LocalSessionPorts) {
    this.log = log;
    this.#ports = ports;
    this.#runner = this.#newRunner();
    this.#listening = [
      log.onDidAppend((events) => ports.onAppend(events)),
      log.onDidLoseLease(() => void this.#leaseLost()),
    ];
  }

  async info(): Promise<SessionInfo> {
    const held = this.log.holdsLease();
    const holder = held ? null : await this.log.holder();
    return {
      id: this.log.id,
      state: this.log.state(),
      writer: held ? { kind: "this" } : holder === null ? { kind: "none" } : { kind: "other", holder },
      read_only: this.log.readOnlyReason() ?? untrusted(this.#ports),
      paused: this.#paused,
      unreadable: null,
      damage: this.log.damage(),
    };
  }

  /** Appends what came from outside and lets the session act on it. */
  async emit(event: ClientEvent): Promise<AnyEvent> {
    this.#mustBeWritable();
    if (event.type === "user.message" && this.log.state().queued.length >= limits.queueDepthMax) {
      const message = `${limits.queueDepthMax} messages wait already; let the agent work through them first`;
      throw new ManyHandsError("limit_exceeded", "session", message);
    }
    const [asked, stored] = await this.#withLease(async () => {
      // In its turn: of two answers to one request (the page's, a notification's) the first counts alone.
      const request = event.type === "user.grant_decision" ? await this.#grantAsked(event) : null;
      const [first] = await this.#runner.append([event, ...this.#titleFor(event)]);
      return [request, first] as const;
    });
    if (asked !== null) await asked.answer();
    this.#runner.notice();
    this.#start();
    if (stored === undefined) throw new Error("an append of one event stored none");
    return stored;
  }

  /** What the vault or a program has to put on record; the session need not be running. */
  async record(events: readonly NewEvent[]): Promise<readonly AnyEvent[]> {
    this.#mustBeWritable();
    const stored = await this.#withLease(() => this.#runner.append(events));
    await this.#rest();
    return stored;
  }

  /** Rejects with `grant_unknown` where nothing waits for this answer. */
  async #grantAsked(
    event: Extract<ClientEvent, { type: "user.grant_decision" }>,
  ): Promise<{ answer(): Promise<void> }> {
    const { vault } = this.#ports;
    const asked = this.log.state().grants_asked.find(({ id }) => id === event.grant_request_id);
    const [request] = asked === undefined ? [] : await this.log.getEvents({ from: asked.seq, limit: 1, order: "asc" });
    if (vault === undefined || request === undefined || !isKnown(request) || request.type !== "vault.grant_requested") {
      throw new ManyHandsError("grant_unknown", "vault", "Nothing waits for this answer: it was given already.");
    }
    const { lasts = "once", scope } = event;
    const decision: GrantDecision =
      event.result === "deny"
        ? { result: "deny" }
        : { result: "allow", lasts, ...(scope === undefined ? {} : { scope }) };
    return { answer: () => vault.answer(this.log.id, request, decision) };
  }

  async update(change: SessionUpdate): Promise<void> {
    this.#mustBeWritable();
    if (change.title !== undefined && change.title.trim() === "") {
      throw new ManyHandsError("event_invalid", "session", "a title must not be empty");
    }
    const title =
      change.title === undefined
        ? {}
        : { title: this.#ports.redaction.text(change.title.trim()).slice(0, limits.titleCharsMax) };
    const events: NewEvent[] = [{ type: "session.updated", ...change, ...title }];
    if (change.hands === undefined) await this.#withLease(() => this.#runner.append(events));
    else await this.#withLease(() => this.#changeHands(events, change.hands ?? []));
    if (change.archived === true) await this.#ports.vault?.endSession(this.log.id);
    await this.#rest();
  }

  async #changeHands(events: readonly NewEvent[], hands: readonly HandSpec[]): Promise<void> {
    checkHands(hands);
    const { hands: before, unanswered, instances } = this.log.state();
    const gone = handsGone(before, hands);
    const busy = unanswered.find((use) => use.started !== null && gone.some((spec) => spec.name === use.hand));
    if (busy !== undefined) {
      const message = `A call runs on the hand "${busy.hand}". Stop the session first, or wait until it has ended.`;
      throw new ManyHandsError("hand_unavailable", "hand", message);
    }
    const text = handsChangedText(before, hands, this.#ports.providers);
    const said: NewEvent = { type: "system.message", content: [{ type: "text", text }] };
    await this.#runner.append(text === "" ? events : [...events, said]);
    for (const spec of gone) void this.#runner.hands.end(spec, instances[spec.name] ?? null);
    // Nobody waits for it: a keyring may ask a person first. Who wants an entrance of that name after this waits for it there.
    const failed = (thrown: unknown): void =>
      this.#ports.report("the access of a hand could not be taken back", thrown);
    for (const { name } of gone) this.#ports.vault?.endHand(this.log.id, name).catch(failed);
  }

  /** Runs what there is to do. With `again`, also what a failure or a limit had ended. False: another window has it. */
  async wake(again: boolean): Promise<boolean> {
    this.#mustBeWritable();
    const reason = this.log.state().stop_reason?.type;
    const ended = again && (reason === "retries_exhausted" || reason === "budget_reached");
    if (!ended && !needsBrain(this.log.state())) return true;
    if (this.#runner.isRunning) return true;
    try {
      await this.#withLease(async () => {
        if (ended) await this.#runner.append([{ type: "session.status_running" }]);
      });
    } catch (thrown) {
      if (hasCode(thrown, "session_read_only")) return false;
      throw thrown;
    }
    this.#start();
    return true;
  }

  async takeOver(): Promise<void> {
    this.#mustBeWritable();
    await this.#inTurn(() => this.log.takeOver());
    this.#ports.onChange();
    this.#start();
    if (!this.#runner.isRunning) await this.#rest();
  }

  /** The hands that the session names, each with its state. */
  hands(): readonly { readonly spec: HandSpec; readonly status: HandStatus }[] {
    return this.log.state().hands.map((spec) => ({ spec, status: this.#runner.board.of(spec.name) }));
  }

  /** Provisions it if need be, which is recorded: that needs the lease where no hand is there yet. */
  async openHand(name: string): Promise<Hand> {
    this.#mustBeWritable();
    const existing = await this.#runner.hands.existing(name);
    if (existing !== null) return existing;
    // Refused where another window runs the session. Not held while it is provisioned: messages must not wait for that.
    await this.#withLease(async () => {});
    await this.#runner.hands.ahead(name);
    const hand = await this.#withLease(() => this.#runner.hands.get(name));
    await this.#rest();
    return hand;
  }

  async restartHand(name: string): Promise<void> {
    this.#mustBeWritable();
    if (this.log.state().unanswered.some((use) => use.hand === name && use.started !== null)) {
      const message = `A call runs on the hand "${name}". Stop the session first, or wait until it has ended.`;
      throw new ManyHandsError("hand_unavailable", "session", message);
    }
    await this.#withLease(() => this.#runner.hands.restart(name));
    await this.#rest();
  }

  async pingHands(): Promise<void> {
    await this.#runner.hands.ping();
  }

  /** Ends its hands; the caller removes the log. Needs the lease. */
  async destroy(): Promise<void> {
    await this.#withLease(async () => {
      // Not before this window may: a session that another one runs keeps what was granted to it.
      await this.#ports.vault?.endSession(this.log.id);
      try {
        await this.#runner.destroy();
      } finally {
        // To be ended, a hand of an earlier life of the program was found again, and given its entrance.
        await this.#ports.vault?.endSession(this.log.id);
      }
    });
  }

  /** Lets go of everything; commands in hands live on, and the next wake finds them. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#runner.close();
    if (this.log.holdsLease()) await this.log.release().catch(() => {});
    for (const listening of this.#listening) listening.dispose();
    await this.log.close();
  }

  #newRunner(): SessionRunner {
    return new SessionRunner(this.log, {
      ...this.#ports,
      stream: this.#ports.onStream,
      onPause: (reason) => this.#setPaused(reason),
      onChangeHands: this.#ports.onChangeHands,
    });
  }

  #start(): void {
    if (this.#closed || this.#runner.isRunning || !needsBrain(this.log.state())) return;
    // Another window took it over: that one runs it.
    if (!this.log.holdsLease()) return;
    const runner = this.#runner;
    void runner
      .run()
      .catch((thrown: unknown) => this.#runFailed(runner, thrown))
      .then(() => this.#rest())
      .catch((thrown: unknown) => this.#ports.report("a session could not be put to rest", thrown));
    this.#ports.onChange();
  }

  /** Gives the lease back when there is nothing to do, so that another window may go on without asking. */
  async #rest(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#closed || this.#runner.isRunning) return;
      if (needsBrain(this.log.state())) return this.#start();
      if (this.log.holdsLease()) await this.log.release();
    });
    this.#ports.onChange();
  }

  /** A fault of this program must neither vanish nor wake for ever: it is on record, and the session rests. */
  async #runFailed(runner: SessionRunner, thrown: unknown): Promise<void> {
    this.#ports.report(`session ${this.log.id} stopped by an internal error`, thrown);
    if (this.#closed || runner !== this.#runner || !this.log.holdsLease()) return;
    const message = `Many Hands failed: ${messageOf(thrown)} The log is whole; try again, or send a message.`;
    await runner.append([
      { type: "session.error", error: { type: "unknown_error", message, retry_status: "terminal", origin: "brain" } },
      { type: "session.status_idle", stop_reason: { type: "retries_exhausted" } },
    ]);
  }

  async #leaseLost(): Promise<void> {
    const runner = this.#runner;
    this.#runner = this.#newRunner();
    this.#setPaused(null);
    await runner.close();
    this.#ports.onChange();
  }

  async #withLease<T>(use: () => Promise<T>): Promise<T> {
    return this.#inTurn(async () => {
      if (!this.log.holdsLease()) {
        const acquired = await this.log.acquire();
        if (acquired.kind === "busy") {
          const message = `Another window (${acquired.holder.owner}) runs this session. Take it over to go on here.`;
          throw new ManyHandsError("session_read_only", "session", message);
        }
      }
      return use();
    });
  }

  #inTurn<T>(use: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(use, use);
    this.#turn = mine.catch(() => {});
    return mine;
  }

  #mustBeWritable(): void {
    const reason = this.log.readOnlyReason();
    if (reason !== null) throw new ManyHandsError("session_read_only", "session", reason);
    const untrustedReason = untrusted(this.#ports);
    if (untrustedReason !== null) throw new ManyHandsError("not_trusted", "session", untrustedReason);
    if (this.#closed) throw new ManyHandsError("cancelled", "session", "the session is closed");
  }

  #titleFor(event: ClientEvent): readonly NewEvent[] {
    if (event.type !== "user.message" || this.log.state().title !== "") return [];
    // Before it is cut: half a credential is none that would be found.
    const text = this.#ports.redaction.text(event.content.find((block) => block.type === "text")?.text ?? "");
    const line = text.trim().split("\n", 1)[0]?.trim() ?? "";
    if (line === "") return [];
    const title = line.length > 60 ? `${line.slice(0, 59).toWellFormed().trimEnd()}…` : line;
    return [{ type: "session.updated", title }];
  }

  #setPaused(reason: string | null): void {
    if (reason === this.#paused) return;
    this.#paused = reason;
    this.#ports.onStream(reason === null ? { type: "resumed" } : { type: "paused", message: reason });
    this.#ports.onChange();
  }
}

function untrusted(ports: Pick<OrchestratorPorts, "trusted">): string | null {
  return ports.trusted() ? null : "This workspace is not trusted: sessions can be read, nothing is executed.";
}
