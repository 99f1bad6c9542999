# One image for all roles: `berth control`, `berth webhook`, `berth node` ...

FROM node:20-bookworm-slim AS build
WORKDIR /opt/berth
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json bundle.config.js ./
COPY src src
RUN npm run build

FROM node:20-bookworm-slim
LABEL org.opencontainers.image.title="Berth" \
      org.opencontainers.image.description="Local disks on demand for Kubernetes" \
      org.opencontainers.image.licenses="Apache-2.0"
# What the agent runs: losetup, lsblk, blkid, wipefs, blkdiscard, fallocate, addpart and delpart (util-linux), sfdisk
# (fdisk), LVM with the checks that it runs on thin pools, cryptsetup, smartctl, and what makes filesystems and lets them grow.
RUN apt-get update \
  && apt-get install --yes --no-install-recommends \
       util-linux fdisk mount lvm2 thin-provisioning-tools cryptsetup-bin smartmontools \
       e2fsprogs xfsprogs btrfs-progs \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/berth
COPY --from=build /opt/berth/dist dist
COPY package.json LICENSE ./
RUN ln -s /opt/berth/dist/berth.js /usr/local/bin/berth
ENV NODE_ENV=production
# The agent alone must be root, and its DaemonSet says so. The kubelet can only check a number.
USER 65532:65532
# Berth handles SIGTERM and leaves no processes behind it, so it needs no init of its own.
ENTRYPOINT ["node", "/opt/berth/dist/berth.js"]
CMD ["--help"]
