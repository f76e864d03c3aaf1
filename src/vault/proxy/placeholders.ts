/** Puts a credential's value in the place of `{{credential}}` in the named fields of a request's body, and nowhere else. */
import { isObject } from "../../core/json.ts";

export const PLACEHOLDER = "{{credential}}";

/** A JSON pointer (`/auth/token`) or the name of a form's field. */
export type BodyPlace = string;

/** The body as it is where it is neither JSON nor a form, or holds no placeholder in these places. */
export function fillBody(body: Buffer, contentType: string, places: readonly BodyPlace[], value: string): Buffer {
  const type = (contentType.split(";")[0] ?? "").trim().toLowerCase();
  if (type === "application/json" || type.endsWith("+json")) return fillJson(body, places, value);
  if (type === "application/x-www-form-urlencoded") return fillForm(body, places, value);
  return body;
}

function fillForm(body: Buffer, places: readonly BodyPlace[], value: string): Buffer {
  const form = new URLSearchParams(body.toString());
  let isChanged = false;
  const pairs = Array.from(form, ([name, text]): [string, string] => {
    if (!places.includes(name) || !text.includes(PLACEHOLDER)) return [name, text];
    isChanged = true;
    return [name, text.replaceAll(PLACEHOLDER, () => value)];
  });
  return isChanged ? Buffer.from(new URLSearchParams(pairs).toString()) : body;
}

function fillJson(body: Buffer, places: readonly BodyPlace[], value: string): Buffer {
  let root: unknown;
  try {
    root = parseExactly(body.toString());
  } catch {
    return body;
  }
  const isChanged = places.map((place) => fillAt(root, place, value));
  return isChanged.includes(true) ? Buffer.from(JSON.stringify(root)) : body;
}

/** Numbers that a double does not hold as they are written stay as they are written. */
function parseExactly(text: string): unknown {
  // Newer than the types of the language: what a number looks like in the text, and how to write it so again.
  const json = JSON as unknown as {
    readonly parse: (
      text: string,
      revive: (key: string, value: unknown, at: { source?: string }) => unknown,
    ) => unknown;
    readonly rawJSON: (text: string) => unknown;
  };
  return json.parse(text, (_, value, { source }) =>
    typeof value === "number" && source !== undefined && source !== String(value) ? json.rawJSON(source) : value,
  );
}

/** Changes the string at a pointer (RFC 6901); true where there was a placeholder in it. */
function fillAt(root: unknown, pointer: string, value: string): boolean {
  if (!pointer.startsWith("/")) return false;
  const keys = pointer
    .slice(1)
    .split("/")
    .map((key) => key.replaceAll("~1", "/").replaceAll("~0", "~"));
  const last = keys.pop() ?? "";
  let at: unknown = root;
  for (const key of keys) at = childOf(at, key);
  const text = childOf(at, last);
  if (typeof text !== "string" || !text.includes(PLACEHOLDER)) return false;
  (at as Record<string, unknown>)[last] = text.replaceAll(PLACEHOLDER, () => value);
  return true;
}

function childOf(parent: unknown, key: string): unknown {
  const isParent = isObject(parent) || Array.isArray(parent);
  return isParent && Object.hasOwn(parent, key) ? (parent as Record<string, unknown>)[key] : undefined;
}
