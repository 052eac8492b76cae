# One image per service, each a target of its own: docker build --target auth|chat|gateway|web .
#
# auth, chat and gateway are one file each, Bun included: they start in half the time that they need from source, in less
# memory, and bring no packages. The web app is what Next traces as needed, and runs on Bun.
ARG BUN=1.4.5

FROM oven/bun:${BUN} AS packages
WORKDIR /parley
COPY package.json bun.lock bunfig.toml ./
COPY patches patches
COPY auth/package.json auth/
COPY cli/bench/package.json cli/bench/
COPY chat/package.json chat/
COPY engines/package.json engines/
COPY gateway/package.json gateway/
COPY link/package.json link/
COPY platform/package.json platform/
COPY testing/package.json testing/
COPY web/package.json web/
RUN bun install --frozen-lockfile

FROM packages AS sources
ENV NODE_ENV=production NEXT_TELEMETRY_DISABLED=1
COPY tsconfig.json ./
COPY platform platform
COPY link link
COPY auth auth
COPY chat chat
COPY gateway gateway

FROM sources AS build-auth
RUN bun build --compile --bytecode --format=esm --minify auth/main.ts --outfile /out/parley

FROM sources AS build-chat
RUN bun build --compile --bytecode --format=esm --minify chat/main.ts --outfile /out/parley

FROM sources AS build-gateway
RUN bun build --compile --bytecode --format=esm --minify gateway/main.ts --outfile /out/parley \
  && cp -r "$(bun gateway/playground/build.ts)" /out/playground

FROM sources AS build-web
COPY web web
WORKDIR /parley/web
# The page's server is bundled beside what Next traced, which is all of node_modules that it needs.
RUN NEXT_OUTPUT=standalone bun ../node_modules/next/dist/bin/next build \
  && cp -r .next/standalone /out \
  && cp -r .next/static /out/web/.next/static \
  && bun build main.ts --target=bun --external next --outfile /out/web/main.js

# Each answers on port 4000 of its own container, and is healthy once it can do its work.
FROM debian:bookworm-slim AS service
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 APOLLO_TELEMETRY_DISABLED=true
USER 10001:10001
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/bin/bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/4000 && printf 'GET /readyz HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.. 200' <&3"]
ENTRYPOINT ["/parley"]

FROM service AS auth
COPY --from=build-auth /out/parley /parley

FROM service AS chat
COPY --from=build-chat /out/parley /parley

FROM service AS gateway
ENV PLAYGROUND_DIR=/playground
COPY --from=build-gateway /out /

FROM oven/bun:${BUN}-slim AS web
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 NEXT_TELEMETRY_DISABLED=1
WORKDIR /parley/web
COPY --from=build-web /out /parley
USER 10001:10001
EXPOSE 4000
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["/bin/bash", "-c", \
  "exec 3<>/dev/tcp/127.0.0.1/4000 && printf 'GET /sign-in HTTP/1.0\\r\\n\\r\\n' >&3 && grep -q '^HTTP/1.. 200' <&3"]
ENTRYPOINT ["bun", "--no-env-file", "--no-install", "main.js"]
