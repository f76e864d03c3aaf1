/** The default harness: asks the model, runs its calls, and goes on until there is nothing to do. It keeps no state. */
import type { Effect, EffectReply, EffectValues, Harness, HarnessContext, CompletedCall } from "../../core/effects.ts";
import type { NewEvent, SessionErrorType, StopReason, StoredEvent } from "../../core/events.ts";
import type { EventId } from "../../core/ids.ts";
import { assertNever } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { ModelError, ModelOutcome, ModelRequest } from "../../core/model.ts";
import type { PendingToolUse, SessionState } from "../../core/sessionState.ts";
import { project } from "../projection/project.ts";
import type { Projection } from "../projection/project.ts";
import { estimateTokens } from "../projection/tokens.ts";
import type { Json } from "../../core/json.ts";
import { isFull, nextStep, requestTokens, summaryRequest } from "./compaction.ts";
import { decide, parallelOf } from "./decide.ts";
import type { Decision } from "./decide.ts";
import { CONVERSATION_TYPES, History } from "./history.ts";
import { chooseTool } from "./toolChoice.ts";
import { failedRequestEnd, turnEvents } from "./turnEvents.ts";

type Steps<T> = AsyncGenerator<Effect, T, EffectReply>;

/** A reply that was cut at its limit is continued so often in a row; then the person is asked. */
const CONTINUATIONS_MAX = 3;
/** A request that the API finds too long is made smaller so often in a row; then the person is told. */
const COMPACTIONS_MAX = 4;

export const defaultHarness: Harness = (context) => createHarness(project)(context);

/** The default loop with another way to build requests. */
function createHarness(projection: Projection): Harness {
  return (context) => new Run(context, projection).steps();
}

class Run {
  readonly #context: HarnessContext;
  readonly #projection: Projection;
  readonly #history = new History();
  readonly #running = new Set<EventId>();
  readonly #isParallel: (use: PendingToolUse) => boolean;
  #state: SessionState;
  /** The last event that was there when the step that is being taken was decided on. */
  #seen = 0;
  /** The API said that the request is too long, whatever was counted here. */
  #mustCompact = false;
  #continuations = 0;

  constructor(context: HarnessContext, projection: Projection) {
    this.#context = context;
    this.#projection = projection;
    this.#state = context.state;
    this.#isParallel = parallelOf(context.tools);
  }

  async *steps(): Steps<void> {
    for (;;) {
      this.#seen = this.#state.seq;
      const decision = decide(this.#state, { running: this.#running, isParallel: this.#isParallel });
      if (decision.kind === "done") return;
      yield* this.#follow(decision);
    }
  }

  async *#follow(decision: Exclude<Decision, { kind: "done" }>): Steps<void> {
    switch (decision.kind) {
      case "close_request":
        return yield* this.#emit([failedRequestEnd(decision.start_id)]);
      case "stop":
        return yield* this.#stop(decision.running, decision.not_begun);
      case "resume":
        return yield* this.#emit([this.#isRunning()]);
      case "refuse":
        return yield* this.#refuse(decision.uses);
      case "execute":
        return yield* this.#execute(decision.ids);
      case "wait":
        return yield* this.#wait();
      case "require_action":
        return yield* this.#emit([this.#isIdle({ type: "requires_action", event_ids: decision.ids })]);
      case "ask_model":
        return yield* this.#askModel();
      case "turn_limit":
        return yield* this.#giveUp(
          "tool_use_limit_reached_error",
          `The agent took ${limits.turnsMax} turns without a word from you. Send a message to let it go on.`,
          "budget_reached",
        );
      case "idle":
        return yield* this.#emit([this.#isIdle({ type: "end_turn" })]);
      default:
        return assertNever(decision);
    }
  }

  async *#perform<K extends Effect["kind"]>(effect: Extract<Effect, { kind: K }>): Steps<EffectValues[K]> {
    const reply = yield effect;
    this.#state = reply.state;
    return reply.value as EffectValues[K];
  }

  async *#emit(events: readonly NewEvent[]): Steps<void> {
    if (events.length > 0) yield* this.#perform({ kind: "emit", events });
  }

  /** Says what was known when it was decided: an input may be on its way into the log at the same moment. */
  #isIdle(stop_reason: StopReason): NewEvent {
    return { type: "session.status_idle", stop_reason, seen_seq: this.#seen };
  }

  #isRunning(): NewEvent {
    return { type: "session.status_running", seen_seq: this.#seen };
  }

  #runningEvent(): readonly NewEvent[] {
    return this.#state.status === "running" ? [] : [this.#isRunning()];
  }

  // Calls

  async *#execute(ids: readonly EventId[]): Steps<void> {
    yield* this.#emit(this.#runningEvent());
    for (const id of ids) this.#running.add(id);
    yield* this.#perform({ kind: "execute", tool_use_ids: ids });
  }

  async *#wait(): Steps<void> {
    const { completed } = yield* this.#perform({ kind: "wait" });
    yield* this.#record(completed);
  }

  async *#record(completed: readonly CompletedCall[]): Steps<void> {
    for (const call of completed) this.#running.delete(call.tool_use_id);
    const waiting = new Set(this.#state.unanswered.map((use) => use.id));
    const answers = completed.filter((call) => waiting.has(call.tool_use_id));
    yield* this.#emit(answers.map(toolResult));
  }

  async *#stop(running: readonly EventId[], notBegun: readonly EventId[]): Steps<void> {
    yield* this.#emit(notBegun.map((id) => notRun(id, "The developer stopped the agent before this call ran.")));
    if (running.length === 0) return;
    // Calls of an earlier life are asked for first: only who waits for a call can end it.
    const unknown = running.filter((id) => !this.#running.has(id));
    for (const id of unknown) this.#running.add(id);
    if (unknown.length > 0) yield* this.#perform({ kind: "execute", tool_use_ids: unknown });
    yield* this.#perform({ kind: "stop_calls", tool_use_ids: running });
    yield* this.#wait();
  }

  async *#refuse(uses: readonly PendingToolUse[]): Steps<void> {
    const results: NewEvent[] = [];
    for (const use of uses) results.push(notRun(use.id, yield* this.#refusalOf(use)));
    yield* this.#emit([...this.#runningEvent(), ...results]);
  }

  async *#refusalOf(use: PendingToolUse): Steps<string> {
    if (use.confirmation?.result === "deny") {
      const why = use.confirmation.deny_message;
      const said = why === null ? "" : ` They said: ${why}`;
      return `The developer denied this call; it did not run.${said}`;
    }
    const slice = { from: use.seq, to: use.seq, resolve: true };
    const [event] = yield* this.#perform({ kind: "read_events", slice });
    const { input } = (event as StoredEvent<"agent.tool_use"> | undefined) ?? { input: null };
    const choice = chooseTool(this.#context, use.name, input);
    return choice.ok ? `The call of ${use.name} did not fit when it was made; it did not run.` : choice.problem;
  }

  // The model

  async *#askModel(): Steps<void> {
    yield* this.#readHistory();
    const request = this.#request();
    if (this.#mustCompact || isFull(requestTokens(request, this.#state), this.#context.model)) {
      return yield* this.#makeRoom();
    }
    const outcome = yield* this.#send(request, "turn");
    const startId = this.#state.open_request?.start_id;
    if (startId === undefined) throw new Error("the request that was just answered is not open");
    if (outcome.kind === "failed") return yield* this.#requestFailed(startId, outcome.error);
    yield* this.#emit(turnEvents(startId, outcome, this.#state, this.#context));
    yield* this.#afterTurn(outcome);
  }

  async *#send(request: ModelRequest, purpose: "turn" | "summary"): Steps<ModelOutcome> {
    const start: NewEvent = {
      type: "span.model_request_start",
      model: request.model,
      purpose,
      seen_seq: this.#seen,
    };
    const { events } = yield* this.#perform({ kind: "emit", events: [...this.#runningEvent(), start] });
    const started = events.at(-1);
    if (started === undefined) throw new Error("an append gave nothing back");
    return yield* this.#perform({ kind: "ask_model", start_id: started.id, request });
  }

  async *#afterTurn(outcome: Exclude<ModelOutcome, { kind: "failed" }>): Steps<void> {
    const reason = outcome.kind === "completed" ? outcome.stop_reason : "interrupted";
    if (reason === "refusal") {
      return yield* this.#emit([this.#isIdle({ type: "refusal" })]);
    }
    if (reason === "model_context_window_exceeded") this.#mustCompact = true;
    const isCut = reason === "max_tokens" || reason === "model_context_window_exceeded" || reason === "pause_turn";
    if (!isCut) {
      this.#continuations = 0;
      return;
    }
    this.#continuations += 1;
    if (this.#continuations > CONTINUATIONS_MAX) return;
    const text = "Your reply was cut because it reached its limit. Go on from where it stopped, in smaller steps.";
    yield* this.#emit([{ type: "system.message", content: [{ type: "text", text }] }]);
  }

  async *#readHistory(): Steps<void> {
    // What comes in while it reads is left for the next request, which says so with its `seen_seq`.
    const to = this.#seen;
    while (this.#history.next(this.#state) <= to) {
      const slice = { from: this.#history.next(this.#state), to, types: CONVERSATION_TYPES, resolve: true };
      const events = yield* this.#perform({ kind: "read_events", slice });
      const isAll = events.length < limits.sliceEventsMax;
      this.#history.add(events, isAll ? to : (events.at(-1)?.seq ?? to));
    }
    this.#history.trim(this.#state);
  }

  #request(): ModelRequest {
    const { cleared_before_seq } = this.#state;
    return this.#projection(this.#history.events, { ...this.#context, cleared_before_seq });
  }

  // Failures

  async *#requestFailed(startId: EventId, error: ModelError): Steps<void> {
    const end = failedRequestEnd(startId);
    if (error.context_exceeded === true && this.#state.failures < COMPACTIONS_MAX) {
      this.#mustCompact = true;
      return yield* this.#emit([end]);
    }
    const failures = this.#state.failures + 1;
    if (!error.retryable || failures > limits.retriesMax) {
      yield* this.#emit([end]);
      const message = error.retryable ? `${error.message} It was tried ${failures} times.` : error.message;
      return yield* this.#giveUp(error.type, message, "retries_exhausted", error);
    }
    const retry_after_ms = error.retry_after_ms ?? backOff(failures);
    const { type, message, origin } = error;
    yield* this.#emit([
      end,
      { type: "session.error", error: { type, message, origin, retry_status: "retrying", retry_after_ms } },
      { type: "session.status_rescheduled" },
    ]);
    const { completed } = yield* this.#perform({ kind: "wait", for_ms: retry_after_ms });
    yield* this.#record(completed);
  }

  async *#giveUp(
    type: SessionErrorType,
    message: string,
    reason: "retries_exhausted" | "budget_reached",
    error?: ModelError,
  ): Steps<void> {
    const retry_status = error?.retryable === true ? "exhausted" : "terminal";
    yield* this.#emit([
      { type: "session.error", error: { type, message, retry_status, origin: error?.origin ?? "brain" } },
      this.#isIdle({ type: reason }),
    ]);
  }

  // Making room

  async *#makeRoom(): Steps<void> {
    const window = this.#context.model.context_window;
    const step = nextStep(this.#history.turns(), this.#clearableTokens(), this.#state, window);
    this.#mustCompact = false;
    switch (step.kind) {
      case "clear":
        return yield* this.#emit([
          { type: "agent.thread_context_compacted", strategy: "clear_tool_results", before_seq: step.before_seq },
        ]);
      case "summarise":
        return yield* this.#summarise(step.before_seq);
      case "exhausted":
        return yield* this.#giveUp(
          "compaction_limit_reached_error",
          `The conversation does not fit into the model's window of ${window} tokens, and nothing is left to take out. Start a new session, send less at once, or choose a model with a larger window (manyHands.model.id).`,
          "retries_exhausted",
        );
      default:
        return assertNever(step);
    }
  }

  async *#summarise(beforeSeq: number): Steps<void> {
    const { cleared_before_seq } = this.#state;
    const part = this.#history.events.filter((event) => event.seq < beforeSeq);
    const request = summaryRequest(this.#projection(part, { ...this.#context, cleared_before_seq }));
    const outcome = yield* this.#send(request, "summary");
    const startId = this.#state.open_request?.start_id;
    if (startId === undefined) throw new Error("the request that was just answered is not open");
    if (outcome.kind === "failed") return yield* this.#requestFailed(startId, outcome.error);
    const [end] = turnEvents(startId, { ...outcome, blocks: [] }, this.#state, this.#context);
    if (end === undefined || outcome.kind === "interrupted") return yield* this.#emit([failedRequestEnd(startId)]);
    const summary = outcome.blocks
      .map((block) => (block.type === "text" ? String(block["text"]) : ""))
      .join("\n")
      .trim();
    if (summary === "") {
      const message = "The model gave no summary of the conversation.";
      const error: ModelError = { type: "model_request_failed_error", message, retryable: true, origin: "brain" };
      return yield* this.#requestFailed(startId, error);
    }
    const compacted: NewEvent = {
      type: "agent.thread_context_compacted",
      strategy: "summarise",
      before_seq: beforeSeq,
      summary,
    };
    yield* this.#emit([end, compacted]);
  }

  /** Tokens of tool results that clearing would free. */
  #clearableTokens(): number {
    return this.#history.events
      .filter((event) => event.type === "agent.tool_result" && event.seq >= this.#state.cleared_before_seq)
      .reduce(
        (sum, event) => sum + estimateTokens((event as StoredEvent<"agent.tool_result">).content as unknown as Json),
        0,
      );
  }
}

function backOff(failures: number): number {
  return Math.min(limits.retryDelayMs * 2 ** (failures - 1), limits.retryDelayMsMax);
}

function toolResult(call: CompletedCall): NewEvent<"agent.tool_result"> {
  return { type: "agent.tool_result", ...call };
}

function notRun(id: EventId, text: string): NewEvent<"agent.tool_result"> {
  return {
    type: "agent.tool_result",
    tool_use_id: id,
    content: [{ type: "text", text }],
    is_error: true,
    outcome: { kind: "not_run" },
  };
}
