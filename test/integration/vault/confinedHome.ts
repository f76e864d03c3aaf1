/** A home folder with a unique value in each place where secrets are kept, and a hand in a project below it. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import type { Server } from "node:net";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Hand } from "../../../src/core/hand.ts";
import type { ConfinementMode, LocalSettings } from "../../../src/hands/local/confinement.ts";
import { createLocalProvider } from "../../../src/hands/local/localProvider.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";

/** Below the home folder; each gets a value of its own. */
export const SECRETS = [
  ".ssh/id_ed25519",
  ".aws/credentials",
  ".config/gcloud/application_default_credentials.json",
  ".azure/accessTokens.json",
  ".kube/config",
  ".docker/config.json",
  ".gnupg/private-keys-v1.d/key",
  ".netrc",
  ".git-credentials",
  ".config/git/credentials",
  ".npmrc",
  ".pypirc",
  ".cargo/credentials.toml",
  ".bash_history",
  ".zsh_history",
  ".python_history",
  ".local/share/keyrings/login.keyring",
  ".config/Code/User/globalStorage/state.vscdb",
  ".config/Code/User/settings.json",
  ".config/Code/User/workspaceStorage/w/many-hands/sessions/sesn_1/events.jsonl",
  ".config/Code/logs/window1/exthost.log",
  "vault of mine/key",
] as const;

export interface Home {
  readonly folder: string;
  readonly work: string;
  /** Of VS Code, with the hand's journal below it. */
  readonly storage: string;
  /** Where each value is, by the value. */
  readonly canaries: ReadonlyMap<string, string>;
  /** Of a process of this user whose environment holds a canary. */
  readonly victim: ChildProcess;
  /** Sockets that give a canary to whoever connects: below the home folder, in the temporary one, of loopback. */
  readonly agents: { readonly home: string; readonly temporary: string; readonly port: number };
  open(mode: ConfinementMode, more?: Partial<LocalSettings> & { readonly path?: string }): Promise<Hand>;
  /** What was said to the person. */
  readonly said: string[];
  remove(): Promise<void>;
}

function canary(): string {
  return `canary${randomBytes(12).toString("hex")}`;
}

export async function makeHome(): Promise<Home> {
  const folder = await realpath(await mkdtemp(join(homedir(), ".many-hands-home-")));
  const canaries = new Map<string, string>();
  for (const name of SECRETS) {
    const value = canary();
    canaries.set(value, name);
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), `token = ${value}\n`, { mode: 0o600 });
  }
  const work = join(folder, "projects", "app");
  await mkdir(join(work, ".git"), { recursive: true });
  await writeFile(join(work, ".git", "config"), "[core]\n\tbare = false\n");
  await writeFile(join(folder, ".gitconfig"), "[user]\n\tname = Somebody\n");
  const storage = join(folder, ".config/Code/User/workspaceStorage/w/many-hands/sessions/sesn_2/hands/local");
  const fresh = (where: string): string => {
    const value = canary();
    canaries.set(value, where);
    return value;
  };
  const victim = spawn("sleep", ["600"], { env: { SECRET: fresh("a process's environment") }, stdio: "ignore" });
  const sockets = await mkdtemp(join(tmpdir(), "many-hands-agent-"));
  const servers = await Promise.all([
    serve(fresh("an agent's socket in the home folder"), { path: join(folder, "agent.sock") }),
    serve(fresh("an agent's socket in the temporary folder"), { path: join(sockets, "agent") }),
    serve(fresh("an abstract socket"), { path: `\0${folder}` }),
    serve(fresh("a port of loopback"), { port: 0, host: "127.0.0.1" }),
  ]);
  await writeFile(join(sockets, "leftover"), fresh("the temporary folder"));
  const address = servers[3]?.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const variable = fresh("a variable of this program");
  const said: string[] = [];
  const open: Home["open"] = (mode, { path = process.env["PATH"] ?? "", ...more } = {}) => {
    const provider = createLocalProvider({
      clock: systemClock,
      confinement: () => ({
        mode,
        unreadable: ["~/vault of mine"],
        writable: [],
        environment: ["WANTED"],
        allowedHosts: [],
        ...more,
      }),
      ownFolders: [join(folder, ".config/Code/User/workspaceStorage/w/many-hands")],
      environment: {
        PATH: path,
        HOME: folder,
        LC_TIME: "C",
        WANTED: "yes",
        AWS_SECRET_ACCESS_KEY: variable,
        SSH_AUTH_SOCK: join(sockets, "agent"),
        DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(sockets, "agent")}`,
      },
    });
    const spec = { name: "local", kind: "local", options: { cwd: work } };
    const signal = new AbortController().signal;
    const onProgress = (message: string): void => void said.push(message);
    return provider.provision(spec, {
      sessionId: "s",
      storagePath: storage,
      previousInstance: null,
      signal,
      onProgress,
    });
  };
  return {
    folder,
    work,
    storage,
    canaries,
    victim,
    agents: { home: join(folder, "agent.sock"), temporary: join(sockets, "agent"), port },
    open,
    said,
    remove: async () => {
      victim.kill();
      for (const server of servers) server.close();
      await chmod(folder, 0o700);
      for (const each of [folder, sockets]) await rm(each, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function serve(value: string, at: { path: string } | { port: number; host: string }): Promise<Server> {
  const server = createServer((connection) => {
    connection.on("error", () => {});
    connection.end(`${value}\n`);
  });
  server.unref();
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(at, () => resolve(server));
  });
}

/** Of all canaries, where those are from that stand in a text, as they are or in a usual spelling. */
export function found(home: Home, text: string): string[] {
  const plain = [text, text.replaceAll(/\s/g, "")];
  return [...home.canaries]
    .filter(([value]) => {
      const spelt = [value, Buffer.from(value).toString("hex"), Array.from(value).toReversed().join("")];
      const encoded = Buffer.from(value).toString("base64").replace(/=+$/, "");
      return plain.some((each) => [...spelt, encoded].some((form) => each.includes(form)));
    })
    .map(([, where]) => where);
}
