/** Requests for a grant that wait for a person: recorded in the session, answered there, the same one asked once. */
import { messageOf } from "../core/json.ts";
import type { Clock } from "../core/clock.ts";
import type { NewEvent, StoredEvent } from "../core/events.ts";
import type { EventId, SessionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { Grant, GrantDecision, GrantScope, VaultUse } from "../core/vault.ts";
import type { Credential } from "./credentialBook.ts";
import type { GrantBook } from "./grantBook.ts";
import type { GrantAnswer } from "./useAuthority.ts";

export interface GrantAskingPorts {
  readonly grants: GrantBook;
  readonly clock: Clock;
  /** Into the session's log; gives the ids under which they are stored. */
  readonly record: (sessionId: SessionId, events: readonly NewEvent[]) => Promise<readonly EventId[]>;
  readonly report: (what: string, thrown?: unknown) => void;
}

interface Waiting {
  readonly use: VaultUse;
  readonly credentialId: string;
  readonly request: Promise<EventId | null>;
  readonly answered: Set<(answer: GrantAnswer) => void>;
}

export class GrantAsking {
  readonly #ports: GrantAskingPorts;
  /** By session, credential and scope. */
  readonly #waiting = new Map<string, Waiting>();

  constructor(ports: GrantAskingPorts) {
    this.#ports = ports;
    ports.grants.onDidChange(() => void this.#look());
  }

  async ask(use: VaultUse, credential: Credential, scope: GrantScope, signal: AbortSignal): Promise<GrantAnswer> {
    const key = JSON.stringify([use.session_id, credential.id, scope]);
    const existing = this.#waiting.get(key);
    if (existing === undefined && this.#countOf(use.session_id) >= limits.grantsAskedMax) return "no_answer";
    const waiting = existing ?? this.#request(use, credential, scope);
    this.#waiting.set(key, waiting);
    try {
      return await this.#answerTo(waiting, signal);
    } finally {
      if (waiting.answered.size === 0) this.#waiting.delete(key);
    }
  }

  /**
   * The person's word on a request of the log, which need not wait any more: what asked for it may have gone, and tries
   * again. Called once the decision itself is in the log.
   */
  async answer(
    sessionId: SessionId,
    request: StoredEvent<"vault.grant_requested">,
    decision: GrantDecision,
  ): Promise<void> {
    if (decision.result === "deny") {
      for (const waiting of this.#waiting.values()) {
        if ((await waiting.request) === request.id) for (const tell of waiting.answered) tell("denied");
      }
      return;
    }
    const { credential_id, credential_name } = request;
    const { lasts, scope = request.scope } = decision;
    const session_id = lasts === "always" ? null : sessionId;
    const grant = await this.#ports.grants.give({ credential_id, session_id, scope, lasts });
    await this.recordGiven(sessionId, grant, credential_name, request.id);
  }

  async recordGiven(sessionId: SessionId, grant: Grant, credentialName: string, requestId?: EventId): Promise<void> {
    const { id, credential_id, scope, lasts } = grant;
    const request = requestId === undefined ? {} : { grant_request_id: requestId };
    const given = { grant_id: id, credential_id, credential_name: credentialName, scope, lasts, ...request };
    await this.#ports.record(sessionId, [{ type: "vault.grant_given", ...given }]);
  }

  #request(use: VaultUse, { id, name }: Credential, scope: GrantScope): Waiting {
    const { session_id, hand, method, path } = use;
    const event: NewEvent = {
      type: "vault.grant_requested",
      credential_id: id,
      credential_name: name,
      hand,
      scope,
      method,
      path,
    };
    const request = this.#ports.record(session_id, [event]).then(
      ([stored]) => stored ?? null,
      (thrown: unknown) => {
        this.#ports.report(`a request for a grant could not be recorded: ${messageOf(thrown)}`);
        return null;
      },
    );
    return { use, credentialId: id, request, answered: new Set() };
  }

  async #answerTo(waiting: Waiting, signal: AbortSignal): Promise<GrantAnswer> {
    const over = new AbortController();
    const ended = AbortSignal.any([signal, over.signal]);
    let tell: (answer: GrantAnswer) => void = () => {};
    const answered = new Promise<GrantAnswer>((resolve) => {
      tell = resolve;
      waiting.answered.add(tell);
    });
    const late = this.#ports.clock.sleep(limits.grantAskMs, ended).catch(() => {});
    const failed = waiting.request.then((request) => (request === null ? undefined : new Promise<never>(() => {})));
    try {
      return await Promise.race([
        answered,
        late.then(() => "no_answer" as const),
        failed.then(() => "no_answer" as const),
      ]);
    } finally {
      waiting.answered.delete(tell);
      over.abort();
    }
  }

  /** Something was granted: whoever waits for just that goes on. */
  async #look(): Promise<void> {
    for (const waiting of this.#waiting.values()) {
      const covers = await this.#ports.grants.covers(waiting.use, waiting.credentialId).catch(() => false);
      if (covers) for (const tell of waiting.answered) tell("allowed");
    }
  }

  #countOf(sessionId: SessionId): number {
    return [...this.#waiting.values()].filter(({ use }) => use.session_id === sessionId).length;
  }
}
