#!/bin/bash
# Makes a Vagrant box for libvirt (x86-64) out of Debian packages alone. It is what the rehearsal boots, and the way out
# where no address serves a box any more:
#
#   tests/deployment/rehearsal/box.sh build/debian-13.libvirt.box
#   BOX_URL=build/debian-13.libvirt.box vagrant up --provider=libvirt
#
# For those who reach no registry of images, or have no KVM (an emulated processor compiles for ever), two variables:
# IMAGE, a file made by `docker save`, is put into the machine's Docker; of CONTEXT, a folder with a Dockerfile, the stage
# `closure` is built in it, so that the machine finds that much in its build cache.
# Needs root, for a loop device and a chroot.
set -euo pipefail

box=$(realpath -m "${1:?where to write the box}")
image=${IMAGE:+$(realpath "$IMAGE")} context=${CONTEXT:+$(realpath "$CONTEXT")}
suite=trixie
size=8G
host_packages="vagrant mmdebstrap extlinux syslinux-common fdisk e2fsprogs qemu-utils slirp4netns"

fail() { echo "box.sh: $*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || fail "needs root"
[ "$(uname -m)" = x86_64 ] || fail "makes boxes for x86-64 only: extlinux knows nothing else"
missing=$(for package in $host_packages; do
    dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || echo "$package"
done)
[ -z "$missing" ] || fail "please install: apt-get install" $missing

scratch=$(mktemp -d)
tree=$scratch/tree loop= engine= network=
cleanup() {
    for process in $engine $network; do kill "$process" && wait "$process" || true; done
    ! mountpoint -q "$tree" || umount --recursive "$tree"
    [ -z "$loop" ] || losetup --detach "$loop"
    rm -rf "$scratch"
}
trap cleanup EXIT

# --- an empty disk: one partition, a boot loader in front of it -------------------------------------------------------
cd "$scratch"
truncate --size=$size disk.raw
echo 'start=2048, type=83, bootable' | sfdisk --quiet --label=dos disk.raw
dd if=/usr/lib/EXTLINUX/mbr.bin of=disk.raw bs=440 count=1 conv=notrunc status=none
loop=$(losetup --find --show --offset=$((2048 * 512)) disk.raw)
# extlinux 6.04 cannot read an ext4 with 64-bit block numbers or checksums.
mkfs.ext4 -q -O ^64bit,^metadata_csum -L root "$loop"
mkdir "$tree"
mount "$loop" "$tree"

# --- the system -------------------------------------------------------------------------------------------------------
# apparmor: without its parser Docker refuses to start a container on a kernel that has the module.
# docker-buildx: the builder that users get with Docker; without it `docker build` is the one of before 2023.
mmdebstrap --quiet --mode=root --variant=minbase --format=directory \
    --include=linux-image-cloud-amd64,initramfs-tools,zstd,systemd-sysv,systemd-resolved,udev,kmod,dbus,apparmor,e2fsprogs \
    --include=openssh-server,sudo,rsync,curl,ca-certificates,iproute2,iptables,procps,docker.io,docker-cli,docker-buildx \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --skip=check/empty "$suite" "$tree"

mount -t proc proc "$tree/proc"

# What Vagrant expects of every box: a user who logs in with the known key (replaced at the first boot) and may do all.
chroot "$tree" useradd --create-home --shell /bin/bash vagrant
echo 'vagrant ALL=(ALL) NOPASSWD: ALL' >"$tree/etc/sudoers.d/vagrant"
install -d -m 700 "$tree/home/vagrant/.ssh"
install -m 600 "$(dpkg -L vagrant | grep 'keys/vagrant\.pub$')" "$tree/home/vagrant/.ssh/authorized_keys"
chroot "$tree" chown -R vagrant:vagrant /home/vagrant/.ssh
echo 'UseDNS no' >"$tree/etc/ssh/sshd_config.d/vagrant.conf"

echo rehearsal >"$tree/etc/hostname"
printf '127.0.0.1 localhost\n127.0.1.1 rehearsal\n' >"$tree/etc/hosts"
echo '/dev/vda1 / ext4 noatime 0 1' >"$tree/etc/fstab"
printf '[Match]\nName=e*\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n[DHCPv4]\nClientIdentifier=mac\n' \
    >"$tree/etc/systemd/network/all.network"
chroot "$tree" systemctl --quiet enable systemd-networkd systemd-resolved
# Work that only costs minutes on a machine that lives for an hour.
# AppArmor's profiles for a hundred programs that are not here take half a minute; Docker loads its own.
chroot "$tree" systemctl --quiet mask apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer apparmor.service

# Only the drivers that the disk needs: the initial RAM disk is unpacked on an emulated processor.
sed -i 's/^MODULES=.*/MODULES=list/' "$tree/etc/initramfs-tools/initramfs.conf"
printf 'virtio_pci\nvirtio_blk\next4\n' >"$tree/etc/initramfs-tools/modules"
chroot "$tree" update-initramfs -u -k all >/dev/null
mkdir "$tree/boot/extlinux"
cat >"$tree/boot/extlinux/extlinux.conf" <<EXTLINUX
DEFAULT linux
TIMEOUT 1
LABEL linux
  LINUX /boot/$(basename "$tree"/boot/vmlinuz-*)
  INITRD /boot/$(basename "$tree"/boot/initrd.img-*)
  APPEND root=/dev/vda1 ro console=ttyS0 quiet mitigations=off
EXTLINUX
extlinux --install "$tree/boot/extlinux" >/dev/null 2>&1

# --- what Docker finds in its store at the first boot -----------------------------------------------------------------
if [ -n "$image$context" ]; then
    # The machine's own Docker fills its store, on this processor and not on an emulated one. It gets a network of its own:
    # in this one it would take the bridge away from a Docker that runs here.
    mount --rbind /sys "$tree/sys"
    mount --make-rslave "$tree/sys"
    mount --rbind /dev "$tree/dev"
    mount --make-rslave "$tree/dev"
    mount -t tmpfs tmpfs "$tree/run"
    mkdir -p "$tree/run/systemd/resolve"
    echo nameserver 10.0.2.3 | tee "$tree/run/systemd/resolve/resolv.conf" >"$tree/run/systemd/resolve/stub-resolv.conf"
    # shellcheck disable=SC2016  # expanded inside
    unshare --net sh -c 'until [ -e "$1/run/online" ]; do sleep 0.1; done; exec chroot "$1" dockerd' - "$tree" >engine.log 2>&1 &
    engine=$!
    slirp4netns --configure --mtu=1500 "$engine" tap0 >slirp.log 2>&1 &
    network=$!
    for _ in $(seq 100); do grep -q '^starting slirp' slirp.log && break; sleep 0.1; done
    touch "$tree/run/online"
    for _ in $(seq 300); do chroot "$tree" docker version >/dev/null 2>&1 && break; sleep 0.2; done
    [ -z "$image" ] || chroot "$tree" docker load --quiet <"$image"
    if [ -n "$context" ]; then
        mkdir "$tree/run/context"
        mount --bind "$context" "$tree/run/context"
        chroot "$tree" docker build --quiet --target closure /run/context
    fi
    kill "$engine"
    wait "$engine" || true
    kill "$network"
    wait "$network" || true
    engine= network=
fi

# What was deleted would stay in the disk's file.
fstrim "$tree"
umount --recursive "$tree"
losetup --detach "$loop"
loop=

# --- the box: the disk and two small files, in a tar ------------------------------------------------------------------
qemu-img convert -O qcow2 disk.raw box.img
echo "{\"provider\": \"libvirt\", \"format\": \"qcow2\", \"virtual_size\": ${size%G}}" >metadata.json
echo 'Vagrant.configure("2") { |config| config.vm.provider("libvirt") { |libvirt| libvirt.graphics_type = "none" } }' >Vagrantfile
mkdir -p "$(dirname "$box")"
tar --create --file="$box.part" metadata.json Vagrantfile box.img
mv "$box.part" "$box"
echo "$box"
