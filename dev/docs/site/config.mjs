/** The configuration of VitePress, in the folder of the pages. */
import { readdirSync, readFileSync } from "node:fs";

const GROUPS = {
  "Start": ["index", "concepts", "guide", "configuration", "scenarios", "troubleshooting"],
  "Topics": [
    "clusters",
    "sentinel",
    "standby",
    "tls",
    "workers",
    "managed-services",
    "flushes",
    "observability",
    "cli",
  ],
  "Guarantees": ["reliability", "proof", "errors", "servers"],
  "Other clients": ["from-redis-py", "from-node-clients", "comparison", "performance"],
  "Contributing": [
    "CONTRIBUTING",
    "architecture",
    "contributing/performance",
    "SECURITY",
    "CHANGELOG",
  ],
};

const pages = new Map(
  readdirSync(".", { recursive: true })
    .filter((file) => /^(?:docs\/.*|[\w-]+)\.md$/.test(file))
    .map((file) => {
      const title = /^# (.+)$/m.exec(readFileSync(file, "utf8"))?.[1] ?? file;
      return [file.replace(/^docs\/|\.md$/g, ""), { text: title, link: `/${file.slice(0, -3)}` }];
    }),
);
const listed = Object.values(GROUPS).flat();
const others = [...pages.keys()].filter((name) => !listed.includes(name));
const sidebar = Object.entries({ ...GROUPS, More: others }).map(([text, names]) => ({
  text,
  items: names.filter((name) => pages.has(name)).map((name) => pages.get(name)),
}));

/** Names the anchor of a heading as GitHub does, where the pages are read too. */
function slugify(heading) {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}

const PHONE = `@media (width < 640px) {
  .vp-doc :is(td, th) { padding: 6px 8px; font-size: 13px; line-height: 20px; }
  .vp-doc td code { font-size: 12px; white-space: normal; }
  .vp-doc td { min-width: 4rem; }
}`;

export default {
  title: "Keywatch",
  description: "Keyspace notifications of Redis and Valkey, without silent losses",
  base: process.env.SITE_BASE,
  head: [["link", { rel: "icon", href: "data:," }], ["style", {}, PHONE]],
  markdown: { anchor: { slugify }, toc: { slugify }, headers: { slugify } },
  themeConfig: {
    nav: [
      { text: "Guide", link: "/docs/guide" },
      { text: "Configuration", link: "/docs/configuration" },
      { text: "API", link: "/api/index.html", target: "_self" },
    ],
    sidebar: sidebar.filter(({ items }) => items.length > 0),
    outline: [2, 3],
    search: { provider: "local" },
  },
};
