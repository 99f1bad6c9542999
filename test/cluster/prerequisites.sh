#!/usr/bin/env bash
# Installs what the local cluster needs beyond Node.js: by default for the control plane, with `nodes` as an
# argument also for real kubelets and the disks under them. With `guest` it is what the virtual machine of test/guest
# needs, and what tests run in it. A machine that has it all is not touched.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ "${1:-}" = guest ]; then
  exec "$here/install.sh" qemu-system-x86 busybox-static cpio kmod util-linux mount fdisk iproute2 lvm2 \
    thin-provisioning-tools dmsetup smartmontools cryptsetup-bin e2fsprogs xfsprogs btrfs-progs quota
fi
# openssl signs the certificates, util-linux and procps hold the tools of the tear-down.
packages=(etcd-server openssl util-linux fdisk iproute2 ca-certificates)
if [ "${1:-}" = nodes ]; then
  packages+=(containerd runc containernetworking-plugins busybox-static iptables conntrack socat ethtool
    mount e2fsprogs xfsprogs btrfs-progs attr)
fi
# The cluster works with any kubectl; Debian's is the last resort.
if ! command -v kubectl >/dev/null && [ ! -x "${KUBE_BIN_DIR:-/nonexistent}/kubectl" ]; then
  packages+=(kubernetes-client)
fi
if [ -x "${KUBE_BIN_DIR:-/nonexistent}/etcd" ] || command -v etcd >/dev/null; then
  packages=("${packages[@]/etcd-server/}")
fi
# shellcheck disable=SC2068 # drops the empty word left by the line above
exec "$here/install.sh" ${packages[@]}
