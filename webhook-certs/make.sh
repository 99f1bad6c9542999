#!/bin/sh
# Makes ca.crt, tls.crt and tls.key beside this file. Flags go on to `berth certs`: --dns a,b --ip 1.2.3.4
set -eu
cd "$(dirname "$0")/.."
exec node --import tsx src/main.ts certs --out webhook-certs "$@"
