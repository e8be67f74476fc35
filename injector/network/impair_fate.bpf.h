// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// What becomes of a packet that is hit and not held by a worker: lost, twice, or with a wrong bit. Part of impair.bpf.c, which declares
// rules and maps.
#pragma once

struct arashi_fate fate SEC(".data.rules") = {};

// What the packets before left behind. Two CPUs at once may both go on from the same state, which does no harm.
__u8 lost_before = 0, twice_before = 0, corrupt_before = 0;
__u8 loss_state = 0;  // of two: bad; of four: 0 to 3

static __always_inline __u32 draw(void) {
  __u64 x;
  if (!rules.seeded) return bpf_get_prandom_u32();
  x = rules.seed + (++sequence) * 0x9e3779b97f4a7c15ULL;  // splitmix64; two CPUs at once may draw the same number, which does no harm
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return (__u32)((x ^ (x >> 31)) >> 32);
}

// With probability `kept` as the packet before, else the die is cast anew: this has exactly the share and the correlation.
static __always_inline int happens(__u64 share, __u64 kept, __u8* before) {
  if (!share) return 0;
  if (!kept || draw() >= kept) *before = draw() < share;
  return *before;
}

// Gilbert-Elliott: the packet fares by the state that it finds, and then changes it.
static __always_inline int lost_by_two(void) {
  const int lost = draw() < (loss_state ? fate.lost_in_bad : fate.lost_in_good);
  if (draw() < (loss_state ? fate.r : fate.p)) loss_state = !loss_state;
  return lost;
}

// netem's states 1 to 4, here 0 to 3: the packet changes the state and fares by the new one. 2 and 3 lose.
static __always_inline int lost_by_four(void) {
  const __u32 chance = draw();
  if (loss_state == 0)
    loss_state = chance < fate.p14 ? 3 : chance < fate.p14 + fate.p13 ? 2 : 0;
  else if (loss_state == 1)
    loss_state = chance < fate.p23 ? 2 : 1;
  else if (loss_state == 2)
    loss_state = chance < fate.p32 ? 1 : chance < fate.p32 + fate.p31 ? 0 : 2;
  else
    loss_state = 0;
  return loss_state >= 2;
}

static __always_inline int has_grown(void) {
  const __u64 since = bpf_ktime_get_ns() - fate.begin;
  if (since >= fate.ramp) return 1;
  return draw() < ((since >> 16) << 32) / ((fate.ramp >> 16) + 1);  // in steps of 65 us, so that a day fits
}

static __always_inline int is_lost(void) {
  int lost;
  if (fate.model == ARASHI_TWO_STATES)
    lost = lost_by_two();
  else if (fate.model == ARASHI_FOUR_STATES)
    lost = lost_by_four();
  else
    lost = happens(fate.loss, fate.loss_kept, &lost_before);
  return lost && (!fate.ramp || has_grown());
}

// The copy meets this program again, which knows it by its mark and lets it go.
static __always_inline void send_copy(struct __sk_buff* skb) {
  const __u32 mark = skb->mark;
  skb->mark = rules.mark;
  bpf_clone_redirect(skb, skb->ifindex, rules.egress ? 0 : BPF_F_INGRESS);
  skb->mark = mark;
}

// One bit behind the IP header. A checksum that is made only afterwards, by the device, will be right: then the application gets it.
static __always_inline int corrupt_bit(struct __sk_buff* skb) {
  const int is_v4 = skb->protocol == bpf_htons(ETH_P_IP);
  __u8 first, byte;
  __u16 length;
  __u32 header, total, at;
  if (bpf_skb_load_bytes_relative(skb, 0, &first, 1, BPF_HDR_START_NET) < 0) return 0;
  if (bpf_skb_load_bytes_relative(skb, is_v4 ? 2 : 4, &length, sizeof length, BPF_HDR_START_NET) < 0) return 0;
  header = is_v4 ? (first & 0xf) * 4 : sizeof(struct ipv6hdr);
  total = bpf_ntohs(length) + (is_v4 ? 0 : header);
  if (total <= header || total > skb->len) return 0;
  at = (skb->len - total >= ETH_HLEN ? ETH_HLEN : 0) + header + draw() % (total - header);
  if (bpf_skb_load_bytes(skb, at, &byte, 1) < 0) return 0;
  byte ^= 1 << (draw() & 7);
  return bpf_skb_store_bytes(skb, at, &byte, 1, BPF_F_RECOMPUTE_CSUM) == 0;
}

// TC_ACT_SHOT on egress would tell the sender's TCP of a local drop, which it repairs at once: STOLEN looks like a loss on the way.
static __always_inline int meet_fate(struct __sk_buff* skb, struct arashi_counters* count) {
  const int lost = is_lost();
  const int twice = happens(fate.duplicate, fate.duplicate_kept, &twice_before);
  const int wrong = happens(fate.corrupt, fate.corrupt_kept, &corrupt_before);
  if (!lost && !twice && !wrong) return NEXT;
  ++count->affected;
  if (lost) ++count->lost;
  if (twice) ++count->duplicated;
  if (lost && !twice) return rules.egress ? TC_ACT_STOLEN : TC_ACT_SHOT;  // one that is lost and duplicated arrives once
  if (!lost && twice) send_copy(skb);
  if (wrong && corrupt_bit(skb)) ++count->corrupted;
  return NEXT;
}
