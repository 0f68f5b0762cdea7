#!/bin/sh
# What a release is rehearsed with, from Debian's packages: a newer Docker than this machine may have, with buildx and cosign, a
# registry, and arm64 by emulation. Test equipment, nothing of the product. As root, on Debian, with mmdebstrap and arch-test.
#
#   engine.sh make ROOT     a Debian testing with all of that, in a folder (30 s, 1.1 GB)
#   engine.sh arm64 ROOT    let the kernel run arm64 programs by the emulator in there, inside of containers as well
#   engine.sh base TAR      a Debian 13 for arm64 with its Python: the base image of that architecture (3 minutes)
#   engine.sh serve ROOT BRIDGE    run the engine until SIGTERM, with a network of that name; its socket is ROOT.share/docker.sock
#   engine.sh down BRIDGE   remove that network

# shellcheck disable=SC2016 # the hooks are expanded by mmdebstrap, and the program of unshare by its own shell
set -eu
extra_ca=${EXTRA_CA_DIR:-/usr/local/share/ca-certificates}

make() {
    mirror=$(sed -n 's/^URIs: \(.*debian\)$/\1/p; s/^deb \([^ ]*debian\) .*/\1/p' /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | head -1)
    # A mirror's lists of an unreleased suite may be past their date.
    mmdebstrap --quiet --mode=root --variant=minbase --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=ca-certificates,docker.io,docker-cli,docker-buildx,iptables,cosign,docker-registry,qemu-user,procps \
        forky "$1" "deb $mirror forky main"
    cp /etc/resolv.conf "$1/etc/resolv.conf"
    mkdir -p "$1/share" "$1/old" "$1/var/lib/docker"
}

arm64() {
    formats=/proc/sys/fs/binfmt_misc
    mountpoint -q $formats || mount -t binfmt_misc binfmt_misc $formats
    [ ! -e $formats/qemu-aarch64 ] || return 0
    # The flag F opens the emulator now: a container has no such file. It is linked statically.
    magic='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00'
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    printf '%s' ":qemu-aarch64:M::$magic:$mask:$1/usr/bin/qemu-aarch64:OCF" >$formats/register
}

base() {
    mmdebstrap --quiet --mode=root --architectures=arm64 --variant=minbase \
        --include=ca-certificates,python3,python3-venv,python3-pip,libpython3-dev,python-is-python3 \
        --essential-hook='mkdir -p "$1/usr/local/share/ca-certificates"' \
        --essential-hook="find '$extra_ca' -name '*.crt' -exec cp {} \"\$1/usr/local/share/ca-certificates/\" \\;" \
        --customize-hook='chroot "$1" update-ca-certificates >/dev/null' trixie "$1"
}

rules() { # rules -I BRIDGE: let containers out; rules -D BRIDGE: no more
    iptables "$1" FORWARD -i "$2" -j ACCEPT
    iptables "$1" FORWARD -o "$2" -j ACCEPT
    iptables --table nat "$1" POSTROUTING --source 172.30.254.0/24 ! -o "$2" -j MASQUERADE
}

down() { # whatever of it is there
    rules -D "$1" 2>/dev/null || :
    ip link delete "$1" 2>/dev/null || :
}

serve() {
    mkdir -p "$1.share" "$1.data"
    # With no bridge at all the engine would remove docker0, and with it the network of the machine's other engine.
    # Its rules for the way out are ours, since both engines would write theirs into the same chains.
    down "$2"
    ip link add "$2" type bridge
    ip address add 172.30.254.1/24 dev "$2"
    ip link set "$2" up
    rules -I "$2"
    # runc wants a root that is a mount, so that a chroot alone is not enough; containerd wants the same of its data.
    exec unshare --mount --propagation private sh -eu -c '
        mount --bind "$1" "$1"
        mount --bind "$1.data" "$1/var/lib/docker"
        mount --bind "$1.share" "$1/share"
        cd "$1"
        mount -t proc proc proc
        mount --rbind /sys sys
        mount --rbind /dev dev
        mount -t tmpfs none run
        pivot_root . old
        umount -l old
        exec chroot . dockerd --host unix:///share/docker.sock --feature containerd-snapshotter=true \
            --bridge "$2" --iptables=false --ip6tables=false' engine "$1" "$2"
}

case ${1:-} in
    make | arm64 | base | serve | down) "$@" ;;
    *) sed -n '5,9p' "$0" >&2 && exit 64 ;;
esac
