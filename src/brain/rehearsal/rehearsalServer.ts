/** The rehearsal as an embedded Messages server on loopback, so that it goes the same way as any model. */
import { createHash, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { isObject } from "../../core/json.ts";
import type { JsonObject } from "../../core/json.ts";
import { errorBody, frameText, turnFrames } from "../messages/frames.ts";
import type { Pieces, StreamedTurn } from "../messages/frames.ts";
import type { LongCommand } from "./longPart.ts";
import { rehearse } from "./part.ts";
import { REHEARSAL_MODEL } from "./prompts.ts";
import type { Reply } from "./reply.ts";
import { readTranscript } from "./transcript.ts";

export interface RehearsalOptions {
  /** Between two words, in milliseconds. */
  readonly wordMs?: number;
  readonly long?: LongCommand;
}

export interface RehearsalServer {
  /** Base URL for the adapter. Its path is a token that other programs of this computer do not know; no key is needed. */
  readonly url: string;
  close(): Promise<void>;
}

const bodyBytesMax = 64 * 1024 * 1024;
const bytesPerToken = 4;

export async function createRehearsalServer(options: RehearsalOptions = {}): Promise<RehearsalServer> {
  const { wordMs = 18, long = { lines: 30, secondsPerLine: 1 } } = options;
  const token = randomBytes(24).toString("base64url");
  const server = createServer((request, response) => {
    answer(request, response, `/${token}/v1/messages`, wordMs, long).catch(() => response.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  // The rehearsal alone is no reason for a process to live on.
  server.unref();
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/${token}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  path: string,
  wordMs: number,
  long: LongCommand,
): Promise<void> {
  const requestId = `req_${randomBytes(12).toString("hex")}`;
  response.setHeader("request-id", requestId);
  const fail = (status: number, type: string, message: string): void => {
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify(errorBody(type, message, requestId)));
  };
  if (request.url !== path || request.method !== "POST") {
    request.resume();
    return fail(404, "not_found_error", "Not Found");
  }
  const raw = await readBody(request);
  if (raw === undefined) return fail(413, "request_too_large", "Request exceeds the maximum size");
  const body = parse(raw);
  if (body === undefined) return fail(400, "invalid_request_error", "The request body is not a JSON object");
  const transcript = readTranscript(body);
  await stream(response, turnOf(rehearse(transcript, long), transcript.thinks, raw), wordMs);
}

function turnOf(reply: Reply, thinks: boolean, raw: string): StreamedTurn {
  const blocks: JsonObject[] = [];
  if (thinks && reply.thinking !== undefined) {
    const signature = createHash("sha256").update(reply.thinking).digest("base64");
    blocks.push({ type: "thinking", thinking: reply.thinking, signature });
  }
  blocks.push({ type: "text", text: reply.text });
  for (const { name, input } of reply.calls) {
    blocks.push({ type: "tool_use", id: `toolu_${randomBytes(12).toString("hex")}`, name, input });
  }
  const tokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / bytesPerToken);
  return {
    id: `msg_${randomBytes(12).toString("hex")}`,
    model: REHEARSAL_MODEL,
    blocks,
    stop_reason: reply.calls.length > 0 ? "tool_use" : "end_turn",
    usage: {
      input_tokens: tokens(raw),
      output_tokens: tokens(JSON.stringify(blocks)),
      cache_creation_input_tokens: 0,
      cache_read_input_tokens: 0,
    },
  };
}

/** Word by word, each with the space behind it. */
const words: Pieces = (text) => text.split(/(?<=\s)(?=\S)/);

async function stream(response: ServerResponse, turn: StreamedTurn, wordMs: number): Promise<void> {
  const left = new AbortController();
  response.once("close", () => left.abort());
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  for (const frame of turnFrames(turn, words)) {
    if (left.signal.aborted) return;
    response.write(frameText(frame));
    if (frame.event !== "content_block_delta" || wordMs === 0) continue;
    await sleep(wordMs, undefined, { signal: left.signal }).catch(() => {});
  }
  response.end();
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= bodyBytesMax) chunks.push(chunk);
  }
  return bytes <= bodyBytesMax ? Buffer.concat(chunks).toString("utf8") : undefined;
}

function parse(raw: string): Record<string, unknown> | undefined {
  try {
    const body: unknown = JSON.parse(raw);
    return isObject(body) ? body : undefined;
  } catch {
    return undefined;
  }
}
