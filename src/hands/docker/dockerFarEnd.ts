/** Shells in a running container, for a hand and for people. */
import { StringDecoder } from "node:string_decoder";
import type { Duplex } from "node:stream";
import type Docker from "dockerode";
import type { ManyHandsError } from "../../core/errors.ts";
import type { HandTerminal } from "../../core/hand.ts";
import { limits } from "../../core/limits.ts";
import { Emitter } from "../../core/listen.ts";
import { FarEndGone } from "../shell/shellStream.ts";
import type { FarEnd } from "../shell/shellStream.ts";
import { inspect } from "./dockerContainer.ts";
import { engineError, statusOf, step } from "./engine.ts";
import type { Engine } from "./engine.ts";
import { askContainer, shellStreamOf, startExec } from "./execStream.ts";
import type { Exec } from "./execStream.ts";

export interface DockerFarEndPorts {
  readonly engine: Engine;
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** null: the container's own. */
  readonly user: string | null;
  /** Beyond the container's own. */
  readonly env: readonly string[];
  /** Told once it is known that the container is gone or does not run any more. */
  readonly onGone: () => void;
  readonly openEntrance: NonNullable<FarEnd["openEntrance"]>;
  readonly remove: () => Promise<void>;
}

/** Says its process id first, so that it can be ended: an exec lives on when its streams are closed. */
const TERMINAL = `echo $$; if command -v bash >/dev/null 2>&1; then exec bash; else exec sh; fi`;

export function dockerFarEnd(ports: DockerFarEndPorts): FarEnd {
  const { engine, id, user, env, remove, openEntrance } = ports;
  const container = engine.docker.getContainer(id);
  return {
    open: async (signal) => {
      try {
        return shellStreamOf(await startExec(container, { argv: ["/bin/sh"], user, env }, signal));
      } catch (thrown) {
        signal.throwIfAborted();
        throw await reasonOf(ports, thrown, signal);
      }
    },
    openTerminal: async (terminal, directory) => {
      const signal = new AbortController().signal;
      const argv = ["/bin/sh", "-c", TERMINAL];
      const own = { user, env: [...env, "TERM=xterm-256color"] };
      try {
        return terminalOf(ports, await startExec(container, { ...own, argv, terminal, directory }, signal), terminal);
      } catch (thrown) {
        throw await reasonOf(ports, thrown, signal);
      }
    },
    openEntrance,
    close: () => {},
    remove,
  };
}

/** FarEndGone where the container is no more, or is not running; otherwise what stands in the way of a shell now. */
async function reasonOf(ports: DockerFarEndPorts, thrown: unknown, signal: AbortSignal): Promise<ManyHandsError> {
  const { engine, id, name, onGone } = ports;
  if (statusOf(thrown) === null) return engineError(engine, `No shell in the container ${name}`, thrown);
  let words: string;
  try {
    const { State } = await inspect(engine, id, signal);
    if (State.Running && !State.Paused) return engineError(engine, `No shell in the container ${name}`, thrown);
    if (State.Paused) return engineError(engine, `The container ${name} is paused (docker unpause ${name})`, thrown);
    words = `is not running any more (${wordsOfEnd(State)})`;
  } catch (failed) {
    if (statusOf(failed) !== 404) return engineError(engine, `No shell in the container ${name}`, failed);
    words = "is no more: it was removed";
  }
  onGone();
  return new FarEndGone(`The container ${name} ${words}. What ran in it has ended with it.`, thrown);
}

/** How a container ended, and what may have been the matter. */
export function wordsOfEnd({ ExitCode, OOMKilled }: Docker.ContainerInspectInfo["State"]): string {
  const memory = OOMKilled ? "; it had used up its memory (options.memory)" : "";
  const shell = [126, 127].includes(ExitCode) ? "; a hand needs /bin/sh in its image" : "";
  return `exit status ${ExitCode}${memory}${shell}`;
}

function terminalOf(
  { engine, id, user }: DockerFarEndPorts,
  { exec, socket }: Exec,
  size: { readonly columns: number; readonly rows: number },
): HandTerminal {
  const wrote = new Emitter<string>();
  const ended = new Emitter<number | null>();
  const never = new AbortController().signal;
  const resize = ({ columns, rows }: typeof size): Promise<void> =>
    exec.resize({ w: columns, h: rows }).then(
      () => {},
      () => {},
    );
  // What is typed reaches a shell that knows its size.
  let begin: () => void = () => {};
  const begun = new Promise<void>((resolve) => (begin = resolve));
  let pid: string | null = null;
  readTerminal(socket, {
    onPid: (told) => {
      pid = told;
      void resize(size).then(begin);
    },
    onText: (text) => wrote.fire(text),
    onEnd: async () => {
      begin();
      const info = await step("the shell's exit status", never, () => exec.inspect()).catch(() => null);
      ended.fire(info?.ExitCode ?? null);
    },
  });
  const end = async (): Promise<void> => {
    const container = engine.docker.getContainer(id);
    const signal = (name: string): string => `kill -${name} -${pid}; kill -${name} ${pid}`;
    const kill = `{ ${signal("HUP")}; sleep 1; ${signal("KILL")}; } 2>/dev/null; :`;
    if (pid !== null) await askContainer(container, ["/bin/sh", "-c", kill], user, never).catch(() => {});
    socket.destroy();
  };
  return {
    onDidWrite: wrote.listen,
    onDidEnd: ended.listen,
    write: (text) => void begun.then(() => socket.writable && socket.write(text)),
    resize: (columns, rows) => void begun.then(() => resize({ columns, rows })),
    close: () => void end(),
  };
}

/** The first line is the shell's process id, which is nobody's business. */
function readTerminal(
  socket: Duplex,
  take: {
    readonly onPid: (pid: string | null) => void;
    readonly onText: (text: string) => void;
    readonly onEnd: () => Promise<void>;
  },
): void {
  const decoder = new StringDecoder("utf8");
  let first: string | null = "";
  socket.on("data", (chunk: Buffer) => {
    let text = decoder.write(chunk);
    if (first !== null) {
      first += text;
      const line = /^(\d+)\r?\n/.exec(first);
      if (line === null && /^\d*\r?$/.test(first) && first.length < limits.handInlineBytes) return;
      text = line === null ? first : first.slice(line[0].length);
      first = null;
      take.onPid(line?.[1] ?? null);
    }
    if (text !== "") take.onText(text);
  });
  let isOver = false;
  const over = (): void => {
    if (isOver) return;
    isOver = true;
    void take.onEnd();
  };
  for (const event of ["end", "close", "error"]) socket.once(event, over);
}
