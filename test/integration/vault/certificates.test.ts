/** The certificates of the tests' own servers: trusted with their authority, refused without, for other names and when old. */
import assert from "node:assert/strict";
import { get } from "node:https";
import type { RequestOptions } from "node:https";
import { startHttpsServer } from "../../fixtures/httpsServer.ts";
import type { TestServerOptions } from "../../fixtures/httpsServer.ts";

/** The status that came back, or the error's code. */
async function ask(options: TestServerOptions, request: (ca: string) => RequestOptions): Promise<string> {
  const server = await startHttpsServer((_, response) => response.end("ok"), options);
  try {
    return await new Promise((resolve) => {
      get(server.origin, { agent: false, ...request(server.ca) }, (answer) => {
        answer.resume();
        resolve(String(answer.statusCode));
      }).on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    });
  } finally {
    await server.close();
  }
}

describe("certificates of test servers", () => {
  it("are good for their names, with their authority", async () => {
    assert.equal(await ask({}, (ca) => ({ ca })), "200");
    assert.equal(await ask({ names: ["git.example.com"] }, (ca) => ({ ca, servername: "git.example.com" })), "200");
  });

  it("are not good otherwise", async () => {
    assert.match(await ask({}, () => ({})), /SELF_SIGNED|UNABLE_TO/);
    assert.equal(await ask({ names: ["git.example.com"] }, (ca) => ({ ca })), "ERR_TLS_CERT_ALTNAME_INVALID");
    assert.equal(await ask({ expired: true }, (ca) => ({ ca })), "CERT_HAS_EXPIRED");
  });
});
