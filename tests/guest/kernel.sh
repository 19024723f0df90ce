#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The kernel that the guest tests boot: fetches Debian's cloud kernel (on Ubuntu: its virtual one) as a package and unpacks
# it below FOLDER, as vmlinuz and modules/ (in the order in which they are to be loaded). Nothing is installed on this
# machine. Does nothing where it is there already. Exit status 1, and the reason, where it cannot be had; the tests then say
# that they are skipped, and why.
set -eu
PATH=$PATH:/usr/sbin:/sbin

folder=${1:?usage: tests/guest/kernel.sh FOLDER}
# what the guest loads; the rest of a kernel is not kept
wanted="virtio_pci virtio_blk virtio_console nvme nvmet-tcp nvme-tcp"

fail() {
	echo "no kernel for the guest tests: $*" >&2
	exit 1
}

[ ! -e "$folder/vmlinuz" ] || exit 0
[ "$(uname -m)" = x86_64 ] || fail "they are for x86-64, and this is $(uname -m)"
for tool in apt-get apt-cache dpkg-deb depmod modprobe; do
	command -v "$tool" >/dev/null || fail "there is no $tool here"
done

# the package that a metapackage stands for
real_package() {
	apt-cache depends "$1" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1
}

# sets packages and version; false where apt knows none
choose_packages() {
	image=$(real_package linux-image-cloud-amd64)
	[ -n "$image" ] || image=$(real_package linux-image-virtual)
	[ -n "$image" ] || return 1
	version=${image#linux-image-}
	packages=$image
	# Ubuntu's modules are packages of their own
	for more in "linux-modules-$version" "linux-modules-extra-$version"; do
		if apt-cache show "$more" >/dev/null 2>&1; then
			packages="$packages $more"
		fi
	done
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
download() {
	choose_packages || return 1
	echo "fetching the kernel for the guest tests into $folder, not installing it: $packages"
	# shellcheck disable=SC2086 # a list of names
	(cd "$work" && apt-get download $packages >log 2>&1)
}
# apt's lists may be absent, or older than what the mirror still has
if ! download; then
	[ "$(id -u)" != 0 ] || apt-get update >"$work/log" 2>&1 || true
	download || fail "apt-get cannot download ${packages:-linux-image-cloud-amd64 or linux-image-virtual}: $(tail -n 3 "$work/log" 2>/dev/null)"
fi
for package in "$work"/*.deb; do
	dpkg-deb -x "$package" "$work/root"
done
[ -d "$work/root/lib/modules/$version" ] || fail "$packages holds no modules of $version"
depmod -b "$work/root" "$version"

mkdir -p "$work/modules"
number=100
for name in $wanted; do
	# "builtin …" for what the kernel has in itself
	for file in $(modprobe -d "$work/root" -S "$version" --show-depends "$name" | sed -n 's/^insmod \([^ ]*\).*/\1/p'); do
		base=$(basename "$file")
		[ -z "$(find "$work/modules" -name "*-${base%%.ko*}.ko")" ] || continue
		case $base in
		*.ko.xz) xz -dc "$file" >"$work/modules/$number-${base%.xz}" ;;
		*.ko.zst) zstd -dcq "$file" >"$work/modules/$number-${base%.zst}" ;;
		*) cp "$file" "$work/modules/$number-$base" ;;
		esac
		number=$((number + 1))
	done
done
mkdir -p "$folder"
rm -rf "$folder/modules"
mv "$work/modules" "$folder/modules"
# last: with it the kernel is whole
cp "$work/root/boot/vmlinuz-$version" "$folder/vmlinuz.new"
mv "$folder/vmlinuz.new" "$folder/vmlinuz"
