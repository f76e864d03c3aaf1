/** Which hosts a hand with a limited network may connect to, by name. */
import { isIP } from "node:net";
import { egressPresets } from "./egressPresets.ts";

export interface Destination {
  /** Small letters, no dot at the end; an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
}

/** `host:port` as CONNECT has it; undefined: it is neither a name nor an address, or has no port. */
export function parseDestination(text: string): Destination | undefined {
  const [, bracketed, name, digits = ""] =
    /^(?:\[([0-9a-f:.]+)\]|([a-z0-9](?:[a-z0-9._-]*[a-z0-9])?)\.?):(\d{1,5})$/.exec(text.toLowerCase()) ?? [];
  const host = bracketed ?? name;
  const port = Number(digits);
  if (host === undefined || host.length > 253 || port < 1 || port > 65_535) return undefined;
  if (bracketed !== undefined && isIP(bracketed) !== 6) return undefined;
  return { host, port };
}

/** True where one of `allowed` names this host and port. An entry without a port means 443 and 80. */
export function isHostAllowed(allowed: readonly string[], { host, port }: Destination): boolean {
  const entries = allowed.flatMap((entry) =>
    Object.hasOwn(egressPresets, entry) ? (egressPresets[entry] ?? []) : [entry],
  );
  return entries.some((entry) => {
    const [, pattern = "", digits] = /^(\[[^\]]*\]|[^:]*)(?::(\d+))?$/.exec(entry.trim().toLowerCase()) ?? [];
    if (digits === undefined ? port !== 443 && port !== 80 : port !== Number(digits)) return false;
    const named = pattern.replace(/^\[(.*)\]$/, "$1").replace(/\.$/, "");
    // A pattern stands for names; an address is meant only where it is written.
    if (isIP(host) !== 0 || !named.startsWith("*")) return named === host;
    return named === "*" || (named.startsWith("*.") && host.endsWith(named.slice(1)));
  });
}
