#!/bin/sh
# Verifies the signature of an image, and for each platform its bill of materials and provenance.
#
#   verify.sh IMAGE@DIGEST OPTION...    options go to cosign, and say whose signature is accepted
set -eu
image=$1
shift
cosign verify --output text "$@" "$image" >/dev/null
# shellcheck disable=SC2016 # a template, and no variable
platforms=$(docker buildx imagetools inspect --format '{{range .Manifest.Manifests}}{{.Platform.OS}}/{{.Platform.Architecture}}={{.Digest}} {{end}}' "$image")
for platform in $platforms; do
    subject=${image%@*}@${platform#*=}
    cosign verify-attestation --type cyclonedx "$@" "$subject" >/dev/null
    cosign verify-attestation --type slsaprovenance "$@" "$subject" >/dev/null
    echo "verified: $subject (${platform%%=*})"
done
