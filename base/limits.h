/* Every cap, in one place, each with its reason.
 *
 * A peer can make nothing grow without a cap that stands here. Times are nanoseconds unless the name says otherwise. */
#ifdef _GCC_NEXT_LIMITS_H /* gcc's <limits.h> asks for the system's, and finds a quoted one of that name first */
#include_next <limits.h>
#endif
#ifndef WEFT_BASE_LIMITS_H
#define WEFT_BASE_LIMITS_H

#define SECOND 1000000000ull
#define MILLISECOND 1000000ull

/* ---- messages */
#define MSG_BYTES_MAX 65536 /* one message on a link: MAXMSGSIZE of every socket */
#define MSG_ITEMS_MAX 8192  /* values in one message: bounds the work of unpacking */
#define ERROR_TEXT_MAX 240  /* a refusal's sentence */

/* ---- names and paths */
#define NAME_MAX_BYTES 63    /* node, share and pipe names: fit a terminal column and a DNS label */
#define ENTRY_NAME_MAX 255   /* one file name: Linux NAME_MAX */
#define PATH_BYTES_MAX 4095  /* a path inside a share: Linux PATH_MAX less its NUL */
#define LINK_TARGET_MAX 4095 /* a symbolic link's target: same */
#define DEPTH_MAX 2047       /* folders in folders: a path of one-byte names */

/* ---- records and beacons */
#define RECORD_BYTES_MAX 1100 /* a signed record: fits a beacon */
#define BEACON_BYTES_MAX 1232 /* a datagram that no IPv6 path fragments */
#define RECORD_ENDPOINTS_MAX 12
#define RECORD_LIFE_MAX_S 3600 /* a record outlives its last renewal by at most that */
#define BEACON_PORT 9338       /* "WEFT" on a telephone's keys */
#define BEACON_INTERVAL (5 * SECOND)
#define BEACONS_PER_S 20             /* of all nodes of a LAN together: of more than 100 nodes each sends them less often */
#define BEACON_SILENCE (16 * SECOND) /* three lost beacons: a sighting ends */
#define BEACON_CHECKS_PER_S 200      /* signature checks on datagrams: 50 us each, so at most 1 % of a core */

/* ---- peers and links */
#define PEERS_MAX 4096     /* known nodes; the longest unseen, untrusted one makes room */
#define LINKS_MAX 1024     /* open connections of one node: a relay's clients */
#define LINKS_RESERVED 128 /* of these, for trusted peers: others may have keys without number */
#define COMPANY_MAX 64     /* so many peers are all linked to, of more a part: see node/company.c */
#define COMPANY_NEAR 8     /* links outwards to the next in order of id */
#define COMPANY_RELAYS 6   /* each relay of a dozen then has half of all nodes */
#define DIALS_PER_S 4 /* for company, of peers that are not trusted: by the time it is spent, more is known of who is there */
#define DIALS_BURST 16
#define LINKS_PER_PEER_MAX 4  /* racing opens a few, one survives */
#define GOSSIP_RECORDS_MAX 32 /* records in one message */
#define GOSSIP_FANOUT 8       /* links to which a fresh record is passed on */
#define LINK_HELLO_DEADLINE (5 * SECOND)
#define LINK_PING_AFTER (2 * SECOND)    /* of silence */
#define LINK_DEAD_AFTER (7 * SECOND)    /* of silence */
#define LINK_DOUBT (1 * SECOND)         /* of silence, after its peer's addresses changed */
#define LINK_MESSAGES_PER_S 2000        /* from one link, averaged; a burst of twice that */
#define LINK_QUERIES_PER_S 500          /* QUERY and REGISTER messages from one link; a burst of twice that */
#define LINK_RECORDS_PER_S 20           /* looked at of those that one link brings; a burst of four full messages */
#define DIAL_STAGGER (30 * MILLISECOND) /* between endpoints of a race, best first */
#define DAMP_HALF_LIFE (60 * SECOND)    /* of the penalty for coming and going */

/* ---- trust */
#define TICKETS_MAX 64
#define TICKET_LIFE_MAX_S 86400
#define TICKET_WRONG_PER_MIN 20 /* from all peers together: then the link is dropped unanswered */

/* ---- pipes */
#define QUERIES_MAX 1024         /* outstanding binding queries; at most half of them are others', passed on */
#define FORWARDS_PER_PEER_MAX 64 /* of these, of one peer: each goes to up to 8 others */
#define QUERY_HOPS_MAX 8
#define QUERY_VISITED_MAX 32
#define PIPE_ENDPOINTS_MAX 12
#define PIPE_CACHE_MAX 4096
#define PIPE_ANSWER_LIFE_MAX_S 3600
#define QUERY_TIMEOUT (3 * SECOND)
#define ANSWER_HOLDERS_MAX 4         /* binders named in one answer: enough to go over to another one at once */
#define REGISTER_PIPES_MAX 256       /* in one message: 256 of 40 bytes */
#define LOCAL_PIPES_MAX 1024         /* bound at one node, and kept of one holder at a rendezvous */
#define LEASES_MAX 4096              /* holders that a rendezvous keeps */
#define REGISTERED_MAX 262144        /* pipes that it keeps in all: 64 bytes each; half of them of holders it does not trust */
#define LEASE_LIFE_MAX_S 300         /* of what is registered; renewed at half of it */
#define PIPE_MESSAGE_MAX 49152       /* one message of a pipe; longer ones are for byte streams */
#define PIPE_MESSAGE_COST 32         /* that a message counts beside its bytes */
#define BATCH_BYTES_MAX 57344        /* messages in one piece: fits a row and a message between nodes, with room for the rest */
#define PIPE_QUEUE_BYTES (8 << 20)   /* cost that waits at the sender's node for a channel's binder; then "full" */
#define PIPE_CREDIT_BYTES (4 << 20)  /* cost that a binder takes before its reader does */
#define CHANNELS_MAX 1024            /* that come in at one node */
#define CHANNELS_PER_PEER_MAX 64     /* of these, from one peer */
#define CHANNEL_BYTES_MAX (64 << 20) /* cost that all channels in may hold together */
#define CHANNEL_KEEP (60 * SECOND)   /* a channel is remembered for its sender to come back */
#define PIPE_LEASE_MS 800            /* of a shared pipe's binder: see struct msg_open_ok */
#define LINK_DATA_PER_S 8000         /* DATA, ACK and SPREAD messages from one link; a burst of twice that */
#define RECEIPTS_PER_S 5000          /* looked at, of all senders: a keyed hash of 1 us each */
#define SPREAD_BYTES_MAX 32768       /* one message of a propagate pipe */
#define SPREAD_IDS_MAX 64
#define SPREAD_HOPS_MAX 64          /* at most twice the steps from one of 1000 nodes to another, which are some 20 */
#define SPREAD_SEEN_MAX 8192        /* ids in the filter of duplicates, the oldest goes first */
#define SPREAD_KEEP (60 * SECOND)   /* an id is remembered */
#define SPREAD_KEPT_BYTES (8 << 20) /* of messages kept for those who may have missed them; the oldest goes first */
#define SPREAD_MISSING_MAX 1024     /* ids announced and not here yet */
#define SPREAD_MISSING_PER_LINK 256 /* of these, that one link was the first to announce */
#define SPREAD_BRANCHES 8           /* links that a message is sent on */
#define SPREAD_CHECKS_PER_S 2000    /* signature checks for, and answers to, one link; all links together get twice that */
#define SPREAD_SENDS_PER_S 1000     /* of this node; others would not check many more */
#define ORIGINS_MAX 4096            /* of spread messages, whose numbers are remembered: as many as there are peers */
#define PIPES_PAGE_MAX 128          /* in one PIPES answer */
#define CONNECTS_MAX 32             /* byte streams to programs of one node: three threads and 3 MB of buffers each */
#define CONNECTS_PER_PEER_MAX 8     /* of these, from one peer */
#define CONNECT_OFFER (10 * SECOND) /* for the program to accept one */

/* ---- shares */
#define SHARES_MAX 1024
#define AUDIENCE_MAX 64          /* peers named for one share */
#define LIST_ENTRIES_MAX 512     /* entries in one LIST answer; MSG_BYTES_MAX bounds their bytes */
#define SHARES_PAGE_MAX 128      /* shares in one SHARES answer */
#define REQUESTS_PER_PEER_MAX 64 /* of one peer in work at once */
#define REQUEST_TIMEOUT (10 * SECOND)

/* ---- bulk */
#define BLOCK_BYTES (256 * 1024) /* the unit of verification and resume */
#define STREAMS_MAX 8            /* of one transfer */
#define RECEPTIONS_MAX 64        /* outstanding reception objects of a node */
#define RECEPTION_ENDPOINTS_MAX 12
#define RECEPTION_DEADLINE_S 15 /* from request to the streams being up */
#define HALF_OPEN_MAX 64        /* connections on the bulk port that have not shown a valid id; the oldest makes room */
#define HANDSHAKE_DEADLINE (4 * SECOND)
#define STREAM_SILENCE_S 30  /* no byte in either direction: the stream is dead */
#define SENDS_PER_PEER_MAX 4 /* transfers that one peer may be served at once */
#define SENDS_MAX 32
#define MANIFEST_ENTRIES_MAX 16777216 /* files and folders in one transfer */
#define MANIFEST_BYTES_MAX (4ull << 30)
#define TLS_KEY_BYTES (64ull << 30) /* bytes under one key before a KeyUpdate */

/* ---- relay. Of a relay's memory a session is its record and what waits in it: at most twice RELAY_WINDOW. */
#define RELAY_CLIENTS_MAX 1024       /* reservations: as many as there are links */
#define RELAY_SESSIONS_MAX 1024      /* of one relay */
#define RELAY_SESSIONS_PER_CLIENT 64 /* unless its person says otherwise; used and served together */
#define RELAY_USES_PER_S 16          /* sessions that one client begins: each costs their holder a handshake */
#define RELAY_USES_BURST 128         /* the same, at once */
#define RELAY_HANDLES_MAX 16384      /* of all clients; one client's are at most SHARES_MAX */
#define RELAY_LIFE_MAX_S 600         /* of a reservation; renewed at half of it */
#define RELAY_NEXTS 8                /* NEXTs that a client keeps waiting */
#define RELAY_NEXTS_MAX 32           /* that a relay lets wait; of more the oldest is answered with nothing */
#define RELAY_PART_MAX 16384         /* sealed bytes of DATA in one part */
#define RELAY_WINDOW 24576           /* DATA bytes in flight to one end of a session */
#define RELAY_ACCEPT (5 * SECOND)    /* for the holder to accept a session */
#define RELAY_IDLE (120 * SECOND)    /* a session without DATA ends */
#define RELAYS_PER_NODE_MAX 4        /* at which one node has reservations */
#define RELAY_DRAIN (5 * SECOND)     /* for sessions to go elsewhere when a relay stops */
#define HANDLES_PAGE_MAX 128         /* in one HANDLES answer */
#define BRIDGES_MAX 256              /* of one relay: two descriptors and a pipe of 1 MiB for each stream */
#define BRIDGES_PER_CLIENT_MAX 32    /* a browser behind one makes half a dozen connections at once */
#define NOISE_FIRST_BYTES 96         /* ephemeral key, sealed static key, sealed nothing */
#define NOISE_SECOND_BYTES 48        /* ephemeral key, sealed nothing */
#define NOISE_FIRST_MAX NOISE_FIRST_BYTES

/* ---- streams that last, and resources behind them */
#define STREAM_KEPT_BYTES (4 << 20)      /* of a lasting stream, sent and not confirmed yet */
#define STREAM_ABSENT (30 * SECOND)      /* without carrier, before it fails */
#define RESOURCES_MAX 64                 /* in use at once: a descriptor, a process or a thread each */
#define RESOURCE_SILENCE_S 30            /* of a command or a URL: it hangs */
#define RESOURCE_CONNECT_S 5             /* for a service or a URL to answer */
#define RESOURCE_BYTES_MAX (64ull << 30) /* that a command or a URL may bring: no end in sight */

/* ---- files of a peer, written */
#define OPENINGS_MAX 1024 /* handles given out: a descriptor or two each */
#define OPENINGS_PER_PEER_MAX 64
#define OPENING_IDLE (120 * SECOND) /* without a request for it: it is closed */
#define PARCELS_MAX 512             /* that stand at one node */
#define PUT_ITEMS_MAX 16            /* failed items told in one answer */
#define PUTS_PER_PEER_MAX 4         /* fetches from one peer, for its puts, at once */
#define PUTS_MAX 32
#define GATHER_REGIONS_MAX 16384           /* in one message; more go in several */
#define GATHER_REGION_BYTES_MAX 57344      /* of these: fits a message, with room for the rest */
#define GATHER_BYTES_MAX (64ull << 30)     /* built by one message: a minute of a fast disk */
#define GATHER_SIZE_MAX (16ull << 40)      /* of one file: as STAGE_FILE_BYTES_MAX */
#define GATHERS_MAX 2                      /* in work at once: they are bound by the disk; others wait for their turn */
#define GATHERS_WAIT_MAX 32                /* for it */
#define GATHERS_WAIT_PER_PEER_MAX 8        /* of these: one peer does not keep the others from waiting */
#define GATHER_REGION_COST 4096            /* bytes that a shorter region counts as: the disk reads no less for it */
#define GATHER_BUDGET (1ull << 40)         /* bytes built, or read for an index, for one peer at once ... */
#define GATHER_BUDGET_PER_S (512ull << 20) /* ... and a second, */
#define GATHER_BUDGET_PER_BYTE 256         /* and for each byte of literals that it has sent */
#define INDEXES_MAX 2                      /* made for peers at once */
#define INDEXES_PER_PEER_MAX 4             /* that are made, or stand until they are fetched */
#define INDEXES_KEPT_MAX 32                /* of all peers */
#define INDEX_BYTES_MAX (1ull << 30)       /* of one: 32 million anchors */
#define ACCOUNTS_MAX 4096                  /* peers whose budget is remembered until it is whole again */
#define PROGRESS_EVERY_MS 250
#define ASK_SILENCE (30 * SECOND) /* of a request in work: as PROGRESS comes four times a second, it is dead */

/* ---- what is remembered of files of peers */
#define BASE_MIN_BYTES 65536           /* smaller ones are sent whole */
#define BASES_MAX 100000               /* rows; the least recently used go first */
#define BASE_CACHE_BYTES (32ull << 30) /* unless its person says otherwise: indexes, and old bytes as if none were shared */
#define REMEMBER_MAX 65536             /* files that wait to be remembered; the first ones are forgotten */
#define REMEMBER_TEXT_MAX (16 << 20)   /* bytes of their names */
#define DIFF_REGIONS_MAX (1u << 20)    /* of one file: 24 MB; beyond that short copies are sent as literals */

/* ---- control socket */
#define CLIENTS_MAX 64
#define CLIENT_QUEUE_BYTES (4 << 20) /* rows waiting for a client that does not read; then it is dropped */

#endif
