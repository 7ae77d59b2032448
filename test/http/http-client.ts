/** Requests and answers of the HTTP tests. */
export interface JsonAnswer {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the server says
  readonly body: any;
}

export type Ask = (ask: string, body?: unknown, headers?: Record<string, string>) => Promise<JsonAnswer>;

/** `ask`: "GET /path". */
export function client(base: string): Ask {
  return async (ask, body, headers = {}) => {
    const [method, path] = ask.split(" ", 2) as [string, string];
    const answer = await fetch(base + path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    let json: unknown = text;
    try {
      json = JSON.parse(text);
    } catch {
      // Not every answer is JSON.
    }
    return { status: answer.status, headers: answer.headers, body: json };
  };
}

/** Registers Keyword attributes in a namespace; the official HTTP API has no route for it, Connect has. */
export async function addKeywords(ask: Ask, namespace: string, names: readonly string[]): Promise<void> {
  const searchAttributes = Object.fromEntries(names.map((n) => [n, "INDEXED_VALUE_TYPE_KEYWORD"]));
  const path = "/temporal.api.operatorservice.v1.OperatorService/AddSearchAttributes";
  const { status, body } = await ask(`POST ${path}`, { namespace, searchAttributes }, { "content-type": "application/json" });
  if (status !== 200) throw new Error(JSON.stringify(body));
}
