/** The page of a session: wires the timeline, the live parts and the views to the host's messages. */
import type { StreamEvent } from "../core/events.ts";
import { isObject } from "../core/json.ts";
import { limits } from "../core/limits.ts";
import type { FromPage, ToPage } from "../core/pageProtocol.ts";
import type { GrantDecision } from "../core/vault.ts";
import { Composer, newEventId } from "./composer.ts";
import { Conversation } from "./conversation.ts";
import { button, durationText, h } from "./dom.ts";
import { EventImages } from "./eventImages.ts";
import { renderHeader, statusText } from "./header.ts";
import type { HeaderState } from "./header.ts";
import { Live } from "./live.ts";
import { rowsOf } from "./rows.ts";
import type { CallRow, GrantRow } from "./rows.ts";
import { Timeline } from "./timeline.ts";
import type { SliceRequest } from "./timeline.ts";

interface VsCodeApi {
  postMessage(message: FromPage): void;
  getState(): unknown;
  setState(state: unknown): void;
}
declare function acquireVsCodeApi(): VsCodeApi;

/** Nearer to an edge than this, in pixels, more of the log is asked for. */
const EDGE_PX = 600;
/** Nearer to the end than this, in pixels, the page follows what is new. */
const FOLLOW_PX = 40;
/** For so long after its wheel, key or touch a movement of the view counts as the person's, in milliseconds. */
const PERSON_MS = 600;

class Page {
  readonly #api = acquireVsCodeApi();
  readonly #timeline = new Timeline();
  readonly #live = new Live();
  readonly #conversation = new Conversation();
  readonly #images = new EventImages((seq) => this.#post({ type: "images", seq }));
  readonly #composer: Composer;
  readonly #headerSlot = h("div", { class: "header-slot" });
  readonly #scroller = h("section", { class: "scroller", tabindex: "0", "aria-label": "Conversation" });
  readonly #notice = h("div", { class: "notice", role: "status", "aria-live": "polite", hidden: true });
  readonly #announcer = h("div", { class: "visually-hidden", role: "status", "aria-live": "polite" });
  readonly #toEnd: HTMLButtonElement;
  readonly #toStart: HTMLButtonElement;
  readonly #toWaiting: HTMLButtonElement;
  #state: HeaderState | null = null;
  #session = "";
  #requests = new Map<number, SliceRequest>();
  #nextRequest = 1;
  #follows = true;
  /** Where the view was when it last scrolled, in pixels. */
  #top = 0;
  /** When the person last did what moves the view; Infinity while they hold the scroll bar. */
  #personMoved = -Infinity;
  #drawn = false;
  #scheduled = false;

  constructor(root: HTMLElement) {
    const saved = this.#api.getState();
    const draft = isObject(saved) && typeof saved["draft"] === "string" ? saved["draft"] : "";
    this.#session = isObject(saved) && typeof saved["sessionId"] === "string" ? saved["sessionId"] : "";
    this.#composer = new Composer(
      { emit: (event) => this.#post({ type: "emit", event }), saveDraft: (text) => this.#save(text) },
      draft,
    );
    this.#toEnd = button("↓ Latest", "float", () => this.#jumpToEnd(), "Go to the latest");
    this.#toStart = button("↑ Start", "float", () => this.#jumpToStart(), "Go to the start");
    this.#toWaiting = button("", "float waiting", () => this.#showWaiting());
    this.#scroller.append(this.#conversation.element);
    const floats = h("div", { class: "floats" }, this.#toStart, this.#toWaiting, this.#toEnd);
    root.append(this.#headerSlot, this.#scroller, floats, this.#notice, this.#composer.element, this.#announcer);
    this.#scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // Rows that come into view take their real height, and texts grow: the end moves while it is followed.
    const sizes = new ResizeObserver(() => this.#follow());
    sizes.observe(this.#conversation.element);
    sizes.observe(this.#scroller);
    this.#watchPerson();
    window.addEventListener("message", (event: MessageEvent<unknown>) => this.#receive(event.data));
    window.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !event.isComposing) this.#composer.stop();
    });
  }

  /** The view also moves by itself, when rows take their real height or a banner comes: that is no wish to stay there. */
  #watchPerson(): void {
    const moved = (): void => {
      this.#personMoved = performance.now();
    };
    for (const type of ["wheel", "touchmove", "keydown"]) {
      window.addEventListener(type, moved, { passive: true, capture: true });
    }
    this.#scroller.addEventListener("pointerdown", () => (this.#personMoved = Infinity));
    window.addEventListener("pointerup", moved, { capture: true });
  }

  start(): void {
    setInterval(() => this.#tick(), 1_000);
    this.#post({ type: "ready" });
  }

  #post(message: FromPage): void {
    this.#api.postMessage(message);
  }

  #save(draft: string): void {
    this.#api.setState({ sessionId: this.#session, draft });
  }

  #receive(data: unknown): void {
    if (!isObject(data) || typeof data["type"] !== "string") return;
    const message = data as unknown as ToPage;
    switch (message.type) {
      case "init":
        this.#init(message);
        break;
      case "info":
        this.#setInfo({ ...message, paused: message.info.paused });
        break;
      case "slice":
        this.#sliceCame(message.request_id, message);
        break;
      case "slice_failed":
        this.#requests.delete(message.request_id);
        this.#tell("error", message.message);
        break;
      case "appended":
        this.#appended(message.events);
        break;
      case "stream":
        this.#streamed(message.event);
        break;
      case "images":
        this.#images.take(message.seq, message.images);
        break;
      case "notice":
        this.#tell(message.level, message.message);
        break;
      case "focus_input":
        this.#composer.focus();
        break;
      case "emitted":
        this.#composer.emitted(message.event_id, message.ok);
        if (!message.ok && message.message !== undefined) this.#tell("error", message.message);
        break;
    }
    this.#schedule();
  }

  #init(message: Extract<ToPage, { type: "init" }>): void {
    this.#session = message.info.id;
    this.#live.clear();
    for (const event of message.live) this.#live.take(event);
    this.#setInfo({ ...message, paused: message.info.paused });
    this.#follows = true;
    this.#restart(this.#timeline.reset(message.last_seq));
  }

  #setInfo(state: HeaderState): void {
    const before = this.#state === null ? "" : statusText(this.#state);
    this.#state = state;
    const now = statusText(state);
    if (now !== before) this.#announcer.textContent = `The session ${now === "working" ? "is working" : now}.`;
  }

  #appended(events: Extract<ToPage, { type: "appended" }>["events"]): void {
    for (const event of events) {
      this.#live.settle(event.id, event.type);
      if (event.type === "agent.tool_result" && "tool_use_id" in event) {
        this.#live.forgetOutput(event.tool_use_id as never);
      }
    }
    if (!this.#timeline.append(events)) this.#catchUp();
  }

  /** Some of the log was not told: while the page was hidden, for instance. */
  #catchUp(): void {
    const held = this.#timeline.events.at(-1)?.seq ?? 0;
    const isFar = this.#timeline.lastSeq - held > 2 * limits.pageSliceEvents;
    if (isFar && this.#follows) this.#restart(this.#timeline.reset(this.#timeline.lastSeq));
    else this.#request(this.#timeline.newer());
  }

  #streamed(event: StreamEvent): void {
    if (event.type === "paused" && this.#state !== null) this.#state = { ...this.#state, paused: event.message };
    if (event.type === "resumed" && this.#state !== null) this.#state = { ...this.#state, paused: null };
    this.#live.take(event);
  }

  /** Asks for another stretch; answers to what was asked for the last one do not belong to it. */
  #restart(request: SliceRequest): void {
    this.#requests.clear();
    this.#request(request);
  }

  #request(request: SliceRequest | null): void {
    if (request === null) return;
    const isAsked = [...this.#requests.values()].some(
      (other) => other.from === request.from && other.to === request.to,
    );
    if (isAsked) return;
    const request_id = this.#nextRequest++;
    this.#requests.set(request_id, request);
    this.#post({ type: "slice", request_id, ...request });
  }

  #sliceCame(id: number, { events, last_seq }: Extract<ToPage, { type: "slice" }>): void {
    const request = this.#requests.get(id);
    if (request === undefined) return;
    this.#requests.delete(id);
    const height = this.#scroller.scrollHeight;
    const top = this.#scroller.scrollTop;
    const isOlder = request.order === "desc" && this.#timeline.events.length > 0;
    this.#timeline.addSlice(request, events, last_seq);
    this.#draw();
    if (isOlder) this.#scroller.scrollTop = top + this.#scroller.scrollHeight - height;
    if (this.#follows) this.#request(this.#timeline.newer());
    this.#askAtEdges();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#draw();
    });
  }

  #draw(): void {
    const state = this.#state;
    if (state === null) return;
    const focused = document.activeElement?.closest("[data-call]")?.getAttribute("data-call") ?? null;
    const canWrite = state.trusted && state.info.read_only === null && state.info.writer.kind !== "other";
    this.#headerSlot.replaceChildren(renderHeader(state, (message) => this.#post(message)));
    const stored = rowsOf(this.#timeline.events);
    const known = new Set(stored.map((row) => row.key));
    const live = this.#timeline.isAtEnd ? this.#live.rows().filter((row) => !known.has(row.key)) : [];
    this.#conversation.draw([...stored, ...live], {
      post: (message) => this.#post(message),
      answer: (row, result, options) => this.#answer(row, result, options),
      decide: (row, decision) => this.#decide(row, decision),
      state: state.info.state,
      canAnswer: canWrite,
      outputOf: (id) => this.#live.output(id),
      images: this.#images,
    });
    this.#updateComposer(state, canWrite);
    this.#follow();
    if (focused !== null && document.activeElement === document.body) this.#focusNextAnswer();
    this.#updateFloats();
    this.#drawn = true;
    this.#tick();
  }

  #updateComposer(state: HeaderState, canWrite: boolean): void {
    const { status } = state.info.state;
    const isEmpty = state.info.state.last_turn === null && status === "idle";
    this.#composer.update({
      canWrite,
      isWorking:
        status === "running" || status === "rescheduling" || state.info.state.stop_reason?.type === "requires_action",
      placeholder: !canWrite ? "This session can be read only" : isEmpty ? "What shall be done?" : "Message the agent",
    });
  }

  #answer(row: CallRow, result: "allow" | "deny", { forSession, why }: { forSession?: boolean; why?: string }): void {
    this.#post({
      type: "emit",
      event: {
        type: "user.tool_confirmation",
        id: newEventId(),
        tool_use_id: row.id,
        result,
        ...(forSession === true ? { for_session: true } : {}),
        ...(why === undefined || why.trim() === "" ? {} : { deny_message: why.trim() }),
      },
    });
  }

  #decide({ id }: GrantRow, decision: GrantDecision): void {
    this.#post({
      type: "emit",
      event: { type: "user.grant_decision", id: newEventId(), grant_request_id: id, ...decision },
    });
  }

  /** After an answer the next one is at hand, or the message box. */
  #focusNextAnswer(): void {
    const next = this.#scroller.querySelector<HTMLElement>("[data-call] button");
    if (next === null) this.#composer.focus();
    else next.focus();
  }

  #follow(): void {
    if (this.#follows && this.#timeline.isAtEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const fromEnd = scrollHeight - clientHeight - scrollTop;
    if (fromEnd < FOLLOW_PX) this.#follows ||= this.#timeline.isAtEnd;
    else if (scrollTop < this.#top && performance.now() - this.#personMoved < PERSON_MS) this.#follows = false;
    this.#top = scrollTop;
    this.#askAtEdges();
    this.#updateFloats();
  }

  #askAtEdges(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    if (scrollTop < EDGE_PX) this.#request(this.#timeline.older());
    if (scrollHeight - clientHeight - scrollTop < EDGE_PX) this.#request(this.#timeline.newer());
  }

  #updateFloats(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const fromEnd = scrollHeight - clientHeight - scrollTop;
    this.#toEnd.hidden = this.#timeline.isAtEnd && fromEnd < EDGE_PX / 2;
    this.#toStart.hidden = this.#follows || (scrollTop < EDGE_PX && this.#timeline.isAtStart);
    const waiting = [...this.#scroller.querySelectorAll("[data-call]")];
    const box = this.#scroller.getBoundingClientRect();
    const hidden = waiting.filter((element) => {
      const { top, bottom } = element.getBoundingClientRect();
      return bottom > box.bottom + 4 || top < box.top - 4;
    });
    this.#toWaiting.hidden = hidden.length === 0;
    this.#toWaiting.textContent =
      hidden.length === 1 ? "1 question waits for you" : `${hidden.length} questions wait for you`;
  }

  #jumpToEnd(): void {
    if (!this.#timeline.isAtEnd) this.#restart(this.#timeline.reset(this.#timeline.lastSeq));
    this.#follows = true;
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #jumpToStart(): void {
    this.#follows = false;
    if (!this.#timeline.isAtStart) this.#restart(this.#timeline.resetToStart());
    this.#scroller.scrollTop = 0;
  }

  #showWaiting(): void {
    const waiting = this.#scroller.querySelector<HTMLElement>("[data-call]");
    waiting?.scrollIntoView({ block: "center" });
    waiting?.querySelector("button")?.focus();
  }

  #tell(level: "info" | "error", message: string): void {
    this.#notice.hidden = false;
    this.#notice.className = `notice ${level}`;
    this.#notice.replaceChildren(
      h("span", {}, message),
      button("Dismiss", "link", () => (this.#notice.hidden = true)),
    );
  }

  #tick(): void {
    if (!this.#drawn) return;
    for (const element of this.#scroller.querySelectorAll<HTMLElement>(".ticking")) {
      const since = Date.parse(element.dataset["since"] ?? "");
      if (!Number.isNaN(since)) element.textContent = ` ${durationText(Date.now() - since)}`;
    }
  }
}

const root = document.getElementById("app");
if (root !== null) new Page(root).start();
