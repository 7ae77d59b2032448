/**
 * The command line as a value: arguments and environment in, what to do out. Flags come from config/flags.ts; reading the --config
 * file is the one side effect. Starting is run-server.ts's.
 */
import { readFileSync } from "node:fs";
import { Command, CommanderError, Option } from "commander";
import { type Command as CommandName, camelCase, type Flag, flagsOf } from "../config/flags.js";
import { fromEnvironment, fromFile, OptionsError, resolveOptions, type StartOptions } from "../config/options.js";

export type CommandLine =
  | { readonly kind: "start"; readonly command: CommandName; readonly options: StartOptions }
  | { readonly kind: "print"; readonly text: string }
  | { readonly kind: "wrong"; readonly message: string };

const REPEATED = (value: string, previous: readonly string[] | undefined): string[] => [...(previous ?? []), value];

function parsePort(flag: Pick<Flag, "name">) {
  return (value: string): number => {
    if (!/^\d+$/.test(value)) throw new OptionsError(`--${flag.name}: ${JSON.stringify(value)} is not a port`);
    return Number(value);
  };
}

function parseSwitch(flag: Flag) {
  return (value: string): boolean => {
    if (value === "true") return true;
    if (value === "false") return false;
    throw new OptionsError(`--${flag.name}: ${JSON.stringify(value)} is neither true nor false`);
  };
}

function optionOf(flag: Flag, command: CommandName): Option {
  const value = flag.kind === "switch" ? " [boolean]" : ` <${flag.value ?? "port"}>`;
  const initial = flag.default?.[command];
  const hints = [flag.choices?.join(" | "), initial === undefined ? undefined : `default: ${initial}`].filter((h) => h !== undefined);
  const option = new Option(
    `${flag.short === undefined ? "" : `-${flag.short}, `}--${flag.name}${value}`,
    [flag.about, ...hints.map((h) => `(${h})`)].join(" "),
  );
  if (flag.kind === "list") option.argParser(REPEATED);
  if (flag.kind === "port") option.argParser(parsePort(flag));
  if (flag.kind === "switch") option.preset(true).argParser((v: string | boolean) => (v === true ? true : parseSwitch(flag)(String(v))));
  return option;
}

const DESCRIPTIONS: Readonly<Record<CommandName, string>> = {
  "start-dev": "Run a server for development: the flags of `temporal server start-dev`, in memory unless --db-filename is given.",
  serve: "Run a durable server.",
  "test-server": "Run a server for tests whose time can be skipped, as the official test server is run; `perdure <port>` is short for it.",
};

const FOOTER = "\nEvery flag can also be set as PERDURE_<FLAG> in the environment, for instance PERDURE_DB_FILENAME; lists are separated by commas.";

export function parseCommandLine(args: readonly string[], environment: Readonly<Record<string, string | undefined>>, version: string): CommandLine {
  let result: CommandLine | undefined;
  let printed = "";

  const start = (name: CommandName) => {
    const command = new Command(name).description(DESCRIPTIONS[name]).allowExcessArguments(false).addHelpText("after", FOOTER);
    for (const flag of flagsOf(name)) command.addOption(optionOf(flag, name));
    const hasPortArgument = name === "test-server";
    if (hasPortArgument) command.argument("[port]", "port to listen on; 0 takes a free one", parsePort({ name: "port" }));
    return command.action((...values: unknown[]) => {
      const given = { ...(values[hasPortArgument ? 1 : 0] as Record<string, unknown>) };
      if (hasPortArgument && values[0] !== undefined) given.port = values[0];
      const flags = Object.fromEntries(
        flagsOf(name).flatMap((f) => (given[camelCase(f.name)] === undefined ? [] : [[camelCase(f.name), given[camelCase(f.name)]]])),
      );
      const fromVariables = fromEnvironment(name, environment);
      const path = flags.config ?? fromVariables.config;
      const file = typeof path === "string" ? fromFile(name, path, readConfigFile(path)) : {};
      result = { kind: "start", command: name, options: resolveOptions(name, flags, fromVariables, file) };
    });
  };

  const program = new Command("perdure")
    .description("A server for durable workflows that speaks the Temporal API.")
    .version(`perdure ${version}`, "-v, --version");
  const server = new Command("server").description("Servers for development: start-dev.");
  server.addCommand(start("start-dev"));
  program.addCommand(server);
  program.addCommand(start("serve"));
  program.addCommand(start("test-server"));
  const commands = [program, server, ...server.commands, ...program.commands];
  for (const command of commands)
    command
      .exitOverride()
      .showSuggestionAfterError(false)
      .configureOutput({ writeOut: (text) => (printed += text), writeErr: (text) => (printed += text) });

  try {
    // SDKs run the official test server by its port alone.
    program.parse(/^\d+$/.test(args[0] ?? "") ? ["test-server", ...args] : [...args], { from: "user" });
  } catch (error) {
    if (error instanceof OptionsError) return { kind: "wrong", message: error.message };
    if (!(error instanceof CommanderError)) throw error;
    // Without a command, commander shows its help and calls that an error.
    if (error.exitCode === 0 || error.code === "commander.help") return { kind: "print", text: printed };
    return { kind: "wrong", message: error.message.replace(/^error: /, "") };
  }
  return result ?? { kind: "print", text: printed };
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new OptionsError(`--config ${path}: ${(error as NodeJS.ErrnoException).code === "ENOENT" ? "no such file" : (error as Error).message}`);
  }
}
