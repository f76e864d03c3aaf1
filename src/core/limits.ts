/** Every limit of the program, named with its unit (invariant I13). */

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  /** A log line longer than this keeps its payload in a blob and a preview in the line. */
  logLineBytesMax: 64 * KiB,
  /** No event has a longer line, preview or not; more bytes without a newline are damage. */
  logLineBytesHardMax: 1 * MiB,
  /** In a preview, a string longer than this is cut. */
  previewStringCharsMax: 1 * KiB,
  /** Raw output of one call that is kept whole in a blob; what is beyond is counted, not kept. */
  outputBytesMax: 256 * MiB,
  /** Output of one call that the model reads; head and tail are kept, the middle is named. */
  modelOutputBytesMax: 48 * KiB,
  /** Bytes of one file that `read` gives at once. */
  readBytesMax: 256 * KiB,
  /** Bytes of one file that `write` and `edit` handle. */
  fileBytesMax: 16 * MiB,
  /** Rows that `glob` and `grep` give at once. */
  searchRowsMax: 500,
  /** Default and largest time that `bash` waits before it yields, in milliseconds. */
  bashTimeoutMs: 120_000,
  bashTimeoutMsMax: 600_000,
  /** Largest time that `bash_output` waits, in milliseconds. */
  bashOutputWaitMsMax: 120_000,
  /** One step of reaching a far end: a connection, a handshake, a channel, the first answer of a shell. */
  handStepMs: 20_000,
  /** A test of a hand, an image that is pulled for it included. */
  handTestMs: 300_000,
  /** After the start: how long a session waits for an extension that is to bring its kind of hand, in milliseconds. */
  handKindWaitMs: 20_000,
  /** How long a session waits, when it begins, for tools that only a far end knows, in milliseconds. */
  handToolsWaitMs: 10_000,
  /** Names of tools in the one message that tells the model of a change. */
  handToolsToldMax: 40,
  /** One MCP server: to connect (a program may be downloaded first), one call without a sign of life, and in all, in milliseconds. */
  mcpConnectMs: 60_000,
  mcpCallMs: 300_000,
  mcpCallMsMax: 3_600_000,
  /** First pause after a connection that failed, doubled each time, in milliseconds, and its cap. */
  mcpRetryMs: 1_000,
  mcpRetryMsMax: 60_000,
  /** Of one server: its tools, the schema of each in bytes of JSON and levels, its description in characters. */
  mcpToolsMax: 128,
  mcpSchemaBytesMax: 64 * KiB,
  mcpSchemaDepthMax: 24,
  mcpDescriptionCharsMax: 4 * KiB,
  /** One message of a server that runs in a hand, in bytes. */
  mcpMessageBytesMax: 16 * MiB,
  /** One call of a language-model tool of VS Code's, in milliseconds. */
  vscodeToolMs: 600_000,
  /** What a program in a hand printed on its error stream before it ended, in characters of the message. */
  handErrorCharsMax: 600,
  /** Images of one result: their number, and bytes of base64 of one and of all. */
  resultImagesMax: 10,
  resultImageBytesMax: 5 * MiB,
  resultImagesBytesMax: 12 * MiB,
  /** How often hands in view are asked for a round trip, in milliseconds. */
  handPingMs: 10_000,
  /** Bytes of a hand's file that is opened in an editor. */
  handOpenBytesMax: 64 * MiB,
  /** How long the hands that exist on this computer are looked for: hosts, images, containers. */
  handDiscoveryMs: 5_000,
  /** A lost stream to a hand is opened again so often in a row, with growing pauses up to the cap, in milliseconds. */
  handRelinksMax: 40,
  handRelinkMs: 100,
  handRelinkMsMax: 5_000,
  /**
   * Entries of folders with secrets that are shown to a confined hand one by one; the kernel takes half a millisecond for
   * each. A folder that goes beyond is shown as it is, with what is secret in it covered.
   */
  confinedEntriesMax: 600,
  /** How often a confinement that nobody holds looks whether anything still runs in it, in milliseconds. */
  confinedIdleMs: 5_000,
  /** Taking up one resource: a clone, a download. */
  resourceMs: 1_800_000,
  /** A silent SSH connection is asked for a sign of life so often, in milliseconds, and so many times before it is given up. */
  sshKeepAliveMs: 4_000,
  sshKeepAlivesMax: 3,
  /** Pauses between tries to open a channel where the host has no session left, in milliseconds, up to the second. */
  sshChannelRetryMs: 50,
  sshChannelRetryMsMax: 500,
  /** What ssh prints of one host's configuration, and one known_hosts file, in bytes. */
  sshConfigBytesMax: 1 * MiB,
  knownHostsBytesMax: 16 * MiB,
  /** Bytes in one SFTP request, and requests on their way at once. */
  sftpPieceBytes: 128 * KiB,
  sftpAheadMax: 32,
  /** How often a password or passphrase is asked for in one try to connect. */
  secretTriesMax: 3,
  /** Bytes that are asked for at once of what is at a far end. */
  handPieceBytes: 1 * MiB,
  /** Output of a call that comes with the notice of its end. */
  handInlineBytes: 1_024,
  /** Files from this size on go the transport's own bulk way, where it has one. */
  handBulkBytes: 1 * MiB,
  /** Of such a file, what is sent in one piece. */
  handBulkPieceBytes: 8 * MiB,
  /** A bulk transfer in which nothing moves for this long has failed, in milliseconds. */
  handBulkStallMs: 60_000,
  /** What a container may use where its spec does not say otherwise: memory, processors, processes. */
  dockerMemoryBytes: 2 * 1024 * MiB,
  dockerCpus: 2,
  dockerPids: 512,
  /** A pull or a build of an image that says nothing for this long has failed, in milliseconds. */
  dockerStallMs: 180_000,
  /** How long letting go of a hand waits for what its last call left to be kept, in milliseconds. */
  handKeepMs: 500,
  /** After an interrupt: how long a process group has between TERM and KILL. */
  killGraceMs: 2_000,
  /** Model turns after one input of the person; then the session asks whether to go on. */
  turnsMax: 500,
  /** Model requests that fail in a row before the session gives up. */
  retriesMax: 8,
  /** First delay of the back-off between retries, doubled each time, in milliseconds, and its cap. */
  retryDelayMs: 1_000,
  retryDelayMsMax: 60_000,
  /** A stream of the model that sends nothing for this long has stalled. */
  modelStallMs: 90_000,
  /** How long the model may take before its first byte: reading a long prompt takes it minutes, without a sign of life. */
  modelFirstByteMs: 290_000,
  /** Calls of one hand that run at the same time; more wait for their turn. */
  callsAtOnceMax: 16,
  /** User messages waiting in a session. */
  queueDepthMax: 100,
  /** Size of one user message, text and attachments together. */
  messageBytesMax: 24 * MiB,
  /** How long what a harness read of a log is kept for its next run: as long as a model keeps its prompt cache. */
  recentEventsMs: 300_000,
  /** Events in one slice. */
  sliceEventsMax: 1_000,
  /** Events that the session page asks for at once, and that it keeps. */
  pageSliceEvents: 150,
  pageEventsMax: 1_200,
  /** Characters of live output of a call that the page keeps. */
  pageOutputCharsMax: 32 * KiB,
  /** Events after which the fold's checkpoint is written anew. */
  checkpointEvents: 500,
  /** How often a holder renews its lease, and after how long without renewal the lease is stale, in milliseconds. */
  leaseRenewMs: 2_000,
  leaseStaleMs: 20_000,
  /** How often another window's log is looked at where the system does not tell of changes, in milliseconds. */
  followPollMs: 1_000,
  /** Damaged stretches of one log that are listed. */
  damageMax: 1_000,
  /** How often a paused session tries its append again, in milliseconds. */
  storageRetryMs: 3_000,
  /** Connections of one hand to the credential proxy at the same time. */
  entranceConnectionsMax: 512,
  /** How long a connection waits for the answer to whose it is, in milliseconds. */
  entrancePeerMs: 10_000,
  /** Bytes of a path of a socket, its end mark included, that every system takes. */
  socketPathBytesMax: 104,
  /** Signing in to a server: one request, its answer in bytes, and how long the browser may take, in milliseconds. */
  oauthStepMs: 20_000,
  oauthBytesMax: 256 * KiB,
  oauthBrowserMs: 600_000,
  /** A token is renewed so long before it expires, in milliseconds. */
  oauthRenewMs: 60_000,
  /** How long a request of a hand waits for the person to grant it, in milliseconds. */
  grantAskMs: 600_000,
  /** A grant for once covers what one command of git asks for: requests that follow each other within this time. */
  grantOnceMs: 60_000,
  /** However they follow each other, it ends this long after the first of them. */
  grantOnceMaxMs: 1_800_000,
  /** Requests for a grant that wait in one session. */
  grantsAskedMax: 20,
  /** How often the time of a credential's last use is stored, in milliseconds. */
  credentialUsedMs: 10_000,
  /** Characters of a credential's value. */
  credentialCharsMax: 16 * KiB,
  /** The head of a request that a hand sends to the credential proxy: bytes, headers. */
  proxyHeadBytesMax: 32 * KiB,
  proxyHeadersMax: 100,
  /** How long it may take to come in on a new connection, and how long a connection may be idle after that, in milliseconds. */
  proxyHeadMs: 15_000,
  proxyIdleMs: 60_000,
  /** Connections that one hand has open to the proxy, requests on one of them, and requests of one hand under way at once. */
  proxyConnectionsMax: 256,
  proxyConnectionRequestsMax: 1_000,
  proxyRequestsMax: 64,
  /** A request's body in which nothing moves for this long is given up, in milliseconds. */
  proxyStallMs: 60_000,
  /** How long a server may take to be reached, and then to begin its answer, in milliseconds. */
  proxyConnectMs: 20_000,
  proxyAnswerMs: 300_000,
  /** An unused connection to a server is kept for this long, in milliseconds; so many of them for each server. */
  proxyKeptMs: 4_000,
  proxyKeptMax: 8,
  /** The head of a server's answer, in bytes. */
  proxyAnswerHeadBytesMax: 64 * KiB,
  /** A request's body in which a placeholder is replaced, and one that is kept to be sent again with a renewed token. */
  proxyReplaceBytesMax: 1 * MiB,
  proxyRepeatBytesMax: 256 * KiB,
  /** A tunnel of a limited network: bytes in both directions together, and how long nothing may move, in milliseconds. */
  proxyTunnelBytesMax: 8 * 1024 * MiB,
  proxyTunnelIdleMs: 300_000,
  /** The commands of one push, without its pack. */
  gitCommandsBytesMax: 1 * MiB,
  /** One LFS request or its answer, objects excepted. */
  lfsJsonBytesMax: 4 * MiB,
  /** Addresses of LFS objects that are kept for one hand, for all hands, and how long, in milliseconds. */
  lfsActionsMax: 10_000,
  lfsActionsMaxAll: 50_000,
  lfsActionMs: 3_600_000,
  /** Bytes from the beginning of what looks like a token to its end: private keys are the longest. */
  tokenBytesMax: 12 * KiB,
  /** Bytes from how a token begins to where it is sure that it is none. */
  tokenUndecidedBytesMax: 600,
  /** Shorter values are not taken out of texts, nor shorter lines of them: they would be found by chance. */
  redactedCharsMin: 8,
  redactedLineCharsMin: 16,
  /** What a terminal of a person may hold back of its output until it is known to be no credential, in milliseconds. */
  terminalHoldMs: 30,
  /** Characters of a session's title. */
  titleCharsMax: 120,
} as const;
