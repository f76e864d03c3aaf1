/** The way from a sandbox without a network to the vault: a socket in its door's folder. */
import { chmod, open, readdir, rename, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";

/** What the kernel takes as a socket's path, in bytes. */
const PATH_BYTES_MAX = 100;

/** The one that was opened last has the name `entrance`. */
export async function openEntranceSocket(
  folder: string,
  accept: (connection: NodeJS.ReadWriteStream) => void,
): Promise<{ close(): void }> {
  const name = `entrance-${process.pid}-${Date.now()}`;
  for (const other of await readdir(folder)) if (other.startsWith("entrance-")) await rm(join(folder, other));
  const server = createServer({ allowHalfOpen: true }, (connection) => {
    connection.on("error", () => {});
    accept(connection);
  });
  // A longer path is spelt by way of the open folder.
  const isLong = Buffer.byteLength(join(folder, name)) > PATH_BYTES_MAX;
  const opened = isLong ? await open(folder) : null;
  const short = opened === null ? folder : `/proc/self/fd/${opened.fd}`;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(join(short, name), resolve);
  });
  server.unref();
  await chmod(join(folder, name), 0o600);
  await symlink(name, join(folder, `${name}.link`));
  await rename(join(folder, `${name}.link`), join(folder, "entrance"));
  return {
    close: () => {
      server.close(() => void opened?.close());
    },
  };
}
