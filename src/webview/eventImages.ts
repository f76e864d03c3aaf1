/** Images of events. The log keeps a preview of what is long: the page asks for an image when its place comes into view. */
import type { PageImage } from "../core/pageProtocol.ts";
import { h } from "./dom.ts";
import type { ImagesOf } from "./rows.ts";

export class EventImages {
  /** By seq: the places in view that wait for them. */
  readonly #waiting = new Map<number, Set<HTMLElement>>();
  readonly #seqs = new WeakMap<Element, number>();
  readonly #ask: (seq: number) => void;
  readonly #view = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) this.#fill(target as HTMLElement);
      else this.#empty(target as HTMLElement);
    }
  });

  constructor(ask: (seq: number) => void) {
    this.#ask = ask;
  }

  /** The images, or a place for them that holds them only while it is in view: many of them would be too much at once. */
  views({ seq, images, areCut }: ImagesOf): readonly HTMLElement[] {
    if (images.length === 0) return [];
    if (!areCut) return images.map(imageView);
    const place = h("div", { class: "image-place" });
    this.#seqs.set(place, seq);
    this.#view.observe(place);
    return [place];
  }

  take(seq: number, images: readonly PageImage[]): void {
    const places = this.#waiting.get(seq) ?? [];
    this.#waiting.delete(seq);
    for (const place of places) {
      place.style.minHeight = "";
      place.replaceChildren(...(images.length === 0 ? [hint("An image that cannot be shown")] : images.map(imageView)));
    }
  }

  #fill(place: HTMLElement): void {
    const seq = this.#seqs.get(place) ?? 0;
    if (place.querySelector("img") !== null) return;
    place.replaceChildren(hint("An image is on its way…"));
    const places = this.#waiting.get(seq);
    if (places !== undefined) return void places.add(place);
    this.#waiting.set(seq, new Set([place]));
    this.#ask(seq);
  }

  /** As high as it was, so that nothing moves. */
  #empty(place: HTMLElement): void {
    const seq = this.#seqs.get(place) ?? 0;
    const places = this.#waiting.get(seq);
    if (places?.delete(place) === true && places.size === 0) this.#waiting.delete(seq);
    // What was drawn again is gone; another place stands for it.
    if (!place.isConnected) return this.#view.unobserve(place);
    if (place.offsetHeight > 0) place.style.minHeight = `${place.offsetHeight}px`;
    place.replaceChildren();
  }
}

/** What is no image that a page may show is named instead. */
function imageView({ media_type, data }: PageImage): HTMLElement {
  return /^image\/(png|jpeg|gif|webp)$/.test(media_type) && /^[A-Za-z0-9+/]+={0,2}$/.test(data)
    ? h("img", { class: "image", src: `data:${media_type};base64,${data}`, alt: "Image" })
    : hint("An image that cannot be shown");
}

function hint(text: string): HTMLElement {
  return h("div", { class: "hint" }, text);
}
