import { describeGrowing } from '../support/growing-filesystems.ts';

describeGrowing(['ext4', 'xfs', 'btrfs']);
