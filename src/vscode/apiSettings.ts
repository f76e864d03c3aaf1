/** The HTTP APIs that the settings name: unknown values in, definitions and problems in words out. Pure. */
import { isObject } from "../core/json.ts";

export interface ApiSetting {
  readonly name: string;
  readonly base_url: string;
  readonly credential: string;
  readonly placeholders: readonly { readonly in: "header" | "body"; readonly name: string }[];
}

export interface ApiSettings {
  readonly apis: readonly ApiSetting[];
  readonly problems: readonly string[];
}

const NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** `{name: {url, credential?, placeholders?: ["header:x-key", "body:/auth/token"]}}`; the credential is by default the one of that name. */
export function parseApiSettings(value: unknown): ApiSettings {
  const problems: string[] = [];
  if (value === undefined || value === null) return { apis: [], problems };
  if (!isObject(value)) return { apis: [], problems: ["manyHands.apis is an object: { name: { url, credential } }."] };
  const apis = Object.entries(value).flatMap(([name, api]): readonly ApiSetting[] => {
    const problem = (message: string): readonly ApiSetting[] => {
      problems.push(`manyHands.apis, "${name}": ${message}`);
      return [];
    };
    if (!NAME.test(name)) return problem("a name has small letters, digits, '.', '_' and '-'.");
    if (!isObject(api)) return problem("give an object with url and credential.");
    const { url, credential = name, placeholders = [] } = api;
    if (typeof url !== "string" || !isAddress(url)) {
      return problem("url is an https address without user name, password and query (http only for this computer).");
    }
    const isNamed = typeof credential === "string" && NAME.test(credential);
    if (!isNamed) return problem("credential is the name of a credential.");
    const places = Array.isArray(placeholders) ? placeholders.map(placeOf) : [null];
    if (places.includes(null)) {
      return problem('placeholders is a list of "header:<name>", "body:<field>" and "body:/json/pointer".');
    }
    return [{ name, base_url: url, credential, placeholders: places.filter((place) => place !== null) }];
  });
  return { apis, problems };
}

function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, hostname, username, password, search, hash } = new URL(text);
  const isLoopback = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  return (protocol === "https:" || (protocol === "http:" && isLoopback)) && username + password + search + hash === "";
}

function placeOf(text: unknown): ApiSetting["placeholders"][number] | null {
  const [, where, name] = /^(header|body):(.+)$/s.exec(typeof text === "string" ? text : "") ?? [];
  if ((where !== "header" && where !== "body") || name === undefined) return null;
  if (where === "header" && !/^[A-Za-z0-9-]{1,64}$/.test(name)) return null;
  return { in: where, name };
}
