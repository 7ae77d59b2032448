/** The arguments of `perdure key ...`. */
import { Command, Option } from "commander";
import { parseDurationMs } from "../config/dynamic-config.js";
import { OptionsError } from "../config/options-error.js";
import type { KeyAction, KeyCommand } from "./keys.js";

const ROLES = ["read", "worker", "write", "admin"];
const DAY_MS = 86_400_000;
const FILE = "./data/perdure.db";

interface Given {
  dbFilename?: string;
  address?: string;
  apiKey?: string;
  tls?: boolean;
  tlsCa?: string;
  role: string;
  namespace?: string[];
  name: string;
  expires?: string;
}

export function keyCommand(
  environment: Readonly<Record<string, string | undefined>>,
  now: () => number,
  use: (command: KeyCommand) => void,
): Command {
  const key = new Command("key").description("API keys, on the database file of a server that is stopped or, with --address, on one that runs.");
  const add = (name: string, about: string, what: (given: Given, id: string) => KeyAction, argument?: string): Command => {
    const command = new Command(name).description(about).allowExcessArguments(false);
    if (argument !== undefined) command.argument(argument);
    command
      .option("-f, --db-filename <path>", `database file (default: ${FILE})`)
      .option("--address <host:port>", "server that runs")
      .option("--api-key <key>", "key of an administrator of that server (or PERDURE_API_KEY)")
      .option("--tls", "speak TLS with it")
      .option("--tls-ca <path>", "authorities that its certificate may be by")
      .action((...args: unknown[]) => {
        const id = argument === undefined ? "" : (args[0] as string);
        const given = args[argument === undefined ? 0 : 1] as Given;
        use({ what: what(given, id), where: whereOf(given, environment) });
      });
    key.addCommand(command);
    return command;
  };
  add("create", "Make a key; stdout gets it, this once.", (given) => ({
    action: "create",
    role: given.role,
    namespaces: given.namespace ?? [],
    name: given.name,
    expireTime: expireTimeOf(given.expires, now()),
  }))
    .addOption(new Option("--role <role>", "what its holder may do").choices(ROLES).makeOptionMandatory())
    .option("-n, --namespace <name>", "where; repeatable; without one on the server and in all namespaces", (v: string, all?: string[]) => [
      ...(all ?? []),
      v,
    ])
    .option("--name <text>", "what it is called in lists and logs", "")
    .option("--expires <duration or date>", "when it ends, such as 90d, 12h or 2027-01-31");
  add("list", "List the keys.", () => ({ action: "list" }));
  add("disable", "Take a key out of use.", (_, id) => ({ action: "disable", id }), "<id>");
  add("enable", "Bring a disabled key back into use.", (_, id) => ({ action: "enable", id }), "<id>");
  add("delete", "Delete a key.", (_, id) => ({ action: "delete", id }), "<id>");
  return key;
}

function whereOf(given: Given, environment: Readonly<Record<string, string | undefined>>): KeyCommand["where"] {
  const { address, dbFilename, tlsCa } = given;
  if (address === undefined) return { file: dbFilename ?? environment.PERDURE_DB_FILENAME ?? FILE };
  if (dbFilename !== undefined) throw new OptionsError("--db-filename: not together with --address");
  return { address, apiKey: given.apiKey ?? environment.PERDURE_API_KEY, tls: given.tls === true || tlsCa !== undefined, tlsCa };
}

/** Microseconds since the epoch; 0 for never. */
function expireTimeOf(text: string | undefined, now: number): number {
  if (text === undefined) return 0;
  const days = /^(\d+)d$/.exec(text)?.[1];
  const ms = days === undefined ? parseDurationMs(text) : Number(days) * DAY_MS;
  const at = ms === undefined ? Date.parse(text) * 1000 : now + ms * 1000;
  if (Number.isNaN(at) || at <= now) throw new OptionsError(`--expires ${JSON.stringify(text)}: must be a duration such as 90d or a date to come`);
  return at;
}
