# The image of hasura-kc-auth: docs/docker.md. Both stages have the same Python at the same place,
# the version that the suite runs on. Behind a mirror, or pinned by digest: --build-arg PYTHON=…
ARG PYTHON=docker.io/library/python:3.11-slim-trixie

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY requirements/image.txt requirements/build.txt requirements/
# Only what is pinned by its hash, and only wheels: no foreign code runs while this is built.
RUN python -m venv --without-pip /opt/hasura-kc-auth \
 && python -m pip --python /opt/hasura-kc-auth install --require-hashes --only-binary :all: --requirement requirements/image.txt
RUN python -m venv tools \
 && tools/bin/pip install --require-hashes --only-binary :all: --requirement requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY hasura_kc_auth/ hasura_kc_auth/
RUN tools/bin/hatchling build --target wheel --directory dist \
 && python -m pip --python /opt/hasura-kc-auth install --no-deps --no-index --find-links dist hasura-kc-auth

FROM ${PYTHON}
ARG VERSION=unknown
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="hasura-kc-auth" \
      org.opencontainers.image.description="The org-aware authentication webhook between Keycloak and Hasura." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
COPY --from=build /opt/hasura-kc-auth /opt/hasura-kc-auth
# Variables win over the file: a sidecar sets the webhook's host back to 127.0.0.1. On all addresses
# the service starts only with webhook.tls, or with insecure_transport: true; neither is chosen here.
ENV PATH="/opt/hasura-kc-auth/bin:${PATH}" \
    PYTHONDONTWRITEBYTECODE=1 \
    HASURA_KC_AUTH__WEBHOOK__HOST=0.0.0.0 \
    HASURA_KC_AUTH__MANAGEMENT__HOST=0.0.0.0
# By number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 8090 8091
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s --start-interval=2s --retries=3 \
    CMD ["hasura-kc-auth", "healthcheck"]
ENTRYPOINT ["hasura-kc-auth"]
CMD ["serve"]
