/** Where the browser comes back to after a sign-in on this computer: a listener of the moment. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { SignInRedirect } from "../../core/vault.ts";

const PATH = "/oauth";

const PAGE = `<!doctype html><meta charset="utf-8"><title>Many Hands</title>
<p>You can close this page and go back to VS Code.</p>`;

/** Listens on 127.0.0.1 as long as the sign-in takes: for a browser on the same computer (RFC 8252, 7.3). */
export const loopbackRedirect: SignInRedirect = {
  async open(before) {
    const port = before === null ? 0 : Number(URL.parse(before)?.port ?? 0);
    const server = createServer();
    const bound = await listenOn(server, port).catch(() => listenOn(server, 0));
    const uri = `http://127.0.0.1:${bound}${PATH}`;
    return { uri, wait: (state, signal) => waitFor(server, state, signal), close: () => closed(server) };
  },
};

async function listenOn(server: Server, port: number): Promise<number> {
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

function waitFor(server: Server, state: string, signal: AbortSignal): Promise<URLSearchParams> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    server.on("request", (request, response) => {
      const url = URL.parse(request.url ?? "/", "http://127.0.0.1");
      // A page that guesses the address learns nothing and ends nothing.
      const isIt = url?.pathname === PATH && request.method === "GET" && url.searchParams.get("state") === state;
      response.writeHead(isIt ? 200 : 404, {
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": "default-src 'none'",
        "referrer-policy": "no-referrer",
        "cache-control": "no-store",
        connection: "close",
      });
      response.end(isIt ? PAGE : "");
      if (!isIt) return;
      signal.removeEventListener("abort", abort);
      resolve(url.searchParams);
    });
  });
}

async function closed(server: Server): Promise<void> {
  if (!server.listening) return;
  server.close();
  // The page's answer is on its way: the browser closes the connection itself.
  server.closeIdleConnections();
}
