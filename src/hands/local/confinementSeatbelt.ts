/** Confinement on macOS: each shell is started under a profile of Seatbelt, which all that it starts inherits. */
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { ConfinedFarEnd, ConfinedPlace, Confinement } from "./confinement.ts";
import { quote } from "../shell/supervisorScript.ts";
import { isIn } from "./confinementPaths.ts";
import { openShell } from "./localFarEnd.ts";

const PROGRAM = "/usr/bin/sandbox-exec";

export const seatbeltConfinement: Confinement = {
  missing: async () => {
    const isThere = await access(PROGRAM, constants.X_OK).then(
      () => true,
      () => false,
    );
    return isThere ? null : `${PROGRAM}, a part of macOS, is not there.`;
  },
  farEnd: async (place) => farEnd(place),
};

async function farEnd(place: ConfinedPlace): Promise<ConfinedFarEnd> {
  const temporary = join(place.folder, "tmp");
  await mkdir(temporary, { recursive: true, mode: 0o700 });
  const environment = { ...place.environment, TMPDIR: temporary };
  let port: number | null = null;
  return {
    open: async () => openShell(["/bin/sh", "-c", await seatbeltCommand(place, temporary, port)], environment),
    openEntrance: async (accept, wish) => {
      const server = createServer({ allowHalfOpen: true }, (connection) => {
        connection.on("error", () => {});
        accept(connection);
      });
      await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(wish.port ?? 0, "127.0.0.1", resolve);
      });
      server.unref();
      port = (server.address() as AddressInfo).port;
      return { url: `http://127.0.0.1:${port}`, close: () => void server.close() };
    },
    close: () => {},
    remove: async () => {},
  };
}

/** Shell text that becomes the confined shell. `port`: of this computer's loopback, the only one that may be reached. */
export async function seatbeltCommand(
  { rules, journal, shell, environment }: ConfinedPlace,
  temporary: string,
  port: number | null,
): Promise<string> {
  const { wrapCommandWithSandboxMacOS } =
    await import("@anthropic-ai/sandbox-runtime/dist/sandbox/macos-sandbox-utils.js");
  const variables = Object.entries({ ...environment, TMPDIR: temporary }).map(
    ([name, value]) => `${name}=${quote(value)}`,
  );
  const wrapped = wrapCommandWithSandboxMacOS({
    // The library puts variables of its own there, of proxies that there are not.
    command: `exec env -i ${variables.join(" ")} ${quote(shell)}`,
    commandId: "many-hands",
    needsNetworkRestriction: true,
    ...(port === null ? {} : { httpProxyPort: port }),
    readConfig: {
      denyOnly: [],
      literalDenyOnly: [...rules.unreadable, ...rules.covered],
      literalAllowWithinDeny: [journal, temporary, ...rules.writable],
    },
    writeConfig: {
      allowOnly: [],
      literalAllowOnly: [...rules.writable, journal, temporary, "/dev/null", "/dev/tty"],
      denyWithinAllow: [],
      literalDenyWithinAllow: [...rules.readOnly, ...rules.unreadable.filter((path) => !isIn(journal, path))],
    },
    binShell: "/bin/sh",
  });
  return `exec ${wrapped}`;
}
