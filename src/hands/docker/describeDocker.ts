/** A Docker hand in one line, for who has not provisioned it. */
import type { HandSpec } from "../../core/config.ts";
import { isObject } from "../../core/json.ts";

/** One line for the model about a hand that is not there yet. It never fails: what is wrong is said by provisioning. */
export function describeDockerSpec(spec: HandSpec): string {
  const { image, build, container } = spec.options ?? {};
  if (typeof image === "string") return `a Docker container from the image ${image}`;
  if (typeof container === "string") return `the Docker container ${container}`;
  return isObject(build) ? "a Docker container from an image that is built for it" : "a Docker container";
}
