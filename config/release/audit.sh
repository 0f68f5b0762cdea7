#!/bin/sh
# Lists the Debian packages of an image that have a newer version in Debian: a vulnerability or a bug is fixed there, not here.
# Exits with status 1 if there is one, or no answer. For vulnerabilities that Debian has not fixed, use a scanner.
#
#   audit.sh IMAGE BASE    BASE is the image's base image: it has apt, and knows where its packages come from
set -eu
image=$1 base=$2
folder=$(mktemp -d)
container=$(docker create "$image")
trap 'docker rm "$container" >/dev/null; rm -rf "$folder"' EXIT

docker cp "$container:/var/lib/dpkg/status.d" "$folder" >/dev/null
cat "$folder"/status.d/* | sed -n 's/^Package: //p; s/^Version: //p' | paste - - >"$folder/packages"
# shellcheck disable=SC2016 # the shell in the container expands it
docker run --rm --interactive --user 0 --entrypoint sh "$base" -eu -c '
    apt-get -qq -o APT::Update::Error-Mode=any update >&2
    while read -r name version; do
        newest=$(apt-cache policy "$name" | sed -n "s/^  Candidate: //p")
        ! dpkg --compare-versions "$version" lt "$newest" || echo "$name $version: Debian has $newest"
    done' <"$folder/packages" >"$folder/outdated"

echo "$(wc -l <"$folder/packages") Debian packages in $image, $(wc -l <"$folder/outdated") of them outdated"
cat "$folder/outdated"
test ! -s "$folder/outdated"
