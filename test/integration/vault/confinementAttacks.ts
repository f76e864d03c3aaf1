/** What an attacker would run in a hand, to get at files, other programs and their secrets. */
import { dirname } from "node:path";
import type { Home } from "./confinedHome.ts";

/** Ways to a file; `$f` is its path. */
export const READERS = [
  'cat "$f"',
  'cp "$f" ./stolen && cat ./stolen',
  'ln "$f" ./linked && cat ./linked',
  'ln -sf "$f" ./soft && cat ./soft',
  'find "$(dirname "$f")" -exec cat {} +',
  "perl -e 'open F, \"<\", $ENV{f} or die $!; print <F>'",
  'dd if="$f"',
  'tar -cf - "$f"',
  'echo "$(<"$f")"',
  'cat "$PWD/../..${f#"$HOME"}"',
  'cat "/proc/self/root$f"',
  'cat "/proc/1/root$f"',
  'cat "/proc/$PPID/root$f"',
  'chmod 777 "$f" "$(dirname "$f")"; cat "$f"',
  'mv "$(dirname "$f")" ./moved; cat ./moved/*',
  'umount -l "$(dirname "$f")" "$f"; cat "$f"',
  'mkdir -p m; mount --bind "$(dirname "$f")" m; cat m/*',
  'unshare -Urm sh -c \'umount "$(dirname "$f")"; cat "$f"\'',
  'setfacl -m u:0:r "$f"; cat "$f"',
];

/** Ways to other programs, and to what the kernel tells of them. */
export function others(home: Home): string[] {
  const { victim, agents } = home;
  const connect = (to: string): string =>
    `perl -MIO::Socket::UNIX -MIO::Socket::INET -e 'my $s = ${to} or die "no way: $!"; print <$s>'`;
  return [
    "env; export -p; cat /proc/self/environ",
    "cat /proc/*/environ /proc/*/task/*/environ | tr '\\0' '\\n'",
    `cat /proc/${victim.pid}/environ /proc/${victim.pid}/cmdline; ls /proc/${victim.pid}/root /proc/${victim.pid}/cwd`,
    `kill -0 ${victim.pid} && echo it can be signalled; kill -SEGV ${victim.pid}`,
    'for each in /proc/[0-9]*/fd/*; do [ -f "$each" ] && timeout 1 head -c 300 "$each"; done',
    `nsenter -t 1 -a cat /proc/${victim.pid}/environ; nsenter -t ${victim.pid} -a id`,
    "for pid in 1 2 $PPID; do timeout 5 gdb -p $pid -batch -ex 'info proc' 2>&1 | tail -3; done",
    "mkdir -p p; mount -t proc proc p; cat p/*/environ",
    "cat /dev/mem /dev/kmem /proc/kcore | head -c 1000",
    connect(`IO::Socket::UNIX->new(Peer => "${agents.home}")`),
    connect(`IO::Socket::UNIX->new(Peer => "${agents.temporary}")`),
    connect(`IO::Socket::UNIX->new(Peer => "\\0${home.folder}")`),
    connect(`IO::Socket::INET->new(PeerAddr => "127.0.0.1:${agents.port}", Timeout => 3)`),
    `cat ${dirname(agents.temporary)}/leftover /run/user/*/* /dev/shm/*`,
    "ls -la /run/docker.sock /var/run/docker.sock /run/dbus/system_bus_socket /run/user",
    "find / -xdev -name '*.sock' -o -xdev -type s 2>/dev/null",
    "cat /etc/shadow /var/lib/systemd/coredump/* /var/crash/*",
    "timeout 20 grep -rIl canary ~ 2>/dev/null | xargs cat",
  ];
}
