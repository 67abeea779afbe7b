FROM node:24-bookworm-slim AS build
WORKDIR /app
# The install script of onnxruntime-node fetches CUDA; the CPU build is in the package.
ENV ONNXRUNTIME_NODE_INSTALL=skip
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY nest-cli.json tsconfig.json tsconfig.build.json ./
COPY src src
RUN npm run build && npm prune --omit=dev --ignore-scripts \
    # Binaries for other systems are five sixths of the package.
    && cd node_modules/onnxruntime-node/bin/napi-v6 && rm -rf darwin win32 \
    && find linux -mindepth 1 -maxdepth 1 ! -name "$(node -p process.arch)" -exec rm -rf {} + \
    && find /app/dist -name '*.map' -delete

FROM node:24-bookworm-slim
WORKDIR /app
# No telemetry of ONNX Runtime; a young generation that messages in hand fit into, where V8 would choose a smaller one;
# glibc gives freed memory back instead of keeping it in arenas.
ENV NODE_ENV=production ORT_DISABLE_TELEMETRY=1 NODE_OPTIONS=--max-semi-space-size=16 MALLOC_MMAP_THRESHOLD_=131072
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY models models
USER node
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s \
  CMD ["node", "-e", "fetch('http://127.0.0.1:' + (process.env.HTTP_PORT || 8080) + '/health/ready').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "dist/main.js"]
