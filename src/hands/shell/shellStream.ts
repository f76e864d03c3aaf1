/** What a kind of hand with a shell has to give: streams to a POSIX shell at its far end, again whenever they are lost. */
import type { Readable, Writable } from "node:stream";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandTerminal } from "../../core/hand.ts";

/** The three streams of a shell that reads commands from its standard input. */
export interface ShellStream {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves with the reason, in words, when the stream has ended in whatever way. Never rejects. */
  readonly ended: Promise<string>;
  /** Lets go of the shell; what it started lives on. */
  close(): void;
}

/** One place, for as long as a hand lives. */
export interface FarEnd {
  /**
   * Opens a shell there. Rejects with ManyHandsError `hand_unavailable`; with FarEndGone when this place will never answer
   * again, so that nobody tries.
   */
  open(signal: AbortSignal): Promise<ShellStream>;
  /** A shell with a terminal, for a person, in this directory. Absent where there is no way to one. */
  openTerminal?(size: { readonly columns: number; readonly rows: number }, directory: string): Promise<HandTerminal>;
  /** Lets go of what `open` needed, a connection for example. */
  close(): void;
  /** Removes what was made for this hand, a container for example. */
  remove(): Promise<void>;
}

/** The place is no more: a container that was removed. Another one is another hand. */
export class FarEndGone extends ManyHandsError {
  constructor(message: string, cause?: unknown) {
    super("hand_unavailable", "hand", message, cause);
  }
}
