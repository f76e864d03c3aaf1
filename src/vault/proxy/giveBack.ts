/** Gives a server's answer to the hand: decoded where it must be searched, with every form of the value masked. */
import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream/promises";
import type { Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createInflate } from "node:zlib";
import type { FormMatcher } from "../formMatcher.ts";
import type { Forwarding } from "./forward.ts";
import { lengthOf, responseHeaders } from "./proxyHeaders.ts";
import { UpstreamError } from "./upstream.ts";
import { maskStream, maskText } from "./valueMask.ts";

export interface Answer {
  readonly incoming: IncomingMessage;
  readonly forwarding: Forwarding;
  /** null: nothing is searched for. */
  readonly matcher: FormMatcher | null;
  /** Cuts the transfer. */
  readonly signal: AbortSignal;
}

/** Resolves when all has gone to the hand. Rejects, with nothing sent or the hand's connection cut. */
export async function giveBack({ incoming, forwarding, matcher, signal }: Answer): Promise<void> {
  const { call, target } = forwarding;
  const { response } = call;
  const status = incoming.statusCode ?? 502;
  const instead = forwarding.instead?.(status, incoming.headers);
  if (instead !== undefined) {
    incoming.destroy();
    return instead();
  }
  const headers = responseHeaders(incoming);
  const isEmpty = (forwarding.method ?? call.request.method) === "HEAD" || status === 204 || status === 304;
  let length = lengthOf(incoming);
  const stages: Transform[] = [];
  if (!isEmpty) {
    const change = forwarding.change?.(status, incoming.headers);
    const decoder = matcher !== null || change !== undefined ? decoderOf(incoming, target) : undefined;
    if (decoder !== undefined) delete headers["content-encoding"];
    if (decoder !== undefined || change !== undefined) length = undefined;
    for (const stage of [decoder, change, matcher === null ? undefined : maskStream(matcher)]) {
      if (stage !== undefined) stages.push(stage);
    }
  }
  const location = locationOf(incoming, forwarding);
  if (location !== undefined) headers["location"] = [location];
  if (matcher !== null) maskHeaders(matcher, headers, incoming.rawHeaders);
  if (length !== undefined) headers["content-length"] = [String(length)];
  signal.throwIfAborted();
  response.writeHead(status, headers);
  // A stream of events begins with its head alone.
  if (length === undefined) response.flushHeaders();
  await pipeline([incoming, ...stages, response], { signal });
}

function decoderOf(incoming: IncomingMessage, target: URL): Transform | undefined {
  const encoding = (incoming.headers["content-encoding"] ?? "identity").trim().toLowerCase();
  switch (encoding) {
    case "":
    case "identity":
      return undefined;
    case "gzip":
    case "x-gzip":
      return createGunzip();
    case "br":
      return createBrotliDecompress();
    case "deflate":
      return createInflate();
    default:
      incoming.destroy();
      throw new UpstreamError(502, `${target.origin} answered in an encoding that was not asked for.`);
  }
}

/** Where the server sends the hand: within its origin to the same place at the proxy, elsewhere as it is and without anything added. */
function locationOf(incoming: IncomingMessage, { target, relocate }: Forwarding): string | undefined {
  const given = incoming.headers.location;
  if (given === undefined || !URL.canParse(given, target.href)) return undefined;
  const url = new URL(given, target.href);
  return (url.origin === target.origin ? relocate?.(url) : undefined) ?? url.href;
}

function maskHeaders(matcher: FormMatcher, headers: Record<string, string[]>, rawHeaders: readonly string[]): void {
  for (const [at, name] of rawHeaders.entries()) {
    if (at % 2 === 0 && maskText(matcher, name) !== name) delete headers[name.toLowerCase()];
  }
  for (const [name, values] of Object.entries(headers)) headers[name] = values.map((value) => maskText(matcher, value));
}
