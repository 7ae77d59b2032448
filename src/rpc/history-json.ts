/** Histories as JSON, for archives. Loads the descriptors on first use, since they are heavy. */
import type { HistoryJson } from "../worker/contract.js";

const schema = async () => {
  const [{ HistorySchema }, protobuf] = await Promise.all([
    import("../../gen/es/temporal/api/history/v1/message_pb.js"),
    import("@bufbuild/protobuf"),
  ]);
  return { HistorySchema, ...protobuf };
};
let loaded: ReturnType<typeof schema> | undefined;
const load = () => (loaded ??= schema());

export const historyJson: HistoryJson = {
  async encode(history) {
    const { HistorySchema, fromBinary, toJson } = await load();
    return toJson(HistorySchema, fromBinary(HistorySchema, history));
  },
  async decode(json) {
    const { HistorySchema, fromJson, toBinary } = await load();
    return toBinary(HistorySchema, fromJson(HistorySchema, json as never, { ignoreUnknownFields: true }));
  },
};
