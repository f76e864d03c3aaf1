/** Ports of core name streams of Node, of which the page has none: for its types they are something without members. */
declare namespace NodeJS {
  interface ReadableStream {}
  interface WritableStream {}
  interface ReadWriteStream {}
}
