/** For each rule of the set of token shapes: how the person calls it, and by what little a text shows that the rule is worth running. */

export interface RuleHint {
  /** In words, for the marker. */
  readonly kind: string;
  /** Source of a regular expression without groups; what the rule finds begins there, or a few characters before. */
  readonly hint: string;
}

const PROTOCOL = "(?:https?|ftps?)";
const CREDENTIALS = String.raw`:\/\/[^:\/\s]{1,100}:[^@\/\s]{1,200}@`;

/** By the rule's id without `@secretlint/secretlint-rule-`. */
export const RULE_HINTS: Readonly<Record<string, RuleHint>> = {
  aws: {
    kind: "AWS key",
    hint: "(?:SECRET|secret|Secret)_?(?:ACCESS|access|Access)_?(?:KEY|key|Key)",
  },
  npm: { kind: "npm token", hint: "npm_|_authToken=" },
  slack: { kind: "Slack token", hint: "xox[abopr]-|xapp-|https://hooks.slack.com/" },
  basicauth: { kind: "password in a URL", hint: String.raw`${PROTOCOL}:\/\/[-\w]{1,256}:[-\w]{1,256}@` },
  openai: { kind: "OpenAI key", hint: "sk-(?:proj|svcacct|admin)-|sk-[A-Za-z0-9]{20}T3BlbkFJ" },
  anthropic: { kind: "Anthropic key", hint: "sk-ant-" },
  groq: { kind: "Groq key", hint: "gsk_" },
  huggingface: { kind: "Hugging Face token", hint: "hf_[A-Za-z]" },
  linear: { kind: "Linear key", hint: "lin_api_" },
  notion: { kind: "Notion token", hint: "ntn_" },
  privatekey: { kind: "private key", hint: "-----BEGIN" },
  sendgrid: { kind: "SendGrid key", hint: String.raw`SG\.\w` },
  shopify: { kind: "Shopify token", hint: "shppa_|shpca_|shpat_|shpss_" },
  stripe: { kind: "Stripe key", hint: "[sr]k_(?:live|test)_" },
  github: { kind: "GitHub token", hint: "gh[pousr]_|github_pat_" },
  gitlab: { kind: "GitLab token", hint: "glpat-" },
  grafana: { kind: "Grafana token", hint: "glc_|glsa_" },
  "1password": { kind: "1Password token", hint: "ops_ey" },
  "database-connection-string": {
    kind: "password in a URL",
    hint: String.raw`(?:mongodb(?:\+srv)?|mysqlx?|postgres(?:ql)?)${CREDENTIALS}`,
  },
  "hashicorp-vault": { kind: "HashiCorp Vault token", hint: String.raw`hv[sbr]\.` },
  vercel: { kind: "Vercel token", hint: "vc[piark]_" },
  databricks: { kind: "Databricks token", hint: "dapi[A-Fa-f0-9]{8}" },
  docker: { kind: "Docker token", hint: "dckr_pat_" },
  figma: { kind: "Figma token", hint: "figd_" },
  cloudflare: { kind: "Cloudflare token", hint: "cfk_|cfut_|cfat_" },
  tailscale: { kind: "Tailscale key", hint: "tskey-" },
};

/** Rules that look at whole files by their name, or at comments: nothing for an output. */
export const RULES_LEFT_OUT: readonly string[] = ["gcp", "filter-comments"];

const word = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789abcdefghijklmnopqrstuvwxyz_";
const each = (chars: string, start: string): readonly string[] => Array.from(chars, (char) => start + char);

/** How addresses begin in which a password may stand: only before an `@`. */
export const ADDRESS_STARTS: readonly string[] = "http:// https:// ftp:// ftps:// mongodb mysql postgres".split(" ");

/** How all else that the hints look for begins, in at least four characters. */
export const STARTS: readonly string[] = [
  ...each(word, "sk-"),
  ...each(word, "SG."),
  ...each(word, "hf_"),
  ...(
    "SECRET secret Secret npm_ _authToken= xoxa xoxb xoxo xoxp xoxr xapp- https://hooks.slack.com/ gsk_ lin_api_ ntn_ -----BEGIN " +
    "shppa_ shpca_ shpat_ shpss_ sk_live_ sk_test_ rk_live_ rk_test_ ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ glpat- glc_ glsa_ " +
    "ops_ey hvs. hvb. hvr. vcp_ vci_ vca_ vcr_ vck_ dapi dckr_pat_ figd_ cfk_ cfut_ cfat_ tskey-"
  ).split(" "),
];
