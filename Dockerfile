# Lapsewatch in a container: not root, a read-only root file system, no secret inside.
#   docker build -t lapsewatch:0.1.0 .
# The base is pinned by version. Pin it by digest as well where you build:
#   PYTHON=python:3.11.14-slim-bookworm@sha256:…   (docker buildx imagetools inspect shows it)
# No digest stands here, because it could not be looked up when this file was written.
ARG PYTHON=python:3.11.14-slim-bookworm

# ---- build: the locked packages and Lapsewatch in one folder ------------------------------------
FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/lapsewatch
ENV PATH=/opt/lapsewatch/bin:$PATH
WORKDIR /src
COPY requirements.lock ./
# --no-compile saves half of the size: most of the Graph SDK is never imported.
RUN pip install --require-hashes --no-compile -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY monitor ./monitor
COPY jobs ./jobs
COPY templates ./templates
RUN pip install --no-deps --no-build-isolation --no-compile .
# Bytecode of what the service really imports, because the running container cannot write any.
RUN python -c "import jobs.scheduler, monitor.cli.root, monitor.entra.graph, monitor.web.app"

# ---- run ----------------------------------------------------------------------------------------
FROM ${PYTHON}
LABEL org.opencontainers.image.title="Lapsewatch" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="MIT"
COPY --from=build /opt/lapsewatch /opt/lapsewatch
# Only the data folder belongs to the service. The user has a number and no name, so that
# Kubernetes (runAsNonRoot) can see that it is not root.
RUN install -d -o 10001 -g 10001 -m 0700 /var/lib/lapsewatch
# HOME: libraries look there, and /tmp is the one folder that is writable under a read-only root.
# The database lies in the volume. LAPSEWATCH_… wins over a settings file.
ENV PATH=/opt/lapsewatch/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    LAPSEWATCH_DATABASE__URL=sqlite:////var/lib/lapsewatch/lapsewatch.db
USER 10001:10001
WORKDIR /var/lib/lapsewatch
VOLUME /var/lib/lapsewatch
EXPOSE 8080
STOPSIGNAL SIGTERM
# Alive means: the database answers, and the service's clock ticked within five minutes.
HEALTHCHECK --interval=60s --timeout=20s --start-period=60s --retries=3 \
    CMD ["lapsewatch", "health"]
ENTRYPOINT ["lapsewatch"]
CMD ["serve"]
