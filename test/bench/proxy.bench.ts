/**
 * The credential proxy against going straight there: a call of an API, and a large body over a line of 400 Mbit/s. Server and
 * client are in threads of their own; over TLS to the server both times; both ways take turns in one run. What the proxy
 * gives where server, proxy and client share this computer's processors and nothing else is slow stands beside it.
 */
import { once } from "node:events";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { Worker } from "node:worker_threads";
import type { SessionId } from "../../src/core/ids.ts";
import { createCredentialProxy } from "../../src/vault/proxy/credentialProxy.ts";
import { createAuthority } from "../fixtures/certificates.ts";
import { findForms } from "../integration/vault/proxyKit.ts";
import { median } from "./benchLog.ts";
import type { Figure } from "./benchLog.ts";
import type { ClientData, Errand, UpstreamData } from "./proxyUpstream.ts";

const CALLS = 200;
const WARM_UP = 20;
const BODIES = 3;
/** What a line to a server far away gives at best: 400 Mbit/s. */
const LINE_BYTES_PER_S = 50_000_000;
const BODY_BYTES = 200 * 1024 * 1024;
const ADDED_MS_MAX = 3;
const RATIO_MIN = 0.8;
const VALUE = "bench-credential-0123456789-abcdefghijklmnopqrstuvwxyz";
const TOKEN = "bench-token";

function start(data: UpstreamData | ClientData): Worker {
  // Not with the bench's own flags, which are for a program without a file.
  return new Worker(new URL("./proxyUpstream.ts", import.meta.url), { workerData: data, execArgv: [] });
}

async function openProxy(origin: string, ca: string): Promise<{ url: string; close: () => void }> {
  const proxy = createCredentialProxy({
    authority: {
      decide: () =>
        Promise.resolve({
          allowed: true,
          credential_id: "vcrd_bench",
          headers: { authorization: `Bearer ${VALUE}` },
          value: VALUE,
          signal: new AbortController().signal,
        }),
    },
    findForms,
    apis: () => [{ name: "bench", base_url: origin, credential: "bench" }],
    mcpServers: () => [],
    report: (what, thrown) => console.error(what, thrown),
    ca,
  });
  const session_id = "sesn_bench000000" as SessionId;
  const entrance = proxy.openEntrance({ session_id, hand: "local", token: TOKEN, egress: null });
  const listener = createServer({ noDelay: true }, (socket) => entrance.accept(socket));
  await once(listener.listen(0, "127.0.0.1"), "listening");
  return {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}/${TOKEN}/api/bench`,
    close() {
      proxy.close();
      listener.close();
    },
  };
}

export async function bench(): Promise<readonly Figure[]> {
  const authority = createAuthority();
  const server = start({ role: "server", certificate: authority.issue(["127.0.0.1"]) });
  const client = start({ role: "client", ca: authority.ca });
  const [port] = (await once(server, "message")) as [number];
  const origin = `https://127.0.0.1:${port}`;
  const proxy = await openProxy(origin, authority.ca);
  const run = async (url: string, bytes: number, speed: number): Promise<number> => {
    client.postMessage({ url: `${url}/${speed}/${bytes}`, bytes } satisfies Errand);
    const [ms] = (await once(client, "message")) as [number];
    return ms;
  };
  const compare = async (
    rounds: number,
    bytes: number,
    speed: number,
  ): Promise<{ through: number; direct: number }> => {
    const warmUp = rounds > WARM_UP ? WARM_UP : 0;
    const times = { through: [] as number[], direct: [] as number[] };
    for (let round = 0; round < rounds + warmUp; round += 1) {
      const direct = await run(origin, bytes, speed);
      const through = await run(proxy.url, bytes, speed);
      if (round < warmUp) continue;
      times.direct.push(direct);
      times.through.push(through);
    }
    return { through: median(times.through), direct: median(times.direct) };
  };
  try {
    const call = await compare(CALLS, 500, 0);
    const added = call.through - call.direct;
    const body = await compare(BODIES, BODY_BYTES, LINE_BYTES_PER_S);
    const free = await compare(BODIES, BODY_BYTES, 0);
    const ratio = body.direct / body.through;
    const speedOf = (ms: number): string => `${(BODY_BYTES / 1e6 / (ms / 1000)).toFixed(0)} MB/s`;
    return [
      {
        name: "an API call through the vault's proxy",
        value: added,
        unit: "ms more",
        target: `≤ ${ADDED_MS_MAX}`,
        ok: added <= ADDED_MS_MAX,
        detail: `p50 ${call.through.toFixed(2)} ms against ${call.direct.toFixed(2)} ms straight`,
      },
      {
        name: "200 MB through the vault's proxy, over 400 Mbit/s",
        value: ratio,
        unit: "of the throughput",
        target: `≥ ${RATIO_MIN}`,
        ok: ratio >= RATIO_MIN,
        detail: `${speedOf(body.through)} against ${speedOf(body.direct)} straight; without the line ${speedOf(free.through)} against ${speedOf(free.direct)}`,
      },
    ];
  } finally {
    proxy.close();
    await Promise.all([server.terminate(), client.terminate()]);
  }
}
