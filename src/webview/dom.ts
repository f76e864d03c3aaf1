/** Small means to make elements: everything from outside becomes text, never HTML. */

type Child = Node | string | null | undefined | false;
type Props = Readonly<Record<string, string | boolean | ((event: Event) => void) | undefined>>;

/** An element. `on…` members are listeners, booleans are attributes that are there or not, the rest are attributes. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  props: Props = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children) if (child !== null && child !== undefined && child !== false) element.append(child);
  return element;
}

export function button(label: string, className: string, onClick: () => void, title?: string): HTMLButtonElement {
  return h("button", { type: "button", class: className, title, onclick: () => onClick() }, label);
}

/** Puts `children` in place of what is there, touching nothing that stays. */
export function replaceChildren(parent: Element, children: readonly Element[]): void {
  let at = parent.firstElementChild;
  for (const child of children) {
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
  while (at !== null) {
    const next = at.nextElementSibling;
    at.remove();
    at = next;
  }
}

const SECOND = 1_000;

export function durationText(ms: number): string {
  if (ms < SECOND) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 10 * SECOND) return `${(ms / SECOND).toFixed(1)} s`;
  if (ms < 60 * SECOND) return `${Math.floor(ms / SECOND)} s`;
  const minutes = Math.floor(ms / (60 * SECOND));
  const seconds = String(Math.floor((ms / SECOND) % 60)).padStart(2, "0");
  return minutes < 60 ? `${minutes}:${seconds} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`;
  return bytes < 1024 * 1024 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
