/** The port of a hand: provision it, execute a call, ask what became of one. */
import type { HandSpec } from "./config.ts";
import type { CallOutcome } from "./events.ts";
import type { EventId } from "./ids.ts";
import type { Json } from "./json.ts";
import type { ToolSpec } from "./tools.ts";
import type { Listen } from "./listen.ts";

/** One call; its id is that of its `agent.tool_use` event, unique for ever. */
export interface Call {
  readonly id: EventId;
  readonly name: string;
  /** Already valid by the tool's schema. */
  readonly input: Json;
}

/** A file that a call is about to change. */
export interface FileChange {
  /** As the hand names it: absolute. */
  readonly path: string;
  /** null: the file does not exist yet. */
  readonly before: Uint8Array | null;
  readonly after: Uint8Array;
}

/** What a hand is given with a call. */
export interface CallContext {
  /**
   * Raw output from byte 0 on, in order, each byte once. After `attach` it starts at byte 0 again. The promise is back
   * pressure: write the next chunk when it resolves. It never rejects.
   */
  readonly onOutput: (chunk: Uint8Array) => Promise<void>;
  /** Awaited before a file is changed, so that both versions are on record first; rejects when they cannot be. */
  readonly willChange: (change: FileChange) => Promise<void>;
}

/** What a call gave. The hand does not throw for a command that failed: that is text for the model. */
export interface CallResult {
  readonly outcome: CallOutcome;
  /** What the model reads: at most `limits.modelOutputBytesMax`, valid Unicode, what was cut is said. Not empty. */
  readonly text: string;
  readonly is_error: boolean;
  /** Raw bytes that the call has printed so far. */
  readonly output_bytes: number;
  /** True when `text` does not show the whole output. */
  readonly truncated: boolean;
  readonly duration_ms?: number;
}

/** What a hand knows of a call that it may or may not have been given. */
export type Attached = { readonly kind: "never_started" } | { readonly kind: "result"; readonly result: CallResult };

/**
 * A provisioned hand. `execute` with an id that the hand has seen gives the first one's result (I6).
 * Rejections are ManyHandsError: `hand_detached` when `close` was called meanwhile (the call may live on; ask again with
 * `attach`), `hand_unavailable` when the far end is gone for good. Everything else is a CallResult.
 */
export interface Hand {
  /** Names this far end; another one, even from the same spec, has another. A journal belongs to one instance. */
  readonly instance: string;
  /** For the model and the person: where this is (system, shell, directory), one line. */
  readonly description: string;
  execute(call: Call, context: CallContext): Promise<CallResult>;
  /** Never starts anything: waits for, or reads, what `execute` began, maybe in another life of the program. */
  attach(call: Call, context: CallContext): Promise<Attached>;
  /** To the call's process group. No error when it is no longer running. */
  signal(id: EventId, signal: "INT" | "TERM" | "KILL"): Promise<void>;
  /** The results are in the log: the journal may forget these calls. A call still `running` is kept until it ends. */
  acknowledge(ids: readonly EventId[]): Promise<void>;
  /** The stream to the far end was lost for good; the reason in words. */
  readonly onDidLose: Listen<string>;
  /** Lets go of the far end; commands live on. */
  close(): Promise<void>;
  /** Ends all that runs there and removes what the session left: the journal, a container. */
  destroy(): Promise<void>;
}

export interface ProvisionContext {
  readonly sessionId: string;
  /** A folder on this computer that belongs to this session and hand; it need not exist yet. */
  readonly storagePath: string;
  /** The instance that the session used last, to be found again if it still exists. */
  readonly previousInstance: string | null;
  readonly signal: AbortSignal;
  /** Progress in words, for the person. */
  readonly onProgress: (message: string) => void;
}

/** A kind of hand. What the model is told (tools, description) needs no far end (I11). */
export interface HandProvider {
  /** The tools of a hand made from `spec`; known before it is provisioned. */
  tools(spec: HandSpec): readonly ToolSpec[];
  /** One line for the model about a hand that is not provisioned yet. */
  describe(spec: HandSpec): string;
  /** Rejects with ManyHandsError `hand_unavailable`, whose message says what to do. */
  provision(spec: HandSpec, context: ProvisionContext): Promise<Hand>;
}
