#!/bin/sh
# Makes images that stand in for the base image where no registry of images is reached. Test equipment, nothing of the product:
# the Dockerfile knows of none of this and is built unchanged on top.
#
#   tests/deployment/image/base.sh official   CPython under /usr/local, compiled as docker-library/python does it; nearest to what users pull
#   tests/deployment/image/base.sh trixie     Debian 13's own Python 3.13
#   tests/deployment/image/base.sh bookworm   Debian 12's own Python 3.11
#   tests/deployment/image/base.sh prometheus Debian's Prometheus, for the one that the rehearsal machine and the cluster may have
#   tests/deployment/image/base.sh haproxy    Debian's HAProxy, for the one of the cluster
#
# Without arguments it makes all five. `official` is tagged as the default of ARG PYTHON_IMAGE as well, so that the literal
# `docker build .` finds it. An image that is already there is kept: remove it to make it anew.
#
# Needs root, mmdebstrap and a Docker engine. The certificates that this machine's administrator added to its trust store
# (EXTRA_CA_DIR) go into the image, since pip in the build meets the same network as the rest of this machine.

# shellcheck disable=SC2016 # the hooks are expanded by mmdebstrap, which knows the directory
set -eu

here=$(cd "$(dirname "$0")" && pwd)
official_tag=$(sed -n 's/^ARG PYTHON_IMAGE=//p' "$here/../../../Dockerfile")
python=python$(echo "$official_tag" | sed 's/python:\(3\.[0-9]*\)-.*/\1/')
extra_ca=${EXTRA_CA_DIR:-/usr/local/share/ca-certificates}
prometheus_tag=$(grep -o 'prom/prometheus:[^"]*' "$here/../../../Vagrantfile")
haproxy_tag=$(grep -o 'haproxy:[0-9][^"]*' "$here/../../../config/swarm.yaml")
label='LABEL org.opencontainers.image.description="stand-in made by tests/deployment/image/base.sh"'

bootstrap() { # bootstrap SUITE PACKAGES TARBALL [HOOK...]: a minimal Debian with the machine's extra certificates
    suite=$1 packages=$2 tarball=$3
    shift 3
    mmdebstrap --quiet --mode=root --variant=minbase --include="ca-certificates,netbase,tzdata,$packages" \
        --essential-hook="mkdir -p \"\$1/usr/local/share/ca-certificates\"" \
        --essential-hook="find '$extra_ca' -name '*.crt' -exec cp {} \"\$1/usr/local/share/ca-certificates/\" \\;" \
        --customize-hook='chroot "$1" update-ca-certificates >/dev/null' \
        "$@" "$suite" "$tarball"
}

debian() { # debian SUITE: the Python that Debian ships, under the names that the official image has
    bootstrap "$1" python3,python3-venv,python3-pip,libpython3-dev,python-is-python3 "$scratch/$1.tar"
    docker import --change 'CMD ["python3"]' --change "$label" "$scratch/$1.tar" "standin:$1"
}

official() {
    bootstrap trixie dpkg-dev "$scratch/official.tar" \
        --customize-hook="copy-in '$here/cpython.sh' /tmp" \
        --customize-hook='chroot "$1" sh /tmp/cpython.sh '"$python" \
        --customize-hook='rm "$1/tmp/cpython.sh"'
    docker import --change 'CMD ["python3"]' --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
        --change "$label" "$scratch/official.tar" standin:official
    # A real image of that name is better than ours and must never be replaced by it.
    docker image inspect "$official_tag" >/dev/null 2>&1 || docker tag standin:official "$official_tag"
}

prometheus() { # starts as prom/prometheus does
    bootstrap trixie prometheus "$scratch/prometheus.tar"
    docker import --change 'ENTRYPOINT ["/usr/bin/prometheus"]' \
        --change 'CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/var/lib/prometheus"]' \
        --change "$label" "$scratch/prometheus.tar" standin:prometheus
    docker image inspect "$prometheus_tag" >/dev/null 2>&1 || docker tag standin:prometheus "$prometheus_tag"
}

haproxy() { # starts as haproxy does: not as root, with a stop that lets requests end
    bootstrap trixie haproxy "$scratch/haproxy.tar"
    docker import --change 'ENTRYPOINT ["/usr/sbin/haproxy", "-W", "-db"]' \
        --change 'CMD ["-f", "/usr/local/etc/haproxy/haproxy.cfg"]' \
        --change 'USER 99:99' --change "$label" "$scratch/haproxy.tar" standin:haproxy-without-signal
    # `docker import` has no word for the signal.
    printf 'FROM standin:haproxy-without-signal\nSTOPSIGNAL SIGUSR1\n' | docker build --quiet --tag standin:haproxy - >/dev/null
    docker rmi standin:haproxy-without-signal >/dev/null
    docker image inspect "$haproxy_tag" >/dev/null 2>&1 || docker tag standin:haproxy "$haproxy_tag"
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT INT TERM
pids=
for base in "${@:-official trixie bookworm prometheus haproxy}"; do
    for name in $base; do
        docker image inspect "standin:$name" >/dev/null 2>&1 && continue
        case $name in
            official | prometheus | haproxy) "$name" & ;;
            trixie | bookworm) debian "$name" & ;;
            *) echo "unknown base: $name" >&2 && exit 64 ;;
        esac
        pids="$pids $!"
    done
done
# Beside each other: one compiles for minutes while the others wait for packages.
for pid in $pids; do wait "$pid"; done
