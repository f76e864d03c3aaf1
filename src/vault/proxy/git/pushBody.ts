/** The body of a push: its head is read, and what was read goes on ahead of the rest. */
import { PassThrough, pipeline } from "node:stream";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import type { Gunzip } from "node:zlib";
import type { IncomingMessage } from "node:http";
import { limits } from "../../../core/limits.ts";
import { BodyError } from "../proxyRoute.ts";
import { createPushReader } from "./pushCommands.ts";
import type { PushReading } from "./pushCommands.ts";

export interface PushBody {
  /** Never `more`. */
  readonly reading: PushReading;
  /** The whole body as the hand sends it, no faster than it is taken. To be asked for once, and not after `drain`. */
  whole(): Readable;
  /** Takes the rest of it without keeping anything: a client that is still sending reads no answer. */
  drain(): Promise<void>;
}

/**
 * Rejects with BodyError where the body ends too early, is packed in an unknown way or comes too slowly.
 * A packed body goes on packed: a server that unpacks less of it than was read here sees a part of what was decided on.
 */
export async function readPushBody(request: IncomingMessage): Promise<PushBody> {
  const unpack = unpackerOf(request);
  const reader = createPushReader();
  const raw: Buffer[] = [];
  let reading: PushReading = { state: "more" };
  const feed = (chunk: Buffer): void => {
    if (reading.state === "more") reading = reader.push(chunk);
  };
  unpack?.on("data", feed);
  const stalled = deadline(request);
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      stalled.refresh();
      raw.push(chunk as Buffer);
      if (unpack === undefined) feed(chunk as Buffer);
      else await unpacked(unpack, chunk as Buffer);
      // Read as a value of any state: the feed has changed it.
      if ((reading as PushReading).state !== "more") break;
    }
  } finally {
    clearTimeout(stalled);
    unpack?.destroy();
  }
  if ((reading as PushReading).state === "more") {
    throw new BodyError(400, "The list of refs to push was not sent whole.");
  }
  return { reading, whole: () => joined(raw, request), drain: () => drain(request) };
}

function unpackerOf(request: IncomingMessage): Gunzip | undefined {
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding === "identity") return undefined;
  if (encoding === "gzip" || encoding === "x-gzip") return createGunzip();
  throw new BodyError(415, "A push that is packed in this way cannot be looked at; send it plain or with gzip.");
}

function unpacked(unpack: Gunzip, chunk: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (): void => reject(new BodyError(400, "The request's body is not packed with gzip as it says."));
    unpack.once("error", fail);
    unpack.write(chunk, (error) => {
      unpack.off("error", fail);
      if (error == null) resolve();
      else fail();
    });
  });
}

function deadline(request: IncomingMessage): NodeJS.Timeout {
  return setTimeout(() => {
    request.destroy(new BodyError(408, "Nothing of the request's body came for too long."));
  }, limits.proxyStallMs);
}

function joined(head: readonly Buffer[], rest: IncomingMessage): Readable {
  const body = new PassThrough();
  for (const chunk of head) body.write(chunk);
  if (rest.readableEnded) body.end();
  // An error ends both, and is told by the body.
  else pipeline(rest, body, () => {});
  return body;
}

async function drain(request: IncomingMessage): Promise<void> {
  const stalled = deadline(request);
  try {
    for await (const _ of request.iterator({ destroyOnReturn: false })) stalled.refresh();
  } finally {
    clearTimeout(stalled);
  }
}
