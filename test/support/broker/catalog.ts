/** A catalog with a plan for each thing that decides about an answer. */
export const catalogText = `
services:
  - id: disks-id
    name: disks
    description: Local disks
    tags: [storage]
    metadata: {displayName: Disks}
    plans:
      - id: small-id
        name: small
        description: One to ten gibibytes
        storageClass: fast
        size: {least: 1Gi, most: 10Gi, usual: 2Gi}
        count: {least: 1, most: 3}
        cpu: 500m
        maintenance: {version: 1.0.0, description: The first}
        maximumPollingDuration: 20m
      - id: large-id
        name: large
        description: Ten to a hundred gibibytes
        free: false
        storageClass: fast
        size: {least: 10Gi, most: 100Gi}
        count: {least: 1, most: 3}
        cpu: 2
        memory: 4Gi
      - id: tiny-id
        name: tiny
        description: Less than small
        storageClass: fast
        size: 512Mi
        count: {least: 1, most: 3}
      - id: slow-id
        name: slow
        description: Of another class
        storageClass: slow
        size: {least: 1Gi, most: 10Gi}
        count: {least: 1, most: 3}
      - id: locked-id
        name: locked
        description: Stays what it is
        storageClass: fast
        size: 5Gi
        updatableTo: []
      - id: quota-id
        name: quota
        description: Two for each namespace
        storageClass: fast
        size: 1Gi
        quota: 2
      - id: waiting-id
        name: waiting
        description: Goes when nobody uses it any more
        storageClass: fast
        size: 1Gi
        inUse: wait
  - id: blocks-id
    name: blocks
    description: Raw devices
    plans:
      - id: raw-id
        name: raw
        description: A device without a filesystem
        storageClass: fast
        volumeMode: Block
        size: 1Gi
`;
