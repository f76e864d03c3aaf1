/** The port of confinement: a shell on this computer that reaches what its rules give it, and what all shells need. */
import type { EntranceAddress } from "../../core/vault.ts";
import type { FarEnd } from "../shell/shellStream.ts";

/** All paths are absolute. What is in none of the lists can be read, and not written. */
export interface ConfinementRules {
  readonly writable: readonly string[];
  /** Below what is writable, and not to be changed there. */
  readonly readOnly: readonly string[];
  /** Not to be read, whether it exists already or not, and wherever a link leads. */
  readonly unreadable: readonly string[];
  /** The same in folders with much in them: covered if it is there at the start, until something takes its place. */
  readonly covered: readonly string[];
}

export interface ConfinedPlace {
  readonly rules: ConfinementRules;
  /** A folder of this hand on this computer, for what the confinement itself needs. */
  readonly folder: string;
  /** Readable and writable, even where it lies below what is unreadable. */
  readonly journal: string;
  readonly shell: string;
  /** All that programs there find in their environment, besides the entrance's. */
  readonly environment: Readonly<Record<string, string>>;
  /** Words for the person. */
  readonly onProgress: (message: string) => void;
}

/** Without the way that `openEntrance` opens there is no network at all. */
export interface ConfinedFarEnd extends FarEnd {
  /** To be called before the first shell is opened. `port`: the one that the way had last. Connections come from this hand only. */
  openEntrance(
    accept: (connection: NodeJS.ReadWriteStream) => void,
    wish: { readonly port: number | null },
  ): Promise<EntranceAddress & { close(): void }>;
}

export interface Confinement {
  /** Why it cannot be had here and what a person can do, in sentences; null: it can. */
  missing(): Promise<string | null>;
  /** Rejects with ManyHandsError `hand_unavailable`. */
  farEnd(place: ConfinedPlace): Promise<ConfinedFarEnd>;
}

export type ConfinementMode = "required" | "preferred" | "off";

/** As a person sets them. */
export interface LocalSettings {
  readonly mode: ConfinementMode;
  /** More paths that a confined hand cannot read; `~/` is the home folder. */
  readonly unreadable: readonly string[];
  /** More folders that it can write. */
  readonly writable: readonly string[];
  /** More names of variables that the hand's environment has, confined or not. */
  readonly environment: readonly string[];
  /** What a confined hand reaches through the credential proxy; see `Egress`. */
  readonly allowedHosts: readonly string[];
}
