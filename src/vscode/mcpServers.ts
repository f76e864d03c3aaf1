/** The MCP servers that the settings and `.vscode/mcp.json` name: unknown values in, specs of hands and described problems out. Pure. */
import type { HandSpec } from "../core/config.ts";
import { isObject } from "../core/json.ts";
import type { JsonObject } from "../core/json.ts";
import type { JsonPlace } from "./handSettings.ts";
import { parseJsonPlaces } from "./jsonPlaces.ts";

type McpSource = "mcpServers" | "defaultMcpServers" | "mcp.json";

interface McpProblem {
  readonly source: McpSource;
  readonly place: JsonPlace;
  /** A sentence that says what to do instead. */
  readonly message: string;
  /** False: the server is offered all the same. */
  readonly isFatal: boolean;
}

export interface McpServers {
  /** Those of the settings first, in their order. */
  readonly servers: readonly { readonly spec: HandSpec; readonly source: "mcpServers" | "mcp.json" }[];
  /** What a new session gets besides its other hands. */
  readonly defaults: readonly HandSpec[];
  readonly problems: readonly McpProblem[];
}

export interface McpServersInput {
  /** The setting `manyHands.mcpServers`: an object of servers by name. */
  readonly setting: unknown;
  /** The text of `.vscode/mcp.json`; null: there is none, or the workspace is not trusted. */
  readonly workspaceFile: string | null;
  /** The setting `manyHands.defaultMcpServers`: names; none: all servers. */
  readonly defaults: unknown;
  readonly folder: string | null;
  readonly home: string;
  /** Names that are taken by other hands. */
  readonly hands: readonly string[];
  /** In which hand a program runs that names none; null: it must name one. */
  readonly defaultHand: string | null;
}

type Report = (place: JsonPlace, message: string, isFatal?: boolean) => void;
type Members = Readonly<Record<string, unknown>>;

const NAME = /^[A-Za-z0-9_-]{1,32}$/;

export function parseMcpServers(input: McpServersInput): McpServers {
  const problems: McpProblem[] = [];
  const reportTo =
    (source: McpSource): Report =>
    (place, message, isFatal = true) =>
      void problems.push({ source, place, message, isFatal });
  const own = entriesOf(input.setting, [], reportTo("mcpServers"));
  const shared = workspaceEntries(input.workspaceFile, reportTo("mcp.json"));
  const servers: McpServers["servers"][number][] = [];
  const names = new Set(input.hands);

  const take = (source: "mcpServers" | "mcp.json", given: string, entry: Members, place: JsonPlace): void => {
    const report = reportTo(source);
    const name = NAME.test(given) ? given : plainName(given);
    if (names.has(name)) return report(place, `There is a hand or a server named “${name}” already: names are unique.`);
    const options = optionsOf({ entry, input }, (at, message, isFatal) => report([...place, ...at], message, isFatal));
    if (options === null) return;
    names.add(name);
    servers.push({ spec: { name, kind: "mcp", options }, source });
  };

  for (const { name, entry } of own) {
    if (entry["disabled"] === true || isAbout(entry)) continue;
    if (NAME.test(name)) take("mcpServers", name, entry, [name]);
    else reportTo("mcpServers")([name], "A server's name has 1 to 32 letters, digits, “_” or “-”.");
  }
  for (const { name, entry } of shared) {
    // The settings may say of a server of the workspace's file in which hand it runs, or that it is not wanted.
    const about = own.find((candidate) => candidate.name === name)?.entry;
    if (entry["disabled"] === true || about?.["disabled"] === true) continue;
    if (about === undefined || isAbout(about)) {
      const hand = about?.["hand"];
      take("mcp.json", name, hand === undefined ? entry : { ...entry, hand }, ["servers", name]);
    }
  }
  const specs = servers.map(({ spec }) => spec);
  return { servers, defaults: defaultsOf(input.defaults, specs, reportTo("defaultMcpServers")), problems };
}

/** Names of those who bring servers of their own to VS Code. It gives the servers to nobody; their tools are language-model tools. */
export function contributedServers(manifests: readonly unknown[]): readonly string[] {
  return manifests.flatMap((manifest) => {
    if (!isObject(manifest) || !isObject(manifest["contributes"])) return [];
    const list = manifest["contributes"]["mcpServerDefinitionProviders"];
    const labels = Array.isArray(list) ? list.filter(isObject).map(({ label, id }) => label ?? id) : [];
    return labels.filter((label) => typeof label === "string");
  });
}

/** It names no server of its own, but says something of one. */
function isAbout(entry: Members): boolean {
  return entry["url"] === undefined && entry["command"] === undefined && typeof entry["hand"] === "string";
}

interface Entry {
  readonly name: string;
  readonly entry: Members;
}

function entriesOf(value: unknown, place: JsonPlace, report: Report): readonly Entry[] {
  if (value === undefined || value === null) return [];
  if (!isObject(value)) {
    report(place, 'The servers are an object: { "name": { "url": … } }.');
    return [];
  }
  return Object.entries(value).flatMap(([name, entry]) => {
    if (isObject(entry)) return [{ name, entry }];
    report([...place, name], "A server is an object with a url, or with a command.");
    return [];
  });
}

function workspaceEntries(text: string | null, report: Report): readonly Entry[] {
  if (text === null || text.trim() === "") return [];
  const root = parseJsonPlaces(text)?.value;
  if (isObject(root)) return entriesOf(root["servers"], ["servers"], report);
  report([], 'The file is an object: { "servers": { … } }.');
  return [];
}

function plainName(name: string): string {
  const plain = name.replaceAll(/[^A-Za-z0-9_-]+/g, "_").slice(0, 32);
  return plain === "" ? "server" : plain;
}

interface Parts {
  readonly entry: Members;
  readonly input: McpServersInput;
}

function optionsOf(parts: Parts, report: Report): JsonObject | null {
  const { type, url, command } = parts.entry;
  const kind = type ?? (url === undefined ? "stdio" : "http");
  if (kind === "http" || kind === "sse" || kind === "streamable-http") {
    return remoteOptions(parts, kind === "sse", report);
  }
  if (kind === "stdio" && command === undefined) {
    report([], "A server has a url, or a command.");
    return null;
  }
  if (kind === "stdio") return programOptions(parts, report);
  report(["type"], "The type of a server is http, sse or stdio.");
  return null;
}

function remoteOptions({ entry, input }: Parts, isSse: boolean, report: Report): JsonObject | null {
  const { url: given, headers } = entry;
  const text = typeof given === "string" ? resolved(given, input) : null;
  if (text === null || typeof text === "object") {
    report(["url"], text === null ? "The url is a text." : `${text.problem} Write the address itself.`);
    return null;
  }
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) {
    report(["url"], "The url is an http or https address.");
    return null;
  }
  const advice = `Store it as a credential for ${url.origin} in the vault: it is added on the way out.`;
  if (url.username !== "" || url.password !== "") {
    report(["url"], `An address holds no user or password. ${advice}`);
    return null;
  }
  if (url.protocol === "http:" && !/^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname)) {
    report(
      ["url"],
      "Without https, others on the way can read and change what is said; no credential goes there.",
      false,
    );
  }
  for (const name of isObject(headers) ? Object.keys(headers) : []) {
    report(["headers", name], `The header ${name} is not taken over. ${advice}`, false);
  }
  return { url: url.href, ...(isSse ? { transport: "sse" } : {}) };
}

function programOptions({ entry, input }: Parts, report: Report): JsonObject | null {
  const { command, args = [], env = {}, cwd, envFile, hand = input.defaultHand } = entry;
  let isValid = true;
  const text = (place: JsonPlace, value: unknown): string => {
    const found = typeof value === "string" ? resolved(value, input) : null;
    if (typeof found === "string") return found;
    isValid = false;
    report(place, found === null ? "This is a text." : `${found.problem} ${ELSEWHERE}`);
    return "";
  };
  const program = text(["command"], command);
  if (isValid && program === "") isValid = false;
  const words = Array.isArray(args) ? args.map((word, at) => text(["args", at], word)) : [];
  if (!Array.isArray(args)) report(["args"], "The args are a list of texts.");
  const values = isObject(env) ? Object.entries(env).filter(([, value]) => value !== null) : [];
  const environment = values.map(([name, value]) => {
    return [name, text(["env", name], typeof value === "number" ? String(value) : value)] as const;
  });
  const directory = cwd === undefined ? {} : { cwd: text(["cwd"], cwd) };
  if (envFile !== undefined) report(["envFile"], "The file is not read: give what is no secret in env.", false);
  if (typeof hand !== "string" || hand === "") {
    report([], 'Say in which hand it runs: "hand": "the name of a hand with a shell".');
    return null;
  }
  if (hand !== input.defaultHand && !input.hands.includes(hand)) {
    report(["hand"], `There is no hand named “${hand}” in the settings: a session needs one of that name.`, false);
  }
  if (!isValid || !Array.isArray(args)) return null;
  const given = environment.length === 0 ? {} : { env: Object.fromEntries(environment) };
  return { command: program, ...(words.length === 0 ? {} : { args: words }), ...given, ...directory, hand };
}

const ELSEWHERE =
  "A secret is stored as a credential in the vault, and reached through the credential proxy; what a program is given here can be read by the agent.";

/** With VS Code's variables that are no secrets put in; or what is wrong with one. */
function resolved(text: string, { folder, home }: McpServersInput): string | { readonly problem: string } {
  let problem: string | null = null;
  const whole = text.replaceAll(/\$\{([^}]*)\}/g, (_, name: string) => {
    if (name === "userHome") return home;
    if (name === "pathSeparator" || name === "/") return "/";
    if (name === "workspaceFolder" && folder !== null) return folder;
    if (name === "workspaceFolderBasename" && folder !== null) return folder.split(/[/\\]/).at(-1) ?? "";
    if (name.startsWith("input:")) problem ??= `\${${name}} would be asked for and kept in plain sight.`;
    else if (name.startsWith("env:")) problem ??= `\${${name}} is not read: it could be a secret.`;
    else problem ??= `\${${name}} is not known here.`;
    return "";
  });
  return problem === null ? whole : { problem };
}

function defaultsOf(value: unknown, specs: readonly HandSpec[], report: Report): readonly HandSpec[] {
  if (value === undefined || value === null) return specs;
  if (!Array.isArray(value)) {
    report([], "The servers of a new session are a list of names.");
    return specs;
  }
  const found = value.flatMap((name, at) => {
    const spec = specs.find((candidate) => candidate.name === name);
    if (spec === undefined) report([at], `There is no server named “${String(name)}”.`);
    return spec === undefined ? [] : [spec];
  });
  // An empty list is the setting's default: it names none, and leaves none out.
  return value.length === 0 ? specs : [...new Set(found)];
}
