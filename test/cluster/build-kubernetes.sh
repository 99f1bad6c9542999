#!/usr/bin/env bash
# Builds kube-apiserver, kube-controller-manager, kube-scheduler and kubelet out of Debian's source package
# `kubernetes` into the folder given as the only argument. Debian has no binary package of the servers, but its
# source package holds the complete tree with everything vendored, so nothing else has to be fetched.
#
# It may be run twice at once (the second waits) and be killed at any time: binaries appear in one rename at the end.
# The machine's own apt configuration is read, never changed.
set -euo pipefail

target=$1
version=1.20.2
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
started=$SECONDS
log="$target.build.log"

say() { printf '[%4ds] %s\n' $((SECONDS - started)) "$*" >&2; }
complete() { [ -x "$target/kubelet" ] && [ -x "$target/kube-apiserver" ]; }

mkdir -p "$(dirname "$target")"
exec 9>"$target.lock"
if ! flock --nonblock 9; then
  say 'another build is under way, waiting for it'
  flock 9
fi
complete && exit 0

# A build that was killed outright could not clean up after itself.
rm -rf "$target".build.??????
work=$(mktemp -d "$target.build.XXXXXX")
finish() {
  local code=$?
  chmod -R u+w "$work" 2>/dev/null || true
  rm -rf "$work"
  if [ $code -ne 0 ]; then
    echo "Building Kubernetes $version failed; the end of $log:" >&2
    tail -n 30 "$log" >&2 || true
  fi
}
trap finish EXIT
trap 'exit 130' INT TERM

free_mib=$(df --output=avail -BM "$work" | tail -n 1 | tr -dc 0-9)
if [ "$free_mib" -lt 8000 ]; then
  echo "Building Kubernetes needs 8 GB below $(dirname "$target"), there are $free_mib MiB" >"$log"
  exit 1
fi

say "Kubernetes $version is built once from Debian's source package; this takes some minutes"
: >"$log"
"$here/install.sh" ca-certificates dpkg-dev golang-1.19-go golang-github-modern-go-reflect2-dev make patch rsync 2>&1 | tee -a "$log" >&2

# Source entries are those of this machine, turned from binary to source, in an apt state of our own.
source_entries() {
  local file
  for file in /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] || continue
    sed -E 's/^Types:.*/Types: deb-src/' "$file" >"$work/apt/parts/$(basename "$file")"
  done
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$file" ] || continue
    sed -nE 's/^deb(-src)?[[:space:]]/deb-src /p' "$file" | sort -u >"$work/apt/parts/$(basename "$file" .list).list"
  done
}

fetch_source() {
  mkdir -p "$work/apt/parts" "$work/apt/lists/partial" "$work/source"
  source_entries
  cat >"$work/apt/apt.conf" <<CONF
Dir::Etc::sourcelist "/dev/null";
Dir::Etc::sourceparts "$work/apt/parts";
Dir::State::lists "$work/apt/lists";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
APT::Sandbox::User "root";
Acquire::Retries "3";
CONF
  export APT_CONFIG="$work/apt/apt.conf"
  apt-get -q update
  local found
  found=$(apt-cache showsrc kubernetes 2>/dev/null | sed -n "s/^Version: \(.*really$version-.*\)/\1/p" | sort -V | tail -n 1)
  if [ -z "$found" ]; then
    echo "This machine's Debian archive has no source package kubernetes $version (Debian 12 has)."
    echo 'Set KUBE_BIN_DIR to a folder with the four Kubernetes binaries, of any version from 1.20 to 1.36.'
    return 1
  fi
  (cd "$work/source" && apt-get -q source --download-only "kubernetes=$found")
  # Unpacking applies the patches of debian/patches/series.
  mkdir -p "$tree"
  rmdir "$tree"
  dpkg-source --no-check -x "$work"/source/kubernetes_*.dsc "$tree"
}

# go build -v names each package it compiles; one line per hundred shows that it is alive.
progress() {
  local count=0 line
  while IFS= read -r line; do
    printf '%s\n' "$line" >>"$log"
    count=$((count + 1))
    [ $((count % 200)) -eq 0 ] && say "  $count packages compiled"
  done
  return 0
}

export GOPATH="$work/go" GOCACHE="$work/go-cache" GOTMPDIR="$work" GOFLAGS=-trimpath
# GOPATH mode: the go.mod of this tree is older than the toolchain accepts with -mod=vendor.
export GO111MODULE=off CGO_ENABLED=0 PATH="/usr/lib/go-1.19/bin:$PATH"
tree="$GOPATH/src/k8s.io/kubernetes"

# The vendored reflect2 1.0.1 walks maps by a layout that Go 1.18 has changed: programs built from it read freed
# memory and crash under load. Debian packages the repaired 1.0.2.
mend_reflect2() {
  local vendored=$tree/vendor/github.com/modern-go/reflect2
  rm "$vendored"/*.go "$vendored"/*.s
  cp -L /usr/share/gocode/src/github.com/modern-go/reflect2/*.go /usr/share/gocode/src/github.com/modern-go/reflect2/*.s "$vendored/"
}

build() {
  # In GOPATH mode the linker knows these variables by their vendored path only.
  local variables=k8s.io/kubernetes/vendor/k8s.io/component-base/version
  go build -v -o "$work/bin/" \
    -ldflags "-s -w -X $variables.gitVersion=v$version -X $variables.gitMajor=1 -X $variables.gitMinor=20" \
    ./cmd/kube-apiserver ./cmd/kube-controller-manager ./cmd/kube-scheduler ./cmd/kubelet
}

say 'fetching and unpacking the source package'
fetch_source >>"$log" 2>&1
cd "$tree"
mend_reflect2
say 'generating code (about a minute)'
make generated_files >>"$log" 2>&1
say 'compiling four programs (two to five minutes on two cores)'
mkdir -p "$work/bin"
build 2>&1 | progress
"$work/bin/kube-apiserver" --version | tee -a "$log" >&2

rm -rf "$target"
mv "$work/bin" "$target"
say "done: $target"
