/** The containers and images that a Docker engine has, asked of its command line. */
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { isObject } from "../core/json.ts";
import type { HandCandidate, HandDiscovery } from "./handDiscovery.ts";

const OUTPUT_BYTES_MAX = 4 * 1024 * 1024;
const ROWS_MAX = 200;

/** `program`: with arguments that come before its own, such as the engine's address. */
export function dockerDiscoveries(program: readonly string[] = ["docker"]): readonly HandDiscovery[] {
  const ask = (args: readonly string[]) => (signal: AbortSignal) => rowsOf([...program, ...args], signal);
  const format = ["--format", "{{json .}}"];
  return [
    discovery("Containers that run", ask(["ps", ...format]), containerOf),
    discovery("Images for a new container", ask(["images", ...format]), imageOf),
  ];
}

/** The name of the container that a dev container's window is in, or null. */
export async function devContainerName(folder: string, signal: AbortSignal): Promise<string | null> {
  const filter = ["--filter", `label=devcontainer.local_folder=${folder}`];
  const [row] = await rowsOf(["docker", "ps", ...filter, "--format", "{{json .}}"], signal);
  return row?.["Names"] ?? null;
}

type Row = Readonly<Record<string, string>>;

function discovery(
  title: string,
  ask: (signal: AbortSignal) => Promise<readonly Row[]>,
  candidate: (row: Row) => HandCandidate | null,
): HandDiscovery {
  const discover = async (signal: AbortSignal): Promise<readonly HandCandidate[]> =>
    (await ask(signal)).map(candidate).filter((found) => found !== null);
  return { title, discover };
}

function containerOf({ Names = "", Image = "", Status = "" }: Row): HandCandidate | null {
  const name = Names.split(",", 1)[0] ?? "";
  if (name === "") return null;
  const description = [Image, Status].filter((part) => part !== "").join(" · ");
  return { label: name, description, icon: "vm-running", name, spec: { kind: "docker", options: { container: name } } };
}

function imageOf({ Repository = "", Tag = "", ID = "", Size = "" }: Row): HandCandidate | null {
  const isNamed = Repository !== "" && Repository !== "<none>";
  const image = isNamed ? (Tag === "" || Tag === "<none>" ? Repository : `${Repository}:${Tag}`) : ID;
  if (image === "") return null;
  const name = isNamed ? (Repository.split("/").at(-1) ?? Repository) : "container";
  return { label: image, description: Size, icon: "package", name, spec: { kind: "docker", options: { image } } };
}

/** An object a line; none where the program is missing or the engine does not answer. */
async function rowsOf([program = "", ...args]: readonly string[], signal: AbortSignal): Promise<readonly Row[]> {
  try {
    const { stdout } = await promisify(execFile)(program, args, { signal, maxBuffer: OUTPUT_BYTES_MAX });
    return stdout.split("\n").filter(Boolean).slice(0, ROWS_MAX).map(rowOf);
  } catch {
    return [];
  }
}

function rowOf(line: string): Row {
  const value = JSON.parse(line) as unknown;
  if (!isObject(value)) return {};
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, String(member)]));
}
