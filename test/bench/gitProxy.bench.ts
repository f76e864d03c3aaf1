/** A clone of 200 MB of random bytes through the credential proxy, against one directly from the same server, in one run. */
import { rm } from "node:fs/promises";
import { GitKit } from "../integration/vault/gitKit.ts";

const MEGABYTES = 200;
const ROUNDS = 2;
const MIN_RATIO = 0.8;

export async function bench(): Promise<object[]> {
  const kit = await GitKit.start();
  try {
    await kit.server.createLarge("team/large", MEGABYTES);
    kit.grant(["team/large"]);
    const address = kit.address("team/large");
    const direct = {
      GIT_CONFIG_COUNT: "1",
      GIT_CONFIG_KEY_0: `http.${kit.server.origin}/.extraHeader`,
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${btoa(`git:${kit.token}`)}`,
      GIT_SSL_CAINFO: kit.authorityFile,
    };
    const took = { direct: [] as number[], proxy: [] as number[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const [name, more] of [
        ["direct", direct],
        ["proxy", {}],
      ] as const) {
        const start = performance.now();
        const { code, output } = await kit.git(".", ["clone", "--quiet", "--bare", address, name], more);
        if (code !== 0) throw new Error(output);
        took[name].push(performance.now() - start);
        await rm(kit.at(name), { recursive: true, force: true });
      }
    }
    const [plain, proxied] = [Math.min(...took.direct), Math.min(...took.proxy)];
    const ratio = plain / proxied;
    const rate = (ms: number): string => `${((MEGABYTES * 1_000) / ms).toFixed(0)} MB/s`;
    return [
      {
        name: `clone of ${MEGABYTES} MB, credential proxy / direct, throughput`,
        value: ratio,
        unit: "×",
        target: `≥ ${MIN_RATIO}`,
        ok: ratio >= MIN_RATIO,
        detail: `${rate(proxied)} against ${rate(plain)}, best of ${ROUNDS}`,
      },
    ];
  } finally {
    await kit.close();
  }
}
