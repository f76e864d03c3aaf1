/** Requests and answers of git-lfs, built anew from the fields that are known: nothing else passes in either direction. */
import { isRefName } from "./refNames.ts";
import type { LfsAction, LfsActionName } from "./lfsActions.ts";

export interface LfsBatch {
  readonly operation: "download" | "upload";
  /** Full name of the ref for which objects are sent or fetched, where the client says so. */
  readonly ref: string | undefined;
  /** To be sent on. */
  readonly body: Buffer;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function parseFields(body: Buffer): Fields | undefined {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"));
    return isFields(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** `{ref: {name}}` of a request. */
export function refOf(fields: Fields): string | undefined {
  const name = isFields(fields["ref"]) ? fields["ref"]["name"] : undefined;
  return typeof name === "string" && isRefName(name) ? name : undefined;
}

/** undefined: no batch request. */
export function parseBatch(body: Buffer): LfsBatch | undefined {
  const fields = parseFields(body);
  const operation = fields?.["operation"];
  const objects = fields?.["objects"];
  if (operation !== "download" && operation !== "upload") return undefined;
  if (fields === undefined || !Array.isArray(objects)) return undefined;
  const plain: { oid: string; size: number }[] = [];
  for (const object of objects as unknown[]) {
    const { oid, size } = isFields(object) ? object : {};
    if (typeof oid !== "string" || !/^[0-9a-f]{40,128}$/.test(oid) || !Number.isSafeInteger(size)) return undefined;
    plain.push({ oid, size: size as number });
  }
  const ref = refOf(fields);
  const algorithm = fields["hash_algo"];
  const sent = {
    operation,
    // Others are ways of their own, past the proxy.
    transfers: ["basic"],
    ...(ref === undefined ? {} : { ref: { name: ref } }),
    objects: plain,
    ...(typeof algorithm === "string" ? { hash_algo: algorithm } : {}),
  };
  return { operation, ref, body: Buffer.from(JSON.stringify(sent)) };
}

/** An address and headers out of an answer, before it is known whose they are. */
export type FoundAction = Pick<LfsAction, "name" | "href" | "headers">;

/** The answer for the hand: each action's address is what `replace` gives, its headers are left out. Throws where it is no answer. */
export function rewriteBatch(body: Buffer, base: URL, replace: (found: FoundAction) => string): Buffer {
  const fields = parseFields(body);
  const objects = fields?.["objects"];
  if (fields === undefined || !Array.isArray(objects)) {
    throw new Error("The LFS server's answer is not one that is known.");
  }
  const algorithm = fields["hash_algo"];
  const rewritten = {
    transfer: "basic",
    objects: (objects as unknown[]).filter(isFields).map((object) => rewriteObject(object, base, replace)),
    ...(typeof algorithm === "string" ? { hash_algo: algorithm } : {}),
  };
  return Buffer.from(JSON.stringify(rewritten));
}

function rewriteObject(object: Fields, base: URL, replace: (found: FoundAction) => string): Fields {
  const { oid, size, error } = object;
  const plain = { oid, size, authenticated: true };
  if (isFields(error)) return { oid, size, error: { code: error["code"], message: error["message"] } };
  if (!isFields(object["actions"])) return plain;
  const actions: Record<string, Fields> = {};
  for (const name of ["download", "upload", "verify"] as const) {
    const action = object["actions"][name];
    if (!isFields(action)) continue;
    const found = findAction(name, action, base);
    if (found === undefined) {
      return {
        oid,
        size,
        error: { code: 422, message: "Many Hands: the LFS server names an address that is not https." },
      };
    }
    const times = Object.entries(action).filter(([key]) => key === "expires_in" || key === "expires_at");
    actions[name] = { ...Object.fromEntries(times), href: replace(found) };
  }
  return { ...plain, actions };
}

/** What belongs to the connection, and to the proxy. */
const NOT_SENT =
  /^(?:host|connection|content-length|transfer-encoding|te|trailer|upgrade|expect|proxy-.*|x-many-hands)$/;

function findAction(name: LfsActionName, action: Fields, base: URL): FoundAction | undefined {
  const text = action["href"];
  if (typeof text !== "string" || !URL.canParse(text, base)) return undefined;
  const href = new URL(text, base);
  // A name and a password in an address are a header, spelt otherwise.
  if (href.protocol !== "https:" || href.username !== "" || href.password !== "") return undefined;
  const headers: Record<string, string> = {};
  for (const [key, value] of Object.entries(isFields(action["header"]) ? action["header"] : {})) {
    const header = key.toLowerCase();
    const isSendable =
      /^[a-z0-9!#$%&'*+.^_`|~-]+$/.test(header) && typeof value === "string" && /^[\x20-\x7e]*$/.test(value);
    if (isSendable && !NOT_SENT.test(header)) headers[header] = value;
  }
  return { name, href, headers };
}
