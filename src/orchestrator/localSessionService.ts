/** The session service over local logs: the orchestrator that views, other extensions and activation talk to. */
import { ManyHandsError } from "../core/errors.ts";
import type { BlobRef, ClientEvent, NewEvent, StreamEvent } from "../core/events.ts";
import type { HandSpec } from "../core/config.ts";
import type { HandProvider } from "../core/hand.ts";
import type { HandInfo, HandTest, HandTestOptions, OpenedHand } from "../core/handInfo.ts";
import type { EventId, SessionId } from "../core/ids.ts";
import { parseSessionId } from "../core/ids.ts";
import { noRedaction } from "../core/redaction.ts";
import type { Redaction } from "../core/redaction.ts";
import { Emitter } from "../core/listen.ts";
import type { Disposable } from "../core/listen.ts";
import { SCHEMA_VERSION } from "../core/events.ts";
import { limits } from "../core/limits.ts";
import type { CreateSessionOptions, SessionInfo, SessionService, SessionUpdate } from "../core/service.ts";
import type { SessionListing, Slice } from "../core/sessionLog.ts";
import { needsBrain } from "../core/sessionState.ts";
import type { AnyEvent } from "../core/sessionState.ts";
import { openedHand } from "./handBoard.ts";
import { handKey } from "../core/config.ts";
import { refuseCredentials } from "./handChange.ts";
import { listedHands, specOfUse } from "./handList.ts";
import type { LocalSession } from "./localSession.ts";
import type { OrchestratorPorts } from "./ports.ts";
import { redactValues, redactedStore } from "./redactedStore.ts";
import type { SpareHands } from "./spareHands.ts";

/** How often sessions that another window left behind are looked for, in milliseconds. */
const WATCH_MS = 3_000;

export class LocalSessionService implements SessionService {
  readonly #ports: OrchestratorPorts & { readonly redaction: Redaction };
  readonly #providers = new Map<string, HandProvider>();
  readonly #sessions = new Map<SessionId, Promise<LocalSession>>();
  readonly #appended: Emitter<{ readonly session_id: SessionId; readonly event: AnyEvent }>;
  readonly #streamed: Emitter<{ readonly session_id: SessionId; readonly event: StreamEvent }>;
  readonly #changed: Emitter<{ readonly id: SessionId | null }>;
  readonly #handsChanged: Emitter<null>;
  #openSpares: SpareHands | null = null;
  /** By `handKey`: what its last test has shown. */
  readonly #tests = new Map<string, HandTest>();
  readonly #closing = new AbortController();
  /** Aborted once every extension has had its time to start. */
  readonly #settled = new AbortController();
  /** What the list looked like when it was last read, to notice what other windows do. */
  #seen = new Map<SessionId, string>();

  constructor(ports: OrchestratorPorts) {
    const redaction = ports.redaction ?? noRedaction;
    // From here on nobody has the store itself.
    this.#ports = { ...ports, redaction, store: redactedStore(ports.store, redaction) };
    const onError = (thrown: unknown): void => ports.report("a listener failed", thrown);
    this.#appended = new Emitter(onError);
    this.#streamed = new Emitter(onError);
    this.#changed = new Emitter(onError);
    this.#handsChanged = new Emitter(onError);
  }

  readonly onDidAppendEvent: SessionService["onDidAppendEvent"] = (listener) => this.#appended.listen(listener);
  readonly onDidStream: SessionService["onDidStream"] = (listener) => this.#streamed.listen(listener);
  readonly onDidChangeSessions: SessionService["onDidChangeSessions"] = (listener) => this.#changed.listen(listener);

  readonly onDidChangeHands: SessionService["onDidChangeHands"] = (listener) => this.#handsChanged.listen(listener);

  /** Wakes every session that was not idle, and keeps an eye on those that another window runs or left behind. */
  async start(): Promise<void> {
    const { clock } = this.#ports;
    void clock.sleep(limits.handKindWaitMs, this.#closing.signal).then(
      () => this.#settled.abort(),
      () => {},
    );
    await this.#look();
    void this.#watch();
  }

  async createSession(options: CreateSessionOptions): Promise<SessionInfo> {
    this.#mustBeTrusted();
    const hands = options.hands ?? this.#ports.defaultHands();
    if (hands.length === 0) {
      const message = "Open a folder first: the agent's local hand works in the workspace folder.";
      throw new ManyHandsError("hand_unavailable", "session", message);
    }
    refuseCredentials(hands);
    const id = this.#ports.ids.sessionId();
    const log = await this.#ports.store.create(id, {
      type: "session.created",
      schema_version: SCHEMA_VERSION,
      title: options.title?.trim() ?? "",
      hands,
      model: options.model ?? null,
      permission: options.permission ?? "ask",
    });
    const opening = this.#newSession(id, log);
    this.#sessions.set(id, opening);
    const session = await opening;
    this.#changed.fire({ id: null });
    if (options.message !== undefined && options.message.trim() !== "") {
      await this.emitEvent(id, { type: "user.message", content: [{ type: "text", text: options.message }] });
    }
    return session.info();
  }

  /** Extensions start in any order: a session that goes on after a reload must not find its hand without a provider. */
  async #provided(kinds: readonly string[], signal: AbortSignal): Promise<void> {
    await this.#load(kinds);
    const over = AbortSignal.any([signal, this.#settled.signal]);
    while (!over.aborted && kinds.some((kind) => !this.#providers.has(kind))) {
      await new Promise<void>((resolve) => {
        const listening = this.#handsChanged.listen(done);
        over.addEventListener("abort", done);
        function done(): void {
          listening.dispose();
          over.removeEventListener("abort", done);
          resolve();
        }
      });
    }
  }

  /** Kinds that this program brings, but not at every start. */
  async #load(kinds: readonly string[]): Promise<void> {
    const { lateKinds = [] } = this.#ports;
    const missing = lateKinds.filter((kind) => kinds.includes(kind) && !this.#providers.has(kind));
    await Promise.all(missing.map(async (kind) => this.#ports.loadProvider?.(kind)));
  }

  async listSessions(): Promise<readonly SessionInfo[]> {
    const listings = await this.#ports.store.list();
    const infos = await Promise.all(listings.map((listing) => this.#infoOf(listing)));
    return infos
      .filter((info) => !info.state.deleted)
      .toSorted((a, b) => b.state.updated_at.localeCompare(a.state.updated_at));
  }

  async getSession(id: string): Promise<SessionInfo> {
    return (await this.#session(id)).info();
  }

  async getEvents(id: string, slice: Slice): Promise<readonly AnyEvent[]> {
    return (await this.#session(id)).log.getEvents(slice);
  }

  async emitEvent(id: string, event: ClientEvent): Promise<AnyEvent> {
    const { parseClientEvent } = await import("./clientEvent.ts");
    const parsed = parseClientEvent(event);
    return (await this.#session(id)).emit(parsed);
  }

  /** What the vault has to put on record in a session; gives the ids under which it is stored. */
  async record(id: string, events: readonly NewEvent[]): Promise<readonly EventId[]> {
    return (await (await this.#session(id)).record(events)).map((event) => event.id);
  }

  /** Neither deleted nor archived nor ended. */
  async isLive(id: string): Promise<boolean> {
    try {
      const { deleted, archived, status } = (await this.#session(id)).log.state();
      return !deleted && !archived && status !== "terminated";
    } catch {
      return false;
    }
  }

  async wake(id: string): Promise<void> {
    const woken = await (await this.#session(id)).wake(true);
    if (!woken) throw new ManyHandsError("session_read_only", "session", "Another window runs this session.");
  }

  async updateSession(id: string, change: SessionUpdate): Promise<void> {
    await (await this.#session(id)).update(change);
  }

  async deleteSession(id: string): Promise<void> {
    const session = await this.#session(id);
    await session.destroy();
    this.#sessions.delete(session.log.id);
    await this.#ports.store.delete(session.log.id);
    await session.close().catch((thrown: unknown) => this.#ports.report("a deleted session did not close", thrown));
    this.#changed.fire({ id: null });
    this.#handsChanged.fire(null);
  }

  async takeOver(id: string): Promise<void> {
    await (await this.#session(id)).takeOver();
  }

  async readBlob(id: string, ref: BlobRef, range?: { offset: number; bytes: number }): Promise<Uint8Array> {
    return (await this.#session(id)).log.readBlob(ref, range);
  }

  registerHandProvider(kind: string, provider: HandProvider): Disposable {
    if (this.#providers.has(kind)) {
      throw new ManyHandsError("hand_unavailable", "hand", `hands of kind "${kind}" have a provider already`);
    }
    this.#providers.set(kind, provider);
    this.#handsChanged.fire(null);
    return {
      dispose: () => {
        if (this.#providers.get(kind) !== provider) return;
        this.#providers.delete(kind);
        this.#handsChanged.fire(null);
      },
    };
  }

  async handKinds(): Promise<readonly string[]> {
    return [...new Set([...this.#providers.keys(), ...(this.#ports.lateKinds ?? [])])];
  }

  async listHands(): Promise<readonly HandInfo[]> {
    const sessions = await this.#openSessions();
    await this.#load(this.#configuredHands().map(({ kind }) => kind));
    return listedHands({
      configured: this.#configuredHands(),
      sessions: sessions.map((session) => ({ id: session.log.id, hands: session.hands() })),
      providers: this.#providers,
      spareOf: (spec) => this.#openSpares?.statusOf(spec) ?? null,
      testOf: (spec) => this.#tests.get(handKey(spec)) ?? null,
    });
  }

  async testHand(spec: HandSpec, options: HandTestOptions = {}): Promise<HandTest> {
    this.#mustBeTrusted();
    await this.#load([spec.kind]);
    const test = redactValues(await (await this.#spares()).test(spec, options), this.#ports.redaction);
    this.#tests.set(handKey(spec), test);
    this.#handsChanged.fire(null);
    return test;
  }

  async openHand(id: string | null, name: string): Promise<OpenedHand> {
    this.#mustBeTrusted();
    if (id !== null) return openedHand(await (await this.#session(id)).openHand(name), this.#ports);
    const spec = specOfUse(this.#configuredHands(), name);
    await this.#load([spec.kind]);
    return openedHand(await (await this.#spares()).open(spec), this.#ports);
  }

  async restartHand(id: string | null, name: string): Promise<void> {
    this.#mustBeTrusted();
    await (id === null ? (await this.#spares()).end(name) : (await this.#session(id)).restartHand(name));
  }

  async pingHands(): Promise<void> {
    const sessions = await this.#openSessions();
    await Promise.all([this.#openSpares?.ping(), ...sessions.map((session) => session.pingHands())]);
  }

  /** The settings name other hands now. */
  refreshHands(): void {
    this.#handsChanged.fire(null);
  }

  /** Trust was granted, or a setting changed what can run: look again. */
  async refresh(): Promise<void> {
    this.#changed.fire({ id: null });
    await this.#look();
  }

  /** Lets go of all sessions; commands live on. Quick: the host gives five seconds at a reload. */
  async close(): Promise<void> {
    this.#closing.abort();
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    await Promise.allSettled([...sessions.map(async (session) => (await session).close()), this.#openSpares?.close()]);
    for (const emitter of [this.#appended, this.#streamed, this.#changed, this.#handsChanged]) emitter.dispose();
  }

  #mustBeTrusted(): void {
    if (this.#ports.trusted()) return;
    throw new ManyHandsError("not_trusted", "session", "Trust this workspace first: nothing is executed until then.");
  }

  async #spares(): Promise<SpareHands> {
    const { SpareHands } = await import("./spareHands.ts");
    return (this.#openSpares ??= new SpareHands({
      ...this.#ports,
      providers: this.#providers,
      onChange: () => this.#handsChanged.fire(null),
    }));
  }

  #configuredHands(): readonly HandSpec[] {
    return (this.#ports.configuredHands ?? this.#ports.defaultHands)();
  }

  async #openSessions(): Promise<readonly LocalSession[]> {
    const opened = await Promise.all([...this.#sessions.values()].map((session) => session.catch(() => null)));
    return opened.filter((session) => session !== null);
  }

  async #watch(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      try {
        await this.#ports.clock.sleep(WATCH_MS, this.#closing.signal);
        await this.#look();
      } catch (thrown) {
        if (!this.#closing.signal.aborted) this.#ports.report("the list of sessions could not be read", thrown);
      }
    }
  }

  async #look(): Promise<void> {
    const listings = await this.#ports.store.list();
    const seen = new Map(listings.map((listing) => [listing.id, `${listing.state.seq} ${listing.unreadable ?? ""}`]));
    const changed = seen.size !== this.#seen.size || [...seen].some(([id, mark]) => this.#seen.get(id) !== mark);
    this.#seen = seen;
    if (changed) this.#changed.fire({ id: null });
    if (!this.#ports.trusted()) return;
    for (const listing of listings) {
      if (needsBrain(listing.state) && listing.unreadable === null) await this.#wakeQuietly(listing.id);
    }
  }

  async #wakeQuietly(id: SessionId): Promise<void> {
    try {
      if (this.#closing.signal.aborted) return;
      const session = await this.#session(id);
      if (session.log.readOnlyReason() === null) await session.wake(false);
    } catch (thrown) {
      this.#ports.report(`session ${id} could not be woken`, thrown);
    }
  }

  async #infoOf(listing: SessionListing): Promise<SessionInfo> {
    const open = await this.#sessions.get(listing.id)?.catch(() => null);
    if (open !== undefined && open !== null) return open.info();
    return {
      id: listing.id,
      state: listing.state,
      writer: { kind: "none" },
      read_only: null,
      paused: null,
      unreadable: listing.unreadable,
      damage: [],
    };
  }

  async #session(text: string): Promise<LocalSession> {
    const id = parseSessionId(text);
    if (id === undefined) throw new ManyHandsError("session_not_found", "session", `"${text}" is no session id`);
    if (this.#closing.signal.aborted) throw new ManyHandsError("cancelled", "session", "Many Hands is shutting down");
    const existing = this.#sessions.get(id);
    if (existing !== undefined) return existing;
    const opened = this.#ports.store.open(id).then((log) => this.#newSession(id, log));
    this.#sessions.set(id, opened);
    opened.catch(() => this.#sessions.delete(id));
    return opened;
  }

  /** What runs a session is loaded with the first one: a start need not wait for it. */
  async #newSession(id: SessionId, log: LocalSession["log"]): Promise<LocalSession> {
    const { LocalSession } = await import("./localSession.ts");
    return new LocalSession(log, {
      ...this.#ports,
      providers: this.#providers,
      untilProvided: (kinds, signal) => this.#provided(kinds, signal),
      onAppend: (events) => {
        for (const event of events) this.#appended.fire({ session_id: id, event });
        if (events.some(({ type }) => type === "session.created" || type === "session.updated")) {
          this.#handsChanged.fire(null);
        }
      },
      onStream: (event) => this.#streamed.fire({ session_id: id, event }),
      onChange: () => this.#changed.fire({ id }),
      onChangeHands: () => this.#handsChanged.fire(null),
    });
  }
}
