/** Where a hand in a container can come from, and what is said where it cannot. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { JsonObject } from "../../../src/core/json.ts";
import { createDockerProvider } from "../../../src/hands/docker/dockerProvider.ts";
import type { DockerHand } from "../../../src/hands/docker/provisionDocker.ts";
import { systemClock } from "../../../src/orchestrator/systemClock.ts";
import { makeKit } from "../../fixtures/docker/dockerKit.ts";
import type { DockerKit } from "../../fixtures/docker/dockerKit.ts";
import { BASH_IMAGE, BUSYBOX_IMAGE, startEngine, whyNoEngine } from "../../fixtures/docker/testEngine.ts";
import type { TestEngine } from "../../fixtures/docker/testEngine.ts";
import { skipUnless } from "../../vscode/host/skip.ts";
import { says, unavailable } from "./handSupport.ts";

describe("a hand in a container", function () {
  this.timeout(120_000);
  let engine: TestEngine;
  let kit: DockerKit;

  before(async function () {
    const reason = whyNoEngine();
    skipUnless(this, reason === null, reason ?? "");
    engine = await startEngine();
  });
  after(async () => engine?.stop());
  beforeEach(async () => (kit = await makeKit(engine)));
  afterEach(async () => kit.end());

  describe("in a container that runs already", () => {
    async function run(): Promise<string> {
      const options = { Image: BASH_IMAGE, Entrypoint: ["/bin/sh", "-c", "sleep 100000"], name: "somebodys" };
      const container = await engine.docker.createContainer(options);
      await container.start();
      return container.id;
    }

    it("leaves it as it was, but for its journal, which goes with it", async () => {
      const id = await run();
      const hand = await kit.provision({ container: "somebodys", env: { FRUIT: "pear" }, cwd: "/tmp" });
      assert.equal(await says(hand, "pwd; echo $FRUIT"), "/tmp\npear\n");
      await hand.destroy();
      const { State } = await engine.docker.getContainer(id).inspect();
      assert.equal(State.Running, true);
      assert.equal(await engine.peek(id, "/root/.many-hands").then((found) => found?.length ?? 0), 0);
      await engine.docker.getContainer(id).stop({ t: 0 });
      await assert.rejects(kit.provision({ container: "somebodys" }), unavailable(/docker start somebodys/));
      await engine.docker.getContainer(id).remove({ force: true });
      await assert.rejects(kit.provision({ container: "somebodys" }), unavailable(/There is no container "somebodys"/));
    });
  });

  describe("from a Dockerfile", () => {
    it("is built, with what the build says as progress", async () => {
      const context = join(kit.folder, "context");
      await mkdir(context);
      await writeFile(join(context, "fruit"), "pear\n");
      await writeFile(join(context, "secret"), "");
      await writeFile(join(context, ".dockerignore"), "secret\n");
      const dockerfile = `FROM ${BASH_IMAGE}\nCOPY . /app/\nWORKDIR /app\nENV COLOUR=green\n`;
      await writeFile(join(context, "Dockerfile"), dockerfile);
      const hand = await kit.provision({ build: { context } });
      assert.equal(await says(hand, "pwd; cat fruit; echo $COLOUR; ls secret 2>&1 | wc -l"), "/app\npear\ngreen\n1\n");
      assert.match(await says(hand, "ls"), /^Dockerfile\nfruit\n$/);
      assert.ok(
        kit.progress.some((message) => message.includes("Step 2/4")),
        kit.progress.join("\n"),
      );
    });

    it("says what went wrong in the build", async () => {
      const context = join(kit.folder, "context");
      await mkdir(context);
      await writeFile(join(context, "other"), `FROM ${BASH_IMAGE}\nRUN echo about to fail; exit 9\n`);
      await assert.rejects(kit.provision({ build: { context, dockerfile: "other" } }), unavailable(/about to fail/));
      await assert.rejects(kit.provision({ build: { context } }), unavailable(/Dockerfile: there is no such file/));
    });
  });

  describe("that cannot be had", () => {
    it("names an image that is not there and cannot be pulled", async () => {
      const image = "localhost:1/nobody/nothing:1";
      await assert.rejects(
        kit.provision({ image }),
        unavailable(/"localhost:1\/nobody\/nothing:1" is not on the Docker/),
      );
      assert.ok(kit.progress.some((message) => message.startsWith("pulling the image localhost:1")));
    });

    it("says that a hand needs a shell in its image", async () => {
      const tar = (await import("tar-stream")).pack();
      tar.entry({ name: "nothing" }, "x");
      tar.finalize();
      const stream = await engine.docker.importImage(tar as never, { repo: "many-hands-test", tag: "empty" });
      stream.resume();
      await once(stream, "end");
      await assert.rejects(kit.provision({ image: "many-hands-test:empty" }), unavailable(/\/bin\/sh/));
      assert.deepEqual(await engine.docker.listContainers({ all: true }), []);
    });

    it("says where an engine was looked for", async () => {
      const socket = join(kit.folder, "nobody.sock");
      await assert.rejects(kit.provision({ socket }), unavailable(/does not answer .*nobody\.sock.*there is none/));
      await writeFile(socket, "");
      await assert.rejects(kit.provision({ socket }), unavailable(/nobody answers there/));
      const named = { socket: engine.socket, host: "tcp://127.0.0.1:1" };
      await assert.rejects(kit.provision(named), unavailable(/both name an engine/));
    });

    const bad: Readonly<Record<string, readonly [JsonObject, RegExp]>> = {
      "no image": [{ image: "" }, /options\.image must be a text/],
      "two sources": [{ image: "a", container: "b" }, /exactly one of .* image and container are given/],
      "an unknown option": [{ memry: 1 }, /options\.memry is not known/],
      "a mount without place": [{ mount: [{ source: "/tmp" }] }, /mount\[0\]\.target must be an absolute path/],
      "a mount from nowhere": [{ mount: [{ source: "tmp", target: "/t" }] }, /mount\[0\]\.source must be an absolute/],
      "a mount of no kind": [{ mount: [{ source: "/", target: "/t", mode: "rw" }] }, /mode is "rw": give "read-only"/],
      "an odd network": [{ network: "host" }, /network is "host": give "none"/],
      "odd memory": [{ memory: "lots" }, /memory is "lots": give bytes/],
      "too little memory": [{ memory: 1000 }, /at least 6m/],
      "odd processors": [{ cpus: "two" }, /cpus is "two"/],
      "odd processes": [{ pids: 1.5 }, /pids is 1.5/],
      "an odd start directory": [{ cwd: "src" }, /cwd is "src": give an absolute path/],
      "an odd environment": [{ env: { A: 1 } }, /env\.A must be a text/],
      "limits on a container that runs": [
        { container: "x", memory: "1g" },
        /options\.memory cannot change a container/,
      ],
      "no build context": [{ build: {} }, /build\.context must be the absolute path/],
      "a source that is not there": [
        { mount: [{ source: "/no/such/folder", target: "/t" }] },
        /\/no\/such\/folder.*|source of each mount/,
      ],
    };
    for (const [name, [options, words]] of Object.entries(bad)) {
      it(`says what is wrong with ${name}`, async () => {
        await assert.rejects(kit.provision(options), unavailable(words));
      });
    }
  });

  describe("at an engine", () => {
    const provisionWith = async (environment: NodeJS.ProcessEnv, options: JsonObject = {}): Promise<DockerHand> =>
      createDockerProvider({ clock: systemClock, environment: () => environment }).provision(
        { name: "box", kind: "docker", options: { image: BUSYBOX_IMAGE, ...options } },
        {
          sessionId: "sesn_engine",
          storagePath: join(kit.folder, "storage"),
          previousInstance: null,
          signal: new AbortController().signal,
          onProgress: () => {},
        },
      );

    it("that DOCKER_HOST names, or the current context, or one of the hand's own", async () => {
      const { createHash } = await import("node:crypto");
      const meta = join(kit.folder, "contexts", "meta", createHash("sha256").update("mine").digest("hex"));
      await mkdir(meta, { recursive: true });
      const endpoints = { docker: { Host: `unix://${engine.socket}`, SkipTLSVerify: false } };
      await writeFile(join(meta, "meta.json"), JSON.stringify({ Name: "mine", Endpoints: endpoints }));
      const first = await provisionWith({ DOCKER_HOST: `unix://${engine.socket}` });
      const config = { DOCKER_CONFIG: kit.folder };
      const second = await provisionWith(config, { context: "mine" });
      await writeFile(join(kit.folder, "config.json"), JSON.stringify({ currentContext: "mine" }));
      const third = await provisionWith(config);
      assert.equal(new Set([first, second, third].map(({ instance }) => instance)).size, 1);
      await assert.rejects(provisionWith(config, { context: "yours" }), unavailable(/context "yours".* is not there/));
      await assert.rejects(provisionWith({ DOCKER_HOST: "gopher://x" }), unavailable(/begins with gopher:/));
      await assert.rejects(
        provisionWith({ DOCKER_HOST: "tcp://127.0.0.1:1" }),
        unavailable(/does not answer \(tcp:\/\/127\.0\.0\.1:1 \(DOCKER_HOST\): nobody answers there/),
      );
      await Promise.all([first.close(), second.close()]);
      await third.destroy();
      assert.ok(await stat(kit.folder));
    });
  });
});
