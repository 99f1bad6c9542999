#!/bin/sh
# Makes ca.crt, tls.crt and tls.key beside this file. Flags go on to `berth certs`: --dns a,b --ip 1.2.3.4
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec node --import tsx "$here/../src/main.ts" certs --out "$here" "$@"
