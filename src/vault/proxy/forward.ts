/** Sends one request of a hand on to its server with what the vault adds, and the answer back with the value taken out. */
import type { IncomingHttpHeaders } from "node:http";
import type { Readable, Transform } from "node:stream";
import type { AllowedUse } from "../../core/vault.ts";
import type { ProxyCall } from "./proxyRoute.ts";

export interface Forwarding {
  readonly call: ProxyCall;
  /** Where it goes, path and query included, exactly as decided. Redirects are never followed. */
  readonly target: URL;
  /** null: without a credential; then nothing is added or searched for. */
  readonly allowed: AllowedUse | null;
  /** By default the hand's. */
  readonly method?: string;
  /** Instead of the hand's body: what was read ahead and the rest, of the same length. A Buffer may have another length. */
  readonly body?: Readable | Buffer;
  /** Set after the hand's headers, before those of the credential. Names in small letters. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * For `Location` headers within the target's origin: the path at the proxy (`/git/…`) that leads to the same, or
   * undefined where there is none and the address goes back as it is.
   */
  readonly relocate?: (location: URL) => string | undefined;
  /** What changes the answer's body (decoded, before the value is searched for) on its way; undefined: nothing. */
  readonly change?: (status: number, headers: IncomingHttpHeaders) => Transform | undefined;
}

export interface Forwarder {
  /**
   * Resolves when the answer has gone to the hand whole or was cut; every failure is answered here (502, 504) in words.
   * Never rejects.
   */
  forward(forwarding: Forwarding): Promise<void>;
  /** Ends idle connections. */
  close(): void;
}

export interface ForwarderOptions {
  /** All forms in which `value` could be in an answer. */
  readonly findForms: (value: string) => readonly string[];
  /** Authorities beside those of Node and of VS Code, as PEM. */
  readonly ca?: string;
  readonly report: (what: string, thrown?: unknown) => void;
}
