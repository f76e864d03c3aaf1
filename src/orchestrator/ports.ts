/** What the orchestrator is given: every door to the world, so that a simulation can own them. */
import type { HandSpec, PermissionPolicy } from "../core/config.ts";
import type { Clock } from "../core/clock.ts";
import type { Harness, ModelSettings } from "../core/effects.ts";
import type { Ids, SessionId } from "../core/ids.ts";
import type { Redaction } from "../core/redaction.ts";
import type { MountResource } from "../core/resource.ts";
import type { ModelPort } from "../core/model.ts";
import type { SessionStore } from "../core/sessionLog.ts";
import type { StoredEvent } from "../core/events.ts";
import type { ToolSpec } from "../core/tools.ts";
import type { Egress, GitAccess, GrantDecision, HandEntrance } from "../core/vault.ts";

export interface OrchestratorPorts {
  readonly store: SessionStore;
  readonly clock: Clock;
  readonly ids: Ids;
  /** Loaded when the first session runs. */
  readonly loadHarness: () => Promise<Harness>;
  /** The model that the settings name now; loaded when first asked. Rejects with a message for the person. */
  readonly loadModel: () => Promise<ModelPort>;
  /** Read anew at each start of a harness. `model` is the session's own choice, or null. */
  readonly settings: (model: string | null) => Promise<RunSettings>;
  /** The hands of a session that names none; empty where there is no folder to work in. */
  readonly defaultHands: () => readonly HandSpec[];
  /** All hands that the settings name, those of no new session too. Default: the default ones. */
  readonly configuredHands?: () => readonly HandSpec[];
  /** Kinds whose providers are not loaded at every start, and what registers one of them. */
  readonly lateKinds?: readonly string[];
  readonly loadProvider?: (kind: string) => Promise<void>;
  /** Where hands of no session keep what they need on this computer. Default: the store says where, and nobody removes it. */
  readonly spare?: {
    readonly path: (id: SessionId, hand: string) => string;
    readonly remove: (id: SessionId) => Promise<void>;
  };
  /** Loaded when a hand with resources is first provisioned. */
  readonly loadMount: () => Promise<MountResource>;
  /** Absent: hands have no way to credentials. */
  readonly vault?: SessionVault;
  /** Takes credentials out of whatever is appended, shown or sent to a model. Default: nothing is taken out. */
  readonly redaction?: Redaction;
  /** In [0, 1): spreads retries. */
  readonly random: () => number;
  /** False in Restricted Mode: nothing is executed then. */
  readonly trusted: () => boolean;
  /** For diagnostics; never shown to the model. */
  readonly report: (what: string, thrown?: unknown) => void;
}

/** What the vault does for a session. */
export interface SessionVault {
  readonly entrance: (sessionId: SessionId, hand: string, egress: Egress | null) => Promise<HandEntrance>;
  readonly gitAccess: (sessionId: SessionId, hand: string, url: string) => Promise<GitAccess | null>;
  /** The person's answer, which is in the log, to a request of the log. */
  readonly answer: (
    sessionId: SessionId,
    request: StoredEvent<"vault.grant_requested">,
    decision: GrantDecision,
  ) => Promise<void>;
  /** The hand was taken from its session: its token ends. */
  readonly endHand: (sessionId: SessionId, hand: string) => Promise<void>;
  /** The session was archived or deleted: its tokens and grants end. */
  readonly endSession: (sessionId: SessionId) => Promise<void>;
}

interface RunSettings {
  readonly model: ModelSettings;
  readonly instructions: string;
  readonly policy: (tool: ToolSpec) => PermissionPolicy;
}
