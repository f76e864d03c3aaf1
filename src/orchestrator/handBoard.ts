/** The states of a set of hands, for the person: kept beside the hands, changed by what happens to them. */
import { ManyHandsError } from "../core/errors.ts";
import type { Origin } from "../core/errors.ts";
import type { Hand } from "../core/hand.ts";
import type { HandFailure, HandStatus, OpenedHand } from "../core/handInfo.ts";
import { messageOf } from "../core/json.ts";
import type { Redaction } from "../core/redaction.ts";
import { redactValues } from "./redactedStore.ts";
import { redactedTerminal } from "./redactedTerminal.ts";
import type { RedactedTerminalPorts } from "./redactedTerminal.ts";

const UNTOUCHED: HandStatus = {
  state: "not_provisioned",
  instance: null,
  description: null,
  progress: null,
  failure: null,
  latency_ms: null,
};

export interface HandBoardPorts {
  readonly now: () => number;
  readonly onChange: () => void;
  /** What is said of a hand comes from far ends and their programs. */
  readonly redaction: Redaction;
}

export class HandBoard {
  readonly #ports: HandBoardPorts;
  readonly #statuses = new Map<string, HandStatus>();

  constructor(ports: HandBoardPorts) {
    this.#ports = ports;
  }

  of(name: string): HandStatus {
    return this.#statuses.get(name) ?? UNTOUCHED;
  }

  provisioning(name: string): void {
    this.#set(name, { state: "provisioning", instance: null, progress: null, latency_ms: null });
  }

  progress(name: string, message: string): void {
    if (this.of(name).state === "provisioning") this.#set(name, { progress: message });
  }

  /** It is there, and is given what its spec wants it to have. */
  mounting(name: string, message: string): void {
    this.#set(name, { state: "provisioning", progress: message });
  }

  mounted(name: string): void {
    this.#set(name, { state: "ready", progress: null });
  }

  failed(name: string, thrown: unknown): void {
    this.#set(name, { state: "not_provisioned", progress: null, failure: failureOf(thrown, this.#ports.now()) });
  }

  /** Follows the hand's link from here on. */
  ready(name: string, hand: Hand): void {
    const { instance, description } = hand;
    this.#set(name, { state: "ready", instance, description, progress: null });
    hand.onDidChangeLink?.((isThere) => {
      if (this.of(name).instance !== instance || this.of(name).state === "lost") return;
      if (isThere) return this.#set(name, { state: "ready" });
      const failure = { message: "Its stream was lost and is being opened again.", origin: "network" } as const;
      this.#set(name, { state: "reconnecting", latency_ms: null, failure: { ...failure, at_ms: this.#ports.now() } });
    });
  }

  lost(name: string, message: string): void {
    const failure = { message, origin: "hand", at_ms: this.#ports.now() } as const;
    this.#set(name, { state: "lost", latency_ms: null, failure });
  }

  pinged(name: string, latencyMs: number): void {
    this.#set(name, { latency_ms: latencyMs });
  }

  /** It was let go of on purpose. */
  clear(name: string): void {
    if (this.#statuses.delete(name)) this.#ports.onChange();
  }

  #set(name: string, change: Partial<HandStatus>): void {
    const clean = redactValues(change, this.#ports.redaction);
    this.#statuses.set(name, { ...this.of(name), ...clean });
    this.#ports.onChange();
  }
}

export function failureOf(thrown: unknown, at_ms: number): HandFailure {
  const origin: Origin = thrown instanceof ManyHandsError ? thrown.origin : "hand";
  return { message: messageOf(thrown), origin, at_ms };
}

/** Of a hand, what may be given out. */
export function openedHand(hand: Hand, ports: RedactedTerminalPorts): OpenedHand {
  const open = hand.openTerminal?.bind(hand);
  return {
    instance: hand.instance,
    description: hand.description,
    onDidLose: hand.onDidLose,
    ...(hand.onDidChangeLink === undefined ? {} : { onDidChangeLink: hand.onDidChangeLink }),
    ...(hand.files === undefined ? {} : { files: hand.files }),
    ...(open === undefined ? {} : { openTerminal: async (size) => redactedTerminal(await open(size), ports) }),
    ...(hand.ping === undefined ? {} : { ping: hand.ping.bind(hand) }),
  };
}
