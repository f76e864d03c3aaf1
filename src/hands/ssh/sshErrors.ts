/** Failures of reaching a host over SSH, in words that say what to do. */
import { ManyHandsError } from "../../core/errors.ts";
import { FarEndGone } from "../shell/shellStream.ts";

/** The host takes nothing of what was offered. Trying again would not change that. */
export class NotAuthenticated extends FarEndGone {}

/** The connection is lost, or was lost on the way. */
export class ConnectionLost extends ManyHandsError {
  constructor(message: string, cause?: unknown) {
    super("hand_unavailable", "network", message, cause);
  }
}

export function lateAt(step: string, way: string, ms: number): ManyHandsError {
  return new ConnectionLost(
    `The step "${step}" to ${way} did not end within ${ms} ms. Look whether the host is up, and whether something between here and there holds the connection.`,
  );
}
