# The only thing that comes from Docker Hub. Nothing below depends on where it keeps its Python or its libraries.
ARG PYTHON_IMAGE=python:3.13-slim-trixie


# The locked packages, in a virtual environment without pip. All of them are wheels, so that the build needs no compiler, and
# pip checks the hash of each. --build-arg OTEL=yes adds those for traces.
FROM ${PYTHON_IMAGE} AS packages
ARG OTEL
WORKDIR /build
COPY requirements.lock requirements-otel.lock ./
RUN python3 -m venv --without-pip /opt/venv \
    && python3 -m pip --python /opt/venv install --no-cache-dir --no-compile --no-deps --only-binary :all: \
       --require-hashes --requirement "requirements${OTEL:+-otel}.lock"


# The parts that a running service needs, as two trees: Python with its libraries, and the packages.
FROM packages AS closure
COPY config/image/*.py ./
RUN python3 closure.py /opt/venv /layers/python /layers/packages


# The application as a third tree, with the bill of materials. The three trees must contain everything that the application
# imports: the last command imports all of it inside them, and the build fails if something is missing.
FROM closure AS application
ARG OTEL
ARG VERSION=unknown
COPY gunicorn.conf.py /layers/application/srv/
COPY app /layers/application/srv/app
RUN mkdir -p /layers/application/usr/share/sbom \
    && python3 sbom.py --version "$VERSION" /opt/venv /layers/python /layers/packages \
       >/layers/application/usr/share/sbom/flask_app.cdx.json \
    && python3 application.py /layers/application \
    && cp -a /layers/python /image && cp -a /layers/packages/. /layers/application/. /image \
    && PYTHONPATH=/srv chroot /image /opt/venv/bin/python -c 'import os, pkgutil, app; \
       print(*(__import__(module.name) and module.name for module in pkgutil.walk_packages(app.__path__, "app.") \
       if os.environ.get("OTEL") or "otel" not in module.name))'


# `docker build --target debug .`: the same service, on a base that has a shell and the sources of the standard library.
FROM ${PYTHON_IMAGE} AS debug
COPY --from=application /layers/packages/ /
COPY --from=application /opt/venv/bin/ /opt/venv/bin/
COPY --from=application /layers/application/ /
WORKDIR /srv
USER 10001:10001
EXPOSE 5000 9464
ENTRYPOINT ["/opt/venv/bin/python", "app/app.py"]


# `docker build --target test .` succeeds when the tests pass. The classic builder builds every stage on its way, even those that
# the target does not use, and a build of the image must not wait for the tests. It sets no TARGETARCH, so it runs the tests only
# with --build-arg TEST=yes.
FROM packages AS test
ARG TARGETARCH
ARG TEST=$TARGETARCH
COPY tests/requirements.lock tests/
RUN test -z "$TEST" || python3 -m pip --python /opt/venv install --no-cache-dir --no-deps --only-binary :all: \
    --require-hashes --requirement tests/requirements.lock
COPY . ./
RUN if [ -n "$TEST" ]; then /opt/venv/bin/python -m pytest --numprocesses 3 --dist worksteal; \
    else echo "tests skipped: --build-arg TEST=yes runs them"; fi


FROM scratch
COPY --from=application /layers/python/ /
COPY --from=application /layers/packages/ /
COPY --from=application /layers/application/ /
WORKDIR /srv
# A number, since a cluster that forbids root cannot tell which user a name stands for.
USER 10001:10001
EXPOSE 5000 9464
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["/opt/venv/bin/python", "app/healthcheck.py"]
ENTRYPOINT ["/opt/venv/bin/python", "app/app.py"]
ARG VERSION=unknown
ARG REVISION=unknown
# Flask spools uploads above 500 kB. Where the root is read-only, this is the only folder that can be written.
ENV REVISION=$REVISION \
    TMPDIR=/dev/shm
LABEL org.opencontainers.image.title="flask_app" \
      org.opencontainers.image.description="Adds numbers, exactly" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
