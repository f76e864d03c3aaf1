/**
 * The part of the supervisor that starts calls: leaders, which become the process groups of calls, and their waiters.
 *
 * A leader is started ahead, while nobody waits for it: it reads its call from a FIFO. So a call costs no fork and no
 * start of a shell. The supervisor alone holds the FIFO open for writing: it ends, and the leader reads the end of its
 * input and leaves, whatever became of the supervisor. There is one such leader for each supervisor, for as long as that
 * lives: two sleeping shells are a few hundred kilobytes of their own, and a session that was idle for an hour should
 * answer as quickly as before. Where a leader is missing (calls at once, no mkfifo), one is started for the call.
 *
 * A leader that died before it was given a call has its waiter take the call from the FIFO, and start another leader.
 */

/** Sets mh_t to the start time of process $1, or to the empty string where there is none or it is a zombie. */
export const startTime = `
mh_start() {
  mh_t=
  { read -r mh_t <"/proc/$1/stat"; } 2>/dev/null || { mh_t=$(ps -o lstart= -p "$1" 2>/dev/null | tr -d ' '); return; }
  mh_t=\${mh_t##*) }
  set -- $mh_t
  mh_t=\${20}
  case $1 in Z|X) mh_t= ;; esac
}
`;

/**
 * What becomes the process group of a call. Arguments: id, kind (b: bash tool, s: script), state or -. Without them, these
 * words come as a line from stream 6, with an end mark.
 *
 * The claim is text of shell that sets __mh_c. Where a command came to its end by itself, bash leaves its status and what
 * it printed, if that is short and plain, for the waiter, which would need a fork to look at it. `exit`, a trap of the
 * command's own and signals are left to the waiter.
 */
export const leader = String.raw`
${startTime}
mh_start $$
__mh_g="$$ $mh_t $MH_B ." __mh_d=$MH_D __mh_u=$MH_U __mh_j=$MH_J __mh_n=$MH_L __mh_v=$MH_V __mh_i= __mh_x=
unset -f mh_start
unset mh_t MH_J MH_D MH_B MH_U MH_L MH_V MH_LEAD
__mh_left() {
  umask 077
  if [ "$__mh_k" = b ]; then { export -p && echo ':'; } >"$__mh_i.e"; fi
  if [ -z "$__mh_x" ] || [ -z "\${BASH_VERSION-}" ]; then return; fi
  LC_ALL=C IFS= __mh_t=
  if builtin read -r -d '' -n "$((__mh_n + 1))" __mh_t; then return; fi <"$__mh_i.o"
  __mh_t=\${__mh_t//\\/\\\\}
  __mh_t=\${__mh_t//$'\n'/\\n}
  __mh_t=\${__mh_t//$'\t'/\\t}
  case $__mh_t in *[!\ -~]*) return ;; esac
  builtin printf '%s .\n=%s\n' "$__mh_x" "$__mh_t" >"$__mh_i.s"
} 2>/dev/null
trap '[ -z "$__mh_i" ] || __mh_left' EXIT
if [ $# = 0 ]; then
  read -r __mh_m __mh_k __mh_s __mh_x <&6 && [ "$__mh_x" = . ] || exit 1
  exec 6<&-
  set -- "$__mh_m" "$__mh_k" "$__mh_s"
  __mh_x=
  [ -z "\${BASH_VERSION-}" ] || SECONDS=0
fi
set -C
{ printf '%s\n' "$__mh_g" >"$1.g"; } 2>/dev/null || exit 125
set +C
exec >"$1.o" 2>&1
__mh_k=$2 __mh_s=$__mh_j/$3.e
. "$__mh_j/$1.c"
if [ "$__mh_k" = b ] && [ -s "$__mh_s" ]; then . "$__mh_s"; __mh_d=$PWD; fi
eval "$__mh_v"
unset __mh_v
__mh_i=$__mh_j/$1
umask "$__mh_u"
set --
cd -- "$__mh_d" || exit 1
eval "$__mh_c"
{ __mh_x=$?; set +x; } 2>/dev/null
exit "$__mh_x"
`.replaceAll(String.raw`\$`, "$");

export const leaders = `
# Runs a leader to its end and sets mh_x to how that was. First the shell, the rest as the leader wants it.
mh_lead() {
  mh_sh=$1
  shift
  export MH_J MH_D MH_B MH_U MH_L MH_V
  if [ -n "$MH_SETSID" ]; then setsid $MH_DEF $mh_sh -c "$MH_LEAD" many-hands "$@" 8>&-
  else
    set -m
    $mh_sh -c "$MH_LEAD" many-hands "$@" 8>&- &
    wait $!
  fi
  mh_x=$?
}

# id kind state: a call with a leader of its own.
mh_wait() {
  if [ "$2" = b ]; then mh_lead "$MH_SH" "$@"; else mh_lead sh "$@"; fi
  mh_ended "$1"
}

# id: records how its leader ended, unless it did so itself, and says so. What was voided has not run.
mh_ended() {
  mh_h=-
  if [ -s "$1.s" ]; then { IFS= read -r mh_x && IFS= read -r mh_h; } <"$1.s"; mh_x=\${mh_x% .}
  else
    mh_g=
    { read -r mh_g <"$1.g"; } 2>/dev/null
    case $mh_g in void) return ;; '') [ "$mh_x" != 125 ] || return ;; esac
    printf '%s .\\n' "$mh_x" >"$1.s"
    if [ "$MH_L" -gt 0 ]; then
      if [ -s "$1.o" ]; then mh_h=$(od -An -v -tx1 -N "$((MH_L + 1))" "$1.o"); else mh_h=; fi
    fi
    mh_i=$1
    set -- $mh_h
    mh_h=$*
    set -- "$mh_i"
  fi
  printf '\\n%s E %s %s %s\\n' "$MH_N" "$1" "$mh_x" "$mh_h" >&8
}

# Runs beside the supervisor, with a leader that waits. Stream 6 is its FIFO: the call comes twice, and the leader took the
# first line, or a part of it, if it lived. Whoever makes id.g runs it.
mh_wait_ahead() {
  mh_lead "$MH_SH"
  mh_i=
  while read -r mh_a mh_b mh_c mh_d; do [ "$mh_d" != . ] || mh_i=$mh_a mh_k=$mh_b mh_s=$mh_c; done <&6
  exec 6<&-
  if [ -z "$mh_i" ]; then :
  elif [ -e "$mh_i.g" ]; then mh_ended "$mh_i"
  else mh_wait "$mh_i" "$mh_k" "$mh_s"
  fi
}

# seq, or - where nobody asked: starts a leader ahead, if there is none. Its FIFO has a name only until both ends are open:
# whoever reads all that is in a folder, the journal among it, would wait at it for ever.
mh_ahead() {
  if [ -z "$MH_W" ]; then
    MH_W=-
    MH_WN=$((MH_WN + 1))
    mh_w=w-$$-$MH_WN
    if mkfifo "$mh_w" 2>/dev/null && command exec 7<>"$mh_w"; then
      # Not as redirections of a function: some shells keep what these close, to open it again.
      { exec 6<"$mh_w" </dev/null >/dev/null 7>&- 9>&-; rm -f "$mh_w"; mh_wait_ahead; } &
      MH_W=7
    else rm -f "$mh_w"
    fi
  fi
  [ "$1" = - ] || mh_reply "$1 ok"
} 2>/dev/null

# FIFOs of supervisors that are no more.
mh_sweep() {
  mh_x=
  for mh_w in w-*; do
    mh_i=\${mh_w#w-}
    mh_i=\${mh_i%%-*}
    [ "$mh_i" != $$ ] && kill -0 "$mh_i" || mh_x="$mh_x $mh_w"
  done
  [ "$mh_x" = ' w-*' ] || rm -f $mh_x
} 2>/dev/null

mh_no_leader() {
  [ "$MH_W" != 7 ] || exec 7>&-
  MH_W=-
}

# id kind: gives a call to the leader that waits for one, or starts it with one of its own.
mh_start_call() {
  if [ "$MH_W" = 7 ]; then
    printf '%s %s %s .\\n' "$1" "$2" "$MH_S" "$1" "$2" "$MH_S" >&7
    exec 7>&-
    MH_W=
  else { exec </dev/null >/dev/null 2>&1 9>&-; mh_wait "$1" "$2" "$MH_S"; } &
  fi
}
`;
