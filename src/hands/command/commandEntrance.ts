/** The way back from a hand behind a command: only its spec can say how this computer is reached from there. */
import { isIP } from "node:net";
import type { HandSpec } from "../../core/config.ts";
import { ManyHandsError } from "../../core/errors.ts";
import { listenForHand } from "../shell/entranceListener.ts";
import type { AcceptConnection, EntranceWay, EntranceWish } from "../shell/shellStream.ts";

export interface ProxyOptions {
  /** As the hand sees it; `{port}` stands for the port that is listened at. */
  readonly url: string;
  readonly address: string;
  /** null: any. */
  readonly port: number | null;
}

/**
 * `options.proxy`: `http://10.0.0.5:4711` or `http://10.0.0.5:{port}`; `options.proxy_listen`: `10.0.0.5:4711`, with port 0 for
 * any. null: the spec names no way. Throws `hand_unavailable` for what cannot be understood.
 */
export function proxyOptionsOf({ name, options = {} }: HandSpec): ProxyOptions | null {
  const { proxy, proxy_listen: listen } = options;
  if (proxy === undefined && listen === undefined) return null;
  const bad = (why: string): ManyHandsError =>
    new ManyHandsError("hand_unavailable", "hand", `The hand "${name}" cannot be made: ${why}`);
  if (typeof proxy !== "string" || typeof listen !== "string") {
    throw bad(
      "options.proxy (how it sees this computer) and options.proxy_listen (address:port here) belong together.",
    );
  }
  const found = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(listen);
  const address = found?.[1] ?? found?.[2] ?? "";
  const port = Number(found?.[3]);
  if (isIP(address) === 0 || !(port < 65_536)) {
    throw bad(
      `options.proxy_listen is ${JSON.stringify(listen)}: give an address of this computer and a port, 127.0.0.1:0.`,
    );
  }
  if (!/^http:\/\/[^/?#@\s]+\/?$/.test(proxy) || !URL.canParse(proxy.replace("{port}", "1"))) {
    throw bad(`options.proxy is ${JSON.stringify(proxy)}: give http://host:port, without a path.`);
  }
  if (port === 0 && !proxy.includes("{port}")) {
    throw bad("options.proxy needs {port} where options.proxy_listen has port 0.");
  }
  return { url: proxy.replace(/\/$/, ""), address, port: port === 0 ? null : port };
}

/** Who connects there cannot be told: the entrance's token decides alone. Rejects with the reason. */
export async function openCommandEntrance(
  { url, address, port }: ProxyOptions,
  accept: AcceptConnection,
  wish: EntranceWish,
): Promise<EntranceWay> {
  const isFixed = port !== null;
  const admits = (): Promise<boolean> => Promise.resolve(true);
  const listener = await listenForHand({ address, port: port ?? wish.port, isFixed, accept, admits });
  return { url: url.replace("{port}", String(listener.port)), close: listener.close };
}
