#!/usr/bin/env bash
# Puts what a guest is booted from into the folder given as the only argument: the kernel `vmlinuz`, its modules
# below `modules`, and `initramfs`, which holds `init` and the modules that it needs to reach the host's root.
# The kernel is the newest of this machine's Debian archive; a later run keeps the one that is there.
#
# It may be run twice at once (the second waits) and be killed at any time: the folder appears in one rename at the end.
set -euo pipefail

target=$1
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
complete() { [ -e "$target/initramfs" ]; }

# Of 400 MB of modules, those folders that have to do with disks and filesystems, or that these need.
folders=(arch block crypto lib mm fs net/9p drivers/ata drivers/block drivers/char drivers/dax drivers/md drivers/nvme
  drivers/scsi drivers/virtio)
# What stands between the kernel alone and the host's root.
boot_modules=(virtio_pci 9pnet_virtio 9p overlay)

mkdir -p "$(dirname "$target")"
exec 9>"$target.lock"
if ! flock --nonblock 9; then
  echo 'the guest is being built by somebody else, waiting for it' >&2
  flock 9
fi
complete && exit 0

# A build that was killed outright could not clean up after itself.
rm -rf "$target".build.??????
work=$(mktemp -d "$target.build.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

newest_kernel() {
  apt-cache depends linux-image-amd64 2>/dev/null |
    sed -n 's/^ *Depends: \(linux-image-[0-9.]*-[0-9]*-amd64\)$/\1/p' | sort -V | tail -n 1
}

# `apt-get download` as root wants a folder that its user _apt can write to; without one it only says so.
fetch() { (cd "$work" && apt-get -q -o APT::Sandbox::User=root -o Acquire::Retries=3 download "$1" >&2); }

echo 'the kernel of the guest is fetched and unpacked once' >&2
if ! { kernel=$(newest_kernel) && [ -n "$kernel" ] && fetch "$kernel"; }; then
  # The list of packages may be missing, or older than the archive.
  apt-get -q -o DPkg::Lock::Timeout=300 update >&2
  kernel=$(newest_kernel)
  [ -n "$kernel" ] || { echo "this machine's archive has no package linux-image-amd64" >&2; exit 1; }
  fetch "$kernel"
fi
dpkg -x "$work"/linux-image-*.deb "$work/kernel"
version=$(basename "$work"/kernel/lib/modules/*)

modules=$work/guest/modules/$version
mkdir -p "$modules/kernel"
cp "$work"/kernel/lib/modules/"$version"/modules.* "$modules/"
for folder in "${folders[@]}"; do
  mkdir -p "$modules/kernel/$folder"
  cp -a "$work/kernel/lib/modules/$version/kernel/$folder/." "$modules/kernel/$folder/"
done
mkdir -p "$work/root/lib"
mv "$work/guest/modules" "$work/root/lib/modules"
depmod -b "$work/root" "$version"
mv "$work/root/lib/modules" "$work/guest/modules"

# The same layout in small; busybox's modprobe reads the same modules.dep.
initramfs=$work/initramfs
mkdir -p "$initramfs"/{bin,dev,proc,sys,lower,upper,root,lib/modules/"$version"}
mkdir -p "$work/lib"
ln -s "$work/guest/modules" "$work/lib/modules"
for module in "${boot_modules[@]}"; do
  modprobe --dirname "$work" --set-version "$version" --show-depends "$module" | sed -n 's/^insmod \([^ ]*\).*/\1/p'
done | sort -u | while read -r file; do
  relative=kernel/${file#*"/$version/kernel/"}
  mkdir -p "$(dirname "$initramfs/lib/modules/$version/$relative")"
  cp "$file" "$initramfs/lib/modules/$version/$relative"
done
cp "$work/guest/modules/$version"/modules.{builtin,builtin.modinfo,order} "$initramfs/lib/modules/$version/"
depmod -b "$initramfs" "$version"
cp "$(command -v busybox)" "$initramfs/bin/busybox"
install -m 755 "$here/init" "$initramfs/init"
(cd "$initramfs" && find . -print0 | cpio --null --quiet -o -H newc -R 0:0) | gzip -1 >"$work/guest/initramfs"
cp "$work/kernel/boot/vmlinuz-$version" "$work/guest/vmlinuz"

rm -rf "$target"
mv "$work/guest" "$target"
echo "kernel $version for the guest: $target" >&2
