/** The HTTP API's description, at the official server's addresses, and a page to browse it. Each is made once, when first asked for. */
import { bindingsOf, OFFICIAL_SERVICES } from "../http-api/bindings.js";
import { plainError } from "../official-error.js";
import type { GatewayContext, HttpAnswer, Route, RouteModule } from "../route.js";
import { openApi3, swagger2 } from "./documents.js";
import { API_PAGE } from "./page.js";
import { formatYaml } from "./yaml.js";

/** The page may do nothing but what it does. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'";

export const openApi: RouteModule = {
  name: "open-api",
  routes: (context) => [
    document(context, "/swagger.json", "application/json", (bindings, version) => `${JSON.stringify(swagger2(bindings, version), null, 2)}\n`),
    document(context, "/openapi.yaml", "application/yaml", (bindings, version) => formatYaml(openApi3(bindings, version))),
    {
      method: "GET",
      template: "/api",
      handler: (): HttpAnswer => ({
        headers: { "content-type": "text/html; charset=utf-8", "content-security-policy": PAGE_POLICY, "x-content-type-options": "nosniff" },
        body: API_PAGE,
      }),
    },
  ],
  fail: plainError,
};

function document(
  { services }: GatewayContext,
  template: string,
  contentType: string,
  make: (bindings: ReturnType<typeof bindingsOf>, version: string) => string,
): Route {
  let made: string | undefined;
  return {
    method: "GET",
    template,
    handler: () => {
      made ??= make(bindingsOf(OFFICIAL_SERVICES), services.server.version);
      return { headers: { "content-type": contentType }, body: made };
    },
  };
}
