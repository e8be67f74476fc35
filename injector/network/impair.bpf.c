// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Decides for each packet of a device whether a network fault hits it, and what becomes of it.
// Never hit: the control path, and what keeps the link itself going, as a fault is further away: ARP and all else that is not IP, neighbour
// discovery, group membership (IGMP, MLD).
#include "impair_rules.h"

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct arashi_rules rules SEC(".data.rules") = {};
__u64 remote_ports[ARASHI_PORT_WORDS] SEC(".data.rules") = {};
__u64 local_ports[ARASHI_PORT_WORDS] SEC(".data.rules") = {};

__u64 beat = 0;      // CLOCK_MONOTONIC of the worker's last sign of life
__u64 sequence = 0;  // of seeded draws

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

#include "impair_fate.bpf.h"
#include "impair_packet.bpf.h"

#include "impair_cgroup.bpf.h"

static __always_inline int to_tap(struct arashi_counters* count) {
  if (bpf_ktime_get_ns() - beat > ARASHI_PATIENCE_NS) return NEXT;
  ++count->affected;
  return bpf_redirect(rules.tap, 0);
}

// Into the near end of a pair of devices, whose qdisc holds it; at the far end arashi_back meets it again. Mark and socket stay with it on
// that way, the priority by which a qdisc may choose its class does not: the hash carries it.
static __always_inline int to_queue(struct __sk_buff* skb, struct arashi_counters* count) {
  ++count->affected;
  skb->tc_index = rules.judged;
  if (rules.egress) bpf_set_hash(skb, skb->priority);
  return bpf_redirect(rules.tap, 0);
}

SEC("tc")
int arashi_hook(struct __sk_buff* skb) {
  const __u32 zero = 0;
  struct arashi_counters* count;
  if ((rules.act == ARASHI_REDIRECT || fate.duplicate) && skb->mark == rules.mark) {
    skb->mark = 0;
    if (rules.judged && rules.egress) skb->tc_index = rules.judged;
    return NEXT;
  }
  if (rules.judged && skb->tc_index == rules.judged) {
    if (!rules.onward) skb->tc_index = 0;
    return NEXT;
  }
  count = bpf_map_lookup_elem(&counters, &zero);
  if (!count) return NEXT;
  ++count->seen;
  if (!is_hit(skb) || !is_of_cgroup(skb)) return NEXT;
  ++count->matched;
  if (rules.judged && rules.egress) skb->tc_index = rules.judged;
  if (rules.act == ARASHI_LOSE) return meet_fate(skb, count);
  return rules.act == ARASHI_REDIRECT ? to_tap(count) : to_queue(skb, count);
}

static __always_inline void restore_priority(struct __sk_buff* skb) {
  if (!rules.egress) return;
  skb->priority = skb->hash;
  bpf_set_hash_invalid(skb);
}

// On the tap, or at the far end of a queue: what comes from there goes where it was going. Into a queue anyone could send; what did not
// come by our hook ends here.
SEC("tc")
int arashi_back(struct __sk_buff* skb) {
  if (rules.act == ARASHI_QUEUE) {
    if (skb->tc_index != rules.judged) return TC_ACT_SHOT;
    restore_priority(skb);
  } else {
    skb->mark = rules.mark;
  }
  // The frame was not addressed to this device, which loopback would not forgive it.
  if (skb->pkt_type != PACKET_HOST) bpf_skb_change_type(skb, PACKET_HOST);
  return bpf_redirect(rules.device, rules.egress ? 0 : BPF_F_INGRESS);
}

// The kernel lends its clock only to programs that are (also) under the GPL.
char LICENSE[] SEC("license") = "GPL";
