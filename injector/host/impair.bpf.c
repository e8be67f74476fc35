// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Decides for each packet of a device whether a network fault hits it, and what becomes of it.
// Never hit: the control path, and what keeps the link itself going, as a fault is further away: ARP and all else that is not IP, neighbour
// discovery, group membership (IGMP, MLD).
#include "impair_rules.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

const volatile struct arashi_rules rules = {};
const volatile __u64 remote_ports[ARASHI_PORT_WORDS] = {};
const volatile __u64 local_ports[ARASHI_PORT_WORDS] = {};

__u64 beat = 0;      // CLOCK_MONOTONIC of the worker's last sign of life
__u64 sequence = 0;  // of seeded losses

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, ARASHI_MOST_PEERS);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct arashi_peer);
  __type(value, __u8);
} peers SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct arashi_counters);
} counters SEC(".maps");

#define NEXT TC_ACT_UNSPEC  // the filters behind ours see the packet as if we were not there

// A filter with actions of its own (ARASHI_TELL) only asks whether the packet matches.
#define MATCHES (-1)
#define DIFFERS 0

struct packet {
  struct arashi_peer source, destination;
  __u16 source_port, destination_port;
  __u8 protocol;   // IANA number behind the extension headers
  __u8 has_ports;  // false for fragments behind the first
  __u8 icmp_type;
};

static __always_inline int load(struct __sk_buff* skb, __u32 at, void* to, __u32 length) {
  return bpf_skb_load_bytes_relative(skb, at, to, length, BPF_HDR_START_NET);
}

static __always_inline void map_v4(struct arashi_peer* peer, __u32 address) {
  peer->prefix = 128;
  __builtin_memset(peer->address, 0, 10);
  peer->address[10] = peer->address[11] = 0xff;
  __builtin_memcpy(peer->address + 12, &address, 4);
}

static __always_inline void read_ports(struct __sk_buff* skb, __u32 at, struct packet* packet) {
  __u16 ports[2];
  if (packet->protocol == IPPROTO_ICMPV6) {
    load(skb, at, &packet->icmp_type, 1);
    return;
  }
  if (packet->protocol != IPPROTO_TCP && packet->protocol != IPPROTO_UDP) return;
  if (load(skb, at, ports, sizeof ports) < 0) return;
  packet->source_port = bpf_ntohs(ports[0]);
  packet->destination_port = bpf_ntohs(ports[1]);
  packet->has_ports = 1;
}

static __always_inline int read_v4(struct __sk_buff* skb, struct packet* packet) {
  struct iphdr ip;
  if (load(skb, 0, &ip, sizeof ip) < 0) return -1;
  map_v4(&packet->source, ip.saddr);
  map_v4(&packet->destination, ip.daddr);
  packet->protocol = ip.protocol;
  if ((ip.frag_off & bpf_htons(0x1fff)) == 0) read_ports(skb, ip.ihl * 4, packet);
  return 0;
}

// At most this many extension headers; a packet with more, or with one we don't know, has that header's number as its protocol.
#define MOST_HEADERS 6

static __always_inline int read_v6(struct __sk_buff* skb, struct packet* packet) {
  struct ipv6hdr ip;
  __u32 at = sizeof ip;
  __u16 later_fragment = 0;
  if (load(skb, 0, &ip, sizeof ip) < 0) return -1;
  packet->source.prefix = packet->destination.prefix = 128;
  __builtin_memcpy(packet->source.address, &ip.saddr, 16);
  __builtin_memcpy(packet->destination.address, &ip.daddr, 16);
  packet->protocol = ip.nexthdr;
#pragma unroll
  for (int i = 0; i < MOST_HEADERS; ++i) {
    __u8 head[4];  // next header, length or reserved, fragment offset
    const __u8 kind = packet->protocol;
    if (kind != IPPROTO_HOPOPTS && kind != IPPROTO_ROUTING && kind != IPPROTO_DSTOPTS && kind != IPPROTO_FRAGMENT && kind != IPPROTO_AH)
      break;
    if (load(skb, at, head, sizeof head) < 0) return 0;
    if (kind == IPPROTO_FRAGMENT) {
      later_fragment = ((head[2] << 8) | head[3]) & 0xfff8;
      at += 8;
    } else if (kind == IPPROTO_AH) {
      at += (head[1] + 2) * 4;
    } else {
      at += (head[1] + 1) * 8;
    }
    packet->protocol = head[0];
    if (later_fragment) return 0;
  }
  read_ports(skb, at, packet);
  return 0;
}

static __always_inline __u8 verdict_of(const struct arashi_peer* peer) {
  const __u8* found = bpf_map_lookup_elem(&peers, peer);
  return found ? *found : ARASHI_PASS;
}

static __always_inline int has_bit(const volatile __u64* bits, __u16 port) {
  return (bits[(port >> 6) & (ARASHI_PORT_WORDS - 1)] >> (port & 63)) & 1;
}

static __always_inline int protocol_matches(const struct packet* packet) {
  switch (rules.protocol) {
    case ARASHI_TCP:
      return packet->protocol == IPPROTO_TCP;
    case ARASHI_UDP:
      return packet->protocol == IPPROTO_UDP;
    case ARASHI_ICMP:
      return packet->protocol == IPPROTO_ICMP || packet->protocol == IPPROTO_ICMPV6;
    default:
      return 1;
  }
}

static __always_inline int is_control_port(const struct packet* packet) {
  return rules.control_port && packet->protocol == IPPROTO_TCP && packet->has_ports &&
         (packet->source_port == rules.control_port || packet->destination_port == rules.control_port);
}

static __always_inline int ports_match(const struct packet* packet) {
  const __u16 remote = rules.egress ? packet->destination_port : packet->source_port;
  const __u16 local = rules.egress ? packet->source_port : packet->destination_port;
  if ((rules.some_ports || rules.some_local) && !packet->has_ports) return 0;
  if (rules.some_ports && !has_bit(remote_ports, remote)) return 0;
  return !rules.some_local || has_bit(local_ports, local);
}

static __always_inline int is_of_the_link(const struct packet* packet) {
  if (packet->protocol == IPPROTO_ICMPV6) return (packet->icmp_type >= 130 && packet->icmp_type <= 137) || packet->icmp_type == 143;
  return packet->protocol == IPPROTO_IGMP;
}

static __always_inline int is_hit(struct __sk_buff* skb) {
  struct packet packet = {};
  if (rules.v4 && skb->protocol == bpf_htons(ETH_P_IP)) {
    if (read_v4(skb, &packet) < 0) return 0;
  } else if (rules.v6 && skb->protocol == bpf_htons(ETH_P_IPV6)) {
    if (read_v6(skb, &packet) < 0) return 0;
  } else {
    return 0;
  }
  if (is_of_the_link(&packet)) return 0;
  if (!protocol_matches(&packet) || !ports_match(&packet) || is_control_port(&packet)) return 0;
  if (rules.all_peers) return 1;
  if (verdict_of(rules.egress ? &packet.destination : &packet.source) != ARASHI_HIT) return 0;
  return !rules.control_peers || verdict_of(rules.egress ? &packet.source : &packet.destination) != ARASHI_CONTROL;
}

static __always_inline __u32 draw(void) {
  __u64 x;
  if (!rules.seeded) return bpf_get_prandom_u32();
  x = rules.seed + (++sequence) * 0x9e3779b97f4a7c15ULL;  // splitmix64; two CPUs at once may draw the same number, which does no harm
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return (__u32)((x ^ (x >> 31)) >> 32);
}

// TC_ACT_SHOT on egress would tell the sender's TCP of a local drop, which it repairs at once: STOLEN looks like a loss on the way.
static __always_inline int lose(struct arashi_counters* count) {
  if (draw() >= rules.loss) return NEXT;
  ++count->affected;
  return rules.egress ? TC_ACT_STOLEN : TC_ACT_SHOT;
}

static __always_inline int to_tap(struct arashi_counters* count) {
  if (bpf_ktime_get_ns() - beat > ARASHI_PATIENCE_NS) return NEXT;
  ++count->affected;
  return bpf_redirect(rules.tap, 0);
}

static __always_inline int pass(void) { return rules.act == ARASHI_TELL ? DIFFERS : NEXT; }

SEC("tc")
int arashi_hook(struct __sk_buff* skb) {
  const __u32 zero = 0;
  struct arashi_counters* count;
  if (rules.act == ARASHI_REDIRECT && skb->mark == rules.mark) {
    skb->mark = 0;
    return NEXT;
  }
  count = bpf_map_lookup_elem(&counters, &zero);
  if (!count) return pass();
  ++count->seen;
  if (!is_hit(skb)) return pass();
  ++count->matched;
  if (rules.act == ARASHI_LOSE) return lose(count);
  if (rules.act == ARASHI_REDIRECT) return to_tap(count);
  ++count->affected;
  if (rules.act == ARASHI_TELL) return MATCHES;
  skb->tc_classid = rules.classid;
  return TC_ACT_OK;
}

// On the tap: what the worker wrote back goes where it was going.
SEC("tc")
int arashi_back(struct __sk_buff* skb) {
  skb->mark = rules.mark;
  return bpf_redirect(rules.device, rules.egress ? 0 : BPF_F_INGRESS);
}

// The kernel lends its clock only to programs that are (also) under the GPL.
char LICENSE[] SEC("license") = "GPL";
