/** What the tests of the credential proxy share: a small real authority, an entrance behind a real listener, and clients. */
import { randomBytes } from "node:crypto";
import http from "node:http";
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from "node:http";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import type { SessionId } from "../../../src/core/ids.ts";
import type { AllowedUse, Egress, UseAuthority, UseDecision, VaultUse } from "../../../src/core/vault.ts";
import type { ApiDefinition } from "../../../src/vault/proxy/apiRoute.ts";
import { createCredentialProxy } from "../../../src/vault/proxy/credentialProxy.ts";
import type {
  CredentialProxy,
  CredentialProxyOptions,
  ProxyEntrance,
} from "../../../src/vault/proxy/credentialProxy.ts";
import type { McpDefinition } from "../../../src/vault/proxy/mcpRoute.ts";
import { isBelow } from "../../../src/vault/proxy/proxyPath.ts";

export const SESSION = "sesn_0123456789abcdef" as SessionId;
/** As a header can carry it. */
export const TOKEN = `tok_${randomBytes(15).toString("base64url")}~`;

/** What one test credential may do. */
interface TestGrant {
  readonly name?: string;
  readonly kind?: VaultUse["kind"];
  readonly origin: string;
  readonly path_prefix: string;
  readonly methods?: readonly string[];
  readonly headers?: Readonly<Record<string, string>>;
  readonly value?: string;
}

class TestAuthority implements UseAuthority {
  readonly grants: TestGrant[] = [];
  readonly asked: VaultUse[] = [];
  readonly allowed: VaultUse[] = [];
  /** Aborting it revokes all that is granted. */
  readonly revoked = new AbortController();
  renew: (() => Promise<UseDecision | null>) | undefined;

  decide(use: VaultUse, _signal?: AbortSignal): Promise<UseDecision> {
    this.asked.push(use);
    const grant = this.grants.find(
      (one) =>
        one.origin === use.origin &&
        isBelow(use.path, one.path_prefix) &&
        (one.kind ?? "http") === use.kind &&
        (one.name === undefined || one.name === use.credential_name) &&
        (one.methods === undefined || one.methods.includes(use.method)),
    );
    if (grant === undefined) {
      const message = `${use.method} ${use.origin}${use.path} is not granted. A person can grant it.`;
      return Promise.resolve({ allowed: false, reason: "not_granted", message });
    }
    this.allowed.push(use);
    return Promise.resolve(this.allow(grant));
  }

  allow({ value = TOKEN, headers = { authorization: `Bearer ${value}` } }: TestGrant): AllowedUse {
    const plain = { allowed: true as const, credential_id: "vcrd_1", headers, value, signal: this.revoked.signal };
    return this.renew === undefined ? plain : { ...plain, renew: this.renew };
  }
}

/** The forms that an echo server of these tests uses. */
export function findForms(value: string): readonly Buffer[] {
  const bytes = Buffer.from(value);
  const escaped = JSON.stringify(value).slice(1, -1);
  const forms = [value, escaped, encodeURIComponent(value), bytes.toString("hex")];
  for (const before of [0, 1, 2]) {
    const padded = Buffer.concat([Buffer.alloc(before), bytes]);
    const [from, to] = [Math.ceil((before * 8) / 6), Math.floor((padded.length * 8) / 6)];
    forms.push(padded.toString("base64").slice(from, to), padded.toString("base64url").slice(from, to));
  }
  return forms.map((form) => Buffer.from(form));
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly text: string;
  readonly bytes: Buffer;
}

export class ProxyKit {
  readonly authority = new TestAuthority();
  readonly apis: ApiDefinition[] = [];
  readonly mcpServers: McpDefinition[] = [];
  readonly reports: string[] = [];
  readonly #listeners: { readonly server: Server; readonly sockets: Set<Socket> }[] = [];
  #proxy: CredentialProxy | undefined;

  proxy(options: Partial<CredentialProxyOptions> = {}): CredentialProxy {
    this.#proxy ??= createCredentialProxy({
      authority: this.authority,
      findForms,
      apis: () => this.apis,
      mcpServers: () => this.mcpServers,
      report: (what, thrown) => this.reports.push(`${what}: ${String(thrown)}`),
      ...options,
    });
    return this.#proxy;
  }

  /** An entrance of its own behind a listener on loopback. */
  async enter(egress: Egress | null = null, hand = "local"): Promise<Door> {
    const token = randomBytes(32).toString("base64url");
    const entrance = this.proxy().openEntrance({ session_id: SESSION, hand, token, egress });
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      sockets.add(socket);
      socket.once("close", () => sockets.delete(socket));
      entrance.accept(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#listeners.push({ server, sockets });
    return new Door(entrance, (server.address() as AddressInfo).port);
  }

  async close(): Promise<void> {
    this.#proxy?.close();
    for (const { server, sockets } of this.#listeners) {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
  }
}

export interface Ask {
  readonly method?: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Buffer;
}

/** A hand's view of its entrance. */
export class Door {
  readonly entrance: ProxyEntrance;
  readonly port: number;

  constructor(entrance: ProxyEntrance, port: number) {
    this.entrance = entrance;
    this.port = port;
  }

  get token(): string {
    return this.entrance.token;
  }

  /** `/<token>/api/…`. */
  api(path: string): string {
    return `/${this.token}/api/${path}`;
  }

  /** `path` goes out as it is. */
  ask(path: string, { method = "GET", headers = {}, body }: Ask = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = http.request({ port: this.port, host: "127.0.0.1", path, method, headers, agent: false });
      request.once("error", reject);
      request.once("response", (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.once("error", reject);
        response.once("end", () => {
          const bytes = Buffer.concat(chunks);
          const { statusCode: status = 0, headers: given, rawHeaders } = response;
          resolve({ status, headers: given, rawHeaders, text: bytes.toString(), bytes });
        });
      });
      request.end(body);
    });
  }

  /** Sends these bytes over a connection of its own and gives all that comes back until the proxy ends it. */
  raw(bytes: string | Buffer): Promise<string> {
    return new Promise((resolve) => {
      const socket = connect({ port: this.port, host: "127.0.0.1" });
      const chunks: Buffer[] = [];
      socket.on("data", (chunk) => chunks.push(chunk));
      socket.once("error", () => {});
      socket.once("close", () => resolve(Buffer.concat(chunks).toString("latin1")));
      socket.write(bytes);
    });
  }
}
