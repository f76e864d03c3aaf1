/** The credential proxy: an HTTP server that never listens; each hand's connections come in through an entrance of its own. */
import type { SessionId } from "../../core/ids.ts";
import type { Egress, UseAuthority } from "../../core/vault.ts";
import type { Forwarder } from "./forward.ts";
import type { ProxyRoute } from "./proxyRoute.ts";

export interface EntranceOptions {
  readonly session_id: SessionId;
  readonly hand: string;
  /** 32 random bytes, base64url; dies with the entrance. */
  readonly token: string;
  /** null: the hand's network is not limited. */
  readonly egress: Egress | null;
}

export interface ProxyEntrance {
  readonly token: string;
  /** Takes a connection that came from this hand and no other. */
  accept(connection: NodeJS.ReadWriteStream): void;
  /** Ends all that came in through it; what comes later is refused. */
  close(): void;
}

export interface CredentialProxy {
  openEntrance(options: EntranceOptions): ProxyEntrance;
  close(): void;
}

/** What a route is made of that is given to the proxy from outside: git's. */
export interface RouteParts {
  readonly authority: UseAuthority;
  readonly forwarder: Forwarder;
  readonly report: (what: string, thrown?: unknown) => void;
}

export type RouteFactory = (parts: RouteParts) => ProxyRoute;
