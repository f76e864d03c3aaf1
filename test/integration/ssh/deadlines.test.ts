/** Whatever a host does or leaves undone while it is reached, the try ends within its deadline and says at which step. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { hasCode } from "../../../src/core/errors.ts";
import type { ManyHandsError } from "../../../src/core/errors.ts";
import type { Hand } from "../../../src/core/hand.ts";
import type { JsonObject } from "../../../src/core/json.ts";
import { freePort, hasSshd, noSshd, publicKey, removeFolder, startSshServer } from "../../fixtures/sshd/sshServer.ts";
import type { SshServer } from "../../fixtures/sshd/sshServer.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { makeKit, makeWire, newFolder, SHORT } from "./sshKit.ts";
import type { Kit, Wire } from "./sshKit.ts";

const OPENING = /while a channel was opened/;

async function failureOf(opening: Promise<Hand>): Promise<ManyHandsError> {
  const began = performance.now();
  try {
    const hand = await opening;
    await hand.close();
  } catch (thrown) {
    assert.ok(hasCode(thrown, "hand_unavailable"), String(thrown));
    // Far below the program's own limit, with which a computer under load has nothing to do.
    assert.ok(performance.now() - began < 15_000);
    return thrown;
  }
  assert.fail("the host was reached");
}

describe("reaching a host over SSH", function () {
  this.timeout(60_000);
  let folder: string;
  let server: SshServer;
  let wire: Wire;
  let configFile: string;
  const kits: Kit[] = [];
  const kit = (): Kit => {
    const made = makeKit({ timing: SHORT });
    kits.push(made);
    return made;
  };

  before(async function () {
    skipUnless(this, hasSshd(), noSshd);
    folder = await newFolder();
    server = await startSshServer({ folder });
  });
  beforeEach(async () => {
    wire = await makeWire(server.port);
    configFile = await throughPort(wire.port);
  });
  afterEach(() => wire?.close());
  after(async () => {
    if (folder === undefined) return;
    await server?.stop();
    await removeFolder(folder);
  });

  /** The same host, at another port. */
  const throughPort = async (port: number, to = server): Promise<string> => {
    const path = join(folder, `config_${port}`);
    const knownHosts = join(folder, `known_${port}`);
    await writeFile(knownHosts, `[127.0.0.1]:${port} ${await publicKey(to.hostKey)}\n`);
    await writeFile(path, `Host box\nPort ${port}\nUserKnownHostsFile ${knownHosts}\nInclude ${to.configFile}\n`);
    return path;
  };
  const through = (): JsonObject => ({ configFile, transport: "ssh2" });

  for (const step of ["handshake", "authentication"]) {
    for (const [how, act] of [
      ["falls silent", (): void => wire.freeze()],
      ["goes away", (): void => wire.drop()],
    ] as const) {
      it(`ends when the host ${how} at the ${step}`, async () => {
        const watched = kit();
        const onStep = (said: string): void => {
          if (said.includes(step)) act();
        };
        const thrown = await failureOf(watched.open(through(), onStep));
        assert.ok(thrown.message.includes(step), thrown.message);
        assert.equal(thrown.origin, "network");
      });
    }
  }

  // Hosts that stay at a step: one gives no session, the other starts what is no shell.
  for (const [step, line, mark] of [
    ["channel", "MaxSessions 0", /no more sessions/],
    ["first answer", "ForceCommand sleep 60", /Starting session/],
  ] as const) {
    for (const [how, act] of [
      ["falls silent", (to: Wire): void => to.freeze()],
      ["goes away", (to: Wire): void => to.drop()],
    ] as const) {
      it(`ends when the host ${how} at the ${step}`, async () => {
        await inFolder(async (own) => {
          const staying = await startSshServer({ folder: own, lines: [line] });
          const between = await makeWire(staying.port);
          try {
            const config = await throughPort(between.port, staying);
            const opening = failureOf(kit().open({ configFile: config, transport: "ssh2" }));
            await until(() => mark.test(staying.log()));
            act(between);
            const thrown = await opening;
            assert.equal(thrown.origin, "network", thrown.message);
            // The host may be cut off before its word that the shell starts has come.
            assert.match(
              thrown.message,
              step === "channel" ? OPENING : new RegExp(`shell there.*lost|${OPENING.source}`),
            );
          } finally {
            await between.close();
            await staying.stop();
          }
        });
      });
    }
  }

  it("ends when a server takes the connection and never speaks", async () => {
    const silent = await listen(() => {});
    const thrown = await failureOf(kit().open({ ...through(), port: silent.port }));
    await silent.close();
    assert.match(thrown.message, /"handshake".*did not end within 1500 ms/);
    assert.equal(thrown.origin, "network");
  });

  it("ends when what answers does not speak SSH", async () => {
    const web = await listen((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const thrown = await failureOf(kit().open({ ...through(), port: web.port }));
    await web.close();
    assert.match(thrown.message, /handshake/);
    assert.equal(thrown.origin, "network");
  });

  it("says that nothing listens there", async () => {
    const thrown = await failureOf(kit().open({ ...through(), port: await freePort() }));
    assert.match(thrown.message, /nothing listens there/);
    assert.equal(thrown.origin, "network");
  });

  it("says that there is no such host", async () => {
    const other = join(folder, "nowhere_config");
    await writeFile(other, "Host box\nHostName nowhere.invalid\n");
    const thrown = await failureOf(kit().open({ configFile: other, transport: "ssh2" }));
    assert.match(thrown.message, /nowhere\.invalid:22 cannot be reached|connection/);
    assert.equal(thrown.origin, "network");
  });

  it("says what is wrong with the configuration", async () => {
    const broken = join(folder, "broken_config");
    await writeFile(broken, "Host box\nNoSuchOption yes\n");
    const thrown = await failureOf(kit().open({ configFile: broken }));
    assert.match(thrown.message, /configuration for the host box cannot be read.*bad configuration options/i);
    assert.equal(thrown.origin, "hand");
  });

  it("ends when a ProxyCommand brings nothing", async () => {
    const proxied = join(folder, "proxied_config");
    await writeFile(proxied, `Host box\nProxyCommand sleep 60\nInclude ${server.configFile}\n`);
    const thrown = await failureOf(kit().open({ configFile: proxied, transport: "ssh2" }));
    assert.match(thrown.message, /handshake.*through a ProxyCommand/);
    assert.equal(thrown.origin, "network");
  });

  it("says what a ProxyCommand that fails said", async () => {
    const proxied = join(folder, "failing_config");
    await writeFile(
      proxied,
      `Host box\nProxyCommand sh -c 'echo no way to %h >&2; exit 1'\nInclude ${server.configFile}\n`,
    );
    const thrown = await failureOf(kit().open({ configFile: proxied, transport: "ssh2" }));
    assert.match(thrown.message, /no way to 127\.0\.0\.1/);
    assert.equal(thrown.origin, "network");
  });

  it("refuses a host that ssh would take for an option", async () => {
    const thrown = await failureOf(kit().open({ host: "-oProxyCommand=touch /tmp/never" }));
    assert.match(thrown.message, /no name of a host/);
  });
});

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await newFolder();
  try {
    await work(folder);
  } finally {
    await removeFolder(folder);
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

interface Listening {
  readonly port: number;
  close(): Promise<void>;
}

async function listen(onSocket: (socket: Socket) => void): Promise<Listening> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, close };
}
