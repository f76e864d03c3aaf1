/** How a person proves to a host who they are: agent, key files, then what the host asks for, in OpenSSH's order. */
import type ssh2Package from "ssh2";
import type { AnyAuthMethod, AuthenticationType, BaseAgent, ParsedKey, Prompt } from "ssh2";
import { limits } from "../../core/limits.ts";
import type { SshAsk } from "./ask.ts";
import { isHardwareType, readKeyFile } from "./keyFile.ts";
import type { KeyFile } from "./keyFile.ts";
import type { SshSettings } from "./sshConfig.ts";

export type Ssh2 = typeof ssh2Package;

/** Secrets that proved right, for as long as the program runs: a lost connection is opened again without a question. */
export type SecretMemory = Map<string, string>;

export interface AuthenticationPorts {
  readonly ssh2: Ssh2;
  readonly settings: SshSettings;
  readonly ask: SshAsk;
  readonly memory: SecretMemory;
}

/** One after the other what there is to offer. */
export class Authentication {
  readonly #ports: AuthenticationPorts;
  readonly #attempts: AsyncGenerator<AnyAuthMethod, void, void>;
  /** What the host takes; null before it was asked. */
  #accepted: readonly string[] | null = null;
  /** In words, for who reads that nothing was taken. */
  readonly #offered: string[] = [];
  /** The secret that is being tried. */
  #trying: { readonly key: string; readonly secret: string } | null = null;

  constructor(ports: AuthenticationPorts) {
    this.#ports = ports;
    this.#attempts = this.#all();
  }

  /** The next one; null: there is none. */
  async next(accepted: readonly AuthenticationType[] | null): Promise<AnyAuthMethod | null> {
    if (this.#trying !== null) this.#ports.memory.delete(this.#trying.key);
    this.#trying = null;
    this.#accepted = accepted ?? this.#accepted;
    const { value, done } = await this.#attempts.next();
    return done === true ? null : (value ?? null);
  }

  succeeded(): void {
    if (this.#trying !== null) this.#ports.memory.set(this.#trying.key, this.#trying.secret);
    this.#trying = null;
  }

  /** What was tried, for the message that says that nothing was taken. */
  get summary(): string {
    const offered = this.#offered.length === 0 ? "there was nothing to offer" : `offered: ${this.#offered.join(", ")}`;
    const accepted = this.#accepted === null ? "" : `; the host takes: ${this.#accepted.join(", ") || "nothing more"}`;
    return offered + accepted;
  }

  #takes(method: string): boolean {
    return this.#accepted === null || this.#accepted.includes(method);
  }

  async *#all(): AsyncGenerator<AnyAuthMethod, void, void> {
    const { settings } = this.#ports;
    const username = settings.user;
    // By its refusal the host says what it takes.
    yield { type: "none", username };
    if (settings.publicKeys && this.#takes("publickey")) {
      const files = (await Promise.all(settings.identityFiles.map(readKeyFile))).filter((file) => file !== null);
      const inAgent = yield* this.#agent(files);
      for (const file of files) {
        const isTried = file.publicBlob !== null && inAgent.some((blob) => blob.equals(file.publicBlob as Buffer));
        if (!isTried && !isHardwareType(file.type)) yield* this.#file(file);
      }
    }
    // Who gave no answer is not asked in another way.
    const isGivenUp = settings.keyboardInteractive && (yield* this.#questions());
    if (settings.passwords && !isGivenUp) yield* this.#password();
  }

  /** Keys of the agent, those that the configuration names first. Gives the public halves that were offered. */
  async *#agent(files: readonly KeyFile[]): AsyncGenerator<AnyAuthMethod, readonly Buffer[], void> {
    const { ssh2, settings } = this.#ports;
    if (settings.agent === null) return [];
    const agent = ssh2.createAgent(settings.agent);
    const held = await identitiesOf(agent);
    const isNamed = (key: ParsedKey): boolean =>
      files.some(({ publicBlob }) => publicBlob?.equals(key.getPublicSSH()) === true);
    const keys = [...held.filter(isNamed), ...(settings.identitiesOnly ? [] : held.filter((key) => !isNamed(key)))];
    if (keys.length === 0) return [];
    this.#offered.push(`${keys.length === 1 ? "a key" : `${keys.length} keys`} of the agent`);
    yield { type: "agent", username: settings.user, agent: onlyWith(ssh2, agent, keys) };
    return keys.map((key) => key.getPublicSSH());
  }

  async *#file({ path, content }: KeyFile): AsyncGenerator<AnyAuthMethod, void, void> {
    if (content === null) return;
    const { ssh2, settings, ask, memory } = this.#ports;
    const secretKey = `passphrase ${path}`;
    let key = parsed(ssh2, content, memory.get(secretKey));
    for (let tries = 0; key === "locked" && tries < limits.secretTriesMax; tries += 1) {
      const prompt = `Passphrase for the key ${path}`;
      const secret = await ask.secret({ prompt, key: secretKey, again: tries > 0 });
      if (secret === null) break;
      key = parsed(ssh2, content, secret);
      if (key !== "locked") memory.set(secretKey, secret);
    }
    this.#offered.push(key === "locked" ? `${path} (its passphrase was not given)` : path);
    if (key !== "locked" && key !== "broken") yield { type: "publickey", username: settings.user, key };
  }

  /** What the host asks in its own words; most often that is a password. True: the person gave no answer. */
  async *#questions(): AsyncGenerator<AnyAuthMethod, boolean, void> {
    const { settings } = this.#ports;
    for (let tries = 0; tries < limits.secretTriesMax && this.#takes("keyboard-interactive"); tries += 1) {
      let isGivenUp = false;
      if (tries === 0) this.#offered.push("answers to its questions");
      yield {
        type: "keyboard-interactive",
        username: settings.user,
        prompt: (name, instructions, _language, prompts, finish) => {
          void this.#answer(prompts, [name, instructions], tries > 0).then((answers) => {
            isGivenUp = answers === null;
            finish(answers ?? prompts.map(() => ""));
          });
        },
      };
      if (isGivenUp) return true;
    }
    return false;
  }

  async #answer(prompts: readonly Prompt[], heads: readonly string[], again: boolean): Promise<string[] | null> {
    const answers: string[] = [];
    for (const { prompt } of prompts) {
      const words = [...heads, prompt].map((text) => text.trim()).filter(Boolean);
      const secret = await this.#secret(`${this.#who()}: ${words.join(" ")}`, prompt.trim(), again);
      if (secret === null) return null;
      answers.push(secret);
    }
    return answers;
  }

  async *#password(): AsyncGenerator<AnyAuthMethod, void, void> {
    const { settings } = this.#ports;
    for (let tries = 0; tries < limits.secretTriesMax && this.#takes("password"); tries += 1) {
      const password = await this.#secret(`Password for ${this.#who()}`, "password", tries > 0);
      if (password === null) return;
      if (tries === 0) this.#offered.push("a password");
      yield { type: "password", username: settings.user, password };
    }
  }

  #who(): string {
    return `${this.#ports.settings.user}@${this.#ports.settings.knownAs}`;
  }

  async #secret(prompt: string, what: string, again: boolean): Promise<string | null> {
    const key = `${what} ${this.#who()}`;
    // What is no password may hold good only once.
    const isLasting = /password/i.test(what);
    const remembered = again || !isLasting ? undefined : this.#ports.memory.get(key);
    const secret = remembered ?? (await this.#ports.ask.secret({ prompt, key, again }).catch(() => null));
    this.#trying = secret === null || !isLasting ? null : { key, secret };
    return secret;
  }
}

function parsed(ssh2: Ssh2, content: Buffer, passphrase: string | undefined): ParsedKey | "locked" | "broken" {
  const key = ssh2.utils.parseKey(content, passphrase);
  if (!(key instanceof Error)) return (Array.isArray(key) ? (key as ParsedKey[])[0] : key) ?? "broken";
  return /passphrase|decrypt|integrity|bad decrypt|checkint/i.test(key.message) ? "locked" : "broken";
}

function identitiesOf(agent: BaseAgent): Promise<readonly ParsedKey[]> {
  return new Promise((resolve) => {
    // An agent that does not answer is one without keys.
    agent.getIdentities((thrown, keys) => resolve(thrown || keys === undefined ? [] : (keys as ParsedKey[])));
  });
}

/** The same agent, with these of its keys in this order. */
function onlyWith(ssh2: Ssh2, agent: BaseAgent, keys: readonly ParsedKey[]): BaseAgent {
  class Chosen extends ssh2.BaseAgent<ParsedKey> {
    override getIdentities(done: (thrown?: Error | null, keys?: ParsedKey[]) => void): void {
      done(null, Array.from(keys));
    }
    override sign(...args: unknown[]): void {
      (agent.sign as (...args: unknown[]) => void).apply(agent, args);
    }
  }
  return new Chosen();
}
