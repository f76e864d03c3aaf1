/** Sends one request of a hand on to its server with what the vault adds, and the answer back with the value taken out. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import type { Readable, Transform } from "node:stream";
import { limits } from "../../core/limits.ts";
import type { AllowedUse } from "../../core/vault.ts";
import { giveBack } from "./giveBack.ts";
import { acceptedEncoding, hasBody, lengthOf, requestHeaders } from "./proxyHeaders.ts";
import { answerText, BodyError, readBody } from "./proxyRoute.ts";
import type { ProxyCall } from "./proxyRoute.ts";
import { createUpstream, UpstreamError } from "./upstream.ts";
import type { Upstream } from "./upstream.ts";
import { matcherOf } from "./valueMask.ts";

/** Every form in which a value could be in an answer: raw, encoded, escaped. None for one that would be found by chance. */
export type FindForms = (value: string) => readonly Uint8Array[];

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
  /** What answers the hand in place of the server, whose answer is dropped; undefined: the server's goes back. */
  readonly instead?: (status: number, headers: IncomingHttpHeaders) => (() => void) | undefined;
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
  readonly findForms: FindForms;
  /** Authorities beside those of Node and of VS Code, as PEM. */
  readonly ca?: string;
  readonly report: (what: string, thrown?: unknown) => void;
}

interface Attempt {
  readonly forwarding: Forwarding;
  readonly allowed: AllowedUse | null;
  readonly body: Buffer | Readable | null;
  readonly upstream: Upstream;
  readonly findForms: FindForms;
}

export function createForwarder({ findForms, ca, report }: ForwarderOptions): Forwarder {
  const upstream = createUpstream(ca);
  return {
    async forward(forwarding) {
      try {
        const body = await bodyOf(forwarding);
        await attempt({ forwarding, allowed: forwarding.allowed, body, upstream, findForms });
      } catch (thrown) {
        fail(forwarding, thrown, report);
      }
    },
    close: () => upstream.close(),
  };
}

/** What is sent. A small body of a use that can be renewed is read whole, to be sent a second time. */
async function bodyOf({ call, body, allowed }: Forwarding): Promise<Buffer | Readable | null> {
  if (Buffer.isBuffer(body)) return body;
  if (body === undefined && !hasBody(call.request)) return null;
  call.takeBody();
  const source = body ?? call.request;
  const length = lengthOf(call.request);
  const isRepeated = allowed?.renew !== undefined && length !== undefined && length <= limits.proxyRepeatBytesMax;
  return isRepeated ? await readBody(source, limits.proxyRepeatBytesMax, call.signal) : source;
}

async function attempt(given: Attempt): Promise<void> {
  const { forwarding, allowed, body, upstream } = given;
  const { call, target } = forwarding;
  if (allowed !== null) assertSafe(target);
  const signal = allowed === null ? call.signal : AbortSignal.any([call.signal, allowed.signal]);
  signal.throwIfAborted();
  const incoming = await upstream.send({
    target,
    method: forwarding.method ?? call.request.method ?? "GET",
    headers: headersOf(given),
    body,
    signal,
  });
  if (incoming.statusCode === 401 && allowed?.renew !== undefined && (body === null || Buffer.isBuffer(body))) {
    const next = await allowed.renew();
    if (next !== null) {
      incoming.destroy();
      if (!next.allowed) return answerText(call.response, 403, next.message);
      // Once: what was renewed just now is not renewed again.
      const { renew: _, ...renewed } = next;
      return await attempt({ ...given, allowed: renewed });
    }
  }
  const matcher = allowed === null ? null : matcherOf(formsOf(allowed, given.findForms));
  await giveBack({ incoming, forwarding, matcher, signal });
}

/** A value goes out over TLS, or not at all; within this computer it may go without. */
function assertSafe(target: URL): void {
  const isLoopback = /^(?:127(?:\.\d+){3}|\[::1\]|localhost)$/.test(target.hostname);
  if (target.protocol === "https:" || (target.protocol === "http:" && isLoopback)) return;
  throw new UpstreamError(502, `${target.origin} is not reached over https, so that no credential goes there.`);
}

function headersOf({ forwarding, allowed, body }: Attempt): OutgoingHttpHeaders {
  const { call, headers = {} } = forwarding;
  const added = { ...headers, ...allowed?.headers };
  const sent = requestHeaders(call.request, Object.keys(added));
  Object.assign(sent, added);
  const isSearched = allowed !== null || forwarding.change !== undefined;
  const accepted = call.request.headers["accept-encoding"];
  if (isSearched) sent["accept-encoding"] = acceptedEncoding(call.request);
  else if (accepted !== undefined) sent["accept-encoding"] = accepted;
  const length = Buffer.isBuffer(body) ? body.length : body === null ? undefined : lengthOf(call.request);
  if (length !== undefined) sent["content-length"] = length;
  else if (body !== null) sent["transfer-encoding"] = "chunked";
  return sent;
}

/** All that an answer must not show: the value, and what was made of it for a header (basic authentication) or a form. */
function formsOf({ value, headers }: AllowedUse, findForms: FindForms): readonly Uint8Array[] {
  const forms = findForms(value).map((form) => Buffer.from(form));
  const made = Object.entries(headers).flatMap(([name, text]) => {
    const bytes = Buffer.from(text);
    const isMade = name === "authorization" || name === "cookie" || forms.some((form) => bytes.includes(form));
    // What follows the scheme (`Basic`, `Bearer`).
    return isMade ? findForms(text.slice(text.indexOf(" ") + 1)) : [];
  });
  // Forms escape more than URLs do.
  const escaped = new URLSearchParams([["", value]]).toString().slice(1);
  return [...forms, ...made, ...(forms.length === 0 ? [] : findForms(escaped))];
}

function fail({ call, target, allowed }: Forwarding, thrown: unknown, report: ForwarderOptions["report"]): void {
  const { response, signal } = call;
  if (signal.aborted) return void response.destroy();
  if (allowed?.signal.aborted === true) {
    return answerText(response, 403, `The grant for ${target.origin} was revoked, or the session has ended.`);
  }
  const isTold = thrown instanceof UpstreamError || thrown instanceof BodyError;
  if (isTold) return answerText(response, thrown.status, thrown.message);
  if (!response.headersSent) report(`A request to ${target.origin} could not be forwarded`, thrown);
  answerText(response, 502, `${target.origin} did not answer as it should.`);
}
