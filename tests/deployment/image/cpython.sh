#!/bin/sh
# Runs inside the chroot that base.sh makes: compiles CPython from Debian's pristine source tarball with the configure line
# of docker-library/python, installs it under /usr/local and leaves the slim remainder, as the official image does.
#
# Differs from the official build where that only costs time: no profile-guided optimisation and no LTO (an hour on two
# cores), so this Python is slower than the real one. Debian's patches stay out: they would move site-packages.
set -eu

source=$1
export DEBIAN_FRONTEND=noninteractive
manual=$(apt-mark showmanual)

sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >/etc/apt/sources.list.d/source.list
apt-get update -q
if [ -z "$(apt-cache showsrc "$source")" ]; then # newer than this Debian: from the next one, whose lists may be past their date
    sed -i 's/trixie/testing/' /etc/apt/sources.list.d/source.list
    apt-get update -q -o Acquire::Check-Valid-Until=false
fi
apt-get install -qy --no-install-recommends gcc libbluetooth-dev libbz2-dev libc6-dev libdb-dev libffi-dev libgdbm-dev \
    liblzma-dev libncursesw5-dev libreadline-dev libsqlite3-dev libssl-dev make tk-dev uuid-dev xz-utils zlib1g-dev

mkdir -p /usr/src/python
cd /usr/src
apt-get source -q --download-only "$source"
tar -xf "$source"_*.orig.tar.xz -C python --strip-components=1
cd python
./configure --quiet --build="$(dpkg-architecture --query DEB_BUILD_GNU_TYPE)" --enable-loadable-sqlite-extensions \
    --enable-option-checking=fatal --enable-shared --with-ensurepip
flags=$(dpkg-buildflags --get LDFLAGS),--strip-all
nice -n 10 make -s -j "$(nproc)" EXTRA_CFLAGS="$(dpkg-buildflags --get CFLAGS)" LDFLAGS="$flags"
# The interpreter is linked once more, with an rpath: it must find its own libpython, never one that the system has.
rm python
make -s EXTRA_CFLAGS="$(dpkg-buildflags --get CFLAGS)" LDFLAGS="$flags,-rpath='\$\$ORIGIN/../lib'" python
make -s install >/dev/null
cd /
rm -rf /usr/src/python /usr/src/"$source"_* /etc/apt/sources.list.d/source.list
find /usr/local -depth \( -type d \( -name test -o -name tests -o -name idle_test \) -o -type f \( -name '*.pyc' -o -name 'libpython*.a' \) \) \
    -exec rm -rf {} +
ldconfig
for name in idle pip pydoc python; do ln -sf "${name}3" "/usr/local/bin/$name"; done

# Of the development packages only the libraries that the modules link to stay. Tk's do not, nor in the official image:
# its _tkinter is there, and broken.
apt-mark auto '.*' >/dev/null
# shellcheck disable=SC2086
apt-mark manual $manual >/dev/null
find /usr/local -type f -executable -not -name '*tkinter*' -exec ldd {} ';' 2>/dev/null |
    awk '/=>/ { so = $(NF-1); if (index(so, "/usr/local/") == 1) next; sub("^/(usr/)?", "", so); print "*" so }' |
    sort -u | xargs dpkg-query --search | awk 'sub(":$", "", $1) { print $1 }' | sort -u | xargs apt-mark manual
apt-get purge -qy --auto-remove -o APT::AutoRemove::RecommendsImportant=false
apt-get purge -qy --auto-remove dpkg-dev
apt-get clean
python3 --version
