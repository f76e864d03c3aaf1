/** Requests for a grant that wait for a person: recorded in the session, answered there, the same one asked once. */
import { messageOf } from "../core/json.ts";
import type { Clock } from "../core/clock.ts";
import type { NewEvent, StoredEvent } from "../core/events.ts";
import type { EventId, SessionId } from "../core/ids.ts";
import { limits } from "../core/limits.ts";
import type { Grant, GrantDecision, GrantScope, VaultUse } from "../core/vault.ts";
import type { Credential } from "./credentialBook.ts";
import type { GrantBook } from "./grantBook.ts";
import { covers } from "./grantScope.ts";
import type { GrantAnswer } from "./useAuthority.ts";

export interface GrantAskingPorts {
  readonly grants: GrantBook;
  readonly clock: Clock;
  /** Into the session's log; gives the ids under which they are stored. */
  readonly record: (sessionId: SessionId, events: readonly NewEvent[]) => Promise<readonly EventId[]>;
  readonly report: (what: string, thrown?: unknown) => void;
}

/** A request that is in the log. It stays here while nobody waits: who asks again is not a second question. */
interface Waiting {
  readonly use: VaultUse;
  readonly askedAt: number;
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
    this.#forgetOld();
    const existing = this.#waiting.get(key);
    if (existing === undefined && this.#countOf(use.session_id) >= limits.grantsAskedMax) return "no_answer";
    const waiting = existing ?? this.#request(use, credential, scope);
    this.#waiting.set(key, waiting);
    void waiting.request.then((request) => {
      // It is not in the log, so nobody can answer it.
      if (request === null) this.#waiting.delete(key);
    });
    return this.#answerTo(waiting, signal);
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
    const waiting = await this.#take(sessionId, request.id);
    const tellAll = (answer: GrantAnswer): void => {
      for (const tell of waiting?.answered ?? []) tell(answer);
    };
    if (decision.result === "deny") return tellAll("denied");
    const { credential_id, credential_name } = request;
    const { lasts, scope = request.scope } = decision;
    const session_id = lasts === "always" ? null : sessionId;
    const grant = await this.#ports.grants.give({ credential_id, session_id, scope, lasts });
    // What was granted may be less than was asked for.
    tellAll(waiting !== null && covers(scope, waiting.use) ? "allowed" : "denied");
    await this.recordGiven(sessionId, grant, credential_name, request.id);
  }

  endSession(sessionId: SessionId): void {
    for (const [key, { use }] of this.#waiting) if (use.session_id === sessionId) this.#waiting.delete(key);
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
    return { use, askedAt: this.#ports.clock.now(), credentialId: id, request, answered: new Set() };
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
    for (const { use, credentialId, answered } of this.#waiting.values()) {
      if (answered.size === 0) continue;
      const isCovered = await this.#ports.grants.covers(use, credentialId).catch(() => false);
      if (isCovered) for (const tell of answered) tell("allowed");
    }
  }

  /** The one that is answered now: who asks from here on asks anew. */
  async #take(sessionId: SessionId, request: EventId): Promise<Waiting | null> {
    for (const [key, waiting] of this.#waiting) {
      if (waiting.use.session_id !== sessionId || (await waiting.request) !== request) continue;
      this.#waiting.delete(key);
      return waiting;
    }
    return null;
  }

  /** A request that nobody waits for and nobody has answered is made again after this time. */
  #forgetOld(): void {
    const before = this.#ports.clock.now() - limits.grantAskMs;
    for (const [key, { answered, askedAt }] of this.#waiting) {
      if (answered.size === 0 && askedAt <= before) this.#waiting.delete(key);
    }
  }

  #countOf(sessionId: SessionId): number {
    return [...this.#waiting.values()].filter(({ use }) => use.session_id === sessionId).length;
  }
}
