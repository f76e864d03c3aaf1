/** The calls of one session that are under way: sent to their hands at most once each (I6), their results collected. */
import type { Clock } from "../core/clock.ts";
import type { CompletedCall } from "../core/effects.ts";
import { hasCode } from "../core/errors.ts";
import type { CallOutcome, NewEvent, StoredEvent } from "../core/events.ts";
import type { Call, CallContext, CallResult, FileChange, Hand } from "../core/hand.ts";
import type { EventId } from "../core/ids.ts";
import { messageOf } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import type { RedactionCount, Redaction } from "../core/redaction.ts";
import type { SessionLog } from "../core/sessionLog.ts";
import type { PendingToolUse, SessionState } from "../core/sessionState.ts";
import { callInput } from "../core/tools.ts";
import type { HandPool } from "./handPool.ts";
import { OutputSpool } from "./outputSpool.ts";
import { redactedBytes } from "./redactedStore.ts";

export interface CallBoardPorts {
  readonly log: SessionLog;
  readonly hands: HandPool;
  readonly clock: Clock;
  readonly redaction: Redaction;
  readonly emit: (events: readonly NewEvent[]) => Promise<unknown>;
  readonly onText: (id: EventId, text: string, offset: number) => void;
  readonly onCompleted: () => void;
  readonly report: (what: string, thrown?: unknown) => void;
}

/** How often a call is asked for again at a hand whose stream broke, before its fate is called unknown. */
const ATTACH_TRIES_MAX = 3;

interface RunningCall {
  readonly hand: string | null;
  /** Aborted by `stop` before the call reached its hand. */
  readonly stop: AbortController;
  dispatched: boolean;
}

export class CallBoard {
  readonly #ports: CallBoardPorts;
  readonly #running = new Map<EventId, RunningCall>();
  #completed: CompletedCall[] = [];
  #closed = false;

  constructor(ports: CallBoardPorts) {
    this.#ports = ports;
  }

  /** Begins what is not begun yet; a call that is under way here goes on undisturbed. */
  begin(use: PendingToolUse): void {
    if (this.#running.has(use.id) || this.#completed.some((done) => done.tool_use_id === use.id)) return;
    const running: RunningCall = { hand: use.hand, stop: new AbortController(), dispatched: false };
    this.#running.set(use.id, running);
    void this.#run(use, running);
  }

  /** TERM, and KILL after a while, to each call's process group; one that has not reached its hand never will. */
  stop(ids: readonly EventId[]): void {
    for (const id of ids) {
      const running = this.#running.get(id);
      if (running !== undefined) void this.#stopOne(id, running);
    }
  }

  /** The calls that completed since the last time. */
  takeCompleted(): readonly CompletedCall[] {
    const completed = this.#completed;
    this.#completed = [];
    return completed;
  }

  hasCompleted(): boolean {
    return this.#completed.length > 0;
  }

  close(): void {
    this.#closed = true;
  }

  async #stopOne(id: EventId, running: RunningCall): Promise<void> {
    running.stop.abort();
    if (running.dispatched) await this.#endOne(id, running);
  }

  /** From here on the hand knows of the call. One that was to be stopped before is stopped now. */
  #reached(id: EventId, running: RunningCall): void {
    running.dispatched = true;
    if (running.stop.signal.aborted) void this.#endOne(id, running);
  }

  async #endOne(id: EventId, running: RunningCall): Promise<void> {
    if (running.hand === null) return;
    try {
      const hand = await this.#ports.hands.existing(running.hand);
      await hand?.signal(id, "TERM");
      await this.#ports.clock.sleep(limits.killGraceMs);
      if (this.#running.has(id) && !this.#closed) await hand?.signal(id, "KILL");
    } catch (thrown) {
      this.#ports.report("a call could not be stopped", thrown);
    }
  }

  async #run(use: PendingToolUse, running: RunningCall): Promise<void> {
    const { redaction } = this.#ports;
    await redaction.ready();
    const spool = new OutputSpool(
      this.#ports.log,
      (text, offset) => this.#ports.onText(use.id, text, offset),
      this.#ports.report,
      redaction.output(),
    );
    let completed: CompletedCall;
    try {
      const result = await this.#result(use, running, spool);
      completed = await complete(use.id, result, spool, redaction);
    } catch (thrown) {
      await spool.finish(false);
      if (this.#closed || hasCode(thrown, "hand_detached", "lease_lost", "cancelled")) {
        this.#running.delete(use.id);
        return;
      }
      completed = this.#failed(use, running, thrown);
    }
    this.#running.delete(use.id);
    this.#completed.push(completed);
    this.#ports.onCompleted();
  }

  /** Executes, or finds out what became of it; a broken stream is asked again, at the same instance only. */
  async #result(use: PendingToolUse, running: RunningCall, spool: OutputSpool): Promise<CallResult> {
    if (use.hand === null) return refused(`No hand of this session offers the tool ${use.name}.`);
    const call: Call = { id: use.id, name: use.name, input: await this.#input(use.id) };
    const willChange = (change: FileChange): Promise<void> => this.#recordChange(use.id, change);
    let instance = use.started?.instance ?? null;
    let why = "";
    for (let tries = 1; ; tries += 1) {
      const hand = await this.#ports.hands.get(use.hand);
      if (running.stop.signal.aborted && instance === null) return refused("Stopped before it reached the hand.");
      if (instance !== null && hand.instance !== instance) return lost(use.hand, why);
      const context: CallContext = { onOutput: spool.reader(), willChange, redaction: this.#ports.redaction };
      try {
        if (instance === null) return await this.#dispatch(call, hand, use.hand, running, context);
        this.#reached(call.id, running);
        const attached = await hand.attach(call, context);
        return attached.kind === "result" ? attached.result : await hand.execute(call, context);
      } catch (thrown) {
        if (!hasCode(thrown, "hand_unavailable") || tries >= ATTACH_TRIES_MAX) throw thrown;
        instance = hand.instance;
        why = ` (${messageOf(thrown).trim()})`;
      }
    }
  }

  /** The hand and its instance are on record before the call leaves (I3). */
  async #dispatch(
    call: Call,
    hand: Hand,
    name: string,
    running: RunningCall,
    context: CallContext,
  ): Promise<CallResult> {
    await this.#ports.emit([{ type: "hand.call_started", tool_use_id: call.id, hand: name, instance: hand.instance }]);
    if (running.stop.signal.aborted) return refused("Stopped before it reached the hand.");
    this.#reached(call.id, running);
    return hand.execute(call, context);
  }

  async #input(id: EventId): Promise<Call["input"]> {
    const state: SessionState = this.#ports.log.state();
    const use = state.unanswered.find((candidate) => candidate.id === id);
    const seq = use?.seq ?? 0;
    const [event] = await this.#ports.log.getEvents({ from: seq, to: seq, resolve: true });
    if (event?.type !== "agent.tool_use") throw new Error(`the tool use ${id} is not in the log at ${seq}`);
    const { name, input } = event as StoredEvent<"agent.tool_use">;
    return callInput(name, input, state.hands.length);
  }

  async #recordChange(id: EventId, change: FileChange): Promise<void> {
    const { log, redaction } = this.#ports;
    const clean = (bytes: Uint8Array): Uint8Array => redactedBytes(bytes, redaction.bytes());
    const versions = { before: change.before === null ? null : clean(change.before), after: clean(change.after) };
    const isWhole = versions.before === change.before && versions.after === change.after;
    const before = versions.before === null ? null : await log.putBlob(versions.before);
    const after = await log.putBlob(versions.after);
    const redacted = isWhole ? {} : { redacted: true };
    await this.#ports.emit([
      { type: "hand.file_change", tool_use_id: id, path: change.path, before, after, ...redacted },
    ]);
  }

  #failed(use: PendingToolUse, running: RunningCall, thrown: unknown): CompletedCall {
    const begun = running.dispatched || use.started !== null;
    const outcome: CallOutcome = begun ? { kind: "unknown" } : { kind: "not_run" };
    const fate = begun
      ? "It is unknown whether the call ran to its end: look before you do it again."
      : "The call did not run.";
    this.#ports.report(`call ${use.id} (${use.name}) failed`, thrown);
    const text = `The hand "${use.hand ?? ""}" failed: ${messageOf(thrown)} ${fate}`;
    return { tool_use_id: use.id, content: [{ type: "text", text }], is_error: true, outcome };
  }
}

/** Blocks of a hand that gives more than text are cleaned one by one. */
function contentOf({ content }: CallResult, text: string, redaction: Redaction): NonNullable<CallResult["content"]> {
  if (content === undefined) return [{ type: "text", text }];
  return content.map((block) =>
    block.type === "text" ? { ...block, text: redaction.outputText(block.text).text } : block,
  );
}

async function complete(
  id: EventId,
  result: CallResult,
  spool: OutputSpool,
  redaction: Redaction,
): Promise<CompletedCall> {
  const output_ref = await spool.finish(result.truncated);
  const { text, counts } = redaction.outputText(result.text);
  const redactions = most(spool.redactions(), counts);
  return {
    tool_use_id: id,
    content: contentOf(result, text === "" ? "(no output)" : text, redaction),
    is_error: result.is_error,
    outcome: result.outcome,
    output_bytes: result.output_bytes,
    ...(output_ref === undefined ? {} : { output_ref }),
    ...(result.duration_ms === undefined ? {} : { duration_ms: result.duration_ms }),
    ...(redactions.length === 0 ? {} : { redactions }),
  };
}

/** The text shows a part of the output, or more than it: of each kind the larger number. */
function most(a: readonly RedactionCount[], b: readonly RedactionCount[]): readonly RedactionCount[] {
  const counts = new Map<string, number>();
  for (const { kind, count } of [...a, ...b]) counts.set(kind, Math.max(count, counts.get(kind) ?? 0));
  return Array.from(counts, ([kind, count]) => ({ kind, count }));
}

function refused(text: string): CallResult {
  return { outcome: { kind: "not_run" }, text, is_error: true, output_bytes: 0, truncated: false };
}

/** `why`: in brackets, where it is known. */
function lost(hand: string, why: string): CallResult {
  const text =
    `The hand "${hand}" that this call was sent to is gone${why}, and with it the record of what became of the call: ` +
    "it is unknown whether it ran. A new hand stands ready; look before you do it again.";
  return { outcome: { kind: "hand_lost" }, text, is_error: true, output_bytes: 0, truncated: false };
}
