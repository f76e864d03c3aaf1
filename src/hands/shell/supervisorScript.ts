/**
 * The supervisor: shell text that makes a plain `sh` run calls and remember them in a journal folder.
 *
 * There is no loop that reads: each request is a line `mh_name seq 'word' …` that the shell parses from its standard
 * input, so every byte but NUL gets through by single quotes. Answers go to stdout, written by this one shell; notices
 * of calls that ended go to stderr as short lines with a nonce. Each fork costs about a millisecond, so they are few.
 *
 * What is read at the far end comes as `data`: a length, that many bytes, a newline.
 *
 * Files of a call: `id.c` the claim (made with O_EXCL: an id runs once, for ever; in it the caller's time and the command,
 * as text of shell), `id.g` group, start time and boot id (O_EXCL too: who makes it has the right to start; a voider writes
 * `void`), `id.o` output, `id.s` exit status with an end mark, perhaps the output in a line, `id.e` environment and directory at
 * its end, `id.n` and `id.p` new and old content of a file.
 * `w-…`: how a call reaches the leader that waits for it; it has that name only while the leader starts.
 */
import { isUtf8 } from "node:buffer";
import { leader, leaders, startTime } from "./leaderScript.ts";
import { peersRequest } from "./socketOwners.ts";

/** Words for a shell: every byte but NUL survives single quotes. Throws on NUL. */
export function quote(value: string): string {
  if (value.includes("\0")) throw new RangeError("a word of shell cannot hold a NUL character");
  return `'${value.replaceAll("'", String.raw`'\''`)}'`;
}

/** Valid UTF-8: a shell takes it as it is. */
export function isText(bytes: Buffer): boolean {
  return isUtf8(bytes);
}

/** Text for printf's %b that makes exactly these bytes. Only what is no text has to be spelt out. */
export function spell(bytes: Buffer): string {
  if (isText(bytes)) {
    return bytes
      .toString("utf8")
      .replaceAll("\\", String.raw`\\`)
      .replaceAll("\0", String.raw`\0000`);
  }
  const spelt = (byte: number): string => `\\0${byte.toString(8).padStart(3, "0")}`;
  return Array.from(bytes, (byte) =>
    byte > 31 && byte < 127 && byte !== 92 ? String.fromCodePoint(byte) : spelt(byte),
  ).join("");
}

export interface SupervisorOptions {
  readonly nonce: string;
  /** Absolute; null: below the home folder there, or the temporary one where that cannot be written. */
  readonly journal: string | null;
  /** Tells one journal from another in that place: letters, digits, `-` and `_`. */
  readonly journalName: string;
  /** Absolute, or below `~`; null: the home folder there. */
  readonly startDirectory: string | null;
  /** Who this far end is, if the journal does not say it already. */
  readonly instance: string;
  /** Output up to this many bytes comes with the notice that the call has ended; at most 1,024. */
  readonly inlineBytes: number;
  /** Makes the start directory where it is not there. */
  readonly makesDirectory?: boolean;
  /** Shell text that each call runs first, after the state of the call before. It may hold secrets: it is in no argument list. */
  readonly callEnvironment?: () => string;
}

/** What a far end must have besides its shell; of busybox it is enough. */
const PROGRAMS = ["cat", "chmod", "cp", "dd", "grep", "head", "mkdir", "mv", "rm", "tail"];

/** Between the words of the first answer. */
export const UNIT = "\u001f";

const requests = `
mh_reply() { printf '%s %s\\n' "$MH_N" "$*" >&9; }

# Why the journal cannot be written, in words.
mh_why() { mh_m=$( { printf '%4096s' x | cat >probe; } 2>&1 ); rm -f probe; mh_m=\${mh_m##*: }; mh_m=\${mh_m:-no reason given}; }

# A call that was acknowledged is forgotten at once, though its files go a moment later. Ids ascend as a rule: one that is
# above all of the ledger need not be looked for, which would be a fork for each call.
mh_gone() {
  [ -s ledger ] || return 1
  if [ "$1" \\> "$MH_H" ] 2>/dev/null; then return 1; fi
  grep -qxF "$1" ledger
}
mh_high() { if [ "$1" \\> "$MH_H" ] 2>/dev/null; then MH_H=$1; fi; }

# seq id kind word time: the command as a word of shell.
mh_run() {
  if mh_gone "$2"; then mh_reply "$1 gone"; return; fi
  mh_w=1
  set -C
  { printf ': %s .\\n__mh_c=%s\\n' "$5" "$4" >"$2.c" && mh_w=0; } 2>/dev/null
  set +C
  if [ "$mh_w" = 0 ]; then
    mh_start_call "$2" "$3"
    mh_reply "$1 ok"
  elif [ -s "$2.c" ]; then mh_reply "$1 seen"
  else rm -f "$2.c"; mh_why; mh_reply "$1 fail $mh_m"
  fi
}

# seq id: what is known of a call, and the time that it was given.
mh_look() {
  if mh_gone "$2"; then mh_reply "$1 gone"; return; fi
  if [ ! -e "$2.c" ]; then mh_reply "$1 none"; return; fi
  mh_c=
  { read -r mh_c <"$2.c"; } 2>/dev/null
  mh_c=\${mh_c% .}
  mh_c=\${mh_c#: }
  mh_a=
  { read -r mh_a <"$2.s"; } 2>/dev/null
  case $mh_a in *' .') mh_reply "$1 ended $mh_c \${mh_a% .}"; return ;; esac
  mh_a=
  { read -r mh_a <"$2.g"; } 2>/dev/null
  case $mh_a in
    *' .') if mh_lives $mh_a; then mh_reply "$1 running $mh_c"; else mh_reply "$1 lost $mh_c"; fi ;;
    void) mh_reply "$1 void $mh_c" ;;
    *) mh_reply "$1 claimed $mh_c" ;;
  esac
}
mh_lives() { [ "$3" = "$MH_B" ] || return 1; mh_start "$1"; [ "$mh_t" = "$2" ]; }

# seq id: takes the right to start from a call that did not.
mh_void() {
  mh_w=1
  set -C
  { echo void >"$2.g" && mh_w=0; } 2>/dev/null
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
  # It goes with the next calls that are forgotten.
  if [ "$mh_x" != "$2" ] && [ "$mh_x" != - ] && [ ! -e "$mh_x.c" ]; then MH_R="$MH_R $mh_x.e"; fi
  mh_reply "$1 ok"
} 2>/dev/null

# seq id…: forgets calls that have ended; the ledger remembers that their ids were used.
mh_ack() {
  mh_q=$1 mh_x=$MH_R
  MH_R=
  shift
  for mh_i in "$@"; do
    if [ ! -s "$mh_i.s" ]; then read -r mh_a <"$mh_i.g" && [ "$mh_a" = void ] || continue; fi
    printf '%s\\n' "$mh_i" >>ledger || continue
    mh_high "$mh_i"
    mh_x="$mh_x $mh_i.c $mh_i.o $mh_i.s $mh_i.g $mh_i.n $mh_i.p"
    [ "$mh_i" = "$MH_S" ] || mh_x="$mh_x $mh_i.e"
  done
  if [ -n "$mh_x" ]; then rm -f $mh_x 7>&- 8>&- 9>&- & fi
  mh_reply "$mh_q ok"
} 2>/dev/null
`;

/** What the near end reads and writes where it has no other way to the files there. */
const files = `
# seq file offset max word: a piece of a file. Whole blocks as long as there are some: dd finds its place without reading
# up to it, and some shells' head takes one byte after the other.
mh_cut() {
  mh_z=$(mh_size "$2") || mh_z=0
  mh_z=$((mh_z - $3))
  if [ "$mh_z" -gt "$4" ]; then mh_z=$4; fi
  if [ "$mh_z" -lt 0 ]; then mh_z=0; fi
  mh_b=$(($3 % 65536))
  if [ "$mh_b" -eq 0 ] && [ "$mh_z" -ge 65536 ]; then mh_z=$((mh_z / 65536 * 65536))
  elif [ "$mh_z" -gt $((65536 - mh_b)) ]; then mh_z=$((65536 - mh_b))
  fi
  mh_reply "$1 data $mh_z $5"
  if [ "$mh_z" -ge 65536 ]; then dd if="$2" bs=65536 skip=$(($3 / 65536)) count=$((mh_z / 65536)) 2>/dev/null >&9
  elif [ "$mh_z" -gt 0 ]; then
    dd if="$2" bs=65536 skip=$(($3 / 65536)) count=1 2>/dev/null | { if [ "$mh_b" -gt 0 ]; then tail -c "+$((mh_b + 1))"; else cat; fi; } | head -c "$mh_z" >&9
  fi
  printf '\\n' >&9
}

# seq id offset max: output of a call, and its exit status if it had ended before the look at its output.
mh_tail() {
  mh_a=
  { read -r mh_a <"$2.s"; } 2>/dev/null
  case $mh_a in *' .') mh_a=\${mh_a% .} ;; *) mh_a=- ;; esac
  mh_cut "$1" "$2.o" "$3" "$4" "$mh_a"
}

# seq id: how many seconds a call took, by the clock there.
mh_took() {
  mh_q=$1
  set -- $(stat -c %Y "$2.c" "$2.s" 2>/dev/null || stat -f %m "$2.c" "$2.s" 2>/dev/null)
  mh_reply "$mh_q \${2:-} \${1:-}"
}

# seq path: what is there, its size, and whether it is a link.
mh_peek() {
  mh_x=-
  [ ! -L "$2" ] || mh_x=link
  if [ -d "$2" ]; then mh_reply "$1 directory 0 $mh_x"
  elif [ -f "$2" ]; then mh_z=$(mh_size "$2") || mh_z=-1; mh_reply "$1 file $((mh_z)) $mh_x"
  elif [ -e "$2" ]; then mh_reply "$1 other 0 $mh_x"
  else mh_reply "$1 none 0 $mh_x"
  fi
} 2>/dev/null

# seq path: where a link leads in the end.
mh_link() { readlink -f -- "$2" >link 2>/dev/null; mh_cut "$1" link 0 65536 -; rm -f link; }

# seq path name: a copy in the journal.
mh_copy() { if mh_m=$(cp -- "$2" "$3" 2>&1); then mh_reply "$1 ok"; else rm -f "$3"; mh_reply "$1 fail \${mh_m##*: }"; fi; }

# seq file text: adds to a file. seq file: makes it anew.
mh_put() { if { printf '%b' "$3" >>"$2"; } 2>/dev/null; then mh_reply "$1 ok"; else mh_reply "$1 fail"; fi; }
mh_put64() { if { printf %s "$3" | base64 -d >>"$2"; } 2>/dev/null; then mh_reply "$1 ok"; else mh_reply "$1 fail"; fi; }
mh_new() { if mh_m=$( { : >"$2"; } 2>&1 ); then mh_reply "$1 ok"; else mh_m=\${mh_m##*: }; mh_reply "$1 fail $mh_m"; fi; }

# seq path: what people want to know of a file: kind, size, time of the last change in seconds, link.
mh_facts() {
  mh_x=-
  [ ! -L "$1" ] || mh_x=link
  set -- "$1" $(stat -L -c '%s %Y' "$1" 2>/dev/null || stat -L -f '%z %m' "$1" 2>/dev/null)
  if [ -d "$1" ]; then mh_k=directory; elif [ -f "$1" ]; then mh_k=file
  elif [ -e "$1" ] || [ -L "$1" ]; then mh_k=other; else mh_k=none; fi
  mh_k="$mh_k \${2:-0} \${3:-0} $mh_x"
}
mh_stat() { mh_facts "$2"; mh_reply "$1 $mh_k"; }
# seq path: all that is in a folder, into a file of the journal, whose name is the answer.
mh_list() {
  mh_p=\${2%/}/
  if [ ! -r "$mh_p" ] || [ ! -x "$mh_p" ]; then mh_reply "$1 fail Permission denied"; return; fi
  for mh_f in "$mh_p"* "$mh_p".[!.]* "$mh_p"..?*; do
    if [ -e "$mh_f" ] || [ -L "$mh_f" ]; then mh_facts "$mh_f"; printf '%s %s\\0' "$mh_k" "\${mh_f#"$mh_p"}"; fi
  done >"list-$1"
  mh_reply "$1 ok list-$1"
}
mh_may() { if [ -r "$2" ]; then mh_reply "$1 ok"; else mh_reply "$1 fail"; fi; }
# seq words: a tool, and what it says where it fails.
mh_do() { mh_q=$1; shift; if mh_m=$("$@" 2>&1); then mh_reply "$mh_q ok"; else mh_m=\${mh_m##*: }; mh_reply "$mh_q fail $mh_m"; fi; }
mh_mkdir() { mh_do "$1" mkdir -- "$2"; }
mh_mv() { mh_do "$1" mv -f -- "$2" "$3"; }
mh_del() { mh_do "$1" rm -rf -- "$2"; }
# seq new path: moves new content into place; the file keeps its mode, and a link leads where it led.
mh_place() {
  mh_p=$3
  if [ -L "$mh_p" ]; then mh_p=$(readlink -f -- "$mh_p"); fi
  if [ -f "$mh_p" ]; then
    mh_x=$(stat -c %a "$mh_p" 2>/dev/null || stat -f %Lp "$mh_p" 2>/dev/null)
    [ -z "$mh_x" ] || chmod "$mh_x" "$2" 2>/dev/null
  else chmod "$(printf %o $((0666 & ~$MH_U)))" "$2" 2>/dev/null
  fi
  mh_do "$1" mv -f -- "$2" "$mh_p"
}

# seq: the calls of this journal that have begun; seq: the end of it.
mh_ids() { mh_q=$1; set -- *.g; mh_reply "$mh_q $*"; }
mh_rm() { mh_no_leader; cd / && rm -rf -- "$MH_J" 2>/dev/null; mh_reply "$1 ok"; }
`;

const opening = `
mh_refuse() { mh_reply "0 refused $*"; exit 1; }
# Without them an answer would be no answer: better said now than read wrongly later.
mh_needs() {
  for mh_i in ${PROGRAMS.join(" ")}; do
    command -v "$mh_i" >/dev/null 2>&1 || mh_refuse "there is no $mh_i: a hand needs sh and these programs: ${PROGRAMS.join(" ")}"
  done
  command -v stat >/dev/null 2>&1 || command -v wc >/dev/null 2>&1 || mh_refuse "there is neither stat nor wc: a hand needs one of them"
}
mh_home() {
  mh_m=$(mkdir -p -- "$1" 2>&1) || return 1
  cd -- "$1" 2>/dev/null || { mh_m="$1 cannot be entered"; return 1; }
  set -C
  { printf '%s\\n' "$MH_I" >instance; } 2>/dev/null
  set +C
  if [ -s instance ]; then return 0; fi
  mh_why
  mh_m="$1: $mh_m"
  return 1
}
# Nobody else may have made it.
mh_own() { mkdir -m 700 -- "$1" 2>/dev/null; [ -d "$1" ] && [ -O "$1" ] && [ ! -L "$1" ]; }
`;

/** The first text: definitions, then the opening of the journal, answered as request 0 with `ready` or `refused`. */
export function supervisorText(options: SupervisorOptions): string {
  const {
    nonce,
    journal,
    journalName,
    startDirectory,
    instance,
    inlineBytes,
    makesDirectory = false,
    callEnvironment,
  } = options;
  const home = startDirectory === null || startDirectory === "~" || startDirectory.startsWith("~/");
  const directory = home ? `"\${HOME:-/}"${quote(startDirectory?.slice(1) ?? "")}` : quote(startDirectory);
  return `
MH_N=${quote(nonce)} MH_J=${quote(journal ?? "")} MH_K=${quote(journalName)} MH_I=${quote(instance)} MH_L=${inlineBytes}
MH_D=${directory} MH_V=${quote(callEnvironment?.() ?? "")} MH_ID=
MH_LEAD=${quote(leader)}
${startTime}${leaders}${requests}${files}${peersRequest}${opening}
exec 8>&2 9>&1 >/dev/null
# Who asked may be gone before the answer: what was asked for is done all the same. Calls do not inherit a trap.
trap : PIPE
mh_needs
MH_U=$(umask)
umask 077
unset OLDPWD
export PAGER=cat GIT_PAGER=cat GIT_TERMINAL_PROMPT=0 TERM=dumb
${
  makesDirectory
    ? `( umask "$MH_U"; mkdir -p -- "$MH_D" ) 2>/dev/null
`
    : ""
}cd -- "$MH_D" 2>/dev/null || mh_refuse "the directory $MH_D cannot be entered"
MH_D=$PWD
if [ -n "$MH_J" ]; then mh_home "$MH_J" || mh_refuse "the journal cannot be made: $mh_m"
elif [ -n "\${HOME:-}" ] && mh_home "$HOME/.many-hands/$MH_K"; then :
else
  MH_J=\${TMPDIR:-/tmp}/many-hands-$(id -u)
  { mh_own "$MH_J" && mh_home "$MH_J/$MH_K"; } || mh_refuse "no journal can be made below the home folder or \${TMPDIR:-/tmp}: $mh_m"
fi
MH_J=$PWD
read -r MH_I <instance
MH_B=
{ read -r MH_B </proc/sys/kernel/random/boot_id; } 2>/dev/null || MH_B=$(sysctl -n kern.boottime 2>/dev/null | tr -dc 0-9)
MH_B=\${MH_B:-none}
MH_SH=sh MH_SETSID= MH_DEF= MH_S=- MH_R= MH_H= MH_W= MH_WN=0
if [ -s ledger ]; then while read -r mh_i; do mh_high "$mh_i"; done <ledger; fi
if command -v bash >/dev/null 2>&1; then MH_SH='bash --norc --noprofile'; fi
if command -v setsid >/dev/null 2>&1; then MH_SETSID=1; fi
# What a shell starts beside itself ignores INT and QUIT, and so would all of a call: some systems' env gives them back.
if env --default-signal=INT,QUIT true 2>/dev/null; then MH_DEF='env --default-signal=INT,QUIT'; fi
# Some shells' wc reads all of a file to count its bytes.
if stat -L -c %s instance >/dev/null 2>&1; then mh_size() { stat -L -c %s "$1" 2>/dev/null; }
elif stat -L -f %z instance >/dev/null 2>&1; then mh_size() { stat -L -f %z "$1" 2>/dev/null; }
else mh_size() { { wc -c <"$1"; } 2>/dev/null; }
fi
command -v od >/dev/null 2>&1 || MH_L=0
{ read -r MH_S <state; } 2>/dev/null || MH_S=-
# A directory whose name has a newline is as it was given.
case $MH_D in *'
'*) mh_d= ;; *) mh_d=$MH_D ;; esac
case $MH_J in *'
'*) mh_j= ;; *) mh_j=$MH_J ;; esac
mh_reply "0 ready${UNIT}$MH_SH${UNIT}$MH_I${UNIT}$mh_d${UNIT}$mh_j${UNIT}$(uname -sm 2>/dev/null)${UNIT}$(command -v base64)"
mh_sweep
mh_ahead -
`;
}
