// A VS Code for the tests that click: code-server with the packaged extension in it, in folders of its own.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import * as host from "../../../scripts/codeServer.ts";
import { vsixFile } from "../../../scripts/package.mjs";

const idleSeconds = 600;

export interface TestServerOptions extends Partial<Omit<host.CodeServerOptions, "vsix">> {
  /** The folder to open; undefined: an empty window. */
  readonly workspace?: string;
  /** Takes the extension from a folder instead of the packaged one. VS Code does not restart a killed extension host then. */
  readonly extensionDevelopmentPath?: string;
}

export interface TestServer extends host.CodeServer {
  /** The address that opens the workspace in a page. */
  readonly url: string;
}

/**
 * Starts a server with the packaged extension. Without `userDataDir` it gets a folder that `stop` removes again.
 * Workspace storage hangs on the address: give the same `userDataDir` and the same `port` to come back to the same sessions.
 */
export async function startCodeServer(options: TestServerOptions): Promise<TestServer> {
  const { workspace, extensionDevelopmentPath, ...rest } = options;
  const userDataDir = options.userDataDir ?? mkdtempSync(path.join(tmpdir(), "many-hands-vscode-"));
  const extension = extensionDevelopmentPath === undefined ? { vsix: vsixFile } : { development: true };
  const server = await host.startCodeServer({ idleSeconds, ...extension, ...rest, userDataDir });
  const open = extensionDevelopmentPath === undefined ? {} : { extensionDevelopmentPath };
  return {
    ...server,
    url: server.address(workspace, open),
    stop: async () => {
      await server.stop();
      if (options.userDataDir === undefined) rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
