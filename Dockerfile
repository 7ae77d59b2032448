# Build with the compiler that better-sqlite3 may need; the image gets dist/ and that one package, the rest is bundled.
FROM node:20-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 make g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /perdure
COPY package.json package-lock.json ./
COPY scripts/setup.mjs scripts/
COPY buf.yaml buf.gen.yaml ./
COPY proto proto
COPY src src
RUN node scripts/setup.mjs

FROM node:20-slim
WORKDIR /perdure
COPY --from=build /perdure/node_modules/better-sqlite3 node_modules/better-sqlite3
COPY --from=build /perdure/node_modules/bindings node_modules/bindings
COPY --from=build /perdure/node_modules/file-uri-to-path node_modules/file-uri-to-path
COPY --from=build /perdure/dist dist
COPY package.json LICENSE ./
COPY bin bin
RUN mkdir -p /data && chown node:node /data
USER node
ENV PERDURE_IP=0.0.0.0 PERDURE_DB_FILENAME=/data/perdure.db
VOLUME /data
EXPOSE 7233
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s --retries=3 \
  CMD ["node", "-e", "require('node:net').connect(Number(process.env.PERDURE_PORT || 7233), '127.0.0.1').on('connect', () => process.exit(0)).on('error', () => process.exit(1))"]
ENTRYPOINT ["bin/perdure"]
CMD ["serve"]
