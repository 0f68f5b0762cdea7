# The one thing that is taken from Docker Hub. Nothing below knows where it keeps its Python or its libraries.
ARG PYTHON_IMAGE=python:3.13-slim-trixie


# The locked packages, in a virtual environment without pip. All of them come as wheels, so that nothing is compiled and no
# compiler is needed, and each is checked by its hash. With --build-arg OTEL=yes, those for traces are among them.
FROM ${PYTHON_IMAGE} AS packages
ARG OTEL
WORKDIR /build
COPY requirements.lock requirements-otel.lock ./
RUN python3 -m venv --without-pip /opt/venv \
    && python3 -m pip --python /opt/venv install --no-cache-dir --no-compile --no-deps --only-binary :all: \
       --require-hashes --requirement "requirements${OTEL:+-otel}.lock"


# What of all this a running service needs, as two trees: Python with its libraries, and the packages.
FROM packages AS closure
COPY config/image/*.py ./
RUN python3 closure.py /opt/venv /layers/python /layers/packages


# The application as a third tree, with the bill of materials. All three must hold everything that the application imports:
# it is imported here inside of them, and the build ends where something is missing.
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


# `docker build --target test .` succeeds when the tests pass. The classic builder makes every stage of a file on its way, asked
# for or not, and a build of the image must not wait for the tests. It sets no TARGETARCH: there, --build-arg TEST=yes runs them.
FROM packages AS test
ARG TARGETARCH
ARG TEST=$TARGETARCH
COPY tests/requirements.lock tests/
RUN test -z "$TEST" || python3 -m pip --python /opt/venv install --no-cache-dir --no-deps --only-binary :all: \
    --require-hashes --requirement tests/requirements.lock
COPY . ./
RUN if [ -n "$TEST" ]; then /opt/venv/bin/python -m pytest --numprocesses 2; \
    else echo "tests skipped: --build-arg TEST=yes runs them"; fi


FROM scratch
COPY --from=application /layers/python/ /
COPY --from=application /layers/packages/ /
COPY --from=application /layers/application/ /
WORKDIR /srv
# A number, since a cluster that forbids root cannot tell who a name is.
USER 10001:10001
EXPOSE 5000 9464
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s CMD ["/opt/venv/bin/python", "app/healthcheck.py"]
ENTRYPOINT ["/opt/venv/bin/python", "app/app.py"]
ARG VERSION=unknown
ARG REVISION=unknown
ENV REVISION=$REVISION
LABEL org.opencontainers.image.title="flask_app" \
      org.opencontainers.image.description="Adds numbers, exactly" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"
