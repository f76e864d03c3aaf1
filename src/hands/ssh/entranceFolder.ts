/** The folder at a host in which a hand's socket is: this user's alone, with a note of the connection that forwards it. */

/**
 * Shell text; $1 is the hand's name there. Prints the folder, or nothing. What was left of the socket is removed: sshd does not
 * remove that of a connection that was lost, and takes no name that is taken.
 */
export const PREPARE = `umask 077
own() { [ -d "$1" ] && [ -O "$1" ] && [ ! -L "$1" ]; }
for d in "\${HOME:-/nowhere}/.many-hands" "\${TMPDIR:-/tmp}/many-hands-$(id -u)"; do
  mkdir -p -m 700 -- "$d" 2>/dev/null
  own "$d" || continue
  d=$d/entrance-$1
  mkdir -m 700 -- "$d" 2>/dev/null
  own "$d" && chmod 700 "$d" && rm -f -- "$d/proxy" || continue
  [ -s "$d/connection" ] && mv -f -- "$d/connection" "$d/before"
  s=
  { read -r s <"/proc/$PPID/stat"; } 2>/dev/null
  echo "$PPID $s" >"$d/connection"
  printf '%s\\n' "$d"
  exit
done`;

/**
 * Shell text; $1 is that folder. Ends the sshd of the connection before, which may wait for hours for a computer that is gone,
 * and waits until it has let go of its port. A process is it only if it began when that one did.
 */
export const RECLAIM = `cd -- "$1" || exit
began() { p=$1; s=\${2##*) }; set -- $s; b=\${20:-}; }
read -r pid was <before || exit
now=
{ read -r now <"/proc/$pid/stat"; } 2>/dev/null
began "$pid" "$was"; x=$b
began "$pid" "$now"
[ -n "$b" ] && [ "$b" = "$x" ] && [ "$pid" != "$PPID" ] || exit
case $now in "$pid (sshd"*) ;; *) exit ;; esac
kill "$pid" 2>/dev/null || exit
for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 "$pid" 2>/dev/null || exit; sleep 0.1 2>/dev/null || sleep 1; done`;
