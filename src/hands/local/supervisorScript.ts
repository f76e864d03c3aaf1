/**
 * The supervisor: shell text that makes a plain `sh` run calls and remember them in a journal folder.
 *
 * There is no loop that reads: each request is a line `mh_name seq 'word' …` that the shell parses from its standard
 * input, so every byte but NUL gets through by single quotes. Answers go to stdout, written by this one shell; notices
 * of calls that ended go to stderr as short lines with a nonce. Each fork costs about a millisecond, so they are few.
 *
 * Files of a call: `id.c` the claim (made with O_EXCL: an id runs once, for ever), `id.r` the right to start it (O_EXCL
 * too: leader or voider, never both), `id.g` group, start time and boot id, `id.o` output, `id.s` exit status with an
 * end mark, `id.e` environment and directory at its end, `id.n` and `id.p` new and old content of a file.
 */

/** Words for a shell: every byte but NUL survives single quotes. Throws on NUL. */
export function quote(value: string): string {
  if (value.includes("\0")) throw new RangeError("a word of shell cannot hold a NUL character");
  return `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

export interface SupervisorOptions {
  readonly nonce: string;
  readonly journal: string;
  readonly startDirectory: string;
}

/** Sets mh_t to the start time of process $1, or to the empty string where there is none or it is a zombie. */
const startTime = `
mh_start() {
  mh_t=
  { read -r mh_t <"/proc/$1/stat"; } 2>/dev/null || { mh_t=$(ps -o lstart= -p "$1" 2>/dev/null | tr -d ' '); return; }
  mh_t=\${mh_t##*) }
  set -- $mh_t
  mh_t=\${20}
  case $1 in Z|X) mh_t= ;; esac
}
`;

/** What becomes the process group of a call. Arguments: id, kind (b: bash tool, s: script), command, state or -. */
const leader = `
set -C
{ : >"$1.r"; } 2>/dev/null || exit 125
set +C
${startTime}
mh_start $$
printf '%s %s %s .\\n' "$$" "$mh_t" "$MH_B" >"$1.g" || exit 125
unset -f mh_start
unset mh_t
__mh_c=$3 __mh_e=$MH_J/$1.e __mh_s=$MH_J/$4.e __mh_u=$MH_U __mh_k=$2 __mh_d=$MH_D
unset MH_J MH_D MH_B MH_U MH_LEAD
if [ "$__mh_k" = b ]; then
  if [ -s "$__mh_s" ]; then . "$__mh_s"; __mh_d=$PWD; fi
  __mh_save() {
    umask 077
    { export -p && echo ':'; } >"$__mh_e"
  } 2>/dev/null
  trap __mh_save EXIT
fi
umask "$__mh_u"
set --
cd -- "$__mh_d" || exit 1
eval "$__mh_c"
`;

const requests = `
mh_reply() { printf '%s %s\\n' "$MH_N" "$*" >&9; }

# Why the journal cannot be written, in words.
mh_why() { mh_m=$( { printf '%4096s' x | cat >probe; } 2>&1 ); rm -f probe; mh_m=\${mh_m##*: }; mh_m=\${mh_m:-no reason given}; }

# Runs beside the supervisor: waits for the leader and records how it ended.
mh_wait() {
  if [ "$2" = b ]; then mh_x=$MH_SH; else mh_x=sh; fi
  export MH_J MH_D MH_B MH_U
  if [ -n "$MH_SETSID" ]; then
    setsid $mh_x -c "$MH_LEAD" many-hands "$1" "$2" "$3" "$4" >"$1.o" 2>&1 8>&-
  else
    set -m
    $mh_x -c "$MH_LEAD" many-hands "$1" "$2" "$3" "$4" >"$1.o" 2>&1 8>&- &
    wait $!
  fi
  mh_x=$?
  printf '%s .\\n' "$mh_x" >"$1.s"
  printf '\\n%s E %s\\n' "$MH_N" "$1" >&8
}

# A call that was acknowledged is forgotten at once, though its files go a moment later.
mh_gone() { [ -s ledger ] && grep -qxF "$1" ledger; }

# seq id kind command
mh_run() {
  if mh_gone "$2"; then mh_reply "$1 gone"; return; fi
  mh_w=1
  set -C
  { printf '%s\\n' "$4" >"$2.c" && mh_w=0; } 2>/dev/null
  set +C
  if [ "$mh_w" = 0 ]; then
    mh_wait "$2" "$3" "$4" "$MH_S" </dev/null >/dev/null 2>&1 9>&- &
    mh_reply "$1 ok"
  elif [ -s "$2.c" ]; then mh_reply "$1 seen"
  else rm -f "$2.c"; mh_why; mh_reply "$1 fail $mh_m"
  fi
}

# seq id: what is known of a call.
mh_look() {
  if mh_gone "$2"; then mh_reply "$1 gone"; return; fi
  if [ ! -e "$2.c" ]; then mh_reply "$1 none"; return; fi
  mh_a=
  { read -r mh_a <"$2.s"; } 2>/dev/null
  case $mh_a in *' .') mh_reply "$1 ended \${mh_a% .}"; return ;; esac
  mh_a=
  { read -r mh_a <"$2.g"; } 2>/dev/null
  case $mh_a in
    *' .') if mh_lives $mh_a; then mh_reply "$1 running"; else mh_reply "$1 lost"; fi ;;
    *) if [ -e "$2.v" ]; then mh_reply "$1 void"; else mh_reply "$1 claimed"; fi ;;
  esac
}
mh_lives() { [ "$3" = "$MH_B" ] || return 1; mh_start "$1"; [ "$mh_t" = "$2" ]; }

# seq id: takes the right to start from a call that did not.
mh_void() {
  mh_w=1
  set -C
  { : >"$2.r" && : >"$2.v" && mh_w=0; } 2>/dev/null
  set +C
  if [ "$mh_w" = 0 ]; then mh_reply "$1 ok"; else mh_reply "$1 seen"; fi
}

# seq id signal: to the group, if it is still the same one.
mh_signal() {
  mh_a=
  { read -r mh_a <"$2.g"; } 2>/dev/null
  case $mh_a in *' .') set -- "$1" "$3" $mh_a; mh_start "$3"
    if [ "$5" = "$MH_B" ] && { [ "$mh_t" = "$4" ] || [ -z "$mh_t" ]; }; then kill "-$2" "-$3"; fi ;; esac 2>/dev/null
  mh_reply "$1 ok"
}

# seq id: the state that this call left is what the next one starts with; - is none.
mh_keep() {
  mh_x=$MH_S
  MH_S=$2
  printf '%s\\n' "$MH_S" >state
  if [ "$mh_x" != "$2" ] && [ "$mh_x" != - ] && [ ! -e "$mh_x.c" ]; then rm -f "$mh_x.e"; fi
  mh_reply "$1 ok"
} 2>/dev/null

# seq id…: forgets calls that have ended; the ledger remembers that their ids were used.
mh_ack() {
  mh_q=$1 mh_x=
  shift
  for mh_i in "$@"; do
    [ -s "$mh_i.s" ] || [ -e "$mh_i.v" ] || continue
    printf '%s\\n' "$mh_i" >>ledger || continue
    mh_x="$mh_x $mh_i.c $mh_i.o $mh_i.s $mh_i.r $mh_i.g $mh_i.n $mh_i.p $mh_i.v"
    [ "$mh_i" = "$MH_S" ] || mh_x="$mh_x $mh_i.e"
  done
  if [ -n "$mh_x" ]; then rm -f $mh_x 8>&- 9>&- & fi
  mh_reply "$mh_q ok"
} 2>/dev/null
`;

/** The first text: definitions, then the opening of the journal, answered as request 0 with `ready` or `refused`. */
export function supervisorText({ nonce, journal, startDirectory }: SupervisorOptions): string {
  return `
MH_N=${quote(nonce)} MH_J=${quote(journal)} MH_D=${quote(startDirectory)}
MH_LEAD=${quote(leader)}
${startTime}${requests}
exec 8>&2 9>&1 >/dev/null
mh_refuse() { mh_reply "0 refused $*"; exit 1; }
MH_U=$(umask)
umask 077
unset OLDPWD
export PAGER=cat GIT_PAGER=cat GIT_TERMINAL_PROMPT=0 TERM=dumb
cd -- "$MH_D" 2>/dev/null || mh_refuse "the directory $MH_D cannot be entered"
mh_m=$(mkdir -p -- "$MH_J" 2>&1) || mh_refuse "the journal cannot be made: $mh_m"
cd -- "$MH_J" 2>/dev/null || mh_refuse "the journal $MH_J cannot be entered"
MH_B=
{ read -r MH_B </proc/sys/kernel/random/boot_id; } 2>/dev/null || MH_B=$(sysctl -n kern.boottime 2>/dev/null | tr -dc 0-9)
MH_B=\${MH_B:-none}
MH_SH=sh MH_SETSID= MH_S=-
if command -v bash >/dev/null 2>&1; then MH_SH='bash --norc --noprofile'; fi
if command -v setsid >/dev/null 2>&1; then MH_SETSID=1; fi
{ read -r MH_S <state; } 2>/dev/null || MH_S=-
mh_reply "0 ready $MH_SH"
`;
}
