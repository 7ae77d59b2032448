import type { SearchAttributes } from "../../../gen/wire/temporal/api/common/v1/message.js";
import type { Limits } from "../../config/limits.js";
import type { NamespaceView } from "../namespace-view.js";
import type { AttributeValue } from "./row.js";

export declare function checkSearchAttributeValues(attributes: SearchAttributes, namespace: NamespaceView, limits: Limits): void;
export declare function checkSearchAttributeSizes(attributes: SearchAttributes, namespace: NamespaceView, limits: Limits): void;
export declare function indexedValues(attributes: SearchAttributes, namespace: NamespaceView): { id: number; type: number; value: AttributeValue }[];
