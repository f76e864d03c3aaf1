/** The near end of a supervisor: one shell, requests down its stdin, answers by number, notices of calls that ended. */
import { randomBytes } from "node:crypto";
import { ManyHandsError } from "../../core/errors.ts";
import { Emitter } from "../../core/listen.ts";
import type { Disposable } from "../../core/listen.ts";
import { limits } from "../../core/limits.ts";
import { ReplyReader } from "./replyReader.ts";
import type { Reply } from "./replyReader.ts";
import type { ShellStream } from "./shellStream.ts";
import { quote, supervisorText, UNIT } from "./supervisorScript.ts";
import type { SupervisorOptions } from "./supervisorScript.ts";

/** The stream ended before the answer came; whether the request was carried out is not known. */
export class StreamLost extends Error {}

/** What the far end says of itself when its supervisor is ready. */
export interface FarFacts {
  readonly instance: string;
  /** Absolute. */
  readonly startDirectory: string;
  readonly journal: string;
  /** System and machine, `Linux x86_64`; empty where it does not say. */
  readonly system: string;
  readonly hasBase64: boolean;
}

/** A call whose status is on record. */
export interface Ended {
  readonly id: string;
  readonly status: number;
  /** Its whole output, where that is short enough to come along. */
  readonly output: Buffer | null;
}

export type SupervisorSettings = Omit<SupervisorOptions, "nonce">;

const NOISE_CHARS_MAX = 300;

export class Supervisor {
  readonly #stream: ShellStream;
  readonly #nonce = randomBytes(9).toString("hex");
  readonly #inlineBytes: number;
  readonly #pending = new Map<number, { resolve: (answer: Reply) => void; reject: (reason: Error) => void }>();
  readonly #ended = new Emitter<Ended>();
  readonly #lost = new Emitter<string>();
  #seq = 0;
  #lostReason: string | null = null;
  #noise = "";

  readonly onDidEnd = this.#ended.listen;
  /** Told at once where it is lost already: else who listens a moment too late would ask a dead stream for ever. */
  onDidLose(listener: (reason: string) => void): Disposable {
    if (this.#lostReason !== null) listener(this.#lostReason);
    return this.#lost.listen(listener);
  }

  private constructor(stream: ShellStream, settings: SupervisorSettings) {
    this.#stream = stream;
    this.#inlineBytes = settings.inlineBytes;
    const replies = new ReplyReader(this.#nonce, {
      onReply: (number, reply) => this.#answered(number, reply),
      onNoise: (line) => this.#heard(line),
    });
    stream.stdout.on("data", (chunk: Buffer) => replies.add(chunk));
    eachLine(stream.stderr, (line) => this.#noticed(line));
    // A broken pipe is an end like any other; `ended` says so.
    for (const each of [stream.stdin, stream.stdout, stream.stderr]) each.on("error", () => {});
    void stream.ended.then((reason) => this.#lose(reason));
  }

  /** Sends the supervisor. Rejects with `hand_unavailable` where the shell refuses or does not answer; the message says why. */
  static async open(
    stream: ShellStream,
    settings: SupervisorSettings,
  ): Promise<{ readonly supervisor: Supervisor; readonly facts: FarFacts }> {
    const supervisor = new Supervisor(stream, settings);
    const deadline = setTimeout(() => supervisor.#lose("the shell did not answer in time"), limits.handStepMs);
    try {
      const answer = new Promise<Reply>((resolve, reject) => supervisor.#pending.set(0, { resolve, reject }));
      stream.stdin.write(supervisorText({ nonce: supervisor.#nonce, ...settings }));
      const { text } = await answer;
      if (!text.startsWith("ready")) throw new StreamLost(text.replace(/^refused /, ""));
      return { supervisor, facts: factsOf(text, settings) };
    } catch (thrown) {
      supervisor.close();
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      throw new ManyHandsError("hand_unavailable", "hand", `The shell there cannot be used: ${reason}.`, thrown);
    } finally {
      clearTimeout(deadline);
    }
  }

  /** One request; resolves with its answer. Rejects with StreamLost, and with RangeError for a word that no shell takes. */
  async request(name: string, ...words: readonly string[]): Promise<Reply> {
    if (this.#lostReason !== null) throw new StreamLost(this.#lostReason);
    const seq = (this.#seq += 1);
    const line = `mh_${name} ${seq} ${words.map(quote).join(" ")}\n`;
    return new Promise((resolve, reject) => {
      this.#pending.set(seq, { resolve, reject });
      this.#stream.stdin.write(line);
    });
  }

  close(): void {
    this.#lose("the stream was closed");
  }

  #answered(number: number, reply: Reply): void {
    this.#pending.get(number)?.resolve(reply);
    this.#pending.delete(number);
  }

  #noticed(line: string): void {
    const [nonce, kind, id = "", status = "", ...words] = line.split(" ");
    if (nonce !== this.#nonce || kind !== "E") return this.#heard(line);
    const output = this.#inlineBytes > 0 ? inlineOutput(words, this.#inlineBytes) : null;
    this.#ended.fire({ id, status: Number(status), output });
  }

  #heard(line: string): void {
    if (line.trim() !== "") this.#noise = line.slice(0, NOISE_CHARS_MAX);
  }

  #lose(reason: string): void {
    if (this.#lostReason !== null) return;
    const whole = this.#noise === "" ? reason : `${reason} (it last said: ${this.#noise})`;
    this.#lostReason = whole;
    for (const { reject } of this.#pending.values()) reject(new StreamLost(whole));
    this.#pending.clear();
    this.#stream.close();
    this.#lost.fire(whole);
  }
}

/** As bytes in hexadecimal, or behind `=` as plain text. Null: too long, or not told. */
function inlineOutput(words: readonly string[], bytesMax: number): Buffer | null {
  const [first = ""] = words;
  if (first.startsWith("=")) {
    const spelt: Readonly<Record<string, string>> = { n: "\n", t: "\t" };
    const text = words.join(" ").slice(1);
    return Buffer.from(text.replaceAll(/\\(.)/g, (_, char: string) => spelt[char] ?? char));
  }
  const hex = words.filter((word) => word !== "");
  return first === "-" || hex.length > bytesMax ? null : Buffer.from(hex.join(""), "hex");
}

function factsOf(text: string, settings: SupervisorSettings): FarFacts {
  const [, , instance = "", directory = "", journal = "", system = "", base64 = ""] = text.split(UNIT);
  return {
    instance,
    startDirectory: directory === "" ? (settings.startDirectory ?? "/") : directory,
    journal: journal === "" ? (settings.journal ?? "") : journal,
    system,
    hasBase64: base64 !== "",
  };
}

function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    // What never ends its line is no notice.
    rest = (lines.pop() ?? "").slice(0, limits.modelOutputBytesMax);
    for (const line of lines) take(line);
  });
}
