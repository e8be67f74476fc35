// SPDX-License-Identifier: Apache-2.0 OR GPL-2.0-only
// Whose packet it is: of a socket in the cgroup, or below it. Part of impair.bpf.c, which declares rules and maps.
// On the way out the packet knows its socket. On the way in it does not yet, so a second program (arashi_learn) keeps note of what the
// cgroup sends: its connections, as they look on the device, behind any address translation, and the ports at which it is served. What has
// no socket (a forwarded packet, an answer of the kernel itself) belongs to no cgroup.
#pragma once

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, ARASHI_MOST_FLOWS);
  __type(key, struct arashi_flow);
  __type(value, __u8);
} flows SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, ARASHI_MOST_FLOWS);
  __type(key, struct arashi_served);
  __type(value, __u8);
} served SEC(".maps");

static __always_inline int is_sent_by_cgroup(struct __sk_buff* skb) {
  return bpf_skb_ancestor_cgroup_id(skb, (int)rules.cgroup_level) == rules.cgroup;
}

static __always_inline int read_packet(struct __sk_buff* skb, struct packet* packet) {
  if (skb->protocol == bpf_htons(ETH_P_IP)) return read_v4(skb, packet);
  if (skb->protocol == bpf_htons(ETH_P_IPV6)) return read_v6(skb, packet);
  return -1;
}

static __always_inline void learn(void* table, const void* key) {
  const __u8 known = 1;
  if (!bpf_map_lookup_elem(table, key)) bpf_map_update_elem(table, key, &known, BPF_ANY);
}

static __always_inline int is_to_cgroup(struct __sk_buff* skb) {
  struct packet packet = {};
  struct arashi_served port = {};
  struct arashi_flow flow = {};
  if (read_packet(skb, &packet) < 0 || !packet.has_ports) return 0;
  port.protocol = packet.protocol;
  port.port = packet.destination_port;
  if (bpf_map_lookup_elem(&served, &port)) return 1;
  flow.protocol = packet.protocol;
  flow.local_port = packet.destination_port;
  flow.remote_port = packet.source_port;
  __builtin_memcpy(flow.local, packet.destination.address, 16);
  __builtin_memcpy(flow.remote, packet.source.address, 16);
  return bpf_map_lookup_elem(&flows, &flow) != 0;
}

static __always_inline int is_of_cgroup(struct __sk_buff* skb) {
  if (!rules.cgroup) return 1;
  return rules.egress ? is_sent_by_cgroup(skb) : is_to_cgroup(skb);
}

// A socket of UDP has its port for itself, and so has one that listens; the ports of connections may be shared.
SEC("tc")
int arashi_learn(struct __sk_buff* skb) {
  struct packet packet = {};
  struct arashi_served port = {};
  struct arashi_flow flow = {};
  struct bpf_sock* sender = skb->sk;
  if (!sender || !is_sent_by_cgroup(skb)) return NEXT;
  if (read_packet(skb, &packet) < 0 || !packet.has_ports) return NEXT;
  port.protocol = packet.protocol;
  port.port = packet.source_port;
  if (packet.protocol == IPPROTO_UDP || bpf_get_listener_sock(sender)) learn(&served, &port);
  if (packet.protocol == IPPROTO_UDP) return NEXT;
  flow.protocol = packet.protocol;
  flow.local_port = packet.source_port;
  flow.remote_port = packet.destination_port;
  __builtin_memcpy(flow.local, packet.source.address, 16);
  __builtin_memcpy(flow.remote, packet.destination.address, 16);
  learn(&flows, &flow);
  return NEXT;
}
