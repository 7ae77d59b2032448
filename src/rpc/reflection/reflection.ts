/** Server reflection over the descriptors of the services that we serve. Both versions have the same messages. */
import { createRegistry, type DescFile, type DescMessage, type DescService, type Registry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

interface Request {
  host: string;
  messageRequest:
    | { case: "fileByFilename" | "fileContainingSymbol" | "allExtensionNumbersOfType" | "listServices"; value: string }
    | { case: "fileContainingExtension"; value: { containingType: string; extensionNumber: number } }
    | { case: undefined; value?: undefined };
}

const NOT_FOUND = 5;
const INVALID_ARGUMENT = 3;

export class Reflection {
  private readonly files = new Map<string, DescFile>();
  private readonly registry: Registry;

  constructor(private readonly services: readonly DescService[]) {
    for (const s of services) collect(s.file, this.files);
    this.registry = createRegistry(...this.files.values());
  }

  async *answers(requests: AsyncIterable<Request>): AsyncGenerator<object> {
    for await (const request of requests)
      yield { validHost: request.host, originalRequest: request, messageResponse: answer(request, this.services, this.files, this.registry) };
  }
}

function collect(file: DescFile, into: Map<string, DescFile>): void {
  const name = `${file.proto.name}`;
  if (into.has(name)) return;
  into.set(name, file);
  for (const d of file.dependencies) collect(d, into);
}

function answer(request: Request, services: readonly DescService[], files: Map<string, DescFile>, registry: Registry): object {
  const r = request.messageRequest;
  switch (r.case) {
    case "listServices":
      return {
        case: "listServicesResponse",
        value: { service: services.map((s) => ({ name: s.typeName })).sort((a, b) => (a.name < b.name ? -1 : 1)) },
      };
    case "fileByFilename": {
      const file = files.get(r.value);
      return file === undefined ? error(NOT_FOUND, `file not found: ${r.value}`) : descriptors(file);
    }
    case "fileContainingSymbol": {
      const file = fileOf(r.value, registry);
      return file === undefined ? error(NOT_FOUND, `symbol not found: ${r.value}`) : descriptors(file);
    }
    case "fileContainingExtension": {
      for (const type of registry)
        if (type.kind === "extension" && type.extendee.typeName === r.value.containingType && type.number === r.value.extensionNumber)
          return descriptors(type.file);
      return error(NOT_FOUND, `extension not found: ${r.value.containingType} ${r.value.extensionNumber}`);
    }
    case "allExtensionNumbersOfType": {
      const message = registry.getMessage(r.value);
      if (message === undefined) return error(NOT_FOUND, `type not found: ${r.value}`);
      const numbers: number[] = [];
      for (const type of registry) if (type.kind === "extension" && type.extendee.typeName === r.value) numbers.push(type.number);
      return { case: "allExtensionNumbersResponse", value: { baseTypeName: r.value, extensionNumber: numbers.sort((a, b) => a - b) } };
    }
    default:
      return error(INVALID_ARGUMENT, "request names nothing");
  }
}

/** A message, enum, service, method, field or extension by its full name. */
function fileOf(symbol: string, registry: Registry): DescFile | undefined {
  const type = registry.get(symbol);
  if (type !== undefined) return type.file;
  const at = symbol.lastIndexOf(".");
  if (at < 0) return undefined;
  const parent = registry.get(symbol.slice(0, at));
  const name = symbol.slice(at + 1);
  if (parent?.kind === "service" && parent.methods.some((m) => m.name === name)) return parent.file;
  if (parent?.kind === "message" && (parent as DescMessage).members.some((m) => m.name === name)) return parent.file;
  if (parent?.kind === "enum" && parent.values.some((v) => v.name === name)) return parent.file;
  return undefined;
}

/** The file and everything that it imports. */
function descriptors(file: DescFile): object {
  const all = new Map<string, DescFile>();
  collect(file, all);
  return {
    case: "fileDescriptorResponse",
    value: { fileDescriptorProto: [...all.values()].map((f) => toBinary(FileDescriptorProtoSchema, f.proto)) },
  };
}

function error(errorCode: number, errorMessage: string): object {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
