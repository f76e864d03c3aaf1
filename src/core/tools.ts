/** What a tool is to the model and to the harness. */
import type { PermissionPolicy } from "./config.ts";
import type { JsonObject } from "./json.ts";

export interface ToolSpec {
  /** `^[a-zA-Z0-9_-]{1,64}$`, as the Messages API wants it. */
  readonly name: string;
  readonly description: string;
  /** JSON Schema of type object; what the model sends is checked against it before anything runs. */
  readonly input_schema: JsonObject;
  /** May run beside other calls of the same turn on the same hand; a call that may not has the hand for itself. */
  readonly parallel: boolean;
  /** What holds where no setting says otherwise. */
  readonly permission: PermissionPolicy;
}
