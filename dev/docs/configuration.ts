/** The task `docs:configuration`: writes `docs/configuration.md` from the types of the options. */
import { join } from "node:path";
import { readDocumentation } from "../check_docs.ts";
import { ROOT } from "../project.ts";
import { formatMarkdown } from "./markdown.ts";

/** A type in the output of `deno doc --json`. */
interface TsType {
  kind: string;
  repr?: string;
  // deno-lint-ignore no-explicit-any -- its form depends on `kind`
  value: any;
}

interface Property {
  name: string;
  optional?: boolean;
  jsDoc?: { doc?: string };
  tsType: TsType;
}

interface InterfaceDef {
  extends?: TsType[];
  properties: Property[];
}

/** A section of the page: the types whose properties it lists, after a text that introduces them. */
interface Section {
  title: string;
  types: string[];
  text: string;
}

const SECTIONS: Section[] = [
  {
    title: "`connect`: connection",
    types: ["OpenOptions"],
    text: "The options of `connect(target, options)` that apply to each connection.",
  },
  {
    title: "`connect`: delivery and reports",
    types: ["ConnectOptions"],
    text: "Further options of `connect(target, options)`.",
  },
  {
    title: "`connect`: clusters",
    types: ["ClusterOptions"],
    text: "Options of `connect` that apply only to [clusters](clusters.md).",
  },
  {
    title: "Server address",
    types: ["ServerAddress"],
    text: "The first argument of `connect` as an object in place of a URL.",
  },
  {
    title: "Sentinel target",
    types: ["SentinelTarget"],
    text: "The first argument of `connect` for a primary with [sentinels](sentinel.md).",
  },
  {
    title: "`subscribe…`",
    types: ["SubscribeOptions", "ChannelOptions"],
    text: "The options of `subscribe`, `subscribeKeyspace`, `subscribeKeyevent` and the methods " +
      "for subkeys. `subscribe` takes whole channels, so it has neither `db` nor `as`.",
  },
  {
    title: "`listen` and `batches`",
    types: ["ListenOptions"],
    text: "The options of the loops over the merged stream.",
  },
  { title: "`getMessage`", types: ["GetMessageOptions"], text: "The options of `getMessage`." },
  { title: "`close`", types: ["CloseOptions"], text: "The options of `close`." },
  {
    title: "`addEventListener`",
    types: ["ListenerOptions"],
    text: "The options of `addEventListener`.",
  },
];

/** The modules that export the types of options. */
const MODULES = ["mod.ts", "pubsub/connection/mod.ts"];

/** The types that are exported, by name. */
type Types = Map<string, InterfaceDef | TsType>;

/** Returns `docs/configuration.md`. */
export async function configurationDocument(): Promise<string> {
  const types = await exportedTypes();
  const expanded = new Set<string>();
  const sections = SECTIONS.map(({ title, types: names, text }) => {
    const options = names.flatMap((name) => ownProperties(name, types));
    const entries = options.flatMap((option) => describe(option, "", types, expanded));
    return [`## ${title}`, text, ...entries].join("\n\n");
  });
  return await formatMarkdown(`# Configuration

This page lists every option with its type, its default and its effect. It is generated from the doc
comments of the types by \`deno task docs:configuration\`. An option that is \`undefined\` counts as
left out. An invalid value is rejected with a \`TypeError\` or \`RangeError\` before a connection is
opened.

${sections.join("\n\n")}
`);
}

async function exportedTypes(): Promise<Types> {
  const types: Types = new Map();
  for (const module of MODULES) {
    const { nodes } = await readDocumentation(module);
    for (const { name, declarations } of Object.values(nodes).flatMap(({ symbols }) => symbols)) {
      for (const { kind, def } of declarations) {
        if (kind === "interface") types.set(name, def as InterfaceDef);
        if (kind === "typeAlias") types.set(name, (def as { tsType: TsType }).tsType);
      }
    }
  }
  return types;
}

/** Returns the properties of a type that no type of another section declares again. */
function ownProperties(name: string, types: Types): Property[] {
  const redeclared = new Set(
    SECTIONS.flatMap((section) => section.types).flatMap((other) => {
      const type = types.get(other);
      if (type === undefined || !("properties" in type)) return [];
      const isSubtype = type.extends?.some(({ repr }) => repr === name) ?? false;
      return isSubtype ? type.properties.map((property) => property.name) : [];
    }),
  );
  return allProperties(name, types).filter((property) => !redeclared.has(property.name));
}

/** Returns the properties of an interface, or of an alias of object types. */
function allProperties(name: string, types: Types): Property[] {
  const type = types.get(name);
  if (type === undefined) throw new Error(`No module exports the type ${name}`);
  if ("properties" in type) return type.properties;
  const found: Property[] = [];
  const collect = ({ kind, repr, value }: TsType): void => {
    if (kind === "intersection" || kind === "union") value.forEach(collect);
    else if (kind === "parenthesized") collect(value);
    else if (kind === "typeLiteral") found.push(...value.properties);
    else if (kind === "typeRef") found.push(...allProperties(repr!, types));
  };
  collect(type);
  // In a union of object types, a property that a member excludes has the type `undefined` there.
  return found.filter(({ tsType }) => tsType.repr !== "undefined");
}

/** Describes an option, and the options that it contains. */
function describe(option: Property, path: string, types: Types, expanded: Set<string>): string[] {
  const name = `${path}${option.name}`;
  const { effect, fallback } = split(option.jsDoc?.doc ?? "");
  const type = option.optional ? defined(option.tsType) : option.tsType;
  const inner = optionsType(type, types);
  const isGroup = inner !== null && fallback === null;
  const otherwise = !option.optional ? "Required" : isGroup ? "" : `Default: ${fallback ?? "none"}`;
  const entry = `### ${name}\n\nType: \`${typeText(type, types)}\`${
    otherwise && ` · ${otherwise}`
  }\n\n${effect}`;
  if (inner === null || expanded.has(inner)) return [entry];
  expanded.add(inner);
  const nested = nestedProperties(inner, types);
  return [entry, ...nested.flatMap((one) => describe(one, `${name}.`, types, expanded))];
}

/** Returns a type without `undefined`, which every optional property accepts. */
function defined(type: TsType): TsType {
  if (type.kind !== "union") return type;
  const others: TsType[] = type.value.filter(({ repr }: TsType) => repr !== "undefined");
  const [only] = others;
  if (others.length > 1) return { ...type, value: others };
  return only!.kind === "parenthesized" ? only!.value : only!;
}

/** Returns the name of the interface that an option consists of, if it consists of options. */
function optionsType({ kind, repr, value }: TsType, types: Types): string | null {
  if (kind !== "typeRef") return null;
  if (repr === "Partial") return optionsType(value.typeParams[0], types);
  return types.has(repr!) && /(?:Options|Limits)$/.test(repr!) ? repr! : null;
}

/** Returns the properties of an object of options, with those that it inherits. All are optional. */
function nestedProperties(name: string, types: Types): Property[] {
  const type = types.get(name) as InterfaceDef;
  const bases = (type.extends ?? []).flatMap((base) => {
    const inherited = optionsType(base, types);
    return inherited === null ? [] : nestedProperties(inherited, types);
  });
  return [...bases, ...type.properties].map((property) => ({ ...property, optional: true }));
}

/** Separates the sentence that states the default, which begins with "Default", from the others. */
function split(doc: string): { effect: string; fallback: string | null } {
  const text = doc.replace(/\{@link(?:code)? ([^}\s]+)[^}]*\}/g, "`$1`").replace(/\n(?!\n)/g, " ")
    .replace(/`docs\/([\w-]+)\.md`/g, "[$1]($1.md)");
  const sentence = /(?<=^|[.\s])Default:? (.+?)\.(?=\s|$)/.exec(text);
  if (sentence === null) return { effect: text, fallback: null };
  return { effect: text.replace(sentence[0], "").trim(), fallback: sentence[1]! };
}

/** Returns the source of a type; an alias of literals is replaced with them. */
function typeText(type: TsType, types: Types): string {
  const { kind, repr, value } = type;
  const text = (one: TsType) => typeText(one, types);
  switch (kind) {
    case "keyword":
      return value;
    case "literal":
      return value.kind === "string" ? JSON.stringify(value.string) : String(value[value.kind]);
    case "typeRef": {
      const alias = types.get(repr!);
      const isAlias = alias !== undefined && "kind" in alias;
      if (isAlias && alias.kind === "union" && alias.value.every(isLiteral)) return text(alias);
      if (repr === "Partial") return text(value.typeParams[0]);
      return repr! + (value.typeParams ? `<${value.typeParams.map(text).join(", ")}>` : "");
    }
    case "union":
      return value.map(text).join(" | ");
    case "parenthesized":
      return `(${text(value)})`;
    case "array":
      return `${text(value)}[]`;
    case "typeOperator":
      return `${value.operator} ${text(value.tsType)}`;
    case "fnOrConstructor": {
      const params = value.params.map((param: { name: string; tsType: TsType }) => {
        return `${param.name}: ${text(param.tsType)}`;
      });
      return `(${params.join(", ")}) => ${text(value.tsType)}`;
    }
    default:
      throw new Error(
        `Cannot print a type of the kind ${kind}; add it to dev/docs/configuration.ts`,
      );
  }
}

function isLiteral({ kind }: TsType): boolean {
  return kind === "literal";
}

if (import.meta.main) {
  await Deno.writeTextFile(join(ROOT, "docs", "configuration.md"), await configurationDocument());
}
