/**
 * The programs that the API reference shows (client-sdk-apis.txt is its section, as it stands there), and what has to be changed in each
 * before it runs: where the server is and the caller's key, what the document leaves out, and what the SDKs no longer take.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export type Language = "go" | "java" | "python" | "typescript";

interface Change {
  /** Is there exactly once. */
  readonly from: string;
  readonly to: string;
  readonly why: string;
}

const ADDRESS = "where the server of the test is";
const KEY = "a key of the server of the test";
const OMITTED = "the document leaves it out";

const CHANGES: Readonly<Record<Language, readonly Change[]>> = {
  go: [
    { from: '"temporal.company.com:7233"', to: 'os.Getenv("ADDRESS")', why: ADDRESS },
    { from: '"your-api-key"', to: 'os.Getenv("API_KEY")', why: KEY },
    {
      from: "import (\n",
      to: 'import (\n    "context"\n    "crypto/tls"\n    "os"\n    "time"\n    "go.temporal.io/sdk/temporal"\n',
      why: OMITTED,
    },
    { from: "we, err := c.ExecuteWorkflow", to: "_, err := c.ExecuteWorkflow", why: "Go takes no variable that is not used" },
  ],
  java: [
    { from: '"temporal.company.com:7233"', to: 'System.getenv("ADDRESS")', why: ADDRESS },
    {
      from: "        WorkflowServiceStubsOptions serviceOptions = WorkflowServiceStubsOptions.newBuilder()\n",
      to: '        WorkflowServiceStubsOptions serviceOptions = WorkflowServiceStubsOptions.newBuilder()\n.setEnableHttps(true).addApiKey(() -> System.getenv("API_KEY"))\n',
      why: "the document shows a server without TLS and keys here",
    },
    {
      from: "import io.temporal.client.WorkflowOptions;\n",
      to: [
        "import com.google.common.collect.ImmutableMap;",
        "import io.temporal.api.common.v1.WorkflowExecution;",
        "import io.temporal.client.WorkflowClient;",
        "import io.temporal.client.WorkflowOptions;",
        "import java.time.Duration;\n",
      ].join("\n"),
      why: OMITTED,
    },
    {
      from: "    private final WorkflowClient client;\n",
      to: "    private final WorkflowClient client;\n    public WorkflowOperations(WorkflowClient client) { this.client = client; }\n",
      why: OMITTED,
    },
  ],
  python: [
    { from: '"temporal.company.com:7233"', to: 'os.environ["ADDRESS"]', why: ADDRESS },
    { from: '"your-api-key"', to: 'os.environ["API_KEY"]', why: KEY },
    { from: "import asyncio\n", to: "import asyncio\nimport os\nfrom order import *\n", why: OMITTED },
    { from: '"OrderId": "12345"', to: '"OrderId": ["12345"]', why: "the SDK takes lists of values" },
    { from: '"CustomerId": "customer-67890"', to: '"CustomerId": ["customer-67890"]', why: "the SDK takes lists of values" },
    { from: '            "Environment": "production"', to: '            "Environment": ["production"]', why: "the SDK takes lists of values" },
  ],
  typescript: [
    { from: "'temporal.company.com:7233'", to: "process.env['ADDRESS']", why: ADDRESS },
    // biome-ignore lint/suspicious/noTemplateCurlyInString: it is code of the program
    { from: "'Bearer your-api-key'", to: "`Bearer ${process.env['API_KEY']}`", why: KEY },
    {
      from: "import { WorkflowHandle } from '@temporalio/client';\n",
      to: [
        "import type { WorkflowHandle } from '@temporalio/client';",
        "import { orderProcessingWorkflow, paymentReceivedSignal, getOrderStatusQuery, type OrderStatus } from './workflows.js';",
        "export { startWorkflow, signalWorkflow, queryWorkflow };\n",
      ].join("\n"),
      why: OMITTED,
    },
  ],
};

/** The code of the document in a language, block by block, as it runs. */
export function documented(language: Language): string[] {
  const text = readFileSync(join(import.meta.dirname, "client-sdk-apis.txt"), "utf8");
  const blocks = [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)].filter(([, l]) => l === language).map(([, , code = ""]) => code);
  for (const { from, to, why } of CHANGES[language]) {
    const places = blocks.filter((b) => b.split(from).length === 2);
    const [place] = places;
    if (places.length !== 1 || place === undefined) throw new Error(`${language}: ${JSON.stringify(from)} (${why}) is in ${places.length} blocks`);
    blocks[blocks.indexOf(place)] = place.replace(from, () => to);
  }
  return blocks;
}
