/* What the network faults' BPF program and its loader agree on. C, as both include it. */
#pragma once

#include <linux/types.h>

enum arashi_act { ARASHI_LOSE, ARASHI_REDIRECT, ARASHI_QUEUE };
enum arashi_verdict { ARASHI_PASS, ARASHI_HIT };
enum arashi_protocol { ARASHI_ANY, ARASHI_TCP, ARASHI_UDP, ARASHI_ICMP, ARASHI_SCTP };

/* Written after the program is loaded, which takes the kernel longer than all the rest of an injection: so it can be loaded ahead. */
struct arashi_rules {
  __u64 seed;         /* of all that is left to chance, if seeded */
  __u32 mark;         /* of packets that come back from the tap */
  __u32 tap;          /* ifindex to redirect to: the tap, or the near end of a queue */
  __u32 device;       /* ifindex that the packets belong to */
  __u64 dscp;         /* of the 64 code points, those to hit; 0: any */
  __u16 control_port; /* TCP port that is never hit, 0: none */
  __u8 act;           /* enum arashi_act */
  __u8 egress;        /* else ingress */
  __u8 protocol;      /* enum arashi_protocol */
  __u8 seeded;
  __u8 home;          /* the agent's own namespace: its port is control on the near side too */
  __u8 all_peers;     /* no lookup needed */
  __u8 some_ports;    /* remote_ports holds what to hit */
  __u8 some_local;    /* local_ports likewise */
  __u8 onward;        /* for ARASHI_QUEUE: `judged` stays on, as the packet meets the ingress side of this device next */
  __u16 judged;       /* skb->tc_index of a packet that matched and comes by once more, and is then not hit again; 0: it can't */
  __u32 cgroup_level; /* of `cgroup`: 1 is below the root */
  __u64 cgroup;       /* v2 id; only packets of sockets in it or below; 0: all */
  __u8 spare_open;    /* of TCP and SCTP only what opens a connection; may change while the program is attached */
  __u8 zero[7];
};

enum arashi_model { ARASHI_INDEPENDENT, ARASHI_TWO_STATES, ARASHI_FOUR_STATES };

struct arashi_fate {     /* for ARASHI_LOSE; shares and probabilities are of 2^32 */
  __u64 loss, loss_kept; /* share, and correlation with the packet before */
  __u64 duplicate, duplicate_kept;
  __u64 corrupt, corrupt_kept;
  __u64 p, r, lost_in_bad, lost_in_good; /* for ARASHI_TWO_STATES */
  __u64 p13, p31, p32, p23, p14;         /* for ARASHI_FOUR_STATES */
  __u64 ramp, begin;                     /* losses grow over this time, from this CLOCK_MONOTONIC on; ns; 0: at once */
  __u8 model;                            /* enum arashi_model */
};

struct arashi_peer { /* key of the longest-prefix table; v4 is v4-mapped v6 */
  __u32 prefix;
  __u8 address[16];
};

struct arashi_served { /* key of a port that a cgroup has for itself */
  __u16 port;
  __u8 protocol;
  __u8 zero;
};

struct arashi_flow {          /* key of a connection of a cgroup */
  __u8 local[16], remote[16]; /* v4 is v4-mapped v6 */
  __u16 local_port, remote_port;
  __u8 protocol;
  __u8 zero[3];
};

struct arashi_counters {
  __u64 seen, matched, affected;
  __u64 lost, duplicated, corrupted; /* of the affected, with ARASHI_LOSE */
};

/* A worker that has not beaten for so long is dead or stopped: its traffic passes by itself. */
#define ARASHI_PATIENCE_NS 250000000ULL
#define ARASHI_PORT_WORDS 1024 /* 65536 bits */
#define ARASHI_MOST_PEERS 16384
#define ARASHI_MOST_FLOWS 16384
