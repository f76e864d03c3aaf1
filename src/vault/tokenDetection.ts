/** The detection of tokens as one part that is loaded when it is first needed: the rules, and the stream that runs them. */
import type { RedactingStream } from "../core/redaction.ts";
import { TokenShapes } from "./tokenShapes.ts";
import { TokenStream } from "./tokenStream.ts";

/** Gives a maker of streams. Rejects where the rules cannot be loaded. */
export async function loadTokenDetection(): Promise<() => RedactingStream> {
  const shapes = await TokenShapes.load();
  return () => new TokenStream(shapes);
}
