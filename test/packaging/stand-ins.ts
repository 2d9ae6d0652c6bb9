/** What a machine in a chroot cannot have, done by a few lines of shell: systemd, and an authority for certificates. */

/**
 * Does with a unit what systemd does, as far as the commands of an operator go: its command, as its user, until it
 * is stopped. Nothing of the confinement; `systemd-analyze` looks at that.
 */
export const systemctl = `#!/bin/sh
set -eu
while [ "\${1#-}" != "$1" ]; do shift; done
verb=$1; shift
for unit; do :; done
unit=\${unit:-none}; unit=\${unit%.service}
file=/usr/lib/systemd/system/$unit.service
value() { sed -n "s/^$1=//p" "$file" | tail -n 1; }
running() {
  pid=$(cat "$pidfile" 2>/dev/null) && readlink "/proc/$pid/exe" >/dev/null
}
start() {
  running && return
  if [ "$(value Type)" = forking ]; then eval "$(value ExecStart)"; return; fi
  setsid setpriv --reuid="$(value User)" --regid="$(value Group)" --init-groups sh -c '
    echo $$ >"$0"; umask "$1"; cd "$2"; exec env HOME=/nonexistent $3
  ' "$pidfile" "$(value UMask)" "$(value WorkingDirectory)" "$(value ExecStart)" \\
    </dev/null >/dev/null 2>>"/var/log/$unit.log" &
}
stop() {
  running || return 0
  kill -TERM "$pid"
  while running; do sleep 0.05; done
}
if [ "$verb" = daemon-reload ]; then exit 0; fi
if [ ! -f "$file" ]; then echo "Unit $unit.service not found." >&2; exit 5; fi
pidfile=$(value PIDFile); : "\${pidfile:=/run/$unit.unit.pid}"
touch "$pidfile"; chmod 666 "$pidfile"
case $verb in
  enable | start) start ;;
  disable | stop) stop ;;
  restart) stop; start ;;
  try-restart) if running; then stop; start; fi ;;
  reload) running || { echo "$unit.service is not active, cannot reload." >&2; exit 1; }; kill -HUP "$pid" ;;
  *) echo "$verb?" >&2; exit 1 ;;
esac
`;

/** Puts a certificate where certbot would, of an authority that the machine is told to trust. */
export const certbot = `#!/bin/sh
set -eu
while [ $# -gt 0 ]; do
  case $1 in
    -d) name=$2; shift 2 ;;
    -w) test -d "$2"; shift 2 ;;
    --deploy-hook) hook=$2; shift 2 ;;
    certonly | --webroot) shift ;;
    *) echo "certbot: $1?" >&2; exit 2 ;;
  esac
done
live=/etc/letsencrypt/live/$name
mkdir -p "$live"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj "/CN=$name" \\
  -addext "subjectAltName=DNS:$name" -keyout "$live/privkey.pem" -out "$live/fullchain.pem" 2>/dev/null
cp "$live/fullchain.pem" /usr/local/share/ca-certificates/test.crt
update-ca-certificates >/dev/null
sh -c "$hook"
`;
