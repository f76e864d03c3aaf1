/** The port of a hand: provision it, execute a call, ask what became of one. */
import type { HandSpec } from "./config.ts";
import { ManyHandsError } from "./errors.ts";
import type { CallOutcome, ResultBlock, SessionErrorType } from "./events.ts";
import type { EventId } from "./ids.ts";
import type { Json } from "./json.ts";
import type { Redaction } from "./redaction.ts";
import type { ToolSpec } from "./tools.ts";
import type { Listen } from "./listen.ts";
import type { Egress, HandEntrance } from "./vault.ts";

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
  /**
   * For what the hand makes of output before anybody else sees it: what is cut is redacted first, so that no cut goes
   * through a credential. `onOutput` is given the raw bytes all the same. Absent: there is nothing to take out.
   */
  readonly redaction?: Redaction;
}

/** What a call gave. The hand does not throw for a command that failed: that is text for the model. */
export interface CallResult {
  readonly outcome: CallOutcome;
  /** What the model reads: at most `limits.modelOutputBytesMax`, valid Unicode, what was cut is said. Not empty. */
  readonly text: string;
  /** In place of `text`, where there is more than text: images. Bounded like it, never empty. */
  readonly content?: readonly ResultBlock[];
  readonly is_error: boolean;
  /** Raw bytes that the call has printed so far. */
  readonly output_bytes: number;
  /** True when `text` does not show the whole output. */
  readonly truncated: boolean;
  readonly duration_ms?: number;
}

/** What a hand knows of a call that it may or may not have been given. */
export type Attached = { readonly kind: "never_started" } | { readonly kind: "result"; readonly result: CallResult };

export interface FileStat {
  readonly kind: "file" | "directory" | "other";
  readonly bytes: number;
  /** By the far end's clock, in milliseconds since 1970. */
  readonly modified_ms: number;
  /** Of the thing itself; kind, bytes and time are those of what it leads to. */
  readonly is_link: boolean;
}

export interface FileEntry extends FileStat {
  readonly name: string;
}

/**
 * The files at a far end, for people and for resources; the agent has its tools. Paths are absolute, text of any kind but
 * NUL. Rejections are ManyHandsError `file_missing`, `file_exists`, `file_denied`, or `hand_unavailable`.
 */
export interface HandFiles {
  /** Where to begin: the hand's start directory. */
  readonly root: string;
  stat(path: string): Promise<FileStat>;
  list(path: string): Promise<readonly FileEntry[]>;
  /** From `offset` on; the chunks are as the transport gives them. `take` is awaited: back pressure. */
  read(path: string, take: (chunk: Uint8Array) => Promise<void>, offset?: number): Promise<void>;
  /** Replaces the content in one step (a new file moved into place), or creates the file; its folder must exist. */
  write(path: string, content: AsyncIterable<Uint8Array>): Promise<void>;
  makeDirectory(path: string): Promise<void>;
  /** Replaces what is at `to`. */
  rename(from: string, to: string): Promise<void>;
  /** A directory with all that is in it. */
  remove(path: string): Promise<void>;
}

/** A shell with a terminal at a far end, for a person. */
export interface HandTerminal {
  readonly onDidWrite: Listen<string>;
  /** The exit status, or null where it is not known. */
  readonly onDidEnd: Listen<number | null>;
  write(text: string): void;
  resize(columns: number, rows: number): void;
  close(): void;
}

/** A program to be run at a far end, with its own three streams. */
export interface HandCommand {
  readonly argv: readonly string[];
  /** In addition to what the hand's programs have; never part of an argument list there. */
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute, or relative to the hand's start directory, which is the default. */
  readonly cwd?: string;
}

/** It ends with the hand that it runs in, at the latest. */
export interface HandProcess {
  readonly stdin: NodeJS.WritableStream;
  readonly stdout: NodeJS.ReadableStream;
  readonly stderr: NodeJS.ReadableStream;
  /** Resolves with the reason, in words, when it has ended or its streams are lost. Never rejects. */
  readonly ended: Promise<string>;
  /** Ends its input; what does not end with that is ended after a while. */
  close(): void;
}

/** A failure that the person should be told of by this name of the hosted API's, besides what the model reads. */
export class HandFailed extends ManyHandsError {
  readonly type: SessionErrorType;

  constructor(type: SessionErrorType, message: string, cause?: unknown) {
    super("hand_unavailable", "hand", message, cause);
    this.type = type;
  }
}

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
  /** False: the stream was lost and is being opened again, and calls wait for it; true: it is there again. */
  readonly onDidChangeLink?: Listen<boolean>;
  /** Something failed that a call's result does not tell the person; the hand lives on. */
  readonly onDidFail?: Listen<HandFailed>;
  /**
   * A script for the hand's shell in its start directory, to set the hand up; it is no call, and leaves nothing to the next
   * one. May be repeated when the stream is lost in the middle. Absent where there is no shell.
   */
  run?(script: string): Promise<{ readonly status: number; readonly output: string }>;
  /** Absent where a hand has no files that one could browse. */
  readonly files?: HandFiles;
  /** Absent where a hand has no terminal for people. Rejects with `hand_unavailable`. */
  openTerminal?(size: { readonly columns: number; readonly rows: number }): Promise<HandTerminal>;
  /** A program there that is no call. Absent where there is no shell. Rejects with `hand_unavailable`. */
  openProcess?(command: HandCommand, signal: AbortSignal): Promise<HandProcess>;
  /** One round trip to the far end and its shell, in milliseconds. Rejects with `hand_unavailable`. */
  ping?(): Promise<number>;
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
  /**
   * The credential proxy's entrance for this hand, for kinds that have a way back to this computer; `egress` null where its
   * network is not limited. Absent: no vault here.
   */
  readonly entrance?: (egress: Egress | null) => Promise<HandEntrance>;
  /**
   * A program in another hand of the same session, which is provisioned for it if need be. Absent where there is none.
   * Rejects with `hand_unknown` or `hand_unavailable`.
   */
  readonly openProcess?: (hand: string, command: HandCommand) => Promise<HandProcess>;
}

/** A kind of hand. What the model is told (tools, description) needs no far end (I11). */
export interface HandProvider {
  /** The tools of a hand made from `spec`; known before it is provisioned, but see `knowsTools`. */
  tools(spec: HandSpec): readonly ToolSpec[];
  /**
   * False: only the far end knows them. A session then provisions the hand when it begins, and waits a little
   * (`limits.handToolsWaitMs`). Absent: they are always known.
   */
  knowsTools?(spec: HandSpec): boolean;
  /** What `tools` or `knowsTools` gives for some spec may have changed. */
  readonly onDidChangeTools?: Listen<null>;
  /** True: a hand that nobody holds has left nothing anywhere, so that it need not be found again to be ended. */
  readonly leavesNothing?: boolean;
  /** One line for the model about a hand that is not provisioned yet. */
  describe(spec: HandSpec): string;
  /** Rejects with ManyHandsError `hand_unavailable`, whose message says what to do. */
  provision(spec: HandSpec, context: ProvisionContext): Promise<Hand>;
}
