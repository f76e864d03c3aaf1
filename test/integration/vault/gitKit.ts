/** What the tests of git through the credential proxy share: a server, an entrance on loopback, a hand's folder, and grants. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { SessionId } from "../../../src/core/ids.ts";
import type { UseAuthority, UseDecision, VaultUse } from "../../../src/core/vault.ts";
import { createCredentialProxy } from "../../../src/vault/proxy/credentialProxy.ts";
import type { CredentialProxy } from "../../../src/vault/proxy/credentialProxy.ts";
import { gitEnvironment } from "../../../src/vault/proxy/git/gitEnvironment.ts";
import { gitAuthorization } from "../../../src/vault/proxy/git/gitHosts.ts";
import { createGitRoute } from "../../../src/vault/proxy/git/gitRoute.ts";
import { matchesPattern } from "../../../src/core/refPattern.ts";
import { startGitServer } from "../../fixtures/git/gitServer.ts";
import type { GitServer } from "../../fixtures/git/gitServer.ts";
import type { TestServerOptions } from "../../fixtures/httpsServer.ts";
import { findForms } from "./proxyKit.ts";

interface GitGrant {
  readonly origin: string;
  readonly repositories: readonly string[];
  readonly push_refs: readonly string[];
}

/** Grants as the vault has them, for one credential. */
class GitAuthority implements UseAuthority {
  readonly grants: GitGrant[] = [];
  readonly asked: VaultUse[] = [];
  /** By host. */
  readonly tokens = new Map<string, string>();
  revoked = new AbortController();

  decide(use: VaultUse): Promise<UseDecision> {
    this.asked.push(use);
    const host = new URL(use.origin).host;
    const value = this.tokens.get(host);
    const { git } = use;
    if (value === undefined || git === undefined) {
      const message = `There is no git credential for ${host}. A person can add one in the Vault view.`;
      return Promise.resolve({ allowed: false, reason: "no_credential", message });
    }
    const grant = this.grants.find(
      ({ origin, repositories }) =>
        origin === use.origin && repositories.some((pattern) => matchesPattern(pattern, git.repository)),
    );
    const refs = git.refs ?? [];
    const isGranted =
      grant !== undefined &&
      (git.service === "fetch" ||
        (grant.push_refs.length > 0 &&
          refs.every((ref) => grant.push_refs.some((pattern) => matchesPattern(pattern, ref)))));
    if (!isGranted || this.revoked.signal.aborted) {
      const what = `${git.service === "push" ? "Pushing" : "Fetching"}${refs.length > 0 ? ` to ${refs.join(", ")}` : ""}`;
      const message = `${what} of ${git.repository} at ${host} is not granted. A person can grant it in the Vault view.`;
      return Promise.resolve({ allowed: false, reason: "not_granted", message });
    }
    const headers = gitAuthorization(host, { token: value });
    return Promise.resolve({
      allowed: true,
      credential_id: "vcrd_git",
      headers,
      value,
      signal: this.revoked.signal,
    });
  }
}

export interface Ran {
  readonly code: number | null;
  /** Both streams, as they came. */
  readonly output: string;
}

export interface Dam {
  readonly environment: Record<string, string>;
  readonly isFull: Promise<void>;
  readonly release: () => void;
}

export interface GitKitOptions {
  readonly tls?: TestServerOptions;
}

export class GitKit {
  readonly token = `ghp_${randomBytes(18).toString("hex")}`;
  readonly authority = new GitAuthority();
  readonly reports: string[] = [];
  readonly #sockets = new Set<Socket>();
  #server: GitServer | undefined;
  #proxy: CredentialProxy | undefined;
  readonly #listeners: Server[] = [];
  #root = "";
  #environment: Record<string, string> = {};
  url = "";

  static async start({ tls }: GitKitOptions = {}): Promise<GitKit> {
    const kit = new GitKit();
    const { token } = kit;
    kit.#root = await mkdtemp(join(tmpdir(), "many-hands-git-"));
    await mkdir(join(kit.#root, "home"));
    kit.#server = await startGitServer({ username: "git", password: token, ...(tls === undefined ? {} : { tls }) });
    await writeFile(kit.authorityFile, kit.server.ca);
    kit.authority.tokens.set(kit.server.host, token);
    kit.#proxy = createCredentialProxy({
      authority: kit.authority,
      findForms,
      apis: () => [],
      mcpServers: () => [],
      git: createGitRoute,
      report: (what, thrown) => kit.reports.push(`${what}: ${String(thrown)}`),
      ca: kit.server.ca,
    });
    await kit.#enter();
    return kit;
  }

  async #enter(): Promise<void> {
    const { url, token, close } = await this.enterAgain("local");
    this.url = url;
    this.entranceToken = token;
    this.closeEntrance = close;
    this.#environment = this.environmentAt(url);
  }

  environmentAt(url: string): Record<string, string> {
    return gitEnvironment({ url, token: this.entranceToken, hosts: [this.server.host, "other.example"] });
  }

  /** An entrance of its own for a hand, behind a listener on loopback. */
  async enterAgain(
    hand: string,
  ): Promise<{ readonly url: string; readonly token: string; readonly close: () => void }> {
    const token = randomBytes(32).toString("base64url");
    const entrance = this.#proxy!.openEntrance({ session_id: "sesn_a" as SessionId, hand, token, egress: null });
    const port = await this.#listen((socket) => entrance.accept(socket));
    return { url: `http://127.0.0.1:${port}`, token, close: () => entrance.close() };
  }

  async #listen(take: (socket: Socket) => void): Promise<number> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
      socket.on("error", () => {});
      take(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    this.#listeners.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** A way to the entrance that stops once so many bytes have come back over one connection, until it is released. */
  async dam(bytes: number): Promise<Dam> {
    let release = (): void => {};
    const released = new Promise<void>((resolve) => (release = resolve));
    let fill = (): void => {};
    const isFull = new Promise<void>((resolve) => (fill = resolve));
    const port = await this.#listen((socket) => {
      const far = connect({ port: Number(new URL(this.url).port), host: "127.0.0.1" });
      this.#sockets.add(far);
      let passed = 0;
      far.on("error", () => {});
      far.on("close", () => socket.destroy());
      far.on("data", (chunk) => {
        passed += chunk.length;
        if (!socket.write(chunk)) far.pause();
        if (passed < bytes) return;
        fill();
        far.pause();
        void released.then(() => far.resume());
      });
      socket.on("drain", () => void (passed < bytes && far.resume()));
      socket.on("close", () => far.destroy());
      socket.pipe(far);
    });
    return { environment: this.environmentAt(`http://127.0.0.1:${port}`), isFull, release };
  }

  /** Sends a first line as it is, with the entrance's token. */
  raw(line: string): Promise<{ readonly status: number }> {
    return new Promise((resolve) => {
      const socket = connect({ port: Number(new URL(this.url).port), host: "127.0.0.1" });
      let text = "";
      socket.on("data", (chunk) => (text += chunk.toString("latin1")));
      socket.on("error", () => {});
      socket.on("close", () => resolve({ status: Number(text.split(" ")[1]) }));
      socket.write(`${line}\r\nHost: x\r\nX-Many-Hands: ${this.entranceToken}\r\nConnection: close\r\n\r\n`);
    });
  }

  /** Writes all of it, and reads only then; `then`: what is to be sent once this has come. Gives what came until `0000`. */
  async exchange(parts: readonly (string | Buffer)[], then?: readonly [RegExp, Buffer]): Promise<string> {
    const socket = connect({ port: Number(new URL(this.url).port), host: "127.0.0.1" });
    this.#sockets.add(socket);
    for (const part of parts) await new Promise<void>((resolve) => socket.write(part, () => resolve()));
    let text = "";
    let rest = then;
    for await (const chunk of socket) {
      text += (chunk as Buffer).toString("latin1");
      if (rest?.[0].test(text) === true) {
        socket.write(rest[1]);
        rest = undefined;
      }
      if (text.endsWith("0000")) break;
    }
    return text;
  }

  entranceToken = "";
  closeEntrance: () => void = () => {};

  get server(): GitServer {
    return this.#server!;
  }

  get root(): string {
    return this.#root;
  }

  /** With the server's certificate authority, which a hand knows nothing of. */
  get authorityFile(): string {
    return join(this.#root, "ca.pem");
  }

  /** What a call of the hand finds: nothing of the machine's, and what the entrance gives. */
  environment(more: Readonly<Record<string, string>> = {}): Record<string, string> {
    const own = {
      PATH: process.env["PATH"] ?? "",
      HOME: join(this.#root, "home"),
      GIT_CONFIG_NOSYSTEM: "1",
      LANG: "C",
      GIT_AUTHOR_NAME: "a",
      GIT_AUTHOR_EMAIL: "a@b",
      GIT_COMMITTER_NAME: "a",
      GIT_COMMITTER_EMAIL: "a@b",
    };
    return { ...own, ...this.#environment, ...more };
  }

  grant(repositories: readonly string[], push_refs: readonly string[] = []): void {
    this.authority.grants.push({ origin: this.server.origin, repositories, push_refs });
  }

  at(...parts: readonly string[]): string {
    return join(this.#root, ...parts);
  }

  /** As the hand writes it. */
  address(repository: string): string {
    return `${this.server.origin}/${repository}.git`;
  }

  /** Runs git in a folder below the hand's root, without a terminal. */
  git(folder: string, args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Ran> {
    return this.run("git", folder, args, more);
  }

  run(program: string, folder: string, args: readonly string[], more: Readonly<Record<string, string>>): Promise<Ran> {
    return new Promise((resolve, reject) => {
      const child = spawn(program, args, {
        cwd: this.at(folder),
        env: this.environment(more),
        stdio: ["ignore", "pipe", "pipe"],
        detached: true,
      });
      let output = "";
      child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
      child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
      child.once("error", reject);
      child.once("close", (code) => resolve({ code, output }));
    });
  }

  /** The same, which must succeed. */
  async ok(folder: string, ...args: readonly string[]): Promise<string> {
    const { code, output } = await this.git(folder, args);
    if (code !== 0) throw new Error(`git ${args.join(" ")} ended with ${code}:\n${output}`);
    return output;
  }

  /** A clone through the proxy. */
  clone(repository: string, folder: string, ...args: readonly string[]): Promise<string> {
    return this.ok(".", "clone", ...args, this.address(repository), folder);
  }

  /** Commits a file in a clone. */
  async commit(folder: string, name: string, text: string): Promise<void> {
    await writeFile(this.at(folder, name), text);
    await this.ok(folder, "add", "--all");
    await this.ok(folder, "commit", "--quiet", "--message", name);
  }

  /** Every file below the hand's root in which one of the needles is. */
  async filesWith(...needles: readonly string[]): Promise<string[]> {
    const found: string[] = [];
    for (const entry of await readdir(this.#root, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const path = join(entry.parentPath, entry.name);
      const bytes = await readFile(path);
      if (needles.some((needle) => bytes.includes(needle))) found.push(path);
    }
    return found;
  }

  async close(): Promise<void> {
    this.#proxy?.close();
    for (const socket of this.#sockets) socket.destroy();
    for (const listener of this.#listeners) await new Promise((resolve) => listener.close(resolve));
    await this.#server?.close();
    await rm(this.#root, { recursive: true, force: true });
  }
}

/** In every form in which it could be found. */
export function formsOf(value: string): readonly string[] {
  const basic = (name: string): string => Buffer.from(`${name}:${value}`).toString("base64").slice(0, -4);
  return [value, encodeURIComponent(value), basic("git"), Buffer.from(value).toString("base64").slice(0, -4)];
}
