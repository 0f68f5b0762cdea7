#!/bin/sh
# Builds the image of the checked-out commit for both architectures. The same commit on the same base gives the same digest.
#
#   build.sh DIRECTORY [OPTION...]    image.tar and evidence.py's files go there; options go to `docker buildx build`
#
# PYTHON_IMAGE, with or without a digest, replaces the base image that the Dockerfile names.
set -eu
cd "$(dirname "$0")/../.."
folder=$1
shift

version=$(sed -n 's/^__version__ = "\(.*\)"/\1/p' app/version.py)
if [ "${GITHUB_REF_TYPE:-}" = tag ] && [ "$GITHUB_REF_NAME" != "v$version" ]; then
    echo "release failed: the tag is $GITHUB_REF_NAME, but app/version.py says $version" >&2
    exit 1
fi
if [ -n "$(git status --porcelain)" ]; then
    echo "release failed: what is checked out is not what was committed" >&2
    exit 1
fi

# The tag of a base image moves. Its digest becomes part of the image, so that anyone can build on the same one.
base=${PYTHON_IMAGE:-$(sed -n 's/^ARG PYTHON_IMAGE=//p' Dockerfile)}
name=${base%@*}
digest=$(docker buildx imagetools inspect --format '{{print .Manifest.Digest}}' "$base")

mkdir -p "$folder"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) BUILDX_NO_DEFAULT_ATTESTATIONS=1 \
    docker buildx build . --platform linux/amd64,linux/arm64 \
    --build-arg "PYTHON_IMAGE=$name@$digest" \
    --build-arg "VERSION=$version" --build-arg "REVISION=$(git rev-parse HEAD)" \
    --label "org.opencontainers.image.base.name=$name" --label "org.opencontainers.image.base.digest=$digest" \
    --output "type=oci,dest=$folder/image.tar,rewrite-timestamp=true" --metadata-file "$folder/metadata.json" "$@"
python3 config/release/evidence.py "$folder"
echo "$(cat "$folder/digest") is version $version on $name@$digest"
