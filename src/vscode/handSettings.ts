/** The hands that the settings name: unknown values in, specs and described problems out. Pure. */
import type { HandSpec, Resource } from "../core/config.ts";
import { isObject } from "../core/json.ts";
import type { Json, JsonObject } from "../core/json.ts";
import { CREDENTIAL_IN_SOURCE, holdsCredential } from "../core/resource.ts";

/** From the setting's value downwards: indices and members. */
export type JsonPlace = readonly (string | number)[];

export interface HandProblem {
  readonly setting: "hands" | "defaultHands";
  readonly place: JsonPlace;
  /** A sentence that says what to write instead. */
  readonly message: string;
  /** False: the hand is offered all the same. */
  readonly isFatal: boolean;
}

export interface HandSettings {
  /** The valid ones, in their order. */
  readonly hands: readonly HandSpec[];
  /** What a new session gets. */
  readonly defaults: readonly HandSpec[];
  readonly problems: readonly HandProblem[];
}

export interface HandSettingsInput {
  readonly hands: unknown;
  readonly defaultHands: unknown;
  /** The folder of the local hand; null: none is open on a disk. */
  readonly folder: string | null;
  /** The kinds that have a provider; null: not known yet. */
  readonly kinds: readonly string[] | null;
}

/** The local hand in the workspace folder: there without being named, as long as no other has its name. */
export const LOCAL_NAME = "local";
const NAME = /^[A-Za-z0-9_-]{1,32}$/;
const NAME_RULE = "1 to 32 letters, digits, “_” or “-”";

/**
 * A new session gets the hands that `defaultHands` names. Empty, it gets all of `hands`; where that is empty too, the local
 * hand. "local" is the local hand in the workspace folder wherever no spec has that name.
 */
export function parseHandSettings(input: HandSettingsInput): HandSettings {
  const problems: HandProblem[] = [];
  const hands = parseHands(input, (place, message, isFatal = true) =>
    problems.push({ setting: "hands", place, message, isFatal }),
  );
  const defaults = parseDefaults(input, hands, (place, message) =>
    problems.push({ setting: "defaultHands", place, message, isFatal: true }),
  );
  return { hands, defaults, problems };
}

/** Why this cannot be the name of another hand, or null. */
export function problemOfName(name: string, taken: readonly string[]): string | null {
  if (!NAME.test(name)) return `A hand's name has ${NAME_RULE}.`;
  return taken.includes(name) ? `There is a hand named “${name}” already.` : null;
}

export function localHand(folder: string | null): HandSpec | null {
  return folder === null ? null : { name: LOCAL_NAME, kind: "local", options: { cwd: folder } };
}

type Report = (place: JsonPlace, message: string, isFatal?: boolean) => void;

function parseHands(input: HandSettingsInput, report: Report): readonly HandSpec[] {
  const { hands, folder, kinds } = input;
  if (hands === undefined || hands === null) return [];
  if (!Array.isArray(hands)) {
    report([], 'The hands are a list: [{ "name": …, "kind": …, "options": { … } }].');
    return [];
  }
  const specs: HandSpec[] = [];
  for (const [index, value] of hands.entries()) {
    const spec = parseSpec(value, (place, message, isFatal) => report([index, ...place], message, isFatal));
    if (spec === null) continue;
    if (specs.some(({ name }) => name === spec.name)) {
      report([index, "name"], `There is a hand named “${spec.name}” above: names are unique.`);
      continue;
    }
    if (kinds !== null && !kinds.includes(spec.kind)) {
      const known = kinds.toSorted().join(", ");
      const message = `Nobody provides hands of kind “${spec.kind}”; there are ${known}. Is the extension that brings it on?`;
      report([index, "kind"], message, false);
    }
    const placed = inFolder(spec, folder);
    if (placed !== null) specs.push(placed);
    else report([index], "Open a folder first: this hand works in the workspace folder.");
  }
  return specs;
}

function parseSpec(value: unknown, report: Report): HandSpec | null {
  if (!isObject(value)) {
    report([], "A hand is an object with a name, a kind and options.");
    return null;
  }
  const { name, kind, prewarm, options, resources } = value;
  let isValid = true;
  const wrong = (place: JsonPlace, message: string): void => {
    isValid = false;
    report(place, message);
  };
  if (typeof name !== "string" || !NAME.test(name)) {
    wrong(name === undefined ? [] : ["name"], `A hand needs a name of ${NAME_RULE}.`);
  }
  if (typeof kind !== "string" || kind.trim() === "") {
    wrong(kind === undefined ? [] : ["kind"], "A hand needs a kind, such as local, docker, ssh or command.");
  }
  if (prewarm !== undefined && typeof prewarm !== "boolean") wrong(["prewarm"], "prewarm is true or false.");
  if (options !== undefined && !isObject(options)) wrong(["options"], "The options are an object.");
  else if (typeof kind === "string") checkOptions(kind, options ?? {}, wrong);
  const mounted = parseResources(resources, wrong);
  if (!isValid) return null;
  return {
    name: name as string,
    kind: kind as string,
    ...(prewarm === true ? { prewarm } : {}),
    ...(options === undefined ? {} : { options: options as JsonObject }),
    ...(mounted.length === 0 ? {} : { resources: mounted }),
  };
}

/** What each kind cannot do without; whatever else a kind wants, it says itself when it is provisioned. */
function checkOptions(kind: string, options: Readonly<Record<string, unknown>>, wrong: Report): void {
  const at = (member: string): JsonPlace => (member in options ? ["options", member] : ["options"]);
  const isText = (member: string): boolean => typeof options[member] === "string" && options[member] !== "";
  if (kind === "command") {
    const argv = options["argv"];
    const isArgv = Array.isArray(argv) && argv.length > 0 && argv.every((word) => typeof word === "string");
    if (!isArgv || argv[0] === "") {
      wrong(
        at("argv"),
        'A command needs options.argv, the program and its arguments: ["kubectl", "exec", "-i", "pod", "--", "sh"].',
      );
    }
  }
  if (kind === "ssh" && !isText("host")) wrong(at("host"), "An ssh hand needs options.host, as ssh would be given it.");
  if (kind === "docker") {
    const given = ["image", "build", "container"].filter((member) => options[member] !== undefined);
    const message = "A docker hand needs one of options.image, build and container.";
    if (given.length !== 1) wrong(at(given[1] ?? "image"), message);
  }
  const cwd = options["cwd"];
  if (cwd !== undefined && (typeof cwd !== "string" || cwd === "")) wrong(at("cwd"), "cwd is a folder at the far end.");
}

function parseResources(value: unknown, wrong: Report): readonly Resource[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    wrong(["resources"], 'The resources are a list: [{ "source_ref": …, "mount_path": … }].');
    return [];
  }
  return value.flatMap((resource: unknown, index): readonly Resource[] => {
    const isWhole =
      isObject(resource) && typeof resource["source_ref"] === "string" && typeof resource["mount_path"] === "string";
    if (isWhole && holdsCredential(String(resource["source_ref"]))) {
      wrong(["resources", index, "source_ref"], `The resource cannot be used: ${CREDENTIAL_IN_SOURCE}`);
      return [];
    }
    if (isWhole) return [resource as unknown as Resource];
    wrong(["resources", index], "A resource needs a source_ref and a mount_path.");
    return [];
  });
}

function parseDefaults(input: HandSettingsInput, hands: readonly HandSpec[], report: Report): readonly HandSpec[] {
  const local = localHand(input.folder);
  const all = hands.length > 0 ? hands : local === null ? [] : [local];
  const { defaultHands } = input;
  if (defaultHands === undefined || defaultHands === null) return all;
  if (!Array.isArray(defaultHands)) {
    report([], "The default hands are a list of names.");
    return all;
  }
  const chosen = defaultHands.flatMap((name: unknown, index): readonly HandSpec[] => {
    const spec = hands.find((hand) => hand.name === name) ?? (name === LOCAL_NAME ? local : null);
    if (spec !== null) return [spec];
    if (name !== LOCAL_NAME) report([index], `No hand of manyHands.hands has the name ${JSON.stringify(name)}.`);
    return [];
  });
  const unique = [...new Set(chosen)];
  return unique.length === 0 ? all : unique;
}

/** `${workspaceFolder}` is filled in, and a local hand without a directory of its own gets that one. Null: no folder is open. */
function inFolder(spec: HandSpec, folder: string | null): HandSpec | null {
  const isLocal = spec.kind === "local" && spec.options?.["cwd"] === undefined;
  const whole: HandSpec = isLocal ? { ...spec, options: { ...spec.options, cwd: "${workspaceFolder}" } } : spec;
  if (!JSON.stringify(whole).includes("${workspaceFolder}")) return whole;
  return folder === null ? null : (filled(whole as unknown as Json, folder) as unknown as HandSpec);
}

function filled(value: Json, folder: string): Json {
  if (typeof value === "string") return value.replaceAll("${workspaceFolder}", () => folder);
  if (Array.isArray(value)) return value.map((item: Json) => filled(item, folder));
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, filled(member, folder)]));
}
