# Goes on where `init` ends, in the host's root: makes of it a machine that tests can run on, runs `command`, and
# leaves its exit status beside it. Whatever happens, the guest goes off.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root TERM=dumb LC_ALL=C.UTF-8
exchange=/run/exchange

off() {
  sync
  busybox poweroff -f
}
trap off EXIT

mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs tmpfs /var/tmp
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mkdir -p /run/lock/lvm /run/lvm
hostname guest
ip link set lo up

# There is no udev here, so what drives disks is loaded by name, and nobody may wait for it.
export DM_DISABLE_UDEV=1
modprobe -a virtio_scsi sd_mod virtio_blk nvme ahci virtio_console loop || exit
printf '%s\n' 'activation {' '  udev_sync = 0' '  udev_rules = 0' '}' >/etc/lvm/lvmlocal.conf
for serial in $(<"$exchange/disks"); do
  for ((look = 0; look < 200; look++)); do
    grep -qs "$serial" /sys/block/*/device/vpd_pg80 /sys/block/*/serial /sys/block/*/device/serial && continue 2
    sleep 0.05
  done
  echo "guest: the disk $serial has not come up"
  exit
done

stty -opost <>/dev/ttyS0
bash "$exchange/command" </dev/null >/dev/ttyS0 2>&1
echo $? >"$exchange/status"
