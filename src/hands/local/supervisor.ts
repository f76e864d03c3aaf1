/** The near end of a supervisor: one shell, requests down its stdin, answers by number, notices of calls that ended. */
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import type { Socket } from "node:net";
import { ManyHandsError } from "../../core/errors.ts";
import { Emitter } from "../../core/listen.ts";
import type { Disposable } from "../../core/listen.ts";
import { quote, supervisorText } from "./supervisorScript.ts";

/** The stream ended before the answer came; whether the request was carried out is not known. */
export class StreamLost extends Error {}

/**
 * The shell is started by one that leaves at once, so that it is no descendant of a program whose tree may be killed.
 * Its streams are extra ones: the first three are closed by Node when the process that it started is gone.
 */
const REPARENTED = '"$0" <&3 >&4 2>&5 3<&- 4>&- 5>&- &';
const OPEN_MS = 15_000;

export interface SupervisorPorts {
  readonly shell: string;
  readonly journal: string;
  readonly startDirectory: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export class Supervisor {
  readonly #stdin: Socket;
  readonly #outputs: readonly Socket[];
  readonly #nonce = randomBytes(9).toString("hex");
  readonly #pending = new Map<number, { resolve: (answer: string) => void; reject: (reason: Error) => void }>();
  readonly #ended = new Emitter<string>();
  readonly #lost = new Emitter<string>();
  #seq = 0;
  #lostReason: string | null = null;
  #noise = "";

  /** The id of a call whose status is on record. */
  readonly onDidEnd = this.#ended.listen;
  /** Told at once where it is lost already. */
  onDidLose(listener: (reason: string) => void): Disposable {
    if (this.#lostReason !== null) queueMicrotask(() => listener(this.#lostReason ?? ""));
    return this.#lost.listen(listener);
  }

  private constructor(ports: SupervisorPorts) {
    const child = spawn("/bin/sh", ["-c", REPARENTED, ports.shell], {
      env: ports.environment,
      stdio: ["ignore", "ignore", "ignore", "pipe", "pipe", "pipe"],
      detached: true,
    });
    const [stdin, stdout, stderr] = child.stdio.slice(3) as unknown as [Socket, Socket, Socket];
    this.#stdin = stdin;
    this.#outputs = [stdout, stderr];
    eachLine(stdout, (line) => this.#answered(line));
    eachLine(stderr, (line) => this.#noticed(line));
    for (const stream of [stdin, stdout, stderr]) stream.on("error", () => this.#lose("its stream broke"));
    child.on("error", (thrown) => this.#lose(thrown.message));
    stdout.on("close", () => this.#lose("the shell ended"));
  }

  /** Rejects with `hand_unavailable` where the shell refuses or does not answer; the message says why. */
  static async open(ports: SupervisorPorts): Promise<Supervisor> {
    const supervisor = new Supervisor(ports);
    const deadline = setTimeout(() => supervisor.#lose("the shell did not answer in time"), OPEN_MS);
    try {
      const answer = new Promise<string>((resolve, reject) => supervisor.#pending.set(0, { resolve, reject }));
      const { journal, startDirectory } = ports;
      supervisor.#stdin.write(supervisorText({ nonce: supervisor.#nonce, journal, startDirectory }));
      const text = await answer;
      if (!text.startsWith("ready")) throw new StreamLost(text.replace(/^refused /, ""));
      return supervisor;
    } catch (thrown) {
      supervisor.close();
      const reason = thrown instanceof Error ? thrown.message : String(thrown);
      throw new ManyHandsError("hand_unavailable", "hand", `The local hand cannot be used: ${reason}.`, thrown);
    } finally {
      clearTimeout(deadline);
    }
  }

  /** One request; resolves with the words of the answer. Rejects with StreamLost. */
  request(name: string, ...words: readonly string[]): Promise<string> {
    if (this.#lostReason !== null) return Promise.reject(new StreamLost("the stream is closed"));
    const seq = (this.#seq += 1);
    return new Promise((resolve, reject) => {
      this.#pending.set(seq, { resolve, reject });
      this.#stdin.write(`mh_${name} ${seq} ${words.map(quote).join(" ")}\n`);
    });
  }

  close(): void {
    this.#lose("the stream was closed");
  }

  #answered(line: string): void {
    const [nonce, number, ...words] = line.split(" ");
    const pending = nonce === this.#nonce ? this.#pending.get(Number(number)) : undefined;
    this.#pending.delete(Number(number));
    pending?.resolve(words.join(" "));
  }

  #noticed(line: string): void {
    const [nonce, kind, id] = line.split(" ");
    if (nonce === this.#nonce && kind === "E" && id !== undefined) this.#ended.fire(id);
    else if (line.trim() !== "") this.#noise = line.slice(0, 300);
  }

  #lose(reason: string): void {
    if (this.#lostReason !== null) return;
    const whole = this.#noise === "" ? reason : `${reason} (it last said: ${this.#noise})`;
    this.#lostReason = whole;
    for (const { reject } of this.#pending.values()) reject(new StreamLost(whole));
    this.#pending.clear();
    this.#stdin.end();
    for (const output of this.#outputs) output.destroy();
    this.#lost.fire(whole);
  }
}

function eachLine(stream: NodeJS.ReadableStream, take: (line: string) => void): void {
  let rest = "";
  stream.setEncoding("utf8");
  stream.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) take(line);
  });
}
