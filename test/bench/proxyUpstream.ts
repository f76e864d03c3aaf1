/** For the bench of the proxy, in threads of their own: a server over HTTPS, and a client that says how long it took. */
import { createServer, request as askHttps } from "node:https";
import { request as askHttp } from "node:http";
import type { AddressInfo } from "node:net";
import { isMainThread, parentPort, workerData } from "node:worker_threads";
import type { Certificate } from "../fixtures/certificates.ts";

export interface UpstreamData {
  readonly role: "server";
  readonly certificate: Certificate;
}

export interface ClientData {
  readonly role: "client";
  readonly ca: string;
}

/** What the client is asked for, and answers with its milliseconds. */
export interface Errand {
  readonly url: string;
  readonly bytes: number;
}

const piece = Buffer.alloc(256 * 1024, "The quick brown fox jumps over the lazy dog. ");

/** `/<bytes per second>/<bytes>`; 0 per second: as fast as it goes. */
function serve({ certificate }: UpstreamData): void {
  const server = createServer(certificate, (request, response) => {
    const [, speed = 0, bytes = 0] = (request.url ?? "").split("/").map(Number);
    const start = performance.now();
    let sent = 0;
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": bytes });
    const write = (): void => {
      while (sent < bytes) {
        const early = speed === 0 ? 0 : (sent / speed) * 1_000 - (performance.now() - start);
        if (early > 1) return void setTimeout(write, early);
        const size = Math.min(bytes - sent, piece.length);
        sent += size;
        if (!response.write(piece.subarray(0, size))) return void response.once("drain", write);
      }
      response.end();
    };
    write();
  });
  server.listen(0, "127.0.0.1", () => parentPort?.postMessage((server.address() as AddressInfo).port));
}

function run({ ca }: ClientData): void {
  parentPort?.on("message", ({ url, bytes }: Errand) => {
    const start = performance.now();
    const done = (response: NodeJS.ReadableStream): void => {
      let count = 0;
      response.on("data", (chunk: Buffer) => (count += chunk.length));
      response.once("end", () => {
        if (count !== bytes) throw new Error(`${count} bytes came instead of ${bytes}`);
        parentPort?.postMessage(performance.now() - start);
      });
    };
    if (url.startsWith("https:")) askHttps(url, { ca }, done).end();
    else askHttp(url, done).end();
  });
}

if (!isMainThread) {
  const data = workerData as UpstreamData | ClientData;
  if (data.role === "server") serve(data);
  else run(data);
}
