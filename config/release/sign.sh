#!/bin/sh
# Signs what push.sh pushed, and attests the bill of materials and the provenance of each platform's image.
#
#   sign.sh DIRECTORY IMAGE [OPTION...]    options go to cosign; without any, it signs with the identity of the workflow
set -eu
folder=$1 image=$2
shift 2
cosign sign --yes --recursive "$@" "$image@$(cat "$folder/digest")"
for evidence in "$folder"/linux-*; do
    subject=$image@$(cat "$evidence/digest")
    cosign attest --yes --type cyclonedx --predicate "$evidence/sbom.json" "$@" "$subject"
    cosign attest --yes --type slsaprovenance --predicate "$evidence/provenance.json" "$@" "$subject"
done
