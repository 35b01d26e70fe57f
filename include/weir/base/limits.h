/* Every ceiling that input can push against: unit in the name, policy in the comment. Those an operator may move have
 * a configuration key (docs/configuration.md); the rest are fixed on purpose. Counters for them: base/counters.h. */
#ifndef WEIR_BASE_LIMITS_H
#define WEIR_BASE_LIMITS_H

#define KIB (1024)
#define MIB (1024 * 1024)

/* -- RTMP -- */
#define RTMP_HANDSHAKE_US_MAX (10 * 1000000LL)        /* close */
#define RTMP_PUBLISH_US_MAX (15 * 1000000LL)          /* handshake done, nothing published yet: close */
#define RTMP_CHUNK_BYTES_MAX 0xFFFFFFu                /* larger values are clamped: no message is longer (RTMP 5.4.1) */
#define RTMP_CHUNK_STREAMS_MAX 64                     /* refuse and close */
#define RTMP_VIDEO_MESSAGE_BYTES_MAX (7 * MIB)        /* refuse and close */
#define RTMP_AUDIO_MESSAGE_BYTES_MAX (256 * KIB)      /* refuse and close */
#define RTMP_DATA_MESSAGE_BYTES_MAX (1 * MIB)         /* refuse and close; also aggregate's parts */
#define RTMP_COMMAND_MESSAGE_BYTES_MAX (64 * KIB)     /* refuse and close */
#define RTMP_ASSEMBLY_BYTES_MAX (7 * MIB + 512 * KIB) /* all half-received messages of a connection: refuse and close */
#define RTMP_OUTPUT_BYTES_MAX (256 * KIB)             /* replies a client does not read: close */
#define RTMP_NAME_BYTES_MAX 256                       /* app, stream name, key, query: refuse */
#define RTMP_URL_BYTES_MAX 2048                       /* tcUrl: its query is not looked at */
#define RTMP_COMMANDS_BEFORE_PUBLISH_MAX 64           /* refuse and close */
#define RTMP_IDLE_US_MAX (30 * 1000000LL)             /* publishing and no audio or video came: close (ingest.idle) */
#define RTMP_SILENT_US (5 * 1000000LL)                /* after this a publisher may be replaced by anyone allowed */
#define RTMP_CONNECTIONS_MAX 20000                    /* refuse new ones (ingest.connections) */
#define RTMP_CONNECTIONS_PER_ADDRESS_MAX 12000        /* refuse new ones (ingest.connections_per_address) */
#define RTMP_READ_BYTES_PER_TURN (256 * KIB)          /* then the next connection has its turn */
#define RTMP_GATHER_US 8000             /* reads of several publishers in one pass (ingest.gather, max 10 ms) */
#define SRT_PASS_US_MIN 1000            /* SRT sockets are never looked at more often */
#define AMF_DEPTH_MAX 16                /* refuse the message */
#define AMF_STRING_BYTES_MAX (16 * KIB) /* refuse the message */
#define AMF_VALUES_MAX 4096             /* refuse the message */
#define ERTMP_MODEX_MAX 8               /* refuse the message */
#define ERTMP_TRACKS_MAX 16             /* refuse the message */

/* -- MPEG transport streams in -- */
#define TS_PIDS_MAX 32                      /* followed at once, tables included: the rest of a program is refused */
#define TS_PROGRAMS_MAX 512                 /* looked at in a PAT: the rest is skipped */
#define TS_STREAMS_MAX 24                   /* of a program: the rest is refused */
#define TS_AUDIO_TRACKS_MAX 8               /* carried: the rest is refused */
#define TS_SECTION_BYTES_MAX 1024           /* PAT, PMT (H.222.0 2.4.4): drop the section */
#define TS_PRIVATE_SECTION_BYTES_MAX 4096   /* SCTE-35: drop the section */
#define TS_VIDEO_UNIT_BYTES_MAX (8 * MIB)   /* an access unit: what is above is dropped, the unit is damaged */
#define TS_AUDIO_FRAME_BYTES_MAX (64 * KIB) /* a frame's claim: resynchronise */
#define TS_METADATA_BYTES_MAX (256 * KIB)   /* a PES of metadata: dropped */
#define TS_UNITS_PER_PES_MAX 1024           /* access units or audio frames: the rest of the PES is dropped */
#define TS_EARLY_END_RUN 64                 /* units that ended as foretold before that is trusted */
/* -- SRT; defaults of the keys beside them -- */
#define SRT_LATENCY_US (200 * 1000LL)          /* the receiver's least (srt.latency) */
#define SRT_IDLE_US_MAX (5 * 1000000LL)        /* not one packet for so long: gone (srt.idle) */
#define SRT_RECEIVE_BUFFER_BYTES (8192 * 1472) /* of one connection: what comes on top is lost (srt.rcvbuf) */
#define SRT_FLIGHT_PACKETS_MAX 8192            /* the sender waits (srt.flight) */
#define SRT_UDP_BUFFER_BYTES (8192 * 1500) /* of one port, in the kernel: what comes on top is lost (srt.udp_rcvbuf) */
#define SRT_MESSAGE_BYTES_MAX 1500         /* libsrt gives no longer ones in live mode */
#define SRT_PAYLOAD_BYTES 1316             /* of what weir sends (srt.payload_size) */
#define SRT_CONNECT_MS 3000                /* to answer a pull: try again later */
#define SRT_CONNECTIONS_MAX 2000           /* refuse: 1402 (srt.connections) */
#define SRT_CONNECTIONS_PER_ADDRESS_MAX 1000 /* refuse: 1402 (srt.connections_per_address) */
#define SRT_ATTEMPTS_PER_SECOND 40           /* of one port, and three seconds' worth at once: refuse (srt.attempts) */
#define SRT_ATTEMPTS_PER_ADDRESS_PER_SECOND 10 /* and four seconds' worth at once: refuse (srt.attempts_per_address) */

/* what a peer may say to libsrt at all: dropped in the kernel (ingest/srt_guard.h) */
#define SRT_PEER_MTU_MIN 576
#define SRT_PEER_MTU_MAX 65535
#define SRT_PEER_FLIGHT_MIN 32
#define SRT_PEER_FLIGHT_MAX 102400
#define SRT_KEY_MATERIAL_BYTES_MAX 104 /* two keys of 32 bytes, wrapped, with what stands around them */
#define SRT_HANDSHAKE_BLOCKS_MAX 8
#define SRT_EXTENSION_BYTES_MAX 128
#define SRT_DROP_REQUEST_PACKETS_MAX 256 /* libsrt walks its list of losses for each: 131072 cost seconds */

/* -- media -- */
#define CODEC_CONFIG_BYTES_MAX (4 * KIB)  /* refuse the configuration */
#define NAL_UNITS_PER_FRAME_MAX 4096      /* refuse the frame */
#define STREAM_NAME_BYTES_MAX 192         /* app/name together: refuse */
#define STREAM_NAME_SEGMENTS_MAX 8        /* path segments in app/name: refuse */
#define AUDIO_TRACKS_MAX 8                /* ingest counts and drops those above */
#define TRACK_NAME_BYTES 64               /* cut */
#define UNSUPPORTED_TRACKS_MAX 8          /* shown to the operator; more are not */
#define METADATA_BYTES_MAX (64 * KIB)     /* of one timed-metadata packet: drop it */
#define TIMELINE_GAP_90K_MAX (5 * 90000)  /* a longer hole starts a new era */
#define TIMELINE_BACK_90K_MAX (90000 / 2) /* a larger step back starts a new era */

/* -- streams and packaging -- */
#define STREAMS_MAX 4096 /* refuse new publishers */
#define SINKS_PER_STREAM_MAX 4
#define RENDITIONS_MAX 48 /* video, audio tracks, rungs of this plan and of those before, the transport stream */
#define SEGMENT_SAMPLES_MAX 32768      /* cut the segment */
#define SEGMENT_BYTES_MAX (128 * MIB)  /* cut the segment */
#define WINDOW_SEGMENTS_MAX 1024       /* drop the oldest */
#define DVR_SEGMENTS_MAX 32768         /* listed from disk, per rendition (3 MB of text): drop the oldest */
#define RESUME_HOLE_MAX 4096           /* numbers lost in one go that are listed as gaps: begin anew behind more */
#define PENDING_TAGS_MAX 256           /* ID3 that waits for its TS segment: drop */
#define PENDING_AUDIO_PACKETS_MAX 4096 /* cut without waiting for video */
#define PLAYLIST_BYTES_MAX (1 * MIB)
#define VIEWERS_TRACKED_MAX 4096 /* more are served, not counted one by one */

/* -- transcoding -- */
#define LADDER_RUNGS_MAX 8                                       /* refuse the configuration */
#define PACKAGER_RUNGS_MAX (LADDER_RUNGS_MAX + AUDIO_TRACKS_MAX) /* assert */
#define LADDER_SIDE_MAX 8192                                     /* pixels: larger sources are passed through */
#define LADDER_REORDER_MAX 64             /* keyframes planned and not yet decoded: give up the earliest */
#define LADDER_QUEUE_BYTES_MAX (48 * MIB) /* in front of a decoder: drop to the next keyframe */
#define LADDER_QUEUE_90K_MAX (3 * 90000)  /* the same, by media time */
#define LADDER_QUEUE_ITEMS_MAX 4096       /* the same, by count */
#define LADDER_FRAMES_WAITING_MAX 2       /* in front of an encoder: the decoder waits; behind a stalled one: drop */
#define LADDER_IN_FLIGHT_MAX 256          /* frames inside an encoder: replace it */
#define LADDER_STALL_US 1500000           /* an encoder or decoder that has work and does not answer: replace it */
#define LADDER_AUDIO_PACKETS_MAX 1024     /* in front of an audio decoder: drop, and silence stands there */
#define LADDER_MAIL_BYTES_MAX                                                                                          \
    (32 * MIB)                          /* encoded and not taken by the stream's loop: drop up to the rung's next IDR */
#define LADDER_MAIL_ITEMS_MAX 4096      /* the same, by count */
#define LADDER_DRAIN_US (2 * 1000000LL) /* a stream with a ladder is held at least so long: what is inside comes out */
#define CAPTION_BYTES_MAX (31 * 3)      /* of one frame (CEA-708 cc_count is five bits): drop the oldest */

/* -- HTTP -- */
#define HTTP_CONNECTIONS_MAX 20000          /* answer 503 and close (delivery.connections) */
#define HTTP_HEADER_BYTES_MAX (16 * KIB)    /* 431 */
#define HTTP_URL_BYTES_MAX 2048             /* 414 */
#define HTTP_HEADER_US_MAX (10 * 1000000LL) /* from the first byte to the last of a request head: 408 */
#define HTTP_IDLE_US_MAX (60 * 1000000LL)   /* keep-alive without a request: close */
#define HTTP_STALL_US_MAX (20 * 1000000LL)  /* response not moving: close */
#define HTTP_PIPELINE_MAX 16                /* responses waiting: stop reading */
#define HTTP_PINNED_BYTES_MAX (64 * MIB)    /* response bytes a connection may keep alive: stop reading */

#define HTTP2_STREAMS_MAX 100      /* requests under way in a connection: refuse more (RFC 9113, 5.1.2) */
#define HTTP2_RESETS_BURST_MAX 200 /* requests taken back at once: close (with the rate below) */
#define HTTP2_RESETS_PER_SECOND_MAX 20
#define HTTP2_CONTROLS_BURST_MAX 200 /* frames that carry no request: close (with the rate below) */
#define HTTP2_CONTROLS_PER_SECOND_MAX 20
#define BLOCKED_PER_CONNECTION_MAX 64 /* requests that wait for a playlist or part: 503; leaves streams for media */
#define BLOCKED_PER_STREAM_MAX 65536  /* the same of a stream on one loop: 503 */

/* -- TLS -- */
#define TLS_HANDSHAKES_MAX 2048                /* under way at once, over all loops (45 KB each): newcomers wait */
#define TLS_HANDSHAKE_STALE_US (1 * 1000000LL) /* no progress for so long while others wait: close */
#define TLS_RECORD_BYTES (16 * KIB)            /* what a record holds (RFC 8446, 5.1) */

/* -- weir-loadgen: what a server that is looked at may make us keep -- */
#define LOADGEN_PLAYLIST_BYTES_MAX (4 * MIB) /* give the answer up; the report says so */
#define LOADGEN_OBJECT_BYTES_MAX (128 * MIB) /* give the answer up */
#define LOADGEN_LINES_MAX 65536              /* of a playlist: refuse it */
#define LOADGEN_FAULTS_MAX 64                /* per playlist or file: the first ones are kept */
#define LOADGEN_VARIANTS_MAX 256             /* and as many EXT-X-MEDIA of a multivariant playlist: refuse it */
#define LOADGEN_LISTS_MAX 32                 /* media playlists of a presentation: the rest is not followed */
#define LOADGEN_INITS_MAX 64                 /* forget the oldest */
#define LOADGEN_HISTORY_SEGMENTS_MAX 1024    /* per media playlist: forget the oldest */
#define LOADGEN_PARTS_PER_SEGMENT_MAX 512    /* the rest is not looked at */
#define LOADGEN_FRAGMENTS_MAX 4096           /* per file: refuse it */
#define LOADGEN_SAMPLES_MAX 262144           /* per file: refuse it */
#define LOADGEN_TRACKS_MAX 8                 /* per init segment: refuse it */
#define LOADGEN_TS_PIDS_MAX 32               /* per TS segment: the rest is not looked at */
#define LOADGEN_URL_BYTES_MAX 2048           /* not followed */
#define LOADGEN_REQUESTS_MAX 128             /* on their way at a time: the next ones wait */
#define LOADGEN_FETCHES_PER_LIST_MAX 4       /* segments, parts and inits on their way per media playlist */
#define LOADGEN_QUEUE_MAX 4096               /* objects that wait to be fetched, per media playlist: not fetched */
#define LOADGEN_OBJECTS_MAX 2048  /* playlists, inits and times of media that viewers share: forget the oldest */
#define LOADGEN_CLIENTS_MAX 16384 /* viewers in a process: refuse */
#define LOADGEN_SECONDS_MAX (24 * 60 * 60)       /* of a run: refuse */
#define LOADGEN_SOURCE_BYTES_MAX (512 * MIB)     /* of what publishers loop, a file read whole: refuse it */
#define LOADGEN_SOURCE_ITEMS_MAX (1024 * 1024)   /* frames in it: refuse it */
#define LOADGEN_SOURCE_MAKE_US (120 * 1000000LL) /* to make or read it: give up */
#define LOADGEN_PUBLISHERS_MAX 4096              /* of a group: refuse */
#define LOADGEN_PUBLISHER_THREADS_MAX 16         /* of a group, that send: refuse */
#define LOADGEN_DIALERS 8                        /* of a group, threads that dial: the next ones wait */
#define LOADGEN_DIAL_US (10 * 1000000LL)         /* for each answer of a handshake: refused */
#define LOADGEN_BEHIND_US_MAX (20 * 1000000LL)   /* behind its time: go on at the next keyframe */
#define LOADGEN_BATCH_BYTES (64 * KIB)           /* written at once: the rest waits for the next turn */
#define LOADGEN_RELAY_CLIENTS_MAX 4096           /* of a relay: the next ones are refused */
#define LOADGEN_RELAY_CARGO_MAX (1024 * 1024)    /* packets under way: lost */
#define LOADGEN_CHAOS_EVENTS_MAX 4096            /* of a schedule: refuse it */
#define LOADGEN_CHAOS_VICTIMS_MAX 16             /* publishers that things are done to: refuse */
#define LOADGEN_DISK_BYTES_MAX (1024 * MIB)      /* of a file system that is to be filled: refuse a larger one */
#define LOADGEN_GARBAGE_BYTES_MAX (1 * MIB)      /* of one act: refuse */

/* -- segments on disk -- */
#define ARCHIVE_QUEUE_BYTES_MAX (64 * MIB)    /* waiting to be written: refuse the segment, which is a gap later */
#define ARCHIVE_QUEUE_US_MAX (10 * 1000000LL) /* the same, when the oldest of them has waited this long */
#define ARCHIVE_JOBS_MAX 16384                /* the same, by count */
#define ARCHIVE_DRAIN_US_MAX (5 * 1000000LL)  /* at the end of the process: what is not written by then is lost */
#define ARCHIVE_LOADS_MAX 4096                /* waiting to be read: refuse (503) */
#define ARCHIVE_LOAD_US_MAX (10 * 1000000LL)  /* a request that waits for the disk: 503 */
#define ARCHIVE_CACHE_BYTES_MAX (64 * MIB)    /* bodies that were read lately: forget the oldest */
#define ARCHIVE_SHELVES_MAX 8192              /* streams with anything on disk: no more are kept */
#define ARCHIVE_OBJECTS_MAX (1024 * 1024)     /* segments and inits on disk in all: drop the oldest chunk */
#define ARCHIVE_CHUNKS_MAX 4096               /* per stream: drop the oldest */
#define ARCHIVE_CHUNK_BYTES_MAX (64 * MIB)    /* begin another; less where the disk or the budget is small */
#define ARCHIVE_CHUNK_BYTES_MIN (64 * KIB)
#define ARCHIVE_JOURNAL_BYTES_MAX (1 * MIB) /* of a chunk: begin another; what lies behind is not read */

/* -- between threads -- */
#define MAILBOX_MESSAGES_MAX 65536 /* refuse; the sender counts it */
#define LOOPS_MAX 64
#define LOG_LINE_BYTES_MAX 2048      /* cut */
#define LOG_BURST_US (2 * 1000000LL) /* between lines that strangers can cause at will: the others are counted only */

#endif
