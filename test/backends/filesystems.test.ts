import { describeGrowing } from '../support/growing-filesystems.ts';

// To let an ext4 grow that is mounted needs CAP_SYS_RESOURCE, which root has not got on every host: it
// is tried in a guest.
describeGrowing(['xfs', 'btrfs']);
