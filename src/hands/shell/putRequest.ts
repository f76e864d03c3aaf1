/** The request that adds bytes to a file at the far end, in the shortest way that the shell there takes. */
import type { Link } from "./link.ts";
import { isText, spell } from "./supervisorScript.ts";

/** Bytes that go in one request. */
export const SPELT_BYTES = 48 * 1024;

/** Text goes as it is; of other bytes each would become five characters, so base64 is worth its fork. */
export function putRequest(link: Link, file: string, bytes: Buffer): readonly [string, string, string] {
  if (isText(bytes) || !link.facts.hasBase64) return ["put", file, spell(bytes)];
  return ["put64", file, bytes.toString("base64")];
}
