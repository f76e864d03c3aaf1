/**
 * The first program in a sandbox: shell text that opens a shell for each line that comes through the door, and ends, with the
 * sandbox, when nobody holds it and nothing runs in it any more.
 *
 * In the door's folder: `door`, a pipe of requests; for each opening `N.i`, `N.o`, `N.e`, the pipes that are the shell's streams,
 * and `N.v`, its environment as shell text; `entrance`, the socket that leads to the vault.
 *
 * Lines: `open N port|-` · `left` (a shell has ended) · `look` (may it end?) · `end`.
 */
import { INSIDE } from "./confinementMounts.ts";
import { limits } from "../../core/limits.ts";

/** Its argument is the shell to open. */
export const sandboxServer = `
cd ${INSIDE} || exit 1
exec 3<>door || exit 1
held=0 timer= relays=
echo ready
exec </dev/null >/dev/null 2>&1

# port: leads it to the entrance, from the sandbox's own loopback. Connections that are not taken at once wait.
relay() {
  for each in $relays; do
    case $each in "$1":*) if kill -0 "\${each#*:}"; then return; fi ;; esac
  done
  socat -b 65536 "TCP4-LISTEN:$1,bind=127.0.0.1,fork,reuseaddr,backlog=1024" UNIX-CONNECT:${INSIDE}/entrance 3>&- &
  relays="$relays $1:$!"
  tries=0
  until grep -qi "0100007F:$(printf %04X "$1") 00000000:0000 0A" /proc/net/tcp || [ "$tries" -ge 100 ]; do
    tries=$((tries + 1))
    sleep 0.01
  done
}

# Whether anything lives here but the sandbox's own: its first process, this one, relays, the timer and what it waits by.
busy() {
  for each in /proc/[0-9]*; do
    pid=\${each#/proc/}
    stat=
    read -r stat <"$each/stat" || continue
    set -- \${stat##*) }
    case $1 in Z|X) continue ;; esac
    case " 1 $$ $timer " in *" $pid "*) continue ;; esac
    if [ -n "$timer" ] && [ "$2" = "$timer" ]; then continue; fi
    case "$relays " in *":$pid "*) continue ;; esac
    return 0
  done
  return 1
}

# The first process ends when all others have.
leave() { kill -KILL -1; exit 0; }

look() {
  [ "$held" -le 0 ] || return
  busy || leave
  if [ -z "$timer" ]; then
    { sleep ${limits.confinedIdleMs / 1_000}; echo look >&3; } &
    timer=$!
  fi
}

while read -r word name port <&3; do
  case $word in
    open)
      held=$((held + 1))
      if [ "$port" != - ]; then relay "$port"; fi
      {
        (
          exec <"$name.i" >"$name.o" 2>"$name.e" 3>&-
          . ./"$name.v"
          # It is open; from here on these are the shell's own words.
          echo >&2
          exec "$1"
        )
        echo left >&3
      } &
      ;;
    left) held=$((held - 1)); look ;;
    look) timer=; look ;;
    end) leave ;;
  esac
done
`;
