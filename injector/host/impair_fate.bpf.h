// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// What becomes of a packet that is hit and not held by a worker. Part of impair.bpf.c, which declares rules and maps.
#pragma once

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
