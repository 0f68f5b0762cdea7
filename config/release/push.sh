#!/bin/sh
# Pushes what build.sh built, byte for byte.
#
#   push.sh DIRECTORY IMAGE TAG [OPTION...]    options go to skopeo
set -eu
folder=$1 image=$2 tag=$3
shift 3
skopeo copy --all --preserve-digests "$@" "oci-archive:$folder/image.tar" "docker://$image:$tag"
