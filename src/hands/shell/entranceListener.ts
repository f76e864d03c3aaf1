/** A listener on this computer by which a hand reaches the credential proxy, at the port that it had before if that is free. */
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { messageOf } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import type { AcceptConnection } from "./shellStream.ts";

/** A server that listens. Rejects with the system's error. */
export type OpenServer = (address: string, port: number) => Promise<Server>;

export interface EntranceListenerOptions {
  readonly address: string;
  /** null: any. */
  readonly port: number | null;
  /** Only this port will do. */
  readonly isFixed?: boolean;
  readonly accept: AcceptConnection;
  /** Whether this connection comes from the hand. Never rejects. */
  readonly admits: (connection: Socket) => Promise<boolean>;
  /** Default: this computer's own. */
  readonly openServer?: OpenServer;
}

export interface EntranceListener {
  readonly port: number;
  /** Also ends the connections that are open. */
  readonly close: () => void;
}

/** What a far end takes half-closed streams for is its own business. */
export const openServerHere: OpenServer = (address, port) =>
  listening(createServer({ allowHalfOpen: true, noDelay: true }), { host: address, port });

export function listening(
  server: Server,
  at: { readonly host: string; readonly port: number } | string,
): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(at, () => {
      server.off("error", reject);
      resolve(server);
    });
  });
}

/** Rejects with the reason in words. */
export async function listenForHand(options: EntranceListenerOptions): Promise<EntranceListener> {
  const { address, port, isFixed = false, openServer = openServerHere } = options;
  const server = await openServer(address, port ?? 0).catch((thrown: unknown) => {
    if (port === null || isFixed || codeOf(thrown) !== "EADDRINUSE") throw reasonOf(address, port, thrown);
    return openServer(address, 0);
  });
  const close = serve(server, options);
  return { port: (server.address() as AddressInfo).port, close };
}

/** Gives each connection that is admitted to `accept`. The result closes all. */
export function serve(
  server: Server,
  { accept, admits }: Pick<EntranceListenerOptions, "accept" | "admits">,
): () => void {
  const open = new Set<Socket>();
  server.maxConnections = limits.entranceConnectionsMax;
  server.on("error", () => {});
  server.on("connection", (connection) => {
    open.add(connection);
    connection.on("error", () => {});
    connection.once("close", () => open.delete(connection));
    void admits(connection).then((isAdmitted) => {
      if (connection.destroyed) return;
      if (isAdmitted) accept(connection);
      else connection.destroy();
    });
  });
  return () => {
    server.close();
    for (const connection of open) connection.destroy();
  };
}

function codeOf(thrown: unknown): string | undefined {
  return (thrown as NodeJS.ErrnoException | null)?.code;
}

/** The address is none of this computer's. */
export class NotOurAddress extends Error {}

function reasonOf(address: string, port: number | null, thrown: unknown): Error {
  const at = port === null ? address : `${address}:${port}`;
  switch (codeOf(thrown)) {
    case "EADDRNOTAVAIL":
      return new NotOurAddress(`${address} is no address of this computer`, { cause: thrown });
    case "EADDRINUSE":
      return new Error(`${at} is taken by another program`, { cause: thrown });
    case "EACCES":
      return new Error(`this user may not listen at ${at}`, { cause: thrown });
    default:
      return new Error(`this computer cannot listen at ${at} (${messageOf(thrown)})`, { cause: thrown });
  }
}
