import { describeMaking } from '../support/making-filesystems.ts';

// The kernel of the machine; that of the guest has xfs wherever it does not.
describeMaking(['ext4', 'xfs', 'btrfs']);
