/** What a kind of hand with a shell has to give: streams to a POSIX shell at its far end, again whenever they are lost. */
import type { Readable, Writable } from "node:stream";
import { ManyHandsError } from "../../core/errors.ts";
import type { HandTerminal } from "../../core/hand.ts";
import type { EntranceAddress } from "../../core/vault.ts";
import type { PeerRows } from "./socketOwners.ts";

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

/** Takes a connection that came from this hand and no other. */
export type AcceptConnection = (connection: NodeJS.ReadWriteStream) => void;

/** What the way from a hand to the credential proxy is to be like. */
export interface EntranceWish {
  /** The port that it had last, so that addresses stay the same; null: any. */
  readonly port: number | null;
  readonly signal: AbortSignal;
  /** Asks the hand's own shell, once it is there, whose connections these are; null: its system does not tell. */
  readonly peers: (ports: readonly number[]) => Promise<PeerRows | null>;
  /** The way had to be opened again, and is elsewhere now. */
  readonly onMove: (address: EntranceAddress) => Promise<void>;
}

/** A way that is open; there may be more to say about it than where it is. */
export interface EntranceWay extends EntranceAddress {
  /** What does not work here, in words for the hand's description. */
  readonly lacks?: string;
  /** A folder at the far end that was made for it, to be removed with the hand. */
  readonly folder?: string;
  close(): void;
}

/** One place, for as long as a hand lives. */
export interface FarEnd {
  /**
   * Opens a shell there. Rejects with ManyHandsError `hand_unavailable`; with FarEndGone when this place will never answer
   * again, so that nobody tries.
   */
  open(signal: AbortSignal): Promise<ShellStream>;
  /**
   * Opens the way from there to the credential proxy, before the first shell; `open` keeps it open. Rejects with the reason
   * where there can be none. Absent where this kind has none.
   */
  openEntrance?(accept: AcceptConnection, wish: EntranceWish): Promise<EntranceWay>;
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
