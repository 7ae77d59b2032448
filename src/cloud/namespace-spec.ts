/**
 * The specification of a namespace, as far as one installation can follow it. Pure.
 *
 * It has one region, which is itself; capacity as it comes; and callers known by API keys, tokens and the server's own list of
 * certificates. What only the vendor of a cloud can do is refused, and not kept as if it were done.
 */
import {
  NamespaceSpec_SearchAttributeType as AttributeType,
  type CodecServerSpec,
  NamespaceSpec,
} from "../../gen/wire/temporal/api/cloud/namespace/v1/message.js";
import { failedPrecondition, invalidArgument } from "../api/service-error.js";
import { MICROS_PER_SECOND } from "../api/time.js";
import type { Init } from "../api/wire.js";
import type { SearchAttributeType } from "../core/namespace-view.js";
import type { NamespaceSettings } from "../namespace/registry.js";

const DAY_MICROS = 86_400 * MICROS_PER_SECOND;
const TAGS_MAX = 10;
const TAG_LENGTH_MAX = 63;

/** The types have the same numbers as those of the rest of the API. */
export const shownAttributes = (attributes: ReadonlyMap<string, SearchAttributeType>): Record<string, AttributeType> =>
  Object.fromEntries([...attributes].map(([name, { type }]) => [name, type as number as AttributeType]));

/** What there is to hold a specification against. */
export interface Installation {
  readonly region: string;
  readonly isFair: boolean;
  hasConnectivityRule(id: string): boolean;
}

/** The namespace as it is; undefined for a new one. */
export interface Before {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, SearchAttributeType>;
}

export interface CheckedNamespace {
  readonly settings: NamespaceSettings;
  /** What CloudService alone keeps. */
  readonly kept: Init<NamespaceSpec>;
}

/** @throws ServiceError */
export function checkNamespace(spec: NamespaceSpec | undefined, before: Before | undefined, here: Installation): CheckedNamespace {
  if (spec === undefined || spec.name === "") throw invalidArgument("spec.name is not set on request.");
  if (before !== undefined && spec.name !== before.name) throw invalidArgument("the name of a namespace cannot be changed");
  if (spec.retentionDays < 1) throw invalidArgument("spec.retention_days must be at least 1");
  checkRegions(spec, here.region);
  if (spec.mtlsAuth?.enabled === true)
    throw failedPrecondition("client certificates are accepted for the whole server (--tls-client-ca, --auth-certificate), not by namespace");
  if (spec.capacitySpec?.spec.case === "provisioned")
    throw failedPrecondition("there is no capacity to provision: a namespace takes what the machine has");
  const isFair = spec.fairness?.taskQueueFairnessEnabled ?? here.isFair;
  if (isFair !== here.isFair) throw failedPrecondition("fairness of task queues is a setting of the whole server: matching.enableFairness");
  for (const id of spec.connectivityRuleIds) if (!here.hasConnectivityRule(id)) throw invalidArgument(`connectivity rule ${id} is not found`);
  return {
    settings: { retention: spec.retentionDays * DAY_MICROS, attributes: checkAttributes(spec, before?.attributes) },
    kept: {
      apiKeyAuth: { enabled: spec.apiKeyAuth?.enabled ?? false },
      codecServer: checkCodec(spec.codecServer),
      lifecycle: { enableDeleteProtection: spec.lifecycle?.enableDeleteProtection ?? false },
      highAvailability: spec.highAvailability,
      connectivityRuleIds: [...new Set(spec.connectivityRuleIds)],
    },
  };
}

/** @throws ServiceError */
function checkRegions({ regions, replicas }: NamespaceSpec, here: string): void {
  const wanted = [...new Set([...regions, ...replicas.map((r) => r.region)])];
  for (const region of wanted)
    if (region !== here) throw invalidArgument(`region ${JSON.stringify(region)} is not found: this installation is ${here}`);
  if (regions.length > 1 || replicas.length > 1) throw failedPrecondition("this installation is one region: a namespace has one replica");
}

/** @throws ServiceError */
function checkAttributes(spec: NamespaceSpec, before: Before["attributes"] | undefined): Record<string, number> {
  const wanted = new Map<string, number>();
  for (const [name, type] of Object.entries(spec.searchAttributes)) {
    if (type === AttributeType.UNSPECIFIED || AttributeType[type] === undefined) throw invalidArgument(`search attribute ${name} has no type`);
    wanted.set(name, type);
  }
  for (const [name, { type }] of before ?? []) {
    if (!wanted.has(name)) throw invalidArgument(`search attribute ${name} cannot be deleted`);
    if (wanted.get(name) !== type) throw invalidArgument(`the type of search attribute ${name} cannot be changed`);
  }
  return Object.fromEntries(wanted);
}

/** @throws ServiceError */
function checkCodec(codec: CodecServerSpec | undefined): CodecServerSpec | undefined {
  if (codec === undefined) return undefined;
  const isWeb = URL.canParse(codec.endpoint) && /^https?:$/.test(new URL(codec.endpoint).protocol);
  if (!isWeb) throw invalidArgument(`codec_server.endpoint is not a web address: ${JSON.stringify(codec.endpoint)}`);
  return codec;
}

/** @throws ServiceError */
export function checkTags(tags: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(tags);
  if (entries.length > TAGS_MAX) throw invalidArgument(`namespace has more than ${TAGS_MAX} tags`);
  for (const [key, value] of entries)
    if (key === "" || key.length > TAG_LENGTH_MAX || value.length > TAG_LENGTH_MAX)
      throw invalidArgument(`tag ${JSON.stringify(key)}: a key has 1 to ${TAG_LENGTH_MAX} characters, a value at most ${TAG_LENGTH_MAX}`);
  return Object.fromEntries(entries);
}

/** Of a namespace that CloudService has not made: it is open to keys. */
export const UNTOUCHED = NamespaceSpec.create({ apiKeyAuth: { enabled: true } });

export const retentionDays = (micros: number): number => Math.ceil(micros / DAY_MICROS);
