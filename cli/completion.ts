import {
  type Arguments,
  type Command,
  type Context,
  type Option,
  optionsOf,
  quoted,
  UsageError,
} from "./command.ts";
import { EVENT_NAMES } from "./doubts.ts";

/** Commands by their names. */
type Commands = Readonly<Record<string, Command>>;

const SHELLS: Readonly<Record<string, (commands: Commands) => string>> = { bash, zsh, fish };

/** The command that prints what makes a shell complete the others. */
export function completion(commands: () => Commands): Command {
  return {
    summary: "prints a script that completes commands and options in a shell",
    usage: "completion bash | zsh | fish",
    about: [
      "Prints a script for a shell. It completes commands, options, names of events and paths.",
    ],
    groups: [],
    words: Object.keys(SHELLS),
    examples: [
      "source <(keywatch completion bash)   # in ~/.bashrc",
      "source <(keywatch completion zsh)    # in ~/.zshrc, after compinit",
      "keywatch completion fish > ~/.config/fish/completions/keywatch.fish",
    ],
    run(args: Arguments, { output }: Context): Promise<number> {
      const [shell, ...more] = args.positionals;
      if (shell === undefined || more.length > 0) {
        throw new UsageError("completion takes one shell: bash, zsh or fish");
      }
      if (!Object.hasOwn(SHELLS, shell)) {
        throw new UsageError(`completion knows bash, zsh and fish, not ${quoted(shell)}`);
      }
      output.write(SHELLS[shell]!(commands()));
      return Promise.resolve(0);
    },
  };
}

/** An option as it is written, its letter first. */
function spellings(name: string, { short }: Option): string[] {
  return [...(short === undefined ? [] : [`-${short}`]), `--${name}`];
}

/** The words that may be the value of an option; null where it is a file. */
function valuesOf({ words = [] }: Option): readonly string[] | null {
  if (words === "file") return null;
  return words === "event" ? EVENT_NAMES : words;
}

function bash(commands: Commands): string {
  const names = Object.keys(commands);
  const cases = names.map((name) => {
    const options = Object.entries(optionsOf(commands[name]!));
    // Options with the same values share a line.
    const takers = new Map<string, string[]>();
    for (const [option, about] of options) {
      if (about.type === "boolean") continue;
      const words = valuesOf(about);
      const reply = words === null ? "-f" : `-W ${quote(words.join(" "))}`;
      takers.set(reply, [...takers.get(reply) ?? [], ...spellings(option, about)]);
    }
    const values = [...takers].map(([reply, spelt]) =>
      `        ${spelt.join("|")}) COMPREPLY=($(compgen ${reply} -- "$word")); return ;;`
    );
    const all = options.flatMap(([option, about]) => spellings(option, about));
    const first = (commands[name]!.words ?? []).join(" ");
    return `    ${name})
      case $before in
${values.join("\n")}
      esac
      words=${quote(all.join(" "))}
      case $word in
        -*) ;;
        *) [ "$COMP_CWORD" -eq 2 ] && words=${quote(first)} || words= ;;
      esac ;;`;
  });
  return `# Completes keywatch in bash.
_keywatch() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} words=
  local names=${quote(names.join(" "))}
  [ "$COMP_CWORD" -eq 1 ] && words="$names help --help --version"
  [ "$COMP_CWORD" -gt 1 ] && case \${COMP_WORDS[1]} in
    help) words=$names ;;
${cases.join("\n")}
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _keywatch keywatch
`;
}

/** A text within single quotes of a shell. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function zsh(commands: Commands): string {
  // Brackets and colons end a description.
  const plain = (text: string) => text.replace(/[[\]:\\]/g, "\\$&");
  const names = Object.entries(commands).map(([name, { summary }]) =>
    `    ${quote(`${name}:${plain(summary)}`)}`
  );
  const cases = Object.entries(commands).map(([name, command]) => {
    const options = Object.entries(optionsOf(command)).flatMap(([option, about]) => {
      const words = valuesOf(about);
      const action = words === null ? "_files" : `(${words.join(" ")})`;
      const value = about.type === "boolean"
        ? ""
        : `:${(about.value ?? "value").toLowerCase()}:${action}`;
      return spellings(option, about).map((spelling) =>
        `        ${quote(`${about.multiple ? "*" : ""}${spelling}[${plain(about.help)}]${value}`)}`
      );
    });
    const words = command.words === undefined
      ? quote("*:pattern: ")
      : quote(`1:word:(${command.words.join(" ")})`);
    return `    ${name}) _arguments -s \\
${options.join(" \\\n")} \\
        ${words} ;;`;
  });
  return `#compdef keywatch
# Completes keywatch in zsh.
_keywatch() {
  local -a names=(
${names.join("\n")}
  )
  if (( CURRENT == 2 )); then
    _describe command names
    return
  fi
  shift words
  (( CURRENT-- ))
  case $words[1] in
    help) _describe command names ;;
${cases.join("\n")}
  esac
}
compdef _keywatch keywatch
`;
}

function fish(commands: Commands): string {
  const names = Object.keys(commands);
  const lines = Object.entries(commands).flatMap(([name, command]) => {
    const when = `-n ${quote(`__fish_seen_subcommand_from ${name}`)}`;
    const options = Object.entries(optionsOf(command)).map(([option, about]) => {
      const short = about.short === undefined ? "" : ` -s ${about.short}`;
      const words = valuesOf(about);
      const value = about.type === "boolean"
        ? ""
        : words === null
        ? " -r -F"
        : ` -x -a ${quote(words.join(" "))}`;
      return `complete -c keywatch ${when}${short} -l ${option}${value} -d ${quote(about.help)}`;
    });
    const words = command.words === undefined
      ? []
      : [`complete -c keywatch ${when} -a ${quote(command.words.join(" "))}`];
    const start = `complete -c keywatch -n __fish_use_subcommand -a ${name} -d ${
      quote(command.summary)
    }`;
    return [start, ...words, ...options];
  });
  return `# Completes keywatch in fish.
complete -c keywatch -f
complete -c keywatch -n __fish_use_subcommand -a help -d 'prints the help of a command'
complete -c keywatch -n '__fish_seen_subcommand_from help' -a ${quote(names.join(" "))}
${lines.join("\n")}
`;
}
