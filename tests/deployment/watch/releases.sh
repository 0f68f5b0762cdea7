#!/bin/sh
# Fetch the Prometheus of later releases of Debian, beside the one that is installed: on Debian, any user, nothing is installed.
#
#   releases.sh DIRECTORY    DIRECTORY/trixie has prometheus and promtool 2.53, DIRECTORY/forky 3.5
set -eu
mkdir -p "$1"
directory=$(cd "$1" && pwd)
mirror=$(sed -n 's/^URIs: \(.*debian\)$/\1/p; s/^deb \([^ ]*debian\) .*/\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for suite in trixie forky; do
    mkdir -p "$scratch/$suite/lists/partial" "$scratch/$suite/archives/partial"
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$scratch/$suite/sources.list"
    # A mirror's lists of an unreleased suite may be past their date.
    apt() {
        apt-get --quiet --quiet --option Acquire::Check-Valid-Until=false --option Acquire::Languages=none \
            --option APT::Sandbox::User= --option Dir::Etc::sourceparts=- --option "Dir::Cache=$scratch/$suite" \
            --option "Dir::Etc::sourcelist=$scratch/$suite/sources.list" --option "Dir::State::lists=$scratch/$suite/lists" "$@"
    }
    apt update
    mkdir -p "$directory/$suite"
    for program in prometheus promtool; do
        (cd "$scratch/$suite" && apt download $program && dpkg-deb --extract ${program}_*.deb extracted)
        mv "$scratch/$suite/extracted/usr/bin/$program" "$directory/$suite/$program"
    done
done
