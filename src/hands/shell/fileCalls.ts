/** The file tools: each is a script for the journal, and a rendering of what it printed; a file is changed by its script alone. */
import picomatch from "picomatch";
import type { FileChange } from "../../core/hand.ts";
import type { Json } from "../../core/json.ts";
import { limits } from "../../core/limits.ts";
import { markerAdded } from "../../core/redaction.ts";
import { isBinary } from "./outputText.ts";
import { quote } from "./supervisorScript.ts";

/** How the scripts say what they found, as exit statuses. */
const MISSING = 44;
const DIRECTORY = 45;
const CHANGED = 46;
const LACKING = 47;

type Members = { readonly [key: string]: Json };

export interface Rendered {
  readonly text: string;
  readonly is_error: boolean;
}

/** What a script printed, and how it ended. */
export interface ScriptResult {
  readonly status: number;
  readonly output: Buffer;
  readonly isTruncated: boolean;
}

/** A script that says so where it could not do its work; its own failures would be read as what is in the files. */
function needing(programs: readonly string[], script: string): string {
  return `for c in ${programs.join(" ")}; do
  command -v "$c" >/dev/null 2>&1 || { printf %s "$c"; exit ${LACKING}; }
done
${script}`;
}

/** null: nothing was lacking. */
function lackOf(tool: string, { status, output }: ScriptResult): Rendered | null {
  if (status !== LACKING) return null;
  return error(
    `${tool} does not work on this hand, for there is no ${output.toString("utf8")} there. Use bash instead.`,
  );
}

export function readScript(input: Members): string {
  const path = quote(textOf(input, "file_path"));
  const [first, last] = rangeOf(input);
  const range = first === 1 && last === -1 ? "" : `sed -n '${first},${last === -1 ? "$" : last}p' | `;
  const programs = ["cat", "head", "ls", "wc", ...(range === "" ? [] : ["sed"])];
  return needing(
    programs,
    `if [ -d ${path} ]; then ls -a -- ${path}; exit ${DIRECTORY}; fi
[ -e ${path} ] || { ls -d -- ${path} 2>&1; exit ${MISSING}; }
wc -c <${path} || exit 1
cat <${path} | ${range}head -c ${limits.readBytesMax}`,
  );
}

export function renderRead(input: Members, result: ScriptResult): Rendered {
  const { status, output } = result;
  const lack = lackOf("read", result);
  if (lack !== null) return lack;
  const path = textOf(input, "file_path");
  if (status === MISSING && /denied/i.test(output.toString("latin1"))) {
    return error(`${path} could not be read: Permission denied`);
  }
  if (status === MISSING) return error(`There is no file ${path}.`);
  if (status === DIRECTORY) return error(`${path} is a directory. In it:\n${output.toString("utf8")}`);
  const newline = output.indexOf(10);
  const size = Number(output.subarray(0, newline).toString("latin1").trim());
  if (status !== 0 || newline === -1 || !Number.isFinite(size)) {
    return error(`${path} could not be read: ${output.toString("utf8").trim()}`);
  }
  const content = output.subarray(newline + 1);
  if (size === 0) return { text: `(${path} is empty)`, is_error: false };
  if (isBinary(content)) return { text: `(${path} is binary, ${size} bytes)`, is_error: false };
  const [first, last] = rangeOf(input);
  const lines = content.toString("utf8").split("\n");
  if (lines.at(-1) === "") lines.pop();
  if (lines.length === 0) return error(`${path} has no lines from ${first} on.`);
  const numbered = lines.map((line, at) => `${String(first + at).padStart(6)}\t${line}`).join("\n");
  const isCut = content.length >= limits.readBytesMax;
  const more = isCut
    ? `\n[… cut at ${limits.readBytesMax} of ${size} bytes; go on with view_range [${first + lines.length}, ${last}]]`
    : "";
  return { text: numbered + more, is_error: false };
}

function rangeOf(input: Members): readonly [number, number] {
  const range = input["view_range"];
  const [first, last] = Array.isArray(range) ? (range as readonly number[]) : [1, -1];
  const from = Math.max(1, Math.floor(first ?? 1));
  return [from, last === undefined || last < 0 ? -1 : Math.max(from, Math.floor(last))];
}

export type Planned =
  | { readonly ok: true; readonly change: FileChange; readonly message: string }
  | { readonly ok: false; readonly text: string };

/** What `write` or `edit` makes of the file; `before` is null where there is none. */
export function planChange(name: string, input: Members, path: string, before: Buffer | null): Planned {
  const planned = plannedChange(name, input, path, before);
  if (!planned.ok) return planned;
  const after = Buffer.from(planned.change.after).toString("utf8");
  const marker = markerAdded(before?.toString("utf8") ?? "", after);
  return marker === null ? planned : { ok: false, text: markerText(path, marker) };
}

function markerText(path: string, marker: string): string {
  return (
    `Nothing was written: the new content of ${path} has "${marker}" where the file has none. That stands for something secret that was ` +
    "taken out of what you read; written back, it would destroy it. Leave those lines as they are: edit only other parts of the " +
    "file, by edit, or change it by a command that does not name the secret."
  );
}

function plannedChange(name: string, input: Members, path: string, before: Buffer | null): Planned {
  if (name === "write") {
    const after = Buffer.from(textOf(input, "content"));
    const verb = before === null ? "Created" : "Replaced the content of";
    return { ok: true, change: { path, before, after }, message: `${verb} ${path} (${after.length} bytes).` };
  }
  if (before === null) return { ok: false, text: `There is no file ${path}. Use write to create it.` };
  return planEdit(input, path, before);
}

function planEdit(input: Members, path: string, before: Buffer): Planned {
  const text = before.toString("utf8");
  if (!Buffer.from(text).equals(before)) {
    return { ok: false, text: `${path} is not valid UTF-8: edit it by a command.` };
  }
  const [oldString, newString] = [textOf(input, "old_string"), textOf(input, "new_string")];
  if (oldString === newString) {
    return { ok: false, text: "old_string and new_string are the same: nothing would change." };
  }
  const parts = text.split(oldString);
  const count = parts.length - 1;
  if (count === 0) return { ok: false, text: `old_string is not in ${path}.${hintFor(text, oldString)}` };
  if (count > 1 && input["replace_all"] !== true) {
    const message = `old_string is in ${path} ${count} times. Give more of what is around it, or set replace_all.`;
    return { ok: false, text: message };
  }
  const after = Buffer.from(parts.join(newString));
  const times = count === 1 ? "one place" : `${count} places`;
  return { ok: true, change: { path, before, after }, message: `Edited ${path} in ${times}.` };
}

/** Most misses are white space: the line that is the same without it. */
function hintFor(text: string, wanted: string): string {
  const squeeze = (line: string): string => line.replaceAll(/\s+/g, " ").trim();
  const first = squeeze(wanted.split("\n").find((line) => line.trim() !== "") ?? "");
  if (first === "") return "";
  const lines = text.split(/\r?\n/);
  const at = lines.findIndex((line) => squeeze(line) === first);
  const crlf =
    text.includes("\r\n") && !wanted.includes("\r\n") && wanted.includes("\n") ? " The file has CRLF line ends." : "";
  return at === -1 ? crlf : ` Line ${at + 1} is alike but for white space: ${JSON.stringify(lines[at])}.${crlf}`;
}

/** Puts the staged new content in place of what was read, in one step and with the file's mode; refuses if it has changed since. */
export function changeScript(id: string, journal: string, change: FileChange, message: string): string {
  const [path, staged, old] = [change.path, `${journal}/${id}.n`, `${journal}/${id}.p`].map(quote);
  const check =
    change.before === null ? `[ ! -e "$f" ] || exit ${CHANGED}` : `cmp -s -- "$f" ${old} || exit ${CHANGED}`;
  return needing(
    ["cat", "cp", "dirname", "mkdir", "mv", "rm", ...(change.before === null ? [] : ["cmp"])],
    `f=${path}
if [ -L "$f" ]; then f=$(readlink -f -- "$f") || exit 1; fi
d=$(dirname -- "$f"); mkdir -p -- "$d" || exit 1
${check}
t="$d/.many-hands-${id}"
if [ -e "$f" ]; then cp -p -- "$f" "$t" || exit 1; fi
cat ${staged} >"$t" && mv -f -- "$t" "$f" || { rm -f -- "$t"; exit 1; }
printf '%s\\n' ${quote(message)}`,
  );
}

export function renderChange(input: Members, result: ScriptResult): Rendered {
  const { status, output } = result;
  const lack = lackOf("Writing", result);
  if (lack !== null) return lack;
  const path = textOf(input, "file_path");
  const text = output.toString("utf8").trim();
  if (status === 0) return { text, is_error: false };
  if (status === CHANGED) return error(`${path} has changed since it was read; nothing was written. Read it again.`);
  return error(`${path} could not be written: ${text === "" ? `exit status: ${status}` : text}`);
}

const PRUNED = ".git node_modules".split(" ");

export function globScript(input: Members): string {
  const wanted = textOf(input, "pattern");
  const pruned = PRUNED.filter((name) => !wanted.includes(name)).map((name) => `-name ${name}`);
  const prune = pruned.length === 0 ? "" : `\\( ${pruned.join(" -o ")} \\) -prune -o `;
  const path = typeof input["path"] === "string" ? input["path"] : ".";
  return needing(
    ["find", "head"],
    `cd -- ${quote(path)} || exit ${MISSING}
find . ${prune}\\( -type f -o -type l \\) -print | head -n 200000`,
  );
}

export function renderGlob(input: Members, result: ScriptResult): Rendered {
  const { status, output } = result;
  const lack = lackOf("glob", result);
  if (lack !== null) return lack;
  if (status === MISSING) return error(`There is no directory ${textOf(input, "path")}.`);
  const pattern = textOf(input, "pattern").replace(/^\.\//, "");
  const matches = picomatch(pattern, { dot: true });
  const names = output
    .toString("utf8")
    .split("\n")
    .filter((name) => name !== "")
    .map((name) => name.replace(/^\.\//, ""));
  const found = names.filter((name) => matches(name)).toSorted();
  if (found.length === 0) return { text: `No file matches ${pattern}.`, is_error: false };
  return { text: capped(found), is_error: false };
}

export function grepScript(input: Members): string {
  const pattern = quote(textOf(input, "pattern"));
  const given = typeof input["path"] === "string" && input["path"] !== "" ? input["path"] : ".";
  const path = quote(given);
  const excluded = "--exclude-dir=.git --exclude-dir=node_modules";
  const tried = (option: string): string => `echo x | grep -q ${option} x 2>/dev/null`;
  return needing(
    ["cut", "find", "grep", "head"],
    `[ -e ${path} ] || exit ${MISSING}
if command -v rg >/dev/null 2>&1; then o=$(rg -n --no-heading --color never --hidden -g '!.git' -g '!node_modules' -e ${pattern} -- ${path}); s=$?
elif ${tried("-P")}; then o=$(grep -rnIP ${excluded} -e ${pattern} -- ${path}); s=$?
elif ${tried("--exclude-dir=y")}; then o=$(grep -rnIE ${excluded} -e ${pattern} -- ${path}); s=$?
else
  grep -qE -e ${pattern} </dev/null
  [ $? -le 1 ] || exit 2
  o=$(find ${quote(given.startsWith("-") ? `./${given}` : given)} \\( -name .git -o -name node_modules \\) -prune -o -type f -exec grep -HnE -e ${pattern} -- {} +)
  s=1
  [ -z "$o" ] || s=0
fi
[ -z "$o" ] || printf '%s\\n' "$o" | cut -c 1-500 | head -n 5000
exit $s`,
  );
}

export function renderGrep(input: Members, result: ScriptResult): Rendered {
  const { status, output } = result;
  const lack = lackOf("grep", result);
  if (lack !== null) return lack;
  if (status === MISSING) return error(`There is no ${textOf(input, "path")}.`);
  const text = output.toString("utf8").trim();
  if (status === 1 && text === "") return { text: `Nothing matches ${textOf(input, "pattern")}.`, is_error: false };
  if (status > 1 && text === "") return error(`The search failed with exit status: ${status}`);
  if (status > 1) return error(text);
  return { text: capped(text.split("\n").map((line) => line.replace(/^\.\//, ""))), is_error: false };
}

function capped(rows: readonly string[]): string {
  const shown = rows.slice(0, limits.searchRowsMax).join("\n");
  const left = rows.length - limits.searchRowsMax;
  return left > 0 ? `${shown}\n[… ${left} more; narrow the search]` : shown;
}

/** A member that the schema makes a text; the empty one where it is absent. */
function textOf(input: Members, member: string): string {
  const value = input[member];
  return typeof value === "string" ? value : "";
}

function error(text: string): Rendered {
  return { text, is_error: true };
}
