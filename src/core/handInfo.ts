/** What a person is shown of hands: which there are, who uses them, their state, and what went wrong. */
import type { HandSpec } from "./config.ts";
import type { Origin } from "./errors.ts";
import type { Hand } from "./hand.ts";
import type { SessionId } from "./ids.ts";

/** `reconnecting`: its stream was lost and is being opened again; `lost`: the far end is gone, the next call makes another. */
export type HandState = "not_provisioned" | "provisioning" | "ready" | "reconnecting" | "lost";

export interface HandFailure {
  readonly message: string;
  readonly origin: Origin;
  /** In milliseconds since 1970. */
  readonly at_ms: number;
}

/** One far end, as this window sees it. */
export interface HandStatus {
  readonly state: HandState;
  readonly instance: string | null;
  /** Of the hand itself, once it was provisioned. */
  readonly description: string | null;
  /** What provisioning does at the moment, in words. */
  readonly progress: string | null;
  /** The last one; kept when the hand is there again, so that one can read what had happened. */
  readonly failure: HandFailure | null;
  /** One round trip, when it was last asked for. */
  readonly latency_ms: number | null;
}

export interface HandUse extends HandStatus {
  readonly session_id: SessionId;
}

/** What a test of a spec has shown. */
export interface HandTest {
  /** In milliseconds since 1970. */
  readonly at_ms: number;
  readonly provision_ms: number;
  /** null: it was not reached, or its kind cannot tell. */
  readonly latency_ms: number | null;
  /** null: it was not reached. */
  readonly description: string | null;
  /** null: everything worked. */
  readonly failure: HandFailure | null;
}

export interface HandTestOptions {
  readonly signal?: AbortSignal;
  readonly onProgress?: (message: string) => void;
}

/** One spec, however many sessions use it. */
export interface HandInfo {
  readonly spec: HandSpec;
  /** Named by the settings; the others belong to sessions only. */
  readonly configured: boolean;
  /** Whether there is a provider of its kind. */
  readonly provided: boolean;
  /** One line about what will be provisioned. */
  readonly description: string;
  /** The sessions that this window has open and that name it. */
  readonly uses: readonly HandUse[];
  /** The hand that was opened for a person without a session, if one was. */
  readonly spare: HandStatus | null;
  readonly test: HandTest | null;
}

/** What a person may do with a hand beside the agent: it is neither closed nor ended from here. */
export type OpenedHand = Pick<
  Hand,
  "instance" | "description" | "files" | "openTerminal" | "ping" | "onDidLose" | "onDidChangeLink"
>;
