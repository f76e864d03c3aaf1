/** The message box: sends, queues while the agent works, keeps its draft, and gives a text back that could not be stored. */
import type { ClientEvent } from "../core/events.ts";
import type { EventId } from "../core/ids.ts";
import { button, h } from "./dom.ts";

export interface ComposerPorts {
  readonly emit: (event: ClientEvent) => void;
  readonly saveDraft: (draft: string) => void;
}

export interface ComposerState {
  readonly canWrite: boolean;
  readonly isWorking: boolean;
  readonly placeholder: string;
}

export function newEventId(): EventId {
  return `sevt_page_${crypto.randomUUID().replaceAll("-", "")}` as EventId;
}

export class Composer {
  readonly element: HTMLElement;
  readonly #input: HTMLTextAreaElement;
  readonly #send: HTMLButtonElement;
  readonly #stop: HTMLButtonElement;
  readonly #ports: ComposerPorts;
  /** Sent and not yet stored, by event id. */
  readonly #sent = new Map<string, string>();
  #isWorking = false;

  constructor(ports: ComposerPorts, draft: string) {
    this.#ports = ports;
    this.#input = h("textarea", { rows: "1", "aria-label": "Message to the agent" });
    this.#input.value = draft;
    this.#send = button("Send", "primary", () => this.#submit(), "Send (Enter)");
    this.#stop = button("Stop", "secondary", () => this.stop(), "Stop the agent (Esc)");
    this.#input.addEventListener("input", () => this.#changed());
    this.#input.addEventListener("keydown", (event) => this.#onKey(event));
    this.element = h(
      "form",
      { class: "composer", onsubmit: (event) => event.preventDefault() },
      this.#input,
      h("div", { class: "composer-buttons" }, this.#stop, this.#send),
    );
    this.#changed();
  }

  update({ canWrite, isWorking, placeholder }: ComposerState): void {
    this.#isWorking = isWorking;
    this.#input.disabled = !canWrite;
    this.#input.placeholder = placeholder;
    this.#stop.hidden = !isWorking || !canWrite;
    this.#send.textContent = isWorking ? "Queue" : "Send";
    this.#send.title = isWorking ? "The agent reads it with its next step (Enter)" : "Send (Enter)";
    this.#changed();
  }

  focus(): void {
    this.#input.focus();
  }

  stop(): void {
    if (this.#isWorking) this.#ports.emit({ type: "user.interrupt", id: newEventId() });
  }

  emitted(eventId: string, ok: boolean): void {
    const text = this.#sent.get(eventId);
    this.#sent.delete(eventId);
    if (ok || text === undefined) return;
    this.#input.value = this.#input.value.trim() === "" ? text : `${text}\n\n${this.#input.value}`;
    this.#changed();
  }

  #onKey(event: KeyboardEvent): void {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      this.#submit();
    }
  }

  #submit(): void {
    const text = this.#input.value.trim();
    if (text === "" || this.#input.disabled) return;
    const id = newEventId();
    this.#sent.set(id, text);
    this.#ports.emit({ type: "user.message", id, content: [{ type: "text", text }] });
    this.#input.value = "";
    this.#changed();
  }

  #changed(): void {
    this.#send.disabled = this.#input.disabled || this.#input.value.trim() === "";
    this.#ports.saveDraft(this.#input.value);
    this.#input.style.height = "auto";
    this.#input.style.height = `${Math.min(this.#input.scrollHeight, 240)}px`;
  }
}
