/** Authorities and certificates for tests of TLS. */
import selfsigned from "selfsigned";

const EC = { keyType: "ec", curve: "P-256", algorithm: "sha256" } as const;

export interface Pair {
  readonly private: string;
  readonly cert: string;
}

export const authority = (name: string): Promise<Pair> =>
  selfsigned.generate([{ name: "commonName", value: name }], {
    ...EC,
    extensions: [
      { name: "basicConstraints", cA: true, critical: true },
      { name: "keyUsage", keyCertSign: true, critical: true },
    ],
  });

/** @param host that it is for, beside 127.0.0.1 */
export const issued = (name: string, by: Pair, host = "perdure.example.com"): Promise<Pair> =>
  selfsigned.generate([{ name: "commonName", value: name }], {
    ...EC,
    ca: { key: by.private, cert: by.cert },
    extensions: [
      { name: "basicConstraints", cA: false, critical: true },
      { name: "keyUsage", digitalSignature: true, critical: true },
      { name: "extKeyUsage", serverAuth: true, clientAuth: true },
      {
        name: "subjectAltName",
        altNames: [
          { type: 2, value: host },
          { type: 7, ip: "127.0.0.1" },
        ],
      },
    ],
  });
