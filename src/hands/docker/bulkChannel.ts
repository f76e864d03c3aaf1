/** A second program in a container, for large files: started once, as an exec costs more than a file of some MiB. */
import { once } from "node:events";
import { limits } from "../../core/limits.ts";
import type { ShellStream } from "../shell/shellStream.ts";

/** The transfer did not come to its end; how much of it was done is not known. */
export class BulkFailed extends Error {}

/**
 * `w bytes path`: adds that many bytes of what follows to the file, then says so. Nothing is sent behind them until then: some
 * shells' head reads ahead, and what a failed one left must not be taken for a word. `r from path`: the size, then the bytes.
 */
export const BULK_PROGRAM = `
if [ "$(printf xy | dd bs=65536 count=1 iflag=fullblock,count_bytes 2>/dev/null)" = x ]; then
  take() { dd bs=262144 count="$1" iflag=fullblock,count_bytes 2>/dev/null; }
else
  take() { head -c "$1"; }
fi
while read -r o n p; do
  case $o in
  w) take "$n" >>"$p" || exit 1; echo done ;;
  r) s=$(stat -L -c %s "$p" 2>/dev/null || wc -c <"$p") || exit 1
    echo $((s)); tail -c "+$((n + 1))" "$p" || exit 1 ;;
  esac
done`;

type Take = (chunk: Uint8Array) => Promise<void>;

export class BulkChannel {
  readonly #open: () => Promise<ShellStream>;
  #stream: Promise<ShellStream> | null = null;
  /** One transfer after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(open: () => Promise<ShellStream>) {
    this.#open = open;
  }

  /** A path that this way takes: its words are on one line. */
  static takes(path: string): boolean {
    return !/[\n\0]/.test(path) && path.startsWith("/") && path.trimEnd() === path;
  }

  /** Adds the content to the end of a file; gives its bytes. Rejects with BulkFailed, and with what `content` throws. */
  append(path: string, content: AsyncIterable<Uint8Array>): Promise<number> {
    return this.#inTurn(async (stream) => {
      let sent = 0;
      const pieces = piecesOf(content);
      // The next piece is made while one is on its way.
      let coming = pieces.next();
      for (let piece = await coming; piece.done !== true; piece = await coming) {
        coming = pieces.next();
        coming.catch(() => {});
        const bytes = piece.value.reduce((sum, chunk) => sum + chunk.length, 0);
        stream.stdin.write(`w ${bytes} ${path}\n`);
        for (const chunk of piece.value) {
          if (!stream.stdin.write(chunk)) await moved(stream, once(stream.stdin, "drain"));
        }
        if ((await readLine(stream)) !== "done") throw new BulkFailed("it was not written");
        sent += bytes;
      }
      return sent;
    });
  }

  /** From `offset` to the end. Rejects with BulkFailed, and with what `take` throws. */
  read(path: string, offset: number, take: Take): Promise<void> {
    return this.#inTurn(async (stream) => {
      stream.stdin.write(`r ${offset} ${path}\n`);
      const size = Number(await readLine(stream));
      if (!Number.isSafeInteger(size)) throw new BulkFailed("its size is not known");
      let taking = Promise.resolve();
      for (let left = size - offset; left > 0;) {
        const chunk = await readSome(stream, Math.min(left, limits.handPieceBytes));
        left -= chunk.length;
        // The next piece is fetched while one is taken.
        await taking;
        taking = take(chunk);
        taking.catch(() => {});
      }
      await taking;
    });
  }

  close(): void {
    void this.#stream?.then(
      (stream) => stream.close(),
      () => {},
    );
    this.#stream = null;
  }

  #inTurn<T>(use: (stream: ShellStream) => Promise<T>): Promise<T> {
    const perform = async (): Promise<T> => {
      this.#stream ??= this.#open();
      try {
        return await use(await this.#stream);
      } catch (thrown) {
        // What is left in it belongs to nobody.
        this.close();
        throw thrown;
      }
    };
    const mine = this.#turn.then(perform, perform);
    this.#turn = mine.catch(() => {});
    return mine;
  }
}

/** Chunks together, up to the size of one transfer. */
async function* piecesOf(content: AsyncIterable<Uint8Array>): AsyncGenerator<readonly Uint8Array[], void> {
  let piece: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of content) {
    if (chunk.length === 0) continue;
    piece.push(chunk);
    bytes += chunk.length;
    if (bytes < limits.handBulkPieceBytes) continue;
    yield piece;
    piece = [];
    bytes = 0;
  }
  if (bytes > 0) yield piece;
}

/** Rejects when the stream ends first, or when nothing moves for long. */
async function moved<T>({ ended }: ShellStream, step: Promise<T>): Promise<T> {
  const stalled = Promise.withResolvers<never>();
  const timer = setTimeout(() => stalled.reject(new BulkFailed("nothing moved any more")), limits.handBulkStallMs);
  const gone = ended.then((reason): never => {
    throw new BulkFailed(reason);
  });
  gone.catch(() => {});
  try {
    return await Promise.race([step, gone, stalled.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function readable(stream: ShellStream): Promise<void> {
  if (stream.stdout.readableLength === 0) await moved(stream, once(stream.stdout, "readable"));
}

/** At most `bytes` of them, at least one. */
async function readSome(stream: ShellStream, bytes: number): Promise<Buffer> {
  for (;;) {
    const there = Math.min(bytes, stream.stdout.readableLength);
    const chunk = there === 0 ? null : (stream.stdout.read(there) as Buffer | null);
    if (chunk !== null) return chunk;
    await readable(stream);
  }
}

async function readLine(stream: ShellStream): Promise<string> {
  let line = "";
  for (;;) {
    const char = (await readSome(stream, 1)).toString("latin1");
    if (char === "\n") return line;
    line += char;
    if (line.length > 40) throw new BulkFailed("it said what it should not");
  }
}
