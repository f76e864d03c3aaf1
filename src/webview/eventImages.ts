/** Images of events. The log keeps a preview of what is long, so that the page asks for an image when its row is drawn. */
import { limits } from "../core/limits.ts";
import type { PageImage } from "../core/pageProtocol.ts";
import { h } from "./dom.ts";
import type { ImagesOf } from "./rows.ts";

export class EventImages {
  readonly #ask: (seq: number) => void;
  /** By seq, the one that was asked for last at the end; null: on its way. */
  readonly #held = new Map<number, readonly PageImage[] | null>();

  constructor(ask: (seq: number) => void) {
    this.#ask = ask;
  }

  take(seq: number, images: readonly PageImage[]): void {
    if (this.#held.has(seq)) this.#held.set(seq, images);
  }

  /** Another session, or the same one anew. */
  clear(): void {
    this.#held.clear();
  }

  /** null: on their way. */
  of({ seq, images, areCut }: ImagesOf): readonly PageImage[] | null {
    if (!areCut) return images;
    const held = this.#held.get(seq);
    if (held !== undefined) return held;
    this.#held.set(seq, null);
    for (const oldest of this.#held.keys()) {
      if (this.#held.size <= limits.pageImageEventsMax) break;
      this.#held.delete(oldest);
    }
    this.#ask(seq);
    return null;
  }
}

/** An element for each; what is no image that a page may show is named instead. */
export function imageViews({ images }: ImagesOf, whole: readonly PageImage[] | null): readonly HTMLElement[] {
  if (whole === null) return images.map(() => h("div", { class: "hint" }, "An image is on its way…"));
  return whole.map(({ media_type, data }) =>
    /^image\/(png|jpeg|gif|webp)$/.test(media_type) && /^[A-Za-z0-9+/]+={0,2}$/.test(data)
      ? h("img", { class: "image", src: `data:${media_type};base64,${data}`, alt: "Image" })
      : h("div", { class: "hint" }, "An image that cannot be shown"),
  );
}
