/** Runs the harness of one session: performs its effects against the ports while this window holds the lease. */
import type { Effect, EffectValues, Harness, HarnessContext } from "../core/effects.ts";
import { ManyHandsError, hasCode } from "../core/errors.ts";
import type { NewEvent, StreamEvent } from "../core/events.ts";
import type { HandProvider } from "../core/hand.ts";
import type { EventId, SessionId } from "../core/ids.ts";
import { assertNever } from "../core/json.ts";
import type { SessionLog } from "../core/sessionLog.ts";
import { needsBrain } from "../core/sessionState.ts";
import type { AnyEvent, SessionState } from "../core/sessionState.ts";
import { appendPatiently } from "./appender.ts";
import { CallBoard } from "./callBoard.ts";
import { HandBoard } from "./handBoard.ts";
import { HandPool } from "./handPool.ts";
import type { HandPoolPorts } from "./handPool.ts";
import type { HandTools } from "./handTools.ts";
import { harnessContext } from "./harnessContext.ts";
import { runModelTurn } from "./modelTurn.ts";
import type { OrchestratorPorts } from "./ports.ts";
import type { Redaction } from "../core/redaction.ts";
import { RecentEvents } from "./recentEvents.ts";

export interface SessionRunnerPorts extends OrchestratorPorts {
  readonly redaction: Redaction;
  readonly providers: ReadonlyMap<string, HandProvider>;
  /** Resolves when these kinds have providers, or when there is no use in waiting for them. */
  readonly untilProvided: (kinds: readonly string[], signal: AbortSignal) => Promise<void>;
  readonly stream: (event: StreamEvent) => void;
  readonly onPause: (reason: string | null) => void;
  readonly onChangeHands: () => void;
}

export class SessionRunner {
  readonly #log: SessionLog;
  readonly #ports: SessionRunnerPorts;
  readonly #ending = new AbortController();
  /** The hands' states, for the person. */
  readonly board: HandBoard;
  readonly #hands: HandPool;
  /** Null as long as no hand of the session has tools that change. */
  #tools: HandTools | null = null;
  readonly #calls: CallBoard;
  readonly #recent: RecentEvents;
  #context: HarnessContext | null = null;
  /** A hand may offer other tools than those of `#context`. */
  #toolsMayDiffer = false;
  #asking: AbortController | null = null;
  #knock: () => void = () => {};
  /** The newest input that the harness has been shown. */
  #inputSeqShown = 0;
  #running: Promise<void> | null = null;

  constructor(log: SessionLog, ports: SessionRunnerPorts) {
    this.#log = log;
    this.#ports = ports;
    this.#recent = new RecentEvents(log, ports.clock);
    this.board = new HandBoard({
      now: () => ports.clock.now(),
      onChange: ports.onChangeHands,
      redaction: ports.redaction,
    });
    this.#hands = new HandPool({
      sessionId: log.id,
      providers: ports.providers,
      storagePath: (hand) => ports.store.handStoragePath(log.id, hand),
      state: () => log.state(),
      emit: (events) => this.append(events),
      loadMount: ports.loadMount,
      ...waysToVault(log.id, ports.vault),
      report: ports.report,
      board: this.board,
    });
    this.#calls = new CallBoard({
      log,
      hands: this.#hands,
      clock: ports.clock,
      redaction: ports.redaction,
      emit: (events) => this.append(events),
      onText: (tool_use_id, text, offset) => ports.stream({ type: "call_output", tool_use_id, offset, text }),
      onCompleted: () => this.#knock(),
      report: ports.report,
    });
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /** Appends with patience for the storage; needs the lease. */
  async append(events: readonly NewEvent[]): Promise<readonly AnyEvent[]> {
    const { clock, ids, onPause } = this.#ports;
    return appendPatiently(this.#log, events, { clock, ids, onPause }, this.#ending.signal);
  }

  /** Runs until there is nothing to do; joins a run that is under way. Needs the lease. */
  run(): Promise<void> {
    this.#recent.wake();
    this.#running ??= this.#runWhileNeeded().finally(() => {
      this.#running = null;
      if (!this.#ending.signal.aborted) this.#recent.rest();
    });
    return this.#running;
  }

  /** Something was appended from outside: an interrupt ends the streaming request, anything ends a wait. */
  notice(): void {
    if (this.#log.state().interrupt_seq !== null) this.#asking?.abort();
    this.#knock();
  }

  /** The hands, for what a person does with them; a call goes through the run. */
  get hands(): Pick<HandPool, "get" | "ahead" | "end" | "existing" | "restart" | "ping"> {
    return this.#hands;
  }

  /** Ends the run and lets go of the hands; commands live on. The log is as it is after a crash here. */
  async close(): Promise<void> {
    this.#end();
    await this.#hands.close();
    await this.#running?.catch(() => {});
  }

  /** Ends the hands and all that runs in them. */
  async destroy(): Promise<void> {
    this.#end();
    await this.#running?.catch(() => {});
    await this.#hands.destroy();
  }

  #end(): void {
    this.#calls.close();
    this.#recent.wake();
    this.#ending.abort(new ManyHandsError("cancelled", "session", "the session is being closed"));
    this.#asking?.abort();
    this.#knock();
  }

  async #runWhileNeeded(): Promise<void> {
    while (needsBrain(this.#log.state()) && !this.#ending.signal.aborted) {
      const before = this.#log.state().seq;
      await this.#runHarness();
      if (this.#log.state().seq === before) {
        throw new ManyHandsError("cancelled", "brain", "the harness ended without dealing with what was asked of it");
      }
    }
  }

  async #runHarness(): Promise<void> {
    const harness = await this.#ports.loadHarness();
    const kinds = this.#log.state().hands.map(({ kind }) => kind);
    await this.#ports.untilProvided(kinds, this.#ending.signal);
    const { hands } = this.#log.state();
    if (this.#tools === null && hands.some(({ kind }) => this.#ports.providers.get(kind)?.onDidChangeTools)) {
      const { HandTools: Tools } = await import("./handTools.ts");
      this.#tools = new Tools({ ...this.#ports, provision: (name) => this.#hands.get(name) });
    }
    // An interrupt ends this wait too.
    const waiting = (this.#asking = new AbortController());
    await this.#tools?.untilKnown(hands, AbortSignal.any([waiting.signal, this.#ending.signal]));
    this.#asking = null;
    if (this.#ending.signal.aborted) return;
    const listening = this.#tools?.onMayChange(hands, () => (this.#toolsMayDiffer = true));
    try {
      await this.#runSteps(harness, await this.#newContext());
    } catch (thrown) {
      if (!hasCode(thrown, "cancelled", "lease_lost")) throw thrown;
    } finally {
      listening?.dispose();
    }
  }

  async #runSteps(harness: Harness, context: HarnessContext): Promise<void> {
    for (const hand of this.#log.state().hands) if (hand.prewarm === true) this.#hands.prewarm(hand.name);
    this.#inputSeqShown = this.#log.state().input_seq;
    const steps = harness(context);
    try {
      let step = await steps.next();
      while (step.done !== true) {
        this.#ending.signal.throwIfAborted();
        const value = await this.#perform(step.value);
        this.#ending.signal.throwIfAborted();
        const state = this.#log.state();
        if (mayStopAfter(step.value) && (isOutdated(context, state) || this.#haveToolsChanged(context))) {
          await steps.return(undefined);
          return;
        }
        this.#inputSeqShown = state.input_seq;
        step = await steps.next({ state, value });
      }
    } catch (thrown) {
      await steps.return(undefined).catch(() => {});
      throw thrown;
    }
  }

  /** The model is told what has changed since it was asked last, so that the log says it too. */
  async #newContext(): Promise<HarnessContext> {
    this.#toolsMayDiffer = false;
    const context = await harnessContext(this.#log.state(), this.#ports);
    const text = this.#tools?.changedText(this.#context, context) ?? "";
    this.#context = context;
    if (text === "") return context;
    await this.append([{ type: "system.message", content: [{ type: "text", text }] }]);
    return { ...context, state: this.#log.state() };
  }

  #haveToolsChanged(context: HarnessContext): boolean {
    if (!this.#toolsMayDiffer) return false;
    this.#toolsMayDiffer = false;
    return this.#tools?.differFrom(context) === true;
  }

  async #perform(effect: Effect): Promise<EffectValues[Effect["kind"]]> {
    switch (effect.kind) {
      case "emit":
        return { events: await this.#emit(effect.events) };
      case "ask_model":
        return this.#askModel(effect.start_id, effect.request);
      case "execute":
        for (const id of effect.tool_use_ids) this.#begin(id);
        return null;
      case "stop_calls":
        this.#calls.stop(effect.tool_use_ids);
        return null;
      case "read_events":
        return this.#recent.getEvents(effect.slice);
      case "wait":
        return this.#wait(effect.for_ms);
      default:
        return assertNever(effect);
    }
  }

  async #emit(events: readonly NewEvent[]): Promise<readonly AnyEvent[]> {
    const handOf = new Map(this.#log.state().unanswered.map((use) => [use.id, use.hand]));
    const stored = await this.append(events);
    for (const event of events) {
      if (event.type === "agent.tool_result") {
        this.#acknowledge(event.tool_use_id, handOf.get(event.tool_use_id) ?? null);
      }
    }
    return stored;
  }

  /** The result is in the log: the hand's journal may forget the call. Nobody waits for it. */
  #acknowledge(id: EventId, hand: string | null): void {
    if (hand === null) return;
    void this.#hands
      .existing(hand)
      .then((existing) => existing?.acknowledge([id]))
      .catch((thrown: unknown) => {
        if (!hasCode(thrown, "hand_detached")) this.#ports.report("a call could not be acknowledged", thrown);
      });
  }

  async #askModel(
    startId: EventId,
    request: Extract<Effect, { kind: "ask_model" }>["request"],
  ): Promise<EffectValues["ask_model"]> {
    const asking = new AbortController();
    this.#asking = asking;
    if (this.#log.state().interrupt_seq !== null) asking.abort();
    try {
      return await runModelTurn(startId, request, asking.signal, {
        loadModel: this.#ports.loadModel,
        stream: this.#ports.stream,
        redaction: this.#ports.redaction,
        onToolUse: (tool, hand) => this.#warm(tool, hand),
      });
    } finally {
      this.#asking = null;
    }
  }

  /** Provisioning starts when a call for the hand begins to stream (I11); which hand it is must be certain (I12). */
  #warm(tool: string, hand: string | null): void {
    const offered = (this.#context?.tools ?? []).filter((candidate) => candidate.name === tool);
    const names = new Set(offered.map((candidate) => candidate.hand));
    const name = hand ?? (names.size === 1 ? [...names][0] : null);
    if (name !== null && name !== undefined && names.has(name)) this.#hands.prewarm(name);
  }

  #begin(id: EventId): void {
    const use = this.#log.state().unanswered.find((candidate) => candidate.id === id);
    if (use === undefined) throw new Error(`the harness asked to execute ${id}, which waits for no result`);
    this.#calls.begin(use);
  }

  async #wait(forMs: number | undefined): Promise<EffectValues["wait"]> {
    const isThere = (): boolean =>
      this.#calls.hasCompleted() || this.#log.state().input_seq > this.#inputSeqShown || this.#ending.signal.aborted;
    if (!isThere()) await this.#untilKnock(forMs, isThere);
    return { completed: this.#calls.takeCompleted() };
  }

  async #untilKnock(forMs: number | undefined, isThere: () => boolean): Promise<void> {
    const over = new AbortController();
    const knocked = new Promise<void>((resolve) => {
      this.#knock = () => {
        if (isThere()) resolve();
      };
    });
    // Retries of many sessions, and of many windows, must not come at the same moment.
    const jittered = forMs === undefined ? undefined : forMs * (1 + 0.25 * this.#ports.random());
    const slept = jittered === undefined ? [] : [this.#ports.clock.sleep(jittered, over.signal).catch(() => {})];
    await Promise.race([knocked, ...slept]);
    over.abort();
    this.#knock = () => {};
  }
}

function waysToVault(id: SessionId, vault: OrchestratorPorts["vault"]): Pick<HandPoolPorts, "entrance" | "gitAccess"> {
  if (vault === undefined) return {};
  return {
    entrance: (hand, egress) => vault.entrance(id, hand, egress),
    gitAccess: (hand, url) => vault.gitAccess(id, hand, url),
  };
}

/** The session was given other hands, or another model: the harness begins anew with them. */
function isOutdated({ state: begun }: HarnessContext, state: SessionState): boolean {
  return begun.hands !== state.hands || begun.model !== state.model;
}

/** A harness keeps nothing, so it may end between two effects; but a reply that cost something is not thrown away. */
function mayStopAfter(effect: Effect): boolean {
  return effect.kind === "emit" && effect.events.at(-1)?.type !== "span.model_request_start";
}
