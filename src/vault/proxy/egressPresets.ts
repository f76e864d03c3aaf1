/** The hosts that package managers need, by the name under which a limited network allows them all. */

/**
 * No host where anybody can keep what they like (GitHub, storage of clouds): those are named one by one. A registry is also
 * a place where somebody with an account of their own can publish.
 */
export const egressPresets: Readonly<Record<string, readonly string[]>> = {
  npm: ["registry.npmjs.org", "registry.yarnpkg.com"],
  pypi: ["pypi.org", "files.pythonhosted.org"],
  debian: ["deb.debian.org", "security.debian.org"],
  ubuntu: ["archive.ubuntu.com", "*.archive.ubuntu.com", "security.ubuntu.com", "ports.ubuntu.com"],
  alpine: ["dl-cdn.alpinelinux.org"],
  crates: ["crates.io", "index.crates.io", "static.crates.io"],
  go: ["proxy.golang.org", "sum.golang.org"],
  rubygems: ["rubygems.org", "index.rubygems.org"],
  maven: ["repo.maven.apache.org", "repo1.maven.org"],
};
