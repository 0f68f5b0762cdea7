#!/bin/sh
# Says which Debian packages of an image have a newer version in Debian: a weakness or a fault that is fixed there and not here.
# Exit status 1 where there is one, or where there is no answer. A weakness that Debian has not fixed is what scanners tell.
#
#   audit.sh IMAGE BASE    BASE is the image that it was built on: it has apt, and knows where its packages come from
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
